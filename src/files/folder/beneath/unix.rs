//! By descriptors.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::sync::atomic::{AtomicBool, Ordering};

use fs_err::File;
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RawMode, Stat};
use rustix::io::Errno;

use super::{BeneathError, Kind, Meta, is_name, is_relative};

/// A folder as a place to start from: it need not be readable.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PLACE: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A folder to be listed or made durable.
const LISTED: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
/// A file: neither a named pipe's other end nor a device is waited for, and no terminal becomes ours.
const FILE: OFlags = OFlags::NONBLOCK.union(OFlags::NOFOLLOW).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A folder that is held open. Paths below it are relative, joined by `/`; links in them are not followed.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    /// For errors and logs alone.
    path: PathBuf,
}

impl Folder {
    /// Opens a folder to start from, by a path that is to have no link in any part, as a canonical one has none.
    ///
    /// # Errors
    /// When it is not there, is no folder, a link is on the way, or the system refuses.
    pub fn root(path: &Path) -> Result<Self, BeneathError> {
        let fd = match from_anywhere(path) {
            Some(opened) => opened?,
            None => by_parts_from_root(path)?,
        };
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Where it was when it was opened: for errors and logs.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a folder below this one; an empty path is this one.
    ///
    /// # Errors
    /// When it is not there, is no folder, or a link is on the way.
    pub fn folder(&self, path: &str) -> Result<Self, BeneathError> {
        if path.is_empty() {
            let fd = self.fd.try_clone().map_err(BeneathError::Io)?;
            return Ok(Self { fd, path: self.path.clone() });
        }
        if !is_relative(path) {
            return Err(BeneathError::Missing);
        }
        let fd = match beneath(self.fd.as_fd(), path) {
            Some(opened) => opened?,
            None => by_parts(self.fd.as_fd(), path.split('/').map(OsStr::new))?,
        };
        Ok(Self { fd, path: self.path.join(path) })
    }

    /// Opens the folder of something below this one, and tells the name there.
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
        fs::fstat(&self.fd).map(|stat| meta(&stat)).map_err(from_errno)
    }

    /// Gives this folder other permissions.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_mode(&self, mode: u32) -> Result<(), BeneathError> {
        let fd = fs::openat(&self.fd, ".", LISTED, Mode::empty()).map_err(from_errno)?;
        fs::fchmod(fd, mode_of(mode)).map_err(from_errno)
    }

    /// What is at a place below this folder; of a link, the link.
    ///
    /// # Errors
    /// When nothing is there, or a link is on the way.
    pub fn look(&self, path: &str) -> Result<Meta, BeneathError> {
        if !path.contains('/') {
            return self.look_at(OsStr::new(path));
        }
        let (parent, name) = self.parent(path)?;
        parent.look_at(OsStr::new(name))
    }

    /// What bears a name in this folder.
    ///
    /// # Errors
    /// When nothing does.
    pub fn look_at(&self, name: &OsStr) -> Result<Meta, BeneathError> {
        if name.as_bytes().contains(&b'/') {
            return Err(BeneathError::Missing);
        }
        fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| meta(&stat)).map_err(from_errno)
    }

    /// Opens a regular file below this folder to be read.
    ///
    /// # Errors
    /// When there is none, or a link is at its place or on the way.
    pub fn file(&self, path: &str) -> Result<(File, Meta), BeneathError> {
        if !path.contains('/') {
            return self.open(path, OFlags::RDONLY);
        }
        let (parent, name) = self.parent(path)?;
        parent.open(name, OFlags::RDONLY)
    }

    /// Opens a regular file of this folder to be locked.
    pub(crate) fn file_to_lock(&self, name: &str) -> Result<File, BeneathError> {
        Ok(self.open(name, OFlags::WRONLY)?.0)
    }

    fn open(&self, name: &str, how: OFlags) -> Result<(File, Meta), BeneathError> {
        // Looked at first, because to open a device can be to do something; and then what was opened counts.
        self.name_of_file(name)?;
        let fd = fs::openat(&self.fd, name, how | FILE, Mode::empty()).map_err(from_errno)?;
        let meta = meta(&fs::fstat(&fd).map_err(from_errno)?);
        if meta.kind != Kind::File {
            return Err(BeneathError::NotAFile);
        }
        Ok((self.named(fd, name), meta))
    }

    fn name_of_file(&self, name: &str) -> Result<(), BeneathError> {
        if !is_name(name) {
            return Err(BeneathError::Missing);
        }
        match self.look_at(OsStr::new(name))?.kind {
            Kind::File => Ok(()),
            Kind::Link => Err(BeneathError::Link),
            Kind::Folder | Kind::Other => Err(BeneathError::NotAFile),
        }
    }

    fn named(&self, fd: OwnedFd, name: &str) -> File {
        File::from_parts(std::fs::File::from(fd), self.path.join(name))
    }

    /// The names in this folder, in no order, each with what it is where the system says so at once.
    ///
    /// # Errors
    /// When it may not be read.
    pub fn names(&self) -> Result<Vec<(OsString, Option<Kind>)>, BeneathError> {
        let fd = fs::openat(&self.fd, ".", LISTED, Mode::empty()).map_err(from_errno)?;
        let mut names = Vec::new();
        for entry in Dir::new(fd).map_err(from_errno)? {
            let entry = entry.map_err(from_errno)?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push((OsString::from_vec(name.to_owned()), kind_of(entry.file_type())));
            }
        }
        Ok(names)
    }

    /// Makes a folder in this one, and returns whether there was none.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make_folder(&self, name: &str, mode: u32) -> Result<bool, BeneathError> {
        match fs::mkdirat(&self.fd, checked(name)?, mode_of(mode)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(from_errno(errno)),
        }
    }

    /// Removes an empty folder of this one.
    ///
    /// # Errors
    /// When it is not empty, or no folder.
    pub fn remove_folder(&self, name: &str) -> Result<(), BeneathError> {
        fs::unlinkat(&self.fd, checked(name)?, AtFlags::REMOVEDIR).map_err(from_errno)
    }

    /// Makes a new file in this folder, to be read and written.
    ///
    /// # Errors
    /// [`BeneathError::Exists`] where there is something of this name.
    pub fn create(&self, name: &str, mode: u32) -> Result<File, BeneathError> {
        let how = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | FILE;
        let fd = fs::openat(&self.fd, checked(name)?, how, mode_of(mode)).map_err(from_errno)?;
        Ok(self.named(fd, name))
    }

    /// Removes a file, or a link itself, of this folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove(&self, name: &str) -> Result<(), BeneathError> {
        fs::unlinkat(&self.fd, checked(name)?, AtFlags::empty()).map_err(from_errno)
    }

    /// Moves a file of this folder into another one, or gives it another name. With `only_new` nothing is replaced.
    ///
    /// # Errors
    /// [`BeneathError::Exists`] where nothing is to be replaced and something is there.
    pub fn rename(&self, name: &str, to: &Self, new_name: &str, only_new: bool) -> Result<(), BeneathError> {
        let (name, new_name) = (checked(name)?, checked(new_name)?);
        if !only_new {
            return fs::renameat(&self.fd, name, &to.fd, new_name).map_err(from_errno);
        }
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        match fs::renameat_with(&self.fd, name, &to.fd, new_name, fs::RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            // Not every file system does it in one step.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            Err(errno) => return Err(from_errno(errno)),
        }
        fs::linkat(&self.fd, name, &to.fd, new_name, AtFlags::empty()).map_err(from_errno)?;
        fs::unlinkat(&self.fd, name, AtFlags::empty()).map_err(from_errno)
    }

    /// Lets a file of this folder and one of another folder change places, in one step, and returns whether the file system does that.
    ///
    /// # Errors
    /// When one of them is not there, or the system refuses.
    pub fn exchange(&self, name: &str, with: &Self, other_name: &str) -> Result<bool, BeneathError> {
        let (name, other_name) = (checked(name)?, checked(other_name)?);
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        match fs::renameat_with(&self.fd, name, &with.fd, other_name, fs::RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            Err(errno) => return Err(from_errno(errno)),
        }
        #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
        let _ = (name, &with.fd, other_name);
        Ok(false)
    }

    /// Makes the names in this folder durable.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn sync(&self) -> Result<(), BeneathError> {
        let fd = fs::openat(&self.fd, ".", LISTED, Mode::empty()).map_err(from_errno)?;
        fs::fsync(fd).map_err(from_errno)
    }
}

/// What the file system says of an open file.
///
/// # Errors
/// When the system refuses.
pub fn meta_of_open(file: &File) -> io::Result<Meta> {
    Ok(meta(&fs::fstat(file.file())?))
}

/// Gives an open file other permissions.
///
/// # Errors
/// When the system refuses.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    Ok(fs::fchmod(file.file(), mode_of(mode))?)
}

fn checked(name: &str) -> Result<&str, BeneathError> {
    if is_name(name) { Ok(name) } else { Err(BeneathError::Missing) }
}

/// Whether the kernel was found not to know `openat2`, or a sandbox forbids it.
#[cfg(any(target_os = "linux", target_os = "android"))]
static IS_WITHOUT_OPENAT2: AtomicBool = AtomicBool::new(false);

#[cfg(any(target_os = "linux", target_os = "android"))]
fn by_kernel(from: BorrowedFd<'_>, path: &Path, resolve: fs::ResolveFlags) -> Option<Result<OwnedFd, BeneathError>> {
    const MAX_TRIES: usize = 100;
    if IS_WITHOUT_OPENAT2.load(Ordering::Relaxed) {
        return None;
    }
    for _ in 0..MAX_TRIES {
        match fs::openat2(from, path, PLACE, Mode::empty(), resolve) {
            // Something was renamed at the same moment.
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::NOSYS | Errno::PERM) => {
                IS_WITHOUT_OPENAT2.store(true, Ordering::Relaxed);
                return None;
            }
            other => return Some(other.map_err(from_errno)),
        }
    }
    None
}

/// `None` where the kernel cannot do it, and parts have to be opened one by one.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn beneath(from: BorrowedFd<'_>, path: &str) -> Option<Result<OwnedFd, BeneathError>> {
    by_kernel(from, Path::new(path), fs::ResolveFlags::BENEATH | fs::ResolveFlags::NO_SYMLINKS)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn beneath(_: BorrowedFd<'_>, _: &str) -> Option<Result<OwnedFd, BeneathError>> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn from_anywhere(path: &Path) -> Option<Result<OwnedFd, BeneathError>> {
    by_kernel(fs::CWD, path, fs::ResolveFlags::NO_SYMLINKS)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn from_anywhere(_: &Path) -> Option<Result<OwnedFd, BeneathError>> {
    None
}

fn by_parts_from_root(path: &Path) -> Result<OwnedFd, BeneathError> {
    let start = if path.is_absolute() { "/" } else { "." };
    let start = fs::open(start, PLACE, Mode::empty()).map_err(from_errno)?;
    let parts = path.components().filter_map(|component| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str()),
        _ => None,
    });
    by_parts(start.as_fd(), parts)
}

/// Opens each part in the folder that the one before it is.
pub(super) fn by_parts<'p>(
    from: BorrowedFd<'_>,
    parts: impl Iterator<Item = &'p OsStr>,
) -> Result<OwnedFd, BeneathError> {
    let mut at = from.try_clone_to_owned().map_err(BeneathError::Io)?;
    for part in parts {
        at = match fs::openat(&at, part, PLACE | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(next) => next,
            // The system says the same of a link and of a file.
            Err(Errno::NOTDIR) => match fs::statat(&at, part, AtFlags::SYMLINK_NOFOLLOW).map(|stat| meta(&stat).kind) {
                Ok(Kind::Link) => return Err(BeneathError::Link),
                _ => return Err(BeneathError::NotAFolder),
            },
            Err(errno) => return Err(from_errno(errno)),
        };
    }
    Ok(at)
}

fn from_errno(errno: Errno) -> BeneathError {
    match errno {
        // The second is said of what leads out of where the kernel was told to stay.
        Errno::LOOP | Errno::XDEV => BeneathError::Link,
        Errno::NOENT => BeneathError::Missing,
        Errno::NOTDIR => BeneathError::NotAFolder,
        Errno::ISDIR | Errno::NXIO => BeneathError::NotAFile,
        Errno::EXIST => BeneathError::Exists,
        errno => BeneathError::Io(io::Error::from(errno)),
    }
}

fn kind_of(file_type: FileType) -> Option<Kind> {
    match file_type {
        FileType::RegularFile => Some(Kind::File),
        FileType::Directory => Some(Kind::Folder),
        FileType::Symlink => Some(Kind::Link),
        FileType::Unknown => None,
        _ => Some(Kind::Other),
    }
}

fn mode_of(mode: u32) -> Mode {
    Mode::from_raw_mode(RawMode::try_from(mode & 0o7777).unwrap_or_default())
}

fn meta(stat: &Stat) -> Meta {
    let ns = |seconds: i128, ns: i128| i64::try_from(seconds * 1_000_000_000 + ns).unwrap_or(i64::MAX);
    let file_type = FileType::from_raw_mode(stat.st_mode);
    Meta {
        kind: kind_of(file_type).unwrap_or(Kind::Other),
        size: u64::try_from(i128::from(stat.st_size)).unwrap_or_default(),
        modified_ns: ns(i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)),
        changed_ns: ns(i128::from(stat.st_ctime), i128::from(stat.st_ctime_nsec)),
        inode: u64::try_from(i128::from(stat.st_ino)).unwrap_or_default(),
        mode: u32::try_from(i128::from(stat.st_mode) & 0o7777).unwrap_or_default(),
    }
}
