//! The embedder: sessions of ONNX Runtime, one thread each, one text a run.
//!
//! # Invariants
//! - One text a run. With dynamic 8-bit weights a vector would depend on the other texts of its batch, and on a CPU a
//!   batch gains nothing: padding costs what it saves.
//! - Queries have a session of their own, so that a query never waits for passages.
//! - What leaves here is finite, has the model's dimensions and unit length.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fastembed::OutputKey;
use fs_err as fs;
use ort::environment::Environment;
use parking_lot::Mutex;

use crate::workspace::ContentHash;

use super::DEFAULT_COSINE_RANGE;
use super::manifest::{ModelSpec, Pooling};
use super::pins::same_hash;
use super::session::Session;
use super::tokens::ModelTokens;
use super::{EmbedError, Embedder};

/// Bytes of a text that are looked at, for each token of the model's limit. Ordinary text has about 4 bytes a token;
/// this only keeps a text of a gigabyte from being tokenised to its end.
const MAX_BYTES_PER_TOKEN: usize = 128;

/// A vector's length may differ from 1 by so much.
const LENGTH_TOLERANCE: f32 = 1e-3;

/// Where a file of the model lies. Large ones are read, and checked, when a session is made, and not kept.
pub(super) enum ModelFile {
    /// Compiled in; a test checks that it has this hash, so that nobody has to wait for it.
    Embedded { bytes: &'static [u8], sha256: ContentHash },
    /// On disk, with the hash it must have.
    OnDisk { path: PathBuf, sha256: ContentHash },
}

impl ModelFile {
    pub(super) fn read(&self) -> Result<Cow<'static, [u8]>, EmbedError> {
        match self {
            Self::Embedded { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            Self::OnDisk { path, sha256 } => {
                let bytes = fs::read(path)?;
                same_hash(path, *sha256, ContentHash::of(&bytes))?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    fn sha256(&self) -> ContentHash {
        match self {
            Self::Embedded { sha256, .. } | Self::OnDisk { sha256, .. } => *sha256,
        }
    }
}

/// The files of a model.
pub(super) struct ModelFiles {
    pub(super) weights: ModelFile,
    /// Weights outside the graph, under the names that the graph knows them by.
    pub(super) external_weights: Vec<(String, ModelFile)>,
    pub(super) tokenizer: ModelFile,
    /// The output that holds the vector, where the model has several.
    pub(super) output_key: Option<OutputKey>,
}

/// An [`Embedder`] over ONNX Runtime.
///
/// Sessions are made when they are first needed: one for queries, and for passages one a core.
pub struct OnnxEmbedder {
    spec: ModelSpec,
    model_id: String,
    files: ModelFiles,
    tokens: Arc<ModelTokens>,
    environment: Environment,
    query_session: Mutex<Option<Session>>,
    passage_sessions: Vec<Mutex<Option<Session>>>,
}

impl OnnxEmbedder {
    pub(super) fn new(
        spec: ModelSpec,
        files: ModelFiles,
        tokens: Arc<ModelTokens>,
        environment: Environment,
        num_sessions: Option<usize>,
    ) -> Self {
        let num_cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let num_sessions = num_sessions.unwrap_or_else(num_cores).max(1);
        let model_id = model_id(&spec, &files);
        Self {
            spec,
            model_id,
            files,
            tokens,
            environment,
            query_session: Mutex::new(None),
            passage_sessions: (0..num_sessions).map(|_| Mutex::new(None)).collect(),
        }
    }

    /// Embeds one text in the session of `slot`, which is made if need be.
    fn embed(&self, slot: &Mutex<Option<Session>>, prefix: &str, text: &str) -> Result<Vec<f32>, EmbedError> {
        let text = beginning(text, self.spec.max_tokens * MAX_BYTES_PER_TOKEN);
        let text = if prefix.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(format!("{prefix}{text}")) };

        let mut slot = slot.lock();
        let session = match &mut *slot {
            Some(session) => session,
            empty => empty.insert(self.session()?),
        };
        let vector = session.run(&self.tokens.encode(&text, self.spec.max_tokens)?)?;
        self.check(&vector)?;
        Ok(vector)
    }

    fn session(&self) -> Result<Session, EmbedError> {
        let external = self.files.external_weights.iter();
        let external = external.map(|(name, file)| Ok((name.clone(), file.read()?.into_owned())));
        Session::open(
            &self.environment,
            &self.files.weights.read()?,
            external.collect::<Result<_, EmbedError>>()?,
            self.files.output_key.as_ref(),
            self.spec.pooling,
        )
    }

    fn check(&self, vector: &[f32]) -> Result<(), EmbedError> {
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        if vector.len() != self.spec.dimensions {
            return Err(failed(&format!("it gave {} dimensions, not {}", vector.len(), self.spec.dimensions)));
        }
        // Written so that a length that is not a number is refused too.
        if (length - 1.0).abs() <= LENGTH_TOLERANCE {
            Ok(())
        } else {
            Err(failed(&format!("it gave a vector of length {length}")))
        }
    }
}

impl Embedder for OnnxEmbedder {
    fn model_id(&self) -> &str {
        &self.model_id
    }

    fn num_dimensions(&self) -> usize {
        self.spec.dimensions
    }

    fn embed_passages(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let prefix = self.spec.passage_prefix.as_str();
        let sessions = &self.passage_sessions[..self.passage_sessions.len().min(texts.len())];
        if let ([slot], _) | ([slot, ..], [_]) = (sessions, texts) {
            return texts.iter().map(|text| self.embed(slot, prefix, text)).collect();
        }
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let work = |slot| -> Result<Vec<(usize, Vec<f32>)>, EmbedError> {
            let mut done = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(text) = texts.get(index) else { break };
                match self.embed(slot, prefix, text) {
                    Ok(vector) => done.push((index, vector)),
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
            Ok(done)
        };
        let work = &work;
        let mut vectors = vec![Vec::new(); texts.len()];
        std::thread::scope(|scope| {
            let workers: Vec<_> = sessions.iter().map(|slot| scope.spawn(move || work(slot))).collect();
            workers.into_iter().try_for_each(|worker| {
                let done = worker.join().map_err(|_| failed("it panicked"))??;
                for (index, vector) in done {
                    vectors[index] = vector;
                }
                Ok::<_, EmbedError>(())
            })
        })?;
        Ok(vectors)
    }

    fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        self.embed(&self.query_session, &self.spec.query_prefix, text)
    }

    fn cosine_range(&self) -> (f32, f32) {
        // Models of the E5 family were trained with a low temperature: their cards give .7 to 1 as the range of their cosines.
        if self.spec.query_prefix == "query: " { (0.7, 0.95) } else { DEFAULT_COSINE_RANGE }
    }
}

impl std::fmt::Debug for OnnxEmbedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnnxEmbedder").field("model_id", &self.model_id).finish_non_exhaustive()
    }
}

/// Names everything that a vector depends on besides its text: name, hashes of weights and tokenizer, pooling, limit and
/// prefixes.
pub(super) fn model_id(spec: &ModelSpec, files: &ModelFiles) -> String {
    let external = files.external_weights.iter().map(|(_, file)| file);
    let hashes: Vec<_> = std::iter::once(&files.weights)
        .chain(external)
        .chain([&files.tokenizer])
        .map(|file| file.sha256().to_string()[..12].to_owned())
        .collect();
    let pooling = match spec.pooling {
        Pooling::Mean => "mean",
        Pooling::Cls => "cls",
    };
    let mut id = format!("{}@{}/{pooling}/{}", spec.name, hashes.join("+"), spec.max_tokens);
    if !(spec.passage_prefix.is_empty() && spec.query_prefix.is_empty()) {
        let prefixes = ContentHash::of(format!("{:?}{:?}", spec.passage_prefix, spec.query_prefix).as_bytes());
        id.push('/');
        id.push_str(&prefixes.to_string()[..8]);
    }
    id
}

/// The beginning of a text, at most `max_bytes` long, cut between characters.
fn beginning(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

pub(super) fn failed(reason: &str) -> EmbedError {
    EmbedError::Failed { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::{dot, testing};

    #[test]
    fn vectors_have_unit_length_and_the_dimensions_of_the_manifest() {
        let embedder = testing::embedder();
        assert_eq!(embedder.num_dimensions(), 384);
        for text in ["", " ", "a", "\0", "The quarterly report is late.", "漢字", &"word ".repeat(2000)] {
            let vector = embedder.embed_query(text).unwrap();
            assert_eq!(vector.len(), 384);
            assert!((dot(&vector, &vector) - 1.0).abs() < 1e-4, "{text:?}");
        }
    }

    #[test]
    fn the_same_text_gives_the_same_bits_whatever_is_embedded_beside_it() {
        let embedder = testing::embedder();
        let text = "Latency rose to 240 ms after the second run.";
        let alone = embedder.embed_passages(&[text]).unwrap();
        let long = "Something much longer stands here. ".repeat(30);
        let others: Vec<&str> = (0..24).map(|index| if index % 3 == 0 { text } else { long.as_str() }).collect();
        let among = embedder.embed_passages(&others).unwrap();
        for (other, vector) in others.iter().zip(&among) {
            assert_eq!(*other == text, *vector == alone[0]);
        }
        assert_eq!(embedder.embed_query(text).unwrap(), alone[0], "the query's session and those of passages agree");
    }

    #[test]
    fn vectors_come_in_the_order_of_their_texts() {
        let embedder = testing::embedder();
        let texts: Vec<String> = (0..12).map(|index| format!("number {index} {}", "x ".repeat(index * 9))).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = embedder.embed_passages(&texts).unwrap();
        for (text, vector) in texts.iter().zip(&together) {
            assert_eq!(embedder.embed_query(text).unwrap(), *vector);
        }
        assert!(embedder.embed_passages(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_sentence_is_closer_to_its_paraphrase_than_to_another_subject() {
        let embedder = testing::embedder();
        let texts = [
            "How do I reset my password?",
            "Steps to recover a forgotten login",
            "Whales are mammals that live at sea",
        ];
        let vectors = embedder.embed_passages(&texts).unwrap();
        assert!(dot(&vectors[0], &vectors[1]) > dot(&vectors[0], &vectors[2]) + 0.3);
    }

    #[test]
    fn a_query_does_not_wait_for_passages() {
        let embedder = testing::embedder();
        embedder.embed_query("warm").unwrap();
        let text = "Several words that are embedded again and again. ".repeat(20);
        let texts = vec![text.as_str(); 40];
        std::thread::scope(|scope| {
            let passages = scope.spawn(|| embedder.embed_passages(&texts).unwrap());
            let mut num_queries = 0;
            while !passages.is_finished() {
                embedder.embed_query("a short query").unwrap();
                num_queries += 1;
            }
            assert!(num_queries > 3, "only {num_queries} queries while 40 passages were embedded");
        });
    }

    #[test]
    fn a_huge_text_is_cut_before_it_is_tokenised() {
        assert_eq!(beginning("añb", 2), "a");
        assert_eq!(beginning("añb", 9), "añb");
        let embedder = testing::embedder();
        let huge = "report ".repeat(10_000_000);
        let started = std::time::Instant::now();
        let vector = embedder.embed_query(&huge).unwrap();
        assert!(started.elapsed().as_secs() < 5);
        assert_eq!(vector, embedder.embed_query(&"report ".repeat(300)).unwrap());
    }

    #[test]
    fn vectors_are_those_of_fastembed_to_the_bit() {
        use fastembed::{InitOptionsUserDefined, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel};

        let file = |name: &str| crate::embed::manifest::default_file(name).unwrap().to_vec();
        let files = TokenizerFiles {
            tokenizer_file: file("tokenizer.json"),
            config_file: file("config.json"),
            special_tokens_map_file: file("special_tokens_map.json"),
            tokenizer_config_file: file("tokenizer_config.json"),
        };
        let options = testing::options();
        let environment = crate::embed::runtime::load(&options.runtime, &*options.progress).unwrap();
        let model = UserDefinedEmbeddingModel::new(file("model.onnx"), files).with_pooling(fastembed::Pooling::Mean);
        let options = InitOptionsUserDefined::new().with_environment(environment);
        let mut theirs = TextEmbedding::try_new_from_user_defined(model, options.with_max_length(256)).unwrap();
        let long = "A sentence of nine words is said once more. ".repeat(60);
        for text in ["", "a", "Latency rose to 240 ms [SEP] after the run.", "漢字 naïve", &long] {
            assert_eq!(
                testing::embedder().embed_query(text).unwrap(),
                theirs.embed([text], Some(1)).unwrap()[0],
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_id_names_weights_tokenizer_pooling_and_limit() {
        let embedder = testing::embedder();
        assert_eq!(embedder.model_id(), "all-MiniLM-L6-v2-int8@d5d77e644519+be50c3628f2b/mean/256");
    }
}
