//! Signatures of requests that write, as Standard Webhooks has them.
//!
//! Signed is `ID.TIMESTAMP.BODY`, with HMAC-SHA256; the header holds `v1,BASE64`, several of them separated by spaces while keys are
//! being changed. The key is one of the method and the path: HMAC-SHA256 of `METHOD PATH` under the key of `whsec_…`. So what is signed
//! for one workspace and route is worth nothing at another, and libraries for Standard Webhooks sign with the key as their secret.
//!
//! Source: Standard Webhooks specification 1.0, "Signature scheme".

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

use super::error::ApiError;
use crate::config::Events;

type Code = Hmac<Sha256>;

/// The signature of a request whose body is still to come.
pub(super) struct Signature {
    code: Code,
    /// What it may be.
    tags: Vec<Vec<u8>>,
}

impl Signature {
    /// The signature of an event, where there is a secret.
    pub(super) fn of(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        rules: &Events,
    ) -> Result<Option<Self>, ApiError> {
        let Some(secret) = rules.key() else { return Ok(None) };
        let key = key_of(&secret, method, uri.path());
        Self::begin(&key, headers, rules.tolerance_s, Timestamp::now()).map(Some)
    }

    /// The signature of anything else that writes, where everything is to be signed.
    pub(super) fn of_write(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        rules: &Events,
    ) -> Result<Option<Self>, ApiError> {
        if rules.sign_all_writes { Self::of(method, uri, headers, rules) } else { Ok(None) }
    }

    /// Reads the headers, and refuses a signature that is missing or too old.
    fn begin(key: &[u8], headers: &HeaderMap, tolerance_s: u64, now: Timestamp) -> Result<Self, ApiError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(id), Some(timestamp), Some(signatures)) =
            (text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"))
        else {
            return Err(refused(
                "the request is not signed",
                "send `webhook-id`, `webhook-timestamp` and `webhook-signature`",
            ));
        };
        let Some(at) = timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()) else {
            return Err(refused("`webhook-timestamp` is no time", "give whole seconds since 1970"));
        };
        let apart = now.duration_since(at).unsigned_abs().as_secs();
        if apart > tolerance_s {
            let message = format!("the signature's time is {apart} seconds from now");
            return Err(refused(&message, "sign it anew, and set both clocks; `events.tolerance_s` is the limit"));
        }
        let tag = |signature: &str| STANDARD.decode(signature.strip_prefix("v1,")?).ok();
        let tags = signatures.split(' ').filter_map(tag).collect();
        let mut code = code_of(key);
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b"."] {
            code.update(part);
        }
        Ok(Self { code, tags })
    }

    /// Takes what comes next of the body.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.code.update(bytes);
    }

    /// Checks the signature, where there has to be one, when `rest` is the end of the body.
    pub(super) fn check_whole(signature: Option<Self>, rest: &[u8]) -> Result<(), ApiError> {
        let Some(mut signature) = signature else { return Ok(()) };
        signature.update(rest);
        // In a time that does not tell how much of it is right.
        if signature.tags.iter().any(|tag| signature.code.clone().verify_slice(tag).is_ok()) {
            return Ok(());
        }
        Err(refused(
            "the signature does not match the request",
            "sign `ID.TIMESTAMP.BODY` with the key of this route: HMAC-SHA256 of `METHOD PATH` under the key of `events.secret`",
        ))
    }
}

/// The key that requests of one route are signed with.
fn key_of(secret: &[u8], method: &Method, path: &str) -> Vec<u8> {
    let mut code = code_of(secret);
    code.update(format!("{method} {path}").as_bytes());
    code.finalize().into_bytes().to_vec()
}

fn code_of(key: &[u8]) -> Code {
    Code::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn refused(message: &str, hint: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "bad_signature", message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the specification's own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn checked(id: &str, at: &str, signature: &str, body: &[u8], seconds_later: i64) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", id.parse().unwrap());
        headers.insert("webhook-timestamp", at.parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        let now = Timestamp::from_second(AT.parse::<i64>().unwrap() + seconds_later).unwrap();
        let rules = Events { secret: Some(SECRET.to_owned()), ..Events::default() };
        let begun = Signature::begin(&rules.key().unwrap(), &headers, 300, now);
        begun.and_then(|signature| Signature::check_whole(Some(signature), body)).is_ok()
    }

    #[test]
    fn the_signature_of_the_specifications_example_is_right() {
        assert!(checked(ID, AT, SIGNATURE, BODY, 0));
        assert!(checked(ID, AT, &format!("v1,AAAA v2,xyz {SIGNATURE}"), BODY, 0), "one of several is enough");
        assert!(checked(ID, AT, SIGNATURE, BODY, 300) && checked(ID, AT, SIGNATURE, BODY, -300));
    }

    #[test]
    fn whatever_is_changed_the_signature_is_wrong() {
        assert!(!checked("msg_other", AT, SIGNATURE, BODY, 0));
        assert!(!checked(ID, "1614265331", SIGNATURE, BODY, 0));
        assert!(!checked(ID, AT, SIGNATURE, b"{}", 0));
        assert!(!checked(ID, AT, SIGNATURE, BODY, 301) && !checked(ID, AT, SIGNATURE, BODY, -301), "too old, too new");
        for signature in ["", "v1,", "v1,AAAA", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "v1,not base64!"] {
            assert!(!checked(ID, AT, signature, BODY, 0), "{signature}");
        }
        assert!(!checked(ID, "soon", SIGNATURE, BODY, 0));
    }

    #[test]
    fn a_request_without_a_signature_passes_only_where_none_is_asked_for() {
        let passes = |secret: Option<&str>, sign_all_writes, is_event| {
            let rules = Events { secret: secret.map(str::to_owned), sign_all_writes, ..Events::default() };
            let (uri, headers) = (Uri::from_static("/v1/workspaces/a/events"), HeaderMap::new());
            let of = if is_event { Signature::of } else { Signature::of_write };
            of(&Method::POST, &uri, &headers, &rules).is_ok()
        };
        assert!(passes(None, false, true) && passes(None, false, false) && passes(Some(SECRET), false, false));
        assert!(!passes(Some(SECRET), false, true) && !passes(Some(SECRET), true, false));
    }

    #[test]
    fn each_method_workspace_and_route_has_a_key_of_its_own() {
        let keys = ["/v1/workspaces/a/events", "/v1/workspaces/b/events", "/v1/workspaces/a/files/events"]
            .into_iter()
            .flat_map(|path| [Method::POST, Method::PUT].map(|method| key_of(b"secret", &method, path)))
            .collect::<std::collections::BTreeSet<_>>();
        assert_eq!(keys.len(), 6);
    }
}
