//! The reviewers' page behind keys: sessions that are stolen, fixed, forged or over; and what each key does not see.

use axum::http::{Method, Request, StatusCode, header};
use pincite::engine::{Caller, KeyPatch, Surface};
use pincite::search::{Mode, SearchRequest};
use pincite::workspace::{Decision, NewVerdict, Scope};

use crate::browsing::{Browser, CANARY, House, OWN, coded};
use crate::indexed::named;

/// A page without the tokens of its forms, which are others each time.
fn unstamped(html: &str) -> String {
    let mut pieces = html.split("name=\"token\" value=\"");
    let first = pieces.next().unwrap().to_owned();
    pieces.fold(first, |page, piece| page + piece.split_once('"').unwrap().1)
}

#[tokio::test]
async fn without_keys_the_page_works_as_before_and_sets_no_cookie() {
    let house = House::new();
    let mut browser = house.browser();
    browser.cookie = Some(format!("pincite-7878={}", "a".repeat(32)));
    for uri in ["/w/default", "/w/default?q=pump", "/keys", "/sign-in", "/w/default/settings"] {
        let seen = browser.get(uri).await;
        assert_eq!(seen.status, StatusCode::OK, "{uri}: {}", seen.html);
        assert!(seen.headers.get(header::SET_COOKIE).is_none(), "{uri}");
        assert!(!seen.html.contains("name=\"token\"") && !seen.html.contains("Sign out"), "{uri}");
    }
    let switched = browser.post("/w/default/settings", "intelligence=off").await;
    assert_eq!(switched.status, StatusCode::SEE_OTHER, "{}", switched.html);
    let refused = browser.sign_in(&"x".repeat(54), "/").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.headers.get(header::SET_COOKIE).is_none());
}

#[tokio::test]
async fn the_first_key_is_made_on_the_page_and_shuts_it() {
    let house = House::new();
    let mut browser = house.browser();
    let made = browser.post("/keys", "name=first&scope=admin&days=30").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.html);
    assert_eq!(made.headers[header::CACHE_CONTROL], "no-store");
    let at = made.html.find("pin_").unwrap();
    let secret = made.html[at..at + 54].to_owned();
    assert_eq!(browser.get("/w/default?q=a").await.location(), "/sign-in?next=%2Fw%2Fdefault%3Fq%3Da");
    let mut signed = house.browser();
    assert_eq!(signed.sign_in(&secret, "/w/default?q=a").await.location(), "/w/default?q=a");
    let list = signed.shown("/keys").await;
    assert!(list.contains("first") && list.contains("this browser") && !list.contains(&secret), "{list}");
}

#[tokio::test]
async fn a_page_without_a_session_leads_to_the_form_and_everything_else_is_refused() {
    let house = House::new();
    house.key(&[Scope::Admin], &[]);
    let mut browser = house.browser();
    assert_eq!(browser.get("/").await.location(), "/sign-in");
    for uri in ["/w/default/files?state=unread", "/w/default/download/open/list.csv", "/keys", "/w/nowhere"] {
        let seen = browser.get(uri).await;
        assert_eq!(
            (seen.status, seen.location()),
            (StatusCode::SEE_OTHER, &*format!("/sign-in?next={}", coded_as_link(uri)))
        );
    }
    for (uri, form) in [("/w/default/settings", "intelligence=off"), ("/sign-out", ""), ("/keys", "name=a&scope=admin")]
    {
        let seen = browser.post(uri, form).await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{uri}");
        assert!(
            seen.headers.contains_key(header::WWW_AUTHENTICATE) && seen.html.contains("/sign-in"),
            "{uri}: {}",
            seen.html
        );
    }
    // Parts of a page, which a form would not replace, and programs.
    for (name, value) in [("sec-fetch-dest", "empty"), ("sec-fetch-dest", "image")] {
        let seen = browser.send(Request::get("/w/default/complete?word=t").header(name, value), String::new()).await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{value}");
        assert!(seen.html.starts_with("{\"error\""), "{}", seen.html);
    }
    for uri in ["/sign-in", "/livez"] {
        browser.shown(uri).await;
    }
    let style = browser.shown("/sign-in").await;
    let style = style.split("\"/assets/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    browser.shown(&format!("/assets/{style}")).await;
}

fn coded_as_link(uri: &str) -> String {
    uri.chars()
        .map(
            |c| {
                if c.is_ascii_alphanumeric() || "-_.~".contains(c) {
                    c.to_string()
                } else {
                    format!("%{:02X}", c as u32)
                }
            },
        )
        .collect()
}

#[tokio::test]
async fn a_link_of_another_site_is_opened_by_a_page_of_this_one() {
    let house = House::new();
    house.key(&[Scope::Admin], &[]);
    let mut browser = house.browser();
    let from = |site: &str, mode: &str| {
        let request = Request::get("/w/default?q=%22%3E%3Cscript%3E").header("sec-fetch-site", site);
        request.header("sec-fetch-mode", mode).header("sec-fetch-dest", "document")
    };
    let seen = browser.send(from("cross-site", "navigate"), String::new()).await;
    assert_eq!(seen.status, StatusCode::OK);
    assert!(
        seen.html.contains("http-equiv=\"refresh\" content=\"0;url=/w/default?q=%22%3E%3Cscript%3E\""),
        "{}",
        seen.html
    );
    assert!(!seen.html.contains("pump"));
    // From there it comes again, and from there on leads to the form.
    assert_eq!(browser.send(from("same-origin", "navigate"), String::new()).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_counts_for_the_page_alone_and_a_key_in_a_url_for_nothing() {
    let house = House::new();
    let (mut browser, made) = house.signed_in(&[Scope::Admin], &[]).await;
    browser.shown("/w/default?q=pump").await;
    for uri in
        ["/v1/workspaces", "/v1/keys", "/v1/workspaces/default/files", "/metrics", "/openapi.json", "/mcp", "/nothing"]
    {
        let seen = browser.get(uri).await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{uri}: {}", seen.html);
    }
    for method in [Method::PUT, Method::DELETE] {
        let request =
            Request::builder().method(method).uri("/v1/workspaces/default/files/a.md").header(header::ORIGIN, OWN);
        assert_eq!(browser.send(request, "words".to_owned()).await.status, StatusCode::UNAUTHORIZED);
    }
    // The session's secret is no key, and neither is a key a session.
    let value = browser.cookie.clone().unwrap().split('=').nth(1).unwrap().to_owned();
    let mut other = house.browser();
    let bearer = Request::get("/v1/workspaces").header(header::AUTHORIZATION, format!("Bearer {value}"));
    assert_eq!(other.send(bearer, String::new()).await.status, StatusCode::UNAUTHORIZED);
    for cookie in [format!("pincite-7878={}", made.secret), format!("pincite-7879={value}"), format!("pincite={value}")]
    {
        other.cookie = Some(cookie.clone());
        assert_eq!(other.get("/w/default").await.status, StatusCode::SEE_OTHER, "{cookie}");
    }
    other.cookie = None;
    assert_eq!(other.get(&format!("/w/default?key={}", made.secret)).await.status, StatusCode::SEE_OTHER);
    // A program may use the page with its key as well.
    let bearer = Request::get("/w/default").header(header::AUTHORIZATION, format!("Bearer {}", made.secret));
    assert_eq!(other.send(bearer, String::new()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_is_new_at_each_sign_in_kept_from_scripts_and_stored_as_a_hash() {
    let house = House::new();
    let made = house.key(&[Scope::Admin], &[]);
    let mut browser = house.browser();
    let planted = format!("pincite-7878={}", "a".repeat(32));
    browser.cookie = Some(planted.clone());
    let seen = browser.sign_in(&made.secret, "/").await;
    let set = seen.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Domain") && !set.starts_with(&planted), "{set}");
    let first = browser.cookie.clone().unwrap();
    let mut thief = house.browser();
    thief.cookie = Some(planted);
    assert_eq!(thief.get("/w/default").await.status, StatusCode::SEE_OTHER, "a planted session is none");
    browser.sign_in(&made.secret, "/").await;
    assert_ne!(browser.cookie.as_ref(), Some(&first));
    thief.cookie = Some(first);
    assert_eq!(thief.get("/w/default").await.status, StatusCode::SEE_OTHER, "the former session ends");
    let value = browser.cookie.clone().unwrap().split('=').nth(1).unwrap().to_owned();
    for entry in fs_err::read_dir(house.data.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs_err::read(&path).unwrap();
            assert!(!bytes.windows(value.len()).any(|window| window == value.as_bytes()), "{}", path.display());
        }
    }
    // Over TLS, which the browser tells of in the form's origin.
    let request = Request::post("/sign-in").header(header::ORIGIN, "https://127.0.0.1:7878");
    let seen = house.browser().send(request, format!("key={}", made.secret)).await;
    let set = seen.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("__Host-pincite-7878=") && set.ends_with("; Secure"), "{set}");
}

#[tokio::test]
async fn wrong_keys_get_no_session_and_are_not_told_apart_or_shown() {
    let house = House::new();
    let (made, revoked) = (house.key(&[Scope::Admin], &[]), house.key(&[Scope::Search], &[]));
    house.engine.revoke_key(&Caller::local(Surface::CommandLine), &revoked.key.id).unwrap();
    let mut browser = house.browser();
    // As a key that never was.
    let other = House::new().key(&[Scope::Admin], &[]);
    let mut told = Vec::new();
    for wrong in [&revoked.secret, &other.secret] {
        let seen = browser.sign_in(wrong, "/w/default").await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
        assert!(seen.headers.get(header::SET_COOKIE).is_none() && !seen.html.contains(wrong.as_str()), "{}", seen.html);
        told.push(seen.html);
    }
    assert_eq!(told[0], told[1]);
    for wrong in ["", "pin_", &made.secret[1..], "%00", &"x".repeat(100_000)] {
        let seen = browser.sign_in(wrong, "/").await;
        assert!(seen.status.is_client_error(), "{}", seen.status);
        assert!(browser.cookie.is_none());
    }
    // Another site's form signs nobody in.
    for origin in [Some("http://evil.example"), Some("null"), None] {
        let mut request = Request::post("/sign-in");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let seen = browser.send(request, format!("key={}", made.secret)).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{origin:?}");
        assert!(browser.cookie.is_none());
    }
}

#[tokio::test]
async fn a_sign_in_leads_nowhere_else() {
    let house = House::new();
    let made = house.key(&[Scope::Admin], &[]);
    for evil in [
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "https://evil.example/",
        "https:evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
        "/%0d%0a\r\nSet-Cookie: a=b",
    ] {
        let seen = house.browser().sign_in(&made.secret, evil).await;
        assert_eq!((seen.status, seen.location()), (StatusCode::SEE_OTHER, "/"), "{evil:?}");
        let form = house.browser().shown(&format!("/sign-in?next={}", coded(evil))).await;
        assert!(form.contains("name=\"next\" value=\"/\"") && !form.contains("evil.example"), "{evil:?}: {form}");
    }
    let seen = house.browser().sign_in(&made.secret, "/w/default/c/00/1-2?path=a").await;
    assert_eq!(seen.location(), "/w/default/c/00/1-2?path=a");
}

#[tokio::test]
async fn a_form_is_taken_in_its_own_session_alone() {
    let house = House::new();
    let (mut own, _) = house.signed_in(&[Scope::Admin], &[]).await;
    let (mut other, _) = house.signed_in(&[Scope::Admin], &[]).await;
    let token = own.token("/w/default/settings").await;
    assert_ne!(token, own.token("/w/default/settings").await, "a page's length tells nothing of it");
    let foreign = other.token("/w/default/settings").await;
    let session = own.cookie.clone().unwrap().split('=').nth(1).unwrap().to_owned();
    let cut = &token[..token.len() - 1];
    for wrong in [
        "",
        "token=",
        &format!("token={foreign}"),
        &format!("token={cut}"),
        &format!("token={session}"),
        &format!("token={foreign}&token={token}"),
    ] {
        for (uri, form) in [
            ("/w/default/settings", "intelligence=off"),
            ("/keys", "name=a&scope=admin"),
            ("/sign-out", ""),
            ("/w/default/check", "text=a"),
        ] {
            let seen = own.post(uri, &format!("{form}&{wrong}")).await;
            assert!(
                seen.status == StatusCode::FORBIDDEN || seen.status == StatusCode::BAD_REQUEST,
                "{uri} {wrong}: {}",
                seen.status
            );
        }
    }
    // The right token does not make up for another origin.
    let request =
        Request::post("/w/default/settings").header("sec-fetch-site", "same-site").header(header::ORIGIN, OWN);
    let seen = own.send(request, format!("intelligence=off&token={token}")).await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    assert_eq!(
        own.post("/w/default/settings", &format!("intelligence=off&token={token}")).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn a_session_ends_with_its_key_with_its_time_and_when_somebody_signs_out() {
    let house = House::new();
    let local = Caller::local(Surface::CommandLine);
    // Its key is revoked, in another process as well.
    let (mut browser, made) = house.signed_in(&[Scope::Admin], &[]).await;
    browser.shown("/w/default").await;
    let other = pincite::engine::Engine::open(crate::indexed::options(
        house.data.path(),
        pincite::engine::Access::Share,
        "another process",
    ))
    .unwrap();
    other.revoke_key(&local, &made.key.id).unwrap();
    assert_eq!(browser.get("/w/default").await.status, StatusCode::SEE_OTHER);
    // Its key is over, or the session itself.
    let hours = |num: i64| jiff::Timestamp::now().as_millisecond() - num * 3_600_000;
    for (table, change) in [
        ("keys", format!("expires_ms = {}", hours(0))),
        ("sessions", format!("ends_ms = {}", hours(0))),
        ("sessions", format!("seen_ms = {}", hours(12))),
    ] {
        let (mut browser, made) = house.signed_in(&[Scope::Admin], &[]).await;
        browser.shown("/w/default").await;
        let column = if table == "keys" { "id" } else { "key" };
        let sql = format!("UPDATE {table} SET {change} WHERE {column} = '{}'", made.key.id);
        assert_eq!(house.store().execute(&sql, []).unwrap(), 1);
        assert_eq!(browser.get("/w/default").await.status, StatusCode::SEE_OTHER, "{change}");
    }
    // One that is in use goes on.
    let (mut browser, made) = house.signed_in(&[Scope::Admin], &[]).await;
    let sql = format!("UPDATE sessions SET seen_ms = {} WHERE key = '{}'", hours(11), made.key.id);
    house.store().execute(&sql, []).unwrap();
    browser.shown("/w/default").await;
    let seen: i64 = house
        .store()
        .query_row(&format!("SELECT seen_ms FROM sessions WHERE key = '{}'", made.key.id), [], |row| row.get(0))
        .unwrap();
    assert!(seen > hours(1));
    // Signed out, also for whoever has a copy of the cookie.
    let mut thief = browser.clone();
    let token = browser.token("/w/default/settings").await;
    let seen = browser.post("/sign-out", &format!("token={token}")).await;
    assert_eq!((seen.status, seen.location()), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(browser.cookie.is_none());
    assert_eq!(thief.get("/w/default").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_key_that_is_narrowed_narrows_its_sessions() {
    let house = House::new();
    let (mut browser, made) = house.signed_in(&[Scope::FilesRead, Scope::Search], &[]).await;
    assert!(browser.shown("/w/default/files").await.contains("shut/"));
    let patch = KeyPatch {
        path_globs: Some(vec!["open/**".to_owned()]),
        scopes: Some([Scope::FilesRead].into_iter().collect()),
        ..KeyPatch::default()
    };
    house.engine.change_key(&Caller::local(Surface::CommandLine), &made.key.id, &patch).unwrap();
    assert!(!browser.shown("/w/default/files").await.contains("shut/"));
    let refused = browser.get("/w/default?q=pump").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.html.contains("the scope `search`"), "{}", refused.html);
}

#[tokio::test]
async fn the_oldest_sessions_of_a_key_give_way_to_new_ones() {
    let house = House::new();
    let (made, other) = (house.key(&[Scope::Admin], &[]), house.key(&[Scope::Admin], &[]));
    let mut beside = house.browser();
    beside.sign_in(&other.secret, "/").await;
    let mut browsers = Vec::new();
    for number in 0..22 {
        let mut browser = house.browser();
        browser.sign_in(&made.secret, "/").await;
        // Sessions of one millisecond would be in no order.
        let sql =
            format!("UPDATE sessions SET seen_ms = seen_ms - {} WHERE seen_ms >= begun_ms", 1_000 * (30 - number));
        house.store().execute(&sql, []).unwrap();
        browsers.push(browser);
    }
    let mut are_in = Vec::new();
    for browser in &mut browsers {
        are_in.push(browser.get("/w/default").await.status == StatusCode::OK);
    }
    assert_eq!(are_in.iter().filter(|is_in| **is_in).count(), 20, "{are_in:?}");
    assert!(!are_in[0] && are_in[21], "{are_in:?}");
    beside.shown("/w/default").await;
}

/// Every view of a workspace, and what each of them leads to.
fn views() -> Vec<String> {
    let views = [
        "",
        "?q=pump",
        "?q=pump&sort=time",
        "?q=hours&ask=1",
        "?q=pump&path=shut/**",
        "/answer?q=How+long+did+the+pump+run%3F",
        "/answer?q=How+long+did+the+pump+run%3F&whole=1",
        "/answer?q=Summarize+the+recent+outputs&whole=1",
        "/answer?q=List+all+files&whole=1",
        "/activity",
        "/activity?path=shut/**",
        "/files",
        "/files?folder=shut/",
        "/files?state=unsupported",
        "/files?state=unread",
        "/status",
        "/verdicts",
        "/verdicts/export?format=csv",
        "/verdicts/export?format=json",
        "/settings",
        "/check",
        "/complete?word=path:",
        "/complete?word=path:s",
        "/complete?word=agent:",
        "/complete?word=type:",
        "/source/open/report.md?at=12-40",
    ];
    views.iter().map(|view| format!("/w/default{view}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_some_files_sees_no_sign_of_the_others_in_any_view() {
    let house = House::new();
    let local = Caller::local(Surface::CommandLine);
    let workspace = house.engine.workspace(&named("default"), &local).unwrap();
    let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new(CANARY) };
    let citation = workspace.search(&request).unwrap().hits[0].citation.clone();
    let verdict = NewVerdict {
        citation: citation.clone(),
        decision: Decision::Accept,
        comment: Some(format!("about {CANARY}")),
        query: Some(CANARY.to_owned()),
        by: Some(CANARY.to_owned()),
    };
    workspace.judge(&verdict).unwrap();
    let (path, hash, span) = (&citation.path, citation.content_hash, citation.span);
    let reading = [Scope::FilesRead, Scope::FilesWrite, Scope::Search, Scope::Ask];
    let (mut narrow, _) = house.signed_in(&reading, &["open/**"]).await;
    let (mut wide, _) = house.signed_in(&reading, &[]).await;
    let mut is_there = 0;
    for uri in views() {
        let (seen, all) = (narrow.get(&uri).await, wide.get(&uri).await);
        assert_eq!((seen.status, all.status), (StatusCode::OK, StatusCode::OK), "{uri}: {}", seen.html);
        is_there += usize::from(all.html.contains(CANARY));
        assert!(!seen.html.contains(CANARY) && !seen.html.contains("shut/\""), "{uri}: {}", seen.html);
    }
    assert!(is_there >= 10, "the other key sees them in {is_there} views");
    // By name, a file that may not be seen is one that is not there.
    let named: Vec<String> = [
        format!("/w/default/source/{path}"),
        format!("/w/default/source/{path}?at=0-9"),
        format!("/w/default/image/{path}"),
        format!("/w/default/download/{path}"),
        format!("/w/default/page/1/{path}"),
    ]
    .into();
    for uri in named {
        let none = uri.replace(CANARY, "neverwasone");
        let (seen, absent) = (narrow.get(&uri).await, narrow.get(&none).await);
        assert_eq!(seen.status, absent.status, "{uri}");
        assert_eq!(unstamped(&seen.html.replace(CANARY, "neverwasone")), unstamped(&absent.html), "{uri}");
    }
    let cited = format!("/w/default/c/{hash}/{}-{}", span.start, span.end);
    let none = format!("/w/default/c/{}/{}-{}", "0".repeat(64), span.start, span.end);
    let (seen, absent) = (narrow.get(&cited).await, narrow.get(&none).await);
    assert_eq!(seen.status, absent.status, "{}", seen.html);
    assert!(!seen.html.contains(CANARY) && wide.get(&cited).await.html.contains(CANARY));
    // Which words stand at the span is not told by a guess either.
    let guess = format!("{cited}?path={path}&quote={}", coded(&citation.quote));
    let wrong = format!("{cited}?path={path}&quote=other+words+than+these");
    let badge =
        |html: &str| html.split("class=\"badge\">").nth(1).map(|rest| rest.split('<').next().unwrap().to_owned());
    assert_eq!(badge(&narrow.get(&guess).await.html), badge(&narrow.get(&wrong).await.html));
    assert_eq!(badge(&wide.get(&guess).await.html).as_deref(), Some("valid"));
    let token = narrow.token("/w/default/check").await;
    let pasted = format!("token={token}&text={}", coded(&serde_json::to_string(&citation).unwrap()));
    let checked = narrow.post("/w/default/check", &pasted).await;
    assert!(checked.status.is_success() && !checked.html.contains(">valid<"), "{}", checked.html);
    // Its verdict can be neither withdrawn nor repeated.
    assert_eq!(
        narrow.post("/w/default/verdicts/1/withdraw", &format!("token={token}")).await.status,
        StatusCode::NOT_FOUND
    );
    let judged = format!("token={token}&path={path}&hash={hash}&at={}-{}&decision=accept", span.start, span.end);
    assert!(narrow.post("/w/default/verdicts", &judged).await.status.is_client_error());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_what_it_may_do_and_nothing_else() {
    let house = House::new();
    let (mut reader, _) = house.signed_in(&[Scope::FilesRead], &[]).await;
    let (mut seeker, _) = house.signed_in(&[Scope::Search], &[]).await;
    let (mut asker, _) = house.signed_in(&[Scope::Ask], &[]).await;
    let (mut admin, _) = house.signed_in(&[Scope::Admin], &[]).await;
    // A link to the workspace leads to a view that there is.
    assert_eq!(reader.get("/w/default").await.location(), "/w/default/activity");
    let settings = reader.shown("/w/default/settings").await;
    assert!(
        !settings.contains("Switch off") && !settings.contains(">Check<") && !settings.contains("href=\"/keys\""),
        "{settings}"
    );
    assert!(admin.shown("/w/default/settings").await.contains("Switch off"));
    let source = reader.shown("/w/default/source/open/report.md?at=12-40").await;
    assert!(source.contains("class=\"quote\"") && !source.contains("class=\"judge\""), "{source}");
    assert!(admin.shown("/w/default/source/open/report.md?at=12-40").await.contains("class=\"judge\""));
    let found = seeker.shown("/w/default?q=pump&open=open/report.md&at=12-40").await;
    assert!(
        found.contains("report.md")
            && !found.contains("/source/")
            && !found.contains("/activity")
            && !found.contains("name=\"ask\""),
        "{found}"
    );
    let waiting = asker.shown("/w/default?q=How+long+did+the+pump+run%3F&ask=1").await;
    assert!(waiting.contains("data-answer=") && !waiting.contains(">Search</button>"), "{waiting}");
    let answer = asker.shown("/w/default/answer?q=How+long+did+the+pump+run%3F&whole=1").await;
    assert!(answer.contains("open/list.csv") && !answer.contains("/c/") && !answer.contains("/source/"), "{answer}");
    for (mut browser, uri, scope) in [
        (reader.clone(), "/w/default?q=pump", "search"),
        (reader.clone(), "/w/default/answer?q=pump&whole=1", "ask"),
        (reader.clone(), "/w/default/check", "search"),
        (reader.clone(), "/keys", "keys"),
        (seeker.clone(), "/w/default/files", "files:read"),
        (seeker.clone(), "/w/default/download/open/report.md", "files:read"),
        (asker.clone(), "/w/default/status", "files:read"),
    ] {
        let seen = browser.get(uri).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{uri}: {}", seen.html);
        assert!(
            seen.html.contains(&format!("the scope `{scope}`")) && seen.html.contains("<h1"),
            "{uri}: {}",
            seen.html
        );
    }
    let token = reader.token("/w/default/settings").await;
    for (uri, form) in [
        ("/w/default/settings", "intelligence=off"),
        ("/keys", "name=a&scope=search"),
        ("/w/default/verdicts/1/withdraw", ""),
    ] {
        assert_eq!(reader.post(uri, &format!("{form}&token={token}")).await.status, StatusCode::FORBIDDEN, "{uri}");
    }
}

#[tokio::test]
async fn keys_are_made_narrowed_replaced_and_revoked_on_the_page() {
    let house = House::new();
    let (mut admin, own) = house.signed_in(&[Scope::Admin], &[]).await;
    let token = admin.token("/keys").await;
    let form = format!(
        "name=%3Cb%3Ewriter&scope=search&scope=files:write&workspaces=default%0D%0A&globs=open/**%0D%0A*.md&agent=nightly&days=7&token={token}"
    );
    let made = admin.post("/keys", &form).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.html);
    assert!(made.html.contains("files:write, search") && !made.html.contains("<b>writer"), "{}", made.html);
    let at = made.html.find("pin_").unwrap();
    let secret = made.html[at..at + 54].to_owned();
    let id = secret.split('_').nth(1).unwrap().to_owned();
    let one = admin.shown(&format!("/keys/{id}")).await;
    assert!(one.contains("open/**") && one.contains("nightly") && !one.contains(&secret), "{one}");
    // Unchanged fields change nothing; fewer rights are kept; more are refused.
    let same = format!("name=%3Cb%3Ewriter&scope=search&scope=files:write&workspaces=default&token={token}");
    assert_eq!(admin.post(&format!("/keys/{id}"), &same).await.status, StatusCode::SEE_OTHER);
    let fewer = format!("name=seeker&scope=search&workspaces=default&globs=open/report.md&token={token}");
    assert_eq!(admin.post(&format!("/keys/{id}"), &fewer).await.status, StatusCode::SEE_OTHER);
    let more = format!("name=seeker&scope=search&scope=admin&workspaces=default&token={token}");
    assert_eq!(admin.post(&format!("/keys/{id}"), &more).await.status, StatusCode::FORBIDDEN);
    let one = admin.shown(&format!("/keys/{id}")).await;
    assert!(one.contains("seeker") && one.contains("open/report.md") && one.contains("nightly"), "{one}");
    let rotated = admin.post(&format!("/keys/{id}/rotate"), &format!("overlap_s=0&token={token}")).await;
    assert_eq!(rotated.status, StatusCode::CREATED, "{}", rotated.html);
    assert_eq!(house.browser().sign_in(&secret, "/").await.status, StatusCode::UNAUTHORIZED);
    let at = rotated.html.find("pin_").unwrap();
    let secret = rotated.html[at..at + 54].to_owned();
    let mut seeker = house.browser();
    assert_eq!(seeker.sign_in(&secret, "/").await.status, StatusCode::SEE_OTHER);
    let id = secret.split('_').nth(1).unwrap().to_owned();
    let asked = admin.shown(&format!("/keys/{}/revoke", own.key.id)).await;
    assert!(asked.contains("This browser is signed in with it") && asked.contains(&id), "{asked}");
    assert_eq!(admin.post(&format!("/keys/{id}/revoke"), &format!("token={token}")).await.location(), "/keys");
    assert_eq!(seeker.get("/w/default").await.status, StatusCode::SEE_OTHER);
    assert!(admin.shown("/keys?ended=1").await.contains("revoked"));
    for uri in ["/keys/nothing0", "/keys/%2e%2e", "/keys/nothing0/revoke"] {
        assert_eq!(admin.get(uri).await.status, StatusCode::NOT_FOUND, "{uri}");
    }
    for wrong in ["days=x", "days=0", "days=400", "workspaces=NO+NAME%21", "scope=all", "globs=%5B"] {
        let seen = admin.post("/keys", &format!("name=a&scope=search&{wrong}&token={token}")).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{wrong}: {}", seen.html);
    }
}

#[tokio::test]
async fn a_key_that_makes_keys_handles_those_within_itself_alone() {
    let house = House::new();
    let wide = house.key(&[Scope::Admin], &[]);
    let (mut maker, _) = house.signed_in(&[Scope::Keys, Scope::Search], &["open/**"]).await;
    let list = maker.shown("/keys").await;
    assert!(
        !list.contains(&wide.key.id) && !list.contains("value=\"admin\"") && list.contains("value=\"search\""),
        "{list}"
    );
    let token = maker.token("/keys").await;
    for (uri, form) in [
        (format!("/keys/{}", wide.key.id), "name=x&scope=admin"),
        (format!("/keys/{}/rotate", wide.key.id), "overlap_s=0"),
        (format!("/keys/{}/revoke", wide.key.id), ""),
    ] {
        assert_eq!(maker.post(&uri, &format!("{form}&token={token}")).await.status, StatusCode::NOT_FOUND, "{uri}");
    }
    assert_eq!(maker.get(&format!("/keys/{}", wide.key.id)).await.status, StatusCode::NOT_FOUND);
    let wider = maker.post("/keys", &format!("name=a&scope=admin&token={token}")).await;
    assert_eq!(wider.status, StatusCode::FORBIDDEN, "{}", wider.html);
    assert_eq!(maker.post("/keys", &format!("name=a&scope=search&token={token}")).await.status, StatusCode::CREATED);
    assert!(house.browser().sign_in(&wide.secret, "/").await.status.is_redirection(), "it holds still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_handed_over_by_a_link_that_is_claimed_once() {
    let house = House::new();
    let (mut giver, _) = house.signed_in(&[Scope::Admin], &[]).await;
    let (mut reader, _) = house.signed_in(&[Scope::FilesRead], &[]).await;
    assert!(!reader.shown("/w/default/settings").await.contains("Hand over"));
    let token = giver.token("/w/default/settings").await;
    let offer = async |giver: &mut Browser, keep: &str| {
        let seen = giver.post("/w/default/transfer", &format!("keep={keep}&ttl_s=3600&token={token}")).await;
        assert_eq!(seen.status, StatusCode::CREATED, "{}", seen.html);
        let at = seen.html.find(&format!("{OWN}/claim?token=")).unwrap();
        seen.html[at + OWN.len()..].split('<').next().unwrap().to_owned()
    };
    for wrong in ["", "keep=all", "keep=editor&ttl_s=1"] {
        let seen = giver.post("/w/default/transfer", &format!("{wrong}&token={token}")).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    // One that is taken back claims nothing.
    let link = offer(&mut giver, "editor").await;
    let mut owner = house.browser();
    assert!(owner.shown(&link).await.contains("Claim default"));
    let settings = giver.shown("/w/default/settings").await;
    assert!(!settings.contains("claim_"), "{settings}");
    let id = settings.split("/transfer/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let back = giver.post(&format!("/w/default/transfer/{id}/withdraw"), &format!("token={token}")).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.html);
    assert_eq!(owner.get(&link).await.status, StatusCode::NOT_FOUND);
    // Looking at an offer claims nothing, and neither does another site.
    let link = offer(&mut giver, "editor").await;
    let secret = link.split('=').nth(1).unwrap().to_owned();
    owner.shown(&link).await;
    owner.shown(&link).await;
    let foreign = Request::post("/claim").header(header::ORIGIN, "http://evil.example");
    assert_eq!(owner.send(foreign, format!("token={secret}")).await.status, StatusCode::FORBIDDEN);
    let claimed = owner.post("/claim", &format!("token={secret}&name=Ada")).await;
    assert_eq!(claimed.status, StatusCode::CREATED, "{}", claimed.html);
    assert!(claimed.html.contains("pin_") && owner.cookie.is_some(), "{}", claimed.html);
    assert!(owner.shown("/w/default/settings").await.contains("Switch off"));
    assert_eq!(house.browser().post("/claim", &format!("token={secret}")).await.status, StatusCode::NOT_FOUND);
    // The giver is an editor there now, and is shown no more than that.
    let settings = giver.shown("/w/default/settings").await;
    assert!(!settings.contains("Switch off") && !settings.contains("Hand over"), "{settings}");
    giver.shown("/w/default?q=pump").await;
    assert_eq!(
        giver.post("/w/default/settings", &format!("intelligence=off&token={token}")).await.status,
        StatusCode::FORBIDDEN
    );
    // And nothing of it is there for anybody else, once the owner hands it over so.
    let token = owner.token("/w/default/settings").await;
    let seen = owner.post("/w/default/transfer", &format!("keep=none&token={token}")).await;
    let at = seen.html.find("/claim?token=").unwrap();
    let secret = seen.html[at + "/claim?token=".len()..].split('<').next().unwrap().to_owned();
    house.browser().post("/claim", &format!("token={secret}")).await;
    for browser in [&mut giver, &mut owner, &mut reader] {
        assert_eq!(browser.get("/w/default").await.status, StatusCode::NOT_FOUND);
        assert!(!browser.get("/").await.html.contains("/w/default"));
    }
}
