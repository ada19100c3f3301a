//! Text to pieces: words, their parts, identifiers, numbers, and pairs of characters.

use super::numbers::grouped_at;
use super::{Analysis, compounds, year_in};
use crate::extract::escapes::begins_with_break;

/// Longer words are not indexed, in bytes: nobody types them.
const MAX_TERM_BYTES: usize = 100;
/// Shorter ends of words are no parts: `URLs` is one word.
const MIN_PART_CHARS: usize = 3;

/// A token before it is made a term.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub start: usize,
    pub end: usize,
    pub position: usize,
    pub kind: Kind,
}

/// How a piece becomes a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, a part of one, or characters of a script without spaces.
    Word,
    /// Several words that are joined, with what joins them: `max_tokens`, `Node.js`.
    Identifier,
    /// Several words that are joined, without what joins them: `maxtokens`, `nodejs`.
    Joined,
    /// The digits of a number that is written in groups.
    Number,
    /// Syllables that may be a word of a compound: `rechnungs` of `Rechnungsnummer`.
    Part,
}

/// Which pieces of a text are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Words alone, each once.
    Plain,
    /// Those of an analysis.
    For(Analysis),
    /// Those of the exact analysis, and the parts of compounds of a language.
    WithParts(compounds::Lang),
}

/// Cuts a text that is [folded](super::fold::folded). Of a query, single characters of scripts without spaces are left out where there are pairs.
pub(super) fn cut(text: &str, cut: Cut, for_query: bool, pieces: &mut Vec<Piece>) {
    Tokens { text, pieces, position: 0 }.cut(cut, for_query);
}

struct Tokens<'a> {
    text: &'a str,
    pieces: &'a mut Vec<Piece>,
    position: usize,
}

impl Tokens<'_> {
    fn cut(&mut self, cut: Cut, for_query: bool) {
        let mut rest = self.text.char_indices().peekable();
        while let Some((start, first)) = rest.next() {
            if is_unspaced(first) {
                let mut ends = vec![start + first.len_utf8()];
                while let Some(&(at, next)) = rest.peek().filter(|(_, next)| is_unspaced(*next)) {
                    ends.push(at + next.len_utf8());
                    rest.next();
                }
                if matches!(cut, Cut::Plain | Cut::For(Analysis::Stemmed)) {
                    self.push_unspaced(start, &ends, for_query);
                }
            } else if first.is_alphanumeric() {
                let mut end = start + first.len_utf8();
                while let Some(&(at, next)) =
                    rest.peek().filter(|(_, next)| next.is_alphanumeric() && !is_unspaced(*next) || is_mark(*next))
                {
                    end = at + next.len_utf8();
                    rest.next();
                }
                self.push_all(start, end, cut);
                if !for_query && begins_with_break(self.text, start) {
                    // The letter of `\nnext` may be of no word: what is behind it stands at the same place, and alone in running text.
                    self.position -= 1;
                    if cut == Cut::Plain && self.pieces.last().is_some_and(|whole| whole.start == start) {
                        self.pieces.pop();
                    }
                    self.push_all(start + 1, end, cut);
                }
            }
        }
    }

    /// What is wanted of a word.
    fn push_all(&mut self, start: usize, end: usize, cut: Cut) {
        match cut {
            Cut::Plain => self.push(start, end),
            Cut::For(Analysis::Stemmed) => {
                self.push_word_and_parts(start, end);
                self.push_number(start, end);
            }
            Cut::For(Analysis::Exact) | Cut::WithParts(_) => {
                let joined_before = self.joins_with_last(start);
                self.push_word_and_parts(start, end);
                if let Cut::WithParts(language) = cut {
                    self.push_parts(start, end, language);
                }
                if !joined_before {
                    self.push_identifier(start, end);
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
            self.pieces.push(Piece { start, end, position, kind: Kind::Word });
        }
    }

    /// A word, and where it is written `likeThis` or holds a year (`FY2022`), its parts at the same position.
    fn push_word_and_parts(&mut self, start: usize, end: usize) {
        let position = self.position;
        self.push(start, end);
        let word = &self.text[start..end];
        let mut parts = humps(word);
        if parts.is_empty()
            && let Some((year, year_end)) = year_in(word)
        {
            let around = [(0, year), (year, year_end), (year_end, word.len())];
            parts.extend(around.into_iter().filter(|(from, to)| from < to));
        }
        for (from, to) in parts {
            self.push_at(position, start + from, start + to);
        }
    }

    /// The parts of a word that may be a compound, at its position.
    fn push_parts(&mut self, start: usize, end: usize, language: compounds::Lang) {
        let position = self.position - 1;
        let parts = compounds::parts(&self.text[start..end], language);
        self.pieces.extend(parts.map(|(from, to)| Piece {
            start: start + from,
            end: start + to,
            position,
            kind: Kind::Part,
        }));
    }

    /// The number in groups that begins with the digits `start..end`.
    fn push_number(&mut self, start: usize, end: usize) {
        if !self.text[start..end].bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        if let Some(end) = grouped_at(self.text, start).filter(|&end| end - start <= MAX_TERM_BYTES) {
            self.pieces.push(Piece { start, end, position: self.position - 1, kind: Kind::Number });
        }
    }

    /// Whether the text between the last word and `start` is one joining character.
    fn joins_with_last(&self, start: usize) -> bool {
        let last_end = self.text[..start].char_indices().next_back();
        last_end.is_some_and(|(at, c)| {
            is_joiner(c) && self.text[..at].chars().next_back().is_some_and(char::is_alphanumeric)
        })
    }

    /// The whole of an identifier that begins with the word `start..end`, where joined words follow it, and the names in it.
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
        }
        self.push_name(start, whole_end);
        // A version in a URL, a file's name in a path, a domain in an address.
        let whole = &self.text[start..whole_end];
        let mut name_start = start;
        for name in whole.split(|c| is_joiner(c) && !is_hyphen(c)).filter(|name| name.len() < whole.len()) {
            self.push_name(name_start, name_start + name.len());
            // What divides names is one byte long.
            name_start += name.len() + 1;
        }
    }

    /// Words that are joined, at the position of the last word; nothing where there is one word.
    fn push_name(&mut self, start: usize, end: usize) {
        let (name, position) = (&self.text[start..end], self.position - 1);
        if !name.contains(is_joiner) || name.len() > MAX_TERM_BYTES {
            return;
        }
        self.pieces.push(Piece { start, end, position, kind: Kind::Identifier });
        let is_of_one_name = |c: char| c.is_alphanumeric() || is_mark(c) || is_hyphen(c);
        if name.chars().all(is_of_one_name) && name.chars().any(char::is_alphabetic) {
            self.pieces.push(Piece { start, end, position, kind: Kind::Joined });
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

/// The parts of a word that is written `likeThis` or `HTTPServer`; none of another.
fn humps(word: &str) -> Vec<(usize, usize)> {
    let is_capital = |c: char| !c.to_lowercase().eq([c]);
    let mut starts = vec![0];
    let mut before: [Option<char>; 2] = [None; 2];
    let mut last_at = 0;
    for (at, c) in word.char_indices() {
        let [first, last] = before;
        if last.is_some_and(char::is_lowercase) && is_capital(c) {
            starts.push(at);
        } else if c.is_lowercase()
            && last.is_some_and(is_capital)
            && first.is_some_and(is_capital)
            && word[last_at..].chars().take_while(|&c| c.is_lowercase() || is_capital(c)).count() >= MIN_PART_CHARS
        {
            starts.push(last_at);
        }
        (before, last_at) = ([last, Some(c)], at);
    }
    let ends = starts.iter().skip(1).copied().chain([word.len()]);
    let parts: Vec<(usize, usize)> = starts.iter().copied().zip(ends).filter(|(from, to)| from < to).collect();
    if parts.len() > 1 { parts } else { Vec::new() }
}

/// Characters between the words of one name, which some write without them.
pub(super) const fn is_hyphen(c: char) -> bool {
    matches!(c, '_' | '-' | '.')
}

/// Characters that hold an identifier together when words stand on both sides.
pub(super) const fn is_joiner(c: char) -> bool {
    matches!(c, '_' | '-' | '.' | ':' | '/' | '@' | '#' | '+')
}

/// Combining marks belong to the letter before them.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{200d}' | '\u{5b0}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}')
}

/// Scripts written without spaces between words.
pub(super) const fn is_unspaced(c: char) -> bool {
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
