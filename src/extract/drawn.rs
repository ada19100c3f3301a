//! A page of a PDF as people see it: what is asked of it, and what comes back.

use serde::{Deserialize, Serialize};

use crate::workspace::Span;

/// Pixels that a picture is wide at the most, and high.
pub const MAX_WIDTH: u16 = 1600;
pub(super) const MAX_HEIGHT: u16 = 8000;
/// Pixels that a picture has at the most.
pub(super) const MAX_PIXELS: f64 = 4_000_000.0;
/// Bytes that a picture has at the most; one that would have more is drawn smaller.
pub(super) const MAX_PNG_BYTES: usize = 4_000_000;
/// Boxes that are given at the most.
pub(super) const MAX_BOXES: usize = 2000;
/// The first bytes of every PNG, up to its width and height.
const PNG_HEAD: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";

/// What is asked of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageQuestion {
    /// The page's number, from 1.
    pub number: u32,
    /// The width of its picture in pixels, of which [`MAX_WIDTH`] are drawn at the most; `None` for no picture.
    pub width: Option<u16>,
    /// The words whose boxes are wanted: a span that counts from where the page begins in the document's text.
    pub mark: Option<Span>,
}

/// A rectangle on a page: left, top, width and height in fractions of the page's width and height, each in `0..=1`.
pub type PageBox = [f32; 4];

/// A page as it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrawnPage {
    /// How many pages the PDF has.
    pub num_pages: u32,
    /// Width and height of the page as it is shown, in points.
    pub size: (f32, f32),
    /// Where the marked words are, one box for what stands together on a line, in the order of the text.
    pub boxes: Vec<PageBox>,
    /// The picture, where one was asked for.
    pub picture: Option<Picture>,
}

/// A picture of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// The picture as a PNG.
    #[serde(skip)]
    pub png: Vec<u8>,
}

impl DrawnPage {
    /// What makes this no answer to a question, if anything does. Whether the picture can be shown is its viewer's to find out.
    pub(super) fn fault(&self, question: &PageQuestion) -> Option<&'static str> {
        let (width, height) = self.size;
        let is_size = |length: f32| length.is_finite() && length > 0.0;
        if question.number == 0 || question.number > self.num_pages {
            return Some("there is no such page");
        }
        if !(is_size(width) && is_size(height)) {
            return Some("the page has no size");
        }
        let in_page = |place: &f32| (0.0..=1.0).contains(place);
        if self.boxes.len() > MAX_BOXES || !self.boxes.iter().flatten().all(in_page) {
            return Some("a box is not on the page");
        }
        match (&self.picture, question.width) {
            (None, None) => None,
            (Some(picture), Some(_)) => picture.fault(),
            _ => Some("another question was answered"),
        }
    }
}

impl Picture {
    fn fault(&self) -> Option<&'static str> {
        let Self { width, height, png } = self;
        let num_pixels = f64::from(*width) * f64::from(*height);
        if *width > MAX_WIDTH.into() || *height > MAX_HEIGHT.into() || num_pixels > MAX_PIXELS {
            return Some("the picture is too large");
        }
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        let is_png = png.strip_prefix(PNG_HEAD).is_some_and(|rest| rest.starts_with(&size));
        (!is_png || png.len() > MAX_PNG_BYTES).then_some("the picture is no PNG of its size")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_the_question_within_the_limits_is_taken() {
        let question = PageQuestion { number: 2, width: Some(10), mark: None };
        let png = [PNG_HEAD, &[0, 0, 0, 10, 0, 0, 0, 20]].concat();
        let picture = Picture { width: 10, height: 20, png };
        let page = DrawnPage { num_pages: 2, size: (1.0, 2.0), boxes: Vec::new(), picture: Some(picture.clone()) };
        assert_eq!(page.fault(&question), None);
        let long = [&picture.png[..], &vec![0; MAX_PNG_BYTES]].concat();
        let with = |change: &dyn Fn(&mut DrawnPage)| {
            let mut changed = page.clone();
            change(&mut changed);
            changed.fault(&question)
        };
        let changes: [&dyn Fn(&mut DrawnPage); 9] = [
            &|page| page.num_pages = 1,
            &|page| page.size.1 = f32::NAN,
            &|page| page.size.0 = 0.0,
            &|page| page.boxes = vec![[0.0, 0.0, 1.5, 0.1]],
            &|page| page.boxes = vec![[0.0; 4]; MAX_BOXES + 1],
            &|page| page.picture = None,
            &|page| page.picture = Some(Picture { width: 11, ..picture.clone() }),
            &|page| page.picture = Some(Picture { png: b"<svg>".to_vec(), ..picture.clone() }),
            &|page| page.picture = Some(Picture { png: long.clone(), ..picture.clone() }),
        ];
        for (number, change) in changes.iter().enumerate() {
            assert!(with(*change).is_some(), "{number}");
        }
        assert!(page.fault(&PageQuestion { width: None, ..question }).is_some());
    }
}
