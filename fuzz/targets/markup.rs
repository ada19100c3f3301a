//! Markup with marks in the text: Markdown, reStructuredText, AsciiDoc, LaTeX, YAML, TOML.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pincite_fuzz::read(
    data,
    &["a.md", "a.rst", "a.adoc", "a.tex", "a.yaml", "a.toml"]
));
