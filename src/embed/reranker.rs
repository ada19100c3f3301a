//! The reranker: a cross-encoder that reads a query and a passage together, from a folder of the user's own.
//!
//! # Invariants
//! - One pair a run, so a score depends on its query and its passage alone.
//! - A reranker that opens has scored once: what is none is told when it is opened, not by odd orders later.
//! - What leaves here is finite, one score for each passage, in their order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastembed::{RerankInitOptionsUserDefined, TextRerank, TokenizerFiles, UserDefinedRerankingModel};
use fs_err as fs;
use parking_lot::Mutex;

use super::hub::TOKENIZER_FILES;
use super::{EmbedError, OpenOptions, runtime};

/// The file of the weights. Those that the graph keeps outside of itself lie beside it.
const WEIGHTS_FILE: &str = "model.onnx";
/// Tokens of a pair that are looked at, at most; fewer where the model's own limit is lower.
const MAX_PAIR_TOKENS: usize = 512;

/// Says how well passages answer a query, each by itself.
pub trait Reranker: Send + Sync {
    /// Names the model, for people.
    fn model_name(&self) -> &str;

    /// A score for each of `passages`, in their order: finite, higher for what answers better, in no particular range, and
    /// comparable for one query only.
    ///
    /// # Errors
    /// When the model fails on one of them; nothing is returned then.
    fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<f32>, EmbedError>;
}

/// A [`Reranker`] over ONNX Runtime: one session of one thread, which searches take turns at.
pub struct OnnxReranker {
    name: String,
    session: Mutex<TextRerank>,
}

impl OnnxReranker {
    /// Opens the reranker of a folder: `model.onnx`, with weights outside of the graph beside it, `tokenizer.json`, `config.json`,
    /// `special_tokens_map.json` and `tokenizer_config.json`. Its name is the folder's. The runtime is found, or fetched, and loaded.
    ///
    /// # Errors
    /// When a file is not there, there is no runtime, or the files are not those of a model that gives one score for a pair.
    pub fn open(folder: &Path, options: &OpenOptions) -> Result<Self, EmbedError> {
        let refused = |reason: String| EmbedError::RerankerRefused { folder: folder.to_owned(), reason };
        if !folder.is_dir() {
            return Err(refused("there is no such folder".to_owned()));
        }
        for file in [WEIGHTS_FILE].iter().chain(&TOKENIZER_FILES) {
            if !folder.join(file).is_file() {
                return Err(EmbedError::RerankerIncomplete { folder: folder.to_owned(), file: (*file).to_owned() });
            }
        }
        let [tokenizer_file, config_file, special_tokens_map_file, tokenizer_config_file] =
            TOKENIZER_FILES.map(|file| fs::read(folder.join(file)));
        let files = TokenizerFiles {
            tokenizer_file: tokenizer_file?,
            config_file: config_file?,
            special_tokens_map_file: special_tokens_map_file?,
            tokenizer_config_file: tokenizer_config_file?,
        };
        if let Some(num_labels) = num_labels(&files.config_file).filter(|&num| num != 1) {
            return Err(refused(format!("by its `config.json` it gives {num_labels} scores, a reranker one")));
        }
        let environment = runtime::load(&options.runtime, &*options.progress)?;
        // A pool of the tokenizer's own would run searches that wait for the session that the tokenizing one holds.
        tokenizers::utils::parallelism::set_parallelism(false);
        let model = UserDefinedRerankingModel::new(folder.join(WEIGHTS_FILE), files);
        let options = RerankInitOptionsUserDefined::new()
            .with_environment(environment)
            .with_max_length(MAX_PAIR_TOKENS)
            .with_intra_threads(1);
        let session =
            TextRerank::try_new_from_user_defined(model, options).map_err(|error| refused(error.to_string()))?;
        let name = folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.display().to_string());
        let reranker = Self { name, session: Mutex::new(session) };
        // Here, where no text is asked of it, its own words are told.
        reranker.scores("a", &["a"], |error| error).map_err(|error| match error {
            EmbedError::RerankerFailed { reason } => refused(reason),
            other => other,
        })?;
        Ok(reranker)
    }
}

impl Reranker for OnnxReranker {
    fn model_name(&self) -> &str {
        &self.name
    }

    fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<f32>, EmbedError> {
        // What the libraries say may quote the query or a passage.
        self.scores(query, passages, |_| "ONNX Runtime or its tokenizer failed on a passage".to_owned())
    }
}

impl OnnxReranker {
    /// The scores of passages. `told` makes the reason of an error of what the libraries say.
    fn scores(
        &self,
        query: &str,
        passages: &[&str],
        told: impl FnOnce(String) -> String,
    ) -> Result<Vec<f32>, EmbedError> {
        let mut session = self.session.lock();
        // `fastembed` takes it for granted that the output has two dimensions.
        let results = catch_unwind(AssertUnwindSafe(|| session.rerank(query, passages, false, Some(1))))
            .map_err(|_| failed("its output is not one score for a pair"))?
            .map_err(|error| failed(&told(error.to_string())))?;
        drop(session);
        let mut scores = vec![f32::NAN; passages.len()];
        for result in results {
            scores[result.index] = result.score;
        }
        if scores.iter().all(|score| score.is_finite()) {
            Ok(scores)
        } else {
            Err(failed("it gave a score that is not a number"))
        }
    }
}

impl std::fmt::Debug for OnnxReranker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnnxReranker").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How many labels a `config.json` gives names to, where it does.
fn num_labels(config_json: &[u8]) -> Option<usize> {
    let config: serde_json::Value = serde_json::from_slice(config_json).ok()?;
    config["id2label"].as_object().map(serde_json::Map::len)
}

fn failed(reason: &str) -> EmbedError {
    EmbedError::RerankerFailed { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::testing;
    use crate::error::Advice as _;

    fn opened(folder: &Path) -> Result<OnnxReranker, EmbedError> {
        OnnxReranker::open(folder, &testing::options())
    }

    /// What is said of a folder that holds no reranker.
    fn refusal(folder: &Path) -> String {
        let error = opened(folder).unwrap_err();
        assert_eq!(error.code(), "reranker_refused");
        assert!(error.hint().unwrap().contains("`[ranking]`"));
        error.to_string()
    }

    #[test]
    fn scores_come_in_the_order_of_the_passages_and_each_is_its_passages_own() {
        let reranker = opened(testing::reranker_folder("shared_tokens.onnx").path()).unwrap();
        let (query, most, none, some) = ("the harbour pilot", "the pilot left the harbour", "a crane", "the harbour");
        let scores = |passages: &[&str]| reranker.score(query, passages).unwrap();
        let together = scores(&[none, most, some]);
        assert!(together[1] > together[2] && together[2] > together[0], "{together:?}");
        assert_eq!(together, [scores(&[none]), scores(&[most]), scores(&[some])].concat());
        assert_eq!(scores(&[]), Vec::<f32>::new());
    }

    #[test]
    fn a_text_beyond_the_limit_is_cut_and_scored() {
        let reranker = opened(testing::reranker_folder("shared_tokens.onnx").path()).unwrap();
        let long = "harbour ".repeat(3_000);
        let scores = reranker.score("harbour", &[&long, ""]).unwrap();
        assert!(scores[0] > 400.0 && scores[0] < 512.0 && scores[1] < 2.0, "{scores:?}");
        assert_eq!(reranker.score(&long, &["crane"]).unwrap().len(), 1);
    }

    #[test]
    fn a_reranker_is_called_as_its_folder() {
        let folder = testing::reranker_folder("shared_tokens.onnx");
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(opened(folder.path()).unwrap().model_name(), name);
    }

    #[test]
    fn the_error_names_the_file_that_is_missing_and_what_belongs_there() {
        let folder = testing::reranker_folder("shared_tokens.onnx");
        for file in [WEIGHTS_FILE].iter().chain(&TOKENIZER_FILES) {
            let aside = folder.path().join("aside");
            fs::rename(folder.path().join(file), &aside).unwrap();
            let error = opened(folder.path()).unwrap_err();
            assert_eq!(error.code(), "reranker_incomplete");
            assert!(error.to_string().ends_with(&format!("has no `{file}`")), "{error}");
            assert!(error.hint().unwrap().contains("`tokenizer_config.json`"));
            fs::rename(&aside, folder.path().join(file)).unwrap();
        }
        let error = refusal(&folder.path().join("nowhere"));
        assert!(error.ends_with("there is no such folder"), "{error}");
    }

    #[test]
    fn files_that_are_no_rerankers_are_refused_when_it_is_opened() {
        let folder = testing::reranker_folder("shared_tokens.onnx");
        let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        put(WEIGHTS_FILE, b"garbage");
        assert!(refusal(folder.path()).contains("rotobuf"));
        put(WEIGHTS_FILE, crate::embed::manifest::default_file(WEIGHTS_FILE).unwrap());
        assert!(refusal(folder.path()).contains("logits"), "an embedding model gives none");
        let token_scores = testing::reranker_folder("token_scores.onnx");
        assert!(refusal(token_scores.path()).ends_with("its output is not one score for a pair"));
        put("tokenizer.json", b"{}");
        assert!(refusal(folder.path()).contains("tokenizer.json"));
        put("config.json", br#"{"id2label": {"0": "no", "1": "yes"}}"#);
        assert!(refusal(folder.path()).ends_with("it gives 2 scores, a reranker one"));
    }
}
