//! HTML and XML.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pincite_fuzz::read(data, &["a.html", "a.xml", "a.svg"]));
