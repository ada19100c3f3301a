//! What embedding costs: the limit that ingest and queries are measured against.
//!
//! Measures, with the default model and on this machine's cores:
//! - `passages`: passages a second with one session and with two, for chunks of about 100 and of 254 tokens. Two
//!   sessions on two idle cores should come near twice one;
//! - `query`: milliseconds to embed a short query in its own session, alone and while all cores embed passages;
//! - `tokens`: megabytes a second that the token counter counts on one core, of prose and of code;
//! - `open`: milliseconds to open the model (hash and load the library, read the tokenizer) and to the first vector.
//!
//! Run `cargo bench --bench embed`. ONNX Runtime is found as the program finds it (`ORT_DYLIB_PATH`,
//! `PINCITE_RUNTIME_DIR`), else fetched into `target/pincite-test-data/runtime`. Figures are of one run: compare rows of
//! the same run only, and look at ratios.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its table and may stop at any error")]

use std::path::Path;
use std::time::{Duration, Instant};

use pincite::chunk::TokenCounter;
use pincite::embed::{Embedder, OpenModel, OpenOptions, open};

/// Prose with a vocabulary of some thousand words, the same in every run.
fn prose(num_words: usize, seed: u64) -> String {
    const SYLLABLES: [&str; 16] =
        ["re", "port", "la", "ten", "cy", "in", "dex", "que", "ry", "mo", "del", "run", "ta", "ble", "er", "ror"];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut text = String::new();
    for word in 0..num_words {
        for _ in 0..=next(3) {
            text.push_str(SYLLABLES[usize::try_from(next(16)).unwrap()]);
        }
        text.push_str(if word % 12 == 11 { ". " } else { " " });
    }
    text
}

/// The beginning of a text that has so many tokens.
fn cut_to(text: &str, num_tokens: usize, tokens: &dyn TokenCounter) -> String {
    let mut cut = String::new();
    for word in text.split_inclusive(' ') {
        if tokens.num_tokens(&cut) + tokens.num_tokens(word) > num_tokens {
            break;
        }
        cut.push_str(word);
    }
    cut
}

fn open_with(num_sessions: usize) -> (OpenModel, Duration) {
    let data_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pincite-test-data");
    let options = OpenOptions { num_sessions: Some(num_sessions), ..OpenOptions::from_env(&data_dir) };
    let started = Instant::now();
    let model = open(&data_dir, None, &options).unwrap();
    (model, started.elapsed())
}

fn passages_per_second(embedder: &dyn Embedder, texts: &[&str]) -> f64 {
    embedder.embed_passages(&texts[..4]).unwrap();
    let started = Instant::now();
    embedder.embed_passages(texts).unwrap();
    texts.len() as f64 / started.elapsed().as_secs_f64()
}

/// Median and 99th percentile, in milliseconds.
fn query_ms(embedder: &dyn Embedder, num_queries: usize) -> (f64, f64) {
    let mut times: Vec<f64> = (0..num_queries)
        .map(|index| {
            let query = format!("what did run {index} say about latency?");
            let started = Instant::now();
            embedder.embed_query(&query).unwrap();
            started.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[num_queries / 2], times[num_queries * 99 / 100])
}

fn megabytes_per_second(text: &str, tokens: &dyn TokenCounter) -> f64 {
    tokens.num_tokens(text);
    let started = Instant::now();
    let mut num_bytes = 0;
    while started.elapsed() < Duration::from_secs(1) {
        for paragraph in text.split_inclusive('\n') {
            std::hint::black_box(tokens.num_tokens(paragraph));
        }
        num_bytes += text.len();
    }
    num_bytes as f64 / 1e6 / started.elapsed().as_secs_f64()
}

fn main() {
    let (two, opened) = open_with(2);
    let tokens = &*two.tokens;
    let embedder = two.embedder.unwrap();
    let started = Instant::now();
    embedder.embed_query("first").unwrap();
    println!("open      {:8.1} ms, then {:.1} ms to the first vector", ms(opened), ms(started.elapsed()));
    let one = open_with(1).0.embedder.unwrap();

    for (num_tokens, num_texts) in [(100, 200), (254, 80)] {
        let texts: Vec<String> =
            (0..num_texts).map(|seed| cut_to(&prose(num_tokens, seed), num_tokens, tokens)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let [single, double] = [&one, &embedder].map(|embedder| passages_per_second(&**embedder, &texts));
        println!(
            "passages  {single:8.1} /s with one session, {double:.1} /s with two, of {num_tokens} tokens (ratio {:.2})",
            double / single
        );
    }

    let (median, late) = query_ms(&*embedder, 300);
    println!("query     {median:8.2} ms median, {late:.2} ms p99, alone");
    let text = cut_to(&prose(300, 7), 200, tokens);
    let texts = vec![text.as_str(); 300];
    std::thread::scope(|scope| {
        scope.spawn(|| embedder.embed_passages(&texts).unwrap());
        let (median, late) = query_ms(&*embedder, 100);
        println!("query     {median:8.2} ms median, {late:.2} ms p99, while passages are embedded on all sessions");
    });

    let paragraphs: Vec<String> = (0..400).map(|seed| prose(120, seed)).collect();
    let code = include_str!("../src/embed/catalog.rs").repeat(10);
    for (what, text) in [("prose", paragraphs.join("\n")), ("code", code)] {
        let speed = megabytes_per_second(&text, tokens);
        println!("tokens    {speed:8.1} MB/s of {what}, one core");
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
