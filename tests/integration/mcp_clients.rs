//! Every tool, driven by each of the official clients: in Python, in TypeScript, and by the inspector's command line.

use std::path::Path;
use std::process::Command;

use pincite::workspace::ContentHash;
use serde_json::{Value, json};

use crate::cli::Pincite;
use crate::remote::Server;
use crate::{node, python};

/// A picture of one pixel.
const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// What stands at a place in the structured content of an earlier call.
fn result(number: usize, pointer: &str) -> Value {
    json!({ "$result": [number, pointer] })
}

/// A call of every tool, each of which succeeds after those before it.
fn calls() -> Vec<(&'static str, Value)> {
    let text = "# The quay\n\nThe quay is 37 metres long.\n";
    let lock = || json!({ "lock_id": result(15, "/lock_id"), "token": result(15, "/token") });
    let upload = json!({ "path": "up.bin", "size": 3, "sha256": ContentHash::of(b"abc").to_string() });
    vec![
        (
            "write_file",
            json!({ "path": "quay.md", "content": text, "if_match": "absent", "wait_searchable_ms": 60_000 }),
        ),
        ("search_workspace", json!({ "query": "quay", "filters": { "path": ["*.md"] } })),
        ("ask_workspace", json!({ "question": "How long is the quay?" })),
        ("search", json!({ "query": "quay" })),
        ("fetch", json!({ "id": result(3, "/results/0/id") })),
        ("read_file", json!({ "path": "quay.md", "max_bytes": 10 })),
        ("list_files", json!({ "glob": "*.md" })),
        ("recent_changes", json!({ "limit": 1 })),
        ("verify_citation", json!({ "citation": result(1, "/hits/0/citation") })),
        ("grep_files", json!({ "pattern": "quay|pier", "regex": true })),
        (
            "edit_file",
            json!({ "path": "quay.md", "edits": [{ "old_text": "37", "new_text": "38" }], "if_match": result(0, "/etag") }),
        ),
        ("copy_file", json!({ "from": "quay.md", "to": "copies/quay.md" })),
        ("move_file", json!({ "from": "copies", "to": "moved" })),
        ("delete_file", json!({ "path": "moved/quay.md" })),
        ("create_upload", upload),
        ("lock_file", json!({ "path": "quay.md", "reason": "a test" })),
        ("extend_lock", lock()),
        ("list_locks", json!({})),
        ("unlock_file", lock()),
        ("list_allowed_directories", json!({})),
        ("create_directory", json!({ "path": "new/deep" })),
        ("list_directory", json!({ "path": "." })),
        ("list_directory_with_sizes", json!({ "path": ".", "sortBy": "size" })),
        ("directory_tree", json!({ "path": "." })),
        ("search_files", json!({ "path": ".", "pattern": "**/*.md" })),
        ("get_file_info", json!({ "path": "quay.md" })),
        ("read_text_file", json!({ "path": "quay.md", "head": 1 })),
        ("read_multiple_files", json!({ "paths": ["quay.md", "pixel.gif"] })),
        ("read_media_file", json!({ "path": "pixel.gif" })),
    ]
}

/// A server with all tools over a folder with a picture.
struct Desk {
    _pincite: Pincite,
    folder: tempfile::TempDir,
    server: Server,
}

impl Desk {
    fn new() -> Self {
        let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
        fs_err::write(folder.path().join("pixel.gif"), GIF).unwrap();
        pincite.index(folder.path());
        let server = Server::start(&pincite, &[folder.path().to_str().unwrap(), "--tools", "filesystem"]);
        Self { _pincite: pincite, folder, server }
    }

    fn url(&self) -> String {
        format!("{}/mcp", self.server.url)
    }

    fn plan(&self, mode: &str) -> tempfile::NamedTempFile {
        let calls: Vec<Value> =
            calls().into_iter().map(|(name, arguments)| json!({ "name": name, "arguments": arguments })).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        let plan = json!({ "url": self.url(), "mode": mode, "calls": calls });
        fs_err::write(file.path(), plan.to_string()).unwrap();
        file
    }

    /// Each tool was called, did what it says, and left what it is to leave.
    #[track_caller]
    fn check(&self, tools: &[Value], results: &[Value]) {
        let mut names: Vec<&str> = tools.iter().map(|tool| tool.as_str().unwrap()).collect();
        let mut called: Vec<&str> = calls().iter().map(|(name, _)| *name).collect();
        assert_eq!(results.len(), called.len());
        for ((name, _), result) in calls().iter().zip(results) {
            assert_ne!(result["isError"], true, "{name}: {result}");
            assert!(result["structuredContent"].is_object(), "{name}: {result}");
        }
        let content = |number: usize, pointer: &str| results[number]["structuredContent"].pointer(pointer).cloned();
        assert_eq!(content(8, "/verdict"), Some(json!("valid")));
        assert!(
            content(2, "/sentences/0/text").is_some_and(|text| text.as_str().unwrap().contains("37 metres")),
            "{}",
            results[2]
        );
        assert_eq!(content(12, "/num_files"), Some(json!(1)));
        assert_eq!(content(18, "/was_held"), Some(json!(true)));
        assert_eq!(results[28]["content"][0]["type"], "image");
        let quay = fs_err::read_to_string(self.folder.path().join("quay.md")).unwrap();
        assert!(quay.contains("38 metres") && !self.folder.path().join("moved/quay.md").exists());
        called.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, called);
    }
}

#[test]
fn the_python_client_drives_every_tool() {
    for mode in ["legacy", "2026-07-28"] {
        let desk = Desk::new();
        let seen: Value = serde_json::from_str(&python::run("mcp_client.py", &[desk.plan(mode).path()])).unwrap();
        let tools: Vec<Value> = seen["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
        desk.check(&tools, seen["results"].as_array().unwrap());
    }
}

#[test]
fn the_typescript_client_drives_every_tool() {
    if !node::is_here("whether the official client in TypeScript drives every tool") {
        return;
    }
    // Where its packages are.
    let code = tempfile::tempdir().unwrap();
    let script = code.path().join("mcp_client.mjs");
    fs_err::copy(node::scripts().join("mcp_client.mjs"), &script).unwrap();
    link(&node::packages(&node::scripts()), &code.path().join("node_modules"));
    for mode in ["legacy", "2026-07-28"] {
        let desk = Desk::new();
        let seen = finished(node::node().arg(&script).arg(desk.plan(mode).path()));
        desk.check(seen["tools"].as_array().unwrap(), seen["results"].as_array().unwrap());
    }
}

#[test]
fn the_inspector_drives_every_tool_and_finds_no_fault_in_their_schemas() {
    if !node::is_here("whether the official inspector drives every tool") {
        return;
    }
    let (desk, home) = (Desk::new(), tempfile::tempdir().unwrap());
    let inspector = |arguments: &[&str]| {
        let mut command = node::program("mcp-inspector");
        command.env("HOME", home.path()).args(["--cli", &desk.url(), "--transport", "http"]).args(arguments);
        finished(&mut command)
    };
    let listed = inspector(&["--method", "tools/list", "--strict"]);
    let tools: Vec<Value> = listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    let mut results: Vec<Value> = Vec::new();
    for (name, arguments) in calls() {
        let arguments = filled(&arguments, &results).to_string();
        results.push(inspector(&["--method", "tools/call", "--tool-name", name, "--tool-args-json", &arguments]));
    }
    desk.check(&tools, &results);
}

/// Arguments with the places of earlier results that they name.
fn filled(arguments: &Value, results: &[Value]) -> Value {
    match arguments {
        Value::Object(fields) => match fields.get("$result") {
            Some(place) => {
                let number = usize::try_from(place[0].as_u64().unwrap()).unwrap();
                results[number]["structuredContent"].pointer(place[1].as_str().unwrap()).unwrap().clone()
            }
            None => fields.iter().map(|(name, inner)| (name.clone(), filled(inner, results))).collect(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, results)).collect(),
        plain => plain.clone(),
    }
}

/// What a program that must succeed prints, as JSON.
#[track_caller]
fn finished(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = || panic!("{command:?}: {}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        failed();
    }
    serde_json::from_str(&said).unwrap_or_else(|_| failed())
}

fn link(from: &Path, to: &Path) {
    #[cfg(unix)]
    fs_err::os::unix::fs::symlink(from, to).unwrap();
    #[cfg(windows)]
    std::os::windows::fs::symlink_dir(from, to).unwrap();
}
