//! The language that people read a document in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidName;

/// A natural language, by its two letters in ISO 639-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language([u8; 2]);

impl Language {
    /// English, which is what a document of unknown language is treated as.
    pub const ENGLISH: Self = Self(*b"en");

    /// The language of a code; `None` where it is not two small letters.
    #[must_use]
    pub const fn of_code(code: &str) -> Option<Self> {
        match code.as_bytes() {
            &[first @ b'a'..=b'z', second @ b'a'..=b'z'] => Some(Self([first, second])),
            _ => None,
        }
    }

    /// The code, two small letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

impl FromStr for Language {
    type Err = InvalidName;

    fn from_str(code: &str) -> Result<Self, InvalidName> {
        Self::of_code(code).ok_or_else(|| InvalidName::Language { code: code.to_owned() })
    }
}

impl TryFrom<String> for Language {
    type Error = InvalidName;

    fn try_from(code: String) -> Result<Self, InvalidName> {
        code.parse()
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.code().to_owned()
    }
}
