//! Headers and footers: lines that stand at the top or the bottom of most pages.
//!
//! They say nothing of the page that they stand on, yet by their words each page would be found, and by their vectors all pages would be
//! alike. So they are left out of what is searched, on every page but the first that has them: what only a header says is found there.

use std::collections::HashMap;

use crate::extract::Document;
use crate::workspace::Span;

/// Lines at each end of a page that may be of a header or footer.
const NUM_LINES: usize = 3;
/// With fewer pages nothing is told.
const MIN_PAGES: usize = 4;
/// The part of the pages that have such a line, in percent.
const MIN_PERCENT: usize = 60;

/// The spans of repeated headers and footers in the text, in order, but for their first page. Lines that differ in their digits alone
/// (`page 3 of 20`) are one.
#[must_use]
pub fn repeated_lines(document: &Document) -> Vec<Span> {
    let pages: Vec<Vec<Span>> = document
        .pages
        .iter()
        .map(|page| lines_at_ends(&document.text, *page))
        .filter(|lines| !lines.is_empty())
        .collect();
    if pages.len() < MIN_PAGES {
        return Vec::new();
    }
    let key = |line: &Span| masked(line.of(&document.text).unwrap_or_default());
    let mut num_pages: HashMap<String, usize> = HashMap::new();
    for page in &pages {
        let mut keys: Vec<String> = page.iter().map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            *num_pages.entry(key).or_default() += 1;
        }
    }
    num_pages.retain(|_, num| *num >= MIN_PAGES && *num * 100 >= pages.len() * MIN_PERCENT);
    let mut repeated = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for page in &pages {
        let lines = page.iter().filter(|line| num_pages.contains_key(&key(line)));
        let (again, first): (Vec<&Span>, Vec<&Span>) = lines.partition(|line: &&Span| seen.contains(&key(line)));
        repeated.extend(again.into_iter().copied());
        seen.extend(first.into_iter().map(key));
    }
    repeated.sort_unstable_by_key(|line| line.start);
    repeated
}

/// The first and last lines of a page that have words.
fn lines_at_ends(text: &str, page: Span) -> Vec<Span> {
    let mut lines: Vec<Span> = Vec::new();
    let mut start = page.start;
    for line in page.of(text).unwrap_or_default().split_inclusive('\n') {
        let span = Span::new(start, start + line.len()).trimmed(text);
        start += line.len();
        if !span.is_empty() {
            lines.push(span);
        }
    }
    if lines.len() > 2 * NUM_LINES {
        lines.drain(NUM_LINES..lines.len() - NUM_LINES);
    }
    lines
}

/// A line in small letters, with one sign for each number.
fn masked(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            c if c.is_ascii_digit() => {
                if !masked.ends_with('#') {
                    masked.push('#');
                }
            }
            c if c.is_whitespace() => {
                if !masked.ends_with(' ') {
                    masked.push(' ');
                }
            }
            c => masked.extend(c.to_lowercase()),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;

    fn document(pages: &[String]) -> Document {
        let mut document = Document::of(Format::Pdf, String::new());
        for page in pages {
            let start = document.text.len();
            document.text.push_str(page);
            document.pages.push(Span::new(start, document.text.len()));
        }
        document
    }

    fn repeated(pages: &[String]) -> Vec<String> {
        let document = document(pages);
        repeated_lines(&document).into_iter().map(|line| line.of(&document.text).unwrap().to_owned()).collect()
    }

    #[test]
    fn headers_and_footers_are_found_behind_their_first_page() {
        let page = |number: usize| {
            format!(
                "Quay Works Annual Report\nFact {} stands here.\n\nPage {number} of 5\n",
                "abcde".chars().nth(number - 1).unwrap()
            )
        };
        let pages: Vec<String> = (1..=5).map(page).collect();
        let expected: Vec<String> =
            (2..=5).flat_map(|number| ["Quay Works Annual Report".to_owned(), format!("Page {number} of 5")]).collect();
        assert_eq!(repeated(&pages), expected);
        assert!(repeated(&pages[..3]).is_empty(), "three pages tell nothing");
    }

    #[test]
    fn what_stands_on_few_pages_or_in_their_middle_is_of_them() {
        let middle = |number: usize| {
            format!(
                "One {number}a\nTwo {number}b\nThree {number}c\nThe same words\nFour {number}d\nFive {number}e\nSix {number}f\n"
            )
        };
        let letters = |text: String, number: usize| {
            text.replace("One", &"o".repeat(number + 1))
                .replace("Two", &"t".repeat(number + 1))
                .replace("Three", &"h".repeat(number + 1))
                .replace("Four", &"f".repeat(number + 1))
                .replace("Five", &"v".repeat(number + 1))
                .replace("Six", &"x".repeat(number + 1))
        };
        let pages: Vec<String> = (1..=6).map(|number| letters(middle(number), number)).collect();
        assert!(repeated(&pages).is_empty());
        let mut few: Vec<String> = (1..=6).map(|number| format!("{}\n", "y".repeat(number))).collect();
        few[0].push_str("Contents\n");
        few[1].push_str("Contents\n");
        assert!(repeated(&few).is_empty());
    }
}
