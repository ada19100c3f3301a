//! The server's limits from outside: what is refused, what goes on meanwhile, and what nobody is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use pincite::answer::AskRequest;
use pincite::budget::Budget;
use pincite::engine::{Caller, EngineError, Surface};
use pincite::search::SearchRequest;
use pincite::serve::{Options, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::cli::Pincite;
use crate::indexed::{named, shared};
use crate::line::{Desk, FOREVER, until};
use crate::sockets::Running;
use crate::spaces::{router, send};

const SHORT: Duration = Duration::from_millis(50);

/// Sends a request over a connection of its own, which then ends; an empty reply is none.
async fn over_socket(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = Vec::new();
    let sent = stream.write_all(request.as_bytes()).await;
    let read = tokio::time::timeout(FOREVER, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    // A reset ends a connection too.
    let _ = (sent, read);
    String::from_utf8(bytes).unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn health_and_metrics_are_answered_beyond_the_limit_of_connections() {
    for options in [
        Options { max_connections: 4, ..Options::default() },
        Options { max_connections_per_address: 4, ..Options::default() },
    ] {
        let server = Running::start(options).await;
        let mut silent = Vec::new();
        for num_silent in [4, 200] {
            while silent.len() < num_silent {
                silent.push(TcpStream::connect(server.address).await.unwrap());
            }
            for path in ["/livez", "/readyz", "/metrics"] {
                let reply = over_socket(server.address, &get(path)).await;
                assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{num_silent} silent, {path}: {reply}");
            }
            let refused = over_socket(server.address, &get("/v1/workspaces")).await;
            assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
            assert!(refused.contains("too_many_connections") && refused.contains("retry-after: 1"), "{refused}");
        }
        drop(silent);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_replies_is_cut_off() {
    let server = Running::start(Options { write_timeout: SHORT, ..Options::default() }).await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    let (num, request) = (2_000, "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    deaf.write_all(request.repeat(num).as_bytes()).await.unwrap();
    let end = tokio::time::Instant::now() + FOREVER;
    // Only the connection that asks is left.
    while !over_socket(server.address, &get("/metrics")).await.contains("\npincite_connections 1\n") {
        assert!(tokio::time::Instant::now() < end, "it is never cut off");
    }
    let mut bytes = Vec::new();
    let _ = deaf.read_to_end(&mut bytes).await;
    let num_replies = String::from_utf8_lossy(&bytes).matches("HTTP/1.1 200 OK").count();
    assert!(num_replies > 0 && num_replies < num, "{num_replies}");
    server.stop().await;
}

#[tokio::test]
async fn a_route_that_is_not_there_reads_no_body() {
    let server = Running::start(Options { body_timeout: FOREVER * 2, ..Options::default() }).await;
    for line in ["POST /nowhere", "PUT /v1/workspaces/default/search", "POST /v1/workspaces/default/files/a"] {
        let header =
            format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n");
        let reply = over_socket(server.address, &header).await;
        assert!(reply.starts_with("HTTP/1.1 404 ") || reply.starts_with("HTTP/1.1 405 "), "{line}: {reply}");
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_do_not_come_to_their_end_have_a_budget_together() {
    let desk = Desk::configured("[limits]\nbodies_bytes = 65536\n");
    let options = Options { address: ([127, 0, 0, 1], 0).into(), ..Options::within(&desk.engine.config().limits) };
    let server = Server::bind(Arc::clone(&desk.engine), named("default"), options).await.unwrap();
    let address = server.address();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ended = tokio::spawn(server.run_until(async { drop(stopped.await) }));
    let begun = format!(
        "POST /v1/workspaces/default/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: 60000\r\n\r\n{}",
        " ".repeat(40_000)
    );
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(begun.as_bytes()).await.unwrap();
    let end = tokio::time::Instant::now() + FOREVER;
    while !over_socket(address, &get("/metrics")).await.contains("\npincite_bodies_bytes 40960\n") {
        assert!(tokio::time::Instant::now() < end, "the first body is never counted");
    }
    let refused = over_socket(address, &begun).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("too_many_bodies"), "{refused}");
    assert!(refused.contains("limits.bodies_bytes"), "{refused}");
    let metrics = over_socket(address, &get("/metrics")).await;
    assert!(metrics.contains("pincite_refusals_total{limit=\"too_many_bodies\"} 1"), "{metrics}");
    drop(first);
    stop.send(()).unwrap();
    ended.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_wait_for_a_revision_and_others_go_on() {
    const NUM: u64 = 300;
    let mut desk = Desk::configured(&format!("[limits]\nwaits = {NUM}\n"));
    let rest = router(&desk.engine);
    let written = send(&rest, Method::PUT, "/v1/workspaces/default/files/a.md", Some(json!("A harbour."))).await.1;
    let question =
        json!({ "query": "harbour", "mode": "lexical", "min_revision": written["revision"], "wait_ms": 60_000 });
    let uri = "/v1/workspaces/default/search";
    let waiting: Vec<_> = (0..NUM)
        .map(|_| {
            let (rest, question) = (rest.clone(), question.clone());
            tokio::spawn(async move { send(&rest, Method::POST, uri, Some(question)).await })
        })
        .collect();
    let engine = Arc::clone(&desk.engine);
    tokio::task::spawn_blocking(move || until("all wait", || engine.num_waiting() == NUM)).await.unwrap();
    let refused = send(&rest, Method::POST, uri, Some(question)).await;
    assert_eq!((refused.0, &refused.1["error"]["code"]), (503, &json!("too_many_waits")));
    let other = send(&rest, Method::POST, uri, Some(json!({ "query": "harbour", "mode": "lexical" }))).await;
    assert_eq!(other.0, 200, "{}", other.1);
    desk.run();
    for reply in waiting {
        let (status, reply) = reply.await.unwrap();
        // Who has waited is not refused then, although all come at once.
        assert_eq!(status, 200, "{reply}");
        assert_eq!(reply["hits"][0]["citation"]["path"], "a.md", "{reply}");
    }
    assert_eq!(desk.engine.num_waiting(), 0);
}

#[test]
fn a_search_or_an_answer_that_is_out_of_time_says_so_and_one_that_nobody_hears_ends() {
    let indexed = shared();
    let default = named("default");
    let out_of_time = Budget::default().lasting(Duration::ZERO);
    let request = SearchRequest::new("\"cold start\" latency -crane");
    let reply = indexed
        .engine
        .workspace(&default, &Caller::local(Surface::CommandLine))
        .unwrap()
        .search_within(&request, &out_of_time)
        .unwrap();
    assert!(
        reply.partial && reply.coverage.notes.iter().any(|note| note.contains("timeout_ms")),
        "{:?}",
        reply.coverage
    );
    let whole = indexed
        .engine
        .workspace(&default, &Caller::local(Surface::CommandLine))
        .unwrap()
        .search_within(&request, &Budget::default())
        .unwrap();
    assert!(!whole.partial && whole.coverage.notes.iter().all(|note| !note.contains("timeout_ms")));
    for question in
        ["What was done lately?", "How many runs are there?", "How long was the gateway down on 2 November?"]
    {
        let request = AskRequest::new(question);
        let reply = indexed
            .engine
            .workspace(&default, &Caller::local(Surface::CommandLine))
            .unwrap()
            .ask_within(&request, &out_of_time, &mut |_| true)
            .unwrap();
        assert!(reply.partial && reply.listing.is_none(), "{question}: {reply:?}");
        let gone = Budget::default();
        gone.cancel();
        let ended = indexed.engine.workspace(&default, &Caller::local(Surface::CommandLine)).unwrap().ask_within(
            &request,
            &gone,
            &mut |_| true,
        );
        assert!(matches!(ended, Err(EngineError::Cancelled)), "{question}");
    }
    let gone = Budget::default();
    drop(gone.cancelled_on_drop());
    assert!(matches!(
        indexed
            .engine
            .workspace(&default, &Caller::local(Surface::CommandLine))
            .unwrap()
            .search_within(&request, &gone),
        Err(EngineError::Cancelled)
    ));
}

#[tokio::test]
async fn each_reply_has_the_id_of_its_request_and_is_counted() {
    let rest = pincite::serve::router(Arc::clone(&shared().engine), named("default"), &Options::default());
    let ask = |uri: &str, id: &str| {
        let request = Request::builder().uri(uri).header(header::HOST, "localhost");
        request.header("X-Request-Id", id).body(Body::empty()).unwrap()
    };
    let told = |response: &axum::http::Response<Body>| response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let uri = "/v1/workspaces/default/status";
    assert_eq!(told(&rest.clone().oneshot(ask(uri, "run-7.a_b")).await.unwrap()), "run-7.a_b");
    let mut seen = std::collections::BTreeSet::new();
    for odd in ["", "a b", &"x".repeat(65), "a\"b"] {
        let id = told(&rest.clone().oneshot(ask(uri, odd)).await.unwrap());
        assert!(id != odd && seen.insert(id), "{odd}");
    }
    let response = rest.clone().oneshot(ask("/metrics", "m")).await.unwrap();
    assert!(response.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
    let line = "pincite_requests_total{route=\"/v1/workspaces/{ws}/status\",method=\"GET\",status=\"200\"} 5";
    assert!(text.contains(line), "{text}");
    for name in ["request_duration_seconds_bucket", "requests_at_work", "requests_queued", "waits", "pending_files"] {
        assert!(text.contains(&format!("pincite_{name}")), "{name}: {text}");
    }
    for line in [
        "pincite_readers{state=\"busy\"} 0",
        "pincite_readers{state=\"idle\"} ",
        "pincite_readers_queued 0",
        "pincite_readers_started_total ",
        "pincite_reader_retries_total 0",
        "pincite_embedded_chunks_total ",
        "pincite_embedding_seconds_total ",
        "pincite_cache_entries{cache=\"indexes\"} ",
        "pincite_kept_documents_bytes ",
    ] {
        assert!(text.lines().any(|told| told.starts_with(line)), "{line}: {text}");
    }
    assert!(!text.contains("default"), "no name of a workspace: {text}");
    // A family without a figure yet is not told, so its name is looked for where it is registered.
    let (dashboard, registered) =
        (include_str!("../../deploy/grafana.json"), include_str!("../../src/serve/metrics.rs"));
    for (at, _) in dashboard.match_indices("pincite_") {
        let name: String = dashboard[at..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
        let family = name.trim_start_matches("pincite_").trim_end_matches("_total").trim_end_matches("_bucket");
        assert!(registered.contains(&format!("\"{family}\"")), "the dashboard draws `{name}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_default_workspace_is_deleted_is_ready_for_the_others() {
    let desk = Desk::running();
    let rest = router(&desk.engine);
    assert_eq!(send(&rest, Method::DELETE, "/v1/workspaces/default", None).await.0, 200);
    let ready = send(&rest, Method::GET, "/readyz", None).await;
    assert_eq!(ready.0, 200, "{}", ready.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reply_says_where_a_folder_is_on_the_server() {
    let desk = Desk::running();
    let rest = router(&desk.engine);
    desk.write("folder/a.md", "A harbour.");
    desk.scan();
    let uri = "/v1/workspaces/default";
    let mut replies = Vec::new();
    for path in ["", "/status", "/files", "/files/folder", "/files/none", "/files/folder/a.md/b", "/changes"] {
        replies.push(send(&rest, Method::GET, &format!("{uri}{path}"), None).await.1);
    }
    replies.push(send(&rest, Method::GET, "/v1/workspaces", None).await.1);
    replies.push(send(&rest, Method::PUT, &format!("{uri}/files/folder"), Some(json!("x"))).await.1);
    replies.push(send(&rest, Method::DELETE, &format!("{uri}/files/folder"), None).await.1);
    replies.push(send(&rest, Method::POST, "/v1/workspaces", Some(json!({ "name": "made" }))).await.1);
    replies.push(send(&rest, Method::PATCH, uri, Some(json!({ "intelligence": true }))).await.1);
    // Gone, and the log says so nowhere.
    let (folder, aside) = (desk.folder.path().to_owned(), desk.folder.path().with_extension("aside"));
    fs_err::rename(&folder, &aside).unwrap();
    for path in ["/files/folder/a.md", "/status"] {
        replies.push(send(&rest, Method::GET, &format!("{uri}{path}"), None).await.1);
    }
    replies.push(send(&rest, Method::PUT, &format!("{uri}/files/b.md"), Some(json!("x"))).await.1);
    fs_err::rename(&aside, &folder).unwrap();
    for reply in replies {
        for folder in [desk.folder.path(), desk.data.path()] {
            let name = folder.file_name().unwrap().to_str().unwrap();
            assert!(!reply.to_string().contains(name), "{reply}");
        }
    }
}

#[tokio::test]
async fn malformed_json_rpc_gets_the_error_of_its_specification() {
    let rest = pincite::serve::router(Arc::clone(&shared().engine), named("default"), &Options::default());
    let post = |body: &str| {
        let request = Request::builder().method(Method::POST).uri("/mcp").header(header::HOST, "localhost");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        request.header(header::ACCEPT, "application/json, text/event-stream").body(Body::from(body.to_owned())).unwrap()
    };
    for (body, code) in [
        ("{", -32_700),
        ("", -32_700),
        ("[]", -32_600),
        ("7", -32_600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}"#, -32_602),
    ] {
        let response = rest.clone().oneshot(post(body)).await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let reply: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&reply["jsonrpc"], &reply["error"]["code"]), (&json!("2.0"), &json!(code)), "{body}: {reply}");
    }
}

#[test]
fn the_log_holds_no_text_of_documents_or_queries_at_its_finest_level() {
    const WORDS: [&str; 4] = ["zanzibarquux", "hippogryphon", "quicksilverine", "\u{4e16}"];
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.md"), format!("# Of {}\n\nThe {} is here.", WORDS[0], WORDS[0])).unwrap();
    fs_err::write(folder.path().join("b.html"), format!("<table><p>{}</b>", WORDS[0])).unwrap();
    // A line that does not count, and why not is told with what stands in it; and a name in a file that can be no path.
    fs_err::write(folder.path().join(".gitignore"), format!("{}[{}-a]\n", WORDS[0], WORDS[3])).unwrap();
    let mut archive = zip::ZipWriter::new(fs_err::File::create(folder.path().join("d.zip")).unwrap());
    let name = format!("{}/../\u{7}{}", WORDS[0], WORDS[3]);
    archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(WORDS[0].as_bytes()).unwrap();
    archive.finish().unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = pincite.command(&["serve", folder.path().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    command.env("PINCITE_LOG", "trace").stderr(log.reopen().unwrap());
    let mut child = command.spawn().unwrap();
    let told = || fs_err::read_to_string(log.path()).unwrap();
    until("it listens", || told().contains("listening on http://") && told().ends_with('\n'));
    let text = told();
    let address = text.lines().find_map(|line| line.strip_prefix("listening on http://")).unwrap().to_owned();
    let call = |method: &str, path: &str, body: &str| {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Accept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).unwrap();
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        (status, rest)
    };
    let uri = "/v1/workspaces/default";
    let query = |word: &str| json!({ "query": format!("{word} \"is here\""), "mode": "lexical" }).to_string();
    until("it is found", || call("POST", &format!("{uri}/search"), &query(WORDS[0])).1.contains("a.md"));
    call("POST", &format!("{uri}/search"), &query(WORDS[1]));
    call("POST", &format!("{uri}/ask"), &json!({ "question": format!("What is {}?", WORDS[1]) }).to_string());
    call("POST", &format!("{uri}/search"), &format!("{{\"query\": \"{}", WORDS[1]));
    let written = call("PUT", &format!("{uri}/files/c.md"), &format!("The {} is here.", WORDS[2]));
    assert!(written.0.contains("201"), "{written:?}");
    until("the new one is found", || call("POST", &format!("{uri}/search"), &query(WORDS[2])).1.contains("c.md"));
    let arguments = json!({ "query": WORDS[1] });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "search_workspace", "arguments": arguments } });
    call("POST", "/mcp", &message.to_string());
    let status = call("GET", &format!("{uri}/status"), "").1;
    assert!(status.contains("passed_over") && status.contains(WORDS[3]), "{status}");
    child.kill().unwrap();
    child.wait().unwrap();
    let log = told();
    assert!(log.contains("request") && log.contains("/v1/workspaces/{ws}/search"), "it logs: {log}");
    for word in WORDS {
        assert!(!log.to_lowercase().contains(word), "{word}: {log}");
    }
}
