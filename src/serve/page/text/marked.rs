//! Text with marks: a quote, and words of the query.

use std::cell::Cell;
use std::ops::Range;

use maud::{Markup, html};

use crate::workspace::Span;

/// What is marked in a text; spans are of the same text, in order, and do not overlap.
pub(in crate::serve::page) struct Marks {
    /// The words that a citation quotes.
    pub quote: Option<Span>,
    /// The words of the query.
    pub words: Vec<Span>,
    /// Whether the quote has got its anchor.
    is_anchored: Cell<bool>,
}

impl Marks {
    pub(in crate::serve::page) const fn new(quote: Option<Span>, words: Vec<Span>) -> Self {
        Self { quote, words, is_anchored: Cell::new(false) }
    }

    /// Whether the quote has some of these bytes.
    pub(super) fn touches(&self, range: &Range<usize>) -> bool {
        self.quote.is_some_and(|quote| quote.start < range.end && range.start < quote.end)
    }
}

/// A part of a text with its marks. The first piece of the quote is what links lead to.
pub(super) fn marked(text: &str, range: Range<usize>, marks: &Marks) -> Markup {
    let quote = marks.quote.map_or(range.end..range.end, |quote| {
        let start = quote.start.clamp(range.start, range.end);
        start..quote.end.clamp(start, range.end)
    });
    html! {
        (with_words(text, range.start..quote.start, &marks.words))
        @if !quote.is_empty() {
            @let is_first = !marks.is_anchored.replace(true);
            mark.quote id=[is_first.then_some("mark")] { (with_words(text, quote.clone(), &marks.words)) }
        }
        (with_words(text, quote.end..range.end, &marks.words))
    }
}

/// A part of a passage with the words of the query marked.
pub(in crate::serve::page) fn words(text: &str, part: Span, words: &[Span]) -> Markup {
    with_words(text, part.range(), words)
}

fn with_words(text: &str, range: Range<usize>, words: &[Span]) -> Markup {
    let first = words.partition_point(|word| word.end <= range.start);
    let mut pieces: Vec<(bool, &str)> = Vec::new();
    let mut at = range.start;
    for word in words[first..].iter().take_while(|word| word.start < range.end) {
        let (start, end) = (word.start.clamp(at, range.end), word.end.min(range.end));
        pieces.push((false, text.get(at..start).unwrap_or_default()));
        pieces.push((true, text.get(start..end).unwrap_or_default()));
        at = end;
    }
    pieces.push((false, text.get(at..range.end).unwrap_or_default()));
    html! {
        @for (is_word, piece) in pieces {
            @if is_word { b.word { (piece) } } @else { (piece) }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str, quote: Option<(usize, usize)>, words: &[(usize, usize)]) -> String {
        let span = |&(start, end): &(usize, usize)| Span::new(start, end);
        let marks = Marks::new(quote.as_ref().map(span), words.iter().map(span).collect());
        marked(text, 0..text.len(), &marks).into_string()
    }

    #[test]
    fn a_quote_and_words_across_its_ends_are_marked_where_they_are() {
        assert_eq!(
            shown("one two three", Some((4, 10)), &[(0, 3), (8, 13)]),
            "<b class=\"word\">one</b> <mark class=\"quote\" id=\"mark\">two <b class=\"word\">th</b></mark><b class=\"word\">ree</b>"
        );
        assert_eq!(shown("<b> & \"", None, &[]), "&lt;b&gt; &amp; &quot;");
    }

    proptest! {
        #[test]
        fn marks_change_no_character(text in "[a-z<>&ü ]{0,60}", cuts in prop::collection::vec(0_usize..60, 6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| text.floor_char_boundary(at.min(text.len()))).collect();
            let quote = (cuts[0].min(cuts[1]), cuts[0].max(cuts[1]));
            let words = &mut cuts[2..];
            words.sort_unstable();
            let html = shown(&text, Some(quote), &[(words[0], words[1]), (words[2], words[3])]);
            let mut plain = String::new();
            let mut is_tag = false;
            for c in html.chars() {
                match c {
                    '<' => is_tag = true,
                    '>' => is_tag = false,
                    c if !is_tag => plain.push(c),
                    _ => {}
                }
            }
            prop_assert_eq!(plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), text);
        }
    }
}
