//! Two workspaces full of words that only one of them holds, asked for the other's in every way that there is.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use pincite::engine::{Caller, Surface};
use pincite::ingest::Silent;
use pincite::search::SearchRequest;
use serde_json::{Value, json};

use crate::cli::Pincite;
use crate::indexed::{self, named};
use crate::spaces::{router, send};
use tower::ServiceExt as _;

/// Each stands in names, titles, headings, texts, events and cells of one workspace.
const WORDS: [(&str, &str); 2] = [("left", "zanzibarquux"), ("right", "qwertyfjordal")];
const NUM_FILES: usize = 40;

/// Files of several formats that hold the word everywhere.
fn flood(folder: &std::path::Path, word: &str) {
    for number in 0..NUM_FILES {
        let (name, text) = match number % 4 {
            0 => ("md", format!("# Keel {word} {number}\n\n## Of {word}\n\nThe {word} crane lifts {number} tonnes.\n")),
            1 => ("txt", format!("The harbour of {word}, quay {number}, is closed at low tide.\n")),
            2 => ("csv", format!("name,value\n{word},{number}\nharbour {word},{number}\n")),
            _ => ("json", format!("{{\"{word}\": {{\"harbour\": \"{word} {number}\"}}}}\n")),
        };
        fs_err::write(folder.join(format!("{word}-{number}.{name}")), text).unwrap();
    }
    fs_err::write(folder.join("same.md"), format!("# The harbour\n\nOnly here: {word}.\n")).unwrap();
}

async fn call(router: &Router, name: &str, tool: &str, arguments: &Value) -> String {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
    let request = Request::builder().method(Method::POST).uri(format!("/mcp/{name}")).header(header::HOST, "localhost");
    let request = request.header(header::CONTENT_TYPE, "application/json").header("mcp-protocol-version", "2025-11-25");
    let request = request.header(header::ACCEPT, "application/json, text/event-stream");
    let response = router.clone().oneshot(request.body(Body::from(call.to_string())).unwrap()).await.unwrap();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let reply = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(reply.contains("structuredContent"), "{tool} {arguments}: {reply}");
    reply
}

/// What a reply says besides what it was asked: errors repeat the question.
#[track_caller]
fn assert_clean(reply: &str, foreign: &str, what: &str) {
    assert!(!reply.contains(foreign), "{what} shows `{foreign}`: {reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_one_workspace_is_seen_from_another_in_any_way() {
    let pincite = Pincite::words_alone();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let engine = std::sync::Arc::new(indexed::open(pincite.data.path()));
    for ((name, word), folder) in WORDS.iter().zip(&folders) {
        flood(folder.path(), word);
        engine
            .workspace_at(&named(name), folder.path(), &Caller::local(Surface::CommandLine))
            .unwrap()
            .index(&Silent)
            .unwrap();
    }
    let rest = router(&engine);
    for ((name, own), (other, foreign)) in [(WORDS[0], WORDS[1]), (WORDS[1], WORDS[0])] {
        let uri = format!("/v1/workspaces/{name}");
        let queries = [foreign.to_owned(), format!("{foreign} harbour crane"), "harbour".to_owned(), "\"".to_owned()];
        let filters = [
            json!({}),
            json!({ "path": ["**"] }),
            json!({ "path": [format!("*{foreign}*")] }),
            json!({ "path": [format!("../{other}/**")] }),
            json!({ "type": ["markdown", "csv", "json", "text"] }),
            json!({ "modified_after": "1970-01-01T00:00:00Z", "modified_before": "2999-01-01T00:00:00Z" }),
        ];
        for query in &queries {
            for filters in &filters {
                for mode in ["lexical", "dense", "hybrid"] {
                    for fusion in ["convex", "rrf"] {
                        let body = json!({ "query": query, "mode": mode, "fusion": fusion, "k": 100, "explain": true, "filters": filters });
                        let (status, reply) = send(&rest, Method::POST, &format!("{uri}/search"), Some(body)).await;
                        // A glob that leads out is refused, in its own words.
                        let leads_out = filters.to_string().contains("..");
                        assert_eq!(status == 200, !leads_out, "{reply}");
                        assert_clean(&reply.to_string(), foreign, "a search");
                    }
                }
                let body = json!({ "question": query, "filters": filters });
                let (_, reply) = send(&rest, Method::POST, &format!("{uri}/ask"), Some(body)).await;
                // The reason of an abstention names what was asked for.
                assert_clean(&json!([reply["sentences"], reply["citations"]]).to_string(), foreign, "an answer");
            }
        }
        let found = send(&rest, Method::POST, &format!("{uri}/search"), Some(json!({ "query": own }))).await.1;
        assert!(!found["hits"].as_array().unwrap().is_empty(), "it finds its own");

        let citation = &engine
            .workspace(&named(other), &Caller::local(Surface::CommandLine))
            .unwrap()
            .search(&SearchRequest::new(foreign))
            .unwrap()
            .hits[0]
            .citation;
        let foreign_file = citation.path.as_str();
        let mut renamed = serde_json::to_value(citation).unwrap();
        renamed["workspace"] = json!(name);
        let stolen = json!({ "citation": citation });
        let verify = format!("{uri}/citations/verify");
        assert_eq!(send(&rest, Method::POST, &verify, Some(stolen)).await.1["error"]["code"], "other_workspace");
        let (_, verdict) = send(&rest, Method::POST, &verify, Some(json!({ "citation": &renamed }))).await;
        assert_eq!(verdict["verdict"], "deleted", "as of any file that is not there: {verdict}");
        for path in [foreign_file.to_owned(), format!("..%2F{other}%2F{foreign_file}")] {
            let (status, _) = send(&rest, Method::GET, &format!("{uri}/files/{path}"), None).await;
            assert!(matches!(status, 400 | 404), "{path}: {status}");
            assert!(matches!(send(&rest, Method::DELETE, &format!("{uri}/files/{path}"), None).await.0, 400 | 404));
        }
        let own_hit = &found["hits"][0]["citation"];
        let verdicts = format!("{uri}/verdicts");
        let judged = json!({ "citation": own_hit, "decision": "accept", "query": own, "by": own });
        assert_eq!(send(&rest, Method::POST, &verdicts, Some(judged)).await.0, 201);
        let stolen = json!({ "citation": citation, "decision": "accept" });
        assert_eq!(send(&rest, Method::POST, &verdicts, Some(stolen)).await.1["error"]["code"], "other_workspace");
        let forged = json!({ "citation": renamed, "decision": "accept" });
        assert_eq!(send(&rest, Method::POST, &verdicts, Some(forged)).await.1["error"]["code"], "stale_citation");
        for path in ["files", "files?glob=**", "changes", "status", "verdicts", "verdicts?path=**&limit=10000"] {
            let (status, reply) = send(&rest, Method::GET, &format!("{uri}/{path}"), None).await;
            assert_eq!(status, 200, "{reply}");
            assert_clean(&reply.to_string(), foreign, path);
        }
        // The same id and path in both: neither is taken for the other's.
        let event = json!({ "events": [{ "id": "same", "type": "modified", "path": "same.md" }] });
        let (_, taken) = send(&rest, Method::POST, &format!("{uri}/events"), Some(event)).await;
        assert_eq!(taken["events"][0]["repeated"], false, "{taken}");

        for (tool, arguments) in [
            ("search", json!({ "query": "harbour" })),
            ("search_workspace", json!({ "query": "harbour", "k": 100 })),
            ("search_workspace", json!({ "query": foreign, "mode": "dense" })),
            ("search_workspace", json!({ "query": foreign, "mode": "lexical" })),
            ("ask_workspace", json!({ "question": "What is in the harbour?" })),
            ("list_files", json!({ "limit": 1_000 })),
            ("recent_changes", json!({ "limit": 500 })),
            ("read_file", json!({ "path": "same.md" })),
            ("fetch", json!({ "id": "same.md" })),
        ] {
            assert_clean(&call(&rest, name, tool, &arguments).await, foreign, tool);
        }
        for (tool, arguments) in [
            ("read_file", json!({ "path": foreign_file })),
            ("fetch", json!({ "id": foreign_file })),
            ("verify_citation", json!({ "citation": citation })),
        ] {
            let reply = call(&rest, name, tool, &arguments).await;
            assert!(reply.contains("\"isError\":true") && !reply.contains("crane"), "{tool}: {reply}");
        }

        for arguments in [
            vec!["search", foreign, "-k", "100"],
            vec!["search", "harbour", "-k", "100", "--mode", "lexical"],
            vec!["search", "harbour", "-k", "100", "--glob", "**"],
            vec!["ask", "What is in the harbour?"],
            vec!["status"],
            vec!["verdicts"],
        ] {
            let ran = pincite.run(&[&arguments[..], &["--workspace", name, "--json"]].concat());
            assert!(ran.code < 2, "{arguments:?}: {}", ran.err);
            assert_clean(&ran.out, foreign, arguments[0]);
        }
    }
    let seen = engine.workspaces().unwrap();
    assert_eq!(seen.len(), 2, "nothing was made by asking: {seen:?}");
}
