//! What goes in front of a chunk's own words for the model: title, heading trail, table header.
//!
//! # Invariants
//! - The context takes at most a quarter of the model's limit, and never so much that the whole would exceed the limit.
//! - What the words themselves begin with is not said twice.

use std::sync::Arc;

use super::{Budget, TokenCounter, count, is_separator, plain};

/// Writes embedding texts, and remembers the counts of the contexts that follow each other.
pub(super) struct ContextWriter<'a> {
    tokens: &'a dyn TokenCounter,
    budget: Budget,
    title: Option<(&'a str, usize)>,
    num_separator_tokens: usize,
    trail: Option<(Arc<[String]>, usize)>,
    header: Option<(Arc<str>, usize)>,
}

impl<'a> ContextWriter<'a> {
    pub(super) fn new(title: Option<&'a str>, tokens: &'a dyn TokenCounter, budget: Budget) -> Self {
        let title = title.filter(|title| !title.trim().is_empty()).map(|title| (title, count(tokens, title)));
        let num_separator_tokens = count(tokens, ">");
        Self { tokens, budget, title, num_separator_tokens, trail: None, header: None }
    }

    /// The most tokens that the context of `trail` and `header` will take.
    pub(super) fn num_tokens(&mut self, trail: &Arc<[String]>, header: Option<&Arc<str>>) -> usize {
        let title = self.title.map_or(0, |(_, count)| count);
        (title + self.num_trail_tokens(trail) + self.num_header_tokens(header)).min(self.budget.context)
    }

    /// Title, trail and header, one line each and cut to the room there is, then `words`, which have `num_own_tokens`.
    pub(super) fn embedding_text(
        &mut self,
        trail: &Arc<[String]>,
        header: Option<&Arc<str>>,
        words: &str,
        num_own_tokens: usize,
    ) -> String {
        let mut room = self.budget.context.min(self.budget.max.saturating_sub(num_own_tokens));
        let title = self.title.filter(|(title, _)| !begins_with(words, title));
        let is_title = |entry: &String| self.title.is_some_and(|(title, _)| title == entry);
        let entries: Vec<&str> =
            trail.iter().filter(|entry| !is_title(entry) && !begins_with(words, entry)).map(String::as_str).collect();
        let num_title_tokens = title.map_or(0, |(_, count)| count);
        let num_trail_tokens = if entries.is_empty() { 0 } else { self.num_trail_tokens(trail) };

        // Each part may have what the others leave over, and at least half of what is there.
        let header_room = (room / 2).max(room.saturating_sub(num_title_tokens + num_trail_tokens));
        let header = header.map(|header| self.cut(header, header_room));
        room -= header.as_ref().map_or(0, |(_, count)| *count);
        let title_room = (room / 2).max(room.saturating_sub(num_trail_tokens));
        let title = title.map(|(title, _)| self.cut(title, title_room));
        room -= title.as_ref().map_or(0, |(_, count)| *count);
        let trail = self.cut_trail(&entries, room);

        let lines = [title.map(|(line, _)| line), Some(trail), header.map(|(line, _)| line)];
        let mut text = String::with_capacity(words.len() + 80);
        for line in lines.into_iter().flatten().filter(|line| !line.is_empty()) {
            text.push_str(&line);
            text.push('\n');
        }
        text.push_str(&plain(words));
        text
    }

    /// As many of the innermost entries as fit; where not even one does, the beginning of the innermost.
    fn cut_trail(&self, entries: &[&str], mut room: usize) -> String {
        let mut first = entries.len();
        while first > 0 {
            let separator = if first == entries.len() { 0 } else { self.num_separator_tokens };
            let count = count(self.tokens, entries[first - 1]) + separator;
            if count > room {
                break;
            }
            room -= count;
            first -= 1;
        }
        match entries.last() {
            Some(innermost) if first == entries.len() => self.cut(innermost, room).0,
            _ => plain(&entries[first..].join(" > ")).into_owned(),
        }
    }

    /// `line` or as many of its first words as have at most `room` tokens, and their count.
    fn cut(&self, line: &str, room: usize) -> (String, usize) {
        let mut kept = String::new();
        let mut num_tokens = 0;
        for word in line.split(is_separator).filter(|word| !word.is_empty()) {
            let count = count(self.tokens, word);
            if num_tokens + count > room {
                break;
            }
            num_tokens += count;
            if !kept.is_empty() {
                kept.push(' ');
            }
            kept.push_str(word);
        }
        (kept, num_tokens)
    }

    fn num_trail_tokens(&mut self, trail: &Arc<[String]>) -> usize {
        match &self.trail {
            Some((known, count)) if Arc::ptr_eq(known, trail) => *count,
            _ => {
                let entries: usize = trail.iter().map(|entry| count(self.tokens, entry)).sum();
                let count = entries + trail.len().saturating_sub(1) * self.num_separator_tokens;
                self.trail = Some((Arc::clone(trail), count));
                count
            }
        }
    }

    fn num_header_tokens(&mut self, header: Option<&Arc<str>>) -> usize {
        let Some(header) = header else { return 0 };
        match &self.header {
            Some((known, count)) if Arc::ptr_eq(known, header) => *count,
            _ => {
                let count = count(self.tokens, header);
                self.header = Some((Arc::clone(header), count));
                count
            }
        }
    }
}

/// Whether `words` begin with the words of `label`, whatever markup and white space stands between.
pub(crate) fn begins_with(words: &str, label: &str) -> bool {
    let mut letters = words.chars();
    let mut is_compared = false;
    for wanted in label.chars().filter(|c| c.is_alphanumeric()) {
        if letters.by_ref().find(|c| c.is_alphanumeric()) != Some(wanted) {
            return false;
        }
        is_compared = true;
    }
    is_compared && !letters.next().is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::Bytes4;

    fn text(title: &str, trail: &[&str], header: Option<&str>, words: &str, max: usize) -> String {
        let counter = Bytes4 { max };
        let mut writer = ContextWriter::new(Some(title), &counter, Budget::of(&counter));
        let trail: Arc<[String]> = trail.iter().map(|&entry| entry.to_owned()).collect();
        let header = header.map(Arc::from);
        writer.embedding_text(&trail, header.as_ref(), words, counter.num_tokens(words))
    }

    #[test]
    fn title_trail_and_header_stand_before_the_words() {
        let text = text("Report", &["Report", "Run 3", "Latency"], Some("run, ms"), "a,1", 100);
        assert_eq!(text, "Report\nRun 3 > Latency\nrun, ms\na,1");
    }

    #[test]
    fn what_the_words_begin_with_is_not_repeated() {
        assert_eq!(text("The Report", &[], None, "# The *Report*\n\nwords", 100), "# The *Report*\n\nwords");
        assert_eq!(text("The Rep", &[], None, "The Report", 100), "The Rep\nThe Report");
    }

    #[test]
    fn the_innermost_heading_is_kept_longest_and_a_header_is_cut_at_a_word() {
        let trail = ["outermost heading", "middle heading", "inner"];
        assert_eq!(text("T", &trail, None, "w", 24), "T\ninner\nw");
        assert_eq!(text("T", &[], Some("aaaa bbbb cccc dddd eeee ffff"), "w", 16), "T\naaaa bbbb cccc\nw");
    }

    #[test]
    fn a_form_feed_does_not_join_two_words() {
        assert_eq!(text("T", &[], None, "a\u{c}b", 100), "T\na b");
    }
}
