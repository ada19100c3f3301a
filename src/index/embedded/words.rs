//! Chunks by conditions on their words, and the words that chunks hold, from the dictionaries of the segments.
//!
//! A dictionary also has words of chunks that are deleted, hidden or filtered out. So no word is named before a chunk was found
//! that passes and has it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tantivy::query::FuzzyTermQuery;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet as _, SegmentReader, TERMINATED, Term};

use super::schema::Fields;
use super::snapshot::{EmbeddedSnapshot, Passing, pack};
use super::tantivy;
use crate::index::analyzer::{Analysis, Phrase, Stemming};
use crate::index::words::{holds_phrase, keep_as_written, stems};
use crate::index::{FoundWord, Holding, IndexError, WordConditions, WordPattern};
use crate::priority::in_parts;

/// Chunks that one core reads at the least.
const MIN_READ: usize = 32;
/// Words whose chunks are counted, those of few edits and in many chunks first.
const MAX_COUNTED: usize = 200;

/// A segment's chunks, and where it is.
type InSegment<'a> = (u32, &'a SegmentReader);

impl Fields {
    /// The fields whose terms are stems.
    const fn stemmed(&self) -> [Field; 4] {
        [self.body, self.title, self.trail, self.path_words]
    }
}

impl EmbeddedSnapshot {
    /// Those of `passing`, the chunks of each segment, that meet conditions on words.
    pub(super) fn meeting(&self, mut passing: Passing, words: &WordConditions) -> Result<Passing, IndexError> {
        let conditions = words.required.iter().map(|holding| (holding, true));
        for (holding, is_required) in conditions.chain(words.excluded.iter().map(|holding| (holding, false))) {
            if self.budget.is_over() {
                break;
            }
            let segments: Vec<InSegment<'_>> = (0..).zip(self.state.segments().map(|(reader, _)| reader)).collect();
            for ((ordinal, reader), docs) in segments.into_iter().zip(&mut passing) {
                let holding = self.docs_holding((ordinal, reader), holding, docs)?;
                docs.retain(|&doc| holding.contains(doc) == is_required);
            }
        }
        Ok(passing)
    }

    /// The chunks of a segment that hold something; of a phrase, those of `docs`.
    fn docs_holding(
        &self,
        (ordinal, reader): InSegment<'_>,
        holding: &Holding,
        docs: &[DocId],
    ) -> Result<BitSet, IndexError> {
        let mut holders = BitSet::with_max_value(reader.max_doc());
        match holding {
            Holding::Word(word) => {
                for (field, term) in forms(&self.fields, &self.state.stemmings, word) {
                    add_docs(reader, &Term::from_field_text(field, &term), &mut holders)?;
                }
            }
            Holding::Prefix(beginning) => {
                for field in self.fields.stemmed().into_iter().chain([self.fields.exact]) {
                    for (term, _) in terms(reader, field, WordPattern::BeginsWith(beginning))? {
                        add_docs(reader, &Term::from_field_text(field, &term), &mut holders)?;
                    }
                }
            }
            Holding::Phrase(phrase) => {
                let may_hold = self.may_hold(reader, phrase)?;
                let candidates: Vec<DocId> = docs.iter().copied().filter(|&doc| may_hold.contains(doc)).collect();
                let holds = |&doc: &DocId| -> Result<Option<DocId>, IndexError> {
                    if self.budget.is_over() {
                        return Ok(None);
                    }
                    let chunks = self.load_at(&[pack(ordinal, doc)])?;
                    Ok(chunks.iter().any(|chunk| holds_phrase(chunk, phrase)).then_some(doc))
                };
                let read = |part: &[DocId]| part.iter().map(holds).collect::<Result<Vec<_>, _>>();
                for part in in_parts(&candidates, MIN_READ, read) {
                    for doc in part?.into_iter().flatten() {
                        holders.insert(doc);
                    }
                }
            }
        }
        Ok(holders)
    }

    /// The chunks of a segment that have all words of a phrase in one field, stemmed as some language has them.
    fn may_hold(&self, reader: &SegmentReader, phrase: &Phrase) -> Result<BitSet, IndexError> {
        let mut any = BitSet::with_max_value(reader.max_doc());
        for &stemming in &self.state.stemmings {
            let stems = phrase.terms(Analysis::Stemmed, stemming);
            for field in self.fields.stemmed() {
                let mut terms: Vec<Term> = stems.iter().map(|stem| Term::from_field_text(field, stem)).collect();
                if field == self.fields.body {
                    let exact = phrase.terms(Analysis::Exact, stemming);
                    terms.extend(exact.iter().map(|term| Term::from_field_text(self.fields.exact, term)));
                }
                // Of stop words alone, which these fields leave out.
                let Some((first, rest)) = terms.split_first() else { continue };
                let mut all: Vec<DocId> = Vec::new();
                each_doc(reader, first, |doc| {
                    all.push(doc);
                    ControlFlow::Continue(())
                })?;
                for term in rest {
                    let mut holders = BitSet::with_max_value(reader.max_doc());
                    add_docs(reader, term, &mut holders)?;
                    all.retain(|&doc| holders.contains(doc));
                }
                for doc in all {
                    any.insert(doc);
                }
            }
        }
        Ok(any)
    }

    /// The words of a pattern that chunks hold which pass; all where `passing` is `None`.
    pub(super) fn spelled(
        &self,
        pattern: &WordPattern<'_>,
        passing: Option<&Passing>,
        limit: usize,
    ) -> Result<Vec<FoundWord>, IndexError> {
        let stemmings = &self.state.stemmings;
        // Each with its fields, and its chunks in all segments whether they pass or not.
        let mut words: BTreeMap<String, (Vec<Field>, u64)> = BTreeMap::new();
        let mut add = |term: String, field: Field, num_docs: u64| {
            let (fields, sum) = words.entry(term).or_default();
            if !fields.contains(&field) {
                fields.push(field);
            }
            *sum += num_docs;
        };
        for (reader, _) in self.state.segments() {
            for field in self.fields.stemmed().into_iter().chain([self.fields.exact]) {
                for (term, num_docs) in terms(reader, field, *pattern)? {
                    add(term, field, num_docs);
                }
            }
        }
        let mut words: Vec<(String, (Vec<Field>, u64))> = words.into_iter().collect();
        let distance = |word: &str| pattern.distance(word).unwrap_or(0);
        words.sort_by_key(|(word, (_, num_docs))| (distance(word), std::cmp::Reverse(*num_docs)));
        words.truncate(MAX_COUNTED);
        let mut found = Vec::new();
        let mut as_written = Vec::new();
        for (word, (fields, _)) in words {
            if self.budget.is_over() {
                break;
            }
            let (mut num_chunks, mut is_written) = (0, false);
            for field in fields {
                let num = self.num_passing(&Term::from_field_text(field, &word), passing)?;
                is_written |= field == self.fields.exact && num > 0;
                num_chunks = num_chunks.max(num);
            }
            if num_chunks > 0 {
                as_written.push(is_written);
                found.push(FoundWord { distance: distance(&word), word, num_chunks });
            }
        }
        keep_as_written(&mut found, &as_written, stemmings);
        Ok(pattern.first(found, limit))
    }

    /// Whether a chunk that passes has a form of a word.
    pub(super) fn has_form_of(&self, word: &str, passing: Option<&Passing>) -> Result<bool, IndexError> {
        for (field, term) in forms(&self.fields, &self.state.stemmings, word) {
            let mut is_found = false;
            self.each_passing(&Term::from_field_text(field, &term), passing, || {
                is_found = true;
                ControlFlow::Break(())
            })?;
            if is_found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many chunks have a term and pass.
    fn num_passing(&self, term: &Term, passing: Option<&Passing>) -> Result<usize, IndexError> {
        let mut num = 0;
        self.each_passing(term, passing, || {
            num += 1;
            ControlFlow::Continue(())
        })?;
        Ok(num)
    }

    fn each_passing(
        &self,
        term: &Term,
        passing: Option<&Passing>,
        mut see: impl FnMut() -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        for (ordinal, (reader, _)) in self.state.segments().enumerate() {
            each_doc(reader, term, |doc| {
                let passes = passing.is_none_or(|passing| passing[ordinal].binary_search(&doc).is_ok());
                if passes && !reader.is_deleted(doc) { see() } else { ControlFlow::Continue(()) }
            })?;
        }
        Ok(())
    }
}

/// The terms that a word can be indexed as, each with its field.
fn forms(fields: &Fields, stemmings: &[Stemming], word: &str) -> Vec<(Field, String)> {
    let stems = stems(word, stemmings);
    let stemmed = fields.stemmed().into_iter().flat_map(|field| stems.iter().map(move |stem| (field, stem.clone())));
    let exact = word.chars().flat_map(char::to_lowercase).collect();
    stemmed.chain([(fields.exact, exact)]).collect()
}

/// The terms of a segment's field that are of a pattern, and how many chunks have each, deleted ones among them.
fn terms(reader: &SegmentReader, field: Field, pattern: WordPattern<'_>) -> Result<Vec<(String, u64)>, IndexError> {
    let index = reader.inverted_index(field).map_err(tantivy)?;
    let mut found = Vec::new();
    let mut add = |key: &[u8], num_docs: u32| {
        let Some(term) = std::str::from_utf8(key).ok() else { return false };
        let is_of_pattern = pattern.distance(term).is_some();
        if is_of_pattern {
            found.push((term.to_owned(), u64::from(num_docs)));
        }
        is_of_pattern
    };
    match pattern {
        WordPattern::BeginsWith(beginning) => {
            let mut stream = index.terms().range().ge(beginning).into_stream().map_err(super::io)?;
            while stream.advance() {
                if !add(stream.key(), stream.value().doc_freq) {
                    break;
                }
            }
        }
        WordPattern::Near { word, max_distance } => {
            let query = FuzzyTermQuery::new(Term::from_field_text(field, word), max_distance, true);
            let automaton = query.automaton().map_err(tantivy)?;
            let mut stream = index.terms().search(automaton).into_stream().map_err(super::io)?;
            while stream.advance() {
                add(stream.key(), stream.value().doc_freq);
            }
        }
    }
    Ok(found)
}

fn add_docs(reader: &SegmentReader, term: &Term, docs: &mut BitSet) -> Result<(), IndexError> {
    each_doc(reader, term, |doc| {
        docs.insert(doc);
        ControlFlow::Continue(())
    })
}

/// Shows the chunks of a segment that have a term, deleted ones among them, as long as more are wanted.
fn each_doc(
    reader: &SegmentReader,
    term: &Term,
    mut see: impl FnMut(DocId) -> ControlFlow<()>,
) -> Result<(), IndexError> {
    let index = reader.inverted_index(term.field()).map_err(tantivy)?;
    let postings = index.read_postings(term, IndexRecordOption::Basic).map_err(super::io)?;
    if let Some(mut postings) = postings {
        let mut doc = postings.doc();
        while doc != TERMINATED && see(doc).is_continue() {
            doc = postings.advance();
        }
    }
    Ok(())
}
