//! What becomes of the development documents, and how well their words are read.
//!
//! Every file goes through the program's own child processes, one at a time, as a workspace's files do:
//! - `outcomes`: how many are ready, empty, unsupported, failed or partial, by type and by reason; the slowest and the
//!   largest; files a second and megabytes a second by format;
//! - `words`: recall and precision of tokens against reference texts: poppler's for PDF, docling's for Office and markup;
//!   rows of CSV and encodings, which are right or wrong;
//! - `filings`: the same by page on the `FinanceBench` filings;
//! - `poppler`: megabytes a second beside poppler's `pdftotext` on the same PDFs, where that is on the `PATH`;
//! - `mutations`: files of all formats damaged on purpose, a thousand or as many as `PINCITE_MUTANTS` says: crashes, hangs,
//!   the worst time and memory, reasons; with `PINCITE_MUTANTS_FOLDER=<folder>` those worth a look are written there.
//!
//! A token is a run of letters and digits, in lower case and NFKC. Tokens are counted as multisets; `order` is the part
//! of the reference's pairs of neighbours that are neighbours in our text too, so that columns read across show.
//! Run `PINCITE_DEV_DATA=<folder> cargo bench --bench documents`, with `-- words` for one section. With
//! `PINCITE_FILES_TSV=<file>` the first two sections write a line for each file to it. Skipped where the data is not there.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "documents/corpus.rs"]
mod corpus;
#[path = "documents/exact.rs"]
mod exact;
#[path = "documents/mutate.rs"]
mod mutate;
#[path = "documents/mutations.rs"]
mod mutations;
#[path = "documents/outcomes.rs"]
mod outcomes;
#[path = "documents/poppler.rs"]
mod poppler;
#[path = "documents/reader.rs"]
mod reader;
#[path = "documents/tokens.rs"]
mod tokens;
#[path = "documents/words.rs"]
mod words;
#[path = "workload/mod.rs"]
mod workload;

use workload::measure::run_sections;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if corpus::folder().is_none() {
        println!("SKIPPED: PINCITE_DEV_DATA names no folder with `docs/INDEX.tsv`");
        return;
    }
    run_sections(&[
        ("outcomes", outcomes::measure),
        ("words", words::measure),
        ("filings", words::measure_filings),
        ("poppler", poppler::measure),
        ("mutations", mutations::measure),
    ]);
}
