//! Folders as the places where changes come from: replaced, away, and not looked at yet.

use std::path::Path;

use pincite::answer::CitationState;
use pincite::engine::{Caller, ChangesRequest, EngineError, Surface};
use pincite::search::{Mode, SearchRequest};
use pincite::workspace::{ChangeKind, Citation, RelPath};
use serde_json::{Value, json};

use crate::cli::Pincite;
use crate::indexed::named;
use crate::line::{Desk, until};
use crate::writes::{Server, code};

/// A desk whose folder is watched, with one file that was found. It is scanned as a whole at the start alone.
fn watching() -> Desk {
    let mut desk = Desk::new();
    desk.write("first.txt", "An anchor.");
    desk.run();
    until("the first file is found", || desk.found("anchor") == ["first.txt"]);
    desk
}

/// Makes another folder with a file of its own.
fn make(folder: &Path, word: &str) {
    fs_err::create_dir(folder).unwrap();
    fs_err::write(folder.join("second.txt"), format!("A {word}.")).unwrap();
}

#[test]
fn a_root_that_is_replaced_in_any_way_is_watched_again_at_once() {
    type Replace<'a> = (&'a str, &'a dyn Fn(&Path));
    let replace: [Replace<'_>; 3] = [
        ("removed and made again", &|root| {
            fs_err::remove_dir_all(root).unwrap();
            make(root, "buoy");
        }),
        ("moved and made again", &|root| {
            fs_err::rename(root, root.with_extension("old")).unwrap();
            make(root, "buoy");
        }),
        ("swapped by renaming", &|root| {
            make(&root.with_extension("new"), "buoy");
            fs_err::rename(root, root.with_extension("old")).unwrap();
            fs_err::rename(root.with_extension("new"), root).unwrap();
        }),
    ];
    for (how, replace) in replace {
        let desk = watching();
        let root = desk.folder.path();
        replace(root);
        until(&format!("the new folder is seen: {how}"), || desk.found("buoy") == ["second.txt"]);
        assert!(desk.found("anchor").is_empty(), "{how}");
        // Only a watch sees these, before the next scan of the whole.
        desk.write("third.txt", "A lighthouse.");
        until(&format!("a write is seen: {how}"), || desk.found("lighthouse") == ["third.txt"]);
        desk.write("third.txt", "A windmill.");
        until(&format!("an edit is seen: {how}"), || desk.found("windmill") == ["third.txt"]);
        fs_err::remove_file(root.join("second.txt")).unwrap();
        until(&format!("a deletion is seen: {how}"), || desk.found("buoy").is_empty());
        drop(fs_err::remove_dir_all(root.with_extension("old")));
    }
}

#[test]
fn a_root_below_a_parent_that_is_replaced_is_watched_again() {
    let above = tempfile::tempdir().unwrap();
    let (release, root) = (above.path().join("release"), above.path().join("release/files"));
    fs_err::create_dir_all(&root).unwrap();
    let data = tempfile::tempdir().unwrap();
    let engine = crate::line::share(data.path());
    engine.ensure_workspace(&named("default"), Some(&root)).unwrap();
    let runner = engine.run().unwrap();
    let desk = Desk { folder: above, data, engine, runner: Some(runner) };
    desk.write("release/files/first.txt", "An anchor.");
    until("the first file is found", || desk.found("anchor") == ["first.txt"]);
    desk.write("next/files/second.txt", "A buoy.");
    fs_err::rename(&release, desk.folder.path().join("before")).unwrap();
    fs_err::rename(desk.folder.path().join("next"), &release).unwrap();
    until("the new folder is seen", || desk.found("buoy") == ["second.txt"]);
    desk.write("release/files/third.txt", "A lighthouse.");
    until("a write is seen", || desk.found("lighthouse") == ["third.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_away_is_told_by_status_coverage_and_readyz_until_it_is_back() {
    let server = Server::over(watching());
    let desk = &server.desk;
    let notes = || {
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .coverage()
            .unwrap()
            .notes
    };
    let is_told = |notes: &Value| notes.to_string().contains("folder is away");
    assert!(!is_told(&json!(notes())));
    let (root, away) = (desk.folder.path(), desk.folder.path().with_extension("away"));
    fs_err::rename(root, &away).unwrap();
    until("it is told", || is_told(&json!(notes())));
    let (_, status) = server.send(axum::http::Method::GET, "status", &[], Vec::new()).await;
    assert!(is_told(&status["source"]["notes"]) && status["source"]["scanned"].is_string(), "{status:#}");
    let (_, reply) = server.post("search", json!({ "query": "anchor", "mode": "lexical" })).await;
    assert!(is_told(&reply["coverage"]["notes"]), "{reply:#}");
    assert!(is_told(&server.health("/readyz").await.1["notes"]));
    fs_err::rename(&away, root).unwrap();
    until("it is back", || !is_told(&json!(notes())));
    desk.write("second.txt", "A buoy.");
    until("a write is seen", || desk.found("buoy") == ["second.txt"]);
}

#[test]
fn readyz_waits_for_the_first_scan_and_what_it_finds() {
    let mut desk = Desk::new();
    for number in 0..200 {
        desk.write(&format!("{number}.txt"), "An anchor.");
    }
    // Nothing is in the log yet; before, that passed for ready.
    desk.run();
    let is_ready = || match desk
        .engine
        .workspace(&named("default"), &Caller::local(Surface::CommandLine))
        .unwrap()
        .check_replayed()
    {
        Ok(()) => true,
        Err(EngineError::Replaying) => false,
        Err(error) => panic!("{error}"),
    };
    until("it is ready", is_ready);
    assert_eq!(
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .coverage()
            .unwrap()
            .files
            .ready,
        200
    );
    let mut away = Desk::new();
    fs_err::remove_dir(away.folder.path()).unwrap();
    away.run();
    until("a folder that is away holds nothing up", || {
        away.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().check_replayed().is_ok()
    });
    fs_err::create_dir(away.folder.path()).unwrap();
}

#[test]
fn names_that_cannot_be_indexed_are_told_by_the_command_line() {
    use std::os::unix::ffi::OsStrExt as _;
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("good.md"), "An anchor.").unwrap();
    fs_err::write(folder.path().join(r"a\b.md"), "An anchor.").unwrap();
    fs_err::write(folder.path().join(std::ffi::OsStr::from_bytes(b"bad\xff.md")), "An anchor.").unwrap();
    let run = |arguments: &[&str]| {
        let output = pincite.command(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["index", folder.path().to_str().unwrap()]);
    let status = run(&["status"]);
    for reason in
        [r"`a\b.md` is not indexed: its name holds a `\`", "`bad\u{fffd}.md` is not indexed: its name is not UTF-8"]
    {
        assert!(status.contains(reason), "{status}");
    }
    let reply: Value = serde_json::from_str(&run(&["search", "anchor", "--json"])).unwrap();
    assert!(
        reply["coverage"]["notes"]
            .to_string()
            .contains("2 files, folders or ignore rules were skipped; `status` gives"),
        "{reply:#}"
    );
}

fn cite(desk: &Desk, words: &str) -> Citation {
    desk.search(words, Mode::Lexical, None).unwrap().hits[0].citation.clone()
}

#[test]
fn a_citation_of_a_renamed_file_has_moved_to_where_the_file_is() {
    let desk = watching();
    let cited = cite(&desk, "anchor");
    let rename = |from: &str, to: &str| {
        fs_err::create_dir_all(desk.folder.path().join(to).parent().unwrap()).unwrap();
        fs_err::rename(desk.folder.path().join(from), desk.folder.path().join(to)).unwrap();
        until("the renaming is seen", || desk.found("anchor") == [to]);
    };
    rename("first.txt", "kept/second.txt");
    rename("kept/second.txt", "third.txt");
    let verified =
        desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().verify(&cited).unwrap();
    assert_eq!(verified.verdict, CitationState::Moved, "{}", verified.explanation);
    let now = verified.citation.unwrap();
    assert_eq!((now.path.as_str(), now.quote.as_str()), ("third.txt", cited.quote.as_str()));
    assert_eq!(
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .verify(&now)
            .unwrap()
            .verdict,
        CitationState::Valid
    );
    // By its renamings also when other words stand before these, and another file has its path.
    desk.write("third.txt", "Before it.\n\nAn anchor.");
    desk.write("first.txt", "Something else.");
    until("both are read", || desk.found("before") == ["third.txt"] && desk.found("else") == ["first.txt"]);
    let verified =
        desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().verify(&cited).unwrap();
    assert_eq!((verified.verdict, verified.citation.unwrap().path.as_str()), (CitationState::Moved, "third.txt"));
    desk.write("third.txt", "A buoy.");
    until("it is read", || desk.found("buoy") == ["third.txt"]);
    assert_eq!(
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .verify(&cited)
            .unwrap()
            .verdict,
        CitationState::Changed
    );
    for path in ["third.txt", "first.txt"] {
        fs_err::remove_file(desk.folder.path().join(path)).unwrap();
    }
    until("both are gone", || desk.found("buoy").is_empty() && desk.found("else").is_empty());
    assert_eq!(
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .verify(&cited)
            .unwrap()
            .verdict,
        CitationState::Deleted
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_rename_keeps_its_writer_and_is_one_change() {
    let server = Server::running();
    let event = json!({ "id": "1", "type": "created", "path": "a.md", "content": "# A lighthouse", "agent": "bob" });
    let (status, _) = server.post("events", json!({ "events": [event] })).await;
    assert_eq!(status, 200);
    let desk = &server.desk;
    until("it is found", || desk.found("lighthouse") == ["a.md"]);
    fs_err::rename(desk.folder.path().join("a.md"), desk.folder.path().join("b.md")).unwrap();
    until("the renaming is seen", || desk.found("lighthouse") == ["b.md"]);
    let mut request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new("lighthouse") };
    request.filters.agent = vec!["bob".to_owned()];
    let hits = desk
        .engine
        .workspace(&named("default"), &Caller::local(Surface::CommandLine))
        .unwrap()
        .search(&request)
        .unwrap()
        .hits;
    assert_eq!(hits.iter().map(|hit| hit.citation.path.as_str()).collect::<Vec<_>>(), ["b.md"]);
    let mut request = ChangesRequest::newest(9);
    for path in ["a.md", "b.md"] {
        request.filters.path = vec![path.to_owned()];
        let newest = desk
            .engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .recent_changes(&request)
            .unwrap()
            .changes
            .remove(0);
        assert_eq!((newest.kind, newest.path.as_str()), (ChangeKind::Renamed, "b.md"), "the history of {path}");
        assert_eq!(newest.from.as_ref().map(RelPath::as_str), Some("a.md"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_a_folder_and_a_gone_file_are_three_errors() {
    let server = Server::running();
    for path in ["deep/a.md", "gone.md"] {
        assert_eq!(server.put(path, "# A lighthouse", &[]).await.0, 201);
    }
    assert_eq!(server.delete("gone.md", &[]).await.0, 200);
    for (path, expected) in
        [("no/such.md", (404, "file_not_found")), ("deep", (400, "is_a_folder")), ("gone.md", (404, "file_gone"))]
    {
        assert_eq!(code(&server.read(path).await), expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_dated_event_does_not_overwrite_a_newer_undated_one() {
    let server = Server::running();
    let event = |id: &str, content: &str, at: Option<&str>| {
        let mut event = json!({ "id": id, "type": "modified", "path": "a.md", "content": content });
        if let Some(at) = at {
            event["occurred_at"] = json!(at);
        }
        json!({ "events": [event] })
    };
    server.post("events", event("1", "newer", None)).await;
    let (_, reply) = server.post("events", event("2", "older", Some("2020-01-01T00:00:00Z"))).await;
    assert_eq!(reply["events"][0]["superseded"], true, "{reply:#}");
    assert_eq!(server.on_disk("a.md").as_deref(), Some("newer"));
    server.post("events", event("3", "newest", Some("2999-01-01T00:00:00Z"))).await;
    assert_eq!(server.on_disk("a.md").as_deref(), Some("newest"));
}
