//! Files written into a workspace's folder: whole or not at all, and never through a link.
//!
//! # Invariants
//! - Everything is done by name in a folder that is open beneath the workspace's root, so that a folder which becomes a link meanwhile
//!   leads nowhere.
//! - A path costs time by its number of parts. Folders are made before the write's turn comes.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::beneath::{self, BeneathError, Folder, Kind, Meta};
use super::leftovers::TemporaryFile;
use super::{as_io, stat};
use crate::files::{Condition, FilesError, NewFile, Stat, Version};
use crate::workspace::{RelPath, common_spelling, composed};
use crate::{failpoint, private};

/// Hidden, so that no scan takes a half-written file for one of the workspace.
pub(super) const TEMPORARY_PREFIX: &str = ".pincite-";
/// The permissions of a new folder, less the bits that the process's mask takes away.
const MODE_OF_FOLDERS: u32 = 0o777;
/// The permissions of a new file, less the bits that the process's mask takes away.
const MODE_OF_FILES: u32 = 0o666;
/// Folders without files that lie in each other deeper than this do not give way to a file.
const MAX_VACANT_DEPTH: usize = 100;
/// Folders that another write made and gave up are made again so often.
const MAX_TRIES: usize = 3;

/// A file that is being written beside its place.
#[derive(Debug)]
pub(super) struct NewFolderFile {
    root: PathBuf,
    path: RelPath,
    file: TemporaryFile,
    /// Whether what was written is on disk.
    is_durable: bool,
    way: Way,
}

impl NewFolderFile {
    /// Begins a file that is to be at `path`. Folders on the way there are not made yet.
    pub(super) fn begin(root: &Path, path: &RelPath) -> Result<Self, FilesError> {
        let mut way = Way::new(root)?;
        // As near to its place as there is a folder: on the same disk, so that it can be put there in one step.
        let folder = way.parent(path, Missing::StopsBefore)?;
        match look(&way.root, path) {
            Err(FilesError::Folder { .. })
                if way.root.folder(path.as_str()).is_ok_and(|there| is_vacant(&there, 0)) => {}
            looked => drop(looked?),
        }
        let file = TemporaryFile::make_in(folder, TEMPORARY_PREFIX);
        let mut file = file.map_err(|error| of_place(error, path))?;
        if let Some(mode) = private::mode_in_workspace(way.mode_of_root, MODE_OF_FILES) {
            beneath::set_mode(file.file_mut(), mode).map_err(FilesError::of_file)?;
        }
        Ok(Self { root: root.to_owned(), path: path.clone(), file, is_durable: false, way })
    }

    fn sync(&mut self) -> Result<(), FilesError> {
        if !self.is_durable {
            self.file.file_mut().sync_all().map_err(FilesError::of_file)?;
            self.is_durable = true;
        }
        Ok(())
    }
}

impl NewFile for NewFolderFile {
    fn write(&mut self, bytes: &[u8]) -> Result<(), FilesError> {
        self.file.file_mut().write_all(bytes).map_err(FilesError::of_file)?;
        self.is_durable = false;
        Ok(())
    }

    /// The folders go again if the file is not put there.
    fn prepare(&mut self) -> Result<(), FilesError> {
        self.sync()?;
        self.way.parent(&self.path, Missing::IsMade).map(drop)
    }

    fn put(mut self: Box<Self>, condition: &Condition) -> Result<Stat, FilesError> {
        let only_new = *condition == Condition::Absent;
        let name = self.path.file_name().to_owned();
        // Anew: the folder may have been moved away while content came, and another one be in its place.
        let mut way = Way::new(&self.root)?;
        let mut num_tries = 0;
        let parent = loop {
            let parent = way.parent(&self.path, Missing::IsMade)?;
            vacate(&parent, &name);
            let before = look_in(&parent, &name, &self.path)?;
            if let Condition::Is(version) = condition
                && before.is_none_or(|before| stat(&before).version != *version)
            {
                return Err(FilesError::OtherVersion { path: self.path.clone() });
            }
            if let Some(before) = before {
                let now = beneath::meta_of_open(self.file.file_mut()).map_err(FilesError::of_file)?;
                if before.mode != now.mode {
                    beneath::set_mode(self.file.file_mut(), before.mode).map_err(FilesError::of_file)?;
                    self.is_durable = false;
                }
            }
            self.sync()?;
            failpoint::reach("write: the new file is beside its place");
            let put = match (condition, before) {
                // Whoever changed it since it was looked at has it back.
                (Condition::Is(_), Some(before)) => self.file.replace(&parent, &name, &before),
                _ => self.file.put(&parent, &name, only_new).map(|()| true),
            };
            match put {
                Ok(true) => break parent,
                Ok(false) => return Err(FilesError::OtherVersion { path: self.path.clone() }),
                // Another write made the folder and gave it up.
                Err(BeneathError::Missing) if num_tries < MAX_TRIES => num_tries += 1,
                Err(BeneathError::Exists) if only_new => return Err(FilesError::Exists { path: self.path.clone() }),
                Err(error) => return Err(of_place(error, &self.path)),
            }
        };
        self.way.made.clear();
        way.made.clear();
        failpoint::reach("write: the new file is in its place");
        parent.sync().map_err(|error| of_place(error, &self.path))?;
        let written = beneath::meta_of_open(self.file.file_mut()).map_err(FilesError::of_file)?;
        Ok(stat(&written))
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
    fn new(root: &Path) -> Result<Self, FilesError> {
        let root = Folder::root(root).map_err(away)?;
        let mode_of_root = root.meta().map_err(away)?.mode;
        Ok(Self { root, mode_of_root, made: Vec::new() })
    }

    /// The folder of a file, with no link on the way to it.
    fn parent(&mut self, path: &RelPath, missing: Missing) -> Result<Folder, FilesError> {
        self.open_parent(path.as_str(), missing).map_err(|error| of_place(error, path))
    }

    fn open_parent(&mut self, path: &str, missing: Missing) -> Result<Folder, BeneathError> {
        self.open_folder(beneath::divided(path).0, missing)
    }

    fn open_folder(&mut self, path: &str, missing: Missing) -> Result<Folder, BeneathError> {
        match self.root.folder(path) {
            Err(BeneathError::Missing) if missing != Missing::Refused => {}
            opened => return opened,
        }
        let mut at = self.root.folder("")?;
        let mut end = 0;
        for part in path.split('/') {
            end += part.len() + 1;
            at = match at.folder(part) {
                Err(BeneathError::Missing) if missing == Missing::StopsBefore => return Ok(at),
                Err(BeneathError::Missing) => {
                    let is_new = at.make_folder(part, MODE_OF_FOLDERS)?;
                    let next = at.folder(part)?;
                    if is_new {
                        self.made.push(path[..end - 1].to_owned());
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

/// Makes a folder and those on the way to it.
pub(super) fn make_folder(root: &Path, path: &RelPath) -> Result<(), FilesError> {
    let mut way = Way::new(root)?;
    way.open_folder(path.as_str(), Missing::IsMade).map_err(|error| of_place(error, path))?;
    way.made.clear();
    Ok(())
}

/// Removes a folder that holds no file in any depth. One that holds something stays, and so does what is no folder.
pub(super) fn remove_folder(root: &Path, path: &RelPath) -> Result<(), FilesError> {
    let mut way = Way::new(root)?;
    if let Some(parent) = existing_parent(&mut way, path)? {
        vacate(&parent, path.file_name());
    }
    Ok(())
}

/// Whether a folder holds no file in any depth, and nothing else but folders.
fn is_vacant(folder: &Folder, depth: usize) -> bool {
    let is_vacant_below = |(name, kind): (std::ffi::OsString, Option<Kind>)| {
        kind == Some(Kind::Folder)
            && name.to_str().and_then(|name| folder.folder(name).ok()).is_some_and(|below| is_vacant(&below, depth + 1))
    };
    depth < MAX_VACANT_DEPTH && folder.names().is_ok_and(|names| names.into_iter().all(is_vacant_below))
}

/// Removes a folder that holds no file: it is nothing of a workspace, and gives way to a file of its name. What holds one stays.
fn vacate(parent: &Folder, name: &str) {
    let Ok(folder) = parent.folder(name) else { return };
    if is_vacant(&folder, 0) {
        for (below, _) in folder.names().unwrap_or_default() {
            below.to_str().into_iter().for_each(|below| vacate(&folder, below));
        }
        // One that holds something by now stays.
        let _ = parent.remove_folder(name);
    }
}

/// The path of a file as the disk spells it: part by part the name that is there, also in another spelling of the same
/// ([`common_spelling`]), else with composed accents. So one name never becomes those of two files.
pub(super) fn spelled(root: &Path, path: &RelPath) -> RelPath {
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

/// Removes a file, durably.
pub(super) fn delete(root: &Path, path: &RelPath, version: Option<&Version>) -> Result<(), FilesError> {
    let not_found = || FilesError::NotFound { path: path.clone() };
    let mut way = Way::new(root)?;
    let parent = existing_parent(&mut way, path)?.ok_or_else(not_found)?;
    let name = path.file_name();
    let before = look_in(&parent, name, path)?.ok_or_else(not_found)?;
    if version.is_some_and(|version| *version != stat(&before).version) {
        return Err(FilesError::OtherVersion { path: path.clone() });
    }
    parent.remove(name).map_err(|error| of_place(error, path))?;
    failpoint::reach("write: the file is removed");
    parent.sync().map_err(|error| of_place(error, path))
}

/// Gives a file another path, durably. What was at the new path is replaced.
pub(super) fn rename(root: &Path, from: &RelPath, to: &RelPath) -> Result<(), FilesError> {
    let not_found = || FilesError::NotFound { path: from.clone() };
    let mut way = Way::new(root)?;
    let old_parent = existing_parent(&mut way, from)?.ok_or_else(not_found)?;
    look_in(&old_parent, from.file_name(), from)?.ok_or_else(not_found)?;
    let parent = way.parent(to, Missing::IsMade)?;
    look_in(&parent, to.file_name(), to)?;
    let renamed = old_parent.rename(from.file_name(), &parent, to.file_name(), false);
    renamed.map_err(|error| of_place(error, to))?;
    way.made.clear();
    parent.sync().and_then(|()| old_parent.sync()).map_err(|error| of_place(error, to))
}

fn existing_parent(way: &mut Way, path: &RelPath) -> Result<Option<Folder>, FilesError> {
    match way.open_parent(path.as_str(), Missing::Refused) {
        Err(BeneathError::Missing) => Ok(None),
        opened => opened.map(Some).map_err(|error| of_place(error, path)),
    }
}

/// What is at the place of a file: a regular file or nothing.
fn look(root: &Folder, path: &RelPath) -> Result<Option<Meta>, FilesError> {
    regular(root.look(path.as_str()), path)
}

fn look_in(folder: &Folder, name: &str, path: &RelPath) -> Result<Option<Meta>, FilesError> {
    regular(folder.look(name), path)
}

fn regular(looked: Result<Meta, BeneathError>, path: &RelPath) -> Result<Option<Meta>, FilesError> {
    match looked {
        Ok(meta) => match meta.kind {
            Kind::File => Ok(Some(meta)),
            Kind::Link => Err(FilesError::Link { path: path.clone() }),
            Kind::Folder => Err(FilesError::Folder { path: path.clone() }),
            Kind::Other => Err(FilesError::NotAFile { path: path.clone() }),
        },
        Err(BeneathError::Missing) => Ok(None),
        Err(error) => Err(of_place(error, path)),
    }
}

fn away(error: BeneathError) -> FilesError {
    FilesError::Away(as_io(error))
}

/// The error of a file that was not written.
fn of_place(error: BeneathError, path: &RelPath) -> FilesError {
    let path = path.clone();
    match error {
        BeneathError::Link => FilesError::Link { path },
        BeneathError::NotAFolder | BeneathError::NotAFile | BeneathError::Exists => FilesError::NotAFile { path },
        BeneathError::Missing => FilesError::NotFound { path },
        BeneathError::Io(error) => FilesError::of_file(error),
    }
}
