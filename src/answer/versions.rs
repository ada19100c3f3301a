//! Which of several files holds now: what a file says of itself (`status: superseded`), what another one says of it (`replaces
//! version 1`), and the versions and dates in names.
//!
//! # Not here
//! Finding the other versions of a file: the engine hands them over.

use std::collections::{BTreeSet, HashMap};

use super::candidates::terms_of;
use super::dates::{Date, dates};
use super::facts;
use crate::index::analyzer::Stemming;
use crate::workspace::RelPath;

/// What is read of a file's beginning, in bytes.
const HEAD_BYTES: usize = 2_000;

/// A file as far as its version goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The file.
    pub path: RelPath,
    /// What its name has in common with those of its other versions.
    family: String,
    title: String,
    /// Whether it says of itself that it holds no more.
    pub is_outdated: bool,
    /// The words behind `superseded by`, in small letters.
    replaced_by: Option<String>,
    /// The words behind `replaces` and `supersedes`, in small letters.
    replaces: Vec<String>,
    /// The newest date and version in its name, title or first lines.
    pub order: Order,
}

/// How new a file is: by the date that it has, then by its version.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    date: Option<(i16, i8, i8)>,
    version: Vec<u64>,
}

const OUTDATED: [&str; 9] =
    ["superseded", "deprecated", "obsolete", "outdated", "replaced", "withdrawn", "archived", "expired", "retired"];
const REPLACES: [&str; 8] = [
    "supersedes",
    "this replaces",
    "it replaces",
    "replaces",
    "obsoletes",
    "supplants",
    "takes the place of",
    "instead of",
];

impl Standing {
    /// What the beginning of a file says of it.
    #[must_use]
    pub fn of(path: &RelPath, title: Option<&str>, text: &str) -> Self {
        let mut end = text.len().min(HEAD_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let head = text[..end].to_lowercase().replace(['*', '`', '"'], "");
        let mut standing = Self {
            path: path.clone(),
            family: family(path),
            title: title.unwrap_or_default().to_lowercase(),
            is_outdated: false,
            replaced_by: None,
            replaces: Vec::new(),
            order: order(path, title, &head),
        };
        for line in head.lines().map(str::trim) {
            let status = line.trim_start_matches(['-', '|', '>', ' ']).strip_prefix("status");
            let says_status = status.is_some_and(|rest| rest.trim_start().starts_with([':', '|', '=']));
            let is_banner = line.split_whitespace().count() <= 12 && OUTDATED.iter().any(|word| line.starts_with(word));
            if (says_status || is_banner) && OUTDATED.iter().any(|word| line.contains(word)) {
                standing.is_outdated = true;
            }
            for passive in ["superseded by", "replaced by", "obsoleted by", "superseded-by", "replaced-by"] {
                if let Some((before, behind)) = line.split_once(passive)
                    && (says_status || is_banner || before.len() < 24)
                {
                    standing.is_outdated = true;
                    standing.replaced_by =
                        Some(behind.trim_matches([':', ' ', '.']).to_owned()).filter(|by| !by.is_empty());
                }
            }
            let active = REPLACES.iter().find_map(|verb| Some((*verb, line.split_once(verb)?.1)));
            if let Some((_, what)) =
                active.filter(|(verb, _)| line.starts_with(verb) || line.contains("version") || line.contains("this"))
            {
                standing.replaces.push(what.trim_matches([':', ' ', '.']).chars().take(80).collect());
            }
        }
        standing
    }

    /// Whether words such as `decision 6` or `version 1` name this file.
    fn is_named_by(&self, words: &str) -> bool {
        let stem =
            self.path.file_name().rsplit_once('.').map_or(self.path.file_name(), |(stem, _)| stem).to_lowercase();
        if words.contains(&stem) || !self.title.is_empty() && words.contains(&self.title) {
            return true;
        }
        let numbers = |text: &str| -> Vec<String> {
            facts::tokens(text).iter().filter(|token| token.is_number).map(|token| facts::value(token.text)).collect()
        };
        let Some(number) = numbers(words).into_iter().next() else { return false };
        let own = format!("{stem} {}", self.title);
        numbers(&own).first() == Some(&number)
    }
}

fn order(path: &RelPath, title: Option<&str>, head: &str) -> Order {
    let own = format!("{path} {}", title.unwrap_or_default());
    let key = |date: Date| Some((date.year?, date.month, date.day.unwrap_or(0)));
    let newest = |text: &str| dates(text).into_iter().filter_map(|written| key(written.date)).max();
    let front = head
        .lines()
        .take(12)
        .filter(|line| ["date:", "updated:", "valid from", "as of", "version:"].iter().any(|key| line.contains(key)));
    let date = newest(&own).or_else(|| front.filter_map(newest).max());
    let name = path.file_name().to_lowercase();
    let version =
        version_in(&name).or_else(|| version_in(&title.unwrap_or_default().to_lowercase())).unwrap_or_default();
    Order { date, version }
}

/// The version in a name: `v2`, `version 1.3`, `rev4`, `final` counts as none.
fn version_in(name: &str) -> Option<Vec<u64>> {
    let at = ["version", "rev", "v"].iter().find_map(|mark| {
        name.match_indices(mark).find_map(|(at, mark)| {
            let is_begin = !name[..at].ends_with(|c: char| c.is_alphabetic());
            let rest = name[at + mark.len()..].trim_start_matches([' ', '-', '_', '.']);
            (is_begin && rest.starts_with(|c: char| c.is_ascii_digit())).then_some(rest)
        })
    })?;
    let digits: String = at.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let parts: Vec<u64> = digits.split('.').filter_map(|part| part.parse().ok()).collect();
    (!parts.is_empty()).then_some(parts)
}

/// What versions of one file share: its path without numbers, and without words such as `final` or `revised`.
#[must_use]
pub fn family(path: &RelPath) -> String {
    const MARKS: [&str; 9] = ["final", "revised", "draft", "new", "old", "copy", "version", "rev", "v"];
    let parts = path.as_str().split(|c: char| !c.is_alphabetic() && c != '/' && c != '.');
    let kept: Vec<String> =
        parts.map(str::to_lowercase).filter(|part| !part.is_empty() && !MARKS.contains(&part.as_str())).collect();
    kept.join("-").replace("-.", ".").replace("/-", "/")
}

/// For each file that another one has replaced, that one.
#[must_use]
pub fn superseded(all: &[Standing]) -> HashMap<RelPath, RelPath> {
    fn folder(path: &RelPath) -> &str {
        path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder)
    }
    let mut replaced = HashMap::new();
    for old in all {
        let others = || all.iter().filter(|other| other.path != old.path);
        let is_beside = |other: &&Standing| folder(&other.path) == folder(&old.path);
        let named = old.replaced_by.as_deref().and_then(|words| {
            others()
                .filter(is_beside)
                .find(|other| other.is_named_by(words))
                .or_else(|| others().find(|other| other.is_named_by(words)))
        });
        let says_so = || {
            let names_old = |other: &&Standing| other.replaces.iter().any(|words| old.is_named_by(words));
            others().filter(is_beside).find(names_old)
        };
        let is_version = |other: &&Standing| {
            !other.is_outdated
                && other.family == old.family
                && other.order > old.order
                && (other.order.version.is_empty() == old.order.version.is_empty())
        };
        let newer = || {
            let newest = others().filter(is_beside).filter(is_version).max_by(|a, b| a.order.cmp(&b.order));
            // Minutes of two days are no versions of one text, unless their titles say the same.
            newest.filter(|other| !old.order.version.is_empty() || old.is_outdated || is_same_title(old, other))
        };
        if let Some(newer) = named.or_else(says_so).or_else(newer) {
            replaced.insert(old.path.clone(), newer.path.clone());
        }
    }
    replaced
}

fn is_same_title(one: &Standing, other: &Standing) -> bool {
    let words = |title: &str| -> BTreeSet<String> {
        let is_plain = |term: &String| !term.chars().any(|c| c.is_ascii_digit());
        terms_of(title, Stemming::ENGLISH).into_iter().filter(is_plain).collect()
    };
    let (one, other) = (words(&one.title), words(&other.title));
    !one.is_empty() && one == other && one.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(path: &str, title: &str, text: &str) -> Standing {
        Standing::of(&path.parse().unwrap(), Some(title).filter(|title| !title.is_empty()), text)
    }

    fn replaced(all: &[Standing], path: &str) -> Option<String> {
        superseded(all).get(path).map(ToString::to_string)
    }

    #[test]
    fn a_file_is_superseded_by_the_one_that_says_so() {
        let old = standing(
            "d/0002-retention.md",
            "Decision 2: thirty days",
            "---\nstatus: superseded by decision 6\n---\nThirty days.",
        );
        let new = standing(
            "d/0006-cold.md",
            "Decision 6: fourteen days",
            "---\nstatus: current\nsupersedes: 2\n---\nFourteen.",
        );
        let other = standing("d/0004-wire.md", "Decision 4: the wire", "---\nstatus: current\n---\nCBOR.");
        assert!(old.is_outdated && !new.is_outdated);
        assert_eq!(
            replaced(&[other.clone(), old.clone(), new.clone()], "d/0002-retention.md").as_deref(),
            Some("d/0006-cold.md")
        );
        assert_eq!(replaced(&[other, old, new], "d/0004-wire.md"), None);
    }

    #[test]
    fn a_newer_version_of_a_name_replaces_the_older_one() {
        let one = standing("p/expense-v1.md", "Expenses", "Hotels: 120 EUR.");
        let two = standing("p/expense-v2.md", "Expenses", "This replaces version 1. Hotels: 150 EUR.");
        assert_eq!(replaced(&[two.clone(), one.clone()], "p/expense-v1.md").as_deref(), Some("p/expense-v2.md"));
        assert_eq!(replaced(&[two, one], "p/expense-v2.md"), None);
        let ten = standing("p/guide-v10.md", "", "a");
        let nine = standing("p/guide-v9.md", "", "b");
        assert_eq!(replaced(&[ten, nine], "p/guide-v9.md").as_deref(), Some("p/guide-v10.md"));
    }

    #[test]
    fn minutes_of_two_days_are_two_texts() {
        let one = standing("n/2026-10-15-meeting.md", "Meeting with the authority", "a");
        let two = standing("n/2026-11-19-meeting.md", "Meeting on the boat", "b");
        assert!(superseded(&[one, two]).is_empty());
    }

    #[test]
    fn families_are_told_by_names_without_numbers() {
        let family = |path: &str| super::family(&path.parse().unwrap());
        assert_eq!(family("runs/2026-11-18-bench-08/report.md"), family("runs/2026-11-11-bench-07/report.md"));
        assert_eq!(family("p/expense-v1.md"), family("p/expense-v2.md"));
        assert_ne!(family("p/expense-v1.md"), family("p/travel-v1.md"));
    }
}
