//! What the keys of a workspace may do once it was handed over.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{InvalidName, Scope};

/// What all keys but the new owner's may do in a workspace after it was handed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// They go on reading, searching, asking and writing, as far as they could before.
    #[default]
    Editor,
    /// Nothing: the workspace does not exist for them.
    None,
}

impl Keep {
    /// The rights that [`Keep::Editor`] leaves.
    pub const EDITOR_SCOPES: [Scope; 5] =
        [Scope::FilesRead, Scope::FilesWrite, Scope::Search, Scope::Ask, Scope::Locks];

    /// The name as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Editor => "editor",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Keep {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        let found = [Self::Editor, Self::None].into_iter().find(|keep| keep.name() == name);
        found.ok_or_else(|| InvalidName::Scope { name: name.to_owned() })
    }
}
