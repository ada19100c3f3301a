//! Conditions on files as the file table lists them, combined in any way. Each file is decided by itself, before anything is ranked.

use std::collections::BTreeSet;

use crate::workspace::{FileEntry, common_spelling};

/// A text that is known of a file. A file has none, one or several of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextOf {
    /// Its path.
    Path,
    /// Its name, without folders.
    FileName,
    /// Each folder above it, without a slash at the end.
    Folder,
    /// Its type.
    Format,
    /// The language that it is written in (ISO 639-1).
    Language,
    /// The agent that wrote it.
    Agent,
    /// The run that it was written in.
    Run,
    /// The sandbox that it was written in.
    Sandbox,
    /// Each of its tags.
    Tag,
}

/// A whole number that is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberOf {
    /// When it was last modified, in whole seconds since 1970.
    Modified,
    /// Its size in bytes.
    Size,
}

/// A condition on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// All of these hold.
    All(Vec<Self>),
    /// One of these holds.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// One of the file's texts is one of these.
    Text {
        /// Which text.
        of: TextOf,
        /// The values, those of paths in the [common spelling](common_spelling).
        values: BTreeSet<String>,
    },
    /// The number lies between two others, which both count as within.
    Number {
        /// Which number.
        of: NumberOf,
        /// The least.
        from: i64,
        /// The greatest; less than `from` where no number will do.
        to: i64,
    },
}

impl Condition {
    /// That one of the file's texts is one of these.
    #[must_use]
    pub fn text<'a>(of: TextOf, values: impl IntoIterator<Item = &'a str>) -> Self {
        let spelled = |value: &str| match of {
            TextOf::Path | TextOf::FileName => common_spelling(value).into_owned(),
            TextOf::Folder => common_spelling(value.strip_suffix('/').unwrap_or(value)).into_owned(),
            _ => value.to_owned(),
        };
        Self::Text { of, values: values.into_iter().map(spelled).collect() }
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Whether a file meets it.
    #[must_use]
    pub fn admits(&self, file: &FileEntry) -> bool {
        match self {
            Self::All(all) => all.iter().all(|condition| condition.admits(file)),
            Self::Any(any) => any.iter().any(|condition| condition.admits(file)),
            Self::Not(condition) => !condition.admits(file),
            Self::Text { of, values } => has_text(file, *of, values),
            Self::Number { of, from, to } => {
                let number = match of {
                    NumberOf::Modified => file.modified.as_second(),
                    NumberOf::Size => i64::try_from(file.size).unwrap_or(i64::MAX),
                };
                (*from..=*to).contains(&number)
            }
        }
    }
}

fn has_text(file: &FileEntry, of: TextOf, values: &BTreeSet<String>) -> bool {
    let is_one = |text: &str| values.contains(text);
    let provenance = &file.provenance;
    match of {
        TextOf::Path => is_one(&common_spelling(file.path.as_str())),
        TextOf::FileName => is_one(&common_spelling(file.path.file_name())),
        TextOf::Folder => {
            let path = common_spelling(file.path.as_str());
            path.match_indices('/').any(|(end, _)| is_one(&path[..end]))
        }
        TextOf::Format => file.format.as_deref().is_some_and(is_one),
        TextOf::Language => file.language.is_some_and(|language| is_one(language.code())),
        TextOf::Agent => provenance.agent.as_deref().is_some_and(is_one),
        TextOf::Run => provenance.run.as_deref().is_some_and(is_one),
        TextOf::Sandbox => provenance.sandbox.as_deref().is_some_and(is_one),
        TextOf::Tag => provenance.tags.iter().any(|tag| is_one(tag)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file() -> FileEntry {
        serde_json::from_value(json!({
            "path": "reports/cafe\u{301}/plan.md", "state": "ready", "format": "markdown", "language": "fr", "size": 100,
            "modified": "1970-01-01T00:01:40.9Z", "revision": 3, "num_chunks": 1,
            "provenance": { "agent": "coder", "tags": ["draft", "nightly"] },
        }))
        .unwrap()
    }

    #[test]
    fn a_text_is_met_by_any_value_of_the_file_in_any_spelling_of_its_path() {
        for (of, value, is_met) in [
            (TextOf::Path, "reports/caf\u{e9}/plan.md", true),
            (TextOf::Path, "plan.md", false),
            (TextOf::FileName, "plan.md", true),
            (TextOf::Folder, "reports", true),
            (TextOf::Folder, "reports/caf\u{e9}/", true),
            (TextOf::Folder, "report", false),
            (TextOf::Folder, "reports/caf\u{e9}/plan.md", false),
            (TextOf::Format, "markdown", true),
            (TextOf::Language, "fr", true),
            (TextOf::Agent, "coder", true),
            (TextOf::Run, "coder", false),
            (TextOf::Sandbox, "", false),
            (TextOf::Tag, "nightly", true),
            (TextOf::Tag, "draft, nightly", false),
        ] {
            let condition = Condition::text(of, [value, "of no file"]);
            assert_eq!(condition.admits(&file()), is_met, "{of:?} {value}");
            assert_eq!(condition.negated().admits(&file()), !is_met, "not {of:?} {value}");
        }
    }

    #[test]
    fn numbers_are_within_both_bounds_and_conditions_combine() {
        let number = |of, from, to| Condition::Number { of, from, to };
        let (yes, no) = (number(NumberOf::Size, 100, 100), number(NumberOf::Size, 101, i64::MAX));
        assert!(yes.admits(&file()) && !no.admits(&file()) && !number(NumberOf::Size, 101, 99).admits(&file()));
        assert!(number(NumberOf::Modified, 100, 100).admits(&file()), "parts of a second do not count");
        assert!(Condition::All(vec![]).admits(&file()) && !Condition::Any(vec![]).admits(&file()));
        assert!(Condition::Any(vec![no.clone(), yes.clone()]).admits(&file()));
        assert!(!Condition::All(vec![no, yes]).admits(&file()));
    }
}
