//! Folders that clients have made and that hold no file yet.
//!
//! A workspace has files and no folders. Programs that mount a bucket make a folder and ask for it before they put a file there, so a
//! marker is remembered for a time: by this process, and for whoever sent it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::serve::door::Place;
use crate::workspace::{RelPath, WorkspaceId};

/// A marker is remembered for so long.
const LIFE: Duration = Duration::from_hours(1);
/// More markers are not remembered at once; the oldest go.
const MAX_MARKERS: usize = 4_096;

/// A workspace, a key, and a folder.
type Named = (WorkspaceId, Option<String>, RelPath);

/// The markers of a server.
#[derive(Debug, Default)]
pub(super) struct Markers(Mutex<HashMap<Named, Instant>>);

impl Markers {
    pub(super) fn keep(&self, place: &Place, folder: &RelPath) {
        let mut kept = self.0.lock();
        kept.retain(|_, since| since.elapsed() < LIFE);
        if kept.len() >= MAX_MARKERS
            && let Some(oldest) = kept.iter().min_by_key(|(_, since)| **since).map(|(named, _)| named.clone())
        {
            kept.remove(&oldest);
        }
        kept.insert(named(place, folder), Instant::now());
    }

    pub(super) fn has(&self, place: &Place, folder: &RelPath) -> bool {
        self.0.lock().get(&named(place, folder)).is_some_and(|since| since.elapsed() < LIFE)
    }

    pub(super) fn remove(&self, place: &Place, folder: &RelPath) {
        self.0.lock().remove(&named(place, folder));
    }
}

fn named(place: &Place, folder: &RelPath) -> Named {
    let key = place.by.as_checked().key().map(|key| key.row.id.clone());
    (place.id.clone(), key, folder.clone())
}
