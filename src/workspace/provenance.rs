//! Who wrote the content of a file, as far as somebody said: an agent, in a run, in a sandbox, under tags.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Advice;

/// Longer values are refused, in characters: what JSON Schema counts.
pub const MAX_LABEL_CHARS: usize = 200;
/// More tags are refused.
pub const MAX_TAGS: usize = 32;

/// The writer of a file's content, as the writer stated it. Only the agent can be proven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default)]
pub struct Provenance {
    /// The agent or person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The run or session that it was written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The sandbox or machine that it was written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// Words to find the file by.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Whether the agent is proven: the content was written with a key that is the agent's. A request cannot say this of itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub proven: bool,
}

impl Provenance {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agent.is_none() && self.run.is_none() && self.sandbox.is_none() && self.tags.is_empty()
    }

    /// Refuses what cannot be: values have 1 to 200 characters, no control characters and no white space at their ends; there are
    /// at most 32 tags.
    ///
    /// # Errors
    /// The first value that cannot be.
    pub fn check(&self) -> Result<(), InvalidProvenance> {
        if self.tags.len() > MAX_TAGS {
            return Err(InvalidProvenance::TooManyTags { num_tags: self.tags.len() });
        }
        self.labels().try_for_each(|(label, value)| check(label.name(), value))
    }

    /// Everything that is said, value by value.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (Label, &str)> {
        let single = [(Label::Agent, &self.agent), (Label::Run, &self.run), (Label::Sandbox, &self.sandbox)];
        let single = single.into_iter().filter_map(|(label, value)| Some((label, value.as_deref()?)));
        single.chain(self.tags.iter().map(|tag| (Label::Tag, tag.as_str())))
    }
}

/// `by AGENT, run RUN`, as far as that is known; nothing where it is not.
impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.agent, &self.run) {
            (Some(agent), Some(run)) => write!(f, "by {agent}, run {run}"),
            (Some(agent), None) => write!(f, "by {agent}"),
            (None, Some(run)) => write!(f, "run {run}"),
            (None, None) => Ok(()),
        }
    }
}

/// What a value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Label {
    Agent,
    Run,
    Sandbox,
    Tag,
}

impl Label {
    pub(crate) const ALL: [Self; 4] = [Self::Agent, Self::Run, Self::Sandbox, Self::Tag];

    /// The name as it is kept, and as messages have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Run => "run",
            Self::Sandbox => "sandbox",
            Self::Tag => "tag",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.name() == name)
    }
}

/// Refuses a value that nobody could read or type; `label` names it in the error.
pub(super) fn check(label: &'static str, value: &str) -> Result<(), InvalidProvenance> {
    if value.is_empty() || value.chars().count() > MAX_LABEL_CHARS {
        return Err(InvalidProvenance::Length { label, num_chars: value.chars().count() });
    }
    if value.contains(char::is_control) || value.trim() != value {
        return Err(InvalidProvenance::Characters { label });
    }
    Ok(())
}

/// Conditions on provenance, all of them; each is met by any of its values, and one without values by everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProvenanceFilter {
    /// The agent is one of these.
    pub agent: Vec<String>,
    /// The run is one of these.
    pub run: Vec<String>,
    /// The sandbox is one of these.
    pub sandbox: Vec<String>,
    /// One of these is among the tags.
    pub tags: Vec<String>,
}

impl ProvenanceFilter {
    /// Whether every file passes, also one of which nothing is known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.conditions().next().is_none()
    }

    /// Refuses values that no file can have.
    ///
    /// # Errors
    /// The first of them.
    pub fn check(&self) -> Result<(), InvalidProvenance> {
        self.conditions()
            .flat_map(|(label, values)| values.iter().map(move |value| (label, value)))
            .try_for_each(|(label, value)| check(label.name(), value))
    }

    /// Whether a file of this provenance passes.
    #[must_use]
    pub fn admits(&self, provenance: &Provenance) -> bool {
        self.conditions().all(|(label, values)| {
            provenance.labels().any(|(has, value)| has == label && values.iter().any(|wanted| wanted == value))
        })
    }

    /// Those conditions that have values.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (Label, &[String])> {
        let Self { agent, run, sandbox, tags } = self;
        let all = [(Label::Agent, agent), (Label::Run, run), (Label::Sandbox, sandbox), (Label::Tag, tags)];
        all.into_iter().filter(|(_, values)| !values.is_empty()).map(|(label, values)| (label, values.as_slice()))
    }
}

/// Why provenance is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProvenance {
    /// A value is empty or too long.
    #[error("the {label} has {num_chars} characters, and must have 1 to {MAX_LABEL_CHARS}")]
    Length {
        /// Which value.
        label: &'static str,
        /// Its length.
        num_chars: usize,
    },
    /// A value holds control characters, or white space at its ends.
    #[error("the {label} holds control characters, or white space at its ends")]
    Characters {
        /// Which value.
        label: &'static str,
    },
    /// There are too many tags.
    #[error("there are {num_tags} tags, and {MAX_TAGS} are allowed")]
    TooManyTags {
        /// How many.
        num_tags: usize,
    },
}

impl Advice for InvalidProvenance {
    fn code(&self) -> &'static str {
        "invalid_provenance"
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Length { .. } => "shorten it, or leave it out",
                Self::Characters { .. } => "send it as one line, without white space around it",
                Self::TooManyTags { .. } => "send fewer tags",
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(agent: &str, tags: &[&str]) -> Provenance {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        Provenance { agent: Some(agent.to_owned()), tags, ..Provenance::default() }
    }

    #[test]
    fn values_that_nobody_could_read_or_type_are_refused() {
        assert_eq!(by("coder-03", &["nightly", "über"]).check(), Ok(()));
        let long = "x".repeat(201);
        for (value, is_too_long) in
            [("", true), (long.as_str(), true), ("a\u{7}", false), (" a", false), ("a\n", false)]
        {
            for wrong in [by(value, &[]), by("a", &[value])] {
                let refused = wrong.check().unwrap_err();
                assert_eq!(matches!(refused, InvalidProvenance::Length { .. }), is_too_long, "{value:?}: {refused}");
                assert!(refused.hint().is_some());
            }
        }
        let many: Vec<String> = (0..33).map(|number| number.to_string()).collect();
        let many = Provenance { tags: many.into_iter().collect(), ..Provenance::default() };
        assert_eq!(many.check(), Err(InvalidProvenance::TooManyTags { num_tags: 33 }));
    }

    #[test]
    fn a_filter_wants_one_value_of_each_of_its_conditions() {
        let filter = |agent: &[&str], tags: &[&str]| ProvenanceFilter {
            agent: agent.iter().map(|&agent| agent.to_owned()).collect(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            ..ProvenanceFilter::default()
        };
        let file = by("coder", &["nightly", "draft"]);
        for (agent, tags, passes) in [
            (&["coder", "writer"][..], &[][..], true),
            (&["coder"], &["final", "draft"], true),
            (&["writer"], &["draft"], false),
            (&["coder"], &["final"], false),
            (&[], &[], true),
        ] {
            assert_eq!(filter(agent, tags).admits(&file), passes, "{agent:?} {tags:?}");
        }
        assert!(filter(&[], &[]).is_open() && filter(&[], &[]).admits(&Provenance::default()));
        assert!(!filter(&["coder"], &[]).admits(&Provenance::default()));
    }
}
