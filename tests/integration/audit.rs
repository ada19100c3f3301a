//! Who has seen this paragraph: what every surface leaves in the audit journal, who may read it, and what a full disk does.

use std::path::PathBuf;

use pincite::budget::Budget;
use pincite::engine::{AuditRequest, AuditResult, Caller, EngineError, ErrorKind, NewKey, Precondition, Surface};
use pincite::error::Advice as _;
use pincite::search::{Mode, SearchRequest};
use serde_json::{Value, json};

use crate::cli::Pincite;
use crate::damage::SmallDisk;
use crate::indexed::named;
use crate::line::{Desk, share};
use crate::writes::{Server, code};

/// The entries of a reply, newest first.
fn entries(reply: &(u16, Value)) -> &Vec<Value> {
    assert_eq!(reply.0, 200, "{}", reply.1);
    reply.1["entries"].as_array().unwrap()
}

/// The secret of a new key.
fn key(server: &Server, scopes: &[&str], globs: &[&str], workspaces: &[&str]) -> String {
    let new = json!({ "name": scopes.join(" "), "scopes": scopes, "path_globs": globs, "agent": "coder-7" });
    let mut new: NewKey = serde_json::from_value(new).unwrap();
    // Who hands a workspace over writes in nobody's name.
    new.agent = new.agent.filter(|_| !scopes.contains(&"admin"));
    new.workspaces = (!workspaces.is_empty()).then(|| workspaces.iter().map(|name| named(name)).collect());
    server.desk.engine.create_key(&Caller::local(Surface::CommandLine), &new).unwrap().secret
}

async fn get(server: &Server, path: &str, secret: &str) -> (u16, Value) {
    server.send(axum::http::Method::GET, path, &[("authorization", &format!("Bearer {secret}"))], Vec::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_seen_a_paragraph_is_told_by_its_citation() {
    let server = Server::running();
    let (_, written) = server.put("a.md", "# A lighthouse\n\nThe lamp turns twice a minute.\n", &[]).await;
    server.put("copy.md", "# A lighthouse\n\nThe lamp turns twice a minute.\n", &[]).await;
    let wait =
        json!({ "query": "windmill", "mode": "lexical", "min_revision": written["revision"], "wait_ms": 60_000 });
    server.post("search", wait).await;
    let (_, reply) = server.post("search", json!({ "query": "lamp", "mode": "lexical", "wait_ms": 0 })).await;
    let citation = &reply["hits"][0]["citation"];
    let span = |from: &str| citation["span"][from].as_u64().unwrap();
    let place = |start: u64, end: u64| format!("audit?cited=a.md%23{start}-{end}");
    let seen = server.send(axum::http::Method::GET, &place(span("start"), span("end")), &[], Vec::new()).await;
    let [only] = &entries(&seen)[..] else { panic!("{seen:?}") };
    assert_eq!(
        (&only["action"], &only["result"], &only["surface"]),
        (&json!("search"), &json!("success"), &json!("rest"))
    );
    assert_eq!(only["by"]["kind"], "local_user");
    assert!(only["query"]["sha256"].is_string() && !seen.1.to_string().contains("lamp"), "only the hash of the words");
    let beyond =
        server.send(axum::http::Method::GET, &place(span("end") + 100, span("end") + 200), &[], Vec::new()).await;
    assert!(entries(&beyond).is_empty());

    // Whoever reads the whole file has seen it, and so has whoever reads its copy.
    server.read("copy.md").await;
    let seen = server.send(axum::http::Method::GET, &place(span("start"), span("end")), &[], Vec::new()).await;
    assert_eq!(entries(&seen)[0]["action"], "file.read", "{seen:?}");
    assert_eq!(entries(&seen)[0]["shown"][0]["path"], "copy.md");

    // A write is told twice: before its effect, and how it ended.
    let writes = server.send(axum::http::Method::GET, "audit?action=file.write&path=a.md", &[], Vec::new()).await;
    let [done, begun] = &entries(&writes)[..] else { panic!("{writes:?}") };
    assert_eq!((&done["result"], &begun["result"]), (&json!("success"), &json!("begun")));
    assert_eq!((&done["begun"], &done["revision"]), (&begun["seq"], &written["revision"]));
    assert!(done["request_id"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_verb_over_rest_leaves_its_entry_with_how_it_ended() {
    let server = Server::running();
    let (_, written) = server.put("a.md", "# A lighthouse\n", &[]).await;
    let wait =
        json!({ "query": "lighthouse", "mode": "lexical", "min_revision": written["revision"], "wait_ms": 60_000 });
    let (_, found) = server.post("search", wait).await;
    let citation = &found["hits"][0]["citation"];
    server.post("ask", json!({ "question": "Which lighthouse is there?", "answerer": "extractive" })).await;
    server.post("citations/verify", json!({ "citation": citation })).await;
    server.post("verdicts", json!({ "citation": citation, "decision": "accept" })).await;
    for path in ["verdicts", "files", "files/a.md", "files/none.md", "changes", "status"] {
        server.send(axum::http::Method::GET, path, &[], Vec::new()).await;
    }
    server.post("events", json!({ "events": [{ "id": "e1", "type": "modified", "path": "a.md" }] })).await;
    let (status, reply) = server.send(axum::http::Method::DELETE, "verdicts/1", &[], Vec::new()).await;
    assert_eq!(status, 200, "{reply}");
    server.delete("a.md", &[]).await;
    let told = server.send(axum::http::Method::GET, "audit?limit=1000", &[], Vec::new()).await;
    let ended: Vec<(String, String)> = entries(&told)
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap().to_owned(), entry["result"].as_str().unwrap().to_owned()))
        .collect();
    for (action, result) in [
        ("file.write", "success"),
        ("search", "success"),
        ("ask", "success"),
        ("citation.verify", "success"),
        ("verdict.create", "success"),
        ("verdict.list", "success"),
        ("file.list", "success"),
        ("file.read", "success"),
        ("file.read", "failure"),
        ("changes.list", "success"),
        ("status.read", "success"),
        ("events.take", "success"),
        ("verdict.delete", "success"),
        ("file.delete", "success"),
    ] {
        assert!(ended.contains(&(action.to_owned(), result.to_owned())), "{action} {result}: {ended:?}");
    }
    let failed = server.send(axum::http::Method::GET, "audit?result=failure&action=file", &[], Vec::new()).await;
    assert!(entries(&failed).iter().any(|entry| entry["code"] == "file_not_found"), "{failed:?}");
    for wrong in ["limit=0", "limit=1001", "cited=..%2Fx", "result=maybe", "since=yesterday", "more=1", "cursor=-1"] {
        let reply = server.send(axum::http::Method::GET, &format!("audit?{wrong}"), &[], Vec::new()).await;
        assert_eq!(reply.0, 400, "{wrong}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reads_the_journal_of_what_it_sees_and_needs_the_right_to() {
    let server = Server::running();
    let admin = key(&server, &["admin"], &[], &[]);
    let narrow = key(&server, &["audit:read", "search"], &["open/**"], &["default"]);
    let without = key(&server, &["search"], &[], &[]);
    let bearer = format!("Bearer {admin}");
    for path in ["open/a.md", "secret/canary.md"] {
        let (status, reply) = server.put(path, "# A lighthouse\n", &[("authorization", &bearer)]).await;
        assert_eq!(status, 201, "{reply}");
    }
    let whole = get(&server, "audit?limit=1000", &admin).await;
    assert!(whole.1.to_string().contains("secret/canary.md"));
    let narrowed = get(&server, "audit?limit=1000", &narrow).await;
    assert!(narrowed.1.to_string().contains("open/a.md") && !narrowed.1.to_string().contains("canary"), "{narrowed:?}");
    let cited = get(&server, "audit?cited=secret%2Fcanary.md", &narrow).await;
    assert!(entries(&cited).is_empty());
    assert_eq!(code(&get(&server, "audit", &without).await), (403, "insufficient_scope"));
    // Refused callers are told to whoever may read the whole journal.
    let refused = get(&server, "audit?result=failure&action=audit", &admin).await;
    assert_eq!(entries(&refused)[0]["by"]["agent"], "coder-7", "{refused:?}");
    assert_eq!(entries(&refused)[0]["code"], "insufficient_scope");
    let (status, reply) = whole_journal(&server, &narrow).await;
    assert_eq!((status, &reply["error"]["code"]), (403, &json!("insufficient_scope")));
    let (status, reply) = whole_journal(&server, &admin).await;
    assert_eq!(status, 200);
    let text = reply.to_string();
    assert!(text.contains("key.create") && !text.contains(&admin[13..45]), "keys are told, and no secret");

    // A workspace that was handed over is its owner's, and so is what was done in it.
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let offer = json!({ "keep": "none" }).to_string().into();
    let (status, offered) = server.send(axum::http::Method::POST, "transfer", &headers, offer).await;
    assert_eq!(status, 201, "{offered}");
    let claim = json!({ "token": offered["token"], "name": "Ada" }).to_string().into();
    let (status, claimed) = server.send(axum::http::Method::POST, "/v1/claims", &headers[1..], claim).await;
    assert_eq!(status, 201, "{claimed}");
    let owner = claimed["secret"].as_str().unwrap();
    let of_owner = get(&server, "audit?action=workspace", owner).await;
    let told: Vec<&str> = entries(&of_owner).iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert!(
        told.starts_with(&["workspace.claim", "workspace.claim", "workspace.offer", "workspace.offer"]),
        "{told:?}"
    );
    assert_eq!(get(&server, "audit", &admin).await.0, 404);
    let (status, reply) = whole_journal(&server, &admin).await;
    assert!(status == 200 && !reply.to_string().contains("canary"), "{reply}");
}

/// `GET /v1/audit`.
async fn whole_journal(server: &Server, secret: &str) -> (u16, Value) {
    get(server, "/v1/audit?limit=1000", secret).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_wrong_keys_is_counted_and_does_not_fill_the_journal() {
    let server = Server::running();
    let admin = key(&server, &["admin"], &[], &[]);
    for _ in 0..300 {
        let (status, _) = get(&server, "status", "pin_nonsense").await;
        assert_eq!(status, 401);
    }
    let journal = |server: &Server| -> Vec<Value> {
        let request = AuditRequest { action: Some("door".to_owned()), limit: 1_000, ..AuditRequest::default() };
        let caller = Caller::local(Surface::CommandLine);
        let reply = server.desk.engine.audit(&caller, &request, &Budget::default()).unwrap();
        reply.entries.iter().map(|entry| serde_json::to_value(entry).unwrap()).collect()
    };
    let counted = |all: &[Value]| all.iter().map(|entry| entry["count"].as_u64().unwrap_or(1)).sum::<u64>();
    crate::line::until("all refusals are counted", || counted(&journal(&server)) == 300);
    assert!(journal(&server).len() < 100, "{}", journal(&server).len());
    assert!(journal(&server).iter().all(|entry| entry["code"] == "unauthorized" && entry["by"]["kind"] == "unknown"));
    drop(admin);
}

#[test]
fn the_command_line_tells_who_has_seen_a_file_and_proves_the_journal() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.md"), "# A lighthouse\n\nThe lamp turns twice a minute.\n").unwrap();
    pincite.index(folder.path());
    assert_eq!(pincite.run(&["search", "lamp", "--mode", "lexical"]).code, 0);
    let seen = pincite.run(&["audit", "--cited", "a.md#16-20"]);
    assert_eq!(seen.code, 0, "{}{}", seen.out, seen.err);
    assert!(seen.out.contains("search  success  local user  cli") && seen.out.contains("shown: a.md#"), "{}", seen.out);
    assert_eq!(pincite.run(&["audit", "--cited", "b.md"]).code, 1);
    let head = pincite.run(&["audit", "head"]);
    let head = head.out.trim();
    let verified = pincite.run(&["audit", "verify", "--head", head]);
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
    assert!(verified.out.contains("the journal is whole"), "{}", verified.out);

    let segment: PathBuf = fs_err::read_dir(pincite.data.path().join("audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .unwrap();
    let text = fs_err::read_to_string(&segment).unwrap();
    fs_err::write(&segment, text.replace("\"operation\":\"search\"", "\"operation\":\"status\"")).unwrap();
    let broken = pincite.run(&["audit", "verify"]);
    assert_eq!(broken.code, 1, "{}", broken.out);
    assert!(broken.out.contains("is not the one that its hash is of"), "{}", broken.out);
    fs_err::write(&segment, text.split_inclusive('\n').next().unwrap()).unwrap();
    fs_err::remove_file(pincite.data.path().join("audit/head")).unwrap();
    let cut = pincite.run(&["audit", "verify", "--head", head, "--json"]);
    assert_eq!(cut.code, 1);
    assert!(cut.json()["breaks"].as_array().unwrap().iter().any(|one| one["kind"] == "cut_end"), "{}", cut.out);
}

#[test]
fn a_full_disk_refuses_what_cannot_be_recorded_and_shows_nothing() {
    let Some(small) = SmallDisk::mount(24) else { return };
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = share(&small.path().join("data"));
    engine.ensure_workspace(&named("default"), Some(folder.path())).unwrap();
    let mut desk = Desk { folder, data, engine, runner: None };
    desk.run();
    let caller = Caller::local(Surface::CommandLine);
    let put = |name: &str| {
        let workspace = desk.engine.workspace(&named("default"), &caller).unwrap();
        workspace.write_file(&name.parse().unwrap(), b"The harbour crane.", &Precondition::None)
    };
    let first = put("first.txt").unwrap();
    assert_eq!(desk.search("crane", Mode::Lexical, Some(first.revision)).unwrap().hits.len(), 1);
    let ballast = small.fill();
    let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new("crane") };
    let refused: EngineError = loop {
        match desk.engine.workspace(&named("default"), &caller).unwrap().search(&request) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!((refused.code(), refused.kind()), ("audit_full", ErrorKind::Full), "{refused}");
    let refused = put("second.txt").unwrap_err();
    assert_eq!(refused.code(), "audit_full", "{refused}");
    assert!(!desk.folder.path().join("second.txt").exists(), "a write is refused before its effect");
    fs_err::remove_file(ballast).unwrap();
    put("third.txt").unwrap();
    assert!(desk.engine.verify_audit(&caller, &[]).unwrap().is_whole);
    let failed = AuditRequest { result: Some(AuditResult::Begun), limit: 10, ..AuditRequest::default() };
    let reply = desk.engine.workspace(&named("default"), &caller).unwrap().audit(&failed, &Budget::default()).unwrap();
    assert!(!serde_json::to_string(&reply).unwrap().contains("second.txt"));
    desk.runner = None;
    drop(desk);
}
