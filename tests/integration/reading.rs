//! Texts over REST: piece by piece, and as bytes by `Range`, also of a file that is too large for one reply.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use pincite::engine::{Access, Caller, Engine, OpenOptions, Surface};
use pincite::ingest;
use pincite::serve::{self, Options};
use pincite::workspace::{ContentHash, WorkspaceId};
use serde_json::Value;
use tower::ServiceExt as _;

struct Desk {
    _folder: tempfile::TempDir,
    _data: tempfile::TempDir,
    router: axum::Router,
}

impl Desk {
    /// Serves a folder with one text of more than a megabyte, which is read in parts, and one short file.
    fn new(large: &str, short: &str) -> Self {
        let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs_err::write(data.path().join("config.toml"), "[extraction]\nparts_from_mb = 1\n").unwrap();
        fs_err::write(folder.path().join("large.txt"), large).unwrap();
        fs_err::write(folder.path().join("short.txt"), short).unwrap();
        let engine = Engine::open(OpenOptions::new(data.path(), Access::Write, "a test")).unwrap();
        engine
            .workspace_at(&WorkspaceId::default(), folder.path(), &Caller::local(Surface::CommandLine))
            .unwrap()
            .scan(&ingest::Silent)
            .unwrap();
        let router = serve::router(Arc::new(engine), WorkspaceId::default(), &Options::default());
        Self { _folder: folder, _data: data, router }
    }

    async fn get(&self, uri: &str, headers: &[(header::HeaderName, &str)]) -> (StatusCode, HeaderMap, String) {
        let uri = format!("/v1/workspaces/default/files/{uri}");
        let mut request = Request::builder().method(Method::GET).uri(uri).header(header::HOST, "127.0.0.1:7878");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn range(&self, uri: &str, range: &str) -> (u16, String, String) {
        let (status, headers, body) = self.get(uri, &[(header::RANGE, range)]).await;
        let place = headers.get(header::CONTENT_RANGE).map_or("", |place| place.to_str().unwrap());
        (status.as_u16(), place.to_owned(), body)
    }
}

fn large() -> String {
    (0..45_000).map(|number| format!("{number} über den Hafen hinaus\n")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn a_text_of_any_size_is_read_piece_by_piece() {
    let large = large();
    let desk = Desk::new(&large, "The crane.\n");
    let (status, _, refused) = desk.get("large.txt", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    assert!(refused.contains("large_text") && refused.contains("max_bytes"), "{refused}");
    let (mut start, mut joined) = (0, String::new());
    loop {
        let (status, _, body) = desk.get(&format!("large.txt?offset={start}&max_bytes=100001"), &[]).await;
        let part: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, StatusCode::OK, "{part}");
        assert_eq!(part["span"]["start"], start);
        joined.push_str(part["content"].as_str().unwrap());
        let Some(next) = part["next_offset"].as_u64() else { break };
        start = next;
    }
    assert!(joined == large, "the pieces make up the text");
    let (status, _, body) = desk.get("short.txt?offset=4", &[]).await;
    let part: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, part["content"].as_str(), part["total_bytes"].as_u64()),
        (StatusCode::OK, Some("crane.\n"), Some(11))
    );
    let lines = ["start_line", "end_line", "total_lines"].map(|name| part[name].as_u64());
    assert_eq!((lines, &part["truncated"]), ([Some(1); 3], &Value::Bool(false)));
    assert_eq!(part["etag"], ContentHash::of(b"The crane.\n").to_string());
    assert!(part["revision"].as_u64() > Some(0), "{part}");
    for (query, code) in
        [("start=12", "out_of_range"), ("max_bytes=0", "invalid_request"), ("from=1", "invalid_parameters")]
    {
        let (status, _, body) = desk.get(&format!("short.txt?{query}"), &[]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(body.contains(code), "{body}");
    }
}

#[tokio::test]
async fn a_range_of_bytes_is_what_the_text_has_there() {
    let large = (0..60_000).map(|number| format!("{number} over the harbour\n")).collect::<Vec<_>>().concat();
    let desk = Desk::new(&large, "The crane.\n");
    assert_eq!(desk.range("short.txt", "bytes=4-8").await, (206, "bytes 4-8/11".to_owned(), "crane".to_owned()));
    assert_eq!(desk.range("short.txt", "bytes=4-").await, (206, "bytes 4-10/11".to_owned(), "crane.\n".to_owned()));
    assert_eq!(desk.range("short.txt", "bytes=-7").await, (206, "bytes 4-10/11".to_owned(), "crane.\n".to_owned()));
    assert_eq!(desk.range("short.txt", "bytes=11-").await, (416, "bytes */11".to_owned(), String::new()));
    let (status, _, whole) = desk.range("short.txt", "bytes=0-1,4-5").await;
    assert!(status == 200 && whole.starts_with('{'), "another form of `Range` is ignored: {whole}");
    let (status, _, body) = desk.get("short.txt", &[(header::ACCEPT, "text/plain")]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "The crane.\n"));

    let start = large.find("20000 ").unwrap();
    let (status, place, body) = desk.range("large.txt", &format!("bytes={start}-{}", start + 999)).await;
    assert_eq!((status, body.as_bytes()), (206, &large.as_bytes()[start..start + 1000]), "{place}");
    let (status, place, body) = desk.range("large.txt", "bytes=0-").await;
    assert!(status == 206 && large.as_bytes().starts_with(body.as_bytes()), "{place}");
    assert_eq!(body.len(), 1024 * 1024, "a reply has at most a megabyte: {place}");
}

#[tokio::test]
async fn the_bytes_of_a_file_are_sent_from_a_place_on() {
    let desk = Desk::new("short", "The crane.\n");
    let bytes = (header::ACCEPT, "application/octet-stream");
    let (status, headers, body) = desk.get("short.txt", std::slice::from_ref(&bytes)).await;
    assert_eq!(
        (status, body.as_str(), &headers[header::ACCEPT_RANGES]),
        (StatusCode::OK, "The crane.\n", &"bytes".parse().unwrap())
    );
    let tag = headers[header::ETAG].to_str().unwrap().to_owned();
    for (range, expected, place) in [
        ("bytes=4-", "crane.\n", "bytes 4-10/11"),
        ("bytes=-2", ".\n", "bytes 9-10/11"),
        ("bytes=0-0", "T", "bytes 0-0/11"),
    ] {
        let headers = [bytes.clone(), (header::RANGE, range), (header::IF_RANGE, tag.as_str())];
        let (status, headers, body) = desk.get("short.txt", &headers).await;
        assert_eq!((status, body.as_str()), (StatusCode::PARTIAL_CONTENT, expected));
        assert_eq!(
            (&headers[header::CONTENT_RANGE], &headers[header::CONTENT_LENGTH]),
            (&place.parse().unwrap(), &expected.len().into())
        );
    }
    let (status, headers, _) = desk.get("short.txt", &[bytes.clone(), (header::RANGE, "bytes=11-")]).await;
    assert_eq!(
        (status, &headers[header::CONTENT_RANGE]),
        (StatusCode::RANGE_NOT_SATISFIABLE, &"bytes */11".parse().unwrap())
    );
    let other = [bytes, (header::RANGE, "bytes=4-"), (header::IF_RANGE, "\"another\"")];
    let (status, _, body) = desk.get("short.txt", &other).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "The crane.\n"));
}

#[tokio::test]
async fn pieces_of_two_contents_are_not_joined() {
    let desk = Desk::new("short", "The crane.\n");
    let (_, headers, _) = desk.get("short.txt", &[]).await;
    let tag = headers[header::ETAG].to_str().unwrap().to_owned();
    let range = (header::RANGE, "bytes=4-8");
    let (status, _, body) = desk.get("short.txt", &[range.clone(), (header::IF_RANGE, &tag)]).await;
    assert_eq!((status, body.as_str()), (StatusCode::PARTIAL_CONTENT, "crane"));
    let (status, _, body) = desk.get("short.txt", &[range, (header::IF_RANGE, "\"another\"")]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "The crane.\n"));
}
