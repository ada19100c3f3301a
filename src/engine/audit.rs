//! The audit journal as callers may read it: who has done and seen what.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{Engine, EngineError, Workspace};
use crate::access::{Action, Caller};
use crate::audit::{AuditEntry, AuditError, AuditResult, Cited, Found, Head, Query, VerifyReport};
use crate::budget::Budget;
use crate::search::Filters;
use crate::store::StoreError;
use crate::workspace::{RelPath, Scope, WorkspaceId};

/// Whether a workspace or a path may be told of.
type Admits<'a> = &'a dyn Fn(&str) -> bool;

/// The most entries of one page.
pub const MAX_AUDIT_ENTRIES: usize = 1_000;

/// Which entries to tell: all conditions hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditRequest {
    /// On a file whose path matches one of these globs.
    pub path: Vec<String>,
    /// By a key that proves this agent.
    pub agent: Option<String>,
    /// By the key of this id.
    pub key: Option<String>,
    /// Of this verb (`file.write`), or of all that begin with it (`file`).
    pub action: Option<String>,
    /// Ended so.
    pub result: Option<AuditResult>,
    /// Recorded at this time or later.
    pub since: Option<Timestamp>,
    /// Recorded before this time.
    pub until: Option<Timestamp>,
    /// Met others' writes: refused with 412 as a conflict or for a lost lock, or merged with them.
    pub is_conflict: bool,
    /// Showed a part of this place: `PATH#START-END`, or `PATH`.
    pub cited: Option<String>,
    /// Older than the entry of this number: to go on behind a page.
    pub cursor: Option<u64>,
    /// How many at most, 1 to 1,000.
    pub limit: usize,
}

/// Entries of the audit journal, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct AuditReply {
    /// The entries of this page.
    pub entries: Vec<AuditEntry>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Whether the time was over before the page was full; `next` goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// What is wrong with the journal, as far as it was noticed on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A write that others' writes were in the way of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetConflict {
    /// The journal's entry.
    pub entry: AuditEntry,
    /// What others had changed, as a unified difference, as long as both contents are kept.
    pub diff: Option<String>,
}

impl Engine {
    /// What all callers have done and seen, in all workspaces and beside them, newest first.
    ///
    /// # Errors
    /// When the caller may not read all of it, the request cannot be, or the journal cannot be read.
    pub fn audit(&self, caller: &Caller, request: &AuditRequest, budget: &Budget) -> Result<AuditReply, EngineError> {
        self.recorded(caller, None, Action::Audit, Told::default(), |_| {
            caller.check_for_all()?;
            let cited = cited_of(request)?;
            let known = RefCell::new(HashMap::new());
            let is_open = |name: &str| {
                *known.borrow_mut().entry(name.to_owned()).or_insert_with(|| self.may_read_audit_of(caller, name))
            };
            self.find(request, (None, cited.as_ref()), (Some(&is_open), None), budget)
        })
    }

    /// The newest entry of the journal, to be kept elsewhere.
    ///
    /// # Errors
    /// When the caller may not read all of it, or the journal cannot be read.
    pub fn audit_head(&self, caller: &Caller) -> Result<Head, EngineError> {
        caller.check(Action::Audit)?;
        caller.check_for_all()?;
        Ok(self.journal.head()?)
    }

    /// Proves that the journal is as it was written, and holds the entries of `heads`.
    ///
    /// # Errors
    /// When the caller may not read all of it, or the journal cannot be read.
    pub fn verify_audit(&self, caller: &Caller, heads: &[Head]) -> Result<VerifyReport, EngineError> {
        caller.check(Action::Audit)?;
        caller.check_for_all()?;
        Ok(self.journal.verify(heads)?)
    }

    /// Whether the owner of a workspace, where it was handed over, leaves a caller the right to its journal. Of one that was deleted there is
    /// no owner any more.
    fn may_read_audit_of(&self, caller: &Caller, name: &str) -> bool {
        let Ok(id) = name.parse::<WorkspaceId>() else { return false };
        match self.within_ownership(caller, &id) {
            Ok(within) => within.is_some_and(|caller| caller.may(Action::Audit.scope())),
            Err(EngineError::Store(StoreError::UnknownWorkspace { .. })) => true,
            Err(_) => false,
        }
    }

    fn find(
        &self,
        request: &AuditRequest,
        (workspace, cited): (Option<&WorkspaceId>, Option<&Cited>),
        (in_workspace, sees): (Option<Admits<'_>>, Option<Admits<'_>>),
        budget: &Budget,
    ) -> Result<AuditReply, EngineError> {
        let AuditRequest { path, agent, key, action, result, is_conflict, since, until, cited: _, cursor, limit } =
            request;
        if !(1..=MAX_AUDIT_ENTRIES).contains(limit) {
            return Err(invalid(format!("`limit` is {limit}, and must be 1 to {MAX_AUDIT_ENTRIES}")));
        }
        let filter = Filters { path: path.clone(), ..Filters::default() }.compile(self.data.patterns())?;
        let admits = |path: &str| filter.admits_path(path);
        let query = Query {
            workspace,
            in_workspace,
            on_path: if path.is_empty() { None } else { Some(&admits) },
            agent: agent.as_deref(),
            key: key.as_deref(),
            action: action.as_deref(),
            result: *result,
            is_conflict: *is_conflict,
            since_ms: since.map(Timestamp::as_millisecond),
            until_ms: until.map(Timestamp::as_millisecond),
            cited,
            before: *cursor,
            limit: *limit,
            sees,
        };
        let budget = budget.lasting(self.time_for(None)?);
        let Found { entries, next, is_partial, num_damaged } = self.journal.search(&query, &budget)?;
        if budget.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        let damaged = format!("{num_damaged} lines are no entries: `pincite audit verify` names them");
        let notes = (num_damaged > 0).then_some(damaged).into_iter().collect();
        Ok(AuditReply { entries, next, partial: is_partial, notes })
    }
}

impl Workspace<'_> {
    /// What was done in this workspace and seen of it, newest first. A caller with globs learns of the files that it sees alone.
    ///
    /// # Errors
    /// When the request cannot be, or the journal cannot be read.
    pub fn audit(&self, request: &AuditRequest, budget: &Budget) -> Result<AuditReply, EngineError> {
        let mut cited = cited_of(request)?;
        let told = Told::of(cited.as_ref().map(|cited| &cited.path));
        self.recorded(Action::Audit, told, |_| {
            if let Some(cited) = &mut cited {
                self.add_content(cited)?;
            }
            let sees = |path: &str| self.sees_text(path);
            let sees: Option<Admits<'_>> = if self.is_narrowed() { Some(&sees) } else { None };
            self.engine.find(request, (Some(&self.id), cited.as_ref()), (None, sees), budget)
        })
    }

    /// Writes that others' writes were in the way of, newest first: refused, or brought together with them.
    ///
    /// # Errors
    /// As [`Workspace::audit`].
    pub fn conflicts(&self, limit: usize, budget: &Budget) -> Result<Vec<MetConflict>, EngineError> {
        let request = AuditRequest { is_conflict: true, limit, ..AuditRequest::default() };
        let entries = self.audit(&request, budget)?.entries;
        let may_read = self.caller().may(Scope::FilesRead);
        let with_diff = |entry: AuditEntry| {
            let hash = |hash: &Option<String>| hash.as_ref()?.parse().ok();
            let path = entry.paths.first().and_then(|path| path.parse::<RelPath>().ok());
            let met = entry.met.as_ref().filter(|_| may_read);
            let diff = path
                .zip(met)
                .filter(|(path, _)| self.sees(path))
                .and_then(|(path, met)| self.diff_of_kept(&path, hash(&met.expected)?, hash(&met.found)?));
            MetConflict { entry, diff }
        };
        Ok(entries.into_iter().map(with_diff).collect())
    }

    /// The same words under another path are the same words: the content that the file has now counts wherever it was shown.
    fn add_content(&self, cited: &mut Cited) -> Result<(), EngineError> {
        if let Some(spelled) = self.spelled_as_seen(&cited.path)? {
            let entry = self.engine.data.store.file(&self.id, &spelled)?;
            cited.contents.extend(entry.and_then(|entry| entry.content_hash));
            cited.path = spelled;
        }
        Ok(())
    }

    /// The path as the file is listed, where the caller sees it.
    fn spelled_as_seen(&self, path: &RelPath) -> Result<Option<RelPath>, EngineError> {
        if !self.sees(path) {
            return Ok(None);
        }
        let store = &self.engine.data.store;
        let spelled = match store.file(&self.id, path)? {
            Some(_) => Some(path.clone()),
            None => store.path_spelled_like(&self.id, path)?,
        };
        Ok(spelled.filter(|path| self.sees(path)))
    }
}

fn cited_of(request: &AuditRequest) -> Result<Option<Cited>, EngineError> {
    Ok(request.cited.as_deref().map(str::parse).transpose()?)
}

fn invalid(what: String) -> EngineError {
    AuditError::Invalid { what }.into()
}
