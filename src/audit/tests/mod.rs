//! The journal on disk: written, read, proven, and broken on purpose.

mod breaking;
mod crash;
mod finding;
mod keeping;

use std::path::PathBuf;

use super::*;
use crate::budget::Budget;
use crate::config::{Audit, OnFull, QueryText};
use crate::workspace::{ContentHash, RelPath, Revision, Span, WorkspaceId};

/// A journal in a folder of its own.
pub(super) struct Book {
    pub data: tempfile::TempDir,
    pub journal: Journal,
}

impl Book {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::of(&Audit { query_text: QueryText::Text, ..Audit::default() }, false);
        change(&mut settings);
        let data = tempfile::tempdir().unwrap();
        let journal = Journal::new(data.path(), settings);
        Self { data, journal }
    }

    /// Another process's journal in the same folder.
    pub(super) fn other(&self) -> Journal {
        Journal::new(self.data.path(), self.journal.inner().settings.clone())
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.data.path().join("audit")
    }

    /// The segments, oldest first.
    pub(super) fn segments(&self) -> Vec<PathBuf> {
        super::segments::list(&self.folder()).unwrap().into_iter().map(|segment| segment.path).collect()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let texts = self.segments().into_iter().map(|path| fs_err::read_to_string(path).unwrap());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    pub(super) fn search(&self, query: &Query<'_>) -> Vec<AuditEntry> {
        let found = self.journal.search(query, &Budget::default()).unwrap();
        assert_eq!((found.is_partial, found.num_damaged), (false, 0));
        found.entries
    }

    pub(super) fn verify(&self) -> VerifyReport {
        self.journal.verify(&[]).unwrap()
    }

    /// The kinds of what is broken, in order.
    pub(super) fn breaks(&self) -> Vec<BreakKind> {
        self.verify().breaks.into_iter().map(|one| one.kind).collect()
    }
}

pub(super) fn all() -> Query<'static> {
    Query {
        workspace: None,
        in_workspace: None,
        on_path: None,
        agent: None,
        key: None,
        action: None,
        result: None,
        is_conflict: false,
        since_ms: None,
        until_ms: None,
        cited: None,
        before: None,
        limit: 1_000_000,
        sees: None,
    }
}

pub(super) fn path(text: &str) -> RelPath {
    text.parse().unwrap()
}

pub(super) fn shown(file: &str, content: &str, start: usize, end: usize) -> Shown {
    let content_hash = Some(ContentHash::of(content.as_bytes()));
    Shown { path: path(file), content_hash, span: Some(Span::new(start, end)) }
}

pub(super) fn search_by<'a>(query: &'a str, shown: &'a [Shown]) -> Entry<'a> {
    let query = Some(query);
    Entry { query, shown, ..Entry::new(Activity::Read, "search", Actor::LocalUser, "rest") }
}

#[test]
fn an_entry_is_told_as_it_was_recorded_whatever_its_names_hold() {
    let book = Book::new();
    let hostile = "x\",\"hash\":\"0\"}\n{\"seq\":99,\"prev_hash\":\"\u{0}\u{2028}\\";
    let workspace: WorkspaceId = "team".parse().unwrap();
    let paths = [path("a \"b\"\n,.md")];
    let showed =
        [shown("a \"b\"\n,.md", "one", 3, 9), shown("c.md", "two", 0, 4), shown("a \"b\"\n,.md", "one", 20, 30)];
    let entry = Entry {
        actor: Actor::Key { id: "abcd1234", name: hostile, agent: Some(hostile) },
        address: Some("2001:db8::1".parse().unwrap()),
        request_id: Some("r-1"),
        workspace: Some(&workspace),
        paths: &paths,
        revision: Some(Revision(7)),
        duration: Some(std::time::Duration::from_millis(12)),
        ..search_by(hostile, &showed)
    };
    assert_eq!(book.journal.record(&entry).unwrap(), Some(1));
    assert_eq!(book.journal.record(&entry).unwrap(), Some(2));
    assert_eq!(book.lines().len(), 2, "a name adds no line");
    assert!(book.verify().is_whole);
    let [_, told] = &book.search(&all())[..] else { panic!("two entries") };
    assert_eq!(told.by.agent.as_deref(), Some(hostile));
    assert_eq!(
        (told.by.kind, told.by.key.as_deref(), told.by.name.as_deref()),
        (ActorKind::Key, Some("abcd1234"), Some(hostile))
    );
    assert_eq!(told.query, Some(Asked::Text(hostile.to_owned())));
    assert_eq!(told.paths, ["a \"b\"\n,.md"]);
    assert_eq!((told.revision, told.duration_ms, told.result), (Some(7), Some(12), AuditResult::Success));
    assert_eq!(told.shown.len(), 2, "places of one content stand together");
    assert_eq!(told.shown[0].spans, [Span::new(3, 9), Span::new(20, 30)]);
    assert_eq!(told.address.as_deref(), Some("2001:db8::1"));
    let by_agent = Query { agent: Some(hostile), workspace: Some(&workspace), key: Some("abcd1234"), ..all() };
    assert_eq!(book.search(&by_agent).len(), 2);
}

#[test]
fn a_line_is_ocsf_and_its_hash_is_that_of_the_line_without_it() {
    use sha2::{Digest as _, Sha256};
    let book = Book::new();
    book.journal.record(&search_by("words", &[shown("a.md", "one", 0, 3)])).unwrap();
    let outcome = Outcome::Failure { code: "unknown_workspace" };
    book.journal.record(&Entry { outcome, ..search_by("words", &[]) }).unwrap();
    let lines = book.lines();
    let [first, second]: [serde_json::Value; 2] = [0, 1].map(|at: usize| serde_json::from_str(&lines[at]).unwrap());
    assert_eq!(
        (&first["class_uid"], &first["category_uid"], &first["type_uid"]),
        (&6003.into(), &6.into(), &600_302.into())
    );
    for field in ["actor", "api", "src_endpoint", "metadata", "time", "severity_id", "activity_id", "status_id"] {
        assert!(!first[field].is_null(), "OCSF wants `{field}`");
    }
    assert_eq!((&second["status_id"], &second["status_code"]), (&2.into(), &"unknown_workspace".into()));
    assert_eq!(first["prev_hash"], "0".repeat(64));
    assert_eq!(second["prev_hash"], first["hash"]);
    for line in &lines {
        let (body, hash) = line.rsplit_once(",\"hash\":\"").unwrap();
        let digest = Sha256::digest(format!("{body}}}"));
        let hex = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(hash, format!("{hex}\"}}"));
    }
}

#[test]
fn an_access_that_showed_much_has_several_lines_and_loses_nothing() {
    let book = Book::new();
    let places: Vec<Shown> = (0..1_001).map(|n| shown(&format!("f{}.md", n % 7), "one", 10 * n, 10 * n + 5)).collect();
    book.journal.record(&search_by("much", &places)).unwrap();
    assert_eq!(book.lines().len(), 6);
    let told = book.search(&all());
    assert_eq!(
        told.iter().map(|entry| entry.part).collect::<Vec<_>>(),
        [Some(6), Some(5), Some(4), Some(3), Some(2), None]
    );
    let num_spans: usize = told.iter().flat_map(|entry| &entry.shown).map(|file| file.spans.len()).sum();
    assert_eq!(num_spans, places.len());
    let cited: Cited = format!("f{}.md#10000-10001", 1_000 % 7).parse().unwrap();
    assert_eq!(book.search(&Query { cited: Some(&cited), ..all() }).len(), 1);
}

#[test]
fn a_querys_words_are_kept_as_configured_and_no_other_way() {
    for (query_text, is_kept) in [(QueryText::Text, Some(true)), (QueryText::Hash, Some(false)), (QueryText::Off, None)]
    {
        let book = Book::with(|settings| settings.audit.query_text = query_text);
        book.journal.record(&search_by("zanzibar", &[])).unwrap();
        assert_eq!(book.lines()[0].contains("zanzibar"), is_kept == Some(true));
        match (&book.search(&all())[0].query, is_kept) {
            (Some(Asked::Text(text)), Some(true)) => assert_eq!(text, "zanzibar"),
            (Some(Asked::Sha256(hash)), Some(false)) => {
                assert_eq!(*hash, ContentHash::of(b"zanzibar").to_string());
            }
            (None, None) => {}
            (told, _) => panic!("{told:?}"),
        }
    }
}

#[test]
fn a_journal_that_is_off_writes_nothing() {
    let book = Book::with(|settings| settings.audit.enabled = false);
    assert_eq!(book.journal.record(&search_by("words", &[])).unwrap(), None);
    assert!(!book.folder().exists());
    assert_eq!(book.journal.head().unwrap().seq, 0);
    assert!(book.verify().is_whole && book.search(&all()).is_empty());
}
