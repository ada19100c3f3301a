//! The characters of one PDF page, put together to words, lines and paragraphs by where they stand.
//!
//! A PDF says where each character is drawn and hardly ever where a word ends: a gap along the line of writing is a
//! space, a step across it a new line, a step of more than one line a new paragraph.
//!
//! # Not here
//! Columns: lines come in the order in which the file draws them.

use pdf_extract::{MediaBox, OutputDev, OutputError, Transform};

/// A gap wider than this part of the font size is a space. On the development PDFs 0.1 and 0.13 agree best with poppler's
/// words, 0.22 loses a hundredth and 0.3 five of F1.
const SPACE_GAP: f64 = 0.13;
/// A step back further than this part of the font size begins a new piece of text.
const BACK_STEP: f64 = 0.6;
/// A step across the line of writing, in font sizes, that begins a new line.
const LINE_STEP: f64 = 0.5;
/// A step across the line of writing, in font sizes, that begins a new paragraph.
const PARAGRAPH_STEP: f64 = 1.9;

/// Collects the text of one page.
#[derive(Default)]
pub(super) struct PageText {
    text: String,
    pen: Option<Pen>,
}

/// Where the last character ended, and how it was drawn.
struct Pen {
    x: f64,
    y: f64,
    /// Unit vector along the line of writing.
    along: (f64, f64),
    size: f64,
}

impl PageText {
    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn separate(&mut self, x: f64, y: f64, along: (f64, f64), size: f64) {
        let Some(pen) = &self.pen else { return };
        let size = size.min(pen.size);
        let (dx, dy) = (x - pen.x, y - pen.y);
        // The step from the end of the last character, along the line of writing and across it.
        let forward = dx * along.0 + dy * along.1;
        let across = (dx * along.1 - dy * along.0).abs();
        let is_turned = along.0 * pen.along.0 + along.1 * pen.along.1 < 0.9;
        let separator = if is_turned || across > size * PARAGRAPH_STEP {
            "\n\n"
        } else if across > size * LINE_STEP {
            "\n"
        } else if forward > size * SPACE_GAP || forward < -size * BACK_STEP {
            " "
        } else {
            return;
        };
        if !self.text.ends_with(char::is_whitespace) || separator != " " {
            self.text.push_str(separator);
        }
    }
}

impl OutputDev for PageText {
    fn begin_page(
        &mut self,
        _page_num: u32,
        _media_box: &MediaBox,
        _art_box: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn output_character(
        &mut self,
        trm: &Transform,
        width: f64,
        _spacing: f64,
        font_size: f64,
        character: &str,
    ) -> Result<(), OutputError> {
        let advance = trm.m11.hypot(trm.m12) * font_size.abs();
        let size = trm.m21.hypot(trm.m22) * font_size.abs();
        let (x, y) = (trm.m31, trm.m32);
        let along =
            if advance > 0.0 { (trm.m11 * font_size / advance, trm.m12 * font_size / advance) } else { (1.0, 0.0) };
        self.separate(x, y, along, size);
        self.text.push_str(character);
        let length = width * advance;
        self.pen = Some(Pen { x: x + along.0 * length, y: y + along.1 * length, along, size });
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws each text at its place with characters half as wide as the font size, which is 10.
    fn page(texts: &[(f64, f64, &str)]) -> String {
        let mut page = PageText::default();
        for &(x, y, words) in texts {
            for (index, c) in words.chars().enumerate() {
                let place = Transform::row_major(1.0, 0.0, 0.0, 1.0, x + 5.0 * index as f64, y);
                page.output_character(&place, 0.5, 0.0, 10.0, &c.to_string()).expect("nothing to fail");
            }
        }
        page.into_text()
    }

    #[test]
    fn gaps_are_spaces_and_steps_are_lines_and_paragraphs() {
        let texts =
            [(0.0, 100.0, "re"), (10.5, 100.0, "port"), (33.0, 100.0, "one"), (0.0, 88.0, "two"), (0.0, 60.0, "three")];
        assert_eq!(page(&texts), "report one\ntwo\n\nthree");
    }

    #[test]
    fn words_drawn_out_of_order_are_kept_apart() {
        assert_eq!(page(&[(50.0, 100.0, "right"), (0.0, 100.0, "left")]), "right left");
    }
}
