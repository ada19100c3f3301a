//! A file's bytes, read once and whole, and what is known of it from then on.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::error::Advice;
use crate::files::{Files, FilesError, OpenFile, Stat};
use crate::store::{Fingerprint, Known};
use crate::workspace::{ContentHash, RelPath};

/// A file that is written while it is read is read again so often.
const MAX_ATTEMPTS: usize = 3;
/// How much of a file is hashed at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// The reason of a file that is not read because a call of the file system has not returned.
pub(super) const HANGS: &str = "the file system does not answer: it is read when the call at it has returned";

/// What was read.
#[derive(Debug, Clone)]
pub struct FileContent {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub content_hash: ContentHash,
    /// Size and time of the file before and after the read: they were the same.
    pub fingerprint: Fingerprint,
    /// Set where the file could be written again after the read without its time showing it: until this time, in nanoseconds
    /// since 1970.
    pub racy_until_ns: Option<i64>,
}

impl FileContent {
    /// As what the file is known from now on.
    #[must_use]
    pub fn known(&self) -> Known {
        let (content_hash, racy_until_ns) = (Some(self.content_hash), self.racy_until_ns);
        Known { fingerprint: self.fingerprint, content_hash, racy_until_ns }
    }
}

/// Reads a file of a workspace.
///
/// # Errors
/// [`ReadError::Gone`] where there is no such file, [`ReadError::Link`] where a symbolic link is in its place or on the way, and the
/// others where it cannot be read whole.
pub fn read_file(files: &dyn Files, path: &RelPath, max_bytes: u64) -> Result<FileContent, ReadError> {
    read_while(files, path, max_bytes, || {})
}

/// Reads a file while something else happens: `meanwhile` runs after each time that its bytes were read.
fn read_while(
    files: &dyn Files,
    path: &RelPath,
    max_bytes: u64,
    mut meanwhile: impl FnMut(),
) -> Result<FileContent, ReadError> {
    for _ in 0..MAX_ATTEMPTS {
        let (mut file, before) = open_file(files, path, max_bytes)?;
        let mut bytes = Vec::with_capacity(usize::try_from(before.size).unwrap_or(0));
        (&mut *file).take(max_bytes + 1).read_to_end(&mut bytes).map_err(ReadError::of_open)?;
        meanwhile();
        let after = fingerprint_of_open(&*file)?;
        let now_ns = now_ns();
        if before == after && bytes.len() as u64 == after.size {
            let content_hash = ContentHash::of(&bytes);
            let racy_until_ns = racy_until_ns(&after, now_ns, files.tick_ns());
            return Ok(FileContent { bytes, content_hash, fingerprint: after, racy_until_ns });
        }
    }
    Err(ReadError::Unstable)
}

/// Opens a file of a workspace, and tells its size and time.
fn open_file(files: &dyn Files, path: &RelPath, max_bytes: u64) -> Result<(Box<dyn OpenFile>, Fingerprint), ReadError> {
    let file = files.open(path, None)?;
    let fingerprint = file.stat().fingerprint;
    if fingerprint.size > max_bytes {
        return Err(ReadError::TooLarge { size: fingerprint.size, max_bytes });
    }
    Ok((file, fingerprint))
}

/// The fingerprint of a file, `None` where there is no regular file, or nobody can tell. Links are not followed.
///
/// # Errors
/// [`ReadError::Hangs`] and [`ReadError::FolderHangs`] where the place does not answer.
pub fn seen(files: &dyn Files, path: &RelPath) -> Result<Option<Fingerprint>, ReadError> {
    as_seen(files.stat(path))
}

/// As [`seen`], of what a place has said.
pub(super) fn as_seen(stat: Result<Stat, FilesError>) -> Result<Option<Fingerprint>, ReadError> {
    match stat {
        Ok(stat) => Ok(Some(stat.fingerprint)),
        Err(error) if error.is_hang() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// The size of a file of a workspace; 0 where there is none.
///
/// # Errors
/// As [`seen`].
pub fn size_of(files: &dyn Files, path: &RelPath) -> Result<u64, ReadError> {
    Ok(seen(files, path)?.map_or(0, |fingerprint| fingerprint.size))
}

/// Opens a file as [`open_file`] does and reads it for its hash, a block at a time.
pub(super) fn hash_file(
    files: &dyn Files,
    path: &RelPath,
    max_bytes: u64,
) -> Result<(Box<dyn OpenFile>, ContentHash, Fingerprint), ReadError> {
    let (mut file, before) = open_file(files, path, max_bytes)?;
    let (mut hasher, mut block, mut size) = (Sha256::new(), vec![0; BLOCK_BYTES], 0);
    // One that grows is not read to an end that goes away.
    while size <= before.size {
        let num_read = file.read(&mut block).map_err(ReadError::of_open)?;
        if num_read == 0 {
            break;
        }
        size += num_read as u64;
        hasher.update(&block[..num_read]);
    }
    let after = fingerprint_of_open(&*file)?;
    if before != after || size != after.size {
        return Err(ReadError::Unstable);
    }
    Ok((file, ContentHash(hasher.finalize().into()), after))
}

/// The fingerprint of an open file as it is now.
pub(super) fn fingerprint_of_open(file: &dyn OpenFile) -> Result<Fingerprint, ReadError> {
    Ok(file.stat_now()?.fingerprint)
}

/// The time until which a file that was read now may be written again in the same tick of its place's clock, where that may
/// be: a scan that finds the same bytes from then on has seen the last of that tick. A modification time that somebody has set says
/// nothing of when the file was written, so the change time counts as well.
pub(super) fn racy_until_ns(fingerprint: &Fingerprint, now_ns: i64, tick_ns: i64) -> Option<i64> {
    let written_ns = fingerprint.modified_ns.max(fingerprint.changed_ns);
    // Also a time to come: where a server keeps the files, its clock may be ahead of ours.
    let is_racy = tick_ns > 0 && written_ns >= now_ns.saturating_sub(tick_ns);
    is_racy.then_some(now_ns.saturating_add(tick_ns))
}

/// What a comparison of a file with what is known of it has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// The file holds what was read, and is known as this from now on.
    Same(Known),
    /// It may hold something else.
    Unknown,
    /// It holds something else.
    Other,
    /// It may not be read any more.
    NotReadable,
}

/// Compares a file of known size and modification time, and of the fingerprint `seen`, with what is known of it: by its bytes, where
/// the fingerprint says too little.
pub(super) fn compare(files: &dyn Files, path: &RelPath, known: Known, seen: Fingerprint) -> Compared {
    let is_as_seen = known.fingerprint == seen;
    if is_as_seen && known.racy_until_ns.is_none() {
        return Compared::Same(known);
    }
    let Some(content_hash) = known.content_hash else { return Compared::Unknown };
    let (now_ns, tick_ns) = (now_ns(), files.tick_ns());
    let (found, fingerprint) = match hash_file(files, path, known.fingerprint.size) {
        Ok((_, found, fingerprint)) => (found, fingerprint),
        Err(ReadError::Io(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Compared::NotReadable;
        }
        // The file is as unknown as before; it is asked again.
        Err(_) if is_as_seen => return Compared::Same(known),
        Err(_) => return Compared::Unknown,
    };
    if found != content_hash || !fingerprint.has_size_and_time_of(&known.fingerprint) {
        return Compared::Other;
    }
    let racy_until_ns = match known.racy_until_ns {
        // A clock that was set back makes nobody wait for long.
        Some(until_ns) if fingerprint == known.fingerprint => {
            Some(until_ns.min(now_ns.saturating_add(tick_ns))).filter(|until_ns| now_ns < *until_ns)
        }
        _ => racy_until_ns(&fingerprint, now_ns, tick_ns),
    };
    Compared::Same(Known { fingerprint, racy_until_ns, ..known })
}

/// Whether this user may not open a file.
pub(super) fn is_denied(files: &dyn Files, path: &RelPath) -> bool {
    let opened = files.open(path, None);
    matches!(opened, Err(FilesError::Denied(_)))
        || matches!(opened, Err(FilesError::Away(error)) if error.kind() == std::io::ErrorKind::PermissionDenied)
}

pub(super) fn now_ns() -> i64 {
    to_ns(SystemTime::now())
}

fn to_ns(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

/// Why a file or folder was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file does not exist, or no longer.
    #[error("the file is gone")]
    Gone,
    /// No file of this path is listed in the workspace, nor ever was.
    #[error("no file `{path}` is known in this workspace")]
    Unknown {
        /// What was given.
        path: RelPath,
    },
    /// A folder of the workspace where a file is wanted.
    #[error("`{path}` is a folder")]
    Folder {
        /// What was given.
        path: RelPath,
    },
    /// There is no such folder.
    #[error("there is no folder `{}`", path.display())]
    NoFolder {
        /// What was given.
        path: PathBuf,
    },
    /// A file where a folder is wanted.
    #[error("`{}` is not a folder", path.display())]
    NotAFolder {
        /// What was given.
        path: PathBuf,
    },
    /// A folder, socket or device where a file is wanted.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// What was given.
        path: PathBuf,
    },
    /// A symbolic link is in its place or on the way to it, and may lead anywhere.
    #[error("`{path}` leads through a symbolic link")]
    Link {
        /// What was given.
        path: RelPath,
    },
    /// Over the limit.
    #[error("the file has {size} bytes, more than the limit of {max_bytes}")]
    TooLarge {
        /// Size in bytes.
        size: u64,
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// It was written to each time it was read.
    #[error("the file changes while it is read")]
    Unstable,
    /// A call of the file system has not returned.
    #[error("the file system does not answer: a call at the file has shown no progress for {silent_s} seconds")]
    Hangs {
        /// For how long.
        silent_s: u64,
    },
    /// So much of the folder hangs that nothing of it is read.
    #[error(
        "the file system does not answer: nothing of the folder is read, since calls have hung for {silent_s} seconds"
    )]
    FolderHangs {
        /// For how long the first of them has.
        silent_s: u64,
    },
    /// The system refused.
    #[error(transparent)]
    Io(std::io::Error),
}

impl From<FilesError> for ReadError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::NotFound { .. } => Self::Gone,
            FilesError::Folder { path } | FilesError::NotAFile { path } | FilesError::Exists { path } => {
                Self::NotAFile { path: path.as_str().into() }
            }
            FilesError::Link { path } => Self::Link { path },
            FilesError::OtherVersion { .. } => Self::Unstable,
            FilesError::NoFolder { path } => Self::NoFolder { path },
            FilesError::NotAFolder { path } => Self::NotAFolder { path },
            FilesError::Hangs { silent_s } => Self::Hangs { silent_s },
            FilesError::PlaceHangs { silent_s } => Self::FolderHangs { silent_s },
            FilesError::Name(error)
            | FilesError::Full(error)
            | FilesError::Denied(error)
            | FilesError::Away(error)
            | FilesError::Io(error) => Self::Io(error),
        }
    }
}

impl ReadError {
    /// The error of an open file.
    pub(super) fn of_open(error: std::io::Error) -> Self {
        FilesError::hang_in(error).map_or_else(Self::Io, Self::from)
    }

    /// The reason as it is listed beside a failed file: without the path, which stands there already.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                "not readable: permission denied".to_owned()
            }
            Self::Link { .. } => "leads through a symbolic link".to_owned(),
            Self::NotAFile { .. } => "is not a regular file".to_owned(),
            // Without the time, so that files that hang have one reason.
            Self::Hangs { .. } | Self::FolderHangs { .. } => HANGS.to_owned(),
            other => other.to_string(),
        }
    }
}

impl Advice for ReadError {
    fn code(&self) -> &'static str {
        match self {
            Self::Gone => "file_gone",
            Self::Unknown { .. } => "file_not_found",
            Self::Folder { .. } => "is_a_folder",
            Self::NoFolder { .. } | Self::NotAFolder { .. } => "no_such_folder",
            Self::NotAFile { .. } => "not_a_file",
            Self::Link { .. } => "outside_workspace",
            Self::TooLarge { .. } => "file_too_large",
            Self::Unstable => "file_changes",
            Self::Hangs { .. } | Self::FolderHangs { .. } => "source_stuck",
            Self::Io(_) => "file_io",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Gone | Self::Unknown { .. } => "`pincite status` and `GET …/files` list the files",
                Self::Folder { .. } => "ask for a file in it; `GET …/files` lists them",
                Self::NoFolder { .. } => "check the path; it must be an existing folder",
                Self::NotAFolder { .. } => "give the folder that the file is in",
                Self::NotAFile { .. } | Self::Link { .. } => {
                    "only regular files inside the workspace's folder are read, by paths without links"
                }
                Self::TooLarge { .. } => {
                    "raise `max_file_bytes` in `config.toml` of the data folder, or divide the file"
                }
                Self::Unstable => "index again when the file is no longer written to",
                Self::Hangs { .. } | Self::FolderHangs { .. } => {
                    "check the disk or the network file system that holds the folder"
                }
                Self::Io(_) => "check the permissions",
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::files::{self, RuleLimits};

    fn append(file: &std::path::Path) {
        fs_err::OpenOptions::new().append(true).open(file).unwrap().write_all(b" and more").unwrap();
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again_and_given_up_when_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (path, file) = ("a.txt".parse().unwrap(), root.join("a.txt"));
        let files = files::at(&root, RuleLimits::default());
        fs_err::write(&file, "some").unwrap();
        let mut num_reads = 0;
        let content = read_while(&*files, &path, 100, || {
            num_reads += 1;
            if num_reads == 1 {
                append(&file);
            }
        });
        assert_eq!((content.unwrap().bytes, num_reads), (b"some and more".to_vec(), 2));
        let unstable = read_while(&*files, &path, 100, || append(&file));
        assert!(matches!(unstable, Err(ReadError::Unstable)));
        fs_err::write(&file, "some").unwrap();
        let grown_past_the_limit = read_while(&*files, &path, 8, || append(&file));
        assert!(matches!(grown_past_the_limit, Err(ReadError::TooLarge { size: 13, max_bytes: 8 })));
    }
}
