//! What is told of folders, by the watch of this system and by the portable one.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use notify_debouncer_full::DebouncedEvent;
use notify_debouncer_full::notify::event::{
    AccessKind, AccessMode, CreateKind, Flag, MetadataKind, ModifyKind, RemoveKind, RenameMode,
};
use notify_debouncer_full::notify::{Error, Event, EventKind};

use super::portable::{self, sighting};
use super::*;
use crate::files::{Watch as _, WatchError};

fn seen(events: Vec<Event>) -> Option<Sighting> {
    let now = Instant::now();
    sighting(Path::new("/w"), Ok(events.into_iter().map(|event| DebouncedEvent::new(event, now)).collect()))
}

fn created(path: &str) -> Event {
    Event::new(EventKind::Create(CreateKind::File)).add_path(path.into())
}

fn places(paths: &[&str]) -> Sighting {
    Sighting::Places(paths.iter().map(|path| path.parse().unwrap()).collect())
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
    assert_eq!(seen(vec![created("/w/sub/a")]), Some(places(&["sub/a"])));
    // A rule may bring it back; then all of it is looked at.
    assert_eq!(seen(vec![created("/w/.github/a/b"), created("/w/.github/c")]), Some(places(&[".github"])));
    assert_eq!(seen(vec![created("/w/.github/.git/b"), created("/w/.pincite-0.part")]), None);
}

#[test]
fn the_portable_watch_tells_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let (told, heard) = channel();
    let watch = portable::Watcher::new(1).watch(&root, Box::new(move |sighting| drop(told.send(sighting)))).unwrap();
    watch.follow("").unwrap();
    fs_err::write(root.join("a"), "A buoy.").unwrap();
    while heard.recv().unwrap() != places(&["a"]) {}
    portable::Watcher.end();
}

#[cfg(target_os = "linux")]
mod on_linux {
    use super::inotify::FolderWatch;
    use super::*;

    /// A root that is watched with all its folders, as a scan does it.
    struct Watched {
        root: std::path::PathBuf,
        heard: Receiver<Sighting>,
        watch: FolderWatch,
    }

    impl Watched {
        fn new(watcher: &Watcher, root: &Path) -> Self {
            let root = root.canonicalize().unwrap();
            let (told, heard) = channel();
            let watch = watcher.watch(&root, Box::new(move |sighting| drop(told.send(sighting)))).unwrap();
            let whole = Self { root, heard, watch };
            whole.follow_all().unwrap();
            whole
        }

        fn follow_all(&self) -> Result<(), WatchError> {
            let mut folders = vec![String::new()];
            while let Some(folder) = folders.pop() {
                self.watch.follow(&folder)?;
                for entry in fs_err::read_dir(self.root.join(&folder)).unwrap().flatten() {
                    if entry.file_type().unwrap().is_dir() {
                        let path = entry.path();
                        folders.push(path.strip_prefix(&self.root).unwrap().to_str().unwrap().to_owned());
                    }
                }
            }
            Ok(())
        }

        /// Waits until a path is told of, or something wider.
        fn hears_of(&self, path: &str) {
            loop {
                match self.heard.recv().unwrap() {
                    Sighting::Places(places) if places.contains(path) => return,
                    Sighting::Places(_) => {}
                    wider => panic!("{wider:?} instead of {path}"),
                }
            }
        }

        fn hears(&self, sighting: &Sighting) {
            while self.heard.recv().unwrap() != *sighting {}
        }

        fn write(&self, path: &str) {
            fs_err::write(self.root.join(path), "A buoy.").unwrap();
        }
    }

    fn folders(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs_err::create_dir_all(folder.path().join(name)).unwrap();
        }
        folder
    }

    #[test]
    fn many_roots_share_one_watcher_and_each_hears_of_its_own() {
        let folder = folders(&["one/sub", "other"]);
        let watcher = Watcher::new(100);
        let [one, other] = ["one", "other"].map(|name| Watched::new(&watcher, &folder.path().join(name)));
        assert_eq!(watcher.num_folders(), 3);
        one.write("sub/a");
        one.hears_of("sub/a");
        other.write("b");
        other.hears_of("b");
        assert!(other.heard.try_recv().is_err());
        drop(one);
        assert_eq!(watcher.num_folders(), 1);
        other.write("c");
        other.hears_of("c");
        watcher.end();
    }

    #[test]
    fn a_root_inside_another_leaves_it_watched_when_either_ends() {
        let folder = folders(&["inner/deep"]);
        let watcher = Watcher::new(100);
        let outer = Watched::new(&watcher, folder.path());
        let inner = Watched::new(&watcher, &folder.path().join("inner"));
        assert_eq!(watcher.num_folders(), 3);
        inner.write("deep/a");
        inner.hears_of("deep/a");
        outer.hears_of("inner/deep/a");
        drop(inner);
        outer.write("inner/deep/b");
        outer.hears_of("inner/deep/b");
        let inner = Watched::new(&watcher, &folder.path().join("inner"));
        drop(outer);
        assert_eq!(watcher.num_folders(), 2);
        inner.write("deep/c");
        inner.hears_of("deep/c");
    }

    #[test]
    fn a_folder_moved_to_another_root_is_watched_there_and_no_more_where_it_was() {
        let folder = folders(&["one/sub/deep", "other"]);
        let watcher = Watcher::new(100);
        let [one, other] = ["one", "other"].map(|name| Watched::new(&watcher, &folder.path().join(name)));
        fs_err::rename(one.root.join("sub"), other.root.join("got")).unwrap();
        one.hears_of("sub");
        other.hears_of("got");
        assert_eq!(watcher.num_folders(), 2);
        other.follow_all().unwrap();
        assert_eq!(watcher.num_folders(), 4);
        other.write("got/deep/a");
        other.hears_of("got/deep/a");
        assert!(one.heard.try_recv().is_err());
    }

    #[test]
    fn a_whole_root_moved_into_another_is_watched_there_after_it_is_let_go() {
        let folder = folders(&["one/sub", "other"]);
        let watcher = Watcher::new(100);
        let [one, other] = ["one", "other"].map(|name| Watched::new(&watcher, &folder.path().join(name)));
        fs_err::rename(&one.root, other.root.join("got")).unwrap();
        other.hears_of("got");
        one.hears(&Sighting::Root);
        // The one that took it in is faster than the one that has to begin anew.
        other.follow_all().unwrap();
        drop(one);
        other.write("got/sub/a");
        other.hears_of("got/sub/a");
    }

    #[test]
    fn a_removed_root_is_told_and_a_removed_folder_costs_nothing_more() {
        let folder = folders(&["root/sub"]);
        let watcher = Watcher::new(100);
        let root = Watched::new(&watcher, &folder.path().join("root"));
        fs_err::remove_dir(root.root.join("sub")).unwrap();
        root.hears_of("sub");
        assert_eq!(watcher.num_folders(), 1);
        fs_err::remove_dir(&root.root).unwrap();
        root.hears(&Sighting::Root);
        assert_eq!(watcher.num_folders(), 0);
    }

    #[test]
    fn lost_events_lead_to_a_scan_of_every_root() {
        let folder = folders(&["one", "other"]);
        let watcher = Watcher::new(100);
        let [one, other] = ["one", "other"].map(|name| Watched::new(&watcher, &folder.path().join(name)));
        watcher.overflow();
        one.hears(&Sighting::Anything);
        other.hears(&Sighting::Anything);
    }

    #[test]
    fn each_limit_on_watches_is_told_by_its_name_and_leaves_the_others_watched() {
        use rustix::io::Errno;
        let folder = folders(&["one", "other"]);
        let watcher = Watcher::new(2);
        let one = Watched::new(&watcher, &folder.path().join("one"));
        let other = watcher.watch(&folder.path().join("other"), Box::new(|_| {})).unwrap();
        for (errno, key) in [
            (Errno::NOSPC, "fs.inotify.max_user_watches"),
            (Errno::MFILE, "ulimit -n"),
            (Errno::NOMEM, "the system refuses"),
        ] {
            watcher.refuse_beyond(1, errno);
            let refused = other.follow("").unwrap_err();
            assert!(refused.to_string().contains(key), "{refused}");
        }
        watcher.refuse_beyond(100, Errno::NOSPC);
        other.follow("").unwrap();
        fs_err::create_dir(folder.path().join("other/sub")).unwrap();
        let full = other.follow("sub").unwrap_err();
        assert!(matches!(full, WatchError::Full { most: 2 }) && full.to_string().contains("limits.watched_folders"));
        // What is watched already may be followed again, and what ends makes room.
        one.watch.follow("").unwrap();
        one.write("a");
        one.hears_of("a");
        drop(one);
        other.follow("sub").unwrap();
    }
}
