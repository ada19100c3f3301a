//! The folder of the postings as tests have it: each step of a commit or a merge on disk is a failpoint.

use std::path::Path;
use std::sync::Arc;

use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr};

use crate::failpoint;

#[derive(Debug, Clone)]
pub(super) struct Stepping(pub MmapDirectory);

impl Directory for Stepping {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.0.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        failpoint::reach("postings: a file that no commit names is about to go");
        self.0.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.0.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        failpoint::reach("postings: a file is about to be written");
        self.0.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.0.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> std::io::Result<()> {
        let is_commit = path == Path::new("meta.json");
        failpoint::reach(if is_commit {
            "postings: about to name the files"
        } else {
            "postings: about to list the files"
        });
        self.0.atomic_write(path, data)?;
        failpoint::reach(if is_commit { "postings: the files are named" } else { "postings: the files are listed" });
        Ok(())
    }

    fn sync_directory(&self) -> std::io::Result<()> {
        failpoint::reach("postings: about to make the folder durable");
        self.0.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.0.acquire_lock(lock)
    }

    fn watch(&self, watch_callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.0.watch(watch_callback)
    }
}
