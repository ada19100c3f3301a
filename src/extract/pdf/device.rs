//! One PDF page run by `hayro-interpret`, and the characters that it draws.
//!
//! # Invariants
//! - What a page says its characters stand for (`ActualText`) goes before what its fonts say.
//! - A page whose characters mostly stand for nothing known is not read: better none than wrong words.

use std::sync::Arc;

use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::hayro_cmap::{BfString, WritingMode};
use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::object::{Array, Dict, Name, Rect as PdfRect, String as PdfString};
use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect, Vec2};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, TransformExt as _, interpret_page,
};

use crate::extract::pdf::letters::Letters;
use crate::extract::pdf::page::{Drawn, PageText, Written};
use crate::extract::pdf::words_of;

/// Units of a font's size in its own plane.
const UNITS: f64 = 1000.0;
/// How far letters reach above and below their line, in font sizes: as viewers mark text.
const ASCENT: f64 = 0.82;
const DESCENT: f64 = 0.22;
/// A page with a larger part of characters that stand for nothing known is not read, if there are enough to say so.
const MAX_UNKNOWN: f64 = 0.5;
const MIN_UNKNOWN: usize = 20;
/// So many characters more than twice those of the text that they are said to stand for are no sign of a mistake.
const MAX_UNSAID: usize = 8;
/// Widgets of a page that are looked at.
const MAX_WIDGETS: usize = 1000;

/// Fonts that pages have in common.
#[derive(Default)]
pub(in crate::extract) struct Fonts<'a>(InterpreterCache<'a>);

/// The text of a page, or `None` where it cannot be read; with the boxes of its characters where they are asked for.
pub(in crate::extract) fn read_page<'a>(
    pdf: &'a Pdf,
    page: &Page<'a>,
    fonts: &Fonts<'a>,
    with_boxes: bool,
) -> Option<Written> {
    if page.page_stream().is_none() && page.raw().contains_key("Contents") {
        return None;
    }
    let transform = page.initial_transform(true).to_kurbo();
    // All of the sheet: what is outside of the part to be shown is in the file, and other readers give it.
    let sheet = page.media_box();
    let sheet = transform.transform_rect_bbox(Rect::new(sheet.x0, sheet.y0, sheet.x1, sheet.y1));
    let settings = InterpreterSettings { warning_sink: Arc::new(|_| ()), ..InterpreterSettings::default() };
    let mut context = Context::new(transform, sheet, &fonts.0, pdf.xref(), settings);
    let page_text = PageText::new((sheet.x0, sheet.y0), (sheet.x1, sheet.y1));
    let mut device = TextDevice { page: page_text, with_boxes, ..TextDevice::default() };
    interpret_page(page, &mut context, &mut device);
    for marked in std::mem::take(&mut device.marked).into_iter().flatten() {
        device.close(marked);
    }
    device.add_values(page, transform);
    let is_unknown =
        device.num_unknown >= MIN_UNKNOWN && device.num_unknown as f64 > device.num_glyphs as f64 * MAX_UNKNOWN;
    (!is_unknown).then(|| device.page.into_written())
}

/// Takes the characters of what is drawn, and nothing else.
#[derive(Default)]
struct TextDevice {
    page: PageText,
    with_boxes: bool,
    /// What encloses the characters now, where that says what they stand for.
    marked: Vec<Option<Marked>>,
    num_glyphs: usize,
    num_unknown: usize,
    stretch: Stretch,
    letters: Letters,
}

/// Characters that are said to stand for a text.
struct Marked {
    actual: String,
    drawn: Vec<Drawn>,
}

/// Whether the library stretches each glyph of a font that stands for a missing one to the width that the file gives.
///
/// Such a glyph's width is then not to be stretched again. A text that is stretched as a whole is so evenly.
#[derive(Default)]
struct Stretch {
    last: f64,
    /// For so many glyphs more the font is taken to be a stretched one.
    num_left: u8,
}

impl Stretch {
    fn is_uneven(&mut self, ratio: f64) -> bool {
        let differs = (ratio - self.last).abs() > 0.005;
        self.num_left = if differs { 8 } else { self.num_left.saturating_sub(1) };
        self.last = ratio;
        self.num_left > 0
    }
}

impl TextDevice {
    fn add_glyph(&mut self, glyph: &Glyph<'_>, transform: Affine, is_vertical: bool) {
        let own = match (glyph.as_unicode(), glyph) {
            (Some(BfString::Char(c)), _) => c.to_string(),
            (Some(BfString::String(text)), _) => text,
            (None, Glyph::Outline(glyph)) => self.letters.of(glyph).map_or(String::new(), String::from),
            (None, Glyph::Type3(_)) => String::new(),
        };
        self.num_glyphs += 1;
        let width = match glyph {
            Glyph::Outline(glyph) => glyph.advance_width(),
            Glyph::Type3(glyph) => glyph.advance_width(),
        };
        let turned = |x: f64, y: f64| transform * Point::new(x, y) - transform * Point::ORIGIN;
        let size = turned(0.0, UNITS).hypot();
        let along: Vec2 = if is_vertical { turned(0.0, -1.0) } else { turned(1.0, 0.0) };
        let scale = if size > 0.0 && self.stretch.is_uneven(along.hypot() * UNITS / size) {
            size / UNITS
        } else {
            along.hypot()
        };
        let length = if is_vertical { size } else { scale * width.map_or(UNITS / 2.0, f64::from) };
        let origin = transform * if is_vertical { Point::new(0.0, UNITS) } else { Point::ORIGIN };
        let area = self.with_boxes.then(|| {
            if is_vertical {
                let wide = width.map_or(UNITS, f64::from);
                return transform.transform_rect_bbox(Rect::new(0.0, -DESCENT * UNITS, wide, ASCENT * UNITS));
            }
            let (up, ahead) = (turned(0.0, UNITS), turned(1.0, 0.0));
            let ahead = if ahead.hypot() > 0.0 { ahead * (length / ahead.hypot()) } else { Vec2::ZERO };
            let (low, high) = (origin - up * DESCENT, origin + up * ASCENT);
            Rect::from_points(low, high).union_pt(low + ahead).union_pt(high + ahead)
        });
        let drawn = Drawn { text: own, place: (origin.x, origin.y), along: (along.x, along.y), length, size, area };
        if let Some(marked) = self.marked.iter_mut().rev().find_map(Option::as_mut) {
            marked.drawn.push(drawn);
            return;
        }
        self.num_unknown += usize::from(drawn.text.chars().all(|c| c.is_control() || c == '\u{fffd}'));
        self.page.add(&drawn);
    }

    /// Takes what was marked for what it is said to stand for, unless that is far less than is drawn.
    fn close(&mut self, marked: Marked) {
        let Marked { actual, mut drawn } = marked;
        let num_own: usize = drawn.iter().map(|drawn| drawn.text.chars().count()).sum();
        if num_own <= actual.chars().count() * 2 + MAX_UNSAID {
            let area = drawn.iter().filter_map(|drawn| drawn.area).reduce(|all, area| all.union(area));
            if let Some(first) = drawn.first_mut() {
                first.area = area;
            }
            let mut actual = Some(actual);
            for drawn in &mut drawn {
                drawn.text = actual.take().unwrap_or_default();
            }
        }
        for drawn in &drawn {
            self.page.add(drawn);
        }
    }

    /// Values of form fields that no picture shows: a viewer makes one when it shows the form.
    fn add_values(&mut self, page: &Page<'_>, transform: Affine) {
        let Some(annotations) = page.raw().get::<Array<'_>>("Annots") else { return };
        for widget in annotations.iter::<Dict<'_>>().take(MAX_WIDGETS) {
            let is_widget = widget.get::<Name<'_>>("Subtype").is_some_and(|name| &*name == b"Widget");
            let parent = widget.get::<Dict<'_>>("Parent");
            let value = widget.get::<PdfString<'_>>("V").or_else(|| parent?.get::<PdfString<'_>>("V"));
            let (true, Some(value), Some(rect)) = (is_widget, value, widget.get::<PdfRect>("Rect")) else { continue };
            let text = words_of(value.as_bytes());
            if self.page.has(text.trim()) {
                continue;
            }
            let place = transform * Point::new(rect.x0, rect.y0);
            let size = (rect.y1 - rect.y0).abs().min(12.0);
            let length = (rect.x1 - rect.x0).abs();
            let area = self
                .with_boxes
                .then(|| transform.transform_rect_bbox(Rect::new(rect.x0, rect.y0, rect.x1, rect.y1).abs()));
            self.page.add(&Drawn { text, place: (place.x, place.y), along: (1.0, 0.0), length, size, area });
        }
    }
}

impl<'a> Device<'a> for TextDevice {
    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}

    fn push_clip_path(&mut self, _: &ClipPath) {}

    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}

    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        let is_vertical = run.writing_mode() == WritingMode::Vertical;
        for glyph in run.glyphs() {
            self.add_glyph(glyph, props.transform * glyph.transform(), is_vertical);
        }
    }

    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}

    fn begin_marked_content(&mut self, _: &[u8], properties: Option<&Dict<'_>>) {
        let actual = properties.and_then(|properties| properties.get::<PdfString<'_>>("ActualText"));
        self.marked.push(actual.map(|actual| Marked { actual: words_of(actual.as_bytes()), drawn: Vec::new() }));
    }

    fn end_marked_content(&mut self) {
        if let Some(Some(marked)) = self.marked.pop() {
            self.close(marked);
        }
    }
}
