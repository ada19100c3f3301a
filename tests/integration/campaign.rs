//! The campaign of `tests/python/campaign.py`, its short form: each part a test, so that they run side by side.
//!
//! `python3 tests/python/campaign.py target/release/pincite --long` is the long form, and `docs/measured.md` has its figures. What a crash
//! leaves is tried by `crash.rs`, which the campaign's part `killed` is, too.
#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::Value;

use crate::indexed::runtime_folder;
use crate::python;

/// The seed of the parts, unless `PINCITE_CAMPAIGN_SEED` says otherwise.
const SEED: &str = "1";

fn assert_no_fault(part: &str) {
    let mut command = Command::new(python::interpreter());
    command.arg(python::scripts().join("campaign.py")).args([env!("CARGO_BIN_EXE_pincite"), part, "--seed"]);
    command.arg(std::env::var("PINCITE_CAMPAIGN_SEED").unwrap_or_else(|_| SEED.to_owned()));
    if std::env::var("PINCITE_CAMPAIGN").is_ok_and(|form| form == "long") {
        command.arg("--long");
    }
    command.env("PINCITE_RUNTIME_DIR", runtime_folder()).env_remove("PINCITE_LOG").env_remove("PINCITE_ANSWER_API_KEY");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(output.status.success() && told[part]["faults"] == Value::Array(Vec::new()), "{told:#}\n{said}");
    assert!(told[part]["tries"].as_u64().is_some_and(|tries| tries > 0), "{told:#}");
}

macro_rules! parts {
    ($($test:ident: $part:literal;)*) => {
        $(#[test]
        fn $test() {
            assert_no_fault($part);
        })*

        #[test]
        fn every_part_of_the_campaign_is_run() {
            let script = fs_err::read_to_string(python::scripts().join("campaign.py")).unwrap();
            let table = script.split_once("PARTS = {").unwrap().1.split_once('}').unwrap().0;
            let listed: Vec<&str> = table.lines().filter_map(|line| line.split('"').nth(1)).collect();
            assert_eq!(listed, [$($part,)* "killed"]);
        }
    };
}

parts! {
    the_description_of_rest_says_what_is_taken_and_what_is_not: "openapi";
    json_rpc_that_is_wrong_in_any_way_is_survived_over_standard_input: "mcp-stdio";
    json_rpc_that_is_wrong_in_any_way_is_survived_over_http: "mcp-http";
    slow_and_deaf_clients_hold_up_nobody_and_are_cut_off: "slow-clients";
    a_folder_exchanged_for_a_link_lets_no_verb_of_rest_out: "exchange";
    links_pipes_sockets_and_devices_hold_up_nothing: "zoo";
    a_folder_of_many_files_is_found_changed_and_gone: "many-files";
    folders_in_folders_are_read_up_to_their_limit: "deep";
    too_few_descriptors_are_told_and_lose_nothing: "descriptors";
    times_far_ahead_and_behind_hide_no_change: "clocks";
    a_database_that_another_process_locks_loses_nothing: "locked";
    a_full_disk_refuses_writes_and_loses_nothing: "full-disk";
}
