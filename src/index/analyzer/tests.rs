//! What texts and questions become.

use super::*;

fn terms(text: &str, analysis: Analysis) -> Vec<String> {
    positioned_terms(text, analysis).into_iter().map(|(_, term)| term).collect()
}

fn asked(text: &str, analysis: Analysis) -> Vec<(String, u32, u32)> {
    let terms = query_terms(text, analysis, 9);
    terms.into_iter().map(|term| (term.text, term.times, term.times_as_written)).collect()
}

#[test]
fn stems_and_stop_words_meet_in_the_stemmed_analysis() {
    assert_eq!(terms("The Indexes are indexing, the café", Analysis::Stemmed), ["index", "index", "cafe"]);
}

#[test]
fn the_exact_analysis_has_what_the_stemmed_one_changes_or_drops() {
    assert_eq!(
        terms("The Indexes of an index, the café", Analysis::Exact),
        ["the", "indexes", "of", "an", "the", "café"]
    );
}

#[test]
fn an_identifier_is_found_whole_and_by_its_parts() {
    assert_eq!(
        terms("set max_chunk_tokens to v1.2.3.", Analysis::Exact),
        ["max_chunk_tokens", "tokens", "to", "v1.2.3"]
    );
    assert_eq!(terms("max_chunk_tokens v1.2", Analysis::Stemmed), ["max", "chunk", "token", "v1", "2"]);
    assert_eq!(terms("retrieveBatch", Analysis::Stemmed), ["retrievebatch", "retriev", "batch"]);
}

#[test]
fn a_query_counts_its_terms_and_those_that_are_written_as_they_are_indexed() {
    let wanted = [("gateway".to_owned(), 3, 2), ("index".to_owned(), 1, 0)];
    assert_eq!(asked("Gateway, gateways of the gateway indexes", Analysis::Stemmed), wanted);
    assert_eq!(asked("gateways", Analysis::Exact), [("gateways".to_owned(), 1, 1)]);
}

#[test]
fn a_phrase_is_found_as_written() {
    let phrase = Phrase::of("the Gateways were").unwrap();
    assert!(phrase.is_in("In May, the gateways -- were down"));
    for text in ["the gateway were", "the gateways are", "the old gateways were", "gateways were", ""] {
        assert!(!phrase.is_in(text), "{text}");
    }
    assert!(Phrase::of("京都の").unwrap().is_in("東京都の水位"));
    assert!(!Phrase::of("京の").unwrap().is_in("東京都の水位"));
    assert!(Phrase::of("gateways").is_none() && Phrase::of("-- !").is_none());
}

#[test]
fn identifiers_are_told_from_words_and_numbers() {
    let text =
        "What does SLU-4417 in bench-07 mean for maxOpenSegments, max_tokens (commit 7c1e0fa) on 2 November 2026?";
    assert_eq!(identifiers(text), ["slu-4417", "bench-07", "maxopensegments", "max_tokens", "7c1e0fa"]);
}

#[test]
fn scripts_without_spaces_become_pairs_and_single_characters() {
    assert_eq!(terms("東京都 x", Analysis::Stemmed), ["東京", "東", "京都", "京", "都", "x"]);
    assert_eq!(asked("東京都", Analysis::Stemmed), [("東京".to_owned(), 1, 1), ("京都".to_owned(), 1, 1)]);
    assert_eq!(asked("都", Analysis::Stemmed), [("都".to_owned(), 1, 1)]);
}

proptest::proptest! {
    #[test]
    fn a_text_with_a_phrase_has_its_terms(before in "\\PC{0,20}", phrase in "[\\PC]{0,40}", after in "\\PC{0,20}") {
        let text = format!("{before} {phrase} {after}");
        if let Some(phrase) = Phrase::of(&phrase) {
            proptest::prop_assert!(phrase.is_in(&text), "{phrase:?}");
            for analysis in [Analysis::Stemmed, Analysis::Exact] {
                let indexed = terms(&text, analysis);
                for term in phrase.terms(analysis) {
                    proptest::prop_assert!(indexed.contains(&term), "{term:?} of {text:?}");
                }
            }
        }
    }

    #[test]
    fn every_query_term_is_among_the_terms_of_the_same_text(text in "\\PC{0,200}") {
        for analysis in [Analysis::Stemmed, Analysis::Exact] {
            let indexed = terms(&text, analysis);
            for term in query_terms(&text, analysis, usize::MAX) {
                proptest::prop_assert!(indexed.contains(&term.text), "{term:?} of {text:?}");
            }
        }
    }
}
