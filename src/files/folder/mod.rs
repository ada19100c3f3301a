//! The files of a workspace in a folder of a file system.
//!
//! # Invariants
//! - Everything below the root is done beneath its open descriptor ([`beneath`]), which is opened anew for each call: the folder may have
//!   been moved away, and another one be in its place.
//! - A version is made of what the system says of a file: size, modification time, change time and inode. Two writes within a tick of
//!   the file system's clock may leave the same ([`TICK_NS`]).
//! - A condition on a version is checked in the call that puts or removes the file. A file that is to be absent is put in one step. One that
//!   replaces a version changes places with what is there, and back where that is another version; a removal is not in one step with its
//!   check, and the caller keeps those away that write through this program.
//! - A folder that holds no file in any depth is nothing of a workspace: it gives way to a file of its name.

mod beneath;
mod leftovers;
mod rules;
#[cfg(test)]
mod tests;
mod walk;
mod watch;
mod write;

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use beneath::{BeneathError, Folder, Kind, Meta};
use fs_err::File;
use walk::Walk;
pub use watch::Watcher;

use super::{
    Files, FilesError, Identity, Listing, NewFile, NotAdmitted, OpenFile, RuleLimits, Stat, Tell, Version, Watch,
    WatchError,
};
use crate::store::Fingerprint;
use crate::workspace::RelPath;

/// Two writes within this time may leave a file with the same time: FAT's clock, the coarsest, ticks every two seconds.
const TICK_NS: i64 = 2_000_000_000;

/// The files of a workspace below a folder.
#[derive(Debug, Clone)]
pub(super) struct FolderFiles {
    root: PathBuf,
    limits: RuleLimits,
}

impl FolderFiles {
    /// The files below `root`, which is canonical.
    pub(super) const fn new(root: PathBuf, limits: RuleLimits) -> Self {
        Self { root, limits }
    }

    fn held(&self) -> Result<Folder, FilesError> {
        Folder::root(&self.root).map_err(|error| FilesError::Away(as_io(error)))
    }

    /// The root, to be listed.
    fn root(&self) -> Result<Folder, FilesError> {
        Folder::root(&self.root).map_err(|error| match error {
            BeneathError::Missing => FilesError::NoFolder { path: self.root.clone() },
            BeneathError::NotAFolder => FilesError::NotAFolder { path: self.root.clone() },
            other => FilesError::Away(as_io(other)),
        })
    }

    /// The error of a file that was not read.
    fn not_read(held: &Folder, error: BeneathError, path: &RelPath) -> FilesError {
        let path = path.clone();
        match error {
            BeneathError::Missing | BeneathError::NotAFolder => FilesError::NotFound { path },
            BeneathError::Link => FilesError::Link { path },
            BeneathError::NotAFile | BeneathError::Exists => match held.look(path.as_str()).map(|meta| meta.kind) {
                Ok(Kind::Folder) => FilesError::Folder { path },
                _ => FilesError::NotAFile { path },
            },
            // No file can have a name that the system calls invalid, for example too long.
            BeneathError::Io(error) if error.kind() == io::ErrorKind::InvalidFilename => FilesError::NotFound { path },
            BeneathError::Io(error) => FilesError::of_file(error),
        }
    }
}

impl Files for FolderFiles {
    fn list<'a>(
        &'a self,
        places: Option<&'a BTreeSet<RelPath>>,
        entering: &'a dyn Fn(&str),
    ) -> Result<Box<dyn Listing + 'a>, FilesError> {
        Ok(Box::new(Walk::new(self.root()?, places, &self.limits, entering)))
    }

    fn stat(&self, path: &RelPath) -> Result<Stat, FilesError> {
        let held = self.held()?;
        let meta = held.look(path.as_str()).map_err(|error| Self::not_read(&held, error, path))?;
        let path = || path.clone();
        match meta.kind {
            Kind::File => Ok(stat(&meta)),
            Kind::Folder => Err(FilesError::Folder { path: path() }),
            Kind::Link => Err(FilesError::Link { path: path() }),
            Kind::Other => Err(FilesError::NotAFile { path: path() }),
        }
    }

    fn open(&self, path: &RelPath, version: Option<&Version>) -> Result<Box<dyn OpenFile>, FilesError> {
        let held = self.held()?;
        let (file, meta) = held.file(path.as_str()).map_err(|error| Self::not_read(&held, error, path))?;
        let stat = stat(&meta);
        if version.is_some_and(|version| *version != stat.version) {
            return Err(FilesError::OtherVersion { path: path.clone() });
        }
        Ok(Box::new(OpenedFile { file, stat }))
    }

    fn begin(&self, path: &RelPath) -> Result<Box<dyn NewFile>, FilesError> {
        Ok(Box::new(write::NewFolderFile::begin(&self.root, path)?))
    }

    fn delete(&self, path: &RelPath, version: Option<&Version>) -> Result<(), FilesError> {
        write::delete(&self.root, path, version)
    }

    fn rename(&self, from: &RelPath, to: &RelPath) -> Result<(), FilesError> {
        write::rename(&self.root, from, to)
    }

    fn make_folder(&self, path: &RelPath) -> Result<(), FilesError> {
        write::make_folder(&self.root, path)
    }

    fn remove_folder(&self, path: &RelPath) -> Result<(), FilesError> {
        write::remove_folder(&self.root, path)
    }

    fn folders(&self, at: Option<&RelPath>) -> Result<Vec<RelPath>, FilesError> {
        let places = at.map(|at| BTreeSet::from([at.clone()]));
        let walk = Walk::new(self.root()?, places.as_ref(), &self.limits, &|_| {});
        walk.folders_in(at.map_or("", RelPath::as_str))
    }

    fn check(&self, path: &RelPath) -> Result<(), NotAdmitted> {
        rules::check(&self.root, path, &self.limits)
    }

    fn spelled(&self, path: &RelPath) -> RelPath {
        write::spelled(&self.root, path)
    }

    fn watch(&self, watcher: &Watcher, tell: Tell) -> Result<Box<dyn Watch>, WatchError> {
        Ok(Box::new(watcher.watch(&self.root, tell)?))
    }

    fn identity(&self) -> Option<Identity> {
        let metadata = fs_err::metadata(&self.root).ok()?;
        #[cfg(unix)]
        let (device, inode) = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let (device, inode) = (0, 0);
        // The inode of a folder that was removed may be given to the next one at once.
        let made = metadata.created().ok();
        Some(Identity(format!("{device} {inode} {made:?}")))
    }

    fn tick_ns(&self) -> i64 {
        TICK_NS
    }
}

/// An open file.
#[derive(Debug)]
struct OpenedFile {
    file: File,
    stat: Stat,
}

impl Read for OpenedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for OpenedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl OpenFile for OpenedFile {
    fn stat(&self) -> &Stat {
        &self.stat
    }

    fn stat_now(&self) -> Result<Stat, FilesError> {
        beneath::meta_of_open(&self.file).map(|meta| stat(&meta)).map_err(FilesError::of_file)
    }
}

/// What the system says of a file.
fn stat(meta: &Meta) -> Stat {
    let Meta { size, modified_ns, changed_ns, inode, .. } = *meta;
    let name = [size.to_le_bytes(), modified_ns.to_le_bytes(), changed_ns.to_le_bytes(), inode.to_le_bytes()].concat();
    Stat { fingerprint: Fingerprint { size, modified_ns, changed_ns, inode }, version: Version::new(name) }
}

fn as_io(error: BeneathError) -> io::Error {
    match error {
        BeneathError::Io(error) => error,
        BeneathError::Missing => io::ErrorKind::NotFound.into(),
        other => io::Error::other(other),
    }
}

/// The canonical path of a folder that is to be a workspace's root.
///
/// # Errors
/// Where there is nothing, or no folder, or it may not be entered.
pub fn canonical_folder(folder: &Path) -> Result<PathBuf, FilesError> {
    let root = fs_err::canonicalize(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FilesError::NoFolder { path: folder.to_owned() },
        _ => FilesError::Away(error),
    })?;
    if !root.is_dir() {
        return Err(FilesError::NotAFolder { path: folder.to_owned() });
    }
    fs_err::read_dir(&root).map_err(FilesError::Away)?;
    Ok(root)
}
