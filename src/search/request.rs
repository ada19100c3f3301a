//! What can be asked, and what comes back.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SearchError;
use super::conditions::Condition;
use super::globs::{self, Compiled};
use crate::error::Advice as _;
use crate::extract::Format;
use crate::index::{Filter, LexicalQuery, WordConditions};
use crate::workspace::{
    Cells, Citation, Facets, FileCounts, InvalidProvenance, Language, PatternLimits, ProvenanceFilter, RelPath,
    Revision,
};

/// The most passages of one reply.
pub const MAX_K: usize = 100;
/// The most passages that an evaluation looks at, which asks for every passage and counts them.
pub(super) const MAX_EVERY_PASSAGE: usize = 1_000;
/// Longer waits for a revision are refused, in milliseconds.
pub const MAX_WAIT_MS: u64 = 60_000;

/// Which legs look for candidates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Words alone: BM25.
    Lexical,
    /// Meaning alone: vectors.
    Dense,
    /// Both, fused.
    #[default]
    Hybrid,
}

/// How the two ranked lists become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FusionMethod {
    /// Convex combination of scores within their bounds.
    #[default]
    Convex,
    /// Reciprocal rank fusion with k = 60.
    Rrf,
}

/// Conditions on the searched files; all must hold. They apply inside both legs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// The path matches one of these globs (`reports/**`, `*.md`). A glob without `/` matches the file name.
    pub path: Vec<String>,
    /// One of these types: text, markdown, rst, html, code, json, jsonl, csv, tsv, log, pdf, notebook, archive, email, mailbox,
    /// spreadsheet, rtf, yaml, toml, xml, subtitles, asciidoc, latex, docx, pptx, odt, odp, epub.
    #[serde(rename = "type")]
    pub formats: Vec<String>,
    /// Modified at this time or later (RFC 3339, for example `2026-10-01T00:00:00Z`).
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub modified_after: Option<Timestamp>,
    /// Modified before this time (RFC 3339).
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub modified_before: Option<Timestamp>,
    /// Written by one of these agents.
    pub agent: Vec<String>,
    /// Written in one of these runs.
    pub run: Vec<String>,
    /// Written in one of these sandboxes.
    pub sandbox: Vec<String>,
    /// Written under one of these tags.
    pub tags: Vec<String>,
    /// The path matches none of these globs. Queries can say this, and these three below; requests have no field for it.
    #[serde(skip)]
    pub other_paths: Vec<String>,
    /// The type is none of these.
    #[serde(skip)]
    pub other_formats: Vec<String>,
    /// What the passage holds and does not hold.
    #[serde(skip)]
    pub words: WordConditions,
    /// What must be so of the file as it is listed.
    #[serde(skip)]
    pub condition: Option<Condition>,
    /// Further conditions, which hold as well.
    #[serde(skip)]
    pub also: Option<Box<Filters>>,
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// What to look for: plain words or a question, with `"a phrase"`, `-word`, `word*`, `path:reports/`, `type:pdf`, `agent:`, `run:`, `tag:`,
    /// `before:2026-10-31` and `after:` where wanted; `notes` of the reply say how it was read.
    #[schema(min_length = 1, max_length = 32_768)]
    pub query: String,
    /// How many passages to return, 1 to 100.
    #[serde(default = "default_k")]
    #[schema(minimum = 1, maximum = 100)]
    pub k: usize,
    /// How many of the best passages to leave out: `next_offset` of the reply before. With `k` at most 100.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 99)]
    pub offset: usize,
    /// Which legs to use.
    #[serde(default)]
    pub mode: Mode,
    /// How to fuse them.
    #[serde(default)]
    pub fusion: FusionMethod,
    /// Which files to search.
    #[serde(default)]
    pub filters: Filters,
    /// Answer from a state at least this new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_revision: Option<Revision>,
    /// How long to wait for `min_revision`, in milliseconds, at most 60000.
    #[serde(default)]
    pub wait_ms: u64,
    /// Time limit in milliseconds; the reply holds the results found until then. 10000 unless another limit is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub timeout_ms: Option<u64>,
    /// Adds the ranks and scores of both legs to each hit.
    #[serde(default)]
    pub explain: bool,
    /// Counts the files that the passages were chosen from: by who wrote them, by type, folder and day.
    #[serde(default)]
    pub facets: bool,
    /// Whether passages stay that are near copies of others, or are many of one file: for an answer or an evaluation, which looks at
    /// each of them.
    #[serde(skip)]
    pub every_passage: bool,
}

const fn default_k() -> usize {
    10
}

impl SearchRequest {
    /// A hybrid search for ten passages in all files.
    #[must_use]
    pub fn new(query: impl Into<String>) -> Self {
        Self {
            query: query.into(),
            k: default_k(),
            offset: 0,
            mode: Mode::default(),
            fusion: FusionMethod::default(),
            filters: Filters::default(),
            min_revision: None,
            wait_ms: 0,
            timeout_ms: None,
            explain: false,
            facets: false,
            every_passage: false,
        }
    }
}

/// The files that a reply is based on, and the parts that it could not see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Coverage {
    /// Files by state, of the whole workspace.
    #[serde(flatten)]
    pub files: FileCounts,
    /// Chunks with a vector as a share of the chunks that get one, 0 to 1; 1 when no chunk gets one.
    pub embedded_fraction: f64,
    /// Warnings for the reader: no model runs, so words alone were searched; no reranking; files that could not be read; a stale state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct SearchReply {
    /// The newest change that the answer takes account of.
    pub revision: Revision,
    /// The files that were searched, by state.
    pub coverage: Coverage,
    /// Whether the time limit ended the search before everything was searched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// How the query was read, where it has operators or a word that no file holds, and which parts were not understood.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Passages, best first.
    pub hits: Vec<Hit>,
    /// The `offset` of the next passages, where there may be more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<usize>,
    /// The files of all candidates of both legs, counted, when asked for: more files than those of the passages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facets: Option<Facets>,
}

/// What a search found in one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Passages, best first.
    pub hits: Vec<Hit>,
    /// The files of all candidates of both legs, where facets are asked for.
    pub candidates: BTreeSet<RelPath>,
    /// Why a configured reranker did not reorder the passages.
    pub not_reranked: Option<String>,
}

/// A passage: one chunk, or adjacent ones merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Hit {
    /// Position, from 1.
    pub rank: usize,
    /// The fused score (with one leg, that leg's): comparable within one reply, not between replies. Where a reranker is configured,
    /// the order of the first passages is its own and not that of these scores.
    pub score: f32,
    /// The passage's words, verbatim; the same as the citation's quote.
    pub text: String,
    /// The document's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The header of the table whose rows the passage holds, where it does not itself begin with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Where it stands, and under what.
    pub citation: Citation,
    /// The cells that the passage goes through, so that a part of it can be cited by its own.
    #[serde(skip)]
    pub cells: Cells,
    /// The language that its document is written in, where that is known.
    #[serde(skip)]
    pub language: Option<Language>,
    /// Whether it never gets a vector, because the model does not know its language.
    #[serde(skip)]
    pub by_words: bool,
    /// The newer file that has replaced this one: because one of the two says so, or by the version in their names. In searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<RelPath>,
    /// Other places of the same or nearly the same words. Each place has its own quote, which may be a part of the passage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_at: Vec<Copied>,
    /// Ranks and scores of the legs, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<Signals>,
}

/// Another place of a passage's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Copied {
    /// The place, with its own words.
    #[serde(flatten)]
    pub citation: Citation,
    /// How its words differ from those of the passage; absent where they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
}

impl Hit {
    /// The place of the passage, and the others of its words.
    pub fn places(&self) -> impl Iterator<Item = &Citation> {
        std::iter::once(&self.citation).chain(self.also_at.iter().map(|copied| &copied.citation))
    }

    /// The same places, to be changed.
    pub(crate) fn places_mut(&mut self) -> impl Iterator<Item = &mut Citation> {
        std::iter::once(&mut self.citation).chain(self.also_at.iter_mut().map(|copied| &mut copied.citation))
    }
}

/// How a passage's best chunk came to its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Signals {
    /// Rank among the words' candidates, from 1.
    pub lexical_rank: Option<usize>,
    /// BM25.
    pub lexical_score: Option<f32>,
    /// Rank among the vectors' candidates, from 1.
    pub dense_rank: Option<usize>,
    /// Cosine, -1 to 1.
    pub dense_score: Option<f32>,
    /// The reranker's score of the passage, where it is among those that were reranked; higher is better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reranked: Option<f32>,
}

impl Filters {
    /// What is asked of the writers of files, by these conditions alone. Which files that are says the store, so it is not in the
    /// compiled filter.
    ///
    /// # Errors
    /// [`SearchError::Invalid`] for a value that no file can have.
    pub fn provenance(&self) -> Result<ProvenanceFilter, SearchError> {
        let Self { agent, run, sandbox, tags, .. } = self.clone();
        let filter = ProvenanceFilter { agent, run, sandbox, tags };
        let invalid =
            |error: InvalidProvenance| SearchError::invalid(error.to_string(), error.hint().unwrap_or_default());
        filter.check().map_err(invalid).map(|()| filter)
    }

    /// These conditions, and others beside them.
    #[must_use]
    pub(super) fn and(mut self, other: Self) -> Self {
        if other != Self::default() {
            let others = match self.also.take() {
                Some(also) => also.and(other),
                None => other,
            };
            self.also = Some(Box::new(others));
        }
        self
    }

    /// These, and then those that hold as well.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |filters| filters.also.as_deref())
    }

    /// The filter as the index applies it, and the globs whose files are to be decided, but for what is asked of the writers of files.
    ///
    /// # Errors
    /// [`SearchError::Pattern`] for globs beyond `limits`, [`SearchError::Invalid`] for one that cannot be read or a type that does
    /// not exist.
    pub fn compile(&self, limits: PatternLimits) -> Result<Compiled, SearchError> {
        limits.check_number(self.each().map(|filters| filters.path.len() + filters.other_paths.len()).sum())?;
        let mut all = Compiled::default();
        for filters in self.each() {
            all = all.and(filters.compile_alone(limits)?);
        }
        Ok(all)
    }

    fn compile_alone(&self, limits: PatternLimits) -> Result<Compiled, SearchError> {
        let mut formats: Option<BTreeSet<Format>> = None;
        if !self.formats.is_empty() {
            formats = Some(self.formats.iter().map(|name| format_of(name)).collect::<Result<_, _>>()?);
        }
        for name in &self.other_formats {
            formats.get_or_insert_with(|| Format::ALL.into_iter().collect()).remove(&format_of(name)?);
        }
        let Compiled { filter, globs } = globs::compile(&self.path, &self.other_paths, limits)?;
        let filter = Filter {
            formats,
            modified_from_ms: self.modified_after.map(Timestamp::as_millisecond),
            modified_until_ms: self.modified_before.map(Timestamp::as_millisecond),
            words: self.words.clone(),
            ..filter
        };
        Ok(Compiled { filter, globs })
    }
}

fn format_of(name: &str) -> Result<Format, SearchError> {
    Format::from_name(name).ok_or_else(|| {
        let known = Format::ALL.map(Format::name).join(", ");
        SearchError::invalid(format!("there is no type `{name}`"), format!("one of {known}"))
    })
}

/// Divides a query into plain words and quoted phrases. A quote that is not closed is a plain character.
#[must_use]
pub fn parse_query(query: &str, weights: crate::config::FieldWeights) -> LexicalQuery {
    let mut words = String::new();
    let mut phrases = Vec::new();
    let mut rest = query;
    while let Some(open) = rest.find('"') {
        let Some(length) = rest[open + 1..].find('"') else { break };
        words.push_str(&rest[..open]);
        words.push(' ');
        let phrase = rest[open + 1..open + 1 + length].trim();
        if !phrase.is_empty() {
            phrases.push(phrase.to_owned());
        }
        rest = &rest[open + 2 + length..];
    }
    words.push_str(rest);
    LexicalQuery { words, phrases, weights }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_of_requests_and_the_page_of_queries_list_every_type() {
        let schema = schemars::schema_for!(Filters).to_value();
        let description = schema["properties"]["type"]["description"].as_str().unwrap();
        let page = include_str!("../../docs/query-language.md");
        for name in Format::ALL.map(Format::name) {
            assert!(description.split(|sign: char| !sign.is_ascii_lowercase()).any(|word| word == name), "{name}");
            assert!(page.contains(&format!("| `{name}` |")), "{name}");
        }
    }

    #[test]
    fn quotes_become_phrases_and_everything_else_stays_words() {
        let query = parse_query("why \"cold start\" AND (x:y -z \"\" \"open", crate::config::FieldWeights::default());
        assert_eq!(query.phrases, ["cold start"]);
        assert_eq!(query.words, "why   AND (x:y -z   \"open");
    }

    #[test]
    fn a_glob_without_a_slash_is_about_names() {
        let filters = Filters { path: vec!["*.md".into(), "runs/*/out.txt".into()], ..Filters::default() };
        let filter = filters.compile(PatternLimits::default()).unwrap();
        assert!(filter.admits_path("a/b/c.md") && filter.admits_path("runs/1/out.txt"));
        assert!(!filter.admits_path("runs/1/2/out.txt") && !filter.admits_path("a.mdx"));
    }

    #[test]
    fn a_glob_is_compiled_up_to_each_limit_and_not_beyond() {
        let limits = PatternLimits { bytes: 12, nesting: 2, number: 2 };
        let code = |path: &[&str]| {
            let path = path.iter().map(|&glob| glob.to_owned()).collect();
            Filters { path, ..Filters::default() }.compile(limits).map(drop).map_err(|error| error.code())
        };
        assert_eq!(code(&["{{a,b}}.md", "123456789012"]), Ok(()));
        for beyond in ["{{{a}}}", "1234567890123", &"{".repeat(32_000)] {
            assert_eq!(code(&[beyond]), Err("pattern_too_large"));
        }
        assert_eq!(code(&["a", "b", "c"]), Err("too_many_patterns"));
        let one = Filters { path: vec!["a".into(), "b".into()], ..Filters::default() };
        let both = one.and(Filters { other_paths: vec!["c".into()], ..Filters::default() });
        assert_eq!(both.compile(limits).unwrap_err().code(), "too_many_patterns");
    }
}
