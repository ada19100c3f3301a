//! The watch on folders: what the system tells of them, made into paths to look at.
//!
//! An event is a hint: it only names a place where something may have changed, and the scan of that place says what. So events
//! that come twice, late or in another order do no harm, and lost ones are found by the next whole scan.
//!
//! # Invariants
//! - One [`Watcher`] serves all workspaces. On Linux it has one inotify instance and one thread, however many folders it watches.
//! - A folder is watched before a scan lists it ([`follow`](crate::files::Watch::follow)), and only folders that scans list are watched:
//!   a change in any other one changes nothing, until a rule does, and then everything is scanned.
//! - Nothing here waits for a file system but `follow`, which a scan calls from its own thread.

#[cfg(target_os = "linux")]
mod inotify;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

#[cfg(target_os = "linux")]
pub use inotify::Watcher;
#[cfg(not(target_os = "linux"))]
pub use portable::Watcher;

use super::rules::{RULE_FILES, place_to_look_at};
use crate::files::Sighting;
use crate::workspace::RelPath;

/// Changes that follow each other within this time are told together.
const DEBOUNCE: Duration = Duration::from_millis(60);
/// More places than this are looked at by a whole scan.
const MAX_PLACES: usize = 1_000;

/// What was seen of one root and is not told yet.
#[derive(Debug, Default)]
struct Seen {
    places: BTreeSet<RelPath>,
    is_anything: bool,
    is_root: bool,
}

impl Seen {
    /// Notes that something may have changed at a path.
    fn add(&mut self, path: &RelPath, is_folder: bool) {
        // These files say what is passed over.
        if RULE_FILES.contains(&path.file_name()) || self.places.len() > MAX_PLACES {
            self.is_anything = true;
        } else {
            self.places.extend(place_to_look_at(path, is_folder));
        }
    }

    /// What is to be told; nothing is left to tell then.
    fn take(&mut self) -> Option<Sighting> {
        let Self { places, is_anything, is_root } = std::mem::take(self);
        match places.len() {
            _ if is_root => Some(Sighting::Root),
            _ if is_anything => Some(Sighting::Anything),
            0 => None,
            1..=MAX_PLACES => Some(Sighting::Places(places)),
            _ => Some(Sighting::Anything),
        }
    }
}
