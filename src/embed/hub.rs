//! The models that fastembed knows by name and a model hub holds: how each is used, and which files it has.
//!
//! # Not here
//! Where the files lie once they are pulled, and their pins: that is [`super::catalog`] and [`super::pins`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fastembed::{EmbeddingModel, ModelInfo, OutputKey, TextEmbedding};
use hf_hub::Cache;
use hf_hub::api::sync::{ApiBuilder, ApiRepo};

use super::Progress;
use super::manifest::{ModelLanguages, ModelSpec, Pooling};

/// The tokenizer's files; every repository has them.
pub(super) const TOKENIZER_FILES: [&str; 4] =
    ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"];

/// A model on the hub.
pub(super) struct HubModel {
    /// What it is and how it is used.
    pub(super) spec: ModelSpec,
    /// The repository on the hub.
    pub(super) repository: String,
    /// Paths in the repository: the weights, then weights outside the graph.
    pub(super) weights: Vec<String>,
    /// The output that holds the vector.
    pub(super) output_key: Option<OutputKey>,
    /// How fastembed calls it.
    variant: String,
}

impl HubModel {
    fn of(info: ModelInfo<EmbeddingModel>) -> Self {
        let variant = format!("{:?}", info.model);
        let (query_prefix, passage_prefix) = prefixes(&variant);
        let pooling = match TextEmbedding::get_default_pooling_method(&info.model) {
            Some(fastembed::Pooling::Mean) => Pooling::Mean,
            _ => Pooling::Cls,
        };
        let spec = ModelSpec {
            name: name(&info.model_code, &variant),
            description: info.description,
            licence: licence(&variant).map(str::to_owned),
            dimensions: info.dim,
            languages: languages(&variant),
            max_tokens: max_tokens(&variant),
            pooling,
            query_prefix: query_prefix.to_owned(),
            passage_prefix: passage_prefix.to_owned(),
        };
        let mut weights = vec![info.model_file];
        weights.extend(info.additional_files);
        Self { spec, repository: info.model_code, weights, output_key: info.output_key, variant }
    }

    /// Whether `name` is its name here, its repository or fastembed's name for it. Upper and lower case are the same.
    pub(super) fn is_called(&self, name: &str) -> bool {
        // A repository may hold several models; its name alone means the one that is not quantised.
        let is_quantised = self.variant.ends_with('Q') || self.variant.ends_with("Q4");
        self.spec.name.eq_ignore_ascii_case(name)
            || self.variant.eq_ignore_ascii_case(name)
            || (!is_quantised && self.repository.eq_ignore_ascii_case(name))
    }

    /// All files: path in the repository, and name in the model's folder.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let paths = self.weights.iter().map(String::as_str).chain(TOKENIZER_FILES);
        paths.map(|path| (path, file_name(path)))
    }
}

/// The last component of a path in a repository.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// All models on the hub that fastembed knows, by name.
pub(super) fn models() -> Vec<HubModel> {
    let mut models: Vec<_> = TextEmbedding::list_supported_models().into_iter().map(HubModel::of).collect();
    models.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    models
}

/// The repository's own name in lower case, without what it says about the file format; `-q` marks quantised weights.
fn name(repository: &str, variant: &str) -> String {
    let name = file_name(repository).to_lowercase();
    let name = ["-onnx-q", "-onnx"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let mark = match variant {
        variant if variant.ends_with("Q4") => "-q4",
        variant if variant.ends_with('Q') => "-q",
        _ => "",
    };
    format!("{name}{mark}")
}

/// What goes in front of queries and passages, as each model's card says.
fn prefixes(variant: &str) -> (&'static str, &'static str) {
    const SEARCH: &str = "Represent this sentence for searching relevant passages: ";
    match variant {
        v if v.starts_with("MultilingualE5") => ("query: ", "passage: "),
        v if v.starts_with("Nomic") || v.starts_with("ModernBert") => ("search_query: ", "search_document: "),
        v if v.starts_with("EmbeddingGemma") => ("task: search result | query: ", "title: none | text: "),
        v if v.starts_with("BGE") && v.contains("ZH") => ("为这个句子生成表示以用于检索相关文章：", ""),
        v if v.starts_with("BGE") && v.contains("EN") => (SEARCH, ""),
        v if v.starts_with("Snowflake") || v.starts_with("Mxbai") => (SEARCH, ""),
        _ => ("", ""),
    }
}

/// The languages that each model was made for, as its card says.
fn languages(variant: &str) -> ModelLanguages {
    match variant {
        v if ["MultilingualE5", "BGEM3", "EmbeddingGemma", "ParaphraseML"].iter().any(|all| v.starts_with(all)) => {
            ModelLanguages::default()
        }
        v if v.contains("ZH") => ModelLanguages::of_codes(&["zh", "en"]),
        _ => ModelLanguages::of_codes(&["en"]),
    }
}

/// The most tokens of a text. Several models take more; attention over longer texts is slow and blurs what a passage says.
fn max_tokens(variant: &str) -> usize {
    match variant {
        "ClipVitB32" => 77,
        v if v.starts_with("AllMiniLML6") => 256,
        v if v.starts_with("AllMiniLML12") || v.starts_with("Paraphrase") => 128,
        "AllMpnetBaseV2" => 384,
        _ => 512,
    }
}

/// The licence, where its card says one.
fn licence(variant: &str) -> Option<&'static str> {
    match variant {
        v if v.starts_with("BGE") || v.starts_with("MultilingualE5") || v == "ClipVitB32" => Some("MIT"),
        v if v.starts_with("EmbeddingGemma") => Some("LicenseRef-Gemma"),
        v if ["AllM", "Paraphrase", "Nomic", "ModernBert", "Mxbai", "GTE", "Jina", "Snowflake"]
            .iter()
            .any(|known| v.starts_with(known)) =>
        {
            Some("Apache-2.0")
        }
        _ => None,
    }
}

/// A repository on the hub, its files downloaded into a folder.
pub(super) struct HubDownload<'a> {
    repository: ApiRepo,
    progress: &'a dyn Progress,
}

impl<'a> HubDownload<'a> {
    /// Downloads go below `folder`. `HF_ENDPOINT` names another hub, `HF_TOKEN` is for models that ask who you are.
    pub(super) fn new(repository: &str, folder: &Path, progress: &'a dyn Progress) -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let mut builder = ApiBuilder::from_cache(Cache::new(folder.join("hub"))).with_progress(false).with_retries(2);
        if let Some(endpoint) = variable("HF_ENDPOINT") {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(token) = variable("HF_TOKEN") {
            builder = builder.with_token(Some(token.trim().to_owned()));
        }
        let api = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { repository: api.model(repository.to_owned()), progress })
    }

    /// Downloads one file and returns where it lies.
    pub(super) fn get(&self, path: &str) -> Result<PathBuf, String> {
        let bar = Bar { progress: self.progress, num_bytes: 0 };
        // `hf-hub` unwraps what a server answers in several places.
        catch_unwind(AssertUnwindSafe(|| self.repository.download_with_progress(path, bar)))
            .map_err(|_| format!("the hub answered `{path}` in an unexpected way"))?
            .map_err(|error| format!("`{path}`: {error}"))
    }
}

/// The revision of a downloaded file: the hub's client puts it into the path.
pub(super) fn revision_of(path: &Path) -> Option<String> {
    let mut parts = path.components().map(|part| part.as_os_str().to_string_lossy());
    parts.find(|part| part == "snapshots")?;
    parts.next().map(std::borrow::Cow::into_owned)
}

struct Bar<'a> {
    progress: &'a dyn Progress,
    num_bytes: u64,
}

impl hf_hub::api::Progress for Bar<'_> {
    fn init(&mut self, size: usize, filename: &str) {
        self.progress.begin(filename, Some(size as u64));
    }

    fn update(&mut self, size: usize) {
        self.num_bytes += size as u64;
        self.progress.advance_to(self.num_bytes);
    }

    fn finish(&mut self) {
        self.progress.end();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::embed::manifest::is_file_name;

    #[test]
    fn names_are_unique_and_can_be_folders_and_so_can_the_files() {
        let models = models();
        let names: HashSet<_> = models.iter().map(|model| model.spec.name.clone()).collect();
        assert_eq!(names.len(), models.len());
        for model in &models {
            assert!(is_file_name(&model.spec.name), "{}", model.spec.name);
            let files: Vec<_> = model.files().map(|(_, name)| name).collect();
            assert!(files.iter().all(|name| is_file_name(name)), "{files:?}");
            assert_eq!(files.iter().collect::<HashSet<_>>().len(), files.len(), "{files:?}");
        }
    }

    #[test]
    fn a_model_answers_to_its_name_its_repository_and_fastembeds_name() {
        let models = models();
        for called in ["multilingual-e5-small", "intfloat/multilingual-e5-small", "MultilingualE5Small"] {
            let found: Vec<_> = models.iter().filter(|model| model.is_called(called)).collect();
            assert_eq!(found.len(), 1, "{called}");
            assert_eq!(found[0].spec.passage_prefix, "passage: ");
        }
        for model in &models {
            assert_eq!(
                models.iter().filter(|other| other.is_called(&model.spec.name)).count(),
                1,
                "{}",
                model.spec.name
            );
        }
    }

    #[test]
    fn the_revision_is_read_from_where_a_download_lies() {
        assert_eq!(revision_of(Path::new("/d/hub/models--a--b/snapshots/abc/onnx/model.onnx")), Some("abc".to_owned()));
        assert_eq!(revision_of(Path::new("/d/model.onnx")), None);
    }
}
