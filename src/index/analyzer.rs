//! Text to the terms of BM25, the same for indexing and for asking.
//!
//! Two analyses: the *stemmed* one (parts of words, lower case, accents folded, stems and stop words of a language) and
//! the *exact* one (words as written in lower case, and identifiers such as `v1.2.3` or `max_tokens` whole as well),
//! which leaves out what the stemmed one keeps as it is: a word that is its own stem needs to be kept once only.
//! Scripts that are written without spaces become overlapping pairs of characters, and single characters beside them,
//! as Lucene's CJK analysis does.

mod query;
mod stems;

use tantivy::tokenizer::{PreTokenizedString, TextAnalyzer, Token, TokenStream, Tokenizer};

pub use query::{ExactTerm, QueryTerms, QueryWord, Variant, analyse_query, stopping};
pub use stems::Stemming;

/// Longer words are not indexed, in bytes: nobody types them.
const MAX_TERM_BYTES: usize = 100;

/// A longer word that holds four digits holds no year, in bytes.
const MAX_WITH_YEAR: usize = 8;

/// What a text is analysed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analysis {
    /// Stemmed parts of words.
    Stemmed,
    /// Words and identifiers as written, but for words that are their own stem.
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
        let words: Vec<String> = words(text).iter().map(|word| lower_case(&text[word.start..word.end])).collect();
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
        for piece in pieces(&text, analysis, true) {
            let mut term = String::new();
            let word = &text[piece.start..piece.end];
            if write_term(word, analysis, stemming, piece.is_identifier, &mut term) && !terms.contains(&term) {
                terms.push(term);
            }
        }
        terms
    }

    /// Whether a text has the phrase's words side by side, in small or capital letters, whatever stands between them that
    /// is no word.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        let found = words(text);
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
    let mut pieces = pieces(text, Analysis::Exact, false);
    pieces.retain(|piece| !piece.is_identifier);
    // A pair of characters comes before the single one at its position.
    pieces.reverse();
    pieces.dedup_by_key(|piece| piece.position);
    pieces.reverse();
    pieces
}

fn pieces(text: &str, analysis: Analysis, for_query: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    Tokens { text, pieces: &mut pieces, position: 0 }.cut(analysis, for_query);
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

/// A token before it is made a term.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
    position: usize,
    /// Several words that are joined.
    is_identifier: bool,
}

struct WordStream<'a> {
    text: &'a str,
    pieces: std::slice::Iter<'a, Piece>,
    analysis: Analysis,
    stemming: Stemming,
    current: &'a mut Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        self.pieces.clear();
        let mut tokens = Tokens { text, pieces: &mut self.pieces, position: 0 };
        tokens.cut(self.analysis, false);
        let Self { analysis, stemming, .. } = *self;
        WordStream { text, pieces: self.pieces.iter(), analysis, stemming, current: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        for &Piece { start, end, position, is_identifier } in self.pieces.by_ref() {
            let word = &self.text[start..end];
            if write_term(word, self.analysis, self.stemming, is_identifier, &mut self.current.text) {
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
fn write_term(word: &str, analysis: Analysis, stemming: Stemming, is_identifier: bool, term: &mut String) -> bool {
    term.clear();
    if is_identifier {
        term.push_str(&lower_case(word));
        return true;
    }
    // Numbers are their own stems, and too many to remember.
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        term.push_str(word);
        return analysis == Analysis::Stemmed;
    }
    stems::write(word, analysis, stemming, term)
}

fn lower_case(word: &str) -> String {
    word.chars().flat_map(char::to_lowercase).collect()
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
            self.pieces.push(Piece { start, end, position, is_identifier: false });
        }
    }

    /// A word, and where it is written `likeThis` or holds a year (`FY2022`), its parts at the same position.
    fn push_word_and_parts(&mut self, start: usize, end: usize) {
        let position = self.position;
        self.push(start, end);
        let word = &self.text[start..end];
        let mut part_start = 0;
        let mut before: Option<char> = None;
        let mut parts = Vec::new();
        for (at, c) in word.char_indices() {
            if before.is_some_and(char::is_lowercase) && !c.to_lowercase().eq([c]) {
                parts.push((part_start, at));
                part_start = at;
            }
            before = Some(c);
        }
        if part_start > 0 {
            parts.push((part_start, word.len()));
        } else if let Some((year, year_end)) = year_in(word) {
            let around = [(0, year), (year, year_end), (year_end, word.len())];
            parts.extend(around.into_iter().filter(|(from, to)| from < to));
        }
        for (from, to) in parts {
            self.push_at(position, start + from, start + to);
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
            let position = self.position - 1;
            self.pieces.push(Piece { start, end: whole_end, position, is_identifier: true });
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
mod tests;
