//! A process that ends at any step of a request with an idempotency key: the request comes again, and its change is there once.

use super::*;
use crate::edit::Changes;
use crate::workspace::{Change, ChangeKind, Provenance};

const LINES: [&str; 2] = ["first\n", "second\n"];

fn open(folder: &Path) -> Engine {
    let engine = Engine::open(OpenOptions::new(folder.join("data"), Access::Write, "a test")).unwrap();
    let root = files::canonical_folder(&folder.join("files")).unwrap();
    engine.ensure_workspace(&WorkspaceId::default(), Some(&root)).unwrap();
    engine
}

/// Adds each line, and merges one more into the file, each in a request with a key of its own.
fn ask(engine: &Engine) {
    let with_key = |key: &str| {
        let workspace = engine.workspace(&WorkspaceId::default(), &Caller::local(Surface::Rest)).unwrap();
        workspace.given(Given { idempotency_key: Some(key.to_owned()), ..Given::default() }).unwrap()
    };
    let (path, nobody): (RelPath, _) = ("log.md".parse().unwrap(), Provenance::default());
    for line in LINES {
        let changes = Changes { append: Some(line.to_owned()), ..Changes::default() };
        with_key(line).edit_file(&path, &changes, &Precondition::None, &nobody, false).unwrap();
    }
    let (base, more) = ("log\nfirst\nsecond\n", b"log\nfirst\nsecond\nthird\n");
    let transit = |from: &str, to: &str| {
        let (precondition, precondition_of_target) = (Precondition::Exists, Precondition::Absent);
        Transit { from: place(from), to: place(to), precondition, precondition_of_target }
    };
    with_key("delete").delete_file(&place("old.md"), &Precondition::None, nobody.clone()).unwrap();
    with_key("move").move_file(&transit("one.md", "deep/one.md"), &nobody).unwrap();
    // Where a process ended in the middle, the next one moves the other files, and tells of all.
    with_key("folder").move_file(&transit("docs", "moved/docs"), &nobody).unwrap();
    let written = with_key("third").merge_file(&path, more, ContentHash::of(base.as_bytes()), &nobody).unwrap().written;
    assert_eq!(written.content_hash, Some(ContentHash::of(more)));
}

fn place(path: &str) -> RelPath {
    path.parse().unwrap()
}

fn changes_of(engine: &Engine) -> Vec<Change> {
    let workspace = engine.workspace(&WorkspaceId::default(), &Caller::local(Surface::Rest)).unwrap();
    workspace.recent_changes(&ChangesRequest { limit: 100, ..ChangesRequest::default() }).unwrap().changes
}

/// The child: asks for everything once.
#[test]
#[ignore = "ended at a step by the test that starts it"]
fn a_life_of_requests() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    ask(&open(Path::new(&folder)));
}

fn start(folder: &Path, abort_at: Option<usize>) -> bool {
    fs_err::create_dir_all(folder.join("files")).unwrap();
    for (path, text) in
        [("log.md", "log\n"), ("old.md", "old"), ("one.md", "one"), ("docs/a.md", "a"), ("docs/x/b.md", "b")]
    {
        fs_err::create_dir_all(folder.join("files").join(path).parent().unwrap()).unwrap();
        write(folder, path, text);
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["engine::tests::once::a_life_of_requests", "--exact", "--ignored", "--nocapture"]);
    child.env(FOLDER, folder).env(TRACE, folder.join("trace"));
    child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    if let Some(step) = abort_at {
        child.env(ABORT_AT, step.to_string());
    }
    child.status().unwrap().success()
}

#[test]
fn a_request_that_comes_again_after_a_crash_at_any_step_is_done_once() {
    let traced = tempfile::tempdir().unwrap();
    assert!(start(traced.path(), None));
    let num_steps = fs_err::read_to_string(traced.path().join("trace")).unwrap().lines().count();
    assert!(num_steps >= 3 * (LINES.len() + 1), "{num_steps}");
    for step in 1..=num_steps {
        let folder = tempfile::tempdir().unwrap();
        assert!(!start(folder.path(), Some(step)), "step {step}");
        let engine = open(folder.path());
        ask(&engine);
        let text = fs_err::read_to_string(folder.path().join("files/log.md")).unwrap();
        assert_eq!(text, "log\nfirst\nsecond\nthird\n", "step {step}");
        let read = |path: &str| fs_err::read_to_string(folder.path().join("files").join(path)).ok();
        let moved = ["deep/one.md", "moved/docs/a.md", "moved/docs/x/b.md"].map(|path| read(path).unwrap());
        assert_eq!(moved, ["one", "a", "b"], "step {step}");
        assert!(!folder.path().join("files/docs").exists(), "step {step}");
        // Each is told once, with both of its paths.
        let changes = changes_of(&engine);
        for (path, kind) in [
            ("old.md", ChangeKind::Deleted),
            ("deep/one.md", ChangeKind::Renamed),
            ("moved/docs/a.md", ChangeKind::Renamed),
            ("moved/docs/x/b.md", ChangeKind::Renamed),
        ] {
            let told: Vec<_> =
                changes.iter().filter(|change| change.path == place(path)).map(|change| change.kind).collect();
            assert_eq!(told, [kind], "step {step}: {path}");
        }
    }
}
