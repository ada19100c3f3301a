//! What became of each file, by type and by reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pincite::extract::ExtractError;

use super::corpus::{Entry, entries, missing};
use super::reader::{LIMITS, Reader, Reading};
use super::workload::measure::{Target, head, row};

/// How many of the slowest and largest are named.
const NUM_WORST: usize = 3;

/// Files of one type.
#[derive(Default)]
struct Tally {
    states: BTreeMap<&'static str, usize>,
    num_partial: usize,
    num_bytes: u64,
    seconds: f64,
}

struct Row {
    path: String,
    format: String,
    state: &'static str,
    reason: String,
    partial: String,
    num_bytes: u64,
    seconds: f64,
    memory_mb: f64,
}

pub fn measure() {
    let reader = Reader::new();
    let rows: Vec<Row> =
        entries().iter().map(|entry| row_of(entry, reader.read(entry.bytes(), entry.file_name()))).collect();
    for path in missing() {
        println!("in the index and not in the folder: {path}");
    }
    by_type(&rows);
    by_reason(&rows);
    head("limits");
    // A crash of this process would have ended the table.
    row("crashes of the parent", 0.0, "", &Target::AtMost(0.0));
    let is_over = |row: &&Row| row.seconds > LIMITS.timeout.as_secs_f64() || row.reason.contains(" than ");
    row("files over a limit", rows.iter().filter(is_over).count() as f64, "", &Target::None);
    worst(&rows, "s", |row| row.seconds);
    worst(&rows, "MB", |row| row.memory_mb);
    if let Some(file) = std::env::var_os("PINCITE_FILES_TSV") {
        fs_err::write(file, listing(&rows)).expect("a file that can be written");
    }
}

fn row_of(entry: &Entry, reading: Reading) -> Row {
    let (mut reason, mut partial) = (String::new(), String::new());
    let (format, state) = match reading.outcome {
        Ok(document) => {
            partial = document.partial.unwrap_or_default();
            if partial.is_empty() && !document.unread_pages.is_empty() {
                partial = format!("unread pages: {:?}", document.unread_pages);
            }
            let state = if document.text.trim().is_empty() { "empty" } else { "ready" };
            (document.format.name().to_owned(), state)
        }
        Err(error) => {
            let state = match error {
                ExtractError::Unsupported { .. } => "unsupported",
                ExtractError::Failed { .. } => "failed",
                ExtractError::Killed { .. } | ExtractError::Unavailable { .. } => panic!("no file's fault: {error}"),
            };
            reason = error.to_string();
            (format!(".{}", entry.extension()), state)
        }
    };
    let (path, num_bytes) = (entry.path.clone(), entry.num_bytes);
    let Reading { seconds, memory_mb, .. } = reading;
    Row { path, format, state, reason, partial, num_bytes, seconds, memory_mb }
}

fn by_type(rows: &[Row]) {
    let states = ["ready", "empty", "unsupported", "failed"];
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for row in rows {
        for kind in [row.format.as_str(), "~ all"] {
            let tally = tallies.entry(kind).or_default();
            *tally.states.entry(row.state).or_default() += 1;
            tally.num_partial += usize::from(!row.partial.is_empty());
            tally.num_bytes += row.num_bytes;
            tally.seconds += row.seconds;
        }
    }
    println!("\nformat, or the extension of what is not read:\n");
    println!(
        "| format | ready | empty | unsupported | failed | partial | files/s | MB/s |\n|---|---|---|---|---|---|---|---|"
    );
    for (kind, tally) in &tallies {
        let counts: Vec<usize> = states.iter().map(|state| tally.states.get(state).copied().unwrap_or(0)).collect();
        let num_files: usize = counts.iter().sum();
        let (files, mb) = (num_files as f64 / tally.seconds, tally.num_bytes as f64 / 1e6 / tally.seconds);
        let [ready, empty, unsupported, failed] = counts[..] else { continue };
        println!(
            "| {kind} | {ready} | {empty} | {unsupported} | {failed} | {} | {files:.0} | {mb:.2} |",
            tally.num_partial
        );
    }
}

fn by_reason(rows: &[Row]) {
    let mut reasons: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.reason.is_empty()) {
        reasons.entry((row.state, &row.format, &row.reason)).or_default().push(&row.path);
    }
    println!("\n| state | type | reason | files | one of them |\n|---|---|---|---|---|");
    for ((state, kind, reason), paths) in reasons {
        println!("| {state} | {kind} | {reason} | {} | {} |", paths.len(), paths[0]);
    }
}

fn worst(rows: &[Row], unit: &str, figure: impl Fn(&Row) -> f64) {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|a, b| figure(b).total_cmp(&figure(a)));
    for worst in rows.iter().take(NUM_WORST) {
        row(&worst.path, figure(worst), unit, &Target::None);
    }
}

fn listing(rows: &[Row]) -> String {
    let mut lines = String::from("path\tformat\tstate\treason\tpartial\tbytes\tseconds\tmemory_mb\n");
    for row in rows {
        let Row { path, format, state, reason, partial, num_bytes, seconds, memory_mb } = row;
        writeln!(lines, "{path}\t{format}\t{state}\t{reason}\t{partial}\t{num_bytes}\t{seconds:.4}\t{memory_mb:.1}")
            .expect("a string takes all");
    }
    lines
}
