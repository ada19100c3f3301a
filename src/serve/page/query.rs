//! The state of the search view, as its URL has it.

use serde::{Deserialize, Serialize};

use super::link;
use crate::search::{Filters, Mode, SearchRequest};
use crate::workspace::{RelPath, Span, WorkspaceId};

/// No day or time is longer.
const MAX_TIME_BYTES: usize = 40;
/// Passages of one page of results.
pub(super) const PAGE: usize = 20;

/// What is searched for, how the results stand, and which source is open beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub q: String,
    /// Any value: an answer is wanted beside the results.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ask: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agent: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag: Vec<String>,
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// A day or a time, as the query language takes it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub after: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// `time`, or anything else for relevance.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sort: String,
    /// `lexical`, `dense`, or anything else for both.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mode: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub offset: usize,
    /// The file in the source pane, and the place in it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub open: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// Any value: an answer is wanted as a page, not as a stream.
    #[serde(skip_serializing)]
    pub whole: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Clears a value that is none of those that say something.
fn keep_known(value: &mut String, known: &[&str]) {
    if !known.contains(&value.as_str()) {
        value.clear();
    }
}

/// A list that a facet narrows by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Narrowed {
    Agent,
    Run,
    Tag,
    Type,
    Path,
}

impl Narrowed {
    pub(super) const ALL: [Self; 5] = [Self::Type, Self::Path, Self::Agent, Self::Run, Self::Tag];

    /// The name of the operator that says the same.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Run => "run",
            Self::Tag => "tag",
            Self::Type => "type",
            Self::Path => "path",
        }
    }
}

impl Query {
    /// Without fields that a form sent empty.
    pub(super) fn tidied(mut self) -> Self {
        self.q = self.q.trim().to_owned();
        for one in Narrowed::ALL {
            self.values_mut(one).retain(|value| !value.trim().is_empty());
        }
        for time in [&mut self.after, &mut self.before] {
            *time = time.trim().to_owned();
            // It stands among the words of the query, where a blank would begin another one.
            if time.len() > MAX_TIME_BYTES || time.contains(char::is_whitespace) {
                time.clear();
            }
        }
        // Every link of the view repeats the state: nothing stays in it that says nothing.
        keep_known(&mut self.sort, &["time"]);
        keep_known(&mut self.mode, &["lexical", "dense"]);
        for is_wanted in [&mut self.ask, &mut self.whole] {
            if !is_wanted.is_empty() {
                "1".clone_into(is_wanted);
            }
        }
        let opened = self.opened();
        (self.open, self.at) = opened.map(|(path, span)| (path.to_string(), link::at(span))).unwrap_or_default();
        self
    }

    pub(super) fn values(&self, of: Narrowed) -> &[String] {
        match of {
            Narrowed::Agent => &self.agent,
            Narrowed::Run => &self.run,
            Narrowed::Tag => &self.tag,
            Narrowed::Type => &self.formats,
            Narrowed::Path => &self.path,
        }
    }

    fn values_mut(&mut self, of: Narrowed) -> &mut Vec<String> {
        match of {
            Narrowed::Agent => &mut self.agent,
            Narrowed::Run => &mut self.run,
            Narrowed::Tag => &mut self.tag,
            Narrowed::Type => &mut self.formats,
            Narrowed::Path => &mut self.path,
        }
    }

    pub(super) fn is_narrowed(&self) -> bool {
        Narrowed::ALL.into_iter().any(|of| !self.values(of).is_empty())
            || !self.after.is_empty()
            || !self.before.is_empty()
    }

    pub(super) fn is_by_time(&self) -> bool {
        self.sort == "time"
    }

    /// Whether an answer is wanted: it was asked for, or the words are a question.
    pub(super) fn wants_answer(&self) -> bool {
        !self.q.is_empty() && (!self.ask.is_empty() || self.q.ends_with(['?', '？']))
    }

    /// The place that is open beside the results.
    pub(super) fn opened(&self) -> Option<(RelPath, Span)> {
        let path = self.open.parse().ok()?;
        Some((path, link::span(&self.at).unwrap_or_default()))
    }

    /// The same search from its first result on, with one value more or less.
    pub(super) fn toggled(&self, of: Narrowed, value: &str) -> Self {
        let mut other = self.from_the_top();
        let values = other.values_mut(of);
        match values.iter().position(|one| one == value) {
            Some(at) => drop(values.remove(at)),
            None => values.push(value.to_owned()),
        }
        other
    }

    /// The same search from its first result on.
    pub(super) fn from_the_top(&self) -> Self {
        Self { offset: 0, open: String::new(), at: String::new(), ..self.clone() }
    }

    /// The same results beside another source.
    pub(super) fn opening(&self, path: &RelPath, span: Span) -> Self {
        Self { open: path.to_string(), at: link::at(span), ..self.clone() }
    }

    pub(super) fn url(&self, workspace: &WorkspaceId) -> String {
        // Text and numbers can always be written.
        let parameters = serde_html_form::to_string(self).unwrap_or_default();
        if parameters.is_empty() {
            link::view(workspace, "")
        } else {
            format!("{}?{parameters}", link::view(workspace, ""))
        }
    }

    /// The words with the operators that the form's fields of time stand for.
    pub(super) fn words(&self) -> String {
        let mut words = self.q.clone();
        for (name, value) in [("after", &self.after), ("before", &self.before)] {
            if !value.is_empty() {
                words.push_str(&format!(" {name}:{value}"));
            }
        }
        words.trim().to_owned()
    }

    pub(super) fn filters(&self) -> Filters {
        Filters {
            path: self.path.clone(),
            formats: self.formats.clone(),
            agent: self.agent.clone(),
            run: self.run.clone(),
            tags: self.tag.clone(),
            ..Filters::default()
        }
    }

    pub(super) fn request(&self) -> SearchRequest {
        let mode = match self.mode.as_str() {
            "lexical" => Mode::Lexical,
            "dense" => Mode::Dense,
            _ => Mode::Hybrid,
        };
        // By time all are put in order that relevance lets through.
        let (k, offset) = if self.is_by_time() { (crate::search::MAX_K, 0) } else { (PAGE, self.offset) };
        SearchRequest {
            k,
            offset,
            mode,
            filters: self.filters(),
            explain: true,
            facets: true,
            ..SearchRequest::new(self.words())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_brings_back_the_state_that_it_was_made_of() {
        let workspace: WorkspaceId = "w".parse().unwrap();
        let path: RelPath = "a & b/ü.md".parse().unwrap();
        let query =
            Query { q: "cold \"start\" 50%".to_owned(), agent: vec!["a=1".into(), "b&c".into()], ..Query::default() };
        let query = query.opening(&path, Span::new(3, 9)).toggled_back_and_forth();
        let url = query.url(&workspace);
        let read: Query = serde_html_form::from_str(url.split_once('?').unwrap().1).unwrap();
        assert_eq!(read, query);
        assert_eq!(Query::default().url(&workspace), "/w/w");
    }

    #[test]
    fn what_says_nothing_stays_in_no_link() {
        let long = "x".repeat(60_000);
        let query = Query {
            q: "gateway".to_owned(),
            sort: long.clone(),
            mode: long.clone(),
            ask: long.clone(),
            whole: long.clone(),
            after: long.clone(),
            before: "2026-01-01 agent:a".to_owned(),
            open: "../x".to_owned(),
            at: long,
            ..Query::default()
        };
        let url = query.tidied().url(&"w".parse().unwrap());
        assert_eq!(url, "/w/w?q=gateway&ask=1");
        let open = Query { open: "a.md".to_owned(), at: "x".repeat(60_000), ..Query::default() };
        assert_eq!(open.tidied().at, "0-0");
    }

    impl Query {
        fn toggled_back_and_forth(self) -> Self {
            let (open, at) = (self.open.clone(), self.at.clone());
            let other = self.toggled(Narrowed::Run, "r 1").toggled(Narrowed::Run, "r 1");
            Self { open, at, ..other }
        }
    }
}
