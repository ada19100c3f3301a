//! Uploads in parts: what has come of each, until all of it becomes one file or is given up.
//!
//! # Invariants
//! - The parts of a workspace are in its folder `uploads/` in the data folder, so they go with the workspace, and nobody lists or reads
//!   them as files.
//! - A part is there whole or not at all, under a name that says its number and its hash.
//! - A workspace has at most `limits.multipart_uploads`, and all parts have at most `limits.multipart_bytes`. An upload of which nothing
//!   came for a day is removed when another one begins.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use fs_err as fs;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::ErrorKind;
use crate::config::Limits;
use crate::error::Advice;
use crate::leftovers;
use crate::workspace::{ContentHash, RelPath, WorkspaceId};

/// An upload of which nothing came for so long is given up.
const LIFE: Duration = Duration::from_hours(24);
/// The highest number of a part.
const MAX_NUMBER: u32 = 10_000;
/// Digits and letters of an upload's id: 128 bits.
const ID_CHARS: usize = 32;
/// Says what an upload is of.
const ABOUT: &str = "about.json";
/// The beginning of the name of a part that has not come to its end.
const COMING: &str = "coming-";

/// Why an upload in parts does not go on.
#[derive(Debug, thiserror::Error)]
pub enum MultipartError {
    /// No such upload of this file, any more or ever.
    #[error("there is no such upload: it was completed, given up, or never begun")]
    Unknown,
    /// A part that was named has not come, or is another one.
    #[error("the part {number} has not come, or is not the one that the request names")]
    Part {
        /// The number of the part.
        number: u32,
    },
    /// The parts are named in another order than that of their numbers.
    #[error("the parts are not in the order of their numbers, or there is none")]
    Order,
    /// A number that no part can have.
    #[error("the number of a part is 1 to 10000")]
    Number,
    /// A workspace has so many uploads that no more may begin.
    #[error("{max} uploads of the workspace are not complete, as many as `limits.multipart_uploads` allows")]
    TooMany {
        /// The limit.
        max: u64,
    },
    /// The parts of all uploads are so large that no more is taken.
    #[error("the parts of uploads that are not complete would have more than {max} bytes (`limits.multipart_bytes`)")]
    Full {
        /// The limit.
        max: u64,
    },
    /// The disk refused.
    #[error("the parts of an upload cannot be kept or read")]
    Io(#[source] io::Error),
}

impl MultipartError {
    /// Which kind of error this is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unknown => ErrorKind::NotFound,
            Self::Part { .. } | Self::Order | Self::Number => ErrorKind::Invalid,
            Self::TooMany { .. } | Self::Full { .. } => ErrorKind::NoRoom,
            Self::Io(_) => ErrorKind::Internal,
        }
    }
}

impl Advice for MultipartError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_upload",
            Self::Part { .. } | Self::Number => "invalid_part",
            Self::Order => "invalid_part_order",
            Self::TooMany { .. } => "too_many_uploads",
            Self::Full { .. } => "uploads_full",
            Self::Io(_) => "data_folder_io",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Unknown => "begin the upload again",
                Self::Part { .. } => "send the part again, and name it by the `ETag` of its reply",
                Self::Order => "name the parts by rising numbers",
                Self::Number => "cut the file into fewer, larger parts",
                Self::TooMany { .. } | Self::Full { .. } => {
                    "complete or abort uploads; one of which nothing came for a day goes by itself"
                }
                Self::Io(_) => "check the disk and the permissions of the data folder",
            }
            .to_owned(),
        )
    }
}

/// An upload that is not complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedUpload {
    /// Names the upload.
    pub id: String,
    /// The file that it is of, as its sender spells it.
    pub path: RelPath,
    /// When it was begun.
    pub begun: Timestamp,
    /// What people call who began it.
    #[serde(default)]
    pub by: Option<String>,
}

/// A part that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartInfo {
    /// Its place among the parts, 1 to 10,000.
    pub number: u32,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub content_hash: ContentHash,
    /// When it came.
    pub modified: Timestamp,
}

/// The bytes of all parts.
#[derive(Debug, Default)]
struct Sizes {
    /// As they were counted last, and of those that came since.
    kept: AtomicU64,
    /// Of parts that have not come to their end.
    coming: AtomicU64,
}

/// The uploads of a data folder.
pub(crate) struct Multipart {
    workspaces: PathBuf,
    max_uploads: u64,
    max_bytes: u64,
    sizes: Arc<Sizes>,
    /// Two parts of one number must not remove each other.
    placing: Arc<Mutex<()>>,
}

/// A part that comes bit by bit. What is not finished leaves nothing.
#[derive(Debug)]
pub struct NewPart {
    file: NamedTempFile,
    folder: PathBuf,
    number: u32,
    hasher: Sha256,
    coming: Coming,
    max_file_bytes: u64,
    max_bytes: u64,
    placing: Arc<Mutex<()>>,
}

/// The bytes of a part that comes, counted until it is kept or dropped.
#[derive(Debug)]
struct Coming {
    size: u64,
    sizes: Arc<Sizes>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.sizes.coming.fetch_sub(self.size, Ordering::Relaxed);
    }
}

impl Multipart {
    pub(crate) fn new(workspaces: PathBuf, limits: &Limits) -> Self {
        let (max_uploads, max_bytes) = (limits.multipart_uploads, limits.multipart_bytes);
        Self { workspaces, max_uploads, max_bytes, sizes: Arc::default(), placing: Arc::default() }
    }

    fn folder_of(&self, workspace: &WorkspaceId) -> PathBuf {
        self.workspaces.join(workspace.as_str()).join("uploads")
    }

    /// Where an upload is. Nothing that is no id by its form becomes part of a path.
    fn place_of(&self, workspace: &WorkspaceId, id: &str) -> Result<PathBuf, MultipartError> {
        let is_id =
            id.len() == ID_CHARS && id.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase());
        if is_id { Ok(self.folder_of(workspace).join(id)) } else { Err(MultipartError::Unknown) }
    }

    /// Begins an upload of a file, and returns its id. The folder of the workspace is there.
    pub(crate) fn begin(&self, workspace: &WorkspaceId, path: &RelPath, by: &str) -> Result<String, MultipartError> {
        self.sweep()?;
        let folder = self.folder_of(workspace);
        let max = self.max_uploads;
        if entries(&folder)?.len() as u64 >= max {
            return Err(MultipartError::TooMany { max });
        }
        let mut random = [0_u8; ID_CHARS / 2];
        getrandom::fill(&mut random).map_err(|error| MultipartError::Io(io::Error::other(error.to_string())))?;
        let id = format!("{:032x}", u128::from_be_bytes(random));
        let about =
            UnfinishedUpload { id: id.clone(), path: path.clone(), begun: Timestamp::now(), by: Some(by.to_owned()) };
        let place = folder.join(&id);
        let text = serde_json::to_vec(&about).map_err(|error| MultipartError::Io(error.into()))?;
        fs::create_dir_all(&place).and_then(|()| fs::write(place.join(ABOUT), text)).map_err(MultipartError::Io)?;
        Ok(id)
    }

    /// What is known of an upload of this file.
    pub(crate) fn about(
        &self,
        workspace: &WorkspaceId,
        path: &RelPath,
        id: &str,
    ) -> Result<UnfinishedUpload, MultipartError> {
        let about = read_about(&self.place_of(workspace, id)?)?;
        about.filter(|about| about.path == *path && about.id == id).ok_or(MultipartError::Unknown)
    }

    /// The uploads of a workspace that are not complete, in the order of their files.
    pub(crate) fn uploads(&self, workspace: &WorkspaceId) -> Result<Vec<UnfinishedUpload>, MultipartError> {
        let mut uploads = Vec::new();
        for place in entries(&self.folder_of(workspace))? {
            uploads.extend(read_about(&place)?);
        }
        uploads.sort_by(|one, other| (&one.path, &one.id).cmp(&(&other.path, &other.id)));
        Ok(uploads)
    }

    /// Begins a part. A part of that number that came before is replaced once this one is finished.
    pub(crate) fn begin_part(
        &self,
        workspace: &WorkspaceId,
        id: &str,
        number: u32,
        max_file_bytes: u64,
    ) -> Result<NewPart, MultipartError> {
        if !(1..=MAX_NUMBER).contains(&number) {
            return Err(MultipartError::Number);
        }
        let folder = self.place_of(workspace, id)?;
        Ok(NewPart {
            file: leftovers::file_in(&folder, COMING).map_err(of_upload)?,
            folder,
            number,
            hasher: Sha256::new(),
            coming: Coming { size: 0, sizes: Arc::clone(&self.sizes) },
            max_file_bytes,
            max_bytes: self.max_bytes,
            placing: Arc::clone(&self.placing),
        })
    }

    /// The parts that have come of an upload, by number.
    pub(crate) fn parts(&self, workspace: &WorkspaceId, id: &str) -> Result<Vec<PartInfo>, MultipartError> {
        let mut parts = Vec::new();
        for place in entries(&self.place_of(workspace, id)?)? {
            let Some((number, content_hash)) = part_named(&place) else { continue };
            // One that was replaced meanwhile.
            let Ok(metadata) = fs::metadata(&place) else { continue };
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).try_into().unwrap_or_default();
            parts.push(PartInfo { number, size: metadata.len(), content_hash, modified });
        }
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    /// Opens a part.
    pub(crate) fn open(&self, workspace: &WorkspaceId, id: &str, part: &PartInfo) -> Result<fs::File, MultipartError> {
        let name = name_of(part.number, part.content_hash);
        fs::File::open(self.place_of(workspace, id)?.join(name)).map_err(of_upload)
    }

    /// Removes an upload with its parts.
    pub(crate) fn remove(&self, workspace: &WorkspaceId, id: &str) -> Result<(), MultipartError> {
        let place = self.place_of(workspace, id)?;
        let size = size_of(&place);
        // Nobody takes it for an upload from here on, wherever the process ends.
        fs::remove_file(place.join(ABOUT)).map_err(of_upload)?;
        fs::remove_dir_all(&place).map_err(of_upload)?;
        self.sizes.take_away(size);
        Ok(())
    }

    /// Removes what was given up long ago, and counts what is there: other processes keep parts here, too.
    pub(crate) fn sweep(&self) -> Result<(), MultipartError> {
        let mut kept = 0;
        for workspace in entries(&self.workspaces)? {
            for upload in entries(&workspace.join("uploads"))? {
                // A part that comes or is placed changes the folder.
                let age = fs::metadata(&upload).and_then(|metadata| metadata.modified());
                if age.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > LIFE)) {
                    match fs::remove_dir_all(&upload) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => {
                            tracing::warn!(%error, "an upload that was given up stays");
                        }
                        _ => continue,
                    }
                }
                kept += size_of(&upload);
            }
        }
        self.sizes.kept.store(kept, Ordering::Relaxed);
        Ok(())
    }
}

impl NewPart {
    /// How many bytes have come.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.coming.size
    }

    /// How large the whole file may be, and so each part.
    #[must_use]
    pub const fn max_file_bytes(&self) -> u64 {
        self.max_file_bytes
    }

    /// Takes what comes next in the part.
    ///
    /// # Errors
    /// `MultipartError::Full`, or when the disk refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), MultipartError> {
        let (num, max) = (bytes.len() as u64, self.max_bytes);
        let Coming { size, sizes } = &mut self.coming;
        *size += num;
        let coming = sizes.coming.fetch_add(num, Ordering::Relaxed);
        if sizes.kept.load(Ordering::Relaxed).saturating_add(coming).saturating_add(num) > max {
            return Err(MultipartError::Full { max });
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(MultipartError::Io)
    }

    /// Keeps the part, in place of one of its number.
    ///
    /// It is not durable yet: the sender is promised nothing before the whole file is, and a part that a crash takes is sent again.
    ///
    /// # Errors
    /// When the upload is gone, or the disk refuses.
    pub fn finish(self) -> Result<PartInfo, MultipartError> {
        let Self { file, folder, number, hasher, coming, placing, .. } = self;
        let content_hash = ContentHash(hasher.finalize().into());
        let name = name_of(number, content_hash);
        let _alone = placing.lock();
        if !folder.join(ABOUT).exists() {
            return Err(MultipartError::Unknown);
        }
        let mut replaced = 0;
        for other in entries(&folder)? {
            if part_named(&other).is_some_and(|(other, _)| other == number) {
                replaced += fs::metadata(&other).map_or(0, |metadata| metadata.len());
                fs::remove_file(&other).map_err(of_upload)?;
            }
        }
        file.persist(folder.join(&name)).map_err(|failed| of_upload(failed.error))?;
        coming.sizes.kept.fetch_add(coming.size, Ordering::Relaxed);
        coming.sizes.take_away(replaced);
        Ok(PartInfo { number, size: coming.size, content_hash, modified: Timestamp::now() })
    }
}

impl Sizes {
    fn take_away(&self, size: u64) {
        let less = |kept: u64| Some(kept.saturating_sub(size));
        let _ = self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

fn name_of(number: u32, content_hash: ContentHash) -> String {
    format!("{number:05}.{content_hash}")
}

/// The number and the hash that the name of a part says; `None` of all other files.
fn part_named(place: &Path) -> Option<(u32, ContentHash)> {
    let (number, hash) = place.file_name()?.to_str()?.split_once('.')?;
    Some((number.parse().ok()?, hash.parse().ok()?))
}

/// What is in a folder; nothing where there is no folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, MultipartError> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(MultipartError::Io),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(MultipartError::Io(error)),
    }
}

/// The bytes of the parts of an upload.
fn size_of(upload: &Path) -> u64 {
    let parts = entries(upload).unwrap_or_default().into_iter().filter(|place| part_named(place).is_some());
    parts.filter_map(|place| fs::metadata(place).ok()).map(|metadata| metadata.len()).sum()
}

fn read_about(place: &Path) -> Result<Option<UnfinishedUpload>, MultipartError> {
    match fs::read(place.join(ABOUT)) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(MultipartError::Io(error)),
    }
}

/// The error of a file of an upload: where it is not there, the upload is gone.
fn of_upload(error: io::Error) -> MultipartError {
    if error.kind() == io::ErrorKind::NotFound { MultipartError::Unknown } else { MultipartError::Io(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(limits: &Limits) -> (tempfile::TempDir, Multipart, WorkspaceId, RelPath) {
        let folder = tempfile::tempdir().unwrap();
        let uploads = Multipart::new(folder.path().join("workspaces"), limits);
        (folder, uploads, WorkspaceId::default(), "a.md".parse().unwrap())
    }

    fn send(uploads: &Multipart, id: &str, number: u32, bytes: &[u8]) -> Result<PartInfo, MultipartError> {
        let mut part = uploads.begin_part(&WorkspaceId::default(), id, number, 1_000)?;
        part.write(bytes)?;
        part.finish()
    }

    #[test]
    fn a_part_is_replaced_by_the_next_of_its_number_and_goes_with_its_upload() {
        let (_folder, uploads, workspace, path) = place(&Limits::default());
        let id = uploads.begin(&workspace, &path, "coder").unwrap();
        send(&uploads, &id, 2, b"two").unwrap();
        send(&uploads, &id, 1, b"first").unwrap();
        send(&uploads, &id, 1, b"one").unwrap();
        send(&uploads, &id, 1, b"one").unwrap();
        let parts = uploads.parts(&workspace, &id).unwrap();
        assert_eq!(parts.iter().map(|part| (part.number, part.size)).collect::<Vec<_>>(), [(1, 3), (2, 3)]);
        assert_eq!(parts[0].content_hash, ContentHash::of(b"one"));
        assert_eq!(uploads.uploads(&workspace).unwrap().len(), 1);
        uploads.remove(&workspace, &id).unwrap();
        assert!(matches!(send(&uploads, &id, 1, b"late"), Err(MultipartError::Unknown)));
        assert!(matches!(uploads.about(&workspace, &path, &id), Err(MultipartError::Unknown)));
        assert_eq!(uploads.uploads(&workspace).unwrap(), []);
    }

    #[test]
    fn an_id_that_is_none_leads_nowhere() {
        let (folder, uploads, workspace, path) = place(&Limits::default());
        fs::create_dir_all(folder.path().join("workspaces/default/uploads")).unwrap();
        for id in ["", "..", "../../../etc", &"a".repeat(31), &"A".repeat(32), &format!("{}/", "a".repeat(31))] {
            assert!(matches!(uploads.about(&workspace, &path, id), Err(MultipartError::Unknown)), "{id}");
            assert!(matches!(send(&uploads, id, 1, b"x"), Err(MultipartError::Unknown)), "{id}");
            assert!(matches!(uploads.remove(&workspace, id), Err(MultipartError::Unknown)), "{id}");
        }
        let id = uploads.begin(&workspace, &path, "coder").unwrap();
        let other: RelPath = "b.md".parse().unwrap();
        assert!(matches!(uploads.about(&workspace, &other, &id), Err(MultipartError::Unknown)));
        for number in [0, 10_001] {
            assert!(matches!(send(&uploads, &id, number, b"x"), Err(MultipartError::Number)));
        }
    }

    #[test]
    fn uploads_and_their_bytes_are_bounded_and_old_ones_go() {
        let limits = Limits { multipart_uploads: 2, multipart_bytes: 10, ..Limits::default() };
        let (folder, uploads, workspace, path) = place(&limits);
        let (one, other) =
            (uploads.begin(&workspace, &path, "coder").unwrap(), uploads.begin(&workspace, &path, "coder").unwrap());
        assert!(matches!(uploads.begin(&workspace, &path, "coder"), Err(MultipartError::TooMany { max: 2 })));
        send(&uploads, &one, 1, b"123456").unwrap();
        assert!(matches!(send(&uploads, &other, 1, b"12345"), Err(MultipartError::Full { max: 10 })));
        // What was refused takes no room, and leaves nothing.
        send(&uploads, &other, 1, b"1234").unwrap();
        assert_eq!(entries(&folder.path().join("workspaces/default/uploads").join(&other)).unwrap().len(), 2);
        // The same after another process has counted.
        let again = Multipart::new(folder.path().join("workspaces"), &limits);
        again.sweep().unwrap();
        assert!(matches!(send(&again, &one, 2, b"1"), Err(MultipartError::Full { .. })));
        let old = folder.path().join("workspaces/default/uploads").join(&one);
        let long_ago = SystemTime::now() - LIFE - Duration::from_mins(1);
        fs::File::open(&old).unwrap().file().set_modified(long_ago).unwrap();
        uploads.begin(&workspace, &path, "coder").unwrap();
        assert!(!old.exists());
        send(&uploads, &other, 2, b"123456").unwrap();
    }
}
