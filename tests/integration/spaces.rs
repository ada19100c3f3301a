//! Workspaces made, switched off and on, and deleted: what is left, what is found, and that other processes follow.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use pincite::engine::{Caller, Engine, EngineError, Surface};
use pincite::search::{Mode, SearchRequest};
use pincite::serve::{self, Options};
use pincite::store::{Store, StoreError};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::cli::Pincite;
use crate::indexed::named;
use crate::line::{Desk, share, until};

/// Stands in names, titles and texts of what is to be deleted, and nowhere else.
const CANARY: &str = "zanzibarquux";

pub fn router(engine: &Arc<Engine>) -> Router {
    serve::router(Arc::clone(engine), named("default"), &Options::default())
}

pub async fn send(router: &Router, method: Method, uri: &str, body: Option<Value>) -> (u16, Value) {
    let request = Request::builder().method(method).uri(uri).header(header::HOST, "localhost");
    let request = match body {
        Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    let response = router.clone().oneshot(request.unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("{uri}: {}", String::from_utf8_lossy(&bytes))))
}

fn code(reply: &(u16, Value)) -> (u16, &str) {
    (reply.0, reply.1["error"]["code"].as_str().unwrap_or_default())
}

/// Files below a folder whose name or bytes hold the word.
fn holding(folder: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            let bytes = if path.is_file() { fs_err::read(&path).unwrap() } else { Vec::new() };
            let holds = bytes.windows(word.len()).any(|part| part == word.as_bytes());
            if holds || path.file_name().unwrap().to_string_lossy().contains(word) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

fn finds(engine: &Engine, name: &str, words: &str) -> usize {
    let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new(words) };
    engine
        .workspace(&named(name), &Caller::local(Surface::CommandLine))
        .unwrap()
        .search(&request)
        .map_or(0, |reply| reply.hits.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_workspace_leaves_no_trace_and_a_folder_of_its_own_alone() {
    let allowed = tempfile::tempdir().unwrap();
    let own = tempfile::tempdir_in(allowed.path()).unwrap();
    let mut desk = Desk::configured(&format!("[workspaces]\nallowed_roots = [{:?}]\n", allowed.path()));
    desk.run();
    desk.write("stays.md", "A harbour.");
    let rest = router(&desk.engine);
    fs_err::write(own.path().join(format!("{CANARY}.md")), format!("# {CANARY}\n\nOf {CANARY} itself.")).unwrap();
    let made = json!({ "name": format!("own-{CANARY}"), "root": own.path() });
    assert_eq!(send(&rest, Method::POST, "/v1/workspaces", Some(made.clone())).await.0, 201);
    assert_eq!(code(&send(&rest, Method::POST, "/v1/workspaces", Some(made)).await), (409, "workspace_exists"));
    let kept = json!({ "name": format!("kept-{CANARY}") });
    assert_eq!(send(&rest, Method::POST, "/v1/workspaces", Some(kept)).await.0, 201);
    let events = json!({ "events": [
        { "id": CANARY, "type": "created", "path": format!("{CANARY}.md"), "content": format!("# {CANARY} here") },
    ] });
    let uri = format!("/v1/workspaces/kept-{CANARY}");
    assert_eq!(send(&rest, Method::POST, &format!("{uri}/events"), Some(events)).await.0, 200);
    for name in ["own", "kept"] {
        let name = format!("{name}-{CANARY}");
        until("it is found", || finds(&desk.engine, &name, CANARY) == 1);
    }
    until("another one is found", || !desk.found("harbour").is_empty());
    assert!(!holding(desk.data.path(), CANARY).is_empty());

    for name in ["own", "kept"] {
        let uri = format!("/v1/workspaces/{name}-{CANARY}");
        assert_eq!(send(&rest, Method::DELETE, &uri, None).await.0, 200);
        let asked = json!({ "query": CANARY });
        let reply = send(&rest, Method::POST, &format!("{uri}/search"), Some(asked)).await;
        assert_eq!(code(&reply), (404, "unknown_workspace"));
        assert_eq!(code(&send(&rest, Method::DELETE, &uri, None).await), (404, "unknown_workspace"));
    }
    // The audit tells who has done what there, also when the files are gone: it names them, and holds none of their words.
    let (told, rest_of): (Vec<String>, Vec<String>) =
        holding(desk.data.path(), CANARY).into_iter().partition(|file| file.contains("/audit/"));
    assert_eq!(rest_of, Vec::<String>::new());
    let told: String = told.iter().map(|file| fs_err::read_to_string(file).unwrap()).collect();
    assert!(told.contains(&format!("{CANARY}.md")) && !told.contains(&format!("{CANARY} here")), "{told}");
    assert_eq!(holding(own.path(), CANARY).len(), 1, "somebody else's file");
    assert_eq!(desk.found("harbour"), ["stays.md"]);

    // Made again, it is another one.
    let name = format!("kept-{CANARY}");
    let again = json!({ "name": name });
    assert_eq!(send(&rest, Method::POST, "/v1/workspaces", Some(again)).await.0, 201);
    assert_eq!(send(&rest, Method::GET, &format!("{uri}/files"), None).await.1["total"], 0);
    let written = send(&rest, Method::PUT, &format!("{uri}/files/new.md"), Some(json!("A lighthouse."))).await;
    assert_eq!(written.0, 201, "{}", written.1);
    until("what is new is found", || finds(&desk.engine, &name, "lighthouse") == 1);
    assert_eq!(finds(&desk.engine, &name, CANARY), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_over_files_of_another_is_refused() {
    let desk = Desk::running();
    let rest = router(&desk.engine);
    let uri = "/v1/workspaces/kept/files/a.md";
    assert_eq!(send(&rest, Method::POST, "/v1/workspaces", Some(json!({ "name": "kept" }))).await.0, 201);
    assert_eq!(send(&rest, Method::PUT, uri, Some(json!("A secret."))).await.0, 201);
    for below in ["workspaces", "workspaces/kept", "workspaces/kept/files"] {
        let made = json!({ "name": "thief", "root": desk.data.path().join(below) });
        assert_eq!(
            code(&send(&rest, Method::POST, "/v1/workspaces", Some(made)).await),
            (403, "root_not_allowed"),
            "{below}"
        );
    }
    for (body, status) in [
        (json!({ "name": "../up" }), 422),
        (json!({ "name": ".deleted-x" }), 422),
        (json!({ "name": "x", "root": "/no/such/folder" }), 403),
        (json!({ "name": "x", "root": "/" }), 403),
        (json!({ "name": "x", "files": [] }), 422),
        (json!({}), 422),
    ] {
        assert_eq!(send(&rest, Method::POST, "/v1/workspaces", Some(body.clone())).await.0, status, "{body}");
    }
    assert_eq!(desk.engine.workspaces().unwrap().len(), 2);
}

#[test]
fn a_deletion_by_another_process_is_followed_and_a_workspace_of_the_same_name_begins_anew() {
    let desk = Desk::running();
    let second = share(desk.data.path());
    desk.write("a.md", "A harbour.");
    for (round, words) in ["lighthouse", "windmill", "waterfall"].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("same.md"), format!("The {words}.")).unwrap();
        // By turns, the one that indexes and the one that does not.
        let (maker, deleter) = if round % 2 == 0 { (&desk.engine, &second) } else { (&second, &desk.engine) };
        maker.create_workspace(&named("brief"), Some(folder.path())).unwrap();
        for engine in [maker, deleter] {
            until("it is found", || finds(engine, "brief", words) == 1);
            assert_eq!(finds(engine, "brief", "the harbour lighthouse windmill waterfall"), 1);
        }
        deleter.workspace(&named("brief"), &Caller::local(Surface::CommandLine)).unwrap().delete().unwrap();
        assert!(!desk.data.path().join("workspaces/brief").exists());
        for engine in [maker, deleter] {
            let asked = engine
                .workspace(&named("brief"), &Caller::local(Surface::CommandLine))
                .and_then(|brief| brief.search(&SearchRequest::new(words)));
            assert!(matches!(asked, Err(EngineError::Store(StoreError::UnknownWorkspace { .. }))));
        }
    }
    until("the other one is found", || desk.found("harbour") == ["a.md"]);
}

#[test]
fn what_a_crash_left_of_a_deleted_workspace_is_removed_before_its_name_is_used_again() {
    let mut desk = Desk::running();
    desk.write("a.md", "A harbour.");
    desk.scan();
    until("it is found", || !desk.found("harbour").is_empty());
    desk.runner = None;
    let Desk { data, folder, engine, .. } = desk;
    drop(engine);
    // The process died after this, and before it removed anything.
    let store = Store::open(data.path(), true).unwrap();
    store.delete_workspace(&named("default")).unwrap();
    let refused = store.ensure_workspace(&named("default"), None);
    assert!(matches!(refused, Err(StoreError::BeingDeleted { .. })));
    assert!(data.path().join("workspaces/default/postings").exists());
    let engine = share(data.path());
    engine.ensure_workspace(&named("default"), Some(folder.path())).unwrap();
    assert!(!data.path().join("workspaces/default").exists());
    let _runner = engine.run().unwrap();
    until("it is found again", || finds(&engine, "default", "harbour") == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_intelligence_files_are_listed_and_nothing_is_found_until_it_is_on_again() {
    let desk = Desk::running();
    let second = share(desk.data.path());
    desk.write("a.md", "# Quay\n\nThe harbour crane lifts forty tonnes.");
    let id = named("default");
    desk.scan();
    until("it has a vector", || {
        desk.engine.workspace(&id, &Caller::local(Surface::CommandLine)).unwrap().status().unwrap().num_embedded == 1
    });
    let kept = desk.data.path().join("workspaces/default");
    let rows = || {
        let vectors = rusqlite::Connection::open(kept.join("vectors.db")).unwrap();
        vectors.query_row("SELECT count(*) FROM vectors", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let rows_before = rows();
    let rest = router(&second);
    for round in 0..3 {
        let (status, switched) =
            send(&rest, Method::PATCH, "/v1/workspaces/default", Some(json!({ "intelligence": false }))).await;
        assert_eq!((status, &switched["intelligence"]), (200, &json!(false)));
        for engine in [&desk.engine, &second] {
            for mode in [Mode::Lexical, Mode::Dense, Mode::Hybrid] {
                let request = SearchRequest { mode, ..SearchRequest::new("harbour crane") };
                let reply =
                    engine.workspace(&id, &Caller::local(Surface::CommandLine)).unwrap().search(&request).unwrap();
                assert!(reply.hits.is_empty(), "{mode:?}");
                assert!(reply.coverage.notes.iter().any(|note| note.contains("intelligence is off")));
            }
        }
        if round == 0 {
            desk.write("new.md", "A lighthouse.");
        }
        let listed = || {
            let files = second.workspace(&id, &Caller::local(Surface::CommandLine)).unwrap().files(None).unwrap();
            let counts = second.workspace(&id, &Caller::local(Surface::CommandLine)).unwrap().coverage().unwrap().files;
            files.len() == 2 && counts.listed == 2
        };
        until("all files are listed, the new one, too", listed);
        assert!(!kept.join("postings").exists());
        assert!(
            second
                .workspace(&id, &Caller::local(Surface::CommandLine))
                .unwrap()
                .files(None)
                .unwrap()
                .iter()
                .all(|file| file.title.is_none())
        );
        let on = json!({ "intelligence": true });
        assert_eq!(send(&rest, Method::PATCH, "/v1/workspaces/default", Some(on)).await.0, 200);
        until("it is found again by both", || {
            [&desk.engine, &second].iter().all(|engine| finds(engine, "default", "crane") == 1)
        });
        until("it has vectors again", || {
            let status = second.workspace(&id, &Caller::local(Surface::CommandLine)).unwrap().status().unwrap();
            status.num_chunks == 2 && status.num_embedded == status.num_chunks
        });
        assert_eq!(rows(), rows_before + 1, "nothing is embedded twice");
    }
    assert_eq!(
        code(&send(&rest, Method::PATCH, "/v1/workspaces/x", Some(json!({ "intelligence": true }))).await).0,
        404
    );
}

#[test]
fn the_command_line_makes_switches_lists_and_deletes() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.md"), "A harbour.").unwrap();
    let root = folder.path().to_str().unwrap();
    assert_eq!(pincite.run(&["workspace", "create", "quay", "--root", root]).code, 0);
    let again = pincite.run(&["workspace", "create", "quay"]);
    assert!(again.code == 2 && again.err.contains("hint:"), "{}", again.err);
    let search = || pincite.run(&["search", "harbour", "--workspace", "quay"]).code;
    for switch in ["on", "off", "on", "off"] {
        let before = pincite.run(&["workspace", "list", "--json"]).json();
        let switched = pincite.run(&["workspace", "intelligence", "quay", switch]);
        assert_eq!(switched.code, 0, "{}", switched.err);
        let expected = i32::from(switch == "off");
        assert_eq!(search(), expected, "{switch} after {before}");
    }
    let status = pincite.run(&["status", "--workspace", "quay", "--json"]).json();
    assert_eq!((&status["coverage"]["listed"], &status["coverage"]["ready"]), (&json!(1), &json!(0)));
    assert!(pincite.run(&["workspace", "list"]).out.contains("(intelligence off)"));
    assert_eq!(pincite.run(&["workspace", "delete", "quay"]).code, 0);
    assert_eq!(pincite.run(&["workspace", "delete", "quay"]).code, 2);
    assert_eq!(pincite.run(&["workspace", "list", "--json"]).json(), json!({ "workspaces": [] }));
    assert!(!pincite.data.path().join("workspaces/quay").exists() && folder.path().join("a.md").exists());
}
