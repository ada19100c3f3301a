//! Webhooks over REST and the command line, told by a line that runs, to receivers on loopback.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use pincite::engine::{Caller, NewKey, Surface};
use pincite::workspace::{NewWebhook, Scope, Scopes};
use serde_json::{Value, json};

use crate::cli::Pincite;
use crate::indexed::named;
use crate::line::{Desk, share, until};
use crate::python;
use crate::writes::{Server, code};

pub const OPEN: &str = "[webhooks]\nallow_networks = ['127.0.0.0/8']\n";

/// A message as it came.
#[derive(Debug, Clone)]
pub struct Message {
    headers: BTreeMap<String, String>,
    body: String,
}

impl Message {
    pub fn said(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A receiver that takes every message.
pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Message>>>,
}

impl Receiver {
    pub async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let got: Arc<Mutex<Vec<Message>>> = Arc::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&got));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, got }
    }

    pub fn got(&self) -> Vec<Message> {
        self.got.lock().unwrap().clone()
    }

    fn of_type(&self, event: &str) -> Option<Message> {
        self.got().into_iter().find(|message| message.said()["type"] == event)
    }
}

async fn take(State(got): State<Arc<Mutex<Vec<Message>>>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1_000_000).await.unwrap();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let message = Message { headers: headers.collect(), body: String::from_utf8(bytes.to_vec()).unwrap() };
    got.lock().unwrap().push(message);
    StatusCode::NO_CONTENT
}

pub fn served(config: &str) -> Server {
    let mut desk = Desk::configured(config);
    desk.run();
    Server::over(desk)
}

pub async fn get(server: &Server, path: &str) -> (u16, Value) {
    server.send(Method::GET, path, &[], Vec::new()).await
}

async fn patch(server: &Server, path: &str, body: Value) -> (u16, Value) {
    let json = [("content-type", "application/json")];
    server.send(Method::PATCH, path, &json, body.to_string().into()).await
}

pub async fn hook(server: &Server, body: Value) -> Value {
    let (status, made) = server.post("webhooks", body).await;
    assert_eq!(status, 201, "{made}");
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_told_as_created_and_as_ready_once_a_search_finds_its_revision() {
    let (server, receiver) = (served(OPEN), Receiver::new().await);
    hook(&server, json!({ "url": receiver.url, "path_globs": ["notes/**"] })).await;
    let agent = [("pincite-agent", "coder-03")];
    let (_, written) = server.put("notes/a.md", "# A lighthouse", &agent).await;
    assert_eq!(server.put("other/b.md", "# A windmill", &[]).await.0, 201);
    until("the file is told to be ready", || receiver.of_type("file.ready").is_some());
    let ready = receiver.of_type("file.ready").unwrap().said();
    // At the moment at which it came, without any wait.
    let query = json!({ "query": "lighthouse", "mode": "lexical", "min_revision": ready["data"]["revision"] });
    let (status, reply) = server.post("search", query).await;
    assert_eq!((status, &reply["hits"][0]["citation"]["path"]), (200, &json!("notes/a.md")), "{reply}");
    let created = receiver.of_type("file.created").unwrap().said();
    let data = &created["data"];
    assert_eq!(
        (&data["workspace"], &data["path"], &data["revision"], &data["kind"]),
        (&json!("default"), &json!("notes/a.md"), &written["revision"], &json!("created"))
    );
    assert_eq!((&data["content_hash"], &data["provenance"]["agent"]), (&written["content_hash"], &json!("coder-03")));
    assert_eq!(
        (&ready["data"]["revision"], &ready["data"]["content_hash"]),
        (&data["revision"], &data["content_hash"])
    );
    let (_, deleted) = server.delete("notes/a.md", &[]).await;
    until("the deletion is told", || receiver.of_type("file.deleted").is_some());
    let told = receiver.of_type("file.deleted").unwrap().said();
    assert_eq!(told["data"]["revision"], deleted["revision"]);
    assert!(receiver.got().iter().all(|message| message.said()["data"]["path"] == "notes/a.md"));
    let ids: std::collections::BTreeSet<String> =
        receiver.got().iter().map(|message| message.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 3, "each message has an id of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_of_standard_webhooks_verifies_a_message_also_while_secrets_change() {
    let (server, receiver) = (served(OPEN), Receiver::new().await);
    let made = hook(&server, json!({ "url": receiver.url })).await;
    let (_, rotated) = server.post(&format!("webhooks/{}/rotate", made["id"]), json!({})).await;
    assert!(rotated["old_secret_until"].is_string() && rotated["secret"] != made["secret"], "{rotated}");
    server.put("a.md", "# A lighthouse", &[]).await;
    until("it is told", || receiver.of_type("file.created").is_some());
    let message = receiver.of_type("file.created").unwrap();
    for secret in [&made["secret"], &rotated["secret"]] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("message.json");
        let said = json!({ "secret": secret, "headers": message.headers, "body": message.body });
        fs_err::write(&file, said.to_string()).unwrap();
        let verified = tokio::task::spawn_blocking(move || python::run("webhook_verify.py", &[&file])).await.unwrap();
        assert_eq!(verified.trim(), "file.created");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_leads_inside_is_refused_when_it_is_given() {
    let server = Server::over(Desk::new());
    for url in
        ["http://127.0.0.1:9/", "http://localhost/", "http://169.254.169.254/latest", "http://[::1]/", "http://0x7f.1/"]
    {
        let refused = server.post("webhooks", json!({ "url": url })).await;
        assert_eq!(code(&refused), (400, "url_not_allowed"), "{url}");
        assert!(!refused.1.to_string().contains("127.0.0.1"), "{refused:?}");
    }
    for url in ["", "ftp://example.org", "http://user:pw@example.org/", "http://example.org/#x", "javascript:alert(1)"]
    {
        assert_eq!(code(&server.post("webhooks", json!({ "url": url })).await), (400, "invalid_webhook"), "{url}");
    }
    let made = hook(&server, json!({ "url": "https://1.1.1.1/hook" })).await;
    let id = format!("webhooks/{}", made["id"]);
    let refused = patch(&server, &id, json!({ "url": "http://10.0.0.1/", "events": ["file.ready"] })).await;
    assert_eq!(code(&refused), (400, "url_not_allowed"));
    let (_, kept) = get(&server, &id).await;
    assert_eq!((&kept["url"], &kept["events"]), (&json!("https://1.1.1.1/hook"), &json!([])), "nothing is changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_once_and_the_rest_can_be_changed() {
    let server = Server::over(Desk::configured(OPEN));
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = json!({ "url": "http://127.0.0.1:9/", "secret": secret, "events": ["file.ready", "file.failed"] });
    let made = hook(&server, body).await;
    assert_eq!((&made["secret"], &made["secret_ends_with"]), (&json!(secret), &json!("LaSw")));
    let id = format!("webhooks/{}", made["id"]);
    let changed = json!({ "events": [], "agents": ["coder"], "path_globs": ["*.md"], "enabled": false });
    let (status, changed) = patch(&server, &id, changed).await;
    assert_eq!((status, &changed["enabled"], &changed["agents"]), (200, &json!(false), &json!(["coder"])));
    assert!(changed["disabled_reason"].is_string());
    let (_, list) = get(&server, "webhooks").await;
    for shown in [&changed, &list, &get(&server, &id).await.1] {
        assert!(!shown.to_string().contains(&secret[6..20]), "{shown}");
    }
    let (_, status) = get(&server, "status").await;
    assert!(status["webhooks"][0].as_str().unwrap().contains("switched off"), "{status}");
    for wanted in [format!("{id}/test"), format!("{id}/deliveries/1/replay")] {
        let refused = server.send(Method::POST, &wanted, &[], Vec::new()).await;
        assert_eq!(code(&refused), (409, "webhook_off"), "{wanted}");
    }
    assert_eq!(server.send(Method::DELETE, &id, &[], Vec::new()).await.0, 200);
    assert_eq!(code(&get(&server, &id).await), (404, "unknown_webhook"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_about_webhooks_are_told_what_is_wrong() {
    let server = Server::over(Desk::configured(&format!("{OPEN}\n[limits]\nwebhooks = 1\n")));
    let with = |name: &str, value: Value| {
        let mut body = json!({ "url": "http://127.0.0.1:9/" });
        body[name] = value;
        body
    };
    for (body, expected) in [
        (json!({}), (422, "invalid_body")),
        (with("events", json!(["file.exploded"])), (422, "invalid_body")),
        (with("events", json!(["webhook.test"])), (422, "invalid_body")),
        (with("retries", json!(3)), (422, "invalid_body")),
        (with("path_globs", json!(["["])), (400, "invalid_request")),
        (with("path_globs", json!(vec!["*.md"; 101])), (400, "too_many_patterns")),
        (with("agents", json!(vec!["a"; 101])), (400, "invalid_webhook")),
        (with("agents", json!([" a"])), (400, "invalid_provenance")),
        (with("secret", json!("whsec_c2hvcnQ=")), (400, "invalid_webhook")),
        (with("secret", json!("hunter2")), (400, "invalid_webhook")),
    ] {
        let refused = server.post("webhooks", body.clone()).await;
        assert_eq!(code(&refused), expected, "{body}");
        assert!(!refused.1.to_string().contains("hunter2"));
    }
    let made = hook(&server, json!({ "url": "http://127.0.0.1:9/" })).await;
    let too_many = server.post("webhooks", json!({ "url": "http://127.0.0.1:9/" })).await;
    assert_eq!(code(&too_many), (409, "too_many_webhooks"));
    assert!(too_many.1.to_string().contains("limits.webhooks"));
    let id = format!("webhooks/{}", made["id"]);
    let late = server.post(&format!("{id}/rotate"), json!({ "overlap_s": 604_801 })).await;
    assert_eq!(code(&late), (400, "invalid_webhook"));
    for (path, expected) in [
        ("webhooks/99", (404, "unknown_webhook")),
        ("webhooks/99/deliveries", (404, "unknown_webhook")),
        ("webhooks/x", (400, "invalid_url")),
        ("webhooks/-1", (400, "invalid_url")),
        ("webhooks/18446744073709551615", (404, "unknown_webhook")),
        (&format!("{id}/deliveries?limit=0"), (400, "invalid_request")),
        (&format!("{id}/deliveries?state=lost"), (400, "invalid_parameters")),
        (&format!("{id}/deliveries?state="), (400, "invalid_parameters")),
    ] {
        assert_eq!(code(&get(&server, path).await), expected, "{path}");
    }
    let unknown = server.send(Method::POST, &format!("{id}/deliveries/7/replay"), &[], Vec::new()).await;
    assert_eq!(code(&unknown), (404, "unknown_delivery"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_writes_are_signed_those_of_webhooks_are_too() {
    let signed = "[events]\nsecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'\nsign_all_writes = true\n";
    let server = Server::over(Desk::configured(&format!("{OPEN}{signed}")));
    let json = [("content-type", "application/json")];
    let body = json!({ "url": "http://127.0.0.1:9/" }).to_string();
    for (method, path, body) in [
        (Method::POST, "webhooks", body.as_str()),
        (Method::PATCH, "webhooks/1", "{}"),
        (Method::DELETE, "webhooks/1", ""),
        (Method::POST, "webhooks/1/rotate", "{}"),
        (Method::POST, "webhooks/1/test", ""),
        (Method::POST, "webhooks/1/deliveries/1/replay", ""),
    ] {
        let refused = server.send(method, path, &json, body.into()).await;
        assert_eq!(code(&refused), (401, "bad_signature"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_delivered_listed_by_pages_and_sent_again_under_its_id() {
    let (server, receiver) = (served(OPEN), Receiver::new().await);
    let made = hook(&server, json!({ "url": receiver.url, "events": ["workspace.transferred"] })).await;
    let id = format!("webhooks/{}", made["id"]);
    let mut due = Vec::new();
    for _ in 0..3 {
        let (status, delivery) = server.send(Method::POST, &format!("{id}/test"), &[], Vec::new()).await;
        assert_eq!((status, &delivery["state"]), (202, &json!("pending")), "{delivery}");
        due.push(delivery);
    }
    until("all three are told", || receiver.got().len() == 3);
    let delivered = loop {
        let (_, list) = get(&server, &format!("{id}/deliveries?state=delivered")).await;
        if list["deliveries"].as_array().unwrap().len() == 3 {
            break list;
        }
    };
    let newest = &delivered["deliveries"][0];
    assert_eq!(
        (&newest["status"], &newest["tries"], &newest["type"]),
        (&json!(204), &json!(1), &json!("webhook.test"))
    );
    let (_, page) = get(&server, &format!("{id}/deliveries?limit=2")).await;
    let (_, rest) = get(&server, &format!("{id}/deliveries?limit=2&before_id={}", page["next"])).await;
    assert_eq!((page["deliveries"].as_array().unwrap().len(), rest["deliveries"].as_array().unwrap().len()), (2, 1));
    assert_eq!(rest["next"], Value::Null);
    let again = format!("{id}/deliveries/{}/replay", due[0]["id"]);
    assert_eq!(server.send(Method::POST, &again, &[], Vec::new()).await.0, 202);
    until("it is told again", || receiver.got().len() == 4);
    assert_eq!(receiver.got()[3].headers["webhook-id"], due[0]["message_id"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_is_told_of_in_status_and_figures() {
    let server = served(OPEN);
    // Nobody listens there any more.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let made = hook(&server, json!({ "url": format!("http://{closed}/") })).await;
    server.put("a.md", "# A lighthouse", &[]).await;
    let id = format!("webhooks/{}", made["id"]);
    let failing = loop {
        let (_, shown) = get(&server, &id).await;
        if shown["failing_since"].is_string() {
            break shown;
        }
    };
    assert_eq!(failing["enabled"], true);
    assert!(failing["pending"].as_u64().unwrap() >= 1, "{failing}");
    let (_, status) = get(&server, "status").await;
    assert!(status["webhooks"][0].as_str().unwrap().contains("has succeeded since"), "{status}");
    let (_, list) = get(&server, &format!("{id}/deliveries")).await;
    let tried = list["deliveries"].as_array().unwrap().iter().find(|delivery| delivery["tries"] == 1).unwrap();
    assert!(tried["error"].as_str().unwrap().contains("connection") && tried["next_try"].is_string(), "{tried}");
    let load = server.desk.engine.load().webhooks;
    assert!(load.num_failed >= 1 && load.num_waiting >= 1 && load.num_delivered == 0, "{load:?}");
}

/// `cargo test --release --test integration time_from_a_write -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement prints what it has measured")]
async fn the_time_from_a_write_to_its_messages_is_measured() {
    let (server, receiver) = (served(OPEN), Receiver::new().await);
    hook(&server, json!({ "url": receiver.url })).await;
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for number in 0..200 {
        let name = format!("{number}.md");
        assert_eq!(server.put(&name, &format!("# Lighthouse {number}\n\nIt stands."), &[]).await.0, 201);
        let answered = std::time::Instant::now();
        for event in ["file.created", "file.ready"] {
            let is_it = |message: &Message| message.said()["data"]["path"] == *name && message.said()["type"] == event;
            while !receiver.got().iter().rev().take(4).any(is_it) {
                tokio::time::sleep(std::time::Duration::from_micros(200)).await;
            }
            times.entry(event).or_default().push(answered.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    for (event, mut times) in times {
        times.sort_by(f64::total_cmp);
        println!("{event}: p50 {:.1} ms, p99 {:.1} ms after the write was answered", times[100], times[197]);
    }
}

#[test]
fn a_caller_has_webhooks_as_far_as_its_key_goes() {
    let desk = Desk::configured(OPEN);
    let user = Caller::local(Surface::CommandLine);
    let new = NewWebhook {
        url: "http://127.0.0.1:9/".to_owned(),
        events: std::collections::BTreeSet::new(),
        path_globs: Vec::new(),
        agents: Vec::new(),
        secret: None,
    };
    let own = desk.engine.workspace(&named("default"), &user).unwrap().create_webhook(&new).unwrap();
    let key = |scopes: &[Scope], globs: &[&str]| {
        let new = NewKey {
            name: "a key".to_owned(),
            scopes: Scopes(scopes.iter().copied().collect()),
            path_globs: globs.iter().map(|&glob| glob.to_owned()).collect(),
            ..NewKey::default()
        };
        let made = desk.engine.create_key(&user, &new).unwrap();
        desk.engine.caller_of(&made.secret.parse().unwrap(), Surface::Rest).unwrap()
    };
    let [reader, whole, narrow] =
        [key(&[Scope::FilesRead], &[]), key(&[Scope::Webhooks], &[]), key(&[Scope::Webhooks], &["reports/**"])];
    let seen = |caller: &Caller| {
        let listed = desk.engine.workspace(&named("default"), caller).unwrap().webhooks();
        listed.map(|list| list.webhooks.into_iter().map(|webhook| webhook.id).collect::<Vec<_>>())
    };
    assert!(seen(&reader).unwrap_err().to_string().contains("webhooks"), "its right is missing");
    assert_eq!((seen(&whole).unwrap(), seen(&narrow).unwrap()), (vec![own.id], vec![]));
    let place = desk.engine.workspace(&named("default"), &narrow).unwrap();
    let refused = place.delete_webhook(own.id).unwrap_err().to_string();
    assert!(refused.contains("has no webhook"), "what it may not see is not there: {refused}");
    let its = place.create_webhook(&new).unwrap();
    assert_eq!(its.made_by.as_ref(), narrow.key().map(|key| &key.row.id));
    assert_eq!((seen(&narrow).unwrap(), seen(&whole).unwrap()), (vec![its.id], vec![own.id, its.id]));
}

#[test]
fn after_a_hand_over_the_webhooks_of_former_keys_wait_for_the_new_owner() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::new());
    let mut desk = Desk::configured(OPEN);
    desk.run();
    let user = Caller::local(Surface::CommandLine);
    let new = NewKey { name: "before".to_owned(), scopes: [Scope::Admin].into_iter().collect(), ..NewKey::default() };
    let made = desk.engine.create_key(&user, &new).unwrap();
    let before = desk.engine.caller_of(&made.secret.parse().unwrap(), Surface::Rest).unwrap();
    let place = desk.engine.workspace(&named("default"), &before).unwrap();
    let hook: NewWebhook = serde_json::from_value(json!({ "url": receiver.url })).unwrap();
    let webhook = place.create_webhook(&hook).unwrap();
    let offer = place.offer_transfer(serde_json::from_value(json!({ "keep": "editor" })).unwrap()).unwrap();
    let claim = serde_json::from_value(json!({ "token": offer.token })).unwrap();
    let claimed = desk.engine.claim(&Caller::local(Surface::Rest), &claim).unwrap();
    let owner = desk.engine.caller_of(&claimed.key.secret.parse().unwrap(), Surface::Rest).unwrap();
    let former = desk.engine.workspace(&named("default"), &before).unwrap();
    assert!(former.webhooks().is_err(), "they are the owner's now");
    let taken_over = desk.engine.workspace(&named("default"), &owner).unwrap();
    desk.write("a.md", "A lighthouse.");
    desk.scan();
    until("everything that happened waits", || taken_over.webhook(webhook.id).unwrap().pending == 3);
    assert!(taken_over.webhook(webhook.id).unwrap().paused && receiver.got().is_empty());
    let confirm = serde_json::from_value(json!({ "enabled": true })).unwrap();
    assert!(!taken_over.update_webhook(webhook.id, &confirm).unwrap().paused);
    until("what waited is told", || receiver.got().len() == 3);
    assert!(receiver.of_type("workspace.transferred").is_some() && receiver.of_type("file.ready").is_some());
}

#[test]
fn a_message_that_waited_is_sent_by_the_process_that_takes_over() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::new());
    let mut desk = Desk::configured(OPEN);
    let user = Caller::local(Surface::CommandLine);
    let new = NewWebhook {
        url: receiver.url.clone(),
        events: std::collections::BTreeSet::new(),
        path_globs: Vec::new(),
        agents: Vec::new(),
        secret: None,
    };
    desk.engine.workspace(&named("default"), &user).unwrap().create_webhook(&new).unwrap();
    desk.write("a.md", "A lighthouse.");
    desk.scan();
    assert!(receiver.got().is_empty(), "nothing runs yet");
    desk.run();
    until("the line tells it", || receiver.of_type("file.ready").is_some());
    let second = share(desk.data.path());
    let line = second.run().unwrap();
    let Desk { folder, engine, runner, data } = desk;
    drop((runner, engine));
    fs_err::write(folder.path().join("b.md"), "A windmill.").unwrap();
    until("the other process tells it", || {
        receiver.got().iter().any(|message| message.said()["data"]["path"] == "b.md")
    });
    drop((line, second, data));
}

#[test]
fn the_command_line_makes_lists_changes_and_deletes_webhooks() {
    let pincite = Pincite::words_alone();
    fs_err::write(pincite.data.path().join("config.toml"), OPEN).unwrap();
    let folder = tempfile::tempdir().unwrap();
    pincite.index(folder.path());
    let refused = pincite.run(&["webhook", "create", "http://10.0.0.1/"]);
    assert!(refused.code == 2 && refused.err.contains("allow_networks"), "{}", refused.err);
    let url = "http://127.0.0.1:9/hook";
    let made = pincite.run(&["webhook", "create", url, "--event", "file.ready", "--glob", "*.md", "--json"]).json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"), "{made}");
    let listed = pincite.run(&["webhook", "list"]);
    assert!(listed.out.contains(url) && listed.out.contains("file.ready") && !listed.out.contains("whsec_"));
    let sent = pincite.run(&["webhook", "test", "1"]);
    assert!(sent.code == 0 && sent.out.contains("pending  webhook.test"), "{}{}", sent.out, sent.err);
    assert!(pincite.run(&["webhook", "deliveries", "1"]).out.contains("webhook.test"));
    assert_eq!(pincite.run(&["webhook", "replay", "1", "1"]).code, 0);
    assert!(pincite.run(&["webhook", "rotate", "1"]).out.contains("shown this once: whsec_"));
    assert!(pincite.run(&["webhook", "update", "1", "--off"]).out.contains("(off)"));
    assert!(pincite.run(&["status"]).out.contains("the webhook 1 is switched off"));
    assert_eq!(pincite.run(&["webhook", "delete", "1"]).code, 0);
    assert_eq!(pincite.run(&["webhook", "list"]).code, 1);
    let unknown = pincite.run(&["webhook", "delete", "1"]);
    assert!(unknown.code == 2 && unknown.err.contains("hint:"), "{}", unknown.err);
}
