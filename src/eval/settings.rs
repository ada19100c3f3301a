//! The settings that an evaluation was made with, so that a figure can be repeated.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::config::Ranking;
use crate::engine::{Engine, EngineError};

/// The settings of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// The embedding model.
    pub model: String,
    /// The keys of `[ranking]` in `config.toml` whose values are not the defaults, with these values.
    pub ranking: BTreeMap<String, Value>,
}

impl Settings {
    pub(super) fn of(engine: &Engine) -> Result<Self, EngineError> {
        let keys = |ranking: &Ranking| match serde_json::to_value(ranking) {
            Ok(Value::Object(keys)) => keys,
            _ => serde_json::Map::new(),
        };
        let defaults = keys(&Ranking::default());
        let changed =
            keys(&engine.config().ranking).into_iter().filter(|(key, value)| defaults.get(key) != Some(value));
        Ok(Self { model: engine.model_status()?.name, ranking: changed.collect() })
    }
}

impl std::fmt::Display for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "model {}, ranking ", self.model)?;
        if self.ranking.is_empty() {
            return f.write_str("as by default");
        }
        let keys: Vec<String> = self.ranking.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        write!(f, "with {}", keys.join(", "))
    }
}
