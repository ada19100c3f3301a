//! An index that is built again: beside the one that serves, which nobody misses for a moment.

use std::fmt::Write as _;
use std::path::Path;

use pincite::embed;
use pincite::engine::{Access, Caller, Engine, EngineError, Surface};
use pincite::error::Advice as _;
use pincite::ingest;
use pincite::search::{Mode, SearchReply, SearchRequest};
use pincite::workspace::ContentHash;

use crate::cli::Pincite;
use crate::indexed::{named, options};
use crate::line::{Desk, share, until};

/// A model that is another one to the program, and has the default one's files.
const OTHER_MODEL: &str = "all-minilm-l6-v2-q";

/// What is in a workspace's folder of the data folder.
fn kept(data: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(data.join("workspaces/default")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names.sort();
    names
}

fn found(reply: &serde_json::Value) -> usize {
    reply["hits"].as_array().unwrap().len()
}

#[test]
fn the_command_builds_the_index_again_and_leaves_nothing_of_the_old_one() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.md"), "A harbour master.").unwrap();
    pincite.index(folder.path());
    assert_eq!(kept(pincite.data.path()), ["postings", "vectors.db"]);
    for generation in 1..3 {
        // What a crash may have left of another one.
        fs_err::create_dir_all(pincite.data.path().join("workspaces/default/index-77/postings")).unwrap();
        fs_err::write(folder.path().join(format!("{generation}.md")), "Another harbour.").unwrap();
        let ran = pincite.run(&["reindex", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let built = ran.json();
        assert_eq!((built["generation"].as_i64(), built["chunks"].as_i64()), (Some(generation), Some(generation + 1)));
        assert_eq!(kept(pincite.data.path()), [format!("index-{generation}")]);
        let reply = pincite.run(&["search", "harbour", "--mode", "lexical", "--json"]).json();
        assert_eq!(
            found(&reply),
            2.min(usize::try_from(generation).unwrap() + 1),
            "the same words are collapsed: {reply}"
        );
    }
}

#[test]
fn a_workspace_whose_intelligence_is_off_has_no_index_to_build() {
    let desk = Desk::new();
    desk.engine
        .workspace(&named("default"), &Caller::local(Surface::CommandLine))
        .unwrap()
        .set_intelligence(false)
        .unwrap();
    let refused = desk
        .engine
        .workspace(&named("default"), &Caller::local(Surface::CommandLine))
        .unwrap()
        .reindex(&ingest::Silent)
        .unwrap_err();
    assert!(matches!(refused, EngineError::IntelligenceOff { .. }));
    assert!(refused.hint().unwrap().contains("intelligence default on"));
}

#[test]
fn an_index_of_an_older_format_serves_readers_and_is_replaced_by_the_next_writer() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.md"), "A harbour master.").unwrap();
    pincite.index(folder.path());
    let meta = pincite.data.path().join("workspaces/default/postings/meta.json");
    let text = fs_err::read_to_string(&meta).unwrap();
    let (before, version) = text.split_once(r#"\"format_version\":"#).unwrap();
    let after = version.trim_start_matches(|c: char| c.is_ascii_digit());
    let older = format!(r#"{before}\"format_version\":9{after}"#);
    assert_ne!(text, older);
    fs_err::write(&meta, older).unwrap();
    let search = || found(&pincite.run(&["search", "harbour", "--mode", "lexical", "--json"]).json());
    assert_eq!(search(), 1, "the old index serves");
    pincite.index(folder.path());
    assert_eq!((kept(pincite.data.path()), search()), (vec!["index-1".to_owned()], 1));
}

#[test]
fn a_process_that_only_reads_sees_the_new_index_when_the_old_one_is_gone() {
    let desk = Desk::running();
    desk.write("a.md", "A harbour master.");
    desk.search("harbour", Mode::Lexical, Some(desk.scan())).unwrap();
    let reader = Engine::open(options(desk.data.path(), Access::Read, "a reader")).unwrap();
    let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new("harbour") };
    let search = || {
        reader
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .search(&request)
            .unwrap()
            .hits
            .len()
    };
    for generation in 1..4 {
        assert_eq!(search(), 1);
        let report = share(desk.data.path())
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .reindex(&ingest::Silent)
            .unwrap();
        assert!(report.done_by.is_some(), "the one that indexes builds it");
        assert_eq!(report.generation, generation);
        assert_eq!(search(), 1);
    }
    until("the last but one is gone", || kept(desk.data.path()) == ["index-3"]);
}

#[test]
fn a_process_that_waits_for_the_new_index_goes_on_with_it_when_the_one_that_builds_it_ends() {
    let desk = Desk::new();
    desk.write("a.md", "A harbour master.");
    desk.engine
        .workspace_at(&named("default"), desk.folder.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .index(&ingest::Silent)
        .unwrap();
    assert!(desk.engine.is_writer());
    // It indexes, and its line does not run: so nothing comes of it.
    let other = share(desk.data.path());
    let waiting = std::thread::spawn(move || {
        other
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .reindex(&ingest::Silent)
            .unwrap()
    });
    until("the index is wanted", || {
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .status()
            .unwrap()
            .rebuild
            .is_some()
    });
    let Desk { engine, data, .. } = desk;
    drop(engine);
    let report = waiting.join().unwrap();
    assert_eq!((report.done_by, report.generation), (None, 1));
    assert_eq!(kept(data.path()), ["index-1"]);
}

/// Puts the default model's files where those of another model are expected.
fn make_other_model(data: &Path) {
    assert!(embed::list(data).unwrap().iter().any(|entry| entry.name == OTHER_MODEL));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/all-MiniLM-L6-v2-int8");
    let folder = data.join("models").join(OTHER_MODEL);
    fs_err::create_dir_all(&folder).unwrap();
    let mut pins = "repository = \"a test\"\n".to_owned();
    for entry in fs_err::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let name = if name == "model.onnx" { "model_quantized.onnx".to_owned() } else { name };
        let bytes = fs_err::read(entry.path()).unwrap();
        let hash = ContentHash::of(&bytes);
        writeln!(pins, "[[file]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nbytes = {}", bytes.len()).unwrap();
        fs_err::write(folder.join(name), bytes).unwrap();
    }
    fs_err::write(folder.join("pins.toml"), pins).unwrap();
}

#[test]
fn a_change_of_the_model_has_another_index_built_while_the_old_one_serves_with_its_own_model() {
    let desk = Desk::new();
    for number in 0..40 {
        desk.write(&format!("{number}.md"), &format!("Station {number} measures the tide at its own mooring."));
    }
    desk.write("crane.md", "The crane lifts forty tonnes.");
    desk.engine
        .workspace_at(&named("default"), desk.folder.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .index(&ingest::Silent)
        .unwrap();
    let Desk { engine, data, folder, .. } = desk;
    drop(engine);
    make_other_model(data.path());
    fs_err::write(data.path().join("config.toml"), format!("model = \"{OTHER_MODEL}\"\n")).unwrap();

    let request = SearchRequest { mode: Mode::Dense, k: 1, ..SearchRequest::new("a machine that lifts heavy things") };
    let is_whole = |reply: &SearchReply| {
        assert_eq!(reply.hits[0].citation.path.as_str(), "crane.md");
        assert!((reply.coverage.embedded_fraction - 1.0).abs() < 1e-9, "{:?}", reply.coverage);
        assert_eq!(reply.coverage.notes, Vec::<String>::new());
    };
    let engine = share(data.path());
    is_whole(
        &engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().search(&request).unwrap(),
    );
    let desk = Desk { runner: Some(engine.run().unwrap()), engine, data, folder };
    until("the new index serves", || {
        is_whole(
            &desk
                .engine
                .workspace(&named("default"), &Caller::local(Surface::CommandLine))
                .unwrap()
                .search(&request)
                .unwrap(),
        );
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .status()
            .unwrap()
            .rebuild
            .is_none()
            && kept(desk.data.path()) == ["index-1"]
    });
    is_whole(
        &desk
            .engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .search(&request)
            .unwrap(),
    );
    assert_eq!(
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .status()
            .unwrap()
            .model
            .name,
        OTHER_MODEL
    );
    // The line goes on with it.
    desk.write("new.md", "A lighthouse keeper sleeps by day.");
    desk.search("lighthouse", Mode::Lexical, Some(desk.scan())).unwrap();
    until("it has its vector", || {
        let status =
            desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().status().unwrap();
        status.num_embedded == status.num_chunks && status.num_chunks == 42
    });
}

#[test]
fn an_index_of_a_model_that_is_gone_serves_by_words_and_says_so() {
    let desk = Desk::new();
    make_other_model(desk.data.path());
    fs_err::write(desk.data.path().join("config.toml"), format!("model = \"{OTHER_MODEL}\"\n")).unwrap();
    let Desk { engine, data, folder, .. } = desk;
    drop(engine);
    fs_err::write(folder.path().join("a.md"), "A harbour master.").unwrap();
    share(data.path())
        .workspace_at(&named("default"), folder.path(), &Caller::local(Surface::CommandLine))
        .unwrap()
        .index(&ingest::Silent)
        .unwrap();
    fs_err::remove_file(data.path().join("config.toml")).unwrap();
    fs_err::remove_dir_all(data.path().join("models").join(OTHER_MODEL)).unwrap();
    let reader = Engine::open(options(data.path(), Access::Read, "a reader")).unwrap();
    let reply = reader
        .workspace(&named("default"), &Caller::local(Surface::CommandLine))
        .unwrap()
        .search(&SearchRequest::new("harbour"))
        .unwrap();
    assert_eq!(reply.hits.len(), 1);
    assert!(reply.coverage.notes.iter().any(|note| note.contains("another model")), "{:?}", reply.coverage.notes);
}
