//! How much memory this process has, where it is a reader of files: it may open nothing any more, so what says it is opened before.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::OnceLock;

use parking_lot::Mutex;

static SAYS: OnceLock<Mutex<fs_err::File>> = OnceLock::new();

/// Opens what says how much memory this process has.
pub(super) fn watch() {
    if let Ok(file) = fs_err::File::open("/proc/self/statm") {
        // Only set before, which is as good.
        let _ = SAYS.set(Mutex::new(file));
        // The size of a page is read from a file, too, when it is asked for first.
        let _ = resident_bytes();
    }
}

/// The memory of this reader process that resides, in bytes; `None` in every other process, where others take memory, too, and where
/// the system does not say.
pub(in crate::extract) fn resident_bytes() -> Option<u64> {
    let mut file = SAYS.get()?.lock();
    let mut numbers = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut numbers).ok()?;
    resident(&numbers)
}

/// The memory of a process that resides, in bytes; `None` where the system does not say.
pub(super) fn resident_bytes_of(id: u32) -> Option<u64> {
    resident(&fs_err::read_to_string(format!("/proc/{id}/statm")).ok()?)
}

fn resident(numbers: &str) -> Option<u64> {
    let pages: u64 = numbers.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_size())
}

#[cfg(unix)]
fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(not(unix))]
fn page_size() -> u64 {
    4096
}
