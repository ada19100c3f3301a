//! The lexical leg: BM25 over several fields, summed with weights.

use tantivy::collector::TopDocs;
use tantivy::collector::sort_key::{SortBySimilarityScore, SortByStaticFastValue};
use tantivy::query::{BooleanQuery, BoostQuery, ConstScoreQuery, Occur, PhraseQuery, Query, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, Order, Searcher, Term};

use super::schema::{CHUNK_ID, Fields};
use crate::index::analyzer::{Analysis, positioned_terms, query_terms};
use crate::index::{IndexError, LexicalQuery};

/// More distinct words of a query are not looked up.
const MAX_QUERY_TERMS: usize = 256;
/// How much a phrase found as written counts, against its words found singly.
const PHRASE_WEIGHT: f32 = 2.0;

/// The query as tantivy runs it, or `None` where it has no word that could be found.
pub(super) fn build(query: &LexicalQuery, fields: &Fields) -> Option<BooleanQuery> {
    let weights = query.weights;
    let phrases = query.phrases.iter().map(String::as_str);
    let words: String = std::iter::once(query.words.as_str()).chain(phrases).collect::<Vec<_>>().join(" ");
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
    let mut add = |clause: Box<dyn Query>, weight: f32| {
        if weight > 0.0 {
            clauses.push((Occur::Should, Box::new(BoostQuery::new(clause, weight))));
        }
    };
    let term = |field, text: &str| -> Box<dyn Query> {
        Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs))
    };
    let stemmed = query_terms(&words, Analysis::Stemmed, MAX_QUERY_TERMS);
    for (text, times) in &stemmed {
        let by_field = [
            (fields.body, weights.body),
            (fields.title, weights.title),
            (fields.trail, weights.trail),
            (fields.path_words, weights.path),
        ];
        for (field, weight) in by_field {
            add(term(field, text), weight * *times as f32);
        }
    }
    // Stop words are looked up as written only where the query has nothing else.
    let only_stop_words = stemmed.is_empty();
    for (text, times) in query_terms(&words, Analysis::Exact, MAX_QUERY_TERMS) {
        if only_stop_words || !query_terms(&text, Analysis::Stemmed, 1).is_empty() {
            add(term(fields.exact, &text), if only_stop_words { 1.0 } else { weights.exact * times as f32 });
        }
    }
    for phrase in &query.phrases {
        let mut terms: Vec<(usize, Term)> = Vec::new();
        for (position, text) in positioned_terms(phrase, Analysis::Exact) {
            // An identifier stands at the position of its first word, and the words suffice to find it.
            if terms.last().is_none_or(|(last, _)| *last != position) {
                terms.push((position, Term::from_field_text(fields.exact, &text)));
            }
        }
        if terms.len() > 1 {
            add(Box::new(PhraseQuery::new_with_offset(terms)), PHRASE_WEIGHT);
        }
    }
    (!clauses.is_empty()).then(|| BooleanQuery::from(clauses))
}

/// The best `limit` documents; where the cut would divide equal scores, the lower chunk ids stay.
pub(super) fn search(
    searcher: &Searcher,
    query: BooleanQuery,
    filter: Option<Box<dyn Query>>,
    limit: usize,
) -> Result<Vec<(f32, DocAddress)>, IndexError> {
    let query: Box<dyn Query> = match filter {
        None => Box::new(query),
        Some(filter) => Box::new(BooleanQuery::from(vec![
            (Occur::Must, Box::new(query) as Box<dyn Query>),
            (Occur::Must, Box::new(ConstScoreQuery::new(filter, 0.0))),
        ])),
    };
    let mut found =
        searcher.search(&query, &TopDocs::with_limit(limit + 1).order_by_score()).map_err(super::tantivy)?;
    if found.len() > limit {
        let cut_divides_equals = found[limit - 1].0.to_bits() == found[limit].0.to_bits();
        if cut_divides_equals {
            // The fast collector skips blocks of documents by their best score, so it cannot order equals: this one can.
            let by_score_then_id =
                ((SortBySimilarityScore, Order::Desc), (SortByStaticFastValue::<u64>::for_field(CHUNK_ID), Order::Asc));
            let collector = TopDocs::with_limit(limit).order_by(by_score_then_id);
            let ordered = searcher.search(&query, &collector).map_err(super::tantivy)?;
            return Ok(ordered.into_iter().map(|((score, _), address)| (score, address)).collect());
        }
        found.truncate(limit);
    }
    Ok(found)
}
