//! Requests to change files, as MCP and REST take them: one set of fields, one meaning.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::edit::{EditReply, MergeReply};
use super::{EngineError, Given, MoveReply, NewLock, OnConflict, Precondition, Transit, Workspace, WriteReply};
use crate::edit::{Changes, Edit, Insertion};
use crate::workspace::{ChangeKind, ContentHash, Provenance, RelPath, Revision};

/// The longest content that a request holds as base64, in bytes of the content.
const MAX_BASE64_BYTES: usize = 64 * 1024;
/// How long a lock holds that is taken for one write, in seconds: so long others wait where the process ends before it is released.
const LOCK_FOR_WRITE_S: u32 = 10;

/// What every request to change a file can say.
#[derive(Debug, Clone, Default)]
struct Common {
    if_match: Option<String>,
    lock_token: Option<String>,
    idempotency_key: Option<String>,
    provenance: Provenance,
}

macro_rules! request {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$attribute])* pub $field: $type,)*
            /// The `etag` of the file as it was read, which it must have now; `absent` where there must be none, `*` where there must be one.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub if_match: Option<String>,
            /// The token of the caller's lock on the file.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub lock_token: Option<String>,
            /// A request that comes again with this key within a day is not done again, and answered as before.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub idempotency_key: Option<String>,
            /// Who does it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub agent: Option<String>,
            /// The run or session.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub run: Option<String>,
            /// The sandbox or machine.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub sandbox: Option<String>,
            /// Words to find the file by.
            #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
            pub tags: BTreeSet<String>,
            /// Waits so many milliseconds at most, up to 60,000, until searches find the change; `searchable` says whether they do.
            #[serde(default, skip_serializing_if = "is_zero")]
            #[schema(maximum = 60_000)]
            pub wait_searchable_ms: u64,
        }

        impl $name {
            fn common(&self) -> Common {
                let Self { if_match, lock_token, idempotency_key, agent, run, sandbox, tags, .. } = self.clone();
                let provenance = Provenance { agent, run, sandbox, tags, proven: false };
                Common { if_match, lock_token, idempotency_key, provenance }
            }
        }
    };
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

request! {
    /// A file to write whole.
    WriteRequest {
        /// The file.
        path: String,
        /// Its whole content, as text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// Its whole content of at most 64 KiB as base64, where it is no text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_base64: Option<String>,
        /// With `if_match` of the content that was read: `merge` brings both changes together where another one has written since.
        #[serde(default)]
        on_conflict: OnConflict,
        /// Takes an exclusive lock, writes, and releases it, in this one call.
        #[serde(default)]
        lock: bool,
    }
}

request! {
    /// Changes in the text of a file; all are made or none.
    EditRequest {
        /// The file.
        path: String,
        /// Replacements, in order: each `old_text` must stand exactly once in what those before it have left.
        #[serde(default)]
        edits: Vec<Edit>,
        /// Replaces each `old_text` wherever it stands.
        #[serde(default)]
        replace_all: bool,
        /// Lines to put at the end of the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        append: Option<String>,
        /// Lines to put right below a heading of a Markdown file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        insert_after_heading: Option<Insertion>,
        /// Shows the difference and writes nothing.
        #[serde(default, alias = "dryRun")]
        dry_run: bool,
    }
}

request! {
    /// A file or folder to move, or a file to copy. `if_match` is of the file at `from`.
    MoveRequest {
        /// Where it is.
        #[serde(alias = "source")]
        from: String,
        /// Where it is to be.
        #[serde(alias = "destination")]
        to: String,
        /// Replaces a file that is there; without it there must be none.
        #[serde(default)]
        overwrite: bool,
    }
}

request! {
    /// A file to delete.
    DeleteRequest {
        /// The file.
        path: String,
    }
}

/// What a request has done to a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct FileReply {
    /// The file.
    pub path: String,
    /// What happened to it; absent for a trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChangeKind>,
    /// The change in the log: a query with this `min_revision` sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The SHA-256 of its content now, for the next `if_match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<ContentHash>,
    /// How many places were changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_places: Option<usize>,
    /// Of a folder that was moved: how many files are in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_files: Option<usize>,
    /// Of a folder that was moved: whether it is still at its old path as well, with what is not of the workspace or what the caller does not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_stays: Option<bool>,
    /// What was changed, as a unified difference of at most 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// Whether changes that others made meanwhile are in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<bool>,
    /// Whether searches find the change, where that was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searchable: Option<bool>,
}

impl From<WriteReply> for FileReply {
    fn from(written: WriteReply) -> Self {
        let WriteReply { revision, path, kind, content_hash } = written;
        Self {
            path: path.to_string(),
            kind: Some(kind),
            revision: Some(revision),
            etag: content_hash,
            ..Self::default()
        }
    }
}

impl From<MoveReply> for FileReply {
    fn from(moved: MoveReply) -> Self {
        let MoveReply { written, num_files, folder_stays } = moved;
        let reply = Self::from(written);
        // Nothing is logged of a folder without files.
        let revision = reply.revision.filter(|_| num_files != Some(0));
        Self { revision, num_files, folder_stays, ..reply }
    }
}

impl Common {
    fn precondition(&self) -> Result<Precondition, EngineError> {
        precondition_of(self.if_match.as_deref())
    }

    fn on<'a>(&self, workspace: Workspace<'a>) -> Result<Workspace<'a>, EngineError> {
        workspace.given(Given {
            idempotency_key: self.idempotency_key.clone(),
            lock_tokens: self.lock_token.iter().cloned().collect(),
        })
    }
}

/// The condition that `if_match` says.
pub(super) fn precondition_of(if_match: Option<&str>) -> Result<Precondition, EngineError> {
    Ok(match if_match.map(|condition| condition.trim().trim_matches('"')) {
        None => Precondition::None,
        Some("absent") => Precondition::Absent,
        Some("*") => Precondition::Exists,
        Some(hash) => {
            let hash = hash.parse().map_err(|_| invalid("`if_match` is no `etag`, `absent` or `*`"))?;
            Precondition::Matches(vec![hash])
        }
    })
}

fn invalid(what: &str) -> EngineError {
    EngineError::InvalidRequest { what: what.to_owned() }
}

impl WriteRequest {
    /// Writes the file.
    ///
    /// # Errors
    /// As [`Workspace::write_file`], [`Workspace::merge_file`] and [`Workspace::take_lock`].
    pub fn run(&self, workspace: Workspace<'_>) -> Result<FileReply, EngineError> {
        let common = self.common();
        let precondition = common.precondition()?;
        let path = workspace.path_of(&self.path)?;
        let bytes = match (&self.content, &self.content_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) if text.len() > MAX_BASE64_BYTES.div_ceil(3) * 4 => {
                return Err(invalid("`content_base64` holds more than 64 KiB: ask for a link with `create_upload`"));
            }
            (None, Some(text)) => BASE64_STANDARD.decode(text).map_err(|_| invalid("`content_base64` is no base64"))?,
            _ => return Err(invalid("give `content` or `content_base64`")),
        };
        let mut workspace = common.on(workspace)?;
        let lock = if self.lock { Some(LockForWrite::take(&mut workspace, &path)?) } else { None };
        let done = match (self.on_conflict, &precondition) {
            (OnConflict::Merge, Precondition::Matches(hashes)) => {
                let base = hashes.first().copied().ok_or_else(|| invalid("`merge` needs `if_match`"))?;
                let MergeReply { written, merged } = workspace.merge_file(&path, &bytes, base, &common.provenance)?;
                Ok(FileReply { merged: Some(merged), ..written.into() })
            }
            (OnConflict::Merge, _) => {
                Err(invalid("`on_conflict: \"merge\"` needs `if_match` with the `etag` that was read"))
            }
            (OnConflict::Refuse, _) => {
                let mut upload = workspace.begin_upload(&path)?.by(common.provenance)?;
                upload.write(&bytes)?;
                workspace.finish_upload(upload, &precondition).map(FileReply::from)
            }
        };
        if let Some(lock) = lock {
            lock.release(&workspace);
        }
        done
    }
}

/// A lock that holds for one write.
struct LockForWrite {
    id: String,
    token: String,
}

impl LockForWrite {
    fn take(workspace: &mut Workspace<'_>, path: &RelPath) -> Result<Self, EngineError> {
        let new = NewLock { path: Some(path.clone()), ttl_s: Some(LOCK_FOR_WRITE_S), ..NewLock::default() };
        let lock = workspace.take_lock(&new)?;
        let token = lock.token.unwrap_or_default();
        workspace.given.lock_tokens.push(token.clone());
        Ok(Self { id: lock.lock_id, token })
    }

    fn release(self, workspace: &Workspace<'_>) {
        if let Err(error) = workspace.release_lock(&self.id, &self.token) {
            tracing::warn!(%error, "the lock of a write stays until it is over");
        }
    }
}

impl EditRequest {
    /// Changes the file, or shows what would be changed.
    ///
    /// # Errors
    /// As [`Workspace::edit_file`].
    pub fn run(&self, workspace: Workspace<'_>) -> Result<FileReply, EngineError> {
        let common = self.common();
        let precondition = common.precondition()?;
        let path = workspace.path_of(&self.path)?;
        let workspace = common.on(workspace)?;
        let Self { edits, replace_all, append, insert_after_heading, dry_run, .. } = self.clone();
        let changes = Changes { edits, replace_all, insert_after_heading, append };
        let reply = workspace.edit_file(&path, &changes, &precondition, &common.provenance, dry_run)?;
        let EditReply { written, num_places, diff } = reply;
        let written = written.map_or_else(|| FileReply { path: path.to_string(), ..FileReply::default() }, Into::into);
        Ok(FileReply { num_places: Some(num_places), diff: Some(diff), ..written })
    }
}

impl MoveRequest {
    fn transit(&self, workspace: &Workspace<'_>, common: &Common) -> Result<Transit, EngineError> {
        Ok(Transit {
            from: workspace.path_of(&self.from)?,
            to: workspace.path_of(&self.to)?,
            // A workspace that demands a condition is content with what the paths say.
            precondition: match common.precondition()? {
                Precondition::None => Precondition::Exists,
                given => given,
            },
            precondition_of_target: if self.overwrite { Precondition::None } else { Precondition::Absent },
        })
    }

    /// Gives the file or folder another path.
    ///
    /// # Errors
    /// As [`Workspace::move_file`].
    pub fn move_in(&self, workspace: Workspace<'_>) -> Result<FileReply, EngineError> {
        let common = self.common();
        let transit = self.transit(&workspace, &common)?;
        common.on(workspace)?.move_file(&transit, &common.provenance).map(FileReply::from)
    }

    /// Copies the file.
    ///
    /// # Errors
    /// As [`Workspace::copy_file`].
    pub fn copy_in(&self, workspace: Workspace<'_>) -> Result<FileReply, EngineError> {
        let common = self.common();
        let transit = self.transit(&workspace, &common)?;
        common.on(workspace)?.copy_file(&transit, &common.provenance).map(FileReply::from)
    }
}

impl DeleteRequest {
    /// Deletes the file.
    ///
    /// # Errors
    /// As [`Workspace::delete_file`].
    pub fn run(&self, workspace: Workspace<'_>) -> Result<FileReply, EngineError> {
        let common = self.common();
        let precondition = common.precondition()?;
        let path = workspace.path_of(&self.path)?;
        common.on(workspace)?.delete_file(&path, &precondition, common.provenance).map(FileReply::from)
    }
}

impl Workspace<'_> {
    /// A folder as people and models write it: `None` for the workspace's own, which is `.`, nothing, or its place on the disk.
    ///
    /// # Errors
    /// [`EngineError::Name`].
    pub fn folder_of(&self, text: &str) -> Result<Option<RelPath>, EngineError> {
        let path = text.trim_end_matches('/');
        if matches!(path, "" | ".") {
            return Ok(None);
        }
        let root = self.engine.data.store.workspace(&self.id)?.root;
        if root.is_some_and(|root| root == Path::new(path)) {
            return Ok(None);
        }
        self.path_of(path).map(Some)
    }

    /// The path of a file as people and models write it: also with `./`, or from the root of the disk on where it is below the workspace's
    /// folder.
    ///
    /// # Errors
    /// [`EngineError::Name`].
    pub fn path_of(&self, text: &str) -> Result<RelPath, EngineError> {
        let mut path = text;
        while let Some(rest) = path.strip_prefix("./") {
            path = rest.trim_start_matches('/');
        }
        if path.starts_with('/') {
            let root = self.engine.data.store.workspace(&self.id)?.root;
            if let Some(path) = root.and_then(|root| RelPath::strip(Path::new(&root), Path::new(path)).ok()) {
                return Ok(path);
            }
        }
        Ok(path.parse()?)
    }
}
