//! A page as a picture, and where the words of its text are on it.
//!
//! # Invariants
//! - Boxes are those of the very characters that the text was read from: the page is read again as it was read for its text, with the
//!   place of each character kept.
//! - Picture and boxes are in one plane, that of the page as it is shown: its crop box, turned as the page says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::vello_cpu::{Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit};
use hayro::{RenderCache, RenderSettings, render_into};
use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::kurbo::{Affine, Rect};
use hayro_interpret::{InterpreterSettings, TransformExt as _};

use crate::extract::ExtractError;
use crate::extract::drawn::{
    DrawnPage, MAX_BOXES, MAX_HEIGHT, MAX_PIXELS, MAX_PNG_BYTES, MAX_WIDTH, PageBox, PageQuestion, Picture,
};
use crate::extract::pdf::device::{Fonts, read_page};
use crate::extract::pdf::page::CharBox;
use crate::extract::pdf::{failed, open, push_page};
use crate::workspace::Span;

/// How much smaller a picture of too many bytes is drawn again, and how often.
const SMALLER: f64 = 0.6;
const MAX_TRIES: u32 = 4;
/// Room for pixels that are rounded up.
const ROUNDED: f64 = 0.999;
/// Two characters of a line are in one box if they share this part of their height, and the gap between them is not wider than so many heights.
const MIN_SHARED: f64 = 0.5;
const MAX_GAP: f64 = 1.5;

/// Draws a page and says where its words are.
pub(in crate::extract) fn draw(bytes: &[u8], question: &PageQuestion) -> Result<DrawnPage, ExtractError> {
    let PageQuestion { number, width, mark } = *question;
    let pdf = open(bytes)?;
    let num_pages = u32::try_from(pdf.pages().len()).map_err(|_| failed("the PDF has too many pages"))?;
    let index = number.checked_sub(1).map(|index| index as usize);
    let Some(page) = index.and_then(|index| pdf.pages().get(index)) else {
        return Err(ExtractError::Failed { reason: format!("the PDF has {num_pages} pages, and no page {number}") });
    };
    let size = page.render_dimensions();
    if !(size.0.is_finite() && size.1.is_finite() && size.0 > 0.0 && size.1 > 0.0) {
        return Err(failed("the page has no size"));
    }
    // Of a page that cannot be read there are no words to mark, and it may be drawn all the same.
    let boxes = mark.and_then(|mark| catch_unwind(AssertUnwindSafe(|| boxes(&pdf, page, mark))).ok());
    let picture = width.map(|width| picture(page, width)).transpose()?;
    Ok(DrawnPage { num_pages, size, boxes: boxes.unwrap_or_default(), picture })
}

fn boxes(pdf: &Pdf, page: &Page<'_>, mark: Span) -> Vec<PageBox> {
    let Some(written) = read_page(pdf, page, &Fonts::default(), true) else { return Vec::new() };
    let mut text = String::new();
    push_page(&mut text, &written.text);
    let num_chars = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    let Some(words) = mark.of(&text).filter(|_| num_chars(&text) == written.boxes.len()) else { return Vec::new() };
    let first = num_chars(&text[..mark.start]);
    let (width, height) = page.render_dimensions();
    let shown = Rect::new(0.0, 0.0, width.into(), height.into());
    let merged = merged(&written.boxes[first..first + num_chars(words)]);
    let on_page = merged.into_iter().map(|area| area.intersect(shown)).filter(|area| area.area() > 0.0);
    on_page.map(|area| fractions(area, shown)).take(MAX_BOXES).collect()
}

/// A rectangle in fractions of a page.
#[expect(clippy::cast_possible_truncation, reason = "fractions of a page need no more digits")]
fn fractions(area: Rect, page: Rect) -> PageBox {
    let (left, top) = (area.x0 / page.width(), area.y0 / page.height());
    let (width, height) = (area.width() / page.width(), area.height() / page.height());
    [left, top, width, height].map(|fraction| (fraction as f32).clamp(0.0, 1.0))
}

/// One box for characters that stand together on a line.
fn merged(boxes: &[CharBox]) -> Vec<Rect> {
    let mut merged: Vec<CharBox> = Vec::new();
    for &next in boxes.iter().filter(|next| next.area.is_finite()) {
        match merged.last_mut() {
            Some(last) if go_together(last, &next) => last.area = last.area.union(next.area),
            _ => merged.push(next),
        }
    }
    merged.into_iter().map(|one| one.area).collect()
}

fn go_together(one: &CharBox, next: &CharBox) -> bool {
    let (a, b) = (one.area, next.area);
    if one.angle != next.angle {
        return false;
    }
    let ((along_a, across_a), (along_b, across_b)) = match one.angle.rem_euclid(180) {
        0 => (((a.x0, a.x1), (a.y0, a.y1)), ((b.x0, b.x1), (b.y0, b.y1))),
        90 => (((a.y0, a.y1), (a.x0, a.x1)), ((b.y0, b.y1), (b.x0, b.x1))),
        // A box around a line that goes askew would hold other lines.
        _ => return a == b,
    };
    let height = (across_a.1 - across_a.0).min(across_b.1 - across_b.0);
    let shared = across_a.1.min(across_b.1) - across_a.0.max(across_b.0);
    let gap = along_a.0.max(along_b.0) - along_a.1.min(along_b.1);
    shared >= height * MIN_SHARED && gap <= height * MAX_GAP
}

fn picture(page: &Page<'_>, width: u16) -> Result<Picture, ExtractError> {
    let (wide, high) = page.render_dimensions();
    let (wide, high) = (f64::from(wide), f64::from(high));
    let mut scale = (f64::from(width.clamp(1, MAX_WIDTH)) / wide)
        .min((ROUNDED * MAX_PIXELS / (wide * high)).sqrt())
        .min(f64::from(MAX_HEIGHT) / high);
    for _ in 0..MAX_TRIES {
        let (width, height) = (pixels(wide * scale), pixels(high * scale));
        let to_pixels = Affine::scale_non_uniform(f64::from(width) / wide, f64::from(height) / high);
        let png = rendered(page, to_pixels, width, height)?;
        if png.len() <= MAX_PNG_BYTES {
            return Ok(Picture { width: width.into(), height: height.into(), png });
        }
        scale *= SMALLER;
    }
    Err(failed("the page's picture has too many bytes"))
}

/// Whole pixels of a length, at least one and never more than there is room for.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest integer that fits"
)]
fn pixels(length: f64) -> u16 {
    (length.round() as u16).max(1)
}

fn rendered(page: &Page<'_>, to_pixels: Affine, width: u16, height: u16) -> Result<Vec<u8>, ExtractError> {
    let settings = InterpreterSettings { warning_sink: Arc::new(|_| ()), ..InterpreterSettings::default() };
    let mut context = RenderContext::new(width, height);
    let transform = to_pixels * page.initial_transform(true).to_kurbo();
    render_into(page, &RenderCache::new(), &settings, &RenderSettings::default(), &mut context, transform);
    context.flush();
    let mut pixmap = Pixmap::new(width, height);
    let paper = RasterizerSettings { target_init: TargetInit::Clear(WHITE), ..RasterizerSettings::default() };
    context.render_with(&mut pixmap, &mut Resources::default(), paper);
    pixmap.into_png().map_err(|error| ExtractError::Failed { reason: format!("the picture cannot be made: {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::pdf::read;
    use crate::extract::pdf::tests::pdf;

    /// Where words are, from the left and the top of a page of 600 by 800 points: left, top, right, bottom in tenths of a point.
    #[expect(clippy::cast_possible_truncation, reason = "a page is small")]
    fn places(bytes: &[u8], number: u32, words: &str) -> Vec<[i32; 4]> {
        let document = read(bytes).expect("read");
        let text = document.pages[number as usize - 1].of(&document.text).expect("in the text");
        let start = text.find(words).expect("on the page");
        let mark = Some(Span::new(start, start + words.len()));
        let page = draw(bytes, &PageQuestion { number, width: None, mark }).expect("drawn");
        assert_eq!((page.size, page.picture), ((600.0, 800.0), None));
        let tenths = |fraction: f32, of: f32| (fraction * of * 10.0).round() as i32;
        let place = |[left, top, width, height]: [f32; 4]| {
            [tenths(left, 600.0), tenths(top, 800.0), tenths(left + width, 600.0), tenths(top + height, 800.0)]
        };
        page.boxes.into_iter().map(place).collect()
    }

    fn failure(bytes: &[u8], question: &PageQuestion) -> String {
        match draw(bytes, question) {
            Err(ExtractError::Failed { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    const PICTURE: PageQuestion = PageQuestion { number: 1, width: Some(300), mark: None };

    #[test]
    fn boxes_lie_where_the_words_were_put() {
        let content = "BT /F 10 Tf 50 700 Td (Alpha beta gamma) Tj 0 -14 Td (delta) Tj ET";
        let bytes = pdf(&["BT /F 10 Tf 50 700 Td (Other.) Tj ET", content]);
        // Helvetica's widths, in thousandths of its size: 2,835 for `Alpha `, 1,946 for `beta`.
        assert_eq!(places(&bytes, 2, "beta"), [[784, 918, 978, 1022]]);
        // A quote over two lines has two boxes, and one in words of a line has no gaps.
        let both = places(&bytes, 2, "beta gamma\ndelta");
        assert_eq!(both.len(), 2);
        assert_eq!((both[0][0], both[1][0], both[1][1]), (784, 500, 1058));
    }

    #[test]
    fn boxes_of_turned_text_and_of_what_is_said_to_be_drawn_are_of_its_letters() {
        let upwards = "BT /F 10 Tf 0 1 -1 0 300 400 Tm (upwards) Tj ET";
        let [[left, top, right, bottom]] = places(&pdf(&[upwards]), 1, "upwards")[..] else { panic!("one box") };
        assert_eq!((left, right, bottom), (2918, 3022, 4000));
        assert!(top < 3700, "{top}");
        let said = "BT /F 10 Tf 50 700 Td /Span <</ActualText (fine)>> BDC (xx) Tj EMC ET";
        assert_eq!(places(&pdf(&[said]), 1, "fine"), [[500, 918, 600, 1022]]);
    }

    #[test]
    fn a_picture_has_the_form_of_its_page_and_shows_what_is_drawn_on_it() {
        let picture = |content: &str, width: u16| {
            let question = PageQuestion { width: Some(width), ..PICTURE };
            let page = draw(&pdf(&[content]), &question).expect("drawn");
            assert_eq!(page.fault(&question), None);
            page.picture.expect("asked for")
        };
        let (blank, full) = (picture("", 300), picture("0 0 300 800 re f", 300));
        assert_eq!((blank.width, blank.height), (300, 400));
        assert_ne!(blank.png, full.png);
        assert_eq!((picture("", u16::MAX).width, picture("", 0).width), (MAX_WIDTH.into(), 1));
    }

    #[test]
    fn a_page_out_of_range_is_an_error() {
        let bytes = pdf(&["", ""]);
        for number in [0, 3, u32::MAX] {
            let reason = failure(&bytes, &PageQuestion { number, ..PICTURE });
            assert_eq!(reason, format!("the PDF has 2 pages, and no page {number}"));
        }
    }

    #[test]
    fn a_mark_that_is_not_in_the_text_has_no_boxes() {
        let bytes = pdf(&["BT /F 10 Tf 50 700 Td (\u{e9}) Tj ET"]);
        for mark in [Span::new(1, 900), Span::new(usize::MAX - 1, usize::MAX)] {
            let page = draw(&bytes, &PageQuestion { mark: Some(mark), width: None, number: 1 }).expect("drawn");
            assert_eq!(page.boxes, Vec::<PageBox>::new());
        }
    }

    #[test]
    fn a_hostile_pdf_fails_or_gives_a_picture_within_the_limits() {
        let whole = pdf(&["BT /F 10 Tf 50 700 Td (x) Tj ET"]);
        assert!(failure(&whole[..whole.len() / 2], &PICTURE).starts_with("the PDF"));
        let with_box = |media_box: &str| {
            let at = whole.windows(13).position(|bytes| bytes == b"[0 0 600 800]").expect("a page has a size");
            [&whole[..at], format!("{media_box:13}").as_bytes(), &whole[at + 13..]].concat()
        };
        for media_box in ["[0 0 2 99999]", "[0 0 99999 2]", "[0 0 0 0]", "[9 9 -9 -9]", "[0 0 .01 .01]"] {
            let question = PageQuestion { width: Some(MAX_WIDTH), ..PICTURE };
            if let Ok(page) = draw(&with_box(media_box), &question) {
                assert_eq!(page.fault(&question), None, "{media_box}");
            }
        }
    }
}
