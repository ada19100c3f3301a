//! The markers of Word's lists: what stands before an item or a numbered heading, counted on from item to item.

use std::collections::{HashMap, HashSet};

use crate::extract::office::xml_events::{Node, Xml};

/// Levels of a list.
const MAX_LEVELS: usize = 9;

/// One level of a list.
#[derive(Debug, Clone)]
struct Level {
    start: u32,
    format: String,
    /// The marker, with `%1` for the number of level 1.
    text: String,
    style: Option<String>,
}

impl Default for Level {
    fn default() -> Self {
        Self { start: 1, format: "bullet".to_owned(), text: String::new(), style: None }
    }
}

/// The lists of a document, and how far each is counted.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    levels: HashMap<String, Vec<Level>>,
    /// The kind of each list.
    kinds: HashMap<String, String>,
    /// Numbers at which single lists begin anew.
    starts: HashMap<(String, usize), u32>,
    counted: HashMap<String, [u32; MAX_LEVELS]>,
    restarted: HashSet<(String, usize)>,
}

impl Numbering {
    /// Reads the part of lists.
    pub(super) fn read(source: &str) -> Self {
        let mut numbering = Self::default();
        let (mut kind, mut list, mut level) = (String::new(), String::new(), 0);
        let mut is_list = false;
        let mut xml = Xml::new(source);
        while let Some(node) = xml.next() {
            let Node::Open(tag) = node else { continue };
            let value = || tag.attr("val");
            match tag.name() {
                "abstractNum" => {
                    kind = tag.attr("abstractNumId").unwrap_or_default();
                    numbering.levels.insert(kind.clone(), vec![Level::default(); MAX_LEVELS]);
                    is_list = false;
                }
                "num" => {
                    list = tag.attr("numId").unwrap_or_default();
                    is_list = true;
                }
                "abstractNumId" => drop(numbering.kinds.insert(list.clone(), value().unwrap_or_default())),
                "lvl" | "lvlOverride" => {
                    level = tag.attr("ilvl").and_then(|level| level.parse().ok()).unwrap_or(0).min(MAX_LEVELS - 1);
                    let levels = numbering.levels.get_mut(&kind).filter(|_| !is_list);
                    if let Some(level) = levels.and_then(|levels| levels.get_mut(level)) {
                        "decimal".clone_into(&mut level.format);
                    }
                }
                "startOverride" => {
                    let start = value().and_then(|start| start.parse().ok()).unwrap_or(1);
                    numbering.starts.insert((list.clone(), level), start);
                }
                name @ ("start" | "numFmt" | "lvlText" | "pStyle") if !is_list => {
                    let levels = numbering.levels.get_mut(&kind);
                    let Some(level) = levels.and_then(|levels| levels.get_mut(level)) else { continue };
                    match name {
                        "start" => level.start = value().and_then(|start| start.parse().ok()).unwrap_or(1),
                        "numFmt" => level.format = value().unwrap_or_default(),
                        "lvlText" => level.text = value().unwrap_or_default(),
                        _ => level.style = value(),
                    }
                }
                _ => {}
            }
        }
        numbering
    }

    /// The marker of the next item of `list` at `level`, counted from 0; where the place comes from a style, the list's
    /// level of that style.
    pub(super) fn next_marker(&mut self, list: &str, level: usize, style: Option<&str>) -> String {
        let bullet = || "-".to_owned();
        let Some(kind) = self.kinds.get(list) else { return bullet() };
        let Some(levels) = self.levels.get(kind) else { return bullet() };
        let of_style = style.and_then(|style| levels.iter().position(|level| level.style.as_deref() == Some(style)));
        let level = of_style.unwrap_or(level).min(MAX_LEVELS - 1);
        let counted = self.counted.entry(kind.clone()).or_insert_with(|| {
            let mut counted = [0; MAX_LEVELS];
            for (count, level) in counted.iter_mut().zip(levels) {
                *count = level.start.saturating_sub(1);
            }
            counted
        });
        let place = (list.to_owned(), level);
        if let Some(start) = self.starts.get(&place)
            && self.restarted.insert(place)
        {
            counted[level] = start.saturating_sub(1);
        }
        counted[level] = counted[level].saturating_add(1);
        for (count, deeper) in counted.iter_mut().zip(levels).skip(level + 1) {
            *count = deeper.start.saturating_sub(1);
        }
        let format = levels[level].format.as_str();
        if format == "none" || (format != "bullet" && levels[level].text.is_empty()) {
            return String::new();
        }
        if format == "bullet" {
            return bullet();
        }
        let mut marker = String::new();
        let mut text = levels[level].text.chars().take(40).peekable();
        while let Some(c) = text.next() {
            let number = text.peek().and_then(|digit| digit.to_digit(10)).filter(|_| c == '%');
            let Some(number) = number.and_then(|number| usize::try_from(number).ok()) else {
                marker.push(c);
                continue;
            };
            text.next();
            if let (Some(count), Some(shown)) =
                (counted.get(number.wrapping_sub(1)), levels.get(number.wrapping_sub(1)))
            {
                // A level above that has no item yet counts as begun.
                marker.push_str(&written((*count).max(1), &shown.format));
            }
        }
        marker.trim().to_owned()
    }
}

/// A number as a list writes it.
fn written(number: u32, format: &str) -> String {
    match format {
        "lowerLetter" => letters(number, b'a'),
        "upperLetter" => letters(number, b'A'),
        "lowerRoman" => roman(number).to_lowercase(),
        "upperRoman" => roman(number),
        "decimalZero" => format!("{number:02}"),
        _ => number.to_string(),
    }
}

/// `a` to `z`, then `aa`, `bb`.
fn letters(number: u32, first: u8) -> String {
    let index = number.saturating_sub(1);
    let letter = char::from(first + u8::try_from(index % 26).unwrap_or(0));
    let num_letters = usize::try_from(index / 26 + 1).unwrap_or(1).min(8);
    String::from(letter).repeat(num_letters)
}

fn roman(number: u32) -> String {
    const NUMERALS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if number > 4000 {
        return number.to_string();
    }
    let (mut rest, mut written) = (number, String::new());
    for (value, numeral) in NUMERALS {
        while rest >= value {
            rest -= value;
            written.push_str(numeral);
        }
    }
    written
}
