//! Signatures of pushed events, as Standard Webhooks has them.
//!
//! Signed is `ID.TIMESTAMP.BODY`, with HMAC-SHA256 under the key of `whsec_…`; the header holds `v1,BASE64`, several of them
//! separated by spaces while keys are being changed.
//!
//! Source: Standard Webhooks specification 1.0, "Signature scheme".

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

use super::error::ApiError;
use crate::config::Events;

/// Checks that a request was signed by somebody who knows the secret, not long ago. Without a secret every request passes.
pub(super) fn check(headers: &HeaderMap, body: &[u8], rules: &Events, now: Timestamp) -> Result<(), ApiError> {
    let Some(key) = rules.key() else { return Ok(()) };
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
    if apart > rules.tolerance_s {
        let message = format!("the request was signed {apart} seconds from now");
        return Err(refused(&message, "sign it anew, and set both clocks; `events.tolerance_s` is the limit"));
    }
    let is_right = |signature: &str| {
        let Some(tag) = signature.strip_prefix("v1,").and_then(|encoded| STANDARD.decode(encoded).ok()) else {
            return false;
        };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return false };
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        // In a time that does not tell how much of it is right.
        mac.verify_slice(&tag).is_ok()
    };
    if signatures.split(' ').any(is_right) {
        return Ok(());
    }
    Err(refused("the signature is not right", "sign `ID.TIMESTAMP.BODY` with the key of `events.secret`"))
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
        let rules = Events { secret: Some(SECRET.to_owned()), tolerance_s: 300 };
        let now = Timestamp::from_second(AT.parse::<i64>().unwrap() + seconds_later).unwrap();
        check(&headers, body, &rules, now).is_ok()
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
    fn a_request_without_a_signature_passes_only_where_there_is_no_secret() {
        let rules = |secret: Option<&str>| Events { secret: secret.map(str::to_owned), ..Events::default() };
        let passes = |secret| check(&HeaderMap::new(), BODY, &rules(secret), Timestamp::UNIX_EPOCH).is_ok();
        assert!(passes(None) && !passes(Some(SECRET)));
    }
}
