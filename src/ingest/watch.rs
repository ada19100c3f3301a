//! The watch on a folder: what the system tells of it, made into paths to look at.
//!
//! Nothing that the system says is believed: an event only names a place where something may have changed, and the scan of
//! that place says what. So events that come twice, late or in another order do no harm, and lost ones are found by the
//! next whole scan.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use notify_debouncer_full::notify::event::{AccessKind, AccessMode, ModifyKind};
use notify_debouncer_full::notify::{Config, Error, ErrorKind, EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};

use super::rules::{RULE_FILES, place_to_look_at};
use crate::workspace::RelPath;

/// Changes of a file that follow each other within this time are one.
const DEBOUNCE: Duration = Duration::from_millis(60);
/// More places than this are looked at by a whole scan.
const MAX_PLACES: usize = 1_000;

/// What may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// These files, or what is in these folders.
    Places(BTreeSet<RelPath>),
    /// Anything: events were lost, or are too many.
    Anything,
    /// The folder itself was removed, moved or mounted over: what has its path now is another one, of which the watch sees nothing.
    Root,
}

/// A watch; it ends when it is dropped.
pub struct Watch(Option<Debouncer<RecommendedWatcher, NoCache>>);

impl Watch {
    /// Watches everything below `root`, which is canonical. `tell` is called on a thread of the watch.
    ///
    /// # Errors
    /// When the system watches no folder, or not so many.
    pub fn start(root: &Path, tell: impl Fn(Sighting) + Send + 'static) -> Result<Self, WatchError> {
        let folder = root.to_owned();
        let handler = move |result: DebounceEventResult| {
            if let Some(sighting) = sighting(&folder, result) {
                tell(sighting);
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        let mut debouncer = new_debouncer_opt(DEBOUNCE, None, handler, NoCache, config).map_err(WatchError)?;
        debouncer.watch(root, RecursiveMode::Recursive).map_err(WatchError)?;
        Ok(Self(Some(debouncer)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(debouncer) = self.0.take() {
            debouncer.stop();
        }
    }
}

/// Why a folder is not watched.
#[derive(Debug, thiserror::Error)]
#[error("the folder cannot be watched")]
pub struct WatchError(#[source] Error);

impl WatchError {
    /// The reason for a person, without the path of the folder.
    #[must_use]
    pub fn reason(&self) -> String {
        let of_system = |error: &std::io::Error| match error.raw_os_error() {
            // As many instances of inotify, or open files, as the user or the process may have.
            Some(24) => "too many watches are begun; a higher `fs.inotify.max_user_instances` may help".to_owned(),
            _ => error.to_string(),
        };
        match &self.0.kind {
            ErrorKind::MaxFilesWatch => {
                "the system watches no more folders; a higher `fs.inotify.max_user_watches` may help".to_owned()
            }
            ErrorKind::Io(error) => of_system(error),
            ErrorKind::Generic(reason) => reason.clone(),
            ErrorKind::PathNotFound => "a folder went away".to_owned(),
            ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) => "the system refuses".to_owned(),
        }
    }
}

fn sighting(root: &Path, result: DebounceEventResult) -> Option<Sighting> {
    let Ok(events) = result else { return Some(Sighting::Anything) };
    let mut places = BTreeSet::new();
    for event in events {
        if event.need_rescan() {
            tracing::info!(folder = %root.display(), "the system's events were lost: the whole folder is looked at");
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
                let is_replaced = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
                return Some(if is_replaced { Sighting::Root } else { Sighting::Anything });
            }
            // What has no name that a file of a workspace can have is none.
            let Ok(place) = RelPath::strip(root, path) else { continue };
            // These say what is passed over.
            if RULE_FILES.contains(&place.file_name()) {
                return Some(Sighting::Anything);
            }
            places.extend(place_to_look_at(&place));
        }
    }
    match places.len() {
        0 => None,
        1..=MAX_PLACES => Some(Sighting::Places(places)),
        _ => Some(Sighting::Anything),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use notify_debouncer_full::DebouncedEvent;
    use notify_debouncer_full::notify::Event;
    use notify_debouncer_full::notify::event::{CreateKind, Flag, MetadataKind, RemoveKind, RenameMode};

    use super::*;

    fn seen(events: Vec<Event>) -> Option<Sighting> {
        let now = Instant::now();
        sighting(Path::new("/w"), Ok(events.into_iter().map(|event| DebouncedEvent::new(event, now)).collect()))
    }

    fn created(path: &str) -> Event {
        Event::new(EventKind::Create(CreateKind::File)).add_path(path.into())
    }

    #[test]
    fn an_overflow_of_the_systems_queue_leads_to_a_whole_scan() {
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(seen(vec![created("/w/a"), overflow]), Some(Sighting::Anything));
        let many = (0..=MAX_PLACES).map(|number| created(&format!("/w/{number}"))).collect();
        assert_eq!(seen(many), Some(Sighting::Anything));
        assert_eq!(sighting(Path::new("/w"), Err(vec![Error::generic("lost")])), Some(Sighting::Anything));
    }

    #[test]
    fn a_root_that_goes_is_told_from_one_that_is_touched() {
        let of_root = |kind| seen(vec![Event::new(kind).add_path("/w".into())]);
        assert_eq!(of_root(EventKind::Remove(RemoveKind::Folder)), Some(Sighting::Root));
        assert_eq!(of_root(EventKind::Modify(ModifyKind::Name(RenameMode::From))), Some(Sighting::Root));
        assert_eq!(of_root(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any))), Some(Sighting::Anything));
    }

    #[test]
    fn a_changed_rule_leads_to_a_whole_scan_and_hidden_and_foreign_places_to_none() {
        assert_eq!(seen(vec![created("/w/sub/.gitignore")]), Some(Sighting::Anything));
        assert_eq!(seen(vec![created("/w/.git/index"), created("/elsewhere/a"), created("/w/.a.swp")]), None);
        let read = Event::new(EventKind::Access(AccessKind::Open(AccessMode::Read))).add_path("/w/a".into());
        assert_eq!(seen(vec![read]), None);
        let places = |paths: &[&str]| Some(Sighting::Places(paths.iter().map(|path| path.parse().unwrap()).collect()));
        assert_eq!(seen(vec![created("/w/sub/a")]), places(&["sub/a"]));
        // A rule may bring it back; then all of it is looked at.
        assert_eq!(seen(vec![created("/w/.github/a/b"), created("/w/.github/c")]), places(&[".github"]));
        assert_eq!(seen(vec![created("/w/.github/.git/b"), created("/w/.pincite-0.part")]), None);
    }
}
