//! `pincite sync` as a sandbox runs it: a folder and a workspace of a running server.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::{Pincite, Ran};
use crate::python;
use crate::remote::Server;

/// A server over a folder of its own, and the folder of a sandbox.
struct Desk {
    pincite: Pincite,
    root: tempfile::TempDir,
    sandbox: tempfile::TempDir,
    server: Server,
}

impl Desk {
    fn new() -> Self {
        let (pincite, root) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
        let server = Server::start(&pincite, &[root.path().to_str().unwrap()]);
        Self { pincite, root, sandbox: tempfile::tempdir().unwrap(), server }
    }

    fn here(&self, path: &str) -> PathBuf {
        self.sandbox.path().join(path)
    }

    fn sync(&self, arguments: &[&str]) -> Ran {
        let folder = self.sandbox.path().to_str().unwrap();
        self.pincite.run(&[&["sync", folder, &self.server.url], arguments].concat())
    }

    /// Brings both sides in step, which must succeed, and returns what it says.
    #[track_caller]
    fn once(&self) -> Value {
        let ran = self.sync(&["--once", "--json", "--agent", "coder-03"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.json()
    }

    /// Writes a file on the server, as anybody would who knows what is there.
    fn write_there(&self, path: &str, text: &str) {
        let url = format!("{}/v1/workspaces/default/files/{path}", self.server.url);
        let agent = ureq::put(url).header("Pincite-Agent", "reviewer");
        assert!(agent.send(text).unwrap().status().is_success());
    }

    fn delete_there(&self, path: &str) {
        let url = format!("{}/v1/workspaces/default/files/{path}", self.server.url);
        assert!(ureq::delete(url).call().unwrap().status().is_success());
    }

    fn watch(&self, arguments: &[&str]) -> Watching {
        let folder = self.sandbox.path().to_str().unwrap();
        let arguments = [&["sync", folder, &self.server.url, "--watch"], arguments].concat();
        let mut process =
            self.pincite.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        Watching { process, out }
    }
}

/// `pincite sync --watch`.
struct Watching {
    process: Child,
    out: BufReader<ChildStdout>,
}

impl Watching {
    /// Waits until it says a line.
    #[track_caller]
    fn says(&mut self, expected: &str) {
        for line in self.out.by_ref().lines().map(Result::unwrap) {
            if line == expected {
                return;
            }
        }
        panic!("it ended without `{expected}`");
    }

    /// Ends it by a signal, and returns what it says then, and its exit code.
    fn end(mut self, signal: &str) -> (String, i32) {
        let id = self.process.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut said = String::new();
        self.out.read_to_string(&mut said).unwrap();
        (said, self.process.wait().unwrap().code().unwrap())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The files below a folder by their paths, without hidden ones.
pub fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if entry.file_name().to_str().unwrap().starts_with('.') || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(name, String::from_utf8_lossy(&fs_err::read(&path).unwrap()).into_owned());
            }
        }
    }
    found
}

fn put(path: &Path, text: &str) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

#[test]
fn changes_of_each_side_reach_the_other_and_a_second_run_does_nothing() {
    let desk = Desk::new();
    put(&desk.here("notes/a.md"), "from the sandbox");
    put(&desk.here("empty.txt"), "");
    desk.write_there("reports/b.md", "from the server");
    desk.write_there("data.bin", "\u{0}\u{1}");
    let done = desk.once();
    assert_eq!((&done["uploaded"], &done["downloaded"]), (&json!(2), &json!(2)), "{done:#}");
    assert_eq!(tree(desk.sandbox.path()), tree(desk.root.path()));
    assert_eq!(tree(desk.sandbox.path()).len(), 4);

    put(&desk.here("notes/a.md"), "edited here");
    desk.write_there("reports/b.md", "edited there");
    fs_err::remove_file(desk.here("data.bin")).unwrap();
    desk.delete_there("empty.txt");
    let done = desk.once();
    for count in ["uploaded", "downloaded", "deleted_here", "deleted_there"] {
        assert_eq!(done[count], 1, "{count}: {done:#}");
    }
    assert_eq!(tree(desk.sandbox.path()), tree(desk.root.path()));
    assert_eq!(tree(desk.sandbox.path())["notes/a.md"], "edited here");

    let done = desk.once();
    for count in ["uploaded", "downloaded", "deleted_here", "deleted_there"] {
        assert_eq!(done[count], 0, "{count}: {done:#}");
    }
    let changes = desk.pincite.run(&["--url", &desk.server.url, "changes", "--agent", "coder-03", "--json"]).json();
    assert_eq!(changes["changes"].as_array().unwrap().len(), 4, "each of its writes says who: {changes:#}");
}

#[test]
fn a_text_that_both_changed_is_kept_beside_on_both_sides() {
    let desk = Desk::new();
    put(&desk.here("notes/plan.md"), "base");
    desk.once();
    put(&desk.here("notes/plan.md"), "mine");
    desk.write_there("notes/plan.md", "theirs");
    let done = desk.once();
    let kept = &done["conflicts"][0];
    let revision = kept["revision"].as_u64().unwrap();
    assert_eq!(kept["kept_as"], format!("notes/plan.md.conflict-coder-03-{revision}"), "{done:#}");
    assert_eq!((&kept["path"], &kept["changed_by"]), (&json!("notes/plan.md"), &json!("reviewer")));
    let expected = BTreeMap::from([
        ("notes/plan.md".to_owned(), "theirs".to_owned()),
        (kept["kept_as"].as_str().unwrap().to_owned(), "mine".to_owned()),
    ]);
    assert_eq!((tree(desk.sandbox.path()), tree(desk.root.path())), (expected.clone(), expected));
}

#[test]
fn without_a_base_equal_texts_agree_and_others_are_both_kept() {
    let desk = Desk::new();
    for (name, here, there) in [("same.md", "same", "same"), ("other.md", "here", "there")] {
        put(&desk.here(name), here);
        desk.write_there(name, there);
    }
    let done = desk.once();
    assert_eq!((&done["uploaded"], &done["downloaded"]), (&json!(0), &json!(0)), "{done:#}");
    assert_eq!(done["conflicts"].as_array().unwrap().len(), 1, "{done:#}");
    assert_eq!(tree(desk.sandbox.path()), tree(desk.root.path()));
    assert_eq!(tree(desk.sandbox.path())["other.md"], "there");
}

#[test]
fn an_edit_goes_before_a_deletion_on_either_side() {
    let desk = Desk::new();
    for name in ["a.md", "b.md", "c.md"] {
        put(&desk.here(name), "base");
    }
    desk.once();
    fs_err::remove_file(desk.here("a.md")).unwrap();
    desk.write_there("a.md", "edited there");
    desk.delete_there("b.md");
    put(&desk.here("b.md"), "edited here");
    desk.once();
    let expected = [("a.md", "edited there"), ("b.md", "edited here"), ("c.md", "base")];
    let expected: BTreeMap<String, String> = expected.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    assert_eq!((tree(desk.sandbox.path()), tree(desk.root.path())), (expected.clone(), expected));
}

#[test]
fn a_folder_that_was_wiped_deletes_nothing_until_that_is_said() {
    let desk = Desk::new();
    for name in ["a.md", "b.md"] {
        put(&desk.here(name), name);
    }
    desk.once();
    for name in ["a.md", "b.md"] {
        fs_err::remove_file(desk.here(name)).unwrap();
    }
    let ran = desk.sync(&["--once"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(
        ran.err.contains("all 2 files that were in step are gone here") && ran.err.contains("--delete-all"),
        "{}",
        ran.err
    );
    assert_eq!(tree(desk.root.path()).len(), 2);
    // The state is gone with the disk: there is no base, and everything comes back.
    fs_err::remove_dir_all(desk.here(".pincite-sync")).unwrap();
    assert_eq!(desk.once()["downloaded"], 2);
    for name in ["a.md", "b.md"] {
        fs_err::remove_file(desk.here(name)).unwrap();
    }
    assert_eq!(desk.sync(&["--once", "--delete-all"]).code, 0);
    assert_eq!(tree(desk.root.path()).len(), 0);
}

#[test]
fn a_folder_is_in_step_with_one_workspace_alone() {
    let desk = Desk::new();
    put(&desk.here("a.md"), "text");
    desk.once();
    assert_eq!(desk.pincite.run(&["--url", &desk.server.url, "workspace", "create", "other"]).code, 0);
    let ran = desk.sync(&["--once", "--workspace", "other"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("was in step with") && ran.err.contains(".pincite-sync"), "{}", ran.err);
    let ran = desk.sync(&["--once", "--workspace", "nowhere"]);
    assert!(ran.code == 2 && ran.err.contains("nowhere"), "{}", ran.err);
}

#[test]
fn names_that_one_side_cannot_have_stop_no_other_file() {
    let desk = Desk::new();
    put(&desk.here(".hidden/secret.md"), "stays here");
    put(&desk.here("build/out.txt"), "ignored");
    put(&desk.here(".gitignore"), "build/\n");
    put(&desk.here("aux.md"), "no file on Windows");
    put(&desk.here("fine.md"), "fine");
    desk.write_there("build/from-there.txt", "not wanted here");
    let ran = desk.sync(&["--once", "--json"]);
    let done = ran.json();
    assert_eq!((ran.code, done["uploaded"].as_u64()), (1, Some(1)), "{done:#}");
    assert_eq!(done["left"][0]["path"], "aux.md", "{done:#}");
    assert!(done["left"][0]["reason"].as_str().unwrap().contains("Windows"), "{done:#}");
    assert_eq!(done["passed_over"][0]["path"], "build/from-there.txt", "{done:#}");
    assert_eq!(tree(desk.root.path()).into_keys().collect::<Vec<_>>(), ["build/from-there.txt", "fine.md"]);
    assert!(!desk.here("build/from-there.txt").exists());
    // A file that is ignored from now on was not deleted.
    put(&desk.here(".gitignore"), "build/\nfine.md\n");
    fs_err::remove_file(desk.here("aux.md")).unwrap();
    desk.once();
    assert_eq!(tree(desk.root.path())["fine.md"], "fine");
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_modes_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let desk = Desk::new();
    let outside = tempfile::tempdir().unwrap();
    put(&outside.path().join("secret.md"), "secret");
    symlink(outside.path(), desk.here("link")).unwrap();
    symlink(outside.path().join("secret.md"), desk.here("direct.md")).unwrap();
    put(&desk.here("run.sh"), "#!/bin/sh\n");
    fs_err::set_permissions(desk.here("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    desk.write_there("link/evil.md", "through the link");
    let done = desk.once();
    assert_eq!((&done["uploaded"], &done["downloaded"]), (&json!(1), &json!(0)), "{done:#}");
    assert_eq!(tree(outside.path()).into_keys().collect::<Vec<_>>(), ["secret.md"]);
    desk.write_there("run.sh", "#!/bin/sh\necho changed\n");
    desk.once();
    let mode = fs_err::metadata(desk.here("run.sh")).unwrap().permissions().mode();
    assert_eq!((tree(desk.sandbox.path())["run.sh"].as_str(), mode & 0o777), ("#!/bin/sh\necho changed\n", 0o755));
}

#[test]
fn a_file_becomes_a_folder_and_a_folder_a_file_on_both_sides() {
    let desk = Desk::new();
    for (name, text) in [("a", "file"), ("b/deep/x.md", "in a folder"), ("c", "file"), ("d/y.md", "in a folder")] {
        put(&desk.here(name), text);
    }
    desk.once();
    let swap = |at: &dyn Fn(&str) -> PathBuf, file: &str, folder: &str| {
        fs_err::remove_file(at(file)).unwrap();
        put(&at(file).join("inside.md"), "new");
        fs_err::remove_dir_all(at(folder)).unwrap();
        put(&at(folder), "now a file");
    };
    swap(&|name| desk.here(name), "a", "b");
    desk.once();
    assert_eq!(tree(desk.sandbox.path()), tree(desk.root.path()));
    desk.delete_there("c");
    desk.write_there("c/inside.md", "new");
    desk.delete_there("d/y.md");
    desk.write_there("d", "now a file");
    desk.once();
    assert_eq!(tree(desk.sandbox.path()), tree(desk.root.path()));
    let names: Vec<String> = tree(desk.sandbox.path()).into_keys().collect();
    assert_eq!(names, ["a/inside.md", "b", "c/inside.md", "d"]);
}

#[test]
fn names_in_other_spellings_are_one_file() {
    let desk = Desk::new();
    put(&desk.here("Ko\u{308}ln/u\u{308}ber uns.md"), "decomposed");
    put(&desk.here("100% [sic] {a}*?.md"), "signs");
    put(&desk.here("README.md"), "upper");
    put(&desk.here("readme.md"), "lower");
    desk.once();
    assert_eq!(tree(desk.root.path())["Köln/über uns.md"], "decomposed");
    desk.write_there("K%C3%B6ln/%C3%BCber%20uns.md", "edited there");
    desk.delete_there("100%25%20%5Bsic%5D%20%7Ba%7D%2A%3F.md");
    let done = desk.once();
    assert_eq!((&done["downloaded"], &done["deleted_here"]), (&json!(1), &json!(1)), "{done:#}");
    let here = tree(desk.sandbox.path());
    assert_eq!(here["Ko\u{308}ln/u\u{308}ber uns.md"], "edited there");
    assert_eq!((here.len(), here["README.md"].as_str(), here["readme.md"].as_str()), (3, "upper", "lower"));
    fs_err::remove_dir_all(desk.here("Ko\u{308}ln")).unwrap();
    assert_eq!(desk.once()["deleted_there"], 1);
    assert_eq!(tree(desk.root.path()).len(), 2);
}

#[test]
fn a_locked_file_is_kept_and_told_and_sent_when_the_lock_is_over() {
    let desk = Desk::new();
    for name in ["locked.md", "free.md"] {
        put(&desk.here(name), "base");
    }
    desk.once();
    let locks = format!("{}/v1/workspaces/default/locks", desk.server.url);
    let mut reply = ureq::post(&locks)
        .header("Content-Type", "application/json")
        .send(json!({ "path": "locked.md", "ttl_s": 600 }).to_string())
        .unwrap();
    let lock: Value = serde_json::from_str(&reply.body_mut().read_to_string().unwrap()).unwrap();
    for name in ["locked.md", "free.md"] {
        put(&desk.here(name), "edited here");
    }
    let ran = desk.sync(&["--flush", "--json"]);
    let done = ran.json();
    assert_eq!((ran.code, &done["uploaded"]), (1, &json!(1)), "{done:#}");
    let reason = done["left"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("is locked by this machine's user until 2"), "{reason}");
    assert_eq!(tree(desk.sandbox.path())["locked.md"], "edited here");

    let mut watching = desk.watch(&[]);
    watching.says(&format!("left: locked.md: {reason}"));
    let release = format!("{locks}/{}/release", lock["lock_id"].as_str().unwrap());
    let token = json!({ "token": lock["token"] }).to_string();
    ureq::post(release).header("Content-Type", "application/json").send(token).unwrap();
    watching.says("uploaded: locked.md");
    assert_eq!(tree(desk.root.path())["locked.md"], "edited here");
}

#[test]
fn a_flush_ends_with_the_revision_that_a_search_can_ask_for() {
    let desk = Desk::new();
    put(&desk.here("report.md"), "The lighthouse keeper counts herons.");
    desk.write_there("other.md", "not needed now");
    let ran = desk.sync(&["--flush"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let revision = ran.out.lines().last().unwrap().strip_prefix("durable up to revision ").unwrap();
    let found = desk.pincite.run(&[
        "--url",
        &desk.server.url,
        "search",
        "herons",
        "--min-revision",
        revision,
        "--wait-ms",
        "60000",
        "--json",
    ]);
    assert_eq!(found.json()["hits"][0]["citation"]["path"], "report.md", "{}", found.err);
    assert!(!desk.here("other.md").exists(), "a flush brings nothing");
    let again = desk.sync(&["--flush", "--json"]).json();
    let keys: Vec<&String> = again.as_object().unwrap().keys().collect();
    let expected =
        ["revision", "uploaded", "downloaded", "deleted_here", "deleted_there", "conflicts", "left", "passed_over"];
    assert_eq!((keys.len(), expected.iter().all(|key| again.get(key).is_some())), (expected.len(), true), "{again:#}");
    assert_eq!(again["revision"].to_string(), revision);
}

#[test]
fn a_key_that_sees_fewer_files_deletes_none_here() {
    let desk = Desk::new();
    for name in ["notes/a.md", "secret/b.md"] {
        put(&desk.here(name), name);
    }
    desk.once();
    let key = |arguments: &[&str]| {
        let made = desk.pincite.run(&[&["key", "create", "--json"], arguments].concat());
        made.json()["secret"].as_str().unwrap_or_else(|| panic!("{}", made.err)).to_owned()
    };
    let narrow = key(&["--name", "narrow", "--scope", "files:read,files:write,search", "--glob", "notes/**"]);
    let folder = desk.sandbox.path().to_str().unwrap();
    let mut command = desk.pincite.command(&["sync", folder, &desk.server.url, "--once", "--json"]);
    let ran = Ran::of(command.env("PINCITE_API_KEY", narrow));
    let done = ran.json();
    assert_eq!((ran.code, done["left"][0]["path"].as_str()), (1, Some("secret/b.md")), "{done:#}{}", ran.err);
    assert_eq!(tree(desk.sandbox.path()).len(), 2);
}

#[test]
fn a_watch_sends_and_receives_and_flushes_upon_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let desk = Desk::new();
        put(&desk.here("first.md"), "first");
        let mut watching = desk.watch(&["--agent", "coder-03"]);
        watching.says("uploaded: first.md");
        put(&desk.here("new folder/deep/note.md"), "written while it watches");
        watching.says("uploaded: new folder/deep/note.md");
        desk.write_there("from-there.md", "theirs");
        watching.says("downloaded: from-there.md");
        desk.delete_there("from-there.md");
        watching.says("deleted here: from-there.md");
        fs_err::rename(desk.here("first.md"), desk.here("renamed.md")).unwrap();
        watching.says("deleted on the server: first.md");
        // Another run is refused, but for a flush, which the first one does.
        assert_eq!(desk.sync(&["--once"]).code, 1);
        put(&desk.here("asked.md"), "flushed by the one that watches");
        let flushed = desk.sync(&["--flush"]);
        assert_eq!(flushed.code, 0, "{}{}", flushed.out, flushed.err);
        assert!(flushed.out.lines().last().unwrap().starts_with("durable up to revision "), "{}", flushed.out);
        assert_eq!(tree(desk.root.path())["asked.md"], "flushed by the one that watches");
        put(&desk.here("last.md"), "just before the end");
        let (said, code) = watching.end(signal);
        assert_eq!(code, 0, "{said}");
        assert!(said.lines().last().unwrap().starts_with("durable up to revision "), "{said}");
        assert_eq!(tree(desk.sandbox.path()), tree(desk.root.path()));
    }
}

#[test]
fn a_watch_outlives_its_server_and_says_what_is_left_where_it_cannot() {
    let mut desk = Desk::new();
    let port = desk.server.url.rsplit(':').next().unwrap().to_owned();
    put(&desk.here("a.md"), "a");
    let mut watching = desk.watch(&[]);
    watching.says("uploaded: a.md");
    desk.server.kill();
    put(&desk.here("b.md"), "written while the server is away");
    let address = format!("127.0.0.1:{port}");
    desk.server = Server::at(&desk.pincite, &address, &[desk.root.path().to_str().unwrap()]);
    watching.says("uploaded: b.md");
    desk.server.kill();
    put(&desk.here("c.md"), "never sent");
    let (said, code) = watching.end("-TERM");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("left: c.md: it is not on the server"), "{said}");
    let ran = desk.sync(&["--flush"]);
    assert!(ran.code == 1 && ran.err.contains("cannot be reached"), "{}", ran.err);
}

#[test]
fn a_file_that_grows_while_it_is_sent_arrives_whole() {
    let desk = Desk::new();
    put(&desk.here("keep.md"), "keep");
    let path = desk.here("log.txt");
    let (sender, ends) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut file = fs_err::File::create(path).unwrap();
        let mut number = 0;
        // A line each time, as a log is written, until the test has seen enough.
        while ends.recv_timeout(Duration::from_millis(1)).is_err() {
            number += 1;
            writeln!(file, "line {number} {}", "x".repeat(2_000)).unwrap();
        }
        number
    });
    for _ in 0..5 {
        let ran = desk.sync(&["--once", "--json"]);
        assert!(ran.code <= 1, "{}", ran.err);
        // What arrived is a file that was there at one moment.
        let Some(text) = tree(desk.root.path()).get("log.txt").cloned() else { continue };
        for (number, line) in (1..).zip(text.lines().take(text.matches('\n').count())) {
            assert!(line.starts_with(&format!("line {number} x")) && line.ends_with("xx"), "{number}");
        }
    }
    sender.send(()).unwrap();
    assert!(writer.join().unwrap() > 0);
    desk.once();
    assert_eq!(tree(desk.sandbox.path()), tree(desk.root.path()));
}

/// Passes connections on to a server, and cuts each after so many bytes of replies.
fn cutting(server: &str, most: usize) -> String {
    let server = server.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&server).unwrap();
            let (mut asking, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut asking, &mut asked));
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut (&server).take(most as u64), &mut &client);
                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            });
        }
    });
    url
}

#[test]
fn a_file_that_breaks_off_again_and_again_goes_on_where_it_did() {
    let desk = Desk::new();
    let text: String = (0..400_000).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    desk.write_there("notes/big.txt", &text);
    let url = cutting(&desk.server.url, text.len() / 5);
    let ran = desk.pincite.run(&["sync", desk.sandbox.path().to_str().unwrap(), &url, "--once"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(fs_err::read_to_string(desk.here("notes/big.txt")).unwrap(), text);
}

/// How often a sync is killed, unless `PINCITE_SYNC_KILLS` says otherwise.
const NUM_KILLS: &str = "20";

#[cfg(target_os = "linux")]
#[test]
fn a_sync_killed_again_and_again_loses_nothing_and_replaces_nothing_unseen() {
    let from_env = |name: &str, other: &str| std::env::var(name).unwrap_or_else(|_| other.to_owned());
    let rounds = from_env("PINCITE_SYNC_KILLS", NUM_KILLS);
    let seed = from_env("PINCITE_CRASH_SEED", "1");
    let mut campaign = std::process::Command::new("python3");
    campaign.arg(python::scripts().join("sync_campaign.py"));
    campaign.arg(Path::new(env!("CARGO_BIN_EXE_pincite"))).args([&rounds, &seed]).env_remove("PINCITE_LOG");
    let output = campaign.output().expect("Python 3.11 or newer as `python3`");
    let said = String::from_utf8_lossy(&output.stderr);
    let counted: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let zeros = ["lost", "phantom", "apart"].map(|kind| counted[kind].as_u64());
    assert!(output.status.success() && zeros == [Some(0); 3], "{counted:#}\n{said}");
    assert_eq!(counted["rounds"].to_string(), rounds, "{counted:#}");
}

/// A server that lists names of its own, and answers everything else with a text.
fn hostile(names: &[&str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hash = pincite::workspace::ContentHash::of(b"evil").to_string();
    let files: Vec<Value> = names
        .iter()
        .map(|name| json!({ "path": name, "size": 4, "modified": "2026-11-01T00:00:00Z", "content_hash": hash }))
        .collect();
    let listing = json!({ "log": "of a stranger", "revision": 1, "files": files }).to_string();
    let changes = json!({ "revision": 1, "pending": 0, "changes": [] }).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            let _ = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).count();
            let body = if first.contains("/contents") {
                &listing
            } else if first.contains("/changes") {
                &changes
            } else {
                "evil"
            };
            let reply = format!(
                "HTTP/1.1 200 OK\r\nETag: \"{hash}\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    url
}

#[test]
fn a_hostile_server_writes_nowhere_but_in_the_folder() {
    let (pincite, place) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let folder = place.path().join("sandbox");
    let names = [
        "fine.md",
        "../outside.md",
        "/tmp/absolute.md",
        "a/../../outside.md",
        "a//b.md",
        "./c.md",
        "..\\windows.md",
        "nul\u{0}.md",
        "",
        ".git/hooks/pre-commit",
        ".gitignore",
        ".pincite-sync/state.db",
        ".pincite-sync/lock",
        ".bashrc",
        "esc\u{1b}[31m.md",
    ];
    let url = hostile(&names);
    let ran = pincite.run(&["sync", folder.to_str().unwrap(), &url, "--once"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
    assert_eq!(tree(place.path()).into_keys().collect::<Vec<_>>(), ["sandbox/esc\u{1b}[31m.md", "sandbox/fine.md"]);
    let mut all: Vec<String> =
        fs_err::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    assert_eq!(all, [".pincite-sync", "esc\u{1b}[31m.md", "fine.md"]);
    for refused in ["../outside.md", ".git/hooks/pre-commit", ".pincite-sync/state.db"] {
        assert!(ran.out.contains(&format!("passed over: {refused}: ")), "{refused}: {}", ran.out);
    }
}
