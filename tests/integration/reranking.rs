//! A reranker in a folder, from the command line: real files, ONNX Runtime, and a model that counts shared tokens.

use std::path::Path;

use serde_json::Value;

use crate::cli::Pincite;

const QUERY: &str = "the pilot of the harbour";

/// A folder as a user would have it: a model of `fixtures/reranker`, and the default model's tokenizer.
fn reranker_in(folder: &Path) {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs_err::create_dir_all(folder).unwrap();
    fs_err::copy(checkout.join("fixtures/reranker/shared_tokens.onnx"), folder.join("model.onnx")).unwrap();
    for name in ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"] {
        fs_err::copy(checkout.join("models/all-MiniLM-L6-v2-int8").join(name), folder.join(name)).unwrap();
    }
}

fn configure(pincite: &Pincite, config: &str) {
    fs_err::write(pincite.data.path().join("config.toml"), config).unwrap();
}

fn search(pincite: &Pincite, arguments: &[&str]) -> Value {
    let ran = pincite.run(&[&["search", QUERY, "--json", "--explain"], arguments].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json()
}

fn paths(reply: &Value) -> Vec<&str> {
    reply["hits"].as_array().unwrap().iter().map(|hit| hit["citation"]["path"].as_str().unwrap()).collect()
}

#[test]
fn a_configured_reranker_orders_the_passages_of_a_search_and_a_broken_one_is_told() {
    let (pincite, folder) = (Pincite::new(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("pilot.md"), "A harbour pilot.").unwrap();
    fs_err::write(folder.path().join("crane.md"), "The foot of the crane of the wall of the yard of the town.")
        .unwrap();
    fs_err::write(folder.path().join("ferry.md"), "A ferry passes at noon.").unwrap();
    pincite.index(folder.path());
    let plain = search(&pincite, &[]);
    assert_eq!(paths(&plain)[0], "pilot.md");
    assert!(!plain.to_string().contains("rerank"), "{plain}");

    reranker_in(&pincite.data.path().join("models/mine"));
    configure(&pincite, "[ranking]\nreranker = \"models/mine\"\n");
    let reranked = search(&pincite, &[]);
    assert_eq!(paths(&reranked), ["crane.md", "pilot.md", "ferry.md"], "by shared tokens: {reranked}");
    assert_eq!(paths(&search(&pincite, &["-k", "1"])), ["crane.md"]);
    let scores: Vec<f64> = (0..3).map(|at| reranked["hits"][at]["signals"]["reranked"].as_f64().unwrap()).collect();
    assert!(scores[0] > scores[1] && scores[1] > scores[2], "{scores:?}");
    assert_eq!(paths(&search(&pincite, &["--mode", "lexical"]))[0], "pilot.md");
    let shown = pincite.run(&["search", QUERY, "--explain"]).out;
    assert!(shown.contains(&format!("   reranked: score {:.3}\n", scores[0])), "{shown}");
    assert!(pincite.run(&["status"]).out.contains("reranker mine: runs\n"));

    fs_err::write(pincite.data.path().join("models/mine/model.onnx"), "garbage").unwrap();
    let broken = search(&pincite, &[]);
    assert_eq!(broken["hits"], plain["hits"]);
    let notes = broken["coverage"]["notes"].to_string();
    assert!(notes.contains("not reranked: the reranker in"), "{notes}");
    let status = pincite.run(&["status", "--json"]).json();
    assert_eq!(status["reranker"]["name"], "mine");
    assert!(status["reranker"]["reason"].as_str().unwrap().contains("remove that line"), "{status}");
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    let pincite = Pincite::new();
    for (line, said) in [
        ("rerank_passages = 0", "must lie in 1 to 100"),
        ("rerank_passages = 101", "must lie in 1 to 100"),
        ("reranker = \"\"", "is empty: name a folder"),
        ("dense_weight = 1.5", "must lie in 0 to 1"),
    ] {
        configure(&pincite, &format!("[ranking]\n{line}\n"));
        let refused = pincite.run(&["status"]);
        assert!(refused.code != 0 && refused.err.contains(said), "{line}: {}", refused.err);
    }
}
