//! One session of ONNX Runtime: the numbers of a text's tokens in, its vector out.
//!
//! It is fastembed's way of using a model, to the bit, without its tokenizer: a multilingual tokenizer takes 300 MB, and fastembed
//! wants one for each session.

use fastembed::OutputKey;
use ort::environment::Environment;
use ort::session::Session as OrtSession;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{DynValue, Tensor};
use tokenizers::Encoding;

use super::EmbedError;
use super::manifest::Pooling;
use super::onnx::failed;

/// The outputs that may hold the vector of a model that has several, best first.
const OUTPUTS: [&str; 3] = ["text_embeds", "last_hidden_state", "sentence_embedding"];

/// A model in memory, on one thread.
pub(super) struct Session {
    opened: OrtSession,
    takes_types: bool,
    output: usize,
    pooling: Pooling,
}

impl Session {
    /// Opens a model. `external_weights` are those outside the graph, under the names that the graph knows them by.
    pub(super) fn open(
        environment: &Environment,
        weights: &[u8],
        external_weights: Vec<(String, Vec<u8>)>,
        output_key: Option<&OutputKey>,
        pooling: Pooling,
    ) -> Result<Self, EmbedError> {
        let refused = |error: String| failed(&format!("no session: {error}"));
        let mut builder = OrtSession::builder(environment)
            .map_err(|error| refused(error.to_string()))?
            .with_optimization_level(GraphOptimizationLevel::Level3)
            .map_err(|error| refused(error.to_string()))?
            .with_intra_threads(1)
            .map_err(|error| refused(error.to_string()))?;
        for (name, bytes) in external_weights {
            builder = builder
                .with_external_initializer_file_in_memory(name, bytes.into())
                .map_err(|error| refused(error.to_string()))?;
        }
        let session = builder.commit_from_memory(weights).map_err(|error| refused(error.to_string()))?;
        let names: Vec<&str> = session.outputs().iter().map(ort::value::Outlet::name).collect();
        let place_of = |name: &str| names.iter().position(|other| *other == name);
        let output = match output_key {
            Some(OutputKey::ByOrder(index)) => Some(*index).filter(|index| *index < names.len()),
            Some(OutputKey::ByName(name)) => place_of(name),
            _ if names.len() == 1 => Some(0),
            _ => OUTPUTS.iter().find_map(|name| place_of(name)),
        };
        let output = output.ok_or_else(|| refused(format!("none of its outputs is a vector: {names:?}")))?;
        let takes_types = session.inputs().iter().any(|input| input.name() == "token_type_ids");
        Ok(Self { opened: session, takes_types, output, pooling })
    }

    /// The vector of a text's tokens, of unit length.
    pub(super) fn run(&mut self, text: &Encoding) -> Result<Vec<f32>, EmbedError> {
        // What it says may quote tokens of the text.
        let error = |error: ort::Error| failed(&format!("ONNX Runtime failed on a text ({:?})", error.code()));
        let row = |numbers: &[u32]| {
            let numbers: Vec<i64> = numbers.iter().map(|number| i64::from(*number)).collect();
            Tensor::from_array(([1, numbers.len()], numbers)).map(Tensor::into_dyn)
        };
        let mut inputs = vec![
            ("input_ids", row(text.get_ids()).map_err(error)?),
            ("attention_mask", row(text.get_attention_mask()).map_err(error)?),
        ];
        if self.takes_types {
            inputs.push(("token_type_ids", row(text.get_type_ids()).map_err(error)?));
        }
        let outputs = self.opened.run(inputs).map_err(error)?;
        let output: &DynValue = &outputs[self.output];
        let (shape, values) = output.try_extract_tensor::<f32>().map_err(error)?;
        let mut vector = match shape[..] {
            [1, _] => values.to_vec(),
            [1, _, dimensions] if !values.is_empty() => {
                pool(values.chunks_exact(usize::try_from(dimensions).unwrap_or(1).max(1)), self.pooling)
            }
            _ => return Err(failed(&format!("its output has the shape {shape:?}"))),
        };
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        // So little that it only keeps zeros from becoming something that is no number.
        for value in &mut vector {
            *value /= length + 1e-12;
        }
        Ok(vector)
    }
}

/// One vector of those of all tokens.
fn pool<'a>(mut tokens: impl ExactSizeIterator<Item = &'a [f32]>, pooling: Pooling) -> Vec<f32> {
    let num_tokens = tokens.len() as f32;
    let mut vector = tokens.next().unwrap_or_default().to_vec();
    if pooling == Pooling::Mean {
        for token in tokens {
            vector.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
        }
        for sum in &mut vector {
            *sum /= num_tokens;
        }
    }
    vector
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tokenizers::Token;

    use super::*;
    use crate::embed::{Silent, catalog, runtime, testing};

    #[test]
    fn an_error_says_nothing_of_the_text() {
        let token = Token { id: 4_567_890, value: "zanzibarquux".to_owned(), offsets: (0, 12) };
        let text = tokenizers::Encoding::from_tokens(vec![token], 0);
        let environment = runtime::load(&testing::options().runtime, &Silent).unwrap();
        let files = catalog::default_files().unwrap();
        let weights = files.weights.read().unwrap();
        let mut session =
            Session::open(&environment, &weights, Vec::new(), files.output_key.as_ref(), Pooling::Mean).unwrap();
        let error = session.run(&text).unwrap_err();
        assert!(error.to_string().contains("ONNX Runtime failed on a text"), "{error}");
        assert!(!format!("{error:?}").contains("4567890"), "{error:?}");
    }

    #[test]
    fn nor_does_the_runtime_on_standard_error() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "embed::session::tests::an_error_says_nothing_of_the_text", "--nocapture"]);
        let output = child.output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("4567890"), "{output:?}");
    }
}
