//! Who writes answers: by default nobody, and answers are sentences of the files.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::http::Uri;

/// The environment variable whose key goes before the one in `config.toml`.
const API_KEY_VARIABLE: &str = "PINCITE_ANSWER_API_KEY";
/// Passages that a question's search finds for its answer.
const MAX_PASSAGES: usize = 12;

/// A language model behind an endpoint that speaks `OpenAI`'s protocol, and how it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// Where the endpoint is, before `/chat/completions`: `http://127.0.0.1:11434/v1`. Without one, nothing is contacted.
    pub base_url: Option<String>,
    /// The model's name, as the endpoint has it.
    pub model: Option<String>,
    /// What is sent as `Authorization: Bearer …`.
    #[serde(skip_serializing)]
    pub api_key: Option<ApiKey>,
    /// How long the whole answer may take, in seconds.
    pub timeout_s: u64,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// How freely the model chooses words, 0 to 2.
    pub temperature: f32,
    /// What becomes of a sentence that its passages do not support.
    pub unsupported: Unsupported,
    /// Passages that the model is given at most, 1 to 12.
    pub max_passages: usize,
    /// Bytes of passages that the model is given at most.
    pub max_passage_bytes: usize,
}

/// What becomes of a sentence that its passages do not support.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unsupported {
    /// It is left out.
    #[default]
    Drop,
    /// It stays, and says what is wrong with it.
    Mark,
}

/// A key that belongs into no log and no reply.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key itself, to be sent.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            base_url: None,
            model: None,
            api_key: None,
            timeout_s: 60,
            max_tokens: 800,
            temperature: 0.0,
            unsupported: Unsupported::Drop,
            max_passages: MAX_PASSAGES,
            // With question, rules and answer within the 4,096 tokens that Ollama gives a model by default.
            max_passage_bytes: 10_000,
        }
    }
}

impl Answer {
    /// Base URL and model, where there are any.
    #[must_use]
    pub fn endpoint(&self) -> Option<(&str, &str)> {
        self.base_url.as_deref().zip(self.model.as_deref())
    }

    /// How long the whole answer may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }

    /// Takes the key from the environment, where there is one.
    pub(super) fn take_key_from_environment(&mut self) {
        if let Some(key) = std::env::var(API_KEY_VARIABLE).ok().filter(|key| !key.is_empty()) {
            self.api_key = Some(ApiKey(key));
        }
    }

    /// What is wrong, and what it has to be.
    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.base_url, &self.model) {
            (Some(base_url), Some(model)) => {
                check_base_url(base_url)?;
                if model.trim().is_empty() {
                    return Err("`answer.model` is empty: name a model of the endpoint".to_owned());
                }
            }
            (None, None) => {}
            (Some(_), None) => {
                return Err("`answer.base_url` needs `answer.model`: name a model of the endpoint".to_owned());
            }
            (None, Some(_)) => {
                return Err("`answer.model` needs `answer.base_url`: name the URL of the endpoint".to_owned());
            }
        }
        let is_sendable = |key: &ApiKey| !key.0.is_empty() && key.0.bytes().all(|byte| byte.is_ascii_graphic());
        if self.api_key.as_ref().is_some_and(|key| !is_sendable(key)) {
            return Err(format!("`answer.api_key` (or `{API_KEY_VARIABLE}`) is empty, or has spaces or other bytes"));
        }
        if !(1..=3_600).contains(&self.timeout_s) {
            return Err(format!("`answer.timeout_s` is {}, it lies in 1 to 3600", self.timeout_s));
        }
        if !(16..=100_000).contains(&self.max_tokens) {
            return Err(format!("`answer.max_tokens` is {}, it lies in 16 to 100000", self.max_tokens));
        }
        if !(0.0..=2.0).contains(&self.temperature) {
            return Err(format!("`answer.temperature` is {}, it lies in 0 to 2", self.temperature));
        }
        if !(1..=MAX_PASSAGES).contains(&self.max_passages) {
            return Err(format!("`answer.max_passages` is {}, it lies in 1 to {MAX_PASSAGES}", self.max_passages));
        }
        if !(500..=1_000_000).contains(&self.max_passage_bytes) {
            let given = self.max_passage_bytes;
            return Err(format!("`answer.max_passage_bytes` is {given}, it lies in 500 to 1000000"));
        }
        Ok(())
    }
}

/// The URL itself is not repeated: somebody may have put a password into it.
fn check_base_url(base_url: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("`answer.base_url` {what}; it is like `http://127.0.0.1:11434/v1`"));
    let Ok(uri) = base_url.parse::<Uri>() else { return wrong("is no URL") };
    let Some(authority) = uri.authority() else { return wrong("names no host") };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return wrong("begins with neither `http://` nor `https://`");
    }
    if authority.as_str().contains('@') {
        return wrong("holds a name or password: give a key as `answer.api_key` instead");
    }
    if uri.query().is_some() || base_url.contains('#') {
        return wrong("goes on after its path");
    }
    if uri.path().trim_end_matches('/').ends_with("/chat/completions") {
        return wrong("ends before `/chat/completions`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(toml: &str) -> Result<Answer, String> {
        let answer: Answer = toml::from_str(toml).map_err(|error| error.to_string())?;
        answer.check().map(|()| answer)
    }

    #[test]
    fn an_endpoint_needs_a_url_and_a_model_and_the_rest_has_defaults() {
        assert_eq!(parsed("").unwrap().endpoint(), None);
        let answer = parsed("base_url = 'http://127.0.0.1:11434/v1'\nmodel = 'qwen3:8b'").unwrap();
        assert_eq!(answer.endpoint(), Some(("http://127.0.0.1:11434/v1", "qwen3:8b")));
        assert_eq!((answer.timeout_s, answer.max_tokens, answer.unsupported), (60, 800, Unsupported::Drop));
        for half in ["base_url = 'http://127.0.0.1/v1'", "model = 'm'"] {
            assert!(parsed(half).unwrap_err().contains("needs `answer."), "{half}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_and_says_what_can() {
        let with = |more: &str| parsed(&format!("model = 'm'\n{more}"));
        for url in [
            "nonsense",
            "/v1",
            "ftp://host/v1",
            "http://u:hunter2@host/v1",
            "http://h/v1?a=b",
            "http://h/v1/chat/completions/",
        ] {
            let error = with(&format!("base_url = '{url}'")).unwrap_err();
            assert!(error.contains("it is like") && !error.contains("hunter2"), "{url}: {error}");
        }
        for wrong in [
            "timeout_s = 0",
            "max_tokens = 1",
            "temperature = 3.0",
            "temperature = nan",
            "max_passages = 13",
            "max_passage_bytes = 10",
            "api_key = 'two words'",
            "unsupported = 'keep'",
            "key = 'x'",
        ] {
            assert!(with(&format!("base_url = 'http://h/v1'\n{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_key_is_shown_to_nobody() {
        let answer = parsed("base_url = 'https://h/v1'\nmodel = 'm'\napi_key = 'sk-hunter2'").unwrap();
        assert_eq!(answer.api_key.as_ref().unwrap().reveal(), "sk-hunter2");
        let shown = format!("{answer:?}{}", toml::to_string(&answer).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
