//! PDF: text by page in the order of reading, paragraphs by blank lines.
//!
//! `hayro-interpret` runs the pages and says which characters it draws where; `page` and `layout` make text of them.
//!
//! # Invariants
//! - A page that cannot be read leaves an empty page in its place, so that page numbers stay true, and its number in
//!   [`Document::unread_pages`].
//! - A panic inside the library is caught and becomes a reason. A hang or an abort is the caller's to contain.
//!
//! # Not here
//! Words inside pictures: a scanned PDF gives a document without text. Pages as pictures are drawn by `picture`.

pub(super) mod device;
pub(super) mod layout;
pub(super) mod letters;
pub(super) mod page;
pub(super) mod picture;

use std::panic::{AssertUnwindSafe, catch_unwind};

use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use crate::extract::builder::{Blocks, label};
use crate::extract::pdf::device::{Fonts, read_page};
use crate::extract::{BlockKind, Document, ExtractError, Format};
use crate::workspace::Span;

/// Numbers of unread pages that are named one by one.
const MAX_NAMED_PAGES: usize = 10;

/// The document of a PDF file.
pub(in crate::extract) fn read(bytes: &[u8]) -> Result<Document, ExtractError> {
    let pdf = catch_unwind(|| open(bytes)).unwrap_or_else(|_| Err(failed("the PDF's structure is damaged")))?;
    let num_pages = u32::try_from(pdf.pages().len()).map_err(|_| failed("the PDF has too many pages"))?;
    if num_pages == 0 {
        return Err(failed("the PDF has no pages that can be found: it is damaged or cut short"));
    }
    let mut text = String::new();
    let (mut pages, mut unread_pages) = (Vec::new(), Vec::new());
    let mut fonts = Fonts::default();
    for (number, page) in (1..=num_pages).zip(pdf.pages().iter()) {
        if number > 1 {
            text.push_str("\n\u{c}");
        }
        let start = text.len();
        match catch_unwind(AssertUnwindSafe(|| read_page(&pdf, page, &fonts, false))) {
            Ok(Some(written)) => push_page(&mut text, &written.text),
            Ok(None) => unread_pages.push(number),
            Err(_) => {
                unread_pages.push(number);
                // What was borrowed of the old ones when it panicked stays so.
                fonts = Fonts::default();
            }
        }
        pages.push(Span::new(start, text.len()));
    }
    if unread_pages.len() == pages.len() {
        return Err(failed(
            "no page of the PDF could be read: its page contents are damaged, or its fonts do not say which letters they draw",
        ));
    }
    let mut blocks = Blocks::new(&text);
    for page in &pages {
        blocks.push_paragraphs(BlockKind::Prose, *page);
    }
    let blocks = blocks.finish();
    let title = pdf.metadata().title.as_deref().and_then(title);
    let partial = partial(&unread_pages);
    Ok(Document { title, pages, unread_pages, partial, blocks, ..Document::of(Format::Pdf, text) })
}

fn failed(reason: &str) -> ExtractError {
    ExtractError::Failed { reason: reason.to_owned() }
}

/// Opens a PDF, with the empty password where it is encrypted.
fn open(bytes: &[u8]) -> Result<Pdf, ExtractError> {
    Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => failed("the PDF is protected by a password"),
        LoadPdfError::Decryption(DecryptionError::UnsupportedAlgorithm) => {
            failed("the PDF is encrypted in a way that is not read")
        }
        LoadPdfError::Decryption(_) => failed("the PDF is encrypted, and what says how is damaged"),
        LoadPdfError::Invalid => failed("the PDF is damaged: its pages cannot be found"),
    })
}

/// What to tell of pages that could not be read.
fn partial(unread_pages: &[u32]) -> Option<String> {
    let named: Vec<String> = unread_pages.iter().take(MAX_NAMED_PAGES).map(u32::to_string).collect();
    let more = unread_pages.len() - named.len();
    match named.as_slice() {
        [] => None,
        [page] => Some(format!("page {page} could not be read")),
        pages if more > 0 => Some(format!("pages {} and {more} more could not be read", pages.join(", "))),
        [pages @ .., last] => Some(format!("pages {} and {last} could not be read", pages.join(", "))),
    }
}

/// Appends the words of a page: no NUL, no form feed inside, no more than one blank line in a row.
fn push_page(text: &mut String, words: &str) {
    let start = text.len();
    let mut num_breaks = 0;
    for line in words.trim().split(['\n', '\u{c}']) {
        let line = line.trim_end();
        if line.is_empty() {
            num_breaks += 1;
            continue;
        }
        if text.len() > start {
            text.push_str(if num_breaks > 0 { "\n\n" } else { "\n" });
        }
        num_breaks = 0;
        text.extend(line.chars().filter(|&c| c != '\0' && c != '\r'));
    }
}

/// The title of the document information, where it is not a file name that a word processor put there.
fn title(bytes: &[u8]) -> Option<String> {
    let title = label(&words_of(bytes).replace(|c: char| c.is_control(), " "));
    let is_file_name = title.contains(['/', '\\'])
        || [".doc", ".docx", ".dvi", ".indd", ".tex", ".pdf", ".xls", ".ppt", ".qxd"]
            .iter()
            .any(|end| title.to_ascii_lowercase().ends_with(end));
    let is_empty_word =
        title.chars().filter(|c| c.is_alphabetic()).count() < 3 || title.eq_ignore_ascii_case("untitled");
    (!is_file_name && !is_empty_word).then_some(title)
}

/// The words of a text string outside of page contents.
pub(in crate::extract) fn words_of(bytes: &[u8]) -> String {
    if let Some(units) = bytes.strip_prefix(&[0xfe, 0xff]) {
        let units: Vec<u16> = units.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect();
        return String::from_utf16_lossy(&units);
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned())
}

#[cfg(test)]
pub(in crate::extract) mod tests {
    use lopdf::{Dictionary, Document as PdfDocument, Object, Stream, StringFormat};

    use super::*;

    fn dictionary(entries: Vec<(&str, Object)>) -> Dictionary {
        entries.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect()
    }

    fn name(name: &str) -> Object {
        Object::Name(name.as_bytes().to_vec())
    }

    /// A PDF with one page for each of `contents`, which are content streams that may use the font `F`.
    pub(in crate::extract) fn pdf(contents: &[&str]) -> Vec<u8> {
        let mut pdf = PdfDocument::with_version("1.5");
        let font =
            dictionary(vec![("Type", name("Font")), ("Subtype", name("Type1")), ("BaseFont", name("Helvetica"))]);
        let font = pdf.add_object(font);
        let part = dictionary(vec![
            ("Type", name("Font")),
            ("Subtype", name("CIDFontType2")),
            ("BaseFont", name("Unknown")),
            ("FontDescriptor", Object::Dictionary(dictionary(vec![("Type", name("FontDescriptor"))]))),
        ]);
        let composite = dictionary(vec![
            ("Type", name("Font")),
            ("Subtype", name("Type0")),
            ("BaseFont", name("Unknown")),
            ("Encoding", name("Identity-H")),
            ("DescendantFonts", Object::Array(vec![Object::Dictionary(part)])),
        ]);
        let fonts = vec![("F", Object::Reference(font)), ("G", Object::Dictionary(composite))];
        let fonts = Object::Dictionary(dictionary(fonts));
        let tree = pdf.new_object_id();
        let mut kids = Vec::new();
        for content in contents {
            let stream = pdf.add_object(Stream::new(Dictionary::new(), content.as_bytes().to_vec()));
            let page = dictionary(vec![
                ("Type", name("Page")),
                ("Parent", Object::Reference(tree)),
                ("Contents", Object::Reference(stream)),
                ("Resources", Object::Dictionary(dictionary(vec![("Font", fonts.clone())]))),
                ("MediaBox", Object::Array([0, 0, 600, 800].map(Object::Integer).to_vec())),
            ]);
            kids.push(Object::Reference(pdf.add_object(page)));
        }
        let count = Object::Integer(i64::try_from(kids.len()).expect("few pages"));
        let pages = dictionary(vec![("Type", name("Pages")), ("Kids", Object::Array(kids)), ("Count", count)]);
        pdf.objects.insert(tree, Object::Dictionary(pages));
        let catalog = pdf.add_object(dictionary(vec![("Type", name("Catalog")), ("Pages", Object::Reference(tree))]));
        pdf.trailer.set("Root", Object::Reference(catalog));
        let title = Object::String(b"Quarterly report".to_vec(), StringFormat::Literal);
        let info = pdf.add_object(dictionary(vec![("Title", title)]));
        pdf.trailer.set("Info", Object::Reference(info));
        let mut bytes = Vec::new();
        pdf.save_to(&mut bytes).expect("memory can be written");
        bytes
    }

    #[test]
    fn pages_stand_apart_and_keep_their_numbers() {
        let first = "BT /F 12 Tf 50 700 Td (First page.) Tj 0 -14 Td (Same paragraph.) Tj 0 -40 Td (Next one.) Tj ET";
        let document = read(&pdf(&[first, "", "BT /F 12 Tf 50 700 Td (Third page.) Tj ET"])).expect("read");
        let words: Vec<&str> = document.pages.iter().filter_map(|page| page.of(&document.text)).collect();
        assert_eq!(words, ["First page.\nSame paragraph.\n\nNext one.", "", "Third page."]);
        assert_eq!(document.blocks.len(), 3);
        assert_eq!(document.title.as_deref(), Some("Quarterly report"));
        crate::extract::tests::check(&document);
    }

    #[test]
    fn a_page_that_cannot_be_read_is_named_and_the_others_are_read() {
        // A composite font that says neither what its characters stand for nor has any.
        let unknown = format!("BT /G 12 Tf 50 700 Td <{}> Tj ET", "0102".repeat(40));
        let document = read(&pdf(&[&unknown, "BT /F 12 Tf 50 700 Td (Kept.) Tj ET"])).expect("read");
        assert_eq!(document.unread_pages, [1]);
        assert_eq!(document.partial.as_deref(), Some("page 1 could not be read"));
        assert_eq!(document.text.trim(), "Kept.");
    }

    #[test]
    fn unread_pages_are_named_in_words() {
        assert_eq!(partial(&[]), None);
        assert_eq!(partial(&[3, 7]).as_deref(), Some("pages 3 and 7 could not be read"));
        let many: Vec<u32> = (1..=12).collect();
        assert_eq!(partial(&many).as_deref(), Some("pages 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more could not be read"));
    }

    #[test]
    fn what_a_page_says_that_it_draws_is_believed_if_it_is_not_far_less() {
        let said = "BT /F 12 Tf 50 700 Td /Span <</ActualText (fine)>> BDC (xx) Tj EMC ET";
        let whole = "/Span <</ActualText (no)>> BDC BT /F 12 Tf 50 700 Td (All of the words of a page.) Tj ET EMC";
        let document = read(&pdf(&[said, whole])).expect("read");
        assert_eq!(document.text, "fine\n\u{c}All of the words of a page.");
    }

    #[test]
    fn a_pdf_without_words_is_a_document_without_text() {
        assert_eq!(read(&pdf(&[""])).expect("read").text, "");
    }

    #[test]
    fn a_broken_pdf_fails_with_a_reason() {
        let whole = pdf(&["BT /F 12 Tf (x) Tj ET"]);
        for bytes in [&whole[..60], &whole[..whole.len() / 2], b"%PDF-1.4".as_slice()] {
            let Err(ExtractError::Failed { reason }) = read(bytes) else { panic!("a broken PDF was read") };
            assert!(reason.starts_with("the PDF"), "{reason}");
        }
    }
}
