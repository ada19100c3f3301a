//! A hundred thousand changes in a watched folder: the index ends equal to the tree.
//!
//! The server stands still while the first half is made, as on a machine that is too busy to run it, so that the system's queue
//! of events overflows for certain; the other half is made while it looks at the folder and indexes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use pincite::workspace::ContentHash;
use serde_json::json;

use crate::workload::Random;
use crate::workload::measure::{Target, head, row};
use crate::workload::server::Server;

const NUM_CREATED: usize = 45_000;
const NUM_REWRITTEN: usize = 30_000;
const NUM_RENAMED: usize = 10_000;
const NUM_DELETED: usize = 15_000;
/// Words of contents that are no more which are looked for.
const NUM_GONE_LOOKED_FOR: usize = 2_000;
const NUM_FOLDERS: usize = 200;
/// No run takes as long.
const FOREVER: Duration = Duration::from_mins(5);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A folder, and what must be in it: the number of the content of each file. Every content has a word of its own.
#[derive(Default)]
struct Tree {
    files: BTreeMap<String, usize>,
    /// Contents that were replaced or deleted.
    gone: Vec<usize>,
    num_contents: usize,
    num_changes: usize,
}

pub fn measure() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (folder, data) = (place.path().join("files"), place.path().join("data"));
    for number in 0..NUM_FOLDERS {
        fs_err::create_dir_all(folder.join(format!("runs/{number}"))).expect("a folder");
    }
    fs_err::write(folder.join("first.txt"), "The folder is watched.").expect("a file");
    let server = Server::start(&data, &folder, false);
    server.wait_until("the folder is watched", |now| now.num_ready == 1);
    fs_err::remove_file(folder.join("first.txt")).expect("a file");
    server.wait_until("changes are noticed", |now| now.num_files == 0);

    head("100,000 changes of files in a watched folder");
    let mut tree = Tree::default();
    let started = Instant::now();
    server.held(|| tree.create(&folder));
    tree.change(&folder);
    let changed = started.elapsed();
    let rate = tree.num_changes as f64 / changed.as_secs_f64();
    row("changes", tree.num_changes as f64, "", &Target::None);
    row("made in the folder", rate, "1/s", &Target::None);
    let last = Instant::now();
    let is_equal = wait_until_equal(&server, &tree);
    row("from the last of them until the index equals the tree", last.elapsed().as_secs_f64(), "s", &Target::None);
    let rate = tree.num_changes as f64 / started.elapsed().as_secs_f64();
    row("changes a second, from the first until the index equals the tree", rate, "1/s", &Target::None);
    row(
        "times that the system lost events, as the server's log has it",
        server.num_said("events were lost") as f64,
        "",
        &Target::AtLeast(1.0),
    );
    row("files in the tree", tree.files.len() as f64, "", &Target::None);
    row("files that are listed wrongly or not, or passages too many", is_equal as f64, "", &Target::AtMost(0.0));
    row(
        "files not found by their own word, or not alone",
        tree.num_not_found(&server) as f64,
        "",
        &Target::AtMost(0.0),
    );
    let num_phantoms = tree.num_phantoms(&server);
    row("replaced and deleted contents that are found, of 2,000", num_phantoms as f64, "", &Target::AtMost(0.0));
    row("peak memory of the server", server.peak_memory_mb(), "MB", &Target::None);
}

fn word_of(content: usize) -> String {
    format!("zzword{content}")
}

fn text_of(content: usize) -> String {
    format!("# Note {content}\n\nThe run left {} behind, and went on to the next step.\n", word_of(content))
}

impl Tree {
    fn create(&mut self, folder: &Path) {
        for number in 0..NUM_CREATED {
            self.write(folder, format!("runs/{}/note-{number}.md", number % NUM_FOLDERS));
        }
    }

    fn change(&mut self, folder: &Path) {
        let mut random = Random::new(51);
        let mut paths: Vec<String> = self.files.keys().cloned().collect();
        for _ in 0..NUM_REWRITTEN {
            self.write(folder, paths[random.below(paths.len())].clone());
        }
        for number in 0..NUM_RENAMED {
            let from = paths.swap_remove(random.below(paths.len()));
            let to = format!("runs/{}/moved-{number}.md", random.below(NUM_FOLDERS));
            fs_err::rename(folder.join(&from), folder.join(&to)).expect("a file is renamed");
            let content = self.files.remove(&from).expect("it was there");
            self.files.insert(to, content);
            self.num_changes += 1;
        }
        for _ in 0..NUM_DELETED {
            let path = paths.swap_remove(random.below(paths.len()));
            fs_err::remove_file(folder.join(&path)).expect("a file is removed");
            self.gone.extend(self.files.remove(&path));
            self.num_changes += 1;
        }
    }

    fn write(&mut self, folder: &Path, path: String) {
        let content = self.num_contents;
        self.num_contents += 1;
        self.num_changes += 1;
        fs_err::write(folder.join(&path), text_of(content)).expect("a file");
        self.gone.extend(self.files.insert(path, content));
    }

    /// How many files are listed wrongly or not at all, with the chunks that the index has too many or too few.
    fn num_wrong(&self, server: &Server) -> usize {
        let mut listed: BTreeMap<String, String> = server.files().into_iter().collect();
        let mut num_wrong = 0;
        for (path, &content) in &self.files {
            let hash = ContentHash::of(text_of(content).as_bytes()).to_string();
            num_wrong += usize::from(listed.remove(path) != Some(hash));
        }
        let num_chunks = server.standing().num_chunks;
        num_wrong
            + listed.len()
            + usize::try_from(num_chunks.abs_diff(self.files.len() as u64)).expect("a number of files")
    }

    fn num_not_found(&self, server: &Server) -> usize {
        let is_found = |path: &str, content: usize| {
            let hits = server.search(&json!({ "query": word_of(content), "mode": "lexical" }));
            hits.len() == 1 && hits[0]["citation"]["path"] == path && hits[0].get("also_at").is_none()
        };
        self.files.iter().filter(|&(path, &content)| !is_found(path, content)).count()
    }

    fn num_phantoms(&self, server: &Server) -> usize {
        let step = (self.gone.len() / NUM_GONE_LOOKED_FOR).max(1);
        let is_found = |content| !server.search(&json!({ "query": word_of(content), "mode": "lexical" })).is_empty();
        self.gone.iter().step_by(step).filter(|&&content| is_found(content)).count()
    }
}

/// Waits until the index equals the tree, and returns what is wrong if it does not come to that.
fn wait_until_equal(server: &Server, tree: &Tree) -> usize {
    let end = Instant::now() + FOREVER;
    loop {
        let now = server.standing();
        let may_be = now.num_pending == 0 && now.num_ready == tree.files.len() as u64;
        let num_wrong = if may_be || Instant::now() >= end { tree.num_wrong(server) } else { usize::MAX };
        if num_wrong == 0 || Instant::now() >= end {
            return num_wrong;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}
