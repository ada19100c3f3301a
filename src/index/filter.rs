//! Which files a query may see, decided per file and asked by both legs before anything is ranked.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use globset::GlobSet;

use crate::extract::Format;
use crate::workspace::RelPath;

/// Conditions that a chunk's file must meet, all of them. The default lets everything pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The path matches one of these.
    pub paths: Option<Arc<GlobSet>>,
    /// The format is one of these.
    pub formats: Option<BTreeSet<Format>>,
    /// Modified at this time or later, in milliseconds since 1970.
    pub modified_from_ms: Option<i64>,
    /// Modified before this time, in milliseconds since 1970.
    pub modified_until_ms: Option<i64>,
    /// Files that are deleted or replaced in the log but not yet in the index, and with each the files inside it.
    pub hidden: BTreeSet<RelPath>,
    /// The file is one of these, or inside one of them.
    pub only: Option<Arc<HashSet<RelPath>>>,
}

impl Filter {
    /// Whether every file passes, so that nothing has to be looked at.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.paths.is_none()
            && self.formats.is_none()
            && self.modified_from_ms.is_none()
            && self.modified_until_ms.is_none()
            && self.hidden.is_empty()
            && self.only.is_none()
    }

    /// Whether `other` lets the same files pass, as far as that can be told at once: globs are the same when they were
    /// compiled together.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let same_paths = match (&self.paths, &other.paths) {
            (Some(paths), Some(others)) => Arc::ptr_eq(paths, others),
            (None, None) => true,
            _ => false,
        };
        same_paths
            && self.formats == other.formats
            && self.modified_from_ms == other.modified_from_ms
            && self.modified_until_ms == other.modified_until_ms
            && self.hidden == other.hidden
            && self.only == other.only
    }

    /// Whether a path passes the conditions on paths.
    #[must_use]
    pub fn admits_path(&self, path: &str) -> bool {
        self.paths.as_ref().is_none_or(|globs| globs.is_match(path))
            && !self.hides(path)
            && self.only.as_ref().is_none_or(|only| itself_and_above(path).any(|path| only.contains(path)))
    }

    fn hides(&self, path: &str) -> bool {
        !self.hidden.is_empty() && itself_and_above(path).any(|path| self.hidden.contains(path))
    }

    /// Whether a format passes.
    #[must_use]
    pub fn admits_format(&self, format: Format) -> bool {
        self.formats.as_ref().is_none_or(|formats| formats.contains(&format))
    }

    /// Whether a modification time passes.
    #[must_use]
    pub fn admits_modified(&self, modified_ms: i64) -> bool {
        self.modified_from_ms.is_none_or(|from| modified_ms >= from)
            && self.modified_until_ms.is_none_or(|until| modified_ms < until)
    }

    /// Whether a file passes all conditions.
    #[must_use]
    pub fn admits(&self, path: &str, format: Format, modified_ms: i64) -> bool {
        self.admits_path(path) && self.admits_format(format) && self.admits_modified(modified_ms)
    }
}

/// A path, and then everything that it lies in.
fn itself_and_above(path: &str) -> impl Iterator<Item = &str> {
    [path].into_iter().chain(path.rmatch_indices('/').map(|(end, _)| &path[..end]))
}
