//! Crashes of the whole program, at moments that nobody chose.

use std::path::Path;

use serde_json::Value;

use crate::indexed::runtime_folder;
use crate::python;

/// How often the server is killed, unless `PINCITE_CRASH_CYCLES` says otherwise.
const NUM_CYCLES: &str = "8";

#[cfg(unix)]
#[test]
fn a_server_killed_again_and_again_loses_nothing_and_shows_nothing_stale() {
    let from_env = |name: &str, other: &str| std::env::var(name).unwrap_or_else(|_| other.to_owned());
    let cycles = from_env("PINCITE_CRASH_CYCLES", NUM_CYCLES);
    let seed = from_env("PINCITE_CRASH_SEED", "1");
    let mut campaign = std::process::Command::new("python3");
    campaign.arg(python::scripts().join("crash_campaign.py"));
    campaign.arg(Path::new(env!("CARGO_BIN_EXE_pincite"))).args([&cycles, &seed]);
    campaign.env("PINCITE_RUNTIME_DIR", runtime_folder()).env_remove("PINCITE_LOG");
    let output = campaign.output().expect("Python 3.11 or newer as `python3`");
    let said = String::from_utf8_lossy(&output.stderr);
    let counted: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let zeros = ["lost", "phantom", "duplicate"].map(|kind| counted[kind].as_u64());
    assert!(output.status.success() && zeros == [Some(0); 3], "{counted:#}\n{said}");
    assert_eq!(counted["cycles"].to_string(), cycles, "{counted:#}");
}
