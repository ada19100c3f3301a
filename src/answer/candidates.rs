//! The sentences of the evidence, and how well each may answer the question.
//!
//! A sentence's relevance mixes its cosine to the question, the share of the question's words that it or its headings hold (rare words
//! counting more), the place of its passage, and whether it has the kind of thing that the question asks for. A sentence is compared
//! together with the heading right above it, without which it may say the opposite.

#[cfg(test)]
mod in_time;

use std::collections::BTreeSet;

use super::exact;
use super::expected::{Expected, WEEKDAYS};
use super::extractive::Evidence;
use super::place::{above, place_of};
use super::sentences::units;
use super::unspaced;
use super::wanted::wanted;
use crate::embed::dot;
use crate::index::analyzer::{Analysis, QueryWord, Stemming, analyse_query, identifiers, positioned_terms};
use crate::search::{Hit, SearchError};
use crate::workspace::Span;

/// Sentences that are embedded between two looks at the time.
const LEAST_AT_ONCE: usize = 4;
/// Sentences that are looked at closely.
const MAX_CANDIDATES: usize = 32;
/// What a sentence gains by naming the very thing that the question names.
const IDENTIFIER_BONUS: f32 = 0.3;
/// What it gains by having what the question asks for.
const EXPECTED_BONUS: f32 = 0.12;
/// What it gains where it defines what the question asks to be defined.
const DEFINITION_BONUS: f32 = 0.2;
/// What it gains for each two words of the question that stand side by side in it as well.
const PAIR_BONUS: f32 = 0.1;
/// Pairs that count.
const MAX_PAIRS: usize = 2;
/// What it loses where another one holds more of the exact words of the question.
const LESS_EXACT: f32 = 0.25;
/// What it loses where another section of its file has a word of the question in its heading.
const ELSEWHERE: f32 = 0.15;
/// What it loses where a newer file has replaced its own.
const SUPERSEDED: f32 = 0.3;
/// What it gains in the newest of the files, where the question asks for the newest.
const NEWNESS: f32 = 0.25;
/// A sentence is about as good as the best one with so much of its relevance.
const ABOUT_AS_WELL: f32 = 0.7;
/// Of a question's word, so much is held by headings that hold it, or by the sentence that a pronoun refers to.
const SHARE_ABOVE: f32 = 0.6;

/// A sentence of the evidence.
pub(super) struct Candidate {
    /// Position of its passage.
    pub hit: usize,
    /// Where it stands there.
    pub span: Span,
    /// The sentence right before it, where it begins with a pronoun and says nothing without that.
    pub before: Option<Span>,
    pub terms: BTreeSet<String>,
    /// The share of the question's words that it or its headings hold.
    pub coverage: f32,
    /// How near it is to the question; `None` where the model does not know its language.
    pub cosine: Option<f32>,
    pub vector: Vec<f32>,
    /// Whether it has what the question asks for.
    pub has_expected: bool,
    /// How well it answers.
    pub relevance: f32,
}

/// The evidence as it was looked at.
pub(super) struct Looked {
    /// Its most promising sentences.
    pub candidates: Vec<Candidate>,
    /// The question's words.
    pub words: Vec<QueryWord>,
    /// How much each of them counts.
    pub weights: Vec<f32>,
    /// An exact word of the question that no sentence names, as it is written.
    pub missing: Option<String>,
    /// What the question asks for.
    pub expected: Expected,
}

/// How a question is to be looked at.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub question: &'a str,
    /// Whether it is answered by yes or no: then a sentence about another day may decide it.
    pub is_yes_or_no: bool,
    /// The word that it asks to be defined.
    pub defined: Option<&'a str>,
}

/// Looks for sentences that may answer.
///
/// # Errors
/// What the embedding model reports.
pub(super) fn look(asked: Asked<'_>, evidence: &Evidence<'_>) -> Result<Looked, SearchError> {
    let question = asked.question;
    let mut words = words_of(question, evidence.hits);
    if asked.is_yes_or_no {
        words.iter_mut().for_each(any_weekday);
    }
    let wanted = wanted(question);
    let expected = if asked.is_yes_or_no { Expected::Anything } else { Expected::of(question) };
    let mut candidates = sentences(evidence.hits);
    let missing = exact::keep(asked, &wanted, evidence.hits, &mut candidates);
    let weights = word_weights(&words, &candidates);
    let total: f32 = weights.iter().sum();
    for candidate in &mut candidates {
        let hit = &evidence.hits[candidate.hit];
        let above = terms_of(&format!("{} {}", above(hit), columns_of(hit)), Stemming::of(hit.language));
        let before = candidate.before.map(|span| terms_of(&hit.text[span.range()], Stemming::of(hit.language)));
        let share = |word: &QueryWord| {
            if is_in(word, &candidate.terms) {
                1.0
            } else if is_in(word, &above) || before.as_ref().is_some_and(|before| is_in(word, before)) {
                SHARE_ABOVE
            } else {
                0.0
            }
        };
        let found: f32 = weights.iter().zip(&words).map(|(weight, word)| weight * share(word)).sum();
        candidate.coverage = if total > 0.0 { found / total } else { 0.0 };
        let sentence = &hit.text[candidate.span.range()];
        candidate.has_expected = expected.is_in(sentence, question);
    }
    // Meaning is looked at where words, place and kind leave something to hope for.
    let promise = |candidate: &Candidate| {
        let has_expected = expected != Expected::Anything && candidate.has_expected;
        0.7 * candidate.coverage + 0.3 / (1.0 + candidate.hit as f32) + if has_expected { EXPECTED_BONUS } else { 0.0 }
    };
    candidates.sort_by(|a, b| promise(b).total_cmp(&promise(a)));
    candidates.truncate(MAX_CANDIDATES);
    compare(question, evidence, &mut candidates)?;
    let names = identifiers(question);
    let pairs = pairs_of(question);
    let best_exact =
        candidates.iter().map(|candidate| exact::num_held(&wanted, candidate, evidence.hits)).max().unwrap_or(0);
    for candidate in &mut candidates {
        let hit = &evidence.hits[candidate.hit];
        let sentence = &hit.text[candidate.span.range()];
        let lower = sentence.to_ascii_lowercase();
        let place = 1.0 / (1.0 + candidate.hit as f32);
        let mut bonus = 0.0;
        if names.iter().any(|name| lower.contains(name.as_str())) {
            bonus += IDENTIFIER_BONUS;
        }
        if expected != Expected::Anything && candidate.has_expected {
            bonus += EXPECTED_BONUS;
        }
        if asked.defined.is_some_and(|word| defines(sentence, word)) {
            bonus += DEFINITION_BONUS;
        }
        // A pair that the headings have tells one sentence from the next no more.
        let above = pairs_in(&above(hit), Stemming::of(hit.language));
        let pairs: BTreeSet<(String, String)> = pairs.difference(&above).cloned().collect();
        bonus += PAIR_BONUS * num_pairs(&pairs, sentence, Stemming::of(hit.language)) as f32;
        if exact::num_held(&wanted, candidate, evidence.hits) < best_exact {
            bonus -= LESS_EXACT;
        }
        if evidence.superseded.contains_key(&hit.citation.path) {
            bonus -= SUPERSEDED;
        }
        candidate.relevance = bonus
            + match candidate.cosine {
                Some(cosine) => 0.5 * cosine.max(0.0) + 0.35 * candidate.coverage + 0.15 * place,
                None => 0.8 * candidate.coverage + 0.2 * place,
            };
    }
    stay_in_section(&words, evidence.hits, &mut candidates);
    // Of sentences that answer about as well, the newest is wanted.
    let best = candidates.iter().map(|candidate| candidate.relevance).fold(0.0_f32, f32::max);
    for candidate in candidates.iter_mut().filter(|candidate| candidate.relevance >= ABOUT_AS_WELL * best) {
        let newness = evidence.newness.get(&evidence.hits[candidate.hit].citation.path);
        candidate.relevance += NEWNESS * newness.copied().unwrap_or(0.0);
    }
    Ok(Looked { candidates, words, weights, missing, expected })
}

/// Where a heading has a word of the question, sentences of the same file that stand elsewhere and have it not are about something else:
/// `production` is not answered from below `Staging`.
fn stay_in_section(words: &[QueryWord], hits: &[Hit], candidates: &mut [Candidate]) {
    let places: Vec<BTreeSet<String>> = candidates
        .iter()
        .map(|candidate| {
            let hit = &hits[candidate.hit];
            terms_of(&place_of(hit, candidate.span).unwrap_or_default(), Stemming::of(hit.language))
        })
        .collect();
    let path = |candidate: &Candidate| &hits[candidate.hit].citation.path;
    let headed: Vec<(usize, usize)> = (0..words.len())
        .flat_map(|word| (0..candidates.len()).map(move |at| (word, at)))
        .filter(|&(word, at)| is_in(&words[word], &places[at]))
        .collect();
    let elsewhere: Vec<usize> = (0..candidates.len())
        .filter(|&at| {
            headed.iter().any(|&(word, other)| {
                path(&candidates[other]) == path(&candidates[at])
                    && !is_in(&words[word], &places[at])
                    && !is_in(&words[word], &candidates[at].terms)
            })
        })
        .collect();
    for at in elsewhere {
        candidates[at].relevance -= ELSEWHERE;
    }
}

/// The sentences of all passages, each once, without those that only repeat their title.
fn sentences(hits: &[Hit]) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let (mut seen, mut places) = (BTreeSet::new(), BTreeSet::new());
    for (index, hit) in hits.iter().enumerate() {
        let stemming = Stemming::of(hit.language);
        let title = hit.title.as_deref().map(|title| terms_of(title, stemming));
        let mut last: Option<Span> = None;
        for span in if is_of_rows(hit) { rows(&hit.text) } else { units(&hit.text) } {
            let words = &hit.text[span.range()];
            let before = last.replace(span).filter(|last| goes_on(&hit.text, *last, span));
            let terms = terms_of(words, stemming);
            let is_of_title =
                |title: &BTreeSet<String>| terms.iter().all(|term| term == "titl" || title.contains(term));
            // The same words below another heading say something else; a passage may hold what another one does.
            let is_new = places.insert((&hit.citation.path, hit.citation.span.start + span.start))
                && seen.insert((words, hit.citation.trail.as_slice()));
            if is_new && !is_header(hit, span) && !title.as_ref().is_some_and(is_of_title) {
                candidates.push(Candidate {
                    hit: index,
                    span,
                    before,
                    terms,
                    coverage: 0.0,
                    cosine: None,
                    vector: Vec::new(),
                    has_expected: false,
                    relevance: 0.0,
                });
            }
        }
    }
    candidates
}

/// Whether a sentence takes up the one before it in the same paragraph or item by a pronoun: `It runs at 23:15.`
fn goes_on(text: &str, last: Span, span: Span) -> bool {
    const PRONOUNS: [&str; 14] =
        ["it", "they", "this", "these", "those", "he", "she", "its", "their", "his", "her", "them", "both", "neither"];
    let first = text[span.range()].split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let between = &text[last.end..span.start];
    PRONOUNS.contains(&first.to_lowercase().as_str()) && between.trim().is_empty() && !between.contains("\n\n")
}

/// The sentences of a list item behind the one that begins it: they say what became of it.
pub(super) fn rest_of_item(best: &Candidate, hits: &[Hit]) -> Vec<Span> {
    let text = &hits[best.hit].text;
    if !["- ", "* ", "- [ ] ", "- [x] "].iter().any(|marker| text[..best.span.start].ends_with(marker)) {
        return Vec::new();
    }
    let mut end = best.span.end;
    let behind = units(text).into_iter().filter(|unit| unit.start >= best.span.end);
    let goes_on = |unit: &Span| {
        let between = &text[std::mem::replace(&mut end, unit.end)..unit.start];
        between.trim().is_empty() && !between.contains("\n\n")
    };
    behind.take_while(goes_on).collect()
}

/// Whether a passage is of a file of rows, whose lines stand for themselves.
fn is_of_rows(hit: &Hit) -> bool {
    [".csv", ".tsv", ".psv", ".tab"].iter().any(|ending| hit.citation.path.as_str().ends_with(ending))
}

/// The names of the columns of a passage that begins with them.
fn columns_of(hit: &Hit) -> String {
    let is_first = is_of_rows(hit) && hit.citation.span.start == 0;
    hit.text.lines().next().filter(|_| is_first).unwrap_or_default().replace('_', " ")
}

/// The lines of a text that are long enough to be quoted.
fn rows(text: &str) -> Vec<Span> {
    let mut at = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        at += line.len();
        Span::new(at - line.len(), at).trimmed(text)
    });
    lines.filter(|line| !units(&text[line.range()]).is_empty()).collect()
}

/// Whether the words are the first line of a file of rows, which names the columns.
fn is_header(hit: &Hit, span: Span) -> bool {
    const MIN_COLUMNS: usize = 2;
    let line = &hit.text[span.range()];
    is_of_rows(hit)
        && hit.citation.span.start + span.start == 0
        && line.split([',', ';', '\t', '|']).filter(|cell| !cell.trim().is_empty()).count() >= MIN_COLUMNS
        && !line.bytes().any(|byte| byte.is_ascii_digit())
}

/// Compares candidates with the question by meaning.
fn compare(question: &str, evidence: &Evidence<'_>, candidates: &mut [Candidate]) -> Result<(), SearchError> {
    let Some(embedder) = evidence.embedder else { return Ok(()) };
    if evidence.budget.is_over() {
        return Ok(());
    }
    let question = embedder.embed_query(question)?;
    // The model's view of a language that it does not know is noise.
    let known = |c: &&mut Candidate| !evidence.hits[c.hit].by_words;
    let mut known: Vec<&mut Candidate> = candidates.iter_mut().filter(known).collect();
    let texts: Vec<String> = known.iter().map(|c| with_heading(&evidence.hits[c.hit], c.span)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    // As many at once as there are sessions to embed them in.
    let at_once = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).max(LEAST_AT_ONCE);
    for (candidates, texts) in known.chunks_mut(at_once).zip(texts.chunks(at_once)) {
        if evidence.budget.is_over() {
            // What is not compared by meaning counts by its words.
            break;
        }
        for (candidate, vector) in candidates.iter_mut().zip(embedder.embed_passages(texts)?) {
            candidate.cosine = Some(dot(&question, &vector));
            candidate.vector = vector;
        }
    }
    Ok(())
}

/// A sentence behind the heading right above it.
fn with_heading(hit: &Hit, span: Span) -> String {
    let sentence = &hit.text[span.range()];
    match place_of(hit, span) {
        None => sentence.to_owned(),
        Some(place) => {
            let last = place.rsplit(" › ").next().unwrap_or_default();
            format!("{last}: {sentence}")
        }
    }
}

/// Words of a text in their order, stemmed, with those that stand right behind each other in pairs. Stop words are passed over.
fn pairs_of(text: &str) -> BTreeSet<(String, String)> {
    pairs_in(text, Stemming::ENGLISH)
}

fn pairs_in(text: &str, stemming: Stemming) -> BTreeSet<(String, String)> {
    let terms = positioned_terms(text, Analysis::Stemmed, stemming);
    let is_pair = |pair: &&[(usize, String)]| pair[1].0 - pair[0].0 <= 2;
    terms.windows(2).filter(is_pair).map(|pair| (pair[0].1.clone(), pair[1].1.clone())).collect()
}

/// How many of the question's pairs of words a sentence has.
fn num_pairs(pairs: &BTreeSet<(String, String)>, sentence: &str, stemming: Stemming) -> usize {
    if pairs.is_empty() { 0 } else { pairs_in(sentence, stemming).intersection(pairs).count().min(MAX_PAIRS) }
}

/// Whether a sentence says what a word means: `A seiche is …`, `**seiche**: …`, `seiche — …`.
fn defines(sentence: &str, word: &str) -> bool {
    const SAYS: [&str; 16] = [
        " is ",
        " are ",
        " means",
        " stands for",
        " refers to",
        " denotes",
        " describes",
        ": ",
        " - ",
        " – ",
        " — ",
        " | ",
        "\t",
        ":\n",
        "=",
        " (",
    ];
    let plain = sentence.replace(['*', '`', '_', '"'], "").to_lowercase();
    let plain = plain.trim_start_matches(|c: char| !c.is_alphanumeric());
    let plain = ["the ", "a ", "an "].iter().find_map(|article| plain.strip_prefix(article)).unwrap_or(plain);
    let rest = plain.strip_prefix(word).map(|rest| rest.strip_prefix('s').unwrap_or(rest));
    rest.is_some_and(|rest| SAYS.iter().any(|says| rest.starts_with(says)))
}

/// The sentences of the section that the best candidate stands in, where its heading has words of the question: they answer together.
pub(super) fn section_of(best: &Candidate, looked: &Looked, hits: &[Hit]) -> Vec<(usize, Span)> {
    let hit = &hits[best.hit];
    let Some(place) = place_of(hit, best.span) else { return Vec::new() };
    let heading = place.rsplit(" › ").next().unwrap_or_default();
    let own = terms_of(heading, Stemming::of(hit.language));
    let held = looked.words.iter().filter(|word| is_in(word, &own)).count();
    let is_title = hit.title.as_deref() == Some(heading) && hit.citation.trail.len() <= 1;
    if held == 0 || is_title || held * 2 < own.len() {
        return Vec::new();
    }
    let is_here = |span: &Span| place_of(hit, *span).as_deref() == Some(place.as_str());
    units(&hit.text).into_iter().filter(is_here).map(|span| (best.hit, span)).collect()
}

pub(super) fn terms_of(text: &str, stemming: Stemming) -> BTreeSet<String> {
    positioned_terms(text, Analysis::Stemmed, stemming).into_iter().map(|(_, term)| term).collect()
}

/// Words that make a question of its subject. The analyser's stop words are left out anyway.
pub(super) const ASKING: &str = "what which who whom whose when where why how many much do does did have has had can could should would \
                      may might shall we our us i my me you your its were been than from about please tell there any current currently latest newest now still take took taken mean means meaning stand stands explain \
                      define";

/// A question without the word that says what is to be measured: `How long did it take?` says nothing of length.
pub(super) fn without_measure(question: &str) -> String {
    const MEASURES: [&str; 14] = [
        "long", "often", "far", "big", "old", "large", "high", "fast", "deep", "tall", "wide", "heavy", "late", "early",
    ];
    let mut words: Vec<&str> = question.split_whitespace().collect();
    let is_measured = |at: usize| {
        words[at].eq_ignore_ascii_case("how") && words.get(at + 1).is_some_and(|next| MEASURES.contains(next))
    };
    if let Some(at) = (0..words.len()).find(|&at| is_measured(at)) {
        words.remove(at + 1);
    }
    words.join(" ")
}

/// The words of a question, as the languages of the passages have them; without those that only ask, where there are others.
fn words_of(question: &str, hits: &[Hit]) -> Vec<QueryWord> {
    let stemmings: BTreeSet<Stemming> = hits.iter().map(|hit| Stemming::of(hit.language)).collect();
    let stemmings: Vec<Stemming> = stemmings.into_iter().collect();
    let question = unspaced::content(question).unwrap_or_else(|| without_measure(question));
    let mut words = analyse_query(&question, &stemmings, usize::MAX).words;
    for word in &mut words {
        let mut kin: Vec<String> = word.variants.iter().filter_map(|variant| kin_of(variant)).collect();
        if word.variants.iter().any(|variant| WRITING.contains(&variant.as_str())) {
            kin.extend(WRITING.map(str::to_owned));
        }
        word.variants.extend(kin);
    }
    let asking = analyse_query(ASKING, &[Stemming::ENGLISH], usize::MAX).words;
    let asking: BTreeSet<&str> = asking.iter().flat_map(|word| &word.variants).map(String::as_str).collect();
    let only_asks = |word: &&QueryWord| word.variants.iter().any(|variant| asking.contains(variant.as_str()));
    let about: Vec<QueryWord> = words.iter().filter(|word| !only_asks(word)).cloned().collect();
    if about.is_empty() { words } else { about }
}

/// `Can I deploy on a Friday?` is decided by a sentence that names the other days.
fn any_weekday(word: &mut QueryWord) {
    if word.variants.iter().any(|variant| WEEKDAYS.contains(&variant.as_str())) {
        word.variants.extend(WEEKDAYS.map(str::to_owned));
    }
}

/// Who wrote a thing is its author.
const WRITING: [&str; 5] = ["wrote", "written", "write", "author", "writer"];

/// The stem of the noun of a verb or of the verb of a noun, where the stemmer leaves them apart: `decid` of `decide` and `decis` of `decision`.
fn kin_of(stem: &str) -> Option<String> {
    const ENDINGS: [(&str, &str); 6] =
        [("id", "is"), ("ud", "us"), ("end", "ens"), ("mit", "miss"), ("duc", "duct"), ("erv", "ervat")];
    const MIN_BYTES: usize = 5;
    let pairs = ENDINGS.iter().flat_map(|(verb, noun)| [(verb, noun), (noun, verb)]);
    let mut kin = pairs.filter_map(|(from, to)| Some(format!("{}{to}", stem.strip_suffix(from)?)));
    kin.find(|kin| stem.len() >= MIN_BYTES && kin.len() >= MIN_BYTES && stem.is_ascii())
}

pub(super) fn is_in(word: &QueryWord, terms: &BTreeSet<String>) -> bool {
    word.variants.iter().any(|variant| terms.contains(variant))
}

/// How much each word of the question counts: words that few candidates hold count more.
fn word_weights(words: &[QueryWord], candidates: &[Candidate]) -> Vec<f32> {
    let num = candidates.len() as f32;
    words
        .iter()
        .map(|word| {
            let holding = candidates.iter().filter(|candidate| is_in(word, &candidate.terms)).count() as f32;
            (1.0 + (num - holding + 0.5) / (holding + 0.5)).ln().max(0.1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_begins_with_its_word() {
        for sentence in
            ["A seiche is a standing wave.", "**seiche**: a standing wave", "Seiches are waves.", "| seiche | a wave |"]
        {
            assert!(defines(sentence, "seiche"), "{sentence}");
        }
        for sentence in ["The harbour saw a seiche.", "Seiche warnings are sent.", "It is a seiche."] {
            assert!(!defines(sentence, "seiche"), "{sentence}");
        }
    }
}
