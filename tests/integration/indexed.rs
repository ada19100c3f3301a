//! An engine over the fixtures, indexed once for all tests that only ask it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pincite::engine::{Access, Caller, Engine, OpenOptions, Surface};
use pincite::extract::child::Program;
use pincite::ingest;
use pincite::workspace::WorkspaceId;

use crate::fixtures;

/// Stands in the only file of the workspace `other`.
pub const SECRET: &str = "The harbour master keeps the spare key under the third bollard.";

/// Two workspaces in one data folder: `default` is the fixtures, `other` holds one file with [`SECRET`].
pub struct Indexed {
    pub engine: Arc<Engine>,
    pub folder: tempfile::TempDir,
    _other: tempfile::TempDir,
    pub data: tempfile::TempDir,
}

/// The workspace that a name stands for.
pub fn named(name: &str) -> WorkspaceId {
    name.parse().unwrap()
}

/// Where the tests of a checkout keep ONNX Runtime, unless `PINCITE_RUNTIME_DIR` names another folder.
pub fn runtime_folder() -> PathBuf {
    let folder = std::env::var_os("PINCITE_RUNTIME_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pincite-test-data/runtime"))
}

/// How the program opens a data folder: files are read in child processes of it.
pub fn options(data_folder: &Path, access: Access, command: &str) -> OpenOptions {
    let program = Program { path: env!("CARGO_BIN_EXE_pincite").into(), arguments: vec!["read-files".to_owned()] };
    OpenOptions {
        runtime_folder: Some(runtime_folder()),
        reader_program: Some(program),
        ..OpenOptions::new(data_folder, access, command)
    }
}

/// An engine that writes `data_folder`.
pub fn open(data_folder: &Path) -> Engine {
    Engine::open(options(data_folder, Access::Write, "a test")).unwrap()
}

/// The shared engine; made by the first test that asks for it, removed when the last one is over.
pub fn shared() -> Arc<Indexed> {
    static SHARED: Mutex<Weak<Indexed>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(indexed) = shared.upgrade() {
        return indexed;
    }
    let (folder, other) = (fixtures::workspace_copy(), tempfile::tempdir().unwrap());
    fs_err::write(other.path().join("secret.md"), format!("# Keys\n\n{SECRET}\n")).unwrap();
    let data = tempfile::tempdir().unwrap();
    let engine = open(data.path());
    let report = engine
        .workspace_at(&named("default"), folder.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .index(&ingest::Silent)
        .unwrap();
    assert_eq!(report.words_alone, None, "tests need ONNX Runtime: ORT_DYLIB_PATH, or pip to fetch it");
    engine
        .workspace_at(&named("other"), other.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .index(&ingest::Silent)
        .unwrap();
    let indexed = Arc::new(Indexed { engine: Arc::new(engine), folder, _other: other, data });
    *shared = Arc::downgrade(&indexed);
    indexed
}
