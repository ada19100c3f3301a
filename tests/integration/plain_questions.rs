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
    let none = answer(&pincite, "Which files mention RVH-099?");
    let reason = none["reason"].as_str().unwrap();
    assert!(
        none["abstained"] == true && reason.starts_with("nothing was found: no file mentions `rvh-099`"),
        "{reason}"
    );
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

/// A folder as a team leaves it, in English and Japanese.
fn of_a_team() -> (Pincite, tempfile::TempDir) {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    for (path, text) in [
        (
            "runbooks/oncall.md",
            "# On call\n\n## Who to call\n\n| Service | Primary | Escalation |\n|---|---|---|\n| kiln | Ada Brook | Head of clay |\n| oven | \
             Per Vik | Head of clay |\n",
        ),
        (
            "runbooks/kiln.md",
            "# Kiln runbook\n\n## The kiln fails\n\nThe kiln failed twice, because its fuse had blown.\n\n## Rotating the fuse\n\nPer \
             rotates the fuse. Never renew it on a Friday.\n",
        ),
        ("ops/carts.csv", "cart,fuel,capacity_bricks\nC-101,electric,180\nC-117,diesel,220\nC-131,diesel,240\n"),
        (
            "notes/meeting.md",
            "# Meeting\n\n- Ada wants a second chimney for the kiln. Postponed: there is no money before May.\n\n## Actions\n\n- [ ] Per: buy \
             bricks\n- [x] Ada: sweep the yard\n",
        ),
        ("logs/kiln.log", "2027-09-20T04:00:01Z INFO glaze started version=2.14.1\n"),
        (
            "手順/窯.md",
            "# 窯の手順\n\n## 連絡先\n\n窯の故障時の当番は佐藤美咲です。\n\n## 保存\n\n写真は35日間保存します。保存先は大阪です。\n",
        ),
    ] {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    pincite.index(folder.path());
    (pincite, folder)
}

/// The words of an answer with its list, or why there is none.
fn told(reply: &Value) -> String {
    let sentences = reply["sentences"].as_array().unwrap().iter().map(|sentence| sentence["text"].as_str().unwrap());
    let members = reply["listing"]["members"].as_array().into_iter().flatten();
    let members = members.map(|member| member["label"].as_str().unwrap());
    let reason = reply["reason"].as_str().filter(|_| reply["abstained"] == true);
    sentences.chain(members).chain(reason.map(|_| "no answer")).collect::<Vec<_>>().join(" / ")
}

#[test]
fn questions_about_duties_rows_actions_and_what_became_of_a_thing_are_answered() {
    let (pincite, _folder) = of_a_team();
    for (question, expected, unexpected) in [
        // What happened to the kiln is said in no table of duties.
        ("Who is on call when the kiln fails?", "| kiln | Ada Brook | Head of clay |", "oven"),
        // The file `carts.csv` is not the one cart.
        ("Which carts are diesel?", "C-117", "C-101"),
        // The key of a row is no measure.
        ("Which cart has the largest capacity?", "C-131,diesel,240", "C-101"),
        ("List the open actions", "Per: buy bricks", "sweep"),
        ("Is there a second chimney for the kiln?", "Postponed: there is no money before May.", "no answer"),
        ("窯の故障時の当番は誰ですか", "窯の故障時の当番は佐藤美咲です。", "no answer"),
        ("写真は何日間保存しますか", "写真は35日間保存します。", "no answer"),
        ("写真の保存先はどこですか", "保存先は大阪です。", "no answer"),
    ] {
        let reply = answer(&pincite, question);
        let told = told(&reply);
        assert!(told.contains(expected) && !told.contains(unexpected), "{question}: {told}\n{reply:#}");
    }
}

#[test]
fn what_is_said_of_something_near_is_no_answer() {
    let (pincite, _folder) = of_a_team();
    for question in [
        "When was the glaze fuse renewed?",
        "Who is on call for the mixer?",
        "How many bricks did Ada sweep?",
        "ミキサーの当番は誰ですか",
        "録音は何年間保存しますか",
        "佐藤美咲の電話番号は何番ですか",
    ] {
        let reply = answer(&pincite, question);
        assert_eq!(reply["abstained"], true, "{question}: {}", told(&reply));
    }
}

#[test]
fn the_header_of_a_file_of_rows_is_no_sentence() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let keys = "key,owner,rotate_every_days\nmap-vendor,Ada Brook,30\nledger,Per Vik,180\n";
    fs_err::write(folder.path().join("keys.csv"), keys).unwrap();
    pincite.index(folder.path());
    let reply = pincite.run(&["ask", "How is the map vendor key rotated?", "--plan", "retrieval", "--json"]).json();
    assert_eq!(told(&reply), "map-vendor,Ada Brook,30", "{reply:#}");
}
