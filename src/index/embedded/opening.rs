//! How an index is opened: what its last commit says of it, whether its files are sound, and what they are opened with.

use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use tantivy::directory::MmapDirectory;
use tantivy::store::{Compressor, ZstdCompressor};
use tantivy::{IndexSettings, ReloadPolicy};

use super::reading::Reading;
use super::schema::{EXACT, Fields, STEMMED};
use super::snapshot::State;
use super::{Access, Condition, Current, EmbeddedIndex, io, tantivy};
use crate::index::IndexError;
use crate::index::analyzer::{Analysis, text_analyzer};
use crate::vectors::{VectorFile, VectorTable};
use crate::workspace::Revision;

/// Changes with the schema, the analysis, the readers of files and the layout of the vectors. An index of an older version serves
/// while one of this version is built beside it.
pub(super) const FORMAT_VERSION: u32 = 11;
/// Format versions of indexes that can serve. Version 4 came to name the number of dimensions.
const READABLE: RangeInclusive<u32> = 3..=FORMAT_VERSION;

/// Blocks of stored chunks that are kept unpacked, for each segment: 8 MB.
const KEPT_BLOCKS: usize = 512;
/// Bytes of a block of stored chunks, about.
const STORE_BLOCK_BYTES: usize = 16 * 1024;

/// What an index is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub format_version: u32,
    /// The model that its vectors are of.
    pub model: String,
    /// Their length; of an index of format 3, that of the model that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_dimensions: Option<usize>,
    /// The log that its revisions are of.
    #[serde(default)]
    pub log_id: String,
}

/// Written into each commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payload {
    #[serde(flatten)]
    pub identity: Identity,
    pub revision: Revision,
}

impl Identity {
    /// What an index that says this of itself is, and why it is outdated where `wanted` is another.
    fn compared_with(self, wanted: &Self) -> Result<(Self, Option<String>), IndexError> {
        if !READABLE.contains(&self.format_version) {
            let reason = format!("it has format version {}, this program writes {FORMAT_VERSION}", self.format_version);
            return Err(IndexError::Unusable { reason });
        }
        if self.log_id != wanted.log_id {
            let reason = "it was made from another log than `pincite.db` holds now".to_owned();
            return Err(IndexError::Unusable { reason });
        }
        let outdated = if self.model != wanted.model {
            Some(format!("it was made for the model `{}`, and `{}` is wanted", self.model, wanted.model))
        } else if self.format_version != FORMAT_VERSION {
            Some(format!("it has format version {}, this program writes {FORMAT_VERSION}", self.format_version))
        } else {
            None
        };
        Ok((self, outdated))
    }
}

impl EmbeddedIndex {
    /// Opens the index in `folder` of what `log_id` logs.
    ///
    /// With [`Access::Write`] a missing index is made, for the vectors of `num_dimensions` numbers that `model_id` makes. One that
    /// is there and of another model, or of an older format version, is [outdated](crate::index::Index::outdated) and can be used as it is.
    ///
    /// # Errors
    /// [`IndexError::Missing`] where there is none to read, [`IndexError::Unusable`] where it is damaged, or of another
    /// log or a format version that this program cannot read, [`IndexError::Io`] where the disk refuses.
    pub fn open(
        folder: &Path,
        log_id: &str,
        model_id: &str,
        num_dimensions: usize,
        access: Access,
    ) -> Result<Self, IndexError> {
        Self::open_as(folder, log_id, (model_id, num_dimensions), access, Condition::Unknown)
    }

    /// Opens the index as [`EmbeddedIndex::open`] does, with what is known of its files.
    ///
    /// # Errors
    /// As [`EmbeddedIndex::open`].
    pub fn open_as(
        folder: &Path,
        log_id: &str,
        (model_id, num_dimensions): (&str, usize),
        access: Access,
        condition: Condition,
    ) -> Result<Self, IndexError> {
        contained(|| Self::open_files(folder, log_id, (model_id, num_dimensions), access, condition))
    }

    /// The log that the index in `folder` was last committed from, and the revision of that commit; `None` where there is no
    /// index, or one that says nothing of it.
    #[must_use]
    pub fn committed_from(folder: &Path) -> Option<(String, Revision)> {
        let meta = fs_err::read(folder.join("postings/meta.json")).ok()?;
        let meta: serde_json::Value = serde_json::from_slice(&meta).ok()?;
        let payload: Payload = serde_json::from_str(meta["payload"].as_str()?).ok()?;
        Some((payload.identity.log_id, payload.revision))
    }

    fn open_files(
        folder: &Path,
        log_id: &str,
        (model_id, num_dimensions): (&str, usize),
        access: Access,
        condition: Condition,
    ) -> Result<Self, IndexError> {
        let postings = folder.join("postings");
        let (schema, fields) = Fields::build();
        let exists = postings.join("meta.json").exists();
        let index = match (exists, access) {
            (true, _) => tantivy::Index::open(directory_of(&postings, access)?).map_err(tantivy)?,
            (false, Access::Read) => return Err(IndexError::Missing),
            (false, Access::Write) => {
                fs_err::create_dir_all(&postings).map_err(io)?;
                tantivy::Index::create(directory_of(&postings, access)?, schema.clone(), settings()).map_err(tantivy)?
            }
        };
        let (older_schema, older_fields) = Fields::build_without_language();
        let fields = if index.schema() == older_schema { older_fields } else { fields };
        if index.schema() != schema && index.schema() != older_schema {
            return Err(IndexError::Unusable { reason: "its fields are of another format version".to_owned() });
        }
        index.tokenizers().register(STEMMED, text_analyzer(Analysis::Stemmed));
        index.tokenizers().register(EXACT, text_analyzer(Analysis::Exact));
        let wanted = Identity {
            format_version: FORMAT_VERSION,
            model: model_id.to_owned(),
            num_dimensions: Some(num_dimensions),
            log_id: log_id.to_owned(),
        };
        let (identity, outdated) = match read_payload(&index)? {
            Some(payload) => payload.identity.compared_with(&wanted)?,
            None => (wanted, None),
        };
        if condition == Condition::Unknown {
            validate(&index, &postings)?;
        }
        let mut vectors = VectorFile::open(&folder.join("vectors.db"), access == Access::Write)?;
        let table = RwLock::new(VectorTable::new(identity.num_dimensions.unwrap_or(num_dimensions)));
        vectors.catch_up(&table)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).doc_store_cache_num_blocks(KEPT_BLOCKS);
        let reader = reader.try_into().map_err(tantivy)?;
        let opened = Self {
            folder: postings,
            access,
            identity,
            outdated,
            fields,
            index,
            reader,
            writer: Mutex::default(),
            vectors: Mutex::new(vectors),
            table,
            state: Mutex::new(Current { state: Arc::new(State::default()), seen: None }),
        };
        opened.refresh()?;
        Ok(opened)
    }
}

fn directory_of(postings: &Path, access: Access) -> Result<Box<dyn tantivy::Directory>, IndexError> {
    let directory = MmapDirectory::open(postings).map_err(|error| IndexError::Io(Box::new(error)))?;
    if access == Access::Read {
        return Ok(Box::new(Reading(directory)));
    }
    #[cfg(test)]
    let directory = super::stepping::Stepping(directory);
    Ok(Box::new(directory))
}

/// Stored chunks are compressed some twenty in a block: a search loads single ones. Zstandard makes them a third smaller
/// than LZ4. A thread for it alone would not pay for a few files, and for many all cores are busy as it is.
fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::Zstd(ZstdCompressor { compression_level: Some(3) }),
        docstore_blocksize: STORE_BLOCK_BYTES,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

/// Compares every file of the postings with its checksum, in the state of one commit.
fn validate(index: &tantivy::Index, postings: &Path) -> Result<(), IndexError> {
    let committed = || fs_err::read(postings.join("meta.json")).ok();
    loop {
        let before = committed();
        let checked = index.validate_checksum().map_err(tantivy);
        // The writer removes files that its next commit no longer names.
        if committed() != before {
            continue;
        }
        return match checked?.iter().next() {
            None => Ok(()),
            Some(file) => Err(IndexError::Unusable { reason: format!("the file `{}` is damaged", file.display()) }),
        };
    }
}

/// Runs what opens files that may be damaged in ways that tantivy does not expect: its panic is their damage.
fn contained<T>(open: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().copied();
        let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given");
        Err(IndexError::Unusable { reason: format!("its files are damaged, reading them panicked: {said}") })
    })
}

pub(super) fn read_payload(index: &tantivy::Index) -> Result<Option<Payload>, IndexError> {
    let Some(payload) = index.load_metas().map_err(tantivy)?.payload else { return Ok(None) };
    serde_json::from_str(&payload)
        .map(Some)
        .map_err(|_| IndexError::Unusable { reason: "its last commit says nothing that can be read".to_owned() })
}
