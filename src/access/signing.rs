//! What a key signs requests of S3 with.
//!
//! A signature of S3 (`SigV4`) is an HMAC, so whoever checks it must know the secret itself, and of a key's own secret only the SHA-256 is
//! kept. So each key has a second secret, which is derived from a root and the key: nothing is stored for a key, and a key that is
//! replaced has another one.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::AccessError;
use crate::store::KeyRow;
use crate::workspace::ContentHash;

/// Bytes of the root.
const ROOT_BYTES: usize = 32;

/// What the secrets of all keys of a data folder are derived from. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningRoot([u8; ROOT_BYTES]);

impl SigningRoot {
    /// A new root from the system's random source.
    ///
    /// # Errors
    /// [`AccessError::NoRandomness`] where the system gives none.
    pub fn generate() -> Result<Self, AccessError> {
        let mut bytes = [0; ROOT_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| AccessError::NoRandomness)?;
        Ok(Self(bytes))
    }

    /// The root that was kept as these bytes; `None` where they are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to be kept.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; ROOT_BYTES] {
        &self.0
    }

    /// The secret access key of a key, 64 hexadecimal digits: the HMAC-SHA256 of its id and of the SHA-256 of its own secret.
    #[must_use]
    pub fn secret_of(&self, key: &KeyRow) -> String {
        let mut code = self.code();
        code.update(b"pincite s3\0");
        code.update(key.id.as_bytes());
        code.update(&[0]);
        code.update(&key.hash);
        ContentHash(code.finalize().into_bytes().into()).to_string()
    }

    /// The seal of a text, which only this root makes: the HMAC-SHA256 of it.
    #[must_use]
    pub fn seal(&self, text: &[u8]) -> [u8; 32] {
        self.code_of(text).finalize().into_bytes().into()
    }

    /// Whether a seal is that of a text, compared in constant time.
    #[must_use]
    pub fn is_seal_of(&self, seal: &[u8], text: &[u8]) -> bool {
        self.code_of(text).verify_slice(seal).is_ok()
    }

    fn code_of(&self, text: &[u8]) -> Hmac<Sha256> {
        let mut code = self.code();
        // Another word than that of secrets, so that no seal is a secret.
        code.update(b"pincite seal\0");
        code.update(text);
        code
    }

    fn code(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("a key of any length will do")
    }
}

impl fmt::Debug for SigningRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningRoot(…)")
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::access::{NewKey, Secret};
    use crate::workspace::{PatternLimits, Scope};

    fn key() -> KeyRow {
        let new =
            NewKey { name: "s3".to_owned(), scopes: [Scope::FilesRead].into_iter().collect(), ..NewKey::default() };
        let limits = PatternLimits { bytes: 100, nesting: 8, number: 100 };
        new.row(&Secret::generate().unwrap(), None, Timestamp::now(), limits).unwrap()
    }

    #[test]
    fn a_signing_secret_is_of_one_root_one_key_and_one_secret_of_it() {
        let (root, key) = (SigningRoot::generate().unwrap(), key());
        let secret = root.secret_of(&key);
        assert_eq!(secret.len(), 64);
        let read = SigningRoot::from_bytes(root.as_bytes()).unwrap();
        assert_eq!(read.secret_of(&key), secret);
        let others = [
            SigningRoot::generate().unwrap().secret_of(&key),
            root.secret_of(&KeyRow { id: "00000000".to_owned(), ..key.clone() }),
            root.secret_of(&KeyRow { hash: [7; 32], ..key }),
        ];
        assert!(others.iter().all(|other| *other != secret));
        assert!(!format!("{root:?}").contains(&secret) && SigningRoot::from_bytes(b"short").is_none());
    }
}
