//! A process that ends at any step: a child does so, and then the folders are opened again, the line finishes, and the whole
//! state is compared with that of the oracle, which replays the same log.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;

use super::*;
use crate::failpoint::armed::{ABORT_AT, TRACE};
use crate::index::ram::RamIndex;
use crate::store::LoggedEvent;
use crate::workspace::{Change, ContentHash, Revision, Span};

/// The folder that the child lives in.
const FOLDER: &str = "PINCITE_FAILPOINT_FOLDER";
/// Set to end at every step there is, not only at the first and the last of each name.
const ALL: &str = "PINCITE_FAILPOINT_ALL";
const NUM_ROUNDS: usize = 12;
const NO_FILE: Fingerprint = Fingerprint::NONE;

/// A word of its own for each round and way of writing.
fn word(way: &str, round: usize) -> String {
    format!("{way}{}", ["ash", "elm", "fir", "oak", "yew", "bay", "fig", "box", "may", "rue", "sage", "dill"][round])
}

/// Logs what was written or deleted through us, and tells it as an answer to the writer would.
fn acknowledge(place: &Place, told: &mut fs_err::File, kind: ChangeKind, path: &str, fingerprint: Fingerprint) {
    let observation = Observation::new(path.parse().unwrap(), kind, fingerprint, true);
    let revision = place.store.log(&place.workspace, &[observation], Priority::Interactive).unwrap();
    writeln!(told, "{revision} {kind:?} {path}").unwrap();
}

fn put(place: &Place, told: &mut fs_err::File, path: &str, text: &str) {
    let kind = if place.entry(path).is_some() { ChangeKind::Modified } else { ChangeKind::Created };
    let fingerprint = write_file(&*place.there(), &path.parse().unwrap(), text.as_bytes(), &Condition::Any).unwrap();
    acknowledge(place, told, kind, path, fingerprint);
}

/// As [`put`], told by an event that brings the content; it is taken under the number of its round.
fn push(place: &Place, told: &mut fs_err::File, round: usize, path: &str, text: &str) {
    let (kind, path) = (ChangeKind::Modified, path.parse::<RelPath>().unwrap());
    let fingerprint = write_file(&*place.there(), &path, text.as_bytes(), &Condition::Any).unwrap();
    let observations = vec![Observation::new(path.clone(), kind, fingerprint, true)];
    let event =
        LoggedEvent { id: round.to_string(), path: path.clone(), occurred_at: None, observations, moved_from: None };
    let revision = place.store.log_events(&place.workspace, &[event], None).unwrap()[0];
    writeln!(told, "{revision} {kind:?} {path} {round}").unwrap();
}

fn delete(place: &Place, told: &mut fs_err::File, path: &str) {
    assert!(delete_file(&*place.there(), &path.parse().unwrap()).unwrap());
    acknowledge(place, told, ChangeKind::Deleted, path, NO_FILE);
}

/// The child: writes, deletes, scans, indexes and embeds, until it ends or is ended.
#[test]
#[ignore = "ended at a step by the tests that start it"]
fn a_life() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let mut place = Place::at(&folder.join("files"), &folder.join("data"));
    let mut told = fs_err::File::create(folder.join("told")).unwrap();
    for round in 0..NUM_ROUNDS {
        place.write(&format!("plain{}.txt", round % 4), paragraph(&word("plain", round)));
        let long = [word("put", round), word("more", round % 3), word("tail", round)].map(|word| paragraph(&word));
        put(&place, &mut told, &format!("put{}.md", round % 3), &long.join("\n\n"));
        if round % 3 == 0 {
            place.write("large.txt", format!("{}\n\n", paragraph(&word("plain", round))).repeat(12));
        }
        if round % 4 == 2 {
            delete(&place, &mut told, "put1.md");
        }
        if round % 4 == 3 {
            push(&place, &mut told, round, "pushed.md", &paragraph(&word("pushed", round)));
        }
        if round % 5 == 4 {
            fs_err::remove_file(place.files.path().join("plain3.txt")).unwrap();
        }
        // An index is built again over some rounds, and takes over.
        if round % 6 == 3 {
            place.begin_rebuild();
        }
        place.rebuild_some(2);
        place.run();
        if round % 6 == 5 {
            place.finish_rebuild();
        }
    }
}

/// In memory where the system has a place for that: a life syncs hundreds of files, and the system outlives every one here.
fn folder_for_a_life() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// Starts the child in `folder`, and returns the steps that it came to.
fn live_in(folder: &Path, abort_at: Option<usize>) -> Vec<String> {
    for name in ["files", "data"] {
        fs_err::create_dir(folder.join(name)).unwrap();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "ingest::tests::failpoints::a_life", "--ignored", "--test-threads=1"]);
    child.env(FOLDER, folder).env(TRACE, folder.join("trace"));
    if let Some(number) = abort_at {
        child.env(ABORT_AT, number.to_string());
    }
    let output = child.output().unwrap();
    // How many steps a life has depends on when its merges come: the last few may not be reached.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(abort_at.is_some() || output.status.success(), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("FAILED"), "{said}");
    let trace = fs_err::read_to_string(folder.join("trace")).unwrap();
    trace.lines().map(str::to_owned).collect()
}

/// Everything that queries and listings can see.
#[derive(Debug, PartialEq)]
pub(super) struct Whole {
    files: Vec<(RelPath, FileState, Option<ContentHash>, u32)>,
    /// In order, so that one that is there twice stands here twice.
    chunks: Vec<(RelPath, u32, Span, ContentHash, String)>,
    by_word: BTreeMap<String, Vec<(RelPath, u32)>>,
    num_chunks: usize,
    num_embedded: usize,
}

impl Whole {
    pub(super) fn of(store: &Store, workspace: &WorkspaceId, index: &dyn Index) -> Self {
        let files = store.files(workspace).unwrap();
        let files = files.into_iter().map(|file| (file.path, file.state, file.content_hash, file.num_chunks)).collect();
        let snapshot = index.snapshot().unwrap();
        let every = snapshot.dense(&[1.0, 0.0], &Filter::default(), 10_000).unwrap();
        let every: Vec<_> = every.iter().map(|found| found.id).collect();
        let loaded = snapshot.load(&every).unwrap().into_iter();
        let mut chunks: Vec<_> = loaded
            .map(|chunk| {
                let file = &chunk.file;
                (file.path.clone(), chunk.place.ordinal, chunk.place.span, file.content_hash, chunk.words)
            })
            .collect();
        chunks.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        let words = ["plain", "put", "more", "tail", "pushed"].into_iter();
        let words = words.flat_map(|way| (0..NUM_ROUNDS).map(move |round| word(way, round)));
        let by_word = words.chain(["tide".to_owned()]).map(|words| {
            let query = LexicalQuery { words: words.clone(), phrases: Vec::new(), weights: FieldWeights::default() };
            let found = snapshot.lexical(&query, &Filter::default(), 10_000).unwrap();
            let found: Vec<_> = found.iter().map(|found| found.id).collect();
            let found = snapshot.load(&found).unwrap().into_iter();
            let mut found: Vec<_> = found.map(|chunk| (chunk.file.path.clone(), chunk.place.ordinal)).collect();
            found.sort();
            (words, found)
        });
        let by_word = by_word.collect();
        let counts = snapshot.counts().unwrap();
        Self { files, chunks, by_word, num_chunks: counts.num_chunks, num_embedded: counts.num_embedded }
    }

    /// What the oracle makes of this place's log.
    pub(super) fn by_the_oracle(place: &Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), true).unwrap();
        store.ensure_workspace(&place.workspace, None).unwrap();
        let mut log = place.store.recent_changes(&place.workspace, 100_000).unwrap();
        log.reverse();
        let observed = log.into_iter().map(|change| {
            let Change { path, kind, .. } = change;
            Observation::new(path, kind, NO_FILE, true)
        });
        store.log(&place.workspace, &observed.collect::<Vec<_>>(), Priority::Backfill).unwrap();
        let index = RamIndex::new(2);
        let files = place.there();
        let epoch = store.workspace(&place.workspace).unwrap().epoch;
        index_pending(&Line { store: &store, epoch, ..place.line(&*files, &index) }).unwrap();
        embed_missing(&index, &Counting::default());
        Self::of(&store, &place.workspace, &index)
    }
}

/// What was answered to the writer before the process ended, the last of each path: with its kind, and the event where one told it.
fn told(folder: &Path) -> BTreeMap<String, (Revision, String, Option<String>)> {
    let told = fs_err::read_to_string(folder.join("told")).unwrap_or_default();
    let told = told.lines().filter_map(|line| {
        let mut parts = line.split(' ');
        let (revision, kind) = (parts.next()?.parse().ok()?, parts.next()?.to_owned());
        Some((parts.next()?.to_owned(), (Revision(revision), kind, parts.next().map(str::to_owned))))
    });
    told.collect()
}

/// Ends a life at a step, and returns the step's name.
fn survives(abort_at: usize) -> Option<String> {
    let folder = folder_for_a_life();
    let steps = live_in(folder.path(), Some(abort_at));
    let what = format!("step {abort_at}, {:?}", steps.last());
    let mut place = Place::at(&folder.path().join("files"), &folder.path().join("data"));
    let log = place.store.recent_changes(&place.workspace, 100_000).unwrap();
    for (path, (revision, kind, event)) in told(folder.path()) {
        if let Some(event) = event {
            let taken = place.store.event_revision(&place.workspace, &event).unwrap();
            assert_eq!(taken, Some(revision), "{what}: the event {event} would be taken twice");
        }
        let logged = log.iter().find(|change| change.revision == revision);
        assert!(logged.is_some_and(|change| change.path.as_str() == path), "{what}: {path} at {revision} is lost");
        if kind == format!("{:?}", ChangeKind::Deleted) && !place.files.path().join(&path).exists() {
            let hidden = place.store.view(&place.workspace).unwrap().superseded;
            let filter = Filter { hidden, ..Filter::default() };
            let snapshot = place.index.snapshot().unwrap();
            let found = snapshot.dense(&[1.0, 0.0], &filter, 10_000).unwrap();
            let found: Vec<_> = found.iter().map(|found| found.id).collect();
            let found = snapshot.load(&found).unwrap();
            assert!(found.iter().all(|chunk| chunk.file.path.as_str() != path), "{what}: {path} is shown");
        }
    }
    place.run();
    place.finish_rebuild();
    place.run();
    let whole = Whole::of(&place.store, &place.workspace, &place.index);
    assert_eq!(whole, Whole::by_the_oracle(&place), "{what}");
    // The log is one thing, the folder another.
    let on_disk: BTreeSet<RelPath> = whole.files.iter().map(|(path, ..)| path.clone()).collect();
    let fresh =
        fs_err::read_dir(place.files.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let fresh: BTreeSet<RelPath> =
        fresh.filter(|name| !name.starts_with('.')).map(|name| name.parse().unwrap()).collect();
    assert_eq!(on_disk, fresh, "{what}");
    assert_eq!((whole.chunks.len(), whole.num_embedded), (whole.num_chunks, whole.num_chunks), "{what}");
    steps.last().cloned()
}

#[test]
fn a_process_that_ends_at_any_step_loses_nothing_and_leaves_nothing_twice() {
    let folder = folder_for_a_life();
    let steps = live_in(folder.path(), None);
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, name) in (1..).zip(&steps) {
        by_name.entry(name).or_default().push(number);
    }
    for expected in [
        "log: begun",
        "log: written",
        "log: durable",
        "events: written",
        "events: durable",
        "write: the new file is beside its place",
        "write: the new file is in its place",
        "write: the file is removed",
        "line: about to commit",
        "large: a part of a file is committed",
        "commit: the batch is written",
        "commit: prepared",
        "commit: done",
        "line: committed, not acknowledged",
        "acknowledge: begun",
        "acknowledge: written",
        "acknowledge: durable",
        "vectors: about to be kept",
        "vectors: kept",
        "rebuild: committed, not noted",
        "rebuild: noted",
        "rebuild: about to swap",
        "rebuild: swapped",
        "postings: about to name the files",
        "postings: a file that no commit names is about to go",
    ] {
        assert!(by_name.contains_key(expected), "`{expected}` is never reached: {by_name:?}");
    }
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    for numbers in by_name.values() {
        chosen.extend([numbers[0], numbers[numbers.len() - 1]]);
    }
    if std::env::var_os(ALL).is_some() {
        chosen = (1..=steps.len()).collect();
    }
    let ended: BTreeSet<String> = chosen.into_iter().filter_map(survives).collect();
    assert!(ended.len() * 10 >= by_name.len() * 9, "of {:?} only {ended:?}", by_name.keys());
}
