//! For tests of this crate: the default model, with a runtime that all tests of a checkout share.
//!
//! Tests do not skip: where no runtime is, pip fetches one into `target/pincite-test-data/runtime` once. Integration
//! tests get the same by setting `PINCITE_RUNTIME_DIR` to that folder for the programs they start.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use super::{Embedder, OpenOptions, RuntimeOptions, Silent};

/// The shared runtime folder.
pub(crate) fn runtime_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pincite-test-data/runtime")
}

/// The environment's options with the shared runtime folder, unless `PINCITE_RUNTIME_DIR` names another.
pub(crate) fn options() -> OpenOptions {
    let mut runtime = RuntimeOptions::from_env(Path::new("no-data-folder"));
    if std::env::var_os("PINCITE_RUNTIME_DIR").is_none_or(|dir| dir.is_empty()) {
        runtime.dir = runtime_dir();
    }
    OpenOptions { runtime, num_sessions: Some(2), progress: Arc::new(Silent) }
}

/// A folder with a model of `fixtures/reranker` and the default model's tokenizer, as a user would have it.
pub(crate) fn reranker_folder(model: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reranker").join(model);
    fs_err::copy(weights, folder.path().join("model.onnx")).expect("the fixture");
    for name in super::hub::TOKENIZER_FILES {
        let bytes = super::manifest::default_file(name).expect("a file of the default model");
        fs_err::write(folder.path().join(name), bytes).expect("a file");
    }
    folder
}

/// The default model's embedder, one for all tests of a process.
pub(crate) fn embedder() -> Arc<dyn Embedder> {
    static EMBEDDER: LazyLock<Arc<dyn Embedder>> = LazyLock::new(|| {
        let model = super::open(Path::new("no-data-folder"), None, &options()).expect("the default model opens");
        model.embedder.expect("tests need ONNX Runtime: ORT_DYLIB_PATH, or pip to fetch it")
    });
    EMBEDDER.clone()
}
