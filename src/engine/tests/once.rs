//! A process that ends at any step of a request with an idempotency key: the request comes again, and its change is there once.

use super::*;
use crate::edit::Changes;
use crate::workspace::Provenance;

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
    let written = with_key("third").merge_file(&path, more, ContentHash::of(base.as_bytes()), &nobody).unwrap().written;
    assert_eq!(written.content_hash, Some(ContentHash::of(more)));
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
    write(folder, "log.md", "log\n");
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
    }
}
