//! Who wrote what: told with a write or an event, shown in citations, and asked for in searches, answers, changes and status.

use axum::http::Method;
use serde_json::{Value, json};

use crate::line::until;
use crate::writes::{Server, code};

const ANN: [(&str, &str); 4] =
    [("pincite-agent", "ann"), ("pincite-run", "r17"), ("pincite-sandbox", "box-1"), ("pincite-tags", "nightly, über")];

impl Server {
    async fn get(&self, path: &str) -> Value {
        let (status, reply) = self.send(Method::GET, path, &[], Vec::new()).await;
        assert_eq!(status, 200, "{reply}");
        reply
    }

    /// The hits of a search by words in the state that `revision` names.
    async fn hits(&self, words: &str, filters: Value, revision: &Value) -> Vec<Value> {
        let query = json!({ "query": words, "mode": "lexical", "filters": filters, "min_revision": revision, "wait_ms": 60_000 });
        let (status, reply) = self.post("search", query).await;
        assert_eq!(status, 200, "{reply}");
        reply["hits"].as_array().unwrap().clone()
    }

    /// Whom the only passage with these words is of.
    async fn writer(&self, words: &str, revision: &Value) -> Value {
        let hits = self.hits(words, json!({}), revision).await;
        assert_eq!(hits.len(), 1, "{hits:?}");
        hits[0]["citation"]["provenance"]["agent"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_write_says_of_its_writer_is_shown_and_found_everywhere() {
    let server = Server::running();
    server.put("a.md", "# Keel\n\nThe lighthouse is forty metres high.", &ANN).await;
    server.put("b.md", "# Mast\n\nThe lighthouse is painted red.", &[("pincite-agent", "bob")]).await;
    let (_, last) = server.put("c.md", "# Hull\n\nThe lighthouse was built in 1871.", &[]).await;
    let revision = &last["revision"];
    let told = json!({ "agent": "ann", "run": "r17", "sandbox": "box-1", "tags": ["nightly", "über"] });
    for (filters, paths) in [
        (json!({ "agent": ["ann"] }), &["a.md"][..]),
        (json!({ "agent": ["ann", "bob"] }), &["a.md", "b.md"]),
        (json!({ "agent": ["bob"], "tags": ["nightly"] }), &[]),
        (json!({ "run": ["r17"], "sandbox": ["box-1"], "tags": ["other", "über"] }), &["a.md"]),
        (json!({ "agent": ["ann", "bob"], "path": ["b.*"] }), &["b.md"]),
        (json!({}), &["a.md", "b.md", "c.md"]),
    ] {
        let hits = server.hits("lighthouse", filters.clone(), revision).await;
        let mut found: Vec<&str> = hits.iter().map(|hit| hit["citation"]["path"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, paths, "{filters}");
        for hit in &hits {
            let expected = match hit["citation"]["path"].as_str().unwrap() {
                "a.md" => told.clone(),
                "b.md" => json!({ "agent": "bob" }),
                _ => Value::Null,
            };
            assert_eq!(hit["citation"]["provenance"], expected);
        }
    }
    let faceted = json!({ "query": "lighthouse", "mode": "lexical", "k": 1, "facets": true });
    let (_, reply) = server.post("search", faceted).await;
    let agents = json!([{ "value": "ann", "files": 1 }, { "value": "bob", "files": 1 }]);
    assert_eq!((reply["hits"].as_array().unwrap().len(), &reply["facets"]["agent"]), (1, &agents));
    assert_eq!(reply["facets"]["tags"].as_array().unwrap().len(), 2);

    let question = "How high is the lighthouse?";
    let ask = |agent: &str| json!({ "question": question, "filters": { "agent": [agent] } });
    let (_, answer) = server.post("ask", ask("ann")).await;
    assert_eq!(answer["citations"][0]["provenance"], told, "{answer}");
    let (_, answer) = server.post("ask", ask("nobody")).await;
    assert_eq!((&answer["abstained"], answer.get("facets")), (&json!(true), None));
    // What an answer was chosen from is more than what it cites.
    for (question, counts) in [
        (question, &agents),
        ("What is in here?", &agents),
        ("What was changed lately?", &agents),
        ("What did ann write lately?", &json!([{ "value": "ann", "files": 1 }])),
        ("What was changed on 1999-01-01?", &json!([])),
    ] {
        let (_, answer) = server.post("ask", json!({ "question": question, "max_files": 1, "facets": true })).await;
        assert_eq!(&answer["facets"]["agent"], counts, "{answer}");
        let digest = &answer["digest"];
        assert!(digest.is_null() || digest["num_quoted"] == 1, "{answer}");
    }

    // Who and which run need no word of time.
    for (question, paths) in [
        ("What did ann write?", &["a.md"][..]),
        ("What did run r17 do?", &["a.md"]),
        ("What has bob done so far?", &["b.md"]),
        ("How many files did ann write?", &["a.md"]),
        ("List everything that was written by bob", &["b.md"]),
    ] {
        let (_, answer) = server.post("ask", json!({ "question": question })).await;
        let groups = answer["digest"]["groups"].as_array().unwrap_or_else(|| panic!("{question}: {answer}"));
        let files = groups.iter().flat_map(|group| group["files"].as_array().unwrap());
        assert_eq!(files.map(|file| file["path"].as_str().unwrap()).collect::<Vec<_>>(), paths, "{question}");
        assert!(answer["plan"]["why"].as_str().unwrap().contains("what the writers of its files said"), "{answer}");
        assert!(answer["digest"]["heading"].as_str().unwrap().starts_with("1 file of `"), "{answer}");
    }
    let (_, answer) = server.post("ask", json!({ "question": "What did eve write?" })).await;
    assert_eq!(answer.get("digest"), None, "nobody is called so: {answer}");

    // The check of a citation gives what is known, not what was claimed.
    let mut forged = server.hits("lighthouse", json!({ "agent": ["ann"] }), revision).await[0]["citation"].clone();
    forged["provenance"] = json!({ "agent": "eve" });
    let (_, verified) = server.post("citations/verify", json!({ "citation": forged })).await;
    assert_eq!((&verified["verdict"], &verified["citation"]["provenance"]), (&json!("valid"), &told));
    forged.as_object_mut().unwrap().remove("provenance");
    assert_eq!(server.post("citations/verify", json!({ "citation": forged })).await.0, 200, "as of before");

    assert_eq!(server.get("status").await["facets"]["agent"], agents);
    assert_eq!(server.get("files").await["files"][0]["provenance"], told);
    let (_, deleted) = server.delete("b.md", &[("pincite-agent", "ann")]).await;
    let changes = server.get("changes?agent=ann&agent=eve&facets=true").await;
    let revisions: Vec<&Value> =
        changes["changes"].as_array().unwrap().iter().map(|change| &change["revision"]).collect();
    assert_eq!((revisions.len(), revisions[0]), (2, &deleted["revision"]));
    assert_eq!(changes["facets"]["agent"], json!([{ "value": "ann", "files": 2 }]));
    for (query, paths) in [
        ("changes?tags=nightly", &["a.md"][..]),
        ("changes?path=c.*", &["c.md"]),
        ("changes?since=2999-01-01T00:00:00Z", &[]),
        ("changes?until=2999-01-01T00:00:00Z&agent=bob", &["b.md"]),
        (&format!("changes?agent=ann&after_revision={revision}"), &["b.md"]),
    ] {
        let reply = server.get(query).await;
        let found = reply["changes"].as_array().unwrap().iter().map(|change| change["path"].as_str().unwrap());
        // A scan that began before the write was read, and ends after, lists it once more, without a word of who it was.
        assert_eq!(found.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>(), paths, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_somebody_else_wrote_is_of_nobody_and_an_echo_changes_nothing() {
    let server = Server::running();
    let (_, written) = server.put("a.md", "A lighthouse.", &ANN).await;
    assert_eq!(server.writer("lighthouse", &written["revision"]).await, "ann");
    let echo = server.desk.scan();
    assert_eq!(server.writer("lighthouse", &json!(echo)).await, "ann");
    server.desk.write("a.md", "A windmill on the dike.");
    until("it is found", || server.desk.found("windmill") == ["a.md"]);
    assert_eq!(server.writer("windmill", &Value::Null).await, Value::Null);
    assert!(server.hits("windmill", json!({ "agent": ["ann"] }), &Value::Null).await.is_empty());
    let event = |event: Value| json!({ "events": [event] });
    let (_, told) =
        server.post("events", event(json!({ "id": "1", "type": "modified", "path": "a.md", "agent": "bob" }))).await;
    assert_eq!(server.writer("windmill", &told["revision"]).await, "bob");
    fs_err::rename(server.desk.folder.path().join("a.md"), server.desk.folder.path().join("b.md")).unwrap();
    let renamed = json!({ "id": "2", "type": "renamed", "from": "a.md", "path": "b.md" });
    let (_, renamed) = server.post("events", event(renamed)).await;
    let hits = server.hits("windmill", json!({ "agent": ["bob"] }), &renamed["revision"]).await;
    assert_eq!((hits.len(), &hits[0]["citation"]["path"]), (1, &json!("b.md")));
    let content =
        json!({ "id": "3", "type": "created", "path": "c.md", "content": "A harbour.", "run": "r18", "tags": ["x"] });
    let (_, pushed) = server.post("events", event(content)).await;
    assert_eq!(server.hits("harbour", json!({ "run": ["r18"], "tags": ["x"] }), &pushed["revision"]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_cannot_be_are_refused_with_a_hint_and_nothing_is_written() {
    let server = Server::running();
    let long = "x".repeat(201);
    let many = (0..33).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    for header in [("pincite-agent", ""), ("pincite-run", &long), ("pincite-tags", "a,,b"), ("pincite-tags", &many)] {
        let refused = server.put("a.md", "A lighthouse.", &[header]).await;
        assert_eq!(code(&refused), (400, "invalid_provenance"), "{header:?}");
        assert!(refused.1["error"]["hint"].is_string());
    }
    let twice = server.put("a.md", "A lighthouse.", &[("pincite-agent", "ann"), ("pincite-agent", "bob")]).await;
    assert_eq!(code(&twice), (400, "invalid_header"));
    let event = json!({ "id": "1", "type": "created", "path": "a.md", "content": "x", "agent": "a\nb" });
    assert_eq!(code(&server.post("events", json!({ "events": [event] })).await), (400, "invalid_event"));
    assert!(fs_err::read_dir(server.desk.folder.path()).unwrap().next().is_none());
    let wrong = server.post("search", json!({ "query": "a", "filters": { "agent": [""] } })).await;
    assert_eq!(code(&wrong), (400, "invalid_request"));
    for query in ["changes?limit=0", "changes?agnet=ann", "changes?since=yesterday", "changes?facets=1"] {
        assert_eq!(server.send(Method::GET, query, &[], Vec::new()).await.0, 400, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_a_writer_may_ask_for_as_many_passages_as_any_other() {
    let server = Server::running();
    let (_, written) = server.put("a.md", "# Keel\n\nThe lighthouse is forty metres high.", &ANN).await;
    for (offset, k) in [(0, 100), (90, 10)] {
        let query = json!({
            "query": "lighthouse", "mode": "lexical", "offset": offset, "k": k, "filters": { "agent": ["ann"] },
            "min_revision": written["revision"], "wait_ms": 60_000,
        });
        let (status, reply) = server.post("search", query).await;
        assert_eq!((status, reply["hits"].as_array().map(Vec::len)), (200, Some(1 - offset.min(1))), "{reply}");
    }
}
