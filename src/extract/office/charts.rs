//! Charts and diagrams of Office: the words and numbers in them.

use super::frames::Frames;
use super::page::{Piece, Style};
use super::table::{Cell, Row, Table};
use crate::extract::office::xml_events::{Node, Xml};

/// Most rows of a chart's table.
const MAX_ROWS: usize = 2000;

/// Most series of a chart.
const MAX_SERIES: usize = 50;

#[derive(Default)]
struct Series {
    name: String,
    values: Vec<String>,
}

/// What is read inside of a series.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Name,
    Categories,
    Values,
}

/// The title of a chart, and its numbers as a table: a row for each category.
pub(super) fn chart(source: &str) -> Vec<Piece> {
    let mut titles = Vec::new();
    let (mut categories, mut series): (Vec<String>, Vec<Series>) = (Vec::new(), Vec::new());
    let mut part = None;
    let mut index = 0;
    let mut xml = Xml::new(source);
    while let Some(node) = xml.next() {
        let Node::Open(tag) = node else { continue };
        match tag.name() {
            "title" => titles.push(drawn_words(&mut xml)),
            "ser" if series.len() < MAX_SERIES => {
                series.push(Series::default());
                part = None;
            }
            "tx" => part = Some(Part::Name),
            "cat" | "xVal" => part = Some(Part::Categories),
            "val" | "yVal" => part = Some(Part::Values),
            "bubbleSize" | "dLbls" | "errBars" | "trendline" | "extLst" => xml.skip(),
            "pt" => {
                index = tag.attr("idx").and_then(|index| index.parse().ok()).unwrap_or(0);
                index = index.min(MAX_ROWS);
            }
            "v" => {
                let words = xml.words();
                let Some(last) = series.last_mut() else { continue };
                match part {
                    Some(Part::Name) => {
                        if !last.name.is_empty() {
                            last.name.push(' ');
                        }
                        last.name.push_str(&words);
                    }
                    Some(Part::Categories) => set(&mut categories, index, words),
                    Some(Part::Values) => set(&mut last.values, index, shown(words)),
                    None => {}
                }
            }
            _ => {}
        }
    }
    let mut pieces: Vec<Piece> = titles.into_iter().map(|title| Piece::Words(Style::Prose, title)).collect();
    let num_rows = series.iter().map(|series| series.values.len()).chain([categories.len()]).max().unwrap_or(0);
    let mut table = Table { has_header_look: true, ..Table::default() };
    if series.iter().any(|series| !series.name.is_empty()) {
        table.rows.push(row(std::iter::once("").chain(series.iter().map(|series| series.name.as_str()))));
    }
    for index in 0..num_rows {
        let category = categories.get(index).map_or("", String::as_str);
        let values = series.iter().map(|series| series.values.get(index).map_or("", String::as_str));
        table.rows.push(row(std::iter::once(category).chain(values)));
    }
    pieces.push(Piece::Table(table));
    pieces
}

/// A number as the chart shows it: `4.4` for `4.4000000000000004`.
fn shown(number: String) -> String {
    match number.parse::<f64>() {
        Ok(value) if number.len() > 15 && value.abs() < 1e5 => ((value * 1e10).round() / 1e10).to_string(),
        _ => number,
    }
}

fn set(words: &mut Vec<String>, index: usize, word: String) {
    if words.len() <= index {
        words.resize(index + 1, String::new());
    }
    words[index] = word;
}

fn row<'w>(words: impl Iterator<Item = &'w str>) -> Row {
    let cell = |words: &str| Cell {
        pieces: vec![Piece::Words(Style::Prose, words.to_owned())],
        num_columns: 1,
        ..Cell::default()
    };
    Row { cells: words.map(cell).collect(), ..Row::default() }
}

/// The words of the paragraphs inside the element that was opened last, on one line.
fn drawn_words(xml: &mut Xml<'_>) -> String {
    let outside = xml.depth().saturating_sub(1);
    let mut words = String::new();
    while xml.depth() > outside {
        match xml.next() {
            Some(Node::Open(tag)) if matches!(tag.name(), "t" | "v") => words.push_str(&xml.words()),
            Some(Node::Open(tag)) if tag.name() == "p" && !words.is_empty() => words.push(' '),
            Some(_) => {}
            None => break,
        }
    }
    words
}

/// The words of a diagram's points, one paragraph each.
pub(super) fn diagram(source: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut xml = Xml::new(source);
    while let Some(node) = xml.next() {
        let Node::Open(tag) = node else { continue };
        match tag.name() {
            "pt" => {
                let words = drawn_words(&mut xml);
                if !words.trim().is_empty() {
                    pieces.push(Piece::Words(Style::Prose, words));
                }
            }
            "extLst" | "bg" | "whole" => xml.skip(),
            _ => {}
        }
    }
    pieces
}

/// The comments of a slide, in both forms that `PowerPoint` writes.
pub(super) fn comments(source: &str, authors: &[(String, String)], frames: &mut Frames) {
    let mut xml = Xml::new(source);
    while let Some(node) = xml.next() {
        let Node::Open(tag) = node else { continue };
        if !matches!(tag.name(), "cm" | "reply") {
            continue;
        }
        let author = tag.attr("authorId").unwrap_or_default();
        let author = authors.iter().find(|(id, _)| *id == author).map(|(_, name)| name.as_str());
        let outside = xml.depth().saturating_sub(1);
        let mut words = String::new();
        let mut replies = Vec::new();
        while xml.depth() > outside {
            match xml.next() {
                Some(Node::Open(tag)) => match tag.name() {
                    "text" | "t" if replies.is_empty() => words.push_str(&xml.words()),
                    "reply" => {
                        let by = tag.attr("authorId").unwrap_or_default();
                        replies.push((by, drawn_words(&mut xml)));
                    }
                    "p" if !words.is_empty() => words.push('\n'),
                    _ => {}
                },
                Some(_) => {}
                None => break,
            }
        }
        put_comment(author, &words, frames);
        for (by, words) in replies {
            let author = authors.iter().find(|(id, _)| *id == by).map(|(_, name)| name.as_str());
            put_comment(author, &words, frames);
        }
    }
}

fn put_comment(author: Option<&str>, words: &str, frames: &mut Frames) {
    if words.trim().is_empty() {
        return;
    }
    let words = author.map_or_else(|| format!("Comment: {words}"), |by| format!("Comment by {by}: {words}"));
    frames.put(Piece::Words(Style::Prose, words));
}
