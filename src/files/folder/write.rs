//! Files written into a workspace's folder: whole or not at all, and never through a link.
//!
//! # Invariants
//! - Everything is done by name in a folder that is open beneath the workspace's root, so that a folder which becomes a link meanwhile
//!   leads nowhere.
//! - A path costs time by its number of parts. Folders are made before the write's turn comes.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::beneath::{self, BeneathError, Folder, Kind, Meta};
use super::fingerprint;
use super::leftovers::TemporaryFile;
use super::rules::NotAdmitted;
use crate::error::Advice;
use crate::store::Fingerprint;
use crate::workspace::{ContentHash, RelPath, common_spelling, composed};
use crate::{failpoint, private};

/// Hidden, so that no scan takes a half-written file for one of the workspace.
pub(crate) const TEMPORARY_PREFIX: &str = ".pincite-";
/// The permissions of a new folder, less the bits that the process's mask takes away.
const MODE_OF_FOLDERS: u32 = 0o777;
/// The permissions of a new file, less the bits that the process's mask takes away.
const MODE_OF_FILES: u32 = 0o666;
/// Folders that another write made and gave up are made again so often.
const MAX_TRIES: usize = 3;

/// A file that is being written beside its place. Nobody sees it until it is put there, and if it is not, it goes.
#[derive(Debug)]
pub struct NewFile {
    path: RelPath,
    file: TemporaryFile,
    hasher: Sha256,
    size: u64,
    /// Whether what was written is on disk.
    is_durable: bool,
    way: Way,
}

impl NewFile {
    /// Begins a file that is to be at `path`. Folders on the way there are not made yet.
    ///
    /// # Errors
    /// When no file can be there, or the system refuses.
    pub fn begin(root: &Path, path: &RelPath) -> Result<Self, WriteError> {
        let mut way = Way::new(root)?;
        // As near to its place as there is a folder: on the same disk, so that it can be put there in one step.
        let folder = way.parent(path, Missing::StopsBefore)?;
        look(&way.root, path)?;
        let file = TemporaryFile::make_in(folder, TEMPORARY_PREFIX);
        let mut file = file.map_err(|error| WriteError::of_place(error, path))?;
        if let Some(mode) = private::mode_in_workspace(way.mode_of_root, MODE_OF_FILES) {
            beneath::set_mode(file.file_mut(), mode).map_err(WriteError::from_io)?;
        }
        Ok(Self { path: path.clone(), file, hasher: Sha256::new(), size: 0, is_durable: false, way })
    }

    /// Writes what comes next in the file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.file.file_mut().write_all(bytes).map_err(WriteError::from_io)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.is_durable = false;
        Ok(())
    }

    /// How many bytes were written.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Makes what was written durable, so that [`NewFile::put`] takes no long time.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        if !self.is_durable {
            self.file.file_mut().sync_all().map_err(WriteError::from_io)?;
            self.is_durable = true;
        }
        Ok(())
    }

    /// Makes the folders on the way to its place, so that [`NewFile::put`] takes no long time. They go again if the file is not put there.
    ///
    /// # Errors
    /// When no file can be there, or the system refuses.
    pub fn make_way(&mut self) -> Result<(), WriteError> {
        self.way.parent(&self.path, Missing::IsMade).map(drop)
    }

    /// Makes the file durable and puts it into its place in one step. Folders are made as needed.
    ///
    /// With `only_new` a file that is there already is left alone, whoever made it.
    ///
    /// # Errors
    /// What is at its place is as it was then.
    pub fn put(mut self, root: &Path, only_new: bool) -> Result<(Fingerprint, ContentHash), WriteError> {
        let name = self.path.file_name().to_owned();
        // Anew: the folder may have been moved away while content came, and another one be in its place.
        let mut way = Way::new(root)?;
        let mut num_tries = 0;
        let parent = loop {
            let parent = way.parent(&self.path, Missing::IsMade)?;
            if let Some(before) = look_in(&parent, &name, &self.path)? {
                let now = beneath::meta_of_open(self.file.file_mut()).map_err(WriteError::from_io)?;
                if before.mode != now.mode {
                    beneath::set_mode(self.file.file_mut(), before.mode).map_err(WriteError::from_io)?;
                    self.is_durable = false;
                }
            }
            self.sync()?;
            failpoint::reach("write: the new file is beside its place");
            match self.file.put(&parent, &name, only_new) {
                Ok(()) => break parent,
                // Another write made the folder and gave it up.
                Err(BeneathError::Missing) if num_tries < MAX_TRIES => num_tries += 1,
                Err(BeneathError::Exists) if only_new => return Err(WriteError::Exists { path: self.path.clone() }),
                Err(error) => return Err(WriteError::of_place(error, &self.path)),
            }
        };
        self.way.made.clear();
        way.made.clear();
        failpoint::reach("write: the new file is in its place");
        parent.sync().map_err(|error| WriteError::of_place(error, &self.path))?;
        let written = beneath::meta_of_open(self.file.file_mut()).map_err(WriteError::from_io)?;
        Ok((fingerprint(&written), ContentHash(self.hasher.finalize().into())))
    }
}

/// The way to a file: the held root, and the folders that were made for it. They go again unless something is put into them.
#[derive(Debug)]
struct Way {
    root: Folder,
    mode_of_root: u32,
    made: Vec<String>,
}

impl Way {
    fn new(root: &Path) -> Result<Self, WriteError> {
        let root = Folder::root(root).map_err(WriteError::of_root)?;
        let mode_of_root = root.meta().map_err(WriteError::of_root)?.mode;
        Ok(Self { root, mode_of_root, made: Vec::new() })
    }

    /// The folder of a file, with no link on the way to it.
    fn parent(&mut self, path: &RelPath, missing: Missing) -> Result<Folder, WriteError> {
        self.open_parent(path.as_str(), missing).map_err(|error| WriteError::of_place(error, path))
    }

    fn open_parent(&mut self, path: &str, missing: Missing) -> Result<Folder, BeneathError> {
        let (parent, _) = beneath::divided(path);
        match self.root.folder(parent) {
            Err(BeneathError::Missing) if missing != Missing::Refused => {}
            opened => return opened,
        }
        let mut at = self.root.folder("")?;
        let mut end = 0;
        for part in parent.split('/') {
            end += part.len() + 1;
            at = match at.folder(part) {
                Err(BeneathError::Missing) if missing == Missing::StopsBefore => return Ok(at),
                Err(BeneathError::Missing) => {
                    let is_new = at.make_folder(part, MODE_OF_FOLDERS)?;
                    let next = at.folder(part)?;
                    if is_new {
                        self.made.push(parent[..end - 1].to_owned());
                        if let Some(mode) = private::mode_in_workspace(self.mode_of_root, MODE_OF_FOLDERS) {
                            next.set_mode(mode)?;
                        }
                    }
                    at.sync()?;
                    next
                }
                opened => opened?,
            };
        }
        Ok(at)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        for folder in self.made.drain(..).rev() {
            // One that holds something by now stays.
            let _ = self.root.parent(&folder).and_then(|(parent, name)| parent.remove_folder(name));
        }
    }
}

/// What becomes of a folder on the way to a file that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It is an error.
    Refused,
    /// It is made.
    IsMade,
    /// The one before it stands for the file's folder.
    StopsBefore,
}

/// The path of a file as the disk spells it: part by part the name that is there, also in another spelling of the same
/// ([`common_spelling`]), else with composed accents. So one name never becomes those of two files.
#[must_use]
pub fn spelled_on_disk(root: &Path, path: &RelPath) -> RelPath {
    let mut at = Folder::root(root).ok();
    let mut parts: Vec<String> = Vec::new();
    for part in path.as_str().split('/') {
        let spelled = at.as_ref().and_then(|folder| {
            let is_there = folder.look_at(OsStr::new(part)).is_ok();
            if is_there { Some(part.to_owned()) } else { name_spelled_like(folder, part) }
        });
        let spelled = spelled.unwrap_or_else(|| composed(part).into_owned());
        at = at.and_then(|folder| folder.folder(&spelled).ok());
        parts.push(spelled);
    }
    parts.join("/").parse().unwrap_or_else(|_| path.clone())
}

/// The name in a folder that is another spelling of this one; the first by the alphabet where there are several.
fn name_spelled_like(folder: &Folder, name: &str) -> Option<String> {
    let wanted = common_spelling(name);
    let names = folder.names().ok()?.into_iter().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|other| (!other.is_ascii() || !name.is_ascii()) && common_spelling(other) == wanted).min()
}

/// Writes a file whole or not at all: a [`NewFile`] of these bytes, put into its place.
///
/// # Errors
/// The file is as it was then.
pub fn write_file(root: &Path, path: &RelPath, bytes: &[u8], only_new: bool) -> Result<Fingerprint, WriteError> {
    let mut file = NewFile::begin(root, path)?;
    file.write(bytes)?;
    Ok(file.put(root, only_new)?.0)
}

/// Removes a file, durably, and returns whether there was one.
///
/// # Errors
/// The file is still there then.
pub fn delete_file(root: &Path, path: &RelPath) -> Result<bool, WriteError> {
    let mut way = Way::new(root)?;
    let Some(parent) = existing_parent(&mut way, path)? else { return Ok(false) };
    let name = path.file_name();
    if look_in(&parent, name, path)?.is_none() {
        return Ok(false);
    }
    match parent.remove(name) {
        Ok(()) => {}
        Err(BeneathError::Missing) => return Ok(false),
        Err(error) => return Err(WriteError::of_place(error, path)),
    }
    failpoint::reach("write: the file is removed");
    parent.sync().map_err(|error| WriteError::of_place(error, path))?;
    Ok(true)
}

/// Gives a file another path, durably, and returns whether there was one. What was at the new path is replaced.
///
/// # Errors
/// The file is at its old path then.
pub fn rename_file(root: &Path, from: &RelPath, to: &RelPath) -> Result<bool, WriteError> {
    let mut way = Way::new(root)?;
    let Some(old_parent) = existing_parent(&mut way, from)? else { return Ok(false) };
    if look_in(&old_parent, from.file_name(), from)?.is_none() {
        return Ok(false);
    }
    let parent = way.parent(to, Missing::IsMade)?;
    look_in(&parent, to.file_name(), to)?;
    let renamed = old_parent.rename(from.file_name(), &parent, to.file_name(), false);
    renamed.map_err(|error| WriteError::of_place(error, to))?;
    way.made.clear();
    parent.sync().and_then(|()| old_parent.sync()).map_err(|error| WriteError::of_place(error, to))?;
    Ok(true)
}

/// The size and time of a file, `None` where there is no regular file. Links are not followed.
#[must_use]
pub fn fingerprint_of(root: &Path, path: &RelPath) -> Option<Fingerprint> {
    let meta = Folder::root(root).ok()?.look(path.as_str()).ok()?;
    (meta.kind == Kind::File).then(|| fingerprint(&meta))
}

fn existing_parent(way: &mut Way, path: &RelPath) -> Result<Option<Folder>, WriteError> {
    match way.open_parent(path.as_str(), Missing::Refused) {
        Err(BeneathError::Missing) => Ok(None),
        opened => opened.map(Some).map_err(|error| WriteError::of_place(error, path)),
    }
}

/// What is at the place of a file: a regular file or nothing.
fn look(root: &Folder, path: &RelPath) -> Result<Option<Meta>, WriteError> {
    regular(root.look(path.as_str()), path)
}

fn look_in(folder: &Folder, name: &str, path: &RelPath) -> Result<Option<Meta>, WriteError> {
    regular(folder.look(name), path)
}

fn regular(looked: Result<Meta, BeneathError>, path: &RelPath) -> Result<Option<Meta>, WriteError> {
    match looked {
        Ok(meta) => match meta.kind {
            Kind::File => Ok(Some(meta)),
            Kind::Link => Err(WriteError::Link { path: path.clone() }),
            Kind::Folder | Kind::Other => Err(WriteError::NotAFile { path: path.clone() }),
        },
        Err(BeneathError::Missing) => Ok(None),
        Err(error) => Err(WriteError::of_place(error, path)),
    }
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A symbolic link is at the path or on the way to it.
    #[error("`{path}` leads through a symbolic link")]
    Link {
        /// The path that was given.
        path: RelPath,
    },
    /// A folder or device is at the path, or a file is on the way to it.
    #[error("no regular file can be at `{path}`: something else is there, or on the way to it")]
    NotAFile {
        /// The path that was given.
        path: RelPath,
    },
    /// The workspace's rules pass over the path.
    #[error("`{path}` does not belong to the workspace: hidden, temporary and ignored files are passed over")]
    PassedOver {
        /// The path that was given.
        path: RelPath,
    },
    /// The path has more parts than one may have.
    #[error("`{path}` has {num_parts} names, more than the {max} of `limits.path_parts`")]
    TooDeep {
        /// The path that was given.
        path: RelPath,
        /// How many.
        num_parts: u64,
        /// The limit.
        max: u64,
    },
    /// A name of the path is a device's to Windows.
    #[error("a name in `{path}` is reserved for a device on Windows")]
    DeviceName {
        /// The path that was given.
        path: RelPath,
    },
    /// A name that the file system does not take.
    #[error("the file system does not allow this name")]
    Name,
    /// There is a file where none was expected.
    #[error("there is a file at `{path}` already")]
    Exists {
        /// The path that was given.
        path: RelPath,
    },
    /// No room is left.
    #[error("the disk is full")]
    Full(#[source] std::io::Error),
    /// The system refused.
    #[error("the file cannot be written")]
    Io(#[source] std::io::Error),
}

impl WriteError {
    /// The error of a path that a workspace does not admit.
    #[must_use]
    pub fn not_admitted(reason: NotAdmitted, path: &RelPath) -> Self {
        let path = path.clone();
        match reason {
            NotAdmitted::PassedOver => Self::PassedOver { path },
            NotAdmitted::Link => Self::Link { path },
            NotAdmitted::TooDeep { num_parts, max } => Self::TooDeep { path, num_parts, max },
        }
    }

    fn of_place(error: BeneathError, path: &RelPath) -> Self {
        let path = path.clone();
        match error {
            BeneathError::Link => Self::Link { path },
            BeneathError::NotAFolder | BeneathError::NotAFile | BeneathError::Exists => Self::NotAFile { path },
            other => Self::of_root(other),
        }
    }

    fn of_root(error: BeneathError) -> Self {
        match error {
            BeneathError::Io(error) => Self::from_io(error),
            BeneathError::Missing => Self::Io(std::io::ErrorKind::NotFound.into()),
            other => Self::Io(std::io::Error::other(other)),
        }
    }

    fn from_io(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidFilename, InvalidInput, QuotaExceeded, StorageFull};
        match error.kind() {
            InvalidFilename | InvalidInput => Self::Name,
            StorageFull | QuotaExceeded => Self::Full(error),
            _ => Self::Io(error),
        }
    }
}

impl Advice for WriteError {
    fn code(&self) -> &'static str {
        match self {
            Self::Link { .. } => "outside_workspace",
            Self::NotAFile { .. } => "not_a_file",
            Self::PassedOver { .. } => "passed_over",
            Self::TooDeep { .. } => "path_too_deep",
            Self::Name | Self::DeviceName { .. } => "invalid_path",
            Self::Exists { .. } => "precondition_failed",
            Self::Full(_) => "disk_full",
            Self::Io(_) => "file_io",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Link { .. } => "write to the file itself, by a path without links",
                Self::NotAFile { .. } => "take another path",
                Self::PassedOver { .. } => {
                    "take another name, or change the workspace's `.pinciteignore` or `.gitignore`"
                }
                Self::TooDeep { .. } => {
                    "take a path of fewer folders, or raise `path_parts` in `[limits]` of `config.toml`"
                }
                Self::DeviceName { .. } => "take another name than CON, PRN, AUX, NUL, COM1 or LPT1, with any ending",
                Self::Name => "take shorter names, of the characters that the file system knows",
                Self::Exists { .. } => "leave out `If-None-Match: *` to replace it",
                Self::Full(_) => "free space on the disk, and write again",
                Self::Io(_) => "check the permissions of the workspace's folder",
            }
            .to_owned(),
        )
    }
}
