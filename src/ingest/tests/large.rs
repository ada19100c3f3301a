//! Texts that are too large to be held whole. "Large" is more than two kilobytes here: see [`SMALL_PARTS`].

use super::*;
use crate::extract::drawn::{DrawnPage, PageQuestion};
use crate::extract::parts::{Continuation, Part};
use crate::extract::{Document, ExtractError, Extractor, Source};
use crate::index::ChunkRecord;
use crate::workspace::LineStarts;

/// Does something while a large file is read: `at` is told the file and how many bytes of it are read.
struct While<'a>(&'a (dyn Fn(&str, u64) + Sync));

impl Progress for While<'_> {
    fn begin(&self, _: Stage, _: Option<u64>) {}

    fn advance(&self, _: u64) {}

    fn reading(&self, path: &RelPath, num_done: u64, _: u64) {
        (self.0)(path.as_str(), num_done);
    }

    fn end(&self) {}
}

impl Place {
    fn run_while(&self, at: &(dyn Fn(&str, u64) + Sync)) -> LineReport {
        self.scan();
        let files = self.there();
        index_pending(&Line { progress: &While(at), ..self.line(&*files, &self.index) }).unwrap()
    }

    fn chunks(&self, path: &str) -> Vec<ChunkRecord> {
        self.index.snapshot().unwrap().file(&path.parse().unwrap()).unwrap()
    }

    fn log_interactive(&self, path: &str, kind: ChangeKind) {
        let fingerprint = Fingerprint { size: 1, modified_ns: 1, ..Fingerprint::NONE };
        let observation = Observation::new(path.parse().unwrap(), kind, fingerprint, true);
        self.store.log(&self.workspace, &[observation], Priority::Interactive).unwrap();
    }
}

fn table(num_rows: usize) -> String {
    let row = |number: usize| format!("{number},\"gauge {number}, the one\nby the wall\",{}\n", number * 7);
    format!("number,place,level\n{}", (1..=num_rows).map(row).collect::<String>())
}

/// So many paragraphs that hold `word`.
fn large(word: &str) -> String {
    format!("{}\n\n", paragraph(word)).repeat(20)
}

#[test]
fn a_large_table_has_its_rows_lines_and_header_as_one_that_is_read_whole() {
    let place = Place::new();
    let text = table(300);
    place.write("levels.csv", &text);
    let told = Mutex::new(Vec::new());
    place.run_while(&|path, done| told.lock().push((path.to_owned(), done)));
    let chunks = place.chunks("levels.csv");
    let starts = LineStarts::of(&text);
    let (mut covered, mut ordinals) = (0, 0..);
    for chunk in &chunks {
        let span = chunk.place.span;
        assert_eq!(span.of(&text), Some(chunk.words.as_str()));
        assert_eq!(chunk.place.lines, Some(starts.lines(span)));
        assert_eq!(text[covered..span.start].trim(), "", "nothing is left out");
        assert_eq!(chunk.place.header.is_some(), covered > 0, "all but the first, which begins with the header");
        assert_eq!(ordinals.next(), Some(chunk.place.ordinal));
        // A row has a line break inside its quotes, and is not divided there.
        assert!(chunk.words.ends_with(|c: char| c.is_ascii_digit() || c == 'l'), "{}", chunk.words);
        covered = span.end;
    }
    assert_eq!(text[covered..].trim(), "");
    let entry = place.entry("levels.csv").unwrap();
    assert_eq!((entry.state, entry.format.as_deref()), (FileState::Ready, Some("csv")));
    assert_eq!(entry.num_chunks as usize, chunks.len());
    let told = told.into_inner();
    assert!(told.len() > 10 && told.iter().all(|(path, _)| path == "levels.csv"), "{told:?}");
    assert!(told.is_sorted_by_key(|(_, done)| *done) && told.last().unwrap().1 == text.len() as u64);
    // What is there is not read again.
    assert_eq!(place.run().line, LineReport::default());
    place.write("levels.csv", &text);
    assert_eq!(place.run().line, LineReport { num_unchanged: 1, ..LineReport::default() });
}

/// Reads a large file that a scan found, or that somebody has written.
fn write_while_a_large_file_is_read(is_written: bool) {
    let place = Place::new();
    place.write("large.txt", large("alpha"));
    if is_written {
        place.log_interactive("large.txt", ChangeKind::Created);
    }
    let seen = Mutex::new(None);
    place.run_while(&|path, done| {
        let mut seen = seen.lock();
        if path == "large.txt" && done < 2_000 && seen.is_none() {
            place.write("small.txt", paragraph("beta"));
            place.log_interactive("small.txt", ChangeKind::Created);
            *seen = Some(0);
        } else if path == "large.txt" && *seen == Some(0) && !place.with_words("beta").is_empty() {
            *seen = Some(done);
        }
    });
    let at = seen.into_inner().unwrap();
    assert!(at > 0 && at < 4_000, "found when {at} bytes of the large file were read");
    assert_eq!(place.with_words("alpha beta"), set(&["large.txt", "small.txt"]));
    assert_eq!(place.with_words("stands").len(), 2);
    assert_eq!(place.store.counts(&place.workspace).unwrap().pending, 0);
}

#[test]
fn what_somebody_writes_does_not_wait_for_a_large_file() {
    write_while_a_large_file_is_read(false);
    write_while_a_large_file_is_read(true);
}

#[test]
fn a_large_file_that_is_deleted_while_it_is_read_leaves_nothing() {
    let place = Place::new();
    place.write("large.txt", large("alpha"));
    place.run_while(&|path, done| {
        let file = place.files.path().join("large.txt");
        if path == "large.txt" && done > 1_500 && file.exists() {
            fs_err::remove_file(file).unwrap();
            place.log_interactive("large.txt", ChangeKind::Deleted);
        }
    });
    assert_eq!((place.with_words("alpha"), place.state("large.txt")), (set(&[]), None));
    assert!(place.chunks("large.txt").is_empty());
}

#[test]
fn a_large_file_that_becomes_another_while_it_is_read_is_the_other() {
    let place = Place::new();
    place.write("large.txt", large("alpha"));
    let is_changed = Mutex::new(false);
    place.run_while(&|path, done| {
        let mut is_changed = is_changed.lock();
        if path == "large.txt" && done > 1_500 && !*is_changed {
            *is_changed = true;
            place.write("large.txt", large("beta"));
            place.log_interactive("large.txt", ChangeKind::Modified);
        }
    });
    assert_eq!((place.with_words("alpha"), place.with_words("beta")), (set(&[]), set(&["large.txt"])));
    assert_eq!(place.chunks("large.txt").len(), place.entry("large.txt").unwrap().num_chunks as usize);
}

#[test]
fn a_large_file_that_changes_while_it_is_read_is_read_at_the_next_scan() {
    let place = Place::new();
    place.write("large.txt", large("alpha"));
    place.run();
    place.write("large.txt", large("gamma"));
    let is_changed = Mutex::new(false);
    place.run_while(&|_, done| {
        let mut is_changed = is_changed.lock();
        if done > 1_500 && !*is_changed {
            *is_changed = true;
            place.write("large.txt", large("beta"));
        }
    });
    let entry = place.entry("large.txt").unwrap();
    assert_eq!(entry.state, FileState::Failed);
    assert_eq!(entry.reason.as_deref(), Some("the file changes while it is read"));
    assert_eq!(place.with_words("alpha beta gamma"), set(&[]));
    place.run();
    assert_eq!((place.state("large.txt"), place.with_words("beta")), (Some(FileState::Ready), set(&["large.txt"])));
}

#[test]
fn a_text_that_breaks_off_into_binary_data_is_partial_and_says_how_far() {
    let place = Place::new();
    let bytes = [large("alpha").as_bytes(), &[0, 1, 2, 3, 200, 255, 7].repeat(600)].concat();
    place.write("dump.txt", bytes);
    place.run();
    let entry = place.entry("dump.txt").unwrap();
    assert_eq!(entry.state, FileState::Partial);
    let reason = entry.reason.unwrap();
    assert!(reason.starts_with("its first 0 of 1 MB are read, up to line 4"), "{reason}");
    assert!(reason.ends_with("from here on the file holds binary data and no text"), "{reason}");
    assert_eq!(place.with_words("alpha"), set(&["dump.txt"]));
    place.write("dump.txt", [0, 1, 2, 3, 200, 255, 7].repeat(600));
    place.run();
    assert_eq!((place.state("dump.txt"), place.with_words("alpha")), (Some(FileState::Unsupported), set(&[])));
}

#[test]
fn a_large_file_of_a_type_that_is_read_whole_is_read_up_to_the_limit() {
    let place = Place::new();
    let page = format!("<!doctype html><h1>Tide</h1><p>{}", paragraph("alpha").repeat(20));
    place.write("page.html", &page);
    place.scan();
    let files = place.there();
    index_pending(&Line { max_whole_bytes: 3_000, ..place.line(&*files, &place.index) }).unwrap();
    let entry = place.entry("page.html").unwrap();
    assert_eq!(entry.state, FileState::Failed);
    assert_eq!(entry.reason.as_deref(), Some("the file has 1 MB, and of its type no more than 0 MB are read"));
    place.write("page.html", &page);
    place.run();
    assert_eq!((place.state("page.html"), place.with_words("alpha")), (Some(FileState::Ready), set(&["page.html"])));
}

#[test]
fn a_large_archive_and_what_is_in_it_is_found_and_built_again() {
    let mut place = Place::new();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, word) in [("in/a.txt", "plainash"), ("in/b.md", "plainelm")] {
        let text = format!("{}\n\n", paragraph(word)).repeat(5);
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    assert!(archive.len() as u64 > SMALL_PARTS.from_bytes);
    place.write("all.tar", archive);
    place.run();
    assert_eq!(place.with_words("plainash"), set(&["all.tar/in/a.txt"]));
    place.begin_rebuild();
    place.finish_rebuild();
    assert_eq!(place.with_words("plainelm"), set(&["all.tar/in/b.md"]));
    place.write("all.tar", large("plainfir"));
    place.run();
    assert_eq!(place.with_words("plainash plainelm plainfir"), set(&["all.tar"]));
}

/// Cannot read beyond the first parts, as when no child can be started any more.
struct Tired(Mutex<usize>);

impl Extractor for Tired {
    fn extract(&self, bytes: Vec<u8>, file_name: &str) -> Result<Document, ExtractError> {
        InProcess.extract(bytes, file_name)
    }

    fn extract_from(&self, source: Source<'_>, file_name: &str) -> Result<Document, ExtractError> {
        InProcess.extract_from(source, file_name)
    }

    fn extract_part(
        &self,
        bytes: &[u8],
        is_last: bool,
        file_name: &str,
        before: Option<&Continuation>,
    ) -> Result<Option<Part>, ExtractError> {
        let mut left = self.0.lock();
        *left = left.checked_sub(1).ok_or(ExtractError::Unavailable { reason: "no process is left".to_owned() })?;
        InProcess.extract_part(bytes, is_last, file_name, before)
    }

    fn draw_page(&self, source: Source<'_>, file_name: &str, page: &PageQuestion) -> Result<DrawnPage, ExtractError> {
        InProcess.draw_page(source, file_name, page)
    }
}

#[test]
fn a_large_file_whose_reading_stops_is_read_again() {
    let place = Place::new();
    let (old, new) = (large("alpha"), large("beta"));
    place.write("large.txt", &old);
    place.run();
    place.write("large.txt", &new);
    place.scan();
    let files = place.there();
    let line = Line { extractor: Box::new(Tired(Mutex::new(5))), ..place.line(&*files, &place.index) };
    assert!(matches!(index_pending(&line), Err(IngestError::Extract(ExtractError::Unavailable { .. }))));
    let hidden = place.store.view(&place.workspace).unwrap().superseded;
    assert_eq!(hidden, ["large.txt".parse().unwrap()].into(), "half of it is not shown");
    // Back to what it was before anything else happens: the index holds something else by now.
    place.write("large.txt", &old);
    place.run();
    assert_eq!((place.with_words("alpha"), place.with_words("beta")), (set(&["large.txt"]), set(&[])));
    assert_eq!(place.chunks("large.txt").len(), place.entry("large.txt").unwrap().num_chunks as usize);
}

#[test]
fn an_index_is_built_again_with_its_large_files() {
    let mut place = Place::new();
    place.write("large.txt", large("plainash"));
    place.write("levels.csv", table(120));
    place.write("small.txt", paragraph("plainelm"));
    place.run();
    let before = ["large.txt", "levels.csv", "small.txt"].map(|path| place.chunks(path));
    place.begin_rebuild();
    place.finish_rebuild();
    assert_eq!(["large.txt", "levels.csv", "small.txt"].map(|path| place.chunks(path)), before);
    assert_eq!(place.run().embedded.len(), 0);
}

#[test]
fn a_part_has_few_paragraphs_however_short_they_are() {
    let place = Place::new();
    let text = "a\n\n".repeat(500_000);
    place.write("letters.txt", &text);
    let large = LargeFile::open(&*place.there(), &"letters.txt".parse().unwrap(), u64::MAX).unwrap();
    let mut parts = large.parts(&InProcess, PartSizes::default().part_bytes).unwrap();
    let (mut again, mut num_parts, mut num_lines) = (String::new(), 0, 0);
    while let Some(part) = parts.next_part().unwrap() {
        assert!(part.document.blocks.len() <= 125_000, "{} paragraphs", part.document.blocks.len());
        assert_eq!((part.start, part.num_lines_before), (again.len(), num_lines));
        num_lines += u32::try_from(part.document.text.matches('\n').count()).unwrap();
        again.push_str(&part.document.text);
        num_parts += 1;
    }
    assert!(again == text && num_parts >= 4, "{num_parts} parts");
}
