//! The words of a query as a person sees them, to be looked up one by one.
//!
//! A score mixes all words; here each word, identifier or number is one thing that a chunk holds or does not hold.

use std::collections::BTreeSet;

use super::cut::{Cut, Kind, Piece};
use super::fold::folded;
use super::query::{is_left_out, stems, stopping};
use super::{Analysis, Stemming, pieces, write_term};

/// English words that ask or only join others, beside the stop words that are not indexed.
const ENGLISH_FUNCTION_WORDS: &[&str] = &[
    "about", "all", "also", "am", "any", "been", "being", "can", "could", "did", "do", "does", "done", "during",
    "each", "from", "get", "give", "given", "had", "has", "have", "having", "he", "her", "his", "how", "i", "its",
    "many", "may", "me", "might", "much", "must", "my", "our", "shall", "she", "should", "so", "some", "tell", "than",
    "them", "those", "us", "we", "were", "what", "when", "where", "whether", "which", "while", "who", "whom", "whose",
    "why", "would", "you", "your",
];
/// A query of more words is a question, or a text.
const MAX_WORDS: usize = 6;
/// A query of fewer words is none, unless it has a question mark.
const MIN_QUESTION_WORDS: usize = 4;

/// A word of a query, and the ways in which a chunk may hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedWord {
    /// As it is in the query, in small letters.
    pub text: String,
    /// The ways, the best first: a worse one counts where no chunk holds the word in a better one.
    pub forms: Vec<Form>,
    /// Of an identifier, a grouped number or a word `likeThis`, its words: they are asked for where no chunk holds the whole.
    pub parts: Vec<AskedWord>,
}

/// A way in which a chunk may hold a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// This term is in the exact field.
    AsWritten(String),
    /// One of these terms is in the chunk's own words, stemmed.
    Stemmed(Vec<String>),
    /// One of these terms is in the title, the headings or the path.
    Around(Vec<String>),
}

/// Whether a query is a sentence or a text and not a few words: it asks, joins its words by words that mean nothing by themselves,
/// or is long.
#[must_use]
pub fn is_question(text: &str, stemmings: &[Stemming]) -> bool {
    let text = &*folded(text);
    let words = pieces(text, Cut::Plain, true);
    let is_function_word = |word: &Piece| is_function_word(&text[word.start..word.end]);
    text.trim_end().ends_with(['?', '？'])
        || words.len() >= MIN_QUESTION_WORDS
            && (stopping(text, stemmings).is_some() || words.iter().any(is_function_word))
        || asked_words(text, stemmings).len() > MAX_WORDS
}

/// Whether no word of a text is of a script without spaces.
#[must_use]
pub fn is_all_words(text: &str) -> bool {
    !text.chars().any(super::cut::is_unspaced)
}

/// The distinct words of a query, without stop words and those that only ask. Scripts without spaces are left out: their pairs of characters are no words.
#[must_use]
pub fn asked_words(text: &str, stemmings: &[Stemming]) -> Vec<AskedWord> {
    let text = &*folded(text);
    let stopping = stopping(text, stemmings);
    let mut wholes = pieces(text, Cut::For(Analysis::Exact), true);
    wholes.retain(|piece| piece.kind != Kind::Word);
    wholes
        .extend(pieces(text, Cut::For(Analysis::Stemmed), true).into_iter().filter(|piece| piece.kind == Kind::Number));
    let mut asked: Vec<AskedWord> = Vec::new();
    let mut is_new = BTreeSet::new();
    // Where the whole that was added last ends.
    let mut whole_end = 0;
    for word in pieces(text, Cut::Plain, true) {
        let spelled = &text[word.start..word.end];
        if spelled.chars().any(super::cut::is_unspaced) {
            continue;
        }
        if word.start >= whole_end {
            let here: Vec<&Piece> = wholes.iter().filter(|whole| whole.start == word.start).collect();
            if let Some(first) = here.first() {
                whole_end = first.end;
                let whole = text[first.start..first.end].to_lowercase();
                let forms = here.iter().map(|whole| form(text, whole)).collect();
                if is_new.insert(whole.clone()) {
                    asked.push(AskedWord { text: whole, forms, parts: Vec::new() });
                }
            }
        }
        if is_left_out(spelled, stemmings, stopping) || is_function_word(spelled) {
            continue;
        }
        let one = word_of(spelled, stemmings);
        match asked.last_mut().filter(|_| word.start < whole_end) {
            Some(whole) if !whole.parts.contains(&one) => whole.parts.push(one),
            None if is_new.insert(one.text.clone()) => asked.push(one),
            _ => {}
        }
    }
    asked
}

fn word_of(spelled: &str, stemmings: &[Stemming]) -> AskedWord {
    let mut exact = String::new();
    let is_exact = write_term(spelled, Analysis::Exact, Stemming::ENGLISH, Kind::Word, &mut exact);
    let mut forms: Vec<Form> = is_exact.then_some(Form::AsWritten(exact)).into_iter().collect();
    let stems = stems(spelled, Kind::Word, stemmings);
    forms.extend([Form::Stemmed(stems.clone()), Form::Around(stems)]);
    let humps = pieces(spelled, Cut::For(Analysis::Exact), true).into_iter().skip(1);
    let parts = humps.map(|part| word_of(&spelled[part.start..part.end], stemmings)).collect();
    AskedWord { text: spelled.to_lowercase(), forms, parts }
}

fn form(text: &str, whole: &Piece) -> Form {
    let mut term = String::new();
    write_term(&text[whole.start..whole.end], Analysis::Exact, Stemming::ENGLISH, whole.kind, &mut term);
    if whole.kind == Kind::Number { Form::Stemmed(vec![term]) } else { Form::AsWritten(term) }
}

fn is_function_word(word: &str) -> bool {
    word.is_ascii() && ENGLISH_FUNCTION_WORDS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// The distinct words of a name, stemmed; of one that is written `likeThis`, its parts.
#[must_use]
pub fn name_words(name: &str, stemming: Stemming) -> BTreeSet<String> {
    let name = &*folded(name);
    let mut pieces = pieces(name, Cut::For(Analysis::Stemmed), false);
    pieces.retain(|piece| piece.kind == Kind::Word);
    let has_parts = |at: usize| {
        pieces.get(at + 1).is_some_and(|next| next.position == pieces[at].position && next.start == pieces[at].start)
    };
    let words = (0..pieces.len()).filter(|&at| !has_parts(at)).map(|at| &name[pieces[at].start..pieces[at].end]);
    words.flat_map(|word| stems(word, Kind::Word, &[stemming])).collect()
}

/// Whether a query has just the words of a file's name, with or without its extension.
#[must_use]
pub fn names(query: &str, file_name: &str, stemming: Stemming) -> bool {
    let words = name_words(query, stemming);
    let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
    !words.is_empty() && [stem, file_name].iter().any(|name| name_words(name, stemming) == words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Vec<String> {
        asked_words(text, &[Stemming::ENGLISH]).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn function_words_are_in_order() {
        assert!(ENGLISH_FUNCTION_WORDS.is_sorted());
    }

    #[test]
    fn an_identifier_is_one_word_with_parts() {
        let words = asked_words("set max_chunk_tokens to 1,250,000", &[Stemming::ENGLISH]);
        let parts = |at: usize| words[at].parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>();
        assert_eq!(
            words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(),
            ["set", "max_chunk_tokens", "1,250,000"]
        );
        assert_eq!((parts(1), parts(2)), (vec!["max", "chunk", "tokens"], vec!["1", "250", "000"]));
        let written = |text: &str| Form::AsWritten(text.to_owned());
        assert_eq!(words[1].forms, [written("max_chunk_tokens"), written("maxchunktokens")]);
        assert_eq!(words[2].forms, [Form::Stemmed(vec!["1250000".to_owned()])]);
    }

    #[test]
    fn words_that_only_ask_are_not_asked_for() {
        assert_eq!(asked("Which gateways did the agent restart, and why?"), ["gateways", "agent", "restart"]);
        assert!(asked("what is that").is_empty());
    }

    #[test]
    fn questions_are_told_from_words() {
        for (text, expected) in [
            ("endian", false),
            ("which", false),
            ("tablet endian chmod", false),
            ("state of the gateway", true),
            ("gateway timeout?", true),
            ("how does the gateway fail", true),
            ("rotated which", false),
            ("one two three four five six seven", true),
        ] {
            assert_eq!(is_question(text, &[Stemming::ENGLISH]), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_its_words() {
        let words = |name: &str| name_words(name, Stemming::ENGLISH).into_iter().collect::<Vec<_>>();
        assert_eq!(words("Quarterly_Budget-2026"), ["2026", "budget", "quarter"]);
        assert_eq!(words("EmbeddedIndexReader"), words("embedded index reader"));
    }
}
