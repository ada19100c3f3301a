//! Which sentences are about the numbers, dates and identifiers that the question names.
//!
//! Where a question names two of a kind (`bench-07 and bench-08`, `26 August or 27 August`), a sentence is about one of them.

use super::candidates::{Asked, Candidate};
use super::wanted::{Place, Wanted};
use crate::search::Hit;

/// Drops sentences that speak of other days or numbers than the question. Returns an exact word of it that nothing names.
pub(super) fn keep(
    asked: Asked<'_>,
    wanted: &[Wanted],
    hits: &[Hit],
    candidates: &mut Vec<Candidate>,
) -> Option<String> {
    if let Some(missing) = wanted.iter().find(|wanted| !hits.iter().any(|hit| is_held(wanted, hit))) {
        return Some(missing.written.clone());
    }
    for kind in kinds(wanted) {
        if kind.iter().any(|wanted| wanted.is_date()) && asked.is_yes_or_no {
            continue;
        }
        candidates.retain(|candidate| {
            let sentence = &hits[candidate.hit].text[candidate.span.range()];
            let is_about_one = kind.iter().any(|wanted| wanted.is_in(sentence));
            is_about_one || !kind.iter().any(|wanted| wanted.is_contradicted_by(sentence))
        });
    }
    // Where sentences are about everything exact that the question names, the others are about something else.
    let num_kinds = kinds(wanted).len();
    let is_whole = |candidate: &Candidate| num_held(wanted, candidate, hits) == num_kinds;
    if !asked.is_yes_or_no && candidates.iter().any(is_whole) {
        candidates.retain(is_whole);
    }
    None
}

/// Whether a passage, or what stands above it, names something exact.
pub(super) fn is_held(wanted: &Wanted, hit: &Hit) -> bool {
    let (above, path) = (above(hit), hit.citation.path.as_str());
    let place = Place { above: &above, path };
    wanted.is_in(&hit.text) || wanted.is_above(place) || hit.text.lines().any(|line| wanted.is_at(line, place))
}

/// How many kinds of the exact words of the question a sentence, its headings and its path name.
pub(super) fn num_held(wanted: &[Wanted], candidate: &Candidate, hits: &[Hit]) -> usize {
    if wanted.is_empty() {
        return 0;
    }
    let hit = &hits[candidate.hit];
    let (above, path) = (above(hit), hit.citation.path.as_str());
    let place = Place { above: &above, path };
    let sentence = &hit.text[candidate.span.range()];
    kinds(wanted).iter().filter(|kind| kind.iter().any(|wanted| wanted.is_at(sentence, place))).count()
}

/// The exact words of a question, those of one kind together: dates, and numbers behind the same word.
fn kinds(wanted: &[Wanted]) -> Vec<Vec<&Wanted>> {
    let mut kinds: Vec<Vec<&Wanted>> = Vec::new();
    for one in wanted {
        match kinds.iter_mut().find(|kind| kind[0].is_like(one)) {
            Some(kind) => kind.push(one),
            None => kinds.push(vec![one]),
        }
    }
    kinds
}

fn above(hit: &Hit) -> String {
    let title = hit.title.as_deref().unwrap_or_default();
    format!("{title}\n{}\n{}", hit.header.as_deref().unwrap_or_default(), hit.citation.trail.join("\n"))
}
