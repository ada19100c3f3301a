//! How many tokens a model sees of a text, by the model's own tokenizer, without a runtime.
//!
//! # Invariants
//! - For every tokenizer `num_tokens` equals the number of tokens that the tokenizer makes of the whole text.
//! - Memory is bounded: words are remembered in a table of fixed size.
//!
//! # Why it is fast
//! A BERT tokenizer never looks across white space, ASCII punctuation or a Chinese character, so a text's count is the
//! sum over the pieces between them, and most pieces are words that were counted before. A tokenizer of another kind
//! does look across, and is asked about the whole text each time.

use parking_lot::Mutex;

use tokenizers::{Encoding, NormalizerWrapper, PreTokenizerWrapper, Tokenizer, TruncationDirection};

use crate::chunk::TokenCounter;

use super::EmbedError;

/// Counts a model's tokens.
pub struct ModelTokens {
    tokenizer: Tokenizer,
    num_special: usize,
    max_tokens: usize,
    pieces: Option<Pieces>,
}

impl ModelTokens {
    /// Reads a `tokenizer.json`. `max_tokens` is the model's limit with the special tokens in it, and `prefix` what goes
    /// in front of every passage: what is left of the limit is what a text may have.
    ///
    /// # Errors
    /// [`EmbedError::Unreadable`] when it is not a tokenizer, or the limit leaves no room for text.
    pub fn new(tokenizer_json: &[u8], max_tokens: usize, prefix: &str) -> Result<Self, EmbedError> {
        let unreadable = |reason: String| EmbedError::Unreadable { file: "tokenizer.json".to_owned(), reason };
        // Texts come one by one, from threads of ours: a pool of the tokenizer's own would only be in their way.
        tokenizers::utils::parallelism::set_parallelism(false);
        let mut tokenizer = Tokenizer::from_bytes(tokenizer_json).map_err(|error| unreadable(error.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| unreadable(error.to_string()))?;
        let num_special = tokenizer.get_post_processor().map_or(0, |post| {
            use tokenizers::PostProcessor as _;
            post.added_tokens(false)
        });
        let pieces = Pieces::of(&tokenizer);
        let mut tokens = Self { tokenizer, num_special, max_tokens: 0, pieces };
        let taken = num_special + tokens.num_tokens(prefix);
        tokens.max_tokens = max_tokens
            .checked_sub(taken)
            .filter(|&left| left > 0)
            .ok_or_else(|| unreadable(format!("{max_tokens} tokens leave no room for text")))?;
        Ok(tokens)
    }

    /// A text as a model reads it: cut so that it has at most `max_tokens` with the special tokens, which are added.
    pub(super) fn encode(&self, text: &str, max_tokens: usize) -> Result<Encoding, EmbedError> {
        // What it says may quote the text.
        let failed = |_: tokenizers::Error| EmbedError::Failed { reason: "its tokenizer failed on a text".to_owned() };
        let mut encoding = self.tokenizer.encode_fast(text, false).map_err(failed)?;
        encoding.truncate(max_tokens.saturating_sub(self.num_special), 0, TruncationDirection::Right);
        self.tokenizer.post_process(encoding, None, true).map_err(failed)
    }

    /// What the tokenizer makes of a text. One that fails on it counts its bytes, which no tokenizer exceeds.
    fn tokenize(&self, text: &str) -> usize {
        self.tokenizer.encode_fast(text, false).map_or(text.len(), |encoding| encoding.len())
    }
}

impl TokenCounter for ModelTokens {
    fn num_tokens(&self, text: &str) -> usize {
        match &self.pieces {
            Some(pieces) => pieces.num_tokens(text, |piece| self.tokenize(piece)),
            None => self.tokenize(text),
        }
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }
}

impl std::fmt::Debug for ModelTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelTokens").field("max_tokens", &self.max_tokens).finish_non_exhaustive()
    }
}

/// Cuts a text where a BERT tokenizer never looks across, and remembers the counts of short pieces.
struct Pieces {
    /// Literal special tokens such as `[SEP]`, each one token; all begin with ASCII punctuation.
    special: Vec<String>,
    words: WordCounts,
}

impl Pieces {
    /// `None` when the tokenizer is not of the kind whose pieces add up.
    fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let Some(NormalizerWrapper::BertNormalizer(normalizer)) = tokenizer.get_normalizer() else { return None };
        let is_bert = matches!(tokenizer.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)));
        if !is_bert || !normalizer.clean_text || !normalizer.handle_chinese_chars {
            return None;
        }
        let added: Vec<_> = tokenizer.get_added_tokens_decoder().into_values().collect();
        let adds_up = added.iter().all(|token| {
            token.content.starts_with(|c: char| c.is_ascii_punctuation())
                && !(token.normalized || token.single_word || token.lstrip || token.rstrip)
        });
        let special = added.into_iter().map(|token| token.content).collect();
        adds_up.then(|| Self { special, words: WordCounts::new() })
    }

    fn num_tokens(&self, text: &str, tokenize: impl Fn(&str) -> usize) -> usize {
        let bytes = text.as_bytes();
        let mut num_tokens = 0;
        let mut start = 0;
        let mut at = 0;
        let mut add_piece = |start: usize, end: usize| {
            if start < end {
                num_tokens += self.words.count(&text[start..end], &tokenize);
            }
        };
        let mut num_single = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            let (class, length) = if byte.is_ascii() {
                (ASCII_CLASSES[usize::from(byte)], 1)
            } else {
                // `at` only ever moves by whole characters.
                text[at..].chars().next().map_or((Class::Word, 1), |c| (class_of(c), c.len_utf8()))
            };
            let length = match class {
                Class::Word => {
                    at += length;
                    continue;
                }
                Class::Space => length,
                Class::Single => {
                    num_single += 1;
                    let literal = self.special.iter().filter(|token| bytes[at..].starts_with(token.as_bytes()));
                    literal.map(String::len).max().unwrap_or(length)
                }
            };
            add_piece(start, at);
            at += length;
            start = at;
        }
        add_piece(start, bytes.len());
        num_tokens + num_single
    }
}

/// What a character is to a BERT tokenizer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Part of a piece; what becomes of it the tokenizer decides.
    Word,
    /// White space: no token, ends a piece.
    Space,
    /// One token for itself: ASCII punctuation, Chinese characters.
    Single,
}

static ASCII_CLASSES: [Class; 128] = {
    let mut classes = [Class::Word; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_punctuation() {
            classes[byte as usize] = Class::Single;
        }
        byte += 1;
    }
    // Not vertical tab and form feed: the tokenizer deletes them as control characters, and their neighbours join.
    classes[b' ' as usize] = Class::Space;
    classes[b'\t' as usize] = Class::Space;
    classes[b'\n' as usize] = Class::Space;
    classes[b'\r' as usize] = Class::Space;
    classes
};

/// The class of a character beyond ASCII. The ranges of Chinese characters are those of the tokenizer.
fn class_of(c: char) -> Class {
    match c {
        // Next line is white space to Unicode and a control character, hence deleted, to the tokenizer.
        '\u{85}' => Class::Word,
        '\u{4e00}'..='\u{9fff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{20000}'..='\u{2a6df}'
        | '\u{2a700}'..='\u{2b73f}'
        | '\u{2b740}'..='\u{2b81f}'
        | '\u{2b920}'..='\u{2ceaf}'
        | '\u{f900}'..='\u{faff}'
        | '\u{2f800}'..='\u{2fa1f}' => Class::Single,
        c if c.is_whitespace() => Class::Space,
        _ => Class::Word,
    }
}

/// The counts of short words: a table of fixed size in which a newer word takes the place of an older one.
struct WordCounts {
    shards: Vec<Mutex<Vec<Entry>>>,
}

const NUM_SHARDS: usize = 64;
const ENTRIES_PER_SHARD: usize = 1024;
const MAX_WORD_BYTES: usize = 30;

#[derive(Clone, Copy)]
struct Entry {
    /// 0: nothing here yet.
    length: u8,
    /// At most one token a byte, so it fits.
    num_tokens: u8,
    word: [u8; MAX_WORD_BYTES],
}

impl WordCounts {
    fn new() -> Self {
        let empty = Entry { length: 0, num_tokens: 0, word: [0; MAX_WORD_BYTES] };
        Self { shards: (0..NUM_SHARDS).map(|_| Mutex::new(vec![empty; ENTRIES_PER_SHARD])).collect() }
    }

    /// The count of `word`, remembered or asked for.
    fn count(&self, word: &str, tokenize: impl Fn(&str) -> usize) -> usize {
        let bytes = word.as_bytes();
        if bytes.len() > MAX_WORD_BYTES {
            return tokenize(word);
        }
        let hash = hash(bytes);
        let shard = &self.shards[hash % NUM_SHARDS];
        let slot = hash / NUM_SHARDS % ENTRIES_PER_SHARD;
        let entry = shard.lock()[slot];
        if usize::from(entry.length) == bytes.len() && entry.word[..bytes.len()] == *bytes {
            return usize::from(entry.num_tokens);
        }
        // Not under the lock: another thread may do the same work, and comes to the same count.
        let num_tokens = tokenize(word);
        if let (Ok(length), Ok(count)) = (u8::try_from(bytes.len()), u8::try_from(num_tokens)) {
            let mut entry = Entry { length, num_tokens: count, word: [0; MAX_WORD_BYTES] };
            entry.word[..bytes.len()].copy_from_slice(bytes);
            shard.lock()[slot] = entry;
        }
        num_tokens
    }
}

/// Spreads words over the table. Two words of one hash only displace each other: entries hold the whole word.
fn hash(bytes: &[u8]) -> usize {
    let mut hash = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    // The upper half: the lower bits of a product depend on few bits of its factors. Fits every `usize`.
    usize::try_from(hash >> 40).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::embed::manifest::default_file;

    fn default_tokens() -> ModelTokens {
        ModelTokens::new(default_file("tokenizer.json").unwrap(), 256, "").unwrap()
    }

    #[test]
    fn the_limit_leaves_room_for_the_special_tokens_and_the_prefix() {
        let json = default_file("tokenizer.json").unwrap();
        assert_eq!(default_tokens().max_tokens(), 254);
        assert_eq!(ModelTokens::new(json, 256, "query: ").unwrap().max_tokens(), 252);
        assert!(matches!(ModelTokens::new(json, 3, "query: "), Err(EmbedError::Unreadable { .. })));
        assert!(matches!(ModelTokens::new(b"{}", 256, ""), Err(EmbedError::Unreadable { .. })));
    }

    #[test]
    fn counts_are_those_of_the_tokenizer() {
        let tokens = default_tokens();
        assert!(tokens.pieces.is_some(), "the default tokenizer is counted piece by piece");
        for (text, expected) in
            [("", 0), (" \n\t", 0), ("hello world", 2), ("[SEP] [MASK][CLS]x", 4), ("漢字", 2), ("hello\u{c}", 1)]
        {
            assert_eq!(tokens.num_tokens(text), expected, "{text:?}");
            assert_eq!(tokens.tokenize(text), expected, "{text:?}");
        }
        for text in [
            "let x = tokenizer.encode(text)?;",
            "form\u{c}feed and\u{b}tab next\u{85}line",
            "汉字かな交じり文。",
            "cafe\u{301} \u{1f600}\u{200d}\u{fe0f} naïve",
        ] {
            assert_eq!(tokens.num_tokens(text), tokens.tokenize(text), "{text:?}");
        }
    }

    #[test]
    fn a_tokenizer_of_another_kind_is_asked_about_the_whole_text() {
        let json = br#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "hello": 1}}}"#;
        let tokens = ModelTokens::new(json, 10, "").unwrap();
        assert!(tokens.pieces.is_none());
        assert_eq!((tokens.num_tokens("hello, big world"), tokens.max_tokens()), (4, 10));
    }

    /// Texts of any characters, with those in plenty that a tokenizer treats specially.
    fn texts() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(vec![
            " ",
            "\t",
            "\n",
            "\r\n",
            "\u{b}",
            "\u{c}",
            "\u{1c}",
            "\u{85}",
            "\u{a0}",
            "\u{1680}",
            "\u{2003}",
            "\u{2028}",
            "\u{202f}",
            "\u{3000}",
            "\u{200b}",
            "\u{feff}",
            "\0",
            "\u{fffd}",
            "\u{ad}",
            "\u{301}",
            "\u{338}",
            "\u{345}",
            "\u{3099}",
            "[SEP]",
            "[CLS]",
            "[",
            "[MASK",
            "]",
            "=",
            "`",
            "。",
            "、",
            "漢",
            "\u{f900}",
            "\u{2f800}",
            "が",
            "\u{1100}\u{1161}",
            "한",
            "İ",
            "ẞ",
            "Σ",
            "ﬁ",
            "²",
            "a",
            "B",
            "7",
            "_",
            "🦀",
            "\u{37e}",
            "\u{1fef}",
        ]);
        let part = prop_oneof![
            4 => odd.prop_map(str::to_owned),
            2 => any::<char>().prop_map(String::from),
            2 => "[a-zA-Z]{1,12}",
            1 => "\\PC{0,6}",
            1 => "[a-z0-9]{95,110}",
        ];
        prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn the_sum_over_pieces_equals_the_count_of_the_whole(texts in prop::collection::vec(texts(), 1..3)) {
            static TOKENS: std::sync::LazyLock<ModelTokens> = std::sync::LazyLock::new(default_tokens);
            for text in &texts {
                prop_assert_eq!(TOKENS.num_tokens(text), TOKENS.tokenize(text));
            }
        }
    }

    #[test]
    fn every_character_between_words_counts_as_the_tokenizer_counts_it() {
        let tokens = default_tokens();
        // All of the first plane; beyond it whole blocks behave alike, and every seventh character shows each of them.
        for c in ('\0'..='\u{ffff}').chain(('\u{10000}'..=char::MAX).step_by(7)) {
            let text = format!("ab{c}cd {c}");
            assert_eq!(tokens.num_tokens(&text), tokens.tokenize(&text), "U+{:04X}", u32::from(c));
        }
    }
}
