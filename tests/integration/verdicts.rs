//! Reviewers' verdicts: what is taken, what outlives what, over REST and as a collection that `pincite eval` reads.

use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use pincite::engine::{Access, Caller, Engine, EngineError, Surface, VerdictsRequest};
use pincite::error::Advice as _;
use pincite::ingest::Silent;
use pincite::search::{Mode, SearchRequest};
use pincite::workspace::{Citation, Decision, NewVerdict, Provenance, Revision, Span, Verdict};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::cli::Pincite;
use crate::fixtures;
use crate::indexed::{named, options};
use crate::line::{Desk, share};
use crate::spaces::{router, send};

/// The citation of the first passage with these words.
fn cited(engine: &Engine, workspace: &str, words: &str) -> Citation {
    let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new(words) };
    let reply =
        engine.workspace(&named(workspace), &Caller::local(Surface::CommandLine)).unwrap().search(&request).unwrap();
    reply.hits[0].citation.clone()
}

fn judged(citation: &Citation, decision: Decision, query: Option<&str>) -> NewVerdict {
    let comment = (decision == Decision::Comment).then(|| "Which pump?".to_owned());
    NewVerdict { citation: citation.clone(), decision, comment, query: query.map(str::to_owned), by: None }
}

/// Brings a folder into a workspace, as far as words go.
fn bring_in(engine: &Engine, workspace: &str, folder: &Path) {
    engine
        .workspace_at(&named(workspace), folder, &Caller::local(Surface::CommandLine))
        .unwrap()
        .index(&Silent)
        .unwrap();
}

fn all(engine: &Engine, workspace: &str) -> Vec<Verdict> {
    let request = VerdictsRequest { limit: 1_000, ..VerdictsRequest::default() };
    engine
        .workspace(&named(workspace), &Caller::local(Surface::CommandLine))
        .unwrap()
        .verdicts(&request)
        .unwrap()
        .verdicts
}

#[test]
fn a_verdict_is_taken_only_on_words_that_stand_where_they_are_cited() {
    let desk = Desk::new();
    desk.write("log.txt", "The pump stopped at noon.\nThe valve held.\n");
    bring_in(&desk.engine, "default", desk.folder.path());
    let workspace = desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap();
    let citation = cited(&desk.engine, "default", "pump");
    let judge = |citation: Citation| workspace.judge(&judged(&citation, Decision::Accept, Some("pump")));

    // What a client says of a place beside the words is not believed.
    let forged = Citation {
        revision: Revision(777),
        trail: vec!["Approved".to_owned()],
        provenance: Provenance { agent: Some("nobody".to_owned()), ..Provenance::default() },
        ..citation.clone()
    };
    assert_eq!(judge(forged).unwrap().citation, citation);

    let text = "The pump stopped at noon.\nThe valve held.\n";
    let valve = text.find("The valve").unwrap();
    let piece =
        Citation { span: Span::new(valve, valve + 9), quote: "The valve".to_owned(), lines: None, ..citation.clone() };
    assert_eq!(judge(piece.clone()).unwrap().citation.lines.unwrap().start, 2);
    for (what, wrong) in [
        ("at another place", Citation { span: Span::new(valve + 1, valve + 10), ..piece.clone() }),
        ("on another line", Citation { lines: citation.lines.map(|lines| lines.after(7)), ..citation.clone() }),
        ("of other words", Citation { quote: "The value".to_owned(), ..piece.clone() }),
        ("of no words", Citation { quote: String::new(), span: Span::new(3, 3), ..piece.clone() }),
        ("in another file", Citation { path: "other.txt".parse().unwrap(), ..citation.clone() }),
    ] {
        let refused = judge(wrong).unwrap_err();
        assert!(matches!(refused, EngineError::StaleCitation { .. }), "{what}: {refused}");
        assert!(refused.hint().unwrap().contains("verify"), "{what}");
    }
    let refused = judge(Citation { workspace: named("other"), ..citation.clone() }).unwrap_err();
    assert!(matches!(refused, EngineError::OtherWorkspace { .. }), "{refused}");
    let mute = NewVerdict { comment: None, ..judged(&citation, Decision::Comment, None) };
    assert_eq!(workspace.judge(&mute).unwrap_err().code(), "invalid_verdict");

    // The words stay where they are, in another content of the file.
    desk.write("log.txt", "The pump stopped at noon.\nThe valve burst.\n");
    let now = judge(Citation { quote: "The pump".to_owned(), span: Span::new(0, 8), lines: None, ..citation.clone() });
    let now = now.unwrap().citation;
    assert_ne!(now.content_hash, citation.content_hash);
    assert!(matches!(judge(citation.clone()), Err(EngineError::StaleCitation { .. })), "the burst");
    let at = |citation: &Citation| workspace.verdicts_at(&citation.path, citation.content_hash).unwrap();
    let quotes = |verdicts: Vec<Verdict>| verdicts.into_iter().map(|one| one.citation.quote).collect::<Vec<_>>();
    assert_eq!(quotes(at(&citation)), [citation.quote.as_str(), "The valve"]);
    assert_eq!(quotes(at(&now)), ["The pump"]);
    assert_eq!(all(&desk.engine, "default").len(), 3);

    let only_read = Engine::open(options(desk.data.path(), Access::Read, "a test")).unwrap();
    let workspace = only_read.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap();
    let refused = workspace.judge(&judged(&now, Decision::Accept, None)).unwrap_err();
    assert!(matches!(refused, EngineError::ReadOnly), "{refused}");
    assert!(matches!(workspace.withdraw_verdict(1), Err(EngineError::ReadOnly)));
}

#[test]
fn verdicts_outlive_a_restart_another_index_and_their_file_and_go_with_their_workspace() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let file = folder.path().join("log.txt");
    fs_err::write(&file, "The pump stopped at noon.\n").unwrap();
    pincite.index(folder.path());
    let verdicts = {
        let engine = share(pincite.data.path());
        let citation = cited(&engine, "default", "pump");
        for decision in [Decision::Accept, Decision::Comment] {
            engine
                .workspace(&named("default"), &Caller::local(Surface::CommandLine))
                .unwrap()
                .judge(&judged(&citation, decision, None))
                .unwrap();
        }
        all(&engine, "default")
    };
    assert_eq!(verdicts.len(), 2);
    let listed = || pincite.run(&["verdicts", "--json"]);
    let expected = json!({ "verdicts": verdicts });
    assert_eq!(listed().json(), expected);
    assert_eq!(pincite.run(&["reindex"]).code, 0);
    assert_eq!(listed().json(), expected, "after another index was built");
    fs_err::remove_file(&file).unwrap();
    pincite.index(folder.path());
    assert_eq!(listed().json(), expected, "after the file was deleted");
    assert_eq!(pincite.run(&["workspace", "delete", "default"]).code, 0);
    fs_err::write(&file, "The pump stopped at noon.\n").unwrap();
    pincite.index(folder.path());
    let ran = listed();
    assert_eq!((ran.code, ran.json()), (1, json!({ "verdicts": [] })), "another workspace of that name");
}

#[test]
fn a_page_of_long_quotes_ends_early_and_the_next_one_goes_on() {
    let desk = Desk::new();
    let quote = "The tide gauge of the second quay. ".repeat(1_800);
    desk.write("long.txt", &quote);
    bring_in(&desk.engine, "default", desk.folder.path());
    let workspace = desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap();
    let citation =
        Citation { span: Span::new(0, quote.len()), quote, lines: None, ..cited(&desk.engine, "default", "tide") };
    let num_verdicts = 150;
    for _ in 0..num_verdicts {
        workspace.judge(&judged(&citation, Decision::Accept, None)).unwrap();
    }
    let mut request = VerdictsRequest { limit: 1_000, ..VerdictsRequest::default() };
    let first = workspace.verdicts(&request).unwrap();
    assert!((2..num_verdicts).contains(&first.verdicts.len()), "{}", first.verdicts.len());
    request.before_id = first.next;
    let second = workspace.verdicts(&request).unwrap();
    assert_eq!((first.verdicts.len() + second.verdicts.len(), second.next), (num_verdicts, None));
    assert!(first.verdicts.last().unwrap().id > second.verdicts[0].id);
    let longer = Citation { quote: "x".repeat(65_537), ..citation };
    assert_eq!(workspace.judge(&judged(&longer, Decision::Accept, None)).unwrap_err().code(), "invalid_verdict");
}

/// A reply as text, with its media type.
async fn text(router: &axum::Router, uri: &str, accept: Option<&str>) -> (u16, String, String) {
    let mut request = Request::builder().uri(uri).header(header::HOST, "localhost");
    if let Some(accept) = accept {
        request = request.header(header::ACCEPT, accept);
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let media_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, media_type, String::from_utf8(bytes.to_vec()).unwrap())
}

fn code(reply: &(u16, Value)) -> (u16, &str) {
    (reply.0, reply.1["error"]["code"].as_str().unwrap_or_default())
}

fn ids(reply: &(u16, Value)) -> Vec<u64> {
    reply.1["verdicts"]
        .as_array()
        .unwrap_or_else(|| panic!("{reply:?}"))
        .iter()
        .map(|one| one["id"].as_u64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_are_stored_listed_exported_and_withdrawn_over_rest() {
    let desk = Desk::configured("[limits]\nverdicts = 4\n");
    let other = tempfile::tempdir().unwrap();
    desk.write("a.md", "# Pumps\n\nThe pump stopped at noon.\n");
    desk.write("runs/b.md", "# Valves\n\nThe valve held, and the pump did not.\n");
    fs_err::write(other.path().join("a.md"), "# Pumps\n\nThe pump of the other house.\n").unwrap();
    bring_in(&desk.engine, "default", desk.folder.path());
    bring_in(&desk.engine, "other", other.path());
    let rest = router(&desk.engine);
    let [uri, other_uri] = ["default", "other"].map(|name| format!("/v1/workspaces/{name}/verdicts"));
    let [noon, held] = ["noon", "held"].map(|words| cited(&desk.engine, "default", words));
    let post = async |uri: &str, body: Value| send(&rest, Method::POST, uri, Some(body)).await;
    let get = async |query: &str| send(&rest, Method::GET, &format!("{uri}?{query}"), None).await;

    let first =
        post(&uri, json!({ "citation": noon, "decision": "accept", "query": "pump at noon", "by": "Ines" })).await;
    assert_eq!((first.0, &first.1["citation"]), (201, &json!(noon)), "{}", first.1);
    let said = "=HYPERLINK(\"x\")";
    let second = post(&uri, json!({ "citation": held, "decision": "comment", "comment": said })).await;
    let third = post(&uri, json!({ "citation": held, "decision": "reject", "query": "pump at noon" })).await;
    let [one, two, three] = [&first, &second, &third].map(|stored| stored.1["id"].as_u64().unwrap());
    let alien =
        post(&other_uri, json!({ "citation": cited(&desk.engine, "other", "pump"), "decision": "accept" })).await;
    assert_eq!(alien.0, 201, "{}", alien.1);

    assert_eq!(ids(&send(&rest, Method::GET, &uri, None).await), [three, two, one]);
    for (query, expected) in [
        ("path=runs/**", &[three, two][..]),
        ("path=a.md&path=c.md", &[one]),
        ("decision=reject", &[three]),
        ("query=pump%20at%20noon", &[three, one]),
        ("query=pump", &[]),
        ("limit=2", &[three, two]),
    ] {
        assert_eq!(ids(&get(query).await), expected, "{query}");
    }
    assert_eq!(get("limit=2").await.1["next"], two);
    let last = get(&format!("limit=2&before_id={two}")).await;
    assert_eq!((ids(&last), last.1.get("next")), (vec![one], None));

    let by_accept = text(&rest, &uri, Some("text/csv")).await;
    let by_format = text(&rest, &format!("{uri}?format=csv"), Some("application/json")).await;
    assert_eq!(by_accept, by_format);
    let (status, media_type, written) = by_accept;
    assert_eq!((status, media_type.split(';').next()), (200, Some("text/csv")));
    assert!(
        written.starts_with("id,at,decision,by,comment,query,path,") && written.matches("\r\n").count() == 4,
        "{written}"
    );
    assert!(written.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{written}");
    assert_eq!(text(&rest, &format!("{uri}?format=json"), Some("text/csv")).await.1, "application/json");

    let stale =
        json!({ "citation": Citation { quote: "The pump started".to_owned(), ..noon.clone() }, "decision": "accept" });
    assert_eq!(code(&post(&uri, stale).await), (409, "stale_citation"));
    // The error quotes the path as it was asked for: folders that were taken out of it would be known by that.
    let guessed = format!("x{}/a.md", desk.folder.path().display());
    let mut guess = json!({ "citation": noon, "decision": "accept" });
    guess["citation"]["path"] = json!(guessed);
    guess["citation"]["content_hash"] = json!("0".repeat(64));
    let told = post(&uri, guess).await;
    assert!(code(&told) == (409, "stale_citation") && told.1.to_string().contains(&guessed), "{}", told.1);
    assert_eq!(
        code(&post(&other_uri, json!({ "citation": noon, "decision": "accept" })).await),
        (400, "other_workspace")
    );
    let nowhere = "/v1/workspaces/nowhere/verdicts";
    assert_eq!(
        code(&post(nowhere, json!({ "citation": noon, "decision": "accept" })).await),
        (404, "unknown_workspace")
    );
    for (wrong, expected) in [
        (json!({ "decision": "comment" }), (400, "invalid_verdict")),
        (json!({ "decision": "accept", "comment": " " }), (400, "invalid_verdict")),
        (json!({ "decision": "accept", "comment": "x".repeat(4_001) }), (400, "invalid_verdict")),
        (json!({ "decision": "accept", "query": "" }), (400, "invalid_verdict")),
        (json!({ "decision": "accept", "query": "x".repeat(40_000) }), (400, "query_too_large")),
        (json!({ "decision": "accept", "by": "a\nb" }), (400, "invalid_verdict")),
        (json!({ "decision": "perhaps" }), (422, "invalid_body")),
        (json!({ "decision": "accept", "note": "x" }), (422, "invalid_body")),
    ] {
        let mut body = wrong;
        body["citation"] = json!(noon);
        assert_eq!(code(&post(&uri, body.clone()).await), expected, "{body}");
    }
    for (query, expected) in [
        ("limit=0", "invalid_request"),
        ("limit=10001", "invalid_request"),
        ("decision=perhaps", "invalid_parameters"),
        ("format=xml", "invalid_parameters"),
        ("before_id=-1", "invalid_parameters"),
        ("query=", "invalid_verdict"),
        ("path=%7B", "invalid_request"),
    ] {
        assert_eq!(code(&get(query).await), (400, expected), "{query}");
    }

    let withdraw = async |uri: &str, id: &str| send(&rest, Method::DELETE, &format!("{uri}/{id}"), None).await;
    assert_eq!(code(&withdraw(&other_uri, &one.to_string()).await), (404, "unknown_verdict"), "of another workspace");
    for wrong in ["x", "+1", "-1", "1.0"] {
        assert_eq!(code(&withdraw(&uri, wrong).await), (400, "invalid_url"), "{wrong}");
    }
    assert_eq!(withdraw(&uri, &two.to_string()).await, (200, json!({ "id": two })));
    assert_eq!(code(&withdraw(&uri, &two.to_string()).await), (404, "unknown_verdict"));
    assert_eq!(ids(&send(&rest, Method::GET, &uri, None).await), [three, one]);

    for _ in 0..2 {
        assert_eq!(post(&uri, json!({ "citation": noon, "decision": "accept" })).await.0, 201);
    }
    let refused = post(&uri, json!({ "citation": noon, "decision": "accept" })).await;
    assert_eq!(code(&refused), (409, "too_many_verdicts"));
    assert!(refused.1["error"].to_string().contains("`limits.verdicts`"), "{}", refused.1);
}

#[test]
fn exported_verdicts_are_a_collection_that_eval_reads_by_words_alone() {
    let (pincite, folder) = (Pincite::words_alone(), fixtures::workspace_copy());
    let log = folder.path().join("gone.txt");
    fs_err::write(&log, "The harbour bell rang twice.\n").unwrap();
    pincite.index(folder.path());
    let (down, cold) = ("How long was the gateway down on 2 November?", "cold storage of the second year");
    let accepted = {
        let engine = share(pincite.data.path());
        let workspace = engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap();
        let of = |query: &str, at: usize| {
            let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new(query) };
            workspace.search(&request).unwrap().hits[at].citation.clone()
        };
        let judge =
            |citation: &Citation, decision, query| workspace.judge(&judged(citation, decision, query)).unwrap().id;
        let first = of(down, 0);
        assert_eq!(judge(&first, Decision::Reject, Some(down)), 1);
        let accepted = of(cold, 0);
        judge(&accepted, Decision::Accept, Some(cold));
        // The reviewer thinks again.
        judge(&first, Decision::Accept, Some(down));
        let elsewhere = (1..10).map(|at| of(down, at)).find(|other| other.path != first.path).unwrap();
        judge(&elsewhere, Decision::Reject, Some(down));
        judge(&first, Decision::Comment, Some(down));
        judge(&first, Decision::Accept, None);
        judge(&cited(&engine, "default", "harbour bell rang twice"), Decision::Accept, Some("who rang the bell"));
        accepted.path
    };
    let moved = format!("{accepted}.renamed.md");
    fs_err::rename(folder.path().join(accepted.as_str()), folder.path().join(&moved)).unwrap();
    fs_err::remove_file(&log).unwrap();
    pincite.index(folder.path());

    let shown = pincite.run(&["verdicts", "--decision", "reject"]);
    assert!(shown.code == 0 && shown.out.contains("  reject  ") && shown.out.contains(down), "{}", shown.out);
    let [collection, again] = ["set", "again"].map(|name| pincite.data.path().join(name).to_str().unwrap().to_owned());
    let ran = pincite.run(&["verdicts", "--export", &collection, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report = ran.json();
    let left_out = json!({ "comments": 1, "without_query": 1, "replaced": 1, "stale": 1 });
    assert_eq!(
        (&report["num_queries"], &report["num_accepted"], &report["num_rejected"]),
        (&json!(2), &json!(2), &json!(1))
    );
    assert_eq!(report["left_out"], left_out, "{report:#}");
    let read = |folder: &str, name: &str| fs_err::read_to_string(Path::new(folder).join(name)).unwrap();
    let queries = read(&collection, "queries.jsonl");
    assert_eq!(queries.lines().next().unwrap(), json!({ "_id": "q1", "text": down }).to_string());
    let qrels = read(&collection, "qrels/test.tsv");
    let grades: Vec<&str> = qrels.lines().map(|line| line.rsplit('\t').next().unwrap()).collect();
    let mut sorted = grades[1..3].to_vec();
    sorted.sort_unstable();
    assert_eq!((grades[0], sorted, grades[3]), ("score", vec!["0", "1"], "1"), "{qrels}");

    assert!(qrels.ends_with(&format!("\t{moved}\t1\n")), "words count where they are now: {qrels}");

    let evaluated = pincite.run(&["eval", &collection, "--mode", "lexical", "--json"]);
    assert_eq!(evaluated.code, 0, "{}", evaluated.err);
    let figures = evaluated.json();
    assert_eq!(
        (&figures["num_judged"], &figures["num_documents"]),
        (&json!(2), &report["num_documents"]),
        "{figures:#}"
    );
    assert!(figures["recall_at_100"] == 1.0 && figures["mrr_at_10"].as_f64().unwrap() > 0.0, "{figures:#}");
    // The same judgements hold for the folder itself.
    let files = folder.path().to_str().unwrap();
    let evaluated = pincite.run(&["eval", &collection, "--files", files, "--mode", "lexical", "--json"]);
    assert_eq!((evaluated.code, &evaluated.json()["recall_at_100"]), (0, &json!(1.0)), "{}", evaluated.err);

    assert_eq!(pincite.run(&["verdicts", "--export", &again]).code, 0);
    for name in ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"] {
        assert_eq!(read(&collection, name), read(&again, name), "{name}");
    }
    let refused = pincite.run(&["verdicts", "--export", &again]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    assert!(refused.err.contains("is not empty") && refused.err.contains("hint: "), "{}", refused.err);
}
