//! `OpenAI`'s vector stores and files: the official client works unchanged, and whoever tries to break them is told so in `OpenAI`'s form.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pincite::engine::{Caller, NewKey, Surface};
use pincite::ingest::Silent;
use pincite::serve::{Options, Server};
use pincite::workspace::Scope;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::indexed::named;
use crate::keys::{CANARY, Keyed};
use crate::line::Desk;
use crate::python;
use crate::spaces::router;

const SEARCH: &str = "/v1/vector_stores/default/search";

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_fills_and_searches_stores_unchanged() {
    let desk = Desk::running();
    desk.engine.create_workspace(&named("yard"), None).unwrap();
    let local = Caller::local(Surface::CommandLine);
    let key = |scope: Scope| {
        let new = NewKey { name: "client".to_owned(), scopes: [scope].into_iter().collect(), ..NewKey::default() };
        desk.engine.create_key(&local, &new).unwrap().secret
    };
    let (all, searcher) = (key(Scope::Admin), key(Scope::Search));
    let options = Options { address: ([127, 0, 0, 1], 0).into(), ..Options::default() };
    let server = Server::bind(Arc::clone(&desk.engine), named("default"), options).await.unwrap();
    let told = json!({ "base_url": format!("http://{}/v1", server.address()), "all": all, "searcher": searcher });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ended = tokio::spawn(server.run_until(async {
        let _ = stopped.await;
    }));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), told.to_string()).unwrap();
    let path = file.path().to_owned();
    let ran = tokio::task::spawn_blocking(move || python::run("openai_stores.py", &[&path])).await.unwrap();
    let seen: Value = serde_json::from_str(&ran).unwrap();
    assert!(seen["filters"].as_u64().unwrap() > 20, "{seen}");
    assert_eq!(seen["verdict"]["verdict"], "valid", "{seen}");
    drop(stop);
    ended.await.unwrap();
}

/// A form with these parts: the name, the name of a file where it is one, and the content.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, file_name, content) in parts {
        let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        form.extend(format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n").bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--xyz--\r\n");
    form
}

async fn upload(router: &Router, key: &str, body: Vec<u8>) -> (u16, Value) {
    let request = Request::builder().method(Method::POST).uri("/v1/files").header(header::HOST, "localhost");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=xyz");
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap())
}

fn id_of(text: &str) -> String {
    format!("file-{}", URL_SAFE_NO_PAD.encode(text))
}

/// An error in `OpenAI`'s form, and in no other.
#[track_caller]
fn assert_refused(reply: &(u16, Value), status: u16, code: &str) {
    let error = &reply.1["error"];
    assert_eq!((reply.0, error["code"].as_str()), (status, Some(code)), "{}", reply.1);
    let members: BTreeSet<&str> = error.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["code", "message", "param", "type"]), "{}", reply.1);
    assert!(!error["message"].as_str().unwrap().is_empty() && error["type"].is_string(), "{}", reply.1);
}

/// The files that a search finds.
fn paths(reply: &Value) -> BTreeSet<String> {
    let paths = reply["data"].as_array().unwrap().iter().map(|result| &result["attributes"]["path"]);
    paths.map(|path| path.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_out_no_file_that_passes_and_let_no_other_through() {
    let keyed = Keyed::new(4);
    let search = async |filters: Value| {
        let body = json!({ "query": "harbour lantern keel", "max_num_results": 50, "filters": filters });
        let (status, reply) = keyed.json(&keyed.admin, Method::POST, SEARCH, Some(&body)).await;
        assert_eq!(status, 200, "{filters}: {reply}");
        paths(&reply)
    };
    let one = |kind: &str, key: &str, value: Value| json!({ "type": kind, "key": key, "value": value });
    let csv = search(one("eq", "type", json!("csv"))).await;
    assert!(!csv.is_empty() && csv.iter().all(|path| path.rsplit('.').next() == Some("csv")), "{csv:?}");
    let others = search(one("ne", "type", json!("csv"))).await;
    assert!(others.is_disjoint(&csv) && !others.is_empty(), "{others:?}");
    let (_, listed) = keyed.json(&keyed.admin, Method::GET, "/v1/vector_stores/default/files?limit=100", None).await;
    let every = paths(&listed);
    assert_eq!(every.len(), 16, "{listed}");
    for path in &every {
        assert_eq!(search(one("eq", "path", json!(path))).await, BTreeSet::from([path.clone()]));
        assert!(!search(one("nin", "path", json!([path]))).await.contains(path));
    }
    let both = json!({ "type": "or", "filters": [one("eq", "type", json!("csv")), one("ne", "type", json!("csv"))] });
    assert_eq!(search(both).await, &csv | &others);
    let none = json!({ "type": "and", "filters": [one("eq", "type", json!("csv")), one("ne", "type", json!("csv"))] });
    assert_eq!(search(none).await, BTreeSet::new());
    let secret = search(one("eq", "folder", json!("secret"))).await;
    assert!(!secret.is_empty() && secret.iter().all(|path| path.starts_with("secret/")), "{secret:?}");
    let small = search(one("lt", "size", json!(60))).await;
    for path in &small {
        let file = fs_err::metadata(keyed.folder.path().join(path)).unwrap();
        assert!(file.len() < 60, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_that_cannot_be_are_refused_at_little_cost() {
    let keyed = Keyed::new(0);
    let ask = async |body: &Value| keyed.json(&keyed.admin, Method::POST, SEARCH, Some(body)).await;
    let leaf = json!({ "type": "eq", "key": "type", "value": "csv" });
    let nested = |depth: usize| (0..depth).fold(leaf.clone(), |inner, _| json!({ "type": "and", "filters": [inner] }));
    let with = |filters: Value| json!({ "query": "lantern", "filters": filters });
    assert_eq!(ask(&with(nested(7))).await.0, 200);
    assert_refused(&ask(&with(nested(8))).await, 400, "filters_too_deep");
    assert_refused(&ask(&with(nested(60))).await, 400, "filters_too_deep");
    let deep = format!("{{\"query\":\"a\",\"filters\":{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let request = Request::builder().method(Method::POST).uri(SEARCH).header(header::HOST, "localhost");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {}", keyed.admin));
    let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(deep)).unwrap();
    assert_eq!(keyed.router.clone().oneshot(request).await.unwrap().status(), 400);
    assert_refused(
        &ask(&with(json!({ "type": "or", "filters": vec![leaf.clone(); 65] }))).await,
        400,
        "too_many_filters",
    );
    let values = json!({ "type": "in", "key": "path", "value": vec!["a"; 1_001] });
    assert_refused(&ask(&with(values)).await, 400, "too_many_filters");
    for (filters, code) in [
        (json!("type"), "invalid_filter"),
        (json!([leaf]), "invalid_filter"),
        (json!({ "type": "eq", "key": "secret", "value": 1 }), "unknown_attribute"),
        (json!({ "type": "eq", "key": "type", "value": "exe" }), "unknown_type"),
        (json!({ "type": "gte", "key": "tag", "value": "a" }), "invalid_filter"),
    ] {
        assert_refused(&ask(&with(filters)).await, 400, code);
    }
    assert_refused(&ask(&json!({ "query": vec!["a"; 100_000] })).await, 400, "invalid_request");
    assert_refused(&ask(&json!({ "query": "a".repeat(40_000) })).await, 400, "query_too_large");
    assert_refused(&ask(&json!({ "query": ["lantern", "a".repeat(40_000)] })).await, 400, "query_too_large");
    assert_refused(&ask(&json!({ "query": "a", "filters": leaf, "k": 5 })).await, 400, "invalid_body");
    assert_refused(&ask(&json!({ "query": "a".repeat(9_000_000) })).await, 413, "body_too_large");
    let (status, reply) = ask(&json!({ "query": ["lantern", "lantern"], "max_num_results": 50 })).await;
    let places: Vec<String> =
        reply["data"].as_array().unwrap().iter().map(|one| one["attributes"].to_string()).collect();
    assert_eq!((status, places.len()), (200, places.iter().collect::<BTreeSet<_>>().len()), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_key_sees_no_other_file_through_stores_and_ids() {
    let keyed = Keyed::new(8);
    let rights = [Scope::Search, Scope::FilesRead, Scope::FilesWrite];
    let key = keyed.key(&rights, |key| NewKey { path_globs: vec!["open/**".to_owned()], ..key });
    let path = format!("secret/{CANARY}-0.md");
    let (secret, nothing) = (id_of(&format!("default/{path}")), id_of("default/secret/nothing-0.md"));
    let asked = [
        (Method::GET, "/v1/files/ID".to_owned()),
        (Method::GET, "/v1/files/ID/content".to_owned()),
        (Method::DELETE, "/v1/files/ID".to_owned()),
        (Method::GET, "/v1/vector_stores/default/files/ID".to_owned()),
        (Method::GET, "/v1/vector_stores/default/files/ID/content".to_owned()),
        (Method::DELETE, "/v1/vector_stores/default/files/ID".to_owned()),
    ];
    for (method, url) in asked {
        let of = async |id: &str| keyed.json(&key, method.clone(), &url.replace("ID", id), None).await;
        let (there, not_there) = (of(&secret).await, of(&nothing).await);
        assert!(matches!(there.0, 403 | 404), "{method} {url}: {}", there.1);
        let told = there.1.to_string().replace(&path, "secret/nothing-0.md");
        assert_eq!((there.0, told), (not_there.0, not_there.1.to_string()), "{method} {url}");
    }
    let attach = json!({ "file_id": secret });
    assert_eq!(keyed.json(&key, Method::POST, "/v1/vector_stores/default/files", Some(&attach)).await.0, 404);
    for url in
        ["/v1/vector_stores", "/v1/vector_stores/default", "/v1/vector_stores/default/files?limit=100", "/v1/files"]
    {
        let (status, reply) = keyed.json(&key, Method::GET, url, None).await;
        assert_eq!(status, 200, "{url}");
        assert!(!reply.to_string().contains(CANARY), "{url}: {reply}");
    }
    let (_, store) = keyed.json(&key, Method::GET, "/v1/vector_stores/default", None).await;
    assert_eq!(store["file_counts"]["total"], 12, "{store}");
    let (_, whole) = keyed.json(&keyed.admin, Method::GET, "/v1/vector_stores/default", None).await;
    assert_eq!(whole["file_counts"]["total"], 20, "{whole}");
    for filters in [
        json!({ "type": "eq", "key": "folder", "value": "secret" }),
        json!({ "type": "eq", "key": "path", "value": path }),
        json!({ "type": "ne", "key": "path", "value": "open/lantern-0.md" }),
        json!({ "type": "or", "filters": [{ "type": "gte", "key": "size", "value": 0 }] }),
    ] {
        let body = json!({ "query": ["harbour", CANARY], "filters": filters, "max_num_results": 50 });
        let (status, reply) = keyed.json(&key, Method::POST, SEARCH, Some(&body)).await;
        let found = reply["data"].to_string();
        assert!(status == 200 && !found.contains(CANARY), "{filters}: {found}");
    }
    let refused =
        upload(&keyed.router, &key, form(&[("purpose", None, b"assistants"), ("file", Some("a.md"), b"a")])).await;
    assert_refused(&refused, 403, "path_not_allowed");
    assert!(!keyed.folder.path().join("uploads").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_lead_out_of_a_workspace_or_nowhere_are_ids_of_no_file() {
    let keyed = Keyed::new(0);
    for id in [
        id_of("default/../outside.md"),
        id_of("default/open/../../outside.md"),
        id_of("default//etc/passwd"),
        id_of("default/open/lantern-0.md\0"),
        id_of("default\\open"),
        id_of("default"),
        id_of(""),
        id_of("nowhere/open/lantern-0.md"),
        id_of("default/open/lantern-0.md") + "=",
        "file-".to_owned(),
        "file-%2e%2e%2f".to_owned(),
        "1".to_owned(),
    ] {
        for url in [format!("/v1/files/{id}"), format!("/v1/files/{id}/content")] {
            let reply = keyed.json(&keyed.admin, Method::GET, &url, None).await;
            assert_eq!(reply.0, 404, "{url}: {}", reply.1);
            assert!(reply.1["error"]["type"].is_string(), "{}", reply.1);
        }
        let reply = keyed.json(&keyed.admin, Method::DELETE, &format!("/v1/files/{id}"), None).await;
        assert_eq!(reply.0, 404, "{id}: {}", reply.1);
    }
    let right = id_of("default/open/lantern-0.md");
    let (status, file) = keyed.json(&keyed.admin, Method::GET, &format!("/v1/files/{right}"), None).await;
    assert_eq!((status, &file["filename"], &file["id"]), (200, &json!("lantern-0.md"), &json!(right)), "{file}");
}

/// Files below a folder.
fn files_in(folder: &std::path::Path) -> usize {
    let Ok(entries) = fs_err::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { files_in(&path) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_whole_or_not_there_at_all() {
    let keyed = Keyed::new(0);
    let send = async |body: Vec<u8>| upload(&keyed.router, &keyed.admin, body).await;
    let (purpose, file): (_, (&str, Option<&str>, &[u8])) =
        (("purpose", None, &b"assistants"[..]), ("file", Some("plan.md"), b"A plan."));
    let before = files_in(keyed.folder.path());
    for (body, code) in [
        (form(&[file]), "missing_parameter"),
        (form(&[purpose]), "missing_parameter"),
        (form(&[]), "missing_parameter"),
        (form(&[file, ("purpose", None, b"fine-tune")]), "unsupported"),
        (form(&[file, ("purpose", None, &vec![b'a'; 100_000])]), "unsupported"),
        (form(&[purpose, file, file]), "invalid_request"),
        (form(&[purpose, purpose, file]), "invalid_request"),
        (form(&[purpose, file, ("path", None, b"open/lantern-0.md")]), "invalid_request"),
        (form(&[purpose, file, ("expires_after[seconds]", None, b"3600")]), "unsupported"),
        (form(&[purpose, file]).split_last_chunk::<6>().unwrap().0.to_vec(), "malformed_form"),
        (b"no form".to_vec(), "malformed_form"),
        (Vec::new(), "malformed_form"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        let refused = send(body).await;
        assert_eq!(refused.1["error"]["code"], code, "{shown}: {}", refused.1);
        assert_refused(&refused, 400, code);
        assert_eq!(files_in(keyed.folder.path()), before, "{shown}");
    }
    let marked = json!({ "file": "a", "purpose": "assistants" });
    let refused = keyed.json(&keyed.admin, Method::POST, "/v1/files", Some(&marked)).await;
    assert_refused(&refused, 415, "unsupported_media_type");

    // In either order, with a name that leads elsewhere, and content that looks like the form.
    let content = b"--xyz-\r\n--xy\r\n\r\n--\r\nbytes \xff\0".repeat(40_000);
    let (status, made) = send(form(&[("file", Some("../../../open/lantern-0.md"), &content), purpose])).await;
    assert_eq!(
        (status, &made["bytes"], &made["filename"]),
        (200, &json!(content.len()), &json!("lantern-0.md")),
        "{made}"
    );
    assert_eq!(files_in(&keyed.folder.path().join("uploads")), 1);
    let text = fs_err::read_to_string(keyed.folder.path().join("open/lantern-0.md")).unwrap();
    assert!(text.starts_with("# Keel"), "the file of that name elsewhere stays");
    let url = format!("/v1/files/{}", made["id"].as_str().unwrap());
    let request = Request::builder().uri(format!("{url}/content")).header(header::HOST, "localhost");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {}", keyed.admin)).body(Body::empty()).unwrap();
    let response = keyed.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(to_bytes(response.into_body(), usize::MAX).await.unwrap(), content);
    let (_, again) = send(form(&[purpose, ("file", Some("lantern-0.md"), b"Another.")])).await;
    assert_ne!(again["id"], made["id"]);
    assert_eq!(keyed.json(&keyed.admin, Method::DELETE, &url, None).await.1["deleted"], true);
    assert_eq!(keyed.json(&keyed.admin, Method::DELETE, &url, None).await.0, 404);
    assert_eq!(files_in(&keyed.folder.path().join("uploads")), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_signatures_hold_for_uploads() {
    let small = Desk::configured("max_file_bytes = 1000\n");
    let router_of = |desk: &Desk| router(&desk.engine);
    let send = async |desk: &Desk, body: Vec<u8>| {
        let request = Request::builder().method(Method::POST).uri("/v1/files").header(header::HOST, "localhost");
        let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=xyz");
        let response = router_of(desk).oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let of = |num: usize| form(&[("purpose", None, b"assistants"), ("file", Some("a.md"), &vec![b'a'; num])]);
    assert_eq!(send(&small, of(1_000)).await.0, 200);
    let refused = send(&small, of(1_001)).await;
    assert_refused(&refused, 400, "file_too_large");
    assert_eq!(files_in(&small.folder.path().join("uploads")), 1);

    let config = "[events]\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\nsign_all_writes = true\n";
    let signed = Desk::configured(config);
    assert_refused(&send(&signed, of(10)).await, 401, "bad_signature");
    assert_eq!(files_in(&signed.folder.path().join("uploads")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_below_these_routes_has_the_form_of_openai() {
    let keyed = Keyed::new(0);
    let ask = async |key: Option<&str>, method: Method, url: &str| {
        let (status, headers, text) = keyed.send(key, method, url, None).await;
        assert_eq!(headers[header::CONTENT_LENGTH].to_str().unwrap(), text.len().to_string(), "{url}");
        (status, serde_json::from_str::<Value>(&text).unwrap())
    };
    let admin = Some(keyed.admin.as_str());
    assert_refused(&ask(None, Method::GET, "/v1/files").await, 401, "unauthorized");
    assert_refused(&ask(Some("pin_x"), Method::GET, "/v1/vector_stores").await, 401, "unauthorized");
    assert_refused(&ask(admin, Method::GET, "/v1/vector_stores/default/nothing").await, 404, "no_route");
    assert_refused(&ask(admin, Method::PUT, "/v1/files").await, 405, "method_not_allowed");
    assert_refused(&ask(admin, Method::GET, "/v1/vector_stores/NoSuch").await, 400, "invalid_workspace");
    assert_refused(&ask(admin, Method::GET, "/v1/vector_stores?limit=0").await, 400, "invalid_request");
    assert_refused(&ask(admin, Method::GET, "/v1/files?limit=10001").await, 400, "invalid_request");
    assert_refused(&ask(admin, Method::GET, "/v1/files?order=up").await, 400, "invalid_parameters");
    assert_refused(&ask(admin, Method::GET, "/v1/files?after=x").await, 400, "invalid_cursor");
    let elsewhere = ask(admin, Method::GET, "/v1/workspaces/default/nothing").await;
    assert!(elsewhere.1["error"]["hint"].is_string(), "the other routes keep theirs: {}", elsewhere.1);
    let request = Request::builder().uri("/v1/files").header(header::HOST, "evil.example").body(Body::empty()).unwrap();
    let response = keyed.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 403);
    let told: Value = serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap();
    assert_refused(&(403, told), 403, "host_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_lead_through_all_files_of_a_store_once() {
    let keyed = Keyed::new(0);
    for order in ["asc", "desc"] {
        let (mut seen, mut after): (Vec<String>, String) = (Vec::new(), String::new());
        loop {
            let url = format!("/v1/vector_stores/default/files?limit=5&order={order}{after}");
            let (status, page) = keyed.json(&keyed.admin, Method::GET, &url, None).await;
            assert_eq!(status, 200, "{page}");
            seen.extend(page["data"].as_array().unwrap().iter().map(|file| file["id"].as_str().unwrap().to_owned()));
            if page["has_more"] == false {
                break;
            }
            after = format!("&after={}", page["last_id"].as_str().unwrap());
        }
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (12, 12), "{order}");
    }
    let (_, failed) =
        keyed.json(&keyed.admin, Method::GET, "/v1/vector_stores/default/files?filter=failed", None).await;
    assert_eq!(failed["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_attached_only_with_rights_on_both_sides() {
    let keyed = Keyed::new(1);
    keyed.engine.create_workspace(&named("other"), None).unwrap();
    let id = id_of("default/open/lantern-0.md");
    let url = "/v1/vector_stores/other/files";
    let body = json!({ "file_id": id });
    let only = |workspaces: &[&str], scopes: &[Scope]| {
        let workspaces = workspaces.iter().map(|name| named(name)).collect();
        keyed.key(scopes, |key| NewKey { workspaces: Some(workspaces), ..key })
    };
    let read = [Scope::FilesRead];
    let both = [Scope::FilesRead, Scope::FilesWrite];
    assert_refused(
        &keyed.json(&only(&["other"], &both), Method::POST, url, Some(&body)).await,
        404,
        "unknown_workspace",
    );
    assert_refused(
        &keyed.json(&only(&["default"], &both), Method::POST, url, Some(&body)).await,
        404,
        "unknown_workspace",
    );
    let reader = only(&["default", "other"], &read);
    assert_refused(&keyed.json(&reader, Method::POST, url, Some(&body)).await, 403, "insufficient_scope");
    let narrowed = keyed.key(&both, |key| NewKey { path_globs: vec!["open/**".to_owned()], ..key });
    let secret = json!({ "file_id": id_of(&format!("default/secret/{CANARY}-0.md")) });
    assert_eq!(keyed.json(&narrowed, Method::POST, url, Some(&secret)).await.0, 404);
    for _ in 0..2 {
        let (status, file) = keyed.json(&narrowed, Method::POST, url, Some(&body)).await;
        assert_eq!((status, &file["vector_store_id"]), (200, &json!("other")), "{file}");
    }
    let other = keyed.engine.workspace(&named("other"), &Caller::local(Surface::CommandLine)).unwrap();
    other.index(&Silent).unwrap();
    let search = json!({ "query": "crane lantern" });
    let (_, found) = keyed.json(&keyed.admin, Method::POST, "/v1/vector_stores/other/search", Some(&search)).await;
    assert_eq!(paths(&found), BTreeSet::from(["open/lantern-0.md".to_owned()]), "{found}");
    // One that is there with other content is not written over.
    fs_err::write(keyed.folder.path().join("open/lantern-0.md"), "Other words.").unwrap();
    let default = keyed.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap();
    default.index(&Silent).unwrap();
    assert_refused(&keyed.json(&narrowed, Method::POST, url, Some(&body)).await, 412, "conflict");
    let unsupported = json!({ "file_id": id, "attributes": { "author": "ann" } });
    assert_refused(&keyed.json(&narrowed, Method::POST, url, Some(&unsupported)).await, 400, "unsupported");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_tells_of_uploads_searches_reads_and_deletions_here() {
    let keyed = Keyed::new(0);
    let body =
        form(&[("purpose", None, b"assistants"), ("file", Some("audited.md"), b"# Audited\n\nThe beacon is lit.")]);
    let (_, made) = upload(&keyed.router, &keyed.admin, body).await;
    let url = format!("/v1/files/{}", made["id"].as_str().unwrap());
    let search = json!({ "query": "lantern", "max_num_results": 1 });
    let (_, found) = keyed.json(&keyed.admin, Method::POST, SEARCH, Some(&search)).await;
    let seen = paths(&found).pop_first().unwrap();
    keyed.send(Some(&keyed.admin), Method::GET, &format!("{url}/content"), None).await;
    keyed.send(Some(&keyed.admin), Method::DELETE, &url, None).await;
    for (action, path) in
        [("file.write", "audited.md"), ("search", &seen), ("file.read", "audited.md"), ("file.delete", "audited.md")]
    {
        let url = format!("/v1/workspaces/default/audit?action={action}&limit=10");
        let (status, reply) = keyed.json(&keyed.admin, Method::GET, &url, None).await;
        assert!(status == 200 && reply.to_string().contains(path), "{action}: {reply}");
    }
}
