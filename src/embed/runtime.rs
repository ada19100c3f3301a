//! ONNX Runtime: where it is found, and the one time a process loads it.
//!
//! Looked for in this order: the library that `ORT_DYLIB_PATH` names; the library in the runtime folder
//! (`$PINCITE_RUNTIME_DIR`, else `runtime/` in the data folder); then it is fetched into that folder. With the cargo
//! feature `runtime-download-binaries` it is linked in, and nothing is looked for.
//!
//! # Invariants
//! - A process loads one runtime and keeps it to its end: ONNX Runtime allows one environment in a process.
//! - A fetched library is hashed before each load and refused when it is not the pinned one. A library that
//!   `ORT_DYLIB_PATH` names is the user's own and is not hashed, only asked for its version.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::environment::{Environment, EnvironmentBuilder};
use ort::logging::LogLevel;
use parking_lot::Mutex;
use tracing::{debug, info};

use super::manifest::{Manifest, PlatformPin};
use super::pins::check_file;
use super::{EmbedError, Progress, fetch};

/// Where to look for ONNX Runtime, and whether to fetch it.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// A library that goes before all others (`ORT_DYLIB_PATH`).
    pub library: Option<PathBuf>,
    /// The folder that fetched runtimes lie in, one folder a version.
    pub dir: PathBuf,
    /// Never fetch.
    pub offline: bool,
}

impl RuntimeOptions {
    /// What the environment says: `ORT_DYLIB_PATH`, `PINCITE_RUNTIME_DIR` (else `runtime/` in the data folder), and
    /// `PINCITE_OFFLINE` (anything but empty, `0` and `false` forbids fetching).
    #[must_use]
    pub fn from_env(data_dir: &Path) -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let offline = std::env::var("PINCITE_OFFLINE").unwrap_or_default();
        Self {
            library: path("ORT_DYLIB_PATH"),
            dir: path("PINCITE_RUNTIME_DIR").unwrap_or_else(|| data_dir.join("runtime")),
            offline: !matches!(offline.to_ascii_lowercase().as_str(), "" | "0" | "false"),
        }
    }
}

/// An ONNX Runtime that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRuntime {
    /// How it was found.
    pub origin: RuntimeOrigin,
    /// The library; `None` when it is linked in.
    pub path: Option<PathBuf>,
}

/// How an ONNX Runtime was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeOrigin {
    /// Linked into the program.
    Linked,
    /// Named by `ORT_DYLIB_PATH`.
    Named,
    /// Fetched into the runtime folder.
    Fetched,
}

/// Finds ONNX Runtime without fetching or loading it. `None`: there is none yet.
///
/// # Errors
/// When `ORT_DYLIB_PATH` names no file, or the fetched library has not the pinned hash.
pub fn find_runtime(options: &RuntimeOptions) -> Result<Option<FoundRuntime>, EmbedError> {
    if cfg!(not(feature = "runtime-load-dynamic")) {
        return Ok(Some(FoundRuntime { origin: RuntimeOrigin::Linked, path: None }));
    }
    if let Some(library) = &options.library {
        // An absolute path, because the loader looks for a relative one in places of its own.
        let path = std::path::absolute(library)?;
        if !path.is_file() {
            return Err(EmbedError::RuntimeRefused { path, reason: "there is no such file".to_owned() });
        }
        return Ok(Some(FoundRuntime { origin: RuntimeOrigin::Named, path: Some(path) }));
    }
    let manifest = Manifest::embedded()?;
    let Some(pin) = platform_pin(&manifest) else { return Ok(None) };
    let path = std::path::absolute(options.dir.join(&manifest.runtime.version).join(pin.library_name()))?;
    if !path.exists() {
        return Ok(None);
    }
    check_file(&path, pin.library_sha256)?;
    Ok(Some(FoundRuntime { origin: RuntimeOrigin::Fetched, path: Some(path) }))
}

/// Finds ONNX Runtime, or fetches it into the runtime folder. Does not load it.
///
/// # Errors
/// When it is not there and cannot be fetched; the error says why, and its hint what to do.
pub fn ensure_runtime(options: &RuntimeOptions, progress: &dyn Progress) -> Result<FoundRuntime, EmbedError> {
    if let Some(found) = find_runtime(options)? {
        return Ok(found);
    }
    let manifest = Manifest::embedded()?;
    let pin = platform_pin(&manifest).ok_or_else(|| EmbedError::UnknownPlatform {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
    })?;
    if options.offline {
        return Err(EmbedError::FetchForbidden);
    }
    info!(version = %manifest.runtime.version, "fetching ONNX Runtime");
    let path = fetch::fetch_library(&manifest.runtime, pin, &options.dir, progress)?;
    Ok(FoundRuntime { origin: RuntimeOrigin::Fetched, path: Some(path) })
}

fn platform_pin(manifest: &Manifest) -> Option<&PlatformPin> {
    let here = |pin: &&PlatformPin| pin.os == std::env::consts::OS && pin.arch == std::env::consts::ARCH;
    manifest.runtime.platforms.iter().find(here)
}

/// The runtime of this process, once it is loaded. Never dropped: a second environment cannot be made.
static LOADED: Mutex<Option<Environment>> = Mutex::new(None);

/// Finds, if need be fetches, and loads ONNX Runtime; the first load of a process holds for all that follow, whatever
/// their options. A failure is not remembered.
pub(super) fn load(options: &RuntimeOptions, progress: &dyn Progress) -> Result<Environment, EmbedError> {
    // The lock is held while fetching, so that the threads of one process fetch once.
    let mut loaded = LOADED.lock();
    if let Some(environment) = &*loaded {
        return Ok(environment.clone());
    }
    let found = ensure_runtime(options, progress)?;
    let path = found.path.unwrap_or_default();
    let refused = |reason: String| EmbedError::RuntimeRefused { path: path.clone(), reason };
    // `ort` asserts on a library that exports the right names and returns nothing for them.
    let environment = catch_unwind(AssertUnwindSafe(|| start(&path)))
        .map_err(|_| refused("it is not a complete ONNX Runtime".to_owned()))?
        .map_err(refused)?;
    debug!(path = %path.display(), "ONNX Runtime is loaded");
    *loaded = Some(environment.clone());
    Ok(environment)
}

#[cfg(feature = "runtime-load-dynamic")]
fn start(path: &Path) -> Result<Environment, String> {
    build(ort::init_from(path).map_err(|error| error.to_string())?)
}

#[cfg(not(feature = "runtime-load-dynamic"))]
fn start(_path: &Path) -> Result<Environment, String> {
    build(ort::init())
}

/// The environment, which says nothing on standard error: what it says there of a model that fails quotes tokens of the text.
fn build(builder: EnvironmentBuilder) -> Result<Environment, String> {
    let say =
        |_: LogLevel, _: &str, _: &str, location: &str, _: &str| debug!(location, "ONNX Runtime reports an error");
    let builder = builder.with_name("pincite").with_telemetry(false).with_logger(Arc::new(say));
    let environment = builder.build().map_err(|error| error.to_string())?;
    environment.set_log_level(LogLevel::Error);
    Ok(environment)
}

#[cfg(test)]
#[cfg(feature = "runtime-load-dynamic")]
mod tests {
    use fs_err as fs;

    use super::*;
    use crate::embed::Silent;
    use crate::error::Advice as _;

    fn options(dir: &Path) -> RuntimeOptions {
        RuntimeOptions { library: None, dir: dir.to_owned(), offline: true }
    }

    #[test]
    fn without_a_runtime_and_offline_the_error_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let error = ensure_runtime(&options(dir.path()), &Silent).unwrap_err();
        assert_eq!(error.code(), "runtime_fetch_forbidden");
        assert!(error.hint().unwrap().contains("ORT_DYLIB_PATH"));
    }

    #[test]
    fn a_named_library_goes_first_and_must_exist() {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("libonnxruntime.so");
        let named = RuntimeOptions { library: Some(library.clone()), ..options(dir.path()) };
        assert_eq!(find_runtime(&named).unwrap_err().code(), "runtime_refused");

        fs::write(&library, "anything").unwrap();
        let found = find_runtime(&named).unwrap().unwrap();
        assert_eq!((found.origin, found.path), (RuntimeOrigin::Named, Some(library)));
    }

    #[test]
    fn a_fetched_library_with_other_bytes_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = Manifest::embedded().unwrap();
        let pin = platform_pin(&manifest).unwrap();
        let folder = dir.path().join(&manifest.runtime.version);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(pin.library_name()), "not it").unwrap();
        assert_eq!(find_runtime(&options(dir.path())).unwrap_err().code(), "wrong_hash");
    }

    /// The other end of the tests below: a process of its own, because a process that has loaded a runtime keeps it.
    #[test]
    #[ignore = "run by the tests below, in a process where nothing is loaded"]
    fn opens_without_a_usable_runtime() {
        let data_dir = tempfile::tempdir().unwrap();
        let options = crate::embed::OpenOptions::from_env(data_dir.path());
        let model = crate::embed::open(data_dir.path(), None, &options).unwrap();
        assert_eq!(model.tokens.num_tokens("hello, world"), 3);
        let error = model.embedder.err().unwrap();
        assert_eq!(error.code(), std::env::var("EXPECTED_CODE").unwrap(), "{error}");
        assert!(error.hint().unwrap().contains("ORT_DYLIB_PATH"));
    }

    fn words_only_with(variables: &[(&str, &Path)], expected_code: &str) {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "embed::runtime::tests::opens_without_a_usable_runtime", "--ignored", "--nocapture"])
            .env_remove("ORT_DYLIB_PATH")
            .env_remove("PINCITE_RUNTIME_DIR")
            .envs(variables.iter().copied())
            .env("EXPECTED_CODE", expected_code)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[test]
    fn without_a_runtime_tokens_are_counted_and_the_reason_is_told() {
        words_only_with(&[("PINCITE_OFFLINE", Path::new("1"))], "runtime_fetch_forbidden");
    }

    #[test]
    fn a_file_that_is_no_library_is_an_error_not_a_panic() {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("libonnxruntime.so");
        fs::write(&library, "no library").unwrap();
        words_only_with(&[("ORT_DYLIB_PATH", &library)], "runtime_refused");
        words_only_with(&[("ORT_DYLIB_PATH", dir.path())], "runtime_refused");
    }

    #[test]
    #[cfg(unix)]
    fn without_python_or_without_pip_the_error_says_so() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        words_only_with(&[("PATH", dir.path()), ("PINCITE_OFFLINE", Path::new("0"))], "runtime_no_python");
        let python = dir.path().join("python3");
        fs::write(&python, "#!/bin/sh\nexit 1\n").unwrap();
        fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
        words_only_with(&[("PATH", dir.path()), ("PINCITE_OFFLINE", Path::new("0"))], "runtime_no_pip");
    }
}
