//! The section that a question names by its heading: `What are the risks?` is answered by what stands under `Risks`.

use std::collections::BTreeSet;

use super::candidates::terms_of;
use super::plan::Words;
use crate::index::ChunkRecord;
use crate::index::analyzer::Stemming;

/// Of the question's words, the heading and what stands above it have to hold so many.
const MIN_COVERAGE: f32 = 0.7;
/// Words that make a question of its subject.
const ASKING: &str = "what which who whom whose when where why how many much do does did have has had can could should would may might shall \
                      we our us i my me you your its were been than from about please tell there any list show all give name find \
                      considered mentioned described made given exist";

/// A heading that the question names, and how well.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The heading.
    pub heading: String,
    /// The share of the question's words that it and the headings, title and path above it hold.
    pub coverage: f32,
    /// The share of the words of title and path that the question has: of two documents the one that the question describes better.
    pub fit: f32,
}

/// The words of a question or heading that say what it is about, stemmed.
fn subject(text: &str) -> BTreeSet<String> {
    let asking = terms_of(ASKING, Stemming::ENGLISH);
    let mut words = terms_of(text, Stemming::ENGLISH);
    words.retain(|word| !asking.contains(word));
    words
}

/// The heading of a chunk that the question names: all of its words are the question's, and what stands above it holds most of the
/// others. The title of a document is none: it names the whole.
#[must_use]
pub fn named(question: &str, chunk: &ChunkRecord) -> Option<Named> {
    let asked = subject(question);
    let title = chunk.file.title.as_deref().unwrap_or_default();
    let headings = headings(chunk);
    let is_heading = |heading: &&str| {
        let own = subject(heading);
        **heading != *title && !own.is_empty() && own.is_subset(&asked)
    };
    // The title is a heading, too, where the document has no other one above it.
    let below_title = usize::from(title.is_empty() || headings.first().is_some_and(|first| first != &title));
    let (depth, heading) = headings
        .iter()
        .copied()
        .enumerate()
        .rfind(|(depth, heading)| depth + below_title > 0 && is_heading(heading))?;
    let mut held = terms_of(&headings[..=depth].join(" "), Stemming::ENGLISH);
    let above = terms_of(&format!("{title} {}", chunk.file.path), Stemming::ENGLISH);
    let fit = above.intersection(&asked).count() as f32 / above.len().max(1) as f32;
    held.extend(above);
    let coverage = asked.intersection(&held).count() as f32 / asked.len().max(1) as f32;
    (coverage >= MIN_COVERAGE).then(|| Named { heading: heading.to_owned(), coverage, fit })
}

/// The headings above a chunk, and those of Markdown inside of it.
fn headings(chunk: &ChunkRecord) -> Vec<&str> {
    let above = chunk.place.trail.iter().map(String::as_str);
    let inside = chunk.words.lines().filter_map(heading_of_line);
    above.chain(inside).collect()
}

/// The words of a heading of Markdown.
#[must_use]
pub fn heading_of_line(line: &str) -> Option<&str> {
    line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ').map(str::trim)
}

/// Whether a section with this heading has words in the chunk.
#[must_use]
pub fn is_in(chunk: &ChunkRecord, heading: &str) -> bool {
    headings(chunk).contains(&heading)
}

/// Whether a question may be answered by a section: it asks for no number, day or person.
#[must_use]
pub fn may_answer(question: &str) -> bool {
    let words = Words::of(question);
    !words.are(0, "who|whom|whose|when|where")
        && !words.are(0, "how many|much|long|often|big|old")
        && !super::plan::is_yes_or_no(&words)
}
