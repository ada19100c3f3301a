//! Which files a question about time or the whole is about.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::{FolderCount, subject};
use crate::answer::plan::{Plan, PlanKind, RECENT_DAYS, Runs};
use crate::workspace::{ChangeKind, ContentHash, FileState, Provenance, RelPath};

/// Folders of a group that are named.
const MAX_FOLDERS: usize = 24;
/// Minutes in which changes count as one with the newest.
const NEWEST_MINUTES: i64 = 10;
/// Files that count as recent where nothing was changed for long.
const NUM_NEWEST: usize = 20;

/// A file and what happened to it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Where it is, or was.
    pub path: RelPath,
    /// What happened to it.
    pub change: ChangeKind,
    /// When that was.
    pub at: Timestamp,
    /// When it came, where the log knows that.
    pub created: Option<Timestamp>,
    /// How far it has come; `None` when it is deleted.
    pub state: Option<FileState>,
    /// Why it is not `ready`.
    pub reason: Option<String>,
    /// The document's title.
    pub title: Option<String>,
    /// The hash of its bytes, as far as it was read.
    pub content_hash: Option<ContentHash>,
    /// Who wrote it, or deleted it, as far as that was told.
    pub provenance: Provenance,
}

impl Touched {
    /// The run that wrote it, where that is known.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        self.provenance.run.as_deref()
    }

    /// The agent that wrote it, where that is known.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.provenance.agent.as_deref()
    }

    /// Whether there may be anything of it that can be quoted: of what waits to be read again, what was read before, as long as that
    /// stands.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        matches!(self.state, Some(FileState::Ready | FileState::Partial | FileState::Pending))
    }

    /// The run that it belongs to: as its writer said, else the folder of a run that it is in.
    pub(super) fn any_run(&self) -> Option<&str> {
        self.run().or_else(|| run_folder(&self.path))
    }

    /// The folder of a run that it is in, without the folders above.
    pub(super) fn run_folder(&self) -> Option<&str> {
        run_folder(&self.path).map(|run| run.rsplit_once('/').map_or(run, |(_, name)| name))
    }

    /// Whether its writer, as was told, has this name, or its run or one of its tags.
    fn has_label(&self, name: &str) -> bool {
        let is_it = |value: Option<&str>| value.is_some_and(|value| value.eq_ignore_ascii_case(name));
        let is_tagged = || self.provenance.tags.iter().any(|tag| tag.eq_ignore_ascii_case(name));
        is_it(self.run()) || is_it(self.agent()) || is_tagged()
    }
}

/// The files that `plan` is about, of all that a request admits. What had to be done otherwise than the plan says is noted there, as
/// are the names that narrowed it.
#[must_use]
pub fn in_scope(mut files: Vec<Touched>, plan: &mut Plan) -> Vec<Touched> {
    if plan.kind == PlanKind::Overview {
        files.retain(|file| file.change != ChangeKind::Deleted);
    }
    let subject = plan.subject.clone().unwrap_or_default();
    if !subject.doer.is_empty() || !subject.kind_of_file.is_empty() {
        subject::narrow(&mut files, &subject, plan);
    }
    narrow_by_names(&mut files, plan);
    files.retain(|file| is_within(file.at, plan));
    // A time that ends now and begins nowhere is none that the question names.
    let has_time = plan.since.is_some() || plan.until.is_some_and(|until| Some(until) != plan.now);
    if let Some(runs) = plan.runs {
        narrow_by_runs(&mut files, runs, plan);
    } else if !has_time && plan.kind == PlanKind::Recent && !subject.is_of_all_times {
        narrow_to_recent(&mut files, plan);
    }
    for file in &mut files {
        // Made and then changed in the same time, it is new to who asks for that time.
        let is_new = file.created.is_some_and(|created| plan.since.is_none_or(|since| created >= since));
        if file.change == ChangeKind::Modified && is_new {
            file.change = ChangeKind::Created;
        }
    }
    files
}

fn is_within(at: Timestamp, plan: &Plan) -> bool {
    plan.since.is_none_or(|since| at >= since) && plan.until.is_none_or(|until| at < until)
}

fn narrow_to_recent(files: &mut Vec<Touched>, plan: &mut Plan) {
    let Some(now) = plan.now else { return };
    let Ok(since) = now.checked_sub(SignedDuration::from_hours(24 * RECENT_DAYS)) else { return };
    if files.iter().any(|file| file.at >= since) {
        plan.since = Some(since);
        files.retain(|file| file.at >= since);
    } else if !files.is_empty() {
        files.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.path.cmp(&other.path)));
        files.truncate(NUM_NEWEST);
        plan.notes
            .push(format!("nothing was changed in the {RECENT_DAYS} days before {now:.0}: these are the newest files"));
    }
}

/// Leaves the newest file with the others of its run; where it is of none, with what was changed at most ten minutes before it.
fn narrow_to_newest(files: &mut Vec<Touched>, plan: &mut Plan) {
    let Some(newest) = files.iter().max_by_key(|file| (file.at, std::cmp::Reverse(&file.path))) else { return };
    if let Some(run) = newest.any_run().map(str::to_owned) {
        files.retain(|file| file.any_run() == Some(&run));
        plan.notes.push(format!("the newest file is of the run `{run}`"));
        return;
    }
    let (at, num_files) = (newest.at, files.len());
    let since = at.checked_sub(NEWEST_MINUTES.minutes()).unwrap_or(at);
    files.retain(|file| file.at >= since);
    let older = num_files - files.len();
    plan.notes.push(format!(
        "the newest change is of {at:.0}; {older} other files of the question are older, and `what changed this week?` tells of those of \
         a week"
    ));
}

/// Leaves the files of the runs that are asked for by their order: the order of their newest files.
fn narrow_by_runs(files: &mut Vec<Touched>, runs: Runs, plan: &mut Plan) {
    let mut newest: HashMap<String, Timestamp> = HashMap::new();
    for file in files.iter() {
        if let Some(run) = file.any_run() {
            let at = newest.entry(run.to_owned()).or_insert(file.at);
            *at = file.at.max(*at);
        }
    }
    if runs == Runs::Newest {
        return narrow_to_newest(files, plan);
    }
    if newest.is_empty() {
        plan.notes.push(
            "no run is known: no file has one, and no folder has a date in its name or is in a folder `runs`; \
             what was changed lately is taken instead"
                .to_owned(),
        );
        return narrow_to_recent(files, plan);
    }
    let mut in_order: Vec<(String, Timestamp)> = newest.into_iter().collect();
    in_order.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| other.0.cmp(&one.0)));
    let chosen: Vec<String> = match runs {
        Runs::Last(number) => in_order.into_iter().take(number).map(|(run, _)| run).collect(),
        Runs::Newest => Vec::new(),
        Runs::Previous => in_order.into_iter().skip(1).take(1).map(|(run, _)| run).collect(),
    };
    files.retain(|file| file.any_run().is_some_and(|run| chosen.iter().any(|chosen| chosen == run)));
    plan.notes.push(match &chosen[..] {
        [] => "there is no run before the newest".to_owned(),
        [run] => format!("the run is `{run}`"),
        runs => format!("the runs are `{}`", runs.join("`, `")),
    });
}

/// Words of the topic that name agents, runs, tags or places narrow the scope, one after the other, as long as files are left.
///
/// A word that is as others are (`reports`) names a folder only where nothing else is asked: `incident reports` may be anywhere.
fn narrow_by_names(files: &mut Vec<Touched>, plan: &mut Plan) {
    let words: Vec<String> = plan.topic.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let is_sure = |files: &[Touched], word: &str| {
        files.iter().any(|file| file.has_label(word) || is_like_no_other(word) && path_holds(&file.path, word))
    };
    let are_folders =
        words.iter().all(|word| is_sure(files, word) || files.iter().any(|file| has_folder(&file.path, word)));
    let mut topic = Vec::new();
    for word in words {
        let is_named = |file: &Touched| {
            file.has_label(&word)
                || is_like_no_other(&word) && path_holds(&file.path, &word)
                || are_folders && has_folder(&file.path, &word)
        };
        if files.iter().any(is_named) {
            files.retain(is_named);
            plan.names.push(word);
        } else {
            topic.push(word);
        }
    }
    plan.topic = topic.join(" ");
}

/// Whether a word is a name rather than one of the language: `bench-08`, `runs/alpha`, `protocol.rst`, `r17`.
fn is_like_no_other(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '/'))
}

/// Whether a folder that the file is in has this name, or it without a plural's `s`.
pub(super) fn has_folder(path: &RelPath, name: &str) -> bool {
    let path = path.as_str();
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let singular = name.strip_suffix('s').filter(|singular| singular.len() >= 3);
    folders.split('/').any(|folder| {
        folder.eq_ignore_ascii_case(name) || singular.is_some_and(|singular| folder.eq_ignore_ascii_case(singular))
    })
}

/// Whether `name`, or it without a plural's `s`, stands in the path as whole words: `bench-03` and `report` in
/// `runs/bench-03/report.md`, not `port`.
pub(super) fn path_holds(path: &RelPath, name: &str) -> bool {
    let path = path.as_str().to_lowercase();
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let holds = |name: &str| {
        path.match_indices(name).any(|(at, found)| {
            let behind = &path[at + found.len()..];
            let behind = behind.strip_prefix('s').filter(|rest| is_edge(rest.chars().next())).unwrap_or(behind);
            is_edge(path[..at].chars().next_back()) && is_edge(behind.chars().next())
        })
    };
    let singular = name.strip_suffix('s').filter(|singular| singular.len() >= 3);
    !name.is_empty() && (holds(name) || singular.is_some_and(holds))
}

/// The folder that a file is in, at most two levels deep.
pub(super) fn folder(path: &RelPath) -> &str {
    let path = path.as_str();
    let mut ends = path.match_indices('/').map(|(at, _)| at);
    let first = ends.next();
    ends.next().or(first).map_or("", |end| &path[..end])
}

/// The folder that holds all of these files, with everything between; empty for the root.
pub(super) fn common_folder(files: &[Touched]) -> String {
    let folder_of = |file: &Touched| file.path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let mut folders = files.iter().map(folder_of);
    let Some(mut common) = folders.next() else { return String::new() };
    for folder in folders {
        while !(common.is_empty() || folder == common || folder.starts_with(&format!("{common}/"))) {
            common.truncate(common.rfind('/').unwrap_or(0));
        }
    }
    common
}

/// The folder right below `common` that a file is in, or `common` itself.
pub(super) fn folder_below<'p>(path: &'p RelPath, common: &str) -> &'p str {
    let path = path.as_str();
    let start = if common.is_empty() { 0 } else { common.len() + 1 };
    match path.get(start..).and_then(|rest| rest.find('/')) {
        Some(end) => &path[..start + end],
        None => &path[..common.len()],
    }
}

/// The folders right below `folder`, with how many of the files they hold; those with most first.
pub(super) fn folders_in(folder: &str, files: &[Touched]) -> Vec<FolderCount> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for file in files {
        let below = folder_below(&file.path, folder);
        if below.len() > folder.len() {
            *counts.entry(below[folder.len()..].trim_start_matches('/')).or_default() += 1;
        }
    }
    let mut folders: Vec<FolderCount> =
        counts.into_iter().map(|(name, num_files)| FolderCount { name: name.to_owned(), num_files }).collect();
    folders.sort_by(|one, other| other.num_files.cmp(&one.num_files).then_with(|| one.name.cmp(&other.name)));
    folders.truncate(MAX_FOLDERS);
    folders
}

/// The folder of a run that a file is in: the first below a folder `runs`, or that has a date in its name.
pub(super) fn run_folder(path: &RelPath) -> Option<&str> {
    let path = path.as_str();
    let mut before = "";
    let mut start = 0;
    for (end, _) in path.match_indices('/') {
        let part = &path[start..end];
        if matches!(before.to_ascii_lowercase().as_str(), "runs" | "run") || has_date(part) {
            return Some(&path[..end]);
        }
        (before, start) = (part, end + 1);
    }
    None
}

/// Whether a name holds a date: `2026-11-18`, `20261118`.
pub(super) fn has_date(name: &str) -> bool {
    let bytes = name.as_bytes();
    let are_digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    let dashed = |w: &[u8]| {
        are_digits(&w[..4])
            && w[4] == w[7]
            && matches!(w[4], b'-' | b'_')
            && are_digits(&w[5..7])
            && are_digits(&w[8..])
    };
    let is_year = |w: &[u8]| w.starts_with(b"19") || w.starts_with(b"20");
    bytes.windows(10).any(|w| is_year(w) && dashed(w)) || bytes.windows(8).any(|w| is_year(w) && are_digits(w))
}

/// Whether a file's name says that it holds data or a log rather than text for people.
pub(super) fn holds_data(path: &RelPath) -> bool {
    const ENDINGS: [&str; 12] =
        ["json", "jsonl", "ndjson", "csv", "tsv", "xml", "yaml", "yml", "toml", "log", "parquet", "lock"];
    let ending = path.file_name().rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// Whether a file's name says that it holds a licence, which tells nothing of the others.
pub(super) fn is_legal(path: &RelPath) -> bool {
    let name = path.file_name().to_lowercase();
    ["license", "licence", "copying", "notice"].iter().any(|known| name.starts_with(known))
}

/// Whether a file's name says that it tells of others.
pub(super) fn promises_a_summary(path: &RelPath) -> bool {
    const NAMES: [&str; 13] = [
        "readme",
        "summary",
        "report",
        "overview",
        "index",
        "postmortem",
        "result",
        "conclusion",
        "weekly",
        "decision",
        "changelog",
        "notes",
        "review",
    ];
    let name = path.file_name().to_lowercase();
    NAMES.iter().any(|known| name.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> RelPath {
        path.parse().unwrap()
    }

    #[test]
    fn plain_words_name_whole_folders() {
        for (file, name, expected) in [
            ("plans/a.md", "plans", true),
            ("plan/a.md", "Plans", true),
            ("runs/latency.tsv", "latency", false),
            ("runs/old-plans/a.md", "plans", false),
            ("plans", "plans", false),
        ] {
            assert_eq!(has_folder(&path(file), name), expected, "{file} {name}");
        }
    }

    #[test]
    fn names_stand_in_paths_as_whole_words() {
        for (file, name, expected) in [
            ("runs/2026-11-18-bench-08/report.md", "bench-08", true),
            ("runs/2026-11-18-bench-08/report.md", "bench-0", false),
            ("runs/2026-11-18-bench-08/report.md", "reports", true),
            ("reports/a.pdf", "report", true),
            ("support/a.md", "port", false),
            ("docs/protocol.rst", "protocol.rst", true),
            ("a/b.md", "", false),
        ] {
            assert_eq!(path_holds(&path(file), name), expected, "{file} {name}");
        }
    }

    #[test]
    fn runs_are_folders_with_a_date_or_below_runs() {
        assert_eq!(run_folder(&path("runs/alpha/logs/x.log")), Some("runs/alpha"));
        assert_eq!(
            run_folder(&path("reports/Turbo/20230801_1200_full/report.json")),
            Some("reports/Turbo/20230801_1200_full")
        );
        assert_eq!(run_folder(&path("plans/2026-11-12-cutover.md")), None);
        assert_eq!((folder(&path("a/b/c/d.md")), folder(&path("a/b.md")), folder(&path("b.md"))), ("a/b", "a", ""));
    }
}
