//! PDF: the layout is ours, what lies below is a library.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pincite_fuzz::read(data, &["a.pdf"]));
