//! The indexes that are open: a bounded number of them, each with its memory, its map of files and three descriptors.
//!
//! # Invariants
//! - Beyond the bound, the index that was asked for longest ago is let go, unless somebody holds it or it has a writer. So the bound is
//!   exceeded only by those in use.
//! - An index is open once: whoever opens or removes it holds its workspace's turn, and no other workspace waits for that.
//! - What was checked when an index was first opened here is not checked again when it is reopened in the same epoch.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::index::Index;
use crate::workspace::WorkspaceId;

/// More turns than this are not kept, unless they are held.
const MAX_TURNS: usize = 1_024;

struct Opened {
    epoch: i64,
    index: Arc<dyn Index>,
    asked_at: u64,
}

/// The open indexes of all workspaces.
pub(super) struct OpenIndexes {
    most: usize,
    by_workspace: HashMap<WorkspaceId, Opened>,
    /// The epochs in which they were checked.
    checked: HashMap<WorkspaceId, i64>,
    turns: HashMap<WorkspaceId, Turn>,
    num_asked: u64,
}

/// Held by whoever opens or removes the index of one workspace.
pub(super) type Turn = Arc<Mutex<()>>;

impl OpenIndexes {
    pub(super) fn new(most: usize) -> Self {
        Self { most, by_workspace: HashMap::new(), checked: HashMap::new(), turns: HashMap::new(), num_asked: 0 }
    }

    /// The turn of a workspace: taken before the lock on this, and held while its index is opened or removed.
    pub(super) fn turn(&mut self, id: &WorkspaceId) -> Turn {
        // One that nobody holds is as good as none.
        if self.turns.len() > MAX_TURNS {
            self.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(self.turns.entry(id.clone()).or_default())
    }

    /// The open index of a workspace in this epoch.
    pub(super) fn get(&mut self, id: &WorkspaceId, epoch: i64) -> Option<Arc<dyn Index>> {
        let opened = self.by_workspace.get_mut(id).filter(|opened| opened.epoch == epoch)?;
        self.num_asked += 1;
        opened.asked_at = self.num_asked;
        let index = Arc::clone(&opened.index);
        self.let_go();
        Some(index)
    }

    /// Whether the index of a workspace was open in this epoch before.
    pub(super) fn was_checked(&self, id: &WorkspaceId, epoch: i64) -> bool {
        self.checked.get(id) == Some(&epoch)
    }

    /// Keeps an index open, in place of the workspace's former one, and lets go of others beyond the bound.
    pub(super) fn insert(&mut self, id: &WorkspaceId, epoch: i64, index: Arc<dyn Index>) {
        self.num_asked += 1;
        self.checked.insert(id.clone(), epoch);
        self.by_workspace.insert(id.clone(), Opened { epoch, index, asked_at: self.num_asked });
        self.let_go();
    }

    /// Lets go of idle indexes beyond the bound.
    pub(super) fn let_go(&mut self) {
        if self.by_workspace.len() <= self.most {
            return;
        }
        // Nobody can ask for one meanwhile: that takes `&mut self`.
        let is_idle = |opened: &Opened| Arc::strong_count(&opened.index) == 1 && opened.index.is_resting();
        let idle = self.by_workspace.iter().filter(|(_, opened)| is_idle(opened));
        let mut idle: Vec<(u64, WorkspaceId)> = idle.map(|(id, opened)| (opened.asked_at, id.clone())).collect();
        idle.sort_unstable();
        for (_, id) in idle.into_iter().take(self.by_workspace.len() - self.most) {
            self.by_workspace.remove(&id);
        }
    }

    /// Lets go of a workspace's index, and returns it; the next one is checked.
    pub(super) fn remove(&mut self, id: &WorkspaceId) -> Option<Arc<dyn Index>> {
        self.checked.remove(id);
        self.by_workspace.remove(id).map(|opened| opened.index)
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.by_workspace.len()
    }

    /// Lets go of all; the next ones are checked.
    pub(super) fn clear(&mut self) {
        self.by_workspace.clear();
        self.checked.clear();
    }
}
