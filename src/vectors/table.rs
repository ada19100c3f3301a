//! The codes of all known vectors in memory, in large pieces.

use std::collections::HashMap;
use std::sync::Arc;

use super::VectorKey;

/// A vector as it is scanned: one byte a dimension, and what to multiply them by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Code {
    pub(crate) bytes: Vec<i8>,
    pub(crate) scale: f32,
}

impl Code {
    /// Rounds a vector to the nearest multiples of its largest component's 127th part, and takes as their scale what brings
    /// them nearest to the vector. What is no number counts 0, so that every score is one.
    pub(crate) fn of(vector: &[f32]) -> Self {
        let finite = |x: &&f32| x.is_finite();
        let largest = vector.iter().filter(finite).fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let step = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        #[expect(clippy::cast_possible_truncation, reason = "the quotient lies in -127..=127 by the choice of step")]
        let bytes: Vec<i8> = vector.iter().map(|x| if x.is_finite() { (x / step).round() as i8 } else { 0 }).collect();
        // By least squares: the step itself would make vectors too long or too short by the sum of what was rounded.
        let rounded = || bytes.iter().map(|&byte| f32::from(byte));
        let product: f32 = vector.iter().zip(rounded()).filter(|(x, _)| x.is_finite()).map(|(x, byte)| x * byte).sum();
        let square: f32 = rounded().map(|byte| byte * byte).sum();
        let scale = if square > 0.0 && (product / square).is_finite() { product / square } else { step };
        Self { bytes, scale }
    }
}

/// Codes of one piece of the table.
const PIECE: usize = 1 << PIECE_BITS;
const PIECE_BITS: u32 = 10;

/// So many codes, one after the other in memory. A full piece never changes.
#[derive(Debug, Clone, Default)]
struct Piece {
    codes: Vec<i8>,
    scales: Vec<f32>,
}

/// The codes as they are scanned: a view of the table that later additions do not touch, so a scan holds no lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Codes {
    num_dimensions: usize,
    pieces: Vec<Arc<Piece>>,
}

impl Codes {
    pub(crate) const fn num_dimensions(&self) -> usize {
        self.num_dimensions
    }

    pub(crate) fn code(&self, slot: u32) -> &[i8] {
        let start = slot as usize % PIECE * self.num_dimensions;
        &self.piece(slot).codes[start..start + self.num_dimensions]
    }

    /// The codes and scales from a slot on, to the end of what lies together in memory.
    pub(crate) fn rows_at(&self, slot: u32) -> (&[i8], &[f32]) {
        let (piece, at) = (self.piece(slot), slot as usize % PIECE);
        (&piece.codes[at * self.num_dimensions..], &piece.scales[at..])
    }

    pub(crate) fn scale(&self, slot: u32) -> f32 {
        self.piece(slot).scales[slot as usize % PIECE]
    }

    fn piece(&self, slot: u32) -> &Piece {
        &self.pieces[(slot >> PIECE_BITS) as usize]
    }
}

/// Every vector that is known, by its key.
#[derive(Debug)]
pub(crate) struct VectorTable {
    slots: HashMap<VectorKey, u32>,
    codes: Codes,
}

impl VectorTable {
    pub(crate) fn new(num_dimensions: usize) -> Self {
        Self { slots: HashMap::new(), codes: Codes { num_dimensions, pieces: Vec::new() } }
    }

    pub(super) fn push(&mut self, key: VectorKey, scale: f32, code: impl Iterator<Item = i8>) {
        let slot = u32::try_from(self.len()).expect("memory ends before four thousand million vectors");
        let Codes { num_dimensions, pieces } = &mut self.codes;
        if self.slots.len().is_multiple_of(PIECE) {
            let codes = Vec::with_capacity(PIECE * *num_dimensions);
            pieces.push(Arc::new(Piece { codes, scales: Vec::with_capacity(PIECE) }));
        }
        // Copies the piece when a view holds it.
        let piece = Arc::make_mut(pieces.last_mut().expect("a piece was pushed before the first code"));
        piece.scales.push(scale);
        piece.codes.extend(code);
        self.slots.insert(key, slot);
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn slot(&self, key: VectorKey) -> Option<u32> {
        self.slots.get(&key).copied()
    }

    /// The vector of a key, where it is known.
    pub(crate) fn code(&self, key: VectorKey) -> Option<Code> {
        let slot = self.slot(key)?;
        Some(Code { bytes: self.codes.code(slot).to_vec(), scale: self.codes.scale(slot) })
    }

    /// The codes of all slots that are given out by now.
    pub(crate) const fn codes(&self) -> &Codes {
        &self.codes
    }

    pub(super) const fn num_dimensions(&self) -> usize {
        self.codes.num_dimensions()
    }
}
