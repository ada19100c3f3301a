//! Text to the terms of BM25, the same for indexing and for asking.
//!
//! Two analyses: the *stemmed* one (words and their parts in lower case, accents folded, stems, without the stop words of a
//! language, and the digits of grouped numbers together) and the *exact* one (words and their parts as written in lower case, and identifiers
//! such as `v1.2.3` or `max_tokens` whole as well, and parts of compounds). Numbers, and scripts that are written without spaces, are in the stemmed one only.
//! The latter become overlapping pairs of characters, and single characters beside them, as Lucene's CJK analysis does.
//! Both see a text in one spelling of Unicode, and what its escapes stand for.

mod asked;
mod compounds;
mod cut;
mod fold;
mod marks;
mod numbers;
mod query;
mod stems;

use std::borrow::Cow;

use tantivy::tokenizer::{PreTokenizedString, TextAnalyzer, Token, TokenStream, Tokenizer};

pub use asked::{AskedWord, Form, asked_words, is_all_words, is_question, name_words, names};
use cut::{Cut, Kind, Piece, is_joiner};
use fold::folded;
pub use marks::Marks;
pub use query::{ExactKind, ExactTerm, QueryTerms, QueryWord, analyse_query, stopping};
pub use stems::Stemming;

/// A longer word that holds four digits holds no year, in bytes.
const MAX_WITH_YEAR: usize = 8;

/// What a text is analysed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analysis {
    /// Stemmed parts of words.
    Stemmed,
    /// Words and identifiers as written; of a text in a language with compounds also the stems of what may be parts of compounds, behind a `+`.
    Exact,
}

/// The analysis of English as tantivy runs it over a field.
#[must_use]
pub fn text_analyzer(analysis: Analysis) -> TextAnalyzer {
    TextAnalyzer::builder(WordTokenizer::new(analysis, Stemming::ENGLISH)).build()
}

/// All terms of a text with their positions, in order.
#[must_use]
pub fn positioned_terms(text: &str, analysis: Analysis, stemming: Stemming) -> Vec<(usize, String)> {
    tokens(text, analysis, stemming).map(|token| (token.position, token.text)).collect()
}

/// A text with its terms, for tantivy to index as they are.
#[must_use]
pub fn analysed(text: &str, analysis: Analysis, stemming: Stemming) -> PreTokenizedString {
    PreTokenizedString { text: text.to_owned(), tokens: tokens(text, analysis, stemming).collect() }
}

fn tokens(text: &str, analysis: Analysis, stemming: Stemming) -> std::vec::IntoIter<Token> {
    let mut tokenizer = WordTokenizer::new(analysis, stemming);
    let mut stream = tokenizer.token_stream(text);
    let mut tokens = Vec::new();
    while stream.advance() {
        tokens.push(stream.token().clone());
    }
    tokens.into_iter()
}

/// A phrase, to be looked for as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    words: Vec<String>,
}

impl Phrase {
    /// The phrase that a text is, or `None` where it has not two words.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::as_written(text).filter(|phrase| phrase.words.len() > 1)
    }

    /// The words of a text, of which one is enough, as they are written; `None` where it has none.
    #[must_use]
    pub fn as_written(text: &str) -> Option<Self> {
        let text = folded(text);
        let words: Vec<String> = words(&text).iter().map(|word| lower_case(&text[word.start..word.end])).collect();
        (!words.is_empty()).then_some(Self { words })
    }

    /// Its words in small letters.
    #[must_use]
    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    /// The terms that every text with this phrase has, stemmed so.
    #[must_use]
    pub fn terms(&self, analysis: Analysis, stemming: Stemming) -> Vec<String> {
        let text = self.words.join(" ");
        let mut terms: Vec<String> = Vec::new();
        // Other kinds hang on what stands between the words, which a phrase does not say.
        for piece in pieces(&text, Cut::For(analysis), true).into_iter().filter(|piece| piece.kind == Kind::Word) {
            let mut term = String::new();
            let word = &text[piece.start..piece.end];
            if write_term(word, analysis, stemming, Kind::Word, &mut term) && !terms.contains(&term) {
                terms.push(term);
            }
        }
        terms
    }

    /// Whether a text has the phrase's words side by side, in small or capital letters, whatever stands between them that
    /// is no word.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        let text = folded(text);
        let found = words(&text);
        let is_word = |(found, word): (&Piece, &String)| {
            text[found.start..found.end].chars().flat_map(char::to_lowercase).eq(word.chars())
        };
        found.windows(self.words.len()).any(|found| {
            let is_dense = found[found.len() - 1].position - found[0].position == found.len() - 1;
            is_dense && found.iter().zip(&self.words).all(is_word)
        })
    }
}

/// The words of a text, or single characters in scripts without spaces, in order.
fn words(text: &str) -> Vec<Piece> {
    let mut pieces = pieces(text, Cut::Plain, false);
    // A pair of characters comes before the single one at its position.
    pieces.reverse();
    pieces.dedup_by_key(|piece| piece.position);
    pieces.reverse();
    pieces
}

fn pieces(text: &str, wanted: Cut, for_query: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    cut::cut(text, wanted, for_query, &mut pieces);
    pieces
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
        .filter(|word| !is_time(word))
        .map(str::to_ascii_lowercase)
        .collect()
}

/// Where a word that is longer holds a year: `FY2022`, `2023Q2`.
fn year_in(word: &str) -> Option<(usize, usize)> {
    if word.len() <= 4 || word.len() > MAX_WITH_YEAR || !word.is_ascii() {
        return None;
    }
    let start = word.find(|c: char| c.is_ascii_digit())?;
    let end = word[start..].find(|c: char| !c.is_ascii_digit()).map_or(word.len(), |len| start + len);
    let is_year = end - start == 4 && (word[start..].starts_with("19") || word[start..].starts_with("20"));
    is_year.then_some((start, end))
}

/// Whether a word is a day (`1st`) or a year (`FY2022`) as people write them, and so names no thing.
fn is_time(word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_day = ["st", "nd", "rd", "th"].iter().any(|end| {
        let number = word.len().checked_sub(2).filter(|&at| word.is_char_boundary(at)).map(|at| word.split_at(at));
        number.is_some_and(|(number, ending)| ending.eq_ignore_ascii_case(end) && is_number(number))
    });
    is_day || year_in(word).is_some()
}

/// Cuts text into words, identifiers and character pairs, and makes terms of them.
#[derive(Clone)]
struct WordTokenizer {
    analysis: Analysis,
    stemming: Stemming,
    /// What the last text was cut into; kept, as is the token's text, so that texts share their memory.
    pieces: Vec<Piece>,
    token: Token,
}

struct WordStream<'a> {
    text: Cow<'a, str>,
    pieces: std::slice::Iter<'a, Piece>,
    analysis: Analysis,
    stemming: Stemming,
    current: &'a mut Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.pieces.clear();
        let text = folded(text);
        let wanted = match (self.analysis, self.stemming.compounds()) {
            (Analysis::Exact, Some(language)) => Cut::WithParts(language),
            (analysis, _) => Cut::For(analysis),
        };
        cut::cut(&text, wanted, false, &mut self.pieces);
        let Self { analysis, stemming, .. } = *self;
        WordStream { text, pieces: self.pieces.iter(), analysis, stemming, current: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        for &Piece { start, end, position, kind } in self.pieces.by_ref() {
            let word = &self.text[start..end];
            if write_term(word, self.analysis, self.stemming, kind, &mut self.current.text) {
                (self.current.offset_from, self.current.offset_to) = (start, end);
                (self.current.position, self.current.position_length) = (position, 1);
                return true;
            }
        }
        false
    }

    fn token(&self) -> &Token {
        self.current
    }

    fn token_mut(&mut self) -> &mut Token {
        self.current
    }
}

impl WordTokenizer {
    fn new(analysis: Analysis, stemming: Stemming) -> Self {
        Self { analysis, stemming, pieces: Vec::new(), token: Token::default() }
    }
}

/// Writes the term of `word` into `term`; returns whether it has one.
fn write_term(word: &str, analysis: Analysis, stemming: Stemming, kind: Kind, term: &mut String) -> bool {
    term.clear();
    match kind {
        Kind::Identifier => term.push_str(&lower_case(word)),
        Kind::Joined => term.extend(word.chars().filter(|&c| !cut::is_hyphen(c)).flat_map(char::to_lowercase)),
        Kind::Number => numbers::write_digits(word, term),
        // No word begins so.
        Kind::Part => {
            term.push('+');
            return stems::write(word, Analysis::Stemmed, stemming, term);
        }
        // Numbers are their own stems, and too many to remember.
        Kind::Word if word.bytes().all(|byte| byte.is_ascii_digit()) => {
            term.push_str(word);
            return analysis == Analysis::Stemmed;
        }
        Kind::Word => return stems::write(word, analysis, stemming, term),
    }
    true
}

fn lower_case(word: &str) -> String {
    word.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
