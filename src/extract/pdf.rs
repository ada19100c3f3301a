//! PDF: text by page, paragraphs by blank lines.
//!
//! # Invariants
//! - A page that cannot be read leaves an empty page in its place, so that page numbers stay true, and its number in
//!   [`Document::unread_pages`].
//! - A panic inside the library is caught and becomes a reason. A hang or an abort is the caller's to contain.
//!
//! # Not here
//! Words inside pictures: a scanned PDF gives a document without text.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Dictionary, Document as PdfDocument, Error as PdfError, Object, output_doc_page};

use super::builder::{Blocks, label};
use super::pdf_page::PageText;
use super::{BlockKind, Document, ExtractError, Format};
use crate::workspace::Span;

/// The document of a PDF file.
pub(super) fn read(bytes: &[u8]) -> Result<Document, ExtractError> {
    let pdf = catch_unwind(|| open(bytes)).unwrap_or_else(|_| Err(failed("the PDF's structure is damaged")))?;
    let num_pages = catch_unwind(AssertUnwindSafe(|| pdf.get_pages().len()))
        .map_err(|_| failed("the PDF's list of pages is damaged"))?;
    let num_pages = u32::try_from(num_pages).map_err(|_| failed("the PDF has too many pages"))?;
    if num_pages == 0 {
        return Err(failed("the PDF has no pages that can be found: it is damaged or cut short"));
    }
    let mut text = String::new();
    let (mut pages, mut unread_pages) = (Vec::new(), Vec::new());
    for number in 1..=num_pages {
        if number > 1 {
            text.push_str("\n\u{c}");
        }
        let start = text.len();
        match read_page(&pdf, number) {
            Some(words) => push_page(&mut text, &words),
            None => unread_pages.push(number),
        }
        pages.push(Span::new(start, text.len()));
    }
    if unread_pages.len() == pages.len() {
        return Err(failed(
            "no page of the PDF could be read: its fonts or page contents are damaged or of a rare kind",
        ));
    }
    let mut blocks = Blocks::new(&text);
    for page in &pages {
        blocks.push_paragraphs(BlockKind::Prose, *page);
    }
    let blocks = blocks.finish();
    let title = catch_unwind(AssertUnwindSafe(|| title(&pdf))).unwrap_or_default();
    Ok(Document { title, pages, unread_pages, blocks, ..Document::of(Format::Pdf, text) })
}

fn failed(reason: &str) -> ExtractError {
    ExtractError::Failed { reason: reason.to_owned() }
}

/// Opens a PDF, with the empty password where it is encrypted.
fn open(bytes: &[u8]) -> Result<PdfDocument, ExtractError> {
    let needs_password = || failed("the PDF is protected by a password");
    let mut pdf = PdfDocument::load_mem(bytes).map_err(|error| match error {
        PdfError::InvalidPassword | PdfError::Decryption(_) => needs_password(),
        error => failed(&format!("the PDF is damaged: {error}")),
    })?;
    if pdf.is_encrypted() {
        pdf.decrypt("").map_err(|_| needs_password())?;
    }
    mend_widths(&mut pdf);
    Ok(pdf)
}

/// Writes the character widths of composite fonts in the form that the library reads.
///
/// A font may give widths as `first [w w …]` or as `first last w`. pdf-extract 0.12.1 misreads the second form and takes
/// those characters for 0 wide, which puts a space after each of them: "o f", "registran t".
fn mend_widths(pdf: &mut PdfDocument) {
    let is_composite = |dictionary: &Dictionary| {
        dictionary.get(b"Subtype").and_then(Object::as_name).is_ok_and(|name| name.starts_with(b"CIDFontType"))
    };
    let mut mended = Vec::new();
    for (&id, object) in &pdf.objects {
        let Ok(font) = object.as_dict() else { continue };
        if !is_composite(font) {
            continue;
        }
        let Some(widths) = font.get_deref(b"W", pdf).ok().and_then(|widths| widths.as_array().ok()) else { continue };
        mended.push((id, plain_widths(pdf, widths)));
    }
    for (id, widths) in mended {
        if let Ok(font) = pdf.get_object_mut(id).and_then(Object::as_dict_mut) {
            font.set("W", widths);
        }
    }
}

/// The same widths, all in the form `first [w w …]`.
fn plain_widths(pdf: &PdfDocument, widths: &[Object]) -> Vec<Object> {
    let resolved = |object: &Object| pdf.dereference(object).map_or(Object::Null, |(_, object)| object.clone());
    let mut plain = Vec::new();
    let mut rest = widths;
    loop {
        match rest {
            [first, second, after @ ..] if matches!(resolved(second), Object::Array(_)) => {
                plain.extend([resolved(first), resolved(second)]);
                rest = after;
            }
            [first, last, width, after @ ..] => {
                if let (Ok(first), Ok(last)) = (resolved(first).as_i64(), resolved(last).as_i64()) {
                    let num_characters =
                        usize::try_from(last.saturating_sub(first)).map_or(0, |count| count.min(65_535) + 1);
                    plain.extend([Object::Integer(first), Object::Array(vec![resolved(width); num_characters])]);
                }
                rest = after;
            }
            _ => return plain,
        }
    }
}

fn read_page(pdf: &PdfDocument, number: u32) -> Option<String> {
    catch_unwind(AssertUnwindSafe(|| {
        let mut page = PageText::default();
        output_doc_page(pdf, &mut page, number).ok()?;
        Some(page.into_text())
    }))
    .ok()?
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
fn title(pdf: &PdfDocument) -> Option<String> {
    let info = pdf.trailer.get(b"Info").ok()?;
    let info = match info.as_reference() {
        Ok(id) => pdf.get_dictionary(id).ok()?,
        Err(_) => info.as_dict().ok()?,
    };
    let bytes = info.get(b"Title").ok()?.as_str().ok()?;
    let words = if bytes.starts_with(&[0xfe, 0xff]) {
        let units: Vec<u16> = bytes[2..].as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned())
    };
    let title = label(&words.replace(|c: char| c.is_control(), " "));
    let is_file_name = title.contains(['/', '\\'])
        || [".doc", ".docx", ".dvi", ".indd", ".tex", ".pdf", ".xls", ".ppt", ".qxd"]
            .iter()
            .any(|end| title.to_ascii_lowercase().ends_with(end));
    let is_empty_word =
        title.chars().filter(|c| c.is_alphabetic()).count() < 3 || title.eq_ignore_ascii_case("untitled");
    (!is_file_name && !is_empty_word).then_some(title)
}

#[cfg(test)]
mod tests {
    use pdf_extract::{Stream, StringFormat};

    use super::*;

    fn dictionary(entries: Vec<(&str, Object)>) -> Dictionary {
        entries.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect()
    }

    fn name(name: &str) -> Object {
        Object::Name(name.as_bytes().to_vec())
    }

    /// A PDF with one page for each of `contents`, which are content streams that may use the font `F`.
    fn pdf(contents: &[&str]) -> Vec<u8> {
        let mut pdf = PdfDocument::with_version("1.5");
        let font =
            dictionary(vec![("Type", name("Font")), ("Subtype", name("Type1")), ("BaseFont", name("Helvetica"))]);
        let font = pdf.add_object(font);
        let fonts = Object::Dictionary(dictionary(vec![("F", Object::Reference(font))]));
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
        let document = read(&pdf(&["BT /Missing 12 Tf (x) Tj ET", "BT /F 12 Tf (Kept.) Tj ET"])).expect("read");
        assert_eq!(document.unread_pages, [1]);
        assert_eq!(document.text.trim(), "Kept.");
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

    #[test]
    fn ranges_of_widths_are_written_out() {
        let number = Object::Integer;
        let widths = [number(1), Object::Array(vec![number(500)]), number(7), number(9), number(600), number(3)];
        let plain = plain_widths(&PdfDocument::new(), &widths);
        let expected = [number(1), Object::Array(vec![number(500)]), number(7), Object::Array(vec![number(600); 3])];
        assert_eq!(plain, expected);
    }
}
