//! The answer to a question about time or the whole: every file in scope, grouped, newest first, with its key sentences.
//!
//! # Invariants
//! - Every file in scope is counted in exactly one group: listed there, or among those that the group says are not listed.
//! - A sentence is verbatim its citation's quote; a file without one says why. What is composed of counts and figures is no sentence: it
//!   stands with its file, and cites the places that it was computed from.
//! - The same files, chunks and plan give the same digest.
//!
//! # Not here
//! Which files there are and what their chunks hold: the engine hands both over.

pub mod about;
mod fit;
mod former;
mod heading;
mod history;
mod key_sentences;
mod scope;
mod subject;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::fit::fit;
pub use self::former::Formers;
pub use self::history::History;
pub use self::key_sentences::{KeySentence, common_sentences, first_sentences, key_sentences};
pub use self::scope::{Touched, in_scope};
pub use self::subject::is_known;
use super::plan::{Plan, PlanKind};
use crate::workspace::{ChangeKind, Facets, FileState, Provenance, RelPath};

/// Files that one reply lists; the others are counted.
pub const MAX_LISTED: usize = 1_000;
/// Folders two levels deep that files are grouped by; of more only the outermost count.
const MAX_FOLDERS: usize = 24;

/// The kind of the groups of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// The run that wrote them; those of no run by a run's folder that they are in, else by their folder.
    Run,
    /// The agent that wrote them.
    Agent,
    /// The folder that they are in, at most two levels deep.
    Folder,
}

/// All files in scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Digest {
    /// Files in scope; the sum over the groups.
    pub num_files: usize,
    /// A composed sentence with the number of files and their times.
    #[serde(default)]
    pub heading: String,
    /// Files that sentences are quoted from, or that have a line `about` them.
    pub num_quoted: usize,
    /// The number of sentences, from the first one, that answer from all files together. The other sentences are key sentences of one
    /// file each.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_of_summary: usize,
    /// The kind of the groups.
    pub group_by: GroupBy,
    /// The group with the newest change first.
    pub groups: Vec<DigestGroup>,
    /// Groups after these, which are only counted, because the reply would be too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_listed: Option<NotListed>,
}

/// Groups that are only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct NotListed {
    /// How many groups.
    pub num_groups: usize,
    /// Their files in scope.
    pub num_files: usize,
}

/// A folder of a group, with how much of the scope it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct FolderCount {
    /// Its name in the folder above.
    pub name: String,
    /// Its files in scope, at any depth.
    pub num_files: usize,
}

/// A line that was composed, not quoted: counts, and values with what they were before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Composed {
    /// The words.
    pub text: String,
    /// Positions in the reply's `citations` of the places that it was computed from, where it names any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<usize>,
}

/// Files that belong together, the newest change first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct DigestGroup {
    /// The run, agent or folder; empty for files at the root or of nobody.
    pub name: String,
    /// The newest change of its files.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub newest: Timestamp,
    /// Its files in scope.
    pub num_files: usize,
    /// Files of the group that are not listed, because the reply would be too long.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_not_listed: usize,
    /// For an answer about the whole: the folders directly below this one, those with most files first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<FolderCount>,
    /// The files that are listed.
    pub files: Vec<DigestFile>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A file in scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct DigestFile {
    /// Where it is, or was.
    pub path: RelPath,
    /// The newest change of the file within the time of the plan.
    pub change: ChangeKind,
    /// The time of the change: the log's time for a change that was written, reported or watched, else the file's own time.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The state of the file; absent when it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<FileState>,
    /// The document's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The writer of the file, or who deleted it, as far as somebody stated it.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
    /// The reason why nothing, or not everything, is quoted from the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The content of a file that is no prose, in one line: figures of data, errors of a log, rows of a table, definitions of code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Composed>,
    /// Its key sentences, by their positions in the reply's `sentences`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentences: Vec<usize>,
}

/// What a digest shows of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Its sentences, by their positions in the reply's.
    pub sentences: Vec<usize>,
    /// The line about it.
    pub about: Option<Composed>,
}

/// Files in scope, grouped, before anything of them is read.
pub struct Grouped {
    group_by: GroupBy,
    /// Whether the question is about the whole.
    is_whole: bool,
    groups: Vec<(String, Vec<Touched>)>,
}

impl Grouped {
    /// Groups files by run where one of them has a run, else by agent where one has an agent, else by folder. For a question
    /// about the whole always by the folders right below the one that holds all of them.
    #[must_use]
    pub fn of(mut files: Vec<Touched>, plan: &Plan) -> Self {
        files.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.path.cmp(&other.path)));
        let is_whole = plan.kind == PlanKind::Overview;
        let common = if is_whole { scope::common_folder(&files) } else { String::new() };
        let group_by = if is_whole {
            GroupBy::Folder
        } else if files.iter().any(|file| file.run().is_some()) {
            GroupBy::Run
        } else if files.iter().any(|file| file.agent().is_some()) {
            GroupBy::Agent
        } else {
            GroupBy::Folder
        };
        // Hundreds of small folders are no groups that a person reads.
        let folders: HashSet<&str> = files.iter().map(|file| scope::folder(&file.path)).collect();
        let is_outermost = !is_whole && folders.len() > MAX_FOLDERS;
        let mut groups: Vec<(String, Vec<Touched>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for file in files {
            let name = match group_by {
                GroupBy::Run => file.any_run().unwrap_or_else(|| scope::folder(&file.path)).to_owned(),
                GroupBy::Agent => file.agent().unwrap_or_default().to_owned(),
                GroupBy::Folder if is_whole => scope::folder_below(&file.path, &common).to_owned(),
                GroupBy::Folder if is_outermost => scope::folder_below(&file.path, "").to_owned(),
                GroupBy::Folder => scope::folder(&file.path).to_owned(),
            };
            let place = *places.entry(name.clone()).or_insert_with(|| {
                groups.push((name, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(file);
        }
        Self { group_by, is_whole, groups }
    }

    /// The files to be quoted, `limit` at the most: one of each group in turn, of a group first those whose names promise a
    /// summary, then the newest, and files of data last. Of files with the same bytes one is enough.
    #[must_use]
    pub fn to_be_quoted(&self, limit: usize) -> Vec<&Touched> {
        let mut rows: Vec<Vec<&Touched>> = Vec::new();
        let mut seen = HashSet::new();
        let readme = self.readme();
        if let Some(readme) = readme {
            seen.extend(readme.content_hash);
        }
        for (_, files) in &self.groups {
            let mut files: Vec<&Touched> = files.iter().filter(|file| file.is_readable()).collect();
            files.sort_by_key(|file| {
                let is_last = scope::holds_data(&file.path) || scope::is_legal(&file.path);
                (is_last, !scope::promises_a_summary(&file.path))
            });
            files.retain(|file| readme.is_none_or(|readme| readme.path != file.path));
            files.retain(|file| file.content_hash.is_none_or(|hash| seen.insert(hash)));
            rows.push(files);
        }
        let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
        let in_turn = (0..longest).flat_map(|turn| rows.iter().filter_map(move |row| row.get(turn).copied()));
        readme.into_iter().chain(in_turn).take(limit).collect()
    }

    /// The file that tells of all others, for a question about the whole: the outermost one called so.
    #[must_use]
    pub fn readme(&self) -> Option<&Touched> {
        if !self.is_whole {
            return None;
        }
        let is_it = |file: &&Touched| file.is_readable() && file.path.file_name().to_lowercase().starts_with("readme");
        let all = self.groups.iter().flat_map(|(_, files)| files).filter(is_it);
        all.min_by_key(|file| (file.path.as_str().matches('/').count(), file.path.as_str().len(), &file.path))
    }

    /// The place of each file in the digest.
    #[must_use]
    pub fn places(&self) -> HashMap<RelPath, usize> {
        let paths = self.groups.iter().flat_map(|(_, files)| files).map(|file| file.path.clone());
        paths.zip(0..).collect()
    }

    /// Who wrote the files, or deleted them.
    #[must_use]
    pub fn facets(&self) -> Facets {
        Facets::of(self.groups.iter().flat_map(|(_, files)| files).map(|file| (&file.path, &file.provenance)))
    }

    /// The digest, when it is known which sentences are quoted of which file.
    #[must_use]
    pub fn into_digest(self, quoted: &BTreeMap<RelPath, Shown>, plan: &Plan) -> Digest {
        let heading = heading::of(&self.groups, self.group_by, plan);
        let num_files = self.groups.iter().map(|(_, files)| files.len()).sum();
        // What is quoted is listed in any case.
        let mut room = MAX_LISTED.saturating_sub(quoted.len());
        let mut by_hash = HashMap::new();
        for file in self.groups.iter().flat_map(|(_, files)| files) {
            if let Some(hash) = file.content_hash.filter(|_| quoted.contains_key(&file.path)) {
                by_hash.entry(hash).or_insert_with(|| file.path.clone());
            }
        }
        let mut groups = Vec::new();
        for (name, files) in self.groups {
            let num_files = files.len();
            let newest = files.iter().map(|file| file.at).max().unwrap_or(Timestamp::UNIX_EPOCH);
            let folders = if self.is_whole { scope::folders_in(&name, &files) } else { Vec::new() };
            let mut listed = Vec::new();
            for file in files {
                let shown = quoted.get(&file.path).cloned();
                if shown.is_none() {
                    if room == 0 {
                        continue;
                    }
                    room -= 1;
                }
                let twin = file.content_hash.and_then(|hash| by_hash.get(&hash)).filter(|twin| **twin != file.path);
                listed.push(file.into_listed(shown.unwrap_or_default(), twin, plan));
            }
            let num_not_listed = num_files - listed.len();
            groups.push(DigestGroup { name, newest, num_files, num_not_listed, folders, files: listed });
        }
        let (num_quoted, group_by) = (quoted.len(), self.group_by);
        Digest { num_files, heading, num_quoted, num_of_summary: 0, group_by, groups, not_listed: None }
    }
}

impl Touched {
    fn into_listed(self, shown: Shown, twin: Option<&RelPath>, plan: &Plan) -> DigestFile {
        let note = match (shown == Shown::default(), self.state) {
            (_, None) => None,
            (_, Some(FileState::Pending)) => Some("it has a change that is not searchable yet".to_owned()),
            (_, Some(FileState::Empty)) => Some("it holds no text".to_owned()),
            (true, Some(FileState::Ready | FileState::Partial)) => match twin {
                Some(twin) => Some(format!("it holds the same as `{twin}`")),
                None if plan.topic.is_empty() => None,
                None => Some(format!("nothing is quoted of it on `{}`", plan.topic)),
            },
            (_, Some(_)) => self.reason,
        };
        DigestFile {
            path: self.path,
            change: self.change,
            at: self.at,
            state: self.state,
            title: self.title,
            provenance: self.provenance,
            note,
            about: shown.about,
            sentences: shown.sentences,
        }
    }
}

/// What the answer says when no file is in scope.
#[must_use]
pub fn nothing_in_scope(plan: &Plan, newest: Option<(&RelPath, Timestamp)>) -> String {
    let time = match (plan.since, plan.until) {
        (Some(since), Some(until)) => format!(" from {since:.0} until {until:.0}"),
        (Some(since), None) => format!(" since {since:.0}"),
        (None, Some(until)) => format!(" before {until:.0}"),
        (None, None) => String::new(),
    };
    let doer = plan.subject.as_ref().map(|subject| subject.doer.join(" ")).filter(|doer| !doer.is_empty());
    let of = doer.map(|doer| format!(" of `{doer}`")).unwrap_or_default();
    let what = if plan.kind == PlanKind::Overview {
        "no file is in scope".to_owned()
    } else {
        format!("no file{of} was changed")
    };
    match newest {
        Some((path, at)) => format!("{what}{time}; the newest change is of `{path}` at {at:.0}"),
        None => format!("{what}{time}; the workspace has no file that the request admits"),
    }
}

#[cfg(test)]
mod tests;
