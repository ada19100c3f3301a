//! Tokens of texts, and how much of a reference another text has.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;

/// How a text agrees with its reference. All figures lie in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// The part of the reference's tokens that the text has.
    pub recall: f64,
    /// The part of the text's tokens that the reference has; 1 for a text without tokens.
    pub precision: f64,
    /// The part of the reference's pairs of neighbouring tokens that the text has.
    pub order: f64,
}

/// Runs of letters and digits in lower case and NFKC, in order.
pub fn tokens(text: &str) -> Vec<String> {
    let normal: String = text.nfkc().flat_map(char::to_lowercase).collect();
    normal.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

/// `None` where the reference has no token.
pub fn agreement(reference: &str, text: &str) -> Option<Agreement> {
    let (reference, text) = (tokens(reference), tokens(text));
    if reference.is_empty() {
        return None;
    }
    let common = num_common(reference.iter(), text.iter());
    let pairs = |tokens: &[String]| tokens.windows(2).map(|pair| pair.join(" ")).collect::<Vec<_>>();
    let (pairs_wanted, pairs_found) = (pairs(&reference), pairs(&text));
    let order = match pairs_wanted.len() {
        0 => 1.0,
        num_pairs => num_common(pairs_wanted.iter(), pairs_found.iter()) / num_pairs as f64,
    };
    Some(Agreement {
        recall: common / reference.len() as f64,
        precision: if text.is_empty() { 1.0 } else { common / text.len() as f64 },
        order,
    })
}

/// How many elements two multisets have in common.
fn num_common<'a>(wanted: impl Iterator<Item = &'a String>, found: impl Iterator<Item = &'a String>) -> f64 {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for token in found {
        *counts.entry(token).or_default() += 1;
    }
    let mut num_common = 0;
    for token in wanted {
        if let Some(count) = counts.get_mut(token.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            num_common += 1;
        }
    }
    f64::from(num_common)
}

/// Means of agreements.
#[derive(Default)]
pub struct Mean {
    sums: [f64; 3],
    num_texts: usize,
}

impl Mean {
    pub fn add(&mut self, agreement: Agreement) {
        let Agreement { recall, precision, order } = agreement;
        for (sum, figure) in self.sums.iter_mut().zip([recall, precision, order]) {
            *sum += figure;
        }
        self.num_texts += 1;
    }

    pub fn len(&self) -> usize {
        self.num_texts
    }

    pub fn recall(&self) -> f64 {
        self.sums[0] / self.num_texts as f64
    }

    pub fn precision(&self) -> f64 {
        self.sums[1] / self.num_texts as f64
    }

    pub fn order(&self) -> f64 {
        self.sums[2] / self.num_texts as f64
    }
}
