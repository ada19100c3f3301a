//! Locked files that are changed past us: told by webhook, journal and status, each once, and nothing else is.

use axum::http::Method;
use pincite::engine::{Caller, NewKey, NewLock, Surface};
use pincite::ingest::Silent;
use pincite::workspace::Scope;
use serde_json::{Value, json};

use crate::indexed::named;
use crate::keys::Keyed;
use crate::line::until;
use crate::locked::{taken, token};
use crate::webhooks::{OPEN, Receiver, get, hook, served};
use crate::writes::Server;

fn violations(server: &Server) -> Vec<Value> {
    let workspace = server.desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap();
    let told = workspace.status().unwrap().lock_violations;
    told.iter().map(|violation| serde_json::to_value(violation).unwrap()).collect()
}

/// The paths and kinds of violations, oldest first.
fn in_brief(server: &Server) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    violations(server).iter().rev().map(|told| (text(&told["path"]), text(&told["kind"]))).collect()
}

async fn journal(server: &Server) -> Vec<Value> {
    let (status, reply) = get(server, "audit?action=lock.violated").await;
    assert_eq!(status, 200, "{reply}");
    reply["entries"].as_array().unwrap().clone()
}

/// Changes a locked file on disk, and waits until that is told: what was told before it is all that there is.
async fn violate_last(server: &Server) -> Vec<(String, String)> {
    taken(server, json!({ "path": "last.txt", "ttl_s": 600 })).await;
    server.desk.write("last.txt", "the end");
    until("the last violation is told", || in_brief(server).iter().any(|(path, _)| path == "last.txt"));
    let mut told = in_brief(server);
    told.retain(|(path, _)| path != "last.txt");
    told
}

fn pair(path: &str, kind: &str) -> (String, String) {
    (path.to_owned(), kind.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_changed_on_disk_is_told_by_webhook_journal_and_status() {
    let (server, receiver) = (served(OPEN), Receiver::new().await);
    hook(&server, json!({ "url": receiver.url, "events": ["lock.violated"] })).await;
    server.put("notes/a.md", "one", &[]).await;
    let lock = taken(&server, json!({ "path": "notes/a.md", "reason": "rewriting", "ttl_s": 600 })).await;
    server.desk.write("notes/a.md", "somebody else was here");
    until("it is told", || !receiver.got().is_empty());
    let said = receiver.got()[0].said();
    let (data, status) = (&said["data"], violations(&server));
    assert_eq!((&said["type"], &data["path"]), (&json!("lock.violated"), &json!("notes/a.md")), "{said}");
    let told_lock = json!({ "lock_id": lock["lock_id"], "mode": "exclusive", "holder": "this machine's user", "reason": "rewriting", "fence": 1 });
    assert_eq!((&data["lock"], &data["kind"]), (&told_lock, &json!("modified")));
    assert_eq!((status.len(), &status[0]["lock"], &status[0]["revision"]), (1, &told_lock, &data["revision"]));
    let (_, changes) = get(&server, "changes?path=notes/a.md&limit=1").await;
    assert_eq!(changes["changes"][0]["revision"], data["revision"], "it is the change in the log");
    // The journal has it before the message goes.
    let entries = journal(&server).await;
    assert_eq!(
        (entries.len(), &entries[0]["paths"], &entries[0]["revision"]),
        (1, &json!(["notes/a.md"]), &data["revision"])
    );
    let message = entries[0]["message"].as_str().unwrap();
    assert!(message.contains(lock["lock_id"].as_str().unwrap()) && message.contains("rewriting"), "{message}");
    assert_eq!((&entries[0]["surface"], &entries[0]["by"]["kind"]), (&json!("disk"), &json!("unknown")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_holder_writes_and_what_leaves_the_content_is_no_violation() {
    let server = served("");
    server.put("a.md", "one", &[]).await;
    server.put("b.md", "two", &[]).await;
    server.desk.write("before.md", "it was there before it was locked");
    // What nobody has read yet would be another content once it is written again.
    server.found("locked", &json!(server.desk.scan())).await;
    let lock = taken(&server, json!({ "glob": "*.md", "ttl_s": 600 })).await;
    let own = [("pincite-lock-token", token(&lock))];
    // The watch sees each of these while it is made, or after it.
    for number in 0..60 {
        assert_eq!(server.put("a.md", &format!("text {number}"), &own).await.0, 200);
    }
    assert_eq!(server.put("new.md", "new", &own).await.0, 201);
    let moved = json!({ "from": "b.md", "to": "c.md", "lock_token": token(&lock) });
    assert_eq!(server.post("move", moved).await.0, 200);
    assert_eq!(server.delete("c.md", &own).await.0, 200);
    // Touched, and written as it is.
    let touched = server.desk.folder.path().join("a.md");
    fs_err::OpenOptions::new()
        .append(true)
        .open(&touched)
        .unwrap()
        .file()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    server.desk.scan();
    server.desk.write("before.md", "it was there before it was locked");
    server.desk.scan();
    let release = format!("locks/{}/release", lock["lock_id"].as_str().unwrap());
    server.post(&release, json!({ "token": token(&lock) })).await;
    server.desk.write("a.md", "nobody holds it");
    server.desk.scan();
    assert_eq!(violate_last(&server).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_a_renaming_a_new_file_and_a_change_under_the_old_time_are_violations() {
    let server = served("");
    for name in ["gone.md", "from.md", "same.md"] {
        server.put(&format!("r/{name}"), name, &[]).await;
    }
    server.desk.scan();
    taken(&server, json!({ "glob": "r/**", "mode": "shared", "ttl_s": 600 })).await;
    let at = |name: &str| server.desk.folder.path().join("r").join(name);
    fs_err::remove_file(at("gone.md")).unwrap();
    until("the deletion is told", || in_brief(&server).contains(&pair("r/gone.md", "deleted")));
    fs_err::rename(at("from.md"), at("to.md")).unwrap();
    until("the renaming is told", || in_brief(&server).iter().any(|(path, _)| path == "r/to.md"));
    server.desk.write("r/new.md", "new");
    until("the new file is told", || in_brief(&server).contains(&pair("r/new.md", "created")));
    let modified = fs_err::metadata(at("same.md")).unwrap().modified().unwrap();
    fs_err::write(at("same.md"), "SAME.MD").unwrap();
    fs_err::OpenOptions::new().append(true).open(at("same.md")).unwrap().file().set_modified(modified).unwrap();
    until("the change is told", || in_brief(&server).contains(&pair("r/same.md", "modified")));
    let told = violate_last(&server).await;
    let revisions: std::collections::BTreeSet<String> =
        violations(&server).iter().map(|told| told["revision"].to_string()).collect();
    assert_eq!(revisions.len(), told.len() + 1, "each change once: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renaming_that_is_seen_whole_is_a_violation_of_its_kind() {
    let server = served("");
    let (_, written) = server.put("r/from.md", "one", &[]).await;
    // A renaming is told by what is known of the file.
    server.found("one", &written["revision"]).await;
    taken(&server, json!({ "glob": "r/**", "ttl_s": 600 })).await;
    // Nobody looks while one name is there and the other is not.
    let mut server = server;
    server.desk.runner = None;
    let at = |name: &str| server.desk.folder.path().join("r").join(name);
    fs_err::rename(at("from.md"), at("to.md")).unwrap();
    server.desk.scan();
    let mut told = in_brief(&server);
    told.sort();
    assert_eq!(told, [pair("r/from.md", "deleted"), pair("r/to.md", "renamed")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_is_told_once_over_restarts_also_one_of_the_time_between() {
    let server = served("");
    server.put("a.md", "one", &[]).await;
    server.put("b.md", "one", &[]).await;
    server.desk.scan();
    taken(&server, json!({ "glob": "*.md", "ttl_s": 600 })).await;
    let Server { desk, .. } = &server;
    let folder = desk.folder.path().to_owned();
    server.desk.write("a.md", "two");
    until("the first is told", || in_brief(&server) == [pair("a.md", "modified")]);
    let server = server.reopened_after(|| fs_err::write(folder.join("b.md"), "while nobody looked").unwrap());
    until("the second is told", || in_brief(&server) == [pair("a.md", "modified"), pair("b.md", "modified")]);
    let server = server.reopened();
    server.desk.scan();
    assert_eq!(violate_last(&server).await, [pair("a.md", "modified"), pair("b.md", "modified")]);
    until("the journal has all", || server_journal(&server).len() >= 3);
    assert_eq!(server_journal(&server).len(), 3);
}

fn server_journal(server: &Server) -> Vec<Value> {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(journal(server)))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reports_a_change_violates_a_lock_unless_it_is_their_own() {
    let server = served("");
    server.put("a.md", "one", &[]).await;
    let lock = taken(&server, json!({ "path": "a.md", "ttl_s": 600 })).await;
    // Nothing watches: what is told is what the events report.
    let mut server = server;
    server.desk.runner = None;
    for (id, text, num) in [("1", "by the holder", 0), ("2", "by another", 1)] {
        server.desk.write("a.md", text);
        let event = json!({ "events": [{ "id": id, "type": "modified", "path": "a.md" }] }).to_string();
        let mut headers = vec![("content-type", "application/json")];
        headers.extend((id == "1").then(|| ("pincite-lock-token", token(&lock))));
        let (status, reply) = server.send(Method::POST, "events", &headers, event.into()).await;
        assert_eq!(status, 200, "{reply}");
        assert_eq!(in_brief(&server).len(), num, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_told_of_violations_of_files_that_it_sees_and_of_none_without_the_scope() {
    let keyed = Keyed::new(4);
    let local = Caller::local(Surface::CommandLine);
    let workspace = keyed.engine.workspace_at(&named("default"), keyed.folder.path(), &local).unwrap();
    workspace.take_lock(&NewLock { glob: Some("**".to_owned()), ..NewLock::default() }).unwrap();
    for name in ["open/lantern-0.md", "secret/zanzibarquux-0.md"] {
        fs_err::write(keyed.folder.path().join(name), "changed past us").unwrap();
    }
    workspace.index(&Silent).unwrap();
    let open = || vec!["open/**".to_owned()];
    let (read, lock) = (Scope::FilesRead, Scope::Locks);
    let whole = keyed.key(&[read, lock], |key| key);
    let narrowed = keyed.key(&[read, lock], |key| NewKey { path_globs: open(), ..key });
    let reader = keyed.key(&[read], |key| key);
    for (key, num) in [(&whole, 2), (&narrowed, 1), (&reader, 0)] {
        let (_, status) = keyed.json(key, Method::GET, "/v1/workspaces/default/status", None).await;
        assert_eq!(status["lock_violations"].as_array().map_or(0, Vec::len), num, "{status}");
        assert!(num == 2 || !status.to_string().contains("zanzibarquux-0"), "{status}");
    }
    // A command that indexes tells the journal as well.
    let (_, audit) =
        keyed.json(&keyed.admin, Method::GET, "/v1/workspaces/default/audit?action=lock.violated", None).await;
    assert_eq!(audit["entries"].as_array().unwrap().len(), 2, "{audit}");
}
