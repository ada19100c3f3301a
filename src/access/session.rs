//! The secret of a browser's session, and the tokens of its forms.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::AccessError;
use super::secret::{SIGNS, random_signs};

/// A session that was not seen for so long is over.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(12);
/// A session is over after so long, however often it is seen.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Digits and letters of a session's secret: 190 bits.
const SIGNS_OF_SESSION: usize = 32;
/// Bytes of the code that the tokens of a session's forms are made from.
const CODE_BYTES: usize = 32;

/// The secret of a session, which only the browser keeps. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    /// A new secret from the system's random source.
    ///
    /// # Errors
    /// [`AccessError::NoRandomness`] where the system gives none.
    pub fn generate() -> Result<Self, AccessError> {
        random_signs(SIGNS_OF_SESSION).map(Self)
    }

    /// The SHA-256 of the secret: 190 random bits need no slow hash.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The secret itself, for the browser.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A token for the forms of one page of this session, another one each time.
    ///
    /// Pages are compressed and repeat words of their URL, so the length of a page would tell a token that stays the same, sign by sign.
    ///
    /// Source: Gluck, Harris and Prado, "BREACH: Reviving the CRIME attack", 2013, section "Masking secrets".
    ///
    /// # Errors
    /// [`AccessError::NoRandomness`] where the system gives none.
    pub fn form_token(&self) -> Result<String, AccessError> {
        let mut bytes = [0; 2 * CODE_BYTES];
        getrandom::fill(&mut bytes[..CODE_BYTES]).map_err(|_| AccessError::NoRandomness)?;
        for (at, code) in self.code().into_iter().enumerate() {
            bytes[CODE_BYTES + at] = bytes[at] ^ code;
        }
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether a form's token is one of this session, in a time that does not depend on where it differs.
    #[must_use]
    pub fn is_form_token(&self, token: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        if bytes.len() != 2 * CODE_BYTES {
            return false;
        }
        let (mask, masked) = bytes.split_at(CODE_BYTES);
        let code: Vec<u8> = mask.iter().zip(masked).map(|(mask, masked)| mask ^ masked).collect();
        code.ct_eq(&self.code()).into()
    }

    fn code(&self) -> [u8; CODE_BYTES] {
        let mut code = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("a key of any length will do");
        code.update(b"a form of the page");
        code.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

impl FromStr for SessionToken {
    type Err = AccessError;

    /// Reads a secret by its form.
    fn from_str(text: &str) -> Result<Self, AccessError> {
        let is_one = text.len() == SIGNS_OF_SESSION && text.bytes().all(|sign| SIGNS.contains(&sign));
        if is_one { Ok(Self(text.to_owned())) } else { Err(AccessError::SessionOver) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_session_reads_back_and_its_debug_form_hides_it() {
        let token = SessionToken::generate().unwrap();
        assert_eq!(token.reveal().parse(), Ok(token.clone()));
        assert_ne!(token, SessionToken::generate().unwrap());
        assert!(!format!("{token:?}").contains(token.reveal()));
        for wrong in
            ["", "x", &token.reveal()[1..], &format!("{}x", token.reveal()), &format!("{};", &token.reveal()[1..])]
        {
            assert!(wrong.parse::<SessionToken>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_form_token_is_another_one_each_time_and_holds_in_its_session_alone() {
        let (own, other) = (SessionToken::generate().unwrap(), SessionToken::generate().unwrap());
        let tokens = [own.form_token().unwrap(), own.form_token().unwrap()];
        assert_ne!(tokens[0], tokens[1]);
        for token in &tokens {
            assert!(own.is_form_token(token) && !other.is_form_token(token));
            assert!(!token.contains(own.reveal()));
        }
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_form_token(text in "[0-9A-Za-z_=-]{0,120}", at in 0_usize..86, sign in "[0-9A-Za-z_-]") {
            let session = SessionToken::generate().unwrap();
            prop_assert!(!session.is_form_token(&text));
            let token = session.form_token().unwrap();
            let mut changed = token.clone();
            changed.replace_range(at..=at, &sign);
            prop_assert!(changed == token || !session.is_form_token(&changed));
        }
    }
}
