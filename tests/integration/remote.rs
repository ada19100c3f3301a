//! The command line against a server: the same output as from the data folder, and a key that goes nowhere else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::cli::{Pincite, Ran};
use crate::fixtures;
use crate::line::until;
use crate::stand_in::{Asked, Behaviour, StandIn};

const KEY: &str = "pin_01234567_0123456789abcdefghijklmnopqrstuv_89abcdef";
const QUESTION: &str = "How long was the gateway down on 2 November?";

/// `pincite serve` over the data folder of a [`Pincite`]; it is killed when it is dropped.
pub struct Server {
    process: Child,
    pub url: String,
    /// Where it speaks the protocol of S3, where it does.
    pub s3: Option<String>,
}

impl Server {
    pub fn start(pincite: &Pincite, arguments: &[&str]) -> Self {
        Self::at(pincite, "127.0.0.1:0", arguments)
    }

    /// A server that listens on this address.
    pub fn at(pincite: &Pincite, address: &str, arguments: &[&str]) -> Self {
        let mut command = pincite.command(&["serve", "--listen", address]);
        let mut process = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut s3 = None;
        let url = lines.by_ref().map(Result::unwrap).find_map(|line| {
            s3 = s3.take().or_else(|| line.strip_prefix("S3 on ").map(str::to_owned));
            line.strip_prefix("listening on ").map(str::to_owned)
        });
        // What it says later is taken, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url: url.expect("the server listens"), s3 }
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command against the server at `url`.
pub fn ask_at(pincite: &Pincite, url: &str, arguments: &[&str]) -> Ran {
    pincite.run(&[&["--url", url], arguments].concat())
}

/// An output without the names of folders, which a server keeps to itself, and without what is so of one process alone.
fn without_folders(out: &str, folder: &str) -> String {
    let is_of_one =
        |line: &&str| ["\"root\": ", "\"read_only\": "].iter().any(|name| line.trim_start().starts_with(name));
    let lines: Vec<&str> = out.split_inclusive('\n').filter(|line| !is_of_one(line)).collect();
    lines.concat().replace(folder, "on the server")
}

#[test]
fn every_command_prints_the_same_from_a_server_as_from_its_data_folder() {
    let (pincite, folder) = (Pincite::new(), fixtures::workspace_copy());
    let path = folder.path().to_str().unwrap();
    pincite.index(folder.path());
    let server = Server::start(&pincite, &[path]);
    let at_server = |arguments: &[&str]| ask_at(&pincite, &server.url, arguments);
    until("the server has compared the folder", || {
        let status = at_server(&["status", "--json"]);
        status.code == 0
            && status.json()["coverage"]["pending"] == 0
            && ureq::get(format!("{}/readyz", server.url)).call().is_ok()
    });
    let citation = pincite.run(&["search", "gateway accepted nothing", "--json"]).json()["hits"][0]["citation"].clone();
    let judged = ureq::post(format!("{}/v1/workspaces/default/verdicts", server.url))
        .header("Content-Type", "application/json")
        .send(serde_json::json!({ "citation": citation, "decision": "accept", "query": "gateway" }).to_string());
    assert_eq!(judged.unwrap().status(), 201);
    let (valid, gone) = (pincite.data.path().join("valid.json"), pincite.data.path().join("gone.json"));
    fs_err::write(&valid, citation.to_string()).unwrap();
    let mut moved = citation;
    (moved["path"], moved["quote"]) = ("no/such/file.md".into(), "no such words".into());
    moved["content_hash"] = "0".repeat(64).into();
    fs_err::write(&gone, moved.to_string()).unwrap();

    let now = ["--now", "2026-11-20T09:00:00Z"];
    let commands: &[&[&str]] = &[
        &["search", "tide gauge"],
        &["search", "cold start latency", "--explain", "--facets", "-k", "3", "--offset", "2", "--glob", "*.md"],
        &["search", "gateway", "--mode", "lexical", "--type", "pdf", "--type", "csv"],
        &["search", "xylophonist", "--mode", "lexical"],
        &["search", "--", "-gateway"],
        &["search", "  "],
        &["search", "gateway", "--type", "nonsense"],
        &["search", "gateway", "-k", "1000"],
        &["search", "gateway", "--min-revision", "999999"],
        &["search", "gateway", "--workspace", "missing"],
        &["ask", QUESTION],
        &["ask", "What does error code SLU-4999 mean?"],
        &["ask", "What changed yesterday?", now[0], now[1]],
        &["ask", "What changed yesterday?", now[0], now[1], "--time-zone", "Asia/Tokyo", "--all"],
        &["ask", "What is in here?", now[0], now[1], "--facets"],
        &["ask", "How many runs failed?", "--max-sentences", "2"],
        &["ask", QUESTION, "--answerer", "model"],
        &["status"],
        &["files"],
        &["files", "*.pdf", "-n", "1"],
        &["files", "*.pdf", "-n", "1", "--offset", "1"],
        &["files", "*.none"],
        &["changes"],
        &["changes", "-n", "3", "--glob", "*.md", "--glob", "data/**", "--facets", "--since", "2020-01-01T00:00:00Z"],
        &["changes", "--agent", "nobody & co=1"],
        &["verdicts"],
        &["verdicts", "--decision", "reject"],
        &["verdicts", "--query", "gateway", "--glob", "**"],
        &["verify", valid.to_str().unwrap()],
        &["verify", gone.to_str().unwrap()],
        &["workspace", "list"],
        &["limits"],
        &["webhook", "list"],
        &["lock", "list"],
        &["webhook", "deliveries", "1"],
    ];
    for command in commands {
        for form in [&["--json"][..], &[]] {
            let arguments = [&command[..1], form, &command[1..]].concat();
            let (here, there) = (pincite.run(&arguments), at_server(&arguments));
            let shown = |ran: &Ran| (ran.code, without_folders(&ran.out, path), ran.err.clone());
            assert_eq!(shown(&here), shown(&there), "{arguments:?}");
        }
    }
}

#[test]
fn workspaces_are_made_switched_and_deleted_on_a_server() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let server = Server::start(&pincite, &[folder.path().to_str().unwrap()]);
    let run = |arguments: &[&str]| {
        let ran = ask_at(&pincite, &server.url, arguments);
        (ran.code, ran.out)
    };
    assert_eq!(run(&["workspace", "create", "notes"]), (0, "notes  on the server\n".to_owned()));
    assert_eq!(run(&["workspace", "create", "notes"]).0, 2, "it is there");
    let refused =
        ask_at(&pincite, &server.url, &["workspace", "create", "mine", "--root", folder.path().to_str().unwrap()]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("hint: leave `root` out"), "{}", refused.err);
    let off = run(&["workspace", "intelligence", "notes", "off", "--json"]);
    let off_json: Value = serde_json::from_str(&off.1).unwrap();
    assert_eq!((off.0, off_json), (0, serde_json::json!({ "name": "notes", "intelligence": false })));
    let listed = "default  on the server\nnotes  on the server  (intelligence off)\n";
    assert_eq!(run(&["workspace", "list"]), (0, listed.to_owned()));
    assert_eq!(run(&["workspace", "delete", "notes"]), (0, "notes is deleted\n".to_owned()));
    assert_eq!(run(&["workspace", "delete", "notes"]).0, 2, "it is gone");
}

#[test]
fn keys_are_made_used_narrowed_rotated_and_revoked_over_a_server() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let server = Server::start(&pincite, &[folder.path().to_str().unwrap()]);
    let run = |arguments: &[&str], key: Option<&str>| {
        let mut command = pincite.command(arguments);
        command.env("PINCITE_URL", &server.url).envs(key.map(|key| ("PINCITE_API_KEY", key)));
        Ran::of(&mut command)
    };
    let made = |ran: Ran| -> (String, String) {
        assert_eq!(ran.code, 0, "{}", ran.err);
        let made = ran.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["secret"]), text(&made["key"]["id"]))
    };
    let (admin, _) = made(run(&["key", "create", "--name", "admin", "--scope", "admin", "--json"], None));
    let refused = run(LIST, None);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""), "once a key was made, nobody comes in without one");
    assert!(refused.err.contains("hint: "), "{}", refused.err);
    assert_eq!(run(LIST, Some("pin_none")).code, 2);

    let create = ["key", "create", "--name", "reader", "--scope", "files:read,search", "--glob", "notes/**", "--json"];
    let (reader, id) = made(run(&create, Some(&admin)));
    for form in [&["key", "list"][..], &["key", "list", "--json"]] {
        let (here, there) = (pincite.run(form), run(form, Some(&admin)));
        assert_eq!((here.code, here.out), (there.code, there.out));
    }
    assert_eq!(run(&["files"], Some(&reader)).code, 1, "there are none");
    let lacks = run(&["key", "list"], Some(&reader));
    assert_eq!((lacks.code, lacks.out.as_str()), (1, ""));
    assert!(lacks.err.contains("keys"), "the missing right is named: {}", lacks.err);

    assert_eq!(run(&["key", "narrow", &id, "--scope", "search"], Some(&admin)).code, 0);
    assert!(run(&["files"], Some(&reader)).err.contains("files:read"));
    let (rotated, rotated_id) = made(run(&["key", "rotate", &id, "--overlap-s", "0", "--json"], Some(&admin)));
    assert_eq!(run(&["search", "x"], Some(&rotated)).code, 1, "nothing is found");
    let revoked = run(&["key", "revoke", &rotated_id], Some(&admin));
    assert_eq!((revoked.code, revoked.out), (0, format!("revoked: {rotated_id}, {id}\n")));
    assert_eq!(run(&["search", "x"], Some(&rotated)).code, 2, "it is revoked");
}

#[test]
fn a_workspace_is_offered_and_claimed_over_a_server() {
    let pincite = Pincite::words_alone();
    let server = Server::start(&pincite, &[]);
    let made = pincite.run(&["key", "create", "--name", "admin", "--scope", "admin", "--json"]).json();
    let admin = made["secret"].as_str().unwrap();
    let at_server = |arguments: &[&str]| ask_at(&pincite, &server.url, &[&["--key", admin], arguments].concat());
    let offered = at_server(&["workspace", "transfer", "default", "--json"]).json();
    let token = offered["token"].as_str().unwrap();
    for form in [&["workspace", "offers", "default"][..], &["workspace", "offers", "default", "--json"]] {
        let (here, there) = (pincite.run(form), at_server(form));
        assert_eq!((here.code, &here.out), (there.code, &there.out), "{}{}", here.err, there.err);
        assert!(there.out.contains("editor") && !there.out.contains(token), "{}", there.out);
    }
    let second = at_server(&["workspace", "transfer", "default", "--json"]).json()["transfer"]["id"].to_string();
    let withdrawn = at_server(&["workspace", "withdraw", "default", &second]);
    assert_eq!((withdrawn.code, withdrawn.out), (0, format!("offer {second} is taken back\n")), "{}", withdrawn.err);
    let claimed = at_server(&["workspace", "claim", token, "--json"]);
    assert_eq!(claimed.code, 0, "{}", claimed.err);
    let claimed = claimed.json();
    let owner = claimed["secret"].as_str().unwrap();
    assert_eq!(at_server(&["workspace", "claim", token]).code, 2, "it is claimed once");
    assert_eq!(ask_at(&pincite, &server.url, &["--key", owner, "status"]).code, 0);
}

#[test]
fn an_answer_of_a_language_model_is_the_same_from_a_server() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let text = "# Outage\n\nThe gateway accepted nothing for 37 minutes on 2 November.\n";
    fs_err::write(folder.path().join("postmortem.md"), text).unwrap();
    pincite.index(folder.path());
    let written = |asked: &Asked| {
        let number = asked.passage_with("accepted nothing");
        Behaviour::Answer(format!("It was down for 37 minutes. [{number}: \"accepted nothing for 37 minutes\"]"))
    };
    let cut = |_: &Asked| Behaviour::Cut("It was".to_owned());
    for stand_in in [StandIn::new(written), StandIn::new(cut)] {
        let config = format!("[answer]\nbase_url = \"{}\"\nmodel = \"stand-in\"\n", stand_in.base_url());
        fs_err::write(pincite.data.path().join("config.toml"), config).unwrap();
        let server = Server::start(&pincite, &[]);
        for form in [&["ask", QUESTION][..], &["ask", QUESTION, "--json"]] {
            let (here, there) = (pincite.run(form), ask_at(&pincite, &server.url, form));
            // What the process logs of itself is no part of it.
            let notes = |ran: &Ran| {
                ran.err.lines().filter(|line| !line.contains(" WARN ")).map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!((here.code, &here.out, notes(&here)), (there.code, &there.out, notes(&there)));
        }
    }
}

#[test]
fn commands_that_need_the_data_folder_say_what_to_do_instead() {
    let pincite = Pincite::words_alone();
    // Nobody listens there: nothing is to be sent.
    let at = ["--url", "https://127.0.0.1:1"];
    let commands: &[&[&str]] = &[
        &["index", "."],
        &["reindex"],
        &["serve"],
        &["mcp"],
        &["extract", "Cargo.toml"],
        &["eval", "."],
        &["models", "list"],
        &["verdicts", "--export", "x"],
        &["search", "x", "--path", "."],
    ];
    for command in commands {
        let ran = pincite.run(&[command, &at[..]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{command:?}");
        assert!(ran.err.contains("does not work on a server\nhint: "), "{command:?}: {}", ran.err);
    }
    let ran = pincite.run(&[&["status"], &at[..]].concat());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("https://127.0.0.1:1 cannot be reached: "), "{}", ran.err);
}

/// A server that gives its replies in turn, each on a connection of its own, and keeps what it was sent.
struct Canned {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    fn new(replies: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let taken = Arc::clone(&requests);
        std::thread::spawn(move || {
            for reply in replies {
                let Ok((stream, _)) = listener.accept() else { return };
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(request_of(&stream));
                // A client that has seen enough may be gone.
                let _ = (&stream).write_all(reply.as_bytes());
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn request_of(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return request;
        }
    }
    let header = request.to_lowercase();
    let length = header.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<u64>().ok());
    let _ = reader.take(length.unwrap_or(0)).read_to_string(&mut request);
    request
}

fn reply(status: &str, header: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

const NONE: &str = r#"{"workspaces":[]}"#;
const LIST: &[&str] = &["workspace", "list"];

#[test]
fn a_key_is_not_sent_unencrypted_to_another_machine() {
    let pincite = Pincite::words_alone();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    // It leads to this machine, and is no name of it.
    let url = format!("http://0.0.0.0:{}", listener.local_addr().unwrap().port());
    let ran = ask_at(&pincite, &url, &[LIST, &["--key", KEY]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(
        ran.err.contains("plain HTTP would show it") && ran.err.contains("hint: give an `https://` URL"),
        "{}",
        ran.err
    );
    assert!(listener.accept().is_err(), "nothing is sent");
    assert!(!ran.err.contains(KEY), "{}", ran.err);
}

#[test]
fn a_redirect_is_not_followed_and_takes_no_key_along() {
    let pincite = Pincite::words_alone();
    let other = Canned::new(vec![reply("200 OK", "", NONE)]);
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("Location: {}/v1/workspaces\r\n", other.url());
        let server = Canned::new(vec![reply(status, &location, "")]);
        let ran = ask_at(&pincite, &server.url(), &[LIST, &["--key", KEY]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(ran.err.contains("which is not followed"), "{}", ran.err);
    }
    assert_eq!(other.requests(), Vec::<String>::new());
}

#[test]
fn the_key_comes_from_an_option_a_file_or_the_environment() {
    let pincite = Pincite::words_alone();
    let file = pincite.data.path().join("key");
    fs_err::write(&file, format!("{KEY}\n")).unwrap();
    let sent = |arguments: &[&str], of_environment: Option<&str>| {
        let server = Canned::new(vec![reply("200 OK", "", NONE)]);
        let mut command = pincite.command(&[LIST, arguments].concat());
        command.env("PINCITE_URL", server.url());
        if let Some(key) = of_environment {
            command.env("PINCITE_API_KEY", key);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let request = server.requests().remove(0);
        assert!(request.starts_with("GET /v1/workspaces HTTP/1.1\r\n"), "{request}");
        let line = request.lines().find(|line| line.to_lowercase().starts_with("authorization: "));
        line.map(|line| line["authorization: ".len()..].to_owned())
    };
    let bearer = |key: &str| Some(format!("Bearer {key}"));
    assert_eq!(sent(&["--key", KEY], Some("pin_other")), bearer(KEY));
    assert_eq!(sent(&["--key-file", file.to_str().unwrap()], Some("pin_other")), bearer(KEY));
    assert_eq!(sent(&[], Some("pin_other")), bearer("pin_other"));
    assert_eq!(sent(&[], Some("")), None);
    assert_eq!(sent(&[], None), None);
    let broken =
        pincite.command(LIST).env("PINCITE_URL", "http://localhost:1").env("PINCITE_API_KEY", "a b").output().unwrap();
    assert_eq!(broken.status.code(), Some(2));
    assert!(!String::from_utf8(broken.stderr).unwrap().contains("a b"));
}

#[test]
fn a_busy_server_is_asked_again_and_only_for_what_changes_nothing() {
    let pincite = Pincite::words_alone();
    let busy = |status, code| {
        let body = serde_json::json!({ "error": { "code": code, "message": "too much at once", "hint": "wait" } });
        reply(status, "Retry-After: 0\r\n", &body.to_string())
    };
    let (many, overloaded) = ("429 Too Many Requests", "503 Service Unavailable");
    let server =
        Canned::new(vec![busy(many, "rate_limited"), busy(overloaded, "overloaded"), reply("200 OK", "", NONE)]);
    let ran = ask_at(&pincite, &server.url(), LIST);
    assert_eq!((ran.code, ran.out.as_str(), server.requests().len()), (0, "", 3), "{}", ran.err);
    assert_eq!(ran.err.matches("note: too much at once; asking again in ").count(), 2, "{}", ran.err);

    let made = r#"{"name":"a","intelligence":true}"#;
    let server = Canned::new(vec![busy(many, "rate_limited"), reply("201 Created", "", made)]);
    let ran = ask_at(&pincite, &server.url(), &["workspace", "create", "a"]);
    assert_eq!((ran.code, server.requests().len()), (1, 1), "{}", ran.err);
    assert_eq!(ran.err, "error: too much at once\nhint: wait\n");

    // It does not pass by itself.
    let server = Canned::new(vec![busy(overloaded, "model_unavailable"), reply("200 OK", "", NONE)]);
    assert_eq!((ask_at(&pincite, &server.url(), LIST).code, server.requests().len()), (1, 1));
    let late = format!("HTTP/1.1 {many}\r\nRetry-After: 3600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let server = Canned::new(vec![late, reply("200 OK", "", NONE)]);
    assert_eq!(
        (ask_at(&pincite, &server.url(), LIST).code, server.requests().len()),
        (1, 1),
        "an hour is not waited for"
    );
}

#[test]
fn words_of_a_server_cannot_steer_the_terminal() {
    let pincite = Pincite::words_alone();
    let error =
        serde_json::json!({ "error": { "code": "x", "message": "bad\u{1b}]0;owned\u{7}", "hint": "\u{9b}2J" } });
    let server = Canned::new(vec![reply("404 Not Found", "", &error.to_string())]);
    let ran = ask_at(&pincite, &server.url(), LIST);
    assert_eq!(ran.err, "error: bad\\u{1b}]0;owned\\u{7}\nhint: \\u{9b}2J\n");
    let listed = r#"{"workspaces":[{"name":"a","root":"/tmp/\u001b[2J","intelligence":true}]}"#;
    let server = Canned::new(vec![reply("200 OK", "", listed)]);
    assert_eq!(ask_at(&pincite, &server.url(), LIST).out, "a  /tmp/\\u{1b}[2J\n");

    // Here as well: files are not more trusted than servers.
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("a.txt"), "A harbour \u{1b}[31mmaster\u{202e}.\n").unwrap();
    pincite.index(folder.path());
    let found = pincite.run(&["search", "harbour"]);
    assert!(found.out.contains("A harbour \\u{1b}[31mmaster\\u{202e}."), "{}", found.out);
}

#[test]
fn a_reply_that_is_not_pincites_is_an_error_and_no_result() {
    let pincite = Pincite::words_alone();
    let error_of = |reply: String, arguments: &[&str]| {
        let server = Canned::new(vec![reply]);
        let ran = ask_at(&pincite, &server.url(), arguments);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
        ran.err
    };
    assert!(error_of(reply("200 OK", "", "<html>It works!</html>"), LIST).contains("is not one of pincite"));
    assert!(error_of(reply("502 Bad Gateway", "", "<html>nginx</html>"), LIST).contains("replied with status 502"));
    assert!(error_of("SSH-2.0-OpenSSH_9.6\r\n".to_owned(), LIST).contains("is not HTTP"));
    assert!(error_of("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"work".to_owned(), LIST).contains("hint: "));
    let stream = "event: passages\ndata: {\"citations\":[]}\n\nevent: done\ndata: {";
    assert!(error_of(reply("200 OK", "", stream), &["ask", "x"]).contains("it ends in the middle"));
    let failed = "event: error\ndata: {\"error\":{\"code\":\"internal\",\"message\":\"it broke\"}}\n\n";
    assert_eq!(error_of(reply("200 OK", "", failed), &["ask", "x"]), "error: it broke\n");
}

#[test]
fn locks_are_taken_extended_and_released_on_a_data_folder_and_over_a_server() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    pincite.index(folder.path());
    let server = Server::start(&pincite, &[folder.path().to_str().unwrap()]);
    let ask = |arguments: &[&str], is_at_server: bool| {
        if is_at_server { ask_at(&pincite, &server.url, arguments) } else { pincite.run(arguments) }
    };
    for is_at_server in [false, true] {
        let run = |arguments: &[&str]| ask(arguments, is_at_server);
        let lock = run(&["lock", "take", "notes/a.md", "--reason", "rewriting", "--json"]);
        assert_eq!(lock.code, 0, "{}", lock.err);
        let lock = lock.json();
        let (id, token) = (lock["lock_id"].as_str().unwrap(), lock["token"].as_str().unwrap());
        assert_eq!((&lock["mode"], &lock["heartbeat_every_s"]), (&"exclusive".into(), &20.into()));
        let refused = run(&["lock", "take", "--glob", "notes/**", "--shared"]);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{}", refused.err);
        assert!(refused.err.contains("is locked by this machine's user until"), "{}", refused.err);
        // Who waits asks again until the time is over.
        assert_eq!(run(&["lock", "take", "notes/a.md", "--wait-s", "1"]).code, 1);
        let listed = [run(&["lock", "list"]), ask(&["lock", "list"], !is_at_server)];
        assert_eq!((listed[0].code, &listed[0].out), (0, &listed[1].out));
        let line = listed[0].out.as_str();
        assert!(line.starts_with(&format!("{id}  notes/a.md  exclusive by this machine's user until ")), "{line}");
        assert!(line.ends_with("  rewriting\n") && !line.contains(token), "{line}");
        let extended = run(&["lock", "extend", token, "--ttl-s", "3600", "--json"]).json();
        assert!(extended["expires_at"].as_str() > lock["expires_at"].as_str(), "{extended}");
        let released = run(&["lock", "release", token]);
        assert_eq!((released.code, released.out), (0, format!("{id} is released\n")));
        assert_eq!(run(&["lock", "release", token]).out, format!("{id} was not held\n"));
        let lost = run(&["lock", "extend", token]);
        assert_eq!(lost.code, 1, "{}", lost.err);
        let shared = run(&["lock", "take", "--glob", "notes/**", "--shared", "--json"]).json();
        let id = shared["lock_id"].as_str().unwrap();
        assert_eq!(run(&["lock", "release", "--force", id]).out, format!("{id} is released\n"));
        assert_eq!(run(&["lock", "list"]).code, 1, "nothing is held");
        assert_eq!(run(&["lock", "take"]).code, 2, "a path or a glob");
        assert_eq!(run(&["lock", "release"]).code, 2, "a token, or `--force`");
    }
    let broken = pincite.run(&["audit", "--action", "lock.break"]);
    assert_eq!(broken.out.matches("lock.break").count(), 4, "begun and done, of both: {}", broken.out);
}

#[cfg(unix)]
#[test]
fn a_command_runs_under_a_lock_that_is_released_after_it() {
    let pincite = Pincite::words_alone();
    let server = Server::start(&pincite, &[]);
    let run = |arguments: &[&str]| ask_at(&pincite, &server.url, arguments);
    let script = "echo $PINCITE_LOCK_FENCE; case $PINCITE_LOCK_TOKEN in lck_*) exit 7;; esac";
    let ran = run(&["lock", "run", "a.md", "--", "sh", "-c", script]);
    assert_eq!((ran.code, ran.out.as_str()), (7, "1\n"), "{}", ran.err);
    assert_eq!(run(&["lock", "list"]).code, 1, "it is released");
    // A lock that is held keeps the command from running.
    let held = run(&["lock", "take", "a.md", "--json"]).json();
    let ran = run(&["lock", "run", "a.md", "--", "touch", pincite.data.path().join("ran").to_str().unwrap()]);
    assert_eq!((ran.code, pincite.data.path().join("ran").exists()), (1, false));
    run(&["lock", "release", held["token"].as_str().unwrap()]);
    // Told to end, it tells its command, and releases the lock.
    let mut command = pincite.command(&["--url", &server.url, "lock", "run", "a.md", "--", "sh", "-c", "sleep 60"]);
    let mut process = command.spawn().unwrap();
    until("the lock is held", || run(&["lock", "list"]).code == 0);
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(128 + 15));
    assert_eq!(run(&["lock", "list"]).code, 1, "it is released");
    let missing = run(&["lock", "run", "a.md", "--", "no-such-program"]);
    assert!(missing.err.contains("`no-such-program` cannot be run"), "{}", missing.err);
    assert_eq!(run(&["lock", "list"]).code, 1, "it is released");
}
