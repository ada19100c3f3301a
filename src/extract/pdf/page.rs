//! The characters of one PDF page, put together to words and pieces by where they stand.
//!
//! A PDF says where each character is drawn and hardly ever where a word ends: a gap along the line of writing is a
//! space, a wider one or a step across it begins another piece. `pdf_layout` puts the pieces in the order of reading.
//!
//! # Invariants
//! - Characters outside the page are not read, nor one drawn twice at the same place, which is how some programs print bold.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use hayro_interpret::kurbo::Rect;
use unicode_normalization::UnicodeNormalization as _;

use crate::extract::pdf::layout::read_in_order;

/// A gap wider than this part of the font size is a space. On the development PDFs 0.1 and 0.13 agree best with poppler's
/// words, 0.22 loses a hundredth and 0.3 five of F1.
pub(in crate::extract) const SPACE_GAP: f64 = 0.13;
/// A gap wider than this part of the font size begins another piece.
const PIECE_GAP: f64 = 0.8;
/// A step back further than this part of the font size begins another piece.
const BACK_STEP: f64 = 0.3;
/// A step across the line of writing further than this part of the font size begins another piece.
const LINE_STEP: f64 = 0.1;
/// Two of one character nearer than this part of the font size are one; the narrowest letters are thrice as wide.
const SAME_PLACE: f64 = 0.03;
/// Smaller characters are read as if they had this size, so that a size of nothing divides nothing.
const MIN_SIZE: f64 = 0.1;

/// A character as it is drawn, in a plane whose `y` grows downwards.
pub(in crate::extract) struct Drawn {
    pub text: String,
    /// Where it begins on the line of writing.
    pub place: (f64, f64),
    /// Along the line of writing, of any length but 0.
    pub along: (f64, f64),
    /// How far it goes along the line.
    pub length: f64,
    /// The font's size on the page.
    pub size: f64,
    /// The rectangle that it takes on the page, where that is asked for.
    pub area: Option<Rect>,
}

/// Where a character of the text is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::extract) struct CharBox {
    pub area: Rect,
    /// Degrees by which its line of writing is turned.
    pub angle: i32,
}

/// The text of a page.
#[derive(Debug, Default)]
pub(in crate::extract) struct Written {
    pub text: String,
    /// Of each character but white space, in the order of the text, where it is drawn; none where that was not asked for.
    pub boxes: Vec<CharBox>,
}

/// Characters drawn one after the other on one line, with no more than a space between two.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::extract) struct Piece {
    pub text: String,
    /// Its number in the order of drawing.
    pub number: usize,
    /// Degrees by which its line of writing is turned.
    pub angle: i32,
    /// From where to where it goes along its line of writing.
    pub start: f64,
    pub end: f64,
    /// Where it stands across its line of writing; grows from line to line.
    pub line: f64,
    pub size: f64,
    /// Whether a space was drawn before it, or after its last character.
    pub space_before: bool,
    pub space_after: bool,
    /// As [`Written::boxes`].
    pub boxes: Vec<CharBox>,
}

impl Piece {
    fn push(&mut self, drawn: &Drawn) {
        let before = self.text.len();
        push_plain(&mut self.text, &drawn.text);
        if let Some(area) = drawn.area {
            let num_chars = self.text[before..].chars().filter(|c| !c.is_whitespace()).count();
            self.boxes.extend(std::iter::repeat_n(CharBox { area, angle: self.angle }, num_chars));
        }
    }
}

/// Collects the characters of one page.
#[derive(Default)]
pub(in crate::extract) struct PageText {
    pieces: Vec<Piece>,
    /// The corner with the lowest coordinates, and that with the highest.
    page: ((f64, f64), (f64, f64)),
    drawn: HashSet<u64>,
    hasher: RandomState,
    space_before: bool,
}

impl PageText {
    pub(in crate::extract) fn new(lowest: (f64, f64), highest: (f64, f64)) -> Self {
        Self { page: (lowest, highest), ..Self::default() }
    }

    /// Whether these words are on the page already, in one piece.
    pub(in crate::extract) fn has(&self, words: &str) -> bool {
        self.pieces.iter().any(|piece| piece.text.contains(words))
    }

    pub(in crate::extract) fn into_written(self) -> Written {
        read_in_order(self.pieces)
    }

    pub(in crate::extract) fn add(&mut self, drawn: &Drawn) {
        let (x, y) = drawn.place;
        let (size, length) = (drawn.size.abs().max(MIN_SIZE), drawn.length.max(0.0));
        let norm = drawn.along.0.hypot(drawn.along.1);
        let (lowest, highest) = self.page;
        let is_on_page = x + length >= lowest.0 && x <= highest.0 && y >= lowest.1 && y - size <= highest.1;
        if !(x.is_finite() && y.is_finite() && size.is_finite() && length.is_finite() && norm > 0.0 && is_on_page) {
            return;
        }
        let angle = whole(drawn.along.1.atan2(drawn.along.0).to_degrees());
        let (sin, cos) = f64::from(angle).to_radians().sin_cos();
        // Along the line of writing, and across it.
        let (start, line) = (x * cos + y * sin, y * cos - x * sin);
        let is_blank = drawn.text.chars().all(char::is_whitespace);
        if is_blank && !drawn.text.is_empty() {
            self.space_before = true;
            if let Some(last) = self.pieces.last_mut() {
                last.space_after = true;
            }
            return;
        }
        if !drawn.text.is_empty() && self.was_drawn(&drawn.text, (start, line), size) {
            return;
        }
        let end = start + length;
        let space_before = std::mem::take(&mut self.space_before);
        if let Some(last) = self.pieces.last_mut() {
            let gap = start - last.end;
            let small = size.min(last.size);
            let goes_on = last.angle == angle
                && (line - last.line).abs() <= small * LINE_STEP
                && gap <= small * PIECE_GAP
                && gap >= -small * BACK_STEP
                // A right-to-left text is put together by where its characters stand.
                && !drawn.text.chars().any(is_right_to_left);
            if goes_on {
                if (space_before || gap > small * SPACE_GAP) && !last.text.is_empty() {
                    last.text.push(' ');
                }
                last.push(drawn);
                last.end = last.end.max(end);
                last.size = last.size.max(size);
                last.space_after = false;
                return;
            }
        }
        let (number, text, boxes, space_after) = (self.pieces.len(), String::new(), Vec::new(), false);
        let mut piece = Piece { text, number, angle, start, end, line, size, space_before, space_after, boxes };
        piece.push(drawn);
        self.pieces.push(piece);
    }

    /// Whether the same was drawn at this place before.
    fn was_drawn(&mut self, text: &str, place: (f64, f64), size: f64) -> bool {
        let cell = size * SAME_PLACE;
        let (column, row) = (whole(place.0 / cell), whole(place.1 / cell));
        let size = whole(size * 4.0);
        let key = |column: i32, row: i32| self.hasher.hash_one((text, column, row, size));
        let is_known = (-1..=1)
            .any(|dx| (-1..=1).any(|dy| self.drawn.contains(&key(column.saturating_add(dx), row.saturating_add(dy)))));
        let key = key(column, row);
        self.drawn.insert(key);
        is_known
    }
}

/// The nearest whole number that fits.
#[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest integer that fits")]
fn whole(number: f64) -> i32 {
    number.round() as i32
}

pub(in crate::extract) fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

/// Appends a text with the letters of its ligatures and the letters that its presentation forms are of.
fn push_plain(text: &mut String, drawn: &str) {
    for c in drawn.chars() {
        match c {
            '\u{fb00}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' => text.extend(std::iter::once(c).nfkc()),
            '\0' | '\u{ad}' => {}
            c if c.is_whitespace() => text.push(' '),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws each text at its place with characters half as wide as the font size, which is 10, from the top of a page.
    fn page(texts: &[(f64, f64, &str)]) -> String {
        written(texts).text
    }

    fn written(texts: &[(f64, f64, &str)]) -> Written {
        let mut page = PageText::new((0.0, 0.0), (600.0, 800.0));
        for &(x, y, words) in texts {
            for (index, c) in words.chars().enumerate() {
                let place = (x + 5.0 * index as f64, y);
                let area = Some(Rect::new(place.0, y - 8.0, place.0 + 5.0, y + 2.0));
                page.add(&Drawn { text: c.to_string(), place, along: (1.0, 0.0), length: 5.0, size: 10.0, area });
            }
        }
        page.into_written()
    }

    /// Each character but white space with where it begins on its line, as it is drawn.
    fn places(texts: &[(f64, f64, &str)]) -> Vec<(char, i32)> {
        let Written { text, boxes } = written(texts);
        let chars: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        assert_eq!(chars.len(), boxes.len(), "{text}");
        chars.into_iter().zip(boxes.iter().map(|one| whole(one.area.x0))).collect()
    }

    #[test]
    fn every_character_keeps_its_place_also_where_the_order_is_another_one() {
        let out_of_order = places(&[(50.0, 100.0, "xy z"), (0.0, 100.0, "ab")]);
        assert_eq!(out_of_order, [('a', 0), ('b', 5), ('x', 50), ('y', 55), ('z', 65)]);
        let ligature = places(&[(0.0, 100.0, "e\u{fb03}c")]);
        assert_eq!(ligature, [('e', 0), ('f', 5), ('f', 5), ('i', 5), ('c', 10)]);
        let right_to_left = places(&[(0.0, 100.0, "12.5 \u{5dd}\u{5d5}(")]);
        let expected = [(')', 35), ('\u{5d5}', 30), ('\u{5dd}', 25), ('1', 0), ('2', 5), ('.', 10), ('5', 15)];
        assert_eq!(right_to_left, expected);
    }

    #[test]
    fn gaps_are_spaces_and_steps_are_lines_and_paragraphs() {
        let texts = [
            (0.0, 100.0, "re"),
            (10.5, 100.0, "port"),
            (33.0, 100.0, "one"),
            (0.0, 112.0, "two"),
            (0.0, 140.0, "three"),
        ];
        assert_eq!(page(&texts), "report one\ntwo\n\nthree");
    }

    #[test]
    fn words_drawn_out_of_order_are_read_in_order() {
        assert_eq!(page(&[(50.0, 100.0, "right"), (0.0, 100.0, "left")]), "left right");
    }

    #[test]
    fn what_is_drawn_twice_is_read_once_and_double_letters_are_kept() {
        assert_eq!(page(&[(0.0, 100.0, "ball"), (0.1, 100.0, "ball")]), "ball");
    }

    #[test]
    fn what_is_outside_of_the_page_is_not_read() {
        assert_eq!(page(&[(0.0, 100.0, "in"), (-90.0, 100.0, "left"), (0.0, 900.0, "below")]), "in");
    }

    #[test]
    fn ligatures_and_presentation_forms_are_letters() {
        assert_eq!(page(&[(0.0, 100.0, "e\u{fb03}ciency")]), "efficiency");
    }

    #[test]
    fn columns_are_read_one_after_the_other_whatever_the_order_of_drawing() {
        let near = ["running text of the", "near column that has", "four lines of words", "and ends down here"];
        let far = ["another text stands", "beside it and goes on", "for as many lines to", "the end of the page"];
        let lines = |x: f64, words: [&'static str; 4]| {
            [0.0, 1.0, 2.0, 3.0]
                .map(|row| 100.0 + 12.0 * row)
                .into_iter()
                .zip(words)
                .map(move |(y, words)| (x, y, words))
        };
        let by_columns: Vec<_> = lines(0.0, near).chain(lines(150.0, far)).collect();
        let by_rows: Vec<_> = lines(0.0, near).zip(lines(150.0, far)).flat_map(|(near, far)| [near, far]).collect();
        let expected = format!("{}\n\n{}", near.join("\n"), far.join("\n"));
        assert_eq!(page(&by_columns), expected);
        assert_eq!(page(&by_rows), expected);
    }

    #[test]
    fn tables_are_read_row_by_row_even_if_drawn_column_by_column() {
        let cells =
            [("Net sales", 0.0), ("Cost of sales", 12.0), ("Gross profit", 24.0), ("Tax", 36.0), ("Net income", 48.0)];
        let numbers = ["14,544", "11,969", "2,575", "300", "1,055"];
        let mut texts: Vec<_> = cells.iter().map(|&(label, y)| (0.0, 100.0 + y, label)).collect();
        texts.extend(cells.iter().zip(numbers).map(|(&(_, y), number)| (200.0, 100.0 + y, number)));
        let text = page(&texts);
        assert!(text.starts_with("Net sales 14,544\nCost of sales 11,969\nGross profit 2,575\n"), "{text}");
    }

    #[test]
    fn right_to_left_text_is_in_the_order_of_speech_and_its_numbers_are_not_turned() {
        // As it looks: the word for peace, then a number to the left of it.
        assert_eq!(page(&[(0.0, 100.0, "12.5 \u{5dd}\u{5d5}\u{5dc}\u{5e9}")]), "\u{5e9}\u{5dc}\u{5d5}\u{5dd} 12.5");
    }
}
