//! The E5 encoder (BERT with absolute positions, 12 layers in the small one) as an ONNX graph.
//!
//! - The table of words keeps its four bits, as `GatherBlockQuantized` reads them: the rows that a text needs are exact,
//!   and eight bits would be twice as large.
//! - Matrices get eight bits with one scale for each output, which the integer instructions of a CPU multiply two to
//!   three times as fast as four bits in blocks.
//! - What a matrix is multiplied with gets eight bits at run time, after each row (one token) was divided by its largest
//!   magnitude. With one scale for all tokens the few large ones take the others' bits: cosine to the original .988
//!   at worst, with the division .998.
//! - Vectors of this model lie in a narrow cone: texts that have nothing in common have a cosine of .73, and whoever looks at cosines
//!   would take them for related. So the mean vector is subtracted ([`CENTRE`]), after which it is about .2, as with other models.

use super::e5_file::{Blocks, E5File};
use super::graph::{Attribute, Element, Graph, Length};

/// The output: one vector for each text.
const OUTPUT: &str = "text_embeds";
/// The other one, to compare with the source by: one vector for each token.
const TOKENS: &str = "last_hidden_state";
/// The mean vector of the small multilingual model; `models/make_e5_centre.py` makes it.
const CENTRE: &[u8] = include_bytes!("../../../models/multilingual-e5-small-q4/centre.f32");
/// GELU is nowhere below -0.17, so a row divided by at least that lies in `-1..=1`.
const MIN_GELU: f32 = 0.17;
/// Keeps a row of zeros from being divided by zero.
const MIN_MAGNITUDE: f32 = 1e-6;
/// What a masked token's attention is lowered by, before the softmax.
const MASKED: f32 = -10_000.0;

/// Converts a model file.
pub(super) fn to_onnx(source: &[u8]) -> Result<Vec<u8>, String> {
    with_centre(source, CENTRE)
}

/// As [`to_onnx`], with another mean vector.
pub(super) fn with_centre(source: &[u8], centre: &[u8]) -> Result<Vec<u8>, String> {
    let file = E5File::read(source)?;
    let mut graph = Graph::default();
    let text = [Length::Named("batch"), Length::Named("tokens")];
    graph.input("input_ids", Element::Int64, &text);
    graph.input("attention_mask", Element::Int64, &text);
    if centre.len() != file.hidden * 4 {
        return Err("it is another model of the family than the one that is known".to_owned());
    }
    graph.output(OUTPUT, Element::Float, &[text[0], Length::Fixed(file.hidden)]);
    graph.output(TOKENS, Element::Float, &[text[0], text[1], Length::Fixed(file.hidden)]);
    constants(&mut graph, &file);
    embeddings(&mut graph, &file)?;
    let mut input = "embedded".to_owned();
    for index in 0..file.num_layers {
        let output = if index + 1 == file.num_layers { TOKENS.to_owned() } else { format!("layer{index}") };
        layer(&mut graph, &file, index, &input, &output)?;
        input = output;
    }
    graph.tensor("centre", Element::Float, &[file.hidden], centre);
    pool(&mut graph);
    Ok(graph.into_model("multilingual-e5"))
}

fn constants(graph: &mut Graph, file: &E5File) {
    graph.integers("first", &[0]);
    graph.integers("last_axis", &[-1]);
    graph.integers("tokens_axis", &[1]);
    graph.integers("mask_axes", &[1, 2]);
    let head = (file.hidden / file.num_heads).cast_signed() as i64;
    graph.integers("as_heads", &[0, 0, file.num_heads.cast_signed() as i64, head]);
    graph.integers("as_tokens", &[0, 0, file.hidden.cast_signed() as i64]);
    graph.floats("one", &[], &[1.0]);
    graph.floats("masked", &[], &[MASKED]);
    graph.floats("min_gelu", &[], &[MIN_GELU]);
    graph.floats("min_magnitude", &[], &[MIN_MAGNITUDE]);
}

/// The sum of a token's word, position and type, normalised; and the mask as attention adds it.
fn embeddings(graph: &mut Graph, file: &E5File) -> Result<(), String> {
    let (hidden, num_words) = (file.hidden, file.vocabulary);
    let words = file.blocks("emb.word", num_words, hidden)?;
    let mut packed = Vec::with_capacity(num_words * hidden / 2);
    let mut scales = Vec::with_capacity(num_words * hidden / 32);
    for (scale, numbers) in words.iter() {
        // Four bits minus 8, as two's complement, are the four bits with the highest one turned.
        packed.extend(numbers.as_chunks().0.iter().map(|[low, high]| (low ^ 8) | (high ^ 8) << 4));
        scales.push(scale);
    }
    graph.tensor("words", Element::Int4, &[num_words, hidden], &packed);
    graph.floats("words.scale", &[num_words, hidden / 32], &scales);
    graph.own_node(
        "GatherBlockQuantized",
        &["words", "input_ids", "words.scale"],
        &["word"],
        &[Attribute::Int("block_size", 32), Attribute::Int("gather_axis", 0), Attribute::Int("quantize_axis", 1)],
    );

    let kinds = file.floats("emb.type", file.num_types * hidden)?;
    let mut positions = file.floats("emb.pos", file.max_positions * hidden)?;
    for row in positions.chunks_exact_mut(hidden) {
        row.iter_mut().zip(&kinds).for_each(|(value, kind)| *value += kind);
    }
    graph.floats("positions", &[file.max_positions, hidden], &positions);
    graph.node("Shape", &["input_ids"], &["num_tokens"], &[Attribute::Int("start", 1), Attribute::Int("end", 2)]);
    graph.node("Slice", &["positions", "first", "num_tokens", "first"], &["position"], &[]);
    graph.node("Add", &["word", "position"], &["token"], &[]);
    normalise(graph, file, "emb.ln", "token", "embedded")?;

    graph.node("Cast", &["attention_mask"], &["mask_float"], &[Attribute::Int("to", Element::Float as i64)]);
    graph.node("Unsqueeze", &["mask_float", "mask_axes"], &["mask_row"], &[]);
    graph.node("Sub", &["one", "mask_row"], &["mask_inverse"], &[]);
    graph.node("Mul", &["mask_inverse", "masked"], &["mask"], &[]);
    Ok(())
}

/// The mean of the tokens that are not masked, of unit length, minus the centre.
fn pool(graph: &mut Graph) {
    graph.node("Unsqueeze", &["mask_float", "last_axis"], &["mask_column"], &[]);
    graph.node("Mul", &[TOKENS, "mask_column"], &["kept"], &[]);
    // Of unit length the sum is the mean.
    graph.node("ReduceSum", &["kept", "tokens_axis"], &["sum"], &[Attribute::Int("keepdims", 0)]);
    graph.node("ReduceL2", &["sum", "last_axis"], &["length"], &[Attribute::Int("keepdims", 1)]);
    graph.node("Div", &["sum", "length"], &["mean"], &[]);
    graph.node("Sub", &["mean", "centre"], &[OUTPUT], &[]);
}

/// One layer: attention over all tokens, then the feed-forward step, each added to its input and normalised.
fn layer(graph: &mut Graph, file: &E5File, index: usize, input: &str, output: &str) -> Result<(), String> {
    let (hidden, feed_forward) = (file.hidden, file.feed_forward);
    let named = |name: &str| format!("l{index}.{name}");
    let matrix = |name: &str, num_rows, num_columns| Matrix::read(file, &named(name), num_rows, num_columns);

    let mut query = matrix("q", hidden, hidden)?;
    query.scale_by(1.0 / ((hidden / file.num_heads) as f32).sqrt());
    let attention = query.beside(matrix("k", hidden, hidden)?).beside(matrix("v", hidden, hidden)?);
    let all = named("qkv");
    quantise(graph, input, Magnitude::Absolute);
    attention.multiply(graph, input, &all);
    let [q, k, v] = ["q", "k", "v"].map(named);
    graph.node("Split", &[&all], &[&q, &k, &v], &[Attribute::Int("axis", -1), Attribute::Int("num_outputs", 3)]);
    for (part, order) in [(&q, [0, 2, 1, 3]), (&k, [0, 2, 3, 1]), (&v, [0, 2, 1, 3])] {
        let heads = format!("{part}.heads");
        graph.node("Reshape", &[part, "as_heads"], &[&heads], &[]);
        graph.node("Transpose", &[&heads], &[&format!("{part}.by_head")], &[Attribute::Ints("perm", &order)]);
    }
    let [scores, masked, weights, mixed, turned, context] =
        ["scores", "masked", "weights", "mixed", "turned", "context"].map(named);
    graph.node("MatMul", &[&format!("{q}.by_head"), &format!("{k}.by_head")], &[&scores], &[]);
    graph.node("Add", &[&scores, "mask"], &[&masked], &[]);
    graph.node("Softmax", &[&masked], &[&weights], &[Attribute::Int("axis", -1)]);
    graph.node("MatMul", &[&weights, &format!("{v}.by_head")], &[&mixed], &[]);
    graph.node("Transpose", &[&mixed], &[&turned], &[Attribute::Ints("perm", &[0, 2, 1, 3])]);
    graph.node("Reshape", &[&turned, "as_tokens"], &[&context], &[]);

    let [attended, attended_sum, middle] = ["ao", "ao.sum", "middle"].map(named);
    quantise(graph, &context, Magnitude::Absolute);
    matrix("ao", hidden, hidden)?.multiply(graph, &context, &attended);
    graph.node("Add", &[input, &attended], &[&attended_sum], &[]);
    normalise(graph, file, &named("aln"), &attended_sum, &middle)?;

    let [inner, activated, outer, outer_sum] = ["fi", "gelu", "fo", "fo.sum"].map(named);
    quantise(graph, &middle, Magnitude::Absolute);
    matrix("fi", feed_forward, hidden)?.multiply(graph, &middle, &inner);
    graph.node("Gelu", &[&inner], &[&activated], &[]);
    quantise(graph, &activated, Magnitude::OfGelu);
    matrix("fo", hidden, feed_forward)?.multiply(graph, &activated, &outer);
    graph.node("Add", &[&middle, &outer], &[&outer_sum], &[]);
    normalise(graph, file, &named("oln"), &outer_sum, output)
}

fn normalise(graph: &mut Graph, file: &E5File, name: &str, input: &str, output: &str) -> Result<(), String> {
    let [weight, bias] = ["w", "b"].map(|part| format!("{name}.{part}"));
    for tensor in [&weight, &bias] {
        graph.floats(tensor, &[file.hidden], &file.floats(tensor, file.hidden)?);
    }
    let attributes = [Attribute::Int("axis", -1), Attribute::Float("epsilon", file.epsilon)];
    graph.node("LayerNormalization", &[input, &weight, &bias], &[output], &attributes);
    Ok(())
}

/// By what a row is divided before it gets eight bits.
#[derive(Clone, Copy)]
enum Magnitude {
    /// The largest absolute value.
    Absolute,
    /// The largest value, which is enough after a GELU and saves a pass.
    OfGelu,
}

/// Makes `input.bits`, `input.scale`, `input.zero` and `input.magnitude` of `input`.
fn quantise(graph: &mut Graph, input: &str, magnitude: Magnitude) {
    let [absolute, largest, divisor, divided, bits, scale, zero] =
        ["absolute", "largest", "magnitude", "divided", "bits", "scale", "zero"].map(|part| format!("{input}.{part}"));
    let (source, least) = match magnitude {
        Magnitude::Absolute => {
            graph.node("Abs", &[input], &[&absolute], &[]);
            (absolute.as_str(), "min_magnitude")
        }
        Magnitude::OfGelu => (input, "min_gelu"),
    };
    graph.node("ReduceMax", &[source, "last_axis"], &[&largest], &[Attribute::Int("keepdims", 1)]);
    graph.node("Max", &[&largest, least], &[&divisor], &[]);
    graph.node("Div", &[input, &divisor], &[&divided], &[]);
    graph.node("DynamicQuantizeLinear", &[&divided], &[&bits, &scale, &zero], &[]);
}

/// A matrix of eight bits with a scale for each output, and what is added to its product.
struct Matrix {
    num_inputs: usize,
    /// Output after output.
    weights: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

impl Matrix {
    fn read(file: &E5File, name: &str, num_outputs: usize, num_inputs: usize) -> Result<Self, String> {
        let blocks = file.blocks(&format!("{name}.w"), num_outputs, num_inputs)?;
        let (weights, scales) = eight_bits(&blocks, num_inputs);
        Ok(Self { num_inputs, weights, scales, bias: file.floats(&format!("{name}.b"), num_outputs)? })
    }

    /// Multiplies all outputs.
    fn scale_by(&mut self, factor: f32) {
        self.scales.iter_mut().chain(&mut self.bias).for_each(|value| *value *= factor);
    }

    /// The matrix that gives the outputs of both.
    fn beside(mut self, other: Self) -> Self {
        self.weights.extend(other.weights);
        self.scales.extend(other.scales);
        self.bias.extend(other.bias);
        self
    }

    /// Adds `output`, the product of this matrix with `input`, of which [`quantise`] has made the parts.
    fn multiply(&self, graph: &mut Graph, input: &str, output: &str) {
        let [weights, scales, bias, product, float, factor, in_units, grown] =
            ["weights", "scales", "bias", "product", "float", "scale", "scaled", "grown"]
                .map(|part| format!("{output}.{part}"));
        let num_outputs = self.scales.len();
        let bytes: Vec<u8> = (0..self.num_inputs)
            .flat_map(|at| self.weights.iter().skip(at).step_by(self.num_inputs).map(|weight| weight.cast_unsigned()))
            .collect();
        graph.tensor(&weights, Element::Int8, &[self.num_inputs, num_outputs], &bytes);
        graph.floats(&scales, &[num_outputs], &self.scales);
        graph.floats(&bias, &[num_outputs], &self.bias);
        let [quantised, input_scale, zero, magnitude] =
            ["bits", "scale", "zero", "magnitude"].map(|part| format!("{input}.{part}"));
        graph.node("MatMulInteger", &[&quantised, &weights, &zero], &[&product], &[]);
        graph.node("Cast", &[&product], &[&float], &[Attribute::Int("to", Element::Float as i64)]);
        graph.node("Mul", &[&input_scale, &scales], &[&factor], &[]);
        graph.node("Mul", &[&float, &factor], &[&in_units], &[]);
        graph.node("Mul", &[&in_units, &magnitude], &[&grown], &[]);
        graph.node("Add", &[&grown, &bias], &[output], &[]);
    }
}

/// Eight bits for each weight of a matrix in blocks, and the scale of each row.
#[expect(clippy::cast_possible_truncation, reason = "a value over the scale of its row lies in -127 to 127")]
fn eight_bits(blocks: &Blocks, num_columns: usize) -> (Vec<i8>, Vec<f32>) {
    let values: Vec<f32> =
        blocks.iter().flat_map(|(scale, numbers)| numbers.map(|number| (f32::from(number) - 8.0) * scale)).collect();
    let mut weights = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / num_columns);
    for row in values.chunks_exact(num_columns) {
        let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        weights.extend(row.iter().map(|value| (value / scale).round_ties_even() as i8));
        scales.push(scale);
    }
    (weights, scales)
}
