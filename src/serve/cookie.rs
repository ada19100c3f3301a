//! The cookie in which a browser keeps its session.
//!
//! Browsers send a cookie of a host to all of its ports, so its name holds the port: two servers on one machine do not end each other's
//! sessions.

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue};

use crate::engine::SessionToken;

/// The session that a request comes with. The cookie that only TLS can set goes before the other one.
pub(super) fn session_of(headers: &HeaderMap) -> Option<SessionToken> {
    [true, false].into_iter().find_map(|is_secure| value_of(headers, &name(headers, is_secure))?.parse().ok())
}

/// Keeps a session for so many seconds. No script reads it, and no request that another site causes carries it.
pub(super) fn kept(headers: &HeaderMap, token: &SessionToken, life_s: u64) -> Option<HeaderValue> {
    written(headers, is_secure(headers), token.reveal(), life_s)
}

/// Makes a browser forget its session.
pub(super) fn forgotten(headers: &HeaderMap) -> impl Iterator<Item = HeaderValue> {
    // A browser takes the one of TLS over TLS alone.
    let secure = is_secure(headers).then(|| written(headers, true, "", 0)).flatten();
    secure.into_iter().chain(written(headers, false, "", 0))
}

fn written(headers: &HeaderMap, is_secure: bool, value: &str, life_s: u64) -> Option<HeaderValue> {
    let name = name(headers, is_secure);
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life_s}{secure}");
    let mut written = HeaderValue::try_from(text).ok()?;
    written.set_sensitive(true);
    Some(written)
}

/// Whether the browser sent the form over TLS, also to a proxy before this server: it says so in `Origin`, which every form has.
fn is_secure(headers: &HeaderMap) -> bool {
    headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

fn name(headers: &HeaderMap, is_secure: bool) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let port = host.and_then(|host| host.port_u16()).map(|port| format!("-{port}")).unwrap_or_default();
    format!("{}pincite{port}", if is_secure { "__Host-" } else { "" })
}

/// The value of the first cookie of a name.
fn value_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_session_is_read_under_the_name_of_its_port_and_by_its_form_alone() {
        let token = SessionToken::generate().unwrap();
        let value = token.reveal();
        let read = |host: &str, cookie: &str| session_of(&headers(&[(HOST, host), (COOKIE, cookie)]));
        assert_eq!(read("localhost:7878", &format!("a=b; pincite-7878={value}")), Some(token.clone()));
        assert_eq!(read("search.example", &format!("__Host-pincite={value}")), Some(token.clone()));
        let both = format!("pincite={}; __Host-pincite={value}", "0".repeat(32));
        assert_eq!(read("search.example", &both), Some(token.clone()));
        for other in
            [format!("pincite-7879={value}"), format!("xpincite-7878={value}"), "pincite-7878=short".to_owned()]
        {
            assert_eq!(read("localhost:7878", &other), None, "{other}");
        }
    }

    #[test]
    fn a_cookie_of_tls_is_kept_to_tls() {
        let token = SessionToken::generate().unwrap();
        let plain = headers(&[(HOST, "localhost:7878"), (ORIGIN, "http://localhost:7878")]);
        let tls = headers(&[(HOST, "search.example"), (ORIGIN, "https://search.example")]);
        let text = |headers: &HeaderMap| kept(headers, &token, 60).unwrap().to_str().unwrap().to_owned();
        let value = token.reveal();
        assert_eq!(text(&plain), format!("pincite-7878={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"));
        assert_eq!(
            text(&tls),
            format!("__Host-pincite={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure")
        );
        assert_eq!((forgotten(&plain).count(), forgotten(&tls).count()), (1, 2));
    }
}
