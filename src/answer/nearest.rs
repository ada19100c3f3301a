//! What comes nearest to a question that has no answer, so that a person sees what was found and what it lacks.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AskReply;
use super::candidates::{Looked, terms_of};
use super::cite::cite;
use super::extractive::Evidence;
use super::place::{above, place_of};
use crate::index::analyzer::Stemming;
use crate::search::Hit;
use crate::workspace::Citation;

/// Passages that are shown.
const MAX_NEAREST: usize = 3;

/// A sentence that comes near to a question without answering it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Nearest {
    /// The sentence, where it stands.
    pub citation: Citation,
    /// The headings above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Words of the question that neither the passage nor the headings above it hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
}

/// Puts what comes nearest, and the words that nothing holds, into a reply that has no answer.
pub(super) fn tell(question: &str, evidence: &Evidence<'_>, looked: &Looked, reply: &mut AskReply) {
    let words = words(question);
    let held: Vec<BTreeSet<String>> = evidence.hits.iter().map(terms_of_hit).collect();
    let lacks = |held: &BTreeSet<String>| {
        let lacking = words.iter().filter(|(_, terms)| !terms.iter().any(|term| held.contains(term)));
        lacking.map(|(word, _)| word.clone()).collect::<Vec<_>>()
    };
    let all: BTreeSet<String> = held.iter().flatten().cloned().collect();
    reply.missing_words = lacks(&all);
    let mut best: Vec<_> = looked.candidates.iter().collect();
    best.sort_by(|a, b| {
        b.relevance.total_cmp(&a.relevance).then(a.hit.cmp(&b.hit)).then(a.span.start.cmp(&b.span.start))
    });
    let mut seen = BTreeSet::new();
    best.retain(|candidate| seen.insert(candidate.hit));
    for candidate in best.into_iter().take(MAX_NEAREST) {
        let hit = &evidence.hits[candidate.hit];
        let (citation, place) = (cite(hit, candidate.span), place_of(hit, candidate.span));
        reply.nearest.push(Nearest { citation, place, lacks: lacks(&held[candidate.hit]) });
    }
}

fn terms_of_hit(hit: &Hit) -> BTreeSet<String> {
    let stemming = Stemming::of(hit.language);
    let mut terms = terms_of(&hit.text, stemming);
    terms.extend(terms_of(&above(hit), stemming));
    terms
}

/// The words of a question that say what it is about, each as it is written, with its stems.
fn words(question: &str) -> Vec<(String, BTreeSet<String>)> {
    let asking = terms_of(super::candidates::ASKING, Stemming::ENGLISH);
    let question = super::unspaced::content(question).unwrap_or_else(|| super::candidates::without_measure(question));
    let written = question.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let stemmed = written.map(|word| (word.to_owned(), terms_of(word, Stemming::ENGLISH)));
    stemmed.filter(|(_, terms)| !terms.is_empty() && terms.is_disjoint(&asking)).collect()
}
