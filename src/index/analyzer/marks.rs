//! The words of a query where they stand in a text, for a person to see.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation as _;

use super::cut::is_unspaced;
use super::query::{analyse_query, stems};
use super::{Analysis, Cut, Stemming, folded, pieces};
use crate::extract::escapes::{Breaks, Unescaped};
use crate::workspace::Span;

/// Words of a query that are looked for.
const MAX_WORDS: usize = 64;

/// The terms of a query, to be looked for in texts.
#[derive(Debug, Clone)]
pub struct Marks {
    stems: HashSet<String>,
    exact: HashSet<String>,
    /// Pairs of characters of scripts without spaces.
    pairs: HashSet<(char, char)>,
    stemming: Stemming,
}

impl Marks {
    /// The words of a query, for texts of a language. Stop words are none of them where the query has anything else.
    #[must_use]
    pub fn of(query: &str, stemming: Stemming) -> Self {
        let terms = analyse_query(query, &[stemming], MAX_WORDS);
        let chars: Vec<char> = query.chars().collect();
        let pairs = chars.windows(2).filter(|pair| pair.iter().all(|&c| is_unspaced(c))).map(|pair| (pair[0], pair[1]));
        Self {
            stems: terms.words.into_iter().flat_map(|word| word.variants).collect(),
            exact: terms.exact.into_iter().map(|term| term.text).collect(),
            pairs: pairs.collect(),
            stemming,
        }
    }

    /// Where the words stand in a text, in order, each once: a whole word also where a part of it is one of the query's.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Span> {
        let plain = Unescaped::of(text, Breaks::Part);
        let mut spans = Vec::new();
        // Two words may be in one escape.
        self.find_in(&plain.text).into_iter().for_each(|span| add(&mut spans, plain.place(span)));
        spans
    }

    /// As [`Marks::find`], in a text without escapes.
    fn find_in(&self, text: &str) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut before: Option<(usize, char)> = None;
        for (start, word) in text.unicode_word_indices() {
            match word.chars().next().filter(|&c| is_unspaced(c)) {
                Some(_) => {
                    for (at, c) in word.char_indices().map(|(at, c)| (start + at, c)) {
                        let pair = before.filter(|&(last, of)| last + of.len_utf8() == at);
                        if let Some((first, _)) = pair.filter(|&(_, of)| self.pairs.contains(&(of, c))) {
                            add(&mut spans, Span::new(first, at + c.len_utf8()));
                        }
                        before = Some((at, c));
                    }
                }
                None if self.is_word(word) => add(&mut spans, Span::new(start, start + word.len())),
                None => {}
            }
        }
        spans
    }

    fn is_word(&self, word: &str) -> bool {
        let word = folded(word);
        pieces(&word, Cut::For(Analysis::Stemmed), false).iter().any(|piece| {
            let part = &word[piece.start..piece.end];
            self.exact.contains(&part.to_lowercase())
                || stems(part, piece.kind, &[self.stemming]).iter().any(|stem| self.stems.contains(stem))
        })
    }
}

/// Adds a span behind others; one that begins in the last makes that longer.
fn add(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if span.start < last.end => last.end = last.end.max(span.end),
        _ => spans.push(span),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked<'t>(query: &str, text: &'t str) -> Vec<&'t str> {
        Marks::of(query, Stemming::ENGLISH).find(text).into_iter().filter_map(|span| span.of(text)).collect()
    }

    #[test]
    fn words_are_marked_in_the_forms_that_a_search_finds() {
        assert_eq!(marked("restart the gateways", "The gateway was restarted."), ["gateway", "restarted"]);
        assert_eq!(marked("tokens", "set maxTokens and max_tokens"), ["maxTokens", "max_tokens"]);
        assert_eq!(marked("cafe", "Café, CAFE"), ["Café", "CAFE"]);
        assert_eq!(marked("größe okapi", r"die Gr\u00f6\u00dfe\nokapi"), [r"Gr\u00f6\u00dfe", "okapi"]);
        assert_eq!(marked("a1 b2", r"\x61\x31\x20\x62\x32 c3"), [r"\x61\x31\x20\x62\x32"]);
        assert_eq!(marked("南浜港", "調査は南浜港で行った"), ["南浜港"]);
        assert!(marked("the", "gateway").is_empty() && marked("", "gateway").is_empty());
    }

    proptest! {
        #[test]
        fn marks_are_in_order_and_on_characters(query in "\\PC{0,20}", text in "(\\PC|\\\\x[0-9a-f]{2}|\\\\u00[0-9a-f]{2}){0,80}") {
            let mut end = 0;
            for span in Marks::of(&query, Stemming::ENGLISH).find(&text) {
                prop_assert!(span.start >= end && span.end > span.start && span.of(&text).is_some());
                end = span.end;
            }
        }
    }
}
