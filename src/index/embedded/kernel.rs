//! The inner loops over codes, compiled for several instruction sets.
//!
//! The `multiversion` macro calls the variant that it finds the CPU to support; there is no `unsafe` in our own code. All
//! variants give the same bits: integers have no rounding, and sums of floats have an order of their own.

use multiversion::multiversion;

/// Partial sums of [`exact_score`].
const LANES: usize = 16;

/// Writes into `scores[i]` the integer dot product of `query` with the `i`th code; `codes` holds one after the other.
///
/// The query is as wide as products are, so that it is widened once for all codes.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn dot_products(codes: &[i8], query: &[i16], scores: &mut [i32]) {
    for (code, score) in codes.chunks_exact(query.len()).zip(scores) {
        *score = code.iter().zip(query).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
    }
}

/// The dot product of a code with a query that is not rounded, before it is scaled.
///
/// Every sixteenth product goes into the same partial sum: one sum after the other would have each addition wait for the
/// one before.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn exact_score(code: &[i8], query: &[f32]) -> f32 {
    let (codes, code_rest) = code.as_chunks::<LANES>();
    let (queries, query_rest) = query.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (code, query) in codes.iter().zip(queries) {
        for ((sum, &byte), &x) in sums.iter_mut().zip(code).zip(query) {
            *sum += f32::from(byte) * x;
        }
    }
    let rest: f32 = code_rest.iter().zip(query_rest).map(|(&byte, &x)| f32::from(byte) * x).sum();
    sums.iter().sum::<f32>() + rest
}

/// Writes the numbers that a code stands for into `vector`, which is as long as it.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn decode(code: &[i8], scale: f32, vector: &mut [f32]) {
    for (x, &byte) in vector.iter_mut().zip(code) {
        *x = f32::from(byte) * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dispatched_loops_equal_the_plain_ones() {
        let codes: Vec<i8> = (0..5 * 390).map(|i| i8::try_from((i * 37) % 255 - 127).unwrap()).collect();
        let query: Vec<i8> = (0..390).map(|i| i8::try_from((i * 91) % 255 - 127).unwrap()).collect();
        let wide: Vec<i16> = query.iter().map(|&x| i16::from(x)).collect();
        let mut scores = [0; 5];
        dot_products(&codes, &wide, &mut scores);
        let floats: Vec<f32> = query.iter().map(|&x| f32::from(x)).collect();
        for (code, score) in codes.chunks_exact(390).zip(scores) {
            let expected: i32 = code.iter().zip(&query).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
            assert_eq!(score, expected);
            // These sums are whole numbers that single precision holds.
            assert!((f64::from(exact_score(code, &floats)) - f64::from(expected)).abs() < 0.5);
            let mut vector = [0.0; 390];
            decode(code, 0.5, &mut vector);
            assert!(vector.iter().zip(code).all(|(x, &byte)| (x * 2.0 - f32::from(byte)).abs() < f32::EPSILON));
        }
    }
}
