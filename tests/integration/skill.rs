//! The skill for agents, `skills/pincite`: valid as the reference validator has it, and right in what it says of this program.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::python;

fn skill() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("skills/pincite")
}

fn text() -> String {
    fs_err::read_to_string(skill().join("SKILL.md")).unwrap()
}

#[test]
fn the_skill_is_valid_and_its_commands_run_as_they_are_written() {
    let mut command = Command::new(python::interpreter());
    command.arg(python::scripts().join("skill.py")).arg(env!("CARGO_BIN_EXE_pincite")).arg(skill());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(output.status.success(), "{told:#}\n{said}");
    let frontmatter = &told["frontmatter"];
    assert_eq!(frontmatter["metadata"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(frontmatter["license"], env!("CARGO_PKG_LICENSE"));
    let ran = told["ran"].as_array().unwrap();
    let out = |words: &str| {
        let block = ran.iter().find(|block| block["block"].as_str().unwrap().contains(words)).unwrap();
        block["out"].as_str().unwrap()
    };
    assert!(out("pincite search \"calibrated").starts_with("valid: "), "{told:#}");
    assert!(out("pincite ask").contains("every 90 days. [1]"), "{told:#}");
    // Behind the lines of the first command is the document of the second.
    let synced = out("pincite sync");
    let flushed: Value = serde_json::from_str(&synced[synced.find('{').unwrap()..]).unwrap();
    assert_eq!(
        (&flushed["uploaded"], &flushed["left"]),
        (&Value::from(1), &Value::from(Vec::<Value>::new())),
        "{told:#}"
    );
}

/// A registry of skills compares what a skill declares with what it does.
#[test]
fn the_skill_declares_each_program_and_variable_that_it_uses_and_no_other() {
    let text = text();
    let (frontmatter, body) = text.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
    let declared = |list: &str| -> Vec<&str> {
        let lines = frontmatter.lines().skip_while(|line| line.trim() != list).skip(1);
        lines.map_while(|line| line.trim().strip_prefix("- ")).collect()
    };
    let mut variables: Vec<&str> = body
        .match_indices("$PINCITE_")
        .map(|(at, _)| body[at + 1..].split(|c: char| !(c.is_ascii_uppercase() || c == '_')).next().unwrap())
        .collect();
    variables.sort_unstable();
    variables.dedup();
    let mut env = declared("env:");
    env.sort_unstable();
    assert_eq!(env, variables);
    assert_eq!(declared("bins:"), ["pincite", "curl", "python3"]);
    for program in declared("bins:") {
        assert!(body.contains(&format!("\n{program} ")), "{program} is not used");
    }
}

#[test]
fn the_tools_that_the_skill_names_are_those_of_mcp() {
    let tools = fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mcp.md")).unwrap();
    let text = text();
    let named: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("MCP: ")).collect();
    let named: Vec<&str> = named.iter().flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 12, "{named:?}");
    for name in named {
        assert!(tools.lines().any(|line| line.starts_with('|') && line.contains(&format!("`{name}`"))), "{name}");
    }
}
