//! Documents in several languages in one workspace, from the command line.

use crate::cli::Pincite;
use crate::indexed;
use pincite::engine::{Caller, Surface};

const GERMAN: &str = "Die alten Häuser am Hafen wurden im Frühjahr von der Gemeinde verkauft, weil die Sanierung der Dächer zu teuer \
                      geworden wäre. Die neuen Eigentümer wollen dort Wohnungen für Familien bauen.";
const ENGLISH: &str = "The houses at the harbour were sold by the council in spring, because mending their roofs would have been too \
                       expensive. Their new owners want to build flats for families there.";

#[test]
fn words_are_found_by_the_stems_of_their_own_language() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("bericht.md"), GERMAN).unwrap();
    fs_err::write(folder.path().join("report.md"), ENGLISH).unwrap();
    pincite.index(folder.path());
    let first = |words: &str| {
        let reply = pincite.run(&["search", words, "--mode", "lexical", "--json"]).json();
        reply["hits"][0]["citation"]["path"].as_str().map(str::to_owned)
    };
    for (words, path) in [
        ("Haus", "bericht.md"),
        ("verkaufte Wohnung", "bericht.md"),
        ("Eigentuemer Dach Hafens", "bericht.md"),
        ("house", "report.md"),
        ("an expensive flat", "report.md"),
        ("selling owners", "report.md"),
    ] {
        assert_eq!(first(words).as_deref(), Some(path), "{words}");
    }
    let extract = pincite.run(&["extract", folder.path().join("bericht.md").to_str().unwrap(), "--json"]).json();
    assert_eq!(extract["spoken_language"], "de", "{extract}");
}

#[test]
fn what_the_model_does_not_know_is_found_by_its_words_and_counted() {
    let indexed = indexed::shared();
    let status = indexed
        .engine
        .workspace(&indexed::named("default"), &Caller::local(Surface::CommandLine))
        .unwrap()
        .status()
        .unwrap();
    let notes = &status.coverage.notes;
    let said = "chunks are in languages that the model does not know (ja ";
    assert!(notes.iter().any(|note| note.contains(said)), "{notes:?}");
    assert!((status.coverage.embedded_fraction - 1.0).abs() < f64::EPSILON, "nothing waits for a vector");
    let files = indexed
        .engine
        .workspace(&indexed::named("default"), &Caller::local(Surface::CommandLine))
        .unwrap()
        .files(Some("**/*記録.md"))
        .unwrap();
    assert_eq!(files.iter().filter_map(|file| file.language).map(String::from).collect::<Vec<_>>(), ["ja"]);
}
