//! Hashes that files must have: checking them, and recording those of pulled models.
//!
//! # Invariants
//! - Trust on first use: the first pull of a model records the hashes of its files in `pins.toml`; every load after, and
//!   every later pull, is held to them. An attacker who controls the first download controls the model.

use std::io::Read;
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::workspace::ContentHash;

use super::EmbedError;
use super::manifest::{PinnedFile, is_file_name};

/// File name of the pins in a model's folder.
const FILE: &str = "pins.toml";

/// What was recorded when a model was pulled first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pins {
    /// Where the files came from: the repository's name on the model hub.
    pub(super) repository: String,
    /// The repository's revision, where the hub told it.
    pub(super) revision: Option<String>,
    /// The files and their hashes.
    #[serde(rename = "file")]
    pub(super) files: Vec<PinnedFile>,
}

impl Pins {
    /// Hashes the files `names` of `folder` and writes `pins.toml` beside them.
    pub(super) fn record(
        folder: &Path,
        names: &[String],
        repository: &str,
        revision: Option<String>,
    ) -> Result<Self, EmbedError> {
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let (sha256, bytes) = hash_file(&folder.join(name))?;
            files.push(PinnedFile { name: name.clone(), sha256, bytes });
        }
        let pins = Self { repository: repository.to_owned(), revision, files };
        let text = toml::to_string(&pins)
            .map_err(|error| EmbedError::Unreadable { file: FILE.to_owned(), reason: error.to_string() })?;
        fs::write(folder.join(FILE), text)?;
        Ok(pins)
    }

    /// The pins of a model's folder, or `None` where the model was never pulled.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, EmbedError> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let unreadable = |reason: String| EmbedError::Unreadable { file: path.display().to_string(), reason };
        let pins: Self = toml::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        match pins.files.iter().find(|file| !is_file_name(&file.name)) {
            Some(file) => Err(unreadable(format!("`{}` is not a file name", file.name))),
            None => Ok(Some(pins)),
        }
    }

    /// The pin of a file.
    pub(super) fn file(&self, name: &str) -> Option<&PinnedFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Checks every pinned file of `folder`.
    pub(super) fn check(&self, folder: &Path) -> Result<(), EmbedError> {
        self.files.iter().try_for_each(|file| check_file(&folder.join(&file.name), file.sha256))
    }
}

/// The hash and size of a file, read in pieces.
pub(super) fn hash_file(path: &Path) -> Result<(ContentHash, u64), EmbedError> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut num_bytes = 0;
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok((ContentHash(hasher.finalize().into()), num_bytes));
        }
        hasher.update(&buffer[..length]);
        num_bytes += length as u64;
    }
}

/// Refuses a file that has not the pinned hash.
pub(super) fn check_file(path: &Path, expected: ContentHash) -> Result<(), EmbedError> {
    same_hash(path, expected, hash_file(path)?.0)
}

/// Refuses a hash that is not the pinned one; `path` is for the message.
pub(super) fn same_hash(path: &Path, expected: ContentHash, found: ContentHash) -> Result<(), EmbedError> {
    if expected == found {
        Ok(())
    } else {
        Err(EmbedError::WrongHash { path: path.to_owned(), expected: expected.to_string(), found: found.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_pins_are_read_back_and_refuse_a_changed_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("model.onnx"), "weights").unwrap();
        fs::write(folder.path().join("config.json"), "{}").unwrap();
        assert!(Pins::load(folder.path()).unwrap().is_none());

        let names = ["model.onnx".to_owned(), "config.json".to_owned()];
        Pins::record(folder.path(), &names, "owner/model", Some("abc".to_owned())).unwrap();
        let pins = Pins::load(folder.path()).unwrap().unwrap();
        assert_eq!(pins.repository, "owner/model");
        assert_eq!(pins.file("model.onnx").unwrap().bytes, 7);
        pins.check(folder.path()).unwrap();

        fs::write(folder.path().join("model.onnx"), "weight5").unwrap();
        let error = pins.check(folder.path()).unwrap_err();
        assert!(matches!(error, EmbedError::WrongHash { .. }), "{error}");
    }

    #[test]
    fn pins_that_name_a_file_outside_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let hash = ContentHash::of(b"x");
        let text = format!("repository = \"a\"\n[[file]]\nname = \"../x\"\nsha256 = \"{hash}\"\nbytes = 1\n");
        fs::write(folder.path().join(FILE), text).unwrap();
        assert!(matches!(Pins::load(folder.path()), Err(EmbedError::Unreadable { .. })));
    }
}
