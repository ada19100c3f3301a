//! Limits of a caller, from outside: floods, quotas at their bounds, guesses at keys, and addresses behind proxies.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, header};
use pincite::engine::{Caller, NewKey, Secret, Surface};
use pincite::serve::{self, Options};
use pincite::workspace::Scope;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::indexed::named;
use crate::line::{Desk, share, until};

/// A desk, its routes, and keys for it.
struct Door {
    desk: Desk,
    router: Router,
}

impl Door {
    fn with(config: &str) -> Self {
        Self::over(Desk::configured(config))
    }

    fn over(desk: Desk) -> Self {
        let options = Options::within(&desk.engine.config().limits);
        let router = serve::router(Arc::clone(&desk.engine), named("default"), &options);
        Self { desk, router }
    }

    /// As after a restart of the process.
    fn reopened(self) -> Self {
        let Self { desk: Desk { folder, data, engine, runner }, router } = self;
        drop((runner, router, engine));
        let engine = share(data.path());
        Self::over(Desk { folder, data, engine, runner: None })
    }

    fn key(&self, path_globs: &[&str]) -> String {
        let new = NewKey {
            name: "a test".to_owned(),
            scopes: [Scope::Admin, Scope::FilesRead, Scope::FilesWrite, Scope::Search].into_iter().collect(),
            path_globs: path_globs.iter().map(|glob| (*glob).to_owned()).collect(),
            ..NewKey::default()
        };
        self.desk.engine.create_key(&Caller::local(Surface::CommandLine), &new).unwrap().secret
    }

    async fn send(&self, key: &str, method: Method, uri: &str, body: Vec<u8>) -> (u16, HeaderMap, Value) {
        let request = Request::builder().method(method).uri(uri).header(header::HOST, "localhost");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::ACCEPT, "application/json, text/event-stream");
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (status, headers, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, key: &str, uri: &str) -> (u16, HeaderMap, Value) {
        self.send(key, Method::GET, uri, Vec::new()).await
    }

    async fn put(&self, key: &str, path: &str, num_bytes: usize) -> (u16, HeaderMap, Value) {
        let uri = format!("/v1/workspaces/default/files/{path}");
        self.send(key, Method::PUT, &uri, vec![b'x'; num_bytes]).await
    }

    async fn events(&self, key: &str, events: Value) -> (u16, HeaderMap, Value) {
        let body = json!({ "events": events }).to_string().into_bytes();
        self.send(key, Method::POST, "/v1/workspaces/default/events", body).await
    }
}

fn code(reply: &(u16, HeaderMap, Value)) -> (u16, &str) {
    (reply.0, reply.2["error"]["code"].as_str().unwrap_or_default())
}

fn message(reply: &(u16, HeaderMap, Value)) -> &str {
    reply.2["error"]["message"].as_str().unwrap_or_default()
}

fn number(headers: &HeaderMap, name: &str) -> u64 {
    headers[name].to_str().unwrap().parse().unwrap()
}

/// What stands in `"requests";r=1;t=2`, or the like.
fn item(headers: &HeaderMap, name: &str, policy: &str) -> [u64; 2] {
    let text = headers[name].to_str().unwrap();
    let item = text.split(", ").find_map(|item| item.strip_prefix(&format!("\"{policy}\";"))).unwrap();
    let numbers: Vec<u64> = item.split(';').map(|part| part.split_once('=').unwrap().1.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

fn cores() -> u64 {
    std::thread::available_parallelism().unwrap().get() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_key_is_refused_and_another_key_is_always_answered() {
    let door = Door::with("[limits]\nkey_requests_per_core = 1\nrequest_burst_s = 10\n");
    let (flood, good) = (door.key(&[]), door.key(&[]));
    let quota = 10 * cores();
    let (started, mut refused, mut taken) = (std::time::Instant::now(), Vec::new(), 0);
    for turn in 0..quota * 3 {
        let reply = door.get(&flood, "/v1/limits").await;
        assert_eq!(item(&reply.1, "ratelimit-policy", "requests"), [quota, 10]);
        match reply.0 {
            200 => {
                taken += 1;
                assert_eq!(reply.2["limited_by"], "key");
                assert_eq!(reply.2["requests"]["left"].as_u64().unwrap(), item(&reply.1, "ratelimit", "requests")[0]);
            }
            _ => refused.push(reply),
        }
        if turn % 10 == 0 {
            assert_eq!(door.get(&good, "/v1/workspaces/default/status").await.0, 200);
        }
    }
    let came_in = started.elapsed().as_secs() * cores() + cores();
    assert!(taken >= quota && taken <= quota + came_in, "{taken} of {quota}");
    assert!(!refused.is_empty());
    for reply in &refused {
        assert_eq!(code(reply), (429, "too_many_requests"));
        assert_eq!(number(&reply.1, "retry-after"), 1, "the next one comes within a second");
        assert_eq!(item(&reply.1, "ratelimit", "requests"), [0, 10]);
    }
    let search = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string().into_bytes();
    assert_eq!(
        code(&door.send(&flood, Method::POST, "/mcp", search).await),
        (429, "too_many_requests"),
        "over MCP too"
    );
    let (_, _, metrics) = door.get(&good, "/metrics").await;
    assert!(metrics.as_str().unwrap().contains("pincite_refusals_total{limit=\"too_many_requests\"}"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keys_bytes_of_a_day_end_at_the_bound_and_survive_a_restart() {
    let door = Door::with("[limits]\nkey_bytes_per_day = 100\n");
    let (writer, other) = (door.key(&[]), door.key(&[]));
    assert_eq!(door.put(&writer, "a.md", 60).await.0, 201);
    let refused = door.put(&writer, "b.md", 41).await;
    assert_eq!(code(&refused), (507, "quota_exceeded"));
    assert!(message(&refused).contains("40 of the 100 bytes"), "{}", message(&refused));
    let retry_after = number(&refused.1, "retry-after");
    assert!((1..=86_400).contains(&retry_after), "until midnight: {retry_after}");
    assert_eq!(code(&door.put(&writer, "b.md", 101).await), (413, "larger_than_quota"));
    assert_eq!(door.get(&writer, "/v1/workspaces/default/files/b.md").await.0, 404, "nothing of it is left");
    let batch = json!([
        { "id": "1", "type": "created", "path": "c.md", "content": "x".repeat(30) },
        { "id": "2", "type": "created", "path": "d.md", "content": "x".repeat(11) },
    ]);
    assert_eq!(code(&door.events(&writer, batch).await), (507, "quota_exceeded"), "together they are too much");
    let event = json!([{ "id": "1", "type": "created", "path": "c.md", "content": "x".repeat(30) }]);
    assert_eq!(door.events(&writer, event.clone()).await.0, 200);
    assert_eq!(door.put(&writer, "a.md", 10).await.0, 200, "to the last byte, also where it replaces others");
    assert_eq!(code(&door.put(&writer, "a.md", 1).await), (507, "quota_exceeded"));
    assert_eq!(door.events(&writer, event).await.0, 200, "an event that was taken before writes nothing");
    assert_eq!(door.put(&other, "e.md", 100).await.0, 201, "another key has a day of its own");

    let door = door.reopened();
    assert_eq!(code(&door.put(&writer, "f.md", 1).await), (507, "quota_exceeded"));
    let (_, _, limits) = door.get(&writer, "/v1/limits").await;
    assert_eq!((&limits["bytes_today"]["quota"], &limits["bytes_today"]["left"]), (&json!(100), &json!(0)));
    assert_eq!(door.get(&writer, "/v1/workspaces/default/files/a.md").await.0, 200, "reading goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_files_make_more_chunks_than_it_may_writes_no_more_that_day() {
    let mut door = Door::with("[limits]\nkey_chunks_per_day = 3\n");
    door.desk.run();
    let (writer, other) = (door.key(&[]), door.key(&[]));
    let left = async |key: &str| door.get(key, "/v1/limits").await.2["chunks_today"]["left"].as_u64().unwrap();
    assert_eq!(left(&writer).await, 3);
    let uri = |path: &str| format!("/v1/workspaces/default/files/{path}");
    let paragraph = "The lighthouse keeper counts the ships that pass before the fog comes in. ".repeat(8);
    let long = format!("# Log\n\n{}", format!("{paragraph}\n\n").repeat(12)).into_bytes();
    let written = door.send(&writer, Method::PUT, &uri("long.md"), long.clone()).await;
    assert_eq!(written.0, 201, "how many chunks it will be is not known yet");
    let searchable = async |revision: &Value| {
        let body = json!({ "query": "lighthouse", "mode": "lexical", "min_revision": revision, "wait_ms": 30_000 });
        let reply = door.send(&other, Method::POST, "/v1/workspaces/default/search", body.to_string().into()).await;
        assert_eq!(reply.0, 200, "{}", reply.2);
    };
    searchable(&written.2["revision"]).await;
    assert_eq!((left(&writer).await, left(&other).await), (0, 3));
    let refused = door.put(&writer, "b.md", 10).await;
    assert_eq!(code(&refused), (507, "quota_exceeded"));
    assert!(message(&refused).contains("0 of the 3 chunks"), "{}", message(&refused));
    assert!((1..=86_400).contains(&number(&refused.1, "retry-after")));
    let event = json!([{ "id": "1", "type": "created", "path": "c.md", "content": "words" }]);
    assert_eq!(code(&door.events(&writer, event).await), (507, "quota_exceeded"));
    // The same content by another key has chunks of its own; a look at a file that is unchanged has none.
    let mut longer = long;
    longer.extend_from_slice(b"The end.\n");
    let again = door.send(&other, Method::PUT, &uri("long.md"), longer).await;
    assert_eq!(again.0, 200);
    searchable(&again.2["revision"]).await;
    assert_eq!(left(&other).await, 0);
    assert_eq!(door.send(&writer, Method::DELETE, &uri("long.md"), Vec::new()).await.0, 200, "deleting goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_at_once_take_exactly_the_bytes_that_there_are() {
    let door = Arc::new(Door::with("[limits]\nkey_bytes_per_day = 100\n"));
    let writer = door.key(&[]);
    let in_flight: Vec<_> = (0..30)
        .map(|number| {
            let (door, writer) = (Arc::clone(&door), writer.clone());
            tokio::spawn(async move { door.put(&writer, &format!("{number}.md"), 10).await.0 })
        })
        .collect();
    let mut written = 0;
    for write in in_flight {
        match write.await.unwrap() {
            201 => written += 1,
            status => assert_eq!(status, 507),
        }
    }
    assert_eq!(written, 10);
    let (_, _, limits) = door.get(&writer, "/v1/limits").await;
    assert_eq!(limits["bytes_today"]["left"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_holds_as_many_files_and_bytes_as_it_may() {
    let mut door = Door::with("[limits]\nworkspace_files = 3\nworkspace_bytes = 100\n");
    let (writer, narrowed) = (door.key(&[]), door.key(&["mine/**"]));
    for path in ["a.md", "b.md", "c.md"] {
        assert_eq!(door.put(&writer, path, 30).await.0, 201);
    }
    let refused = door.put(&writer, "d.md", 1).await;
    assert_eq!(code(&refused), (507, "quota_exceeded"));
    assert!(message(&refused).contains("0 of the 3 files"), "{}", message(&refused));
    let refused = door.put(&writer, "a.md", 41).await;
    assert!(refused.0 == 507 && message(&refused).contains("40 of the 100 bytes"), "{}", message(&refused));
    assert_eq!(door.put(&writer, "a.md", 40).await.0, 200, "to the last byte");
    assert_eq!(code(&door.put(&writer, "a.md", 101).await), (413, "larger_than_quota"));
    let hidden = door.put(&narrowed, "mine/a.md", 1).await;
    assert_eq!(code(&hidden), (507, "quota_exceeded"));
    assert!(message(&hidden).contains("fewer are left of the 3 files"), "{}", message(&hidden));
    let uri = "/v1/limits?workspace=default";
    assert_eq!(door.get(&narrowed, uri).await.2["workspace"]["files"], json!({ "quota": 3 }));
    assert_eq!(door.get(&writer, uri).await.2["workspace"]["files"], json!({ "quota": 3, "left": 0 }));
    // The same counts hold while changes are pending and when they are done.
    door.desk.run();
    until("all is indexed", || {
        door.desk.found("xxxx").is_empty() && {
            let workspace =
                door.desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap();
            workspace.coverage().unwrap().files.pending == 0
        }
    });
    let full = json!({ "name": "default", "files": { "quota": 3, "left": 0 }, "bytes": { "quota": 100, "left": 0 } });
    assert_eq!(door.get(&writer, uri).await.2["workspace"], full);
    let deleted = door.send(&writer, Method::DELETE, "/v1/workspaces/default/files/b.md", Vec::new()).await;
    assert_eq!(deleted.0, 200);
    let both = json!([
        { "id": "1", "type": "created", "path": "d.md", "content": "x" },
        { "id": "2", "type": "created", "path": "e.md", "content": "x" },
    ]);
    assert_eq!(code(&door.events(&writer, both).await), (507, "quota_exceeded"));
    assert_eq!(door.get(&writer, "/v1/workspaces/default/files/d.md").await.0, 404, "all or none");
    assert_eq!(door.put(&writer, "d.md", 30).await.0, 201, "what was deleted made room at once");
    assert_eq!(door.put(&writer, "a.md", 39).await.0, 200, "and a smaller file is always taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_requests_of_one_caller_wait_at_once() {
    let door = Arc::new(Door::with("[limits]\ncaller_waits = 2\n"));
    let (many, other) = (door.key(&[]), door.key(&[]));
    let revision = door.put(&many, "a.md", 10).await.2["revision"].clone();
    let query = json!({ "query": "x", "mode": "lexical", "min_revision": revision, "wait_ms": 60_000 });
    let uri = "/v1/workspaces/default/search";
    let body = query.to_string().into_bytes();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let (door, key, body) = (Arc::clone(&door), many.clone(), body.clone());
            tokio::spawn(async move { door.send(&key, Method::POST, uri, body).await.0 })
        })
        .collect();
    let engine = Arc::clone(&door.desk.engine);
    tokio::task::spawn_blocking(move || until("both wait", || engine.num_waiting() == 2)).await.unwrap();
    let refused = door.send(&many, Method::POST, uri, body.clone()).await;
    assert_eq!((code(&refused), number(&refused.1, "retry-after")), ((429, "too_many_waits_of_caller"), 1));
    assert_eq!(door.get(&many, "/v1/limits").await.2["waits"], json!({ "quota": 2, "left": 0 }));
    let short = json!({ "query": "x", "mode": "lexical", "min_revision": revision, "wait_ms": 1 }).to_string();
    let reply = door.send(&other, Method::POST, uri, short.into_bytes()).await;
    assert_eq!(code(&reply), (409, "not_fresh"), "another key may wait");
    let runner = door.desk.engine.run().unwrap();
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), 200);
    }
    assert_eq!(door.get(&many, "/v1/limits").await.2["waits"]["left"], 2);
    drop(runner);
}

/// A server on a socket.
struct Listening {
    address: SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<()>,
}

impl Listening {
    async fn over(door: &Door) -> Self {
        let engine = Arc::clone(&door.desk.engine);
        let options = Options { address: ([127, 0, 0, 1], 0).into(), ..Options::within(&engine.config().limits) };
        let server = serve::Server::bind(engine, named("default"), options).await.unwrap();
        let address = server.address();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let ended = tokio::spawn(server.run_until(async { drop(stopped.await) }));
        Self { address, stop, ended }
    }

    /// The status and the text of the reply to a request that a proxy passes on for `forwarded`.
    async fn get(&self, key: Option<&str>, forwarded: &str) -> (u16, String) {
        let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /v1/limits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: {forwarded}\r\n{key}\r\n"
        );
        self.send(&request).await
    }

    async fn send(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        (reply[9..12].parse().unwrap(), reply)
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap();
    }
}

fn unknown_key() -> String {
    Secret::generate().unwrap().reveal().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_keys_are_slowed_by_address_and_familiar_keys_are_not() {
    let config = "[serve]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[limits]\naddress_bad_keys_per_minute = 3\n";
    let door = Door::with(config);
    let (familiar, unfamiliar) = (door.key(&[]), door.key(&[]));
    let server = Listening::over(&door).await;
    let guesser = "2001:db8:1:2::1";
    assert_eq!(server.get(Some(&familiar), guesser).await.0, 200);
    for turn in 0..3 {
        let (status, reply) = server.get(Some(&unknown_key()), guesser).await;
        assert!(status == 401 && reply.contains(&format!("\"bad-keys\";r={};t=", 2 - turn)), "{reply}");
    }
    // Another address of the same /64, an address that the client only claims, and a key that is none by its form.
    for (key, forwarded) in [
        (unknown_key(), "2001:db8:1:2:ffff::9".to_owned()),
        (unknown_key(), format!("198.51.100.1, {guesser}")),
        (unknown_key(), format!("198.51.100.2, [{guesser}]:4711")),
        ("pin_nothing".to_owned(), guesser.to_owned()),
    ] {
        let (status, reply) = server.get(Some(&key), &forwarded).await;
        assert!(status == 429 && reply.contains("too_many_bad_keys"), "{forwarded}: {reply}");
        let line = reply.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
        assert!((1..=20).contains(&line.parse::<u64>().unwrap()), "{line}");
    }
    assert_eq!(server.get(Some(&unfamiliar), guesser).await.0, 429, "a guess that is right is not told apart");
    assert_eq!(server.get(Some(&familiar), guesser).await.0, 200, "who was there before goes on");
    let wrong = format!("{}{}", &familiar[..12], &unknown_key()[12..]);
    assert_eq!(server.get(Some(&wrong), guesser).await.0, 429, "a guess at its secret does not");
    for other in ["198.51.100.7", "2001:db8:1:3::1", "::ffff:198.51.100.8"] {
        assert_eq!(server.get(Some(&unknown_key()), other).await.0, 401, "{other}");
        assert_eq!(server.get(Some(&unfamiliar), other).await.0, 200, "{other}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_names_another_address_itself_is_counted_under_its_own() {
    let door = Door::with("[limits]\naddress_bad_keys_per_minute = 3\n");
    door.key(&[]);
    let server = Listening::over(&door).await;
    for number in 0..6 {
        let (status, reply) = server.get(Some(&unknown_key()), &format!("198.51.100.{number}")).await;
        assert_eq!(status, if number < 3 { 401 } else { 429 }, "{reply}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_key_are_counted_by_address_and_this_machines_own_are_not() {
    let limits = "[limits]\naddress_requests_per_core = 1\nrequest_burst_s = 2\n";
    let quota = 2 * cores();
    let door = Door::with(&format!("[serve]\ntrusted_proxies = [\"127.0.0.0/8\"]\n{limits}"));
    let server = Listening::over(&door).await;
    for (address, other) in [("198.51.100.7", "198.51.100.8"), ("2001:db8::1", "2001:db8:0:1::1")] {
        let mut refused = 0;
        for _ in 0..quota * 3 {
            let (status, reply) = server.get(None, address).await;
            assert!(reply.contains(&format!("ratelimit-policy: \"requests\";q={quota};w=2")), "{reply}");
            assert!(status == 200 || status == 429 && reply.contains("too_many_requests"), "{reply}");
            refused += usize::from(status == 429);
        }
        assert!(refused > 0, "{address}");
        assert_eq!(server.get(None, other).await.0, 200);
    }
    for _ in 0..quota * 3 {
        let (status, reply) = server.get(None, "").await;
        assert!(status == 200 && !reply.contains("ratelimit"), "{reply}");
        assert!(reply.contains("\"limited_by\":\"nothing\""), "{reply}");
    }
    server.stop().await;

    let door = Door::with(&format!("[serve]\nlimit_loopback = true\n{limits}"));
    let server = Listening::over(&door).await;
    let mut statuses = Vec::new();
    for _ in 0..quota * 3 {
        statuses.push(server.get(None, "198.51.100.7").await.0);
    }
    assert!(statuses.contains(&429), "where it is configured they are");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_though_it_was_familiar() {
    let door = Door::with("");
    let (key, admin) = (door.key(&[]), door.key(&[]));
    assert_eq!(door.get(&key, "/v1/limits").await.0, 200);
    let revoked = door.send(&admin, Method::DELETE, &format!("/v1/keys/{}", &key[4..12]), Vec::new()).await;
    assert_eq!(revoked.0, 200);
    for _ in 0..3 {
        assert_eq!(door.get(&key, "/v1/limits").await.0, 401);
    }
}

/// The head of the next reply of a connection, whose body is read.
async fn one_reply(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).await.unwrap();
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_leaves_the_connection_to_the_next_request() {
    let door = Door::with("[limits]\nkey_requests_per_core = 1\nrequest_burst_s = 1\n");
    let key = door.key(&[]);
    let server = Listening::over(&door).await;
    let body = json!({ "query": "x", "mode": "lexical" }).to_string();
    let header = format!(
        "POST /v1/workspaces/default/search HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut refused = 0;
    for _ in 0..cores() * 20 {
        // The body comes after the header, as many clients send it.
        stream.write_all(header.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(body.as_bytes()).await.unwrap();
        let reply = one_reply(&mut stream).await;
        assert!(reply.starts_with("HTTP/1.1 200 ") || reply.starts_with("HTTP/1.1 429 "), "`{reply}`");
        refused += usize::from(reply.starts_with("HTTP/1.1 429 "));
    }
    assert!(refused > 0);
    drop(stream);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_claims_cannot_be_guessed_fast() {
    let door = Door::with("[limits]\naddress_bad_keys_per_minute = 3\n");
    door.key(&[]);
    let server = Listening::over(&door).await;
    let body = json!({ "token": "claim_0000000000000000000000000000000000000000", "name": "Eve" }).to_string();
    for number in 0..5 {
        let request = format!(
            "POST /v1/claims HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, reply) = server.send(&request).await;
        assert_eq!(status == 429, number >= 3, "{reply}");
    }
    server.stop().await;
}

#[test]
fn as_many_keys_are_in_force_as_there_may_be() {
    let door = Door::with("[limits]\nkeys = 2\n");
    let caller = Caller::local(Surface::CommandLine);
    let new = NewKey { name: "one".to_owned(), scopes: [Scope::Search].into_iter().collect(), ..NewKey::default() };
    let first = door.desk.engine.create_key(&caller, &new).unwrap();
    door.desk.engine.create_key(&caller, &new).unwrap();
    let error = door.desk.engine.create_key(&caller, &new).unwrap_err();
    assert!(error.to_string().contains("`limits.keys`"), "{error}");
    door.desk.engine.revoke_key(&caller, &first.key.id).unwrap();
    door.desk.engine.create_key(&caller, &new).unwrap();
}

#[test]
fn every_route_behind_the_door_is_described_with_429_and_507() {
    let description = serde_json::to_value(serve::openapi_document()).unwrap();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            let is_open = matches!(path.as_str(), "/livez" | "/readyz");
            assert_eq!(responses.contains_key("429"), !is_open, "{method} {path}");
            if !is_open {
                for header in ["Retry-After", "RateLimit-Policy", "RateLimit"] {
                    assert!(responses["429"]["headers"][header].is_object(), "{method} {path}: {header}");
                }
            }
            // What cannot be recorded is refused, so every route can answer it.
            assert_eq!(responses.contains_key("507"), !is_open, "{method} {path}");
        }
    }
}
