//! The files of a workspace in a folder of a file system.

pub mod beneath;
mod leftovers;
pub(crate) mod rules;
pub(crate) mod walk;
pub(crate) mod watch;
pub(crate) mod write;

pub(crate) use beneath::{BeneathError, Folder, Kind, Meta};
pub(crate) use leftovers::sweep;

use crate::store::Fingerprint;

/// What the system says of a file, for a scan to compare.
pub(crate) const fn fingerprint(meta: &Meta) -> Fingerprint {
    Fingerprint { size: meta.size, modified_ns: meta.modified_ns, changed_ns: meta.changed_ns, inode: meta.inode }
}
