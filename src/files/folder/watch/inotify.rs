//! The watch on Linux: one inotify instance and one thread for all workspaces.
//!
//! The kernel has one watch for each inode, so a folder that lies in two roots (one inside the other, or by a mount) has one descriptor
//! with two owners. A watch stays with its inode when the folder is renamed, so a folder that is moved away is let go, and watched
//! again where it is found.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::io::{PipeReader, PipeWriter};
use std::mem::MaybeUninit;
use std::ops::Bound;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::{DEBOUNCE, Seen};
use crate::files::{Tell, Watch, WatchError};
use crate::workspace::RelPath;

/// Bytes of events that are read at once: some hundreds of them.
const BUFFER_BYTES: usize = 64 * 1024;
/// A folder that other threads let go of just now is watched again; more often than this they do not meet.
const MAX_MEETINGS: usize = 8;

/// Watches the folders of all workspaces. Clones are the same watcher.
#[derive(Clone)]
pub struct Watcher(Arc<Shared>);

struct Shared {
    most: usize,
    /// Opened at first need, and again where it could not be.
    open: Mutex<Option<Open>>,
}

struct Open {
    eye: Arc<Eye>,
    thread: JoinHandle<()>,
    /// Closed to end the thread.
    ends: PipeWriter,
}

impl Watcher {
    /// A watcher of so many folders at the most.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, open: Mutex::default() }))
    }

    /// Begins to watch below `root`, which is canonical: each folder from when it is followed. `tell` is called on
    /// the watcher's thread, and must not wait.
    ///
    /// # Errors
    /// When the system has no inotify instance, descriptor or thread left.
    pub fn watch(&self, root: &Path, tell: Tell) -> Result<FolderWatch, WatchError> {
        let mut open = self.0.open.lock();
        let eye = match open.as_ref().filter(|open| !open.thread.is_finished()) {
            Some(open) => Arc::clone(&open.eye),
            None => Arc::clone(&open.insert(Open::begin(self.0.most)?).eye),
        };
        let mut state = eye.state();
        let number = state.next_number;
        state.next_number += 1;
        state.roots.insert(number, Root { folders: BTreeMap::new(), tell, seen: Seen::default() });
        drop(state);
        Ok(FolderWatch { eye, number, root: root.to_owned() })
    }

    /// How many folders are watched.
    #[cfg(test)]
    pub(super) fn num_folders(&self) -> usize {
        self.0.open.lock().as_ref().map_or(0, |open| open.eye.state().owners.len())
    }

    /// Has the system refuse more than so many watches from now on.
    #[cfg(test)]
    pub(super) fn refuse_beyond(&self, num_folders: usize, errno: Errno) {
        if let Some(open) = &*self.0.open.lock() {
            open.eye.state().refuses = Some((num_folders, errno));
        }
    }

    /// Takes an event that says that others were lost.
    #[cfg(test)]
    pub(super) fn overflow(&self) {
        if let Some(open) = &*self.0.open.lock() {
            let mut state = open.eye.state();
            state.take(-1, ReadFlags::QUEUE_OVERFLOW, None);
            state.tell_all();
        }
    }

    /// Ends the watch on all folders, and its thread.
    pub fn end(&self) {
        if let Some(Open { thread, ends, .. }) = self.0.open.lock().take() {
            drop(ends);
            // A panic was told where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(Open { ends, .. }) = self.open.lock().take() {
            drop(ends);
        }
    }
}

impl Open {
    fn begin(most: usize) -> Result<Self, WatchError> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(of_instance)?;
        let (end, ends) =
            std::io::pipe().map_err(|error| of_watch(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        let eye = Arc::new(Eye { inotify, most, state: Mutex::default() });
        let seen = Arc::clone(&eye);
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || seen.run(&end));
        Ok(Self { eye, thread: thread.map_err(|error| WatchError::Refused(error.to_string()))?, ends })
    }
}

/// The watch on one root; it ends when it is dropped.
pub struct FolderWatch {
    eye: Arc<Eye>,
    number: u64,
    root: PathBuf,
}

impl Watch for FolderWatch {
    fn follow(&self, folder: &str) -> Result<(), WatchError> {
        let path = if folder.is_empty() { self.root.clone() } else { self.root.join(folder) };
        self.eye.follow(self.number, folder, &path)
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        let mut state = self.eye.state();
        let Some(root) = state.roots.remove(&self.number) else { return };
        for (folder, descriptor) in root.folders {
            if state.disown(self.number, &folder, descriptor) {
                self.eye.let_go(descriptor);
            }
        }
    }
}

/// What the thread and those that follow share.
struct Eye {
    inotify: OwnedFd,
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next_number: u64,
    roots: HashMap<u64, Root>,
    /// The folders that each descriptor stands for.
    owners: HashMap<i32, Vec<(u64, Arc<str>)>>,
    /// How often a descriptor was let go, by us or by the system.
    num_gone: u64,
    #[cfg(test)]
    refuses: Option<(usize, Errno)>,
}

struct Root {
    folders: BTreeMap<Arc<str>, i32>,
    tell: Tell,
    seen: Seen,
}

impl Eye {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn follow(&self, number: u64, folder: &str, path: &Path) -> Result<(), WatchError> {
        for meeting in 1..=MAX_MEETINGS {
            let num_gone = {
                let state = self.state();
                let is_known = state.roots.get(&number).is_some_and(|root| root.folders.contains_key(folder));
                if !is_known && state.owners.len() >= self.most {
                    return Err(WatchError::Full { most: self.most });
                }
                #[cfg(test)]
                if let Some((num_folders, errno)) = state.refuses
                    && !is_known
                    && state.owners.len() >= num_folders
                {
                    return Err(of_watch(errno));
                }
                state.num_gone
            };
            // Not under the lock: this may wait for a file system.
            let descriptor = match inotify::add_watch(&self.inotify, path, mask()) {
                Ok(descriptor) => descriptor,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP | Errno::NAMETOOLONG)
                    if !folder.is_empty() =>
                {
                    return Ok(());
                }
                Err(errno) => return Err(of_watch(errno)),
            };
            let mut state = self.state();
            // The descriptor may be of an owner that let go of it in between.
            if state.num_gone == num_gone || meeting == MAX_MEETINGS {
                if let Some(former) = state.own(number, folder, descriptor) {
                    self.let_go(former);
                }
                return Ok(());
            }
        }
        Ok(())
    }

    fn let_go(&self, descriptor: i32) {
        // The system may have let go of it already.
        let _ = inotify::remove_watch(&self.inotify, descriptor);
    }

    /// Reads what the system tells until `end` is closed.
    fn run(&self, end: &PipeReader) {
        let mut buffer = vec![MaybeUninit::<u8>::uninit(); BUFFER_BYTES];
        let mut told_at: Option<Instant> = None;
        loop {
            let timeout = told_at.map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
            let mut polled = [PollFd::new(&self.inotify, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
            match poll(&mut polled, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "the system's events cannot be waited for: all folders are watched anew");
                    let mut state = self.state();
                    state.roots.values_mut().for_each(|root| root.seen.is_root = true);
                    state.tell_all();
                    return;
                }
            }
            let [events, ends] = polled.map(|polled| !polled.revents().is_empty());
            if ends {
                return;
            }
            if events {
                self.read(&mut buffer);
                told_at = told_at.or_else(|| Some(Instant::now() + DEBOUNCE));
            }
            if told_at.is_some_and(|at| at <= Instant::now()) {
                told_at = None;
                self.state().tell_all();
            }
        }
    }

    /// Takes note of what fits into the buffer.
    fn read(&self, buffer: &mut [MaybeUninit<u8>]) {
        let mut state = self.state();
        let mut reader = Reader::new(&self.inotify, buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    for gone in state.take(event.wd(), event.events(), name) {
                        self.let_go(gone);
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(error) => {
                    tracing::warn!(%error, "the system's events cannot be read: all folders are scanned");
                    state.lose_all();
                    return;
                }
            }
            if reader.is_buffer_empty() {
                return;
            }
        }
    }
}

impl State {
    /// Takes note of an event, and returns the descriptors that nobody owns any more.
    fn take(&mut self, descriptor: i32, events: ReadFlags, name: Option<&OsStr>) -> Vec<i32> {
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            tracing::info!("the system's events were lost: all folders are scanned");
            self.lose_all();
            return Vec::new();
        }
        let is_gone = events.contains(ReadFlags::IGNORED);
        let owners = if is_gone {
            self.num_gone += 1;
            self.owners.remove(&descriptor).unwrap_or_default()
        } else {
            self.owners.get(&descriptor).cloned().unwrap_or_default()
        };
        let is_folder = events.contains(ReadFlags::ISDIR);
        let mut unowned = Vec::new();
        for (number, folder) in owners {
            let Some(root) = self.roots.get_mut(&number) else { continue };
            if is_gone && root.folders.get(&folder) == Some(&descriptor) {
                root.folders.remove(&folder);
            }
            let Some(name) = name else {
                let leaves = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT | ReadFlags::IGNORED;
                match folder.parse::<RelPath>() {
                    Ok(folder) => root.seen.add(&folder, true),
                    // The root.
                    Err(_) if events.intersects(leaves) => root.seen.is_root = true,
                    Err(_) => root.seen.is_anything = true,
                }
                continue;
            };
            // What has no name that a file of a workspace can have is none.
            let Some(path) = name.to_str().and_then(|name| below(&folder, name).parse::<RelPath>().ok()) else {
                continue;
            };
            root.seen.add(&path, is_folder);
            if is_folder && events.contains(ReadFlags::MOVED_FROM) {
                unowned.extend(self.forget(number, path.as_str()));
            }
        }
        unowned
    }

    /// Makes a descriptor stand for a folder, and returns the one that did so before and that nobody owns any more.
    fn own(&mut self, number: u64, folder: &str, descriptor: i32) -> Option<i32> {
        let Some(root) = self.roots.get_mut(&number) else {
            return (!self.owners.contains_key(&descriptor)).then_some(descriptor);
        };
        let folder: Arc<str> =
            root.folders.get_key_value(folder).map_or_else(|| folder.into(), |(known, _)| Arc::clone(known));
        let former = root.folders.insert(Arc::clone(&folder), descriptor);
        if former == Some(descriptor) {
            return None;
        }
        self.owners.entry(descriptor).or_default().push((number, Arc::clone(&folder)));
        former.filter(|&former| self.disown(number, &folder, former))
    }

    /// Takes a folder off a descriptor, and returns whether nobody owns that any more.
    fn disown(&mut self, number: u64, folder: &str, descriptor: i32) -> bool {
        let Some(owners) = self.owners.get_mut(&descriptor) else { return false };
        owners.retain(|(of, owned)| *of != number || **owned != *folder);
        let is_unowned = owners.is_empty();
        if is_unowned {
            self.owners.remove(&descriptor);
            self.num_gone += 1;
        }
        is_unowned
    }

    /// Forgets a folder and those below it, and returns the descriptors that nobody owns any more.
    fn forget(&mut self, number: u64, folder: &str) -> Vec<i32> {
        let Some(root) = self.roots.get_mut(&number) else { return Vec::new() };
        let beginning = format!("{folder}/");
        let inside = root.folders.range::<str, _>((Bound::Included(beginning.as_str()), Bound::Unbounded));
        let inside = inside.map(|(folder, _)| folder).take_while(|inside| inside.starts_with(&beginning));
        let all: Vec<Arc<str>> = inside.cloned().chain([folder.into()]).collect();
        let mut unowned = Vec::new();
        for folder in all {
            let descriptor = self.roots.get_mut(&number).and_then(|root| root.folders.remove(&folder));
            unowned.extend(descriptor.filter(|&descriptor| self.disown(number, &folder, descriptor)));
        }
        unowned
    }

    fn lose_all(&mut self) {
        self.roots.values_mut().for_each(|root| root.seen.is_anything = true);
    }

    fn tell_all(&mut self) {
        for root in self.roots.values_mut() {
            if let Some(sighting) = root.seen.take() {
                (root.tell)(sighting);
            }
        }
    }
}

/// What is told of each folder. Reading is not: it changes nothing.
fn mask() -> WatchFlags {
    WatchFlags::ATTRIB
        | WatchFlags::CREATE
        | WatchFlags::MODIFY
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR
        | WatchFlags::DONT_FOLLOW
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Why there is no inotify instance. The system has one number for two limits: where another file can be opened, it is not that on files.
fn of_instance(errno: Errno) -> WatchError {
    match errno {
        Errno::MFILE if std::fs::File::open("/").is_ok() => WatchError::Instances,
        other => of_watch(other),
    }
}

/// Why a folder is not watched.
pub(super) fn of_watch(errno: Errno) -> WatchError {
    match errno {
        Errno::NOSPC => WatchError::Watches,
        Errno::MFILE => WatchError::Descriptors,
        other => WatchError::Refused(other.to_string()),
    }
}
