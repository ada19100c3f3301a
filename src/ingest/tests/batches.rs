//! Batches are bounded by what is held of them in memory.

use super::*;
use crate::extract::drawn::{DrawnPage, PageQuestion};
use crate::extract::parts::{Continuation, Part};
use crate::extract::{Document, ExtractError, Extractor, Hints, Source, extract};

/// Reads files that are packed: each byte is a paragraph of so many words.
struct Packed;

/// Bytes of text that a file of one byte has.
const TEXT_BYTES: u64 = 500;

impl Extractor for Packed {
    fn extract(&self, bytes: Vec<u8>, file_name: &str) -> Result<Document, ExtractError> {
        let word = format!("{} ", String::from_utf8(bytes).unwrap());
        let text = word.repeat(usize::try_from(TEXT_BYTES).unwrap() / word.len());
        extract(text.as_bytes(), Hints { file_name })
    }

    fn extract_from(&self, _: Source<'_>, _: &str) -> Result<Document, ExtractError> {
        unreachable!("no file is large")
    }

    fn extract_part(&self, _: &[u8], _: bool, _: &str, _: Option<&Continuation>) -> Result<Option<Part>, ExtractError> {
        unreachable!("no file is large")
    }

    fn draw_page(&self, _: Source<'_>, _: &str, _: &PageQuestion) -> Result<DrawnPage, ExtractError> {
        unreachable!("no page is drawn")
    }
}

fn packed<'a>(place: &'a Place, files: &'a dyn Files, max_batch_text_bytes: u64) -> Line<'a> {
    Line { extractor: Box::new(Packed), max_batch_text_bytes, ..place.line(files, &place.index) }
}

fn place_with_files(num: usize) -> Place {
    let place = Place::new();
    for number in 0..num {
        place.write(&format!("{number}.txt"), &"vwxyz"[number % 5..=number % 5]);
    }
    place.scan();
    place
}

#[test]
fn a_batch_is_bounded_by_the_text_of_its_files_whatever_they_have_on_disk() {
    let (place, mut report) = (place_with_files(20), LineReport::default());
    let files = place.there();
    // Room for three of them.
    let line = packed(&place, &*files, 3 * (TEXT_BYTES + 100));
    let mut batches = Vec::new();
    loop {
        let done = index_backfill(&line, BatchLimits::WHOLE, &mut report).unwrap();
        if done == 0 {
            break;
        }
        batches.push(done);
    }
    assert_eq!((batches.iter().sum::<usize>(), batches.iter().max()), (20, Some(&3)), "{batches:?}");
    assert_eq!((report.num_indexed, place.with_words("v").len()), (20, 4));
}

#[test]
fn a_file_with_more_text_than_a_batch_may_have_is_alone_and_no_batch_is_empty() {
    let (place, mut report) = (place_with_files(5), LineReport::default());
    let files = place.there();
    let line = packed(&place, &*files, 1);
    for _ in 0..5 {
        assert_eq!(index_backfill(&line, BatchLimits::WHOLE, &mut report).unwrap(), 1);
    }
    assert_eq!(index_backfill(&line, BatchLimits::WHOLE, &mut report).unwrap(), 0);
}

#[test]
fn an_index_is_built_again_of_files_whose_texts_are_too_much_together() {
    let place = place_with_files(20);
    let files = place.there();
    index_pending(&packed(&place, &*files, u64::MAX)).unwrap();
    place.begin_rebuild();
    let generation = place.store.workspace(&place.workspace).unwrap().next_generation.unwrap();
    let index = open_index(&place.data, &place.store, generation);
    let line = Line { index: &index, ..packed(&place, &*files, 3 * (TEXT_BYTES + 100)) };
    let mut walk = Rebuild::default();
    while walk.some(&line, BatchLimits::WHOLE).unwrap() > 0 {}
    let num_chunks = |index: &EmbeddedIndex| index.snapshot().unwrap().counts().unwrap().num_chunks;
    assert_eq!((num_chunks(&index), num_chunks(&place.index)), (100, 100));
}
