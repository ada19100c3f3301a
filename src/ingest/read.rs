//! A file's bytes, read once and whole, and what is known of it from then on.

use std::io::Read as _;
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
/// [`ReadError::Gone`] where there is no such file, [`FilesError::Link`] where a symbolic link is in its place or on the way, and the
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
/// [`ReadError::Files`] where the place does not answer.
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
        Err(error) if error.is_denied() => return Compared::NotReadable,
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
    opened.is_err_and(|error| ReadError::from(error).is_denied())
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
    /// The place of the files has not given it.
    #[error("{}", told(.0))]
    Files(#[source] FilesError),
}

/// What a place says of a file, or the system where it only passes on the system's refusal.
fn told(error: &FilesError) -> &dyn std::fmt::Display {
    error.of_system().map_or(error as &dyn std::fmt::Display, |error| error)
}

impl From<FilesError> for ReadError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::NotFound { .. } => Self::Gone,
            FilesError::OtherVersion { .. } => Self::Unstable,
            FilesError::Folder { path } => Self::Files(FilesError::NotAFile { path }),
            FilesError::Name(error) | FilesError::Full(error) => Self::Files(FilesError::Io(error)),
            other => Self::Files(other),
        }
    }
}

impl ReadError {
    /// The error of an open file.
    pub(super) fn of_open(error: std::io::Error) -> Self {
        Self::Files(FilesError::hang_in(error).unwrap_or_else(FilesError::Io))
    }

    /// Whether so much of the place hangs that nothing of it is read.
    #[must_use]
    pub const fn is_of_place(&self) -> bool {
        matches!(self, Self::Files(FilesError::PlaceHangs { .. }))
    }

    /// Whether there is no file at the path: it is gone, or something else is there.
    #[must_use]
    pub const fn is_no_file(&self) -> bool {
        matches!(self, Self::Gone | Self::Files(FilesError::NotAFile { .. }))
    }

    /// Whether this user may not read it.
    pub(super) fn is_denied(&self) -> bool {
        let error = if let Self::Files(error) = self { error.of_system() } else { None };
        error.is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    }

    /// The reason as it is listed beside a failed file: without the path, which stands there already.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            denied if denied.is_denied() => "not readable: permission denied".to_owned(),
            Self::Files(FilesError::Link { .. }) => "leads through a symbolic link".to_owned(),
            Self::Files(FilesError::NotAFile { .. }) => "is not a regular file".to_owned(),
            // Without the time, so that files that hang have one reason.
            Self::Files(error) if error.is_hang() => HANGS.to_owned(),
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
            Self::TooLarge { .. } => "file_too_large",
            Self::Unstable => "file_changes",
            Self::Files(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Gone | Self::Unknown { .. } => "`pincite status` and `GET …/files` list the files",
                Self::Folder { .. } => "ask for a file in it; `GET …/files` lists them",
                Self::Files(FilesError::NotAFile { .. } | FilesError::Link { .. }) => {
                    "only regular files inside the workspace's folder are read, by paths without links"
                }
                Self::TooLarge { .. } => {
                    "raise `max_file_bytes` in `config.toml` of the data folder, or divide the file"
                }
                Self::Unstable => "index again when the file is no longer written to",
                Self::Files(error) => return error.hint(),
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
