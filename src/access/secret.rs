//! The secret of a key: `pin_ID_SECRET_CHECKSUM`, which a scanner for leaked secrets can recognise by its form alone.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::AccessError;

const PREFIX: &str = "pin";
const ID_CHARS: usize = 8;
const SECRET_CHARS: usize = 32;
const CHECKSUM_CHARS: usize = 8;
/// Digits and letters: 62 signs, so 32 of them are 190 bits.
pub(super) const SIGNS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The largest multiple of 62 that a byte can be below: larger bytes would make some signs more likely than others.
const FAIR: u8 = 248;

/// A whole secret. `Debug` shows its id alone, and nothing displays it but [`Secret::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new secret from the system's random source.
    ///
    /// # Errors
    /// [`AccessError::NoRandomness`] where the system gives none.
    pub fn generate() -> Result<Self, AccessError> {
        Ok(Self::of(&random_signs(ID_CHARS)?, &random_signs(SECRET_CHARS)?))
    }

    fn of(id: &str, secret: &str) -> Self {
        let text = format!("{PREFIX}_{id}_{secret}");
        let checksum = crc32fast::hash(text.as_bytes());
        Self(format!("{text}_{checksum:08x}"))
    }

    /// The public part, which names the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0[PREFIX.len() + 1..][..ID_CHARS]
    }

    /// The SHA-256 of the whole secret. A secret of 190 random bits needs no slow hash.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Whether this is the secret of that hash, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, hash: &[u8; 32]) -> bool {
        self.hash().ct_eq(hash).into()
    }

    /// The secret itself, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.id())
    }
}

impl FromStr for Secret {
    type Err = AccessError;

    /// Reads a secret whose form and checksum are right; a mistyped one is refused without a look at the store.
    fn from_str(text: &str) -> Result<Self, AccessError> {
        let parts: Vec<&str> = text.split('_').collect();
        let is_of_signs =
            |part: &str, length: usize| part.len() == length && part.bytes().all(|sign| SIGNS.contains(&sign));
        match parts[..] {
            [PREFIX, id, secret, checksum]
                if is_of_signs(id, ID_CHARS)
                    && is_of_signs(secret, SECRET_CHARS)
                    && checksum.len() == CHECKSUM_CHARS =>
            {
                let whole = Self::of(id, secret);
                if whole.0 == text { Ok(whole) } else { Err(AccessError::MalformedKey) }
            }
            _ => Err(AccessError::MalformedKey),
        }
    }
}

/// What a workspace is claimed with, once: `claim_` and 40 random signs. `Debug` hides it.
pub struct ClaimToken(String);

const CLAIM_PREFIX: &str = "claim_";
const CLAIM_CHARS: usize = 40;

impl ClaimToken {
    /// A new token from the system's random source.
    ///
    /// # Errors
    /// [`AccessError::NoRandomness`] where the system gives none.
    pub fn generate() -> Result<Self, AccessError> {
        Ok(Self(format!("{CLAIM_PREFIX}{}", random_signs(CLAIM_CHARS)?)))
    }

    /// Reads a token by its form; `None` for any other text.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let signs = text.strip_prefix(CLAIM_PREFIX)?;
        let is_token = signs.len() == CLAIM_CHARS && signs.bytes().all(|sign| SIGNS.contains(&sign));
        is_token.then(|| Self(text.to_owned()))
    }

    /// The SHA-256 of the token.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The token itself, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimToken")
    }
}

/// So many random digits and letters.
///
/// # Errors
/// [`AccessError::NoRandomness`] where the system gives none.
pub(crate) fn random_signs(length: usize) -> Result<String, AccessError> {
    let mut signs = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while signs.len() < length {
        getrandom::fill(&mut bytes).map_err(|_| AccessError::NoRandomness)?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        signs.extend(fair.take(length - signs.len()).map(|byte| char::from(SIGNS[usize::from(byte % 62)])));
    }
    Ok(signs)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_reads_back_and_its_debug_form_hides_it() {
        let secret = Secret::generate().unwrap();
        assert_eq!(secret.reveal().len(), 3 + 1 + 8 + 1 + 32 + 1 + 8);
        let read: Secret = secret.reveal().parse().unwrap();
        assert!(read == secret && read.matches(&secret.hash()));
        assert!(!format!("{secret:?}").contains(&secret.reveal()[13..]));
    }

    #[test]
    fn a_thousand_secrets_are_all_different_and_use_every_sign() {
        let secrets: Vec<Secret> = (0..1_000).map(|_| Secret::generate().unwrap()).collect();
        assert_eq!(secrets.iter().map(Secret::id).collect::<HashSet<_>>().len(), 1_000);
        let used: HashSet<char> = secrets.iter().flat_map(|secret| secret.reveal()[4..45].chars()).collect();
        assert_eq!(used.len(), 63, "62 signs and the underscore");
    }

    proptest! {
        #[test]
        fn a_secret_with_one_sign_changed_or_cut_is_malformed(at in 0_usize..54, sign in "[0-9A-Za-z_ é]") {
            let secret = Secret::generate().unwrap();
            let mut other = secret.reveal().to_owned();
            other.replace_range(at..=at, &sign);
            prop_assume!(other != secret.reveal());
            prop_assert!(other.parse::<Secret>().is_err(), "{other}");
            prop_assert!(secret.reveal()[..at].parse::<Secret>().is_err());
        }
    }
}
