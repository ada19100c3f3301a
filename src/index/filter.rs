//! Which chunks a query may see: conditions on files, decided once for each file, and conditions on the chunk's own words. Both legs
//! ask before anything is ranked.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::analyzer::Phrase;
use crate::extract::Format;
use crate::workspace::{RelPath, common_spelling};

/// A condition on the path of a file that an index can keep as fields of its own: the path, the folders above the file, its name and its
/// extension, all in the [common spelling](common_spelling).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathTest {
    /// The path is this one.
    Is(String),
    /// The file is in this folder or in one below it. The workspace's own folder has the empty name.
    Below(String),
    /// A folder of this name is above the file, at any depth.
    UnderName(String),
    /// The file has this name, in any folder.
    Named(String),
    /// The file's name has this extension: the part behind its last dot.
    Extension(String),
}

impl PathTest {
    /// Whether a path in the common spelling meets it.
    #[must_use]
    pub fn admits(&self, path: &str) -> bool {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self {
            Self::Is(wanted) => path == wanted,
            Self::Below(folder) => {
                folder.is_empty() || path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            Self::UnderName(wanted) => folders.split('/').any(|folder| folder == wanted),
            Self::Named(wanted) => name == wanted,
            Self::Extension(wanted) => name.rsplit_once('.').is_some_and(|(_, extension)| extension == wanted),
        }
    }
}

/// Conditions that a chunk and its file must meet, all of them. The default lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The path meets one condition of each of these lists.
    pub paths: Vec<Vec<PathTest>>,
    /// The path meets none of these conditions.
    pub other_paths: Vec<PathTest>,
    /// The file itself is one of these: the store decided which files match the globs of a query.
    pub matching: Option<Arc<HashSet<RelPath>>>,
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
    /// What the chunk holds and does not hold.
    pub words: WordConditions,
}

/// Conditions on the words of a chunk, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WordConditions {
    /// The chunk holds each of these.
    pub required: Vec<Holding>,
    /// The chunk holds none of these.
    pub excluded: Vec<Holding>,
}

impl WordConditions {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.required.is_empty() && self.excluded.is_empty()
    }
}

/// Something that a chunk holds or not: in its own words, its headings, its document's title or its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holding {
    /// A word in any of its forms, as the languages of the snapshot stem it.
    Word(String),
    /// A word that begins so, in small letters.
    Prefix(String),
    /// Words side by side as written, in small or capital letters.
    Phrase(Phrase),
}

impl Filter {
    /// Whether every chunk passes, so that nothing has to be looked at.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.admits_all_files() && self.words.is_empty()
    }

    /// Whether every file passes; some of its chunks may not.
    #[must_use]
    pub fn admits_all_files(&self) -> bool {
        self.paths.is_empty()
            && self.other_paths.is_empty()
            && self.matching.is_none()
            && self.formats.is_none()
            && self.modified_from_ms.is_none()
            && self.modified_until_ms.is_none()
            && self.hidden.is_empty()
            && self.only.is_none()
    }

    /// Whether a path passes the conditions on paths.
    #[must_use]
    pub fn admits_path(&self, path: &str) -> bool {
        self.admits_name(path)
            && !self.hides(path)
            && self.matching.as_ref().is_none_or(|matching| matching.contains(path))
            && self.only.as_ref().is_none_or(|only| itself_and_above(path).any(|path| only.contains(path)))
    }

    fn admits_name(&self, path: &str) -> bool {
        if self.paths.is_empty() && self.other_paths.is_empty() {
            return true;
        }
        let path = common_spelling(path);
        let admits = |test: &PathTest| test.admits(&path);
        self.paths.iter().all(|tests| tests.iter().any(admits)) && !self.other_paths.iter().any(admits)
    }

    /// Both filters at once: what passes, passes each of them.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.paths.extend(other.paths);
        self.other_paths.extend(other.other_paths);
        self.formats = match (self.formats, other.formats) {
            (Some(formats), Some(others)) => Some(formats.intersection(&others).copied().collect()),
            (formats, others) => formats.or(others),
        };
        self.modified_from_ms = self.modified_from_ms.max(other.modified_from_ms);
        self.modified_until_ms = match (self.modified_until_ms, other.modified_until_ms) {
            (Some(until), Some(other)) => Some(until.min(other)),
            (until, other) => until.or(other),
        };
        self.hidden.extend(other.hidden);
        let both = |one: Option<Arc<HashSet<RelPath>>>, other: Option<Arc<HashSet<RelPath>>>| match (one, other) {
            (Some(one), Some(other)) => Some(Arc::new(one.intersection(&other).cloned().collect())),
            (one, other) => one.or(other),
        };
        self.matching = both(self.matching, other.matching);
        self.only = both(self.only, other.only);
        self.words.required.extend(other.words.required);
        self.words.excluded.extend(other.words.excluded);
        self
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

    /// Whether a file passes all conditions on files.
    #[must_use]
    pub fn admits(&self, path: &str, format: Format, modified_ms: i64) -> bool {
        self.admits_path(path) && self.admits_format(format) && self.admits_modified(modified_ms)
    }
}

/// A path, and then everything that it lies in.
fn itself_and_above(path: &str) -> impl Iterator<Item = &str> {
    [path].into_iter().chain(path.rmatch_indices('/').map(|(end, _)| &path[..end]))
}
