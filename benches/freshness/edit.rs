//! What indexing costs again when 1% of the chunks have changed.

use std::path::Path;
use std::sync::Arc;

use pincite::embed::Silent as SilentFetch;
use pincite::engine::{Access, Caller, Engine, IndexReport, OpenOptions, Surface};
use pincite::ingest::Silent;
use pincite::workspace::WorkspaceId;

use crate::workload::measure::{Target, head, processor_seconds, row, timed};
use crate::workload::model::runtime_folder;
use crate::workload::{Writer, write_folder};

/// Files, of some ten chunks each.
const NUM_FILES: usize = 400;
/// What a changed chunk says from now on.
const SENTENCE: &str = "Since the last run the second attempt is taken, and nobody has asked why.";

pub fn measure() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (folder, data) = (place.path().join("files"), place.path().join("data"));
    let writer = Writer::new();
    write_folder(&writer, 4, NUM_FILES, &folder);
    let engine = Engine::open(OpenOptions {
        runtime_folder: Some(runtime_folder()),
        fetch_progress: Arc::new(SilentFetch),
        ..OpenOptions::new(&data, Access::Write, "bench")
    })
    .expect("an engine");
    let workspace = WorkspaceId::default();
    // A first file makes the sessions, which belongs to neither side.
    let warm = place.path().join("warm");
    write_folder(&writer, 5, 1, &warm);
    let warm_up = engine
        .workspace_at(&"warm".parse().expect("a name"), &warm, &Caller::local(Surface::CommandLine))
        .and_then(|warm| warm.index(&Silent))
        .expect("the line");
    if let Some(reason) = warm_up.words_alone {
        println!("SKIPPED: {reason}");
        return;
    }
    let index = || -> (f64, f64, IndexReport) {
        let busy = processor_seconds();
        let (time, report) = timed(|| {
            engine
                .workspace_at(&workspace, &folder, &Caller::local(Surface::CommandLine))
                .expect("the line")
                .index(&Silent)
                .expect("the line")
        });
        (time / 1e3, processor_seconds() - busy, report)
    };
    let (whole, whole_busy, report) = index();
    let num_chunks = report.line.num_chunks;
    for number in 0..num_chunks / 100 {
        change_a_sentence(&writer, number, &folder);
    }
    let (again, again_busy, changed) = index();
    head("indexing again after a sentence was changed in 1% of the chunks");
    row("chunks", num_chunks as f64, "", &Target::None);
    row("index all of them, with embedding", whole, "s", &Target::None);
    row("files with a changed sentence", changed.line.num_indexed as f64, "", &Target::None);
    row("chunks of these files, written anew", changed.line.num_chunks as f64, "", &Target::None);
    row("chunks that were embedded anew", changed.line.num_embedded as f64, "", &Target::None);
    row("index them again", again, "s", &Target::None);
    row("ratio of the times", again / whole, "", &Target::None);
    row("ratio of the processor times", again_busy / whole_busy, "", &Target::None);
    let (nothing, _, report) = index();
    assert_eq!(report.line.num_indexed, 0, "nothing has changed since");
    row("index again when nothing has changed", nothing, "s", &Target::None);
}

/// Puts another sentence into the place of one in the middle of a file.
fn change_a_sentence(writer: &Writer, number: usize, folder: &Path) {
    let file = writer.file(4, number, 0);
    let middle = file.text.floor_char_boundary(file.text.len() / 2);
    let start = file.text[..middle].rfind(". ").expect("a sentence before") + 2;
    let end = start + file.text[start..].find(". ").expect("a sentence") + 1;
    let text = format!("{}{SENTENCE}{}", &file.text[..start], &file.text[end..]);
    fs_err::write(folder.join(&file.path), text).expect("a file");
}
