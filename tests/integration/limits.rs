//! The table of limits, walked: each is met by a request just inside and one just outside, here or in the test that is named.

use axum::http::Method;
use pincite::config::Limits;
use serde_json::json;

use crate::line::Desk;
use crate::writes::{Server, code};

/// A request that is just inside a limit, and one that is just outside.
struct Edge {
    route: &'static str,
    inside: String,
    outside: String,
}

fn search(query: &str) -> String {
    json!({ "query": query, "mode": "lexical" }).to_string()
}

/// With the limit at `least`, or `None` where no single request meets it.
fn edge_of(name: &str, least: u64) -> Option<Edge> {
    let least = usize::try_from(least).unwrap();
    let globs =
        |globs: &[&str]| json!({ "query": "lighthouse", "mode": "lexical", "filters": { "path": globs } }).to_string();
    let both =
        |route, request: &dyn Fn(usize) -> String| Edge { route, inside: request(least), outside: request(least + 1) };
    let braces = |depth: usize| format!("{}a{}", "{".repeat(depth), "}".repeat(depth));
    let phrases = |num: usize| vec!["\"lighthouse keeper\""; num].join(" ");
    let words = |num: usize| (0..num).map(|number| format!("w{number}x")).collect::<Vec<_>>().join(" ");
    Some(match name {
        "pattern_bytes" => both("search", &|num| globs(&[&"a".repeat(num)])),
        "pattern_nesting" => both("search", &|num| globs(&[&braces(num)])),
        "request_patterns" => both("search", &|num| globs(&vec!["*.md"; num])),
        "query_bytes" => both("search", &|num| search(&"x".repeat(num))),
        "query_terms" => both("search", &|num| search(&words(num))),
        "query_phrases" => both("search", &|num| search(&phrases(num))),
        "query_ms" => {
            both("search", &|num| json!({ "query": "lighthouse", "mode": "lexical", "timeout_ms": num }).to_string())
        }
        "body_bytes" => both("search", &|num| format!("{:<num$}", search("lighthouse"))),
        _ => return None,
    })
}

/// Limits that take more than one request, a file or a slow client to meet, and the test that does.
const MET_ELSEWHERE: [(&str, &str); 18] = [
    ("path_parts", "walls::a_path_is_written_up_to_its_limit_and_a_devices_name_never"),
    ("rule_file_bytes", "ingest::tests::walls"),
    ("rule_lines", "ingest::tests::walls::of_lines_that_are_too_much_together_the_first_count"),
    ("readers_per_core", "extract::child::gate"),
    ("readers_memory_mb", "extract::child::pool"),
    ("reader_structure_mb", "extract::child::wire"),
    ("reader_tries", "extract::child"),
    ("bodies_bytes", "request_walls"),
    ("header_ms", "sockets"),
    ("body_ms", "sockets"),
    ("write_ms", "request_walls"),
    ("connections", "request_walls::health_and_metrics_are_answered_beyond_the_limit_of_connections"),
    ("connections_per_address", "request_walls::health_and_metrics_are_answered_beyond_the_limit_of_connections"),
    ("waits", "request_walls"),
    ("requests_per_core", "gate"),
    ("queued_per_core", "gate"),
    ("watched_folders", "many::a_workspace_beyond_the_limit_on_watches_says_so_and_is_scanned"),
    ("open_indexes", "many::indexes_beyond_the_limit_are_closed_and_opened_again"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_is_met_just_inside_and_just_outside() {
    for limit in Limits::ALL {
        let Some(Edge { route, inside, outside }) = edge_of(limit.name, limit.least) else {
            assert!(MET_ELSEWHERE.iter().any(|(name, _)| *name == limit.name), "nothing meets `{}`", limit.name);
            continue;
        };
        let server = Server::over(Desk::configured(&format!("[limits]\n{} = {}\n", limit.name, limit.least)));
        assert_eq!(server.put("a.md", "# A lighthouse", &[]).await.0, 201, "{}", limit.name);
        let post = async |body: String| {
            server.send(Method::POST, route, &[("content-type", "application/json")], body.into_bytes()).await
        };
        let (status, reply) = post(inside).await;
        assert_eq!(status, 200, "just inside `{}`: {reply}", limit.name);
        let reply = post(outside).await;
        assert_eq!(code(&reply).1, limit.code, "just outside `{}`: {reply:?}", limit.name);
        let told = reply.1["error"].to_string();
        assert!(told.contains(limit.name), "the error names its key: {told}");
    }
}
