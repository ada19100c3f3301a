//! REST, asked as a router: what each route gives, and what every wrong request is told.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use pincite::serve::{self, Options};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::indexed::{Indexed, SECRET, named, shared};
use crate::python;

/// A router over the shared engine; `other` is not the default workspace.
struct Rest {
    indexed: Arc<Indexed>,
    router: Router,
}

impl Rest {
    fn new() -> Self {
        Self::with(&Options::default())
    }

    fn with(options: &Options) -> Self {
        let indexed = shared();
        let router = serve::router(Arc::clone(&indexed.engine), named("default"), options);
        Self { indexed, router }
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn json(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.send(request).await;
        let status = response.status();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn get(&self, uri: &str) -> Value {
        let (status, reply) = self.json(request(Method::GET, uri, None)).await;
        assert_eq!(status, StatusCode::OK, "{uri}: {reply}");
        reply
    }

    async fn post(&self, uri: &str, body: Value) -> Value {
        let (status, reply) = self.json(request(Method::POST, uri, Some(body.to_string()))).await;
        assert_eq!(status, StatusCode::OK, "{uri}: {reply}");
        reply
    }

    async fn assert_error(&self, request: Request<Body>, status: u16, code: &str) {
        let what = format!("{} {}", request.method(), request.uri());
        let (found, reply) = self.json(request).await;
        let error = &reply["error"];
        assert_eq!((found.as_u16(), error["code"].as_str()), (status, Some(code)), "{what}: {reply}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.ends_with('.'), "{what}: {message}");
        assert!(error["hint"].is_string(), "{what}: {reply}");
    }
}

fn request(method: Method, uri: &str, json: Option<String>) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri).header(header::HOST, "127.0.0.1:7878");
    match json {
        Some(json) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(json)).unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

fn search(workspace: &str, body: &Value) -> Request<Body> {
    request(Method::POST, &format!("/v1/workspaces/{workspace}/search"), Some(body.to_string()))
}

#[tokio::test]
async fn a_search_gives_passages_whose_citations_are_verified() {
    let rest = Rest::new();
    let body = json!({ "query": "How long was the gateway down on 2 November?", "k": 3, "explain": true });
    let reply = rest.post("/v1/workspaces/default/search", body).await;

    let hits = reply["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 3);
    assert!(reply["revision"].as_u64().unwrap() > 0 && reply["coverage"]["ready"].as_u64().unwrap() > 40, "{reply}");
    assert_eq!(hits[0]["rank"], 1);
    assert_eq!(hits[0]["citation"]["path"], "runs/2026-11-03-coder-03/postmortem.md");
    assert_eq!(hits[0]["citation"]["quote"], hits[0]["text"]);
    assert!(hits[0]["signals"]["lexical_rank"].is_u64(), "{reply}");
    for hit in hits {
        let body = json!({ "citation": hit["citation"] });
        let verification = rest.post("/v1/workspaces/default/citations/verify", body).await;
        assert_eq!(verification["verdict"], "valid", "{verification}");
        assert_eq!(verification["citation"]["span"], hit["citation"]["span"]);
    }
}

#[tokio::test]
async fn filters_reach_the_search() {
    let rest = Rest::new();
    let filters = json!({ "path": ["runs/**"], "type": ["log"], "modified_after": "2026-11-01T00:00:00Z" });
    let body = json!({ "query": "error", "mode": "lexical", "filters": filters });
    let reply = rest.post("/v1/workspaces/default/search", body).await;
    let hits = reply["hits"].as_array().unwrap().iter();
    let paths: Vec<&str> = hits.map(|hit| hit["citation"]["path"].as_str().unwrap()).collect();
    assert!(!paths.is_empty(), "{reply}");
    for path in paths {
        assert!(path.starts_with("runs/2026-11-") && path.rsplit('.').next() == Some("log"), "{path}");
    }
}

#[tokio::test]
async fn an_answer_cites_each_sentence() {
    let rest = Rest::new();
    let body = json!({ "question": "How long was the gateway down on 2 November?" });
    let reply = rest.post("/v1/workspaces/default/ask", body).await;
    assert_eq!(reply["abstained"], false, "{reply}");
    for sentence in reply["sentences"].as_array().unwrap() {
        let cited = sentence["citations"][0].as_u64().unwrap();
        let quote = &reply["citations"][usize::try_from(cited).unwrap()]["quote"];
        assert_eq!(&sentence["text"], quote);
    }
}

#[tokio::test]
async fn files_are_listed_a_page_at_a_time_and_read_by_path() {
    let rest = Rest::new();
    let all = rest.get("/v1/workspaces/default/files").await;
    let total = all["total"].as_u64().unwrap();
    assert_eq!(all["files"].as_array().unwrap().len() as u64, total);

    let (mut paged, mut offset) = (Vec::new(), Some(0));
    while let Some(at) = offset {
        let page = rest.get(&format!("/v1/workspaces/default/files?limit=7&offset={at}")).await;
        paged.extend(page["files"].as_array().unwrap().clone());
        offset = page["next_offset"].as_u64();
    }
    assert_eq!(Value::from(paged), all["files"]);

    let reports = rest.get("/v1/workspaces/default/files?glob=reports/**").await;
    assert_eq!(reports["total"], 2);

    let name = "inbox/Sj%C3%B8kart%20review%20%E2%80%93%20final%20(2).md";
    let file = rest.get(&format!("/v1/workspaces/default/files/{name}")).await;
    assert_eq!(file["path"], "inbox/Sjøkart review – final (2).md");
    let on_disk = fs_err::read_to_string(rest.indexed.folder.path().join(file["path"].as_str().unwrap())).unwrap();
    assert_eq!(file["content"], on_disk);
    let num_lines = on_disk.lines().count();
    assert_eq!((&file["start_line"], &file["total_lines"]), (&json!(1), &json!(num_lines)), "{file}");
    assert_eq!((&file["truncated"], &file["span"]), (&json!(false), &json!({ "start": 0, "end": on_disk.len() })));

    let pdf = rest.get("/v1/workspaces/default/files/reports/ravensholm-acceptance.pdf").await;
    assert_eq!((&pdf["pages"], pdf["page_spans"].as_array().unwrap().len()), (&json!([1, 4]), 4));
}

#[tokio::test]
async fn status_changes_and_workspaces_tell_what_there_is() {
    let rest = Rest::new();
    let status = rest.get("/v1/workspaces/default/status").await;
    assert_eq!((&status["workspace"], &status["model"]["runs"]), (&json!("default"), &json!(true)));
    assert_eq!(status["not_ready"]["failed"][0]["files"][0]["path"], "reports/pilot-week-2-scan.pdf");

    let changes = rest.get("/v1/workspaces/default/changes?limit=5").await;
    let revisions: Vec<_> = changes["changes"].as_array().unwrap().iter().map(|c| c["revision"].as_u64()).collect();
    assert_eq!(revisions.len(), 5);
    assert!(revisions.is_sorted_by(|a, b| a > b), "{revisions:?}");

    let workspaces = rest.get("/v1/workspaces").await;
    let names: Vec<_> = workspaces["workspaces"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["default", "other"]);
}

#[tokio::test]
async fn health_tells_alive_from_ready() {
    let rest = Rest::new();
    assert_eq!(rest.get("/livez").await["status"], "live");
    assert_eq!(rest.get("/readyz").await["status"], "ready");

    let router = serve::router(Arc::clone(&rest.indexed.engine), named("nowhere"), &Options::default());
    let nowhere = Rest { indexed: Arc::clone(&rest.indexed), router };
    assert_eq!(nowhere.get("/livez").await["status"], "live");
    let (status, reply) = nowhere.json(request(Method::GET, "/readyz", None)).await;
    assert_eq!((status.as_u16(), &reply["status"]), (503, &json!("not_ready")));
    assert_eq!(reply["error"]["code"], "unknown_workspace");
}

#[tokio::test]
async fn no_request_crosses_from_one_workspace_to_another() {
    let rest = Rest::new();
    let reply = rest.post("/v1/workspaces/other/search", json!({ "query": "spare key harbour master" })).await;
    let citation = reply["hits"][0]["citation"].clone();
    assert_eq!((&citation["workspace"], &citation["path"]), (&json!("other"), &json!("secret.md")));

    let found = rest.post("/v1/workspaces/default/search", json!({ "query": SECRET, "k": 100 })).await;
    assert!(!found.to_string().contains("bollard"), "a passage of `other` was found from `default`");
    let mut answer = rest.post("/v1/workspaces/default/ask", json!({ "question": SECRET })).await;
    // Words of the question that nothing holds are told as such.
    answer.as_object_mut().unwrap().remove("missing_words");
    for near in answer["nearest"].as_array_mut().into_iter().flatten() {
        near.as_object_mut().unwrap().remove("lacks");
    }
    assert!(!answer.to_string().contains("bollard"), "a sentence of `other` answered in `default`");

    let verify = |citation: &Value| {
        let body = json!({ "citation": citation }).to_string();
        request(Method::POST, "/v1/workspaces/default/citations/verify", Some(body))
    };
    rest.assert_error(verify(&citation), 400, "other_workspace").await;
    let mut unknown = citation.clone();
    unknown["workspace"] = json!("nowhere");
    rest.assert_error(verify(&unknown), 400, "other_workspace").await;
    let file = request(Method::GET, "/v1/workspaces/default/files/secret.md", None);
    assert_eq!(rest.json(file).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong() {
    let rest = Rest::new();
    let get = |uri: &str| request(Method::GET, uri, None);
    let post = |json: &str| request(Method::POST, "/v1/workspaces/default/search", Some(json.to_owned()));
    let files = "/v1/workspaces/default/files";
    let cases = [
        (get("/v1/nothing"), 404, "no_route"),
        (get("/v1/workspaces/default/search"), 405, "method_not_allowed"),
        (get("/v1/workspaces/nowhere/status"), 404, "unknown_workspace"),
        (get("/v1/workspaces/NoSuch/status"), 400, "invalid_workspace"),
        (get(&format!("{files}/no/such.md")), 404, "file_not_found"),
        (get(&format!("{files}/..%2F..%2Fetc%2Fpasswd")), 400, "invalid_path"),
        (get(&format!("{files}/a/%2E%2E/b")), 400, "invalid_path"),
        (get(&format!("{files}/%FF")), 400, "invalid_url"),
        (get(&format!("{files}/assets/wave-icon.png")), 400, "no_text"),
        (get(&format!("{files}?glob=%5B")), 400, "invalid_request"),
        (get(&format!("{files}?limit=0")), 400, "invalid_request"),
        (get(&format!("{files}?limit=many")), 400, "invalid_parameters"),
        (get(&format!("{files}?size=3")), 400, "invalid_parameters"),
        (get("/v1/workspaces/default/changes?limit=1001"), 400, "invalid_request"),
        (get("/v1/workspaces/default/changes?since="), 400, "invalid_parameters"),
        (get("/v1/workspaces/default/changes?after_revision="), 400, "invalid_parameters"),
        (get("/v1/workspaces/default/changes?limit=1&limit=2"), 400, "invalid_parameters"),
        (get("/v1/workspaces/default/changes?writer=ann"), 400, "invalid_parameters"),
        (post(r#"{"query": "#), 400, "malformed_json"),
        (post(r#"{"query": "a", "limit": 3}"#), 422, "invalid_body"),
        (post(r#"{"query": 7}"#), 422, "invalid_body"),
        (post("[]"), 422, "invalid_body"),
        (post(r#"{"query": "a", "filters": {"type": ["exe"]}}"#), 400, "invalid_request"),
        (post(r#"{"query": "   "}"#), 400, "invalid_request"),
        (post(r#"{"query": "a", "k": 0}"#), 400, "invalid_request"),
        (post(r#"{"query": "a", "min_revision": 999999}"#), 409, "not_fresh"),
        (search("default", &json!({ "query": "x".repeat(40_000) })), 400, "query_too_large"),
        (search("default", &json!({ "query": "a ".repeat(3_000) })), 400, "query_too_large"),
        (search("default", &json!({ "query": "\"a b\" ".repeat(33) })), 400, "query_too_large"),
        (search("default", &json!({ "query": "a", "timeout_ms": 0 })), 400, "timeout_too_long"),
        (search("default", &json!({ "query": "a", "timeout_ms": 10_001 })), 400, "timeout_too_long"),
        (search("default", &json!({ "query": "x".repeat(5_000_000) })), 413, "body_too_large"),
    ];
    for (request, status, code) in cases {
        rest.assert_error(request, status, code).await;
    }
    for (query, parameter) in
        [("since=", "since"), ("limit=1&limit=2", "limit"), ("limit=many", "limit"), ("writer=ann", "writer")]
    {
        let (_, reply) = rest.json(get(&format!("/v1/workspaces/default/changes?{query}"))).await;
        let message = reply["error"]["message"].as_str().unwrap();
        assert!(message.contains(parameter), "{query}: {message}");
    }
    let mut unmarked = post(r#"{"query": "a"}"#);
    unmarked.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    rest.assert_error(unmarked, 415, "unsupported_media_type").await;
    let refused = rest.send(request(Method::DELETE, files, None)).await;
    assert_eq!(refused.headers()[header::ALLOW], "GET,HEAD");
}

#[tokio::test]
async fn a_query_of_nothing_but_syntax_is_an_ordinary_search() {
    let rest = Rest::new();
    for query in ["+-&&||!(){}[]^\"~*?:\\/", "AND OR NOT", "\"", "path:*", "\u{0}\u{0}", "🦀", "a OR (b AND"] {
        let (status, reply) = rest.json(search("default", &json!({ "query": query }))).await;
        assert_eq!(status, StatusCode::OK, "{query:?}: {reply}");
    }
}

#[tokio::test]
async fn requests_to_foreign_names_and_from_foreign_pages_are_refused() {
    let rest = Rest::with(&Options { allowed_hosts: vec!["search.example".to_owned()], ..Options::default() });
    let with = |name: header::HeaderName, value: &str, uri: &str| {
        let mut request = request(Method::GET, uri, None);
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    for uri in ["/livez", "/v1/workspaces", "/mcp", "/no/such"] {
        rest.assert_error(with(header::HOST, "evil.example:7878", uri), 403, "host_not_allowed").await;
        rest.assert_error(with(header::ORIGIN, "https://evil.example", uri), 403, "origin_not_allowed").await;
        for odd in [
            "null",
            "",
            "localhost",
            "ftp://localhost",
            "http://localhost/path",
            "http://user@localhost",
            "http://",
            "//localhost",
        ] {
            rest.assert_error(with(header::ORIGIN, odd, uri), 403, "origin_not_allowed").await;
        }
        let mut two = with(header::ORIGIN, "http://localhost", uri);
        two.headers_mut().append(header::ORIGIN, "https://evil.example".parse().unwrap());
        rest.assert_error(two, 403, "origin_not_allowed").await;
        let mut two = request(Method::GET, uri, None);
        two.headers_mut().append(header::HOST, "localhost".parse().unwrap());
        rest.assert_error(two, 400, "invalid_host").await;
        for odd in ["", "local host", "user@localhost", "localhost/path"] {
            rest.assert_error(with(header::HOST, odd, uri), 400, "invalid_host").await;
        }
    }
    let mut nameless = request(Method::GET, "/livez", None);
    nameless.headers_mut().remove(header::HOST);
    rest.assert_error(nameless, 400, "invalid_host").await;
    for allowed in [
        with(header::HOST, "localhost:7878", "/livez"),
        with(header::HOST, "search.example", "/livez"),
        with(header::ORIGIN, "http://localhost:3000", "/livez"),
    ] {
        assert_eq!(rest.send(allowed).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_description_is_valid_and_lists_every_route() {
    let rest = Rest::new();
    let description = rest.get("/openapi.json").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    fs_err::write(&file, description.to_string()).unwrap();
    let checked = tokio::task::spawn_blocking(move || python::run("openapi_check.py", &[&file])).await.unwrap();
    assert_eq!(checked.trim(), "valid");

    let paths = description["paths"].as_object().unwrap();
    for (path, operations) in paths {
        // The shared workspaces stay.
        let name = if path.ends_with("{ws}") || path.contains("{id}") { "nowhere" } else { "default" };
        let uri = path.replace("{ws}", name).replace("{path}", "README.md").replace("{id}", "1");
        let uri = uri.replace("{delivery}", "1");
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} says nothing");
            let mut asked = request(method.to_uppercase().parse().unwrap(), &uri, None);
            // A condition that never holds: the shared files stay as they are.
            asked.headers_mut().insert(header::IF_MATCH, format!("\"{}\"", "0".repeat(64)).parse().unwrap());
            let status = rest.send(asked).await.status().as_u16();
            assert!(
                matches!(status, 200 | 412 | 415)
                    || name == "nowhere" && status == 404
                    || path.contains("{link}") && status == 410,
                "{method} {path} is described and gives {status}"
            );
            let is_health = path.ends_with('z');
            assert!(is_health || operation["responses"]["500"].is_object(), "{method} {path} hides its errors");
        }
    }
    let described: Vec<_> = paths.keys().map(String::as_str).collect();
    let routes = [
        "/livez",
        "/metrics",
        "/readyz",
        "/v1/audit",
        "/v1/audit/head",
        "/v1/claims",
        "/v1/files",
        "/v1/files/{id}",
        "/v1/files/{id}/content",
        "/v1/keys",
        "/v1/keys/{id}",
        "/v1/keys/{id}/rotate",
        "/v1/limits",
        "/v1/uploads/{link}",
        "/v1/vector_stores",
        "/v1/vector_stores/{ws}",
        "/v1/vector_stores/{ws}/files",
        "/v1/vector_stores/{ws}/files/{id}",
        "/v1/vector_stores/{ws}/files/{id}/content",
        "/v1/vector_stores/{ws}/search",
        "/v1/workspaces",
        "/v1/workspaces/{ws}",
        "/v1/workspaces/{ws}/ask",
        "/v1/workspaces/{ws}/audit",
        "/v1/workspaces/{ws}/changes",
        "/v1/workspaces/{ws}/citations/verify",
        "/v1/workspaces/{ws}/contents",
        "/v1/workspaces/{ws}/copy",
        "/v1/workspaces/{ws}/edit",
        "/v1/workspaces/{ws}/events",
        "/v1/workspaces/{ws}/files",
        "/v1/workspaces/{ws}/files/{path}",
        "/v1/workspaces/{ws}/grep",
        "/v1/workspaces/{ws}/locks",
        "/v1/workspaces/{ws}/locks/{id}",
        "/v1/workspaces/{ws}/locks/{id}/extend",
        "/v1/workspaces/{ws}/locks/{id}/release",
        "/v1/workspaces/{ws}/move",
        "/v1/workspaces/{ws}/search",
        "/v1/workspaces/{ws}/status",
        "/v1/workspaces/{ws}/transfer",
        "/v1/workspaces/{ws}/transfer/{id}",
        "/v1/workspaces/{ws}/uploads",
        "/v1/workspaces/{ws}/verdicts",
        "/v1/workspaces/{ws}/verdicts/{id}",
        "/v1/workspaces/{ws}/webhooks",
        "/v1/workspaces/{ws}/webhooks/{id}",
        "/v1/workspaces/{ws}/webhooks/{id}/deliveries",
        "/v1/workspaces/{ws}/webhooks/{id}/deliveries/{delivery}/replay",
        "/v1/workspaces/{ws}/webhooks/{id}/rotate",
        "/v1/workspaces/{ws}/webhooks/{id}/test",
        "/v1/workspaces/{ws}/write",
    ];
    assert_eq!(described, routes);
}

#[tokio::test]
async fn the_examples_of_the_description_are_taken() {
    let rest = Rest::new();
    let description = rest.get("/openapi.json").await;
    for path in ["search", "ask", "citations/verify"] {
        let content = &description["paths"][format!("/v1/workspaces/{{ws}}/{path}")]["post"]["requestBody"]["content"];
        let example = content["application/json"]["example"].clone();
        rest.post(&format!("/v1/workspaces/default/{path}"), example).await;
    }
}
