//! Files inside files, and places inside documents, from the command line: found, cited, checked, and gone with what held them.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use serde_json::Value;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::cli::Pincite;

fn package(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, words) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(words.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn relations(targets: &[(&str, &str, &str)]) -> String {
    let kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let mut listed = String::new();
    for (id, of, target) in targets {
        write!(listed, r#"<Relationship Id="{id}" Type="{kind}/{of}" Target="{target}"/>"#).unwrap();
    }
    format!("<Relationships>{listed}</Relationships>")
}

fn slides(words: [&str; 2]) -> Vec<u8> {
    let slide = |words: &str| {
        format!(
            "<p:sld><p:cSld><p:spTree><p:sp><p:txBody><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
        )
    };
    package(&[
        ("ppt/slides/slide1.xml", &slide(words[0])),
        ("ppt/slides/slide2.xml", &slide(words[1])),
        ("_rels/.rels", &relations(&[("r", "officeDocument", "ppt/presentation.xml")])),
        (
            "ppt/presentation.xml",
            r#"<p:presentation><p:sldIdLst><p:sldId id="1" r:id="a"/><p:sldId id="2" r:id="b"/></p:sldIdLst></p:presentation>"#,
        ),
        (
            "ppt/_rels/presentation.xml.rels",
            &relations(&[("a", "slide", "slides/slide1.xml"), ("b", "slide", "slides/slide2.xml")]),
        ),
    ])
}

fn sheet(rows: &[[&str; 2]]) -> Vec<u8> {
    let mut data = String::new();
    for (number, [first, second]) in (1..).zip(rows) {
        let cell = |column: char, words: &str| format!(r#"<c r="{column}{number}" t="str"><v>{words}</v></c>"#);
        write!(data, r#"<row r="{number}">{}{}</row>"#, cell('A', first), cell('B', second)).unwrap();
    }
    package(&[
        ("xl/worksheets/1.xml", &format!("<worksheet><sheetData>{data}</sheetData></worksheet>")),
        ("xl/workbook.xml", r#"<workbook><sheets><sheet name="Levels" sheetId="1" r:id="r1"/></sheets></workbook>"#),
        ("_rels/.rels", &relations(&[("r", "officeDocument", "xl/workbook.xml")])),
        ("xl/_rels/workbook.xml.rels", &relations(&[("r1", "worksheet", "worksheets/1.xml")])),
    ])
}

fn letter(note: &str) -> String {
    format!(
        "From: a@example.org\r\nTo: b@example.org\r\nSubject: The survey\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n\
         The dredging begins in spring.\r\n--x\r\nContent-Type: text/plain; name=\"note.txt\"\r\n\
         Content-Disposition: attachment; filename=\"note.txt\"\r\n\r\n{note}\r\n--x--\r\n"
    )
}

struct Place {
    pincite: Pincite,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { pincite: Pincite::words_alone(), folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs_err::write(self.path().join(name), bytes).unwrap();
    }

    fn index(&self) {
        self.pincite.index(self.path());
    }

    fn cite(&self, words: &str) -> Value {
        let reply = self.pincite.run(&["search", words, "--mode", "lexical", "-k", "1", "--json"]).json();
        reply["hits"][0]["citation"].clone()
    }

    fn verdict(&self, citation: &Value) -> String {
        let file = self.pincite.data.path().join("citation.json");
        fs_err::write(&file, citation.to_string()).unwrap();
        let verified = self.pincite.run(&["verify", file.to_str().unwrap(), "--json"]).json();
        verified["verdict"].as_str().unwrap().to_owned()
    }
}

#[test]
fn an_attachment_is_a_file_of_its_own_and_goes_with_its_letter() {
    let place = Place::new();
    place.write("survey.eml", letter("The buoy drifts north."));
    place.index();
    let (body, note) = (place.cite("dredging"), place.cite("buoy"));
    assert_eq!((&body["path"], &note["path"]), (&"survey.eml".into(), &"survey.eml/note.txt".into()));
    assert_eq!((place.verdict(&body), place.verdict(&note)), ("valid".to_owned(), "valid".to_owned()));
    // Another attachment in the same letter.
    place.write("survey.eml", letter("The pilot boat is late."));
    assert_eq!(place.verdict(&note), "changed");
    place.index();
    assert_eq!((place.cite("buoy"), &place.cite("pilot")["path"]), (Value::Null, &"survey.eml/note.txt".into()));
    let pilot = place.cite("pilot");
    fs_err::rename(place.path().join("survey.eml"), place.path().join("kept.eml")).unwrap();
    place.index();
    assert_eq!((place.verdict(&pilot).as_str(), &place.cite("pilot")["path"]), ("moved", &"kept.eml/note.txt".into()));
    place.pincite.run(&["reindex", "--json"]).json();
    let pilot = place.cite("pilot");
    assert_eq!((place.verdict(&pilot).as_str(), &pilot["path"]), ("valid", &"kept.eml/note.txt".into()));
    fs_err::remove_file(place.path().join("kept.eml")).unwrap();
    place.index();
    assert_eq!((place.cite("pilot"), place.cite("dredging")), (Value::Null, Value::Null));
    assert_eq!(place.verdict(&pilot), "deleted");
}

#[test]
fn a_citation_names_the_slide_and_the_cells_and_follows_them() {
    let place = Place::new();
    place.write("talk.pptx", slides(["The harbour grows.", "The breakwater costs nine."]));
    place.write("levels.xlsx", sheet(&[["station", "level"], ["Nordhaven", "7"], ["Zandvoort", "9"]]));
    place.index();
    let slide = place.cite("breakwater");
    assert_eq!((&slide["slide"], &slide["page"], &slide["lines"]), (&2.into(), &Value::Null, &Value::Null), "{slide}");
    let cells = place.cite("Zandvoort");
    assert!(cells["cell"].as_str().unwrap().starts_with("Levels!A"), "{cells}");
    assert_eq!((place.verdict(&slide), place.verdict(&cells)), ("valid".to_owned(), "valid".to_owned()));
    let mut forged = slide.clone();
    forged["slide"] = 1.into();
    assert_eq!(place.verdict(&forged), "moved", "a place that is not its own");
    place.write("talk.pptx", slides(["The breakwater costs nine.", "The harbour grows."]));
    assert_eq!(place.verdict(&slide), "moved");
}

#[test]
fn what_was_made_of_a_file_is_kept_for_its_content_and_goes_when_no_file_has_it() {
    let place = Place::new();
    place.write("talk.pptx", slides(["The harbour grows.", "The breakwater costs nine."]));
    place.index();
    let kept = || -> Vec<(String, std::time::SystemTime)> {
        let folder = place.pincite.data.path().join("workspaces/default/documents");
        let entries = fs_err::read_dir(folder).unwrap().map(Result::unwrap);
        let named = entries
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().modified().unwrap()));
        named.filter(|(name, _)| Path::new(name).extension().is_some_and(|end| end == "doc")).collect()
    };
    let before = kept();
    assert_eq!(before.len(), 1);
    fs_err::rename(place.path().join("talk.pptx"), place.path().join("plan.pptx")).unwrap();
    place.index();
    let after = kept();
    assert_eq!((after.len(), &after[0].0), (1, &before[0].0));
    assert!(after[0].1 > before[0].1, "it was asked for instead of being made again");
    assert_eq!(place.cite("breakwater")["path"], "plan.pptx");
}
