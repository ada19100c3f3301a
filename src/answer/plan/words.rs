//! A question as a row of words, for phrases to be found in.

/// The words of a question in small letters, without the punctuation around them.
#[derive(Debug)]
pub(in crate::answer) struct Words {
    all: Vec<String>,
    /// Those that a phrase has taken.
    taken: Vec<bool>,
    /// Those that a comma or colon stands behind.
    commas: Vec<bool>,
}

impl Words {
    pub(in crate::answer) fn of(question: &str) -> Self {
        let is_edge = |c: char| !(c.is_alphanumeric() || matches!(c, '/' | '_'));
        let mut words: Vec<String> = Vec::new();
        let mut commas = Vec::new();
        for written in question.split_whitespace().flat_map(|word| word.split(['—', '–', '…'])) {
            let word = written.trim_matches(is_edge).to_lowercase().replace('’', "'");
            let word = word.strip_suffix("'s").map(str::to_owned).unwrap_or(word);
            if !word.is_empty() {
                words.push(word);
                commas.push(written.ends_with([',', ':']));
            }
        }
        Self { taken: vec![false; words.len()], all: words, commas }
    }

    pub(in crate::answer) fn len(&self) -> usize {
        self.all.len()
    }

    pub(in crate::answer) fn get(&self, at: usize) -> Option<&str> {
        self.all.get(at).map(String::as_str)
    }

    /// Whether the words from `at` on are those of `pattern`, each of which may be several with `|` between them.
    pub(in crate::answer) fn are(&self, at: usize, pattern: &str) -> bool {
        let mut at = at;
        for alternatives in pattern.split(' ') {
            match self.get(at) {
                Some(word) if alternatives.split('|').any(|alternative| alternative == word) => at += 1,
                _ => return false,
            }
        }
        true
    }

    /// The first place of the first of these patterns that is in the question, and how many words it has.
    pub(in crate::answer) fn find(&self, patterns: &[&str]) -> Option<(usize, usize)> {
        patterns.iter().find_map(|pattern| {
            let at = (0..self.len()).find(|&at| self.are(at, pattern))?;
            Some((at, pattern.split(' ').count()))
        })
    }

    /// The first so many words.
    pub(in crate::answer) fn first(&self, num_words: usize) -> String {
        self.slice(0, num_words)
    }

    /// So many words from `at` on, or fewer at the end.
    pub(in crate::answer) fn slice(&self, at: usize, num_words: usize) -> String {
        self.all[at.min(self.len())..(at + num_words).min(self.len())].join(" ")
    }

    /// Whether a comma stands right before the part that the word at `at` is in, with a few words between.
    pub(in crate::answer) fn has_comma_before(&self, at: usize) -> bool {
        (at.saturating_sub(8)..at).any(|at| self.commas.get(at).copied().unwrap_or(false))
    }

    /// Takes words for a phrase, and returns them as they stand.
    pub(in crate::answer) fn take(&mut self, at: usize, num_words: usize) -> String {
        let end = (at + num_words).min(self.len());
        self.taken[at..end].fill(true);
        self.all[at..end].join(" ")
    }

    /// The words that no phrase has taken.
    pub(in crate::answer) fn rest(&self) -> impl Iterator<Item = &str> {
        self.all.iter().zip(&self.taken).filter(|(_, taken)| !**taken).map(|(word, _)| word.as_str())
    }
}
