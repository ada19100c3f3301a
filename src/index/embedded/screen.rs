//! Which of many vectors may be near a query, told from one bit a number: those are then scored by their codes.
//!
//! A scan of all codes is bound by the memory that it reads; their signs are an eighth of it, and are compared eight times as fast.
//!
//! Source: Charikar, "Similarity Estimation Techniques from Rounding Algorithms", STOC 2002: the part of the bits in which two vectors
//! differ tells the angle between them. Here the planes lie along the axes and go through the mean, because vectors of one model share
//! much, which tells none of them from the others.

use super::dense::Place;
use super::kernel::differing_bits;
use super::vectors::Codes;
use crate::budget::Budget;
use crate::priority::in_parts;

/// Vectors of fewer numbers have too few bits to be told apart by them.
const MIN_DIMENSIONS: usize = 128;
/// So many times as many vectors as are wanted are left.
const LEFT_FOR_EACH: usize = 10;
/// Among fewer times as many as are left, nothing is won.
const MIN_TIMES_LEFT: usize = 8;
/// Vectors that one core compares, at the least.
const MIN_PART: usize = 65_536;
/// Vectors that are compared before the time is looked at.
const LOOKS_AT_THE_TIME_EVERY: usize = 65_536;

/// For each number of some vectors one bit: whether it is above the mean of that number in all of them.
#[derive(Debug, Clone)]
pub(super) struct Signs {
    means: Vec<f32>,
    /// Those of each vector, one after the other.
    words: Vec<u64>,
}

impl Signs {
    /// The signs of vectors whose codes stand one after the other.
    pub(super) fn of(codes: &[i8], scales: &[f32]) -> Self {
        let num_dimensions = codes.len() / scales.len().max(1);
        let mut means = vec![0.0_f32; num_dimensions];
        let vectors = || codes.chunks_exact(num_dimensions.max(1)).zip(scales);
        for (code, scale) in vectors() {
            for (mean, &byte) in means.iter_mut().zip(code) {
                *mean += f32::from(byte) * scale;
            }
        }
        for mean in &mut means {
            *mean /= scales.len() as f32;
        }
        let of_vector = |(code, scale): (&[i8], &f32)| signs(code.iter().map(|&byte| f32::from(byte) * scale), &means);
        let words = vectors().flat_map(of_vector).collect();
        Self { means, words }
    }
}

fn signs(vector: impl Iterator<Item = f32>, means: &[f32]) -> Vec<u64> {
    let mut words = vec![0_u64; means.len().div_ceil(64)];
    for (at, (x, mean)) in vector.zip(means).enumerate() {
        words[at / 64] |= u64::from(x > *mean) << (at % 64);
    }
    words
}

/// Those of many places that may be among the nearest `wanted` to a query, in their order; `None` where they are too few to be worth it.
pub(super) fn screen(
    codes: &Codes,
    places: &[Place],
    query: &[f32],
    (wanted, budget): (usize, &Budget),
) -> Option<Vec<Place>> {
    let num_left = wanted.saturating_mul(LEFT_FOR_EACH);
    if query.len() < MIN_DIMENSIONS || places.len() < num_left.saturating_mul(MIN_TIMES_LEFT) {
        return None;
    }
    let compare = |places: &[Place]| {
        let mut compared = Compared { distances: Vec::with_capacity(places.len()), num_at: vec![0; query.len() + 1] };
        for places in places.chunks(LOOKS_AT_THE_TIME_EVERY).take_while(|_| !budget.is_over()) {
            compared.add(codes, places, query);
        }
        // What was not looked at in time is not left.
        compared.distances.resize(places.len(), u16::MAX);
        compared
    };
    let compared = in_parts(places, MIN_PART, compare);
    let mut num = 0;
    let farthest = (0..=query.len()).find(|&distance| {
        num += compared.iter().map(|compared| compared.num_at[distance]).sum::<usize>();
        num >= num_left
    });
    let farthest = farthest.unwrap_or(query.len());
    let distances = compared.iter().flat_map(|compared| &compared.distances);
    let left = distances.zip(places).filter(|(distance, _)| usize::from(**distance) <= farthest);
    Some(left.map(|(_, &place)| place).collect())
}

/// How near some vectors are to a query.
struct Compared {
    /// In how many bits each differs from it; 0 where it has no signs, so that it is left.
    distances: Vec<u16>,
    /// How many of those with signs differ in so many bits.
    num_at: Vec<usize>,
}

impl Compared {
    fn add(&mut self, codes: &Codes, places: &[Place], query: &[f32]) {
        let num_words = query.len().div_ceil(64);
        let mut rest = places;
        while let Some(first) = rest.first() {
            let most = codes.num_together(first.slot).min(rest.len());
            let run = (first.slot..).zip(&rest[..most]).take_while(|(slot, place)| place.slot == *slot).count();
            let num_before = self.distances.len();
            self.distances.resize(num_before + run, 0);
            let distances = &mut self.distances[num_before..];
            if let Some((of_piece, at)) = codes.signs_at(first.slot) {
                let query = signs(query.iter().copied(), &of_piece.means);
                differing_bits(&of_piece.words[at * num_words..(at + run) * num_words], &query, distances);
                for &distance in &*distances {
                    self.num_at[usize::from(distance)] += 1;
                }
            }
            rest = &rest[run..];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use parking_lot::RwLock;

    use super::*;
    use crate::index::VectorKey;
    use crate::index::embedded::vectors::{VectorFile, VectorTable};

    const NUM_DIMENSIONS: usize = 384;
    const WANTED: usize = 20;

    /// Numbers of `-1.0..1.0`, the same for the same seed (xorshift, Marsaglia 2003).
    fn numbers(mut seed: u64) -> impl Iterator<Item = f32> {
        std::iter::repeat_with(move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        })
    }

    /// A vector that has as much of what all share and of its own subject as of what nothing else has.
    fn vector(number: u64) -> Vec<f32> {
        let of = |seed: u64| numbers(0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9));
        let all = of(0).zip(of(1 + number % 97)).zip(of(1_000 + number));
        let mut vector: Vec<f32> =
            all.map(|((shared, subject), own)| shared + subject + own).take(NUM_DIMENSIONS).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    }

    #[test]
    fn what_is_nearest_is_left_and_nine_tenths_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = VectorFile::open(&folder.path().join("vectors.db"), true).unwrap();
        let table = RwLock::new(VectorTable::new(NUM_DIMENSIONS));
        let num = 6_000;
        let vectors: Vec<(VectorKey, Vec<f32>)> =
            (0..num).map(|number| (VectorKey(u128::from(number) + 1), vector(number))).collect();
        file.add(&vectors, &table).unwrap();
        let table = table.into_inner();
        let places: Vec<Place> =
            (0..u32::try_from(num).unwrap()).map(|slot| Place { slot, segment: 0, doc: slot }).collect();
        let (mut num_wanted, mut num_kept) = (0, 0);
        for query in (num..num + 20).map(vector) {
            let left = screen(table.codes(), &places, &query, (WANTED, &Budget::default())).expect("there are enough");
            assert!(left.len() < places.len() / 4 && left.is_sorted_by_key(|place| place.slot));
            let left: HashSet<u32> = left.iter().map(|place| place.slot).collect();
            let cosine = |slot: u32| vectors[slot as usize].1.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
            let mut cosines: Vec<(f32, u32)> = places.iter().map(|place| (cosine(place.slot), place.slot)).collect();
            cosines.sort_by(|a, b| b.0.total_cmp(&a.0));
            num_wanted += WANTED;
            num_kept += cosines[..WANTED].iter().filter(|(_, slot)| left.contains(slot)).count();
        }
        assert!(num_kept * 100 >= num_wanted * 98, "{num_kept} of {num_wanted} nearest are left");
    }

    #[test]
    fn when_the_time_is_over_nothing_is_left_and_few_are_not_screened() {
        let table = VectorTable::new(NUM_DIMENSIONS);
        let place = |slot| Place { slot, segment: 0, doc: slot };
        let query = vec![0.0; NUM_DIMENSIONS];
        let few: Vec<Place> = (0..100).map(place).collect();
        assert!(screen(table.codes(), &few, &query, (WANTED, &Budget::default())).is_none());
        let many: Vec<Place> = (0..10_000).map(place).collect();
        let over = Budget::default().lasting(std::time::Duration::ZERO);
        assert!(screen(table.codes(), &many, &query, (WANTED, &over)).is_some_and(|left| left.is_empty()));
    }
}
