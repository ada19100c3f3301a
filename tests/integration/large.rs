//! Files that are too large to be held: a text is read in parts, and what is read whole goes from the file to its reader.

use pincite::engine::{Access, Caller, Engine, EngineError, OpenOptions, Surface};
use pincite::workspace::{Span, WorkspaceId};
use serde_json::Value;

use crate::cli::Pincite;

/// More than one part has.
const NUM_ROWS: usize = 250_000;

fn table() -> String {
    let row = |number: usize| format!("{number},gauge {},{}\n", number % 977, number * 7);
    let rows: String = (1..NUM_ROWS).map(row).collect();
    format!("number,place,level\n{rows}{NUM_ROWS},zanzibar,9\n")
}

fn cite(pincite: &Pincite, words: &str) -> Value {
    let reply = pincite.run(&["search", words, "--mode", "lexical", "-k", "1", "--json"]).json();
    reply["hits"][0]["citation"].clone()
}

fn verify(pincite: &Pincite, citation: &Value) -> Value {
    let file = pincite.data.path().join("citation.json");
    fs_err::write(&file, citation.to_string()).unwrap();
    pincite.run(&["verify", file.to_str().unwrap(), "--json"]).json()
}

#[test]
fn the_last_row_of_a_large_table_is_found_cited_read_and_followed() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(pincite.data.path().join("config.toml"), "[extraction]\nparts_from_mb = 1\n").unwrap();
    let text = table();
    assert!(text.len() > 4_000_000);
    let file = folder.path().join("levels.csv");
    fs_err::write(&file, &text).unwrap();
    pincite.index(folder.path());
    let citation = cite(&pincite, "zanzibar");
    assert_eq!(citation["lines"]["end"], NUM_ROWS + 1, "{citation}");
    assert_eq!(citation["span"]["end"], text.len() - 1, "{citation}");
    assert_eq!(verify(&pincite, &citation)["verdict"], "valid");

    let options = OpenOptions::new(pincite.data.path(), Access::Read, "a test");
    let engine = Engine::open(options).unwrap();
    let (id, path) = (WorkspaceId::default(), "levels.csv".parse().unwrap());
    assert!(matches!(
        engine.workspace(&id, &Caller::local(Surface::CommandLine)).unwrap().read_file(&path),
        Err(EngineError::LargeText { .. })
    ));
    for start in [0, 1_999_999, text.len() - 10] {
        let wanted = Span::new(start, text.len().min(start + 9));
        let around =
            engine.workspace(&id, &Caller::local(Surface::CommandLine)).unwrap().read_around(&path, wanted).unwrap();
        assert_eq!(around.words(wanted), wanted.of(&text));
        let lines = around.lines(wanted).unwrap();
        assert_eq!(lines.start as usize, text[..start].matches('\n').count() + 1);
        assert_eq!(around.end() == text.len(), !around.goes_on);
    }
    let behind = engine
        .workspace(&id, &Caller::local(Surface::CommandLine))
        .unwrap()
        .read_around(&path, Span::new(text.len() + 5, text.len() + 9))
        .unwrap();
    assert_eq!((behind.end(), behind.goes_on), (text.len(), false));
    drop(engine);

    // A row more before it, and then another row in its place.
    fs_err::write(&file, text.replacen("level\n", "level\n0,a new gauge,0\n", 1)).unwrap();
    let moved = verify(&pincite, &citation);
    assert_eq!(moved["verdict"], "moved", "{moved}");
    assert_eq!(moved["citation"]["lines"]["end"], NUM_ROWS + 2);
    fs_err::write(&file, text.replace("zanzibar", "mombasa")).unwrap();
    assert_eq!(verify(&pincite, &citation)["verdict"], "changed");
    pincite.index(folder.path());
    assert_eq!(cite(&pincite, "zanzibar"), Value::Null);
    assert_eq!(cite(&pincite, "mombasa")["lines"]["end"], NUM_ROWS + 1);
    fs_err::remove_file(&file).unwrap();
    assert_eq!(verify(&pincite, &citation)["verdict"], "deleted");
}

#[test]
fn a_large_archive_goes_from_the_file_to_its_reader_and_its_texts_end_where_the_limit_is() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let config = "[extraction]\nparts_from_mb = 1\ntext_mb = 1\nwhole_mb = 3\n";
    fs_err::write(pincite.data.path().join("config.toml"), config).unwrap();
    let mut archive = tar::Builder::new(fs_err::File::create(folder.path().join("all.tar")).unwrap());
    let (note, long) = (b"The harbour master spoke.".to_vec(), b"The tide rose again. ".repeat(60_000));
    for (name, bytes) in [("note.txt", &note), ("long.txt", &long), ("later.txt", &b"A pilot came.".to_vec())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    archive.finish().unwrap();
    fs_err::write(folder.path().join("page.html"), b"<html><p>words</p>".repeat(200_000)).unwrap();
    pincite.index(folder.path());
    let citation = cite(&pincite, "harbour master");
    assert_eq!(citation["path"], "all.tar/note.txt");
    assert_eq!(verify(&pincite, &citation)["verdict"], "valid");
    assert_eq!(cite(&pincite, "pilot")["path"], "all.tar/later.txt");
    let status = pincite.run(&["status", "--json"]).json();
    let failed = status["not_ready"]["failed"].as_array().unwrap();
    let reason_of = |path: &str| {
        let group = failed.iter().find(|group| group["files"][0]["path"] == path);
        group.map(|group| group["reason"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        reason_of("all.tar/long.txt").unwrap(),
        "its text and those of the files before it are more than the 1 MB that are read of this file (the limits are \
         `limits.reader_text_mb` and `extraction.text_mb`)"
    );
    assert_eq!(reason_of("page.html").unwrap(), "the file has 4 MB, and of its type no more than 3 MB are read");
}
