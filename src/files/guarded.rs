//! The files of a workspace, asked and read by [errands](Errands): a call that hangs is given up, and its file named.
//!
//! # Invariants
//! - Who asks for a file or reads one waits for no call that hangs: it fails with [`FilesError::Hangs`] or [`FilesError::PlaceHangs`],
//!   also where [`std::io`] stands between (see [`FilesError::hang_in`]).
//! - An open file at which a call was given up stays unreadable: nobody knows how far it was read.
//!
//! # Not here
//! Writes, deletions and renamings: nobody could say whether one that is given up still comes. Listings, watches and rules: a scan has
//! a thread of its own that can be left behind (`scheduler`).

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::errands::{Errands, Pulse};
use super::{
    Files, FilesError, Identity, Listing, NewFile, NotAdmitted, OpenFile, Stat, Tell, Version, Watch, WatchError,
    Watcher,
};
use crate::workspace::{RelPath, WorkspaceId};

/// How much is read in one call. The first block comes with the opening, so a small file takes one call.
const BLOCK_BYTES: u64 = 256 * 1024;
/// For how long what was said of a file behind its last byte counts as said now. Far less than a file system's clock may tick in.
const NOW: Duration = Duration::from_millis(10);

/// The files of a workspace, behind the guard.
#[derive(Debug)]
struct GuardedFiles {
    files: Arc<dyn Files>,
    errands: Errands,
    workspace: WorkspaceId,
    block_bytes: u64,
}

impl Errands {
    /// The files of a workspace so that no call that hangs holds up who asks for one.
    #[must_use]
    pub fn guard(&self, workspace: &WorkspaceId, files: Arc<dyn Files>) -> Arc<dyn Files> {
        self.guard_by_blocks(workspace, files, BLOCK_BYTES)
    }

    /// The same, with so much read in one call.
    pub(crate) fn guard_by_blocks(
        &self,
        workspace: &WorkspaceId,
        files: Arc<dyn Files>,
        block_bytes: u64,
    ) -> Arc<dyn Files> {
        Arc::new(GuardedFiles { files, errands: self.clone(), workspace: workspace.clone(), block_bytes })
    }
}

impl Files for GuardedFiles {
    fn list<'a>(
        &'a self,
        places: Option<&'a BTreeSet<RelPath>>,
        entering: &'a dyn Fn(&str),
    ) -> Result<Box<dyn Listing + 'a>, FilesError> {
        self.files.list(places, entering)
    }

    fn stat(&self, path: &RelPath) -> Result<Stat, FilesError> {
        let (files, asked) = (Arc::clone(&self.files), path.clone());
        self.errands.run(&self.workspace, path.as_str(), move |_| files.stat(&asked))?
    }

    fn stat_each(&self, paths: &[RelPath]) -> Vec<Result<Stat, FilesError>> {
        let files = Arc::clone(&self.files);
        self.errands.each(&self.workspace, paths, move |path| files.stat(path))
    }

    fn open(&self, path: &RelPath, version: Option<&Version>) -> Result<Box<dyn OpenFile>, FilesError> {
        let (files, asked, version) = (Arc::clone(&self.files), path.clone(), version.cloned());
        let block_bytes = self.block_bytes;
        let opened = self.errands.run(&self.workspace, path.as_str(), move |pulse| {
            let mut file = files.open(&asked, version.as_ref())?;
            pulse.beat();
            let block = Block::next(&mut *file, block_bytes);
            pulse.beat();
            let after = if block.is_last { file.stat_now().ok() } else { None };
            Ok::<_, FilesError>((file, block, after.map(|after| (after, Instant::now()))))
        });
        let (file, block, after) = opened??;
        Ok(Box::new(GuardedFile {
            stat: file.stat().clone(),
            file: Mutex::new(Some(file)),
            block,
            after: Mutex::new(after),
            errands: self.errands.clone(),
            workspace: self.workspace.clone(),
            path: path.clone(),
            block_bytes,
        }))
    }

    fn begin(&self, path: &RelPath) -> Result<Box<dyn NewFile>, FilesError> {
        self.files.begin(path)
    }

    fn delete(&self, path: &RelPath, version: Option<&Version>) -> Result<(), FilesError> {
        self.files.delete(path, version)
    }

    fn rename(&self, from: &RelPath, to: &RelPath) -> Result<(), FilesError> {
        self.files.rename(from, to)
    }

    fn make_folder(&self, path: &RelPath) -> Result<(), FilesError> {
        self.files.make_folder(path)
    }

    fn remove_folder(&self, path: &RelPath) -> Result<(), FilesError> {
        self.files.remove_folder(path)
    }

    fn folders(&self, at: Option<&RelPath>) -> Result<Vec<RelPath>, FilesError> {
        let (files, asked) = (Arc::clone(&self.files), at.cloned());
        let name = at.map_or("", RelPath::as_str);
        self.errands.run(&self.workspace, name, move |_| files.folders(asked.as_ref()))?
    }

    fn check(&self, path: &RelPath) -> Result<(), NotAdmitted> {
        self.files.check(path)
    }

    fn spelled(&self, path: &RelPath) -> RelPath {
        self.files.spelled(path)
    }

    fn watch(&self, watcher: &Watcher, tell: Tell) -> Result<Box<dyn Watch>, WatchError> {
        self.files.watch(watcher, tell)
    }

    fn identity(&self) -> Option<Identity> {
        self.files.identity()
    }

    fn tick_ns(&self) -> i64 {
        self.files.tick_ns()
    }
}

/// What was read of a file in one call.
#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    /// How many of them were taken.
    num_taken: usize,
    /// Whether nothing comes after it.
    is_last: bool,
    /// What the read ended with.
    error: Option<io::Error>,
}

impl Block {
    fn next(file: &mut dyn OpenFile, most: u64) -> Self {
        // One byte more than the file has, so that its end is seen in one read.
        let room = file.stat().fingerprint.size.saturating_add(1).min(most);
        let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        match (&mut *file).take(most).read_to_end(&mut bytes) {
            Ok(num_read) => Self { bytes, is_last: (num_read as u64) < most, ..Self::default() },
            Err(error) => Self { bytes, error: Some(error), ..Self::default() },
        }
    }

    fn left(&self) -> &[u8] {
        &self.bytes[self.num_taken..]
    }
}

/// An open file that is read block by block.
struct GuardedFile {
    stat: Stat,
    /// It is in the thread of a call meanwhile, and stays there where that hangs.
    file: Mutex<Option<Box<dyn OpenFile>>>,
    block: Block,
    /// What was said of it when its last byte was read with the opening, and when.
    after: Mutex<Option<(Stat, Instant)>>,
    errands: Errands,
    workspace: WorkspaceId,
    path: RelPath,
    block_bytes: u64,
}

impl fmt::Debug for GuardedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFile").field("path", &self.path).field("stat", &self.stat).finish_non_exhaustive()
    }
}

impl GuardedFile {
    fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut dyn OpenFile) -> T + Send + 'static,
    ) -> Result<T, FilesError> {
        let mut file = self.file.lock().take().ok_or(FilesError::Hangs { silent_s: 0 })?;
        let work = move |_: &Pulse| (call(&mut *file), file);
        let (value, file) = self.errands.run(&self.workspace, self.path.as_str(), work)?;
        *self.file.lock() = Some(file);
        Ok(value)
    }
}

impl Read for GuardedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.left().is_empty() {
            if let Some(error) = self.block.error.take() {
                return Err(error);
            }
            if self.block.is_last || buffer.is_empty() {
                return Ok(0);
            }
            let most = self.block_bytes;
            self.block = self.call(move |file| Block::next(file, most)).map_err(io::Error::other)?;
            if let (true, Some(error)) = (self.block.bytes.is_empty(), self.block.error.take()) {
                return Err(error);
            }
        }
        let num_taken = self.block.left().read(buffer)?;
        self.block.num_taken += num_taken;
        Ok(num_taken)
    }
}

impl Seek for GuardedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let ahead = i64::try_from(self.block.left().len()).unwrap_or(i64::MAX);
        let to = match to {
            SeekFrom::Current(by) => SeekFrom::Current(by.saturating_sub(ahead)),
            other => other,
        };
        let at = self.call(move |file| file.seek(to)).map_err(io::Error::other)??;
        self.block = Block::default();
        self.after.get_mut().take();
        Ok(at)
    }
}

impl OpenFile for GuardedFile {
    fn stat(&self) -> &Stat {
        &self.stat
    }

    fn stat_now(&self) -> Result<Stat, FilesError> {
        match self.after.lock().take() {
            Some((after, at)) if at.elapsed() < NOW => Ok(after),
            _ => self.call(|file| file.stat_now())?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryFiles;
    use super::*;
    use crate::files::Condition;
    use crate::files::gates::until;

    fn path() -> RelPath {
        "a.txt".parse().unwrap()
    }

    fn files(bytes: &[u8]) -> (MemoryFiles, Errands, Arc<dyn Files>) {
        let (files, errands) = (MemoryFiles::default(), Errands::default());
        let mut new = files.begin(&path()).unwrap();
        new.write(bytes).unwrap();
        new.put(&Condition::Any).unwrap();
        let guarded = errands.guard_by_blocks(&WorkspaceId::default(), Arc::new(files.clone()), 3);
        (files, errands, guarded)
    }

    #[test]
    fn a_guarded_file_is_where_the_reader_is_however_far_it_was_read_ahead() {
        let (plain, _, guarded) = files(b"abcdefghij");
        let mut both = [&plain as &dyn Files, &*guarded].map(|files| files.open(&path(), None).unwrap());
        for to in [
            SeekFrom::Current(0),
            SeekFrom::Current(1),
            SeekFrom::Start(7),
            SeekFrom::Current(-6),
            SeekFrom::End(-3),
            SeekFrom::Current(-20),
            SeekFrom::Start(0),
        ] {
            let seen = both.each_mut().map(|file| {
                let mut bytes = Vec::new();
                file.take(2).read_to_end(&mut bytes).unwrap();
                (bytes, file.seek(to).ok(), file.stream_position().ok())
            });
            assert_eq!(seen[0], seen[1], "{to:?}");
        }
    }

    /// A file of which the disk is broken after some bytes.
    #[derive(Debug)]
    struct Broken(Stat, usize);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.1 == 0 {
                return Err(io::Error::other("broken"));
            }
            self.1 -= 1;
            (&b"a"[..]).read(buffer)
        }
    }

    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Err(io::Error::other("broken"))
        }
    }

    impl OpenFile for Broken {
        fn stat(&self) -> &Stat {
            &self.0
        }

        fn stat_now(&self) -> Result<Stat, FilesError> {
            Ok(self.0.clone())
        }
    }

    #[test]
    fn what_is_before_an_error_is_read_and_then_the_error_comes() {
        let (plain, errands, _) = files(b"abcdefghij");
        let stat = plain.stat(&path()).unwrap();
        for num_good in 0..8 {
            let mut file = GuardedFile {
                stat: stat.clone(),
                file: Mutex::new(Some(Box::new(Broken(stat.clone(), num_good)))),
                block: Block::default(),
                after: Mutex::default(),
                errands: errands.clone(),
                workspace: WorkspaceId::default(),
                path: path(),
                block_bytes: 3,
            };
            let mut bytes = Vec::new();
            let error = file.read_to_end(&mut bytes).unwrap_err();
            assert_eq!((bytes.len(), error.to_string()), (num_good, "broken".to_owned()));
            assert!(FilesError::hang_in(error).is_err());
        }
    }

    #[test]
    fn an_open_file_that_hung_says_so_to_who_reads_it_and_stays_unreadable() {
        let (_, errands, guarded) = files(b"abcdefghij");
        let mut file = guarded.open(&path(), None).unwrap();
        errands.close("a.txt", 1);
        let mut bytes = Vec::new();
        let error = file.read_to_end(&mut bytes).unwrap_err();
        assert!(matches!(FilesError::hang_in(error), Ok(FilesError::Hangs { .. })) && bytes == b"abcdef");
        assert!(guarded.stat(&path()).unwrap_err().is_hang());
        let asked = guarded.stat_each(&[path(), "b.txt".parse().unwrap(), path()]);
        let kinds = asked.iter().map(|stat| stat.as_ref().is_err_and(FilesError::is_hang));
        assert_eq!(kinds.collect::<Vec<_>>(), [true, false, true]);
        errands.open("a.txt");
        until(|| errands.all_hanging().is_empty());
        assert!(file.stat_now().unwrap_err().is_hang() && file.rewind().is_err());
        file = guarded.open(&path(), None).unwrap();
        bytes.clear();
        assert_eq!((file.read_to_end(&mut bytes).unwrap(), &*bytes), (10, &b"abcdefghij"[..]));
    }
}
