//! What the last whole scan of a workspace could not take as it is, kept for whoever asks: also by another process, after the scan.

use std::io::Read as _;

use super::{Engine, EngineError};
use crate::workspace::WorkspaceId;

/// Where it is kept, in the workspace's folder of the data folder.
const FILE: &str = "problems.json";
/// More bytes are not read of it.
const MAX_BYTES: u64 = 1_000_000;

impl Engine {
    /// Keeps what a whole scan told. That it cannot be kept is no reason to stop.
    pub(super) fn note_problems(&self, id: &WorkspaceId, problems: &[String]) {
        if problems == self.problems(id) {
            return;
        }
        let keep = || -> Result<(), EngineError> {
            // So that nothing is kept of a workspace that is deleted meanwhile.
            let _alone = self.lock_files(id)?;
            let file = self.folder_of(id).join(FILE);
            let kept = match serde_json::to_vec(problems) {
                Ok(json) if !problems.is_empty() => fs_err::write(file, json),
                _ => fs_err::remove_file(file),
            };
            kept.map_err(EngineError::Io)
        };
        if let Err(error) = keep() {
            tracing::warn!(workspace = %id, %error, "the problems of a scan cannot be kept");
        }
    }

    /// What the last whole scan told.
    pub(super) fn problems(&self, id: &WorkspaceId) -> Vec<String> {
        let mut json = Vec::new();
        let file = fs_err::File::open(self.folder_of(id).join(FILE));
        let read = file.and_then(|file| file.take(MAX_BYTES).read_to_end(&mut json));
        read.ok().and_then(|_| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }
}
