//! Near copies: passages that say the same but for a line or a few words.
//!
//! A passage is a near copy of another where four fifths of its pairs of neighbouring words stand in the other as well, or all its
//! lines but one in ten. What is compared is how much of the copy stands in the passage before it, so a longer text never disappears
//! behind a part of it.
//!
//! Source: Broder, "On the resemblance and containment of documents", SEQUENCES 1997, for containment by shingles; a reply compares
//! so few passages that none of his sampling is needed.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};

/// The part of its pairs of words that a near copy shares, in percent.
const MIN_SHARED_PERCENT: usize = 80;
/// Texts of fewer pairs of words are compared by nothing but equality.
const MIN_PAIRS: usize = 8;
/// A text of so many lines is a near copy where one line differs, and one more for each ten.
const MIN_LINES: usize = 5;
/// Characters of a differing line that are told.
const MAX_TOLD_CHARS: usize = 120;
/// Differing words that are told.
const MAX_TOLD_WORDS: usize = 5;

/// What of a text is compared: hashes, in order, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Features {
    /// Of its words, in small letters.
    words: Vec<u64>,
    /// Of its pairs of neighbouring words.
    pairs: Vec<u64>,
    /// Of its lines without the white space at their ends.
    lines: Vec<u64>,
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    hasher.finish()
}

/// The hash of a word in small letters. Most words are short and of ASCII letters, which need no text of their own.
fn hash_of_word(word: &str) -> u64 {
    let mut small = [0; 32];
    match small.get_mut(..word.len()).filter(|_| word.is_ascii()) {
        Some(small) => {
            small.copy_from_slice(word.as_bytes());
            small.make_ascii_lowercase();
            hash(small)
        }
        None => hash(word.to_lowercase().as_bytes()),
    }
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ',')))
        .map(|word| word.trim_matches(['.', '-', ',']))
        .filter(|word| !word.is_empty())
}

fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// The words of a query, to be asked for among those of passages.
pub(super) fn asked_words(query: &str) -> HashSet<u64> {
    words_of(query).map(hash_of_word).collect()
}

impl Features {
    pub(super) fn of(text: &str) -> Self {
        let mut features = Self::default();
        features.add(text);
        features
    }

    /// Adds a text that follows.
    pub(super) fn add(&mut self, text: &str) {
        let words: Vec<u64> = words_of(text).map(hash_of_word).collect();
        let pair = |pair: &[u64]| pair[0].rotate_left(1) ^ pair[1];
        self.pairs.extend(words.windows(2).map(pair));
        self.words.extend(words);
        self.lines.extend(lines_of(text).map(|line| hash(line.as_bytes())));
        for hashes in [&mut self.words, &mut self.pairs, &mut self.lines] {
            hashes.sort_unstable();
            hashes.dedup();
        }
    }

    /// Whether a text of these features is a near copy of a part of one of `first`. One that holds a word that is asked for and that
    /// the first does not hold is none.
    pub(super) fn is_near_copy_of(&self, first: &Self, asked: &HashSet<u64>) -> bool {
        let (num_pairs, num_lines) = (self.pairs.len(), self.lines.len());
        let most_other_pairs = num_pairs - (num_pairs * MIN_SHARED_PERCENT).div_ceil(100);
        let has_its_pairs = num_pairs >= MIN_PAIRS && lacks_at_most(most_other_pairs, &self.pairs, &first.pairs);
        let has_its_lines =
            || num_lines >= MIN_LINES && lacks_at_most((num_lines / 10).max(1), &self.lines, &first.lines);
        let holds = |features: &Self, word: &u64| features.words.binary_search(word).is_ok();
        (has_its_pairs || has_its_lines()) && asked.iter().all(|word| !holds(self, word) || holds(first, word))
    }
}

/// Whether all but `most` hashes of `these` are among `others`, both in order. It is known early of texts with little in common.
fn lacks_at_most(most: usize, these: &[u64], others: &[u64]) -> bool {
    let (mut num_lacking, mut rest) = (0, others.iter().peekable());
    for hash in these {
        while rest.next_if(|other| *other < hash).is_some() {}
        if rest.peek() != Some(&hash) {
            num_lacking += 1;
            if num_lacking > most {
                return false;
            }
        }
    }
    true
}

/// How a near copy differs from the text that it is one of.
pub(super) fn differs(copy: &str, first: &Features) -> String {
    let lines: Vec<&str> = lines_of(copy).collect();
    let other: Vec<&str> =
        lines.iter().copied().filter(|line| first.lines.binary_search(&hash(line.as_bytes())).is_err()).collect();
    if lines.len() > 2 && !other.is_empty() && other.len() * 2 <= lines.len() {
        let verb = if other.len() == 1 { "differs" } else { "differ" };
        let told: String = other[0].chars().take(MAX_TOLD_CHARS).collect();
        let cut = if told.len() < other[0].len() { "…" } else { "" };
        return format!("{} of {} lines {verb}: {told}{cut}", other.len(), lines.len());
    }
    let words: Vec<&str> = words_of(copy).collect();
    let mut other: Vec<&str> =
        words.iter().copied().filter(|word| first.words.binary_search(&hash_of_word(word)).is_err()).collect();
    if other.is_empty() {
        return "the same words in another order, or fewer".to_owned();
    }
    let num_other = other.len();
    other.truncate(MAX_TOLD_WORDS);
    let more = if num_other > MAX_TOLD_WORDS { ", …" } else { "" };
    let verb = if num_other == 1 { "differs" } else { "differ" };
    format!("{num_other} of {} words {verb}: {}{more}", words.len(), other.join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REPORT: &str = "# Weekly report\n\nOwner: Ada\nBudget: 4200 EUR\nRisks: none\nThe crane was greased and the cable was looked at.\n";

    fn is_near(copy: &str, first: &str, query: &str) -> bool {
        Features::of(copy).is_near_copy_of(&Features::of(first), &asked_words(query))
    }

    #[test]
    fn a_text_with_one_other_line_is_a_near_copy_and_says_which() {
        let copy = REPORT.replace("4200", "4300");
        assert!(is_near(&copy, REPORT, "crane cable"));
        assert_eq!(differs(&copy, &Features::of(REPORT)), "1 of 5 lines differs: Budget: 4300 EUR");
        let sentence =
            "The harbour crane was greased on Monday by the team of the north quay and nobody was hurt at all";
        let other = sentence.replace("Monday", "Friday");
        assert!(is_near(&other, sentence, "crane"));
        assert_eq!(differs(&other, &Features::of(sentence)), "1 of 20 words differs: Friday");
    }

    #[test]
    fn what_is_asked_for_does_not_disappear_behind_a_copy_without_it() {
        let copy = REPORT.replace("4200", "4300");
        assert!(!is_near(&copy, REPORT, "budget 4300"));
        assert!(is_near(&copy, REPORT, "budget 4200"));
    }

    #[test]
    fn a_longer_text_is_no_near_copy_of_its_part_and_other_text_of_none() {
        let longer = format!(
            "{REPORT}\nThe second quay waits for its gates, which come by ship from the south in spring.\n{REPORT}\n\nMore."
        );
        assert!(
            is_near(REPORT, &longer, "")
                && !is_near(
                    &longer.replace("Ada", "Bob of the long and winding second list of names that goes on"),
                    REPORT,
                    ""
                )
        );
        assert!(
            !is_near("p99_ms 11.8", "p99_ms 12.6", "")
                && !is_near("A quay is not a crane, and a ship is neither of them, whoever looks.", REPORT, "")
        );
    }

    proptest! {
        #[test]
        fn a_text_is_a_near_copy_of_itself_where_it_is_long_enough(text in "([a-z]{3,8} ){12,40}") {
            let distinct: HashSet<&str> = text.split_whitespace().collect();
            prop_assume!(distinct.len() > MIN_PAIRS + 1);
            prop_assert!(is_near(&text, &text, "anything at all"));
        }
    }
}
