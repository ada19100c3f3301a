//! Office documents that are made here, small, and those of the development data.

use std::collections::HashMap;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use zip::write::{SimpleFileOptions, ZipWriter};

use crate::extract::tests::check;
use crate::extract::{Document, ExtractError, Format, Hints, PageUnit, extract};

/// A ZIP of `parts`.
fn package(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, words) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).expect("memory can be written");
        zip.write_all(words.as_bytes()).expect("memory can be written");
    }
    zip.finish().expect("memory can be written").into_inner()
}

fn read(bytes: &[u8]) -> Document {
    let document = extract(bytes, Hints { file_name: "a" }).expect("read");
    check(&document);
    document
}

fn reason(bytes: &[u8], file_name: &str) -> String {
    match extract(bytes, Hints { file_name }) {
        Err(ExtractError::Failed { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

fn described(document: &Document) -> Vec<String> {
    let describe = |block: &crate::extract::Block| {
        let header = block.header.as_deref().map(|header| format!(" [{header}]")).unwrap_or_default();
        let words = block.span.of(&document.text).expect("in range");
        format!("{:?} {}{header}: {words}", block.kind, block.trail.join(" > "))
    };
    document.blocks.iter().map(describe).collect()
}

fn relations(links: &[(&str, &str, &str)]) -> String {
    let link = |(id, kind, target): &(&str, &str, &str)| {
        format!(r#"<Relationship Id="{id}" Type="http://x/relationships/{kind}" Target="{target}"/>"#)
    };
    format!("<Relationships>{}</Relationships>", links.iter().map(link).collect::<String>())
}

/// A Word document with the body `body` and whatever `more` parts.
fn word(body: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let main = format!(
        r#"<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e "expanded">]><w:document xmlns:w="w"><w:body>{body}</w:body></w:document>"#
    );
    let root = relations(&[("r1", "officeDocument", "/odd/main.xml"), ("r2", "core-properties", "docProps/core.xml")]);
    let links = relations(&[
        ("s", "styles", "styles.xml"),
        ("n", "numbering", "numbering.xml"),
        ("f", "footnotes", "footnotes.xml"),
        ("c", "comments", "comments.xml"),
        ("h", "header", "header1.xml"),
    ]);
    let types = r#"<Types><Override PartName="/odd/main.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"#;
    let mut parts = vec![
        ("[Content_Types].xml", types),
        ("_rels/.rels", root.as_str()),
        ("odd/main.xml", main.as_str()),
        ("odd/_rels/main.xml.rels", links.as_str()),
    ];
    parts.extend(more);
    package(&parts)
}

fn paragraph(words: &str) -> String {
    format!("<w:p><w:r><w:t>{words}</w:t></w:r></w:p>")
}

#[test]
fn a_word_document_has_headings_lists_tables_notes_and_margins() {
    let styles = r#"<w:styles><w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
        <w:style w:type="paragraph" w:styleId="Mine"><w:basedOn w:val="berschrift1"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style></w:styles>"#;
    let numbering = r#"<w:numbering><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl></w:abstractNum>
        <w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>"#;
    let item = |words: &str| {
        format!(
            r#"<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>"#
        )
    };
    let cell = |words: &str| format!("<w:tc>{}</w:tc>", paragraph(words));
    let body = [
        r#"<w:p><w:pPr><w:pStyle w:val="berschrift1"/></w:pPr><w:r><w:t>Latency</w:t></w:r></w:p>"#.to_owned(),
        r#"<w:p><w:pPr><w:pStyle w:val="Mine"/></w:pPr><w:r><w:t>Runs</w:t></w:r></w:p>"#.to_owned(),
        r#"<w:p><w:r><w:t xml:space="preserve">It was 12 ms</w:t><w:footnoteReference w:id="2"/><w:tab/><w:t>&lt;ok&gt;&e;</w:t><w:commentReference w:id="0"/></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t> in</w:t></w:r></w:ins><w:r><w:fldChar w:fldCharType="begin"/><w:instrText>PAGE</w:instrText><w:fldChar w:fldCharType="separate"/><w:t> 7</w:t><w:fldChar w:fldCharType="end"/></w:r></w:p>"#.to_owned(),
        item("one"),
        item("two"),
        format!("<w:tbl><w:tr>{}{}</w:tr><w:tr><w:tc><w:tcPr><w:vMerge w:val=\"restart\"/></w:tcPr>{}</w:tc>{}</w:tr><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc>{}</w:tr></w:tbl>",
            cell("run"), cell("ms"), paragraph("a"), cell("1"), cell("2")),
        format!("<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent>{0}</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>{0}</w:txbxContent></mc:Fallback></mc:AlternateContent><w:t>outer</w:t></w:r></w:p>", paragraph("boxed")),
        "<w:p><m:oMath><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:p>".to_owned(),
    ]
    .concat();
    let document = read(&word(
        &body,
        &[
            ("odd/styles.xml", styles),
            ("odd/numbering.xml", numbering),
            (
                "odd/footnotes.xml",
                &format!(
                    r#"<w:footnotes><w:footnote w:id="0" w:type="separator"><w:p/></w:footnote><w:footnote w:id="2">{}</w:footnote></w:footnotes>"#,
                    paragraph("Noted.")
                ),
            ),
            (
                "odd/comments.xml",
                &format!(
                    r#"<w:comments><w:comment w:id="0" w:author="Ann">{}</w:comment></w:comments>"#,
                    paragraph("Why?")
                ),
            ),
            ("odd/header1.xml", &format!("<w:hdr>{}</w:hdr>", paragraph("In confidence"))),
            ("docProps/core.xml", "<cp><dc:title>Report</dc:title></cp>"),
        ],
    ));
    assert_eq!(
        described(&document),
        [
            "Heading : Latency",
            "Heading Latency: Runs",
            "Prose Latency > Runs: It was 12 ms[1]\t<ok> in 7",
            "Prose Latency > Runs: [1] Noted.",
            "Prose Latency > Runs: Comment by Ann: Why?",
            "Prose Latency > Runs: 1. one",
            "Prose Latency > Runs: 2. two",
            "Row Latency > Runs: run | ms",
            "Row Latency > Runs [run | ms]: a | 1",
            "Row Latency > Runs [run | ms]: a | 2",
            "Prose Latency > Runs: outer",
            "Prose Latency > Runs: boxed",
            "Prose Latency > Runs: (a+b)/2",
            "Prose : In confidence",
        ]
    );
    assert_eq!((document.format, document.title.as_deref(), document.partial), (Format::Docx, Some("Report"), None));
}

/// A presentation of two slides, the second of which stands first in the package, and the third of which is missing.
fn slides() -> Vec<u8> {
    let shape = |kind: &str, words: &str| {
        format!(
            r#"<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:txBody></p:sp>"#
        )
    };
    let slide = |shapes: &str| format!("<p:sld><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>");
    let table = r#"<p:graphicFrame><a:tbl><a:tblPr firstRow="1"/><a:tr><a:tc><a:txBody><a:p><a:r><a:t>run</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>ms</a:t></a:r></a:p></a:txBody></a:tc></a:tr><a:tr><a:tc><a:txBody><a:p><a:r><a:t>a</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>9</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>"#;
    let first =
        slide(&[shape("body", "Point"), shape("title", "Plan"), table.to_owned(), shape("sldNum", "1")].concat());
    package(&[
        ("ppt/slides/slide1.xml", &slide(&shape("ctrTitle", "Second"))),
        ("ppt/slides/slide2.xml", &first),
        ("ppt/slides/_rels/slide2.xml.rels", &relations(&[("n", "notesSlide", "../notesSlides/n.xml")])),
        ("ppt/notesSlides/n.xml", &slide(&shape("body", "Say this."))),
        (
            "ppt/presentation.xml",
            r#"<p:presentation><p:sldIdLst><p:sldId id="9" r:id="b"/><p:sldId id="8" r:id="a"/><p:sldId id="7" r:id="x"/></p:sldIdLst></p:presentation>"#,
        ),
        (
            "ppt/_rels/presentation.xml.rels",
            &relations(&[("a", "slide", "slides/slide1.xml"), ("b", "slide", "slides/slide2.xml")]),
        ),
    ])
}

#[test]
fn slides_come_in_the_order_of_the_show_with_titles_tables_and_notes() {
    let document = read(&slides());
    assert_eq!(
        described(&document),
        [
            "Heading : Plan",
            "Prose Plan: - Point",
            "Row Plan: run | ms",
            "Row Plan [run | ms]: a | 9",
            "Prose Plan > Speaker notes: Say this.",
            "Heading : Second",
        ]
    );
    assert_eq!((document.pages.len(), document.page_unit), (3, PageUnit::Slide));
    assert_eq!(document.unread_pages, [3]);
}

#[test]
fn open_documents_are_read_with_lists_tables_and_notes() {
    let content = r#"<office:document-content><office:automatic-styles/><office:body><office:text>
        <text:tracked-changes><text:p>gone</text:p></text:tracked-changes>
        <text:h text:outline-level="1">Results</text:h><text:p>Two<text:s text:c="2"/>spaces
           here<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Noted.</text:p></text:note-body></text:note>.</text:p>
        <text:list><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>deep</text:p></text:list-item></text:list></text:list-item></text:list>
        <table:table><table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>run</text:p></table:table-cell><table:covered-table-cell/><table:table-cell><text:p>ms</text:p></table:table-cell></table:table-row>
        <table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="9999999"/></table:table-row>
        <table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell><table:table-cell><text:p>1</text:p></table:table-cell></table:table-row></table:table>
        </office:text></office:body></office:document-content>"#;
    let text = [
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        ("content.xml", content),
        ("meta.xml", "<m><dc:title> A  title </dc:title></m>"),
    ];
    let document = read(&package(&text));
    assert_eq!(
        described(&document),
        [
            "Heading : Results",
            "Prose Results: Two  spaces here[1].",
            "Prose Results: [1] Noted.",
            "Prose Results: - one",
            "Prose Results: - deep",
            "Row Results: run | run | ms",
            "Row Results [run | run | ms]: a | b | 1",
        ]
    );
    assert_eq!((document.format, document.title.as_deref()), (Format::Odt, Some("A title")));
    let show = r#"<d><office:body><office:presentation><draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>Plan</text:p></draw:text-box></draw:frame><draw:frame><draw:text-box><text:p>Point</text:p></draw:text-box></draw:frame><presentation:notes><draw:frame><draw:text-box><text:p>Say this.</text:p></draw:text-box></draw:frame></presentation:notes></draw:page><draw:page/></office:presentation></office:body></d>"#;
    let show =
        read(&package(&[("mimetype", "application/vnd.oasis.opendocument.presentation"), ("content.xml", show)]));
    assert_eq!(described(&show), ["Heading : Plan", "Prose Plan: Point", "Prose Plan > Speaker notes: Say this."]);
    assert_eq!((show.format, show.pages.len(), show.page_unit), (Format::Odp, 2, PageUnit::Slide));
    let locked = [text[0], text[1], ("META-INF/manifest.xml", "<m><e><manifest:encryption-data/></e></m>")];
    assert!(reason(&package(&locked), "a.odt").contains("password"));
}

#[test]
fn a_book_is_read_in_the_order_of_its_spine() {
    let book = [
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", r#"<c><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></c>"#),
        (
            "OPS/book.opf",
            r#"<package><metadata><dc:title>Whales</dc:title></metadata><manifest><item id="a" href="a%20b.xhtml" media-type="application/xhtml+xml"/><item id="b" href="b.xhtml" media-type="application/xhtml+xml"/><item id="x" href="gone.xhtml"/></manifest><spine><itemref idref="b"/><itemref idref="a"/><itemref idref="x"/></spine></package>"#,
        ),
        ("OPS/a b.xhtml", "<html><head><title/></head><body><h1>Two</h1><p>Call<a id=\"p1\"/> me.</p></body></html>"),
        ("OPS/b.xhtml", "<html><body><h1>One</h1><p>Loomings.</p></body></html>"),
    ];
    let document = read(&package(&book));
    assert_eq!(described(&document), ["Heading : One", "Prose One: Loomings.", "Heading : Two", "Prose Two: Call me."]);
    assert_eq!((document.format, document.title.as_deref()), (Format::Epub, Some("Whales")));
    assert!(document.partial.is_some_and(|partial| partial.contains("1 of 3 chapters")));
    let mut locked = book.to_vec();
    locked.push((
        "META-INF/encryption.xml",
        r#"<e><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></e>"#,
    ));
    assert!(reason(&package(&locked), "a.epub").contains("encrypted"));
}

#[test]
fn depth_repetition_and_entities_cost_nothing() {
    let nested = |open: &str, close: &str| [open.repeat(100_000), paragraph("deep"), close.repeat(100_000)].concat();
    for body in [
        nested("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"),
        nested("<w:p><w:r><w:txbxContent>", "</w:txbxContent></w:r></w:p>"),
        nested("<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>"),
    ] {
        assert_eq!(read(&word(&body, &[])).text.trim(), "deep");
    }
    let entities = format!("{}{}", paragraph(&"&e;".repeat(10_000)), paragraph("kept &#65;"));
    assert_eq!(read(&word(&entities, &[])).text, "kept A");
}

#[test]
fn a_bomb_is_read_up_to_the_limit() {
    let document = read(&word(&paragraph(&"many words ".repeat(14_000_000)), &[]));
    assert!(document.text.len() < 140 << 20);
    assert!(document.partial.expect("it was cut").contains("unpacks to more than"));
}

#[test]
fn what_is_cut_off_is_read_as_far_as_it_goes() {
    let whole = slides();
    for end in 0..whole.len() {
        if let Ok(document) = extract(&whole[..end], Hints { file_name: "a.pptx" }) {
            check(&document);
        }
    }
    let cut =
        word(&[paragraph("kept"), "<w:p><w:r><w:t>also</w:t></w:wrong>".to_owned(), paragraph("lost")].concat(), &[]);
    let document = read(&cut);
    assert_eq!(document.text, "kept\n\nalso");
    assert!(document.partial.expect("it broke off").contains("damaged"));
    let directory = cut.windows(4).position(|window| window == b"PK\x01\x02").expect("a ZIP has a directory");
    let document = read(&cut[..directory]);
    assert_eq!(document.text, "kept\n\nalso");
    assert!(document.partial.expect("it was cut").contains("cut off"));
}

#[test]
fn missing_parts_and_locks_are_failures_that_say_so() {
    let types = r#"<Types><Default ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"#;
    assert!(reason(&package(&[("[Content_Types].xml", types)]), "a.docx").contains("no text part"));
    let mut locked = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    locked.resize(1024, 0);
    let mut named = |name: &str, at: usize| {
        for (index, letter) in name.bytes().enumerate() {
            locked[at + index * 2] = letter;
        }
        locked[at + 64] = u8::try_from((name.len() + 1) * 2).expect("short");
        extract(&locked, Hints { file_name: "a.docx" }).expect_err("refused").to_string()
    };
    assert_eq!(named("WordDocument", 512), "application/msword (Word before 2007) files are not read");
    assert_eq!(named("EncryptedPackage", 640), "the document is protected by a password");
}

fn files_under(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).expect("a folder of the data").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_under(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn counted(words: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

/// Ground truth is Markdown, with notes on pictures.
fn plain(markdown: &str) -> String {
    let mut plain = String::new();
    for (index, piece) in markdown.split("<!--").enumerate() {
        plain.push_str(if index == 0 { piece } else { piece.split_once("-->").map_or("", |(_, after)| after) });
    }
    let mut words = String::new();
    for (index, piece) in plain.split("](").enumerate() {
        words.push_str(if index == 0 { piece } else { piece.split_once(')').map_or("", |(_, after)| after) });
    }
    words.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
}

/// The share of `a`'s words that `b` has too.
fn share(a: &HashMap<String, usize>, b: &HashMap<String, usize>) -> f64 {
    let shared: usize = a.iter().map(|(word, count)| (*count).min(b.get(word).copied().unwrap_or(0))).sum();
    let all: usize = a.values().sum();
    if all == 0 { 1.0 } else { shared as f64 / all as f64 }
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so, and the outcome is worth reading")]
fn the_development_documents_are_read_or_refused_with_a_reason_and_no_word_is_lost() {
    const EXTENSIONS: [&str; 10] = ["docx", "docm", "dotx", "pptx", "pptm", "ppsx", "ppsm", "odt", "odp", "epub"];
    let Some(data) = std::env::var_os("PINCITE_DEV_DATA") else {
        eprintln!("skipped: PINCITE_DEV_DATA is not set");
        return;
    };
    let mut files = Vec::new();
    files_under(&Path::new(&data).join("docs"), &mut files);
    let mut recalls: HashMap<String, Vec<f64>> = HashMap::new();
    let (mut num_read, mut num_failed) = (0, 0);
    for path in files {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if !EXTENSIONS.contains(&extension.as_str()) {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = fs_err::read(&path).expect("a file of the data");
        let document = match extract(&bytes, Hints { file_name: &name }) {
            Ok(document) => document,
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                num_failed += 1;
                continue;
            }
        };
        check(&document);
        num_read += 1;
        let truth = path.parent().and_then(Path::parent).map(|folder| folder.join(format!("groundtruth/{name}.md")));
        let Some(truth) = truth.and_then(|truth| fs_err::read_to_string(truth).ok()) else { continue };
        let (truth, words) = (counted(&plain(&truth)), counted(&document.text));
        let (recall, precision) = (share(&truth, &words), share(&words, &truth));
        eprintln!("{name}: recall {recall:.3}, precision {precision:.3}");
        recalls.entry(extension).or_default().push(recall);
    }
    eprintln!("{num_read} read, {num_failed} refused");
    for (extension, recalls) in recalls {
        let mean = recalls.iter().sum::<f64>() / recalls.len() as f64;
        eprintln!("{extension}: mean recall {mean:.3} of {} documents", recalls.len());
        assert!(mean > 0.9, "{extension}");
    }
}
