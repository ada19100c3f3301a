//! Passages and checks: what is supported and what is not.

use proptest::prelude::*;

use super::check::{Checked, Checker};
use super::draft::{Cite, Draft};
use super::prompt::{Given, fitting};
use crate::answer::sentences::units;
use crate::search::Hit;
use crate::workspace::{Cells, Citation, ContentHash, LineStarts, Provenance, Revision, Span, WorkspaceId};

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
        provenance: Provenance::default(),
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
        superseded_by: None,
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
        ("Engineers restarted every database by hand.", &[(1, quote)], "says more"),
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

/// What a model may make of the post-mortem of the fixtures, each with its quote.
const RIGHT: [(&str, &str); 12] = [
    ("The gateway was down for 37 minutes.", "accepted nothing for 37 minutes"),
    ("No reading that had been acknowledged was lost.", "No acknowledged reading was lost"),
    (
        "18,204 readings were stored twice and removed afterwards.",
        "18,204 readings were stored twice and later removed",
    ),
    ("The age of a segment was measured by the wall clock.", "measured the age of a segment with the wall clock"),
    (
        "The first page reached a duty engineer who had no signal on the ferry.",
        "duty engineer, who is on the ferry without signal",
    ),
    (
        "At 03:41 Signe Aldal got the second page and called operations.",
        "second page reaches Signe Aldal, who calls operations",
    ),
    ("It was restarted at 03:49.", "restart; the writer starts a new segment"),
    ("The rotation of segments panicked over a negative age.", "segment rotation computes a negative age"),
    ("A failed rotation is now tried again on a fresh segment.", "A rotation that fails is retried on a fresh segment"),
    ("Two people are paged at once now.", "Pages go to two people at once"),
    ("By 04:02 the backlog of the 60 stations had drained.", "The backlog of all 60 stations had drained at 04:02"),
    (
        "Duplicates of a station within 900 seconds are dropped.",
        "Duplicates within 900 seconds are recognised by station",
    ),
];

/// And what it may get wrong.
const WRONG: [(&str, &str); 10] = [
    ("The gateway was down for 49 minutes.", "accepted nothing for 37 minutes"),
    ("No readings were stored twice.", "18,204 readings were stored twice"),
    ("Acknowledged readings were lost.", "No acknowledged reading was lost. 18,204 readings were"),
    ("Signe Aldal was the duty engineer on the ferry.", "duty engineer, who is on the ferry without signal"),
    ("The second page came at 03:14.", "second page reaches Signe Aldal"),
    ("It was restarted at 03:41.", "restart; the writer starts a new segment"),
    ("Three people are paged at once now.", "Pages go to two people at once"),
    ("By 04:02 the backlog of all 90 stations had drained.", "The backlog of all 60 stations had drained at 04:02"),
    ("The database was corrupted by an attacker.", "Loggers kept everything"),
    ("Tomas Okoro measured the age of a segment.", "measured the age of a segment with the wall clock"),
];

#[test]
fn what_the_postmortem_says_in_other_words_is_supported_and_what_it_does_not_say_is_not() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/workspace");
    let path = "runs/2026-11-03-coder-03/postmortem.md";
    let text = fs_err::read_to_string(root.join(path)).unwrap();
    let hits = [hit(path, &text)];
    let given = fitting(&hits, 12, 10_000);
    let embedder = crate::embed::testing::embedder();
    for embedder in [None, Some(&*embedder)] {
        let checker = Checker::new("What was the outage?", &given, embedder);
        let problem = |(sentence, quote): &(&str, &str)| {
            let problem = checker.check(draft(sentence, &[(1, Some(quote))])).unwrap().problem;
            format!("{sentence}: {}", problem.as_deref().unwrap_or("supported"))
        };
        let (right, wrong): (Vec<_>, Vec<_>) =
            (RIGHT.iter().map(problem).collect(), WRONG.iter().map(problem).collect());
        let num_supported = |of: &[String]| of.iter().filter(|problem| problem.ends_with(": supported")).count();
        // One says it in words of its own.
        assert!(num_supported(&right) + 1 >= RIGHT.len(), "{right:#?}");
        assert_eq!(num_supported(&wrong), 0, "{wrong:#?}");
    }
}
