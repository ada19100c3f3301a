//! Contents that callers have read or written lately, by their hash: what a difference or a merge begins from.
//!
//! # Invariants
//! - They are in memory alone, of this process, and of bounded size; the oldest go first. Those of a deleted file go with it.
//! - A content is given back under the workspace and path that it was kept for, and no other.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::workspace::{ContentHash, RelPath, WorkspaceId};

/// The longest content that is kept, in bytes.
pub(super) const MAX_KEPT_BYTES: usize = 1024 * 1024;
/// Bytes of all contents that are kept.
const MAX_BYTES: usize = 64 * 1024 * 1024;

type Key = (WorkspaceId, RelPath, ContentHash);

#[derive(Debug, Default)]
struct Kept {
    contents: HashMap<Key, Arc<[u8]>>,
    /// In the order in which they came.
    order: VecDeque<Key>,
    num_bytes: usize,
}

impl Kept {
    fn forget(&mut self, key: &Key) {
        if let Some(bytes) = self.contents.remove(key) {
            self.num_bytes -= bytes.len();
        }
    }
}

/// Contents by workspace, path and hash.
#[derive(Debug, Default)]
pub(super) struct Bases(Mutex<Kept>);

impl Bases {
    /// Keeps a content, unless it is long.
    pub(super) fn keep(&self, workspace: &WorkspaceId, path: &RelPath, hash: ContentHash, bytes: &[u8]) {
        let key = (workspace.clone(), path.clone(), hash);
        if bytes.len() > MAX_KEPT_BYTES {
            return;
        }
        let mut kept = self.0.lock();
        if kept.contents.contains_key(&key) {
            return;
        }
        kept.num_bytes += bytes.len();
        kept.contents.insert(key.clone(), bytes.into());
        kept.order.push_back(key);
        while kept.num_bytes > MAX_BYTES {
            let Some(oldest) = kept.order.pop_front() else { return };
            kept.forget(&oldest);
        }
    }

    /// The content of that hash.
    pub(super) fn find(&self, workspace: &WorkspaceId, path: &RelPath, hash: ContentHash) -> Option<Arc<[u8]>> {
        self.0.lock().contents.get(&(workspace.clone(), path.clone(), hash)).cloned()
    }

    /// Forgets all contents of a file, or of all files of a workspace.
    pub(super) fn forget(&self, workspace: &WorkspaceId, path: Option<&RelPath>) {
        let mut kept = self.0.lock();
        let is_gone = |key: &Key| key.0 == *workspace && path.is_none_or(|path| key.1 == *path);
        let gone: Vec<Key> = kept.contents.keys().filter(|key| is_gone(key)).cloned().collect();
        for key in &gone {
            kept.forget(key);
        }
        kept.order.retain(|key| !is_gone(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_kept_up_to_a_size_and_go_with_their_file() {
        let (bases, workspace): (Bases, WorkspaceId) = (Bases::default(), "default".parse().unwrap());
        let path = |name: &str| -> RelPath { name.parse().unwrap() };
        let content = |number: u8| vec![number; MAX_KEPT_BYTES];
        let hash = |number: u8| ContentHash::of(&content(number));
        for number in 0..65 {
            bases.keep(&workspace, &path("a"), hash(number), &content(number));
        }
        let is_kept = |name: &str, number| bases.find(&workspace, &path(name), hash(number)).is_some();
        assert!(!is_kept("a", 0) && is_kept("a", 1) && is_kept("a", 64), "the oldest goes first");
        assert!(!is_kept("b", 64), "under another path it is none");
        bases.keep(&workspace, &path("b"), hash(1), &vec![1; MAX_KEPT_BYTES + 1]);
        assert!(!is_kept("b", 1), "too long");
        bases.keep(&workspace, &path("b"), hash(1), &content(1));
        bases.forget(&workspace, Some(&path("a")));
        assert!(!is_kept("a", 64) && is_kept("b", 1));
        bases.forget(&workspace, None);
        let kept = bases.0.lock();
        assert_eq!((kept.num_bytes, kept.order.len()), (0, 0));
    }
}
