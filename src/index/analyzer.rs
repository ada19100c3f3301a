//! Text to the terms of BM25, the same for indexing and for asking.
//!
//! Two analyses: the *stemmed* one (parts of words, lower case, accents folded, English stems, without stop words) and
//! the *exact* one (words as written in lower case, and identifiers such as `v1.2.3` or `max_tokens` whole as well).
//! Scripts that are written without spaces become overlapping pairs of characters, and single characters beside them,
//! as Lucene's CJK analysis does.

use std::collections::HashMap;

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RemoveLongFilter, Stemmer, StopWordFilter, TextAnalyzer, Token,
    TokenStream, Tokenizer,
};

/// Longer words are not indexed, in bytes: nobody types them.
const MAX_TERM_BYTES: usize = 100;

/// What a text is analysed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analysis {
    /// Stemmed parts of words.
    Stemmed,
    /// Words and identifiers as written.
    Exact,
}

/// The analysis as tantivy runs it over a field.
#[must_use]
pub fn text_analyzer(analysis: Analysis) -> TextAnalyzer {
    let words = WordTokenizer::new(analysis, false);
    analyzer_over(words)
}

fn analyzer_over(words: WordTokenizer) -> TextAnalyzer {
    let long = RemoveLongFilter::limit(MAX_TERM_BYTES);
    match words.analysis {
        Analysis::Stemmed => TextAnalyzer::builder(words)
            .filter(long)
            .filter(LowerCaser)
            .filter(StopWordFilter::new(Language::English).expect("tantivy has English stop words"))
            .filter(AsciiFoldingFilter)
            .filter(Stemmer::new(Language::English))
            .build(),
        Analysis::Exact => TextAnalyzer::builder(words).filter(long).filter(LowerCaser).build(),
    }
}

/// The distinct terms of a query with how often each is in it, in the order of first use, at most `max_terms`.
#[must_use]
pub fn query_terms(text: &str, analysis: Analysis, max_terms: usize) -> Vec<(String, u32)> {
    let mut analyzer = analyzer_over(WordTokenizer::new(analysis, true));
    let mut stream = analyzer.token_stream(text);
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut terms: Vec<(String, u32)> = Vec::new();
    while stream.advance() {
        let term = &stream.token().text;
        match places.get(term) {
            Some(&place) => terms[place].1 += 1,
            None if terms.len() < max_terms => {
                places.insert(term.clone(), terms.len());
                terms.push((term.clone(), 1));
            }
            None => {}
        }
    }
    terms
}

/// The words of a text that name one thing exactly and mean nothing by themselves: letters mixed with digits
/// (`SLU-4417`, `7c1e0fa`), or written `likeThis` or `like_this`; lower case, in the order of the text.
#[must_use]
pub fn identifiers(text: &str) -> Vec<String> {
    let is_ascii_word = |word: &&str| word.is_ascii() && word.chars().any(char::is_alphabetic);
    let names_one_thing = |word: &&str| {
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        let has_hump =
            word.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        has_digit || has_hump || word.trim_matches('_').contains('_')
    };
    text.split(|c: char| !(c.is_alphanumeric() || is_joiner(c)))
        .map(|word| word.trim_matches(|c: char| is_joiner(c) && c != '_'))
        .filter(is_ascii_word)
        .filter(names_one_thing)
        .map(str::to_ascii_lowercase)
        .collect()
}

/// All terms of a text with their positions, in order.
#[must_use]
pub fn positioned_terms(text: &str, analysis: Analysis) -> Vec<(usize, String)> {
    let mut analyzer = text_analyzer(analysis);
    let mut stream = analyzer.token_stream(text);
    let mut terms = Vec::new();
    while stream.advance() {
        terms.push((stream.token().position, stream.token().text.clone()));
    }
    terms
}

/// Cuts text into words, identifiers and character pairs.
#[derive(Debug, Clone)]
struct WordTokenizer {
    analysis: Analysis,
    /// A query asks for pairs only, where a run is long enough to have one.
    for_query: bool,
    /// What the last text was cut into; kept, as is the token's text, so that texts share their memory.
    pieces: Vec<Piece>,
    token: Token,
}

/// A token before its text is copied.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
    position: usize,
}

struct WordStream<'a> {
    text: &'a str,
    pieces: std::slice::Iter<'a, Piece>,
    current: &'a mut Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.pieces.clear();
        let mut tokens = Tokens { text, pieces: &mut self.pieces, position: 0 };
        tokens.cut(self.analysis, self.for_query);
        WordStream { text, pieces: self.pieces.iter(), current: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(&Piece { start, end, position }) = self.pieces.next() else { return false };
        self.current.text.clear();
        self.current.text.push_str(&self.text[start..end]);
        (self.current.offset_from, self.current.offset_to) = (start, end);
        (self.current.position, self.current.position_length) = (position, 1);
        true
    }

    fn token(&self) -> &Token {
        self.current
    }

    fn token_mut(&mut self) -> &mut Token {
        self.current
    }
}

impl WordTokenizer {
    fn new(analysis: Analysis, for_query: bool) -> Self {
        Self { analysis, for_query, pieces: Vec::new(), token: Token::default() }
    }
}

struct Tokens<'a> {
    text: &'a str,
    pieces: &'a mut Vec<Piece>,
    position: usize,
}

impl Tokens<'_> {
    fn cut(&mut self, analysis: Analysis, for_query: bool) {
        let mut rest = self.text.char_indices().peekable();
        while let Some((start, first)) = rest.next() {
            if is_unspaced(first) {
                let mut ends = vec![start + first.len_utf8()];
                while let Some(&(at, next)) = rest.peek().filter(|(_, next)| is_unspaced(*next)) {
                    ends.push(at + next.len_utf8());
                    rest.next();
                }
                self.push_unspaced(start, &ends, for_query);
            } else if first.is_alphanumeric() {
                let mut end = start + first.len_utf8();
                while let Some(&(at, next)) =
                    rest.peek().filter(|(_, next)| next.is_alphanumeric() && !is_unspaced(*next) || is_mark(*next))
                {
                    end = at + next.len_utf8();
                    rest.next();
                }
                match analysis {
                    Analysis::Stemmed => self.push_word_and_parts(start, end),
                    Analysis::Exact => {
                        let joined_before = self.joins_with_last(start);
                        self.push(start, end);
                        if !joined_before {
                            self.push_identifier(start, end);
                        }
                    }
                }
            }
        }
    }

    fn push(&mut self, start: usize, end: usize) {
        self.push_at(self.position, start, end);
        self.position += 1;
    }

    fn push_at(&mut self, position: usize, start: usize, end: usize) {
        if end - start <= MAX_TERM_BYTES {
            self.pieces.push(Piece { start, end, position });
        }
    }

    /// A word, and where it is written `likeThis`, its parts at the same position.
    fn push_word_and_parts(&mut self, start: usize, end: usize) {
        let position = self.position;
        self.push(start, end);
        let word = &self.text[start..end];
        let mut part_start = 0;
        let mut before: Option<char> = None;
        let mut parts = Vec::new();
        for (at, c) in word.char_indices() {
            if before.is_some_and(char::is_lowercase) && c.is_uppercase() {
                parts.push((part_start, at));
                part_start = at;
            }
            before = Some(c);
        }
        if part_start > 0 {
            parts.push((part_start, word.len()));
            for (from, to) in parts {
                self.push_at(position, start + from, start + to);
            }
        }
    }

    /// Whether the text between the last word and `start` is one joining character.
    fn joins_with_last(&self, start: usize) -> bool {
        let last_end = self.text[..start].char_indices().next_back();
        last_end.is_some_and(|(at, c)| {
            is_joiner(c) && self.text[..at].chars().next_back().is_some_and(char::is_alphanumeric)
        })
    }

    /// The whole of an identifier that begins with the word `start..end`, where joined words follow it.
    fn push_identifier(&mut self, start: usize, end: usize) {
        let mut whole_end = end;
        loop {
            let mut rest = self.text[whole_end..].chars();
            let (Some(joiner), Some(next)) = (rest.next(), rest.next()) else { break };
            if !is_joiner(joiner) || !next.is_alphanumeric() || is_unspaced(next) {
                break;
            }
            let after = &self.text[whole_end + joiner.len_utf8()..];
            let word_len = after.find(|c: char| !c.is_alphanumeric() || is_unspaced(c)).unwrap_or(after.len());
            whole_end += joiner.len_utf8() + word_len;
            if whole_end - start > MAX_TERM_BYTES {
                return;
            }
        }
        if whole_end > end {
            self.push_at(self.position - 1, start, whole_end);
        }
    }

    fn push_unspaced(&mut self, start: usize, ends: &[usize], for_query: bool) {
        let starts: Vec<usize> = std::iter::once(start).chain(ends.iter().copied()).take(ends.len()).collect();
        for index in 0..ends.len() {
            let position = self.position;
            let has_pair = index + 1 < ends.len();
            if has_pair {
                self.push_at(position, starts[index], ends[index + 1]);
            }
            if !for_query || ends.len() == 1 {
                self.push_at(position, starts[index], ends[index]);
            }
            self.position += 1;
        }
    }
}

/// Characters that hold an identifier together when words stand on both sides.
const fn is_joiner(c: char) -> bool {
    matches!(c, '_' | '-' | '.' | ':' | '/' | '@' | '#' | '+')
}

/// Combining marks belong to the letter before them.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{200d}' | '\u{5b0}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}')
}

/// Scripts written without spaces between words.
const fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}'       // Thai, Lao
        | '\u{1000}'..='\u{109f}'   // Myanmar
        | '\u{1780}'..='\u{17ff}'   // Khmer
        | '\u{1100}'..='\u{11ff}'   // Hangul letters
        | '\u{3040}'..='\u{30ff}'   // Hiragana, Katakana
        | '\u{3005}' | '\u{3007}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'   // Han
        | '\u{4e00}'..='\u{9fff}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}'   // Hangul syllables
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}'   // half-width Katakana
        | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str, analysis: Analysis) -> Vec<String> {
        positioned_terms(text, analysis).into_iter().map(|(_, term)| term).collect()
    }

    #[test]
    fn stems_and_stop_words_meet_in_the_stemmed_analysis() {
        assert_eq!(terms("The Indexes are indexing, the café", Analysis::Stemmed), ["index", "index", "cafe"]);
        assert_eq!(terms("The Indexes", Analysis::Exact), ["the", "indexes"]);
    }

    #[test]
    fn an_identifier_is_found_whole_and_by_its_parts() {
        assert_eq!(
            terms("set max_chunk_tokens to v1.2.3.", Analysis::Exact),
            ["set", "max", "max_chunk_tokens", "chunk", "tokens", "to", "v1", "v1.2.3", "2", "3"]
        );
        assert_eq!(terms("retrieveBatch", Analysis::Stemmed), ["retrievebatch", "retriev", "batch"]);
    }

    #[test]
    fn identifiers_are_told_from_words_and_numbers() {
        let text =
            "What does SLU-4417 in bench-07 mean for maxOpenSegments, max_tokens (commit 7c1e0fa) on 2 November 2026?";
        assert_eq!(identifiers(text), ["slu-4417", "bench-07", "maxopensegments", "max_tokens", "7c1e0fa"]);
    }

    #[test]
    fn scripts_without_spaces_become_pairs_and_single_characters() {
        assert_eq!(terms("東京都 x", Analysis::Stemmed), ["東京", "東", "京都", "京", "都", "x"]);
        assert_eq!(query_terms("東京都", Analysis::Stemmed, 9), [("東京".to_owned(), 1), ("京都".to_owned(), 1)]);
        assert_eq!(query_terms("都", Analysis::Stemmed, 9), [("都".to_owned(), 1)]);
    }

    proptest::proptest! {
        #[test]
        fn every_query_term_is_among_the_terms_of_the_same_text(text in "\\PC{0,200}") {
            for analysis in [Analysis::Stemmed, Analysis::Exact] {
                let indexed = terms(&text, analysis);
                for (term, _) in query_terms(&text, analysis, usize::MAX) {
                    proptest::prop_assert!(indexed.contains(&term), "{term:?} of {text:?}");
                }
            }
        }
    }
}
