//! Rows of CSV and TSV.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pincite_fuzz::read(data, &["a.csv", "a.tsv"]));
