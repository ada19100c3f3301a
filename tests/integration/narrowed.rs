//! A key for some files, over every surface: the others are not there for it.

use axum::http::Method;
use pincite::engine::{Caller, NewKey, Surface};
use pincite::ingest::Silent;
use pincite::workspace::Scope;
use serde_json::{Value, json};

use crate::indexed::named;
use crate::keys::{CANARY, Keyed};

/// Everything that a key can ask of a workspace, as text.
async fn everything(keyed: &Keyed, key: &str) -> Vec<(String, String)> {
    let base = "/v1/workspaces/default";
    let mut replies = Vec::new();
    for uri in [
        format!("{base}/files"),
        format!("{base}/files?glob=**"),
        format!("{base}/files?glob=secret/**"),
        format!("{base}/contents"),
        format!("{base}/changes?limit=1000&facets=true"),
        format!("{base}/status"),
        format!("{base}/verdicts"),
        "/v1/workspaces".to_owned(),
        "/w/default".to_owned(),
        "/w/default?q=harbour".to_owned(),
        "/w/default/files".to_owned(),
        "/w/default/activity".to_owned(),
        "/w/default/status".to_owned(),
        "/w/default/verdicts".to_owned(),
    ] {
        replies.push((uri.clone(), keyed.send(Some(key), Method::GET, &uri, None).await.2));
    }
    for query in ["harbour", "crane", "keel", "type:csv", "folder:secret harbour", "path:secret/** harbour", "har*"] {
        for mode in ["lexical", "hybrid"] {
            let body = json!({ "query": query, "mode": mode, "k": 100, "facets": true, "explain": true });
            let (_, reply) = keyed.json(key, Method::POST, &format!("{base}/search"), Some(&body)).await;
            replies.push((format!("search {query} {mode}"), reply.to_string()));
        }
    }
    for question in [
        "What is in the harbour?",
        "How many files are there?",
        "List all files",
        "Summarize recent outputs",
        "What changed?",
    ] {
        let body = json!({ "question": question, "facets": true });
        let (_, reply) = keyed.json(key, Method::POST, &format!("{base}/ask"), Some(&body)).await;
        replies.push((format!("ask {question}"), reply.to_string()));
    }
    for (tool, arguments) in [
        ("search", json!({ "query": "harbour" })),
        ("search_workspace", json!({ "query": "harbour", "k": 100, "facets": true })),
        ("ask_workspace", json!({ "question": "What is in the harbour?" })),
        ("list_files", json!({ "limit": 1_000 })),
        ("recent_changes", json!({ "limit": 500 })),
    ] {
        replies.push((tool.to_owned(), keyed.tool(key, tool, &arguments).await.to_string()));
    }
    replies
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_globs_sees_nothing_beyond_them_not_even_in_counts() {
    let (with_secrets, without) = (Keyed::new(40), Keyed::new(0));
    let scopes = [Scope::FilesRead, Scope::FilesWrite, Scope::Search, Scope::Ask];
    let narrow = |keyed: &Keyed| keyed.key(&scopes, |key| NewKey { path_globs: vec!["open/**".to_owned()], ..key });
    let (key, twin_key) = (narrow(&with_secrets), narrow(&without));
    let (all, twin) = (everything(&with_secrets, &key).await, everything(&without, &twin_key).await);
    for ((what, reply), (_, of_twin)) in all.iter().zip(&twin) {
        assert!(!reply.contains(CANARY), "{what}: {reply}");
        if let (Ok(reply), Ok(of_twin)) = (serde_json::from_str::<Value>(reply), serde_json::from_str::<Value>(of_twin))
        {
            assert_eq!(numbers(&reply), numbers(&of_twin), "{what}:\n{reply:#}\n{of_twin:#}");
        }
    }
    // An admin sees them, so they are there to be found.
    assert!(everything(&with_secrets, &with_secrets.admin).await.iter().any(|(_, reply)| reply.contains(CANARY)));
}

/// The numbers of a reply that count something: everything but scores, revisions, times and sizes of fields that name them.
fn numbers(reply: &Value) -> Vec<(String, Value)> {
    const OTHER: [&str; 13] = [
        "pincite/revision",
        "revision",
        "score",
        "signals",
        "relevance",
        "confidence",
        "content_hash",
        "modified",
        "at",
        "scanned",
        "span",
        "text",
        "structuredContent",
    ];
    let mut found = Vec::new();
    let mut open = vec![(String::new(), reply)];
    while let Some((name, value)) = open.pop() {
        match value {
            Value::Object(fields) => {
                let counted = fields.iter().filter(|(name, _)| !OTHER.contains(&name.as_str()));
                open.extend(counted.map(|(field, value)| (format!("{name}.{field}"), value)));
            }
            Value::Array(values) => {
                found.push((format!("{name}[]"), json!(values.len())));
                open.extend(values.iter().map(|value| (format!("{name}[]"), value)));
            }
            Value::Number(_) => found.push((name, value.clone())),
            _ => {}
        }
    }
    found.sort_by_cached_key(|(name, value)| (name.clone(), value.to_string()));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_random_requests_to_each_surface_meet_no_canary() {
    let keyed = Keyed::new(40);
    let scopes = [Scope::FilesRead, Scope::Search, Scope::Ask];
    let narrowed = || keyed.key(&scopes, |key| NewKey { path_globs: vec!["open/**".to_owned()], ..key });
    let mut key = narrowed();
    let words =
        ["harbour", "crane", "quay", "tide", "lantern", "keel", "tonnes", "name", "closed", "low", "value", "Of"];
    // A fixed sequence: xorshift, so that a failure repeats.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % most as u64).unwrap()
    };
    let base = "/v1/workspaces/default";
    for number in 0..6_000 {
        if number % 300 == 0 {
            // One key may not send so many.
            key = narrowed();
        }
        let mut query: Vec<&str> = (0..=next(3)).map(|_| words[next(words.len())]).collect();
        query.extend([None, Some("path:secret/**"), Some("type:md"), Some("-lantern"), Some("\"low tide\"")][next(5)]);
        let query = query.join(" ");
        let (what, reply) = match number % 6 {
            0 => {
                let body = json!({ "query": query, "max_num_results": 50 });
                let url = "/v1/vector_stores/default/search";
                ("store", keyed.json(&key, Method::POST, url, Some(&body)).await.1.to_string())
            }
            1 => {
                let body = json!({ "query": query, "k": 50, "facets": true, "offset": next(20), "mode": "lexical" });
                ("search", keyed.json(&key, Method::POST, &format!("{base}/search"), Some(&body)).await.1.to_string())
            }
            2 => {
                let question = format!("{query}?");
                let body = json!({ "question": question, "facets": true });
                ("ask", keyed.json(&key, Method::POST, &format!("{base}/ask"), Some(&body)).await.1.to_string())
            }
            3 => ("mcp", keyed.tool(&key, "search_workspace", &json!({ "query": query, "k": 50 })).await.to_string()),
            4 => {
                let word: String = query.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
                ("page", keyed.send(Some(&key), Method::GET, &format!("/w/default?q={word}"), None).await.2)
            }
            _ => {
                let glob = ["**", "secret/*", "*.md", "**/*-1*"][next(4)];
                ("files", keyed.send(Some(&key), Method::GET, &format!("{base}/files?glob={glob}"), None).await.2)
            }
        };
        assert!(!reply.contains(CANARY) && !reply.contains("too_many"), "{number} {what} `{query}`: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_beyond_the_globs_cannot_be_read_written_cited_or_told_apart_from_none() {
    let keyed = Keyed::new(4);
    let scopes = [Scope::FilesRead, Scope::FilesWrite, Scope::Search];
    let key = keyed.key(&scopes, |key| NewKey { path_globs: vec!["open/**".to_owned()], ..key });
    let base = "/v1/workspaces/default";
    let (there, nowhere) = (format!("secret/{CANARY}-0.md"), "secret/never-was.md");
    for suffix in ["", "?start=0&max_bytes=10"] {
        let (status, _, of_secret) =
            keyed.send(Some(&key), Method::GET, &format!("{base}/files/{there}{suffix}"), None).await;
        let (none, _, of_none) =
            keyed.send(Some(&key), Method::GET, &format!("{base}/files/{nowhere}{suffix}"), None).await;
        assert_eq!((status, of_secret.replace(&there, nowhere)), (none, of_none), "the same words for both");
    }
    for (method, uri) in
        [(Method::PUT, format!("{base}/files/{there}")), (Method::DELETE, format!("{base}/files/{there}"))]
    {
        let (status, reply) = keyed.json(&key, method, &uri, None).await;
        assert_eq!((status, &reply["error"]["code"]), (403, &json!("path_not_allowed")), "{uri}: {reply}");
    }
    for event in [
        json!({ "id": "1", "type": "deleted", "path": there }),
        json!({ "id": "2", "type": "renamed", "path": "open/taken.md", "from": there }),
    ] {
        let body = json!({ "events": [event] });
        let (status, reply) = keyed.json(&key, Method::POST, &format!("{base}/events"), Some(&body)).await;
        assert_eq!(status, 403, "{reply}");
    }
    let found = json!({ "query": CANARY });
    let (_, reply) = keyed.json(&keyed.admin, Method::POST, &format!("{base}/search"), Some(&found)).await;
    let citation = reply["hits"][0]["citation"].clone();
    assert!(citation["path"].as_str().unwrap().starts_with("secret/"), "{reply}");
    let body = json!({ "citation": citation });
    let (_, verified) = keyed.json(&key, Method::POST, &format!("{base}/citations/verify"), Some(&body)).await;
    assert_eq!(verified["verdict"], "deleted", "as of any file that is not there: {verified}");
    let judged = json!({ "citation": citation, "decision": "accept" });
    assert_eq!(keyed.json(&keyed.admin, Method::POST, &format!("{base}/verdicts"), Some(&judged)).await.0, 201);
    let (_, listed) = keyed.json(&key, Method::GET, &format!("{base}/verdicts"), None).await;
    assert_eq!(listed["verdicts"], json!([]));
    let (status, _) = keyed.json(&key, Method::DELETE, &format!("{base}/verdicts/1"), None).await;
    assert_eq!(status, 404);
    for tool in ["read_file", "fetch"] {
        let argument = if tool == "fetch" { "id" } else { "path" };
        let reply = keyed.tool(&key, tool, &json!({ argument: there })).await;
        assert_eq!(reply["result"]["isError"], true, "{reply}");
        assert!(!reply.to_string().contains("crane"), "{reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_some_files_can_do_nothing_to_the_whole_workspace() {
    let keyed = Keyed::new(2);
    let base = "/v1/workspaces/default";
    let narrow = keyed.key(&[Scope::Admin], |key| NewKey {
        workspaces: Some(vec![named("default")]),
        path_globs: vec!["open/**".to_owned()],
        ..key
    });
    let writer = keyed.key(&[Scope::Admin], |key| NewKey { agent: Some("nightly".to_owned()), ..key });
    let offer = json!({ "keep": "none" });
    for (key, method, uri, body) in [
        (&narrow, Method::POST, format!("{base}/transfer"), Some(&offer)),
        (&writer, Method::POST, format!("{base}/transfer"), Some(&offer)),
        (&narrow, Method::DELETE, format!("{base}/transfer/1"), None),
        (&narrow, Method::PATCH, base.to_owned(), Some(&json!({ "intelligence": false }))),
        (&narrow, Method::DELETE, base.to_owned(), None),
    ] {
        let (status, reply) = keyed.json(key, method.clone(), &uri, body).await;
        assert_eq!((status, &reply["error"]["code"]), (403, &json!("insufficient_scope")), "{method} {uri}: {reply}");
    }
    assert_eq!(keyed.json(&keyed.admin, Method::GET, &format!("{base}/status"), None).await.0, 200, "it is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_verdict_on_a_citation_tells_where_a_hidden_file_went() {
    let keyed = Keyed::new(1);
    let key = keyed.key(&[Scope::FilesRead], |key| NewKey { path_globs: vec!["open/**".to_owned()], ..key });
    let search = json!({ "query": CANARY, "k": 1 });
    let (_, found) = keyed.json(&keyed.admin, Method::POST, "/v1/workspaces/default/search", Some(&search)).await;
    let citation = found["hits"][0]["citation"].clone();
    let (old, new) = (citation["path"].as_str().unwrap(), "open/taken.md");
    let folder = keyed.folder.path();
    fs_err::rename(folder.join(old), folder.join(new)).unwrap();
    let local = Caller::local(Surface::CommandLine);
    let index = || keyed.engine.workspace(&named("default"), &local).unwrap().index(&Silent).unwrap();
    index();
    // The same words in another content, so that the renaming alone leads there.
    let text = fs_err::read_to_string(folder.join(new)).unwrap();
    fs_err::write(folder.join(new), format!("{text}\nOne more line.\n")).unwrap();
    index();
    let body = json!({ "citation": citation });
    let verify = "/v1/workspaces/default/citations/verify";
    let (_, told) = keyed.json(&keyed.admin, Method::POST, verify, Some(&body)).await;
    assert_eq!(told["verdict"], "moved", "{told}");
    let (_, told) = keyed.json(&key, Method::POST, verify, Some(&body)).await;
    assert_eq!(told["verdict"], "deleted", "{told}");
    let (_, changes) = keyed.json(&key, Method::GET, "/v1/workspaces/default/changes", None).await;
    let kinds: Vec<&str> =
        changes["changes"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect();
    assert!(kinds[..2] == ["modified", "created"], "{changes}");
    assert!(!changes.to_string().contains("secret/"), "{changes}");
}

#[test]
fn a_file_that_comes_while_its_key_is_narrowed_is_not_written() {
    let keyed = Keyed::new(0);
    let secret = keyed.key(&[Scope::FilesWrite], |key| key);
    let local = Caller::local(Surface::CommandLine);
    let caller = keyed.engine.caller_of(&secret.parse().unwrap(), Surface::Rest).unwrap();
    let place = keyed.engine.workspace(&named("default"), &caller).unwrap();
    let mut upload = place.begin_upload(&"later/plan.md".parse().unwrap()).unwrap();
    upload.write(b"The tide turns at six.\n").unwrap();
    let id = secret.split('_').nth(1).unwrap();
    let patch = serde_json::from_value(json!({ "path_globs": ["open/**"] })).unwrap();
    keyed.engine.change_key(&local, id, &patch).unwrap();
    let narrowed = keyed.engine.still_holds(&caller).unwrap();
    let place = keyed.engine.workspace(&named("default"), &narrowed).unwrap();
    assert!(place.finish_upload(upload, &pincite::engine::Precondition::None).is_err());
    assert!(!keyed.folder.path().join("later/plan.md").exists());
}
