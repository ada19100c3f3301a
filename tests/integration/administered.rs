//! What the page shows to those who look after a workspace: the audit, webhooks and limits.

use axum::http::StatusCode;
use pincite::workspace::Scope;

use crate::browsing::{CANARY, House, coded};

/// Where the only report says how long the pump ran, in bytes.
const QUOTE: &str = "open/report.md#12-30";

#[tokio::test]
async fn the_audit_says_who_has_seen_a_quote() {
    let house = House::new();
    let (mut admin, _) = house.signed_in(&[Scope::Admin], &[]).await;
    let source = admin.shown("/w/default/source/open/list.csv?at=0-4").await;
    let link = source.split("href=\"").find(|link| link.contains("/audit?cited=")).unwrap().split('"').next().unwrap();
    assert_eq!(link, format!("/w/default/audit?cited={}", "open%2Flist.csv%230-4"));
    // The admin has just seen the whole text beside it.
    let seen = admin.shown(link).await;
    assert!(seen.contains("Who has seen this") && seen.contains("key of 1"), "{seen}");
    let unseen = admin.shown(&format!("/w/default/audit?cited={}", coded(QUOTE))).await;
    assert!(unseen.contains("has no reply that showed a part of it"), "{unseen}");
    let (mut reader, made) = house.signed_in(&[Scope::Search, Scope::FilesRead], &[]).await;
    reader.shown("/w/default?q=fault").await;
    let seen = admin.shown(&format!("/w/default/audit?cited={}", coded(QUOTE))).await;
    assert!(seen.contains(&made.key.id) && seen.contains("<code>search</code>"), "{seen}");
    assert!(seen.contains("href=\"/w/default/source/open/report.md?at="), "a place leads to the file: {seen}");
    let others = admin.shown("/w/default/audit?action=search&result=failure").await;
    assert!(others.contains("Nothing in the journal fits"), "{others}");
    let of_all = admin.shown("/audit?action=key").await;
    assert!(of_all.contains("key.create") && of_all.contains("pincite audit verify --head"), "{of_all}");
    for uri in ["/w/default/audit?since=yesterday", "/w/default/audit?result=maybe", "/w/default/audit?cursor=last"] {
        let seen = admin.get(uri).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{uri}: {}", seen.html);
    }
    let future = admin.shown("/w/default/audit?since=2999-01-01").await;
    assert!(future.contains("No entries"), "{future}");
    let past = admin.shown("/w/default/audit?until=2001-01-01&path=**").await;
    assert!(past.contains("No entries"), "{past}");
}

#[tokio::test]
async fn the_audit_tells_a_key_for_some_files_of_these_alone() {
    let house = House::new();
    let (mut admin, _) = house.signed_in(&[Scope::Admin], &[]).await;
    assert!(admin.shown("/w/default?q=spare").await.contains(CANARY));
    let (mut some, _) = house.signed_in(&[Scope::AuditRead, Scope::FilesRead, Scope::Search], &["open/**"]).await;
    some.shown("/w/default?q=pump").await;
    let shown = some.shown("/w/default/audit").await;
    assert!(shown.contains("open/report.md") && !shown.contains(CANARY), "{shown}");
    let cited = format!("/w/default/audit?cited={}", coded(&format!("shut/{CANARY}.md")));
    let seen = some.shown(&cited).await;
    assert!(!seen.contains("<code>search</code>"), "{seen}");
    assert!(!seen.contains("href=\"/audit\""), "the journal of all is not for it");
    assert_eq!(some.get("/audit").await.status, StatusCode::FORBIDDEN);
    assert!(admin.shown("/w/default/audit").await.contains("href=\"/audit\""));
}

#[tokio::test]
async fn what_a_key_may_not_do_is_neither_offered_nor_done() {
    let house = House::new();
    let (mut reader, _) = house.signed_in(&[Scope::FilesRead, Scope::Search], &[]).await;
    let page = reader.shown("/w/default/files").await;
    for place in ["/w/default/audit", "/w/default/webhooks", "/audit", "/keys"] {
        assert!(!page.contains(&format!("href=\"{place}\"")), "{place}");
        assert_eq!(reader.get(place).await.status, StatusCode::FORBIDDEN, "{place}");
    }
    let token = reader.token("/limits").await;
    assert!(!token.is_empty());
    for place in ["webhooks", "webhooks/1", "webhooks/1/test", "webhooks/1/delete", "webhooks/1/deliveries/1/replay"] {
        let form = format!("url=https%3A%2F%2Fexample.org&enabled=on&token={token}");
        let seen = reader.post(&format!("/w/default/{place}"), &form).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{place}: {}", seen.html);
    }
}

#[tokio::test]
async fn webhooks_are_made_tried_changed_and_deleted_on_the_page() {
    let house = House::configured("[webhooks]\nallow_networks = ['127.0.0.0/8']\n");
    let (mut browser, _) = house.signed_in(&[Scope::Webhooks, Scope::FilesRead], &[]).await;
    let token = browser.token("/w/default/webhooks").await;
    let refused = browser.post("/w/default/webhooks", &format!("url=http%3A%2F%2F10.0.0.1%2F&token={token}")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.html);
    let no_form = browser.post("/w/default/webhooks", "url=http%3A%2F%2F127.0.0.1%3A9%2F").await;
    assert_eq!(no_form.status, StatusCode::FORBIDDEN, "{}", no_form.html);
    let form = format!(
        "url={}&event=file.ready&event=file.deleted&globs={}&agents=coder&token={token}",
        coded("http://127.0.0.1:9/hook"),
        coded("open/**\r\n*.csv\r\n")
    );
    let made = browser.post("/w/default/webhooks", &form).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.html);
    let secret = made.html.split("whsec_").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let list = browser.shown("/w/default/webhooks").await;
    assert!(list.contains("http://127.0.0.1:9/hook") && list.contains("file.deleted, file.ready"), "{list}");
    let one = browser.shown("/w/default/webhooks/1").await;
    assert!(one.contains("open/**  *.csv") && one.contains("coder") && !one.contains(&secret), "{one}");
    // A test waits for its try: it can be sent at once, and stands among those that wait.
    let sent = browser.post("/w/default/webhooks/1/test", &format!("token={token}")).await;
    assert_eq!((sent.status, sent.location()), (StatusCode::SEE_OTHER, "/w/default/webhooks/1?#deliveries"));
    for (state, is_there) in [("", true), ("pending", true), ("delivered", false)] {
        let shown = browser.shown(&format!("/w/default/webhooks/1?state={state}")).await;
        assert_eq!(shown.contains("webhook.test"), is_there, "{state}: {shown}");
    }
    assert_eq!(browser.get("/w/default/webhooks/1?state=lost").await.status, StatusCode::BAD_REQUEST);
    let again = browser.post("/w/default/webhooks/1/deliveries/1/replay", &format!("token={token}")).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.html);
    let rotated = browser.post("/w/default/webhooks/1/rotate", &format!("overlap_s=3600&token={token}")).await;
    assert_eq!(rotated.status, StatusCode::CREATED);
    assert!(rotated.html.contains("whsec_") && !rotated.html.contains(&secret), "{}", rotated.html);
    let form = format!("url={}&token={token}", coded("http://127.0.0.1:9/other"));
    assert_eq!(browser.post("/w/default/webhooks/1", &form).await.status, StatusCode::SEE_OTHER);
    let off = browser.post("/w/default/webhooks/1/switch", &format!("enabled=off&token={token}")).await;
    assert_eq!(off.status, StatusCode::SEE_OTHER);
    let one = browser.shown("/w/default/webhooks/1").await;
    for words in ["127.0.0.1:9/other", "all events", "switched off by request", "Switch on"] {
        assert!(one.contains(words), "{words}: {one}");
    }
    assert!(browser.shown("/w/default/webhooks/1/delete").await.contains("Keep it"));
    let gone = browser.post("/w/default/webhooks/1/delete", &format!("token={token}")).await;
    assert_eq!(gone.location(), "/w/default/webhooks");
    assert_eq!(browser.get("/w/default/webhooks/1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn limits_say_what_is_left_and_of_hidden_files_nothing() {
    let house = House::configured("[limits]\nworkspace_files = 100\n");
    let mut nobody = house.browser();
    assert!(nobody.shown("/limits").await.contains("Nothing bounds requests from this machine"));
    let (mut admin, made) = house.signed_in(&[Scope::Admin], &[]).await;
    let shown = admin.shown("/limits").await;
    for words in ["Bytes written today", "Waits for a revision", "Requests;", "href=\"/w/default/status\"", ">94<"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.contains(&made.key.id));
    let (mut some, _) = house.signed_in(&[Scope::FilesRead], &["open/**"]).await;
    let shown = some.shown("/limits").await;
    assert!(shown.contains("not told") && !shown.contains(">94<"), "{shown}");
    let (mut asker, _) = house.signed_in(&[Scope::Ask], &[]).await;
    assert!(!asker.shown("/limits").await.contains("Room in workspaces"));
}
