//! Locks over REST: who gets one, who writes, what a lost one is worth, and that nothing of it is lost in a restart.

use std::sync::Arc;

use axum::http::Method;
use pincite::workspace::Scope;
use serde_json::{Value, json};

use crate::keys::Keyed;
use crate::writes::{Server, code};

pub async fn taken(server: &Server, request: Value) -> Value {
    let (status, lock) = server.post("locks", request).await;
    assert_eq!(status, 201, "{lock}");
    lock
}

pub fn token(lock: &Value) -> &str {
    lock["token"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_holder_writes_what_is_locked() {
    let server = Server::running();
    server.put("a.md", "one", &[]).await;
    server.put("b.md", "free", &[]).await;
    let lock = taken(&server, json!({ "path": "a.md", "reason": "rewriting", "ttl_s": 60 })).await;
    assert_eq!((&lock["fence"], &lock["heartbeat_every_s"]), (&json!(1), &json!(20)), "{lock}");
    let own = [("pincite-lock-token", token(&lock))];
    for refused in [
        server.put("a.md", "two", &[]).await,
        server.delete("a.md", &[]).await,
        server.post("edit", json!({ "path": "a.md", "append": "x" })).await,
        server.post("move", json!({ "from": "a.md", "to": "c.md" })).await,
        server.post("copy", json!({ "from": "b.md", "to": "a.md", "overwrite": true })).await,
        server.post("locks", json!({ "path": "a.md" })).await,
        server.post("locks", json!({ "glob": "*.md", "mode": "shared" })).await,
    ] {
        assert_eq!(code(&refused), (423, "locked"), "{}", refused.1);
        let error = &refused.1["error"];
        assert_eq!((&error["reason"], &error["place"]), (&json!("rewriting"), &json!(1)), "{error}");
        assert!(error["holder"].is_string() && error["expires_at"].is_string(), "{error}");
        assert!((1..=5).contains(&error["retry_after_s"].as_u64().unwrap()));
    }
    assert_eq!(server.on_disk("a.md").as_deref(), Some("one"));
    assert_eq!(server.put("b.md", "others", &[]).await.0, 200, "others are free");
    assert_eq!(server.put("a.md", "two", &own).await.0, 200);
    let edit = json!({ "path": "a.md", "append": "three", "lock_token": token(&lock) });
    assert_eq!(server.post("edit", edit).await.0, 200);
    let (_, list) = server.send(Method::GET, "locks", &[], Vec::new()).await;
    assert_eq!(list["locks"][0]["path"], "a.md");
    assert!(list["locks"][0].get("token").is_none(), "a token is told once: {list}");
    let place = format!("locks/{}/release", lock["lock_id"].as_str().unwrap());
    let release = |token: &str| server.post(&place, json!({ "token": token }));
    assert_eq!(release("lck_wrong").await.1["was_held"], false);
    assert_eq!(release(token(&lock)).await.1["was_held"], true);
    assert_eq!(release(token(&lock)).await.1["was_held"], false, "to release twice is no error");
    // The token of a lock that is lost writes nothing, also where nobody holds the file.
    assert_eq!(code(&server.put("a.md", "late", &own).await), (412, "fenced"));
    let extend = format!("locks/{}/extend", lock["lock_id"].as_str().unwrap());
    assert_eq!(code(&server.post(&extend, json!({ "token": token(&lock) })).await), (410, "lock_lost"));
    assert_eq!(server.put("a.md", "four", &[]).await.0, 200);
    let next = taken(&server, json!({ "path": "a.md" })).await;
    assert_eq!(next["fence"], 2, "fences rise");
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_locks_stand_beside_each_other_and_nobody_writes() {
    let server = Server::running();
    server.put("r/a.md", "one", &[]).await;
    let first = taken(&server, json!({ "glob": "r/**", "mode": "shared" })).await;
    let second = taken(&server, json!({ "path": "r/a.md", "mode": "shared" })).await;
    assert_eq!(code(&server.post("locks", json!({ "path": "r/a.md" })).await), (423, "locked"));
    assert_eq!(code(&server.put("r/a.md", "x", &[("pincite-lock-token", token(&second))]).await), (423, "locked"));
    assert_eq!(code(&server.put("r/new.md", "x", &[]).await), (423, "locked"), "a glob covers files to come");
    for lock in [&first, &second] {
        let release = format!("locks/{}/release", lock["lock_id"].as_str().unwrap());
        assert_eq!(server.post(&release, json!({ "token": token(lock) })).await.0, 200);
    }
    assert_eq!(server.put("r/a.md", "x", &[]).await.0, 200);
    let wrong = [
        json!({}),
        json!({ "path": "a", "glob": "b" }),
        json!({ "path": "a", "ttl_s": 9 }),
        json!({ "path": "a", "ttl_s": 3_601 }),
        json!({ "path": "a", "wait_ms": 30_001 }),
        json!({ "path": "a", "reason": "r".repeat(501) }),
    ];
    for request in wrong {
        assert_eq!(code(&server.post("locks", request.clone()).await), (400, "invalid_lock"), "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_the_lock_in_the_order_of_coming() {
    let server = Arc::new(Server::running());
    let first = taken(&server, json!({ "path": "a.md" })).await;
    let order: Arc<std::sync::Mutex<Vec<u64>>> = Arc::default();
    let mut waiting = Vec::new();
    for number in 0..3_u64 {
        let (own, order) = (Arc::clone(&server), Arc::clone(&order));
        waiting.push(tokio::spawn(async move {
            let lock = taken(&own, json!({ "path": "a.md", "wait_ms": 30_000 })).await;
            order.lock().unwrap().push(number);
            let release = format!("locks/{}/release", lock["lock_id"].as_str().unwrap());
            own.post(&release, json!({ "token": token(&lock) })).await;
            lock["fence"].as_u64().unwrap()
        }));
        // The next one comes when this one stands in line: one who only asks is told its place behind all who wait.
        loop {
            let (_, reply) = server.post("locks", json!({ "path": "a.md" })).await;
            if reply["error"]["place"].as_u64() == Some(number + 2) {
                break;
            }
        }
    }
    let release = format!("locks/{}/release", first["lock_id"].as_str().unwrap());
    server.post(&release, json!({ "token": token(&first) })).await;
    let mut fences = Vec::new();
    for task in waiting {
        fences.push(task.await.unwrap());
    }
    assert_eq!((order.lock().unwrap().clone(), fences), (vec![0, 1, 2], vec![2, 3, 4]));
    // A wait that is over leaves nothing behind.
    let held = taken(&server, json!({ "path": "a.md" })).await;
    assert_eq!(code(&server.post("locks", json!({ "path": "a.md", "wait_ms": 1 })).await), (423, "locked"));
    let (_, reply) = server.post("locks", json!({ "path": "a.md" })).await;
    assert_eq!(reply["error"]["place"], 1, "{held} {reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_survive_a_restart_and_so_do_fences() {
    let server = Server::running();
    let lock = taken(&server, json!({ "path": "a.md", "ttl_s": 600 })).await;
    let server = server.reopened();
    assert_eq!(code(&server.put("a.md", "x", &[]).await), (423, "locked"));
    assert_eq!(server.put("a.md", "x", &[("pincite-lock-token", token(&lock))]).await.0, 201);
    let extend = format!("locks/{}/extend", lock["lock_id"].as_str().unwrap());
    let (status, extended) = server.post(&extend, json!({ "token": token(&lock), "ttl_s": 3_600 })).await;
    assert_eq!(status, 200);
    assert!(extended["expires_at"].as_str() > lock["expires_at"].as_str(), "{extended}");
    let (_, broken) =
        server.send(Method::DELETE, &format!("locks/{}", lock["lock_id"].as_str().unwrap()), &[], Vec::new()).await;
    assert_eq!(broken["was_held"], true);
    assert_eq!(code(&server.put("a.md", "y", &[("pincite-lock-token", token(&lock))]).await), (412, "fenced"));
    let server = server.reopened();
    assert_eq!(taken(&server, json!({ "path": "a.md" })).await["fence"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_with_a_lock_of_its_own_leaves_none() {
    let server = Server::running();
    let write = json!({ "path": "a.md", "content": "x", "lock": true });
    assert_eq!(server.post("write", write.clone()).await.0, 200);
    let (_, list) = server.send(Method::GET, "locks", &[], Vec::new()).await;
    assert_eq!(list["locks"], json!([]));
    let wrong = json!({ "path": "a.md", "content": "x", "lock": true, "if_match": "absent" });
    assert_eq!(code(&server.post("write", wrong).await), (412, "conflict"));
    let (_, list) = server.send(Method::GET, "locks", &[], Vec::new()).await;
    assert_eq!(list["locks"], json!([]), "also where the write is refused");
    taken(&server, json!({ "path": "a.md" })).await;
    assert_eq!(code(&server.post("write", write).await), (423, "locked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_locks_and_sees_locks_of_its_own_files_alone() {
    let keyed = Keyed::new(1);
    let scopes = [Scope::Locks, Scope::FilesWrite, Scope::FilesRead];
    let narrow = keyed.key(&scopes, |key| pincite::engine::NewKey { path_globs: vec!["open/**".to_owned()], ..key });
    let base = "/v1/workspaces/default/locks";
    let take = async |key: &str, request: Value| keyed.json(key, Method::POST, base, Some(&request)).await;
    assert_eq!(take(&narrow, json!({ "path": "secret/x.md" })).await.0, 403);
    assert_eq!(take(&narrow, json!({ "glob": "**" })).await.0, 403);
    assert_eq!(take(&keyed.admin, json!({ "path": "secret/x.md" })).await.0, 201);
    let (status, own) = take(&narrow, json!({ "path": "open/a.md" })).await;
    assert_eq!(status, 201, "{own}");
    let (_, list) = keyed.json(&narrow, Method::GET, base, None).await;
    assert_eq!(list["locks"].as_array().unwrap().len(), 1, "{list}");
    let id = own["lock_id"].as_str().unwrap();
    assert_eq!(keyed.json(&narrow, Method::DELETE, &format!("{base}/{id}"), None).await.0, 403, "force needs admin");
    // The name of the key stands for its holder.
    let (_, refused) = take(&keyed.admin, json!({ "path": "open/a.md" })).await;
    assert_eq!(refused["error"]["holder"], "of a test", "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_holds_as_many_locks_as_it_may() {
    let server = Server::over(crate::line::Desk::configured("[limits]\nlocks = 2\n"));
    for path in ["a.md", "b.md"] {
        taken(&server, json!({ "path": path })).await;
    }
    assert_eq!(code(&server.post("locks", json!({ "path": "c.md" })).await), (409, "too_many_locks"));
}
