//! Files through the program's child processes, and what each of them took.

use std::path::PathBuf;
use std::time::Instant;

use pincite::extract::child::{Children, Limits, Program};
use pincite::extract::{Document, ExtractError, Extractor as _};

use super::workload::measure::peak_memory_mb_of;

/// As by default.
pub const LIMITS: Limits = Limits { text_bytes: 600_000_000, ..Limits::DEFAULT };

/// Reads one file at a time.
pub struct Reader {
    children: Children,
}

/// What became of one file.
pub struct Reading {
    pub outcome: Result<Document, ExtractError>,
    pub seconds: f64,
    /// The most memory that the child had while it read; 0 where it did not live, or the system does not say.
    pub memory_mb: f64,
}

impl Reader {
    pub fn new() -> Self {
        let program =
            Program { path: PathBuf::from(env!("CARGO_BIN_EXE_pincite")), arguments: vec!["read-files".to_owned()] };
        Self { children: Children::new(program, LIMITS).expect("a thread") }
    }

    pub fn read(&self, bytes: Vec<u8>, file_name: &str) -> Reading {
        for child in children_of_this_process() {
            // The kernel then counts the most memory anew; where it does not, the figure is that of all files before.
            let _ = fs_err::write(format!("/proc/{child}/clear_refs"), "5");
        }
        let started = Instant::now();
        let outcome = self.children.extract(bytes, file_name);
        let seconds = started.elapsed().as_secs_f64();
        let memory = children_of_this_process().iter().map(|child| peak_memory_mb_of(child)).fold(0.0, f64::max);
        Reading { outcome, seconds, memory_mb: memory }
    }
}

/// Their numbers; none where the system does not say.
fn children_of_this_process() -> Vec<String> {
    let number = std::process::id();
    // The thread that started them is this one: the bench has no other that does.
    let children = fs_err::read_to_string(format!("/proc/{number}/task/{number}/children")).unwrap_or_default();
    children.split_whitespace().map(str::to_owned).collect()
}
