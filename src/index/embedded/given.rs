//! Chunks by their ids: where a snapshot has those that it gave to its query, so that the next call of the query finds them at once.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use parking_lot::Mutex;
use tantivy::TantivyDocument;

use super::snapshot::{EmbeddedSnapshot, pack, unpack};
use super::tantivy;
use crate::index::{ChunkId, ChunkRecord, IndexError, Scored};
use crate::priority::in_parts;

/// Chunks that one core loads at the least.
const MIN_LOADED: usize = 64;

/// Addresses by id. What was not given is looked for in the columns.
#[derive(Default)]
pub(super) struct Given(Mutex<HashMap<ChunkId, u64, BuildHasherDefault<IdHasher>>>);

impl Given {
    pub(super) fn add(&self, chunks: impl IntoIterator<Item = (ChunkId, u64)>) {
        self.0.lock().extend(chunks);
    }

    pub(super) fn address(&self, id: ChunkId) -> Option<u64> {
        self.0.lock().get(&id).copied()
    }
}

/// Takes an id as it is: it is a hash already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

impl EmbeddedSnapshot {
    /// The chunks at some addresses.
    pub(super) fn load_at(&self, addresses: &[u64]) -> Result<Vec<ChunkRecord>, IndexError> {
        if addresses.is_empty() {
            return Ok(Vec::new());
        }
        let foreign = || IndexError::Unusable { reason: "an address is of another snapshot".to_owned() };
        let searcher = self.state.searcher.as_ref().ok_or_else(foreign)?;
        let load = |&address: &u64| {
            let address = unpack(address);
            let ordinal = address.segment_ord as usize;
            let reader = searcher.segment_readers().get(ordinal).ok_or_else(foreign)?;
            if address.doc_id >= reader.max_doc() {
                return Err(foreign());
            }
            let document: TantivyDocument = searcher.doc(address).map_err(tantivy)?;
            self.fields.record(&document, &self.state.segments[ordinal].columns, address.doc_id)
        };
        // Each chunk is in a block that has to be decompressed.
        let loaded = in_parts(addresses, MIN_LOADED, |part| part.iter().map(load).collect::<Result<Vec<_>, _>>());
        let mut chunks = Vec::with_capacity(addresses.len());
        for part in loaded {
            chunks.extend(part?);
        }
        Ok(chunks)
    }

    /// Where the snapshot has those of some chunks that it has.
    pub(super) fn addresses(&self, chunks: &[ChunkId]) -> Vec<u64> {
        let known = chunks.iter().map(|&id| self.given.address(id)).collect::<Option<Vec<u64>>>();
        known.unwrap_or_else(|| {
            // The query has them from another snapshot.
            let wanted: HashSet<ChunkId> = chunks.iter().copied().collect();
            for (ordinal, (reader, segment)) in (0..).zip(self.state.segments()) {
                let ids = reader.doc_ids_alive().map(|doc| (segment.columns.chunk_id(doc), pack(ordinal, doc)));
                self.given.add(ids.filter(|(id, _)| wanted.contains(id)));
            }
            chunks.iter().filter_map(|&id| self.given.address(id)).collect()
        })
    }

    /// Notes chunks that are given to the query, and returns them.
    pub(super) fn scored(&self, found: impl IntoIterator<Item = (f32, ChunkId, u64)>) -> Vec<Scored> {
        let found: Vec<(f32, ChunkId, u64)> = found.into_iter().collect();
        self.given.add(found.iter().map(|&(_, id, address)| (id, address)));
        found.into_iter().map(|(score, id, _)| Scored { id, score }).collect()
    }
}
