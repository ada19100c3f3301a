//! The watch on systems without inotify: a watcher of its own for each root, which follows folders by itself.

use std::path::Path;

use notify_debouncer_full::notify::event::{AccessKind, AccessMode, ModifyKind};
use notify_debouncer_full::notify::{Config, Error, ErrorKind, EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};

use super::{DEBOUNCE, Seen};
use crate::files::{Sighting, Tell, Watch, WatchError};
use crate::workspace::RelPath;

/// Watches the folders of all workspaces. Clones are the same watcher.
#[derive(Debug, Clone)]
pub struct Watcher;

impl Watcher {
    /// A watcher. Such systems watch a folder with all that is below it, so the limit on folders does not count.
    #[must_use]
    pub fn new(_most: usize) -> Self {
        Self
    }

    /// Watches everything below `root`, which is canonical. `tell` is called on a thread of the watch, and must not wait.
    ///
    /// # Errors
    /// When the system watches no folder, or not so many.
    #[allow(clippy::unused_self, reason = "as on Linux")]
    pub fn watch(&self, root: &Path, tell: Tell) -> Result<FolderWatch, WatchError> {
        let folder = root.to_owned();
        let handler = move |result: DebounceEventResult| {
            if let Some(sighting) = sighting(&folder, result) {
                tell(sighting);
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        let mut debouncer = new_debouncer_opt(DEBOUNCE, None, handler, NoCache, config).map_err(of_watch)?;
        let watched = debouncer.watch(root, RecursiveMode::Recursive);
        // It is stopped when this is dropped, watching or not.
        let watch = FolderWatch(Some(debouncer));
        watched.map(|()| watch).map_err(of_watch)
    }

    /// Each watch ends by itself.
    #[allow(clippy::unused_self, reason = "as on Linux")]
    pub fn end(&self) {}
}

/// The watch on one root; it ends when it is dropped.
pub struct FolderWatch(Option<Debouncer<RecommendedWatcher, NoCache>>);

impl Watch for FolderWatch {
    fn follow(&self, _folder: &str) -> Result<(), WatchError> {
        // All folders are watched already.
        Ok(())
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        if let Some(debouncer) = self.0.take() {
            debouncer.stop();
        }
    }
}

fn of_watch(error: Error) -> WatchError {
    match error.kind {
        ErrorKind::MaxFilesWatch => WatchError::Watches,
        ErrorKind::Io(error) if error.raw_os_error() == Some(24) => WatchError::Descriptors,
        ErrorKind::Io(error) => WatchError::Refused(error.to_string()),
        ErrorKind::Generic(reason) => WatchError::Refused(reason),
        ErrorKind::PathNotFound => WatchError::Refused("a folder went away".to_owned()),
        ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) => WatchError::Refused("it does not watch".to_owned()),
    }
}

pub(super) fn sighting(root: &Path, result: DebounceEventResult) -> Option<Sighting> {
    let Ok(events) = result else { return Some(Sighting::Anything) };
    let mut seen = Seen::default();
    for event in events {
        if event.need_rescan() {
            tracing::info!(folder = %root.display(), "the system's events were lost: the whole folder is scanned");
            return Some(Sighting::Anything);
        }
        match event.kind {
            // Reading changes nothing; the end of writing does not come where a file is replaced.
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
            EventKind::Access(_) => continue,
            _ => {}
        }
        for path in &event.paths {
            if path == root {
                match event.kind {
                    EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => seen.is_root = true,
                    _ => seen.is_anything = true,
                }
            } else if let Ok(path) = RelPath::strip(root, path) {
                // What has no name that a file of a workspace can have is none.
                seen.add(&path, false);
            }
        }
    }
    seen.take()
}
