//! What of a folder belongs to the workspace, and what is passed over: one rule for scans, the watch and writes.
//!
//! Passed over are:
//! - what `.gitignore`, `.ignore` and `.pinciteignore` files inside the folder name (the later of these three goes before the
//!   earlier, a deeper file before a higher one);
//! - hidden files and folders (a name that begins with `.`), unless the line that decides on them brings them back by a name that
//!   begins with `.`: `!.github` does, `!*` does not;
//! - `.git`, files with rules, and our own temporary files, whatever a rule says;
//! - temporary files of editors (`name~`, `#name#`, `*.swp`, `*.swo`, `*.swx`, `4913`);
//! - symbolic links, also to folders; named pipes, sockets and devices;
//! - a data folder of ours;
//! - what lies below more folders than a path may have.
//!
//! # Invariants
//! - A file with rules is read as far as the limits allow, as a regular file of its folder only. What of it does not count is told.
//! - [`check`] and [`walk`](super::walk) ask the same two functions: [`Rules::below`] for the rules of a folder, and
//!   [`Rules::admit`] for a name in it.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::beneath::{BeneathError, Folder, Kind};
use super::write::TEMPORARY_PREFIX;
use crate::files::{NotAdmitted, RuleLimits};
use crate::workspace::RelPath;

/// The files with rules, the one that goes before the others first.
pub(super) const RULE_FILES: [&str; 3] = [".pinciteignore", ".ignore", ".gitignore"];

/// The rules that apply to what is in a folder: its own, and those of the folders above it.
#[derive(Debug, Default)]
pub(super) struct Rules {
    above: Option<Arc<Rules>>,
    /// In the order of [`RULE_FILES`].
    own: [Option<Gitignore>; 3],
    /// All of them.
    num_lines: u64,
}

impl Rules {
    /// The rules in a folder at `path` that has those of `above`; `has` says which files with rules may be in it. What does not count
    /// is told to `problem`.
    pub(super) fn below(
        above: &Arc<Self>,
        folder: &Folder,
        path: &str,
        has: impl Fn(&str) -> bool,
        limits: &RuleLimits,
        problem: &mut dyn FnMut(String),
    ) -> Arc<Self> {
        let mut num_lines = above.num_lines;
        let own = RULE_FILES.map(|name| {
            if !has(name) {
                return None;
            }
            let shown = joined(path, name);
            let mut told = |what: String| problem(format!("`{shown}`: {what}"));
            let text = read(folder, name, limits, &mut told)?;
            compiled(&text, path, &mut num_lines, limits, &mut told)
        });
        if own.iter().all(Option::is_none) {
            return Arc::clone(above);
        }
        Arc::new(Self { above: Some(Arc::clone(above)), own, num_lines })
    }

    /// Whether something in the folder of these rules belongs to the workspace, by its path and kind.
    pub(super) fn admit(&self, path: &Path, name: &str, kind: Kind) -> bool {
        let is_folder = match kind {
            Kind::Link | Kind::Other => return false,
            Kind::File => false,
            Kind::Folder => true,
        };
        if is_never(name) || !is_folder && is_temporary(name) {
            return false;
        }
        match self.verdict(path, is_folder) {
            Ruling::Ignored => false,
            Ruling::Kept { names_hidden } => names_hidden || !is_hidden(name),
            Ruling::None => !is_hidden(name),
        }
    }

    fn verdict(&self, path: &Path, is_folder: bool) -> Ruling {
        let from_here_up = || std::iter::successors(Some(self), |rules| rules.above.as_deref());
        for kind in 0..RULE_FILES.len() {
            for rules in from_here_up().filter_map(|rules| rules.own[kind].as_ref()) {
                match rules.matched(path, is_folder) {
                    Match::None => {}
                    Match::Ignore(_) => return Ruling::Ignored,
                    Match::Whitelist(line) => {
                        let last = line.original().trim_end_matches('/').rsplit(['/', '!']).next();
                        return Ruling::Kept { names_hidden: last.is_some_and(is_hidden) };
                    }
                }
            }
        }
        Ruling::None
    }
}

/// What the line says that decides on a name.
enum Ruling {
    /// There is none.
    None,
    Ignored,
    /// A line with `!`.
    Kept {
        names_hidden: bool,
    },
}

/// What is to be read of a file with rules, which ends with a whole line.
fn read(folder: &Folder, name: &str, limits: &RuleLimits, problem: &mut dyn FnMut(String)) -> Option<String> {
    let opened = folder.file(name);
    let (file, meta) = match opened {
        Ok(opened) => opened,
        Err(BeneathError::Missing) => return None,
        Err(BeneathError::Link) => {
            problem("a symbolic link is no file with rules".to_owned());
            return None;
        }
        Err(BeneathError::NotAFile) => {
            problem("only a regular file has rules".to_owned());
            return None;
        }
        Err(error) => {
            problem(format!("cannot be read: {}", told(&error)));
            return None;
        }
    };
    let mut bytes = Vec::new();
    if let Err(error) = file.take(limits.file_bytes + 1).read_to_end(&mut bytes) {
        problem(format!("cannot be read: {}", error.kind()));
        return None;
    }
    if bytes.len() as u64 > limits.file_bytes {
        let max = limits.file_bytes;
        problem(format!(
            "has {} bytes, more than the {max} of `limits.rule_file_bytes`; the rest does not count",
            meta.size
        ));
        bytes.truncate(usize::try_from(max).unwrap_or(usize::MAX));
        let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        bytes.truncate(end);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn compiled(
    text: &str,
    path: &str,
    num_lines: &mut u64,
    limits: &RuleLimits,
    problem: &mut dyn FnMut(String),
) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new(path);
    let mut lines = Vec::new();
    let mut num_passed_over = 0;
    let mut first = String::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        if *num_lines >= limits.lines {
            let max = limits.lines;
            problem(format!(
                "with it, more lines apply here than the {max} of `limits.rule_lines`; those from line {number} on do not count"
            ));
            break;
        }
        *num_lines += 1;
        let checked = limits.pattern.check(line).map_err(|error| error.to_string());
        let added = checked.and_then(|()| match builder.add_line(None, line) {
            Ok(_) => {
                lines.push((number, line));
                Ok(())
            }
            Err(ignore::Error::Glob { err, .. }) => Err(err),
            Err(_) => Err("it is no pattern".to_owned()),
        });
        if let Err(reason) = added {
            num_passed_over += 1;
            if num_passed_over == 1 {
                first = format!("line {number} does not count: {reason}");
            }
        }
    }
    match num_passed_over {
        0 => {}
        1 => problem(first),
        more => problem(format!("{first}; nor do {} more lines", more - 1)),
    }
    let mut rules = builder.build();
    let mut first_left_out = None;
    // Each line may be, and all together be more than the compiler takes.
    while rules.is_err() && !lines.is_empty() {
        let left_out = lines.split_off(lines.len() / 2);
        first_left_out = left_out.first().map(|(number, _)| *number);
        let mut builder = GitignoreBuilder::new(path);
        for (_, line) in &lines {
            // It was taken before.
            let _ = builder.add_line(None, line);
        }
        rules = builder.build();
    }
    if let Some(number) = first_left_out {
        problem(format!("its lines together are too much to compile; those from line {number} on do not count"));
    }
    rules.ok().filter(|rules| !rules.is_empty())
}

/// An error of a place in the workspace, without a path.
pub(super) fn told(error: &BeneathError) -> String {
    match error {
        BeneathError::Io(error) => error.kind().to_string(),
        other => other.to_string(),
    }
}

pub(super) fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Whether nothing of this name belongs to a workspace, whatever a rule says.
fn is_never(name: &str) -> bool {
    name == ".git" || RULE_FILES.contains(&name) || name.starts_with(TEMPORARY_PREFIX)
}

/// Whether an editor makes files of this name while it works.
fn is_temporary(name: &str) -> bool {
    let ends = ["~", ".swp", ".swo", ".swx"];
    name == "4913"
        || ends.iter().any(|end| name.ends_with(end))
        || name.len() > 2 && name.starts_with('#') && name.ends_with('#')
}

/// The place to look at when something may have changed at `path`; `None` where no rule can make it belong to the workspace. Of what is
/// in a hidden folder, that folder: mostly it is passed over as a whole.
pub(super) fn place_to_look_at(path: &RelPath, is_folder: bool) -> Option<RelPath> {
    let mut parts = path.as_str().split('/');
    if parts.clone().any(is_never) || !is_folder && is_temporary(path.file_name()) {
        return None;
    }
    let mut end = 0;
    let hidden = parts.find_map(|part| {
        end += part.len() + 1;
        is_hidden(part).then_some(end - 1)
    });
    path.as_str()[..hidden.unwrap_or(path.as_str().len())].parse().ok()
}

/// The names of the two files by which a data folder of ours is known: indexing one would never end.
const OF_DATA_FOLDER: [&str; 2] = ["pincite.db", "writer.lock"];

/// Whether a folder with these names is a data folder of ours.
pub(super) fn is_data_folder(has: impl Fn(&str) -> bool) -> bool {
    OF_DATA_FOLDER.into_iter().all(has)
}

/// Why a file at `path` would not belong to the workspace, whether or not it is there. `root` is canonical.
///
/// # Errors
/// The reason.
pub(super) fn check(root: &Path, path: &RelPath, limits: &RuleLimits) -> Result<(), NotAdmitted> {
    let (num_parts, max) = (path.as_str().split('/').count() as u64, limits.path_parts);
    if num_parts > max {
        return Err(NotAdmitted::TooDeep { num_parts, max });
    }
    let Ok(root) = Folder::root(root) else { return Err(NotAdmitted::PassedOver) };
    // From the top: what is below an ignored folder is never looked at.
    let mut at = Some(root);
    let mut rules = Arc::<Rules>::default();
    let mut done = "";
    for part in path.as_str().split('/') {
        let here = &path.as_str()[..done.len() + usize::from(!done.is_empty()) + part.len()];
        let is_folder = here.len() < path.as_str().len();
        let mut seen = None;
        if let Some(folder) = &at {
            let has = |name: &str| folder.look(name).is_ok();
            if !done.is_empty() && is_data_folder(has) {
                return Err(NotAdmitted::PassedOver);
            }
            rules = Rules::below(&rules, folder, done, |_| true, limits, &mut |_| {});
            seen = folder.look(part).ok().map(|meta| meta.kind);
        }
        if seen == Some(Kind::Link) {
            return Err(NotAdmitted::Link);
        }
        // What it would be, whatever is there now: to write there says what is in the way.
        let kind = if is_folder { Kind::Folder } else { Kind::File };
        if !rules.admit(Path::new(here), part, kind) {
            return Err(NotAdmitted::PassedOver);
        }
        if is_folder {
            at = match at.map(|folder| folder.folder(part)) {
                Some(Err(BeneathError::Link)) => return Err(NotAdmitted::Link),
                opened => opened.and_then(Result::ok),
            };
        }
        done = here;
    }
    Ok(())
}

/// The name as text, in which what is not UTF-8 is replaced.
pub(super) fn shown(name: &std::ffi::OsStr) -> std::borrow::Cow<'_, str> {
    name.to_string_lossy()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::files::{self, Files};

    fn path(path: &str) -> RelPath {
        path.parse().unwrap()
    }

    fn at(root: &Path) -> std::sync::Arc<dyn Files> {
        files::at(&fs_err::canonicalize(root).unwrap(), RuleLimits::default())
    }

    fn admits(root: &Path, path: &RelPath) -> bool {
        at(root).admits(path)
    }

    fn files(root: &Path, places: Option<&[&str]>) -> Vec<String> {
        let places = places.map(|places| places.iter().map(|place| path(place)).collect::<BTreeSet<_>>());
        let (mut files, root) = (Vec::new(), at(root));
        let mut listing = root.list(places.as_ref(), &|_| {}).unwrap();
        while let Some(page) = listing.next_page().unwrap() {
            files.extend(page.files.into_iter().map(|file| file.path.to_string()));
        }
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
