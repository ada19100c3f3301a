//! Events and writes a second, through the log and the index, by words alone.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::workload::measure::{Target, head, row};
use crate::workload::server::Server;
use crate::workload::{Random, Writer};

/// Events of each kind, and how many come together.
const NUM_EVENTS: usize = 20_000;
const NUM_WITH_CONTENT: usize = 5_000;
const TOGETHER: usize = 100;
/// Files that events are about.
const NUM_FILES: usize = 4_000;
/// Writes one after the other.
const NUM_WRITES: usize = 500;
/// Bytes of a file.
const FILE_BYTES: usize = 1_000;

pub fn measure() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (folder, data) = (place.path().join("files"), place.path().join("data"));
    let writer = Writer::new();
    for number in 0..NUM_FILES {
        put_on_disk(&folder, &path_of(number), &text_of(&writer, number, 0));
    }
    let server = Server::start(&data, &folder, false);
    server.wait_until("the folder is indexed", |now| now.num_ready == NUM_FILES as u64 && now.num_pending == 0);
    head("events a second until all is searchable by words");
    let mut random = Random::new(41);
    let mut id = 0;
    let mut event = |kind: &str, path: String, content: Option<String>| {
        id += 1;
        let mut event = json!({ "id": format!("event-{id}"), "type": kind, "path": path });
        if let Some(content) = content {
            event["content"] = json!(content);
        }
        event
    };
    let events: Vec<Value> =
        (0..NUM_EVENTS).map(|_| event("modified", path_of(random.below(NUM_FILES)), None)).collect();
    run(&server, &events, "events that name a file, of files that are as they were");
    // Each file once or twice, with another text each time.
    let events: Vec<Value> = (0..NUM_WITH_CONTENT)
        .map(|turn| event("modified", path_of(turn % NUM_FILES), Some(text_of(&writer, turn, 1))))
        .collect();
    run(&server, &events, "events that bring 1 KB of content, each file on disk when they are answered");
    let started = Instant::now();
    let mut last = 0;
    for number in 0..NUM_WRITES {
        last = server.put(&format!("written/{number}.md"), &text_of(&writer, number, 2));
    }
    let answered = started.elapsed();
    server.search(&json!({ "query": "the", "mode": "lexical", "min_revision": last, "wait_ms": 60_000 }));
    let rate = |time: std::time::Duration| NUM_WRITES as f64 / time.as_secs_f64();
    row("writes of 1 KB by one client, one after the other, answered", rate(answered), "1/s", &Target::None);
    row("the same, until searchable", rate(started.elapsed()), "1/s", &Target::None);
}

fn run(server: &Server, events: &[Value], what: &str) {
    let started = Instant::now();
    let num_refused: usize = events.chunks(TOGETHER).map(|some| server.send_events(some)).sum();
    let answered = started.elapsed();
    server.wait_until("all events are done", |now| now.num_pending == 0);
    let rate = |time: std::time::Duration| events.len() as f64 / time.as_secs_f64();
    row(what, rate(started.elapsed()), "1/s", &Target::None);
    row("  answered, with the waits that the server asked for", rate(answered), "1/s", &Target::None);
    row("  times that it asked to wait", num_refused as f64, "", &Target::None);
}

fn path_of(number: usize) -> String {
    format!("notes/{:02}/note-{number}.md", number % 50)
}

fn text_of(writer: &Writer, number: usize, salt: u64) -> String {
    let mut text = writer.file(3, number, salt).text;
    text.truncate(text.floor_char_boundary(FILE_BYTES));
    text
}

fn put_on_disk(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs_err::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder that can be written");
    fs_err::write(path, text).expect("a folder that can be written");
}
