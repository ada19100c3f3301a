//! Files changed by what a request says of them, over REST: edits, moves, copies, merges, conditions, and requests that come twice.

use axum::http::Method;
use pincite::workspace::{ContentHash, Scope};
use serde_json::{Value, json};

use crate::keys::{CANARY, Keyed};
use crate::writes::{Server, code};

fn hash(text: &str) -> String {
    ContentHash::of(text.as_bytes()).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_changes_the_words_that_stand_once_and_searches_find_it() {
    let server = Server::running();
    server.put("notes/a.md", "# Log\r\n\r\nThe pump is broken.\r\n", &[]).await;
    let edits = json!([{ "old_text": "The pump is broken.\n", "new_text": "The pump was mended.\nIt runs.\n" }]);
    let request = json!({ "path": "notes/a.md", "edits": edits, "agent": "coder-03", "wait_searchable_ms": 30_000 });
    let (status, reply) = server.post("edit", request).await;
    assert_eq!(status, 200, "{reply}");
    let after = "# Log\r\n\r\nThe pump was mended.\r\nIt runs.\r\n";
    assert_eq!(server.on_disk("notes/a.md").as_deref(), Some(after));
    assert_eq!(
        (&reply["etag"], &reply["num_places"], &reply["searchable"]),
        (&json!(hash(after)), &json!(1), &json!(true))
    );
    assert!(reply["diff"].as_str().unwrap().contains("-The pump is broken.\r\n+The pump was mended.\r\n"), "{reply}");
    assert_eq!(server.desk.found("mended"), ["notes/a.md"]);
    let (_, changes) = server.send(Method::GET, "changes?limit=1", &[], Vec::new()).await;
    assert_eq!(changes["changes"][0]["provenance"]["agent"], "coder-03", "{changes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_cannot_be_made_changes_nothing_and_says_why() {
    let server = Server::running();
    let text = "alpha\nbeta\nalpha\n";
    server.put("a.txt", text, &[]).await;
    let edit = |edits: Value| json!({ "path": "a.txt", "edits": edits });
    for (edits, status, refusal, words) in [
        (
            json!([{ "old_text": "beta", "new_text": "x" }, { "old_text": "alpha", "new_text": "y" }]),
            422,
            "several_matches",
            "2 times, in lines 1, 3",
        ),
        (json!([{ "old_text": "betta", "new_text": "x" }]), 422, "no_match", "line 2 comes nearest"),
        (json!([{ "old_text": "beta", "new_text": "beta" }]), 409, "no_change", "as it is"),
        (json!([{ "old_text": "", "new_text": "x" }]), 422, "invalid_request", "empty"),
        (json!([]), 422, "invalid_request", "no change"),
    ] {
        let reply = server.post("edit", edit(edits)).await;
        assert_eq!(code(&reply), (status, refusal), "{}", reply.1);
        assert!(reply.1["error"]["message"].as_str().unwrap().contains(words), "{}", reply.1);
        assert_eq!(server.on_disk("a.txt").as_deref(), Some(text));
    }
    let trial = json!({ "path": "a.txt", "edits": [{ "old_text": "beta", "new_text": "x" }], "dry_run": true });
    let (status, reply) = server.post("edit", trial).await;
    assert_eq!((status, reply.get("revision")), (200, None), "{reply}");
    assert!(reply["diff"].as_str().unwrap().contains("-beta\n+x\n"));
    assert_eq!(server.on_disk("a.txt").as_deref(), Some(text), "a trial writes nothing");
    assert_eq!(code(&server.post("edit", json!({ "path": "b.txt", "append": "x" })).await).0, 404);
    fs_err::write(server.desk.folder.path().join("c.bin"), b"\xff\xfe\0\xd8").unwrap();
    server.desk.scan();
    assert_eq!(code(&server.post("edit", json!({ "path": "c.bin", "append": "x" })).await), (422, "not_text"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_says_who_changed_what_and_a_merge_brings_both_together() {
    let server = Server::running();
    let base = "one\ntwo\nthree\nfour\nfive\n";
    server.put("a.md", base, &[]).await;
    server.put("a.md", &base.replace("one", "ONE"), &[("pincite-agent", "other")]).await;
    let write = |text: &str, more: Value| {
        let mut request = json!({ "path": "a.md", "content": text, "if_match": hash(base) });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let ours = base.replace("five", "FIVE");
    let refused = server.post("write", write(&ours, json!({}))).await;
    assert_eq!(code(&refused), (412, "conflict"));
    let error = &refused.1["error"];
    assert_eq!(error["current_etag"], hash(&base.replace("one", "ONE")));
    assert_eq!(error["changed_by"]["agent"], "other");
    assert!(error["changed_at"].is_string() && error["diff"].as_str().unwrap().contains("-one\n+ONE\n"), "{error}");
    let (status, merged) = server.post("write", write(&ours, json!({ "on_conflict": "merge" }))).await;
    assert_eq!((status, &merged["merged"]), (200, &json!(true)), "{merged}");
    assert_eq!(server.on_disk("a.md").unwrap(), "ONE\ntwo\nthree\nfour\nFIVE\n");
    // Both change one place.
    let refused = server.post("write", write(&base.replace("one", "uno"), json!({ "on_conflict": "merge" }))).await;
    assert_eq!(code(&refused), (412, "conflict"));
    let marked = refused.1["error"]["conflicts"].as_str().unwrap();
    assert!(marked.contains("<<<<<<<") && marked.contains("ONE\n=======\nuno"), "{marked}");
    assert_eq!(server.on_disk("a.md").unwrap(), "ONE\ntwo\nthree\nfour\nFIVE\n");
    // A content that nobody has read here is no base.
    let unknown = json!({ "path": "a.md", "content": "x", "if_match": hash("never"), "on_conflict": "merge" });
    let refused = server.post("write", unknown).await;
    assert_eq!(code(&refused), (412, "conflict"));
    assert!(refused.1["error"].get("diff").is_none() && refused.1["error"].get("conflicts").is_none());
    let absent = json!({ "path": "a.md", "content": "x", "if_match": "absent" });
    assert_eq!(code(&server.post("write", absent).await), (412, "conflict"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_not_read_is_told_nothing_by_a_conflict_and_edits_nothing() {
    let keyed = Keyed::new(1);
    let writer = keyed.key(&[Scope::FilesWrite], |key| key);
    let path = format!("secret/{CANARY}-0.md");
    let base = "/v1/workspaces/default";
    let write = json!({ "path": path, "content": "x", "if_match": hash("never") });
    let (status, reply) = keyed.json(&writer, Method::POST, &format!("{base}/write"), Some(&write)).await;
    assert_eq!((status, &reply["error"]["code"]), (412, &json!("conflict")));
    assert!(reply["error"].get("current_etag").is_none() && reply["error"].get("changed_at").is_none(), "{reply}");
    let edit = json!({ "path": path, "edits": [{ "old_text": "Keel", "new_text": "x" }] });
    let (status, reply) = keyed.json(&writer, Method::POST, &format!("{base}/edit"), Some(&edit)).await;
    assert_eq!(status, 403, "{reply}");
    let narrow = keyed.key(&[Scope::FilesWrite, Scope::FilesRead], |key| pincite::engine::NewKey {
        path_globs: vec!["open/**".to_owned()],
        ..key
    });
    for (verb, body) in [
        ("edit", edit.clone()),
        ("move", json!({ "from": path, "to": "open/taken.md" })),
        ("move", json!({ "from": "open/lantern-0.md", "to": path, "overwrite": true })),
        ("copy", json!({ "from": path, "to": "open/taken.md" })),
        ("write", json!({ "path": path, "content": "x" })),
    ] {
        let (status, reply) = keyed.json(&narrow, Method::POST, &format!("{base}/{verb}"), Some(&body)).await;
        assert!([403, 404].contains(&status), "{verb}: {status} {reply}");
    }
    let grep = json!({ "pattern": CANARY, "ignore_case": true });
    let (_, reply) = keyed.json(&narrow, Method::POST, &format!("{base}/grep"), Some(&grep)).await;
    assert_eq!((&reply["matches"], &reply["num_unread"]), (&json!([]), &json!(0)), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_twice_is_done_once_also_after_a_restart() {
    let server = Server::running();
    server.put("log.md", "# Log\n", &[]).await;
    let request = json!({ "path": "log.md", "append": "- entry\n", "idempotency_key": "k1" });
    let (_, first) = server.post("edit", request.clone()).await;
    let (status, second) = server.post("edit", request.clone()).await;
    assert_eq!((status, &second), (200, &first), "answered as before");
    assert_eq!(server.on_disk("log.md").unwrap(), "# Log\n- entry\n");
    let other = json!({ "path": "log.md", "append": "- other\n", "idempotency_key": "k1" });
    assert_eq!(code(&server.post("edit", other).await), (409, "idempotency_key_reused"));
    let key = [("idempotency-key", "k2")];
    let (_, put) = server.put("b.md", "b", &key).await;
    server.put("b.md", "changed meanwhile", &[]).await;
    assert_eq!(server.put("b.md", "b", &key).await.1["revision"], put["revision"]);
    assert_eq!(server.on_disk("b.md").unwrap(), "changed meanwhile");
    let deleted = server.delete("b.md", &[("idempotency-key", "k3")]).await;
    let again = server.delete("b.md", &[("idempotency-key", "k3")]).await;
    assert_eq!((again.0, &again.1["revision"]), (200, &deleted.1["revision"]), "{}", again.1);
    let reopened = server.reopened();
    assert_eq!(reopened.post("edit", request).await.1, first);
    assert_eq!(reopened.on_disk("log.md").unwrap(), "# Log\n- entry\n");
    let long = json!({ "path": "log.md", "append": "x", "idempotency_key": "k".repeat(256) });
    assert_eq!(code(&reopened.post("edit", long).await), (400, "invalid_idempotency_key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_while_it_is_in_work_is_done_once() {
    let server = std::sync::Arc::new(Server::running());
    server.put("log.md", "# Log\n", &[]).await;
    for number in 0..10 {
        let (line, key) = (format!("- {number}\n"), format!("k{number}"));
        let request = if number % 2 == 0 {
            json!({ "path": "log.md", "append": line, "idempotency_key": key })
        } else {
            let edits = json!([{ "old_text": "# Log\n", "new_text": format!("# Log\n{line}") }]);
            json!({ "path": "log.md", "edits": edits, "idempotency_key": key })
        };
        let tries: Vec<_> = (0..6)
            .map(|_| {
                let (server, request) = (std::sync::Arc::clone(&server), request.clone());
                tokio::spawn(async move { server.post("edit", request).await })
            })
            .collect();
        let mut revisions = std::collections::BTreeSet::new();
        for tried in tries {
            let (status, reply) = tried.await.unwrap();
            assert_eq!(status, 200, "{reply}");
            revisions.insert(reply["revision"].as_u64().unwrap());
        }
        assert_eq!(revisions.len(), 1, "{revisions:?}");
        assert_eq!(server.on_disk("log.md").unwrap().matches(&line).count(), 1, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_moves_in_one_change_and_a_copy_leaves_it() {
    let server = Server::running();
    server.put("a.md", "# The quay", &[("pincite-agent", "coder-03")]).await;
    server.put("there.md", "# Something else", &[]).await;
    let refused = server.post("move", json!({ "from": "a.md", "to": "there.md" })).await;
    assert_eq!(code(&refused), (412, "conflict"), "{}", refused.1);
    assert_eq!(code(&server.post("move", json!({ "from": "a.md", "to": "a.md" })).await), (400, "invalid_path"));
    assert_eq!(code(&server.post("move", json!({ "from": "none.md", "to": "b.md" })).await).0, 404);
    assert_eq!(code(&server.post("move", json!({ "from": "a.md", "to": "../b.md" })).await), (400, "invalid_path"));
    let wrong = json!({ "from": "a.md", "to": "b.md", "if_match": hash("never") });
    assert_eq!(code(&server.post("move", wrong).await), (412, "conflict"));
    let request = json!({ "from": "a.md", "to": "deep/b.md", "wait_searchable_ms": 30_000 });
    let (status, moved) = server.post("move", request).await;
    assert_eq!((status, &moved["kind"], &moved["searchable"]), (200, &json!("renamed"), &json!(true)), "{moved}");
    assert_eq!((server.on_disk("a.md"), server.on_disk("deep/b.md").as_deref()), (None, Some("# The quay")));
    assert_eq!(server.desk.found("quay"), ["deep/b.md"]);
    let (_, changes) = server.send(Method::GET, "changes?limit=1", &[], Vec::new()).await;
    let change = &changes["changes"][0];
    assert_eq!((&change["kind"], &change["from"]), (&json!("renamed"), &json!("a.md")), "{changes}");
    let (status, copied) =
        server.post("copy", json!({ "from": "deep/b.md", "to": "c.md", "wait_searchable_ms": 30_000 })).await;
    assert_eq!((status, &copied["etag"], &copied["searchable"]), (200, &json!(hash("# The quay")), &json!(true)));
    let query = json!({ "query": "quay", "mode": "lexical" });
    let hits = server.post("search", query).await.1["hits"].to_string();
    assert!(hits.contains("deep/b.md") && hits.contains("c.md"), "{hits}");
    let over = json!({ "from": "deep/b.md", "to": "there.md", "overwrite": true });
    assert_eq!(server.post("move", over).await.0, 200);
    assert_eq!(server.on_disk("there.md").as_deref(), Some("# The quay"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_moves_with_its_files_and_folders_or_not_at_all() {
    let server = Server::running();
    let root = server.desk.folder.path().to_owned();
    for (path, text) in
        [("draft/a.md", "The quay"), ("draft/deep/b.md", "The pier"), ("there/a.md", "other"), ("other/c.md", "other")]
    {
        server.put(path, text, &[("pincite-agent", "coder-03")]).await;
    }
    // A link where a folder would be.
    fs_err::create_dir(root.join("blocked")).unwrap();
    #[cfg(unix)]
    fs_err::os::unix::fs::symlink(root.join("there"), root.join("blocked/deep")).unwrap();
    #[cfg(windows)]
    std::os::windows::fs::symlink_dir(root.join("there"), root.join("blocked/deep")).unwrap();
    fs_err::create_dir_all(root.join("draft/empty/er")).unwrap();
    let all = |folder: &str| ["a.md", "deep/b.md"].map(|name| server.on_disk(&format!("{folder}/{name}")));
    let whole = [Some("The quay".to_owned()), Some("The pier".to_owned())];
    for (to, more, refusal) in [
        ("there", json!({}), (412, "conflict")),
        ("draft/inside", json!({}), (400, "invalid_request")),
        ("new", json!({ "overwrite": true }), (400, "invalid_request")),
        ("new", json!({ "if_match": hash("x") }), (400, "invalid_request")),
        (".hidden", json!({}), (400, "passed_over")),
        ("there/a.md", json!({}), (400, "not_a_file")),
        // The first file has moved when the second one cannot.
        ("blocked", json!({}), (400, "outside_workspace")),
        // The paths would be free, and the folders one.
        ("other", json!({}), (400, "invalid_request")),
    ] {
        let mut request = json!({ "from": "draft", "to": to });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = server.post("move", request).await;
        assert_eq!(code(&refused), refusal, "{to}: {}", refused.1);
        assert_eq!(all("draft"), whole, "{to}");
    }
    assert_eq!(server.on_disk("blocked/a.md"), None);
    let lock = json!({ "path": "draft/deep/b.md", "ttl_s": 60 });
    let (_, lock) = server.post("locks", lock).await;
    let request = json!({ "from": "draft", "to": "done/draft", "idempotency_key": "m1", "wait_searchable_ms": 30_000 });
    assert_eq!(code(&server.post("move", request.clone()).await), (423, "locked"));
    assert_eq!(all("draft"), whole);
    let mut with_token = request.clone();
    with_token["lock_token"] = lock["token"].clone();
    let (status, moved) = server.post("move", with_token.clone()).await;
    assert_eq!((status, &moved["num_files"], &moved["folder_stays"]), (200, &json!(2), &json!(false)), "{moved}");
    assert_eq!(moved["searchable"], true, "{moved}");
    assert_eq!((all("done/draft"), all("draft")), (whole.clone(), [None, None]));
    assert!(root.join("done/draft/empty/er").is_dir() && !root.join("draft").exists());
    assert_eq!(server.desk.found("pier"), ["done/draft/deep/b.md"]);
    let (_, changes) = server.send(Method::GET, "changes?limit=2", &[], Vec::new()).await;
    let of = |number: usize, field: &str| changes["changes"][number][field].clone();
    assert_eq!([of(1, "from"), of(0, "from")], [json!("draft/a.md"), json!("draft/deep/b.md")], "{changes}");
    let (_, again) = server.post("move", with_token).await;
    assert_eq!((&again["revision"], &again["num_files"]), (&moved["revision"], &json!(2)), "{again}");
    // What is not of the workspace stays, and that is told.
    fs_err::write(root.join("done/draft/.env"), "SECRET=1").unwrap();
    let back = json!({ "from": "done/draft", "to": "draft", "lock_token": lock["token"] });
    let (_, back) = server.post("move", back).await;
    assert_eq!((&back["num_files"], &back["folder_stays"]), (&json!(2), &json!(true)), "{back}");
    assert!(root.join("done/draft/.env").exists() && all("draft") == whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_can_demand_a_condition_of_each_write() {
    let server = Server::running();
    server.put("a.md", "words", &[]).await;
    let json_body = [("content-type", "application/json")];
    let patch = |body: Value| server.send(Method::PATCH, "/v1/workspaces/default", &json_body, body.to_string().into());
    let (status, reply) = patch(json!({ "require_if_match": true })).await;
    assert_eq!((status, &reply["require_if_match"]), (200, &json!(true)), "{reply}");
    assert_eq!(code(&patch(json!({})).await), (400, "invalid_request"));
    assert_eq!(code(&server.put("a.md", "x", &[]).await), (428, "condition_required"));
    assert_eq!(code(&server.delete("a.md", &[]).await), (428, "condition_required"));
    assert_eq!(
        code(&server.post("write", json!({ "path": "b.md", "content": "x" })).await),
        (428, "condition_required")
    );
    assert_eq!(server.post("write", json!({ "path": "b.md", "content": "x", "if_match": "absent" })).await.0, 200);
    // An edit says by its words what it expects.
    let edit = json!({ "path": "a.md", "edits": [{ "old_text": "words", "new_text": "others" }] });
    assert_eq!(server.post("edit", edit).await.0, 200);
    let tag = format!("\"{}\"", hash("others"));
    assert_eq!(server.put("a.md", "y", &[("if-match", &tag)]).await.0, 200);
    assert_eq!(patch(json!({ "require_if_match": false })).await.0, 200);
    assert_eq!(server.put("a.md", "z", &[]).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_lose_no_edit() {
    let server = std::sync::Arc::new(Server::running());
    server.put("log.md", "# Log\n", &[]).await;
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let server = std::sync::Arc::clone(&server);
            tokio::spawn(async move {
                let mut num_made = 0;
                for turn in 0..5 {
                    let line = format!("- {number}.{turn}\n");
                    let (status, reply) = server.post("edit", json!({ "path": "log.md", "append": line })).await;
                    // One who is overtaken again and again is told so, and nothing of it is written.
                    assert!(status == 200 || reply["error"]["code"] == "conflict" || status == 503, "{reply}");
                    let text = server.on_disk("log.md").unwrap();
                    assert_eq!(text.matches(&line).count(), usize::from(status == 200), "{line}{reply}");
                    num_made += usize::from(status == 200);
                }
                num_made
            })
        })
        .collect();
    let mut num_made = 0;
    for task in tasks {
        num_made += task.await.unwrap();
    }
    assert!(num_made > 0);
    assert_eq!(server.on_disk("log.md").unwrap().lines().count(), 1 + num_made);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_found_with_their_places_page_by_page() {
    let server = Server::running();
    for number in 0..5 {
        server.put(&format!("n/{number}.md"), &format!("# File {number}\n\nalpha one\nbeta\nAlpha two\n"), &[]).await;
    }
    server.put("other.txt", "alpha elsewhere\n", &[]).await;
    let request = json!({ "pattern": "alpha", "glob": "n/**", "context_lines": 1 });
    let (status, reply) = server.post("grep", request).await;
    assert_eq!(
        (status, reply["matches"].as_array().unwrap().len(), &reply["num_files"]),
        (200, 5, &json!(5)),
        "{reply}"
    );
    let first = &reply["matches"][0];
    assert_eq!((&first["citation"]["quote"], &first["citation"]["lines"]["start"]), (&json!("alpha one"), &json!(3)));
    assert_eq!((&first["before"], &first["after"]), (&json!([""]), &json!(["beta"])), "{first}");
    let mut found = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let request =
            json!({ "pattern": "^alpha (one|two)$", "regex": true, "ignore_case": true, "limit": 3, "cursor": cursor });
        let (status, reply) = server.post("grep", request).await;
        assert_eq!(status, 200, "{reply}");
        let lines = reply["matches"].as_array().unwrap().iter();
        found.extend(lines.map(|line| format!("{} {}", line["citation"]["path"], line["citation"]["quote"])));
        cursor = reply["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let expected: Vec<String> =
        (0..5).flat_map(|n| ["alpha one", "Alpha two"].map(|words| format!("\"n/{n}.md\" \"{words}\""))).collect();
    assert_eq!(found, expected);
    let verify = json!({ "citation": first["citation"] });
    assert_eq!(server.post("citations/verify", verify).await.1["verdict"], "valid");
    for wrong in [
        json!({ "pattern": "" }),
        json!({ "pattern": "(", "regex": true }),
        json!({ "pattern": "a{1000000}", "regex": true }),
        json!({ "pattern": "a", "limit": 0 }),
        json!({ "pattern": "a", "context_lines": 11 }),
        json!({ "pattern": "a", "cursor": "nonsense" }),
    ] {
        assert_eq!(code(&server.post("grep", wrong.clone()).await), (400, "invalid_request"), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_changed_in_place_up_to_a_length() {
    let server = Server::over(crate::line::Desk::configured("[limits]\nedit_mb = 1\n"));
    server.put("a.txt", &"a".repeat(999_990), &[]).await;
    let append = |num_bytes| json!({ "path": "a.txt", "append": "b".repeat(num_bytes) });
    assert_eq!(code(&server.post("edit", append(10)).await), (422, "file_too_large"), "with the line end before it");
    assert_eq!(server.post("edit", append(9)).await.0, 200);
    server.put("a.txt", &"a".repeat(1_000_001), &[]).await;
    let longer = server.post("edit", json!({ "path": "a.txt", "edits": [{ "old_text": "b", "new_text": "c" }] })).await;
    assert_eq!(longer.1["error"]["code"], "file_too_large", "{}", longer.1);
}
