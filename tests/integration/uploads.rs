//! Links that take one file: who may ask for one, what it takes, until when, and how often it counts.

use axum::http::Method;
use pincite::engine::NewKey;
use pincite::workspace::{ContentHash, Scope};
use serde_json::{Value, json};

use crate::keys::Keyed;
use crate::writes::{Server, code};

fn link_for(path: &str, content: &[u8]) -> Value {
    json!({ "path": path, "size": content.len(), "sha256": ContentHash::of(content) })
}

/// The route of a link that was given.
#[track_caller]
fn route(link: &(u16, Value)) -> String {
    assert_eq!(link.0, 201, "{}", link.1);
    let url = link.1["url"].as_str().unwrap();
    url.strip_prefix("http://localhost").unwrap_or_else(|| panic!("{url}")).to_owned()
}

async fn upload(server: &Server, route: &str, content: &[u8]) -> (u16, Value) {
    server.send(Method::PUT, route, &[], content.to_vec()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_takes_its_file_and_no_other() {
    let server = Server::running();
    let content = vec![7_u8; 300_000];
    let link = server.post("uploads", link_for("big/a.bin", &content)).await;
    assert_eq!(
        (&link.1["method"], &link.1["path"], &link.1["size"]),
        (&json!("PUT"), &json!("big/a.bin"), &json!(300_000))
    );
    let at = route(&link);
    for other in [&content[1..], &[content.as_slice(), b"!"].concat(), &vec![8; 300_000]] {
        assert_eq!(code(&upload(&server, &at, other).await), (422, "other_content"));
    }
    assert!(server.on_disk("big/a.bin").is_none());
    let (status, reply) = upload(&server, &at, &content).await;
    assert_eq!((status, &reply["path"]), (201, &json!("big/a.bin")), "{reply}");
    assert!(fs_err::read(server.desk.folder.path().join("big/a.bin")).unwrap() == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_counts_once_and_after_a_restart_it_still_does() {
    let server = Server::running();
    let at = route(&server.post("uploads", link_for("a.md", b"of the link\n")).await);
    let (_, first) = upload(&server, &at, b"of the link\n").await;
    assert_eq!(server.put("a.md", "newer\n", &[]).await.0, 200);
    let server = server.reopened();
    let (status, again) = upload(&server, &at, b"of the link\n").await;
    assert_eq!((status, &again["revision"]), (201, &first["revision"]), "{again}");
    assert_eq!(server.on_disk("a.md").as_deref(), Some("newer\n"), "what others wrote since stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_keeps_the_condition_and_the_lock_of_its_request() {
    let server = Server::running();
    let absent = |path: &str| {
        let mut link = link_for(path, b"new\n");
        link["if_match"] = json!("absent");
        link
    };
    let at = route(&server.post("uploads", absent("a.md")).await);
    server.put("a.md", "first\n", &[]).await;
    assert_eq!(code(&upload(&server, &at, b"new\n").await), (412, "conflict"));
    let (_, lock) = server.post("locks", json!({ "path": "b.md" })).await;
    let without = route(&server.post("uploads", absent("b.md")).await);
    assert_eq!(code(&upload(&server, &without, b"new\n").await), (423, "locked"));
    let mut link = absent("b.md");
    link["lock_token"] = lock["token"].clone();
    let with = route(&server.post("uploads", link).await);
    assert_eq!(upload(&server, &with, b"new\n").await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_refused_in_the_end_gets_no_link() {
    let server = Server::running();
    let long = json!({ "path": "a.md", "size": u64::MAX, "sha256": ContentHash::of(b"") });
    for (request, refusal) in [
        (link_for("../a.md", b"x"), (400, "invalid_path")),
        (link_for(".hidden/a.md", b"x"), (400, "passed_over")),
        (json!({ "path": "a.md", "size": 1, "sha256": "abc" }), (422, "invalid_body")),
        (json!({ "path": "a.md", "size": 1 }), (422, "invalid_body")),
        (long, (400, "file_too_large")),
    ] {
        let refused = server.post("uploads", request.clone()).await;
        assert_eq!(code(&refused), refusal, "{request}");
        assert!(refused.1["error"]["hint"].is_string(), "{request}: {}", refused.1);
    }
    let at = route(&server.post("uploads", link_for("a.md", b"x")).await);
    let (text, seal) = at.rsplit_once('.').unwrap();
    let end = text.len() - 4;
    for wrong in [
        format!("{text}.{}", &seal[1..]),
        format!("{}AAAA.{seal}", &text[..end]),
        "/v1/uploads/x".to_owned(),
        "/v1/uploads/a.b".to_owned(),
        format!("/v1/uploads/{}.{seal}", "A".repeat(20_000)),
    ] {
        assert_eq!(code(&upload(&server, &wrong, b"x").await), (410, "upload_link_over"), "{}", &wrong[..20]);
    }
}

#[tokio::test]
async fn a_link_needs_no_key_and_is_worth_what_its_makers_key_is() {
    let keyed = Keyed::new(1);
    let globs = vec!["open/**".to_owned()];
    let key =
        keyed.key(&[Scope::FilesWrite], |key| NewKey { path_globs: globs, agent: Some("coder".to_owned()), ..key });
    let base = "/v1/workspaces/default/uploads";
    let link = async |key: &str, path: &str| keyed.json(key, Method::POST, base, Some(&link_for(path, b"\"x\""))).await;
    assert_eq!(link(&key, "secret/new.md").await.0, 403);
    let reader = keyed.key(&[Scope::FilesRead], |key| key);
    assert_eq!(link(&reader, "open/a.md").await.0, 403);
    let [first, second] = [link(&key, "open/a.md").await, link(&key, "open/b.md").await];
    let put = async |at: &str| keyed.send(None, Method::PUT, at, Some(&json!("x"))).await;
    let (status, _, text) = put(&route(&first)).await;
    assert_eq!(status, 201, "{text}");
    let (_, changes) = keyed.json(&reader, Method::GET, "/v1/workspaces/default/changes?limit=1", None).await;
    assert_eq!(changes["changes"][0]["provenance"]["agent"], "coder", "{changes}");
    let id = key.split('_').nth(1).unwrap();
    assert_eq!(keyed.send(Some(&keyed.admin), Method::DELETE, &format!("/v1/keys/{id}"), None).await.0, 200);
    let (status, _, text) = put(&route(&second)).await;
    assert_eq!(status, 401, "{text}");
    assert!(!keyed.folder.path().join("open/b.md").exists());
}

#[tokio::test]
async fn over_mcp_a_tool_gives_the_link_of_the_server_that_was_called() {
    let keyed = Keyed::new(1);
    let key = keyed.key(&[Scope::FilesWrite], |key| key);
    let reply = keyed.tool(&key, "create_upload", &link_for("open/a.md", b"\"x\"")).await;
    let given = &reply["result"]["structuredContent"];
    let at = given["url"].as_str().unwrap().strip_prefix("http://localhost").unwrap();
    assert_eq!(keyed.send(None, Method::PUT, at, Some(&json!("x"))).await.0, 201);
    assert_eq!(fs_err::read_to_string(keyed.folder.path().join("open/a.md")).unwrap(), "\"x\"");
}
