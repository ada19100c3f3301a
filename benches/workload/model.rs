//! The model, with a runtime that all benches and tests of a checkout share, and vectors without embedding everything.

use std::path::{Path, PathBuf};

use pincite::embed::{Embedder, OpenModel, OpenOptions, open};
use pincite::index::VectorKey;
use sha2::{Digest as _, Sha256};

use super::Random;

/// The folder that survives a run: the runtime, and vectors that took long to make.
pub fn kept_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pincite-test-data")
}

/// Where ONNX Runtime is looked for and, if need be, fetched to.
pub fn runtime_folder() -> PathBuf {
    std::env::var_os("PINCITE_RUNTIME_DIR").map_or_else(|| kept_folder().join("runtime"), PathBuf::from)
}

/// The default model; without an embedder where there is no runtime, and that is said.
pub fn open_model() -> OpenModel {
    let mut options = OpenOptions::from_env(&kept_folder());
    options.runtime.dir = runtime_folder();
    let model = open(&kept_folder(), None, &options).expect("the default model");
    if let Err(error) = &model.embedder {
        println!("\nSKIPPED: what needs the model, because {error}");
    }
    model
}

/// Vectors of real texts, embedded once and kept.
pub fn vectors_of(embedder: &dyn Embedder, texts: &[String]) -> Vec<Vec<f32>> {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(VectorKey::of(embedder.model_id(), text).0.to_be_bytes());
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let name = format!("bench-vectors-{:016x}", u64::from_be_bytes(digest[..8].try_into().expect("eight bytes")));
    let kept = kept_folder().join(name);
    let num_dimensions = embedder.num_dimensions();
    if let Ok(bytes) = fs_err::read(&kept)
        && bytes.len() == texts.len() * num_dimensions * 4
    {
        let numbers: Vec<f32> =
            bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes"))).collect();
        return numbers.chunks_exact(num_dimensions).map(<[f32]>::to_vec).collect();
    }
    println!("embedding {} texts, once", texts.len());
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = embedder.embed_passages(&texts).expect("vectors");
    let bytes: Vec<u8> = vectors.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
    fs_err::create_dir_all(kept_folder()).and_then(|()| fs_err::write(kept, bytes)).expect("a folder to write");
    vectors
}

/// As many vectors as wanted: the real ones, then mixtures of two real ones with some noise, of unit length again.
pub fn mixed(real: &[Vec<f32>], num_vectors: usize) -> Vec<Vec<f32>> {
    let mut random = Random::new(17);
    let mut vectors: Vec<Vec<f32>> = real.iter().take(num_vectors).cloned().collect();
    while vectors.len() < num_vectors {
        let (first, second) = (&real[random.below(real.len())], &real[random.below(real.len())]);
        let part = 0.3 + 0.4 * random.unit();
        // A fifth of a component's usual size.
        let noise = 0.2 / (first.len() as f64).sqrt();
        let mixed = first.iter().zip(second).map(|(&a, &b)| {
            let sum = part * f64::from(a) + (1.0 - part) * f64::from(b) + noise * random.normal();
            #[expect(clippy::cast_possible_truncation, reason = "single precision is what a model gives")]
            let sum = sum as f32;
            sum
        });
        vectors.push(unit(mixed.collect()));
    }
    vectors
}

/// Vectors of unit length in any direction: for what they are like changes nothing.
pub fn any_vectors(num_vectors: usize, num_dimensions: usize) -> Vec<Vec<f32>> {
    let mut random = Random::new(5);
    let scale = 1.0 / (num_dimensions as f64).sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "single precision is what a model gives")]
    let mut number = || (random.normal() * scale) as f32;
    (0..num_vectors).map(|_| (0..num_dimensions).map(|_| number()).collect()).collect()
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut vector {
        *x /= length;
    }
    vector
}
