//! Our reading of PDFs beside poppler's, one file at a time, in turns.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::corpus::{documents, entries};
use super::reader::Reader;
use super::workload::measure::{Target, head, row};

pub fn measure() {
    let is_there = Command::new("pdftotext").arg("-v").stderr(Stdio::null()).status().is_ok();
    if !is_there {
        println!("SKIPPED: poppler's `pdftotext` is not on the PATH");
        return;
    }
    let reader = Reader::new();
    let (mut ours, mut theirs, mut num_bytes, mut num_files) = (0.0, 0.0, 0, 0);
    for entry in entries().iter().filter(|entry| entry.extension() == "pdf") {
        ours += reader.read(entry.bytes(), entry.file_name()).seconds;
        let started = Instant::now();
        let path = documents().join(&entry.path);
        let output = Command::new("pdftotext").args(["-enc", "UTF-8"]).arg(path).arg("-").output();
        theirs += started.elapsed().as_secs_f64();
        output.expect("a program that was there a moment ago");
        num_bytes += entry.num_bytes;
        num_files += 1;
    }
    let mb = num_bytes as f64 / 1e6;
    head("beside poppler");
    row("PDFs", f64::from(num_files), "", &Target::None);
    row("ours, in warm children", mb / ours, "MB/s", &Target::None);
    row("the same", f64::from(num_files) / ours, "files/s", &Target::None);
    row("poppler's, a process each", mb / theirs, "MB/s", &Target::None);
    row("the same", f64::from(num_files) / theirs, "files/s", &Target::None);
}
