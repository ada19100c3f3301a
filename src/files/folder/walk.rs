//! The walk through a workspace's folder: what belongs to it, by the rules of [`super::rules`].
//!
//! # Invariants
//! - Each folder is opened beneath the held root, and listed as it was opened; a folder that becomes a link meanwhile is passed over.
//! - As few folders are open as one walk needs: the root, and the one that is looked at.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use super::beneath::{BeneathError, Folder, Kind, Meta};
use super::rules::{RuleLimits, Rules, is_data_folder, joined, shown, told};
use crate::workspace::RelPath;

/// What a walk meets.
pub(crate) enum Seen<'a> {
    /// The path of a folder that is about to be listed, empty for the root.
    Entering(&'a str),
    /// A folder, with the names in it.
    Folder(&'a Folder, &'a [(OsString, Option<Kind>)]),
    /// A file of the workspace.
    File(RelPath, Meta),
    /// Something that is not as it should be, for a person.
    Problem(String),
    /// A path of which it is not known what is there or below, for a reason that was told: the root, where it is empty. And whether that
    /// is because nobody may look.
    Unknown(String, bool),
}

/// Walks through what belongs to the workspace: everything, or `places` and what is below them.
///
/// # Errors
/// When the root cannot be listed.
pub(crate) fn walk(
    root: &Folder,
    places: Option<&BTreeSet<RelPath>>,
    limits: &RuleLimits,
    see: &mut dyn FnMut(Seen<'_>),
) -> Result<(), BeneathError> {
    let mut waiting = vec![(String::new(), Arc::<Rules>::default())];
    while let Some((path, above)) = waiting.pop() {
        let is_root = path.is_empty();
        let opened = root.folder(&path).and_then(|folder| {
            see(Seen::Entering(&path));
            folder.names().map(|names| (folder, names))
        });
        let (folder, names) = match opened {
            Ok(opened) => opened,
            Err(error) if is_root => return Err(error),
            // It went, or something else took its place.
            Err(BeneathError::Missing | BeneathError::Link | BeneathError::NotAFolder) => continue,
            Err(error) => {
                see(Seen::Problem(format!("`{path}` cannot be listed: {}", told(&error))));
                see(Seen::Unknown(path, is_refused(&error)));
                continue;
            }
        };
        let has = |wanted: &str| names.iter().any(|(name, _)| **name == *wanted);
        if !is_root && is_data_folder(has) {
            continue;
        }
        see(Seen::Folder(&folder, &names));
        let rules = Rules::below(&above, &folder, &path, has, limits, &mut |problem| see(Seen::Problem(problem)));
        for (name, kind) in &names {
            let text = shown(name);
            let here = joined(&path, &text);
            // A name that is no path of a workspace is a problem to tell of in a whole scan alone.
            let rel: Option<RelPath> = name.to_str().and_then(|_| here.parse().ok());
            if let Some(places) = places
                && !rel.as_ref().is_some_and(|rel| touches(places, rel))
            {
                continue;
            }
            let (kind, meta) = match kind {
                Some(kind @ (Kind::Folder | Kind::Link | Kind::Other)) => (*kind, None),
                // Its size and time are wanted anyway, if it belongs to the workspace.
                Some(Kind::File) if !rules.admit(Path::new(&here), &text, Kind::File) => continue,
                _ => match folder.look_at(name) {
                    Ok(meta) => (meta.kind, Some(meta)),
                    Err(BeneathError::Missing) => continue,
                    Err(error) => {
                        see(Seen::Problem(format!("`{here}` cannot be looked at: {}", told(&error))));
                        see(Seen::Unknown(here, is_refused(&error)));
                        continue;
                    }
                },
            };
            if !rules.admit(Path::new(&here), &text, kind) {
                continue;
            }
            let Some(rel) = rel else {
                see(Seen::Problem(format!("`{here}` is not indexed: {}", unusable(name.to_str()))));
                continue;
            };
            let num_parts = here.split('/').count() as u64 + u64::from(kind == Kind::Folder);
            if num_parts > limits.path_parts {
                let max = limits.path_parts;
                see(Seen::Problem(format!(
                    "`{here}` lies deeper than the {max} names of `limits.path_parts`, and is passed over"
                )));
                continue;
            }
            match (kind, meta) {
                (Kind::Folder, _) => waiting.push((here, Arc::clone(&rules))),
                (_, Some(meta)) => see(Seen::File(rel, meta)),
                (_, None) => {}
            }
        }
    }
    Ok(())
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

fn is_refused(error: &BeneathError) -> bool {
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
