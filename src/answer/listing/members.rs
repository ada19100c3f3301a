//! Which files or folders a noun names: by their names, their folders, or their titles.

use std::collections::{BTreeMap, BTreeSet};

use super::subject::{Subject, normal};
use crate::workspace::{FileEntry, RelPath};

/// Files or folders that a noun names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Whether the members are folders.
    pub are_folders: bool,
    /// The members with the files that are theirs, in the order of their paths.
    pub members: BTreeMap<String, Vec<RelPath>>,
    /// Whether only a word of their names or titles told that they are meant: such a file may as well tell of many of them.
    pub by_words_of_names: bool,
    /// What told that they are meant, for a person: `files below a folder named so`.
    pub basis: String,
}

/// The words of a name: divided at marks, between letters and digits, and where a small letter meets a capital one.
fn words_of(name: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for part in name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        words.insert(normal(part));
        let mut start = 0;
        let chars: Vec<(usize, char)> = part.char_indices().collect();
        for pair in chars.windows(2) {
            let (one, (at, next)) = (pair[0].1, pair[1]);
            if one.is_lowercase() && next.is_uppercase() || one.is_ascii_digit() != next.is_ascii_digit() {
                words.insert(normal(&part[start..at]));
                start = at;
            }
        }
        words.insert(normal(&part[start..]));
    }
    // `to-do` and `post-mortem` are one word as often as two.
    words.insert(normal(name));
    words
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map_or(name, |(stem, _)| stem)
}

/// The names of the folders that a path is in, the outermost first, and its own.
fn parts(path: &RelPath) -> (Vec<&str>, &str) {
    let mut folders: Vec<&str> = path.as_str().split('/').collect();
    let name = folders.pop().unwrap_or_default();
    (folders, name)
}

/// Whether a file is in the scope of the question: each word that narrows it is in its path, its title, or who wrote it.
#[must_use]
pub fn is_in_scope(file: &FileEntry, scope: &[String]) -> bool {
    let mut words: BTreeSet<String> = words_of(file.title.as_deref().unwrap_or_default());
    let (folders, name) = parts(&file.path);
    words.extend(folders.into_iter().chain([stem(name), name]).flat_map(words_of));
    let writer = [file.provenance.agent.as_ref(), file.provenance.run.as_ref()];
    words.extend(writer.into_iter().flatten().flat_map(|writer| words_of(writer)));
    scope.iter().all(|word| words.contains(word))
}

/// What the noun of a question names among these files, or `None`. `file` and the like name all of them.
#[must_use]
pub fn named(subject: &Subject, files: &[&FileEntry]) -> Option<Named> {
    const ALL: [&str; 6] = ["file", "document", "thing", "item", "doc", "page"];
    let last = subject.noun.last()?;
    let modifiers = &subject.noun[..subject.noun.len() - 1];
    if modifiers.is_empty() && ALL.contains(&last.as_str()) {
        let members = files.iter().map(|file| (file.path.to_string(), vec![file.path.clone()])).collect();
        return Some(Named {
            are_folders: false,
            members,
            by_words_of_names: false,
            basis: "all files in scope".to_owned(),
        });
    }
    by_own_name(last, modifiers, files)
        .or_else(|| by_folder_names(last, modifiers, files))
        .or_else(|| by_container(last, modifiers, files))
        .or_else(|| by_words_of_names(last, modifiers, files))
}

/// Files that are named so, one in each of several folders: `report.md`, `kep.yaml`; and files below a folder named so.
fn by_own_name(noun: &str, modifiers: &[String], files: &[&FileEntry]) -> Option<Named> {
    let mut members: BTreeMap<String, Vec<RelPath>> = BTreeMap::new();
    let mut num_own = 0;
    for file in files.iter().filter(|file| has_words(file, modifiers)) {
        let (folders, name) = parts(&file.path);
        let is_own = normal(stem(name)) == *noun;
        num_own += usize::from(is_own);
        let is_below = folders.last().is_some_and(|folder| normal(folder) == *noun);
        if is_own || is_below {
            members.entry(file.path.to_string()).or_default().push(file.path.clone());
        }
    }
    let basis = format!("files named `{noun}`, or in a folder named so");
    (num_own > 1).then_some(Named { are_folders: false, members, by_words_of_names: false, basis })
}

/// Folders whose names have all words of the noun and more: `20230824T081333_full_run`.
fn by_folder_names(noun: &str, modifiers: &[String], files: &[&FileEntry]) -> Option<Named> {
    let mut members: BTreeMap<String, Vec<RelPath>> = BTreeMap::new();
    for file in files {
        let (folders, _) = parts(&file.path);
        for (depth, folder) in folders.iter().enumerate() {
            let words = words_of(folder);
            let has_all = words.contains(noun) && modifiers.iter().all(|word| words.contains(word));
            if has_all && normal(folder) != *noun {
                members.entry(folders[..=depth].join("/")).or_default().push(file.path.clone());
                break;
            }
        }
    }
    let basis = format!("folders whose names have `{noun}`");
    (members.len() > 1).then_some(Named { are_folders: true, members, by_words_of_names: false, basis })
}

/// Whatever lies in a folder that is named by the noun: folders where there are any, else files.
fn by_container(noun: &str, modifiers: &[String], files: &[&FileEntry]) -> Option<Named> {
    let (mut below, mut folders_below): (BTreeMap<String, Vec<RelPath>>, BTreeMap<String, Vec<RelPath>>) =
        Default::default();
    let mut container = None;
    for file in files.iter().filter(|file| has_words(file, modifiers)) {
        let (folders, _) = parts(&file.path);
        let Some(depth) = folders.iter().position(|folder| normal(folder) == *noun) else { continue };
        container = Some(folders[..=depth].join("/"));
        if depth + 1 < folders.len() {
            folders_below.entry(folders[..=depth + 1].join("/")).or_default().push(file.path.clone());
        } else {
            below.entry(file.path.to_string()).or_default().push(file.path.clone());
        }
    }
    let basis = format!("the contents of `{}/`", container?);
    let are_folders = folders_below.len() > below.len();
    let members = if are_folders { folders_below } else { below };
    (!members.is_empty()).then_some(Named { are_folders, members, by_words_of_names: false, basis })
}

/// Files whose names or titles have the words of the noun.
fn by_words_of_names(noun: &str, modifiers: &[String], files: &[&FileEntry]) -> Option<Named> {
    let mut members: BTreeMap<String, Vec<RelPath>> = BTreeMap::new();
    for file in files.iter().filter(|file| has_words(file, modifiers)) {
        let name = words_of(stem(parts(&file.path).1));
        let begins = file
            .title
            .as_deref()
            .and_then(|title| title.split_whitespace().next())
            .map(|word| normal(word.trim_matches(|c: char| !c.is_alphanumeric())));
        if name.contains(noun) || begins.as_deref() == Some(noun) {
            members.entry(file.path.to_string()).or_default().push(file.path.clone());
        }
    }
    let basis = format!("files whose names or titles have `{noun}`");
    (!members.is_empty()).then_some(Named { are_folders: false, members, by_words_of_names: true, basis })
}

fn has_words(file: &FileEntry, words: &[String]) -> bool {
    words.is_empty() || is_in_scope(file, words)
}
