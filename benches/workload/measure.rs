//! Times, memory and the table they are printed in.

use std::path::Path;
use std::time::{Duration, Instant};

/// Milliseconds of one call, and what it gave.
pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let started = Instant::now();
    let result = work();
    (ms(started.elapsed()), result)
}

pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Times of one thing done many times, in milliseconds.
#[derive(Default, Clone)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn push(&mut self, ms: f64) {
        self.0.push(ms);
        self.0.sort_by(f64::total_cmp);
    }

    /// The value that `percent` of the times do not exceed.
    pub fn percentile(&self, percent: usize) -> f64 {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }

    pub fn p50(&self) -> f64 {
        self.percentile(50)
    }

    pub fn p99(&self) -> f64 {
        self.percentile(99)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn best(&self) -> f64 {
        self.0[0]
    }

    pub fn sum(&self) -> f64 {
        self.0.iter().sum()
    }
}

/// A figure's target.
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Told for its own sake.
    None,
}

/// One row: what, the figure with its unit, and whether it holds its target.
pub fn row(what: &str, figure: f64, unit: &str, target: &Target) {
    let (wanted, verdict) = match *target {
        Target::AtMost(most) => (format!("<= {most}"), if figure <= most { "holds" } else { "MISSED" }),
        Target::AtLeast(least) => (format!(">= {least}"), if figure >= least { "holds" } else { "MISSED" }),
        Target::None => (String::new(), ""),
    };
    let figure = if figure.abs() >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.3}") };
    println!("| {what:<76} | {figure:>9} {unit:<8} | {wanted:>8} | {verdict:<6} |");
}

pub fn head(title: &str) {
    println!("\n| {title:<76} | {:>18} | {:>8} | {:<6} |", "figure", "target", "");
    println!("|{:-<78}|{:->20}|{:->10}|{:-<8}|", "", "", "", "");
}

/// The most memory that this process has had at a time, in megabytes; 0 where the system does not say.
pub fn peak_memory_mb() -> f64 {
    peak_memory_mb_of("self")
}

/// The peak memory, in MB, of the process with this number.
pub fn peak_memory_mb_of(process: &str) -> f64 {
    let status = fs_err::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kb.unwrap_or(0.0) * 1024.0 / 1e6
}

/// Seconds that this process has kept processors busy; 0 where the system does not say.
///
/// On a machine with other work this says more than the clock.
pub fn processor_seconds() -> f64 {
    let stat = fs_err::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in brackets, may hold anything; user and system time are the 14th and 15th field of all.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Bytes of all files under a folder, or of those whose name ends so.
pub fn folder_bytes(folder: &Path, end: &str) -> u64 {
    let entries = fs_err::read_dir(folder).expect("a folder");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let metadata = entry.metadata().expect("a file's metadata");
            let is_meant = entry.file_name().to_string_lossy().ends_with(end);
            if metadata.is_dir() { folder_bytes(&entry.path(), end) } else { metadata.len() * u64::from(is_meant) }
        })
        .sum()
}

/// Runs one section of a bench in a process of its own, so that its peak memory is its own.
pub fn run_sections(sections: &[(&str, fn())]) {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Ok(section) = std::env::var("PINCITE_BENCH_SECTION") {
        let (_, run) = sections.iter().find(|(name, _)| *name == section).expect("a section of this bench");
        return run();
    }
    for (name, _) in sections {
        if asked.is_empty() || asked.iter().any(|wanted| wanted == name) {
            let program = std::env::current_exe().expect("this program");
            let status = std::process::Command::new(program).env("PINCITE_BENCH_SECTION", name).status();
            assert!(status.expect("a process").success(), "the section `{name}` failed");
        }
    }
}
