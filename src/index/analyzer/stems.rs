//! Words to terms, by language.

use std::cell::RefCell;
use std::collections::HashMap;

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language as Snowball, LowerCaser, RawTokenizer, Stemmer, StopWordFilter, TextAnalyzer,
    TokenStream as _,
};

use super::{Analysis, compounds, lower_case};
use crate::workspace::Language;

/// Words whose terms are remembered for a language, before all are forgotten.
const MAX_KNOWN_WORDS: usize = 60_000;

/// The languages whose words are stemmed, English first.
const STEMMERS: [(&str, Snowball); 18] = [
    ("en", Snowball::English),
    ("ar", Snowball::Arabic),
    ("da", Snowball::Danish),
    ("de", Snowball::German),
    ("el", Snowball::Greek),
    ("es", Snowball::Spanish),
    ("fi", Snowball::Finnish),
    ("fr", Snowball::French),
    ("hu", Snowball::Hungarian),
    ("it", Snowball::Italian),
    ("nl", Snowball::Dutch),
    ("no", Snowball::Norwegian),
    ("pt", Snowball::Portuguese),
    ("ro", Snowball::Romanian),
    ("ru", Snowball::Russian),
    ("sv", Snowball::Swedish),
    ("ta", Snowball::Tamil),
    ("tr", Snowball::Turkish),
];

/// How words are stemmed, and which of them are stop words. English comes first in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stemming(u8);

impl Stemming {
    /// That of English, and of all that is not known better.
    pub const ENGLISH: Self = Self(0);

    /// That of a document's language: that of English where it is not known, or has none of its own.
    #[must_use]
    pub fn of(language: Option<Language>) -> Self {
        let place = language.and_then(|language| STEMMERS.iter().position(|(code, _)| *code == language.code()));
        place.and_then(|place| u8::try_from(place).ok()).map_or(Self::ENGLISH, Self)
    }

    /// The two letters of its language (ISO 639-1).
    #[must_use]
    pub fn code(self) -> &'static str {
        STEMMERS[usize::from(self.0)].0
    }

    /// How its words are divided into syllables, where they may be compounds.
    pub(super) fn compounds(self) -> Option<compounds::Lang> {
        compounds::language(self.code())
    }

    fn analyzer(self) -> TextAnalyzer {
        let language = STEMMERS[usize::from(self.0)].1;
        let words = TextAnalyzer::builder(RawTokenizer::default()).filter(LowerCaser);
        match (self, StopWordFilter::new(language)) {
            (Self::ENGLISH, stop_words) => words
                .filter(stop_words.expect("tantivy has English stop words"))
                .filter(AsciiFoldingFilter)
                .filter(Stemmer::new(language))
                .build(),
            // Endings have accents in other languages, so these are folded after.
            (_, Some(stop_words)) => {
                words.filter(stop_words).filter(Stemmer::new(language)).filter(AsciiFoldingFilter).build()
            }
            (_, None) => words.filter(Stemmer::new(language)).filter(AsciiFoldingFilter).build(),
        }
    }
}

/// Words to terms, with the words of late remembered: a few thousand make up most of any text.
struct Terms {
    stems: TextAnalyzer,
    known: HashMap<Box<str>, WordTerms, ahash::RandomState>,
}

/// What a word becomes.
struct WordTerms {
    /// `None` of a stop word.
    stem: Option<Box<str>>,
    exact: Box<str>,
}

thread_local! {
    /// One a language for all fields and texts that a thread analyses.
    static TERMS: RefCell<[Option<Terms>; STEMMERS.len()]> = const { RefCell::new([const { None }; STEMMERS.len()]) };
}

/// Writes the term of `word` into `term`; returns whether it has one.
pub(super) fn write(word: &str, analysis: Analysis, stemming: Stemming, term: &mut String) -> bool {
    TERMS.with_borrow_mut(|of_languages| {
        let terms = of_languages[usize::from(stemming.0)]
            .get_or_insert_with(|| Terms { stems: stemming.analyzer(), known: HashMap::default() });
        terms.write(word, analysis, term)
    })
}

impl Terms {
    fn write(&mut self, word: &str, analysis: Analysis, term: &mut String) -> bool {
        if let Some(known) = self.known.get(word) {
            return known.write(analysis, term);
        }
        if self.known.len() == MAX_KNOWN_WORDS {
            self.known.clear();
        }
        let mut stream = self.stems.token_stream(word);
        let stem: Option<Box<str>> = stream.advance().then(|| stream.token().text.as_str().into());
        drop(stream);
        let exact = lower_case(word).into_boxed_str();
        self.known.entry(word.into()).or_insert(WordTerms { stem, exact }).write(analysis, term)
    }
}

impl WordTerms {
    fn write(&self, analysis: Analysis, term: &mut String) -> bool {
        let found = if analysis == Analysis::Stemmed { self.stem.as_deref() } else { Some(&*self.exact) };
        found.inspect(|found| term.push_str(found)).is_some()
    }
}
