//! Which chunks are embedded first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::index::VectorKey;

/// Revision and address: the newest chunk first, and of one revision that with the lowest address.
pub(super) type Rank = (Reverse<u64>, u64);

/// The first chunks by their rank, each key once: of millions that wait no more than these are held.
pub(super) struct Newest {
    limit: usize,
    by_rank: BTreeMap<Rank, VectorKey>,
    ranks: HashMap<VectorKey, Rank>,
}

impl Newest {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, by_rank: BTreeMap::new(), ranks: HashMap::new() }
    }

    /// Where they are, the first by rank first.
    pub(super) fn addresses(&self) -> Vec<u64> {
        self.by_rank.keys().map(|&(_, address)| address).collect()
    }

    pub(super) fn offer(&mut self, rank: Rank, key: VectorKey) {
        let is_full = self.by_rank.len() >= self.limit;
        if is_full && self.by_rank.last_key_value().is_none_or(|(last, _)| rank > *last) {
            return;
        }
        match self.ranks.get(&key) {
            Some(known) if *known < rank => return,
            Some(known) => drop(self.by_rank.remove(known)),
            None => {}
        }
        self.by_rank.insert(rank, key);
        self.ranks.insert(key, rank);
        if self.by_rank.len() > self.limit
            && let Some((_, last)) = self.by_rank.pop_last()
        {
            self.ranks.remove(&last);
        }
    }
}
