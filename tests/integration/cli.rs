//! The program as a person or a script runs it: arguments in, output and exit code out.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fixtures;
use crate::indexed::runtime_folder;

/// What a run of the program left behind.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// A data folder and the program.
pub struct Pincite {
    pub data: tempfile::TempDir,
    can_embed: bool,
}

impl Pincite {
    pub fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap(), can_embed: true }
    }

    /// Without ONNX Runtime, and without the means to fetch one.
    pub fn words_alone() -> Self {
        Self { can_embed: false, ..Self::new() }
    }

    /// The program with these arguments, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pincite"));
        command.args(arguments).stdin(Stdio::null());
        command
            .env_remove("PINCITE_LOG")
            .env_remove("PINCITE_ANSWER_API_KEY")
            .env_remove("PINCITE_URL")
            .env_remove("PINCITE_API_KEY")
            .env_remove("PINCITE_CA_FILE")
            .env("PINCITE_DATA_DIR", self.data.path());
        if self.can_embed {
            command.env("PINCITE_RUNTIME_DIR", runtime_folder());
        } else {
            command.env("PINCITE_RUNTIME_DIR", self.data.path().join("none")).env("PINCITE_OFFLINE", "1");
            command.env_remove("ORT_DYLIB_PATH");
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    #[track_caller]
    pub fn index(&self, folder: &Path) -> Value {
        let ran = self.run(&["index", folder.to_str().unwrap(), "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()
    }

    /// Checks a citation with `pincite verify`.
    #[track_caller]
    pub fn verify(&self, citation: &Value) -> (i32, Value) {
        let file = self.data.path().join("citation.json");
        fs_err::write(&file, citation.to_string()).unwrap();
        let ran = self.run(&["verify", file.to_str().unwrap(), "--json"]);
        (ran.code, ran.json())
    }
}

#[test]
fn every_sentence_of_an_answer_is_a_citation_that_holds() {
    let (pincite, folder) = (Pincite::new(), fixtures::workspace_copy());
    let question = "How long was the gateway down on 2 November?";
    let asked = pincite.run(&["ask", question, "--path", folder.path().to_str().unwrap(), "--json"]);
    assert_eq!(asked.code, 0, "{}", asked.err);
    let reply = asked.json();
    let sentences = reply["sentences"].as_array().unwrap();
    assert!(sentences.iter().any(|sentence| sentence["text"].as_str().unwrap().contains("37 minutes")), "{reply:#}");
    for sentence in sentences {
        for index in sentence["citations"].as_array().unwrap() {
            let citation = &reply["citations"][usize::try_from(index.as_u64().unwrap()).unwrap()];
            assert_eq!(citation["quote"], sentence["text"]);
            let (code, verified) = pincite.verify(citation);
            assert_eq!((code, verified["verdict"].as_str().unwrap()), (0, "valid"), "{citation:#}");
        }
    }
    let again = pincite.run(&["ask", question, "--json"]);
    assert_eq!(again.json(), reply, "the same question has the same answer");
}

#[test]
fn only_what_changed_is_embedded_again() {
    let (pincite, folder) = (Pincite::new(), tempfile::tempdir().unwrap());
    let paragraph = |number: u32| format!("Paragraph {number} tells of lighthouse {number}. ").repeat(12);
    let text = |changed: &str| -> String {
        let part = |n| if n == 7 { changed.to_owned() } else { paragraph(n) };
        (0..20).map(|n| ["## Part ", &n.to_string(), "\n\n", &part(n), "\n\n"].concat()).collect()
    };
    fs_err::write(folder.path().join("a.md"), text(&paragraph(7))).unwrap();
    let first = pincite.index(folder.path());
    let num_chunks = first["chunks"].as_u64().unwrap();
    assert!(num_chunks >= 10, "{first:#}");
    assert_eq!(first["embedded"], first["chunks"]);

    let unchanged = pincite.index(folder.path());
    assert_eq!((&unchanged["indexed"], &unchanged["embedded"]), (&0.into(), &0.into()));

    fs_err::write(folder.path().join("a.md"), text("The seventh keeper kept bees and sold honey in May.")).unwrap();
    let edited = pincite.index(folder.path());
    let num_embedded = edited["embedded"].as_u64().unwrap();
    assert!((1..=3).contains(&num_embedded), "of {num_chunks} chunks {num_embedded} were embedded again");

    fs_err::rename(folder.path().join("a.md"), folder.path().join("b.md")).unwrap();
    let renamed = pincite.index(folder.path());
    assert_eq!((&renamed["created"], &renamed["deleted"]), (&1.into(), &1.into()));
    assert_eq!(renamed["embedded"], 0);
    let hits = pincite.run(&["search", "who sold honey", "--json"]).json();
    assert_eq!(hits["hits"][0]["citation"]["path"], "b.md");
    assert_eq!(hits["coverage"]["embedded_fraction"], 1.0);
}

#[test]
fn a_citation_is_followed_through_edits_and_deletion() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let file = folder.path().join("log.txt");
    fs_err::write(&file, "The pump stopped at noon.\n").unwrap();
    pincite.index(folder.path());
    let citation = pincite.run(&["search", "pump", "--json"]).json()["hits"][0]["citation"].clone();
    let verdict = |pincite: &Pincite| {
        let (code, verified) = pincite.verify(&citation);
        (code, verified["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(verdict(&pincite), (0, "valid".to_owned()));
    fs_err::write(&file, "First a storm.\nThe pump stopped at noon.\n").unwrap();
    assert_eq!(verdict(&pincite), (0, "moved".to_owned()));
    fs_err::write(&file, "First a storm.\nThe pump went on.\n").unwrap();
    assert_eq!(verdict(&pincite), (1, "changed".to_owned()));
    fs_err::remove_file(&file).unwrap();
    assert_eq!(verdict(&pincite), (1, "deleted".to_owned()));
}

#[test]
fn a_deleted_file_is_found_by_neither_leg_any_more() {
    let (pincite, folder) = (Pincite::new(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("gone.md"), "The quick heron nests in the reeds by the mill.").unwrap();
    fs_err::write(folder.path().join("stays.md"), "Invoices are paid within thirty days.").unwrap();
    pincite.index(folder.path());
    fs_err::remove_file(folder.path().join("gone.md")).unwrap();
    pincite.index(folder.path());
    for mode in ["lexical", "dense", "hybrid"] {
        let found = pincite.run(&["search", "heron nests in the reeds", "--mode", mode, "--json"]);
        assert!(!found.out.contains("heron"), "{mode}: {}", found.out);
    }
}

#[test]
fn without_a_runtime_words_are_searched_and_every_reply_says_so() {
    let (pincite, folder) = (Pincite::words_alone(), fixtures::workspace_copy());
    let indexed = pincite.index(folder.path());
    assert_eq!(indexed["embedded"], 0);
    let found = pincite.run(&["search", "gateway outage November", "--json"]);
    let reply = found.json();
    assert_eq!(found.code, 0);
    assert!(!reply["hits"].as_array().unwrap().is_empty());
    assert_eq!(reply["coverage"]["embedded_fraction"], 0.0);
    let notes = reply["coverage"]["notes"].to_string();
    assert!(notes.contains("words alone"), "{notes}");
    let status = pincite.run(&["status", "--json"]).json();
    assert_eq!(status["model"]["runs"], false);
    assert_eq!(found.err.matches("no vectors").count(), 1, "once in the log: {}", found.err);
    let dense = pincite.run(&["search", "gateway", "--mode", "dense"]);
    assert_eq!(dense.code, 2);
    assert!(dense.err.contains("hint:"), "{}", dense.err);
}

#[test]
fn wrong_use_is_refused_with_a_hint_and_code_2() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let nothing_yet = pincite.run(&["search", "anything"]);
    assert_eq!(nothing_yet.code, 2);
    assert!(nothing_yet.err.contains("hint: index a folder first"), "{}", nothing_yet.err);
    fs_err::write(folder.path().join("a.txt"), "Some words that can be found.").unwrap();
    pincite.index(folder.path());
    let file = folder.path().join("a.txt");
    let long = "a".repeat(40_000);
    let wrong: [&[&str]; 12] = [
        &["index", "/does/not/exist"],
        &["index", file.to_str().unwrap()],
        &["search", " "],
        &["search", &long],
        &["search", "words", "-k", "0"],
        &["search", "words", "--type", "docxx"],
        &["search", "words", "--glob", "[a"],
        &["search", "words", "--min-revision", "999"],
        &["search", "words", "--workspace", "other"],
        &["ask", "words", "--max-sentences", "0"],
        &["verify", file.to_str().unwrap()],
        &["eval", folder.path().to_str().unwrap()],
    ];
    for arguments in wrong {
        let ran = pincite.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.starts_with("error: ") && !ran.err.contains("panicked"), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("hint: ") || arguments[0] == "verify", "{arguments:?}: {}", ran.err);
    }
    assert_eq!(pincite.run(&["search", "zebra"]).code, 1, "nothing found");
}

#[test]
fn query_syntax_is_words_and_never_an_error() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.txt"), "The title field holds the name of the ship.").unwrap();
    pincite.index(folder.path());
    for query in [
        "title:ship AND (",
        "\"ship",
        "ship^2 ~ * ? \\ / [a TO b} {",
        "+ship -nobody",
        "-- ship",
        "シップ ship",
        "'; DROP TABLE files;-- ship",
    ] {
        let ran = pincite.run(&["search", "--", query]);
        assert_eq!(ran.code, 0, "{query}: {}{}", ran.out, ran.err);
    }
    let ran = pincite.run(&["search", "--", "ship -name"]);
    assert_eq!(ran.code, 1, "the only passage has the word that is to be left out: {}{}", ran.out, ran.err);
}

#[test]
fn facets_that_are_asked_for_are_told_also_where_nobody_said_anything() {
    let folder = fixtures::workspace_copy();
    let pincite = Pincite::words_alone();
    pincite.index(folder.path());
    for asked in [&["search", "gateway"][..], &["ask", "gateway"], &["ask", "what is in here?"], &["changes"]] {
        let told = "nobody said who wrote these files";
        assert!(!pincite.run(asked).out.contains(told), "{asked:?}");
        let ran = pincite.run(&[asked, &["--facets"]].concat());
        assert!(ran.out.lines().any(|line| line == told), "{asked:?}: {}{}", ran.out, ran.err);
    }
    let found = pincite.run(&["search", "gateway", "--facets"]);
    for kind in ["type: markdown ", "folder: ", "modified: "] {
        assert!(found.out.lines().any(|line| line.starts_with(kind)), "{}", found.out);
    }
}

#[test]
fn damaged_postings_are_refused_by_readers_and_built_again_by_the_next_index() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.txt"), "The anchor held through the night.").unwrap();
    pincite.index(folder.path());
    let postings = pincite.data.path().join("workspaces/default/postings");
    fs_err::write(postings.join("meta.json"), "{ this was not written by us").unwrap();
    let refused = pincite.run(&["search", "anchor"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("hint: run `pincite index"), "{}", refused.err);
    let rebuilt = pincite.index(folder.path());
    assert_eq!(rebuilt["indexed"], 1);
    assert_eq!(pincite.run(&["search", "anchor"]).code, 0);
}

#[test]
fn one_bad_file_hurts_only_itself() {
    let (pincite, folder) = (Pincite::words_alone(), fixtures::workspace_copy());
    let indexed = pincite.index(folder.path());
    let coverage = &indexed["coverage"];
    for state in ["failed", "empty", "unsupported"] {
        assert!(coverage[state].as_u64().unwrap() >= 1, "{state}: {coverage:#}");
    }
    assert!(coverage["ready"].as_u64().unwrap() > 50);
    let status = pincite.run(&["status", "--json"]).json();
    for groups in status["not_ready"].as_object().unwrap().values() {
        for group in groups.as_array().unwrap() {
            assert!(!group["reason"].as_str().unwrap().is_empty(), "{group:#}");
            assert!(group["files"].as_array().unwrap().iter().all(|file| file["reason"] == group["reason"]));
        }
    }
    let strict = pincite.run(&["index", folder.path().to_str().unwrap(), "--strict"]);
    assert_eq!(strict.code, 1);
    let ignored = pincite.run(&["search", "zanthoxylum-8841", "--mode", "lexical"]);
    assert!(!ignored.out.contains("zanthoxylum-8841"), "an ignored file was found: {}", ignored.out);
}
