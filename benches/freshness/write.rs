//! A file of 10 KB from the answer to its write until it is found, on a quiet server and during a backfill.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::workload::line::{add_vectors, index_words, open_index};
use crate::workload::measure::{Target, Times, head, ms, row, timed};
use crate::workload::model::{any_vectors, open_model};
use crate::workload::server::Server;
use crate::workload::{Random, Writer, write_folder};

/// Files that are there before: some 100,000 chunks.
const NUM_FILES: usize = 10_000;
/// Files that come at once.
const NUM_BACKFILLED: usize = 10_000;
/// Writes on a quiet server and, at the most, in each half of the backfill.
const NUM_QUIET_WRITES: usize = 200;
const NUM_BUSY_WRITES: usize = 150;
/// Queries before the first write, and after each write of the backfill.
const NUM_QUIET_QUERIES: usize = 600;
const QUERIES_A_WRITE: usize = 6;
/// Bytes of a written file.
const FILE_BYTES: usize = 10 * 1024;
/// Between two looks by meaning: they take the processors from what they wait for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A reader takes as long between two queries, at the least.
const PAUSE: Duration = Duration::from_millis(10);
/// Seeds of the generated folders and of what is written.
const SEED_BACKFILL: u64 = 1;
const SEED_WRITTEN: u64 = 2;

/// Times of one state of the server.
#[derive(Default)]
struct Figures {
    answered: Times,
    words: Times,
    meaning: Times,
    queries: Times,
}

struct Bench {
    server: Server,
    writer: Writer,
    random: Random,
    num_written: usize,
}

pub fn measure() {
    let model = open_model();
    if model.embedder.is_err() {
        return;
    }
    let place = tempfile::tempdir().expect("a temporary folder");
    let (folder, data, incoming) =
        (place.path().join("files"), place.path().join("data"), place.path().join("incoming"));
    let writer = Writer::new();
    write_folder(&writer, 0, NUM_FILES, &folder);
    let num_bytes = write_folder(&writer, SEED_BACKFILL, NUM_BACKFILLED, &incoming);
    fs_err::create_dir(&data).expect("a data folder");
    let index = open_index(&data, &model);
    index_words(&data, &folder, &index, &model);
    add_vectors(&index, |num_vectors| any_vectors(num_vectors, model.entry.num_dimensions));
    drop((index, model));

    let server = Server::start(&data, &folder, true);
    let mut bench = Bench { server, writer, random: Random::new(31), num_written: 0 };
    bench.server.wait_until("all is embedded", |now| now.num_pending == 0 && now.num_embedded == now.num_chunks);
    let quiet = bench.quiet();
    head("a file of 10 KB written, on a quiet server");
    quiet.print_writes(true);
    row("hybrid query, p50", quiet.queries.p50(), "ms", &Target::None);
    row("hybrid query, p99", quiet.queries.p99(), "ms", &Target::None);
    bench.backfill(&quiet, &incoming, &folder, num_bytes);
}

impl Figures {
    fn print_writes(&self, is_quiet: bool) {
        let most = |ms: f64| if is_quiet { Target::AtMost(ms) } else { Target::None };
        row("writes", self.words.len() as f64, "", &Target::None);
        row("answered, p50", self.answered.p50(), "ms", &Target::None);
        row("answered, p99", self.answered.p99(), "ms", &Target::None);
        row("from the answer until found by words, p50", self.words.p50(), "ms", &Target::None);
        row("from the answer until found by words, p99", self.words.p99(), "ms", &most(300.0));
        row("from the answer until all of it is found by meaning, p50", self.meaning.p50(), "ms", &Target::None);
        row("from the answer until all of it is found by meaning, p99", self.meaning.p99(), "ms", &most(1000.0));
    }

    fn print_beside(&self, quiet: &Self) {
        self.print_writes(false);
        row("hybrid queries", self.queries.len() as f64, "", &Target::None);
        row("hybrid query, p50", self.queries.p50(), "ms", &Target::None);
        row("hybrid query, p99", self.queries.p99(), "ms", &Target::None);
        let ratio = self.queries.p99() / quiet.queries.p99();
        row("p99 of a hybrid query against that on the quiet server", ratio, "", &Target::AtMost(2.0));
    }
}

impl Bench {
    fn quiet(&mut self) -> Figures {
        let mut figures = Figures::default();
        for _ in 0..5 {
            self.write(&mut Figures::default());
        }
        for _ in 0..NUM_QUIET_QUERIES {
            self.query(&mut figures);
        }
        for _ in 0..NUM_QUIET_WRITES {
            self.write(&mut figures);
            // Not in step with anything that the server does at intervals.
            std::thread::sleep(Duration::from_millis(self.random.next() % 100));
        }
        figures
    }

    fn backfill(&mut self, quiet: &Figures, incoming: &Path, folder: &Path, num_bytes: u64) {
        let started = Instant::now();
        fs_err::rename(incoming, folder.join("incoming")).expect("a folder is moved");
        self.server.wait_until("the backfill is noticed", |now| now.num_pending > 1_000);
        let mut by_words = Figures::default();
        let mut num_pending = usize::MAX;
        while num_pending > 0 && by_words.words.len() < NUM_BUSY_WRITES {
            self.write(&mut by_words);
            for _ in 0..QUERIES_A_WRITE {
                self.query(&mut by_words);
            }
            num_pending = usize::try_from(self.server.standing().num_pending).expect("a number of files");
        }
        head(&format!(
            "the same while {NUM_BACKFILLED} files ({:.0} MB) are brought in by words",
            num_bytes as f64 / 1e6
        ));
        by_words.print_beside(quiet);
        row("files of the backfill that are still pending then", num_pending as f64, "", &Target::None);
        self.server.wait_until("all is found by words", |now| now.num_pending == 0);
        row("until all is found by words, with the writes", ms(started.elapsed()) / 1e3, "s", &Target::None);
        let before = self.server.standing();
        let since = Instant::now();
        let mut by_meaning = Figures::default();
        for _ in 0..NUM_BUSY_WRITES {
            self.write(&mut by_meaning);
            for _ in 0..QUERIES_A_WRITE {
                self.query(&mut by_meaning);
            }
        }
        let after = self.server.standing();
        head(&format!("the same while {} chunks are embedded", before.num_chunks - before.num_embedded));
        by_meaning.print_beside(quiet);
        let rate = (after.num_embedded - before.num_embedded) as f64 / since.elapsed().as_secs_f64();
        row("chunks embedded meanwhile, with those written", rate, "1/s", &Target::None);
        let left = after.num_chunks - after.num_embedded;
        row("chunks that have no vector at the end of this", left as f64, "", &Target::None);
        row("peak memory of the server", self.server.peak_memory_mb(), "MB", &Target::None);
    }

    /// Writes a file and waits until it is found both ways.
    fn write(&mut self, figures: &mut Figures) {
        let number = self.num_written;
        self.num_written += 1;
        let mark = format!("zzmark{number}");
        let (first, second) = (self.writer.file(SEED_WRITTEN, number, 0), self.writer.file(SEED_WRITTEN, number, 1));
        let mut text = first.text + &second.text;
        text.truncate(text.floor_char_boundary(FILE_BYTES - mark.len() - 2));
        text.push(' ');
        text.push_str(&mark);
        text.push('\n');
        // Each path is written twice: the second write replaces what the first one made.
        let path = format!("written/report-{}.md", number / 2);
        let (answered, revision) = timed(|| self.server.put(&path, &text));
        let acknowledged = Instant::now();
        let query = json!({ "query": mark, "mode": "lexical", "min_revision": revision, "wait_ms": 60_000 });
        let hits = self.server.search(&query);
        figures.words.push(ms(acknowledged.elapsed()));
        let is_it = |hit: &Value| hit["citation"]["path"] == *path;
        assert!(
            hits.len() == 1 && hits.iter().all(is_it),
            "the file is found at its revision, and nothing else: {hits:?}"
        );
        let question = self.writer.question(&self.writer.file(SEED_WRITTEN, number, 0), &mut self.random);
        let query = json!({ "query": question, "mode": "dense", "k": 100, "filters": { "path": [path] } });
        while !covers(&self.server.search(&query), &text) {
            std::thread::sleep(LOOK_AGAIN);
        }
        figures.meaning.push(ms(acknowledged.elapsed()));
        figures.answered.push(answered);
    }

    /// Asks as a reader does, about something that was there before.
    fn query(&mut self, figures: &mut Figures) {
        std::thread::sleep(PAUSE);
        let file = self.writer.file(0, self.random.below(NUM_FILES), 0);
        let question = self.writer.question(&file, &mut self.random);
        let (time, hits) = timed(|| self.server.search(&json!({ "query": question })));
        assert!(!hits.is_empty(), "words that stand in files are found");
        figures.queries.push(time);
    }
}

/// Whether these passages of a file hold all of its text.
fn covers(hits: &[Value], text: &str) -> bool {
    let span = |hit: &Value| {
        let at = |name: &str| hit["citation"]["span"][name].as_u64().and_then(|at| usize::try_from(at).ok());
        at("start").zip(at("end")).expect("a span")
    };
    let mut spans: Vec<(usize, usize)> = hits.iter().map(span).collect();
    spans.sort_unstable();
    let mut end_before = 0;
    for (start, end) in spans {
        if text.get(end_before..start).is_none_or(|between| !between.trim().is_empty()) {
            return false;
        }
        end_before = end;
    }
    text.get(end_before..).is_some_and(|rest| rest.trim().is_empty())
}
