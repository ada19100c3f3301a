//! What the page shows of those who edit: locks, writers, uploads in work, and writes that met others' writes.

use axum::http::StatusCode;
use pincite::engine::{Caller, EngineError, NewKey, NewLock, Precondition, Surface, Workspace};
use pincite::workspace::{ContentHash, Lock, LockMode, Provenance, Scope};

use crate::browsing::{CANARY, House};
use crate::indexed::named;

/// The workspace as a key with an agent's name has it.
fn as_agent<'a>(house: &'a House, agent: &str) -> Workspace<'a> {
    let scopes = [Scope::FilesRead, Scope::FilesWrite, Scope::Locks].into_iter().collect();
    let new = NewKey { name: "of an agent".to_owned(), scopes, agent: Some(agent.to_owned()), ..NewKey::default() };
    let made = house.engine.create_key(&Caller::local(Surface::CommandLine), &new).unwrap();
    let caller = house.engine.caller_of(&made.secret.parse().unwrap(), Surface::Mcp).unwrap();
    house.engine.workspace(&named("default"), &caller).unwrap()
}

fn lock(workspace: &Workspace<'_>, path: &str, reason: &str) -> Lock {
    let reason = Some(reason.to_owned());
    workspace.take_lock(&NewLock { path: Some(path.parse().unwrap()), reason, ..NewLock::default() }).unwrap()
}

#[tokio::test]
async fn locks_are_shown_with_those_who_wait_and_released_by_holder_and_admin() {
    let house = House::new();
    let (mut admin, _) = house.signed_in(&[Scope::Admin], &[]).await;
    let hostile = "<b onclick=x>'\"&\u{202e}agent";
    let coder = as_agent(&house, hostile);
    let held = lock(&coder, "open/report.md", "rewriting <the> pump");
    let second = as_agent(&house, "second");
    let waits = NewLock { path: Some("open/report.md".parse().unwrap()), wait_ms: 9_000, ..NewLock::default() };
    assert!(matches!(second.take_lock(&waits), Err(EngineError::Locked(_))));
    let shown = admin.shown("/w/default/editing").await;
    assert!(shown.contains("rewriting &lt;the&gt; pump") && !shown.contains("<b onclick"), "{shown}");
    assert!(
        shown.contains(&held.lock_id) && shown.contains("fence 1") && shown.contains("<bdi>second</bdi>"),
        "{shown}"
    );
    assert!(!shown.contains(held.token.as_deref().unwrap()), "a token is shown once");
    let source = admin.shown("/w/default/source/open/report.md").await;
    assert!(source.contains(">locked</a>") && source.contains("rewriting &lt;the&gt; pump"), "{source}");
    let other = admin.shown("/w/default/source/open/list.csv").await;
    assert!(!other.contains(">locked</a>"), "{other}");
    // An admin takes it away after a question, which changes nothing.
    let place = format!("/w/default/editing/locks/{}/break", held.lock_id);
    assert!(admin.shown(&place).await.contains("Take it away"));
    assert!(admin.shown("/w/default/editing").await.contains(&held.lock_id));
    let token = admin.token("/w/default/editing").await;
    let gone = admin.post(&place, &format!("token={token}")).await;
    assert_eq!((gone.status, gone.location()), (StatusCode::SEE_OTHER, "/w/default/editing#locks"));
    assert!(admin.shown("/w/default/editing").await.contains("None is held."));
    assert_eq!(admin.get(&place).await.status, StatusCode::GONE);
    // One's own is released, and nobody else's.
    let (mut writer, made) = house.signed_in(&[Scope::Locks, Scope::FilesWrite, Scope::FilesRead], &[]).await;
    let caller = house.engine.caller_of(&made.secret.parse().unwrap(), Surface::Rest).unwrap();
    let own = lock(&house.engine.workspace(&named("default"), &caller).unwrap(), "open/own.md", "mine");
    let others = lock(&coder, "open/others.md", "theirs");
    let shown = writer.shown("/w/default/editing").await;
    assert!(shown.contains("this is you") && shown.matches(">Release</button>").count() == 1, "{shown}");
    assert!(!shown.contains("/break"), "it is no admin: {shown}");
    let token = writer.token("/w/default/editing").await;
    let release = |id: &str| format!("/w/default/editing/locks/{id}/release");
    let refused = writer.post(&release(&others.lock_id), &format!("token={token}")).await;
    assert_eq!(refused.status, StatusCode::GONE, "{}", refused.html);
    let refused =
        writer.post(&format!("/w/default/editing/locks/{}/break", others.lock_id), &format!("token={token}")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let done = writer.post(&release(&own.lock_id), &format!("token={token}")).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    let shown = writer.shown("/w/default/editing").await;
    assert!(!shown.contains(&own.lock_id) && shown.contains(&others.lock_id), "{shown}");
}

#[tokio::test]
async fn a_key_for_some_files_sees_of_editing_these_alone() {
    let house = House::new();
    let agent = as_agent(&house, "coder-03");
    let shut = format!("shut/{CANARY}.md");
    lock(&agent, &shut, CANARY);
    lock(&agent, "open/report.md", "open");
    agent
        .take_lock(&NewLock { glob: Some(format!("shut/{CANARY}/**")), mode: LockMode::Shared, ..NewLock::default() })
        .unwrap();
    let base = ContentHash::of(b"none");
    for path in [shut.as_str(), "open/list.csv"] {
        let wrong = Precondition::Matches(vec![base]);
        assert!(agent.write_file(&path.parse().unwrap(), b"x", &wrong).is_err());
    }
    agent.begin_multipart(&format!("shut/{CANARY}.bin").parse().unwrap()).unwrap();
    agent.begin_multipart(&"open/big.bin".parse().unwrap()).unwrap();
    let all = [Scope::FilesRead, Scope::Locks, Scope::AuditRead];
    let (mut some, _) = house.signed_in(&all, &["open/**"]).await;
    let shown = some.shown("/w/default/editing").await;
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("open/report.md") && shown.contains("open/big.bin") && shown.contains("refused"), "{shown}");
    assert!(shown.contains("1 lock, 1 upload"), "what it does not see is not counted: {shown}");
    // Who may do less sees less.
    let (mut reader, _) = house.signed_in(&[Scope::FilesRead], &[]).await;
    let shown = reader.shown("/w/default/editing").await;
    assert!(
        !shown.contains("id=\"locks\"") && shown.contains("audit:read") && shown.contains("open/big.bin"),
        "{shown}"
    );
    assert!(!reader.shown("/w/default/source/open/report.md").await.contains(">locked</a>"));
    let (mut searcher, _) = house.signed_in(&[Scope::Search], &[]).await;
    assert!(!searcher.shown("/w/default").await.contains("/w/default/editing"), "it has no right to any of it");
}

#[tokio::test]
async fn conflicts_and_merges_are_shown_with_what_others_had_written() {
    let house = House::new();
    let (one, two) = (as_agent(&house, "one"), as_agent(&house, "two"));
    let path = "open/plan.md".parse().unwrap();
    let text = "# Plan\n\nfirst\n\nmiddle\n\nlast\n";
    let base = one.write_file(&path, text.as_bytes(), &Precondition::Absent).unwrap().content_hash.unwrap();
    let theirs = text.replace("first", "FIRST of two");
    two.write_file(&path, theirs.as_bytes(), &Precondition::Matches(vec![base])).unwrap();
    let ours = text.replace("last", "LAST of one");
    let refused = one.write_file(&path, ours.as_bytes(), &Precondition::Matches(vec![base]));
    assert!(matches!(refused, Err(EngineError::Conflict(_))), "{refused:?}");
    let merged = one.merge_file(&path, ours.as_bytes(), base, &Provenance::default()).unwrap();
    assert!(merged.merged);
    let (mut admin, _) = house.signed_in(&[Scope::Admin], &[]).await;
    let shown = admin.shown("/w/default/editing").await;
    assert!(shown.contains(">refused</span>") && shown.contains(">merged</span>"), "{shown}");
    assert_eq!(shown.matches("+FIRST of two").count(), 2, "what was there, of both: {shown}");
    assert!(!shown.contains("LAST of one"), "what was refused is kept nowhere");
    assert!(shown.contains("<bdi>one</bdi>") && shown.contains("open/plan.md"), "{shown}");
    // Over REST the journal says by hashes what was met.
    let audit = admin.shown("/w/default/audit?action=file.write").await;
    assert!(audit.contains("conflict"), "{audit}");
}

#[tokio::test]
async fn an_upload_is_shown_with_its_bytes_and_aborted_by_an_admin_after_a_question() {
    let house = House::new();
    let agent = as_agent(&house, "uploader");
    let path = "open/big.bin".parse().unwrap();
    let id = agent.begin_multipart(&path).unwrap();
    let mut part = agent.begin_part(&path, &id, 1).unwrap();
    pincite::engine::write_part(&mut part, &[7; 12_345]).unwrap();
    part.finish().unwrap();
    let (mut reader, _) = house.signed_in(&[Scope::FilesRead, Scope::FilesWrite], &[]).await;
    let shown = reader.shown("/w/default/editing").await;
    assert!(
        shown.contains("open/big.bin") && shown.contains("12 KB") && shown.contains("<bdi>uploader</bdi>"),
        "{shown}"
    );
    let place = format!("/w/default/editing/uploads/{id}/abort");
    assert!(!shown.contains(&place));
    let token = reader.token("/limits").await;
    assert_eq!(reader.post(&place, &format!("token={token}")).await.status, StatusCode::FORBIDDEN);
    let (mut admin, _) = house.signed_in(&[Scope::Admin], &[]).await;
    let question = admin.shown(&place).await;
    assert!(question.contains("12 KB have come") && question.contains("uploader"), "{question}");
    let token = admin.token(&place).await;
    let done = admin.post(&place, &format!("token={token}")).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, "/w/default/editing#uploads"), "{}", done.html);
    assert!(!admin.shown("/w/default/editing").await.contains("open/big.bin"));
    assert_eq!(admin.get(&place).await.status, StatusCode::NOT_FOUND);
}
