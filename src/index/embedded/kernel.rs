//! The inner loop of the flat scan: dot products of int8 codes, compiled for several instruction sets.
//!
//! The `multiversion` macro calls the variant that it finds the CPU to support; there is no `unsafe` in our own code.

use multiversion::multiversion;

/// Writes into `scores[i]` the integer dot product of `query` with the code at `slots[i]`.
///
/// `codes` holds one code of `query.len()` bytes after the other. Panics when a slot lies past its end or `scores` is
/// shorter than `slots`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn dot_products(codes: &[i8], query: &[i8], slots: &[u32], scores: &mut [i32]) {
    for (&slot, score) in slots.iter().zip(scores) {
        let start = slot as usize * query.len();
        let code = &codes[start..start + query.len()];
        *score = code.iter().zip(query).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dispatched_loop_equals_the_plain_one() {
        let codes: Vec<i8> = (0..5 * 384).map(|i| i8::try_from((i * 37) % 255 - 127).unwrap()).collect();
        let query: Vec<i8> = (0..384).map(|i| i8::try_from((i * 91) % 255 - 127).unwrap()).collect();
        let mut scores = [0; 3];
        dot_products(&codes, &query, &[4, 0, 2], &mut scores);
        for (slot, score) in [4usize, 0, 2].into_iter().zip(scores) {
            let code = &codes[slot * 384..][..384];
            let expected: i32 = (0..384).map(|i| i32::from(code[i]) * i32::from(query[i])).sum();
            assert_eq!(score, expected);
        }
    }
}
