//! What is told of a file's writer stays with the content that it was told of, and with no other.

use std::collections::BTreeSet;

use super::*;
use crate::workspace::{Change, Facet, Provenance, ProvenanceFilter};

fn by(agent: &str) -> Provenance {
    let tags = ["nightly".to_owned()].into();
    Provenance { agent: Some(agent.to_owned()), tags, ..Provenance::default() }
}

fn asked(agent: &str) -> ProvenanceFilter {
    ProvenanceFilter { agent: vec![agent.to_owned()], ..ProvenanceFilter::default() }
}

fn as_of(modified_ns: i64) -> Fingerprint {
    Fingerprint { size: 2, modified_ns, ..Fingerprint::NONE }
}

impl Desk {
    /// Logs a file that was written through us, with its hash.
    fn write(&self, name: &str, bytes: &[u8], modified_ns: i64, provenance: Provenance) -> Revision {
        let content_hash = Some(ContentHash::of(bytes));
        let seen = Observation::new(path(name), ChangeKind::Modified, as_of(modified_ns), true);
        let written = Observation { provenance, content_hash, ..seen };
        self.store.log(&self.workspace, &[written], Priority::Interactive).unwrap()
    }

    /// Logs what a scan or an event without content saw.
    fn see(&self, name: &str, kind: ChangeKind, modified_ns: i64, provenance: Provenance) -> Revision {
        let seen = Observation { provenance, ..Observation::new(path(name), kind, as_of(modified_ns), false) };
        self.store.log(&self.workspace, &[seen], Priority::Interactive).unwrap()
    }

    /// Acknowledges that it was read with these bytes at this time; `None` where it was only looked at.
    fn read(&self, through: Revision, name: &str, bytes: Option<&[u8]>, modified_ns: i64) {
        let entry = FileEntry {
            path: path(name),
            state: if bytes.is_some() { FileState::Ready } else { FileState::Listed },
            reason: None,
            format: None,
            title: None,
            language: None,
            size: 2,
            modified: Timestamp::from_nanosecond(i128::from(modified_ns)).unwrap(),
            content_hash: bytes.map(ContentHash::of),
            revision: through,
            num_chunks: 1,
            container: None,
            provenance: Provenance::default(),
        };
        let outcome = Outcome::File(entry, as_of(modified_ns).into(), Members::Same);
        self.store.acknowledge(&self.workspace, self.epoch(), through, &[outcome]).unwrap();
    }

    /// Who is said to have written a file, in each way that it can be asked.
    #[track_caller]
    fn writer(&self, name: &str) -> Option<String> {
        let told = self.file(name).map(|file| file.provenance).unwrap_or_default();
        let writers = self.store.writers(&self.workspace, &BTreeSet::from([path(name)])).unwrap();
        assert_eq!(writers.get(&path(name)).map(|told| told.provenance.clone()).unwrap_or_default(), told);
        for agent in ["ann", "bob"] {
            let found = self.store.written_by(&self.workspace, &asked(agent)).unwrap();
            assert_eq!(found.contains(&path(name)), told.agent.as_deref() == Some(agent), "{agent}");
        }
        told.agent
    }

    fn agents(&self) -> Vec<Facet> {
        self.store.facets(&self.workspace).unwrap().agent
    }
}

#[test]
fn what_is_told_with_a_write_is_known_at_once_and_stays_when_the_file_is_looked_at_again() {
    let desk = Desk::new();
    let written = desk.write("a", b"a1", 10, by("ann"));
    assert_eq!(desk.writer("a"), Some("ann".to_owned()), "before it was read");
    // The watch tells of the write, too.
    let echo = desk.see("a", ChangeKind::Modified, 10, Provenance::default());
    assert_eq!(desk.writer("a"), Some("ann".to_owned()));
    desk.read(written, "a", Some(b"a1"), 10);
    desk.read(echo, "a", Some(b"a1"), 10);
    let touched = desk.see("a", ChangeKind::Modified, 11, Provenance::default());
    assert_eq!((desk.writer("a"), desk.agents()), (None, Vec::new()), "it may be another content");
    desk.read(touched, "a", Some(b"a1"), 11);
    assert_eq!(desk.writer("a"), Some("ann".to_owned()));
    desk.store.forget_contents(&desk.workspace).unwrap();
    assert_eq!(desk.writer("a"), Some("ann".to_owned()));
    desk.read(desk.store.last_revision(&desk.workspace).unwrap(), "a", Some(b"a1"), 11);
    let desk = desk.reopened();
    assert_eq!(
        (desk.writer("a"), desk.agents()),
        (Some("ann".to_owned()), vec![Facet { value: "ann".to_owned(), files: 1 }])
    );
}

#[test]
fn what_is_seen_once_more_before_it_was_read_is_one_change() {
    let desk = Desk::new();
    let nobody = Provenance::default;
    let listed = |desk: &Desk| -> Vec<Revision> {
        let changes: Vec<Revision> =
            desk.store.recent_changes(&desk.workspace, 99).unwrap().iter().map(|change| change.revision).collect();
        let all = desk.store.changes(&desk.workspace, &|| true).unwrap();
        assert_eq!(
            changes.iter().rev().copied().collect::<Vec<_>>(),
            all.iter().map(|(change, _)| change.revision).collect::<Vec<_>>()
        );
        changes
    };
    let written = desk.write("a", b"a1", 10, by("ann"));
    desk.see("a", ChangeKind::Created, 10, nobody());
    let echo = desk.see("a", ChangeKind::Modified, 10, nobody());
    assert_eq!(listed(&desk), [written]);
    let pending = desk.store.pending(&desk.workspace, Priority::Interactive, 9).unwrap();
    assert_eq!(
        pending.iter().map(|change| change.revision).collect::<Vec<_>>(),
        [echo],
        "it is read again all the same"
    );
    let told = desk.see("a", ChangeKind::Modified, 10, by("bob"));
    let touched = desk.see("a", ChangeKind::Modified, 11, nobody());
    let over = desk.write("a", b"a2", 12, nobody());
    assert_eq!(listed(&desk), [over, touched, told, written], "these say something new");
    let deleted = desk.see("a", ChangeKind::Deleted, 0, by("ann"));
    desk.see("a", ChangeKind::Deleted, 0, nobody());
    let back = desk.see("a", ChangeKind::Created, 12, nobody());
    assert_eq!(listed(&desk), [back, deleted, over, touched, told, written]);
    desk.read(back, "a", Some(b"a2"), 12);
    let later = desk.see("a", ChangeKind::Modified, 12, nobody());
    assert_eq!(listed(&desk)[0], back, "it is known as it was seen");
    let pending = desk.store.pending(&desk.workspace, Priority::Interactive, 9).unwrap();
    assert_eq!(
        pending.iter().map(|change| change.revision).collect::<Vec<_>>(),
        [later],
        "and read again all the same"
    );
    let known = |desk: &Desk| desk.store.fingerprints(&desk.workspace).unwrap()[0].1.unwrap().fingerprint;
    desk.read(later, "a", Some(b"a2"), 12);
    assert_ne!(known(&desk), Fingerprint::NEVER);
    let later = desk.see("a", ChangeKind::Modified, 12, nobody());
    desk.read(later, "a", Some(b"a3"), 12);
    assert_eq!(known(&desk), Fingerprint::NEVER, "the next scan tells of it");
}

#[test]
fn what_was_seen_before_the_newest_write_and_is_logged_after_it_is_told_by_nobody() {
    let desk = Desk::new();
    let nobody = Provenance::default;
    let newest = |desk: &Desk| desk.store.last_change(&desk.workspace, &path("a")).unwrap().unwrap().revision;
    // A scan saw what was written first, and is slower than the one who writes next.
    desk.write("a", b"a1", 10, nobody());
    let second = desk.write("a", b"a2", 11, by("ann"));
    let stale = desk.see("a", ChangeKind::Modified, 10, nobody());
    assert_eq!((newest(&desk), desk.writer("a")), (second, Some("ann".to_owned())));
    desk.read(stale, "a", Some(b"a2"), 11);
    let third = desk.write("a", b"a3", 12, by("bob"));
    let stale = desk.see("a", ChangeKind::Modified, 11, nobody());
    assert_eq!(newest(&desk), third, "what was read before");
    desk.read(stale, "a", Some(b"a3"), 12);
    let gone = Observation::new(path("a"), ChangeKind::Deleted, Fingerprint::NONE, true);
    desk.store.log(&desk.workspace, &[gone], Priority::Interactive).unwrap();
    let back = desk.write("a", b"a4", 13, by("ann"));
    assert_eq!(newest(&desk), back);
    // It may be gone once more, and there is nothing to read that would tell.
    let absent = Observation::new(path("a"), ChangeKind::Deleted, Fingerprint::NONE, false);
    let absent = desk.store.log(&desk.workspace, &[absent], Priority::Interactive).unwrap();
    assert_eq!((newest(&desk), desk.writer("a")), (absent, None));
    desk.write("a", b"a4", 13, by("ann"));
    // What nobody wrote through us is told.
    let touched = desk.see("a", ChangeKind::Modified, 14, nobody());
    assert_eq!(newest(&desk), touched);
    let other = desk.see("a", ChangeKind::Modified, 13, nobody());
    assert_eq!(newest(&desk), other, "it was put back after somebody changed it on disk");
}

#[test]
fn what_is_seen_before_the_log_knows_who_wrote_it_is_one_change_with_that() {
    let desk = Desk::new();
    desk.see("a", ChangeKind::Created, 10, Provenance::default());
    let written = desk.write("a", b"a1", 10, by("ann"));
    desk.see("b", ChangeKind::Created, 10, Provenance::default());
    let reported = desk.see("b", ChangeKind::Modified, 10, by("bob"));
    let of = |change: &Change| (change.revision, change.kind, change.provenance.agent.clone());
    let listed =
        |desk: &Desk| -> Vec<_> { desk.store.recent_changes(&desk.workspace, 9).unwrap().iter().map(of).collect() };
    let (ann, bob) = (Some("ann".to_owned()), Some("bob".to_owned()));
    let both = [(reported, ChangeKind::Created, bob.clone()), (written, ChangeKind::Created, ann)];
    assert_eq!(listed(&desk), both);
    desk.see("b", ChangeKind::Deleted, 0, Provenance::default());
    let deleted = desk.see("b", ChangeKind::Deleted, 0, by("bob"));
    assert_eq!(listed(&desk)[0], (deleted, ChangeKind::Deleted, bob));
    assert_eq!(listed(&desk)[1..], both);
}

#[test]
fn who_writes_over_a_file_without_a_word_is_not_taken_for_who_wrote_it_before() {
    let desk = Desk::new();
    desk.read(desk.write("a", b"a1", 10, by("ann")), "a", Some(b"a1"), 10);
    // As many bytes in the same tick: the hash tells.
    desk.read(desk.see("a", ChangeKind::Modified, 10, Provenance::default()), "a", Some(b"a2"), 10);
    assert_eq!((desk.writer("a"), desk.agents()), (None, Vec::new()));
    desk.read(desk.write("b", b"b1", 10, by("ann")), "b", Some(b"b1"), 10);
    let over = desk.write("b", b"b2", 12, Provenance::default());
    assert_eq!(desk.writer("b"), None, "from the moment in which the log knows of it");
    desk.read(over, "b", Some(b"b2"), 12);
    assert_eq!(desk.writer("b"), None);
    desk.read(desk.write("b", b"b2", 13, by("bob")), "b", Some(b"b2"), 13);
    assert_eq!(desk.writer("b"), Some("bob".to_owned()), "the same content may be claimed");
}

#[test]
fn what_an_event_tells_is_of_the_file_as_it_was_seen() {
    let desk = Desk::new();
    let told = desk.see("a", ChangeKind::Modified, 10, by("ann"));
    desk.read(told, "a", Some(b"a1"), 10);
    assert_eq!(desk.writer("a"), Some("ann".to_owned()));
    let told = desk.see("b", ChangeKind::Modified, 10, by("ann"));
    // Somebody else was faster than the reader.
    desk.read(told, "b", Some(b"b2"), 11);
    assert_eq!(desk.writer("b"), None);
}

#[test]
fn what_was_told_of_a_newer_change_is_not_decided_by_the_reading_of_an_older_one() {
    let desk = Desk::new();
    let first = desk.write("a", b"a1", 10, by("ann"));
    let second = desk.write("a", b"a2", 11, by("bob"));
    desk.read(first, "a", Some(b"a1"), 10);
    assert_eq!(desk.writer("a"), Some("bob".to_owned()));
    desk.read(second, "a", Some(b"a2"), 11);
    assert_eq!(desk.writer("a"), Some("bob".to_owned()));
}

#[test]
fn a_deleted_file_has_no_writer_and_the_log_says_who_deleted_it() {
    let desk = Desk::new();
    desk.read(desk.write("a", b"a1", 10, by("ann")), "a", Some(b"a1"), 10);
    let deleted = desk.see("a", ChangeKind::Deleted, 0, by("bob"));
    assert_eq!((desk.writer("a"), desk.agents()), (None, Vec::new()));
    let newest = &desk.store.recent_changes(&desk.workspace, 1).unwrap()[0];
    assert_eq!((newest.revision, newest.provenance.clone()), (deleted, by("bob")));
    let back = desk.see("a", ChangeKind::Created, 10, Provenance::default());
    desk.gone(deleted, "a");
    desk.read(back, "a", Some(b"a1"), 10);
    assert_eq!(desk.writer("a"), None, "nobody said who brought it back");
}

#[test]
fn a_renamed_file_keeps_its_writer_also_where_the_deletion_was_seen_before_the_event_came() {
    for is_seen_before in [false, true] {
        let desk = Desk::new();
        desk.read(desk.write("a", b"a1", 10, by("ann")), "a", Some(b"a1"), 10);
        if is_seen_before {
            desk.gone(desk.see("a", ChangeKind::Deleted, 0, Provenance::default()), "a");
            desk.read(desk.see("b", ChangeKind::Created, 10, Provenance::default()), "b", Some(b"a1"), 10);
            assert_eq!(desk.writer("b"), None);
        }
        let gone = Observation::new(path("a"), ChangeKind::Deleted, as_of(0), false);
        let here = Observation::new(path("b"), ChangeKind::Modified, as_of(10), false);
        let event = LoggedEvent {
            id: "1".to_owned(),
            path: path("b"),
            occurred_at: None,
            observations: vec![gone, here],
            moved_from: Some(path("a")),
        };
        let renamed = desk.store.log_events(&desk.workspace, &[event], None).unwrap()[0];
        assert_eq!((desk.writer("a"), desk.writer("b")), (None, Some("ann".to_owned())));
        desk.gone(renamed, "a");
        desk.read(renamed, "b", Some(b"a1"), 10);
        assert_eq!(desk.writer("b"), Some("ann".to_owned()));
    }
}

#[test]
fn a_file_that_is_only_listed_keeps_its_writer_as_long_as_it_looks_the_same() {
    let desk = Desk::new();
    desk.read(desk.write("a", b"a1", 10, by("ann")), "a", Some(b"a1"), 10);
    desk.store.set_intelligence(&desk.workspace, false).unwrap();
    let last = || desk.store.last_revision(&desk.workspace).unwrap();
    desk.read(last(), "a", None, 10);
    assert_eq!(desk.writer("a"), Some("ann".to_owned()));
    desk.read(desk.see("a", ChangeKind::Modified, 11, Provenance::default()), "a", None, 11);
    assert_eq!(desk.writer("a"), None);
}

#[test]
fn files_inside_a_file_are_of_its_writer_and_a_workspace_knows_nothing_of_another() {
    let desk = Desk::new();
    let written = desk.write("a.zip", b"zip", 10, by("ann"));
    let entry = |name: &str, container: Option<RelPath>| FileEntry {
        path: path(name),
        state: FileState::Ready,
        reason: None,
        format: None,
        title: None,
        language: None,
        size: 2,
        modified: Timestamp::from_nanosecond(10).unwrap(),
        content_hash: Some(ContentHash::of(b"zip")),
        revision: written,
        num_chunks: 1,
        container,
        provenance: Provenance::default(),
    };
    let members = Members::Are(vec![entry("a.zip/b", Some(path("a.zip")))]);
    let outcome = Outcome::File(entry("a.zip", None), as_of(10).into(), members);
    desk.store.acknowledge(&desk.workspace, desk.epoch(), written, &[outcome]).unwrap();
    assert_eq!(desk.file("a.zip/b").unwrap().provenance, by("ann"));
    let writers = desk.store.writers(&desk.workspace, &BTreeSet::from([path("a.zip/b"), path("a")])).unwrap();
    assert_eq!((writers.len(), &writers[&path("a.zip/b")].provenance), (1, &by("ann")));
    assert_eq!(desk.agents()[0].files, 2);

    let other = id("other");
    desk.store.ensure_workspace(&other, None).unwrap();
    assert!(desk.store.written_by(&other, &asked("ann")).unwrap().is_empty());
    assert!(desk.store.writers(&other, &BTreeSet::from([path("a.zip")])).unwrap().is_empty());
    assert!(desk.store.facets(&other).unwrap().is_empty());
    desk.store.delete_workspace(&desk.workspace).unwrap();
    desk.store.forget_deleted(&desk.workspace).unwrap();
    desk.store.ensure_workspace(&desk.workspace, None).unwrap();
    assert!(desk.store.facets(&desk.workspace).unwrap().is_empty() && desk.writer("a.zip").is_none());
}
