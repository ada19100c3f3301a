//! Files in memory, as an object store has them: keys without folders, a tag for each write, and listings by key that go on behind the
//! last one. It stands in tests alone, beside the folder, so that the trait asks for nothing that only a folder can do.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{
    Condition, Entry, Files, FilesError, Identity, Listing, NewFile, NotAdmitted, OpenFile, Page, RuleLimits, Sighting,
    Stat, Tell, Version, Watch, WatchError, Watcher,
};
use crate::store::Fingerprint;
use crate::workspace::{RelPath, common_spelling, composed};

/// Keys of a page.
const PAGE_KEYS: usize = 3;

/// A place in memory. Clones are the same place.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryFiles(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<RelPath, Object>,
    num_writes: u64,
    is_away: bool,
    watches: BTreeMap<u64, Tell>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("objects", &self.objects.keys()).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Arc<[u8]>,
    tag: u64,
}

impl Object {
    fn stat(&self) -> Stat {
        let tag = self.tag.cast_signed();
        let fingerprint = Fingerprint { size: self.bytes.len() as u64, modified_ns: tag, changed_ns: tag, inode: 0 };
        Stat { fingerprint, version: Version::new(format!("\"{}\"", self.tag).into_bytes()) }
    }
}

impl State {
    fn here(&self) -> Result<(), FilesError> {
        if self.is_away { Err(FilesError::Away(io::ErrorKind::NotConnected.into())) } else { Ok(()) }
    }

    fn object(&self, path: &RelPath) -> Result<&Object, FilesError> {
        self.here()?;
        let below = format!("{path}/");
        let is_prefix = || self.objects.keys().any(|key| key.as_str().starts_with(&below));
        match self.objects.get(path) {
            Some(object) => Ok(object),
            None if is_prefix() => Err(FilesError::Folder { path: path.clone() }),
            None => Err(FilesError::NotFound { path: path.clone() }),
        }
    }

    fn tell(&self, path: &RelPath) {
        for tell in self.watches.values() {
            tell(Sighting::Places([path.clone()].into()));
        }
    }
}

impl MemoryFiles {
    /// From now on nothing can be reached.
    pub(crate) fn leave(&self) {
        self.0.lock().is_away = true;
    }
}

impl Files for MemoryFiles {
    fn list<'a>(
        &'a self,
        places: Option<&'a BTreeSet<RelPath>>,
        entering: &'a dyn Fn(&str),
    ) -> Result<Box<dyn Listing + 'a>, FilesError> {
        self.0.lock().here()?;
        entering("");
        Ok(Box::new(Keys { files: self, places, after: None }))
    }

    fn stat(&self, path: &RelPath) -> Result<Stat, FilesError> {
        self.0.lock().object(path).map(Object::stat)
    }

    fn open(&self, path: &RelPath, version: Option<&Version>) -> Result<Box<dyn OpenFile>, FilesError> {
        let object = self.0.lock().object(path)?.clone();
        let stat = object.stat();
        if version.is_some_and(|version| *version != stat.version) {
            return Err(FilesError::OtherVersion { path: path.clone() });
        }
        Ok(Box::new(OpenObject { bytes: Cursor::new(object.bytes), stat }))
    }

    fn begin(&self, path: &RelPath) -> Result<Box<dyn NewFile>, FilesError> {
        self.0.lock().here()?;
        Ok(Box::new(NewObject { files: self.clone(), path: path.clone(), bytes: Vec::new() }))
    }

    fn delete(&self, path: &RelPath, version: Option<&Version>) -> Result<(), FilesError> {
        let mut state = self.0.lock();
        let now = state.object(path)?.stat().version;
        if version.is_some_and(|version| *version != now) {
            return Err(FilesError::OtherVersion { path: path.clone() });
        }
        state.objects.remove(path);
        state.tell(path);
        Ok(())
    }

    fn rename(&self, from: &RelPath, to: &RelPath) -> Result<(), FilesError> {
        let mut state = self.0.lock();
        let bytes = Arc::clone(&state.object(from)?.bytes);
        state.num_writes += 1;
        let tag = state.num_writes;
        state.objects.insert(to.clone(), Object { bytes, tag });
        state.objects.remove(from);
        state.tell(from);
        state.tell(to);
        Ok(())
    }

    fn make_folder(&self, path: &RelPath) -> Result<(), FilesError> {
        let state = self.0.lock();
        state.here()?;
        let ends = path.as_str().match_indices('/').map(|(end, _)| end).chain([path.as_str().len()]);
        let way = ends.filter_map(|end| path.as_str()[..end].parse::<RelPath>().ok());
        match way.into_iter().find(|folder| state.objects.contains_key(folder)) {
            Some(_) => Err(FilesError::NotAFile { path: path.clone() }),
            None => Ok(()),
        }
    }

    fn remove_folder(&self, _: &RelPath) -> Result<(), FilesError> {
        self.0.lock().here()
    }

    fn folders(&self, at: Option<&RelPath>) -> Result<Vec<RelPath>, FilesError> {
        let state = self.0.lock();
        state.here()?;
        let prefix = at.map(|at| format!("{at}/")).unwrap_or_default();
        let below = state.objects.keys().filter_map(|key| key.as_str().strip_prefix(&prefix)?.split_once('/'));
        let names: BTreeSet<&str> = below.map(|(name, _)| name).collect();
        let paths = names.into_iter().filter_map(|name| format!("{prefix}{name}").parse().ok());
        Ok(paths.filter(|path| self.admits(path)).collect())
    }

    fn check(&self, path: &RelPath) -> Result<(), NotAdmitted> {
        let (num_parts, max) = (path.as_str().split('/').count() as u64, RuleLimits::default().path_parts);
        if num_parts > max {
            return Err(NotAdmitted::TooDeep { num_parts, max });
        }
        let is_hidden = path.as_str().split('/').any(|part| part.starts_with('.'));
        if is_hidden { Err(NotAdmitted::PassedOver) } else { Ok(()) }
    }

    fn spelled(&self, path: &RelPath) -> RelPath {
        let state = self.0.lock();
        if state.objects.contains_key(path) {
            return path.clone();
        }
        let wanted = common_spelling(path.as_str());
        let other = state.objects.keys().find(|key| common_spelling(key.as_str()) == wanted);
        other.cloned().unwrap_or_else(|| composed(path.as_str()).parse().unwrap())
    }

    fn watch(&self, _: &Watcher, tell: Tell) -> Result<Box<dyn Watch>, WatchError> {
        let mut state = self.0.lock();
        let number = state.watches.keys().last().map_or(0, |last| last + 1);
        state.watches.insert(number, tell);
        Ok(Box::new(KeysWatch { files: self.clone(), number }))
    }

    fn identity(&self) -> Option<Identity> {
        (!self.0.lock().is_away).then(|| Identity("memory".to_owned()))
    }

    fn tick_ns(&self) -> i64 {
        0
    }
}

/// A listing: nothing of it is held but the last key.
struct Keys<'a> {
    files: &'a MemoryFiles,
    places: Option<&'a BTreeSet<RelPath>>,
    after: Option<RelPath>,
}

impl Listing for Keys<'_> {
    fn next_page(&mut self) -> Result<Option<Page>, FilesError> {
        let state = self.files.0.lock();
        state.here()?;
        let after = self.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let keys = state.objects.range::<RelPath, _>((after, Bound::Unbounded)).take(PAGE_KEYS);
        let keys: Vec<(&RelPath, &Object)> = keys.collect();
        let Some((last, _)) = keys.last() else { return Ok(None) };
        let last = (*last).clone();
        let is_asked = |path: &RelPath| {
            self.places.is_none_or(|places| {
                let is_below = |place: &RelPath| path.as_str().starts_with(&format!("{place}/"));
                places.iter().any(|place| place == path || is_below(place))
            })
        };
        let files = keys.into_iter().filter(|(path, _)| is_asked(path) && self.files.admits(path));
        let files = files.map(|(path, object)| Entry { path: path.clone(), stat: object.stat() }).collect();
        self.after = Some(last);
        Ok(Some(Page { files, ..Page::default() }))
    }
}

#[derive(Debug)]
struct OpenObject {
    bytes: Cursor<Arc<[u8]>>,
    stat: Stat,
}

impl Read for OpenObject {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl Seek for OpenObject {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl OpenFile for OpenObject {
    fn stat(&self) -> &Stat {
        &self.stat
    }

    /// One version of an object never changes.
    fn stat_now(&self) -> Result<Stat, FilesError> {
        Ok(self.stat.clone())
    }
}

#[derive(Debug)]
struct NewObject {
    files: MemoryFiles,
    path: RelPath,
    bytes: Vec<u8>,
}

impl NewFile for NewObject {
    fn write(&mut self, bytes: &[u8]) -> Result<(), FilesError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn prepare(&mut self) -> Result<(), FilesError> {
        Ok(())
    }

    fn put(self: Box<Self>, condition: &Condition) -> Result<Stat, FilesError> {
        let Self { files, path, bytes } = *self;
        let mut state = files.0.lock();
        state.here()?;
        match (condition, state.objects.get(&path)) {
            (Condition::Absent, Some(_)) => return Err(FilesError::Exists { path }),
            (Condition::Is(version), now) if now.is_none_or(|now| now.stat().version != *version) => {
                return Err(FilesError::OtherVersion { path });
            }
            _ => {}
        }
        state.num_writes += 1;
        let object = Object { bytes: bytes.into(), tag: state.num_writes };
        let stat = object.stat();
        state.objects.insert(path.clone(), object);
        state.tell(&path);
        Ok(stat)
    }
}

struct KeysWatch {
    files: MemoryFiles,
    number: u64,
}

impl Watch for KeysWatch {
    fn follow(&self, _: &str) -> Result<(), WatchError> {
        Ok(())
    }
}

impl Drop for KeysWatch {
    fn drop(&mut self) {
        self.files.0.lock().watches.remove(&self.number);
    }
}
