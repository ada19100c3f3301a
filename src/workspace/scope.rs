//! What a key may do.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::InvalidName;

/// One right of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
pub enum Scope {
    /// Reading and listing files, changes, status and verdicts, and verifying citations.
    #[serde(rename = "files:read")]
    FilesRead,
    /// Writing and deleting files, sending events, and verdicts.
    #[serde(rename = "files:write")]
    FilesWrite,
    /// Searching.
    #[serde(rename = "search")]
    Search,
    /// Asking questions.
    #[serde(rename = "ask")]
    Ask,
    /// Taking and releasing locks.
    #[serde(rename = "locks")]
    Locks,
    /// Making and changing webhooks, and reading their deliveries.
    #[serde(rename = "webhooks")]
    Webhooks,
    /// Reading the audit.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Making, changing and revoking keys that may no more than this key.
    #[serde(rename = "keys")]
    Keys,
    /// Everything: all other rights, making and deleting workspaces, handing them over, and metrics.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// All rights, in the order in which lists have them.
    pub const ALL: [Self; 9] = [
        Self::FilesRead,
        Self::FilesWrite,
        Self::Search,
        Self::Ask,
        Self::Locks,
        Self::Webhooks,
        Self::AuditRead,
        Self::Keys,
        Self::Admin,
    ];

    /// The name as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FilesRead => "files:read",
            Self::FilesWrite => "files:write",
            Self::Search => "search",
            Self::Ask => "ask",
            Self::Locks => "locks",
            Self::Webhooks => "webhooks",
            Self::AuditRead => "audit:read",
            Self::Keys => "keys",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        let found = Self::ALL.into_iter().find(|scope| scope.name() == name);
        found.ok_or_else(|| InvalidName::Scope { name: name.to_owned() })
    }
}

/// The rights of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(transparent)]
pub struct Scopes(pub BTreeSet<Scope>);

impl Scopes {
    /// Whether they hold a right: they name it, or name [`Scope::Admin`].
    #[must_use]
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&Scope::Admin) || self.0.contains(&scope)
    }

    /// Whether everything that `others` allow is allowed here, too.
    #[must_use]
    pub fn cover(&self, others: &Self) -> bool {
        others.0.iter().all(|scope| self.allow(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|scope| scope.name()).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_back_from_its_name_in_text_and_in_json() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse::<Scope>(), Ok(scope));
            assert_eq!(serde_json::to_string(&scope).unwrap(), format!("\"{scope}\""));
        }
        assert!("files".parse::<Scope>().is_err() && "Admin".parse::<Scope>().is_err());
    }

    #[test]
    fn an_admin_covers_all_and_nothing_else_covers_an_admin() {
        let of = |scopes: &[Scope]| scopes.iter().copied().collect::<Scopes>();
        let all_but_admin: Scopes = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Admin).collect();
        assert!(of(&[Scope::Admin]).cover(&all_but_admin));
        assert!(!all_but_admin.cover(&of(&[Scope::Admin])));
        assert!(!of(&[Scope::Search]).cover(&of(&[Scope::Search, Scope::Ask])));
        assert!(of(&[]).cover(&of(&[])));
    }
}
