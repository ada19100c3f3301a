//! Keys over every surface: who is let in, what each right opens, and that a narrowed key sees nothing beyond its globs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, header};
use pincite::engine::{Access, Caller, Engine, NewKey, Secret, Surface};
use pincite::ingest::Silent;
use pincite::workspace::Scope;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::cli::Pincite;
use crate::indexed::{self, named};
use crate::spaces::router;

/// Stands in names, titles, headings and texts that a narrowed key is not to see, and nowhere else.
pub const CANARY: &str = "zanzibarquux";

pub struct Keyed {
    pub pincite: Pincite,
    pub engine: Arc<Engine>,
    pub router: Router,
    pub admin: String,
    pub folder: tempfile::TempDir,
}

/// A file of each of four formats that hold a word everywhere.
fn fill(folder: &std::path::Path, word: &str, num_files: usize) {
    fs_err::create_dir_all(folder).unwrap();
    let first = SystemTime::now() - Duration::from_hours(1);
    for number in 0..num_files {
        let (name, text) = match number % 4 {
            0 => ("md", format!("# Keel {word} {number}\n\n## Of {word}\n\nThe {word} crane lifts {number} tonnes.\n")),
            1 => ("txt", format!("The harbour of {word}, quay {number}, is closed at low tide.\n")),
            2 => ("csv", format!("name,value\n{word},{number}\nharbour {word},{number}\n")),
            _ => ("json", format!("{{\"{word}\": {{\"harbour\": \"{word} {number}\"}}}}\n")),
        };
        let path = folder.join(format!("{word}-{number}.{name}"));
        fs_err::write(&path, text).unwrap();
        // In one order at any speed of the disk: what lists the newest files first tells the same of two folders.
        let modified = first + Duration::from_secs(number as u64);
        fs_err::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    }
}

impl Keyed {
    /// A workspace with open files, and as many secret ones as are asked for.
    pub fn new(num_secret: usize) -> Self {
        let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
        fill(&folder.path().join("open"), "lantern", 12);
        fill(&folder.path().join("secret"), CANARY, num_secret);
        let engine = Arc::new(indexed::open(pincite.data.path()));
        let local = Caller::local(Surface::CommandLine);
        engine.workspace_at(&named("default"), folder.path(), &local).unwrap().index(&Silent).unwrap();
        let router = router(&engine);
        let mut keyed = Self { pincite, engine, router, admin: String::new(), folder };
        keyed.admin = keyed.key(&[Scope::Admin], |key| key);
        keyed
    }

    pub fn key(&self, scopes: &[Scope], with: impl FnOnce(NewKey) -> NewKey) -> String {
        let new =
            NewKey { name: "of a test".to_owned(), scopes: scopes.iter().copied().collect(), ..NewKey::default() };
        self.engine.create_key(&Caller::local(Surface::CommandLine), &with(new)).unwrap().secret
    }

    pub async fn send(
        &self,
        key: Option<&str>,
        method: Method,
        uri: &str,
        body: Option<&Value>,
    ) -> (u16, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(uri).header(header::HOST, "localhost");
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if uri.starts_with("/mcp") {
            request = request.header("mcp-protocol-version", "2025-11-25");
            request = request.header(header::ACCEPT, "application/json, text/event-stream");
        }
        let request = match body {
            Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, headers, String::from_utf8_lossy(&bytes).into_owned())
    }

    pub async fn json(&self, key: &str, method: Method, uri: &str, body: Option<&Value>) -> (u16, Value) {
        let (status, _, text) = self.send(Some(key), method, uri, body).await;
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{uri}: {text}")))
    }

    pub async fn tool(&self, key: &str, name: &str, arguments: &Value) -> Value {
        let params = json!({ "name": name, "arguments": arguments });
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let (status, reply) = self.json(key, Method::POST, "/mcp", Some(&call)).await;
        assert_eq!(status, 200, "{name}: {reply}");
        reply
    }
}

/// What a route needs: a right, any key, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Needs(Scope),
    AnyKey,
    Open,
}

/// The rule of each operation of REST. A new one without a rule fails the test.
fn rule_of(operation: &str) -> Option<Rule> {
    use Rule::{AnyKey, Needs, Open};
    Some(match operation {
        "livez" | "readyz" | "claim" | "upload" => Open,
        "workspaces" | "limits" => AnyKey,
        "offer_transfer" | "transfers" | "withdraw_transfer" | "metrics" | "create_workspace" | "update_workspace"
        | "delete_workspace" | "break_lock" => Needs(Scope::Admin),
        "search" | "search_vector_store" => Needs(Scope::Search),
        "ask" => Needs(Scope::Ask),
        "verify"
        | "status"
        | "files"
        | "file"
        | "head"
        | "changes"
        | "contents"
        | "verdicts"
        | "grep"
        | "vector_stores"
        | "vector_store"
        | "vector_store_files"
        | "vector_store_file"
        | "vector_store_file_content"
        | "attach_file"
        | "uploaded_files"
        | "uploaded_file"
        | "uploaded_file_content" => Needs(Scope::FilesRead),
        "take_lock" | "locks" | "extend_lock" | "release_lock" => Needs(Scope::Locks),
        "put"
        | "delete"
        | "events"
        | "write_file"
        | "create_upload"
        | "edit_file"
        | "move_file"
        | "copy_file"
        | "judge"
        | "withdraw_verdict"
        | "upload_file"
        | "delete_uploaded_file"
        | "remove_file" => Needs(Scope::FilesWrite),
        "webhooks" | "create_webhook" | "webhook" | "update_webhook" | "delete_webhook" | "rotate_webhook"
        | "deliveries" | "test_webhook" | "replay_delivery" => Needs(Scope::Webhooks),
        "audit" | "audit_of_all" | "audit_head" => Needs(Scope::AuditRead),
        "keys" | "create_key" | "change_key" | "rotate_key" | "revoke_key" => Needs(Scope::Keys),
        _ => return None,
    })
}

/// Every operation of the description: its id, its method, its URL with the parts filled in, and the example of its body.
fn operations() -> Vec<(String, Method, String, Option<Value>)> {
    let description = serde_json::to_value(pincite::serve::openapi_document()).unwrap();
    let mut found = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let method = method.to_uppercase().parse().unwrap();
            let url = path.replace("{ws}", "default").replace("{path}", "open/new.md");
            let url = url.replace("{id}", "1").replace("{delivery}", "1");
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            found.push((id, method, url, Some(example.clone()).filter(|example| !example.is_null())));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_rest_takes_the_right_that_it_needs_and_no_other() {
    let keyed = Keyed::new(0);
    let mut seen = BTreeSet::new();
    for (id, method, url, body) in operations() {
        let rule = rule_of(&id).unwrap_or_else(|| panic!("`{id}` ({method} {url}) has no rule in this test"));
        seen.insert(id.clone());
        let (status, headers, reply) = keyed.send(None, method.clone(), &url, body.as_ref()).await;
        if rule == Rule::Open {
            assert_ne!(status, 401, "{id}: {reply}");
            continue;
        }
        assert_eq!((status, headers[header::WWW_AUTHENTICATE].to_str().unwrap()), (401, r#"Bearer realm="pincite""#));
        // A reply to `HEAD` is its status alone.
        let says = |reply: &str, words: &str| method == Method::HEAD || reply.contains(words);
        assert!(says(&reply, "\"unauthorized\""), "{id}: {reply}");
        let Rule::Needs(needed) = rule else { continue };
        let others: Vec<Scope> =
            Scope::ALL.into_iter().filter(|scope| ![needed, Scope::Admin].contains(scope)).collect();
        let (status, _, reply) =
            keyed.send(Some(&keyed.key(&others, |key| key)), method.clone(), &url, body.as_ref()).await;
        assert_eq!(status, 403, "{id}: {reply}");
        assert!(says(&reply, "insufficient_scope") && says(&reply, &format!("`{needed}`")), "{id}: {reply}");
        // What deletes the workspace would leave nothing for the others to ask.
        if id != "delete_workspace" {
            // Their replies show what stands in files.
            let also = ["edit_file", "copy_file"].contains(&id.as_str()).then_some(Scope::FilesRead);
            let rights: Vec<Scope> = [needed].into_iter().chain(also).collect();
            let own = keyed.key(&rights, |key| key);
            let (status, _, reply) = keyed.send(Some(&own), method.clone(), &url, body.as_ref()).await;
            let told: Value = serde_json::from_str(&reply).unwrap_or_default();
            let is_refused = status == 401
                || told["error"]["code"] == "insufficient_scope"
                || method == Method::HEAD && status == 403;
            assert!(!is_refused, "{id}: {status} {reply}");
        }
    }
    assert!(seen.len() >= 24, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_key_that_holds_gets_401_on_every_path() {
    let keyed = Keyed::new(0);
    let wrong = Secret::generate().unwrap();
    let over = keyed.key(&[Scope::Admin], |key| key);
    let id = over.split('_').nth(1).unwrap().to_owned();
    keyed.engine.revoke_key(&Caller::local(Surface::CommandLine), &id).unwrap();
    let mixed = format!("{}_{}", &keyed.admin[..12], &wrong.reveal()[13..]);
    let paths = ["/", "/mcp", "/w/default", "/v1/workspaces", "/v1/nothing", "/.well-known/oauth-protected-resource"];
    for path in paths.into_iter().chain(["/openapi.json", "/metrics"]) {
        for key in [None, Some(wrong.reveal()), Some(over.as_str()), Some("x"), Some(mixed.as_str())] {
            let (status, headers, reply) = keyed.send(key, Method::GET, path, None).await;
            let told = headers.get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
            let is_page = path == "/" || path.starts_with("/w/");
            if is_page && status == 303 {
                continue;
            }
            assert_eq!(status, 401, "{path} {key:?}: {reply}");
            assert!(told.is_some_and(|told| told.starts_with("Bearer realm=\"pincite\"")), "{path} {key:?}: {told:?}");
            assert!(!reply.contains(CANARY) && !reply.contains("default"), "{path}: {reply}");
        }
    }
    assert_eq!(keyed.send(Some(&keyed.admin), Method::GET, "/v1/workspaces", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_without_any_right_on_it_is_one_that_does_not_exist() {
    let keyed = Keyed::new(0);
    keyed.engine.create_workspace(&named("other"), None).unwrap();
    let other = keyed.key(&[Scope::Admin], |key| NewKey { workspaces: Some(vec![named("other")]), ..key });
    let (_, listed) = keyed.json(&other, Method::GET, "/v1/workspaces", None).await;
    assert_eq!(listed["workspaces"].as_array().unwrap().len(), 1, "{listed}");
    for (id, method, url, body) in operations().into_iter().filter(|(_, _, url, _)| url.contains("/default")) {
        let (status, _, reply) = keyed.send(Some(&other), method.clone(), &url, body.as_ref()).await;
        let nowhere = url.replace("/default", "/nowhere");
        let (of_nowhere, _, told) = keyed.send(Some(&other), method, &nowhere, body.as_ref()).await;
        assert_eq!((status, reply), (of_nowhere, told.replace("nowhere", "default")), "{id}");
        assert_eq!(status, 404, "{id}");
    }
    let made = json!({ "name": "third" });
    let (status, reply) = keyed.json(&other, Method::POST, "/v1/workspaces", Some(&made)).await;
    assert_eq!((status, &reply["error"]["code"]), (403, &json!("insufficient_scope")), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_an_agent_proves_the_writer_and_no_request_can_claim_it() {
    let keyed = Keyed::new(0);
    let writer =
        keyed.key(&[Scope::FilesWrite, Scope::Search], |key| NewKey { agent: Some("nightly".to_owned()), ..key });
    let base = "/v1/workspaces/default";
    let put = |key: String, path: &str, agent: Option<&str>| {
        let mut request = Request::builder().method(Method::PUT).uri(format!("{base}/files/{path}"));
        request = request.header(header::HOST, "localhost").header(header::AUTHORIZATION, format!("Bearer {key}"));
        if let Some(agent) = agent {
            request = request.header("pincite-agent", agent);
        }
        let router = keyed.router.clone();
        let request = request.body(Body::from("The beacon of Quillfort is lit at six.\n")).unwrap();
        async move { router.oneshot(request).await.unwrap().status().as_u16() }
    };
    assert_eq!(put(writer.clone(), "open/proven.md", None).await, 201);
    assert_eq!(put(writer.clone(), "open/same.md", Some("nightly")).await, 201);
    assert_eq!(put(writer.clone(), "open/other.md", Some("somebody")).await, 403);
    assert_eq!(put(keyed.admin.clone(), "open/claimed.md", Some("nightly")).await, 201);
    let event = json!({ "id": "1", "type": "modified", "path": "open/lantern-0.md", "agent": "somebody" });
    let body = json!({ "events": [event] });
    assert_eq!(keyed.json(&writer, Method::POST, &format!("{base}/events"), Some(&body)).await.0, 403);
    let forged =
        json!({ "id": "1", "type": "modified", "path": "open/lantern-0.md", "agent": "nightly", "proven": true });
    let body = json!({ "events": [forged] });
    let (status, reply) = keyed.json(&keyed.admin, Method::POST, &format!("{base}/events"), Some(&body)).await;
    assert_eq!(status, 422, "{reply}");

    let local = Caller::local(Surface::CommandLine);
    keyed.engine.workspace(&named("default"), &local).unwrap().index(&Silent).unwrap();
    let body = json!({ "query": "beacon of Quillfort", "k": 10, "mode": "lexical" });
    let (_, reply) = keyed.json(&writer, Method::POST, &format!("{base}/search"), Some(&body)).await;
    let mut told: Vec<(String, Value)> = Vec::new();
    for hit in reply["hits"].as_array().unwrap() {
        let places = [&hit["citation"]].into_iter().chain(hit["also_at"].as_array().into_iter().flatten());
        told.extend(places.map(|place| (place["path"].as_str().unwrap().to_owned(), place["provenance"].clone())));
    }
    told.sort_by_key(|(path, _)| path.clone());
    let proven = json!({ "agent": "nightly", "proven": true });
    let paths = ["open/claimed.md", "open/proven.md", "open/same.md"].map(str::to_owned);
    assert_eq!(
        told,
        paths.into_iter().zip([json!({ "agent": "nightly" }), proven.clone(), proven]).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_only_keys_that_may_no_more_and_a_change_only_narrows() {
    let keyed = Keyed::new(0);
    let maker = keyed.key(&[Scope::Keys, Scope::Search, Scope::FilesRead], |key| NewKey {
        workspaces: Some(vec![named("default")]),
        path_globs: vec!["open/**".to_owned()],
        ..key
    });
    let created = |body: Value| {
        let (keyed, maker) = (&keyed, &maker);
        async move { keyed.json(maker, Method::POST, "/v1/keys", Some(&body)).await }
    };
    for (what, body) in [
        ("a scope", json!({ "name": "x", "scopes": ["ask"] })),
        ("admin", json!({ "name": "x", "scopes": ["admin"] })),
        ("a workspace", json!({ "name": "x", "scopes": ["search"], "workspaces": ["elsewhere"] })),
        ("its life", json!({ "name": "x", "scopes": ["search"], "expires_at": days_from_now(200) })),
    ] {
        let (status, reply) = created(body).await;
        assert_eq!((status, &reply["error"]["code"]), (403, &json!("wider_than_allowed")), "{what}: {reply}");
    }
    let (status, made) = created(json!({ "name": "child", "scopes": ["search"], "path_globs": ["*.md"] })).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["key"]["path_globs"], json!([["open/**"], ["*.md"]]), "both lists hold");
    assert_eq!(made["key"]["workspaces"], json!(["default"]));
    let id = made["key"]["id"].as_str().unwrap();
    let child = made["secret"].as_str().unwrap();
    let uri = format!("/v1/keys/{id}");
    for (patch, status) in [
        (json!({ "scopes": ["search", "files:read"] }), 403),
        (json!({ "workspaces": ["default", "more"] }), 403),
        (json!({ "expires_at": days_from_now(366) }), 403),
        (json!({ "agent": "x" }), 422),
        (json!({ "name": "renamed", "path_globs": ["*-0*"] }), 200),
    ] {
        let (found, reply) = keyed.json(&maker, Method::PATCH, &uri, Some(&patch)).await;
        assert_eq!(found, status, "{patch}: {reply}");
    }
    let body = json!({ "query": "lantern", "k": 100 });
    let (_, found) = keyed.json(child, Method::POST, "/v1/workspaces/default/search", Some(&body)).await;
    let paths: BTreeSet<&str> =
        found["hits"].as_array().unwrap().iter().map(|hit| hit["citation"]["path"].as_str().unwrap()).collect();
    assert_eq!(paths, BTreeSet::from(["open/lantern-0.md"]));
    // The maker neither sees nor touches the key of the admin.
    let (_, listed) = keyed.json(&maker, Method::GET, "/v1/keys", None).await;
    assert!(listed["keys"].as_array().unwrap().iter().all(|key| key["scopes"] != json!(["admin"])), "{listed}");
    assert!(!listed.to_string().contains("hash") && !listed.to_string().contains(child), "{listed}");
    let admin_id = keyed.admin.split('_').nth(1).unwrap();
    for (method, uri) in
        [(Method::DELETE, format!("/v1/keys/{admin_id}")), (Method::DELETE, "/v1/keys/none".to_owned())]
    {
        assert_eq!(keyed.json(&maker, method, &uri, None).await.0, 404, "{uri}");
    }
}

fn days_from_now(days: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_holds_beside_the_new_one_and_a_revoked_one_takes_its_children_along() {
    let keyed = Keyed::new(0);
    let search = json!({ "query": "lantern" });
    let asks = |key: String| {
        let (keyed, search) = (&keyed, &search);
        async move { keyed.json(&key, Method::POST, "/v1/workspaces/default/search", Some(search)).await.0 }
    };
    let parent = keyed.key(&[Scope::Keys, Scope::Search], |key| key);
    let body = json!({ "name": "child", "scopes": ["search"] });
    let (_, made) = keyed.json(&parent, Method::POST, "/v1/keys", Some(&body)).await;
    let child = made["secret"].as_str().unwrap().to_owned();
    let parent_id = parent.split('_').nth(1).unwrap().to_owned();

    let rotate = format!("/v1/keys/{parent_id}/rotate");
    let (status, rotated) = keyed.json(&keyed.admin, Method::POST, &rotate, Some(&json!({ "overlap_s": 60 }))).await;
    assert_eq!(status, 201, "{rotated}");
    let new = rotated["secret"].as_str().unwrap().to_owned();
    assert_eq!((asks(parent.clone()).await, asks(new.clone()).await, asks(child.clone()).await), (200, 200, 200));
    let (status, reply) = keyed.json(&keyed.admin, Method::POST, &rotate, Some(&json!({ "overlap_s": 604_801 }))).await;
    assert_eq!(status, 400, "{reply}");

    let new_id = new.split('_').nth(1).unwrap();
    let (_, revoked) = keyed.json(&keyed.admin, Method::DELETE, &format!("/v1/keys/{new_id}"), None).await;
    assert!(revoked["revoked"].as_array().unwrap().contains(&json!(new_id)), "{revoked}");
    assert_eq!((asks(new).await, asks(child).await), (401, 401), "what it made goes, too");
}

#[test]
fn another_process_revokes_a_key_and_the_server_refuses_it_at_once() {
    let keyed = Keyed::new(0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let key = keyed.key(&[Scope::Search], |key| key);
    let search = json!({ "query": "lantern" });
    let uri = "/v1/workspaces/default/search";
    assert_eq!(runtime.block_on(keyed.json(&key, Method::POST, uri, Some(&search))).0, 200);
    let ran = keyed.pincite.run(&["key", "revoke", key.split('_').nth(1).unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(runtime.block_on(keyed.json(&key, Method::POST, uri, Some(&search))).0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_mcp_a_caller_is_told_only_of_the_tools_that_it_may_call() {
    let keyed = Keyed::new(0);
    let key = keyed.key(&[Scope::Search], |key| key);
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let (_, reply) = keyed.json(&key, Method::POST, "/mcp", Some(&list)).await;
    let names: Vec<&str> =
        reply["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["search_workspace", "search"], "{reply}");
    let reply = keyed.tool(&key, "read_file", &json!({ "path": "open/lantern-0.md" })).await;
    assert!(reply.to_string().contains("insufficient_scope"), "{reply}");
}

#[test]
fn a_server_beyond_loopback_starts_only_with_a_key() {
    let pincite = Pincite::words_alone();
    let ran = pincite.run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("no key was made") && ran.err.contains("pincite key create"), "{}", ran.err);
    let made = pincite.run(&["key", "create", "--name", "admin", "--scope", "admin", "--json"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let stored: Vec<u8> = fs_err::read_dir(pincite.data.path())
        .unwrap()
        .filter_map(|entry| fs_err::read(entry.unwrap().path()).ok())
        .flatten()
        .collect();
    let part = &secret.as_bytes()[13..45];
    assert!(!stored.windows(part.len()).any(|bytes| bytes == part), "the secret is on disk");
    let wrong = pincite.command(&["mcp"]).env("PINCITE_API_KEY", "pin_x").output().unwrap();
    assert_ne!(wrong.status.code(), Some(0));
    let engine = indexed::options(pincite.data.path(), Access::Write, "a test");
    assert!(Engine::open(engine).unwrap().has_keys().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_rotates_another_one_gives_it_no_longer_life_and_takes_it_along() {
    let keyed = Keyed::new(0);
    let until = |days: i64| Some(days_from_now(days).parse().unwrap());
    let short = keyed.key(&[Scope::Admin], |key| NewKey { expires_at: until(1), ..key });
    let long = keyed.key(&[Scope::Search], |key| NewKey { expires_at: until(300), ..key });
    let rotate = format!("/v1/keys/{}/rotate", long.split('_').nth(1).unwrap());
    let (status, rotated) = keyed.json(&short, Method::POST, &rotate, Some(&json!({}))).await;
    assert_eq!(status, 201, "{rotated}");
    let expires: jiff::Timestamp = rotated["key"]["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(expires <= until(1).unwrap(), "{rotated}");
    let short_id = short.split('_').nth(1).unwrap();
    let (_, revoked) = keyed.json(&keyed.admin, Method::DELETE, &format!("/v1/keys/{short_id}"), None).await;
    assert!(revoked["revoked"].as_array().unwrap().contains(&rotated["key"]["id"]), "{revoked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_right_hear_no_name_of_a_workspace() {
    let keyed = Keyed::new(0);
    keyed.engine.create_workspace(&named("other"), None).unwrap();
    let other = keyed.key(&[Scope::Admin], |key| NewKey { workspaces: Some(vec![named("other")]), ..key });
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let (status, _, reply) = keyed.send(Some(&other), Method::POST, "/mcp", Some(&list)).await;
    assert_eq!(status, 404, "{reply}");
    let (_, _, ready) = keyed.send(None, Method::GET, "/readyz", None).await;
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert!(ready.get("stuck").is_none() && ready.get("notes").is_none(), "{ready}");
    let locks = keyed.key(&[Scope::Locks], |key| key);
    let (status, _, _) = keyed.send(Some(&locks), Method::GET, "/w/default/activity/stream", None).await;
    assert_eq!(status, 403);
}
