//! Damaged files through the children: nothing may crash, hang or take more than its limit without being contained.

use std::collections::BTreeMap;
use std::path::Path;

use pincite::extract::ExtractError;

use super::corpus::{Entry, entries};
use super::mutate::mutant;
use super::reader::{LIMITS, Reader, Reading};
use super::workload::Random;
use super::workload::measure::{Target, head, peak_memory_mb, row};

/// How many are made where `PINCITE_MUTANTS` does not say.
const NUM_MUTANTS: usize = 1_000;
const SEED: u64 = 0x9e1c;
/// Larger files are not damaged: most of their time would go into what is still whole.
const MAX_BYTES: u64 = 1_000_000;
/// Mutants that take so many seconds are kept beside those that crash.
const SLOW_SECONDS: f64 = 5.0;

/// Mutants of files of one format.
#[derive(Default)]
struct Tally {
    /// Ready, empty, unsupported, failed.
    states: [usize; 4],
    num_partial: usize,
    num_crashes: usize,
    num_hangs: usize,
    num_over_memory: usize,
    worst_seconds: (f64, String),
    worst_memory_mb: (f64, String),
}

pub fn measure() {
    let num_mutants = std::env::var("PINCITE_MUTANTS").map_or(NUM_MUTANTS, |number| number.parse().expect("a number"));
    let folder = std::env::var_os("PINCITE_MUTANTS_FOLDER");
    let reader = Reader::new();
    let originals = originals(&reader);
    let formats: Vec<&String> = originals.keys().collect();
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut reasons: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for number in 0..num_mutants {
        let mut random = Random::new(SEED + number as u64);
        let format = formats[number % formats.len()];
        let files = &originals[format];
        let [entry, other] = [(); 2].map(|()| &files[random.below(files.len())]);
        let bytes = mutant(&entry.bytes(), &other.bytes(), &mut random);
        let reading = reader.read(bytes.clone(), entry.file_name());
        let name = format!("{number} of {}", entry.path);
        if let Err(error) = &reading.outcome {
            let reason = format!("{format}: {}", without_numbers(&error.to_string()));
            reasons.entry(reason).or_insert_with(|| (0, name.clone())).0 += 1;
        }
        let is_kept = tallies.entry(format).or_default().add(&reading, &name);
        if let Some(folder) = folder.as_deref().filter(|_| is_kept) {
            let file = Path::new(folder).join(format!("{number}-{}", entry.file_name()));
            fs_err::write(file, bytes).expect("a folder that can be written");
        }
    }
    by_format(&tallies);
    println!("\n| format and reason | mutants | one of them |\n|---|---|---|");
    for (reason, (count, name)) in &reasons {
        println!("| {reason} | {count} | {name} |");
    }
    head(&format!("{num_mutants} mutants"));
    let sum = |count: fn(&Tally) -> usize| tallies.values().map(count).sum::<usize>() as f64;
    // A crash of this process would have ended the table.
    row("crashes of the parent", 0.0, "", &Target::AtMost(0.0));
    row("crashes of a reader, contained", sum(|tally| tally.num_crashes), "", &Target::None);
    row("hangs: children that had to be ended", sum(|tally| tally.num_hangs), "", &Target::AtMost(0.0));
    row("children over their memory", sum(|tally| tally.num_over_memory), "", &Target::None);
    row("the parent's most memory", peak_memory_mb(), "MB", &Target::None);
}

/// The files that are read and not large, by format.
fn originals(reader: &Reader) -> BTreeMap<String, Vec<Entry>> {
    let mut originals: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in entries().into_iter().filter(|entry| entry.num_bytes <= MAX_BYTES) {
        if let Ok(document) = reader.read(entry.bytes(), entry.file_name()).outcome {
            originals.entry(document.format.name().to_owned()).or_default().push(entry);
        }
    }
    originals
}

impl Tally {
    /// Whether the mutant is worth a look.
    fn add(&mut self, reading: &Reading, name: &str) -> bool {
        let before = (self.num_crashes, self.num_hangs, self.num_over_memory);
        let state = match &reading.outcome {
            Ok(document) => {
                self.num_partial += usize::from(document.partial.is_some() || !document.unread_pages.is_empty());
                let inner = document.members.iter().filter_map(|member| member.outcome.as_ref().err());
                self.num_crashes += inner.filter(|error| is_crash(&error.to_string())).count();
                self.num_crashes += usize::from(document.partial.as_deref().is_some_and(is_crash));
                usize::from(document.text.trim().is_empty())
            }
            Err(ExtractError::Unsupported { .. }) => 2,
            Err(ExtractError::Failed { reason }) => {
                self.num_crashes += usize::from(is_crash(reason));
                self.num_hangs += usize::from(reason.contains("takes longer than"));
                self.num_over_memory += usize::from(reason.contains("MB of memory"));
                3
            }
            Err(error @ (ExtractError::Killed { .. } | ExtractError::Unavailable { .. })) => {
                panic!("no file's fault: {error}")
            }
        };
        self.states[state] += 1;
        // What a child had that was ended for it can be asked no more.
        let memory_mb =
            if before.2 < self.num_over_memory { LIMITS.memory_bytes as f64 / 1e6 } else { reading.memory_mb };
        for (worst, figure) in [(&mut self.worst_seconds, reading.seconds), (&mut self.worst_memory_mb, memory_mb)] {
            if figure > worst.0 {
                *worst = (figure, name.to_owned());
            }
        }
        before != (self.num_crashes, self.num_hangs, self.num_over_memory) || reading.seconds > SLOW_SECONDS
    }
}

/// Whether a reader or a part of it panicked, its process ended, or what it made is no document.
fn is_crash(reason: &str) -> bool {
    reason.contains("crashed") || reason.contains("went wrong")
}

fn by_format(tallies: &BTreeMap<&str, Tally>) {
    println!(
        "\nlimits: {} s and a second more for each MB, {} MB",
        LIMITS.timeout.as_secs(),
        LIMITS.memory_bytes / 1_000_000
    );
    println!(
        "\n| mutants of | ready | of these partial | empty | unsupported | failed | crashes | hangs | over memory | most s | most MB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|"
    );
    for (format, tally) in tallies {
        let [ready, empty, unsupported, failed] = tally.states;
        let Tally { num_partial, num_crashes, num_hangs, num_over_memory, worst_seconds, worst_memory_mb, .. } = tally;
        println!(
            "| {format} | {ready} | {num_partial} | {empty} | {unsupported} | {failed} | {num_crashes} | {num_hangs} | \
             {num_over_memory} | {:.2} | {:.0} |",
            worst_seconds.0, worst_memory_mb.0
        );
    }
    for (what, figure) in
        [("s", (|tally| &tally.worst_seconds) as fn(&Tally) -> &(f64, String)), ("MB", |tally| &tally.worst_memory_mb)]
    {
        if let Some((worst, name)) = tallies.values().map(figure).max_by(|a, b| a.0.total_cmp(&b.0)) {
            println!("the most {what}: {worst:.2}, by {name}");
        }
    }
}

/// Reasons that differ in a number only are one.
fn without_numbers(reason: &str) -> String {
    let mut plain = String::new();
    for c in reason.chars() {
        if !c.is_ascii_digit() {
            plain.push(c);
        } else if !plain.ends_with('#') {
            plain.push('#');
        }
    }
    plain
}
