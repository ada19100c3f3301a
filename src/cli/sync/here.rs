//! The side here: a folder, through the same room that a workspace's scan uses, so that its rules, its opening beneath the root and its atomic
//! writes are the same.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::error::SyncError;
use super::state::State;
use crate::cli::remote::Content;
use crate::files::{
    self, Condition, Entry, Files, FilesError, OpenFile, RuleLimits, Tell, Watch, WatchError, Watcher, canonical_folder,
};
use crate::workspace::{ContentHash, RelPath, common_spelling};

/// How often a file is read that changes meanwhile.
const MAX_READINGS: usize = 3;
/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// The folder.
pub(super) struct Here {
    root: PathBuf,
    files: Arc<dyn Files>,
}

/// What the folder holds at a path.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    /// A file.
    File(LocalFile),
    /// No file, and nothing that stands for one.
    Absent,
    /// Nobody can tell now, for this reason.
    Unknown(String),
    /// Something that is not kept in step, for this reason.
    PassedOver(String),
}

/// A file that was read.
#[derive(Debug, Clone)]
pub(super) struct LocalFile {
    pub path: RelPath,
    pub hash: ContentHash,
    pub version: files::Version,
}

/// What a listing found.
#[derive(Default)]
pub(super) struct Found {
    pub files: Vec<Entry>,
    pub problems: Vec<String>,
    /// Folders and files of which it does not know what is there or below.
    pub unlisted: Vec<String>,
}

/// What became of a file that came.
pub(super) enum Put {
    Done,
    /// Something else is there than was expected.
    OtherContent,
}

impl Here {
    /// The folder at a path; it is made where it is not there.
    ///
    /// # Errors
    /// [`SyncError::Folder`].
    pub(super) fn open(folder: &Path) -> Result<Self, SyncError> {
        fs_err::create_dir_all(folder).map_err(|error| SyncError::Folder(FilesError::of_file(error)))?;
        let root = canonical_folder(folder).map_err(SyncError::Folder)?;
        let files = files::at(&root, RuleLimits::default());
        Ok(Self { root, files })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Begins to watch the folder.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub(super) fn watch(&self, watcher: &Watcher, tell: Tell) -> Result<Box<dyn Watch>, WatchError> {
        self.files.watch(watcher, tell)
    }

    /// Lists the files that belong to a workspace: all, or those at `places` and below them.
    ///
    /// # Errors
    /// [`SyncError::Folder`] where the folder cannot be listed.
    pub(super) fn list(&self, places: Option<&BTreeSet<RelPath>>, entering: &dyn Fn(&str)) -> Result<Found, SyncError> {
        let mut found = Found::default();
        let mut listing = self.files.list(places, entering).map_err(SyncError::Folder)?;
        while let Some(page) = listing.next_page().map_err(SyncError::Folder)? {
            found.files.extend(page.files);
            found.problems.extend(page.problems);
            found.unlisted.extend(page.unlisted.into_iter().map(|unlisted| unlisted.place));
        }
        Ok(found)
    }

    /// The path by which the folder has a file, in any spelling of its names.
    pub(super) fn spelled(&self, path: &RelPath) -> RelPath {
        self.files.spelled(path)
    }

    /// When a file was modified last, in nanoseconds since 1970; `None` where there is none.
    pub(super) fn modified_ns(&self, path: &RelPath) -> Option<i64> {
        self.files.stat(path).ok().map(|stat| stat.fingerprint.modified_ns)
    }

    /// What is at a path.
    ///
    /// # Errors
    /// [`SyncError::State`].
    pub(super) fn look(&self, state: &State, path: &RelPath) -> Result<Sight, SyncError> {
        if let Err(reason) = self.files.check(path) {
            return Ok(Sight::PassedOver(why_passed_over(reason)));
        }
        match self.files.stat(path) {
            Ok(stat) => self.read(state, &Entry { path: path.clone(), stat }),
            Err(error) => Ok(unread(error)),
        }
    }

    /// Reads a file, unless it is known to be as it was when it was read.
    ///
    /// # Errors
    /// [`SyncError::State`].
    pub(super) fn read(&self, state: &State, entry: &Entry) -> Result<Sight, SyncError> {
        let Entry { path, stat } = entry;
        let file = |hash, version| Sight::File(LocalFile { path: path.clone(), hash, version });
        if let Some(hash) = state.hash_of(path, &stat.fingerprint) {
            return Ok(file(hash, stat.version.clone()));
        }
        for _ in 0..MAX_READINGS {
            let begun_ns = now_ns();
            let mut opened = match self.files.open(path, None) {
                Ok(opened) => opened,
                Err(error) => return Ok(unread(error)),
            };
            let before = opened.stat().clone();
            let hash = match hash_of(&mut *opened) {
                Ok(hash) => hash,
                Err(error) => return Ok(Sight::Unknown(format!("it cannot be read: {error}"))),
            };
            if opened.stat_now().is_ok_and(|now| now.version == before.version) {
                let fingerprint = before.fingerprint;
                // A write within a tick of the clock may leave the same fingerprint.
                let changed_ns = fingerprint.modified_ns.max(fingerprint.changed_ns);
                if changed_ns.saturating_add(self.files.tick_ns()) < begun_ns {
                    state.note_hash(path, fingerprint, hash)?;
                }
                return Ok(file(hash, before.version));
            }
        }
        Ok(Sight::Unknown("it is being written".to_owned()))
    }

    /// Opens a file to be sent. Its bytes end with an error, before the last of them, where they are not those of `hash`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open_to_send(&self, file: &LocalFile) -> io::Result<Content> {
        let opened = self.files.open(&file.path, None).map_err(io::Error::other)?;
        let size = opened.stat().fingerprint.size;
        if size == 0 && file.hash != ContentHash::of(b"") {
            return Err(io::Error::other(Changed));
        }
        let bytes = Checked { file: opened, left: size, expected: file.hash, hasher: Sha256::new() };
        Ok(Content { bytes: Box::new(bytes), size })
    }

    /// Puts bytes at a path where what is there is still `expected`, durably and in one step.
    ///
    /// # Errors
    /// [`FilesError`] of the folder, or the error of `bytes`, or [`io::ErrorKind::InvalidData`] where they are not those of `hash`.
    pub(super) fn put(
        &self,
        path: &RelPath,
        bytes: &mut dyn Read,
        hash: ContentHash,
        expected: Option<&files::Version>,
    ) -> Result<Put, PutError> {
        self.files.check(path).map_err(|reason| PutError::PassedOver(why_passed_over(reason)))?;
        let mut file = self.files.begin(path)?;
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        loop {
            let num = match bytes.read(&mut piece) {
                Ok(0) => break,
                Ok(num) => num,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(PutError::Bytes(error)),
            };
            hasher.update(&piece[..num]);
            file.write(&piece[..num])?;
        }
        if ContentHash(hasher.finalize().into()) != hash {
            return Err(PutError::OtherHash);
        }
        file.prepare()?;
        let condition = expected.map_or(Condition::Absent, |version| Condition::Is(version.clone()));
        match file.put(&condition) {
            Ok(_) => Ok(Put::Done),
            Err(FilesError::Exists { .. } | FilesError::OtherVersion { .. }) => Ok(Put::OtherContent),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file that is to be copied beside.
    ///
    /// # Errors
    /// [`FilesError::OtherVersion`] where it has changed.
    pub(super) fn open_as_read(&self, file: &LocalFile) -> Result<Box<dyn OpenFile>, FilesError> {
        self.files.open(&file.path, Some(&file.version))
    }

    /// Deletes a file that is still as it was read, and returns whether it was.
    ///
    /// # Errors
    /// [`FilesError`].
    pub(super) fn delete(&self, file: &LocalFile) -> Result<bool, FilesError> {
        match self.files.delete(&file.path, Some(&file.version)) {
            Ok(()) | Err(FilesError::NotFound { .. }) => Ok(true),
            Err(FilesError::OtherVersion { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Why a file that came is not in its place.
#[derive(Debug, thiserror::Error)]
pub(super) enum PutError {
    /// The folder refuses.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The bytes broke off.
    #[error("the bytes broke off")]
    Bytes(#[source] io::Error),
    /// The bytes are others than was said.
    #[error("it changed while it was sent")]
    OtherHash,
    /// The rules of this folder pass over it.
    #[error("{0}")]
    PassedOver(String),
}

/// What all spellings of a path have in common: its name in the state.
pub(super) fn name_of(path: &RelPath) -> String {
    common_spelling(path.as_str()).into_owned()
}

fn why_passed_over(reason: files::NotAdmitted) -> String {
    match reason {
        files::NotAdmitted::PassedOver => "hidden, temporary and ignored files are not kept in step".to_owned(),
        files::NotAdmitted::Link => "symbolic links are not followed".to_owned(),
        files::NotAdmitted::TooDeep { num_parts, max } => {
            format!("it has {num_parts} names, more than the {max} of `limits.path_parts`")
        }
    }
}

/// What is at the place of a file that could not be looked at.
fn unread(error: FilesError) -> Sight {
    match error {
        // A folder in place of a file has no file.
        FilesError::NotFound { .. } | FilesError::Folder { .. } => Sight::Absent,
        FilesError::Link { .. } => Sight::PassedOver("symbolic links are not followed".to_owned()),
        FilesError::NotAFile { .. } => Sight::PassedOver("only regular files are kept in step".to_owned()),
        error => Sight::Unknown(described(&error)),
    }
}

/// An error with its source, in one line.
pub(super) fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn hash_of(bytes: &mut dyn Read) -> io::Result<ContentHash> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match bytes.read(&mut piece) {
            Ok(0) => return Ok(ContentHash(hasher.finalize().into())),
            Ok(num) => hasher.update(&piece[..num]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

/// The bytes of a file, of which the last ones are given only where all are those that were decided on: a server never takes a file that was
/// written meanwhile for a whole one.
struct Checked {
    file: Box<dyn OpenFile>,
    left: u64,
    expected: ContentHash,
    hasher: Sha256,
}

/// A file is not any more what was decided on.
#[derive(Debug, thiserror::Error)]
#[error("the file has changed")]
struct Changed;

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let changed = || io::Error::other(Changed);
        if self.left == 0 {
            return Ok(0);
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let num = self.file.read(&mut buffer[..most])?;
        if num == 0 {
            return Err(changed());
        }
        self.left -= num as u64;
        self.hasher.update(&buffer[..num]);
        if self.left == 0 && ContentHash(self.hasher.clone().finalize().into()) != self.expected {
            return Err(changed());
        }
        Ok(num)
    }
}
