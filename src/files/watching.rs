//! The watch on a place: an early word of what may have changed.

use std::collections::BTreeSet;

use crate::workspace::RelPath;

/// What may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// These files, or what is in these folders.
    Places(BTreeSet<RelPath>),
    /// Anything: events were lost, or are too many.
    Anything,
    /// The folder itself was removed, moved or mounted over: its path now names another one, of which the watch sees nothing.
    Root,
}

/// Is told what may have changed. It is called on a thread of the watch, and must not wait.
pub type Tell = Box<dyn Fn(Sighting) + Send>;

/// The watch on one place; it ends when it is dropped.
pub trait Watch: Send + Sync {
    /// Watches a folder by its path in the place (empty for the place itself), from now on. A folder that is watched already is left
    /// so, and one that is no folder any more, or may not be entered, is left to the watch on the folder above it.
    ///
    /// # Errors
    /// When no more folders can be watched.
    fn follow(&self, folder: &str) -> Result<(), WatchError>;
}

/// Why a folder is not watched, by the limit that was met.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// `limits.watched_folders` are watched.
    #[error("{most} folders are watched already, as many as `limits.watched_folders` allows")]
    Full {
        /// The limit.
        most: usize,
    },
    /// The system's limit on watches of one user.
    #[error("this user watches as many folders as the system allows; a higher `fs.inotify.max_user_watches` helps")]
    Watches,
    /// The system's limit on inotify instances of one user.
    #[error(
        "this user's programs have as many inotify instances as the system allows; a higher `fs.inotify.max_user_instances` helps"
    )]
    Instances,
    /// The process's limit on open files.
    #[error(
        "this process has as many files open as it may; a higher limit helps (`ulimit -n`, or `LimitNOFILE` of a service)"
    )]
    Descriptors,
    /// The system refuses for another reason.
    #[error("the system refuses: {0}")]
    Refused(String),
}
