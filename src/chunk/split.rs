//! Divides a block that is over the budget: at line ends, then sentences, then words, then characters.
//!
//! # Invariants
//! - Pieces are in order, disjoint, and cover every word of the block.
//! - No piece has more tokens than its room, or more than [`MAX_CHUNK_BYTES`], except a single character's own count.
//! - Linear time: one window of at most a chunk's size is looked at again for every piece.

use std::collections::VecDeque;

use unicode_segmentation::UnicodeSegmentation as _;

use super::{MAX_CHUNK_BYTES, TokenCounter, count, is_separator};
use crate::workspace::Span;

/// A part of a block with its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) span: Span,
    pub(super) num_tokens: usize,
    /// Whether the piece goes on inside the word that the piece before it ended in.
    pub(super) is_glued: bool,
}

/// What a division has to keep to, in tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// For the first piece, which may share its chunk with a heading.
    pub(super) first: usize,
    /// For every other piece.
    pub(super) rest: usize,
    /// A last piece smaller than `tiny` joins the one before it where both have at most `most`.
    pub(super) tiny: usize,
    pub(super) most: usize,
}

/// Divides `span` of `text`.
pub(super) fn split(text: &str, span: Span, room: Room, tokens: &dyn TokenCounter) -> Vec<Piece> {
    let mut splitter = Splitter { text, tokens, room, words: VecDeque::new(), num_tokens: 0, pieces: Vec::new() };
    for word in words(text, span) {
        splitter.take(word);
    }
    splitter.finish()
}

/// The words that white space separates, in order.
fn words(text: &str, span: Span) -> impl Iterator<Item = Span> {
    let words = span.of(text).unwrap_or_default().split(is_separator);
    words.filter(|word| !word.is_empty()).map(move |word| {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        Span::new(start, start + word.len())
    })
}

struct Splitter<'t> {
    text: &'t str,
    tokens: &'t dyn TokenCounter,
    room: Room,
    /// Words that are not yet in a piece.
    words: VecDeque<Piece>,
    num_tokens: usize,
    pieces: Vec<Piece>,
}

impl Splitter<'_> {
    fn room(&self) -> usize {
        if self.pieces.is_empty() { self.room.first } else { self.room.rest }
    }

    fn take(&mut self, span: Span) {
        if span.len() <= MAX_CHUNK_BYTES {
            let num_tokens = count(self.tokens, &self.text[span.range()]);
            if num_tokens <= self.room.rest {
                self.push(Piece { span, num_tokens, is_glued: false });
                return;
            }
        }
        self.take_long_word(span);
    }

    fn push(&mut self, word: Piece) {
        self.words.push_back(word);
        self.num_tokens += word.num_tokens;
        while self.words.len() > 1 && !self.fits() {
            let num_words = self.best_cut();
            self.cut(num_words);
        }
    }

    fn fits(&self) -> bool {
        let (Some(first), Some(last)) = (self.words.front(), self.words.back()) else { return true };
        self.num_tokens <= self.room() && last.span.end - first.span.start <= MAX_CHUNK_BYTES
    }

    /// How many of the words go into the next piece: up to a line end, a sentence end, or as many as fit.
    fn best_cut(&self) -> usize {
        let room = self.room();
        let start = self.words[0].span.start;
        let (mut num_tokens, mut num_fitting, mut num_half) = (0, 0, 0);
        for (index, word) in self.words.iter().enumerate() {
            num_tokens += word.num_tokens;
            if num_tokens > room || word.span.end - start > MAX_CHUNK_BYTES {
                break;
            }
            num_fitting = index + 1;
            if num_tokens * 2 < room && (word.span.end - start) * 2 < MAX_CHUNK_BYTES {
                num_half = index + 1;
            }
        }
        let (num_fitting, num_half) = (num_fitting.max(1), num_half.max(1));
        let cuts = || (num_half..=num_fitting).rev().filter(|&cut| cut < self.words.len());
        let is_line_end = |cut: &usize| {
            let between = self.words[cut - 1].span.end..self.words[*cut].span.start;
            self.text[between].contains('\n')
        };
        if let Some(cut) = cuts().find(is_line_end) {
            return cut;
        }
        let end = self.words[num_fitting.min(self.words.len() - 1)].span.end;
        let sentences: Vec<usize> =
            self.text[start..end].split_sentence_bound_indices().map(|(offset, _)| start + offset).collect();
        cuts().find(|&cut| sentences.binary_search(&self.words[cut].span.start).is_ok()).unwrap_or(num_fitting)
    }

    /// Makes a piece of the first `num_words` words.
    fn cut(&mut self, num_words: usize) {
        let num_words = num_words.min(self.words.len());
        let mut words = self.words.drain(..num_words);
        let Some(mut piece) = words.next() else { return };
        for word in words {
            piece.span.end = word.span.end;
            piece.num_tokens += word.num_tokens;
        }
        self.num_tokens -= piece.num_tokens;
        self.pieces.push(piece);
    }

    /// A word over the budget: counted window by window, since nothing is known of the counts of a word's parts.
    fn take_long_word(&mut self, word: Span) {
        let mut start = word.start;
        while start < word.end {
            let (end, num_tokens) = self.window(start, word.end);
            let is_glued = start > word.start;
            if is_glued {
                // Two parts of one word must not share a piece: their counts do not add up.
                while !self.words.is_empty() {
                    let num_words = if self.fits() { self.words.len() } else { self.best_cut() };
                    self.cut(num_words);
                }
            }
            self.push(Piece { span: Span::new(start, end), num_tokens, is_glued });
            start = end;
        }
    }

    /// The end and the count of the longest part of a word from `start` that keeps to the budget, ended well.
    fn window(&self, start: usize, word_end: usize) -> (usize, usize) {
        let room = self.room.rest.max(1);
        let first_char = start + self.text[start..].chars().next().map_or(1, char::len_utf8);
        let mut end = floor(self.text, (start + MAX_CHUNK_BYTES).min(word_end)).max(first_char);
        let mut num_tokens = count(self.tokens, &self.text[start..end]);
        while num_tokens > room && end > first_char {
            // Proportionally shorter, by at least a twentieth.
            let shorter = ((end - start) * room / num_tokens).min((end - start) * 19 / 20);
            end = floor(self.text, start + shorter).max(first_char);
            num_tokens = count(self.tokens, &self.text[start..end]);
        }
        if end < word_end {
            let better = self.better_end(start, end, word_end);
            let better_count = count(self.tokens, &self.text[start..better]);
            if better < end && better_count <= room {
                return (better, better_count);
            }
        }
        (end, num_tokens)
    }

    /// The last end of a sentence, word or grapheme in the second half of `start..end`; else `end`.
    fn better_end(&self, start: usize, end: usize, word_end: usize) -> usize {
        let half = start + (end - start) / 2;
        // A little more text tells whether `end` itself is a good place.
        let window = &self.text[start..floor(self.text, (end + 16).min(word_end)).max(end)];
        let is_good = |at: &usize| (half..=end).contains(at) && *at > start;
        let last = |bounds: &mut dyn Iterator<Item = usize>| bounds.map(|offset| start + offset).filter(is_good).last();
        last(&mut window.split_sentence_bound_indices().map(|(offset, _)| offset))
            .or_else(|| last(&mut window.split_word_bound_indices().map(|(offset, _)| offset)))
            .or_else(|| last(&mut window.grapheme_indices(true).map(|(offset, _)| offset)))
            .unwrap_or(end)
    }

    fn finish(mut self) -> Vec<Piece> {
        while !self.words.is_empty() {
            let num_words = if self.fits() { self.words.len() } else { self.best_cut() };
            self.cut(num_words);
        }
        if let [.., before, last] = self.pieces.as_slice()
            && !last.is_glued
            && last.num_tokens < self.room.tiny
            && before.num_tokens + last.num_tokens <= self.room.most
            && last.span.end - before.span.start <= MAX_CHUNK_BYTES
            && self.pieces.len() > 2
        {
            let (end, num_tokens) = (last.span.end, last.num_tokens);
            self.pieces.pop();
            if let Some(before) = self.pieces.last_mut() {
                before.span.end = end;
                before.num_tokens += num_tokens;
            }
        }
        self.pieces
    }
}

fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::Bytes4;

    fn pieces(text: &str, room: usize) -> Vec<&str> {
        let room = Room { first: room, rest: room, tiny: 0, most: room };
        let pieces = split(text, Span::new(0, text.len()), room, &Bytes4 { max: 1000 });
        pieces.iter().map(|piece| piece.span.of(text).expect("in range")).collect()
    }

    #[test]
    fn line_ends_go_before_sentences_and_sentences_before_words() {
        assert_eq!(pieces("aa bb cc\ndd ee ff gg", 4), ["aa bb cc", "dd ee ff gg"]);
        assert_eq!(pieces("Aa bb cc. Dd ee ff gg", 4), ["Aa bb cc.", "Dd ee ff gg"]);
        assert_eq!(pieces("aa bb cc dd ee ff gg", 4), ["aa bb cc dd", "ee ff gg"]);
    }

    #[test]
    fn a_long_word_is_divided_at_sentences_and_characters() {
        assert_eq!(pieces("短い文です。次の文です。", 5), ["短い文です。", "次の文です。"]);
        let pieces = pieces("éééééééééééé", 2);
        assert_eq!(pieces.concat(), "éééééééééééé");
        assert!(pieces.iter().all(|piece| piece.len() <= 8));
    }

    #[test]
    fn a_small_rest_joins_the_piece_before_it() {
        let room = Room { first: 4, rest: 4, tiny: 2, most: 5 };
        let text = "aa bb cc dd ee ff gg hh ii";
        let pieces = split(text, Span::new(0, text.len()), room, &Bytes4 { max: 1000 });
        assert_eq!(pieces.iter().map(|piece| piece.num_tokens).collect::<Vec<_>>(), [4, 5]);
    }
}
