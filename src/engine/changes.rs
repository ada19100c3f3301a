//! What has happened lately: the change log, newest first, within what is asked for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::search::Filters;
use crate::store::ChangeScope;
use crate::workspace::{Change, Facets, Revision};

/// Conditions on changes, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeFilters {
    /// The path matches one of these globs (`reports/**`, `*.md`). A glob without `/` matches the file name.
    pub path: Vec<String>,
    /// Made by one of these agents.
    pub agent: Vec<String>,
    /// Made in one of these runs.
    pub run: Vec<String>,
    /// Made in one of these sandboxes.
    pub sandbox: Vec<String>,
    /// Made under one of these tags.
    pub tags: Vec<String>,
    /// Logged at this time or later (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Logged before this time (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Newer than this revision, as one of an earlier reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_revision: Option<Revision>,
    /// Older than this revision, to go on behind the last change of a reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_revision: Option<Revision>,
}

/// Which changes to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangesRequest {
    /// How many at most; the newest.
    pub limit: usize,
    /// Which of them.
    pub filters: ChangeFilters,
    /// Counts who made all changes in scope, also those beyond `limit`.
    pub facets: bool,
}

impl ChangesRequest {
    /// The newest changes of all files.
    #[must_use]
    pub fn newest(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }
}

/// Changes, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct ChangesReply {
    /// The newest revision up to which nothing is pending.
    pub revision: Revision,
    /// Files with a change that is not searchable yet.
    pub pending: u64,
    /// The changes.
    pub changes: Vec<Change>,
    /// Who made the changes in scope, by the number of files that they changed, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facets: Option<Facets>,
}

impl Workspace<'_> {
    /// The newest changes of a workspace that are asked for, newest first.
    ///
    /// # Errors
    /// When the workspace is unknown, or a filter cannot be.
    pub fn recent_changes(&self, request: &ChangesRequest) -> Result<ChangesReply, EngineError> {
        self.recorded(Action::Changes, Told::default(), |told| {
            let reply = self.changes_unrecorded(request)?;
            told.revision = Some(reply.revision);
            Ok(reply)
        })
    }

    fn changes_unrecorded(&self, request: &ChangesRequest) -> Result<ChangesReply, EngineError> {
        let id = &self.id;
        let ChangesRequest { limit, filters, facets: wants_facets } = request;
        let ChangeFilters { path, agent, run, sandbox, tags, since, until, after_revision, before_revision } =
            filters.clone();
        let files = Filters { path, agent, run, sandbox, tags, ..Filters::default() };
        let admits = self.compile(&files)?;
        let scope = ChangeScope { since, until, after_revision, provenance: files.provenance()? };
        let (revision, pending) = self.freshness()?;
        let mut changes = Vec::new();
        let mut told = BTreeSet::new();
        // A renaming is of both its paths.
        let is_of = |change: &Change| {
            admits.admits_path(change.path.as_str())
                || change.from.as_ref().is_some_and(|from| admits.admits_path(from.as_str()))
        };
        self.engine.data.store.see_changes(id, &scope, &mut |change| {
            let is_older = before_revision.is_none_or(|before| change.revision < before);
            let change = if is_older { self.seen_change(change) } else { None };
            if let Some(change) = change.filter(is_of) {
                if *wants_facets && !change.provenance.is_empty() {
                    told.insert((change.path.clone(), change.provenance.clone()));
                }
                if changes.len() < *limit {
                    changes.push(change);
                }
            }
            *wants_facets || changes.len() < *limit
        })?;
        let facets = wants_facets.then(|| Facets::of(told.iter().map(|(path, provenance)| (path, provenance))));
        Ok(ChangesReply { revision, pending, changes, facets })
    }
}
