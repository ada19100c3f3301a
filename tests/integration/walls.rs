//! What a hostile request, path or folder meets: limits that are named, and a data folder that nobody else may read.

use serde_json::{Value, json};

use crate::cli::Pincite;
use crate::writes::{Server, code};

#[tokio::test(flavor = "multi_thread")]
async fn a_glob_of_nested_braces_is_refused_by_every_route_that_takes_one() {
    let server = Server::running();
    let (status, written) = server.put("a.md", "# A lighthouse", &[]).await;
    assert_eq!(status, 201, "{written}");
    for glob in ["{".repeat(32_000), format!("{}a{}", "{".repeat(9), "}".repeat(9)), "a".repeat(4_097)] {
        let filters = json!({ "path": [glob] });
        for (route, body) in [
            ("search", json!({ "query": "lighthouse", "mode": "lexical", "filters": filters })),
            ("ask", json!({ "question": "Where is the lighthouse?", "filters": filters })),
        ] {
            let reply = server.post(route, body).await;
            assert_eq!(code(&reply), (400, "pattern_too_large"), "{route}: {reply:?}");
            let message = reply.1["error"]["message"].as_str().unwrap();
            assert!(message.contains("`limits.pattern_"), "{message}");
        }
    }
    let many = vec!["*.md"; 101];
    let reply = server.post("search", json!({ "query": "lighthouse", "filters": { "path": many } })).await;
    assert_eq!(code(&reply), (400, "too_many_patterns"));
    // In the words of a query it is no operator.
    let query = format!("lighthouse path:{}", "{".repeat(300));
    let (status, reply) = server.post("search", json!({ "query": query, "mode": "lexical" })).await;
    assert_eq!(status, 200, "{reply}");
    assert!(reply["notes"].to_string().contains("limits.pattern_nesting"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_written_up_to_its_limit_and_a_devices_name_never() {
    let server = Server::running();
    let deep = |num_folders: usize| format!("{}a.md", "d/".repeat(num_folders));
    let (status, reply) = server.put(&deep(99), "# A lighthouse", &[]).await;
    assert_eq!(status, 201, "{reply}");
    let reply = server.put(&deep(100), "# A lighthouse", &[]).await;
    assert_eq!(code(&reply), (400, "path_too_deep"), "{reply:?}");
    assert!(reply.1["error"]["message"].as_str().unwrap().contains("more than the 100 of `limits.path_parts`"));
    for name in ["aux.txt", "CON", "nul.tar.gz", "com1/a.md", "a/LPT9.md"] {
        assert_eq!(code(&server.put(name, "x", &[]).await), (400, "invalid_path"), "{name}");
        assert!(!server.desk.folder.path().join(name).exists());
        let event = json!({ "id": name, "type": "created", "path": name, "content": "words" });
        assert_eq!(code(&server.post("events", json!({ "events": [event] })).await), (400, "invalid_path"), "{name}");
    }
    for name in ["auxiliary.txt", "com10.md", "console/a.md"] {
        assert_eq!(server.put(name, "x", &[]).await.0, 201, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_not_made_for_a_write_that_is_refused() {
    let server = Server::running();
    let reply = server.put("new/folder/a.md", "words", &[("if-match", "*")]).await;
    assert_eq!(code(&reply), (412, "conflict"), "{reply:?}");
    assert!(!server.desk.folder.path().join("new").exists());
}

#[test]
fn what_a_scan_passes_over_for_a_limit_is_told_by_status() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let write = |path: &str, text: &str| fs_err::write(folder.path().join(path), text).unwrap();
    write("a.txt", "A lighthouse.");
    write(".gitignore", &format!("{}\n", "{".repeat(16_000)));
    pincite.index(folder.path());
    let status = |expected: usize| -> Value {
        let status = pincite.run(&["status", "--json"]).json();
        let problems = status["passed_over"].as_array().map_or(0, Vec::len);
        assert_eq!(problems, expected, "{status}");
        status
    };
    let told = status(1);
    assert!(told["passed_over"][0].as_str().unwrap().contains("`limits.pattern_bytes`"), "{told}");
    assert!(pincite.run(&["status"]).out.contains("`.gitignore`: line 1 does not count"));
    write(".gitignore", "*.log\n");
    pincite.index(folder.path());
    status(0);
}

#[cfg(unix)]
mod private {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    /// What is open to others than its owner.
    fn open_to_others(folder: &Path) -> Vec<String> {
        let mut open = Vec::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(path) = waiting.pop() {
            let metadata = fs_err::symlink_metadata(&path).unwrap();
            let mode = metadata.permissions().mode();
            if mode & 0o077 != 0 {
                open.push(format!("{} {mode:o}", path.display()));
            }
            if metadata.is_dir() {
                waiting.extend(fs_err::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        open
    }

    #[test]
    fn a_data_folder_is_its_owners_alone_whatever_the_mask() {
        let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
        fs_err::write(folder.path().join("a.txt"), "A lighthouse.").unwrap();
        let data = pincite.data.path().join("made/here");
        let program = env!("CARGO_BIN_EXE_pincite");
        for command in ["index", "search lighthouse --path"] {
            let line = format!("umask 000; exec {program} {command} {}", folder.path().display());
            let ran = pincite
                .command(&[])
                .get_envs()
                .fold(std::process::Command::new("sh"), |mut shell, (name, value)| {
                    match value {
                        Some(value) => shell.env(name, value),
                        None => shell.env_remove(name),
                    };
                    shell
                })
                .args(["-c", &line])
                .env("PINCITE_DATA_DIR", &data)
                .output()
                .unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        }
        assert!(data.join("pincite.db").exists());
        assert_eq!(open_to_others(&data), [""; 0]);
    }

    /// Whoever may write everywhere, as root may, learns nothing from this.
    #[test]
    fn a_data_folder_that_may_not_be_written_is_searched() {
        let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
        fs_err::write(folder.path().join("a.txt"), "A lighthouse.").unwrap();
        pincite.index(folder.path());
        let mut folders = vec![pincite.data.path().to_owned()];
        let mut all = Vec::new();
        while let Some(next) = folders.pop() {
            for entry in fs_err::read_dir(&next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    all.push(path);
                }
            }
            all.push(next);
        }
        let set = |path: &Path, write: u32| {
            let mode = fs_err::metadata(path).unwrap().permissions().mode() & !0o222 | write;
            fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for path in &all {
            set(path, 0);
        }
        let found = pincite.run(&["search", "lighthouse", "--json"]);
        let status = pincite.run(&["status", "--json"]);
        for path in all.iter().rev() {
            set(path, 0o200);
        }
        assert_eq!(found.code, 0, "{}", found.err);
        assert_eq!(found.json()["hits"][0]["citation"]["path"], "a.txt");
        assert_eq!(status.json()["coverage"]["ready"], 1);
    }
}
