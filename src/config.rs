//! What can be configured, in `config.toml` of the data folder; everything has a default.

mod answer;
mod audit;
mod limits;
mod webhooks;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

pub use self::answer::{Answer, ApiKey, Unsupported};
pub use self::audit::{Audit, OnFull, QueryText};
pub use self::limits::{Limit, Limits};
pub use self::webhooks::Webhooks;
use crate::error::Advice;
use crate::network::Network;

/// More passages are not reranked for one search.
const MAX_RERANK_PASSAGES: usize = 100;

/// The configuration of one data folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The embedding model's name, as `pincite models list` shows it; without one, the default model.
    pub model: Option<String>,
    /// Files above this size are `failed`, with that reason, in bytes.
    pub max_file_bytes: u64,
    /// How often a server scans a folder that it watches anyway, in seconds.
    pub scan_interval_s: u64,
    /// With more written and reported changes than this not yet searchable, more are refused for now.
    pub max_pending: usize,
    /// What reading one file may take.
    pub extraction: Extraction,
    /// How pushed events are checked.
    pub events: Events,
    /// How candidates are weighed.
    pub ranking: Ranking,
    /// Who writes answers.
    pub answer: Answer,
    /// Where folders of workspaces may be.
    pub workspaces: Workspaces,
    /// Where webhooks may be sent.
    pub webhooks: Webhooks,
    /// Who stands between the server and its callers.
    pub serve: Serve,
    /// What a request, a file or a pattern may take.
    pub limits: Limits,
    /// What is recorded of accesses.
    pub audit: Audit,
}

/// Who stands between the server and its callers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Serve {
    /// Proxies whose `X-Forwarded-For` is believed, as networks. The address of a request that comes from one of them is the last one in
    /// that header that is no proxy's.
    pub trusted_proxies: Vec<Network>,
    /// Whether requests without a key from this machine itself are limited like those from other addresses.
    pub limit_loopback: bool,
}

/// What reading one file may take. A file that needs more is `failed`, with that reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Extraction {
    /// Time in seconds, and one more for each megabyte of the file.
    pub timeout_s: u64,
    /// Memory in megabytes.
    pub memory_mb: u64,
    /// Text in megabytes, of a file that is read whole, with what is inside it. What is beyond is not read of an archive or mail.
    pub text_mb: u64,
    /// Texts, tables and logs of more megabytes are read in parts, so that none of them is held whole.
    pub parts_from_mb: u64,
    /// Size in megabytes of files that are read whole, as all but plain texts, tables and logs are.
    pub whole_mb: u64,
    /// Megabytes of documents that are kept for each workspace so that no content is read twice; 0 for none.
    pub kept_mb: u64,
}

impl Default for Extraction {
    fn default() -> Self {
        Self { timeout_s: 60, memory_mb: 2_000, text_mb: 100, parts_from_mb: 16, whole_mb: 500, kept_mb: 500 }
    }
}

/// Where a workspace that is made over REST may have its folder. The command line may name any folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workspaces {
    /// A workspace's folder lies below one of these. With none, no workspace that is made over REST has a folder of its own.
    pub allowed_roots: Vec<PathBuf>,
}

/// How pushed events are checked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// `whsec_` and the base64 of the key that events are signed with; without one, no signature is asked for.
    pub secret: Option<String>,
    /// How far a signature's time may be from now, in seconds.
    pub tolerance_s: u64,
    /// Whether everything that writes over REST is to be signed, not events alone.
    pub sign_all_writes: bool,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret belongs into no log.
        f.debug_struct("Events").field("has_secret", &self.secret.is_some()).finish_non_exhaustive()
    }
}

impl Events {
    /// The key that events are signed with, where there is a secret that can be read.
    #[must_use]
    pub fn key(&self) -> Option<Vec<u8>> {
        let encoded = self.secret.as_deref()?.strip_prefix("whsec_")?;
        STANDARD.decode(encoded).ok().filter(|key| !key.is_empty())
    }
}

/// How candidates are weighed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ranking {
    /// The weight of the dense leg in the convex combination for a question, 0 to 1.
    pub dense_weight: f32,
    /// The weight of the dense leg for a few words that are no question, 0 to 1.
    pub dense_weight_of_words: f32,
    /// The greatest weight of the dense leg for a query with an identifier (`SLU-4417`, `max_tokens`): a model knows such words by their
    /// pieces only.
    pub dense_weight_with_identifier: f32,
    /// How far the question's vector is moved to the best candidates before all candidates are compared with it again, 0 to 1; 0
    /// leaves it.
    pub feedback_weight: f32,
    /// How much the scores of the most similar candidates count in a candidate's own, 0 to 1; 0 leaves it.
    pub neighbour_weight: f32,
    /// The folder of a cross-encoder that puts the first passages of a hybrid search into its own order; a relative path starts in
    /// the data folder. Without one they keep the order of their fused scores.
    pub reranker: Option<PathBuf>,
    /// How many passages the cross-encoder reorders, 1 to 100. Each takes the time of reading it once.
    pub rerank_passages: usize,
    /// The weights of the fields in BM25.
    pub fields: FieldWeights,
}

/// How much each field counts in BM25: the scores of the fields are summed with these weights. 0 leaves a field out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldWeights {
    /// The chunk's words, stemmed.
    pub body: f32,
    /// The chunk's words as written.
    pub exact: f32,
    /// Identifiers as written, and as they are without what joins their words.
    pub identifier: f32,
    /// Parts of compounds, of texts in languages that write them as one word.
    pub part: f32,
    /// The document's title.
    pub title: f32,
    /// The heading trail.
    pub trail: f32,
    /// The words of the path.
    pub path: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model: None,
            max_file_bytes: 4 * 1024 * 1024 * 1024,
            scan_interval_s: 600,
            max_pending: 10_000,
            extraction: Extraction::default(),
            events: Events::default(),
            ranking: Ranking::default(),
            answer: Answer::default(),
            workspaces: Workspaces::default(),
            webhooks: Webhooks::default(),
            serve: Serve::default(),
            limits: Limits::default(),
            audit: Audit::default(),
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self { secret: None, tolerance_s: 300, sign_all_writes: false }
    }
}

impl Default for Ranking {
    fn default() -> Self {
        Self {
            dense_weight: 0.7,
            dense_weight_of_words: 0.5,
            dense_weight_with_identifier: 0.3,
            feedback_weight: 0.4,
            neighbour_weight: 0.4,
            reranker: None,
            rerank_passages: 30,
            fields: FieldWeights::default(),
        }
    }
}

impl Ranking {
    fn check(&self) -> Result<(), String> {
        let weights = [
            self.dense_weight,
            self.dense_weight_of_words,
            self.dense_weight_with_identifier,
            self.feedback_weight,
            self.neighbour_weight,
        ];
        if let Some(weight) = weights.into_iter().find(|weight| !(0.0..=1.0).contains(weight)) {
            return Err(format!("a weight in `ranking` is {weight}, and must lie in 0 to 1"));
        }
        let FieldWeights { body, exact, identifier, part, title, trail, path } = self.fields;
        if [body, exact, identifier, part, title, trail, path]
            .iter()
            .any(|weight| !(weight.is_finite() && *weight >= 0.0))
        {
            return Err("a weight in `ranking.fields` is negative or not a number".to_owned());
        }
        if self.reranker.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            return Err("`ranking.reranker` is empty: name a folder, or leave the line out".to_owned());
        }
        if !(1..=MAX_RERANK_PASSAGES).contains(&self.rerank_passages) {
            let passages = self.rerank_passages;
            return Err(format!("`ranking.rerank_passages` is {passages}, and must lie in 1 to {MAX_RERANK_PASSAGES}"));
        }
        Ok(())
    }

    /// Whether candidates are scored once more by what stands among them.
    #[must_use]
    pub fn rescores(&self) -> bool {
        self.feedback_weight > 0.0 || self.neighbour_weight > 0.0
    }
}

impl Default for FieldWeights {
    fn default() -> Self {
        Self { body: 1.0, exact: 0.2, identifier: 1.0, part: 0.3, title: 0.3, trail: 0.2, path: 0.2 }
    }
}

impl Config {
    /// Reads `config.toml` of a data folder; without one, the defaults.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key, or has a value out of its range.
    pub fn load(data_folder: &Path) -> Result<Self, ConfigError> {
        let path = data_folder.join("config.toml");
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(ConfigError::Io(error)),
        };
        let mut config: Self = toml::from_str(&text)
            .map_err(|error| ConfigError::Invalid { path: path.clone(), reason: explained(&text, &error) })?;
        config.ranking.check().map_err(|reason| ConfigError::Invalid { path: path.clone(), reason })?;
        if config.scan_interval_s == 0 || config.max_pending == 0 {
            let reason = "`scan_interval_s` and `max_pending` must be at least 1".to_owned();
            return Err(ConfigError::Invalid { path, reason });
        }
        if config.events.secret.is_some() && config.events.key().is_none() {
            let reason = "`events.secret` is not `whsec_` and the base64 of a key".to_owned();
            return Err(ConfigError::Invalid { path, reason });
        }
        if config.events.sign_all_writes && config.events.secret.is_none() {
            let reason =
                "`events.sign_all_writes` needs `events.secret`: without it nothing could be written".to_owned();
            return Err(ConfigError::Invalid { path, reason });
        }
        if let Some(root) = config.workspaces.allowed_roots.iter().find(|root| !root.is_absolute()) {
            let reason =
                format!("`workspaces.allowed_roots` holds `{}`, which is not an absolute path", root.display());
            return Err(ConfigError::Invalid { path, reason });
        }
        config.limits.check().map_err(|reason| ConfigError::Invalid { path: path.clone(), reason })?;
        config.audit.check().map_err(|reason| ConfigError::Invalid { path: path.clone(), reason })?;
        config.answer.take_key_from_environment();
        config.answer.check().map_err(|reason| ConfigError::Invalid { path, reason })?;
        Ok(config)
    }

    /// How often a watched folder is scanned.
    #[must_use]
    pub const fn scan_interval(&self) -> Duration {
        Duration::from_secs(self.scan_interval_s)
    }
}

/// What is wrong with a line; the line itself may hold a key.
fn explained(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}: {}", error.message())
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file has an unknown key, or a value out of its range.
    #[error("`{}` cannot be used: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(std::io::Error),
}

impl Advice for ConfigError {
    fn code(&self) -> &'static str {
        "invalid_config"
    }

    fn hint(&self) -> Option<String> {
        Some("mend or remove `config.toml` in the data folder; `docs/configuration.md` lists every key".to_owned())
    }
}
