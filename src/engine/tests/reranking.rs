//! A reranker that is configured, as the engine asks it: by a stand-in, so that it can fail on one query and not on another.

use super::*;
use crate::embed::{EmbedError, Reranker, testing};
use crate::engine::{Caller, Surface};
use crate::search::{Mode, SearchReply, SearchRequest};

/// Scores a passage by its length, and fails where the query says so.
struct Longest;

impl Reranker for Longest {
    fn model_name(&self) -> &'static str {
        "longest"
    }

    fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<f32>, EmbedError> {
        if query.contains("fail") {
            return Err(EmbedError::RerankerFailed { reason: "it was told to".to_owned() });
        }
        Ok(passages.iter().map(|passage| passage.len() as f32).collect())
    }
}

/// An engine over one folder with `config`, where files of the harbour are found by words: the shortest is the best.
fn engine(folder: &Path, config: &str) -> Engine {
    for name in ["files", "data"] {
        fs_err::create_dir(folder.join(name)).unwrap();
    }
    fs_err::write(folder.join("data/config.toml"), config).unwrap();
    write(folder, "short.md", "The harbour.");
    write(folder, "middle.md", "The harbour, with a crane.");
    write(folder, "long.md", "The harbour, with a crane and a light beyond its wall.");
    drop(bring_in(folder));
    let options = OpenOptions {
        runtime_folder: Some(testing::options().runtime.dir),
        ..OpenOptions::new(folder.join("data"), Access::Read, "a test")
    };
    Engine::open(options).unwrap()
}

fn search(engine: &Engine, query: &str, mode: Mode, k: usize) -> (Vec<String>, SearchReply) {
    let request = SearchRequest { mode, k, explain: true, ..SearchRequest::new(query) };
    let reply = engine
        .workspace(&WorkspaceId::default(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .search(&request)
        .unwrap();
    (reply.hits.iter().map(|hit| hit.citation.path.to_string()).collect(), reply)
}

fn says_not_reranked(reply: &SearchReply) -> Vec<&str> {
    let notes = reply.coverage.notes.iter().map(String::as_str);
    notes.filter(|note| note.starts_with("not reranked: ")).collect()
}

#[test]
fn the_order_of_a_hybrid_search_is_the_rerankers_before_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), "[ranking]\nreranker = \"longest\"\n");
    assert!(engine.data.models.reranker.set(Ok(Box::new(Longest))).is_ok());
    let (paths, reply) = search(&engine, "harbour", Mode::Hybrid, 9);
    assert_eq!(paths, ["long.md", "middle.md", "short.md"]);
    assert!(reply.hits[0].score < reply.hits[2].score, "the fused score stays");
    assert!(reply.hits.iter().all(|hit| hit.signals.unwrap().reranked.unwrap() >= 12.0));
    assert_eq!(search(&engine, "harbour", Mode::Hybrid, 1).0, ["long.md"]);
    assert_eq!(search(&engine, "harbour", Mode::Lexical, 1).0, ["short.md"]);
    assert_eq!(says_not_reranked(&reply), Vec::<&str>::new());
}

#[test]
fn a_reranker_that_fails_leaves_the_fused_order_and_the_reply_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), "[ranking]\nreranker = \"longest\"\n");
    assert!(engine.data.models.reranker.set(Ok(Box::new(Longest))).is_ok());
    let (paths, reply) = search(&engine, "fail harbour", Mode::Hybrid, 2);
    assert_eq!(paths, ["short.md", "middle.md"]);
    assert_eq!(says_not_reranked(&reply), ["not reranked: the reranker failed: it was told to"]);
    assert!(reply.hits.iter().all(|hit| hit.signals.unwrap().reranked.is_none()));
    assert!(says_not_reranked(&search(&engine, "harbour", Mode::Hybrid, 2).1).is_empty(), "the next query goes well");
}

#[test]
fn only_as_many_passages_as_configured_are_reranked() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), "[ranking]\nreranker = \"longest\"\nrerank_passages = 2\n");
    assert!(engine.data.models.reranker.set(Ok(Box::new(Longest))).is_ok());
    assert_eq!(search(&engine, "harbour", Mode::Hybrid, 9).0, ["middle.md", "short.md", "long.md"]);
    assert_eq!(search(&engine, "harbour", Mode::Hybrid, 1).0, ["middle.md"]);
}

#[test]
fn a_folder_that_holds_no_reranker_is_told_in_replies_and_status() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), "[ranking]\nreranker = \"models/mine\"\n");
    let (paths, reply) = search(&engine, "harbour", Mode::Hybrid, 1);
    assert_eq!(paths, ["short.md"]);
    let [note] = says_not_reranked(&reply)[..] else { panic!("{:?}", reply.coverage.notes) };
    assert!(note.contains("models/mine") && note.ends_with("there is no such folder"), "{note}");
    assert!(says_not_reranked(&search(&engine, "harbour", Mode::Lexical, 1).1).is_empty());
    let status = engine
        .workspace(&WorkspaceId::default(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .status()
        .unwrap()
        .reranker
        .unwrap();
    assert_eq!(status.name, "mine");
    assert!(status.reason.unwrap().contains("`[ranking]`"));
}

#[test]
fn without_a_configured_reranker_nothing_is_said_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), "");
    let (paths, reply) = search(&engine, "harbour", Mode::Hybrid, 9);
    assert_eq!(paths, ["short.md", "middle.md", "long.md"]);
    let status = serde_json::to_value(
        engine.workspace(&WorkspaceId::default(), &Caller::local(Surface::CommandLine)).unwrap().status().unwrap(),
    )
    .unwrap();
    assert!(!serde_json::to_string(&reply).unwrap().contains("rerank") && status.get("reranker").is_none());
}
