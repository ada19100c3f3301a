//! Files are read in child processes: what is too much for one hurts nobody else, and people can look at what was read.

use crate::cli::Pincite;
use crate::fixtures;

/// Indexes a folder with one file that is too much and one that is not, and returns the reason why the first has failed.
fn reason_beside_a_good_file(extraction: &str, large: &[u8]) -> String {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(pincite.data.path().join("config.toml"), format!("[extraction]\n{extraction}\n")).unwrap();
    fs_err::write(folder.path().join("large.txt"), large).unwrap();
    fs_err::write(folder.path().join("small.txt"), "A harbour master.").unwrap();
    pincite.index(folder.path());
    let reply = pincite.run(&["search", "harbour", "--mode", "lexical", "--json"]).json();
    assert_eq!(reply["hits"].as_array().unwrap().len(), 1, "{reply}");
    let status = pincite.run(&["status", "--json"]).json();
    let failed = &status["not_ready"]["failed"][0]["files"][0];
    assert_eq!(failed["path"], "large.txt", "{status}");
    failed["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_file_that_takes_too_much_memory_text_or_time_is_failed_with_that_reason() {
    let page = [&b"<html>"[..], &b"<p>The tide rose again over the outer wall.</p>".repeat(400_000)].concat();
    assert_eq!(reason_beside_a_good_file("memory_mb = 100", &page), "reading it takes more than 100 MB of memory");
    let reason = reason_beside_a_good_file("text_mb = 1", &page[..3_000_000]);
    assert_eq!(reason, "its text is longer than 1 MB (the limit is `extraction.text_mb`)");
}

#[test]
fn what_is_read_of_a_file_can_be_looked_at() {
    let (pincite, folder) = (Pincite::words_alone(), fixtures::workspace_copy());
    let extract = |path: &str, more: &[&str]| {
        let path = folder.path().join(path);
        pincite.run(&[&["extract", path.to_str().unwrap()], more].concat())
    };
    let path = "runs/2026-11-03-coder-03/postmortem.md";
    let as_text = extract(path, &[]);
    assert_eq!((as_text.code, as_text.out), (0, fs_err::read_to_string(folder.path().join(path)).unwrap()));
    let document = extract(path, &["--json"]).json();
    assert_eq!(document["format"], "markdown");
    assert!(document["blocks"].as_array().unwrap().iter().any(|block| block["kind"] == "heading"));
    let unread = extract("assets/wave-icon.png", &[]);
    assert_eq!((unread.code, unread.out.as_str()), (1, ""));
    assert!(unread.err.contains("image/png files are not read"), "{}", unread.err);
    assert_eq!(extract("notes/empty.txt", &[]).code, 1, "there is no text");
    for not_a_file in ["no/such/file", "notes"] {
        let refused = extract(not_a_file, &[]);
        assert!(refused.code == 2 && refused.err.contains("name a file"), "{}", refused.err);
    }
}

/// Names of files, what they hold, and a word that people know from it.
const ESCAPED: [(&str, &str, &str); 11] = [
    ("de.json", r#"{"note": "Die Gr\u00f6\u00dfe des Schiffs"}"#, "Größe"),
    ("zh.jsonl", r#"{"note": "\u6e2f\u53e3\u6c34\u4f4d"}"#, "水位"),
    ("ru.yaml", r#"note: "\u0443\u0440\u043e\u0432\u0435\u043d\u044c \u043f\u043e\u0440\u0442\u0430""#, "порта"),
    ("next.json", r#"{"note": "the first line\nokapi in the second"}"#, "okapi"),
    ("nested.log", r#"INFO body={\"city\":\"M\\u00fcnster\"} done"#, "Münster"),
    ("cells.csv", "id,payload\n1,\"{\"\"name\"\": \"\"Ren\\u00e9e\"\"}\"\n", "Renée"),
    ("app.properties", r"greeting=Gr\u00fc\u00dfe", "Grüße"),
    ("page.xml", "<r><a>caf&#233; in K&#xF8;benhavn</a></r>", "København"),
    ("build.log", "\u{1b}[1mzebrafish\u{1b}[0m: \u{1b}[31mfailed\u{1b}[m\n", "zebrafish"),
    ("main.py", "GREETING = \"\\u017blobek\"\nRAW = b\"\\xc5\\xbcaba\"\n", "żaba"),
    ("paths.txt", r"Copied to C:\new\narwhal\table by hand.", "narwhal"),
];

#[test]
fn words_behind_escapes_are_found_and_quoted_as_the_file_has_them() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    for (name, text, _) in ESCAPED {
        fs_err::write(folder.path().join(name), text).unwrap();
    }
    pincite.index(folder.path());
    for (name, text, word) in ESCAPED {
        let reply = pincite.run(&["search", word, "--mode", "lexical", "--json"]).json();
        let hits = reply["hits"].as_array().unwrap();
        assert_eq!(hits.len(), 1, "{word}: {reply:#}");
        let citation = &hits[0]["citation"];
        assert_eq!(citation["path"], name, "{word}");
        assert!(text.contains(citation["quote"].as_str().unwrap()), "{citation:#}");
        let (code, verdict) = pincite.verify(citation);
        assert_eq!((code, &verdict["verdict"]), (0, &"valid".into()), "{verdict}");
    }
}
