//! What of a folder belongs to the workspace, and what is passed over.
//!
//! Passed over are: hidden files and folders (a name that begins with `.`); what `.gitignore`, `.ignore` and `.pinciteignore`
//! files inside the folder name (the later of these three goes before the earlier, a deeper file before a higher one);
//! symbolic links, also to folders; temporary files of editors (`name~`, `#name#`, `*.swp`, `*.swo`, `*.swx`, `4913`; the
//! others are hidden); and a data folder of ours.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::Path;

use ignore::gitignore::GitignoreBuilder;
use ignore::{Walk, WalkBuilder};

use crate::workspace::RelPath;

/// The files with rules, the one that goes before the others first.
const RULE_FILES: [&str; 3] = [".pinciteignore", ".ignore", ".gitignore"];

/// Lists what belongs to the workspace: everything, or `places` and what is below them.
pub(super) fn walk(root: &Path, places: Option<BTreeSet<RelPath>>) -> Walk {
    let base = root.to_owned();
    WalkBuilder::new(root)
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .follow_links(false)
        .add_custom_ignore_filename(".pinciteignore")
        .filter_entry(move |entry| {
            if entry.depth() == 0 {
                return true;
            }
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let name = entry.file_name().to_string_lossy();
            if if is_folder { is_data_folder(entry.path()) } else { is_temporary(&name) } {
                return false;
            }
            let Some(places) = &places else { return true };
            // A name that is no path of a workspace is a problem to tell of in a whole scan alone.
            RelPath::strip(&base, entry.path()).is_ok_and(|path| touches(places, &path))
        })
        .build()
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

/// Whether an editor makes files of this name while it works.
fn is_temporary(name: &str) -> bool {
    let ends = ["~", ".swp", ".swo", ".swx"];
    name == "4913"
        || ends.iter().any(|end| name.ends_with(end))
        || name.len() > 2 && name.starts_with('#') && name.ends_with('#')
}

/// Whether this is where we keep an index: indexing that would never end.
fn is_data_folder(folder: &Path) -> bool {
    folder.join("pincite.db").exists() && folder.join("writer.lock").exists()
}

/// Whether a file at `path` would belong to the workspace, whether or not it is there. `root` is canonical.
#[must_use]
pub fn admits(root: &Path, path: &RelPath) -> bool {
    let parts: Vec<&str> = path.as_str().split('/').collect();
    if parts.iter().any(|part| part.starts_with('.')) || is_temporary(path.file_name()) {
        return false;
    }
    // From the top: what is below an ignored folder is never looked at.
    (1..=parts.len()).all(|depth| {
        let is_folder = depth < parts.len();
        let at = root.join(parts[..depth].join("/"));
        let is_link = fs_err::symlink_metadata(&at).is_ok_and(|metadata| metadata.is_symlink());
        let is_out = is_link || is_folder && is_data_folder(&at) || is_ignored(root, &parts[..depth], is_folder);
        !is_out
    })
}

fn is_ignored(root: &Path, parts: &[&str], is_folder: bool) -> bool {
    let at = root.join(parts.join("/"));
    for rules in RULE_FILES {
        for depth in (0..parts.len()).rev() {
            let folder = root.join(parts[..depth].join("/"));
            let file = folder.join(rules);
            if !file.is_file() {
                continue;
            }
            let mut builder = GitignoreBuilder::new(&folder);
            // Lines that are no globs are passed over, as the walk does.
            let _ = builder.add(file);
            let Ok(globs) = builder.build() else { continue };
            let verdict = globs.matched(&at, is_folder);
            if !verdict.is_none() {
                return verdict.is_ignore();
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> RelPath {
        path.parse().unwrap()
    }

    fn files(root: &Path, places: Option<&[&str]>) -> Vec<String> {
        let places = places.map(|places| places.iter().map(|place| path(place)).collect());
        let entries = walk(root, places).filter_map(Result::ok);
        let files = entries.filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
        let mut files: Vec<String> =
            files.map(|entry| RelPath::strip(root, entry.path()).unwrap().to_string()).collect();
        files.sort();
        files
    }

    const FILES: [&str; 22] = [
        "a.txt",
        "a.txt~",
        "#a.txt#",
        ".#a.txt",
        ".a.txt.swp",
        "b.swp",
        "4913",
        "keep/4913.txt",
        "#",
        ".hidden/a.txt",
        "build/out.txt",
        "keep/build/out.txt",
        "logs/a.log",
        "logs/keep.log",
        "logs/deep/b.log",
        "docs/draft.md",
        "docs/final.md",
        "docs/sub/draft.md",
        "data/pincite.db",
        "data/writer.lock",
        "data/note.txt",
        "tmp/x/y.txt",
    ];

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::write(file, text).unwrap();
        };
        for name in FILES {
            put(name, "words");
        }
        put(".gitignore", "/build\n*.log\ntmp/x\n");
        put("logs/.gitignore", "!keep.log\n");
        put("docs/.gitignore", "final.md\n");
        put("docs/.pinciteignore", "draft.md\n!final.md\n");
        folder
    }

    #[test]
    fn what_belongs_to_a_workspace_is_as_documented() {
        let folder = tree();
        let expected = ["#", "a.txt", "docs/final.md", "keep/4913.txt", "keep/build/out.txt", "logs/keep.log"];
        assert_eq!(files(folder.path(), None), expected);
    }

    #[test]
    fn a_single_path_is_admitted_exactly_when_the_walk_finds_it() {
        let folder = tree();
        let found = files(folder.path(), None);
        for name in FILES {
            assert_eq!(admits(folder.path(), &path(name)), found.iter().any(|file| file == name), "{name}");
        }
        assert!(
            admits(folder.path(), &path("not/there/yet.txt")) && !admits(folder.path(), &path("not/there/yet.log"))
        );
    }

    #[test]
    fn a_walk_of_places_finds_what_the_whole_walk_finds_there() {
        let folder = tree();
        assert_eq!(files(folder.path(), Some(&["docs", "a.txt"])), ["a.txt", "docs/final.md"]);
        assert_eq!(files(folder.path(), Some(&["logs/keep.log", "logs/a.log"])), ["logs/keep.log"]);
        assert_eq!(files(folder.path(), Some(&["build/out.txt", "gone.txt", "a"])), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed_by_either() {
        let folder = tree();
        std::os::unix::fs::symlink(folder.path().join("keep"), folder.path().join("link")).unwrap();
        assert!(!admits(folder.path(), &path("link/4913.txt")) && !admits(folder.path(), &path("link")));
        assert_eq!(files(folder.path(), Some(&["link"])), [""; 0]);
    }
}
