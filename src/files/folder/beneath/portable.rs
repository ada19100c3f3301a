//! By paths, each part of which is looked at before it is used.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fs_err as fs;
use fs_err::File;

use super::{BeneathError, Kind, Meta, is_name, is_relative};

/// A folder. Paths below it are relative, joined by `/`; links in them are not followed.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A folder to start from, by its canonical path.
    ///
    /// # Errors
    /// When it is not there or is no folder.
    pub fn root(path: &Path) -> Result<Self, BeneathError> {
        must_be_folder(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder below this one; an empty path is this one.
    ///
    /// # Errors
    /// When it is not there, is no folder, or a link is on the way.
    pub fn folder(&self, path: &str) -> Result<Self, BeneathError> {
        let mut at = self.path.clone();
        if path.is_empty() {
            return Ok(Self { path: at });
        }
        if !is_relative(path) {
            return Err(BeneathError::Missing);
        }
        for part in path.split('/') {
            at.push(part);
            must_be_folder(&at)?;
        }
        Ok(Self { path: at })
    }

    /// The folder of something below this one, and the name there.
    ///
    /// # Errors
    /// As [`Folder::folder`].
    pub fn parent<'p>(&self, path: &'p str) -> Result<(Self, &'p str), BeneathError> {
        let (folder, name) = super::divided(path);
        Ok((self.folder(folder)?, name))
    }

    /// What the file system says of this folder itself.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn meta(&self) -> Result<Meta, BeneathError> {
        fs::symlink_metadata(&self.path).map(|metadata| meta(&metadata)).map_err(from_io)
    }

    /// Gives this folder other permissions, which it has none of here.
    ///
    /// # Errors
    /// None here.
    pub fn set_mode(&self, _: u32) -> Result<(), BeneathError> {
        Ok(())
    }

    /// What is at a place below this folder; of a link, the link.
    ///
    /// # Errors
    /// When nothing is there, or a link is on the way.
    pub fn look(&self, path: &str) -> Result<Meta, BeneathError> {
        let (parent, name) = self.parent(path)?;
        parent.look_at(OsStr::new(name))
    }

    /// What bears a name in this folder.
    ///
    /// # Errors
    /// When nothing does.
    pub fn look_at(&self, name: &OsStr) -> Result<Meta, BeneathError> {
        fs::symlink_metadata(self.path.join(name)).map(|metadata| meta(&metadata)).map_err(from_io)
    }

    /// Opens a regular file below this folder to be read.
    ///
    /// # Errors
    /// When there is none, or a link is at its place or on the way.
    pub fn file(&self, path: &str) -> Result<(File, Meta), BeneathError> {
        let (parent, name) = self.parent(path)?;
        parent.open(name, fs::OpenOptions::new().read(true))
    }

    /// Opens a regular file of this folder to be locked.
    pub(crate) fn file_to_lock(&self, name: &str) -> Result<File, BeneathError> {
        Ok(self.open(name, fs::OpenOptions::new().write(true))?.0)
    }

    fn open(&self, name: &str, how: &fs::OpenOptions) -> Result<(File, Meta), BeneathError> {
        match self.look_at(OsStr::new(checked(name)?))?.kind {
            Kind::File => {}
            Kind::Link => return Err(BeneathError::Link),
            Kind::Folder | Kind::Other => return Err(BeneathError::NotAFile),
        }
        let file = how.open(self.path.join(name)).map_err(from_io)?;
        let meta = meta(&file.metadata().map_err(from_io)?);
        if meta.kind == Kind::File { Ok((file, meta)) } else { Err(BeneathError::NotAFile) }
    }

    /// The names in this folder, in no order, each with what it is.
    ///
    /// # Errors
    /// When it may not be read.
    pub fn names(&self) -> Result<Vec<(OsString, Option<Kind>)>, BeneathError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(from_io)? {
            let entry = entry.map_err(from_io)?;
            names.push((entry.file_name(), entry.file_type().ok().map(kind_of)));
        }
        Ok(names)
    }

    /// Makes a folder in this one, and returns whether there was none.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make_folder(&self, name: &str, _: u32) -> Result<bool, BeneathError> {
        match fs::create_dir(self.path.join(checked(name)?)).map_err(from_io) {
            Ok(()) => Ok(true),
            Err(BeneathError::Exists) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes an empty folder of this one.
    ///
    /// # Errors
    /// When it is not empty, or no folder.
    pub fn remove_folder(&self, name: &str) -> Result<(), BeneathError> {
        fs::remove_dir(self.path.join(checked(name)?)).map_err(from_io)
    }

    /// Makes a new file in this folder, to be read and written.
    ///
    /// # Errors
    /// [`BeneathError::Exists`] where there is something of this name.
    pub fn create(&self, name: &str, _: u32) -> Result<File, BeneathError> {
        let path = self.path.join(checked(name)?);
        fs::OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(from_io)
    }

    /// Removes a file, or a link itself, of this folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove(&self, name: &str) -> Result<(), BeneathError> {
        fs::remove_file(self.path.join(checked(name)?)).map_err(from_io)
    }

    /// Moves a file of this folder into another one, or gives it another name. With `only_new` nothing is replaced.
    ///
    /// # Errors
    /// [`BeneathError::Exists`] where nothing is to be replaced and something is there.
    pub fn rename(&self, name: &str, to: &Self, new_name: &str, only_new: bool) -> Result<(), BeneathError> {
        let (from, to) = (self.path.join(checked(name)?), to.path.join(checked(new_name)?));
        if only_new {
            fs::hard_link(&from, &to).map_err(from_io)?;
            return fs::remove_file(from).map_err(from_io);
        }
        fs::rename(from, to).map_err(from_io)
    }

    /// Lets two files change places in one step, where the system has a way to: here it has none.
    ///
    /// # Errors
    /// None here.
    pub fn exchange(&self, _: &str, _: &Self, _: &str) -> Result<bool, BeneathError> {
        Ok(false)
    }

    /// Makes the names in this folder durable, where the system has a way to: here it has none.
    ///
    /// # Errors
    /// None here.
    pub fn sync(&self) -> Result<(), BeneathError> {
        Ok(())
    }
}

/// What the file system says of an open file.
///
/// # Errors
/// When the system refuses.
pub fn meta_of_open(file: &File) -> std::io::Result<Meta> {
    file.metadata().map(|metadata| meta(&metadata))
}

/// Gives an open file other permissions, which it has none of here.
///
/// # Errors
/// None here.
pub fn set_mode(_: &File, _: u32) -> std::io::Result<()> {
    Ok(())
}

fn checked(name: &str) -> Result<&str, BeneathError> {
    if is_name(name) && !name.contains(['\\', ':']) { Ok(name) } else { Err(BeneathError::Missing) }
}

fn must_be_folder(path: &Path) -> Result<(), BeneathError> {
    match meta(&fs::symlink_metadata(path).map_err(from_io)?).kind {
        Kind::Folder => Ok(()),
        Kind::Link => Err(BeneathError::Link),
        Kind::File | Kind::Other => Err(BeneathError::NotAFolder),
    }
}

fn from_io(error: std::io::Error) -> BeneathError {
    match error.kind() {
        std::io::ErrorKind::NotFound => BeneathError::Missing,
        std::io::ErrorKind::NotADirectory => BeneathError::NotAFolder,
        std::io::ErrorKind::IsADirectory => BeneathError::NotAFile,
        std::io::ErrorKind::AlreadyExists => BeneathError::Exists,
        _ => BeneathError::Io(error),
    }
}

fn kind_of(file_type: std::fs::FileType) -> Kind {
    if file_type.is_symlink() {
        Kind::Link
    } else if file_type.is_dir() {
        Kind::Folder
    } else if file_type.is_file() {
        Kind::File
    } else {
        Kind::Other
    }
}

fn meta(metadata: &std::fs::Metadata) -> Meta {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Meta {
        kind: kind_of(metadata.file_type()),
        size: metadata.len(),
        modified_ns: i64::try_from(modified.as_nanos()).unwrap_or(i64::MAX),
        changed_ns: 0,
        inode: 0,
        mode: 0o666,
    }
}
