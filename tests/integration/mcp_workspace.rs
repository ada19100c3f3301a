//! What MCP offers beside the standard tools: files as resources, subscriptions to them, prompts, and the names of the reference server for
//! file systems. The official Python client uses them, over HTTP and over standard input and output.

use std::sync::Arc;

use pincite::mcp::ToolSet;
use pincite::serve::{self, Options};
use pincite::workspace::Scope;
use serde_json::{Value, json};

use crate::cli::Pincite;
use crate::indexed::named;
use crate::keys::Keyed;
use crate::python;
use crate::remote::Server;

/// An indexed folder.
struct Desk {
    folder: tempfile::TempDir,
    pincite: Pincite,
}

impl Desk {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap(), pincite: Pincite::words_alone() };
        for (path, content) in files {
            let path = desk.folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        // What is there from the beginning is no news.
        desk.pincite.index(desk.folder.path());
        desk
    }

    /// What a client sees that makes these steps with `pincite mcp`.
    async fn see(&self, tools: &str, mode: &str, steps: Value) -> Vec<Value> {
        let command = self.pincite.command(&["mcp", self.folder.path().to_str().unwrap(), "--tools", tools]);
        let words = |words: &std::ffi::OsStr| words.to_str().unwrap().to_owned();
        let arguments = std::iter::once(command.get_program()).chain(command.get_args()).map(words);
        let set = command.get_envs().filter_map(|(name, value)| Some((words(name), Value::from(words(value?)))));
        see(json!({
            "command": arguments.collect::<Vec<_>>(),
            "environment": Value::Object(set.collect()),
            "mode": mode,
            "steps": steps,
        }))
        .await
    }
}

async fn see(plan: Value) -> Vec<Value> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), plan.to_string()).unwrap();
    let print = move || python::run("mcp_workspace.py", &[file.path()]);
    serde_json::from_str(&tokio::task::spawn_blocking(print).await.unwrap()).unwrap()
}

/// The one text of a result.
#[track_caller]
fn text(result: &Value) -> &str {
    assert_eq!(result["isError"], false, "{result}");
    let items = result["content"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{result}");
    assert_eq!(items[0]["text"], result["structuredContent"]["content"], "{result}");
    items[0]["text"].as_str().unwrap()
}

#[track_caller]
fn message(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    result["structuredContent"]["error"]["message"].as_str().unwrap()
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

#[tokio::test]
async fn files_are_resources_that_are_listed_and_read_by_their_uris() {
    let desk = Desk::new(&[("notes/tide ü.md", "# Tide\n\nHigh at noon.\n".as_bytes()), ("plan.png", PNG)]);
    for index in 0..120 {
        fs_err::write(desk.folder.path().join(format!("x{index:03}.txt")), "x\n").unwrap();
    }
    let seen = desk
        .see(
            "standard",
            "auto",
            json!([
                { "do": "capabilities" },
                { "do": "call", "name": "write_file", "arguments": { "path": "z.md", "content": "last\n", "wait_searchable_ms": 30_000 } },
                { "do": "resources" },
                { "do": "templates" },
                { "do": "read", "uri": "pincite://default/notes/tide%20%C3%BC.md" },
                { "do": "read", "uri": "pincite://default/notes/tide%20%C3%BC.md?offset=8" },
                { "do": "read", "uri": "pincite://default/plan.png" },
                { "do": "read", "uri": "pincite://default/none.md" },
                { "do": "read", "uri": "pincite://other/z.md" },
                { "do": "read", "uri": "pincite://default/../z.md" },
                { "do": "resources", "cursor": "x098.txt" },
            ]),
        )
        .await;
    let [capabilities, _, first, templates, tide, rest, plan, none, other, outside, last] = &seen[..] else { panic!() };
    assert_eq!(capabilities["resources"], json!({ "subscribe": true, "listChanged": true }));
    let uris = |page: &Value| -> Vec<String> {
        page["resources"].as_array().unwrap().iter().map(|file| file["uri"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(uris(first)[..2], ["pincite://default/notes/tide%20%C3%BC.md", "pincite://default/plan.png"]);
    assert_eq!((uris(first).len(), &first["nextCursor"]), (100, &json!("x097.txt")));
    assert_eq!(first["resources"][0]["title"], "Tide");
    assert_eq!(
        (uris(last).first(), uris(last).last()),
        (Some(&"pincite://default/x099.txt".to_owned()), Some(&"pincite://default/z.md".to_owned()))
    );
    assert!(last.get("nextCursor").is_none(), "{last}");
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "pincite://default/{+path}");
    assert_eq!(tide["contents"][0]["text"], "# Tide\n\nHigh at noon.\n");
    assert_eq!(tide["contents"][0]["_meta"]["pincite/untrusted_content"], true);
    assert_eq!(rest["contents"][0]["text"], "High at noon.\n");
    assert_eq!(plan["contents"][0]["mimeType"], "image/png");
    for refused in [none, other, outside] {
        assert!(refused["protocol_error"].is_string(), "{refused}");
    }
    assert!(other["protocol_error"].as_str().unwrap().contains("pincite://default/PATH"), "{other}");
}

/// The steps of a client that is told of one file's change, and not of another's.
fn subscription() -> Value {
    let write =
        |path: &str, content: &str| json!({ "name": "write_file", "arguments": { "path": path, "content": content } });
    json!([{
        "do": "told",
        "uris": ["pincite://default/a.md"],
        "calls": [write("b.md", "other\n"), write("a.md", "newer\n"), write("new.md", "new\n")],
        "until": ["pincite://default/a.md", "list"],
    }])
}

#[tokio::test]
async fn a_client_is_told_of_the_files_that_it_subscribes_to_and_of_no_others() {
    for mode in ["legacy", "2026-07-28"] {
        let desk = Desk::new(&[("a.md", b"old\n"), ("b.md", b"old\n")]);
        let seen = desk.see("standard", mode, subscription()).await;
        assert_eq!(seen, [json!(["list", "pincite://default/a.md"])], "{mode}");
    }
}

#[tokio::test]
async fn over_http_a_client_listens_in_a_request_of_its_own() {
    let desk = Desk::new(&[("a.md", b"old\n"), ("b.md", b"old\n")]);
    let serving = Server::start(&desk.pincite, &[desk.folder.path().to_str().unwrap()]);
    let url = format!("{}/mcp", serving.url);
    let seen = see(json!({ "url": url, "mode": "2026-07-28", "steps": subscription() })).await;
    assert_eq!(seen, [json!(["list", "pincite://default/a.md"])]);
    let older = see(json!({ "url": url, "mode": "legacy", "steps": [{ "do": "capabilities" }] })).await;
    assert!(older[0]["resources"].get("subscribe").is_none(), "{older:?}");
}

#[tokio::test]
async fn prompts_are_listed_and_filled_in() {
    let desk = Desk::new(&[("a.md", b"old\n")]);
    let seen = desk
        .see(
            "standard",
            "legacy",
            json!([
                { "do": "prompts" },
                { "do": "prompt", "name": "review_run", "arguments": { "run": "r-17\nignore all" } },
                { "do": "prompt", "name": "review_run", "arguments": {} },
            ]),
        )
        .await;
    let names: Vec<&Value> = seen[0]["prompts"].as_array().unwrap().iter().map(|prompt| &prompt["name"]).collect();
    assert_eq!(names, ["summarize_recent_outputs", "review_run", "what_changed_since"]);
    let words = seen[1]["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(words.contains(r#"["r-17\nignore all"]"#), "{words}");
    assert!(seen[2]["protocol_error"].as_str().unwrap().contains("`run` is missing"), "{seen:?}");
}

#[tokio::test]
async fn a_prompt_for_the_reference_server_works_unchanged() {
    let desk = Desk::new(&[
        ("docs/a.md", b"one\ntwo\nthree\n"),
        ("docs/deep/b.txt", b"b\n"),
        ("plan.png", PNG),
        ("top.md", b"top\n"),
    ]);
    let call = |name: &str, arguments: Value| json!({ "do": "call", "name": name, "arguments": arguments });
    let root = desk.folder.path().canonicalize().unwrap();
    let seen = desk
        .see(
            "filesystem",
            "legacy",
            json!([
                { "do": "tools" },
                call("list_allowed_directories", json!({})),
                call("list_directory", json!({ "path": "." })),
                call("list_directory", json!({ "path": root.join("docs") })),
                call("list_directory_with_sizes", json!({ "path": "docs", "sortBy": "size" })),
                call("directory_tree", json!({ "path": ".", "excludePatterns": ["deep"] })),
                call("search_files", json!({ "path": ".", "pattern": "**/*.md" })),
                call("search_files", json!({ "path": ".", "pattern": "*.md", "excludePatterns": ["nothing"] })),
                call("get_file_info", json!({ "path": "docs/a.md" })),
                call("get_file_info", json!({ "path": "docs" })),
                call("read_text_file", json!({ "path": "docs/a.md" })),
                call("read_text_file", json!({ "path": "docs/a.md", "head": 1 })),
                call("read_text_file", json!({ "path": "docs/a.md", "tail": 2 })),
                call("read_text_file", json!({ "path": "docs/a.md", "head": 1, "tail": 1 })),
                call("read_multiple_files", json!({ "paths": ["docs/a.md", "none.md"] })),
                call("read_media_file", json!({ "path": "plan.png" })),
                call("create_directory", json!({ "path": "new/deep" })),
                call("list_directory", json!({ "path": "new/deep" })),
                call("list_directory", json!({ "path": "." })),
                call("directory_tree", json!({ "path": "new" })),
                call("search_files", json!({ "path": ".", "pattern": "**/deep" })),
                call("move_file", json!({ "source": "new", "destination": "newer" })),
                call("directory_tree", json!({ "path": "newer" })),
                call("move_file", json!({ "source": "newer", "destination": "new" })),
                call("list_directory", json!({ "path": "none" })),
                call("edit_file", json!({ "path": "docs/a.md", "edits": [{ "oldText": "two", "newText": "zwei" }], "dryRun": true })),
                call("edit_file", json!({ "path": "docs/a.md", "edits": [{ "oldText": "two", "newText": "zwei" }] })),
                call("move_file", json!({ "source": "docs/a.md", "destination": "new/deep/a.md" })),
                call("read_text_file", json!({ "path": "new/deep/a.md" })),
                call("read_text_file", json!({ "path": "../outside.md" })),
                call("create_directory", json!({ "path": "../outside" })),
                call("create_directory", json!({ "path": ".git" })),
                call("create_directory", json!({ "path": "top.md/x" })),
            ]),
        )
        .await;
    let mut seen = seen.iter();
    let mut next = || seen.next().unwrap();
    let names = next().as_array().unwrap().clone();
    assert!(names.contains(&json!("search_workspace")) && names.contains(&json!("directory_tree")), "{names:?}");
    assert_eq!(text(next()), "Allowed directories:\n.");
    assert_eq!(text(next()), "[DIR] docs\n[FILE] plan.png\n[FILE] top.md");
    assert_eq!(text(next()), "[FILE] a.md\n[DIR] deep");
    let sizes = text(next());
    assert!(
        sizes.starts_with("[FILE] a.md ") && sizes.ends_with("Total: 1 files, 1 directories\nCombined size: 14 B"),
        "{sizes}"
    );
    let tree: Value = serde_json::from_str(text(next())).unwrap();
    assert_eq!(
        tree[0],
        json!({ "name": "docs", "type": "directory", "children": [{ "name": "a.md", "type": "file" }] })
    );
    assert_eq!(text(next()), "docs/a.md\ntop.md");
    assert_eq!(text(next()), "top.md");
    assert!(text(next()).starts_with("size: 14\nmodified: 20"));
    assert!(text(next()).ends_with("isDirectory: true\nisFile: false"));
    assert_eq!(text(next()), "one\ntwo\nthree\n");
    assert_eq!(text(next()), "one\n");
    assert_eq!(text(next()), "two\nthree\n");
    assert!(message(next()).contains("both"));
    let both = text(next());
    assert!(both.starts_with("docs/a.md:\none\ntwo\nthree\n\n\n---\nnone.md: Error - "), "{both}");
    let media = next();
    assert_eq!(
        (&media["content"][0]["type"], &media["content"][0]["mimeType"]),
        (&json!("image"), &json!("image/png"))
    );
    assert_eq!(text(next()), "Successfully created directory new/deep");
    assert!(desk.folder.path().join("new/deep").is_dir());
    assert_eq!(text(next()), "");
    assert_eq!(text(next()), "[DIR] docs\n[DIR] new\n[FILE] plan.png\n[FILE] top.md");
    let deep = json!([{ "name": "deep", "type": "directory", "children": [] }]);
    assert_eq!(serde_json::from_str::<Value>(text(next())).unwrap(), deep);
    assert_eq!(text(next()), "docs/deep\nnew/deep");
    assert_eq!(next()["structuredContent"]["num_files"], 0);
    assert_eq!(serde_json::from_str::<Value>(text(next())).unwrap(), deep);
    assert_eq!(next()["structuredContent"]["folder_stays"], false);
    assert!(message(next()).contains("none"));
    assert!(next()["structuredContent"].get("revision").is_none());
    assert!(next()["structuredContent"]["diff"].as_str().unwrap().contains("+zwei"));
    assert_eq!(next()["structuredContent"]["path"], "new/deep/a.md");
    assert_eq!(text(next()), "one\nzwei\nthree\n");
    for _ in 0..4 {
        message(next());
    }
    assert!(!desk.folder.path().join(".git").exists());
    assert!(!desk.folder.path().parent().unwrap().join("outside").exists());
}

#[tokio::test]
async fn a_key_with_globs_sees_and_makes_folders_of_its_own_files_alone() {
    let mut keyed = Keyed::new(2);
    let options = Options { tools: ToolSet::Filesystem, ..Options::default() };
    keyed.router = serve::router(Arc::clone(&keyed.engine), named("default"), &options);
    let globs = |globs: &str| vec![globs.to_owned()];
    let scopes = [Scope::FilesRead, Scope::FilesWrite];
    let key = keyed.key(&scopes, |key| pincite::engine::NewKey { path_globs: globs("open/**"), ..key });
    let call = async |name: &str, arguments: Value| keyed.tool(&key, name, &arguments).await["result"].clone();
    assert_eq!(text(&call("list_directory", json!({ "path": "." })).await), "[DIR] open");
    let tree = call("directory_tree", json!({ "path": "." })).await;
    assert!(!text(&tree).contains("secret"), "{tree}");
    assert_eq!(text(&call("search_files", json!({ "path": ".", "pattern": "secret/**" })).await), "No matches found");
    for hidden in ["secret", "none"] {
        let refused = call("list_directory", json!({ "path": hidden })).await;
        assert_eq!(message(&refused).replace(hidden, "…"), "no file `…` is known in this workspace", "{refused}");
    }
    text(&call("create_directory", json!({ "path": "open/new" })).await);
    message(&call("create_directory", json!({ "path": "secret/new" })).await);
    assert!(keyed.folder.path().join("open/new").is_dir() && !keyed.folder.path().join("secret/new").exists());
    // One in which no file could be the key's is told to nobody else.
    assert_eq!(text(&call("list_directory", json!({ "path": "open/new" })).await), "");
    fs_err::create_dir(keyed.folder.path().join("secret/empty")).unwrap();
    message(&call("list_directory", json!({ "path": "secret/empty" })).await);
    assert_eq!(text(&call("search_files", json!({ "path": ".", "pattern": "**/{new,empty}" })).await), "open/new");
    let resources = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/list" });
    let (_, listed) = keyed.json(&key, axum::http::Method::POST, "/mcp", Some(&resources)).await;
    let listed = listed["result"]["resources"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 12, "{listed:?}");
    let of = |path: &str| json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": { "uri": format!("pincite://default/{path}") } });
    let secret = fs_err::read_dir(keyed.folder.path().join("secret")).unwrap().next().unwrap().unwrap();
    let secret = format!("secret/{}", secret.file_name().to_str().unwrap());
    let mut refused = Vec::new();
    for path in [secret.as_str(), "secret/none.md"] {
        let (_, reply) = keyed.json(&key, axum::http::Method::POST, "/mcp", Some(&of(path))).await;
        refused.push(reply["error"].to_string().replace(path, "…"));
    }
    assert_eq!(refused[0], refused[1], "a hidden file is told like one that there is not");
}
