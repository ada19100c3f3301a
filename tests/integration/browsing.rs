//! A browser without a window over a data folder behind keys: what the tests of the page share.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use pincite::engine::{Caller, Engine, MadeKey, NewKey, Surface};
use pincite::ingest::Silent;
use pincite::serve::{self, Options};
use pincite::workspace::Scope;
use tower::ServiceExt as _;

use crate::indexed::{named, open};

pub const HOST: &str = "127.0.0.1:7878";
pub const OWN: &str = "http://127.0.0.1:7878";
/// Stands in names, words, writers, titles, comments and queries of files that one of the keys may not see.
pub const CANARY: &str = "zanzibarquux";

/// A data folder with two folders of files, behind keys.
pub struct House {
    pub engine: Arc<Engine>,
    pub router: Router,
    pub data: tempfile::TempDir,
    _folder: tempfile::TempDir,
}

impl House {
    pub fn new() -> Self {
        Self::configured("")
    }

    pub fn configured(config: &str) -> Self {
        let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs_err::write(data.path().join("config.toml"), config).unwrap();
        let engine = Arc::new(open(data.path()));
        for (path, text) in [
            ("open/report.md", "# The pump\n\nThe pump ran for nine hours without a fault.\n".to_owned()),
            ("open/list.csv", "name,hours\npump,9\n".to_owned()),
            (&format!("shut/{CANARY}.md"), format!("# Pump {CANARY}\n\nThe pump {CANARY} ran for nine hours.\n")),
            (&format!("shut/{CANARY}.csv"), format!("{CANARY},hours\npump {CANARY},9\n")),
            (&format!("shut/{CANARY}/deep.txt"), format!("The pump of {CANARY} is spare.\n")),
            (&format!("shut/{CANARY}.bin"), "\0\u{1}\u{2}".to_owned()),
        ] {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let local = Caller::local(Surface::CommandLine);
        engine.workspace_at(&named("default"), folder.path(), &local).unwrap().index(&Silent).unwrap();
        let router = serve::router(Arc::clone(&engine), named("default"), &Options::default());
        Self { engine, router, data, _folder: folder }
    }

    pub fn key(&self, scopes: &[Scope], globs: &[&str]) -> MadeKey {
        let new = NewKey {
            name: format!("key of {}", scopes.len()),
            scopes: scopes.iter().copied().collect(),
            path_globs: globs.iter().map(|glob| (*glob).to_owned()).collect(),
            ..NewKey::default()
        };
        self.engine.create_key(&Caller::local(Surface::CommandLine), &new).unwrap()
    }

    pub fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), cookie: None }
    }

    /// A browser that is signed in with a new key.
    pub async fn signed_in(&self, scopes: &[Scope], globs: &[&str]) -> (Browser, MadeKey) {
        let made = self.key(scopes, globs);
        let mut browser = self.browser();
        let seen = browser.sign_in(&made.secret, "/").await;
        assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.html);
        (browser, made)
    }

    pub fn store(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.data.path().join("pincite.db")).unwrap()
    }
}

/// Keeps one cookie, as a browser does.
#[derive(Clone)]
pub struct Browser {
    pub router: Router,
    pub cookie: Option<String>,
}

pub struct Seen {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub html: String,
}

impl Seen {
    pub fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }
}

impl Browser {
    pub async fn send(&mut self, request: axum::http::request::Builder, body: String) -> Seen {
        let mut request = request.header(header::HOST, HOST);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        for set in headers.get_all(header::SET_COOKIE) {
            let text = set.to_str().unwrap();
            let pair = text.split(';').next().unwrap();
            self.cookie = (!text.contains("Max-Age=0")).then(|| pair.to_owned());
        }
        Seen { status, headers, html: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub async fn get(&mut self, uri: &str) -> Seen {
        self.send(Request::get(uri), String::new()).await
    }

    pub async fn shown(&mut self, uri: &str) -> String {
        let seen = self.get(uri).await;
        assert_eq!(seen.status, StatusCode::OK, "{uri}: {} {}", seen.location(), seen.html);
        seen.html
    }

    pub async fn post(&mut self, uri: &str, form: &str) -> Seen {
        let request = Request::post(uri).header(header::ORIGIN, OWN).header("sec-fetch-site", "same-origin");
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.header(header::ACCEPT, "text/html"), form.to_owned()).await
    }

    pub async fn sign_in(&mut self, secret: &str, next: &str) -> Seen {
        self.post("/sign-in", &format!("key={secret}&next={}", coded(next))).await
    }

    /// A token of the forms of a page.
    pub async fn token(&mut self, uri: &str) -> String {
        let html = self.shown(uri).await;
        html.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}

/// A value of a form or a URL's query.
pub fn coded(text: &str) -> String {
    text.bytes().fold(String::new(), |coded, byte| format!("{coded}%{byte:02x}"))
}
