//! What reviewers said is kept as it was said, and goes with its workspace.

use super::*;
use crate::workspace::{Citation, Decision, NewVerdict, Span, Verdict};

const MANY: u64 = 100;

fn new(workspace: &str, name: &str, start: usize, decision: Decision, query: Option<&str>) -> NewVerdict {
    let quote = "A buoy, zanzibarquux.".to_owned();
    let citation = Citation {
        workspace: id(workspace),
        path: path(name),
        content_hash: ContentHash::of(b"A buoy."),
        revision: Revision(1),
        page: None,
        slide: None,
        lines: None,
        cell: None,
        trail: vec!["Buoys".to_owned()],
        span: Span::new(start, start + quote.len()),
        quote,
        provenance: Provenance { agent: Some("coder".to_owned()), ..Provenance::default() },
    };
    let (comment, by) = (Some("Not this buoy.\n= 1".to_owned()), Some("Ines".to_owned()));
    NewVerdict { citation, decision, comment, query: query.map(str::to_owned), by }
}

impl Desk {
    fn verdicts(&self, scope: &VerdictScope<'_>, admits: &dyn Fn(&str) -> bool) -> Vec<Verdict> {
        let mut seen = Vec::new();
        let mut see = |verdict| {
            seen.push(verdict);
            true
        };
        self.store.see_verdicts(&self.workspace, scope, admits, &mut see).unwrap();
        seen
    }

    fn all_verdicts(&self) -> Vec<Verdict> {
        self.verdicts(&VerdictScope::default(), &|_| true)
    }
}

fn ids(verdicts: &[Verdict]) -> Vec<u64> {
    verdicts.iter().map(|verdict| verdict.id).collect()
}

#[test]
fn verdicts_are_kept_as_they_were_given_and_listed_newest_first() {
    let desk = Desk::new();
    let given = [
        new("w", "a", 9, Decision::Accept, Some("buoy")),
        new("w", "a", 0, Decision::Reject, Some("light")),
        new("w", "b", 0, Decision::Comment, None),
    ];
    let stored: Vec<Verdict> = given.iter().map(|new| desk.store.add_verdict(new, MANY).unwrap()).collect();
    for (new, verdict) in given.iter().zip(&stored) {
        let Verdict { id: _, at: _, citation, decision, comment, query, by } = verdict.clone();
        assert_eq!(NewVerdict { citation, decision, comment, query, by }, *new);
    }
    let desk = desk.reopened();
    let listed = desk.all_verdicts();
    assert_eq!(listed, stored.iter().rev().cloned().collect::<Vec<_>>());
    let [first, second, third] = [0, 1, 2].map(|at| stored[at].id);
    assert!(first < second && second < third);
    for (scope, expected) in [
        (VerdictScope { decision: Some(Decision::Reject), ..VerdictScope::default() }, vec![second]),
        (VerdictScope { query: Some("buoy"), ..VerdictScope::default() }, vec![first]),
        (VerdictScope { before_id: Some(third), ..VerdictScope::default() }, vec![second, first]),
        (VerdictScope { before_id: Some(u64::MAX), ..VerdictScope::default() }, vec![third, second, first]),
        (VerdictScope { before_id: Some(0), ..VerdictScope::default() }, vec![]),
    ] {
        assert_eq!(ids(&desk.verdicts(&scope, &|_| true)), expected, "{scope:?}");
    }
    assert_eq!(ids(&desk.verdicts(&VerdictScope::default(), &|path| path == "b")), [third]);
    // Of one content, in the order of its text.
    let on = |name: &str, bytes: &[u8]| {
        ids(&desk.store.verdicts_on(&desk.workspace, &path(name), ContentHash::of(bytes)).unwrap())
    };
    assert_eq!(
        (on("a", b"A buoy."), on("a", b"Another."), on("b", b"A buoy.")),
        (vec![second, first], vec![], vec![third])
    );
}

#[test]
fn a_withdrawn_verdict_is_gone_and_its_number_is_not_given_again() {
    let mut desk = Desk::new();
    desk.store.ensure_workspace(&id("other"), None).unwrap();
    let verdict = |desk: &Desk| desk.store.add_verdict(&new("w", "a", 0, Decision::Accept, None), MANY).unwrap().id;
    let first = verdict(&desk);
    let refused = desk.store.remove_verdict(&id("other"), first, &|_| true);
    assert!(matches!(refused, Err(StoreError::UnknownVerdict { id }) if id == first), "of another workspace");
    desk.store.remove_verdict(&id("w"), first, &|_| true).unwrap();
    for number in [first, 0, u64::MAX] {
        assert!(matches!(
            desk.store.remove_verdict(&id("w"), number, &|_| true),
            Err(StoreError::UnknownVerdict { .. })
        ));
    }
    desk = desk.reopened();
    assert!(desk.all_verdicts().is_empty());
    assert!(verdict(&desk) > first);
}

#[test]
fn a_workspace_has_as_many_verdicts_as_it_may_and_one_that_is_not_there_none() {
    let desk = Desk::new();
    desk.store.ensure_workspace(&id("other"), None).unwrap();
    let add = |workspace: &str| desk.store.add_verdict(&new(workspace, "a", 0, Decision::Accept, None), 2);
    add("w").unwrap();
    let last = add("w").unwrap();
    assert!(matches!(add("w"), Err(StoreError::TooManyVerdicts { max: 2 })));
    assert!(add("other").is_ok());
    desk.store.remove_verdict(&id("w"), last.id, &|_| true).unwrap();
    assert!(add("w").is_ok());
    assert!(matches!(add("nowhere"), Err(StoreError::UnknownWorkspace { .. })));
}

#[test]
fn verdicts_go_with_their_workspace_and_leave_no_word_on_disk() {
    let mut desk = Desk::new();
    desk.store.ensure_workspace(&id("other"), None).unwrap();
    for workspace in ["w", "other"] {
        desk.store.add_verdict(&new(workspace, "a", 0, Decision::Accept, None), MANY).unwrap();
    }
    let holds = |desk: &Desk| {
        let files =
            fs_err::read_dir(desk.folder.path()).unwrap().map(|file| fs_err::read(file.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(12).any(|part| part == b"zanzibarquux"))
    };
    assert!(holds(&desk));
    desk.store.delete_workspace(&id("w")).unwrap();
    desk.store.forget_deleted(&id("w")).unwrap();
    desk.store.ensure_workspace(&id("w"), None).unwrap();
    assert!(desk.all_verdicts().is_empty());
    desk.workspace = id("other");
    assert_eq!(desk.all_verdicts().len(), 1);
    desk.store.delete_workspace(&id("other")).unwrap();
    desk.store.forget_deleted(&id("other")).unwrap();
    assert!(!holds(&desk), "what is deleted is overwritten");
}
