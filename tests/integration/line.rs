//! The line as it runs: what is logged becomes searchable by itself, in the order that people wait for it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pincite::engine::{
    Access, Caller, ChangesRequest, Engine, EngineError, OpenOptions, Precondition, Runner, Surface,
};
use pincite::ingest;
use pincite::search::{Mode, SearchReply, SearchRequest};
use pincite::workspace::{Provenance, Revision};

use crate::indexed::{named, options};

/// No test waits as long when the line works.
pub const FOREVER: Duration = Duration::from_mins(1);

/// Asks again until it holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + FOREVER;
    while !holds() {
        assert!(Instant::now() < end, "it never came that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An engine over a folder, and its line where it runs.
pub struct Desk {
    pub folder: tempfile::TempDir,
    pub data: tempfile::TempDir,
    pub engine: Arc<Engine>,
    pub runner: Option<Runner>,
}

impl Desk {
    /// Opened, and the line does not run yet.
    pub fn new() -> Self {
        let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let engine = share(data.path());
        engine.ensure_workspace(&named("default"), Some(folder.path())).unwrap();
        Self { folder, data, engine, runner: None }
    }

    /// As [`Desk::new`], with what `config.toml` says.
    pub fn configured(config: &str) -> Self {
        let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs_err::write(data.path().join("config.toml"), config).unwrap();
        let engine = share(data.path());
        engine.ensure_workspace(&named("default"), Some(folder.path())).unwrap();
        Self { folder, data, engine, runner: None }
    }

    pub fn running() -> Self {
        let mut desk = Self::new();
        desk.run();
        desk
    }

    pub fn run(&mut self) {
        self.runner = Some(self.engine.run().unwrap());
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    /// Scans, and returns the newest revision: the watch may have been faster.
    pub fn scan(&self) -> Revision {
        self.engine
            .workspace_at(&named("default"), self.folder.path(), &Caller::local(Surface::CommandLine))
            .unwrap()
            .scan(&ingest::Silent)
            .unwrap();
        self.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .recent_changes(&ChangesRequest::newest(1))
            .unwrap()
            .changes[0]
            .revision
    }

    pub fn search(&self, words: &str, mode: Mode, min_revision: Option<Revision>) -> Result<SearchReply, EngineError> {
        let wait_ms = 60_000;
        let request = SearchRequest { mode, min_revision, wait_ms, ..SearchRequest::new(words) };
        self.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().search(&request)
    }

    /// The paths that these words are found in.
    pub fn found(&self, words: &str) -> Vec<String> {
        let hits = self.search(words, Mode::Lexical, None).unwrap().hits;
        let mut paths: Vec<String> = hits.iter().map(|hit| hit.citation.path.to_string()).collect();
        paths.sort();
        paths
    }
}

/// An engine that indexes `data_folder` if nobody else does.
pub fn share(data_folder: &Path) -> Arc<Engine> {
    Arc::new(Engine::open(options(data_folder, Access::Share, "a test")).unwrap())
}

#[test]
fn what_is_logged_becomes_searchable_by_words_and_then_by_meaning() {
    let desk = Desk::running();
    desk.write("a.md", "The harbour crane lifts forty tonnes at low tide.");
    let revision = desk.scan();
    let reply = desk.search("crane", Mode::Lexical, Some(revision)).unwrap();
    assert!(reply.hits.len() == 1 && reply.revision >= revision);
    until("the file has a vector", || {
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .status()
            .unwrap()
            .num_embedded
            == 1
    });
    assert_eq!(desk.search("heavy lifting machine", Mode::Dense, None).unwrap().hits.len(), 1);
}

#[test]
fn a_revision_that_nothing_brings_is_said_not_to_have_come() {
    let desk = Desk::new();
    desk.write("a.md", "The harbour crane.");
    let revision = desk.scan();
    let request = SearchRequest { min_revision: Some(revision), wait_ms: 30, ..SearchRequest::new("crane") };
    let refused =
        desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().search(&request);
    assert!(matches!(refused, Err(EngineError::NotFresh { wanted, .. }) if wanted == revision));
}

#[test]
fn what_was_pending_at_the_start_is_replayed_and_until_then_not_called_ready() {
    let mut desk = Desk::new();
    desk.write("a.md", "The harbour crane.");
    desk.scan();
    assert!(
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .check_replayed()
            .is_ok(),
        "nothing was started"
    );
    let folder = desk.folder.path().to_owned();
    let away = folder.with_extension("away");
    fs_err::rename(&folder, &away).unwrap();
    desk.run();
    // The folder is away, so its files are neither read nor taken for deleted.
    assert!(matches!(
        desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().check_replayed(),
        Err(EngineError::Replaying)
    ));
    fs_err::rename(&away, &folder).unwrap();
    until("the log is replayed", || {
        desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().check_replayed().is_ok()
    });
    assert_eq!(desk.found("crane"), ["a.md"]);
}

#[test]
fn a_file_that_is_deleted_while_a_backfill_brings_it_in_is_not_found_from_the_answer_on() {
    const NUM_FILES: usize = 600;
    let desk = Desk::running();
    // A word of its own for each file, that is no other's stem.
    let word = |number: usize| {
        let letters = "bcdfghjklm".as_bytes();
        let digits = [number / 100, number / 10 % 10, number % 10];
        format!("zz{}zz", digits.map(|digit| char::from(letters[digit])).iter().collect::<String>())
    };
    for number in 0..NUM_FILES {
        desk.write(&format!("{number}.txt"), &format!("A harbour of many masters, and {}.", word(number)));
    }
    desk.scan();
    let delete = |number: usize| {
        let path = format!("{number}.txt").parse().unwrap();
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .delete_file(&path, &Precondition::None, Provenance::default())
            .unwrap();
        assert!(!desk.found(&word(number)).contains(&format!("{number}.txt")));
    };
    // From both ends: some are brought in by then, some are in work, some wait.
    let deleted = (0..60).flat_map(|step| [step * 5, NUM_FILES - 1 - step * 5]);
    deleted.clone().for_each(delete);
    let status =
        || desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().status().unwrap();
    until("the backfill is done", || status().coverage.files.pending == 0);
    assert_eq!((status().coverage.files.ready, status().num_chunks), (480, 480));
    for number in deleted {
        // A word that no file has is searched as one that is spelled like it, so others may be found.
        assert!(!desk.found(&word(number)).contains(&format!("{number}.txt")));
    }
}

#[test]
fn several_workspaces_share_one_line() {
    let desk = Desk::running();
    let other = tempfile::tempdir().unwrap();
    fs_err::write(other.path().join("b.txt"), "A lighthouse keeper.").unwrap();
    desk.write("a.txt", "A harbour master.");
    desk.scan();
    desk.engine
        .workspace_at(&named("other"), other.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .scan(&ingest::Silent)
        .unwrap();
    let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new("lighthouse") };
    until("both are searchable", || {
        let found =
            desk.engine.workspace(&named("other"), &Caller::local(Surface::CommandLine)).unwrap().search(&request);
        !desk.found("harbour").is_empty() && found.is_ok_and(|reply| !reply.hits.is_empty())
    });
    assert!(desk.found("lighthouse").is_empty());
}

#[test]
fn the_line_ends_when_it_is_dropped_and_goes_on_when_it_is_started_again() {
    let mut desk = Desk::running();
    desk.write("a.txt", "A harbour master.");
    desk.search("harbour", Mode::Lexical, Some(desk.scan())).unwrap();
    desk.runner = None;
    assert_eq!(Arc::strong_count(&desk.engine), 1, "no thread holds the engine");
    desk.write("b.txt", "Another harbour.");
    let revision = desk.scan();
    assert_eq!(desk.found("harbour"), ["a.txt"]);
    desk.run();
    desk.search("harbour", Mode::Lexical, Some(revision)).unwrap();
    assert_eq!(desk.found("harbour"), ["a.txt", "b.txt"]);
    assert!(desk.runner.take().unwrap().stop_within(FOREVER));
}

#[test]
fn one_engine_indexes_and_another_over_the_same_data_logs_and_reads() {
    let desk = Desk::running();
    let second = share(desk.data.path());
    assert!(desk.engine.is_writer() && !second.is_writer());
    desk.write("a.txt", "A harbour master.");
    let report = second
        .workspace_at(&named("default"), desk.folder.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .index(&ingest::Silent)
        .unwrap();
    assert!(report.done_by.unwrap().contains("a test"));
    let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new("harbour") };
    assert_eq!(
        second
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .search(&request)
            .unwrap()
            .hits
            .len(),
        1
    );

    let line = second.run().unwrap();
    let Desk { folder, engine, runner, data } = desk;
    drop((runner, engine));
    until("the second takes over", || second.is_writer());
    fs_err::write(folder.path().join("b.txt"), "Another harbour.").unwrap();
    let scan = second
        .workspace_at(&named("default"), folder.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .scan(&ingest::Silent)
        .unwrap();
    assert!(scan.problems.is_empty());
    until("both are found", || {
        second
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .search(&request)
            .unwrap()
            .hits
            .len()
            == 2
    });
    drop((line, data));
}

#[test]
fn an_engine_that_must_index_is_refused_while_another_does_and_one_that_reads_logs_nothing() {
    let desk = Desk::running();
    let refused = Engine::open(OpenOptions::new(desk.data.path(), Access::Write, "a second")).err().unwrap();
    assert!(matches!(&refused, EngineError::Busy { holder, .. } if holder.contains("a test")), "{refused}");
    let reader = Arc::new(Engine::open(OpenOptions::new(desk.data.path(), Access::Read, "a reader")).unwrap());
    assert!(matches!(reader.run(), Err(EngineError::ReadOnly)));
    let scanned = reader
        .workspace_at(&named("default"), desk.folder.path(), &Caller::local(Surface::CommandLine))
        .and_then(|workspace| workspace.scan(&ingest::Silent));
    assert!(matches!(scanned, Err(EngineError::ReadOnly)));
    assert!(!reader.is_writer());
}

#[test]
fn a_long_log_is_cut_while_the_line_runs_and_old_revisions_are_still_reached() {
    let mut desk = Desk::new();
    let log = rusqlite::Connection::open(desk.data.path().join("pincite.db")).unwrap();
    log.execute_batch(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 103000)
         INSERT INTO changes (workspace, path, kind, at_ms, pending) SELECT 'default', 'old.md', 'modified', n, 0 FROM number",
    )
    .unwrap();
    let num_changes = || log.query_row("SELECT count(*) FROM changes", [], |row| row.get::<_, i64>(0)).unwrap();
    desk.write("a.md", "The harbour crane.");
    desk.scan();
    desk.run();
    until("the log is cut", || num_changes() == 100_000);
    assert_eq!(desk.search("crane", Mode::Lexical, Some(Revision(7))).unwrap().hits.len(), 1);
    assert!(desk.scan() > Revision(103_000));
}
