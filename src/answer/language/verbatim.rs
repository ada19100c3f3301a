//! Whether words stand in a passage as they are quoted, and where.
//!
//! A model copies words, and its letters differ from the file's in what a reader does not call another text: line breaks,
//! the shape of quote marks and dashes, marks of emphasis. Both sides are folded by that alone; what is cited then is the
//! file's own bytes.

use crate::workspace::Span;

/// A text as it is compared, and where each of its characters comes from.
#[derive(Debug, Clone)]
pub(super) struct Folded<'t> {
    original: &'t str,
    text: String,
    /// For each character: its byte in `text`, and its bytes in the original.
    origins: Vec<(usize, Span)>,
}

const EMPHASIS: [char; 2] = ['*', '`'];

impl<'t> Folded<'t> {
    pub(super) fn of(original: &'t str) -> Self {
        let mut folded = Self { original, text: String::with_capacity(original.len()), origins: Vec::new() };
        let mut before: Option<char> = None;
        let mut rest = original.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            let span = Span::new(at, at + c.len_utf8());
            let next = rest.peek().map(|(_, next)| *next);
            let is_inside_word = before.is_some_and(char::is_alphanumeric) && next.is_some_and(char::is_alphanumeric);
            let kept = match c {
                // No width: soft hyphen, joiners, byte order mark.
                '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => None,
                // Emphasis, unless it is a product or part of a name.
                c if EMPHASIS.contains(&c) && !is_inside_word => None,
                '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' => Some('\''),
                '\u{201c}'..='\u{201f}' => Some('"'),
                '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
                c if c.is_whitespace() => (!folded.text.is_empty() && !folded.text.ends_with(' ')).then_some(' '),
                c => Some(c),
            };
            if let Some(kept) = kept {
                folded.origins.push((folded.text.len(), span));
                folded.text.push(kept);
            }
            before = Some(c);
        }
        if folded.text.ends_with(' ') {
            folded.text.pop();
            folded.origins.pop();
        }
        folded
    }

    /// The bytes of the original that `quote` stands at first, as whole words; `None` where it does not.
    pub(super) fn find(&self, quote: &str) -> Option<Span> {
        let quote = Folded::of(quote).text;
        self.find_folded(&quote)
            // The end of the model's sentence, or an escape as JSON has it.
            .or_else(|| self.find_folded(quote.trim_end_matches(['.', ',', ';', ':', '!', '…'])))
            .or_else(|| self.find_folded(&quote.replace("\\\"", "\"")))
    }

    fn find_folded(&self, quote: &str) -> Option<Span> {
        if !quote.contains(char::is_alphanumeric) {
            return None;
        }
        let (start, _) =
            self.text.match_indices(quote).find(|(start, found)| self.is_whole(*start, start + found.len()))?;
        let first = self.origins.partition_point(|(at, _)| *at < start);
        let behind = self.origins.partition_point(|(at, _)| *at < start + quote.len());
        let (mut start, mut end) = (self.origins[first].1.start, self.origins[behind - 1].1.end);
        // Emphasis that only the file has belongs to the words that it emphasises.
        start -= self.original[..start].len() - self.original[..start].trim_end_matches(EMPHASIS).len();
        end += self.original[end..].len() - self.original[end..].trim_start_matches(EMPHASIS).len();
        Some(Span::new(start, end))
    }

    /// Whether no word or number is cut in two at either end.
    fn is_whole(&self, start: usize, end: usize) -> bool {
        let (before, found, after) = (&self.text[..start], &self.text[start..end], &self.text[end..]);
        let cuts = |left: &str, right: &str| {
            let (Some(a), Some(b)) = (left.chars().next_back(), right.chars().next()) else { return false };
            let digit_before_mark = || left.chars().rev().nth(1).is_some_and(|c| c.is_ascii_digit());
            let digit_after_mark = || right.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
            is_joined(a) && is_joined(b)
                || matches!(a, '.' | ',') && b.is_ascii_digit() && digit_before_mark()
                || a.is_ascii_digit() && matches!(b, '.' | ',') && digit_after_mark()
        };
        !cuts(before, found) && !cuts(found, after)
    }
}

/// Whether a character makes words with its neighbours: scripts that are written without spaces have their own ways.
fn is_joined(c: char) -> bool {
    let without_spaces = matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}');
    c.is_alphanumeric() && c < '\u{2e80}' && !without_spaces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'t>(text: &'t str, quote: &str) -> Option<&'t str> {
        Folded::of(text).find(quote).map(|span| &text[span.range()])
    }

    #[test]
    fn what_a_reader_calls_the_same_words_is_found_and_cited_as_it_stands() {
        let text = "The gateway accepted nothing for **37 minutes**,\n  from 03:12\u{2013}03:49 \u{201c}sharp\u{201d}.";
        assert_eq!(found(text, "nothing for 37 minutes, from"), Some("nothing for **37 minutes**,\n  from"));
        assert_eq!(found(text, "03:12-03:49 \"sharp\""), Some("03:12\u{2013}03:49 \u{201c}sharp\u{201d}"));
        assert_eq!(found(text, "accepted nothing."), Some("accepted nothing"));
        assert_eq!(found("say {\"a\": 1}", "{\\\"a\\\": 1}"), Some("{\"a\": 1}"));
    }

    #[test]
    fn a_part_of_a_word_or_number_is_no_quote() {
        for (text, quote) in [
            ("down for 37 minutes", "7 minutes"),
            ("latency 1.5 ms", "5 ms"),
            ("latency 1.5 ms", "latency 1"),
            ("it was unavailable", "available"),
            ("2*3 apples", "23 apples"),
            ("anything", "..."),
            ("anything", ""),
            ("The Pump", "the pump"),
        ] {
            assert_eq!(found(text, quote), None, "{quote:?} in {text:?}");
        }
        assert_eq!(found("系统已停止运行", "停止"), Some("停止"));
    }

    proptest::proptest! {
        #[test]
        fn a_text_is_found_in_itself(text in "(?s).{0,60}[a-z0-9]{1,5}(?s).{0,60}") {
            let span = Folded::of(&text).find(&text);
            proptest::prop_assert!(span.is_some_and(|span| span.of(&text).is_some()));
        }
    }
}
