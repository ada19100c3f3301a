//! The names of the Model Context Protocol's reference server for file systems, for prompts that were written for it. They are offered where
//! `--tools filesystem` asks for them, beside the other tools, which take that server's arguments as well (`oldText`, `source`, …).
//!
//! # Invariants
//! - A reply is the text that the reference server would give, as the one item and as `content` of the structured result; a picture or sound is
//!   an item of its own kind.
//! - A folder is shown where it holds a file that the caller sees, or where it is on disk and the caller would see a file in it.
//! - What is left out because it is too long is told in the last line.
//!
//! Source: `@modelcontextprotocol/server-filesystem` 2026.8.31, its README and schemas.

mod folders;
mod reading;

use std::sync::LazyLock;

use rmcp::model::{JsonObject, Tool};
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tools::{Gave, Outcome, WorkspaceTool, parse, to_value, tool};
use crate::engine::{Action, EngineError, Workspace};
use crate::error::ErrorReport;
use crate::workspace::RelPath;

/// The text that a tool gives.
#[derive(Debug, Serialize, JsonSchema)]
struct Text {
    /// The text.
    content: String,
}

/// A file or folder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AtPath {
    /// The file or folder, from the workspace's folder on.
    path: String,
}

/// The tools.
pub(super) static TOOLS: LazyLock<Vec<WorkspaceTool>> = LazyLock::new(|| {
    let mut tools = reading::tools();
    tools.extend(folders::tools());
    tools.push(WorkspaceTool {
        action: Action::List,
        tool: tool::<folders::Nothing, Text>(
            "list_allowed_directories",
            "List allowed directories",
            "Says where files may be read and written: the workspace's folder, `.`, and all below it.",
        ),
        run: |_, arguments, _| {
            let folders::Nothing {} = parse(arguments)?;
            text("Allowed directories:\n.".to_owned())
        },
    });
    tools
});

/// A result that is one text.
fn text(content: String) -> Outcome {
    let blocks = vec![rmcp::model::ContentBlock::text(content.clone())];
    Ok(Gave { blocks: Some(blocks), ..Gave::of(to_value(&Text { content })?) })
}

fn reported<T>(workspace: &Workspace<'_>, result: Result<T, EngineError>) -> Result<T, ErrorReport> {
    result.map_err(|error| workspace.report(&error))
}

/// The folder that a path names; `None` for the workspace's own.
fn folder_of(workspace: &Workspace<'_>, path: &str) -> Result<Option<RelPath>, ErrorReport> {
    reported(workspace, workspace.folder_of(path))
}

fn file_of(workspace: &Workspace<'_>, path: &str) -> Result<RelPath, ErrorReport> {
    reported(workspace, workspace.path_of(path))
}

/// A tool that makes something, and does so once however often it is called.
fn making<I: JsonSchema>(name: &'static str, title: &str, description: &'static str) -> Tool {
    let annotations = rmcp::model::ToolAnnotations::new();
    let annotations = annotations.read_only(false).destructive(false).idempotent(true).open_world(false);
    tool::<I, Text>(name, title, description).with_annotations(annotations)
}

/// The lines that fit into a reply, and how many were left out.
fn fitting(lines: Vec<String>, hint: &str) -> String {
    let (mut num_bytes, total) = (0, lines.len());
    let kept: Vec<String> = lines
        .into_iter()
        .take_while(|line| {
            num_bytes += line.len() + 1;
            num_bytes <= MAX_LIST_BYTES
        })
        .collect();
    let num_left_out = total - kept.len();
    let text = kept.join("\n");
    if num_left_out > 0 { format!("{text}\n[{num_left_out} more are left out: {hint}]") } else { text }
}

/// The most bytes of a list: as text and as structured content it is sent twice.
const MAX_LIST_BYTES: usize = 20 * 1024;

/// Arguments as they came.
type Arguments = JsonObject;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_of_the_reference_server_is_there_by_name() {
        let shared = ["write_file", "edit_file", "move_file"];
        let of_reference = [
            "read_text_file",
            "read_media_file",
            "read_multiple_files",
            "create_directory",
            "list_directory",
            "list_directory_with_sizes",
            "directory_tree",
            "search_files",
            "get_file_info",
            "list_allowed_directories",
        ];
        let names: Vec<&str> = TOOLS.iter().map(|tool| &*tool.tool.name).collect();
        assert_eq!(names, of_reference);
        let standard: Vec<&str> = super::super::tools::TOOLS.iter().map(|tool| &*tool.tool.name).collect();
        assert!(shared.iter().all(|name| standard.contains(name)));
        assert!(!of_reference.iter().any(|name| standard.contains(name)), "no name stands for two tools");
    }

    #[test]
    fn a_long_list_says_how_much_is_left_out() {
        assert_eq!(fitting(vec!["a".into(), "b".into()], "look deeper"), "a\nb");
        let long = fitting(vec!["x".repeat(1_000); 30], "look deeper");
        assert!(long.ends_with("\n[10 more are left out: look deeper]"), "{}", &long[long.len() - 60..]);
    }
}
