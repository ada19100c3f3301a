//! Where the words of a query stand in a passage.

use crate::index::analyzer::{Marks, Stemming};
use crate::workspace::{Language, PatternLimits, Span};

use super::request::SearchRequest;

/// Where the plain words of a query stand in a text of a language, in order; its operators are none of them.
#[must_use]
pub fn words_in(query: &str, text: &str, language: Option<Language>) -> Vec<Span> {
    let read = super::read_search(&SearchRequest::new(query), PatternLimits::default());
    Marks::of(&read.request.query, Stemming::of(language)).find(text)
}
