//! The tools that change files and hold locks, and the one that looks for lines.

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::schemars;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds;
use super::passages::Quoting;
use super::tools::{WorkspaceTool, parse, plain, tool};
use crate::budget::Budget;
use crate::engine::{
    Action, DeleteRequest, EditRequest, EngineError, FileReply, GrepReply, GrepRequest, LockList, MoveRequest, NewLock,
    NewUpload, Released, UploadLink, Workspace, WriteRequest,
};
use crate::error::ErrorReport;
use crate::workspace::Lock;

/// A lock to extend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExtendRequest {
    /// The lock.
    lock_id: String,
    /// Its token.
    token: String,
    /// For how many seconds from now on, 10 to 3,600; as long as before when absent.
    #[serde(default)]
    ttl_s: Option<u32>,
}

/// A lock to release.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseRequest {
    /// The lock.
    lock_id: String,
    /// Its token.
    token: String,
}

/// Nothing has to be said.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The tools.
pub(super) fn tools() -> impl Iterator<Item = WorkspaceTool> {
    of_files().into_iter().chain(of_locks())
}

fn of_files() -> Vec<WorkspaceTool> {
    vec![
        WorkspaceTool {
            action: Action::Read,
            tool: tool::<GrepRequest, Quoting<GrepReply>>(
                "grep_files",
                "Look for lines",
                "Finds the lines that hold a word or match a regular expression, in the text of files as they are now, also of PDFs and \
                 Office files, each with a citation. Use it for an exact name or number, and `search_workspace` for a meaning.",
            ),
            run: |workspace, arguments, around| plain(workspace, grep(workspace, &parse(arguments)?, around.budget)),
        },
        WorkspaceTool {
            action: Action::Write,
            tool: changes::<WriteRequest, FileReply>(
                "write_file",
                "Write a file",
                "Writes a whole file, or nothing. Give `if_match` with the `etag` that you read (`absent` for a new file), so that \
                 nobody's work is lost: a `conflict` says who changed what, and `on_conflict` \"merge\" brings both together. Use `edit_file` \
                 to change a part.",
                (true, true),
            ),
            run: |workspace, arguments, _| plain(workspace, parse::<WriteRequest>(arguments)?.run(workspace.again())),
        },
        WorkspaceTool {
            action: Action::Write,
            tool: changes::<EditRequest, FileReply>(
                "edit_file",
                "Edit a file",
                "Changes a text file by the words that stand there: each `old_text` must stand exactly once, all edits are made or none, and \
                 the reply has the difference. Line ends and encoding stay. `append` and `insert_after_heading` add to notes.",
                (true, false),
            ),
            run: |workspace, arguments, _| plain(workspace, parse::<EditRequest>(arguments)?.run(workspace.again())),
        },
        WorkspaceTool {
            action: Action::Move,
            tool: changes::<MoveRequest, FileReply>(
                "move_file",
                "Move a file",
                "Gives a file another path, or a folder with its files. Writers stay known.",
                (true, false),
            ),
            run: |workspace, arguments, _| {
                plain(workspace, parse::<MoveRequest>(arguments)?.move_in(workspace.again()))
            },
        },
        WorkspaceTool {
            action: Action::Write,
            tool: changes::<MoveRequest, FileReply>(
                "copy_file",
                "Copy a file",
                "Writes the content of a file under another path.",
                (true, true),
            ),
            run: |workspace, arguments, _| {
                plain(workspace, parse::<MoveRequest>(arguments)?.copy_in(workspace.again()))
            },
        },
        WorkspaceTool {
            action: Action::Delete,
            tool: changes::<DeleteRequest, FileReply>(
                "delete_file",
                "Delete a file",
                "Deletes a file. After the reply nothing of it is found any more.",
                (true, false),
            ),
            run: |workspace, arguments, _| plain(workspace, parse::<DeleteRequest>(arguments)?.run(workspace.again())),
        },
        WorkspaceTool {
            action: Action::LinkUpload,
            tool: changes::<NewUpload, UploadLink>(
                "create_upload",
                "Make a link for an upload",
                "Gives a URL that takes one large file by `PUT` within 15 minutes, without a key: `curl -T FILE URL`.",
                (false, false),
            ),
            run: |workspace, arguments, around| {
                let Some(origin) = around.origin else {
                    let message = "this server has no HTTP address, and so no link";
                    let hint =
                        "use `write_file`, or put the file into the workspace's folder; `pincite serve` gives links";
                    return Err(ErrorReport::new("no_http_address", message, hint));
                };
                plain(workspace, workspace.create_upload(&parse(arguments)?, origin))
            },
        },
    ]
}

fn of_locks() -> Vec<WorkspaceTool> {
    vec![
        WorkspaceTool {
            action: Action::Lock,
            tool: changes::<NewLock, Lock>(
                "lock_file",
                "Lock files",
                "Takes a lease on a file, or on all that match a glob: until it is over, only writes with its `token` (`lock_token`) are taken. \
                 Extend it every `heartbeat_every_s` seconds while you work, and release it. Where others hold it, the error says who and when \
                 to ask again; `wait_ms` waits in line.",
                (false, false),
            ),
            run: |workspace, arguments, _| plain(workspace, workspace.take_lock(&parse(arguments)?)),
        },
        WorkspaceTool {
            action: Action::Lock,
            tool: changes::<ExtendRequest, Lock>(
                "extend_lock",
                "Extend a lock",
                "Prolongs a lock from now on. `lock_lost` says that it is over: read the files again before you write.",
                (false, true),
            ),
            run: |workspace, arguments, _| {
                let ExtendRequest { lock_id, token, ttl_s } = parse(arguments)?;
                plain(workspace, workspace.extend_lock(&lock_id, &token, ttl_s))
            },
        },
        WorkspaceTool {
            action: Action::Unlock,
            tool: changes::<ReleaseRequest, Released>(
                "unlock_file",
                "Release a lock",
                "Releases a lock. One that is over is released as well.",
                (false, true),
            ),
            run: |workspace, arguments, _| {
                let ReleaseRequest { lock_id, token } = parse(arguments)?;
                plain(workspace, workspace.release_lock(&lock_id, &token))
            },
        },
        WorkspaceTool {
            action: Action::ListLocks,
            tool: tool::<Nothing, LockList>(
                "list_locks",
                "List locks",
                "Lists the locks that are held, by whom and until when.",
            ),
            run: |workspace, arguments, _| {
                let Nothing {} = parse(arguments)?;
                plain(workspace, workspace.locks())
            },
        },
    ]
}

/// A tool that changes something: whether that may destroy, and whether to call it twice changes no more than once.
fn changes<I: JsonSchema, O: JsonSchema>(
    name: &'static str,
    title: &str,
    description: &'static str,
    (is_destructive, is_idempotent): (bool, bool),
) -> Tool {
    let annotations =
        ToolAnnotations::new().read_only(false).destructive(is_destructive).idempotent(is_idempotent).open_world(false);
    let mut tool = tool::<I, O>(name, title, description).with_annotations(annotations);
    if name != FIRST {
        let mut schema = JsonObject::clone(&tool.input_schema);
        let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (_, field) in fields.into_iter().flatten().filter(|(name, _)| COMMON.contains(&name.as_str())) {
            field["description"] = format!("See `{FIRST}`.").into();
        }
        tool.input_schema = schema.into();
    }
    tool
}

/// The tool that says what every request to change a file can say; the others refer to it.
const FIRST: &str = "write_file";
const COMMON: [&str; 8] =
    ["if_match", "lock_token", "idempotency_key", "agent", "run", "sandbox", "tags", "wait_searchable_ms"];

fn grep(workspace: &Workspace<'_>, request: &GrepRequest, budget: &Budget) -> Result<Quoting<GrepReply>, EngineError> {
    let mut reply = workspace.grep(request, budget)?;
    let mut matches = std::mem::take(&mut reply.matches);
    let num_found = matches.len();
    matches.truncate(bounds::num_fitting(&matches, bounds::size(&reply)).max(1));
    let num_left_out = num_found - matches.len();
    if let Some(last) = matches.last().filter(|_| num_left_out > 0) {
        // Lines that begin behind it were not shown.
        reply.next_cursor = Some(format!("{}:{}", last.citation.span.end, last.citation.path));
    }
    reply.matches = matches;
    let next = format!("{num_left_out} more lines match: ask again with `cursor`");
    Ok(Quoting::new(reply).with_next((num_left_out > 0).then_some(next)))
}
