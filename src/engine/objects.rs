//! Files as an object store lists and reads them: sizes, times and hashes of what is on disk now, also while a change of it is pending.

use std::collections::HashMap;
use std::io::{Read, Seek as _, SeekFrom};

use jiff::Timestamp;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::files::{Files, OpenFile};
use crate::ingest::{self, LargeFile, ReadError};
use crate::store::Fingerprint;
use crate::workspace::{ContentHash, FileEntry, FileState, RelPath, WorkspaceId};

/// Bytes of files that one listing reads for hashes that are not known yet.
const HASHED_BYTES: u64 = 64 * 1024 * 1024;
/// Hashes that are kept of files whose change is pending.
const MAX_KEPT: usize = 16_384;
/// How often a file is looked at that changes while it is read.
const MAX_ATTEMPTS: usize = 3;

/// A file as it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Object {
    /// Its path.
    pub path: RelPath,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub modified: Timestamp,
    /// The SHA-256 of its bytes; absent only in a listing, of a file that was not read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<ContentHash>,
}

/// Which files to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectsRequest {
    /// Only paths that begin so.
    pub prefix: String,
    /// Paths that have this behind the prefix are listed as one, up to its end.
    pub delimiter: Option<String>,
    /// Only what comes after this, in the order of bytes.
    pub after: Option<String>,
    /// How many files and beginnings to list.
    pub limit: usize,
}

/// A page of files, in the order of the bytes of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectList {
    /// The files.
    pub objects: Vec<Object>,
    /// Beginnings of paths that are listed as one.
    pub prefixes: Vec<String>,
    /// After what the next page begins; `None` on the last page.
    pub next: Option<String>,
}

/// A file that is open to be read.
pub struct OpenObject {
    /// What it is.
    pub object: Object,
    file: Box<dyn OpenFile>,
}

impl OpenObject {
    /// The bytes from a place on.
    ///
    /// # Errors
    /// When the place cannot be sought.
    pub fn read_from(mut self, start: u64) -> Result<Box<dyn Read + Send>, EngineError> {
        self.file.seek(SeekFrom::Start(start)).map_err(EngineError::Io)?;
        Ok(Box::new(self.file))
    }
}

/// Hashes of files that the line has not read yet, by what the system said of them.
#[derive(Default)]
pub(super) struct Hashes(Mutex<HashMap<(WorkspaceId, RelPath), (Fingerprint, ContentHash)>>);

impl Hashes {
    fn of(&self, id: &WorkspaceId, path: &RelPath, fingerprint: Fingerprint) -> Option<ContentHash> {
        let kept = self.0.lock();
        let (of, hash) = kept.get(&(id.clone(), path.clone()))?;
        (*of == fingerprint).then_some(*hash)
    }

    fn keep(&self, id: &WorkspaceId, path: &RelPath, fingerprint: Fingerprint, hash: ContentHash) {
        let mut kept = self.0.lock();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert((id.clone(), path.clone()), (fingerprint, hash));
    }
}

impl Workspace<'_> {
    /// A page of the files of the workspace. Files inside other files are none of them.
    ///
    /// # Errors
    /// When the workspace is unknown or its folder does not answer.
    pub fn objects(&self, request: &ObjectsRequest) -> Result<ObjectList, EngineError> {
        self.recorded(Action::List, Told::default(), |_| self.objects_unrecorded(request))
    }

    fn objects_unrecorded(&self, request: &ObjectsRequest) -> Result<ObjectList, EngineError> {
        let mut page = ObjectList::default();
        let Some(root) = self.engine.data.store.workspace(&self.id)?.root else { return Ok(page) };
        let files = self.engine.data.files_of(&self.id, &root);
        let all = self.all_files_while(&|| true)?;
        let mut rest = &all[..];
        let ObjectsRequest { prefix, delimiter, after, limit } = request;
        let from = |path: &str| path < prefix.as_str() || after.as_ref().is_some_and(|after| path <= after.as_str());
        rest = &rest[rest.partition_point(|file| from(file.path.as_str()))..];
        let (mut budget, mut newest) = (HASHED_BYTES, None);
        while let Some((entry, others)) = rest.split_first() {
            let path = entry.path.as_str();
            let Some(behind) = path.strip_prefix(prefix.as_str()) else { break };
            if entry.container.is_some() {
                rest = others;
                continue;
            }
            let delimiter = delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
            let end = delimiter.and_then(|delimiter| behind.find(delimiter).map(|at| at + delimiter.len()));
            let shared = end.map(|end| &path[..prefix.len() + end]);
            let is_told = shared.is_some_and(|shared| after.as_deref().is_some_and(|after| after.starts_with(shared)));
            if page.objects.len() + page.prefixes.len() >= *limit && !is_told {
                page.next = newest;
                break;
            }
            if let Some(shared) = shared {
                rest = &rest[rest.partition_point(|file| file.path.as_str().starts_with(shared))..];
                // The page before ended with it.
                if !is_told {
                    page.prefixes.push(shared.to_owned());
                    newest = Some(shared.to_owned());
                }
            } else {
                rest = others;
                if let Some(object) = self.as_listed(&*files, entry, &mut budget)? {
                    page.objects.push(object);
                    newest = Some(path.to_owned());
                }
            }
        }
        Ok(page)
    }

    /// A file of a listing; `None` where it is gone from the disk.
    fn as_listed(&self, files: &dyn Files, entry: &FileEntry, budget: &mut u64) -> Result<Option<Object>, EngineError> {
        let FileEntry { path, size, modified, content_hash, .. } = entry;
        if entry.state != FileState::Pending && content_hash.is_some() {
            let (path, size, modified) = (path.clone(), *size, *modified);
            return Ok(Some(Object { path, size, modified, content_hash: *content_hash }));
        }
        let Some(fingerprint) = ingest::seen(files, path)? else { return Ok(None) };
        let hashes = &self.engine.hashes;
        let mut content_hash = hashes.of(&self.id, path, fingerprint);
        if content_hash.is_none() && fingerprint.size <= *budget {
            *budget -= fingerprint.size;
            if let Ok(read) = LargeFile::open(files, path, self.engine.data.config.max_file_bytes)
                && read.fingerprint == fingerprint
            {
                hashes.keep(&self.id, path, fingerprint, read.content_hash);
                content_hash = Some(read.content_hash);
            }
        }
        Ok(Some(Object { content_hash, ..object_of(path, &fingerprint) }))
    }

    /// What is known of a file without showing it.
    ///
    /// # Errors
    /// [`EngineError::Read`] where there is none.
    pub fn object(&self, path: &RelPath) -> Result<Object, EngineError> {
        self.recorded(Action::List, Told::of([path]), |_| Ok(self.open_unrecorded(path)?.object))
    }

    /// Opens a file to be read.
    ///
    /// # Errors
    /// [`EngineError::Read`] where there is none.
    pub fn open_object(&self, path: &RelPath) -> Result<OpenObject, EngineError> {
        self.recorded(Action::Read, Told::of([path]), |told| {
            let opened = self.open_unrecorded(path)?;
            told.shows_of(&opened.object.path, opened.object.content_hash, None);
            Ok(opened)
        })
    }

    fn open_unrecorded(&self, path: &RelPath) -> Result<OpenObject, EngineError> {
        let path = self.spelled(path)?;
        let (root, on_disk, is_inside) = self.place_of(&path)?;
        if is_inside {
            return Err(ReadError::Unknown { path }.into());
        }
        let files = &*self.engine.data.files_of(&self.id, &root);
        let entry = self.engine.data.store.file(&self.id, &path)?;
        for _ in 0..MAX_ATTEMPTS {
            let file = files.open(&on_disk, None).map_err(ReadError::from)?;
            let fingerprint = file.stat().fingerprint;
            let object = object_of(&path, &fingerprint);
            let is_as_read = |entry: &&FileEntry| {
                entry.state != FileState::Pending && entry.size == object.size && entry.modified == object.modified
            };
            let known = entry.as_ref().filter(is_as_read).and_then(|entry| entry.content_hash);
            let known = known.or_else(|| self.engine.hashes.of(&self.id, &path, fingerprint));
            if let Some(hash) = known {
                return Ok(OpenObject { object: Object { content_hash: Some(hash), ..object }, file });
            }
            let read = LargeFile::open(files, &on_disk, self.engine.data.config.max_file_bytes)?;
            // Else another one has come into its place.
            if read.fingerprint == fingerprint {
                self.engine.hashes.keep(&self.id, &path, fingerprint, read.content_hash);
                return Ok(OpenObject { object: Object { content_hash: Some(read.content_hash), ..object }, file });
            }
        }
        Err(ReadError::Unstable.into())
    }
}

fn object_of(path: &RelPath, fingerprint: &Fingerprint) -> Object {
    let modified = Timestamp::from_nanosecond(i128::from(fingerprint.modified_ns)).unwrap_or_default();
    Object { path: path.clone(), size: fingerprint.size, modified, content_hash: None }
}
