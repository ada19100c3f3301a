//! The parts of office documents and books. The container is made here: a library reads it, and its checksums would keep
//! nearly all that is tried from the readers.

#![no_main]

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What points to the parts that are tried.
const FIXED: [(&str, &str); 8] = [
    (
        "_rels/.rels",
        r#"<Relationships><Relationship Id="a" Type="x/officeDocument" Target="word/document.xml"/></Relationships>"#,
    ),
    (
        "word/_rels/document.xml.rels",
        r#"<Relationships><Relationship Id="s" Type="x/styles" Target="styles.xml"/><Relationship Id="n" Type="x/numbering" Target="numbering.xml"/><Relationship Id="f" Type="x/footnotes" Target="footnotes.xml"/></Relationships>"#,
    ),
    (
        "_rels/.rels",
        r#"<Relationships><Relationship Id="a" Type="x/officeDocument" Target="ppt/presentation.xml"/></Relationships>"#,
    ),
    (
        "ppt/_rels/presentation.xml.rels",
        r#"<Relationships><Relationship Id="r" Type="x/slide" Target="slides/slide1.xml"/></Relationships>"#,
    ),
    ("mimetype", "application/vnd.oasis.opendocument.text"),
    ("mimetype", "application/vnd.oasis.opendocument.presentation"),
    ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
    ("mimetype", "application/epub+zip"),
];
const CONTAINER: &str = r#"<container><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>"#;
const BOOK: &str = r#"<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>"#;
const SLIDES: &str = r#"<p:presentation><p:sldIdLst><p:sldId r:id="r"/></p:sldIdLst></p:presentation>"#;

// The first byte chooses the kind; what follows is the main part, and after a zero the part that it leans on.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, content)) = data.split_first() else { return };
    let end = content.iter().position(|&byte| byte == 0).unwrap_or(content.len());
    let (main, other) = (&content[..end], content.get(end + 1..).unwrap_or_default());
    let mut parts: Vec<(&str, &[u8])> = Vec::new();
    let mut fixed = |numbers: &[usize]| {
        parts.extend(numbers.iter().map(|&number| (FIXED[number].0, FIXED[number].1.as_bytes())));
    };
    match choice % 6 {
        0 => {
            fixed(&[0, 1]);
            parts.extend(["word/styles.xml", "word/numbering.xml", "word/footnotes.xml"].map(|name| (name, other)));
            parts.push(("word/document.xml", main));
        }
        1 => {
            fixed(&[2, 3]);
            parts.push(("ppt/presentation.xml", if other.is_empty() { SLIDES.as_bytes() } else { other }));
            parts.push(("ppt/slides/slide1.xml", main));
        }
        kind @ 2..=4 => {
            fixed(&[usize::from(kind) + 2]);
            parts.extend([("content.xml", main), ("styles.xml", other)]);
        }
        _ => {
            fixed(&[7]);
            parts.push(("META-INF/container.xml", CONTAINER.as_bytes()));
            parts.push(("book.opf", if other.is_empty() { BOOK.as_bytes() } else { other }));
            parts.push(("a.xhtml", main));
        }
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in parts {
        zip.start_file(name, options).expect("memory can be written");
        zip.write_all(bytes).expect("memory can be written");
    }
    let bytes = zip.finish().expect("memory can be written").into_inner();
    pincite_fuzz::read_as(&bytes, "a");
});
