//! Writing over REST: files and pushed events, what is refused, and that nothing old is shown after an answer.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit as _, Mac as _};
use pincite::engine::{Caller, ChangesRequest, EngineError, Event, EventKind, Precondition, Surface};
use pincite::serve::{self, Options};
use pincite::store::{Fingerprint, Observation, Outcome, Store};
use pincite::workspace::{ChangeKind, ContentHash, Priority, Provenance, RelPath};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::indexed::named;
use crate::line::{Desk, share, until};

/// A server over a desk's engine.
pub struct Server {
    pub desk: Desk,
    router: Router,
}

impl Server {
    pub fn over(desk: Desk) -> Self {
        let options = Options::within(&desk.engine.config().limits);
        let router = serve::router(Arc::clone(&desk.engine), named("default"), &options);
        Self { desk, router }
    }

    pub fn running() -> Self {
        Self::over(Desk::running())
    }

    /// As after a restart of the process.
    pub fn reopened(self) -> Self {
        self.reopened_after(|| ())
    }

    /// As after a restart of the process, with something that happened while none ran.
    pub fn reopened_after(self, meanwhile: impl FnOnce()) -> Self {
        let Self { desk: Desk { folder, data, engine, runner }, router } = self;
        drop((runner, router, engine));
        meanwhile();
        let engine = share(data.path());
        let mut desk = Desk { folder, data, engine, runner: None };
        desk.run();
        Self::over(desk)
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, Value) {
        let uri = if path.starts_with('/') { path.to_owned() } else { format!("/v1/workspaces/default/{path}") };
        let mut request = Request::builder().method(method).uri(uri);
        request = request.header(header::HOST, "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let reply: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        assert_eq!(status.is_success(), reply.get("error").is_none(), "{reply}");
        if status == StatusCode::SERVICE_UNAVAILABLE {
            assert!(reply["error"]["hint"].is_string());
        }
        (status.as_u16(), reply)
    }

    /// A route outside the workspaces.
    pub async fn health(&self, path: &str) -> (u16, Value) {
        let request = Request::builder().uri(path).header(header::HOST, "localhost").body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap())
    }

    pub async fn put(&self, path: &str, text: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        self.send(Method::PUT, &format!("files/{path}"), headers, text.into()).await
    }

    pub async fn delete(&self, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        self.send(Method::DELETE, &format!("files/{path}"), headers, Vec::new()).await
    }

    pub async fn read(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, &format!("files/{path}"), &[], Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, path, &headers, body.to_string().into()).await
    }

    /// The paths that these words are found in, in the state that `revision` names.
    pub async fn found(&self, words: &str, revision: &Value) -> Vec<String> {
        let query = json!({ "query": words, "mode": "lexical", "min_revision": revision, "wait_ms": 60_000 });
        let (status, reply) = self.post("search", query).await;
        assert_eq!(status, 200, "{reply}");
        let hits = reply["hits"].as_array().unwrap();
        let mut paths: Vec<String> =
            hits.iter().map(|hit| hit["citation"]["path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    }

    pub fn on_disk(&self, path: &str) -> Option<String> {
        fs_err::read_to_string(self.desk.folder.path().join(path)).ok()
    }
}

pub fn code(reply: &(u16, Value)) -> (u16, &str) {
    (reply.0, reply.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_written_file_is_found_at_its_revision_and_a_deleted_one_is_gone_at_once() {
    let server = Server::running();
    let (status, first) = server.put("notes/a.md", "# A lighthouse", &[]).await;
    assert_eq!((status, &first["kind"]), (201, &json!("created")));
    assert_eq!(server.found("lighthouse", &first["revision"]).await, ["notes/a.md"]);
    let (status, second) = server.put("notes/a.md", "# A windmill", &[]).await;
    assert_eq!((status, &second["kind"]), (200, &json!("modified")));
    assert!(server.found("lighthouse", &Value::Null).await.is_empty(), "what was overwritten is not shown again");
    assert_eq!(server.found("windmill", &second["revision"]).await, ["notes/a.md"]);
    let (status, deleted) = server.delete("notes/a.md", &[]).await;
    assert_eq!((status, &deleted["kind"]), (200, &json!("deleted")));
    assert!(server.found("windmill", &Value::Null).await.is_empty());
    assert_eq!(code(&server.read("notes/a.md").await), (404, "file_gone"));
    assert_eq!(code(&server.delete("notes/a.md", &[]).await), (404, "file_gone"));
    let left: Vec<_> = fs_err::read_dir(server.desk.folder.path().join("notes")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_old_is_shown_by_any_route_between_the_answer_and_the_index() {
    let mut desk = Desk::new();
    for number in 0..50 {
        desk.write(&format!("old/{number}.md"), &format!("# Keel {number}\n\nA lighthouse."));
    }
    desk.run();
    let revision = desk.scan();
    crate::line::until("all is indexed", || {
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .coverage()
            .unwrap()
            .files
            .ready
            == 50
    });
    // The line stands still from here on: the index keeps what it has.
    desk.runner = None;
    let server = Server::over(desk);
    let before = server.found("lighthouse", &json!(revision)).await;
    assert_eq!(before.len(), 10);
    let (_, written) = server.put("old/0.md", "# Mast\n\nA windmill.", &[]).await;
    for number in 1..50 {
        assert_eq!(server.delete(&format!("old/{number}.md"), &[]).await.0, 200);
    }
    for mode in ["lexical", "hybrid", "dense"] {
        let (_, reply) = server.post("search", json!({ "query": "lighthouse", "mode": mode, "k": 100 })).await;
        assert_eq!(reply["hits"], json!([]), "{mode}");
    }
    let (_, answer) = server.post("ask", json!({ "question": "Where is the lighthouse?" })).await;
    assert_eq!(answer["abstained"], true);
    let (_, files) = server.send(Method::GET, "files", &[], Vec::new()).await;
    assert_eq!((&files["total"], &files["pending"]), (&json!(1), &json!(50)));
    assert!(!files.to_string().contains("Keel"), "a title is content, too: {files}");
    assert_eq!(code(&server.read("old/1.md").await), (404, "file_gone"));
    let (_, status) = server.send(Method::GET, "status", &[], Vec::new()).await;
    assert!(!status.to_string().contains("Keel") && status["coverage"]["pending"] == 50, "{status}");
    let late = json!({ "query": "windmill", "min_revision": written["revision"], "wait_ms": 10 });
    assert_eq!(code(&server.post("search", late).await), (409, "not_fresh"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_with_a_condition_happens_only_when_it_holds() {
    let server = Server::running();
    let new = [("if-none-match", "*")];
    let (status, first) = server.put("a.txt", "one", &new).await;
    assert_eq!(status, 201);
    assert_eq!(code(&server.put("a.txt", "two", &new).await), (412, "conflict"));
    let tag = format!("\"{}\"", first["content_hash"].as_str().unwrap());
    assert_eq!(server.put("a.txt", "two", &[("if-match", &tag)]).await.0, 200);
    assert_eq!(code(&server.put("a.txt", "three", &[("if-match", &tag)]).await), (412, "conflict"));
    assert_eq!(code(&server.delete("a.txt", &[("if-match", &tag)]).await), (412, "conflict"));
    assert_eq!(code(&server.put("b.txt", "b", &[("if-match", "*")]).await), (412, "conflict"));
    for path in ["a.txt", "b.txt"] {
        let both = server.put(path, "b", &[("if-match", "*"), ("if-none-match", "*")]).await;
        assert_eq!(code(&both), (412, "conflict"), "no file meets both");
    }
    assert_eq!((server.on_disk("a.txt").as_deref(), server.on_disk("b.txt")), (Some("two"), None));
    for wrong in [("if-match", "abc"), ("if-match", "W/\"ab\""), ("if-none-match", "\"ab\"")] {
        assert_eq!(code(&server.put("a.txt", "x", &[wrong]).await), (400, "invalid_header"), "{wrong:?}");
    }
    let many = format!("\"{}\", {tag}", "0".repeat(64));
    assert_eq!(server.put("a.txt", "one", &[]).await.0, 200);
    assert_eq!(server.delete("a.txt", &[("if-match", &many)]).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_make_the_same_file_one_succeeds() {
    let server = Arc::new(Server::running());
    let tries = (0..16).map(|number| {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.put("a.txt", &format!("by {number}"), &[("if-none-match", "*")]).await.0 })
    });
    let mut made = 0;
    for attempt in tries.collect::<Vec<_>>() {
        made += usize::from(attempt.await.unwrap() == 201);
    }
    assert_eq!(made, 1);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn one_name_in_several_spellings_is_one_file() {
    let server = Server::running();
    let root = server.desk.folder.path().to_owned();
    // As a Mac writes them: the accent by itself.
    fs_err::create_dir(root.join("Bu\u{308}ro")).unwrap();
    fs_err::write(root.join("Bu\u{308}ro/Ko\u{308}ln.md"), "old").unwrap();
    fs_err::write(root.join("ﾃﾞｰﾀ.md"), "old").unwrap();
    let names = |folder: &str| fs_err::read_dir(root.join(folder)).unwrap().count();
    let cases = [
        // Büro/Köln.md and データ.md, of whole characters.
        ("B%C3%BCro/K%C3%B6ln.md", "Bu\u{308}ro/Ko\u{308}ln.md"),
        ("%E3%83%87%E3%83%BC%E3%82%BF.md", "ﾃﾞｰﾀ.md"),
    ];
    let num_before = names("");
    for (asked, on_disk) in cases {
        let (status, written) = server.put(asked, "new words", &[]).await;
        assert_eq!(
            (status, &written["path"], &written["kind"]),
            (200, &json!(on_disk), &json!("modified")),
            "{written}"
        );
        assert_eq!(server.on_disk(on_disk).as_deref(), Some("new words"));
        let (status, file) = server.read(asked).await;
        assert_eq!((status, &file["content"]), (200, &json!("new words")), "{file}");
    }
    assert_eq!((names(""), names("Bu\u{308}ro")), (num_before, 1));
    // What is new is written composed, in a folder that is there under its own name.
    let (status, written) = server.put("B%C3%BCro/Cafe%CC%81.md", "x", &[]).await;
    assert_eq!((status, &written["path"]), (201, &json!("Bu\u{308}ro/Café.md")), "{written}");
    let (status, _) = server.delete("B%C3%BCro/Cafe%CC%81.md", &[]).await;
    assert_eq!((status, names("Bu\u{308}ro")), (200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_outside_the_folder_or_where_the_rules_pass_over() {
    let server = Server::running();
    let outside = tempfile::tempdir().unwrap();
    let folder = server.desk.folder.path();
    fs_err::write(outside.path().join("a.txt"), "untouched").unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.join("out")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("a.txt"), folder.join("link.txt")).unwrap();
    fs_err::create_dir(folder.join("sub")).unwrap();
    fs_err::write(folder.join("sub/inside.txt"), "a folder without files would give way").unwrap();
    fs_err::write(folder.join("file"), "a file").unwrap();
    fs_err::write(folder.join(".gitignore"), "*.log\n").unwrap();
    let long = "n".repeat(300);
    let wrong = [
        ("out/a.txt", "outside_workspace"),
        ("out/new/b.txt", "outside_workspace"),
        ("link.txt", "outside_workspace"),
        ("..%2Fa.txt", "invalid_path"),
        ("%2Fetc%2Fa.txt", "invalid_path"),
        ("a%5Cb.txt", "invalid_path"),
        (".hidden/a.txt", "passed_over"),
        (".gitignore", "passed_over"),
        ("run.log", "passed_over"),
        ("a.txt~", "passed_over"),
        ("sub", "not_a_file"),
        ("file/below.txt", "not_a_file"),
        (&long, "invalid_path"),
    ];
    for (path, expected) in wrong {
        assert_eq!(code(&server.put(path, "x", &[]).await), (400, expected), "{path}");
    }
    for path in ["out/a.txt", "link.txt", ".gitignore"] {
        assert_eq!(server.delete(path, &[]).await.0, 400, "{path}");
    }
    assert_eq!(fs_err::read_to_string(outside.path().join("a.txt")).unwrap(), "untouched");
    assert_eq!(fs_err::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_taken_once_and_the_disk_is_the_truth() {
    let server = Server::running();
    let desk = &server.desk;
    desk.write("a.txt", "A lighthouse.");
    let event = |id: &str, kind: &str, path: &str| json!({ "id": id, "type": kind, "path": path });
    let (status, first) = server.post("events", json!({ "events": [event("1", "created", "a.txt")] })).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(server.found("lighthouse", &first["revision"]).await, ["a.txt"]);
    let (_, again) = server.post("events", json!({ "events": [event("1", "created", "a.txt")] })).await;
    assert_eq!((&again["events"][0]["repeated"], &again["revision"]), (&json!(true), &first["revision"]));
    // Late and wrong: the file is still there, and nothing is taken away.
    let (_, late) = server.post("events", json!({ "events": [event("0", "deleted", "a.txt")] })).await;
    assert_eq!(server.found("lighthouse", &late["revision"]).await, ["a.txt"]);
    fs_err::rename(desk.folder.path().join("a.txt"), desk.folder.path().join("b.txt")).unwrap();
    let renamed = json!({ "id": "2", "type": "renamed", "from": "a.txt", "path": "b.txt" });
    let (_, renamed) = server.post("events", json!({ "events": [renamed] })).await;
    assert_eq!(server.found("lighthouse", &renamed["revision"]).await, ["b.txt"]);
    fs_err::remove_file(desk.folder.path().join("b.txt")).unwrap();
    let both = json!({ "events": [event("3", "deleted", "b.txt"), event("3", "deleted", "b.txt")] });
    let (_, gone) = server.post("events", both).await;
    assert_eq!(gone["events"][1]["repeated"], true);
    assert!(server.found("lighthouse", &gone["revision"]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_of_events_is_written_and_older_content_never_replaces_newer() {
    let server = Server::running();
    let write = |id: &str, at: &str, text: &str| json!({ "id": id, "type": "modified", "path": "n/a.txt", "occurred_at": at, "content": text });
    let (_, newer) =
        server.post("events", json!({ "events": [write("2", "2026-11-02T00:00:00Z", "A windmill.")] })).await;
    let (_, older) =
        server.post("events", json!({ "events": [write("1", "2026-11-01T00:00:00Z", "A lighthouse.")] })).await;
    assert_eq!((&newer["events"][0]["superseded"], &older["events"][0]["superseded"]), (&json!(false), &json!(true)));
    assert_eq!(server.on_disk("n/a.txt").as_deref(), Some("A windmill."));
    assert_eq!(server.found("windmill", &older["revision"]).await, ["n/a.txt"]);
    let encoded =
        json!({ "id": "3", "type": "created", "path": "b.txt", "content_base64": STANDARD.encode("A dike.") });
    let (_, taken) = server.post("events", json!({ "events": [encoded] })).await;
    assert_eq!(server.found("dike", &taken["revision"]).await, ["b.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_cannot_be_are_refused_and_none_of_their_request_is_taken() {
    let server = Server::running();
    let good = json!({ "id": "good", "type": "created", "path": "good.txt", "content": "A lighthouse." });
    let wrong = [
        (json!({ "id": " ", "type": "created", "path": "a" }), 400, "invalid_event"),
        (json!({ "id": "1", "type": "renamed", "path": "a" }), 400, "invalid_event"),
        (json!({ "id": "1", "type": "created", "path": "a", "from": "b" }), 400, "invalid_event"),
        (json!({ "id": "1", "type": "deleted", "path": "a", "content": "x" }), 400, "invalid_event"),
        (json!({ "id": "1", "type": "created", "path": "a", "content_base64": "!" }), 400, "invalid_event"),
        (json!({ "id": "1", "type": "created", "path": ".git/config", "content": "x" }), 400, "passed_over"),
        (json!({ "id": "1", "type": "created", "path": "../a" }), 422, "invalid_body"),
        (json!({ "id": "1", "type": "moved", "path": "a" }), 422, "invalid_body"),
        (json!({ "id": "1", "type": "created" }), 422, "invalid_body"),
    ];
    for (event, status, expected) in wrong {
        let refused = server.post("events", json!({ "events": [good, event] })).await;
        assert_eq!(code(&refused), (status, expected), "{event}");
    }
    assert_eq!(server.on_disk("good.txt"), None);
    assert_eq!(code(&server.post("events", json!({ "events": [] })).await), (400, "invalid_request"));
}

const KEY: &[u8] = b"a key that both sides know";

/// The signature of `content` for a method and path.
fn signed_for(route: &str, content: &str) -> String {
    let code = |key: &[u8], content: &str| {
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
        mac.update(content.as_bytes());
        mac.finalize().into_bytes()
    };
    format!("v1,{}", STANDARD.encode(code(&code(KEY, route), content)))
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_writes_are_signed_no_other_write_is_taken() {
    let secret = STANDARD.encode(KEY);
    let server =
        Server::over(Desk::configured(&format!("[events]\nsecret = \"whsec_{secret}\"\nsign_all_writes = true\n")));
    for (method, path) in [(Method::PUT, "files/a.txt"), (Method::DELETE, "files/a.txt"), (Method::POST, "events")] {
        let refused =
            server.send(method.clone(), path, &[("content-type", "application/json")], b"A dike.".to_vec()).await;
        assert_eq!(code(&refused), (401, "bad_signature"), "{method} {path}");
    }
    let at = jiff::Timestamp::now().as_second().to_string();
    let signature = signed_for("PUT /v1/workspaces/default/files/a.txt", &format!("msg_1.{at}.A dike."));
    let headers =
        [("webhook-id", "msg_1"), ("webhook-timestamp", at.as_str()), ("webhook-signature", signature.as_str())];
    let forged = server.send(Method::PUT, "files/a.txt", &headers, b"A ditch.".to_vec()).await;
    assert_eq!(code(&forged), (401, "bad_signature"));
    assert_eq!(server.on_disk("a.txt"), None);
    assert_eq!(server.send(Method::PUT, "files/a.txt", &headers, b"A dike.".to_vec()).await.0, 201);
    assert_eq!(server.on_disk("a.txt").as_deref(), Some("A dike."));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_secret_only_signed_events_are_taken() {
    let secret = STANDARD.encode(KEY);
    let server = Server::over(Desk::configured(&format!("[events]\nsecret = \"whsec_{secret}\"\n")));
    let body = json!({ "events": [{ "id": "1", "type": "created", "path": "a.txt", "content": "A dike." }] });
    assert_eq!(code(&server.post("events", body.clone()).await), (401, "bad_signature"));
    let at = jiff::Timestamp::now().as_second().to_string();
    let signature = signed_for("POST /v1/workspaces/default/events", &format!("msg_1.{at}.{body}"));
    let headers = |id| {
        let signed = [("webhook-id", id), ("webhook-timestamp", at.as_str()), ("webhook-signature", &signature)];
        [signed.as_slice(), &[("content-type", "application/json")]].concat()
    };
    let bytes: Vec<u8> = body.to_string().into();
    for elsewhere in ["POST /v1/workspaces/other/events", "PUT /v1/workspaces/default/events", ""] {
        let wrong = signed_for(elsewhere, &format!("msg_1.{at}.{body}"));
        let headers = [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", at.as_str()),
            ("webhook-signature", wrong.as_str()),
            ("content-type", "application/json"),
        ];
        let replayed = server.send(Method::POST, "events", &headers, bytes.clone()).await;
        assert_eq!(code(&replayed), (401, "bad_signature"), "{elsewhere}");
    }
    let forged = server.send(Method::POST, "events", &headers("msg_2"), bytes.clone()).await;
    assert_eq!(code(&forged), (401, "bad_signature"));
    assert_eq!(server.on_disk("a.txt"), None);
    assert_eq!(server.send(Method::POST, "events", &headers("msg_1"), bytes).await.0, 200);
    assert_eq!(server.on_disk("a.txt").as_deref(), Some("A dike."));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_refused_for_now_when_too_much_is_pending_and_go_on_when_it_is_less() {
    let desk = Desk::new();
    fs_err::write(desk.data.path().join("config.toml"), "max_pending = 3\n").unwrap();
    let Desk { folder, data, engine, runner } = desk;
    drop((engine, runner));
    let engine = share(data.path());
    let mut server = Server::over(Desk { folder, data, engine, runner: None });
    for number in 0..3 {
        assert_eq!(server.put(&format!("{number}.txt"), "words", &[]).await.0, 201);
    }
    assert_eq!(code(&server.put("3.txt", "words", &[]).await), (503, "backlog"));
    assert_eq!(server.on_disk("3.txt"), None);
    server.desk.run();
    server.found("words", &json!(3)).await;
    assert_eq!(server.put("3.txt", "words", &[]).await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_without_a_folder_gets_one_in_the_data_folder() {
    let data = tempfile::tempdir().unwrap();
    let engine = share(data.path());
    engine.ensure_workspace(&named("default"), None).unwrap();
    let runner = Some(engine.run().unwrap());
    let server = Server::over(Desk { folder: tempfile::tempdir().unwrap(), data, engine, runner });
    let (status, written) = server.put("notes/a.txt", "A lighthouse.", &[]).await;
    assert_eq!(status, 201, "{written}");
    assert_eq!(server.found("lighthouse", &written["revision"]).await, ["notes/a.txt"]);
    let kept = server.desk.data.path().join("workspaces/default/files/notes");
    assert!(kept.join("a.txt").exists());
    // Nobody else keeps these files, so here an event is an order.
    let renamed = json!({ "id": "1", "type": "renamed", "from": "notes/a.txt", "path": "notes/b.txt" });
    let (_, renamed) = server.post("events", json!({ "events": [renamed] })).await;
    assert_eq!(server.found("lighthouse", &renamed["revision"]).await, ["notes/b.txt"]);
    let deleted = json!({ "id": "2", "type": "deleted", "path": "notes/b.txt" });
    let (_, deleted) = server.post("events", json!({ "events": [deleted] })).await;
    assert!(server.found("lighthouse", &deleted["revision"]).await.is_empty());
    assert!(!kept.join("b.txt").exists());
}

/// Whether somebody waits for the lock on a file.
#[cfg(target_os = "linux")]
fn is_waited_for(file: &fs_err::File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = format!(":{} ", file.metadata().unwrap().ino());
    let locks = fs_err::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| line.contains("-> ") && line.contains(&inode))
}

/// What is refused while it waits for others who write has changed nothing.
#[cfg(target_os = "linux")]
#[test]
fn a_write_that_finds_the_log_full_when_its_turn_comes_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    fs_err::write(data.path().join("config.toml"), "max_pending = 3\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (engine, id) = (share(data.path()), named("default"));
    engine.ensure_workspace(&id, Some(folder.path())).unwrap();
    let at = |name: &str| -> RelPath { name.parse().unwrap() };
    engine
        .workspace(&id, &Caller::local(Surface::CommandLine))
        .unwrap()
        .write_file(&at("a.txt"), b"first", &Precondition::None)
        .unwrap();
    let event = Event {
        id: "1".to_owned(),
        kind: EventKind::Modified,
        path: at("a.txt"),
        from: None,
        occurred_at: None,
        content: Some("third".to_owned()),
        content_base64: None,
        agent: None,
        run: None,
        sandbox: None,
        tags: Vec::new(),
    };
    let writes: [&(dyn Fn() -> Result<(), EngineError> + Sync); 3] = [
        &|| {
            engine
                .workspace(&id, &Caller::local(Surface::CommandLine))
                .unwrap()
                .write_file(&at("a.txt"), b"second", &Precondition::None)
                .map(drop)
        },
        &|| {
            engine
                .workspace(&id, &Caller::local(Surface::CommandLine))
                .unwrap()
                .delete_file(&at("a.txt"), &Precondition::None, Provenance::default())
                .map(drop)
        },
        &|| {
            engine
                .workspace(&id, &Caller::local(Surface::CommandLine))
                .unwrap()
                .take_events(std::slice::from_ref(&event))
                .map(drop)
        },
    ];
    let lock = data.path().join("workspaces/default/files.lock");
    for write in writes {
        let held = fs_err::File::open(&lock).unwrap();
        held.file().lock().unwrap();
        let store = Store::open(data.path(), true).unwrap();
        let before = engine
            .workspace(&id, &Caller::local(Surface::CommandLine))
            .unwrap()
            .recent_changes(&ChangesRequest::newest(99))
            .unwrap()
            .changes
            .len();
        let refused = std::thread::scope(|scope| {
            let write = scope.spawn(write);
            until("it waits for its turn", || is_waited_for(&held));
            let (kind, fingerprint) = (ChangeKind::Created, Fingerprint::NONE);
            let others = ["x", "y", "z"].map(|name| Observation::new(at(name), kind, fingerprint, true));
            store.log(&id, &others, Priority::Interactive).unwrap();
            drop(held);
            write.join().unwrap()
        });
        assert!(matches!(refused, Err(EngineError::Backlog { max: 3 })), "{refused:?}");
        assert_eq!(fs_err::read_to_string(folder.path().join("a.txt")).unwrap(), "first");
        assert_eq!(
            engine
                .workspace(&id, &Caller::local(Surface::CommandLine))
                .unwrap()
                .recent_changes(&ChangesRequest::newest(99))
                .unwrap()
                .changes
                .len(),
            before + 3,
            "only theirs"
        );
        let last = store.last_revision(&id).unwrap();
        let epoch = store.workspace(&id).unwrap().epoch;
        store.acknowledge(&id, epoch, last, &["x", "y", "z"].map(|name| Outcome::Gone(at(name)))).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_may_be_longer_than_other_bodies_and_one_that_is_too_long_leaves_nothing() {
    let data = tempfile::tempdir().unwrap();
    fs_err::write(data.path().join("config.toml"), "max_file_bytes = 5000000\n").unwrap();
    let (folder, engine) = (tempfile::tempdir().unwrap(), share(data.path()));
    engine.ensure_workspace(&named("default"), Some(folder.path())).unwrap();
    let server = Server::over(Desk { folder, data, engine, runner: None });
    let long = "A lighthouse. ".repeat(350_000);
    let (status, written) = server.put("new/long.txt", &long, &[]).await;
    assert_eq!(status, 201, "{written}");
    assert_eq!(server.on_disk("new/long.txt").as_deref(), Some(long.as_str()));
    assert_eq!(written["content_hash"], ContentHash::of(long.as_bytes()).to_string());
    let too_long = "x".repeat(5_000_001);
    assert_eq!(code(&server.put("new/long.txt", &too_long, &[]).await), (400, "file_too_large"));
    assert_eq!(code(&server.put("other/long.txt", &too_long, &[]).await), (400, "file_too_large"));
    assert_eq!(server.on_disk("new/long.txt").as_deref(), Some(long.as_str()));
    let left = fs_err::read_dir(server.desk.folder.path()).unwrap().count();
    assert_eq!(
        (
            left,
            server
                .desk
                .engine
                .workspace(&named("default"), &Caller::local(Surface::CommandLine))
                .unwrap()
                .recent_changes(&ChangesRequest::newest(9))
                .unwrap()
                .changes
                .len()
        ),
        (1, 1)
    );
    let event = json!({ "id": "1", "type": "created", "path": "a.txt", "content": long });
    assert_eq!(code(&server.post("events", json!({ "events": [event] })).await), (413, "body_too_large"));
}
