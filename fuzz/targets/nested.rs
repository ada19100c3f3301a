//! Files inside files: archives and messages.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pincite_fuzz::read(
    data,
    &["a.zip", "a.tar", "a.gz", "a.eml", "a.mbox", "a"]
));
