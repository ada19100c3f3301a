//! JSON, lines of JSON, notebooks.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pincite_fuzz::read(data, &["a.json", "a.jsonl", "a.ipynb"]));
