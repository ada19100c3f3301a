//! Phrases: chunks whose words stand side by side as written.
//!
//! The postings keep no positions, which would make them a fifth larger for the few queries that have quotes. They say which
//! chunks have all words of a phrase, stemmed as their language has them, and the stored words of these are read.

use tantivy::collector::DocSetCollector;
use tantivy::index::SegmentId;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{IndexRecordOption, Value as _};
use tantivy::{DocAddress, Searcher, SegmentReader, TantivyDocument, Term};

use super::schema::Fields;
use super::snapshot::Passing;
use super::tantivy;
use crate::budget::Budget;
use crate::index::IndexError;
use crate::index::analyzer::{Analysis, Phrase, Stemming};
use crate::priority::in_parts;

/// Chunks that one core reads at the least.
const MIN_READ: usize = 32;

/// The chunks that hold a phrase, and what that is worth.
pub(super) struct WithPhrase {
    /// The sum of its words' inverse document frequencies.
    pub score: f32,
    pub ids: Vec<SegmentId>,
    /// In the order of `ids`.
    pub chunks: Passing,
}

/// Where phrases are looked for.
pub(super) struct Among<'a> {
    pub searcher: &'a Searcher,
    pub fields: &'a Fields,
    pub stemmings: &'a [Stemming],
    pub budget: &'a Budget,
}

impl Among<'_> {
    /// Looks for a phrase among the chunks that pass; `None` where it has not two words.
    pub(super) fn find(&self, phrase: &str, passing: Option<&Passing>) -> Result<Option<WithPhrase>, IndexError> {
        let Self { searcher, fields, stemmings, budget } = *self;
        if budget.is_over() {
            return Ok(None);
        }
        let Some(words) = Phrase::of(phrase) else { return Ok(None) };
        let num_chunks: u64 = searcher.segment_readers().iter().map(|reader| u64::from(reader.max_doc())).sum();
        let mut score = 0.0_f32;
        let mut languages: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for &stemming in stemmings {
            let terms = |field, analysis| -> Vec<Term> {
                words.terms(analysis, stemming).iter().map(|term| Term::from_field_text(field, term)).collect()
            };
            let (stems, exact) = (terms(fields.body, Analysis::Stemmed), terms(fields.exact, Analysis::Exact));
            let mut rarity = 0.0;
            for term in if stems.is_empty() { &exact } else { &stems } {
                rarity += idf(searcher.doc_freq(term).map_err(tantivy)?, num_chunks);
            }
            score = score.max(rarity);
            let all = stems.into_iter().chain(exact).map(|term| {
                let query: Box<dyn Query> = Box::new(TermQuery::new(term, IndexRecordOption::Basic));
                (Occur::Must, query)
            });
            languages.push((Occur::Should, Box::new(BooleanQuery::from(all.collect::<Vec<_>>()))));
        }
        let holding = searcher.search(&BooleanQuery::from(languages), &DocSetCollector).map_err(tantivy)?;
        let passes = |at: &DocAddress| {
            passing.is_none_or(|passing| passing[at.segment_ord as usize].binary_search(&at.doc_id).is_ok())
        };
        let mut holding: Vec<DocAddress> = holding.into_iter().filter(passes).collect();
        // In the order in which they are stored, so that a block is read once.
        holding.sort_unstable();
        let has_phrase = |&at: &DocAddress| -> Result<Option<DocAddress>, IndexError> {
            if budget.is_over() {
                return Ok(None);
            }
            let document: TantivyDocument = searcher.doc(at).map_err(tantivy)?;
            let body = document.get_first(fields.text);
            Ok(body.and_then(|body| body.as_str()).is_some_and(|body| words.is_in(body)).then_some(at))
        };
        let read = |part: &[DocAddress]| part.iter().map(has_phrase).collect::<Result<Vec<_>, _>>();
        let found = in_parts(&holding, MIN_READ, read).into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        let mut chunks: Passing = vec![Vec::new(); searcher.segment_readers().len()];
        for at in found.into_iter().flatten() {
            chunks[at.segment_ord as usize].push(at.doc_id);
        }
        let ids = searcher.segment_readers().iter().map(SegmentReader::segment_id).collect();
        Ok(Some(WithPhrase { score, ids, chunks }))
    }
}

/// As tantivy's BM25 has it.
fn idf(num_with_term: u64, num_chunks: u64) -> f32 {
    let (num_with_term, num_chunks) = (num_with_term as f32, num_chunks as f32);
    (1.0 + (num_chunks - num_with_term + 0.5) / (num_with_term + 0.5)).ln()
}
