//! How soon a change is searchable, and what keeping up costs: the server as a user has it, asked over loopback.
//!
//! - `write`: a folder of 2,000 files (20,000 chunks, with vectors of any direction) is indexed. A file of 10 KB is written by
//!   PUT, half of the times over another one; from the answer to that on, the time until a search that asks for its revision
//!   finds its last word, and until searches by meaning find every passage of it. One write at a time, on a quiet server; then
//!   10,000 files are moved into the folder, and the same is done while these are brought in by words, and again while
//!   they are embedded. Between the writes, queries of both legs are timed; the quiet ones come before the first write.
//! - `events`: events a second through the log until all is searchable by words, with content and without, and writes.
//! - `changes`: 100,000 changes of files in the folder, with no word to the server: more than the system's queue of events
//!   holds. At the end the index equals the tree: every file listed with its hash, every file found by its own word.
//! - `edit`: one sentence changed in 1% of the chunks, each in a file of its own, against indexing everything.
//!
//! `events` and `changes` run by words alone: what they are about is the line, and embedding would hide it.
//! Run `cargo bench --bench freshness`, or `cargo bench --bench freshness -- write` for one section.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "freshness/changes.rs"]
mod changes;
#[path = "freshness/edit.rs"]
mod edit;
#[path = "freshness/events.rs"]
mod events;
#[path = "workload/mod.rs"]
mod workload;
#[path = "freshness/write.rs"]
mod write;

use workload::measure::run_sections;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    run_sections(&[
        ("write", write::measure),
        ("events", events::measure),
        ("changes", changes::measure),
        ("edit", edit::measure),
    ]);
}
