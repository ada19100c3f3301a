//! Workspaces that are handed over: claimed once, and owned by the key that the claim makes.

use axum::http::Method;
use pincite::engine::NewKey;
use pincite::workspace::Scope;
use serde_json::{Value, json};

use crate::cli::Pincite;
use crate::indexed::named;
use crate::keys::Keyed;

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_handed_over_once_and_the_givers_keep_what_was_left_to_them() {
    for keep in ["editor", "none"] {
        let keyed = Keyed::new(0);
        let base = "/v1/workspaces/default";
        let giver = keyed.key(&[Scope::Admin], |key| NewKey { workspaces: Some(vec![named("default")]), ..key });
        let body = json!({ "keep": keep });
        let (status, offered) = keyed.json(&giver, Method::POST, &format!("{base}/transfer"), Some(&body)).await;
        assert_eq!(status, 201, "{offered}");
        let claim = json!({ "token": offered["token"], "name": "Ada" });
        let (status, _, text) = keyed.send(None, Method::POST, "/v1/claims", Some(&claim)).await;
        assert_eq!(status, 201, "{text}");
        let claimed: Value = serde_json::from_str(&text).unwrap();
        let owner = claimed["secret"].as_str().unwrap().to_owned();
        assert_eq!((&claimed["workspace"], &claimed["keep"]), (&json!("default"), &json!(keep)));
        assert_eq!(keyed.send(None, Method::POST, "/v1/claims", Some(&claim)).await.0, 404, "once");

        let search = json!({ "query": "lantern" });
        let asked = |key: String| {
            let (keyed, search) = (&keyed, &search);
            async move {
                let found = keyed.json(&key, Method::POST, &format!("{base}/search"), Some(search)).await.0;
                let listed = keyed.json(&key, Method::GET, "/v1/workspaces", None).await.1;
                let offers = keyed.json(&key, Method::GET, &format!("{base}/transfer"), None).await.0;
                (found, listed["workspaces"].as_array().unwrap().len(), offers)
            }
        };
        let left = if keep == "editor" { (200, 1, 403) } else { (404, 0, 404) };
        for former in [&giver, &keyed.admin] {
            assert_eq!(asked(former.clone()).await, left, "{keep}");
            let id = claimed["key"]["id"].as_str().unwrap();
            let (status, _) = keyed.json(former, Method::DELETE, &format!("/v1/keys/{id}"), None).await;
            assert_eq!(status, 404, "the owner's key is nobody else's to revoke");
            let made = json!({ "name": "back in", "scopes": ["admin"], "workspaces": ["default"] });
            let (status, made) = keyed.json(former, Method::POST, "/v1/keys", Some(&made)).await;
            assert_eq!(status, 201, "{made}");
            assert_eq!(
                asked(made["secret"].as_str().unwrap().to_owned()).await,
                left,
                "a new key is none of the owner's"
            );
        }
        assert_eq!(asked(owner.clone()).await, (200, 1, 200));
        // What the owner makes, and what takes the place of the owner's key, is the owner's.
        let child = json!({ "name": "helper", "scopes": ["search", "admin"] });
        let (_, child) = keyed.json(&owner, Method::POST, "/v1/keys", Some(&child)).await;
        assert_eq!(asked(child["secret"].as_str().unwrap().to_owned()).await, (200, 1, 200));
        let id = claimed["key"]["id"].as_str().unwrap();
        let (_, rotated) = keyed.json(&owner, Method::POST, &format!("/v1/keys/{id}/rotate"), Some(&json!({}))).await;
        for key in [owner, rotated["secret"].as_str().unwrap().to_owned()] {
            assert_eq!(asked(key).await, (200, 1, 200));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_are_bounded_withdrawn_and_refused_without_keys() {
    let keyed = Keyed::new(0);
    let uri = "/v1/workspaces/default/transfer";
    let mut tokens = Vec::new();
    for _ in 0..5 {
        let (status, offered) = keyed.json(&keyed.admin, Method::POST, uri, Some(&json!({}))).await;
        assert_eq!(status, 201, "{offered}");
        tokens.push(offered["token"].clone());
    }
    let (status, reply) = keyed.json(&keyed.admin, Method::POST, uri, Some(&json!({}))).await;
    assert_eq!((status, &reply["error"]["code"]), (409, &json!("too_many_transfers")), "{reply}");
    for ttl_s in [59, 2_592_001] {
        assert_eq!(keyed.json(&keyed.admin, Method::POST, uri, Some(&json!({ "ttl_s": ttl_s }))).await.0, 400);
    }
    let (_, listed) = keyed.json(&keyed.admin, Method::GET, uri, None).await;
    let offers = listed["transfers"].as_array().unwrap();
    assert_eq!(offers.len(), 5);
    assert!(!listed.to_string().contains("claim_"), "{listed}");
    let newest = offers[0]["id"].as_u64().unwrap();
    assert_eq!(keyed.json(&keyed.admin, Method::DELETE, &format!("{uri}/{newest}"), None).await.0, 200);
    assert_eq!(keyed.json(&keyed.admin, Method::DELETE, &format!("{uri}/{newest}"), None).await.0, 404);
    for token in [&tokens[4], &json!("claim_x"), &json!("")] {
        let claim = json!({ "token": token });
        assert_eq!(keyed.send(None, Method::POST, "/v1/claims", Some(&claim)).await.0, 404, "{token}");
    }
    assert_eq!(keyed.send(None, Method::POST, "/v1/claims", Some(&json!({ "token": tokens[0] }))).await.0, 201);
    let other = keyed.send(None, Method::POST, "/v1/claims", Some(&json!({ "token": tokens[1] }))).await;
    assert_eq!(other.0, 404, "a claim ends all other offers");

    let pincite = Pincite::words_alone();
    assert_eq!(pincite.run(&["workspace", "create", "notes"]).code, 0);
    let ran = pincite.run(&["workspace", "transfer", "notes"]);
    assert!(ran.code != 0 && ran.err.contains("no key was made"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_ends_with_the_key_that_made_it() {
    let keyed = Keyed::new(0);
    let giver = keyed.key(&[Scope::Admin], |key| key);
    let uri = "/v1/workspaces/default/transfer";
    let (_, offered) = keyed.json(&giver, Method::POST, uri, Some(&json!({}))).await;
    let id = giver.split('_').nth(1).unwrap();
    assert_eq!(keyed.json(&keyed.admin, Method::DELETE, &format!("/v1/keys/{id}"), None).await.0, 200);
    let claim = json!({ "token": offered["token"] });
    assert_eq!(keyed.send(None, Method::POST, "/v1/claims", Some(&claim)).await.0, 404);
    let (_, listed) = keyed.json(&keyed.admin, Method::GET, uri, None).await;
    assert_eq!(listed["transfers"], json!([]));
}
