//! A query fitted to what its files hold: misspelled words, words that are left open, phrases that stand nowhere.
//!
//! # Invariants
//! - Nothing is asked of the dictionary but of chunks that the search's filter passes, so no word of a deleted file, or of one that is
//!   filtered out, is ever named.
//! - A word that any of these files holds stays as it is, and so do identifiers, numbers, words in capitals and quoted words.
//! - Each change is said in the notes.

use super::SearchError;
use super::operators::ReadSearch;
use crate::index::analyzer::{Analysis, positioned_terms};
use crate::index::{Filter, Holding, Snapshot, WordConditions, WordPattern};

/// Shorter words have too many neighbours by one letter.
const MIN_LETTERS: usize = 4;
/// Words of so many letters may have two wrong.
const MIN_LETTERS_FOR_TWO: usize = 8;
/// Words of one query that are looked up; the dictionary is walked for each.
const MAX_LOOKED_UP: usize = 6;
/// Words that a word which is left open stands for, those in most passages.
const MAX_OPEN: usize = 8;

/// Fits a search to what `snapshot` holds behind `filter`, and returns the filter of what is left of its conditions.
///
/// `is_word` says of a word that no file holds whether it is one all the same, so that it is not taken for a misspelled one.
///
/// # Errors
/// When the index cannot be read.
pub fn fit(
    asked: &mut ReadSearch,
    snapshot: &dyn Snapshot,
    filter: Filter,
    is_word: &dyn Fn(&str) -> bool,
) -> Result<Filter, SearchError> {
    let filter = without_phrases_of_nobody(asked, snapshot, filter)?;
    let any_file = Filter { words: WordConditions::default(), ..filter.clone() };
    let query = std::mem::take(&mut asked.request.query);
    asked.request.query = correct(asked, &query, snapshot, &any_file, is_word)?;
    for beginning in std::mem::take(&mut asked.prefixes) {
        let words = snapshot.vocabulary(&WordPattern::BeginsWith(&beginning), &filter, MAX_OPEN + 1)?;
        let more = if words.len() > MAX_OPEN { " and more" } else { "" };
        let words: Vec<String> = words.into_iter().take(MAX_OPEN).map(|found| found.word).collect();
        if !words.is_empty() {
            let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            asked.notes.push(format!("`{beginning}*` was searched as {}{more}", quoted.join(", ")));
            let all = format!("{} {}", asked.request.query, words.join(" "));
            all.trim().clone_into(&mut asked.request.query);
        }
    }
    if asked.request.filters.also.is_some() {
        if snapshot.newest(&filter, 1, 1)?.is_empty() {
            asked.notes.push("no passage meets all these conditions".to_owned());
        } else if asked.request.query.is_empty() {
            asked.notes.push(
                "the query has no words to rank by: the newest files that meet its conditions come first".to_owned(),
            );
        }
    }
    Ok(filter)
}

/// Drops the phrases that no passage holds as written: their words are searched all the same.
fn without_phrases_of_nobody(
    asked: &mut ReadSearch,
    snapshot: &dyn Snapshot,
    mut filter: Filter,
) -> Result<Filter, SearchError> {
    let is_phrase = |holding: &Holding| matches!(holding, Holding::Phrase(_));
    if !filter.words.required.iter().any(is_phrase) || !snapshot.newest(&filter, 1, 1)?.is_empty() {
        return Ok(filter);
    }
    let required = std::mem::take(&mut filter.words.required);
    let mut kept = Vec::new();
    for holding in required {
        let only = WordConditions { required: vec![holding.clone()], excluded: Vec::new() };
        match &holding {
            Holding::Phrase(phrase) if snapshot.newest(&Filter { words: only, ..filter.clone() }, 1, 1)?.is_empty() => {
                asked
                    .notes
                    .push(format!("no passage holds \"{}\" as written: its words were searched singly", phrase.text()));
            }
            _ => kept.push(holding),
        }
    }
    filter.words.required = kept;
    Ok(filter)
}

/// The query with its misspelled words replaced.
fn correct(
    asked: &mut ReadSearch,
    query: &str,
    snapshot: &dyn Snapshot,
    filter: &Filter,
    is_word: &dyn Fn(&str) -> bool,
) -> Result<String, SearchError> {
    let stemmings = snapshot.stemmings();
    let mut corrected = String::with_capacity(query.len());
    let mut num_looked_up = 0;
    // What stands between quotes is as it was written.
    for (number, part) in query.split('"').enumerate() {
        if number > 0 {
            corrected.push('"');
        }
        let is_quoted = number % 2 == 1;
        for token in part.split_inclusive(char::is_whitespace) {
            let word = token.trim_matches(|c: char| c.is_whitespace() || is_punctuation(c));
            corrected.push_str(token);
            if is_quoted || num_looked_up >= MAX_LOOKED_UP || !may_be_misspelled(word) {
                continue;
            }
            let is_stop_word = |&stemming| positioned_terms(word, Analysis::Stemmed, stemming).is_empty();
            if stemmings.iter().any(is_stop_word) || snapshot.has_word(word, filter)? || is_word(&word.to_lowercase()) {
                continue;
            }
            num_looked_up += 1;
            let lower = word.to_lowercase();
            let max_distance = if lower.chars().count() < MIN_LETTERS_FOR_TWO { 1 } else { 2 };
            let near = snapshot.vocabulary(&WordPattern::Near { word: &lower, max_distance }, filter, 1)?;
            if let Some(found) = near.first().filter(|found| found.word.chars().all(char::is_alphabetic)) {
                corrected.truncate(corrected.len() - token.len());
                corrected.push_str(&token.replacen(word, &found.word, 1));
                asked
                    .notes
                    .push(format!("no file in scope has the word `{word}`: it was searched as `{}`", found.word));
            }
        }
    }
    Ok(corrected)
}

const fn is_punctuation(c: char) -> bool {
    matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')' | '[' | ']' | '\'' | '’' | '“' | '”' | '«' | '»' | '„')
}

/// Whether a word is of letters alone, and of a script whose words have spaces between them, in small letters but for the first.
fn may_be_misspelled(word: &str) -> bool {
    let has_spaces = |c: char| {
        let is_latin_greek_or_cyrillic =
            matches!(c, 'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{370}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}');
        c.is_alphabetic() && is_latin_greek_or_cyrillic
    };
    word.chars().count() >= MIN_LETTERS && word.chars().all(has_spaces) && !word.chars().skip(1).any(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_may_be_misspelled() {
        for word in ["gatway", "Gatway", "größe", "ошипка"] {
            assert!(may_be_misspelled(word), "{word}");
        }
        for word in ["cat", "GDPR", "maxTokens", "v1", "a-b", "x2y4", "東京都庁舎", "", "max_tokens", "foo.rs"] {
            assert!(!may_be_misspelled(word), "{word}");
        }
    }
}
