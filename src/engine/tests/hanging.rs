//! A server in which the read of one file does not return.

use super::*;
use crate::embed::testing;
use crate::engine::{Caller, Surface};
use crate::error::Advice as _;
use crate::files::gates::until;

#[test]
fn a_read_that_hangs_is_named_holds_up_nothing_and_is_made_up_for_when_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        runtime_folder: Some(testing::options().runtime.dir),
        ..OpenOptions::new(folder.path().join("data"), Access::Write, "a test")
    };
    let engine = Arc::new(Engine::open(options).unwrap());
    let (id, other): (WorkspaceId, WorkspaceId) = (WorkspaceId::default(), "other".parse().unwrap());
    for (workspace, name) in [(&id, "files"), (&other, "others")] {
        fs_err::create_dir(folder.path().join(name)).unwrap();
        let root = files::canonical_folder(&folder.path().join(name)).unwrap();
        fs_err::write(root.join("a.md"), "The harbour.").unwrap();
        engine.ensure_workspace(workspace, Some(&root)).unwrap();
    }
    write(folder.path(), "stuck.md", "The harbour pilot.");
    engine.data.errands.close("stuck.md", 1);
    let runner = engine.run().unwrap();
    let state = |workspace: &WorkspaceId, path: &str| {
        engine.data.store.file(workspace, &path.parse().unwrap()).unwrap().map(|entry| entry.state)
    };
    until(|| state(&id, "stuck.md") == Some(FileState::Failed));
    until(|| state(&id, "a.md") == Some(FileState::Ready) && state(&other, "a.md") == Some(FileState::Ready));
    // What is written meanwhile is brought in.
    write(folder.path(), "later.md", "The harbour light.");
    until(|| state(&id, "later.md") == Some(FileState::Ready));
    let of = |workspace: &WorkspaceId| engine.workspace(workspace, &Caller::local(Surface::CommandLine)).unwrap();
    let stuck = of(&id).status().unwrap().stuck.unwrap();
    assert!(stuck.contains("`stuck.md`") && stuck.contains("does not answer"), "{stuck}");
    assert_eq!((engine.stuck_workspaces(), of(&other).status().unwrap().stuck), (vec![id.clone()], None));
    // One file is no reason to send nobody to this server, and it is waited for by nobody.
    assert!(of(&id).check_looking().is_ok() && of(&id).check_replayed().is_ok());
    assert_eq!(of(&id).read_file(&"stuck.md".parse().unwrap()).unwrap_err().code(), "source_stuck");
    engine.data.errands.open("stuck.md");
    until(|| state(&id, "stuck.md") == Some(FileState::Ready));
    assert_eq!((engine.stuck_workspaces(), of(&id).status().unwrap().stuck), (Vec::new(), None));
    drop(runner);
}
