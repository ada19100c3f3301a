//! Who makes a request, from where.

use std::net::IpAddr;
use std::sync::Arc;

use super::{AccessError, Action, Key, Partition};
use crate::network::Network;
use crate::store::KeyRow;
use crate::workspace::{Provenance, Scope, WorkspaceId};

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// The command line, on the data folder itself.
    CommandLine,
    /// REST.
    Rest,
    /// The Model Context Protocol, over HTTP or standard input.
    Mcp,
    /// The reviewers' page.
    Page,
    /// The protocol of S3.
    S3,
}

impl Surface {
    /// The name as the record has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommandLine => "cli",
            Self::Rest => "rest",
            Self::Mcp => "mcp",
            Self::Page => "page",
            Self::S3 => "s3",
        }
    }
}

/// Whose rights count.
#[derive(Debug, Clone)]
pub enum Who {
    /// The user of this machine, who may do everything that the program may.
    LocalUser,
    /// The holder of a key.
    Key(Arc<Key>),
}

/// Who makes a request, and how it came.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose rights count.
    pub who: Who,
    /// How the request came.
    pub surface: Surface,
    /// The address that it came from, where it came over a network.
    pub address: Option<IpAddr>,
    /// The id of the request, where it has one.
    pub request_id: Option<String>,
}

impl Caller {
    /// This machine's user.
    #[must_use]
    pub const fn local(surface: Surface) -> Self {
        Self { who: Who::LocalUser, surface, address: None, request_id: None }
    }

    /// The holder of a key.
    #[must_use]
    pub fn with_key(key: Arc<Key>, surface: Surface) -> Self {
        Self { who: Who::Key(key), surface, address: None, request_id: None }
    }

    /// The same caller on another surface.
    #[must_use]
    pub fn on(self, surface: Surface) -> Self {
        Self { surface, ..self }
    }

    /// The key, where the caller has one.
    #[must_use]
    pub fn key(&self) -> Option<&Arc<Key>> {
        match &self.who {
            Who::LocalUser => None,
            Who::Key(key) => Some(key),
        }
    }

    /// The same caller with at most these rights.
    ///
    /// # Errors
    /// [`AccessError::InvalidSpec`] where the key's globs cannot be compiled.
    pub fn limited_to(&self, scopes: &[Scope]) -> Result<Self, AccessError> {
        let Some(key) = self.key() else { return Ok(self.clone()) };
        let scopes = scopes.iter().copied().filter(|scope| key.row.scopes.allow(*scope)).collect();
        let limited = Key::of(KeyRow { scopes, ..key.row.clone() })?;
        Ok(Self { who: Who::Key(limited.into()), ..self.clone() })
    }

    /// Whose allowances the caller uses up: its key's, or those of the network that it comes from; none for this machine's user.
    #[must_use]
    pub fn partition(&self) -> Option<Partition> {
        match self.key() {
            Some(key) => Some(Partition::Key(key.row.id.clone())),
            None => self.address.map(|address| Partition::Network(Network::of_client(address))),
        }
    }

    /// Whether the caller has a right.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.key().is_none_or(|key| key.row.scopes.allow(scope))
    }

    /// Whether the caller has any right in a workspace of that name.
    #[must_use]
    pub fn reaches(&self, workspace: &WorkspaceId) -> bool {
        self.key().is_none_or(|key| key.reaches(workspace))
    }

    /// Refuses an action that the caller has no right to.
    ///
    /// # Errors
    /// [`AccessError::InsufficientScope`].
    pub fn check(&self, action: Action) -> Result<(), AccessError> {
        self.check_all(&[action.scope()])
    }

    /// Refuses a caller that lacks one of these rights, and names all that are missing.
    ///
    /// # Errors
    /// [`AccessError::InsufficientScope`].
    pub fn check_all(&self, scopes: &[Scope]) -> Result<(), AccessError> {
        let missing: Vec<Scope> = scopes.iter().copied().filter(|scope| !self.may(*scope)).collect();
        if missing.is_empty() { Ok(()) } else { Err(AccessError::InsufficientScope { missing }) }
    }

    /// Refuses a caller whose rights are for some workspaces or some files alone.
    ///
    /// # Errors
    /// [`AccessError::NotForAll`].
    pub fn check_for_all(&self) -> Result<(), AccessError> {
        match self.key() {
            Some(key) if key.row.workspaces.is_some() || !key.row.globs.is_empty() => Err(AccessError::NotForAll),
            _ => Ok(()),
        }
    }

    /// Who writes: the key's agent, where it has one, and what the request says besides.
    ///
    /// # Errors
    /// [`AccessError::OtherWriter`] where the request names another agent than the key's.
    pub fn attribute(&self, claimed: Provenance) -> Result<Provenance, AccessError> {
        let Some(agent) = self.key().and_then(|key| key.row.agent.clone()) else {
            return Ok(Provenance { proven: false, ..claimed });
        };
        match &claimed.agent {
            Some(other) if *other != agent => Err(AccessError::OtherWriter { agent }),
            _ => Ok(Provenance { agent: Some(agent), proven: true, ..claimed }),
        }
    }
}
