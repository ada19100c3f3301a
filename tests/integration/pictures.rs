//! Pages of PDFs as pictures beside their text, through the routes of the reviewers' page, drawn by the real readers.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use pincite::engine::{Caller, Engine, Surface};
use pincite::ingest;
use pincite::serve::{self, Options};
use pincite::workspace::{RelPath, Span};
use tower::ServiceExt as _;

use crate::indexed::{named, open};

const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/workspace/reports/ravensholm-acceptance.pdf");
/// Words of its first page, which stand on two lines there.
const QUOTE: &str = "All three conditions of the contract were met";

/// Two workspaces: one with the report, a text, and a report that is cut off; one with nothing.
struct Desk {
    folder: tempfile::TempDir,
    _other: tempfile::TempDir,
    _data: tempfile::TempDir,
    engine: Arc<Engine>,
    router: axum::Router,
}

impl Desk {
    fn new() -> Self {
        let [folder, other, data] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let report = fs_err::read(REPORT).unwrap();
        fs_err::write(folder.path().join("the report.pdf"), &report).unwrap();
        fs_err::write(folder.path().join("cut.pdf"), &report[..100]).unwrap();
        fs_err::write(folder.path().join("a.txt"), "The crane.\n").unwrap();
        let engine = Arc::new(open(data.path()));
        engine
            .workspace_at(&named("default"), folder.path(), &Caller::local(Surface::CommandLine))
            .unwrap()
            .scan(&ingest::Silent)
            .unwrap();
        engine
            .workspace_at(&named("other"), other.path(), &Caller::local(Surface::CommandLine))
            .unwrap()
            .scan(&ingest::Silent)
            .unwrap();
        let router = serve::router(Arc::clone(&engine), named("default"), &Options::default());
        Self { folder, _other: other, _data: data, engine, router }
    }

    async fn get(&self, uri: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = Request::builder().uri(uri).header(header::HOST, "127.0.0.1:7878").body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
    }

    async fn view(&self, uri: &str) -> String {
        let (status, _, body) = self.get(uri).await;
        assert_eq!(status, StatusCode::OK, "{uri}");
        String::from_utf8(body).unwrap()
    }

    /// The status and the code of a refusal, which is a page.
    async fn refusal(&self, uri: &str) -> (u16, String) {
        let (status, headers, body) = self.get(uri).await;
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{uri}");
        let body = String::from_utf8(body).unwrap();
        let code = body.split_once("<code>").and_then(|(_, rest)| rest.split_once("</code>"));
        (status.as_u16(), code.map(|(code, _)| code.to_owned()).unwrap_or_default())
    }

    /// The span of words in the text of the report.
    fn span_of(&self, words: &str) -> Span {
        let path: RelPath = "the report.pdf".parse().unwrap();
        let text = self
            .engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .read_file(&path)
            .unwrap()
            .text;
        let start = text.replace('\n', " ").find(words).unwrap();
        Span::new(start, start + words.len())
    }
}

/// Width and height as the head of a PNG says them.
fn size(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[tokio::test]
async fn a_page_is_sent_as_a_picture_and_what_cannot_be_one_is_refused() {
    let desk = Desk::new();
    let (status, headers, png) = desk.get("/w/default/page/2/the%20report.pdf?width=300").await;
    assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, "image/png"));
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    // A4.
    assert_eq!(size(&png), (300, 424));
    assert_eq!(size(&desk.get("/w/default/page/1/the%20report.pdf?width=60000").await.2).0, 1600);
    for (uri, status, code) in [
        ("/w/default/page/9/the%20report.pdf", 400, "no_picture"),
        ("/w/default/page/0/the%20report.pdf", 400, "no_picture"),
        ("/w/default/page/1/cut.pdf", 400, "no_picture"),
        ("/w/default/page/1/a.txt", 400, "no_picture"),
        ("/w/default/page/one/the%20report.pdf", 400, "invalid_url"),
        ("/w/default/page/1/none.pdf", 404, "file_not_found"),
        ("/w/other/page/1/the%20report.pdf", 404, "file_not_found"),
    ] {
        assert_eq!(desk.refusal(uri).await, (status, code.to_owned()), "{uri}");
    }
    let other = format!("/w/default/page/1/the%20report.pdf?of={}", "0".repeat(64));
    assert_eq!(desk.refusal(&other).await, (409, "other_content".to_owned()));
}

#[tokio::test]
async fn the_source_of_a_pdf_shows_the_page_of_the_mark_with_boxes_and_the_pages_beside_it() {
    let desk = Desk::new();
    let Span { start, end } = desk.span_of(QUOTE);
    let first = desk.view(&format!("/w/default/source/the%20report.pdf?at={start}-{end}")).await;
    assert!(first.contains("alt=\"Page 1 of 4 of the report.pdf\""), "{first}");
    assert_eq!(first.matches("<rect ").count(), 1, "{first}");
    assert!(!first.contains("Previous page") && !first.contains("style="), "{first}");
    // The next page has no mark, and leads back; the picture is of the content that the view is of.
    let link = |html: &str, before: &str| {
        let (_, rest) = html.split_once(before).unwrap();
        rest.split_once('"').unwrap().0.replace("&amp;", "&")
    };
    let next = desk.view(&link(&first, "<figcaption><span>Page 1 of 4</span><a href=\"")).await;
    assert!(next.contains("alt=\"Page 2 of 4 of the report.pdf\"") && !next.contains("<rect "), "{next}");
    assert!(next.contains("Previous page") && next.contains("Next page"), "{next}");
    let picture = link(&next, "img data-page src=\"");
    assert!(picture.contains("of=") && desk.get(&picture).await.0 == StatusCode::OK, "{picture}");
    // The text stays, with its mark.
    assert!(first.contains("class=\"quote\""), "{first}");
    // Other files are shown as they were.
    assert!(!desk.view("/w/default/source/a.txt").await.contains("<figure"));
}

#[tokio::test]
async fn no_page_of_a_deleted_pdf_is_drawn() {
    let desk = Desk::new();
    fs_err::remove_file(desk.folder.path().join("the report.pdf")).unwrap();
    desk.engine
        .workspace_at(&named("default"), desk.folder.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .scan(&ingest::Silent)
        .unwrap();
    let source = desk.refusal("/w/default/page/1/the%20report.pdf").await;
    assert_eq!(source, (404, "file_gone".to_owned()));
}
