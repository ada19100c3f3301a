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

/// Limits that take more than one request, a file or a slow client to meet, and the file and test that does.
const MET_ELSEWHERE: [(&str, &str, &str); 39] = [
    ("path_parts", "tests/integration/walls.rs", "a_path_is_written_up_to_its_limit_and_a_devices_name_never"),
    ("rule_file_bytes", "src/ingest/tests/walls.rs", "a_file_with_rules_counts_up_to_its_limits_and_says_so"),
    ("rule_lines", "src/ingest/tests/walls.rs", "of_lines_that_are_too_much_together_the_first_count"),
    ("readers_per_core", "src/extract/child/gate.rs", "no_more_are_inside_than_there_are_places"),
    (
        "readers_memory_mb",
        "src/extract/child/tests.rs",
        "all_children_together_keep_to_their_memory_and_a_file_is_then_read_alone",
    ),
    ("reader_structure_mb", "src/extract/child/tests.rs", "a_structure_that_is_too_large_for_its_file_is_not_taken"),
    (
        "reader_tries",
        "src/extract/child/tests.rs",
        "a_file_whose_reader_is_ended_from_outside_is_tried_again_and_not_for_ever",
    ),
    (
        "bodies_bytes",
        "tests/integration/request_walls.rs",
        "bodies_that_do_not_come_to_their_end_have_a_budget_together",
    ),
    ("header_ms", "tests/integration/sockets.rs", "a_client_that_does_not_finish_its_header_is_cut_off"),
    ("body_ms", "tests/integration/sockets.rs", "a_client_that_does_not_finish_its_body_is_told_so"),
    ("write_ms", "tests/integration/request_walls.rs", "a_client_that_does_not_read_its_replies_is_cut_off"),
    (
        "connections",
        "tests/integration/request_walls.rs",
        "health_and_metrics_are_answered_beyond_the_limit_of_connections",
    ),
    (
        "connections_per_address",
        "tests/integration/request_walls.rs",
        "health_and_metrics_are_answered_beyond_the_limit_of_connections",
    ),
    ("waits", "tests/integration/request_walls.rs", "many_requests_wait_for_a_revision_and_others_go_on"),
    ("requests_per_core", "src/gate.rs", "beyond_places_and_queue_a_request_is_refused_at_once"),
    ("queued_per_core", "src/gate.rs", "beyond_places_and_queue_a_request_is_refused_at_once"),
    ("reader_text_mb", "src/extract/child/tests.rs", "a_text_that_is_too_long_for_its_file_is_not_taken"),
    (
        "reader_structure_most_mb",
        "src/extract/child/tests.rs",
        "a_structure_that_is_too_large_for_its_file_is_not_taken",
    ),
    (
        "batch_text_mb",
        "src/ingest/tests/batches.rs",
        "a_batch_is_bounded_by_the_text_of_its_files_whatever_they_have_on_disk",
    ),
    ("watched_folders", "tests/integration/many.rs", "a_workspace_beyond_the_limit_on_watches_says_so_and_is_scanned"),
    (
        "verdicts",
        "src/store/tests/verdicts.rs",
        "a_workspace_has_as_many_verdicts_as_it_may_and_one_that_is_not_there_none",
    ),
    (
        "webhooks",
        "src/store/tests/webhooks.rs",
        "a_workspace_has_as_many_webhooks_as_it_may_and_one_that_is_deleted_none",
    ),
    ("webhook_backlog", "src/store/tests/webhooks.rs", "a_webhook_for_which_too_much_waits_is_switched_off"),
    ("multipart_uploads", "src/data_folder/multipart.rs", "uploads_and_their_bytes_are_bounded_and_old_ones_go"),
    ("multipart_bytes", "src/data_folder/multipart.rs", "uploads_and_their_bytes_are_bounded_and_old_ones_go"),
    (
        "key_requests_per_core",
        "tests/integration/allowances.rs",
        "a_flood_from_one_key_is_refused_and_another_key_is_always_answered",
    ),
    (
        "address_requests_per_core",
        "tests/integration/allowances.rs",
        "requests_without_a_key_are_counted_by_address_and_this_machines_own_are_not",
    ),
    ("request_burst_s", "src/access/rates/tests.rs", "a_bucket_grants_its_burst_and_then_its_rate"),
    (
        "address_bad_keys_per_minute",
        "tests/integration/allowances.rs",
        "guesses_at_keys_are_slowed_by_address_and_familiar_keys_are_not",
    ),
    ("caller_waits", "tests/integration/allowances.rs", "only_so_many_requests_of_one_caller_wait_at_once"),
    (
        "key_bytes_per_day",
        "tests/integration/allowances.rs",
        "a_keys_bytes_of_a_day_end_at_the_bound_and_survive_a_restart",
    ),
    ("locks", "tests/integration/locked.rs", "a_workspace_holds_as_many_locks_as_it_may"),
    ("edit_mb", "tests/integration/edited.rs", "a_text_is_changed_in_place_up_to_a_length"),
    (
        "key_chunks_per_day",
        "tests/integration/allowances.rs",
        "a_key_whose_files_make_more_chunks_than_it_may_writes_no_more_that_day",
    ),
    ("workspace_files", "tests/integration/allowances.rs", "a_workspace_holds_as_many_files_and_bytes_as_it_may"),
    ("workspace_bytes", "tests/integration/allowances.rs", "a_workspace_holds_as_many_files_and_bytes_as_it_may"),
    ("keys", "tests/integration/allowances.rs", "as_many_keys_are_in_force_as_there_may_be"),
    ("sessions_per_key", "tests/integration/signed_in.rs", "the_oldest_sessions_of_a_key_give_way_to_new_ones"),
    ("open_indexes", "tests/integration/many.rs", "indexes_beyond_the_limit_are_closed_and_opened_again"),
];

/// Whether a file holds the test: the function, with the attribute of a test before it.
fn holds_test(source: &str, name: &str) -> bool {
    source.split_once(&format!("fn {name}(")).is_some_and(|(before, _)| {
        let last_item = before.rsplit("\n}\n").next().unwrap_or_default();
        last_item.contains("#[test]") || last_item.contains("#[tokio::test")
    })
}

#[test]
fn the_tests_that_meet_limits_elsewhere_are_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (limit, file, test) in MET_ELSEWHERE {
        assert!(Limits::ALL.iter().any(|known| known.name == limit), "there is no limit `{limit}`");
        assert!(edge_of(limit, 64).is_none(), "`{limit}` is met here");
        let source = fs_err::read_to_string(root.join(file)).unwrap();
        assert!(holds_test(&source, test), "`{limit}`: {file} has no test `{test}`");
    }
    assert!(!holds_test("#[test]\nfn one() {\n}\nfn other() {\n}\n", "other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_is_met_just_inside_and_just_outside() {
    for limit in Limits::ALL {
        let Some(Edge { route, inside, outside }) = edge_of(limit.name, limit.least) else {
            assert!(MET_ELSEWHERE.iter().any(|(name, ..)| *name == limit.name), "nothing meets `{}`", limit.name);
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
