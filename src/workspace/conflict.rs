//! What stands at a path, where a write expected something else.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ContentHash, Provenance, RelPath, Revision};

/// What stands at a path, where a write expected something else. A caller that may not read the file is told its path alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Conflict {
    /// The file.
    pub path: RelPath,
    /// The SHA-256 of what stands there; absent where there is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_etag: Option<ContentHash>,
    /// Who changed it last, as far as its writer said.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub changed_by: Provenance,
    /// When its last change was logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
    /// Its last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// What was changed since the content that the writer has read, as a unified difference; absent where that content is not known any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// The text of a merge that both sides changed in one place, with both versions between `<<<<<<<`, `=======` and `>>>>>>>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicts: Option<String>,
    /// The SHA-256 of the content that the writer has read, where the condition names one.
    #[serde(skip)]
    #[schema(ignore)]
    pub expected: Option<ContentHash>,
}

impl Conflict {
    /// A conflict of which nothing more is told.
    #[must_use]
    pub const fn at(path: RelPath) -> Self {
        let changed_by = Provenance { agent: None, run: None, sandbox: None, tags: BTreeSet::new(), proven: false };
        Self {
            path,
            current_etag: None,
            changed_by,
            changed_at: None,
            revision: None,
            diff: None,
            conflicts: None,
            expected: None,
        }
    }

    /// What stands at the path, as far as it may be told.
    #[must_use]
    pub fn what_is_there(&self) -> String {
        let by = self.changed_by.agent.as_ref().map(|agent| format!(" by {agent}")).unwrap_or_default();
        match (&self.current_etag, self.changed_at) {
            (Some(etag), Some(at)) => format!("its content is {etag}, changed {at:.0}{by}"),
            (Some(etag), None) => format!("its content is {etag}"),
            (None, _) => "it is not as expected".to_owned(),
        }
    }
}
