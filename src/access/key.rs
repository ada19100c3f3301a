//! A key: its rights, how one is made within another, and how it is shown.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccessError, Secret};
use crate::search::{Compiled, Filters, SearchError};
use crate::store::{KeyChanges, KeyRow};
use crate::workspace::{PatternLimits, Provenance, Scopes, WorkspaceId};

/// Longer names are refused, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// Days that a key holds where nothing is said.
const DEFAULT_DAYS: u32 = 90;
/// Days that a key may hold.
pub const MAX_KEY_DAYS: u32 = 366;
/// Workspaces that a key may list.
const MAX_WORKSPACES: usize = 1_000;
/// Globs of one list.
const MAX_GLOBS: usize = 100;
/// Lists of globs that makers and changes may have put one on another.
const MAX_GLOB_LISTS: usize = 16;
/// Seconds that both secrets hold while one is replaced, where nothing is said: an hour.
const DEFAULT_OVERLAP_S: u32 = 3_600;
/// The longest such overlap: a week.
const MAX_OVERLAP_S: u32 = 604_800;

/// A key to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What people call the key: one line of 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "nightly writer")]
    pub name: String,
    /// What it may do; at least one right.
    #[schema(min_items = 1, max_items = 9)]
    pub scopes: Scopes,
    /// The workspaces that it may reach; all where there is no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 1_000)]
    pub workspaces: Option<Vec<WorkspaceId>>,
    /// Globs of the files that it may see and write (`reports/**`, `*.md`); all files where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub path_globs: Vec<String>,
    /// The writer of everything that is written with the key. A request that names another one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub agent: Option<String>,
    /// When it ceases to hold, at most 366 days from now; 90 days from now where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Whether the reply also has what S3 signs requests with (`s3_access_key_id`, `s3_secret_access_key`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub s3: bool,
}

/// How long the former secret holds beside the new one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Overlap {
    /// Seconds from now; 3,600 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 604_800)]
    pub overlap_s: Option<u32>,
    /// Whether the reply also has what S3 signs requests with (`s3_access_key_id`, `s3_secret_access_key`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub s3: bool,
}

impl Overlap {
    /// When the former secret ceases to hold.
    ///
    /// # Errors
    /// [`AccessError::InvalidSpec`] beyond a week.
    pub fn end(self, now: Timestamp) -> Result<Timestamp, AccessError> {
        let seconds = self.overlap_s.unwrap_or(DEFAULT_OVERLAP_S);
        if seconds > MAX_OVERLAP_S {
            return Err(invalid(format!("`overlap_s` is {seconds}, and may be at most {MAX_OVERLAP_S}")));
        }
        Ok(now + SignedDuration::from_secs(seconds.into()))
    }
}

/// Whether a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It holds.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// A key as it is listed: everything but its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct KeySummary {
    /// Names the key; also the first part of its secret.
    #[schema(example = "3fJk9QzL")]
    pub id: String,
    /// What people call the key.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The workspaces that it may reach; all where there is no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<Vec<WorkspaceId>>,
    /// Which files it may see and write: a path must match one glob of each list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_globs: Vec<Vec<String>>,
    /// The writer of everything that is written with the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The key that it was made with; absent for a key that this machine's user made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// When it was made.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ceases to hold.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Whether it holds.
    pub state: KeyState,
}

/// A key that holds, or held when it was looked up.
#[derive(Debug)]
pub struct Key {
    /// The key as it is stored.
    pub row: KeyRow,
    /// Its globs, compiled; none for a key that sees all files.
    sight: Option<Compiled>,
}

impl Key {
    /// The key that a secret belongs to, where it holds at `now`.
    ///
    /// # Errors
    /// [`AccessError::InvalidKey`] in all other cases, which are not told apart.
    pub fn open(row: Option<KeyRow>, secret: &Secret, now: Timestamp) -> Result<Self, AccessError> {
        // The same work for a key that does not exist.
        let no_hash = [0; 32];
        let is_right = secret.matches(row.as_ref().map_or(&no_hash, |row| &row.hash));
        match row.filter(|row| is_right && state_of(row, now) == KeyState::Active) {
            Some(row) => Self::of(row),
            None => Err(AccessError::InvalidKey),
        }
    }

    /// The key of a row, whoever asks for it.
    ///
    /// # Errors
    /// [`AccessError::InvalidSpec`] where its globs cannot be compiled.
    pub fn of(row: KeyRow) -> Result<Self, AccessError> {
        let mut sight = None;
        for list in row.globs.iter().filter(|list| !list.is_empty()) {
            // They were checked against the limits when the key was made.
            let compiled = compile(list, PatternLimits { bytes: u64::MAX, nesting: u64::MAX, number: u64::MAX })?;
            sight = Some(match sight.take() {
                None => compiled,
                Some(former) => Compiled::and(former, compiled),
            });
        }
        Ok(Self { row, sight })
    }

    /// Whether it has any right in a workspace of that name.
    #[must_use]
    pub fn reaches(&self, workspace: &WorkspaceId) -> bool {
        self.row.workspaces.as_ref().is_none_or(|workspaces| workspaces.contains(workspace))
    }

    /// The conditions on the files that it sees; `None` where it sees all.
    #[must_use]
    pub const fn sight(&self) -> Option<&Compiled> {
        self.sight.as_ref()
    }

    /// Whether it sees a file of that path.
    #[must_use]
    pub fn sees(&self, path: &str) -> bool {
        self.sight.as_ref().is_none_or(|sight| sight.admits_path(path))
    }

    /// Whether all that `other` may, this key may, too, with a list of globs that this one has first.
    #[must_use]
    pub fn covers(&self, other: &KeyRow) -> bool {
        let own = &self.row;
        let covers_workspaces = own.workspaces.as_ref().is_none_or(|own| {
            other.workspaces.as_ref().is_some_and(|others| others.iter().all(|workspace| own.contains(workspace)))
        });
        own.scopes.cover(&other.scopes)
            && covers_workspaces
            && own.globs.iter().all(|list| other.globs.contains(list))
            && own.agent.as_ref().is_none_or(|agent| other.agent.as_ref() == Some(agent))
    }
}

impl NewKey {
    /// The row of a new key that is made with `maker`, or by this machine's user.
    ///
    /// # Errors
    /// [`AccessError::InvalidSpec`] where a part cannot be; [`AccessError::Wider`] where it would go beyond its maker.
    pub fn row(
        &self,
        secret: &Secret,
        maker: Option<&Key>,
        now: Timestamp,
        limits: PatternLimits,
    ) -> Result<KeyRow, AccessError> {
        check_name(&self.name)?;
        if self.scopes.0.is_empty() {
            return Err(invalid("a key has at least one scope".to_owned()));
        }
        check_workspaces(self.workspaces.as_deref())?;
        check_globs(&self.path_globs, limits)?;
        if let Some(agent) = &self.agent {
            let writer = Provenance { agent: Some(agent.clone()), ..Provenance::default() };
            writer.check().map_err(|error| invalid(error.to_string()))?;
        }
        let most = now + SignedDuration::from_hours(24 * i64::from(MAX_KEY_DAYS));
        let usual = now + SignedDuration::from_hours(24 * i64::from(DEFAULT_DAYS));
        let mut expires = self.expires_at.unwrap_or(usual);
        if expires <= now || expires > most {
            return Err(invalid(format!("`expires_at` must lie in the future, at most {MAX_KEY_DAYS} days away")));
        }
        let (mut workspaces, mut agent) = (self.workspaces.clone(), self.agent.clone());
        let mut globs = Vec::new();
        if let Some(maker) = maker {
            let own = &maker.row;
            if !own.scopes.cover(&self.scopes) {
                return Err(AccessError::Wider { what: "the scopes" });
            }
            if workspaces.iter().flatten().any(|workspace| !maker.reaches(workspace)) {
                return Err(AccessError::Wider { what: "the list of workspaces" });
            }
            workspaces = workspaces.or_else(|| own.workspaces.clone());
            if own.agent.is_some() && agent.is_some() && agent != own.agent {
                return Err(AccessError::Wider { what: "the agent" });
            }
            agent = agent.or_else(|| own.agent.clone());
            if self.expires_at.is_some_and(|expires| expires > own.expires) {
                return Err(AccessError::Wider { what: "the life of the key" });
            }
            expires = expires.min(own.expires);
            globs.clone_from(&own.globs);
        }
        add_globs(&mut globs, &self.path_globs)?;
        Ok(KeyRow {
            id: secret.id().to_owned(),
            hash: secret.hash(),
            name: self.name.clone(),
            scopes: self.scopes.clone(),
            workspaces,
            globs,
            agent,
            made_by: maker.map(|maker| maker.row.id.clone()),
            created: now,
            expires,
            revoked: None,
        })
    }
}

impl KeySummary {
    /// A key as it is at `now`.
    #[must_use]
    pub fn of(row: KeyRow, now: Timestamp) -> Self {
        let state = state_of(&row, now);
        let KeyRow { id, name, scopes, workspaces, globs, agent, made_by, created, expires, .. } = row;
        let (created_at, expires_at) = (created, expires);
        Self { id, name, scopes, workspaces, path_globs: globs, agent, made_by, created_at, expires_at, state }
    }
}

/// Refuses changes that would widen a key.
///
/// # Errors
/// [`AccessError::Wider`], [`AccessError::InvalidSpec`].
pub fn check_changes(
    key: &KeyRow,
    changes: &KeyChanges,
    now: Timestamp,
    limits: PatternLimits,
) -> Result<(), AccessError> {
    let KeyChanges { name, scopes, workspaces, globs, expires } = changes;
    if let Some(name) = name {
        check_name(name)?;
    }
    if let Some(scopes) = scopes {
        if scopes.0.is_empty() {
            return Err(invalid("a key has at least one scope; revoke it to take all".to_owned()));
        }
        if !key.scopes.cover(scopes) {
            return Err(AccessError::Wider { what: "the scopes" });
        }
    }
    if let Some(workspaces) = workspaces {
        check_workspaces(Some(workspaces))?;
        let reaches = |workspace| key.workspaces.as_ref().is_none_or(|own| own.contains(workspace));
        if !workspaces.iter().all(reaches) {
            return Err(AccessError::Wider { what: "the list of workspaces" });
        }
    }
    if let Some(globs) = globs {
        check_globs(globs, limits)?;
        add_globs(&mut key.globs.clone(), globs)?;
    }
    if let Some(expires) = expires {
        if *expires > key.expires {
            return Err(AccessError::Wider { what: "the life of the key" });
        }
        if *expires <= now {
            return Err(invalid("`expires_at` must lie in the future; revoke the key to end it now".to_owned()));
        }
    }
    Ok(())
}

/// Whether a key holds at `now`.
fn state_of(row: &KeyRow, now: Timestamp) -> KeyState {
    match row.revoked {
        Some(_) => KeyState::Revoked,
        None if row.expires <= now => KeyState::Expired,
        None => KeyState::Active,
    }
}

fn invalid(reason: String) -> AccessError {
    AccessError::InvalidSpec { reason }
}

fn check_name(name: &str) -> Result<(), AccessError> {
    let num_chars = name.chars().count();
    if !(1..=MAX_NAME_CHARS).contains(&num_chars) || name.contains(char::is_control) || name.trim() != name {
        return Err(invalid(format!("a key's name is one line of 1 to {MAX_NAME_CHARS} characters")));
    }
    Ok(())
}

fn check_workspaces(workspaces: Option<&[WorkspaceId]>) -> Result<(), AccessError> {
    let Some(workspaces) = workspaces else { return Ok(()) };
    if !(1..=MAX_WORKSPACES).contains(&workspaces.len()) {
        return Err(invalid(format!("a list of workspaces has 1 to {MAX_WORKSPACES} names")));
    }
    Ok(())
}

fn check_globs(globs: &[String], limits: PatternLimits) -> Result<(), AccessError> {
    if globs.len() > MAX_GLOBS {
        return Err(invalid(format!("a key has at most {MAX_GLOBS} globs")));
    }
    if globs.is_empty() { Ok(()) } else { compile(globs, limits).map(drop) }
}

fn add_globs(lists: &mut Vec<Vec<String>>, globs: &[String]) -> Result<(), AccessError> {
    if globs.is_empty() || lists.iter().any(|list| list == globs) {
        return Ok(());
    }
    if lists.len() == MAX_GLOB_LISTS {
        return Err(invalid(format!("globs were narrowed {MAX_GLOB_LISTS} times, which is as often as may be")));
    }
    lists.push(globs.to_vec());
    Ok(())
}

fn compile(globs: &[String], limits: PatternLimits) -> Result<Compiled, AccessError> {
    let filters = Filters { path: globs.to_vec(), ..Filters::default() };
    filters.compile(limits).map_err(|error: SearchError| invalid(error.to_string()))
}
