//! What questions about time and the whole cost over 10,000 files, and answers in general.
//!
//! The files are generated (`workload`) and go through the real line by words. All of them were changed now, so each is in
//! scope of every question here: none is cheap because little is in it. Times are of `Engine::ask`, one after the other.
//!
//! Run `cargo bench --bench recent`.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "workload/mod.rs"]
mod workload;

use std::sync::Arc;

use pincite::answer::{AskReply, AskRequest};
use pincite::embed::Silent as SilentFetch;
use pincite::engine::{Access, Caller, Engine, OpenOptions, Surface};
use pincite::workspace::WorkspaceId;
use workload::line::{index_words, open_index};
use workload::measure::{Target, Times, head, peak_memory_mb, row, timed};
use workload::model::{kept_folder, open_model, runtime_folder};
use workload::{Random, Writer, write_folder};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NUM_FILES: usize = 10_000;
/// Times that each question is asked.
const NUM_ASKED: usize = 20;
/// What half of the answers may take, in milliseconds: by a plan, and from the nearest passages.
const MOST_OF_PLAN_MS: f64 = 150.0;
const MOST_OF_PASSAGES_MS: f64 = 60.0;

fn main() {
    let folder = kept_folder().join("bench-recent");
    if folder.exists() {
        fs_err::remove_dir_all(&folder).expect("the folder of the last run goes");
    }
    let writer = Writer::new();
    let (files, data) = (folder.join("files"), folder.join("data"));
    write_folder(&writer, 0, NUM_FILES, &files);
    let model = open_model();
    let index = open_index(&data, &model);
    let report = index_words(&data, &files, &index, &model);
    drop(index);
    println!("\nmade {} chunks of {NUM_FILES} files", report.num_chunks);
    let engine = Engine::open(OpenOptions {
        runtime_folder: Some(runtime_folder()),
        fetch_progress: Arc::new(SilentFetch),
        ..OpenOptions::new(&data, Access::Write, "bench")
    })
    .expect("an engine");
    let ask = |question: &str| -> (f64, AskReply) {
        let request = AskRequest::new(question);
        timed(|| {
            engine
                .workspace(&WorkspaceId::default(), &Caller::local(Surface::CommandLine))
                .expect("the workspace")
                .ask(&request)
                .expect("an answer")
        })
    };
    head(&format!("questions to {NUM_FILES} files"));
    let mut random = Random::new(7);
    let subject = writer.file(0, random.below(NUM_FILES), 0).subject.join(" ");
    for question in [
        "what changed today?".to_owned(),
        "summarize recent outputs".to_owned(),
        "what is in here?".to_owned(),
        format!("what was written this week about {subject}?"),
    ] {
        let (_, reply) = ask(&question);
        let num_files = reply.digest.as_ref().map_or(0, |digest| digest.num_files);
        assert!(num_files == NUM_FILES, "{num_files} files are in scope of `{question}`");
        let mut times = Times::default();
        for _ in 0..NUM_ASKED {
            times.push(ask(&question).0);
        }
        let topic =
            if reply.plan.topic.is_empty() { question } else { "what was written this week about …?".to_owned() };
        row(&format!("`{topic}`, p50"), times.p50(), "ms", &Target::None);
        row(&format!("`{topic}`, slowest"), times.percentile(100), "ms", &Target::None);
    }
    let word = writer.file(0, random.below(NUM_FILES), 0).subject[0].clone();
    for question in [
        format!("Which files mention {word}?"),
        "How many runs are there?".to_owned(),
        format!("What is the total of {word}?"),
        format!("What is the difference between {word} and {subject}?"),
        format!("What is the current {word}?"),
        format!("Who wrote about {word}?"),
        format!("What does {word} mean?"),
    ] {
        let (_, reply) = ask(&question);
        let mut times = Times::default();
        for _ in 0..NUM_ASKED {
            times.push(ask(&question).0);
        }
        let name = format!("the plan `{}`, p50", reply.plan.kind.name());
        row(&name, times.p50(), "ms", &Target::AtMost(MOST_OF_PLAN_MS));
    }
    let mut times = Times::default();
    for number in 0..NUM_ASKED {
        let file = writer.file(0, number * 97 % NUM_FILES, 0);
        times.push(ask(&writer.question(&file, &mut random)).0);
    }
    row("an answer from the nearest passages, p50", times.p50(), "ms", &Target::AtMost(MOST_OF_PASSAGES_MS));
    row("answers a second", 1000.0 * times.len() as f64 / times.sum(), "", &Target::None);
    row("peak memory", peak_memory_mb(), "MB", &Target::None);
    drop(engine);
    fs_err::remove_dir_all(&folder).expect("the folder goes");
}
