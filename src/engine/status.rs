//! What is indexed and what is not, with reasons.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{Engine, EngineError, ReadingStatus, RebuildStatus, SourceStatus, Workspace};
use crate::access::Action;
use crate::answer::AnswerKind;
use crate::embed::EmbedError;
use crate::error::Advice as _;
use crate::search::{Coverage, Filters};
use crate::workspace::{Facets, FileEntry, FileState, LockViolation, Revision, WorkspaceId};

/// The state of a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct StatusReport {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The folder of the workspace; only the command line shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The newest revision up to which nothing is pending.
    pub revision: Revision,
    /// Files by state, and how much is embedded.
    pub coverage: Coverage,
    /// Chunks that a query can find.
    pub num_chunks: usize,
    /// Chunks that have a vector.
    pub num_embedded: usize,
    /// The model.
    pub model: ModelStatus,
    /// What reranks the first passages of a search, where that is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reranker: Option<RerankerStatus>,
    /// How answers are made. The endpoint is not contacted for this field.
    pub answerer: AnswererStatus,
    /// The folder as the source of changes.
    #[serde(default)]
    pub source: SourceStatus,
    /// Files and folders that the last full scan could not list, and ignore rules that do not count, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<String>,
    /// Whether this process only reads the data folder, because another process indexes it, or none does.
    pub read_only: bool,
    /// A protection against hostile files that does not work on this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weakness: Option<String>,
    /// The large file that this process is reading, with the progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<ReadingStatus>,
    /// Why this process cannot scan the folder or read its files now: a call of the file system hangs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// The progress of the index that is being built while the old one serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<RebuildStatus>,
    /// Webhooks that are switched off, or whose deliveries fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<String>,
    /// Changes of locked files that were made past pincite, on disk, within the last seven days: the newest first, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lock_violations: Vec<LockViolation>,
    /// The writers of the files, as far as they stated it.
    #[serde(default, skip_serializing_if = "Facets::is_empty")]
    pub facets: Facets,
    /// Files that no search finds, or only in part, by state and reason.
    pub not_ready: BTreeMap<String, Vec<ReasonGroup>>,
}

/// Files with one state and one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct ReasonGroup {
    /// The reason, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many files there are.
    #[serde(default)]
    pub num_files: usize,
    /// The files, by path. Of those that are only pending, the first 100.
    pub files: Vec<FileEntry>,
}

/// Pending files that are named: after a backfill has begun they may be all.
const MAX_PENDING_NAMED: usize = 100;

/// The state of the embedding model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct ModelStatus {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub runs: bool,
    /// Why the model does not run, and the remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The state of the reranker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct RerankerStatus {
    /// The name of its folder.
    pub name: String,
    /// Why the reranker does not run, and the remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How answers are made, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct AnswererStatus {
    /// How the sentences of an answer are made, unless a question asks for another way.
    pub kind: AnswerKind,
    /// The language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The endpoint of the language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
}

impl StatusReport {
    /// The report without the names of the server's folders.
    #[must_use]
    pub fn for_client(self) -> Self {
        Self { root: None, ..self }
    }
}

impl Engine {
    /// The workspaces whose folders are not looked at, or whose files are not read, for now, because a call of the file system hangs.
    #[must_use]
    pub fn stuck_workspaces(&self) -> Vec<WorkspaceId> {
        self.scheduler.all_stuck()
    }

    fn answerer_status(&self) -> AnswererStatus {
        match self.data.config.answer.endpoint() {
            None => AnswererStatus { kind: AnswerKind::Extractive, model: None, base_url: None },
            Some((base_url, model)) => AnswererStatus {
                kind: AnswerKind::Model,
                model: Some(model.to_owned()),
                base_url: Some(base_url.to_owned()),
            },
        }
    }

    fn reranker_status(&self) -> Option<RerankerStatus> {
        let folder = self.data.config.ranking.reranker.as_ref()?;
        let name = folder.file_name().unwrap_or(folder.as_os_str()).display().to_string();
        let reason = self.data.reranker()?.err().map(with_hint).map(|reason| self.data.without_folders(reason));
        Some(RerankerStatus { name, reason })
    }

    /// The embedding model as it stands.
    ///
    /// # Errors
    /// When the configured model is unknown or its files are not as pinned.
    pub fn model_status(&self) -> Result<ModelStatus, EngineError> {
        let model = self.data.model()?;
        let reason = model.embedder.as_ref().err().map(with_hint).map(|reason| self.data.without_folders(reason));
        Ok(ModelStatus { name: model.entry.name.clone(), runs: reason.is_none(), reason })
    }
}

impl Workspace<'_> {
    /// What is indexed in a workspace and what is not, with reasons.
    ///
    /// # Errors
    /// When the workspace is unknown or its index cannot be read.
    pub fn status(&self) -> Result<StatusReport, EngineError> {
        self.recorded(Action::Status, Told::default(), |told| {
            let reply = self.status_unrecorded()?;
            told.revision = Some(reply.revision);
            Ok(reply)
        })
    }

    fn status_unrecorded(&self) -> Result<StatusReport, EngineError> {
        let id = &self.id;
        let row = self.engine.data.store.workspace(id)?;
        let state = self.state(&Filters::default(), None, 0)?;
        let coverage = self.coverage_of(&state, true)?;
        let files = self.all_files_while(&|| true)?;
        let is_narrowed = self.is_narrowed();
        let (num_chunks, num_embedded) = match &state.snapshot {
            // How many of a caller's chunks have vectors is not counted one by one: `coverage` says whether any may be missing.
            _ if is_narrowed => {
                let num_chunks = files.iter().map(|file| file.num_chunks as usize).sum();
                (num_chunks, num_chunks)
            }
            Some(snapshot) => {
                let counts = snapshot.counts()?;
                (counts.num_chunks, counts.num_embedded)
            }
            None => (0, 0),
        };
        let facets = if is_narrowed {
            Facets::of(files.iter().map(|file| (&file.path, &file.provenance)))
        } else {
            self.engine.data.store.facets(id)?
        };
        Ok(StatusReport {
            workspace: id.clone(),
            root: row.root.map(|root| root.display().to_string()),
            revision: state.view.settled,
            coverage,
            num_chunks,
            num_embedded,
            model: self.engine.model_status()?,
            reranker: self.engine.reranker_status(),
            answerer: self.engine.answerer_status(),
            source: SourceStatus {
                scanned: state.view.source.scanned,
                notes: self.engine.source_notes(&state.view.source),
            },
            passed_over: if is_narrowed { Vec::new() } else { state.view.source.passed_over.clone() },
            read_only: !self.engine.is_writer(),
            weakness: self.engine.data.extractor.weakness(),
            reading: self.engine.scheduler.reading_now(id).filter(|reading| self.sees(&reading.path)),
            stuck: self.stuck().map(|error| error.to_string()),
            rebuild: if is_narrowed { None } else { self.rebuild_status()? },
            webhooks: self.webhook_notes()?,
            lock_violations: self.lock_violations()?,
            facets,
            not_ready: by_state_and_reason(&files),
        })
    }

    /// Whether the look at a workspace's folder goes on, where this process looks, and its files can be read, but for few.
    ///
    /// # Errors
    /// [`EngineError::Stuck`].
    pub fn check_looking(&self) -> Result<(), EngineError> {
        let (id, engine) = (&self.id, self.engine);
        let look = engine.scheduler.stuck_for(id).map(|silent_for| ("the look at the folder", silent_for));
        match look.or_else(|| Some(("the reading of the files", engine.data.errands.refuses(id)?))) {
            None => Ok(()),
            Some((what, silent_for)) => Err(self.stuck_at(what.to_owned(), silent_for)),
        }
    }

    /// What hangs of the workspace, a single file also.
    fn stuck(&self) -> Option<EngineError> {
        if let Err(error) = self.check_looking() {
            return Some(error);
        }
        let mut hanging = self.engine.data.errands.hanging(&self.id);
        hanging.retain(|(place, _)| self.sees_text(place));
        let silent_for = hanging.iter().map(|(_, silent_for)| *silent_for).max()?;
        let places: Vec<String> = hanging.iter().map(|(place, _)| format!("`{place}`")).collect();
        Some(self.stuck_at(format!("the reading of {}", places.join(", ")), silent_for))
    }

    fn stuck_at(&self, what: String, silent_for: Duration) -> EngineError {
        EngineError::Stuck { what, id: self.id.clone(), silent_s: silent_for.as_secs() }
    }
}

/// Why a model does not run, and what to do.
fn with_hint(error: &EmbedError) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{error}{hint}")
}

/// Files that are not ready, by state; in a state the reasons of most files first.
fn by_state_and_reason(files: &[FileEntry]) -> BTreeMap<String, Vec<ReasonGroup>> {
    let mut grouped: BTreeMap<String, BTreeMap<Option<String>, ReasonGroup>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.state != FileState::Ready) {
        let reasons = grouped.entry(file.state.name().to_owned()).or_default();
        let empty = || ReasonGroup { reason: file.reason.clone(), num_files: 0, files: Vec::new() };
        let group = reasons.entry(file.reason.clone()).or_insert_with(empty);
        group.num_files += 1;
        if file.state != FileState::Pending || group.files.len() < MAX_PENDING_NAMED {
            group.files.push(file.clone());
        }
    }
    let in_order = |reasons: BTreeMap<Option<String>, ReasonGroup>| {
        let mut groups: Vec<ReasonGroup> = reasons.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.num_files));
        groups
    };
    grouped.into_iter().map(|(state, reasons)| (state, in_order(reasons))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_is_not_ready_is_counted_and_all_but_pending_ones_are_named() {
        let file = |number: usize, state: FileState| -> FileEntry {
            let reason = (state == FileState::Failed).then_some("it is damaged");
            let row = serde_json::json!({
                "path": format!("{number:04}.md"), "state": state, "reason": reason, "size": 1, "modified": "2026-11-30T00:00:00Z",
                "revision": 1, "num_chunks": 0,
            });
            serde_json::from_value(row).unwrap()
        };
        let files: Vec<FileEntry> = (0..300).map(|n| file(n, [FileState::Pending, FileState::Failed][n % 2])).collect();
        let groups = by_state_and_reason(&files);
        let counts =
            |state: &str| groups[state].iter().map(|group| (group.num_files, group.files.len())).collect::<Vec<_>>();
        assert_eq!((counts("pending"), counts("failed")), (vec![(150, 100)], vec![(150, 150)]));
        assert_eq!(groups["pending"][0].files[0].path.as_str(), "0000.md");
    }
}
