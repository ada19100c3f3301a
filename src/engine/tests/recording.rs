//! A process that ends between an effect, its entry and the reply: what was done is in the journal, and what was acknowledged is there
//! with how it ended.

use std::io::Write as _;

use super::*;
use crate::audit::AuditResult;
use crate::budget::Budget;
use crate::workspace::Provenance;

const PATHS: [&str; 3] = ["one.md", "two.md", "one.md"];

fn open(folder: &Path) -> Engine {
    let engine = Engine::open(OpenOptions::new(folder.join("data"), Access::Write, "a test")).unwrap();
    let root = files::canonical_folder(&folder.join("files")).unwrap();
    engine.ensure_workspace(&WorkspaceId::default(), Some(&root)).unwrap();
    engine
}

/// The child: writes and deletes, and tells what is acknowledged.
#[test]
#[ignore = "ended at a step by the test that starts it"]
fn a_life_of_writes() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let engine = open(folder);
    let workspace = engine.workspace(&WorkspaceId::default(), &Caller::local(Surface::Rest)).unwrap();
    let mut told = fs_err::File::create(folder.join("told")).unwrap();
    for path in PATHS {
        let written = workspace.write_file(&path.parse().unwrap(), b"words", &Precondition::None).unwrap();
        writeln!(told, "file.write {path} {}", written.revision).unwrap();
    }
    let deleted =
        workspace.delete_file(&"two.md".parse().unwrap(), &Precondition::None, Provenance::default()).unwrap();
    writeln!(told, "file.delete two.md {}", deleted.revision).unwrap();
}

fn start(folder: &Path, abort_at: Option<usize>) -> bool {
    fs_err::create_dir_all(folder.join("files")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["engine::tests::recording::a_life_of_writes", "--exact", "--ignored", "--nocapture"]);
    child.env(FOLDER, folder).env(TRACE, folder.join("trace"));
    child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    if let Some(step) = abort_at {
        child.env(ABORT_AT, step.to_string());
    }
    child.status().unwrap().success()
}

#[test]
fn a_process_that_ends_at_any_step_loses_no_entry_of_what_it_did() {
    let traced = tempfile::tempdir().unwrap();
    assert!(start(traced.path(), None));
    let num_steps = fs_err::read_to_string(traced.path().join("trace")).unwrap().lines().count();
    assert!(num_steps >= 3 * 2 * (PATHS.len() + 1), "{num_steps}");
    for step in 1..=num_steps {
        let folder = tempfile::tempdir().unwrap();
        assert!(!start(folder.path(), Some(step)), "step {step}");
        let engine = open(folder.path());
        let caller = Caller::local(Surface::CommandLine);
        let report = engine.verify_audit(&caller, &[]).unwrap();
        assert!(report.is_whole && report.num_repairs == 0, "step {step}: {report:?}");
        let request = AuditRequest { limit: 1_000, ..AuditRequest::default() };
        let entries = engine.audit(&caller, &request, &Budget::default()).unwrap().entries;
        let tells = |action: &str, path: &str, result, revision: Option<u64>| {
            entries.iter().any(|entry| {
                entry.action == action
                    && entry.paths.iter().any(|named| named == path)
                    && entry.result == result
                    && (revision.is_none() || entry.revision == revision)
            })
        };
        for path in ["one.md", "two.md"] {
            let is_there = folder.path().join("files").join(path).exists();
            assert!(
                !is_there || tells("file.write", path, AuditResult::Begun, None),
                "step {step}: {path} was written"
            );
        }
        for line in fs_err::read_to_string(folder.path().join("told")).unwrap_or_default().lines() {
            let [action, path, revision] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let revision = Some(revision.parse().unwrap());
            assert!(tells(action, path, AuditResult::Success, revision), "step {step}: {line}");
        }
    }
}
