//! What each file of a workspace is now, for programs that keep a copy of it in step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EngineError, Object, ObjectsRequest, Workspace};
use crate::workspace::Revision;

/// A page of the files of a workspace with their hashes, in the order of the bytes of their paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct ContentsReply {
    /// Tells the log of the server from every other, for example from one that was restored from a backup: revisions of two logs cannot be compared.
    pub log: String,
    /// The newest change of the workspace when the page was begun. What has changed since is among the changes after it.
    pub revision: Revision,
    /// The files, also those whose change is not searchable yet.
    pub files: Vec<Object>,
    /// After what the next page begins; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Workspace<'_> {
    /// A page of the files of a workspace, each as it is on disk now. Files inside other files are none of them.
    ///
    /// # Errors
    /// When the workspace is unknown or its folder does not answer.
    pub fn contents(&self, request: &ObjectsRequest) -> Result<ContentsReply, EngineError> {
        let store = &self.engine.data.store;
        let (log, revision) = (store.log_id()?, store.last_revision(&self.id)?);
        let page = self.objects(request)?;
        Ok(ContentsReply { log, revision, files: page.objects, next: page.next })
    }
}
