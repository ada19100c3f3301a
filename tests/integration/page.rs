//! The reviewers' page: what each view shows, what it never does, and how it looks to a browser.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use pincite::engine::{Caller, Engine, Surface};
use pincite::ingest::Silent;
use pincite::serve::{self, Options};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::indexed::{Indexed, SECRET, named, open, runtime_folder, shared};
use crate::python;

const POSTMORTEM: &str = "runs/2026-11-03-coder-03/postmortem.md";
/// Words that a browser would run, wherever they are not escaped.
const MARKUP: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

struct Page {
    router: Router,
    _indexed: Option<Arc<Indexed>>,
}

struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    html: String,
}

impl Page {
    fn new() -> Self {
        let indexed = shared();
        let router = serve::router(Arc::clone(&indexed.engine), named("default"), &Options::default());
        Self { router, _indexed: Some(indexed) }
    }

    fn over(engine: &Arc<Engine>) -> Self {
        Self { router: serve::router(Arc::clone(engine), named("default"), &Options::default()), _indexed: None }
    }

    async fn send(&self, request: Request<Body>) -> Seen {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Seen { status, headers, html: String::from_utf8_lossy(&bytes).into_owned() }
    }

    async fn get(&self, uri: &str) -> Seen {
        let request = Request::get(uri).header(header::HOST, "127.0.0.1:7878");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn shown(&self, uri: &str) -> String {
        let seen = self.get(uri).await;
        assert_eq!(seen.status, StatusCode::OK, "{uri}: {}", seen.html);
        assert_eq!(seen.headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{uri}");
        seen.html
    }

    async fn post(&self, uri: &str, form: &str, origin: Option<&str>) -> Seen {
        let mut request = Request::builder().method(Method::POST).uri(uri).header(header::HOST, "127.0.0.1:7878");
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }
}

fn index_into(engine: &Engine, folder: &Path) {
    engine
        .workspace_at(&named("default"), folder, &Caller::local(Surface::CommandLine))
        .unwrap()
        .index(&Silent)
        .unwrap();
}

const OWN: Option<&str> = Some("http://127.0.0.1:7878");

fn views() -> Vec<String> {
    let views = [
        "",
        "?q=gateway",
        "?q=gateway&sort=time",
        "?q=Who+reviewed+it%3F",
        "/activity",
        "/files",
        "/files?state=unread",
        "/status",
        "/check",
    ];
    let more = [
        "/verdicts",
        "/settings",
        "/source/data/stations.csv?at=200-260",
        "/source/assets/wave-icon.png",
        "/source/no/such/file",
    ];
    views.iter().chain(&more).map(|view| format!("/w/default{view}")).collect()
}

/// What of a page a browser would run or load from elsewhere.
fn assert_quiet(uri: &str, html: &str) {
    let lower = html.to_lowercase();
    // No value holds a tag's ends or quotes of its own, so quotes tell values and the rest of a tag apart.
    let tags = lower.split('<').skip(1).map(|piece| piece.split('>').next().unwrap());
    for tag in tags {
        let mut parts = tag.split('"');
        while let Some(outside) = parts.next() {
            assert!(!outside.trim_start().starts_with("on") && !outside.contains(" on"), "{uri}: <{tag}>");
            assert!(!outside.contains("style") || tag.starts_with("link rel="), "{uri}: <{tag}>");
            let value = parts.next().unwrap_or_default();
            let is_link = ["href=", "src=", "action="].iter().any(|name| outside.ends_with(name));
            assert!(
                !is_link || value.starts_with('/') || value.starts_with('#') || value.starts_with('?'),
                "{uri}: <{tag}>"
            );
        }
    }
    for script in lower.split("<script").skip(1) {
        assert!(script.starts_with(" src=\"/assets/"), "{uri}: a script that is not an asset");
    }
}

#[tokio::test]
async fn every_view_is_a_page_that_runs_and_loads_nothing_but_its_own() {
    let page = Page::new();
    for uri in views() {
        let seen = page.get(&uri).await;
        let policy = seen.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{uri}: {policy}");
        assert_eq!(seen.headers[header::CACHE_CONTROL], "no-store", "{uri}");
        assert!(seen.headers.get(header::SET_COOKIE).is_none(), "{uri}");
        assert!(seen.html.contains("<title>") && seen.html.contains("<h1"), "{uri}");
        assert_quiet(&uri, &seen.html);
    }
    let start = page.get("/").await;
    assert_eq!(start.status, StatusCode::OK, "two workspaces are listed");
    assert!(start.html.contains("/w/other"));
}

#[tokio::test]
async fn a_search_shows_words_places_and_what_was_not_searched_and_opens_the_source_at_the_quote() {
    let page = Page::new();
    let html = page.shown("/w/default?q=gateway+outage").await;
    assert!(html.contains("62 of 66 files searched") && html.contains("2 unread"));
    assert!(html.contains("<b class=\"word\">gateway</b>") && html.contains(POSTMORTEM));
    let opened = page.shown(&format!("/w/default?q=gateway&open={POSTMORTEM}&at=172-245")).await;
    let quote = "<mark class=\"quote\" id=\"mark\">The <b class=\"word\">gateway</b> accepted nothing for </mark>";
    assert!(opened.contains(quote) && opened.contains("<ol id=\"results\""));
}

#[tokio::test]
async fn a_next_page_goes_on_where_the_one_before_ended() {
    let page = Page::new();
    let numbers = |html: &str| -> Vec<usize> {
        html.split("id=\"hit-").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
    };
    for sort in ["", "&sort=time"] {
        let first = numbers(&page.shown(&format!("/w/default?q=the+station{sort}")).await);
        let second = numbers(&page.shown(&format!("/w/default?q=the+station{sort}&offset=20")).await);
        assert_eq!(first, (1..=20).collect::<Vec<_>>());
        assert_eq!(second.first(), Some(&21), "{sort}");
    }
}

#[tokio::test]
async fn a_question_is_answered_as_a_page_and_as_a_stream() {
    let page = Page::new();
    let asked = "/w/default/answer?q=How+long+was+the+gateway+down+on+2+November%3F";
    let whole = page.shown(&format!("{asked}&whole=1")).await;
    assert!(whole.contains("<strong>37 minutes</strong>") && whole.contains("/w/default/c/"));
    let stream = page.get(asked).await;
    assert_eq!(stream.headers[header::CONTENT_TYPE], "text/event-stream");
    assert!(
        stream.html.contains("event: sentence")
            && stream.html.contains("event: done")
            && stream.html.contains("37 minutes")
    );
}

#[tokio::test]
async fn a_citation_is_a_link_that_says_what_has_become_of_its_words() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = Arc::new(open(data.path()));
    let write = |name: &str, text: &str| fs_err::write(folder.path().join(name), text).unwrap();
    write("a.md", "# Report\n\nThe pump ran for nine hours without a fault.\n");
    let index = || index_into(&engine, folder.path());
    index();
    let page = Page::over(&engine);
    let source = page.shown("/w/default/source/a.md?at=10-54").await;
    let link = source.split("href=\"/w/default/c/").nth(1).unwrap().split('"').next().unwrap();
    let link = format!("/w/default/c/{}", link.replace("&amp;", "&"));
    let badge = |html: &str| html.split("class=\"badge\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(badge(&page.shown(&link).await), "valid");
    write("a.md", "# Report\n\nNew first paragraph.\n\nThe pump ran for nine hours without a fault.\n");
    index();
    let moved = page.shown(&link).await;
    assert_eq!(badge(&moved), "moved");
    assert!(moved.contains("<mark class=\"quote\" id=\"mark\">The pump ran for nine hours without a fault.</mark>"));
    write("a.md", "# Report\n\nThe pump ran for three hours and then failed.\n");
    index();
    let changed = page.shown(&link).await;
    assert_eq!(badge(&changed), "changed");
    assert!(changed.contains("<del>nine</del>") && changed.contains("<ins>three</ins>"), "{changed}");
    fs_err::remove_file(folder.path().join("a.md")).unwrap();
    index();
    assert_eq!(badge(&page.shown(&link).await), "deleted");
}

#[tokio::test]
async fn errors_are_pages_with_a_hint_and_other_workspaces_stay_shut() {
    let page = Page::new();
    let long = format!("/w/default?q={}", "x".repeat(60_000));
    for (uri, status, code) in [
        ("/w/nowhere", 404, "unknown_workspace"),
        ("/w/..%2f", 400, "invalid_workspace"),
        ("/w/default/c/xyz/1-2", 400, "invalid_citation"),
        (&format!("/w/default/c/{}/1-2", "0".repeat(64)), 404, "unknown_content"),
        ("/w/default/download/no/such", 404, "file_not_found"),
        (&long, 400, "query_too_large"),
    ] {
        let seen = page.get(uri).await;
        let shown: String = uri.chars().take(60).collect();
        assert_eq!(seen.status.as_u16(), status, "{shown}: {}", seen.html);
        assert!(seen.html.contains(code) && seen.html.contains("class=\"hint\""), "{shown}: {}", seen.html);
        assert_quiet(&shown, &seen.html);
    }
    for uri in [
        "/w/default?q=bollard+harbour+master+spare+key",
        "/w/default/source/secret.md",
        "/w/default/activity",
        "/w/default/files",
    ] {
        assert!(!page.get(uri).await.html.contains("third bollard") && !SECRET.is_empty(), "{uri}");
    }
}

#[tokio::test]
async fn markup_of_files_writers_queries_and_comments_is_text_in_every_view() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = Arc::new(open(data.path()));
    let index = || index_into(&engine, folder.path());
    index();
    let page = Page::over(&engine);
    let name = format!("{}.md", MARKUP.replace('/', "-"));
    let coded =
        |text: &str| format!("%{}", text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join("%"));
    for (path, text) in [
        (name.as_str(), format!("# {MARKUP}\n\nhostile {MARKUP}\n")),
        ("b.csv", format!("a,b\nhostile,{MARKUP}\n")),
        ("c.txt", format!("hostile {MARKUP}\n")),
    ] {
        let mut put = Request::put(format!("/v1/workspaces/default/files/{}", coded(path)))
            .header(header::HOST, "127.0.0.1:7878");
        for label in ["pincite-agent", "pincite-run", "pincite-tags"] {
            put = put.header(label, MARKUP);
        }
        let seen = page.send(put.body(Body::from(text)).unwrap()).await;
        assert!(seen.status.is_success(), "{}", seen.html);
    }
    index();
    let uris = ["", "?q=hostile", "?q=hostile&sort=time", "/activity", "/files", "/status"]
        .map(|view| format!("/w/default{view}"));
    let encoded = coded(MARKUP);
    let asked = [
        format!("/w/default?q={encoded}&agent={encoded}&after={encoded}"),
        format!("/w/default/activity?agent={encoded}&path={encoded}"),
    ];
    let paths =
        [name.as_str(), "b.csv", "c.txt"].map(|path| format!("/w/default/source/{}?at=0-9&q={encoded}", coded(path)));
    for uri in uris.iter().chain(&asked).chain(&paths) {
        let seen = page.get(uri).await;
        assert_quiet(uri, &seen.html);
        assert!(!seen.html.contains("<script>alert") && !seen.html.contains("<img src=x"), "{uri}");
    }
}

#[tokio::test]
async fn a_form_is_taken_from_this_page_alone() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.md"), "The valve is closed by hand.\n").unwrap();
    let engine = Arc::new(open(data.path()));
    index_into(&engine, folder.path());
    let page = Page::over(&engine);
    let settings = "/w/default/settings";
    for origin in [None, Some("http://evil.example"), Some("null")] {
        assert_eq!(page.post(settings, "intelligence=off", origin).await.status, StatusCode::FORBIDDEN, "{origin:?}");
    }
    assert_eq!(page.post(settings, "intelligence=off", OWN).await.status, StatusCode::SEE_OTHER);
    assert!(page.shown(settings).await.contains("Switch on"));
}

#[tokio::test]
async fn a_verdict_is_stored_with_its_quote_shown_beside_it_and_withdrawn() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.md"), "The valve is closed by hand.\n").unwrap();
    let engine = Arc::new(open(data.path()));
    index_into(&engine, folder.path());
    let page = Page::over(&engine);
    let source = page.shown("/w/default/source/a.md?at=4-9&q=valve").await;
    let hash = source.split("name=\"hash\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = format!("path=a.md&hash={hash}&at=4-9&query=valve&decision=accept&comment=%3Cb%3Ewell&by=Ines");
    assert_eq!(page.post("/w/default/verdicts", &form, OWN).await.status, StatusCode::SEE_OTHER);
    for uri in ["/w/default/verdicts", "/w/default/source/a.md?at=4-9", "/w/default?q=valve"] {
        let html = page.shown(uri).await;
        assert!(html.contains("accepted") && !html.contains("<b>well"), "{uri}: {html}");
    }
    let stale = form.replace(hash, &"0".repeat(64));
    assert_eq!(page.post("/w/default/verdicts", &stale, OWN).await.status, StatusCode::CONFLICT);
    assert_eq!(page.post("/w/default/verdicts/1/withdraw", "", OWN).await.status, StatusCode::SEE_OTHER);
    assert!(page.shown("/w/default/verdicts").await.contains("No verdicts"));
}

#[tokio::test]
async fn a_file_is_downloaded_and_never_shown_and_a_picture_is_shown() {
    let page = Page::new();
    let file = page.get(&format!("/w/default/download/{POSTMORTEM}")).await;
    assert_eq!(file.headers[header::CONTENT_TYPE], "application/octet-stream");
    assert!(file.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment"));
    assert!(file.html.contains("37 minutes"));
    assert_eq!(page.get("/w/default/image/assets/wave-icon.png").await.headers[header::CONTENT_TYPE], "image/png");
    assert_eq!(page.get(&format!("/w/default/image/{POSTMORTEM}")).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

/// One client's bad numbers, spans and names: each reply is a page, whatever its status, and none is a fault of the program.
#[tokio::test]
async fn what_no_link_of_the_page_says_is_answered_by_a_page() {
    let page = Page::new();
    let (most, long) = (u64::MAX, "x".repeat(20_000));
    let link = format!("/w/default/c/{}", "A".repeat(64));
    let postmortem = format!("/w/default/source/{POSTMORTEM}");
    for (uri, status) in [
        (format!("/w/default?q=gateway&sort=time&offset={most}"), 200),
        (format!("/w/default?q=gateway&sort={long}&mode={long}&ask={long}"), 200),
        (format!("/w/default?q=gateway&open={POSTMORTEM}&at={most}-{most}"), 200),
        (format!("{postmortem}?at=0-{most}"), 200),
        (format!("{postmortem}?from={most}"), 200),
        (format!("{postmortem}?at=9-3&from=-1"), 200),
        (format!("{link}/{most}-{most}?path={POSTMORTEM}&quote=the+gateway+accepted"), 200),
        (format!("{link}/0-{most}?path={POSTMORTEM}&quote={}", "a+b+c+".repeat(5_000)), 200),
        (format!("{link}/9-3"), 400),
        (format!("/w/default/files?offset={most}"), 200),
        (format!("/w/default/activity?before={most}"), 200),
        ("/w/default/source/no/such/file".to_owned(), 404),
        ("/w/default/no-such-view".to_owned(), 404),
        ("/w/default/source/%ff".to_owned(), 400),
        ("/assets/%ff".to_owned(), 404),
    ] {
        let seen = page.get(&uri).await;
        let shown: String = uri.chars().take(90).collect();
        assert_eq!(seen.status.as_u16(), status, "{shown}: {}", seen.html);
        assert_eq!(seen.headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{shown}");
        assert!(seen.html.len() < 400_000, "{shown}: {} bytes", seen.html.len());
        assert_quiet(&shown, &seen.html);
    }
    for (uri, status) in [("/w/default/verdicts/abc/withdraw", 400), ("/w/default/files", 405)] {
        let seen = page.post(uri, "", OWN).await;
        assert_eq!(seen.status.as_u16(), status, "{uri}: {}", seen.html);
        assert_eq!(seen.headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{uri}");
    }
    assert_eq!(page.get("/w/default/").await.headers[header::LOCATION], "/w/default");
}

#[tokio::test]
async fn a_long_line_a_long_mark_and_a_wide_table_are_shown_in_part_with_their_mark() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let line = "gateway pump valve ".repeat(60_000);
    let cells = |row: usize| (0..300).map(|at| format!("cell{row}x{at}")).collect::<Vec<_>>().join(",");
    let header = (0..300).map(|at| format!("column{at}")).collect::<Vec<_>>().join(",");
    let table = format!("{header}\n{}\n{}\n", cells(1), cells(2));
    for (name, text) in
        [("a.md", line.as_str()), ("a.txt", &line), ("empty.md", &"\n".repeat(1_000_000)), ("t.csv", &table)]
    {
        fs_err::write(folder.path().join(name), text).unwrap();
    }
    let engine = Arc::new(open(data.path()));
    index_into(&engine, folder.path());
    let page = Page::over(&engine);
    let middle = line.len() / 2 / 19 * 19;
    for uri in ["a.md", "a.txt"] {
        for place in [format!("at={middle}-{}", middle + 7), format!("at=0-{}", line.len())] {
            let html = page.shown(&format!("/w/default/source/{uri}?{place}&q=gateway")).await;
            assert!(html.contains("id=\"mark\"") && html.len() < 900_000, "{uri} {place}: {}", html.len());
        }
    }
    assert!(page.shown("/w/default/source/a.txt?at=0-1000000").await.contains("only its beginning is marked"));
    assert!(page.shown("/w/default/source/empty.md").await.len() < 400_000);
    let at = table.find("cell2x250").unwrap();
    let html = page.shown(&format!("/w/default/source/t.csv?at={at}-{}", at + 9)).await;
    assert!(html.contains("id=\"mark\">cell2x250</mark>") && html.contains(">column250<"), "{html}");
    assert!(html.contains("240 more columns are not shown"));
}

#[tokio::test]
async fn a_view_is_compressed_where_the_client_takes_it_and_streams_and_files_are_not() {
    let page = Page::new();
    let sent = async |uri: &str| {
        let request = Request::get(uri).header(header::HOST, "127.0.0.1:7878").header(header::ACCEPT_ENCODING, "gzip");
        page.send(request.body(Body::empty()).unwrap()).await
    };
    let seen = sent("/w/default?q=gateway").await;
    assert_eq!(seen.headers[header::CONTENT_ENCODING], "gzip");
    assert_eq!(seen.headers[header::VARY], "accept-encoding");
    assert_eq!(sent("/w/nowhere").await.headers[header::CONTENT_ENCODING], "gzip");
    for uri in ["/w/default/answer?q=gateway", &format!("/w/default/download/{POSTMORTEM}")] {
        assert!(sent(uri).await.headers.get(header::CONTENT_ENCODING).is_none(), "{uri}");
    }
    assert!(page.get("/w/default").await.headers.get(header::CONTENT_ENCODING).is_none());
}

#[tokio::test]
async fn an_activity_stream_beyond_all_revisions_waits_and_one_that_cannot_wait_says_why() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs_err::write(data.path().join("config.toml"), "[limits]\nwaits = 1\n").unwrap();
    let engine = Arc::new(open(data.path()));
    index_into(&engine, folder.path());
    let page = Page::over(&engine);
    let uri = format!("/w/default/activity/stream?after={}", u64::MAX);
    let stream = || Request::get(&uri).header(header::HOST, "127.0.0.1:7878").body(Body::empty()).unwrap();
    let first = page.router.clone().oneshot(stream()).await.unwrap().into_body();
    while engine.num_waiting() == 0 {
        assert!(!first.is_end_stream());
        tokio::task::yield_now().await;
    }
    let second = page.send(stream()).await;
    assert!(second.html.starts_with("event: over\ndata: ") && second.html.contains("waits"), "{}", second.html);
}

/// What a first visit loads, compressed as a browser takes it.
#[tokio::test]
async fn assets_are_kept_by_the_browser_under_names_that_change() {
    let page = Page::new();
    let html = page.shown("/w/default").await;
    for name in html.split("\"/assets/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let seen = page.get(&format!("/assets/{name}")).await;
        assert_eq!(seen.status, StatusCode::OK, "{name}");
        assert!(seen.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{name}");
    }
    assert_eq!(page.get("/assets/page-000000000000.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_search_box_is_offered_operators_and_the_values_that_files_have() {
    let page = Page::new();
    for (word, offered) in
        [("ty", "type:"), ("type:mark", "type:markdown"), ("path:runs/2026-11-03", "path:runs/2026-11-03-coder-03/")]
    {
        let seen = page.get(&format!("/w/default/complete?word={word}")).await;
        let words: Value = serde_json::from_str(&seen.html).unwrap();
        assert_eq!(words["words"][0], offered, "{word}");
    }
    let seen = page.get("/w/default/complete?word=path:zzz").await;
    assert_eq!(seen.html, r#"{"words":[]}"#);
}

/// `tests/python/browser.py` in the browser of the system.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn a_browser_finds_every_view_accessible_and_its_marks_exact() {
    let mut command = Command::new(python::interpreter());
    command.arg(python::scripts().join("browser.py")).arg(env!("CARGO_BIN_EXE_pincite"));
    command.env("PINCITE_RUNTIME_DIR", runtime_folder()).env_remove("PINCITE_LOG").env_remove("PINCITE_ANSWER_API_KEY");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(3) {
        eprintln!("SKIPPED: the page was not looked at in a browser: {said}");
        return;
    }
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(output.status.success() && told["faults"] == Value::Array(Vec::new()), "{told:#}\n{said}");
    assert!(told["tries"].as_u64().is_some_and(|tries| tries > 0), "{told:#}");
}
