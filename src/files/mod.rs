//! Where the files of a workspace are: the seam behind which a folder stands, and another place can.
//!
//! # Invariants
//! - Nothing above this room names a kind of place: [`at`] chooses it.
//! - A [`RelPath`] leads to nothing outside the place. What is listed is what belongs to the workspace ([`Files::check`]).
//! - The [`Version`] of a file is opaque, and two contents of one path never have the same. What the file table keeps of it, a
//!   [`Fingerprint`], may tell less, for as long as [`Files::tick_ns`] says.
//! - A listing holds a page at a time.
//! - No rename is taken for cheap or atomic: a new file appears by [`NewFile::put`] alone, whole or not at all.
//!
//! # Not here
//! What a file says (`extract`), what of it is known (`store`), and what a difference between the two means (`ingest`). Calls block,
//! also for a network, and some for ever: who may not wait so long asks [guarded](Errands::guard) files.

mod admission;
#[cfg(test)]
mod conformance;
mod errands;
mod error;
mod folder;
#[cfg(test)]
pub(crate) mod gates;
mod guarded;
#[cfg(test)]
pub(crate) mod memory;
mod watching;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use admission::{NotAdmitted, RuleLimits};
pub use errands::Errands;
pub use error::FilesError;
pub use folder::{Watcher, canonical_folder};
pub use watching::{Sighting, Tell, Watch, WatchError};

use crate::store::Fingerprint;
use crate::workspace::RelPath;

/// The files at a root, which is a canonical path, under these limits of their rules. Nothing is opened yet.
#[must_use]
pub fn at(root: &Path, limits: RuleLimits) -> Arc<dyn Files> {
    Arc::new(folder::FolderFiles::new(root.to_owned(), limits))
}

/// Names one state of a file's content: equal versions of one path are equal bytes. What it is made of is known to its place alone: a
/// folder's size, times and inode, an object store's tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(Box<[u8]>);

impl Version {
    /// The version that a place calls by these bytes.
    #[must_use]
    pub fn new(name: impl Into<Box<[u8]>>) -> Self {
        Self(name.into())
    }
}

/// What a place says of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// What the file table keeps of it: size, modification time, and two numbers that change with the version. `inode` is 0 where the
    /// place does not know a file again under another path.
    pub fingerprint: Fingerprint,
    /// The version that is there.
    pub version: Version,
}

/// A file of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub path: RelPath,
    /// What the place says of it.
    pub stat: Stat,
}

/// A path of which a listing does not know what is there or below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// Its path, which may be no [`RelPath`].
    pub place: String,
    /// Whether that is because this user may not look.
    pub is_denied: bool,
}

/// Some files of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// They come in no order.
    pub files: Vec<Entry>,
    /// What is not as it should be, for a person: names that cannot be indexed, rules that do not count.
    pub problems: Vec<String>,
    /// What is neither there nor gone, as far as this listing knows.
    pub unlisted: Vec<Unlisted>,
}

/// A listing, and how far it is.
pub trait Listing {
    /// The next page; `None` after the last. A page may be empty.
    ///
    /// A file that is there from the beginning of the listing to its end is in one page. One that comes or goes meanwhile may be in one or
    /// in none.
    ///
    /// # Errors
    /// When the place cannot be listed (any more): then nothing is known of what was not listed.
    fn next_page(&mut self) -> Result<Option<Page>, FilesError>;
}

/// What must be true of a path when a file is put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: what is there is replaced.
    Any,
    /// There is no file.
    Absent,
    /// The file is there in this version.
    Is(Version),
}

/// A file that is open at one version, to be read from its beginning, more than once where it is rewound.
pub trait OpenFile: io::Read + io::Seek + fmt::Debug + Send {
    /// What the place said of it when it was opened.
    fn stat(&self) -> &Stat;

    /// What the place says of it now. Where it is still [`Self::stat`], all that was read is of that version.
    ///
    /// # Errors
    /// When the place cannot be asked.
    fn stat_now(&self) -> Result<Stat, FilesError>;
}

/// A file that is being written. Nobody sees it until it is put into its place, and if it is not, it goes.
pub trait NewFile: fmt::Debug + Send {
    /// Writes what comes next in the file.
    ///
    /// # Errors
    /// When the place refuses.
    fn write(&mut self, bytes: &[u8]) -> Result<(), FilesError>;

    /// Does ahead of [`NewFile::put`] what takes long: makes durable what was written, and the folders on the way to its place.
    ///
    /// # Errors
    /// When no file can be there, or the place refuses.
    fn prepare(&mut self) -> Result<(), FilesError>;

    /// Puts the file into its place in one step, durably, and returns what the place says of it then.
    ///
    /// # Errors
    /// [`FilesError::Exists`] and [`FilesError::OtherVersion`] where `condition` does not hold. What is at its place is as it was then.
    fn put(self: Box<Self>, condition: &Condition) -> Result<Stat, FilesError>;
}

/// The files of one workspace, where they are.
pub trait Files: fmt::Debug + Send + Sync {
    /// Begins to list the files of the workspace: all, or those at `places` and below them. `entering` is told of each folder before
    /// it is listed (empty for the root), so that it can be [followed](Watch::follow). A whole listing also removes what
    /// crashed writes have left.
    ///
    /// # Errors
    /// [`FilesError::NoFolder`], [`FilesError::NotAFolder`] or [`FilesError::Away`] where the place cannot be listed.
    fn list<'a>(
        &'a self,
        places: Option<&'a BTreeSet<RelPath>>,
        entering: &'a dyn Fn(&str),
    ) -> Result<Box<dyn Listing + 'a>, FilesError>;

    /// Says what the place knows of a file without reading it, whether or not it belongs to the workspace.
    ///
    /// # Errors
    /// [`FilesError::NotFound`] where there is none, and the others where something else is there or nobody can tell.
    fn stat(&self, path: &RelPath) -> Result<Stat, FilesError>;

    /// What [`Files::stat`] says of each of some files, in their order.
    fn stat_each(&self, paths: &[RelPath]) -> Vec<Result<Stat, FilesError>> {
        paths.iter().map(|path| self.stat(path)).collect()
    }

    /// Opens a file: as it is now, or in a version that it had.
    ///
    /// # Errors
    /// As [`Files::stat`]; [`FilesError::OtherVersion`] where the file is there, and not in this version.
    fn open(&self, path: &RelPath, version: Option<&Version>) -> Result<Box<dyn OpenFile>, FilesError>;

    /// Begins a file that is to be at `path`.
    ///
    /// # Errors
    /// When no file can be there, or the place refuses.
    fn begin(&self, path: &RelPath) -> Result<Box<dyn NewFile>, FilesError>;

    /// Removes a file, durably: whatever it is now, or only in this version.
    ///
    /// # Errors
    /// [`FilesError::NotFound`] where there is none. After any other error the file is still there.
    fn delete(&self, path: &RelPath, version: Option<&Version>) -> Result<(), FilesError>;

    /// Gives a file another path, durably; what was there is replaced. Where a place has no renaming it copies, and after a crash both
    /// may be there.
    ///
    /// # Errors
    /// [`FilesError::NotFound`] where there is none. After any error the file is at its old path.
    fn rename(&self, from: &RelPath, to: &RelPath) -> Result<(), FilesError>;

    /// Makes a folder, and those on the way to it; one that is there stays as it is. A place without folders does nothing.
    ///
    /// # Errors
    /// When a file is at its path or on the way, or the place refuses.
    fn make_folder(&self, path: &RelPath) -> Result<(), FilesError>;

    /// Removes a folder that holds no file in any depth, and the folders in it. One that holds something stays as it is.
    ///
    /// # Errors
    /// When the place cannot be reached.
    fn remove_folder(&self, path: &RelPath) -> Result<(), FilesError>;

    /// The folders directly in a folder, `None` for the root, that a listing goes into, by path. None where that folder cannot be listed.
    ///
    /// # Errors
    /// When the place cannot be listed.
    fn folders(&self, at: Option<&RelPath>) -> Result<Vec<RelPath>, FilesError>;

    /// Why a file at `path` would not belong to the workspace, whether or not it is there.
    ///
    /// # Errors
    /// The reason.
    fn check(&self, path: &RelPath) -> Result<(), NotAdmitted>;

    /// Whether a file at `path` would belong to the workspace, whether or not it is there.
    fn admits(&self, path: &RelPath) -> bool {
        self.check(path).is_ok()
    }

    /// The path of a file as the place spells it: part by part the name that is there, also in another spelling of the same
    /// ([`common_spelling`](crate::workspace::common_spelling)), else with composed accents. So one name never becomes those of two files.
    fn spelled(&self, path: &RelPath) -> RelPath;

    /// Begins to watch the place, each folder from when it is [followed](Watch::follow). `watcher` is shared by all places of the process.
    ///
    /// # Errors
    /// When it cannot be watched, and changes are found by listings alone.
    fn watch(&self, watcher: &Watcher, tell: Tell) -> Result<Box<dyn Watch>, WatchError>;

    /// What tells the place from another one that has come to its root; `None` where it is away.
    fn identity(&self) -> Option<Identity>;

    /// For how long after its time, in nanoseconds, a file may be written again without its [`Fingerprint`] telling so: 0 where that tells
    /// every write.
    fn tick_ns(&self) -> i64;
}

/// Tells one place from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(String);
