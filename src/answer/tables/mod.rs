//! Answers from structured data: rows of CSV files, spreadsheets and tables in documents, and records of JSON, YAML and TOML.
//!
//! A question names a row by words of its cells and a column by words of its header; a file, heading or key above them may hold the
//! rest. All words that name something have to be held, so that a row about another thing, month or number is never taken for one
//! about what was asked.
//!
//! # Invariants
//! - All spans lie in the file's text as its chunks have it, so what is quoted is verbatim.
//! - The same chunks and question give the same answer.
//! - Nothing is computed: rows that a sum would be made of are shown, and values of different units are not compared.
//!
//! # Not here
//! Which files are looked through (`engine::tables`), and tables in PDF files or drawn with spaces, whose columns are not known.

mod choose;
mod extreme;
mod look_up;
mod narrow;
mod node;
mod numbers;
mod passage;
mod question;
mod read;
mod records;
mod rows;
mod rules;
mod table;
#[cfg(test)]
mod tests;
mod toml;
mod view;
mod vocabulary;
mod when;
mod words;
mod yaml;

pub use self::look_up::{
    Answer, Found, Line, MAX_MEMBERS, is_for_tables, is_of_day, look_up, names_a_day, speaks_of, words_to_find,
};
pub use self::passage::{Within, within};
pub use self::read::{Sheet, is_structured, is_structured_name, may_have_tables, read, structured_formats};
pub use self::table::{Cell, Column, Row, Shape, Table};
