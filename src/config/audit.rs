//! What is kept in the audit journal, and for how long.

use serde::{Deserialize, Serialize};

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Whether accesses are recorded.
    pub enabled: bool,
    /// What is kept of the words of a query or question.
    pub query_text: QueryText,
    /// What happens to an access that cannot be recorded.
    pub on_full: OnFull,
    /// Days that an entry is kept at least, unless `keep_mb` ends sooner.
    pub keep_days: u64,
    /// Megabytes that the journal may have.
    pub keep_mb: u64,
}

/// What is kept of the words of a query or question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryText {
    /// The words.
    Text,
    /// Their SHA-256: whether exactly these words were asked can be told, but short queries can be guessed.
    Hash,
    /// Nothing.
    Off,
}

/// What happens to an access that cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// It is refused.
    Refuse,
    /// It goes on. An entry tells later how many were not recorded.
    Drop,
}

impl Default for Audit {
    fn default() -> Self {
        Self { enabled: true, query_text: QueryText::Hash, on_full: OnFull::Refuse, keep_days: 365, keep_mb: 2_000 }
    }
}

impl Audit {
    /// # Errors
    /// Which value cannot be.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.keep_days == 0 || self.keep_mb == 0 {
            return Err("`audit.keep_days` and `audit.keep_mb` must be at least 1".to_owned());
        }
        Ok(())
    }
}
