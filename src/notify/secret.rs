//! Secrets of webhooks, and signatures as Standard Webhooks has them.
//!
//! The `hmac` and `base64` crates of the tree make them: the `standardwebhooks` crate would bring an older `base64`, another HMAC and
//! another time library.
//!
//! Source: Standard Webhooks specification 1.0, "Signature scheme".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::store::SecretKey;
use crate::workspace::{InvalidWebhook, SECRET_BYTES};

const PREFIX: &str = "whsec_";

/// A secret that nobody can guess.
///
/// # Panics
/// Where the system has no source of random numbers.
pub(crate) fn new_secret() -> SecretKey {
    let mut key = vec![0; *SECRET_BYTES.start()];
    getrandom::fill(&mut key).expect("a system that runs this program has random numbers");
    SecretKey(key)
}

/// Reads a secret that somebody chose.
pub(crate) fn read_secret(text: &str) -> Result<SecretKey, InvalidWebhook> {
    let key = text.strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
    key.filter(|key| SECRET_BYTES.contains(&key.len())).map(SecretKey).ok_or(InvalidWebhook::Secret)
}

/// A secret as it is shown once.
pub(crate) fn written(key: &SecretKey) -> String {
    format!("{PREFIX}{}", STANDARD.encode(&key.0))
}

/// The header `webhook-signature`: one signature with each key, separated by spaces.
pub(super) fn signature(keys: &[SecretKey], message_id: &str, timestamp_s: i64, body: &str) -> String {
    let sign = |key: &SecretKey| {
        let mut code = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes a key of any length");
        code.update(format!("{message_id}.{timestamp_s}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(code.finalize().into_bytes()))
    };
    keys.iter().map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the specification's own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_of_the_specifications_example_is_right() {
        let key = read_secret(SECRET).unwrap();
        let sign = |keys: &[SecretKey]| {
            signature(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#)
        };
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(std::slice::from_ref(&key)), expected);
        let both = sign(&[new_secret(), key]);
        assert!(both.ends_with(&format!(" {expected}")) && both.split(' ').count() == 2, "{both}");
    }

    #[test]
    fn a_secret_is_read_as_it_is_written_and_has_enough_bytes() {
        let made = new_secret();
        assert_eq!(read_secret(&written(&made)).unwrap(), made);
        assert_ne!(new_secret(), made);
        for num_bytes in [24, 63, 64] {
            assert!(read_secret(&written(&SecretKey(vec![7; num_bytes]))).is_ok(), "{num_bytes}");
        }
        for num_bytes in [0, 23, 65] {
            assert_eq!(read_secret(&written(&SecretKey(vec![7; num_bytes]))), Err(InvalidWebhook::Secret));
        }
        for wrong in ["", "whsec_", &SECRET[6..], "whsec_not base64 at all, and long enough"] {
            assert_eq!(read_secret(wrong), Err(InvalidWebhook::Secret));
        }
        assert!(!format!("{made:?}").contains(&written(&made)[6..]));
    }
}
