//! Questions about time and the whole: the files in scope are those of the log, each is accounted for, and results repeat.

use pincite::engine::{Caller, Surface};
use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::Pincite;
use crate::fixtures;
use crate::indexed::named;
use crate::line::until;
use crate::writes::{Server, code};

/// Thursday evening. Some files of the fixtures are newer.
const NOW: &str = "2026-11-19T20:00:00Z";

/// The fixtures with their times, indexed, with the program.
struct Desk {
    pincite: Pincite,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let (pincite, folder) = (Pincite::words_alone(), fixtures::workspace_copy());
        pincite.index(folder.path());
        Self { pincite, folder }
    }

    #[track_caller]
    fn ask(&self, question: &str, more: &[&str]) -> Value {
        let arguments = [&["ask", question, "--json", "--now", NOW, "--time-zone", "UTC"], more].concat();
        let ran = self.pincite.run(&arguments);
        assert!(ran.code == 0 || ran.code == 1, "{}", ran.err);
        ran.json()
    }

    /// Checks every citation against the files as they are.
    #[track_caller]
    fn verify(&self, reply: &Value) {
        for citation in reply["citations"].as_array().unwrap().iter().take(6) {
            self.verify_one(citation);
        }
    }

    #[track_caller]
    fn verify_one(&self, citation: &Value) {
        assert_eq!(self.pincite.verify(citation).1["verdict"], "valid", "{citation}");
    }

    /// What a person reads, and the notes beside it.
    #[track_caller]
    fn read(&self, question: &str, more: &[&str]) -> (String, String) {
        let ran = self.pincite.run(&[&["ask", question, "--now", NOW, "--time-zone", "UTC"], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        (ran.out, ran.err)
    }
}

/// Every file that a digest lists, in its order, with its JSON.
#[track_caller]
fn listed(reply: &Value) -> Vec<(String, &Value)> {
    let groups = reply["digest"]["groups"].as_array().unwrap_or_else(|| panic!("no digest: {reply:#}"));
    let files = groups.iter().flat_map(|group| group["files"].as_array().unwrap());
    let listed: Vec<(String, &Value)> = files.map(|file| (file["path"].as_str().unwrap().to_owned(), file)).collect();
    assert_eq!(reply["digest"]["num_files"], listed.len(), "each file is listed once");
    let sizes: u64 = groups.iter().map(|group| group["num_files"].as_u64().unwrap()).sum();
    assert_eq!(reply["digest"]["num_files"], sizes);
    // As times: `.48Z` is older than `.487Z`, and greater as a text.
    let newest: Vec<Timestamp> =
        groups.iter().map(|group| group["newest"].as_str().unwrap().parse().unwrap()).collect();
    assert!(newest.is_sorted_by(|one, next| one >= next), "{newest:?}");
    listed
}

/// The files of the fixtures that were changed from one time on and before another.
fn changed(since: &str, until: &str) -> BTreeSet<String> {
    let at = |time: &str| time.parse::<Timestamp>().unwrap();
    let times: BTreeMap<_, _> = fixtures::times();
    let is_within = |time: &std::time::SystemTime| {
        let time = Timestamp::try_from(*time).unwrap();
        at(since) <= time && time < at(until)
    };
    indexed(times.iter().filter(|(_, time)| is_within(time)).map(|(path, _)| path.to_string()))
}

/// Those that no ignore file of the fixtures names.
fn indexed(paths: impl Iterator<Item = String>) -> BTreeSet<String> {
    paths.filter(|path| !path.starts_with("scratch/") && !path.starts_with('.')).collect()
}

#[test]
fn recent_outputs_are_all_files_of_the_last_week_each_with_cited_sentences() {
    let desk = Desk::new();
    let reply = desk.ask("summarize recent outputs", &[]);
    assert_eq!(reply["plan"]["kind"], "recent");
    let files = listed(&reply);
    let paths: BTreeSet<String> = files.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(paths, changed("2026-11-12T20:00:00Z", NOW));
    let (sentences, citations) = (reply["sentences"].as_array().unwrap(), reply["citations"].as_array().unwrap());
    let mut quoted = Vec::new();
    let mut num_told = 0;
    for (path, file) in &files {
        for position in file["about"]["citations"].as_array().into_iter().flatten() {
            let citation = &citations[usize::try_from(position.as_u64().unwrap()).unwrap()];
            let is_former = citation["path"] != json!(path);
            assert!(!is_former || file["about"]["text"].as_str().unwrap().contains(citation["path"].as_str().unwrap()));
            num_told += 1;
        }
        for position in file["sentences"].as_array().into_iter().flatten() {
            let sentence = &sentences[usize::try_from(position.as_u64().unwrap()).unwrap()];
            let citation = &citations[usize::try_from(sentence["citations"][0].as_u64().unwrap()).unwrap()];
            assert_eq!((&citation["path"], &citation["quote"]), (&json!(path), &sentence["text"]));
            quoted.push(position.as_u64().unwrap());
        }
    }
    let all: Vec<u64> = (0..sentences.len() as u64).collect();
    assert_eq!(quoted, all, "every sentence is of a file, and they stand in the order of the files");
    assert!(sentences.len() >= 8 && num_told >= 10, "{} {num_told}", sentences.len());
    let results = files.iter().find(|(path, _)| path.ends_with("bench-08/results.json")).unwrap().1;
    let line = results["about"]["text"].as_str().unwrap();
    assert!(line.contains("ack_ms.p99 11.8, changed from 12.6"), "{line}");
    assert!(line.contains("`runs/2026-10-28-bench-05/results.json`"), "{line}");
    for citation in results["about"]["citations"].as_array().unwrap() {
        desk.verify_one(&citations[usize::try_from(citation.as_u64().unwrap()).unwrap()]);
    }
    desk.verify(&reply);
    assert_eq!(
        desk.ask("summarize recent outputs", &[]),
        reply,
        "the same question at the same time has the same answer"
    );

    let since_monday = desk.ask("What changed since Monday?", &[]);
    let paths: BTreeSet<String> = listed(&since_monday).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, changed("2026-11-16T00:00:00Z", NOW));
    let few = desk.ask("What changed since Monday?", &["--max-files", "2"]);
    assert_eq!(
        (&few["digest"]["num_quoted"], &few["digest"]["num_files"]),
        (&json!(2), &since_monday["digest"]["num_files"])
    );
}

#[test]
fn the_last_run_is_asked_on_a_topic_and_shown_where_it_says_nothing_on_it() {
    let desk = Desk::new();
    let reply = desk.ask("What did the last run say about the backlog of a station?", &[]);
    let files = listed(&reply);
    assert!(files.iter().all(|(path, _)| path.starts_with("runs/2026-11-18-bench-08/")), "{files:?}");
    assert!(reply["plan"]["notes"][0].as_str().unwrap().contains("bench-08"));
    assert!(
        reply["sentences"].as_array().unwrap().iter().any(|one| one["text"].as_str().unwrap().contains("1,340")),
        "{reply:#}"
    );
    desk.verify(&reply);

    let nothing = desk.ask("What did the last run say about zebras?", &[]);
    assert_eq!((&nothing["abstained"], &nothing["plan"]["topic"]), (&json!(true), &json!("zebras")));
    assert_eq!(listed(&nothing).len(), files.len(), "what there is, is shown");
    assert!(nothing["reason"].as_str().unwrap().contains("files in scope were searched"));
}

#[test]
fn the_whole_is_every_file_with_the_reason_where_nothing_is_quoted() {
    let desk = Desk::new();
    let reply = desk.ask("What is in here?", &[]);
    assert_eq!(reply["plan"]["kind"], "overview");
    let files: BTreeMap<String, &Value> = listed(&reply).into_iter().collect();
    let all = indexed(fixtures::times().keys().map(ToString::to_string));
    assert_eq!(files.keys().cloned().collect::<BTreeSet<_>>(), all);
    for (path, note) in [("notes/empty.txt", "it holds no text"), ("reports/pilot-week-2-scan.pdf", "damaged")] {
        assert!(files[path]["note"].as_str().unwrap().contains(note), "{}", files[path]);
    }
    let plans = desk.ask("summarize the plans", &[]);
    assert!(listed(&plans).iter().all(|(path, _)| path.starts_with("plans/")), "{plans:#}");

    let forced = desk.ask("What is in here?", &["--plan", "retrieval"]);
    assert_eq!((&forced["plan"]["kind"], &forced["digest"]), (&json!("retrieval"), &Value::Null));
    let german = desk.ask("Was gibt es Neues?", &["--plan", "recent"]);
    assert_eq!(german["plan"]["why"], "the request asks for it");
    let text = desk.pincite.run(&["ask", "summarize the plans", "--now", NOW, "--time-zone", "UTC"]);
    assert!(text.out.contains("; times in UTC") && text.err.contains("plan: overview"), "{}{}", text.out, text.err);
    fs_err::remove_file(desk.folder.path().join("notes/ideas.txt")).unwrap();
    desk.pincite.index(desk.folder.path());
    assert_eq!(
        listed(&desk.ask("What is in here?", &[])).len(),
        files.len() - 1,
        "what is deleted is no part of the whole"
    );
}

#[test]
fn a_person_gets_a_screen_with_prose_first_and_is_told_how_to_see_the_rest() {
    let desk = Desk::new();
    for question in ["summarize recent outputs", "What is in here?", "What did bench do?"] {
        let (screen, notes) = desk.read(question, &[]);
        assert!(screen.lines().count() <= 42, "{screen}");
        assert!(screen.contains("`--all` shows them"), "{screen}");
        let (all, _) = desk.read(question, &["--all"]);
        assert!(all.lines().count() > screen.lines().count() && !all.contains("`--all`"), "{all}");
        let is_on_all = question.contains("here");
        assert_eq!(notes.contains("of a type that is not read"), is_on_all, "{notes}");
    }
    let (whole, _) = desk.read("What is in here?", &[]);
    let position = |words: &str| whole.find(words).unwrap_or_else(|| panic!("no {words}: {whole}"));
    assert!(
        position("runs/ ") < position("README.md") && position("Brackwater takes measurements") < position("weekly.md")
    );
    assert!(whole.contains("It replaces the batch importer"), "the README's own first sentences: {whole}");
    let (recent, _) = desk.read("What did bench produce yesterday?", &[]);
    assert!(recent.contains("events.jsonl") && !recent.contains("coder-05"), "{recent}");
}

#[test]
fn what_somebody_did_is_told_from_the_folders_of_runs_without_a_word_of_time() {
    let desk = Desk::new();
    for (question, places, num_files) in [
        ("What did scout do in October?", &["scout-01", "scout-02"][..], 4),
        ("What did coder do last?", &["coder-05"], 2),
        ("What has scout done so far?", &["scout-01", "scout-02", "scout-04"], 5),
    ] {
        let reply = desk.ask(question, &[]);
        let files = listed(&reply);
        assert_eq!(reply["plan"]["kind"], "recent", "{question}");
        assert_eq!(files.len(), num_files, "{question}: {files:?}");
        assert!(files.iter().all(|(path, _)| places.iter().any(|place| path.contains(place))), "{question}: {files:?}");
        assert!(reply["plan"]["why"].as_str().unwrap().contains("folders of its runs"), "{}", reply["plan"]);
    }
    let nobody = desk.ask("What did run an-99 do?", &[]);
    assert_eq!((&nobody["abstained"], &nobody["digest"]), (&json!(true), &Value::Null), "{nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_today_is_grouped_by_run_and_tells_of_what_was_deleted() {
    let server = Server::running();
    let by = |agent, run| [("pincite-agent", agent), ("pincite-run", run)];
    server.put("a.md", "# Keel\n\nThe lighthouse of Skarv is forty metres high.", &by("ann", "r1")).await;
    server.put("b.md", "# Mast\n\nThe windmill of Skarv was painted red in May.", &by("bob", "r2")).await;
    server.put("c.md", "# Hull\n\nThe ferry to Skarv leaves at nine every day.", &by("ann", "r1")).await;
    let (_, last) = server.delete("b.md", &by("ann", "r3")).await;
    let workspace = named("default");
    until("all is read", || {
        server.desk.engine.workspace(&workspace, &Caller::local(Surface::CommandLine)).unwrap().freshness().unwrap().1
            == 0
    });
    let ask = |more: Value| {
        let mut request = json!({ "min_revision": last["revision"], "wait_ms": 60_000, "time_zone": "UTC" });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let (_, reply) = server.post("ask", ask(json!({ "question": "what changed today?" }))).await;
    assert_eq!((&reply["plan"]["kind"], &reply["digest"]["group_by"]), (&json!("recent"), &json!("run")));
    let files: BTreeMap<String, &Value> = listed(&reply).into_iter().collect();
    assert_eq!(files.len(), 3);
    assert_eq!((&files["b.md"]["change"], &files["b.md"]["provenance"]["run"]), (&json!("deleted"), &json!("r3")));
    assert_eq!(files["a.md"]["provenance"]["agent"], "ann");
    let provenance = &reply["citations"][0]["provenance"];
    assert_eq!(provenance["agent"], "ann", "a citation names the writer: {reply:#}");
    assert!(!reply["sentences"].to_string().contains("windmill"), "what is deleted is not quoted");

    let filtered = ask(json!({ "question": "what changed today?", "filters": { "run": ["r1"] } }));
    let (_, reply) = server.post("ask", filtered).await;
    assert_eq!(listed(&reply).iter().map(|(path, _)| path.as_str()).collect::<BTreeSet<_>>(), ["a.md", "c.md"].into());
    let (_, reply) = server.post("ask", ask(json!({ "question": "summarize what r1 has written" }))).await;
    assert_eq!((listed(&reply).len(), &reply["plan"]["names"]), (2, &json!(["r1"])));
    let yesterday = ask(json!({ "question": "what changed yesterday?", "now": "2020-01-01T00:00:00Z" }));
    let (_, reply) = server.post("ask", yesterday).await;
    assert_eq!((&reply["abstained"], &reply["abstention"]), (&json!(true), &json!("nothing_in_scope")));

    for (wrong, status) in [
        (json!({ "time_zone": "Mars/Olympus" }), 400),
        (json!({ "max_files": 0 }), 400),
        (json!({ "plan": "everything" }), 422),
    ] {
        let mut request = json!({ "question": "what changed today?" });
        request.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(code(&server.post("ask", request).await).0, status, "{wrong}");
    }
    assert_eq!(server.send(Method::GET, "ask", &[], Vec::new()).await.0, 405);
}
