//! What texts and questions become.

use super::*;
use crate::workspace::Language;

fn terms(text: &str, analysis: Analysis) -> Vec<String> {
    positioned_terms(text, analysis, Stemming::ENGLISH).into_iter().map(|(_, term)| term).collect()
}

fn english(text: &str) -> QueryTerms {
    analyse_query(text, &[Stemming::ENGLISH], 9)
}

fn in_languages(text: &str, codes: &[&str]) -> Vec<String> {
    let stemmings: Vec<Stemming> = codes.iter().map(|code| Stemming::of(Language::of_code(code))).collect();
    let joined = |word: QueryWord| word.variants.join("|");
    analyse_query(text, &stemmings, 99).words.into_iter().map(joined).collect()
}

#[test]
fn stems_and_stop_words_meet_in_the_stemmed_analysis() {
    assert_eq!(terms("The Indexes are indexing, the café", Analysis::Stemmed), ["index", "index", "cafe"]);
}

#[test]
fn the_exact_analysis_has_every_word_as_written() {
    assert_eq!(
        terms("The Indexes of an index, the café, 20 times", Analysis::Exact),
        ["the", "indexes", "of", "an", "index", "the", "café", "times"]
    );
}

#[test]
fn an_identifier_is_found_whole_by_its_parts_and_without_what_joins_them() {
    assert_eq!(
        terms("set max_chunk_tokens to v1.2.3.", Analysis::Exact),
        ["set", "max", "max_chunk_tokens", "maxchunktokens", "chunk", "tokens", "to", "v1", "v1.2.3", "v123"]
    );
    assert_eq!(terms("1.21.0 a@b.de", Analysis::Exact), ["1.21.0", "a", "a@b.de", "b.de", "bde", "b", "de"]);
    assert_eq!(
        terms("x/y_z@v0.9.0", Analysis::Exact),
        ["x", "x/y_z@v0.9.0", "y_z", "yz", "v0.9.0", "v090", "y", "z", "v0"]
    );
    assert_eq!(terms("max_chunk_tokens v1.2", Analysis::Stemmed), ["max", "chunk", "token", "v1", "2"]);
    assert_eq!(terms("retrieveBatch", Analysis::Stemmed), ["retrievebatch", "retriev", "batch"]);
    assert_eq!(terms("retrieveBatch", Analysis::Exact), ["retrievebatch", "retrieve", "batch"]);
    assert_eq!(terms("HTTPServer URLs IDs", Analysis::Exact), ["httpserver", "http", "server", "urls", "ids"]);
}

#[test]
fn one_name_written_in_several_ways_shares_a_term() {
    let of = |text: &str| terms(text, Analysis::Exact);
    for (one, other) in
        [("Node.js", "nodejs"), ("POL-358", "pol358"), ("max_tokens", "maxTokens"), ("max-tokens", "max_tokens")]
    {
        assert!(of(one).iter().any(|term| of(other).contains(term) && term.len() > 5), "{one} {other}");
    }
    assert!(!of("2.3.40").iter().any(|term| of("2.3.4").contains(term)));
}

#[test]
fn grouped_digits_are_one_number() {
    for text in ["1250000", "1,250,000", "1.250.000", "1 250 000", "1'250'000", "1\u{202f}250\u{202f}000"] {
        assert!(terms(text, Analysis::Stemmed).contains(&"1250000".to_owned()), "{text}");
        assert_eq!(in_languages(text, &["en", "de"]).iter().filter(|word| *word == "1250000").count(), 1, "{text}");
    }
}

#[test]
fn each_spelling_of_unicode_is_the_same_word() {
    for (one, other) in [("Köln", "Ko\u{308}ln"), ("データベース", "ﾃﾞｰﾀﾍﾞｰｽ"), ("ABC12", "ＡＢＣ１２"), ("file", "ﬁle")]
    {
        for analysis in [Analysis::Stemmed, Analysis::Exact] {
            assert_eq!(terms(one, analysis), terms(other, analysis));
        }
        assert_eq!(english(one), english(other));
    }
    assert!(Phrase::of("in Köln").unwrap().is_in("in Ko\u{308}ln"));
}

#[test]
fn a_word_of_a_query_is_looked_up_among_the_parts_of_german_compounds() {
    let german = Stemming::of(Language::of_code("de"));
    let indexed: Vec<String> =
        positioned_terms("die Rechnungsnummern der Krankenversicherungen", Analysis::Exact, german)
            .into_iter()
            .map(|(_, term)| term)
            .collect();
    let asked = |text: &str, stemmings: &[Stemming]| -> Vec<String> {
        let terms = analyse_query(text, stemmings, 99).exact.into_iter();
        terms.filter(|term| term.kind == ExactKind::Part).map(|term| term.text).collect()
    };
    for word in ["Rechnung", "Rechnungen", "Nummer", "Versicherung", "Kranken"] {
        assert!(asked(word, &[german]).iter().all(|part| indexed.contains(part)), "{word} {indexed:?}");
    }
    assert!(
        asked("is the number", &[Stemming::ENGLISH, german]).is_empty()
            && asked("number", &[Stemming::ENGLISH]).is_empty()
    );
    assert!(!terms("Rechnungsnummern", Analysis::Exact).iter().any(|term| term.starts_with('+')));
}

#[test]
fn a_query_counts_its_terms() {
    let QueryTerms { words, exact } = english("Gateway, gateways of the gateway indexes");
    let word = |text: &str, times| QueryWord { variants: vec![text.to_owned()], times };
    assert_eq!(words, [word("gateway", 3), word("index", 1)]);
    let term = |text: &str, times| ExactTerm { text: text.to_owned(), times, kind: ExactKind::Word };
    assert_eq!(exact, [term("gateway", 2), term("gateways", 1), term("indexes", 1)]);
    assert_eq!(english("to be").exact, [term("to", 1), term("be", 1)], "nothing else is asked for");
}

#[test]
fn a_language_has_its_own_stems_and_what_is_not_known_has_those_of_english() {
    let german = Stemming::of(Language::of_code("de"));
    let words = |text: &str, stemming| -> Vec<String> {
        positioned_terms(text, Analysis::Stemmed, stemming).into_iter().map(|(_, term)| term).collect()
    };
    assert_eq!(words("Die Häuser des Hauses", german), ["haus", "haus"]);
    let french = Stemming::of(Language::of_code("fr"));
    assert_eq!(words("les créations, créer", french), ["creation", "cre"]);
    for code in ["pl", "zh", "xx", "en"] {
        assert_eq!(Stemming::of(Language::of_code(code)), Stemming::ENGLISH, "{code}");
    }
    assert_eq!(Stemming::of(None), Stemming::ENGLISH);
}

#[test]
fn a_word_of_a_query_has_the_stems_of_all_languages_and_counts_once() {
    assert_eq!(in_languages("Häuser", &["en", "de"]), ["hauser|haus"]);
    assert_eq!(in_languages("running run", &["en", "de"]), ["run|running", "run"]);
    assert_eq!(in_languages("Basel 4417", &["en", "de", "es"]), ["basel", "4417"]);
}

#[test]
fn stop_words_are_those_of_the_language_that_a_query_is_in() {
    assert_eq!(in_languages("what is the war about", &["en", "de"]), ["what", "war", "about"]);
    assert_eq!(in_languages("die Häuser der Stadt", &["en", "de"]), ["hauser|haus", "stadt"]);
    assert_eq!(in_languages("die hard", &["en", "de"]), ["die", "hard"]);
    assert_eq!(in_languages("world war", &["en", "de"]), ["world", "war"]);
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
    assert!(
        identifiers("the 1st of July in FY2022, the 22nd, 2023Q2 and Q42022").len() == 1,
        "days and years are none"
    );
}

#[test]
fn a_year_within_a_word_is_found_by_itself() {
    assert_eq!(
        terms("FY2022 R_2023Q2.pdf", Analysis::Stemmed),
        ["fy2022", "fy", "2022", "r", "2023q2", "2023", "q2", "pdf"]
    );
    assert_eq!(terms("RVH2031 A12022", Analysis::Stemmed), ["rvh2031", "rvh", "2031", "a12022"]);
}

#[test]
fn scripts_without_spaces_become_pairs_and_single_characters() {
    assert_eq!(terms("東京都 x", Analysis::Stemmed), ["東京", "東", "京都", "京", "都", "x"]);
    assert_eq!(in_languages("東京都", &["en", "de"]), ["東京", "京都"]);
    assert_eq!(in_languages("都", &["en"]), ["都"]);
}

proptest::proptest! {
    #[test]
    fn a_text_with_a_phrase_has_its_terms(before in "\\PC{0,20}", phrase in "[\\PC]{0,40}", after in "\\PC{0,20}") {
        let text = format!("{before} {phrase} {after}");
        if let Some(phrase) = Phrase::of(&phrase) {
            proptest::prop_assert!(phrase.is_in(&text), "{phrase:?}");
            for analysis in [Analysis::Stemmed, Analysis::Exact] {
                let indexed = terms(&text, analysis);
                for term in phrase.terms(analysis, Stemming::ENGLISH) {
                    proptest::prop_assert!(indexed.contains(&term), "{term:?} of {text:?}");
                }
            }
        }
    }

    #[test]
    fn every_query_term_is_among_the_terms_of_the_same_text(text in "\\PC{0,200}") {
        for code in ["en", "de", "ru", "ar"] {
            let stemming = Stemming::of(Language::of_code(code));
            let terms = |analysis| -> Vec<String> {
                positioned_terms(&text, analysis, stemming).into_iter().map(|(_, term)| term).collect()
            };
            let (stemmed, exact) = (terms(Analysis::Stemmed), terms(Analysis::Exact));
            let asked = analyse_query(&text, &[stemming], usize::MAX);
            for variant in asked.words.iter().flat_map(|word| &word.variants) {
                proptest::prop_assert!(stemmed.contains(variant), "{variant:?} of {text:?}");
            }
            // A part of a compound is indexed with the compound.
            for term in asked.exact.into_iter().filter(|term| term.kind != ExactKind::Part) {
                proptest::prop_assert!(exact.contains(&term.text), "{term:?} of {text:?}");
            }
        }
    }
}
