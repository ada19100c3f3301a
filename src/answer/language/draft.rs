//! The text that a model writes, taken apart into sentences with what they cite, as it comes.
//!
//! Models are asked for `Sentence. [1: "quote"]` and write much else: several quotes in one bracket, numbers alone, other
//! brackets and quote marks, the full stop behind the bracket, bullets, code fences, their thoughts in front. All of that is
//! taken; what cannot be taken as evidence is left without any, and then the sentence is not supported.

use unicode_segmentation::UnicodeSegmentation as _;

use super::super::sentences::ends_in_abbreviation;
use super::marker::{self, Marker};

/// More is not one sentence, in bytes: it is taken as it is.
const MAX_PENDING_BYTES: usize = 16 * 1024;

/// What a sentence cites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cite {
    /// The passage's number as it was given, from 1.
    pub passage: usize,
    /// The words that are to be in it.
    pub quote: Option<String>,
}

/// A sentence before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    /// The sentence without its evidence.
    pub text: String,
    /// Its evidence.
    pub cites: Vec<Cite>,
}

/// Takes the text of a model apart.
pub(super) struct Drafts<F> {
    /// What is not taken apart yet.
    pending: String,
    thoughts: Thoughts,
    /// Whether words stand in a passage. A quote may hold what looks like its end, and then this decides.
    is_quote: F,
}

/// Where a model's thoughts are, which some servers leave in its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thoughts {
    MayCome,
    Open,
    Over,
}

const THOUGHTS_START: &str = "<think>";
const THOUGHTS_END: &str = "</think>";

impl<F: Fn(usize, &str) -> bool> Drafts<F> {
    pub(super) const fn new(is_quote: F) -> Self {
        Self { pending: String::new(), thoughts: Thoughts::MayCome, is_quote }
    }

    /// Takes the next words, and returns the sentences that they complete.
    pub(super) fn push(&mut self, text: &str) -> Vec<Draft> {
        self.pending.push_str(text);
        self.drain(false)
    }

    /// The end of the text, and the sentences that are left.
    pub(super) fn finish(mut self) -> Vec<Draft> {
        self.drain(true)
    }

    fn drain(&mut self, is_end: bool) -> Vec<Draft> {
        let mut drafts = Vec::new();
        if !self.skip_thoughts(is_end) {
            return drafts;
        }
        loop {
            let is_end = is_end || self.pending.len() > MAX_PENDING_BYTES;
            let Some(group) = group(&self.pending, is_end, &self.is_quote) else { return drafts };
            self.pending.drain(..group.len);
            drafts.extend(group.into_drafts());
        }
    }

    /// Whether what is pending is the answer.
    fn skip_thoughts(&mut self, is_end: bool) -> bool {
        if self.thoughts == Thoughts::MayCome {
            let begun = self.pending.trim_start();
            if begun.starts_with(THOUGHTS_START) {
                self.thoughts = Thoughts::Open;
            } else if is_end || !THOUGHTS_START.starts_with(begun) {
                self.thoughts = Thoughts::Over;
            }
        }
        if self.thoughts == Thoughts::Open {
            if let Some(at) = self.pending.find(THOUGHTS_END) {
                self.pending.drain(..at + THOUGHTS_END.len());
                self.thoughts = Thoughts::Over;
            } else if is_end {
                self.pending.clear();
            }
        }
        self.thoughts == Thoughts::Over
    }
}

/// Words and what they cite, up to where the next words begin.
struct Group {
    /// Bytes of the pending text.
    len: usize,
    text: String,
    cites: Vec<Cite>,
}

/// The first group of `pending`; `None` where it has not ended yet, or there is none.
fn group(pending: &str, is_end: bool, is_quote: &dyn Fn(usize, &str) -> bool) -> Option<Group> {
    let mut group = Group { len: 0, text: String::new(), cites: Vec::new() };
    // Behind evidence, and whether the sentence is over there.
    let (mut has_evidence, mut is_closed) = (false, false);
    let mut at = 0;
    while let Some(c) = pending[at..].chars().next() {
        let next = at + c.len_utf8();
        match marker::at(&pending[at..], is_end, is_quote) {
            Marker::Incomplete => return None,
            Marker::Found { len, cites } => {
                group.cites.extend(cites);
                has_evidence = true;
                at += len;
                continue;
            }
            Marker::None => {}
        }
        if c == '\n' {
            let rest = pending[next..].trim_start_matches([' ', '\t', '\r']);
            if rest.is_empty() && !is_end {
                return None;
            }
            let is_over = has_evidence || ends_line(&group.text) || begins_block(rest);
            let is_cited_next = marker::may_begin(rest.trim_start());
            if is_over && !is_cited_next && !(group.text.trim().is_empty() && group.cites.is_empty()) {
                group.len = next;
                return Some(group);
            }
            group.text.push(' ');
        } else if !has_evidence || c.is_whitespace() {
            group.text.push(c);
        } else if matches!(c, '.' | '!' | '?' | '。') {
            if !ends_sentence(&group.text) {
                group.text.truncate(group.text.trim_end().len());
                group.text.push(c);
            }
            is_closed = true;
        } else if matches!(c, ',' | ';') && pending[next..].trim_start().is_empty() && !is_end {
            return None;
        } else if matches!(c, ',' | ';') && marker::may_begin(pending[next..].trim_start()) {
            // Between two pieces of evidence.
        } else if !is_closed && !ends_sentence(&group.text) && (c.is_lowercase() || ",;:)".contains(c)) {
            // Evidence in the middle of a sentence.
            if ",;:)".contains(c) {
                group.text.truncate(group.text.trim_end().len());
            }
            group.text.push(c);
            has_evidence = false;
        } else {
            group.len = at;
            return Some(group);
        }
        at = next;
    }
    let is_something = !(group.text.trim().is_empty() && group.cites.is_empty());
    group.len = pending.len();
    (is_end && is_something).then_some(group)
}

/// Whether the next line is another block: blank, a list item, a heading, a fence.
fn begins_block(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('\n') || bullet_len(rest) > 0 || rest.starts_with("```")
}

fn ends_sentence(text: &str) -> bool {
    text.trim_end().trim_end_matches(['"', '”', '’', ')', '*']).ends_with(['.', '!', '?', '。', '！', '？'])
}

fn ends_line(text: &str) -> bool {
    let text = text.trim();
    ends_sentence(text) || text.ends_with(':') || text.starts_with('#') || text.starts_with("```")
}

/// Bytes of a list marker or heading marker at the start of a line.
fn bullet_len(text: &str) -> usize {
    let marks = text.len() - text.trim_start_matches('#').len();
    if marks > 0 && text[marks..].starts_with(' ') {
        return marks + 1;
    }
    for bullet in ["- ", "* ", "• ", "> ", "– "] {
        if text.starts_with(bullet) {
            return bullet.len();
        }
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let is_number = (1..=2).contains(&digits) && (text[digits..].starts_with(". ") || text[digits..].starts_with(") "));
    if is_number { digits + 2 } else { 0 }
}

impl Group {
    /// Its sentences. The evidence behind the last one stands for those before it, too.
    fn into_drafts(self) -> Vec<Draft> {
        let Self { mut text, cites, .. } = self;
        if text.trim_start().starts_with("```") {
            let line = text.trim_start().trim_start_matches('`');
            text = line.split_once(' ').map_or(String::new(), |(_, rest)| rest.to_owned());
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = text[bullet_len(&text)..].trim();
        let mut drafts: Vec<Draft> = Vec::new();
        let mut start = 0;
        for (at, piece) in text.split_sentence_bound_indices() {
            let sentence = &text[start..at + piece.len()];
            let is_last = at + piece.len() == text.len();
            if ends_in_abbreviation(sentence) && !is_last {
                continue;
            }
            start = at + piece.len();
            if sentence.contains(char::is_alphanumeric) {
                drafts.push(Draft { text: sentence.trim().to_owned(), cites: cites.clone() });
            } else if let Some(before) = drafts.last_mut() {
                before.text.push_str(sentence.trim_end());
            }
        }
        drafts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafts(pieces: &[&str]) -> Vec<Draft> {
        let passage = "say \"a\"] and [b] = \"c\" at 04:10";
        let mut drafts = Drafts::new(|number, quote: &str| number == 1 && passage.contains(quote));
        let mut found: Vec<Draft> = pieces.iter().flat_map(|piece| drafts.push(piece)).collect();
        found.extend(drafts.finish());
        found
    }

    fn draft(text: &str, cites: &[(usize, Option<&str>)]) -> Draft {
        let cite = |&(passage, quote): &(usize, Option<&str>)| Cite { passage, quote: quote.map(str::to_owned) };
        Draft { text: text.to_owned(), cites: cites.iter().map(cite).collect() }
    }

    #[test]
    fn a_sentence_ends_with_its_evidence_however_it_is_written() {
        let wanted = [draft("The pump failed.", &[(1, Some("it failed"))])];
        for text in [
            "The pump failed. [1: \"it failed\"]",
            "The pump failed [1: \"it failed\"].",
            "- The pump failed [1: “it failed”].\n",
            "1. The pump failed. [1: 'it failed']",
            "The pump failed. [passage 1: \"it failed\"].",
            "The pump failed. 【1: \"it failed\"】",
            "The pump failed.\n[1: \"it failed\"]\n",
            "```text\nThe pump failed. [1: \"it failed\"]\n```",
            "<think>\nIs it [2: \"this\"]? No.\n</think>\n\nThe pump failed. [1: \"it failed\"]",
            "The pump\nfailed. [1: \"it failed\"]",
            "The pump failed. [1: it failed]",
        ] {
            assert_eq!(drafts(&[text]), wanted, "{text}");
        }
    }

    #[test]
    fn several_pieces_of_evidence_belong_to_one_sentence() {
        let (one, two) = ((1, Some("a b")), (2, Some("c d")));
        for text in [
            "It failed. [1: \"a b\"] [2: \"c d\"]",
            "It failed. [1: \"a b\"], [2: \"c d\"].",
            "It failed. [1: \"a b\", 2: \"c d\"]",
            "It failed. [1: \"a b\"; 2: \"c d\"]",
            "It [1: \"a b\"] failed [2: \"c d\"].",
        ] {
            assert_eq!(drafts(&[text]), [draft("It failed.", &[one, two])], "{text}");
        }
        for text in ["It failed [1][2].", "It failed. [1, 2]", "It failed [1] [2].", "It failed. [^1][^2]"] {
            assert_eq!(drafts(&[text]), [draft("It failed.", &[(1, None), (2, None)])], "{text}");
        }
        let same = [draft("It failed.", &[one, (1, Some("e f"))])];
        assert_eq!(drafts(&["It failed. [1: \"a b\", \"e f\"]"]), same);
    }

    #[test]
    fn a_quote_that_holds_what_looks_like_its_end_is_taken_whole() {
        let wanted = [draft("So.", &[(1, Some("say \"a\"] and [b]"))]), draft("Then.", &[(1, Some("\"c\" at"))])];
        assert_eq!(drafts(&["So. [1: \"say \"a\"] and [b]\"] Then. [1: \"\"c\" at\"]"]), wanted);
    }

    #[test]
    fn sentences_without_evidence_have_none_and_those_before_evidence_share_it() {
        let text =
            "Here is the answer:\n\nIt is e.g. cold. It failed. [1: \"a\"] Then it ran. [2]\n\nI hope this helps!";
        let shared = &[(1, Some("a"))];
        assert_eq!(
            drafts(&[text]),
            [
                draft("Here is the answer:", &[]),
                draft("It is e.g. cold.", shared),
                draft("It failed.", shared),
                draft("Then it ran.", &[(2, None)]),
                draft("I hope this helps!", &[]),
            ]
        );
    }

    #[test]
    fn brackets_that_are_no_evidence_are_text_and_evidence_that_does_not_end_is_none() {
        assert_eq!(drafts(&["See [the docs](http://h/) or a[i]."]), [draft("See [the docs](http://h/) or a[i].", &[])]);
        let cut = drafts(&["It failed. [1: \"a\"] It ran again. [2: \"and the"]);
        assert_eq!(cut[0], draft("It failed.", &[(1, Some("a"))]));
        assert!(cut[1].cites.is_empty(), "{cut:?}");
        assert_eq!(drafts(&["<think> for ever"]), []);
    }

    const TEXT: &str = "<think>hm</think>Die Pumpe fiel aus. [1: \"say \"a\"] and\"] It ran [2] again, [3: “x y”].\n\n\
        - First: done. [1: \"at 04:10\"]\n- Second e.g. this [1, 2].\nNothing more.";

    proptest::proptest! {
        #[test]
        fn it_does_not_matter_how_the_text_comes(mut cuts in proptest::collection::vec(0..TEXT.len(), 0..12)) {
            cuts.extend([0, TEXT.len()]);
            cuts.retain(|cut| TEXT.is_char_boundary(*cut));
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|pair| &TEXT[pair[0]..pair[1]]).collect();
            proptest::prop_assert_eq!(drafts(&pieces), drafts(&[TEXT]));
        }

        #[test]
        fn no_text_is_too_much(text in "(\\[|\\]|\"|1|2|: |, |a b|\\. |\n|- |```|<think>){0,40}") {
            let _ = drafts(&[&text]);
        }
    }
}
