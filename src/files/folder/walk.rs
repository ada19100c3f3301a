//! The walk through a workspace's folder: what belongs to it, by the rules of [`super::rules`].
//!
//! # Invariants
//! - Each folder is opened beneath the held root, and listed as it was opened; a folder that becomes a link meanwhile is passed over.
//! - As few folders are open as one walk needs: the root, and the one that is looked at. In memory are the names of that one, the paths
//!   of folders that are still to be listed, and a page.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use super::beneath::{BeneathError, Folder, Kind};
use super::rules::{Rules, is_data_folder, joined, shown, told};
use super::write::TEMPORARY_PREFIX;
use super::{as_io, leftovers, stat};
use crate::files::{Entry, FilesError, Listing, Page, RuleLimits, Unlisted};
use crate::workspace::RelPath;

/// A page has so many files at the most, and may have more problems. In tests each listing has several.
const PAGE_FILES: usize = if cfg!(test) { 3 } else { 256 };

/// A walk through what belongs to the workspace: everything, or `places` and what is below them.
pub(super) struct Walk<'a> {
    root: Folder,
    places: Option<&'a BTreeSet<RelPath>>,
    limits: &'a RuleLimits,
    entering: &'a dyn Fn(&str),
    /// Folders that are still to be listed, with the rules of those above them.
    waiting: Vec<(String, Arc<Rules>)>,
    at: Option<Inside>,
}

/// The folder that is looked at.
struct Inside {
    path: String,
    folder: Folder,
    /// What is left of it.
    names: std::vec::IntoIter<(OsString, Option<Kind>)>,
    rules: Arc<Rules>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        root: Folder,
        places: Option<&'a BTreeSet<RelPath>>,
        limits: &'a RuleLimits,
        entering: &'a dyn Fn(&str),
    ) -> Self {
        let waiting = vec![(String::new(), Arc::<Rules>::default())];
        Self { root, places, limits, entering, waiting, at: None }
    }

    /// The folders directly in one, by path, that the walk goes into. None where the walk does not go into that one.
    pub(super) fn folders_in(mut self, at: &str) -> Result<Vec<RelPath>, FilesError> {
        while let Some((path, above)) = self.waiting.pop() {
            let mut page = Page::default();
            let Some(mut inside) = self.enter(path, &above, &mut page)? else { continue };
            for name in std::mem::take(&mut inside.names) {
                self.look(&inside, name, &mut page);
            }
            if inside.path == at {
                let mut folders: Vec<RelPath> = self.waiting.iter().filter_map(|(path, _)| path.parse().ok()).collect();
                folders.sort();
                return Ok(folders);
            }
        }
        Ok(Vec::new())
    }

    /// Lists a folder; `None` where it is passed over.
    fn enter(&self, path: String, above: &Arc<Rules>, page: &mut Page) -> Result<Option<Inside>, FilesError> {
        let is_root = path.is_empty();
        let opened = self.root.folder(&path).and_then(|folder| {
            (self.entering)(&path);
            folder.names().map(|names| (folder, names))
        });
        let (folder, names) = match opened {
            Ok(opened) => opened,
            Err(error) if is_root => return Err(FilesError::Away(as_io(error))),
            // It went, or something else took its place.
            Err(BeneathError::Missing | BeneathError::Link | BeneathError::NotAFolder) => return Ok(None),
            Err(error) => {
                page.problems.push(format!("`{path}` cannot be listed: {}", told(&error)));
                page.unlisted.push(Unlisted { place: path, is_denied: is_denied(&error) });
                return Ok(None);
            }
        };
        let has = |wanted: &str| names.iter().any(|(name, _)| **name == *wanted);
        if !is_root && is_data_folder(has) {
            return Ok(None);
        }
        if self.places.is_none() {
            leftovers::sweep(&folder, &names, TEMPORARY_PREFIX);
        }
        let mut problem = |problem| page.problems.push(problem);
        let rules = Rules::below(above, &folder, &path, has, self.limits, &mut problem);
        Ok(Some(Inside { path, folder, names: names.into_iter(), rules }))
    }

    /// Looks at a name in a folder.
    fn look(&mut self, inside: &Inside, (name, kind): (OsString, Option<Kind>), page: &mut Page) {
        let Inside { path, folder, rules, .. } = inside;
        let text = shown(&name);
        let here = joined(path, &text);
        // A name that is no path of a workspace is a problem to tell of in a whole scan alone.
        let rel: Option<RelPath> = name.to_str().and_then(|_| here.parse().ok());
        if let Some(places) = self.places
            && !rel.as_ref().is_some_and(|rel| touches(places, rel))
        {
            return;
        }
        let (kind, meta) = match kind {
            Some(kind @ (Kind::Folder | Kind::Link | Kind::Other)) => (kind, None),
            // Its size and time are wanted anyway, if it belongs to the workspace.
            Some(Kind::File) if !rules.admit(Path::new(&here), &text, Kind::File) => return,
            _ => match folder.look_at(&name) {
                Ok(meta) => (meta.kind, Some(meta)),
                Err(BeneathError::Missing) => return,
                Err(error) => {
                    page.problems.push(format!("`{here}` cannot be looked at: {}", told(&error)));
                    page.unlisted.push(Unlisted { place: here, is_denied: is_denied(&error) });
                    return;
                }
            },
        };
        if !rules.admit(Path::new(&here), &text, kind) {
            return;
        }
        let Some(rel) = rel else {
            page.problems.push(format!("`{here}` is not indexed: {}", unusable(name.to_str())));
            return;
        };
        let num_parts = here.split('/').count() as u64 + u64::from(kind == Kind::Folder);
        if num_parts > self.limits.path_parts {
            let max = self.limits.path_parts;
            page.problems
                .push(format!("`{here}` lies deeper than the {max} names of `limits.path_parts`, and is passed over"));
            return;
        }
        match (kind, meta) {
            (Kind::Folder, _) => self.waiting.push((here, Arc::clone(rules))),
            (_, Some(meta)) => page.files.push(Entry { path: rel, stat: stat(&meta) }),
            (_, None) => {}
        }
    }
}

impl Listing for Walk<'_> {
    fn next_page(&mut self) -> Result<Option<Page>, FilesError> {
        let mut page = Page::default();
        while page.files.len() < PAGE_FILES {
            if let Some(mut inside) = self.at.take() {
                if let Some(name) = inside.names.next() {
                    self.look(&inside, name, &mut page);
                    self.at = Some(inside);
                }
            } else if let Some((path, above)) = self.waiting.pop() {
                self.at = self.enter(path, &above, &mut page)?;
            } else {
                return Ok((page != Page::default()).then_some(page));
            }
        }
        Ok(Some(page))
    }
}

/// Whether `path` is one of the places, above one or below one.
fn touches(places: &BTreeSet<RelPath>, path: &RelPath) -> bool {
    let path = path.as_str();
    let ancestors = path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]);
    let below = format!("{path}/");
    ancestors.into_iter().any(|ancestor| places.contains(ancestor))
        || places
            .range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded))
            .next()
            .is_some_and(|place| place.as_str().starts_with(&below))
}

fn is_denied(error: &BeneathError) -> bool {
    matches!(error, BeneathError::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Why a file of this name is not indexed.
fn unusable(name: Option<&str>) -> &'static str {
    match name {
        None => "its name is not UTF-8",
        Some(name) if name.contains('\\') => r"its name holds a `\`",
        Some(_) => "its path is too long",
    }
}
