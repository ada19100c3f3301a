//! The tools, called by the official Python client: over HTTP and over standard input and output, in both styles of the
//! protocol (the initialize handshake, and requests that each stand alone).

use pincite::engine::{Caller, Surface};
use std::path::Path;

use pincite::search::SearchRequest;
use pincite::serve::Options;
use serde_json::{Value, json};

use crate::indexed::{self, SECRET, named, runtime_folder, shared};
use crate::python;
use crate::sockets::Running;

const POSTMORTEM: &str = "runs/2026-11-03-coder-03/postmortem.md";
const QUESTION: &str = "How long was the gateway down on 2 November?";

/// What `mcp_client.py` prints.
#[derive(Debug, serde::Deserialize)]
struct Seen {
    protocol_version: String,
    server: Option<Value>,
    instructions: Option<String>,
    tools: Vec<Value>,
    results: Vec<Value>,
}

/// Calls that a test makes, and what to expect of each result.
#[derive(Default)]
struct Plan {
    calls: Vec<Value>,
}

impl Plan {
    fn call(mut self, name: &str, arguments: &Value) -> Self {
        self.calls.push(json!({ "name": name, "arguments": arguments }));
        self
    }

    /// Runs the plan against `server`, a `url` or a `command`, and checks what holds for every result.
    async fn run(self, mut server: Value, mode: &str) -> Seen {
        server["mode"] = json!(mode);
        server["calls"] = Value::from(self.calls);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), server.to_string()).unwrap();
        let print = move || python::run("mcp_client.py", &[file.path()]);
        let seen: Seen = serde_json::from_str(&tokio::task::spawn_blocking(print).await.unwrap()).unwrap();
        for result in seen.results.iter().filter(|result| result["protocol_error"].is_null()) {
            assert_eq!(result["schema_error"], Value::Null, "structured content and schema differ: {result}");
            assert_eq!(result["_meta"]["pincite/untrusted_content"], true, "{result}");
            let items = result["content"].as_array().unwrap();
            assert_eq!((items.len(), &items[0]["type"]), (1, &json!("text")));
            let text: Value = serde_json::from_str(items[0]["text"].as_str().unwrap()).unwrap();
            assert_eq!(text, result["structuredContent"], "the text item is not the same JSON");
        }
        seen
    }
}

fn url(server: &Running, path: &str) -> Value {
    json!({ "url": format!("http://{}{path}", server.address) })
}

/// The content of a result that is no error.
#[track_caller]
fn content(result: &Value) -> &Value {
    assert_eq!(result["isError"], false, "{result}");
    &result["structuredContent"]
}

/// The code of a result that is an error.
#[track_caller]
fn code(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    let error = &result["structuredContent"]["error"];
    assert!(error["message"].is_string() && error["hint"].is_string(), "{result}");
    error["code"].as_str().unwrap()
}

#[track_caller]
fn assert_describes_itself(seen: &Seen, has_instructions: bool) {
    let names: Vec<_> = seen.tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let expected = [
        "search_workspace",
        "ask_workspace",
        "search",
        "fetch",
        "read_file",
        "list_files",
        "recent_changes",
        "verify_citation",
        "grep_files",
        "write_file",
        "edit_file",
        "move_file",
        "copy_file",
        "delete_file",
        "create_upload",
        "lock_file",
        "extend_lock",
        "unlock_file",
        "list_locks",
    ];
    assert_eq!(names, expected);
    for (tool, name) in seen.tools.iter().zip(names) {
        let only_reads = ![
            "write_file",
            "edit_file",
            "move_file",
            "copy_file",
            "delete_file",
            "create_upload",
            "lock_file",
            "extend_lock",
            "unlock_file",
        ]
        .contains(&name);
        assert_eq!(tool["annotations"]["readOnlyHint"], only_reads, "{tool}");
        assert_eq!((&tool["inputSchema"]["type"], &tool["outputSchema"]["type"]), (&json!("object"), &json!("object")));
        assert!(tool["description"].as_str().unwrap().len() > 40, "{tool}");
    }
    if has_instructions {
        assert_eq!(seen.server.as_ref().unwrap()["name"], "pincite");
        let instructions = seen.instructions.as_deref().unwrap();
        assert!(instructions.contains("untrusted") && instructions.contains("`default`"), "{instructions}");
    }
}

async fn every_tool_works_over_http(mode: &str, revision: &str) {
    let server = Running::start(Options::default()).await;
    let found = server
        .indexed
        .engine
        .workspace(&named("default"), &Caller::local(Surface::CommandLine))
        .unwrap()
        .search(&SearchRequest::new(QUESTION))
        .unwrap();
    let citation = &found.hits[0].citation;
    let passage = format!("{}#{}-{}", citation.path, citation.span.start, citation.span.end);
    let plan = Plan::default()
        .call("search", &json!({ "query": QUESTION }))
        .call("fetch", &json!({ "id": passage }))
        .call("fetch", &json!({ "id": POSTMORTEM }))
        .call(
            "search_workspace",
            &json!({ "query": QUESTION, "k": 2, "filters": { "type": ["markdown"] }, "explain": true }),
        )
        .call("ask_workspace", &json!({ "question": QUESTION }))
        .call("verify_citation", &json!({ "citation": citation }))
        .call("list_files", &json!({ "limit": 3, "offset": 1 }))
        .call("read_file", &json!({ "path": POSTMORTEM, "start": 172, "max_bytes": 73 }))
        .call("read_file", &json!({ "path": "reports/ravensholm-acceptance.pdf" }))
        .call("recent_changes", &json!({ "limit": 2 }));
    let seen = plan.run(url(&server, "/mcp"), mode).await;
    assert_eq!(seen.protocol_version, revision);
    // A client that takes a revision as given does not ask the server who it is.
    assert_describes_itself(&seen, mode != revision);

    let [search, fetched, whole, passages, answer, verified, list, part, pdf, changes] = &seen.results[..] else {
        panic!("{} results", seen.results.len());
    };
    let first = &content(search)["results"][0];
    assert_eq!(first["id"], passage.as_str());
    assert_eq!(first["url"], content(fetched)["url"], "a place has one url");
    assert!(first["url"].as_str().unwrap().starts_with(&format!("pincite://default/{POSTMORTEM}#L")), "{first}");
    assert_eq!(search["_meta"]["pincite/revision"], found.revision.0);
    assert_eq!(content(fetched)["text"], citation.quote.as_str());
    assert_eq!(content(fetched)["metadata"]["content_hash"], citation.content_hash.to_string());
    let on_disk = fs_err::read_to_string(server.indexed.folder.path().join(POSTMORTEM)).unwrap();
    assert_eq!(content(whole)["text"], on_disk.as_str());
    assert_eq!(content(passages)["hits"][0]["citation"]["path"], POSTMORTEM);
    assert_eq!(content(passages)["hits"].as_array().unwrap().len(), 2);
    assert!(content(passages)["notice"].as_str().unwrap().contains("untrusted"));
    assert_eq!(content(answer)["abstained"], false);
    assert_eq!(content(verified)["verdict"], "valid");
    assert_eq!((&content(list)["next_offset"], content(list)["files"].as_array().unwrap().len()), (&json!(4), 3));
    let part = content(part);
    assert_eq!(part["content"], "The gateway accepted nothing for **37 minutes**, from 03:12 to 03:49 UTC.");
    assert_eq!((&part["span"]["start"], &part["next_offset"]), (&json!(172), &json!(245)));
    assert_eq!(part["start_line"], on_disk[..172].matches('\n').count() + 1);
    assert_eq!(content(pdf)["pages"], json!([1, 4]));
    assert_eq!(content(changes)["changes"].as_array().unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn every_tool_works_over_http_after_a_handshake() {
    every_tool_works_over_http("legacy", "2025-11-25").await;
}

#[tokio::test]
async fn every_tool_works_over_http_after_a_discovery() {
    every_tool_works_over_http("auto", "2026-07-28").await;
}

#[tokio::test]
async fn every_tool_works_over_http_when_each_request_stands_alone() {
    every_tool_works_over_http("2026-07-28", "2026-07-28").await;
}

#[tokio::test]
async fn an_error_of_a_tool_is_a_result_that_a_model_can_read() {
    let server = Running::start(Options::default()).await;
    for mode in ["legacy", "2026-07-28"] {
        let wrong = [
            ("search_workspace", json!({ "query": "" }), "invalid_request"),
            ("search_workspace", json!({}), "invalid_arguments"),
            ("search_workspace", json!({ "query": "a", "workspace": "other" }), "invalid_arguments"),
            ("search_workspace", json!({ "query": "a", "min_revision": 999_999 }), "not_fresh"),
            ("ask_workspace", json!({ "question": "\n" }), "invalid_request"),
            ("search", json!({ "query": "a", "k": 3 }), "invalid_arguments"),
            ("fetch", json!({ "id": "no/such.md" }), "file_not_found"),
            ("fetch", json!({ "id": "../../etc/passwd" }), "invalid_path"),
            ("fetch", json!({ "id": format!("{POSTMORTEM}#10-99999999") }), "stale_id"),
            ("fetch", json!({ "id": format!("{POSTMORTEM}#20-10") }), "stale_id"),
            ("search_workspace", json!({ "query": "a", "k": 101 }), "invalid_request"),
            ("search_workspace", json!({ "query": "a", "k": 50, "offset": 51 }), "invalid_request"),
            ("read_file", json!({ "path": "../README.md" }), "invalid_path"),
            ("read_file", json!({ "path": "README.md", "start": 99_999_999 }), "out_of_range"),
            ("read_file", json!({ "path": "README.md", "max_bytes": 0 }), "invalid_request"),
            ("read_file", json!({ "path": "assets/wave-icon.png" }), "no_text"),
            ("list_files", json!({ "glob": "[" }), "invalid_request"),
            ("list_files", json!({ "limit": 1_001 }), "invalid_request"),
            ("recent_changes", json!({ "limit": "all" }), "invalid_arguments"),
            ("verify_citation", json!({ "citation": { "path": "README.md" } }), "invalid_arguments"),
        ];
        let mut plan = Plan::default().call("no_such_tool", &json!({}));
        for (name, arguments, _) in &wrong {
            plan = plan.call(name, arguments);
        }
        let seen = plan.run(url(&server, "/mcp"), mode).await;
        assert!(seen.results[0]["protocol_error"].as_str().unwrap().contains("no such tool"), "{}", seen.results[0]);
        for ((name, arguments, expected), result) in wrong.iter().zip(&seen.results[1..]) {
            assert_eq!(code(result), *expected, "{name} {arguments}: {result}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn one_endpoint_is_one_workspace() {
    let server = Running::start(Options::default()).await;
    let engine = &server.indexed.engine;
    let foreign = engine
        .workspace(&named("other"), &Caller::local(Surface::CommandLine))
        .unwrap()
        .search(&SearchRequest::new(SECRET))
        .unwrap()
        .hits[0]
        .citation
        .clone();

    let plan = Plan::default()
        .call("search_workspace", &json!({ "query": SECRET, "k": 100, "mode": "lexical" }))
        .call("verify_citation", &json!({ "citation": foreign }))
        .call("read_file", &json!({ "path": "secret.md" }));
    let seen = plan.run(url(&server, "/mcp"), "auto").await;
    assert!(!content(&seen.results[0]).to_string().contains("bollard"));
    assert_eq!((code(&seen.results[1]), code(&seen.results[2])), ("other_workspace", "file_not_found"));

    let plan = Plan::default().call("search_workspace", &json!({ "query": SECRET }));
    let seen = plan.run(url(&server, "/mcp/other"), "auto").await;
    assert!(content(&seen.results[0])["hits"][0]["text"].as_str().unwrap().contains("bollard"));
    server.stop().await;
}

#[tokio::test]
async fn a_long_text_is_fetched_part_by_part() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let text = "Diese Zeile ändert nichts.\n".repeat(3_000);
    fs_err::write(folder.path().join("long #1-2.txt"), &text).unwrap();
    let options = Options { address: ([127, 0, 0, 1], 0).into(), ..Options::default() };
    let engine = indexed::open(data.path());
    // It is listed from now on; nobody has read it yet.
    engine
        .workspace_at(&named("default"), folder.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .scan(&pincite::ingest::Silent)
        .unwrap();
    let server = pincite::serve::Server::bind(engine.into(), named("default"), options).await.unwrap();
    let address = server.address();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ended = tokio::spawn(server.run_until(async {
        let _ = stopped.await;
    }));

    let (mut id, mut joined, mut num_parts) = ("long #1-2.txt".to_owned(), String::new(), 0);
    loop {
        let plan = Plan::default().call("fetch", &json!({ "id": id }));
        let seen = plan.run(json!({ "url": format!("http://{address}/mcp") }), "auto").await;
        let document = content(&seen.results[0]);
        joined.push_str(document["text"].as_str().unwrap());
        num_parts += 1;
        match document["metadata"]["next_id"].as_str() {
            Some(next) => next.clone_into(&mut id),
            None => break,
        }
    }
    assert!(joined == text && num_parts == text.len().div_ceil(16 * 1024), "{num_parts} parts");
    stop.send(()).unwrap();
    ended.await.unwrap();
}

/// The most bytes that the text of a reply has, which is what a model reads of it.
const MAX_REPLY_BYTES: usize = 24 * 1024;

#[tokio::test]
async fn every_reply_over_hundreds_of_files_is_short_and_says_how_to_go_on() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for number in 0..300 {
        let path = folder.path().join(format!("runs/run-{:02}/a-long-name-of-a-report-{number:03}.md", number % 30));
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let sentence = |part: usize| {
            format!("Crane {number} lifted \"load {part}\" of {} tons over the quay by noon. ", part * number)
        };
        let text: String = (0..30).map(sentence).collect();
        fs_err::write(path, format!("# Report {number}\n\n{text}\n")).unwrap();
    }
    fs_err::write(folder.path().join("big.txt"), "A line with \"quotes\" and\ttabs.\n".repeat(4_000)).unwrap();
    let (data_folder, root) = (data.path().to_owned(), folder.path().to_owned());
    let indexed = tokio::task::spawn_blocking(move || {
        indexed::open(&data_folder)
            .workspace_at(&named("default"), &root, &Caller::local(Surface::CommandLine))
            .unwrap()
            .index(&pincite::ingest::Silent)
            .unwrap();
    });
    indexed.await.unwrap();
    let whole = folder.path().canonicalize().unwrap().join("big.txt");
    let plan = Plan::default()
        .call("search_workspace", &json!({ "query": "crane", "k": "100", "explain": true, "facets": true }))
        .call(
            "ask_workspace",
            &json!({ "question": "What is in here?", "max_files": 200, "max_sentences": 20, "facets": true }),
        )
        .call("ask_workspace", &json!({ "question": "Summarize recent outputs" }))
        .call("search", &json!({ "query": "crane" }))
        .call("fetch", &json!({ "id": "big.txt" }))
        .call("read_file", &json!({ "path": "./big.txt" }))
        .call("read_file", &json!({ "path": whole }))
        .call("list_files", &json!({ "limit": 1_000 }))
        .call("recent_changes", &json!({ "limit": 500 }));
    let seen = plan.run(program(data.path()), "auto").await;
    for result in &seen.results {
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.len() <= MAX_REPLY_BYTES, "{} bytes: {}", text.len(), &text[..200]);
        content(result);
    }
    assert!(serde_json::to_vec(&seen.tools).unwrap().len() <= 32 * 1024);
    let [passages, overview, _, _, fetched, part, absolute, list, changes] = &seen.results[..] else {
        panic!("{} results", seen.results.len());
    };
    let next = content(passages)["next_offset"].as_u64().unwrap();
    assert_eq!(content(passages)["hits"].as_array().unwrap().len() as u64, next);
    assert!(content(passages)["next"].as_str().unwrap().contains("`offset`"), "{passages}");
    assert!(content(overview)["next"].as_str().unwrap().contains("files"));
    assert!(content(fetched)["metadata"]["next_id"].is_string());
    assert_eq!(content(part)["text"], content(absolute)["text"]);
    let (num_listed, next) = (content(list)["files"].as_array().unwrap().len() as u64, &content(list)["next_offset"]);
    assert_eq!((num_listed, content(list)["total"].as_u64()), (next.as_u64().unwrap(), Some(301)));
    assert!(content(changes)["next"].as_str().unwrap().contains("older changes"));

    let plan = Plan::default()
        .call("search_workspace", &json!({ "query": "crane", "k": 5, "offset": content(passages)["next_offset"] }))
        .call("list_files", &json!({ "offset": next }));
    let seen = plan.run(program(data.path()), "auto").await;
    assert_eq!(content(&seen.results[0])["hits"][0]["rank"], content(passages)["next_offset"].as_u64().unwrap() + 1);
    assert_ne!(content(&seen.results[1])["files"][0], content(list)["files"][0]);
}

#[tokio::test]
async fn a_query_with_operators_says_how_it_was_read() {
    let server = Running::start(Options::default()).await;
    let plan = Plan::default()
        .call("search_workspace", &json!({ "query": "gatway path:runs/ type:markdown -kubernetes" }))
        .call("search_workspace", &json!({ "query": "type:foo before:yesterdayish gateway" }))
        .call("search_workspace", &json!({ "query": "type:pdf" }))
        .call("search", &json!({ "query": "gatway path:runs/" }));
    let seen = plan.run(url(&server, "/mcp"), "auto").await;
    let notes = |at: usize| content(&seen.results[at])["notes"].to_string();
    assert!(notes(0).contains("without `kubernetes`") && notes(0).contains("searched as `gateway`"), "{}", notes(0));
    let hits = content(&seen.results[0])["hits"].as_array().unwrap();
    assert!(!hits.is_empty() && hits.iter().all(|hit| hit["citation"]["path"].as_str().unwrap().starts_with("runs/")));
    assert!(notes(1).contains("no type `foo`") && notes(1).contains("not a date"), "{}", notes(1));
    let hits = content(&seen.results[2])["hits"].as_array().unwrap();
    let is_pdf = |hit: &Value| hit["citation"]["path"].as_str().unwrap().rsplit('.').next() == Some("pdf");
    assert!(!hits.is_empty() && hits.iter().all(is_pdf));
    assert!(notes(2).contains("no words to rank by"), "{}", notes(2));
    assert!(seen.results[3]["_meta"]["pincite/notes"].to_string().contains("`gateway`"), "{}", seen.results[3]);
    server.stop().await;
}

/// `pincite mcp` over a data folder, as a client starts it.
fn program(data_folder: &Path) -> Value {
    json!({
        "command": [env!("CARGO_BIN_EXE_pincite"), "mcp", "--data-dir", data_folder],
        "environment": { "PINCITE_RUNTIME_DIR": runtime_folder() },
    })
}

#[tokio::test]
async fn the_program_serves_over_standard_input_and_output() {
    // The program reads beside the engine that writes.
    let indexed = tokio::task::spawn_blocking(shared).await.unwrap();
    for (mode, revision) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
        let plan = Plan::default()
            .call("ask_workspace", &json!({ "question": QUESTION }))
            .call("search_workspace", &json!({ "query": "" }))
            .call("list_files", &json!({ "glob": "*.pdf" }));
        let seen = plan.run(program(indexed.data.path()), mode).await;
        assert_eq!(seen.protocol_version, revision);
        assert_describes_itself(&seen, true);
        assert_eq!(content(&seen.results[0])["abstained"], false, "{}", seen.results[0]);
        assert_eq!(code(&seen.results[1]), "invalid_request");
        assert_eq!(content(&seen.results[2])["total"], 2);
    }
}

#[tokio::test]
async fn files_are_written_edited_moved_and_locked_by_tools() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs_err::create_dir(folder.path().join("old")).unwrap();
    fs_err::write(folder.path().join("old/a.txt"), "The buoy is adrift.\n").unwrap();
    let mut server = program(data.path());
    server["command"].as_array_mut().unwrap().insert(2, json!(folder.path()));
    let text = "# Log\n\nThe pump is broken.\n";
    let plan = Plan::default()
        .call("write_file", &json!({ "path": "n.md", "content": text, "if_match": "absent", "agent": "coder-03", "wait_searchable_ms": 30_000 }))
        .call("write_file", &json!({ "path": "n.md", "content": "lost", "if_match": "absent" }))
        .call("edit_file", &json!({ "path": "./n.md", "edits": [{ "old_text": "broken", "new_text": "mended" }] }))
        .call("edit_file", &json!({ "path": "n.md", "edits": [{ "old_text": "brocken", "new_text": "" }] }))
        .call("edit_file", &json!({ "path": "n.md", "insert_after_heading": { "heading": "Log", "text": "- first" }, "dry_run": true }))
        .call("grep_files", &json!({ "pattern": "PUMP|buoy", "regex": true, "ignore_case": true }))
        .call("copy_file", &json!({ "from": "n.md", "to": "c.md" }))
        .call("move_file", &json!({ "from": "c.md", "to": "d/e.md" }))
        .call("lock_file", &json!({ "path": "n.md", "reason": "rewriting" }))
        .call("edit_file", &json!({ "path": "n.md", "append": "- late" }))
        .call("lock_file", &json!({ "path": "n.md", "wait_ms": 150 }))
        .call("list_locks", &json!({}))
        .call("unlock_file", &json!({ "lock_id": "none", "token": "lck_none" }))
        .call("extend_lock", &json!({ "lock_id": "none", "token": "lck_none" }))
        .call("delete_file", &json!({ "path": "d/e.md" }))
        .call("write_file", &json!({ "path": "../out.md", "content": "x" }))
        .call("write_file", &json!({ "path": "big.bin", "content_base64": "A".repeat(90_000) }));
    let seen = plan.run(server, "auto").await;
    let [
        written,
        conflict,
        edited,
        missed,
        trial,
        lines,
        copied,
        moved,
        lock,
        late,
        second,
        locks,
        unlocked,
        lost,
        deleted,
        outside,
        big,
    ] = &seen.results[..]
    else {
        panic!("{} results", seen.results.len());
    };
    assert_eq!(
        (&content(written)["kind"], &content(written)["searchable"]),
        (&json!("created"), &json!(true)),
        "{written}"
    );
    assert_eq!(code(conflict), "conflict");
    let told = &conflict["structuredContent"]["error"];
    assert_eq!((&told["current_etag"], &told["changed_by"]["agent"]), (&content(written)["etag"], &json!("coder-03")));
    assert!(content(edited)["diff"].as_str().unwrap().contains("+The pump is mended."), "{edited}");
    assert_eq!(code(missed), "no_match");
    assert!(content(trial).get("revision").is_none() && content(trial)["diff"].as_str().unwrap().contains("+- first"));
    let quotes: Vec<&Value> =
        content(lines)["matches"].as_array().unwrap().iter().map(|found| &found["citation"]["quote"]).collect();
    assert_eq!(quotes, ["The pump is mended.", "The buoy is adrift."]);
    assert_eq!(content(copied)["etag"], content(edited)["etag"]);
    assert_eq!(content(moved)["kind"], "renamed");
    assert!(content(lock)["token"].as_str().unwrap().starts_with("lck_") && content(lock)["fence"] == 1);
    assert_eq!((code(late), code(second)), ("locked", "locked"));
    assert_eq!(second["structuredContent"]["error"]["reason"], "rewriting");
    assert_eq!(content(locks)["locks"].as_array().unwrap().len(), 1);
    assert_eq!((&content(unlocked)["was_held"], code(lost)), (&json!(false), "lock_lost"));
    assert_eq!(content(deleted)["kind"], "deleted");
    assert_eq!((code(outside), code(big)), ("invalid_path", "invalid_request"));
    assert_eq!(fs_err::read_to_string(folder.path().join("n.md")).unwrap(), text.replace("broken", "mended"));
    assert!(!folder.path().join("d/e.md").exists() && !folder.path().join("c.md").exists());
}
