//! Workbooks that are made here, and those of the development data.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;

use super::sheets::MAX_TEXT_BYTES;
use super::values::number_words;
use crate::extract::{Block, Document, ExtractError, Extractor as _, Format, Hints, InProcess, extract, tests::check};
use crate::workspace::{Cells, Span};

fn zipped(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, words) in entries {
        archive.start_file(*name, SimpleFileOptions::default()).expect("in memory");
        archive.write_all(words.as_bytes()).expect("in memory");
    }
    archive.finish().expect("in memory").into_inner()
}

/// A workbook of sheets: their names and the XML of their data.
fn xlsx(sheets: &[(&str, &str)]) -> Vec<u8> {
    let (mut list, mut links) = (String::new(), String::new());
    let mut entries = Vec::new();
    for (index, (name, data)) in sheets.iter().enumerate() {
        write!(list, r#"<sheet name="{name}" sheetId="{0}" r:id="r{0}"/>"#, index + 1).expect("in memory");
        let kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet";
        write!(links, r#"<Relationship Id="r{0}" Type="{kind}" Target="worksheets/{0}.xml"/>"#, index + 1)
            .expect("in memory");
        let space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        let sheet = format!(
            r#"<worksheet xmlns="{space}"><dimension ref="A1:XFD1048576"/><sheetData>{data}</sheetData></worksheet>"#
        );
        entries.push((format!("xl/worksheets/{}.xml", index + 1), sheet));
    }
    entries.push(("xl/workbook.xml".to_owned(), format!(r"<workbook><sheets>{list}</sheets></workbook>")));
    let kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument";
    let package =
        format!(r#"<Relationships><Relationship Id="r" Type="{kind}" Target="xl/workbook.xml"/></Relationships>"#);
    entries.push(("_rels/.rels".to_owned(), package));
    entries.push(("xl/_rels/workbook.xml.rels".to_owned(), format!("<Relationships>{links}</Relationships>")));
    let styles = r#"<styleSheet><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="46"/></cellXfs></styleSheet>"#;
    entries.push(("xl/styles.xml".to_owned(), styles.to_owned()));
    let entries: Vec<(&str, &str)> = entries.iter().map(|(name, words)| (name.as_str(), words.as_str())).collect();
    zipped(&entries)
}

fn words_cell(place: &str, words: &str) -> String {
    format!(r#"<c r="{place}" t="str"><v>{words}</v></c>"#)
}

fn document(bytes: &[u8]) -> Document {
    let document = extract(bytes, Hints { file_name: "book" }).expect("read");
    check(&document);
    assert_eq!((document.format, document.has_file_lines), (Format::Spreadsheet, false));
    document
}

fn described(document: &Document) -> Vec<String> {
    let describe = |block: &Block| {
        let header = block.header.as_deref().map(|header| format!(" [{header}]")).unwrap_or_default();
        let words = block.span.of(&document.text).expect("in range");
        format!("{:?} {}{header}: {words}", block.kind, block.trail.join(" > "))
    };
    document.blocks.iter().map(describe).collect()
}

#[test]
fn rows_stand_under_their_sheet_and_carry_its_header() {
    let row = |number: u32, cells: &str| format!(r#"<row r="{number}">{cells}</row>"#);
    let runs = row(1, &words_cell("B1", "Runs of May"))
        + &row(3, &(words_cell("B3", "run") + &words_cell("C3", "note") + &words_cell("E3", "ms")))
        + &row(4, "<c r=\"B4\"/>")
        + &row(5, &(words_cell("B5", "a\tb\nc") + r#"<c r="E5"><v>12</v></c>"#));
    let other = row(1, r#"<c r="A1"><v>1</v></c><c r="B1"><v>2</v></c>"#) + &row(2, &words_cell("A2", "x"));
    let book = document(&xlsx(&[("Latency", &runs), ("Empty", ""), ("Other", &other)]));
    assert_eq!(
        described(&book),
        [
            "Heading : Latency",
            "Row Latency: Runs of May",
            "Row Latency: run\tnote\t\tms",
            "Row Latency [run, note, ms]: a b c\t\t\t12",
            "Heading : Other",
            "Row Other: 1\t2",
            "Row Other: x",
        ]
    );
    assert!(book.text.contains("12\n\nOther\n1\t2\n"), "{:?}", book.text);
}

#[test]
fn values_are_what_a_person_sees() {
    let data = r#"<row r="1"><c r="A1"><v>1.0000000001</v></c><c r="B1"><v>7.0</v></c><c r="C1" t="b"><v>1</v></c>
        <c r="D1" t="e"><v>#DIV/0!</v></c><c r="E1" s="1"><v>45943</v></c><c r="F1" s="1"><v>45943.541</v></c>
        <c r="G1" s="1"><v>0.5</v></c><c r="H1" s="2"><v>1.5</v></c><c r="I1"><f>SUM(A1)</f><v>0.30000000000000004</v></c></row>"#;
    let book = document(&xlsx(&[("S", data)]));
    assert_eq!(book.text, "S\n1\t7\tTRUE\t#DIV/0!\t2025-10-13\t2025-10-13 12:59:02.400\t12:00:00\t36:00:00\t0.3\n");
    for (number, words) in [
        (123_456_789_012.25, "123456789012.25"),
        (-0.0, "0"),
        (-2.5, "-2.5"),
        (std::f64::consts::PI, "3.141592654"),
        (1e300, "1E300"),
        (0.000_001_5, "1.5E-6"),
        (9.999_999_999_99, "10"),
        (0.001, "0.001"),
    ] {
        assert_eq!(number_words(number), words);
    }
}

#[test]
fn a_sheet_that_says_it_is_vast_takes_what_its_cells_take() {
    let cell = |place: &str| words_cell(place, place);
    let data = format!("<row>{}{}</row><row>{}</row>", cell("A1"), cell("XFD1"), cell("XFD1048576"));
    let book = document(&xlsx(&[("S", &data)]));
    assert!(book.text.len() < 200 && book.text.contains("XFD1048576"), "{}", book.text.len());
}

/// An `OpenDocument` spreadsheet of one sheet `T`.
fn ods(rows: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content><office:body><office:spreadsheet><table:table table:name=\"T\">{rows}\
        </table:table></office:spreadsheet></office:body></office:document-content>"
    );
    let mimetype = "application/vnd.oasis.opendocument.spreadsheet";
    let manifest = "<manifest:manifest></manifest:manifest>";
    zipped(&[("mimetype", mimetype), ("META-INF/manifest.xml", manifest), ("content.xml", &content)])
}

#[test]
fn an_open_document_is_read_as_it_is_shown() {
    let rows = r#"<table:table-row>
        <table:table-cell office:value-type="string"><text:p>größe</text:p></table:table-cell>
        <table:table-cell office:value-type="float" office:value="0.5"><text:p>50%</text:p></table:table-cell>
        <table:table-cell office:value-type="date" office:date-value="2026-11-23"/>
        </table:table-row>"#;
    assert_eq!(document(&ods(rows)).text, "T\ngröße\t50%\t2026-11-23\n");
    let protected = zipped(&[
        ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"),
    ]);
    let error = extract(&protected, Hints { file_name: "a.ods" }).expect_err("protected");
    assert_eq!(error.to_string(), "the spreadsheet is protected by a password");
}

#[test]
fn every_row_names_its_cells() {
    let data = format!("<row>{}{}</row>", words_cell("B3", "run"), words_cell("E3", "ms"))
        + &format!("<row>{}</row>", words_cell("B9", "a"));
    let book = document(&xlsx(&[("Run 3", &data)]));
    let parts = book.blocks.iter().filter_map(|block| Some((block.span, block.cell.as_ref()?)));
    let cells = Cells::of(parts, Span::new(0, book.text.len()));
    assert_eq!(cells.name(Span::new(0, book.text.len())).unwrap(), "'Run 3'!B3:E9");
}

#[test]
fn the_header_stands_below_titles_and_above_values() {
    let row = |cells: &[&str]| {
        let cells = cells.iter().zip('A'..).filter(|(words, _)| !words.is_empty());
        cells.map(|(words, column)| (column, (*words).to_owned())).collect::<Vec<_>>()
    };
    let header = |rows: &[&[&str]]| {
        let rows = rows.iter().zip(1..).map(|(cells, number)| {
            let cells = row(cells).into_iter().map(|(column, words)| words_cell(&format!("{column}{number}"), &words));
            format!("<row r=\"{number}\">{}</row>", cells.collect::<String>())
        });
        let book = document(&xlsx(&[("S", &rows.collect::<String>())]));
        book.blocks.last().and_then(|block| block.header.as_deref().map(str::to_owned))
    };
    let body: &[&str] = &["North", "1", "2", "3", "4"];
    let names: &[&str] = &["Region", "Q1", "Q2", "Q3", "Q4"];
    assert_eq!(header(&[&["Sales"], &["Author", "Ada"], names, body]).unwrap(), "Region, Q1, Q2, Q3, Q4");
    assert_eq!(header(&[&["Item", "2023", "2024"], &["Rent", "12", "13"]]).unwrap(), "Item, 2023, 2024");
    assert_eq!(header(&[&["Ada", "2023"], &["Bob", "2024"]]), None);
    assert_eq!(header(&[body, names]), None);
}

#[test]
fn percent_is_shown_as_percent() {
    use calamine::DataRef;
    for (format, words) in [("0%", "13%"), ("0.00%;-0.00%", "12.60%"), ("General", "0.126")] {
        assert_eq!(super::values::words(&DataRef::Float(0.126), Some(format)), words);
    }
}

#[test]
fn an_open_document_repeats_what_it_shows_and_no_more() {
    let cell = |more: &str, words: &str| {
        format!(r#"<table:table-cell office:value-type="string"{more}><text:p>{words}</text:p></table:table-cell>"#)
    };
    let empty = r#"<table:table-row table:number-rows-repeated="1048570"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>"#;
    let twice = cell(r#" table:number-columns-repeated="2""#, "a &amp;<text:s/>b");
    let rows = format!(
        r#"<table:table-row table:number-rows-repeated="2">{twice}</table:table-row>{empty}<table:table-row>{}</table:table-row>"#,
        cell("", "end")
    );
    let book = document(&ods(&rows));
    assert_eq!(book.text, "T\na & b\ta & b\na & b\ta & b\nend\n");
    let bomb = cell(r#" table:number-columns-repeated="4000000000""#, "words of a bomb");
    let bomb = format!(r#"<table:table-row table:number-rows-repeated="4000000000">{bomb}</table:table-row>"#);
    let book = document(&ods(&bomb));
    assert!(book.partial.is_some_and(|reason| reason.contains("64 MB")) && book.text.len() < 2 * MAX_TEXT_BYTES);
}

#[test]
fn a_sheet_that_cannot_be_read_is_said_and_the_others_are_read() {
    let good = format!("<row>{}</row>", words_cell("A1", "kept"));
    let book = document(&xlsx(&[("Bad", "<row><c r=\"A1\"><v>1</v></c></row><row><c r=\"!\">"), ("Good", &good)]));
    assert!(book.text.contains("Good\nkept"), "{}", book.text);
    assert!(book.partial.is_some_and(|reason| reason.contains("`Bad`")));
}

#[test]
fn a_damaged_spreadsheet_fails_with_a_reason() {
    let whole = xlsx(&[("S", &format!("<row>{}</row>", words_cell("A1", "x")))]);
    for end in (4..whole.len()).step_by(7) {
        match extract(&whole[..end], Hints { file_name: "a.xlsx" }) {
            Err(ExtractError::Failed { reason }) => {
                assert!(reason.starts_with("the spreadsheet is damaged: "), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_text_under_the_name_of_a_spreadsheet_is_read_as_what_it_is() {
    for (words, format) in [
        ("<html><table><tr><td>a</table>", Format::Html),
        ("name\tcity\nAda\tLondon\n", Format::Tsv),
        ("name;city\nAda;London\n", Format::Csv),
    ] {
        let document = extract(words.as_bytes(), Hints { file_name: "export.xls" }).expect("read");
        assert_eq!(document.format, format, "{words}");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so, and the outcome is worth reading")]
fn every_spreadsheet_of_the_development_data_is_read_or_fails_with_a_reason() {
    let Some(root) = std::env::var_os("PINCITE_DEV_DATA") else {
        eprintln!("SKIPPED: PINCITE_DEV_DATA is not set, so the development data was not read");
        return;
    };
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for entry in ignore::WalkBuilder::new(Path::new(&root).join("docs")).standard_filters(false).build() {
        let entry = entry.expect("readable");
        let extension = entry.path().extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_wanted = matches!(extension, "xlsx" | "xlsm" | "xlsb" | "xls" | "ods");
        if !is_wanted || !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let outcome = match InProcess.extract(fs_err::read(entry.path()).expect("readable"), &name) {
            Ok(document) => {
                check(&document);
                let state = if document.blocks.is_empty() { "empty" } else { "read" };
                let partial = document.partial.map(|reason| format!(", partial: {reason}")).unwrap_or_default();
                format!("{state} as {}{partial}", document.format.name())
            }
            Err(error) => error.to_string(),
        };
        assert!(!outcome.contains("crashed on"), "{name}: {outcome}");
        if !outcome.starts_with("read as spreadsheet") || outcome.contains("partial") {
            eprintln!("{name}: {outcome}");
        }
        *counts.entry(format!("{extension} {}", outcome.split([':', ',']).next().unwrap_or_default())).or_default() +=
            1;
    }
    for (outcome, count) in counts {
        eprintln!("{count:5} {outcome}");
    }
}
