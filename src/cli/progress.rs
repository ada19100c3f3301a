//! Bars on a terminal, plain lines elsewhere; always on standard error.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::{Mutex, MutexGuard};

use crate::embed;
use crate::ingest::{self, Stage};
use crate::workspace::RelPath;

/// Shows the progress of fetching and indexing.
pub(super) struct Terminal {
    is_terminal: bool,
    current: Mutex<Option<Current>>,
}

struct Current {
    what: String,
    unit: &'static str,
    bar: ProgressBar,
    done: u64,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), current: Mutex::new(None) }
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock()
    }

    fn start(&self, what: String, unit: &'static str, total: Option<u64>) {
        let bar = match (self.is_terminal, total) {
            (false, _) => ProgressBar::hidden(),
            (true, Some(total)) => ProgressBar::new(total).with_style(style(unit, true)),
            (true, None) => ProgressBar::new_spinner().with_style(style(unit, false)),
        };
        if self.is_terminal {
            bar.set_message(what.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        *self.current() = Some(Current { what, unit, bar, done: 0 });
    }

    fn set(&self, change: impl FnOnce(u64) -> u64) {
        if let Some(current) = &mut *self.current() {
            current.done = change(current.done);
            current.bar.set_position(current.done);
        }
    }

    fn finish(&self) {
        let Some(current) = self.current().take() else { return };
        current.bar.finish_and_clear();
        if !self.is_terminal && current.done > 0 {
            let amount = if current.unit == "bytes" {
                format!("{:.1} MB", current.done as f64 / 1e6)
            } else {
                format!("{} {}", current.done, current.unit)
            };
            // Progress that nobody can read is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{}: {amount}", current.what);
        }
    }
}

fn style(unit: &str, has_total: bool) -> ProgressStyle {
    let template = match (unit, has_total) {
        ("bytes", true) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
        ("bytes", false) => "{spinner} {msg} {bytes}",
        (_, true) => "{msg} {wide_bar} {pos}/{len} {eta}",
        (_, false) => "{spinner} {msg} {pos}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl ingest::Progress for Terminal {
    fn begin(&self, stage: Stage, total: Option<u64>) {
        let (what, unit) = match stage {
            Stage::Scanning => ("listing", "files"),
            Stage::Indexing => ("indexing", "files"),
            Stage::Embedding => ("embedding", "chunks"),
            Stage::Rebuilding => ("building again", "files"),
        };
        self.start(what.to_owned(), unit, total);
    }

    fn advance(&self, done: u64) {
        self.set(|before| before + done);
    }

    fn reading(&self, path: &RelPath, num_done: u64, size: u64) {
        if let Some(Current { what, bar, .. }) = &*self.current() {
            let mb = |bytes: u64| bytes / 1_000_000;
            let now = (num_done < size).then(|| format!("{what}, {path}: {} of {} MB", mb(num_done), mb(size)));
            bar.set_message(now.unwrap_or_else(|| what.clone()));
        }
    }

    fn end(&self) {
        self.finish();
    }
}

impl embed::Progress for Terminal {
    fn begin(&self, what: &str, total_bytes: Option<u64>) {
        self.start(format!("fetching {what}"), "bytes", total_bytes);
    }

    fn advance_to(&self, num_bytes: u64) {
        self.set(|_| num_bytes);
    }

    fn end(&self) {
        self.finish();
    }
}
