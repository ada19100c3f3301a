//! The history of a file, from the changes that the log has of it.

use jiff::Timestamp;

use super::Touched;
use crate::workspace::{Change, ChangeKind, FileEntry, Priority, Provenance, RelPath};

/// What the log says of a file, change by change.
#[derive(Debug, Clone, Default)]
pub struct History {
    newest: Option<ChangeKind>,
    /// When somebody wrote or reported it, or it was seen to change, last.
    seen: Option<Timestamp>,
    /// Whether that is the newest change; otherwise a scan found that it had changed meanwhile.
    is_seen: bool,
    created: Option<Timestamp>,
    /// When it was deleted, if that was the last that happened to it.
    deleted: Option<Timestamp>,
    /// Who made the newest change, as far as that was told.
    provenance: Provenance,
}

impl History {
    /// Adds a change that is newer than those before.
    pub fn add(&mut self, change: &Change, priority: Priority) {
        self.newest = Some(change.kind);
        // A deletion that a scan finds once more, after it was done, is of who made it.
        let is_echo = self.deleted.is_some() && change.kind == ChangeKind::Deleted && change.provenance.is_empty();
        if !is_echo {
            self.provenance.clone_from(&change.provenance);
        }
        self.is_seen = priority == Priority::Interactive;
        if self.is_seen {
            self.seen = Some(change.at);
        }
        match change.kind {
            ChangeKind::Created => self.created = Some(change.at).filter(|_| self.is_seen),
            ChangeKind::Modified | ChangeKind::Renamed => {}
            ChangeKind::Deleted => self.created = None,
        }
        self.deleted = (change.kind == ChangeKind::Deleted).then_some(change.at);
    }

    /// A file that is there, with what happened to it last.
    #[must_use]
    pub fn of_file(self, file: FileEntry) -> Touched {
        // What a scan found has the file's own time: the log's is only when the scan came by.
        let at = match self.seen {
            Some(seen) if self.is_seen => seen,
            seen => seen.map_or(file.modified, |seen| seen.max(file.modified)),
        };
        Touched {
            change: self.newest.unwrap_or(ChangeKind::Created),
            at,
            created: self.created,
            state: Some(file.state),
            reason: file.reason,
            title: file.title,
            content_hash: file.content_hash,
            provenance: file.provenance,
            path: file.path,
        }
    }

    /// The time of the deletion, and who it was, where a deletion was the last that happened to the file.
    #[must_use]
    pub fn deletion(&self) -> Option<(Timestamp, &Provenance)> {
        Some((self.deleted?, &self.provenance))
    }

    /// A file at `path` that was deleted; `None` where it was not.
    #[must_use]
    pub fn of_deleted(self, path: RelPath) -> Option<Touched> {
        let (created, state, reason, title, content_hash) = (None, None, None, None, None);
        let (at, provenance) = (self.deleted?, self.provenance);
        Some(Touched { path, change: ChangeKind::Deleted, at, created, state, reason, title, content_hash, provenance })
    }
}
