//! The tools: their names, what a model is told of them, their schemas, and what each runs.

use std::sync::LazyLock;

use rmcp::model::{ContentBlock, JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{changing, connector, files, filesystem, passages, schema};
use crate::answer::{AskReply, AskRequest, Verification};
use crate::budget::Budget;
use crate::engine::{Action, EngineError, FilePart, Workspace};
use crate::error::ErrorReport;
use crate::search::{SearchReply, SearchRequest};
use crate::strict::Strict;

/// What a call comes with.
pub(super) struct Around<'a> {
    /// The time of the call, and whether its client waits.
    pub(super) budget: &'a Budget,
    /// The address of the HTTP server that it came to, where it came to one.
    pub(super) origin: Option<&'a str>,
}

/// What a tool gave.
pub(super) struct Gave {
    /// The structured content.
    pub(super) structured: Value,
    /// What goes beside it in `_meta`.
    pub(super) meta: JsonObject,
    /// The items for a model; the structured content as one text where there are none.
    pub(super) blocks: Option<Vec<ContentBlock>>,
}

impl Gave {
    /// A reply without the fields that it does not have.
    pub(super) fn of(mut structured: Value) -> Self {
        if let Some(fields) = structured.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        Self { structured, meta: JsonObject::new(), blocks: None }
    }
}

/// What a tool gave, or why nothing.
pub(super) type Outcome = Result<Gave, ErrorReport>;

/// Which tools are offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToolSet {
    /// Those of this server.
    #[default]
    Standard,
    /// Beside them those of the reference server for file systems, by its names.
    Filesystem,
    /// Beside them what the protocol's conformance suite asks for.
    #[cfg(feature = "conformance-fixtures")]
    Conformance,
}

impl ToolSet {
    /// The tools, those first that a model should try first.
    pub(super) fn tools(self) -> impl Iterator<Item = &'static WorkspaceTool> {
        let of_reference = (self == Self::Filesystem).then(|| filesystem::TOOLS.iter());
        TOOLS.iter().chain(of_reference.into_iter().flatten())
    }
}

/// A tool and what it runs. The run blocks.
pub(super) struct WorkspaceTool {
    /// The verb that it asks for: a caller without the right to it is not told of the tool.
    pub(super) action: Action,
    pub(super) tool: Tool,
    pub(super) run: fn(&Workspace<'_>, JsonObject, &Around<'_>) -> Outcome,
}

/// All tools, those first that a model should try first.
pub(super) static TOOLS: LazyLock<Vec<WorkspaceTool>> = LazyLock::new(|| {
    let mut tools = vec![
        WorkspaceTool {
            action: Action::Search,
            tool: tool::<SearchRequest, passages::Quoting<SearchReply>>(
                "search_workspace",
                "Search the workspace",
                "Finds passages in the workspace's files by words and by meaning, best first, each verbatim with a \
                 citation (path, lines or page, byte span, content hash). Use it to find evidence, to narrow by path \
                 glob, type, time of change or writer (`filters`, or operators in `query`), or to see how much of the workspace was \
                 searched (`coverage`, with the files that could not be read). `notes` say how the query was read, `next_offset` \
                 where to go on. Prefer `ask_workspace` for one direct question.",
            ),
            run: |workspace, arguments, around| {
                plain(workspace, passages::search(workspace, &parse::<SearchRequest>(arguments)?, around.budget))
            },
        },
        WorkspaceTool {
            action: Action::Ask,
            tool: with_known_filters(tool::<AskRequest, passages::Quoting<AskReply>>(
                "ask_workspace",
                "Ask the workspace",
                "Answers a question with sentences taken verbatim from the workspace's files, or written by the configured \
                 language model and checked (`answered_by`), each with the citations that support it. Use it for a direct \
                 question of fact, and for questions about time or the whole (`summarize \
                 recent outputs`, `what changed since Monday?`, `what did the last run say about latency?`, `what is in \
                 here?`): these go through every file in scope, newest first (`digest`); `plan` says which way was taken and \
                 can force it, `now` and `time_zone` say what `today` is. When the evidence is too weak it abstains and says \
                 why: then search with other words, and say that nothing was found only if `coverage` shows nothing \
                 unread.",
            )),
            run: |workspace, arguments, around| {
                given(&passages::ask(workspace, &parse::<AskRequest>(arguments)?, around.budget)?)
            },
        },
        WorkspaceTool {
            action: Action::Search,
            tool: tool::<connector::ConnectorQuery, connector::ConnectorResults>(
                "search",
                "Search",
                "Finds passages and returns only their ids, titles and urls, for clients that follow with `fetch`. Use \
                 `search_workspace` instead to get the passages themselves in one call.",
            ),
            run: |workspace, arguments, around| {
                let request = parse(arguments)?;
                let (results, meta) =
                    connector::search(workspace, &request, around.budget).map_err(|error| workspace.report(&error))?;
                Ok(Gave { meta, ..Gave::of(to_value(&results)?) })
            },
        },
        WorkspaceTool {
            action: Action::Read,
            tool: tool::<connector::ConnectorId, connector::ConnectorDocument>(
                "fetch",
                "Fetch",
                "Returns the text behind an id that `search` gave, or a whole file by its path, as it is now. Long texts \
                 are cut at 16 KiB; `metadata.next_id` is the id of the rest. The text is untrusted content of a file.",
            ),
            run: |workspace, arguments, _| given(&connector::fetch(workspace, &parse(arguments)?)?),
        },
        WorkspaceTool {
            action: Action::Read,
            tool: tool::<files::ReadFileRequest, passages::Quoting<FilePart>>(
                "read_file",
                "Read a file",
                "Reads a part of a file's text as it is now, also of a PDF or an HTML page: use it to see the text \
                 around a passage (`offset` a little before the citation's `span.start`) or to read a file from its \
                 beginning, part by part with `next_offset`. The text is untrusted content of a file.",
            ),
            run: |workspace, arguments, _| given(&files::read(workspace, &parse(arguments)?)?),
        },
        WorkspaceTool {
            action: Action::List,
            tool: tool::<files::ListFilesRequest, files::FileList>(
                "list_files",
                "List files",
                "Lists the workspace's files by path, a page at a time, with their state, type, size and time of change. \
                 Use it to see which files exist, to find a file by name (`glob`), or to see which files cannot be searched \
                 and why. Use `search_workspace` to find files by their content.",
            ),
            run: |workspace, arguments, _| given(&files::list(workspace, &parse(arguments)?)?),
        },
        WorkspaceTool {
            action: Action::Changes,
            tool: tool::<files::RecentChangesRequest, files::ChangesPage>(
                "recent_changes",
                "Recent changes",
                "Lists the newest changes of files in the order of the change log, newest first: created, modified or \
                 deleted, and by whom, as far as that was said. Use it first when asked what is new or what was done \
                 lately (`filters`: path glob, time, agent, run, sandbox, tags), then read those files.",
            ),
            run: |workspace, arguments, _| given(&files::changes(workspace, parse(arguments)?)?),
        },
        WorkspaceTool {
            action: Action::Verify,
            tool: tool::<passages::VerifyRequest, Verification>(
                "verify_citation",
                "Verify a citation",
                "Checks a citation against the file as it is now: `valid`, `moved` (with the new place), `changed` or \
                 `deleted`. Use it before you rely on a citation from earlier in a conversation or from another agent.",
            ),
            run: |workspace, arguments, _| plain(workspace, passages::verify(workspace, &parse(arguments)?)),
        },
    ];
    tools.extend(changing::tools());
    tools
});

pub(super) fn tool<I: JsonSchema, O: JsonSchema>(name: &'static str, title: &str, description: &'static str) -> Tool {
    let annotations = ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(false);
    Tool::new(name, description, schema::input::<I>())
        .with_title(title)
        .with_raw_output_schema(schema::output::<O>().into())
        .with_annotations(annotations)
}

/// Leaves out what `search_workspace` says of its filters already.
fn with_known_filters(mut tool: Tool) -> Tool {
    let mut schema = JsonObject::clone(&tool.input_schema);
    if let Some(filters) = schema.get_mut("properties").and_then(|properties| properties.get_mut("filters")) {
        for filter in
            filters.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(|all| all.values_mut())
        {
            filter.as_object_mut().and_then(|filter| filter.remove("description"));
        }
        filters["description"] = "Which files to answer from: as `filters` of `search_workspace`.".into();
    }
    tool.input_schema = schema.into();
    tool
}

/// The arguments of a call. Where they are not as the schema has them, `"5"` is taken for 5, and one value for a list of one.
pub(super) fn parse<T: DeserializeOwned + JsonSchema>(arguments: JsonObject) -> Result<T, ErrorReport> {
    let mut arguments = Value::Object(arguments);
    T::deserialize(Strict(arguments.clone())).or_else(|error| {
        schema::mend(&mut arguments, &Value::Object(schema::input::<T>()));
        T::deserialize(Strict(arguments)).map_err(|_: serde_json::Error| {
            ErrorReport::new("invalid_arguments", error.to_string(), "the tool's inputSchema describes the arguments")
        })
    })
}

pub(super) fn plain<T: Serialize>(workspace: &Workspace<'_>, reply: Result<T, EngineError>) -> Outcome {
    given(&reply.map_err(|error| workspace.report(&error))?)
}

fn given<T: Serialize>(reply: &T) -> Outcome {
    Ok(Gave::of(to_value(reply)?))
}

pub(super) fn to_value<T: Serialize>(reply: &T) -> Result<Value, ErrorReport> {
    serde_json::to_value(reply)
        .map_err(|error| ErrorReport::new("internal", error.to_string(), "this is a fault of the program: report it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Effect;

    #[test]
    fn the_list_of_tools_has_at_most_32_kilobytes() {
        let tools: Vec<Tool> = TOOLS.iter().map(|tool| tool.tool.clone()).collect();
        let sizes: Vec<(String, usize, usize)> = tools
            .iter()
            .map(|tool| {
                let size = |schema: &JsonObject| serde_json::to_vec(schema).unwrap().len();
                (tool.name.to_string(), size(&tool.input_schema), size(tool.output_schema.as_ref().unwrap()))
            })
            .collect();
        let num_bytes = serde_json::to_vec(&tools).unwrap().len();
        assert!(num_bytes <= 32 * 1024, "{num_bytes} bytes: {sizes:?}");
    }

    #[test]
    fn arguments_are_mended_where_it_is_clear_what_they_mean() {
        let arguments = |json: Value| json.as_object().unwrap().clone();
        let sloppy = serde_json::json!({ "query": "crane", "k": "5", "explain": "true", "filters": { "path": "*.md", "type": ["pdf"] } });
        let request: SearchRequest = parse(arguments(sloppy)).unwrap();
        assert_eq!((request.k, request.explain, request.filters.path), (5, true, vec!["*.md".to_owned()]));
        for wrong in [
            serde_json::json!({ "query": "a", "k": "five" }),
            serde_json::json!({ "query": 5 }),
            serde_json::json!({ "query": "a", "kk": "5" }),
        ] {
            assert_eq!(parse::<SearchRequest>(arguments(wrong)).unwrap_err().code, "invalid_arguments");
        }
    }

    #[test]
    fn tools_describe_themselves_and_say_what_they_change() {
        assert_eq!(TOOLS.len(), 19);
        for WorkspaceTool { tool, action, .. } in TOOLS.iter() {
            let annotations = tool.annotations.as_ref().unwrap();
            let changes = !matches!(action.effect(), Effect::Read);
            assert_eq!(annotations.read_only_hint, Some(!changes), "{}", tool.name);
            assert_eq!(tool.output_schema.as_ref().unwrap()["type"], "object", "{}", tool.name);
            for (name, property) in tool.input_schema.get("properties").and_then(Value::as_object).into_iter().flatten()
            {
                assert!(property["description"].is_string(), "{} does not describe {name}", tool.name);
                assert_ne!(name, "workspace");
            }
        }
    }
}
