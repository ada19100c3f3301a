//! What a set of files is made of: each value with the number of files that have it.

use std::collections::{BTreeMap, HashSet};

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::provenance::Label;
use super::{FileEntry, Provenance, RelPath};

/// Values of a kind that are counted one by one.
const MAX_FACET_VALUES: usize = 100;
/// Files of more days are counted by months.
const MAX_DAYS: usize = 62;

/// A value, and how many files have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Facet {
    /// The value.
    pub value: String,
    /// Files that have it.
    pub files: u64,
}

/// Who wrote a set of files, and of a search which files they are: each value with the number of its files, most files first, at most 100 values
/// of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default)]
pub struct Facets {
    /// Agents.
    pub agent: Vec<Facet>,
    /// Runs.
    pub run: Vec<Facet>,
    /// Sandboxes.
    pub sandbox: Vec<Facet>,
    /// Tags.
    pub tags: Vec<Facet>,
    /// Types, of a search.
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<Facet>,
    /// Folders with their slash, of a search: those right below the folder that holds all of the files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folder: Vec<Facet>,
    /// Days (`2026-10-31`) of their last modification in UTC, of a search, in order; months (`2026-10`) where the days are many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modified: Vec<Facet>,
    /// The number of values that are left out, because a kind has more than 100 of them.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_off: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Facets {
    /// Counts files by what is said of each; one that is there twice counts once for each value.
    #[must_use]
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a RelPath, &'a Provenance)>) -> Self {
        let mut by_value: BTreeMap<(Label, &str), HashSet<&RelPath>> = BTreeMap::new();
        for (path, provenance) in files {
            for label in provenance.labels() {
                by_value.entry(label).or_default().insert(path);
            }
        }
        let counts = by_value.into_iter().map(|((label, value), files)| (label, value.to_owned(), files.len() as u64));
        Self::from_counts(counts)
    }

    pub(crate) fn from_counts(counts: impl IntoIterator<Item = (Label, String, u64)>) -> Self {
        let mut facets = Self::default();
        for (label, value, files) in counts {
            facets.values_of(label).push(Facet { value, files });
        }
        for label in Label::ALL {
            let values = std::mem::take(facets.values_of(label));
            let mut left_off = 0;
            *facets.values_of(label) = in_order(values, &mut left_off);
            facets.left_off += left_off;
        }
        facets
    }

    /// These, and the types, folders and days of the files.
    #[must_use]
    pub fn and_files<'a>(mut self, files: impl Iterator<Item = &'a FileEntry>) -> Self {
        let files: Vec<&FileEntry> = files.collect();
        let above = folder_of_all(&files);
        let (mut formats, mut folders) = (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new());
        let (mut days, mut months) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new());
        for file in &files {
            if let Some(format) = &file.format {
                *formats.entry(format).or_default() += 1;
            }
            let path = file.path.as_str();
            if let Some(length) = path[above..].find('/') {
                *folders.entry(&path[..=above + length]).or_default() += 1;
            }
            let modified = file.modified.to_zoned_datetime(TimeZone::UTC);
            *days.entry(modified.strftime("%Y-%m-%d").to_string()).or_default() += 1;
            *months.entry(modified.strftime("%Y-%m").to_string()).or_default() += 1;
        }
        let owned =
            |counts: BTreeMap<&str, u64>| counts.into_iter().map(|(value, files)| (value.to_owned(), files)).collect();
        let mut left_off = 0;
        self.formats = most_first(owned(formats), &mut left_off);
        self.folder = most_first(owned(folders), &mut left_off);
        let times = if days.len() > MAX_DAYS { months } else { days };
        // Of very many months the last ones.
        let skipped = times.len().saturating_sub(MAX_FACET_VALUES);
        self.modified = times.into_iter().skip(skipped).map(|(value, files)| Facet { value, files }).collect();
        self.left_off += left_off + skipped;
        self
    }

    fn values_of(&mut self, label: Label) -> &mut Vec<Facet> {
        match label {
            Label::Agent => &mut self.agent,
            Label::Run => &mut self.run,
            Label::Sandbox => &mut self.sandbox,
            Label::Tag => &mut self.tags,
        }
    }

    /// Whether nothing is said of any of the files.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agent.is_empty() && self.run.is_empty() && self.sandbox.is_empty() && self.tags.is_empty()
    }
}

fn most_first(counts: Vec<(String, u64)>, left_off: &mut usize) -> Vec<Facet> {
    in_order(counts.into_iter().map(|(value, files)| Facet { value, files }).collect(), left_off)
}

/// Values of most files first, as many as are counted one by one.
fn in_order(mut values: Vec<Facet>, left_off: &mut usize) -> Vec<Facet> {
    values.sort_by(|one, other| other.files.cmp(&one.files).then_with(|| one.value.cmp(&other.value)));
    *left_off += values.len().saturating_sub(MAX_FACET_VALUES);
    values.truncate(MAX_FACET_VALUES);
    values
}

/// Bytes of the name, with its slash, of the innermost folder that holds all files.
fn folder_of_all(files: &[&FileEntry]) -> usize {
    let folder = |file: &&FileEntry| file.path.as_str().rfind('/').map_or(0, |at| at + 1);
    let Some((first, rest)) = files.split_first() else { return 0 };
    let path = first.path.as_str();
    rest.iter().fold(folder(first), |length, file| {
        let other = file.path.as_str();
        let common =
            path[..length].bytes().zip(other[..folder(file)].bytes()).take_while(|(one, other)| one == other).count();
        path.as_bytes()[..common].iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(agent: &str, tags: &[&str]) -> Provenance {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        Provenance { agent: Some(agent.to_owned()), tags, ..Provenance::default() }
    }

    fn entry(path: &str, format: &str, modified: &str) -> FileEntry {
        let row = serde_json::json!({
            "path": path, "state": "ready", "format": format, "size": 1, "modified": modified, "revision": 1, "num_chunks": 1,
        });
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn folders_are_those_below_the_one_that_holds_all_files() {
        let files = [
            entry("runs/a/one.md", "markdown", "2026-10-01T23:59:59Z"),
            entry("runs/a/two.md", "markdown", "2026-10-02T00:00:00Z"),
            entry("runs/ab/data.csv", "csv", "2026-10-02T00:00:00Z"),
            entry("runs/top.md", "markdown", "2026-10-02T00:00:00Z"),
        ];
        let facets = Facets::default().and_files(files.iter());
        let facet = |value: &str, files| Facet { value: value.to_owned(), files };
        assert_eq!(facets.folder, [facet("runs/a/", 2), facet("runs/ab/", 1)]);
        assert_eq!(facets.formats, [facet("markdown", 3), facet("csv", 1)]);
        assert_eq!(facets.modified, [facet("2026-10-01", 1), facet("2026-10-02", 3)]);
        assert_eq!(Facets::default().and_files(files[..1].iter()).folder, []);
        assert_eq!(Facets::default().and_files([].into_iter()), Facets::default());
    }

    #[test]
    fn facets_have_the_values_of_most_files_first_and_say_how_many_they_leave_off() {
        let file = |name: &str| name.parse::<RelPath>().unwrap();
        let mut files: Vec<(RelPath, Provenance)> =
            (0..103).map(|number| (file(&number.to_string()), by(&format!("a{number:03}"), &["all"]))).collect();
        files.push((file("more"), by("a102", &["all"])));
        files.push((file("more"), by("a102", &["again"])));
        let facets = Facets::of(files.iter().map(|(path, provenance)| (path, provenance)));
        assert_eq!((facets.agent.len(), facets.left_off), (100, 3));
        assert_eq!(facets.agent[0], Facet { value: "a102".to_owned(), files: 2 });
        assert_eq!(facets.agent[1].value, "a000");
        let tag = |value: &str, files| Facet { value: value.to_owned(), files };
        assert_eq!(facets.tags, [tag("all", 104), tag("again", 1)]);
    }
}
