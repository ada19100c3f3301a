//! Recall, precision and order of words against texts that others made of the same files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pincite::extract::Document;

use super::corpus::{entries, folder};
use super::exact;
use super::reader::Reader;
use super::tokens::{Agreement, Mean, agreement};
use super::workload::measure::{Target, head, row};

/// References with fewer characters say little of a reader.
const MIN_REFERENCE_CHARS: usize = 100;
/// References with a larger part of characters that stand for none are themselves not read.
const MAX_UNREADABLE: f64 = 0.1;

pub fn measure() {
    let reader = Reader::new();
    let mut means: BTreeMap<String, Mean> = BTreeMap::new();
    let mut lines = String::from("path\trecall\tprecision\torder\n");
    let mut broken = Vec::new();
    for entry in entries() {
        let Some(reference) = entry.reference() else { continue };
        let num_chars = reference.chars().filter(|c| !c.is_whitespace()).count();
        if num_chars < MIN_REFERENCE_CHARS {
            continue;
        }
        let text = reader.read(entry.bytes(), entry.file_name()).outcome.map_or(String::new(), whole_text);
        let Some(agreement) = agreement(&reference, &text) else { continue };
        let Agreement { recall, precision, order } = agreement;
        writeln!(lines, "{}\t{recall:.4}\t{precision:.4}\t{order:.4}", entry.path).expect("a string takes all");
        means.entry(entry.extension()).or_default().add(agreement);
        let num_unreadable = reference.chars().filter(|&c| is_unreadable(c)).count();
        if num_unreadable as f64 > num_chars as f64 * MAX_UNREADABLE {
            broken.push((entry.path, recall));
        } else if entry.extension() == "pdf" {
            means.entry("pdf, references that can be read".to_owned()).or_default().add(agreement);
        }
    }
    println!("\n| words against the reference | files | recall | precision | order |\n|---|---|---|---|---|");
    for (kind, mean) in &means {
        let (recall, precision, order) = (mean.recall(), mean.precision(), mean.order());
        println!("| {kind} | {} | {recall:.4} | {precision:.4} | {order:.4} |", mean.len());
    }
    for (path, recall) in broken {
        println!("poppler itself reads no words of {path} (recall of its characters {recall:.2})");
    }
    head("words");
    if let Some(pdf) = means.get("pdf") {
        row("mean recall of PDF files against poppler", pdf.recall(), "", &Target::AtLeast(0.95));
    }
    exact::measure(&reader);
    if let Some(file) = std::env::var_os("PINCITE_WORDS_TSV") {
        fs_err::write(file, lines).expect("a file that can be written");
    }
}

/// The text of a document and of all files inside it.
fn whole_text(document: Document) -> String {
    let members = document.members.into_iter().filter_map(|member| member.outcome.ok());
    members.fold(document.text, |text, member| text + "\n" + &whole_text(member))
}

fn is_unreadable(c: char) -> bool {
    matches!(c, '\u{fffd}' | '\u{e000}'..='\u{f8ff}') || (c.is_control() && !c.is_whitespace())
}

/// The text of a page of a filing, from a file of lines of JSON.
fn pages_of(
    file: &str,
    page: impl Fn(&serde_json::Value) -> Option<(String, usize, String)>,
) -> Vec<(String, usize, String)> {
    let path = folder().expect("asked before anything else").join("ir/financebench").join(file);
    let Ok(lines) = fs_err::read_to_string(path) else { return Vec::new() };
    lines.lines().filter_map(|line| page(&serde_json::from_str(line).ok()?)).collect()
}

pub fn measure_filings() {
    let reader = Reader::new();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let by_poppler = pages_of("pages_pdftotext.jsonl", |line| {
        let (name, number) = line["_id"].as_str()?.rsplit_once("#p")?;
        Some((name.to_owned(), number.parse().ok()?, text(&line["text"])?))
    });
    let by_people = pages_of("evidence_pages_reference_text.jsonl", |line| {
        let number = usize::try_from(line["page_1based"].as_u64()?).ok()?;
        Some((text(&line["doc"])?, number, text(&line["reference_full_page_text"])?))
    });
    if by_poppler.is_empty() {
        println!("SKIPPED: the filings are not there");
        return;
    }
    let pdfs = folder().expect("asked before anything else").join("ir/financebench/pdfs");
    let mut documents: BTreeMap<String, Option<Document>> = BTreeMap::new();
    head("filings, by page");
    for (whose, pages, target) in
        [("poppler", by_poppler, Target::AtLeast(0.97)), ("the annotators", by_people, Target::None)]
    {
        let mut mean = Mean::default();
        let mut worst: Vec<(f64, String)> = Vec::new();
        for (name, number, reference) in pages {
            if reference.chars().filter(|c| !c.is_whitespace()).count() < MIN_REFERENCE_CHARS {
                continue;
            }
            let document = documents.entry(name.clone()).or_insert_with(|| {
                let bytes = fs_err::read(pdfs.join(format!("{name}.pdf"))).ok()?;
                reader.read(bytes, &format!("{name}.pdf")).outcome.ok()
            });
            let page = document
                .as_ref()
                .and_then(|document| document.pages.get(number - 1)?.of(&document.text))
                .unwrap_or_default();
            let Some(agreement) = agreement(&reference, page) else { continue };
            worst.push((agreement.recall, format!("{name} page {number}")));
            mean.add(agreement);
        }
        row(&format!("pages of {whose}"), mean.len() as f64, "", &Target::None);
        row(&format!("mean recall against {whose}"), mean.recall(), "", &target);
        row(&format!("mean precision against {whose}"), mean.precision(), "", &Target::None);
        row(&format!("order as of {whose}"), mean.order(), "", &Target::None);
        worst.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (recall, page) in worst.iter().take(3) {
            row(&format!("  the worst: {page}"), *recall, "", &Target::None);
        }
    }
}
