//! The query language: a query taken apart into words and conditions, with notes of how it was read.
//!
//! # Invariants
//! - Whatever is no operator stays a plain word: URLs, `C:\x`, `std::vec`, `k8s:foo`, `-1`, `--flag`, words with hyphens.
//! - What is written like an operator and cannot be one is searched as words, and a note says so.
//! - No query is refused for what stands in it.
//!
//! `docs/query-language.md` is the description for users.

mod dates;
#[cfg(test)]
mod tests;

use super::SearchError;
use super::request::{Filters, SearchRequest};
use crate::extract::Format;
use crate::index::Holding;
use crate::index::analyzer::Phrase;
use crate::workspace::{PatternLimits, composed};
use dates::first_moment;

/// The fields that can be asked for, as `field:value`.
const FIELDS: [Field; 7] =
    [Field::Path, Field::Type, Field::Agent, Field::Run, Field::Tag, Field::Before, Field::After];

/// Shorter words after a minus are flags of programs (`-v`, `-rf`), in letters.
const MIN_EXCLUDED: usize = 3;
/// A word is left open behind so many letters at the least.
const MIN_PREFIX: usize = 2;

/// A field of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Path,
    Type,
    Agent,
    Run,
    Tag,
    Before,
    After,
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Type => "type",
            Self::Agent => "agent",
            Self::Run => "run",
            Self::Tag => "tag",
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// A query taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ReadQuery {
    /// The plain words and the phrases in their quotes, in their order.
    pub words: String,
    /// Beginnings of words that are left open, in small letters.
    pub prefixes: Vec<String>,
    /// Conditions on files and words.
    pub filters: Filters,
    /// How operators were read, each in a few words.
    pub read: Vec<String>,
    /// What was not understood, or not as it may have been meant.
    pub notes: Vec<String>,
}

/// A search whose query is plain words, and what its query said beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadSearch {
    /// The search: its query has words and phrases alone, its filters have the query's conditions too.
    pub request: SearchRequest,
    /// Beginnings of words that the query leaves open.
    pub prefixes: Vec<String>,
    /// How the query was read, where it is not of plain words alone.
    pub notes: Vec<String>,
}

/// Reads the operators of a search's query. What they ask for holds beside the search's own filters.
#[must_use]
pub fn read_search(request: &SearchRequest, limits: PatternLimits) -> ReadSearch {
    let is_text = request.query.split_whitespace().nth(MAX_WORDS).is_some();
    let operators = if is_text { Operators::Fields } else { Operators::All };
    let ReadQuery { words, prefixes, filters, read, notes } = Reader::new(&request.query, operators, limits).read();
    let notes = notes_of(&words, &read, notes);
    let filters = request.filters.clone().and(filters);
    ReadSearch { request: SearchRequest { query: words, filters, ..request.clone() }, prefixes, notes }
}

/// Reads of a question the fields of files alone: the question without them, `filters` with them, and how they were read.
///
/// Signs mean what they do in a sentence there: `-`, `*` and quotes are left alone.
#[must_use]
pub fn read_question(question: &str, filters: &Filters, limits: PatternLimits) -> (String, Filters, Vec<String>) {
    let ReadQuery { words, filters: of_fields, read, notes, .. } =
        Reader::new(question, Operators::Fields, limits).read();
    if read.is_empty() || words.trim().is_empty() {
        return (question.to_owned(), filters.clone(), notes);
    }
    let notes = notes_of(&words, &read, notes);
    (words, filters.clone().and(of_fields), notes)
}

fn notes_of(words: &str, read: &[String], notes: Vec<String>) -> Vec<String> {
    if read.is_empty() {
        return notes;
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = if words.is_empty() { "no words".to_owned() } else { format!("words `{words}`") };
    let mut all = vec![format!("the query was read as: {words}; {}", read.join("; "))];
    all.extend(notes);
    all
}

/// A query of more words is a text, in which quotes, minus and star are what they are in a sentence.
const MAX_WORDS: usize = 20;

/// Which operators are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operators {
    All,
    /// Those of files.
    Fields,
}

struct Reader<'a> {
    rest: &'a str,
    operators: Operators,
    limits: PatternLimits,
    found: ReadQuery,
}

impl<'a> Reader<'a> {
    fn new(query: &'a str, operators: Operators, limits: PatternLimits) -> Self {
        Self { rest: query, operators, limits, found: ReadQuery::default() }
    }

    fn read(mut self) -> ReadQuery {
        let has_words = self.rest.split_whitespace().count() > 1;
        while let Some(first) = self.rest.chars().next() {
            if first.is_whitespace() {
                self.take(first.len_utf8());
                continue;
            }
            let length = self.operator().unwrap_or(0);
            if length > 0 {
                self.rest = &self.rest[length..];
                self.found.words.push(' ');
            } else {
                self.plain(has_words);
            }
        }
        self.found.words = self.found.words.trim().to_owned();
        self.found
    }

    /// Goes on over text that stays in the words.
    fn take(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        self.found.words.push_str(taken);
        self.rest = rest;
    }

    /// The text up to the next white space.
    fn token(&self) -> &'a str {
        self.rest.split(char::is_whitespace).next().unwrap_or_default()
    }

    fn plain(&mut self, has_words: bool) {
        let token = self.token();
        if self.operators == Operators::All
            && let Some(note) = note_of_plain(token, has_words)
        {
            self.note(note);
        }
        // A phrase may have spaces, and what is in it is no operator.
        let quote = token.find('"').and_then(|at| Some(at + 2 + self.rest[at + 1..].find('"')?));
        self.take(quote.unwrap_or(token.len()));
    }

    fn note(&mut self, note: String) {
        if !self.found.notes.contains(&note) {
            self.found.notes.push(note);
        }
    }

    /// Reads an operator at the start of the rest, and returns its length; `None` where there is none.
    fn operator(&mut self) -> Option<usize> {
        let body = self.rest.strip_prefix('-');
        let (is_excluded, body) = (body.is_some(), body.unwrap_or(self.rest));
        let sign = self.rest.len() - body.len();
        if let Some((field, name_len)) = field_of(body) {
            let (value, value_len) = value_of(&body[name_len..])?;
            return self.field(field, value, is_excluded).then_some(sign + name_len + value_len);
        }
        if self.operators == Operators::Fields {
            return None;
        }
        if let Some(quoted) = body.strip_prefix('"') {
            let phrase = &quoted[..quoted.find('"')?];
            let length = sign + phrase.len() + 2;
            return self.phrase(phrase, is_excluded).then_some(length);
        }
        let token = self.token();
        let word = token[sign..].trim_end_matches([',', ';', '?', '!', ')', '.', ':']);
        if let Some(beginning) = word.strip_suffix('*') {
            return self.prefix(beginning, is_excluded).then_some(token.len());
        }
        (is_excluded && self.excluded(word)).then_some(token.len())
    }

    /// Whether it is taken; if not, it is plain words.
    fn field(&mut self, field: Field, value: &str, is_excluded: bool) -> bool {
        let filters = &mut self.found.filters;
        let without = if is_excluded { "without " } else { "" };
        let told = match field {
            Field::Path => {
                let globs = globs_of(value);
                let test = Filters { path: globs.clone(), ..Filters::default() };
                let compiled = test.compile(self.limits);
                if let Err(SearchError::Pattern(error)) = compiled {
                    self.note(format!("a `path:` was searched as words: {error}"));
                    return false;
                }
                if globs.is_empty() || compiled.is_err() {
                    self.note(format!("`path:{value}` is not a path or glob, and was searched as words"));
                    return false;
                }
                if is_excluded {
                    filters.other_paths.extend(globs);
                } else {
                    filters.path.extend(globs);
                }
                format!("{without}path `{value}`")
            }
            Field::Type => {
                let name = value.to_ascii_lowercase();
                let Some(format) = Format::from_name(&name) else {
                    let known = Format::ALL.map(Format::name).join(", ");
                    self.note(format!(
                        "there is no type `{value}`, so `type:{value}` was searched as words; the types are {known}"
                    ));
                    return false;
                };
                if is_excluded {
                    filters.other_formats.push(format.name().to_owned());
                } else {
                    filters.formats.push(format.name().to_owned());
                }
                format!("{without}type `{}`", format.name())
            }
            Field::Agent | Field::Run | Field::Tag | Field::Before | Field::After if is_excluded => {
                let name = field.name();
                self.note(format!("`-{name}:` is not an operator: `-{name}:{value}` was searched as words"));
                return false;
            }
            Field::Agent | Field::Run | Field::Tag => {
                let (test, values) = match field {
                    Field::Agent => {
                        (Filters { agent: vec![value.to_owned()], ..Filters::default() }, &mut filters.agent)
                    }
                    Field::Run => (Filters { run: vec![value.to_owned()], ..Filters::default() }, &mut filters.run),
                    _ => (Filters { tags: vec![value.to_owned()], ..Filters::default() }, &mut filters.tags),
                };
                if let Err(error) = test.provenance() {
                    self.note(format!("`{}:{value}` was searched as words: {error}", field.name()));
                    return false;
                }
                values.push(value.to_owned());
                format!("{} `{value}`", field.name())
            }
            Field::Before | Field::After => {
                let name = field.name();
                let Some(moment) = first_moment(value) else {
                    self.note(format!(
                        "`{name}:{value}` is not a date, and was searched as words; write `{name}:2026-10-31`, `2026-10`, \
                         `2026` or a time such as `2026-10-31T12:00:00Z`"
                    ));
                    return false;
                };
                if field == Field::Before {
                    filters.modified_before = Some(filters.modified_before.map_or(moment, |before| before.min(moment)));
                    format!("modified before {moment}")
                } else {
                    filters.modified_after = filters.modified_after.max(Some(moment));
                    format!("modified at {moment} or later")
                }
            }
        };
        self.found.read.push(told);
        true
    }

    fn phrase(&mut self, text: &str, is_excluded: bool) -> bool {
        let Some(phrase) = Phrase::as_written(text) else {
            self.note(format!("`\"{text}\"` has no word that could be searched, and was left out"));
            return true;
        };
        if is_excluded {
            self.found.filters.words.excluded.push(Holding::Phrase(phrase));
            self.found.read.push(format!("without \"{text}\""));
        } else {
            self.found.filters.words.required.push(Holding::Phrase(phrase));
            self.found.words.extend([" \"", text, "\" "]);
            self.found.read.push(format!("with \"{text}\" as written"));
        }
        true
    }

    fn prefix(&mut self, beginning: &str, is_excluded: bool) -> bool {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\'');
        let is_one = beginning.chars().all(is_word) && beginning.starts_with(char::is_alphanumeric);
        if !is_one || beginning.chars().count() < MIN_PREFIX {
            return false;
        }
        let lower: String = composed(beginning).chars().flat_map(char::to_lowercase).collect();
        if is_excluded {
            self.found.filters.words.excluded.push(Holding::Prefix(lower));
            self.found.read.push(format!("without words that begin with `{beginning}`"));
        } else {
            self.found.filters.words.required.push(Holding::Prefix(lower.clone()));
            self.found.prefixes.push(lower);
            self.found.read.push(format!("with a word that begins with `{beginning}`"));
        }
        true
    }

    /// Reads what stands behind a minus as a word to leave out, where it is one.
    fn excluded(&mut self, word: &str) -> bool {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\'');
        let is_one = word.starts_with(char::is_alphabetic)
            && word.chars().all(is_word)
            && (word.chars().count() >= MIN_EXCLUDED || !word.is_ascii());
        if !is_one && !is_year(word) {
            return false;
        }
        // Of several words, such as `e-mail`, none is meant by itself.
        let Some(phrase) = Phrase::as_written(word) else { return false };
        let is_several = Phrase::of(word).is_some();
        let holding = if is_several { Holding::Phrase(phrase) } else { Holding::Word(word.to_owned()) };
        self.found.filters.words.excluded.push(holding);
        self.found.read.push(format!("without `{word}`"));
        true
    }
}

/// The field at the start of a text, and the length of `field:`.
fn field_of(text: &str) -> Option<(Field, usize)> {
    let (name, value) = text.split_once(':')?;
    let field = FIELDS.into_iter().find(|field| name.eq_ignore_ascii_case(field.name()))?;
    // `path::join` is a path of another kind.
    let has_value = value.starts_with(|c: char| !c.is_whitespace() && c != ':');
    has_value.then_some((field, name.len() + 1))
}

/// A value, in quotes or up to the next white space, and its length with them. A comma behind it is not of it.
fn value_of(text: &str) -> Option<(&str, usize)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let value = &quoted[..quoted.find('"')?];
        return (!value.trim().is_empty()).then_some((value.trim(), value.len() + 2));
    }
    let token = text.split(char::is_whitespace).next()?;
    let value = token.trim_end_matches([',', ';', '?', '!']);
    (!value.is_empty()).then_some((value, token.len()))
}

/// The globs of a path: one that has no wildcard is a file or a folder, by its name or from the workspace's folder on.
fn globs_of(value: &str) -> Vec<String> {
    let path = value.trim_start_matches("./").trim_start_matches('/');
    let is_folder = path.ends_with('/');
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Vec::new();
    }
    if path.contains(['*', '?', '[', '{']) {
        return vec![if is_folder { format!("{path}/**") } else { path.to_owned() }];
    }
    let escaped = globset::escape(path);
    let anywhere = if path.contains('/') { escaped } else { format!("**/{escaped}") };
    let below = format!("{anywhere}/**");
    if is_folder { vec![below] } else { vec![anywhere, below] }
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit()) && matches!(&word[..2], "19" | "20")
}

/// What to say of a word that is searched as it stands and looks as if more was meant.
fn note_of_plain(token: &str, has_words: bool) -> Option<String> {
    let is_number = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    if let Some(number) = token.strip_prefix('-').filter(|number| is_number(number)) {
        return Some(format!("`{token}` was searched as a number; `-\"{number}\"` leaves it out"));
    }
    if has_words && matches!(token, "AND" | "OR" | "NOT") {
        return Some(format!(
            "`{token}` is not an operator: more words of the query count more, quoted ones are required, and `-word` leaves out"
        ));
    }
    let inside = token.trim_matches('*');
    if token.len() > 1 && token.contains('*') && inside.chars().any(char::is_alphanumeric) {
        let is_name = token.contains('.') || token.contains('/');
        let hint =
            if is_name { format!("`path:{token}` asks for files") } else { "only `word*` is a pattern".to_owned() };
        return Some(format!("`{token}` was searched as words: {hint}"));
    }
    None
}
