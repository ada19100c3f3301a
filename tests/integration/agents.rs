//! Twenty agents at work on the same five files while agents and servers are killed: `tests/python/agents.py`, its short form.
//!
//! `python3 tests/python/agents.py target/release/pincite --long` is the long form, and `docs/measured.md` has its figures.
#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::Value;

use crate::python;

/// The seed, unless `PINCITE_CAMPAIGN_SEED` says otherwise.
const SEED: &str = "1";

#[test]
fn twenty_agents_lose_no_edit_and_share_no_lock_under_kills_and_takeovers() {
    let mut command = Command::new(python::interpreter());
    command.arg(python::scripts().join("agents.py")).args([env!("CARGO_BIN_EXE_pincite"), "--seed"]);
    command.arg(std::env::var("PINCITE_CAMPAIGN_SEED").unwrap_or_else(|_| SEED.to_owned()));
    if std::env::var("PINCITE_CAMPAIGN").is_ok_and(|form| form == "long") {
        command.arg("--long");
    }
    let output = command.env_remove("PINCITE_LOG").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(output.status.success() && told["faults"] == Value::Array(Vec::new()), "{told:#}\n{said}");
    let count = |name: &str| told["counts"][name].as_u64().unwrap_or_default();
    let names = ["accepted", "answered again", "lock_file: done", "killed agents", "killed servers"];
    assert!(names.iter().all(|name| count(name) > 0), "{told:#}");
}
