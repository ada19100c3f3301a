//! The server on real sockets: slow clients, and the end. Deadlines are short by configuration; no test sleeps.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pincite::serve::{Options, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::indexed::{Indexed, named, shared};

/// No deadline that a test waits for is as long.
const FOREVER: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(50);

/// A server on a free port, over the shared engine; it stops when told to or dropped.
pub struct Running {
    pub indexed: Arc<Indexed>,
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Running {
    pub async fn start(options: Options) -> Self {
        let indexed = tokio::task::spawn_blocking(shared).await.unwrap();
        let options = Options { address: ([127, 0, 0, 1], 0).into(), ..options };
        let server = Server::bind(Arc::clone(&indexed.engine), named("default"), options).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(server.run_until(async {
            let _ = stopped.await;
        }));
        Self { indexed, address, stop, ended }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Tells the server to stop and waits until it has.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(FOREVER, self.ended).await.expect("the server ends").unwrap();
    }
}

/// What the server sends until it closes the connection.
async fn rest_of(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(FOREVER, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    // A reset ends a connection too.
    let _ = read;
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_request_over_a_socket_is_answered() {
    let server = Running::start(Options::default()).await;
    let mut stream = server.connect().await;
    let request = format!("GET /livez HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let reply = rest_of(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with("{\"status\":\"live\"}"), "{reply}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_header_is_cut_off() {
    let server = Running::start(Options { header_timeout: SHORT, ..Options::default() }).await;
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: local").await.unwrap();
    assert_eq!(rest_of(&mut silent).await, "");
    let reply = rest_of(&mut slow).await;
    assert!(!reply.contains("200 OK"), "{reply}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_body_is_told_so() {
    let server = Running::start(Options { body_timeout: SHORT, ..Options::default() }).await;
    for path in ["/v1/workspaces/default/search", "/mcp"] {
        let mut stream = server.connect().await;
        let header = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: 100\r\n\r\n{{\"query\""
        );
        stream.write_all(header.as_bytes()).await.unwrap();
        let reply = rest_of(&mut stream).await;
        assert!(reply.starts_with("HTTP/1.1 408 ") && reply.contains("\"code\":\"body_timeout\""), "{path}: {reply}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_does_not_come_to_its_end_is_not_written() {
    let server = Running::start(Options { body_timeout: SHORT, ..Options::default() }).await;
    let path = "/v1/workspaces/default/files/unfinished.md";
    // One says how long it is and stops; the other stops between two parts.
    for framing in ["Content-Length: 100\r\n\r\nhalf of it", "Transfer-Encoding: chunked\r\n\r\na\r\nhalf of it\r\n"] {
        let mut stream = server.connect().await;
        let request = format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{framing}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let reply = rest_of(&mut stream).await;
        assert!(reply.starts_with("HTTP/1.1 408 ") && reply.contains("\"code\":\"body_timeout\""), "{reply}");
    }
    let mut stream = server.connect().await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let reply = rest_of(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
    server.stop().await;
}

#[tokio::test]
async fn an_endless_body_is_cut_off_at_the_limit() {
    let server = Running::start(Options { max_body_bytes: 1_000, ..Options::default() }).await;
    for path in ["/v1/workspaces/default/search", "/mcp"] {
        let mut stream = server.connect().await;
        let header = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Transfer-Encoding: chunked\r\n\r\n7d0\r\n{}\r\n",
            "x".repeat(2_000)
        );
        stream.write_all(header.as_bytes()).await.unwrap();
        let reply = rest_of(&mut stream).await;
        assert!(reply.starts_with("HTTP/1.1 413 ") && reply.contains("\"code\":\"body_too_large\""), "{path}: {reply}");
    }
    server.stop().await;
}

/// Sends the header of a search and waits until the server asks for its body: the request is being handled then.
async fn begin_search(server: &Running, body: &str) -> TcpStream {
    let mut stream = server.connect().await;
    let header = format!(
        "POST /v1/workspaces/default/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(header.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test]
async fn a_request_that_was_begun_is_answered_although_the_server_stops() {
    let server = Running::start(Options { shutdown_deadline: FOREVER, ..Options::default() }).await;
    let body = r#"{"query": "tide", "mode": "lexical", "k": 1}"#;
    let mut stream = begin_search(&server, body).await;
    let address = server.address;
    let stopping = tokio::spawn(server.stop());
    // The port is closed before the request is over.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(body.as_bytes()).await.unwrap();
    let reply = rest_of(&mut stream).await;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.contains("\"hits\":[{"), "{reply}");
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_when_the_server_stops() {
    let server = Running::start(Options { shutdown_deadline: SHORT, ..Options::default() }).await;
    let mut stream = begin_search(&server, r#"{"query": "tide"}"#).await;
    server.stop().await;
    assert_eq!(rest_of(&mut stream).await, "");
}
