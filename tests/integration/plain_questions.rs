//! Questions for lists, numbers and cells, asked as a user does: the members are named, and what is not there is not answered.

use crate::cli::Pincite;
use serde_json::{Value, json};

fn asked() -> (Pincite, tempfile::TempDir) {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    for (path, text) in [
        ("data/stations.csv", "code,sensor,firmware\nRVH-030,float,3.1.4\nRVH-031,radar,3.0.9\n"),
        ("plans/decisions/0001-wire.md", "# Decision 1: the wire\n\nFrames are CBOR.\n"),
        ("plans/decisions/0002-keep.md", "# Decision 2: how long\n\nReadings are kept for 30 days.\n"),
        ("notes/mast.txt", "The mast of RVH-031 is loose.\n"),
    ] {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    pincite.index(folder.path());
    (pincite, folder)
}

fn answer(pincite: &Pincite, question: &str) -> Value {
    pincite.run(&["ask", question, "--json"]).json()
}

#[test]
fn files_that_mention_a_word_are_all_named_and_all_files_accounted_for() {
    let (pincite, _folder) = asked();
    let reply = answer(&pincite, "Which files mention RVH-031?");
    let listing = &reply["listing"];
    assert_eq!((&listing["num_members"], &listing["num_files"]), (&json!(2), &json!(4)), "{reply:#}");
    let paths: Vec<&Value> = listing["members"].as_array().unwrap().iter().map(|member| &member["path"]).collect();
    assert_eq!(paths, ["data/stations.csv", "notes/mast.txt"]);
    assert_eq!(answer(&pincite, "Which files mention RVH-099?")["abstained"], true);
}

#[test]
fn members_are_counted_by_the_folder_that_is_named_so() {
    let (pincite, _folder) = asked();
    let reply = answer(&pincite, "How many decisions have been made?");
    assert_eq!((&reply["plan"]["kind"], &reply["listing"]["num_members"]), (&json!("count"), &json!(2)), "{reply:#}");
}

#[test]
fn a_cell_is_found_by_its_row_and_column_and_a_row_that_is_not_there_is_not() {
    let (pincite, _folder) = asked();
    let reply = answer(&pincite, "What sensor does RVH-031 have?");
    assert_eq!(reply["sentences"][0]["text"], "RVH-031,radar,3.0.9", "{reply:#}");
    let fields = reply["sentences"][0]["fields"].as_array().unwrap();
    assert!(fields.contains(&json!({ "name": "sensor", "value": "radar" })), "{reply:#}");
    assert_eq!(answer(&pincite, "What sensor does RVH-061 have?")["abstained"], true);
}

#[test]
fn what_a_newer_file_replaces_comes_last_and_names_it() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    for (path, text) in [
        ("hotel-v1.md", "# Hotels\n\nThe hotel limit is 120 EUR per night.\n"),
        ("hotel-v2.md", "# Hotels\n\nThis replaces version 1.\n\nThe hotel limit is 150 EUR per night.\n"),
    ] {
        fs_err::write(folder.path().join(path), text).unwrap();
    }
    pincite.index(folder.path());
    let reply = answer(&pincite, "What is the hotel limit?");
    let sentences = reply["sentences"].as_array().unwrap();
    assert_eq!(sentences[0]["text"], "The hotel limit is 150 EUR per night.", "{reply:#}");
    let is_old = |sentence: &&Value| sentence["text"].as_str().unwrap().contains("120");
    assert!(sentences.iter().filter(is_old).all(|old| old["superseded_by"] == "hotel-v2.md"), "{reply:#}");
    let hits = |query: &str| -> Vec<(Value, Value)> {
        let reply = pincite.run(&["search", query, "--json"]).json();
        let hits = reply["hits"].as_array().unwrap().iter();
        hits.map(|hit| (hit["citation"]["path"].clone(), hit["superseded_by"].clone())).collect()
    };
    let (old, new) = ((json!("hotel-v1.md"), json!("hotel-v2.md")), (json!("hotel-v2.md"), Value::Null));
    assert_eq!(hits("hotel 120"), [old.clone(), new.clone()]);
    assert_eq!(hits("current hotel 120"), [new, old]);
}

#[test]
fn a_section_that_the_question_names_answers_it_as_a_whole() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let text = "# Plan\n\nThe plan has dates.\n\n## Risks\n\n- The importer writes local time.\n- The modem drops long packets.\n\n## Dates\n\nIt \
                begins on Monday with the first station.\n";
    fs_err::write(folder.path().join("plan.md"), text).unwrap();
    pincite.index(folder.path());
    let reply = answer(&pincite, "What are the risks?");
    let sentences = reply["sentences"].as_array().unwrap();
    for text in ["The importer writes local time.", "The modem drops long packets."] {
        let found = sentences.iter().find(|sentence| sentence["text"] == text).unwrap_or_else(|| panic!("{reply:#}"));
        assert!(found["place"].as_str().unwrap().ends_with("Risks"), "{reply:#}");
    }
}
