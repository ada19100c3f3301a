//! Reviewers' verdicts on cited words: stored with the citation, listed, and withdrawn.
//!
//! # Invariants
//! - A citation is stored only when its quote stands at its span in the file at that moment, and as the check found it: nothing that a
//!   client says of a place is believed.
//! - A verdict keeps its quote when the file changes or is deleted. It shows what a reviewer saw, until it is withdrawn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::answer::CitationState;
use crate::search::{self, Filters};
use crate::store::VerdictScope;
use crate::workspace::{Citation, ContentHash, Decision, InvalidVerdict, NewVerdict, RelPath, Verdict};

/// A page of verdicts ends once its texts have so many bytes.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Which verdicts to list: all conditions hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerdictsRequest {
    /// On a path that matches one of these globs; none admits all paths.
    pub path: Vec<String>,
    /// Decided so.
    pub decision: Option<Decision>,
    /// Of words that exactly this query found.
    pub query: Option<String>,
    /// Older than the verdict of this number, to go on behind a page.
    pub before_id: Option<u64>,
    /// How many at most.
    pub limit: usize,
}

/// Verdicts, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct VerdictsReply {
    /// The verdicts of this page.
    pub verdicts: Vec<Verdict>,
    /// The `before_id` of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

impl Workspace<'_> {
    /// Stores a verdict, with the citation as it is now.
    ///
    /// # Errors
    /// [`EngineError::Verdict`] where it says nothing or too much, [`EngineError::OtherWorkspace`] for a citation of another workspace,
    /// [`EngineError::StaleCitation`] where the quote does not stand at its span,
    /// [`StoreError::TooManyVerdicts`](crate::store::StoreError::TooManyVerdicts) where the workspace may have no more; and as
    /// [`Self::verify`].
    pub fn judge(&self, new: &NewVerdict) -> Result<Verdict, EngineError> {
        self.recorded(Action::Judge, Told::of([&new.citation.path]), |told| {
            let reply = self.judge_unrecorded(new)?;
            told.shows([&reply.citation]);
            Ok(reply)
        })
    }

    fn judge_unrecorded(&self, new: &NewVerdict) -> Result<Verdict, EngineError> {
        self.engine.data.must_log()?;
        new.check()?;
        self.check_query(new.query.as_deref())?;
        // A path may be written in two ways; what is stored is found again under the one of the file.
        let path = if new.citation.workspace == self.id {
            self.spelled(&new.citation.path)?
        } else {
            new.citation.path.clone()
        };
        let verified = self.verified(&Citation { path, ..new.citation.clone() })?;
        let Some(citation) = verified.citation.filter(|_| verified.verdict == CitationState::Valid) else {
            return Err(EngineError::StaleCitation { explanation: verified.explanation });
        };
        let store = &self.engine.data.store;
        let file =
            store.file(&self.id, &citation.path)?.filter(|file| file.content_hash == Some(citation.content_hash));
        let revision = file.map_or(citation.revision, |file| file.revision);
        let new = NewVerdict { citation: Citation { revision, ..citation }, ..new.clone() };
        Ok(store.add_verdict(&new, self.engine.config().limits.verdicts)?)
    }

    /// The verdicts that are asked for, newest first. A page may end before its limit, where its texts are long.
    ///
    /// # Errors
    /// When a glob or the query cannot be.
    pub fn verdicts(&self, request: &VerdictsRequest) -> Result<VerdictsReply, EngineError> {
        self.recorded(Action::Verdicts, Told::default(), |told| {
            let reply = self.verdicts_unrecorded(request)?;
            told.shows(reply.verdicts.iter().map(|verdict| &verdict.citation));
            Ok(reply)
        })
    }

    fn verdicts_unrecorded(&self, request: &VerdictsRequest) -> Result<VerdictsReply, EngineError> {
        let VerdictsRequest { path, decision, query, before_id, limit } = request;
        let filter = self.compile(&Filters { path: path.clone(), ..Filters::default() })?;
        self.check_query(query.as_deref())?;
        let scope = VerdictScope { decision: *decision, query: query.as_deref(), before_id: *before_id };
        let (mut verdicts, mut num_bytes, mut goes_on) = (Vec::new(), 0, false);
        self.engine.data.store.see_verdicts(&self.id, &scope, &|path| filter.admits_path(path), &mut |verdict| {
            goes_on = verdicts.len() == *limit || num_bytes >= MAX_PAGE_BYTES;
            if !goes_on {
                num_bytes += num_bytes_of(&verdict);
                verdicts.push(verdict);
            }
            !goes_on
        })?;
        let next = verdicts.last().map(|last: &Verdict| last.id).filter(|_| goes_on);
        Ok(VerdictsReply { verdicts, next })
    }

    /// All verdicts on one content of a file, in the order of its text, and of one place oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verdicts_at(&self, path: &RelPath, content_hash: ContentHash) -> Result<Vec<Verdict>, EngineError> {
        self.recorded(Action::Verdicts, Told::of([path]), |told| {
            let reply = self.verdicts_on(path, content_hash)?;
            told.shows(reply.iter().map(|verdict| &verdict.citation));
            Ok(reply)
        })
    }

    fn verdicts_on(&self, path: &RelPath, content_hash: ContentHash) -> Result<Vec<Verdict>, EngineError> {
        if !self.sees(path) {
            return Ok(Vec::new());
        }
        Ok(self.engine.data.store.verdicts_on(&self.id, path, content_hash)?)
    }

    /// Removes a verdict.
    ///
    /// # Errors
    /// [`StoreError::UnknownVerdict`](crate::store::StoreError::UnknownVerdict) where the workspace has none of that number.
    pub fn withdraw_verdict(&self, id: u64) -> Result<(), EngineError> {
        self.recorded(Action::Withdraw, Told::default(), |_| self.withdraw_unrecorded(id))
    }

    fn withdraw_unrecorded(&self, id: u64) -> Result<(), EngineError> {
        self.engine.data.must_log()?;
        Ok(self.engine.data.store.remove_verdict(&self.id, id, &|path| self.sees_text(path))?)
    }

    fn check_query(&self, query: Option<&str>) -> Result<(), EngineError> {
        let Some(query) = query else { return Ok(()) };
        if query.trim().is_empty() {
            return Err(InvalidVerdict::Blank { field: "query" }.into());
        }
        Ok(search::check_size(query, &self.engine.config().limits)?)
    }
}

/// The bytes of what can be long in a verdict.
fn num_bytes_of(verdict: &Verdict) -> usize {
    let Verdict { citation, comment, query, .. } = verdict;
    citation.quote.len() + comment.as_ref().map_or(0, String::len) + query.as_ref().map_or(0, String::len)
}
