//! The models that are open: the configured one, former ones whose indexes still serve, and the reranker.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::{DataFolder, EngineError};
use crate::embed::{self, EmbedError, OnnxReranker, OpenModel, Reranker};
use crate::index::Index;

/// The models of a data folder, each opened at first need.
pub(crate) struct Models {
    /// Where `config.toml` and pulled models are.
    pub(super) settings_folder: PathBuf,
    /// Where ONNX Runtime is kept, if the caller said so.
    pub(super) runtime_folder: Option<PathBuf>,
    /// Is told when a model or runtime is fetched.
    fetch_progress: Arc<dyn embed::Progress>,
    configured: OnceLock<Arc<OpenModel>>,
    /// Models of indexes that serve until others are built; `None` where one cannot be opened.
    former: Mutex<HashMap<String, Option<Arc<OpenModel>>>>,
    /// The configured reranker, or why it cannot be opened.
    pub(crate) reranker: OnceLock<Result<Box<dyn Reranker>, EmbedError>>,
    /// Whether the log says already that the reranker fails.
    warned_of_reranker: AtomicBool,
}

impl Models {
    pub(super) fn new(
        settings_folder: PathBuf,
        runtime_folder: Option<PathBuf>,
        fetch_progress: Arc<dyn embed::Progress>,
    ) -> Self {
        Self {
            settings_folder,
            runtime_folder,
            fetch_progress,
            configured: OnceLock::new(),
            former: Mutex::default(),
            reranker: OnceLock::new(),
            warned_of_reranker: AtomicBool::new(false),
        }
    }

    /// How many are open, the reranker not counted.
    pub(crate) fn num_open(&self) -> usize {
        self.former.lock().values().flatten().count() + usize::from(self.configured.get().is_some())
    }

    /// Says once in the log that passages are not reranked; every reply says it of itself.
    pub(crate) fn warn_of_reranker(&self, reason: &str) {
        if !self.warned_of_reranker.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "passages are not reranked");
        }
    }

    fn options(&self) -> embed::OpenOptions {
        let mut options = embed::OpenOptions::from_env(&self.settings_folder);
        options.progress = Arc::clone(&self.fetch_progress);
        if let Some(folder) = &self.runtime_folder {
            options.runtime.dir.clone_from(folder);
        }
        options
    }
}

impl DataFolder {
    /// The configured model, opened at first need. A missing runtime is not an error: it is in [`OpenModel::embedder`].
    pub(crate) fn model(&self) -> Result<&Arc<OpenModel>, EngineError> {
        let models = &self.models;
        if let Some(model) = models.configured.get() {
            return Ok(model);
        }
        let options = models.options();
        if self.is_writer() {
            embed::remove_leftovers(&models.settings_folder, &options.runtime.dir);
        }
        let model = embed::open(&models.settings_folder, self.config.model.as_deref(), &options)?;
        Ok(models.configured.get_or_init(|| Arc::new(model)))
    }

    /// The model that an index is of, by its id: the configured one, or the one that was configured before. `None` where that
    /// cannot be opened any more.
    pub(crate) fn model_of(&self, model_id: &str) -> Result<Option<Arc<OpenModel>>, EngineError> {
        let model = self.model()?;
        if model.model_id == model_id {
            return Ok(Some(Arc::clone(model)));
        }
        let models = &self.models;
        let mut former = models.former.lock();
        if let Some(known) = former.get(model_id) {
            return Ok(known.clone());
        }
        let open = |name: String| embed::open(&models.settings_folder, Some(&name), &models.options());
        let opened = embed::name_of(&models.settings_folder, model_id)?.map(open).transpose();
        let opened = opened.unwrap_or_else(|error| {
            tracing::warn!(%error, model_id, "the model that an index is of cannot be opened");
            None
        });
        let opened = opened.map(Arc::new);
        former.insert(model_id.to_owned(), opened.clone());
        Ok(opened)
    }

    /// The model to bring changes into an index with: its own, or, where that cannot be opened any more, the configured one, for
    /// what has to be counted.
    pub(crate) fn serving_model(&self, index: &dyn Index) -> Result<Arc<OpenModel>, EngineError> {
        Ok(match self.model_of(index.model_id())? {
            Some(model) => model,
            None => Arc::clone(self.model()?),
        })
    }

    /// The configured reranker, opened at first need, or why it cannot be; `None` where none is configured.
    pub(crate) fn reranker(&self) -> Option<Result<&dyn Reranker, &EmbedError>> {
        let (models, folder) = (&self.models, self.config.ranking.reranker.as_ref()?);
        let opened = models.reranker.get_or_init(|| {
            let opened = OnnxReranker::open(&models.settings_folder.join(folder), &models.options());
            opened.map(|reranker| Box::new(reranker) as Box<dyn Reranker>)
        });
        Some(opened.as_deref())
    }
}
