//! Detection of type and encoding, plain text, logs, source code, subtitles.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pincite_fuzz::read(
    data,
    &["a", "a.txt", "a.log", "a.rs", "a.py", "a.srt", "a.vtt", "a.ini"]
));
