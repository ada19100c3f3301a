//! The embedded backend: each workspace's indexes in its folder of the data folder.

use std::path::PathBuf;
use std::sync::Arc;

use super::{EmbeddedIndex, io};
use crate::index::{Backend, Index, IndexError, Place, Wanted};
use crate::workspace::{Revision, WorkspaceId};

/// What the folders of a workspace's later indexes are called, before their numbers.
const LATER: &str = "index-";

/// The indexes below the folders of all workspaces.
#[derive(Debug)]
pub struct EmbeddedBackend {
    workspaces: PathBuf,
}

impl EmbeddedBackend {
    /// The indexes of the workspaces that have their folders in `workspaces`.
    #[must_use]
    pub const fn new(workspaces: PathBuf) -> Self {
        Self { workspaces }
    }

    fn folder_of(&self, workspace: &WorkspaceId) -> PathBuf {
        self.workspaces.join(workspace.as_str())
    }

    /// The first index of a workspace is beside its other things, each later one in a folder of its number.
    fn folder(&self, place: Place<'_>) -> PathBuf {
        let folder = self.folder_of(place.workspace);
        if place.generation == 0 { folder } else { folder.join(format!("{LATER}{}", place.generation)) }
    }
}

impl Backend for EmbeddedBackend {
    fn open(&self, place: Place<'_>, wanted: &Wanted<'_>) -> Result<Arc<dyn Index>, IndexError> {
        let Wanted { log_id, model_id, num_dimensions, access, condition } = *wanted;
        let model = (model_id, num_dimensions);
        Ok(Arc::new(EmbeddedIndex::open_as(&self.folder(place), log_id, model, access, condition)?))
    }

    fn discard(&self, place: Place<'_>) -> Result<(), IndexError> {
        EmbeddedIndex::discard(&self.folder(place))
    }

    fn discard_vectors(&self, place: Place<'_>) -> Result<(), IndexError> {
        EmbeddedIndex::discard_vectors(&self.folder(place))
    }

    fn remove(&self, place: Place<'_>) -> Result<(), IndexError> {
        if place.generation == 0 {
            self.discard(place)?;
            return self.discard_vectors(place);
        }
        fs_err::remove_dir_all(self.folder(place)).map_err(io)
    }

    fn remove_others(&self, serving: Place<'_>, next: Option<i64>) -> Result<(), IndexError> {
        let folder = self.folder_of(serving.workspace);
        if serving.generation > 0 {
            self.remove(Place { generation: 0, ..serving })?;
        }
        if !folder.exists() {
            return Ok(());
        }
        for entry in fs_err::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name();
            let Some(number) = name.to_str().and_then(|name| name.strip_prefix(LATER)) else { continue };
            let number = number.parse::<i64>().ok();
            if number.is_none_or(|number| number != serving.generation && Some(number) != next) {
                fs_err::remove_dir_all(entry.path()).map_err(io)?;
            }
        }
        Ok(())
    }

    fn committed(&self) -> Result<Vec<(String, Revision)>, IndexError> {
        let Ok(workspaces) = fs_err::read_dir(&self.workspaces) else { return Ok(Vec::new()) };
        let mut committed = Vec::new();
        for folder in workspaces {
            let folder = folder.map_err(io)?.path();
            let within = fs_err::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
            committed
                .extend(within.chain([folder.clone()]).filter_map(|folder| EmbeddedIndex::committed_from(&folder)));
        }
        Ok(committed)
    }
}
