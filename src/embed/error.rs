//! Why there are no vectors or scores, split by what the caller does next.

use std::path::PathBuf;

use crate::error::Advice;

/// Why there are no vectors or scores.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The runtime refused a text or the model's output was not as the manifest says.
    #[error("the embedding model failed: {reason}")]
    Failed {
        /// What went wrong; nothing of a document or a query.
        reason: String,
    },

    /// No ONNX Runtime was found, and fetching one is forbidden.
    #[error("no ONNX Runtime was found and fetching it is forbidden")]
    FetchForbidden,

    /// The manifest pins no ONNX Runtime for this machine.
    #[error("no ONNX Runtime is known for this platform (`{os}` on `{arch}`)")]
    UnknownPlatform {
        /// The operating system, as Rust names it.
        os: String,
        /// The processor, as Rust names it.
        arch: String,
    },

    /// Fetching needs Python's pip, and there is no Python.
    #[error("ONNX Runtime cannot be fetched: no Python was found")]
    NoPython,

    /// Fetching needs Python's pip, and this Python has none.
    #[error("ONNX Runtime cannot be fetched: `{python}` has no pip")]
    NoPip {
        /// The program that was tried.
        python: String,
    },

    /// The package registry has no wheel of the pinned version for this platform.
    #[error("ONNX Runtime cannot be fetched: the package registry has no `{wheel}`")]
    NoWheel {
        /// File name of the wheel that the manifest pins.
        wheel: String,
    },

    /// The package registry could not be reached, or pip failed otherwise.
    #[error("ONNX Runtime cannot be fetched: {reason}")]
    FetchFailed {
        /// What pip said last.
        reason: String,
    },

    /// A library is there and cannot be used: too old, damaged, or of another platform.
    #[error("ONNX Runtime at `{path}` cannot be used: {reason}")]
    RuntimeRefused {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A file does not have the bytes that were pinned.
    #[error("`{path}` has sha256 {found}, expected {expected}")]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// The pinned hash.
        expected: String,
        /// The hash of the file as it is.
        found: String,
    },

    /// No model goes by this name.
    #[error("no model is named `{name}`")]
    UnknownModel {
        /// What was asked for.
        name: String,
    },

    /// The model is known and its files are not here.
    #[error("the files of model `{name}` are not here")]
    ModelAbsent {
        /// The model's name.
        name: String,
    },

    /// The files of a model could not be pulled.
    #[error("model `{name}` cannot be pulled: {reason}")]
    PullFailed {
        /// The model's name.
        name: String,
        /// What the download said.
        reason: String,
    },

    /// A model's file, its pins or the manifest cannot be understood.
    #[error("`{file}` cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The folder that is named as the reranker's lacks a file.
    #[error("the reranker's folder `{folder}` has no `{file}`")]
    RerankerIncomplete {
        /// The folder.
        folder: PathBuf,
        /// Name of the file.
        file: String,
    },

    /// What is in the reranker's folder cannot be used: damaged, or no model that gives one score for a pair of texts.
    #[error("the reranker in `{folder}` cannot be used: {reason}")]
    RerankerRefused {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The reranker gave no scores for a query.
    #[error("the reranker failed: {reason}")]
    RerankerFailed {
        /// What went wrong; nothing of a document or a query.
        reason: String,
    },

    /// A file could not be read or written; the source names it.
    #[error("a file of the model or the runtime is not accessible")]
    Io {
        /// What the system said.
        #[from]
        source: std::io::Error,
    },
}

impl Advice for EmbedError {
    fn code(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "embedding_failed",
            Self::FetchForbidden => "runtime_fetch_forbidden",
            Self::UnknownPlatform { .. } => "runtime_unknown_platform",
            Self::NoPython => "runtime_no_python",
            Self::NoPip { .. } => "runtime_no_pip",
            Self::NoWheel { .. } => "runtime_no_wheel",
            Self::FetchFailed { .. } => "runtime_fetch_failed",
            Self::RuntimeRefused { .. } => "runtime_refused",
            Self::WrongHash { .. } => "wrong_hash",
            Self::UnknownModel { .. } => "unknown_model",
            Self::ModelAbsent { .. } => "model_absent",
            Self::PullFailed { .. } => "model_pull_failed",
            Self::Unreadable { .. } => "model_unreadable",
            Self::RerankerIncomplete { .. } => "reranker_incomplete",
            Self::RerankerRefused { .. } => "reranker_refused",
            Self::RerankerFailed { .. } => "reranking_failed",
            Self::Io { .. } => "model_io",
        }
    }

    fn hint(&self) -> Option<String> {
        const OWN_LIBRARY: &str = "set ORT_DYLIB_PATH to an ONNX Runtime library of version 1.24 or newer";
        Some(match self {
            Self::Failed { .. } | Self::RerankerFailed { .. } => return None,
            Self::FetchForbidden => {
                format!("unset PINCITE_OFFLINE and run `pincite models pull` once with a network, or {OWN_LIBRARY}")
            }
            Self::UnknownPlatform { .. } | Self::RuntimeRefused { .. } => OWN_LIBRARY.to_owned(),
            Self::NoPython => format!("install Python 3 with pip, or {OWN_LIBRARY}"),
            Self::NoPip { python } => format!("run `{python} -m ensurepip`, or {OWN_LIBRARY}"),
            Self::NoWheel { .. } => format!("check which index pip uses (`pip config list`), or {OWN_LIBRARY}"),
            Self::FetchFailed { .. } => format!("check that pip can reach its package index, or {OWN_LIBRARY}"),
            Self::WrongHash { path, .. } => {
                format!(
                    "delete `{}` and pull again; if the hash differs again, do not trust the source of the file",
                    path.display()
                )
            }
            Self::UnknownModel { .. } => "`pincite models list` lists the names".to_owned(),
            Self::ModelAbsent { name } => format!("run `pincite models pull {name}`"),
            Self::PullFailed { .. } => "check the network; the default model needs no pull".to_owned(),
            Self::Unreadable { file, .. } => format!("delete the folder of `{file}` and pull the model again"),
            Self::RerankerIncomplete { .. } => {
                "a reranker's folder holds `model.onnx`, `tokenizer.json`, `config.json`, `special_tokens_map.json` and \
                 `tokenizer_config.json`"
                    .to_owned()
            }
            Self::RerankerRefused { .. } => {
                "name the folder of a cross-encoder as ONNX as `reranker` in `[ranking]` of `config.toml`, or remove that line"
                    .to_owned()
            }
            Self::Io { .. } => {
                "check that the data folder can be read and written and that the disk has room".to_owned()
            }
        })
    }
}
