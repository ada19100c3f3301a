//! Passages and checks: what is supported and what is not.

use proptest::prelude::*;

use super::check::{Checked, Checker};
use super::draft::{Cite, Draft};
use super::prompt::{Given, fitting};
use crate::answer::sentences::units;
use crate::search::Hit;
use crate::workspace::{Cells, Citation, ContentHash, LineStarts, Revision, Span, WorkspaceId};

/// A passage that is a whole file.
pub(super) fn hit(path: &str, text: &str) -> Hit {
    let span = Span::new(0, text.len());
    let citation = Citation {
        workspace: WorkspaceId::default(),
        path: path.parse().unwrap(),
        content_hash: ContentHash::of(text.as_bytes()),
        revision: Revision(1),
        page: None,
        slide: None,
        trail: Vec::new(),
        lines: Some(LineStarts::of(text).lines(span)),
        cell: None,
        span,
        quote: text.to_owned(),
    };
    Hit {
        rank: 1,
        score: 1.0,
        text: text.to_owned(),
        title: None,
        header: None,
        citation,
        cells: Cells::default(),
        language: None,
        by_words: false,
        also_at: Vec::new(),
        signals: None,
    }
}

const QUESTION: &str = "How long was the gateway down on 2 November?";
const GATEWAY: &str = "# Outage\n\nThe gateway accepted nothing for **37 minutes**, from 03:12 to 03:49 UTC.\n\
    Nobody was paged, because the alert was not deployed.\nThe cause was an expired certificate.\n";
const PUMP: &str = "station,pump,liters\nalpha,P-17,140\nbeta,P-18,96\n";

fn check(text: &str, cites: &[(usize, Option<&str>)]) -> Checked {
    let hits = [hit("runs/2026-11-02/outage.md", GATEWAY), hit("pumps.csv", PUMP)];
    let given = fitting(&hits, 12, 10_000);
    let checker = Checker::new(QUESTION, &given, None);
    checker.check(draft(text, cites)).unwrap()
}

fn draft(text: &str, cites: &[(usize, Option<&str>)]) -> Draft {
    let cite = |&(passage, quote): &(usize, Option<&str>)| Cite { passage, quote: quote.map(str::to_owned) };
    Draft { text: text.to_owned(), cites: cites.iter().map(cite).collect() }
}

#[test]
fn a_sentence_in_other_words_is_supported_by_its_quote_and_cites_the_bytes_of_the_file() {
    let checked =
        check("On 2 November 2026 the gateway was down for 37 minutes.", &[(1, Some("nothing for 37 minutes"))]);
    assert_eq!(checked.problem, None);
    let citation = &checked.citations[0];
    assert_eq!(citation.quote, "nothing for **37 minutes**");
    assert_eq!(&GATEWAY[citation.span.range()], citation.quote);
    assert_eq!(citation.lines.unwrap().start, 3);
    assert_eq!(check("The cause was an expired certificate.", &[(1, None)]).problem, None);
    assert_eq!(check("Pump P-17 at station alpha moved 140 liters.", &[(2, Some("alpha,P-17,140"))]).problem, None);
}

#[test]
fn what_a_model_makes_up_is_not_supported_and_the_problem_is_named() {
    let quote = Some("nothing for 37 minutes");
    for (text, cites, problem) in [
        ("The gateway was down for 37 minutes.", &[][..], "cites nothing"),
        ("The gateway was down for 37 minutes.", &[(7, quote)], "passage 7"),
        ("The gateway was down for 37 minutes.", &[(0, quote)], "passage 0"),
        ("The gateway was down for 37 minutes.", &[(2, quote)], "its quote is not in `pumps.csv`"),
        ("The gateway was down for 37 minutes.", &[(1, quote), (1, Some("for 38 minutes"))], "its quote is not in"),
        ("The gateway was down for 12 minutes.", &[(1, quote)], "`12` is not in"),
        ("The gateway was down for twelve minutes.", &[(1, quote)], "`twelve` is not in"),
        ("The gateway GW-9 was down for 37 minutes.", &[(1, quote)], "is not in the words"),
        ("On 3 December the gateway was down.", &[(1, quote)], "`3` is not in"),
        ("The gateway was \"entirely down\" for 37 minutes.", &[(1, quote)], "\"entirely down\""),
        ("The alert was deployed.", &[(1, Some("deployed"))], "denies"),
        ("The cause was not an expired certificate.", &[(1, Some("The cause was an expired certificate"))], "denies"),
        ("Engineers in Oslo restarted every database by hand.", &[(1, quote)], "says more"),
        ("Pump P-18 moved 140 liters.", &[(2, Some("beta,P-18,96"))], "`140` is not in"),
        ("Engineers restarted databases.", &[(1, None)], "quotes nothing"),
    ] {
        let checked = check(text, cites);
        assert!(checked.problem.as_ref().is_some_and(|found| found.contains(problem)), "{text}: {checked:?}");
    }
}

#[test]
fn only_what_the_model_was_given_can_be_cited() {
    let hits = [hit("a.txt", "The first words are given. The last words are not.")];
    let given = [Given { hit: &hits[0], text: &hits[0].text[..26] }];
    let checker = Checker::new("What?", &given, None);
    assert!(checker.is_quote(1, "first words are given"));
    assert!(!checker.is_quote(1, "last words") && !checker.is_quote(2, "first") && !checker.is_quote(0, "first"));
}

/// Text with sentences, lists and rows, of words and numbers.
fn passage() -> impl Strategy<Value = String> {
    let word = "[a-zA-Zäß]{2,9}|not|never|[0-9]{1,4}|[0-9]\\.[0-9]{1,2}|\"[a-z]{3,6} [a-z]{3,6}\"|[A-Z]{3}-[0-9]{2}|\\*\\*[a-z]{3}\\*\\*";
    let sentence = proptest::collection::vec(word, 3..12).prop_map(|words| words.join(" "));
    let end = prop_oneof![Just(". "), Just(".\n"), Just("\n- "), Just("\n\n"), Just(",x,y\n")];
    proptest::collection::vec((sentence, end), 1..6)
        .prop_map(|parts| parts.into_iter().flat_map(|(a, b)| [a, b.to_owned()]).collect())
}

proptest! {
    #[test]
    fn a_verbatim_sentence_with_its_citation_is_always_supported(text in passage(), with_quote: bool) {
        let hits = [hit("a.txt", "Something else stands here."), hit("b.txt", &text)];
        let given = fitting(&hits, 12, 100_000);
        let checker = Checker::new("What is it?", &given, None);
        for unit in units(&text) {
            let sentence = &text[unit.range()];
            let checked = checker.check(draft(sentence, &[(2, with_quote.then_some(sentence))])).unwrap();
            prop_assert_eq!(&checked.problem, &None, "{:?} of {:?}", sentence, text);
            let found = &checked.citations[0];
            prop_assert_eq!(found.span.of(&text), Some(found.quote.as_str()));
        }
    }

    #[test]
    fn a_sentence_with_an_invented_number_is_never_supported(text in passage(), number in 100_000_u32.., with_quote: bool) {
        let hits = [hit("a.txt", &text)];
        let given = fitting(&hits, 12, 100_000);
        let checker = Checker::new("How many in 2026?", &given, None);
        for unit in units(&text) {
            let quote = &text[unit.range()];
            for sentence in [format!("{quote} {number}"), format!("{number} {quote}")] {
                let checked = checker.check(draft(&sentence, &[(1, with_quote.then_some(quote))])).unwrap();
                prop_assert!(checked.problem.is_some(), "{sentence:?}");
            }
        }
    }
}

/// Sentences of the fixtures: file and words, in their order.
fn sentences_of_fixtures() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/workspace");
    let mut files: Vec<_> = ignore::Walk::new(&root).map(|entry| entry.unwrap().into_path()).collect();
    files.retain(|file| {
        file.extension().is_some_and(|extension| ["md", "rst", "txt"].iter().any(|of| extension == *of))
    });
    files.sort();
    let mut sentences = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = String::from_utf8_lossy(&fs_err::read(&file).unwrap()).into_owned();
        sentences.extend(units(&text).into_iter().map(|unit| (name.to_owned(), text[unit.range()].to_owned())));
    }
    sentences
}

/// How many sentences are supported by the sentence before them, which says something else.
fn num_taken_for_their_neighbour(embedder: Option<&dyn crate::embed::Embedder>) -> (usize, usize) {
    let sentences = sentences_of_fixtures();
    let (mut num_wrong, mut num_all) = (0, 0);
    for pair in sentences.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let hits = [hit(&pair[0].0, &pair[0].1)];
        let given = fitting(&hits, 12, 10_000);
        let checker = Checker::new("What is to be known of it?", &given, embedder);
        let problem = checker.check(draft(&pair[1].1, &[(1, Some(&pair[0].1))])).unwrap().problem;
        num_all += 1;
        num_wrong += usize::from(problem.is_none());
    }
    (num_wrong, num_all)
}

#[test]
fn a_sentence_is_hardly_ever_taken_for_its_neighbour() {
    let (num_wrong, num_all) = num_taken_for_their_neighbour(None);
    assert!(num_all > 100 && num_wrong * 100 <= num_all, "by words: {num_wrong} of {num_all}");
    let embedder = crate::embed::testing::embedder();
    let (num_wrong, num_all) = num_taken_for_their_neighbour(Some(&*embedder));
    assert!(num_wrong * 50 <= num_all, "by meaning: {num_wrong} of {num_all}");
}
