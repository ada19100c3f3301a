//! What the benches work on: a folder of Markdown files as agents leave it behind, the same for the same seed.
//!
//! Words are drawn by Zipf's law from the model's own vocabulary, whose order is that of their frequency in English,
//! with a tail of names, identifiers and figures that are no words. Each file has a subject: some words of middling
//! frequency that come again and again in it, and that queries ask for. A file has a title and sections, and becomes
//! about ten chunks of some 200 tokens. Files lie in `runs/00` to `runs/99`, an equal number in each, so that globs
//! pass a known part: `runs/07/**` 1%, `runs/0?/**` 10%.

#![allow(dead_code, reason = "each bench uses its part")]

pub mod line;
pub mod measure;
pub mod model;
pub mod server;

use std::path::Path;

/// A sequence of numbers that looks random: `SplitMix64`.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("less than a usize")
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Evenly from 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal, of mean 0 and variance 1: the sum of twelve even numbers.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// One generated file.
pub struct File {
    pub path: String,
    pub text: String,
    /// What the file is about.
    pub subject: Vec<String>,
}

/// Draws words and writes files.
pub struct Writer {
    words: Vec<String>,
    /// Running sums of the words' weights, for drawing by bisection.
    sums: Vec<f64>,
}

const SYLLABLES: [&str; 24] = [
    "ba", "cor", "den", "el", "fir", "gan", "hol", "ix", "jor", "kel", "lum", "mar", "nor", "or", "pel", "quin", "ros",
    "sal", "tor", "ul", "vex", "wen", "yar", "zim",
];
/// Names beyond the vocabulary.
const NUM_NAMES: usize = 40_000;
/// Words of a subject, and the ranks they are drawn from.
const SUBJECT_WORDS: usize = 24;
const SUBJECT_RANKS: std::ops::Range<usize> = 400..12_000;

/// A word made of numbers and other words.
fn number_word(word: std::fmt::Arguments<'_>) -> String {
    word.to_string()
}

impl Writer {
    pub fn new() -> Self {
        let tokenizer: serde_json::Value =
            serde_json::from_str(include_str!("../../models/all-MiniLM-L6-v2-int8/tokenizer.json")).expect("JSON");
        let vocabulary = tokenizer["model"]["vocab"].as_object().expect("a vocabulary");
        let id_of_the = vocabulary["the"].as_u64();
        let mut words: Vec<(Option<u64>, &String)> = vocabulary
            .iter()
            .map(|(word, id)| (id.as_u64(), word))
            .filter(|(id, word)| *id >= id_of_the && word.bytes().all(|byte| byte.is_ascii_lowercase()))
            .collect();
        words.sort_unstable();
        let mut words: Vec<String> = words.into_iter().map(|(_, word)| word.clone()).collect();
        let mut random = Random::new(1);
        words.extend(
            (0..NUM_NAMES).map(|_| {
                (0..2 + random.below(3)).map(|_| SYLLABLES[random.below(SYLLABLES.len())]).collect::<String>()
            }),
        );
        let mut sum = 0.0;
        let sums = (0..words.len())
            .map(|rank| {
                sum += 1.0 / (rank as f64 + 2.7);
                sum
            })
            .collect();
        Self { words, sums }
    }

    fn word(&self, random: &mut Random) -> &str {
        let at = random.unit() * self.sums[self.sums.len() - 1];
        &self.words[self.sums.partition_point(|&sum| sum < at).min(self.words.len() - 1)]
    }

    fn subject_word<'a>(subject: &[&'a str], random: &mut Random) -> &'a str {
        let from = random.below(subject.len());
        subject[random.below(from + 1)]
    }

    fn sentence(&self, subject: &[&str], random: &mut Random, out: &mut String) {
        let start = out.len();
        let num_words = 6 + random.below(16);
        for place in 0..num_words {
            if place > 0 {
                out.push_str(if random.chance(7) { ", " } else { " " });
            }
            match random.below(100) {
                0..3 => out.push_str(&number_word(format_args!("{}.{} ms", random.below(900), random.below(10)))),
                3..6 => out.push_str(&random.below(100_000).to_string()),
                6..9 => {
                    let (first, second) = (self.word(random), Self::subject_word(subject, random));
                    out.push_str(&number_word(format_args!("`{first}_{second}`")));
                }
                9..11 => out.push_str(&number_word(format_args!(
                    "v{}.{}.{}",
                    random.below(4),
                    random.below(30),
                    random.below(10)
                ))),
                11..30 => out.push_str(Self::subject_word(subject, random)),
                _ => out.push_str(self.word(random)),
            }
        }
        let first = out[start..].chars().next().map_or(0, char::len_utf8);
        out[start..start + first].make_ascii_uppercase();
        out.push_str(". ");
    }

    fn heading(&self, level: usize, subject: &[&str], random: &mut Random, out: &mut String) {
        out.push_str(&"#".repeat(level));
        for _ in 0..3 {
            out.push(' ');
            out.push_str(if random.chance(60) { Self::subject_word(subject, random) } else { self.word(random) });
        }
        out.push_str("\n\n");
    }

    /// File number `number` of the folder that `seed` names; `salt` gives it other words under the same path.
    pub fn file(&self, seed: u64, number: usize, salt: u64) -> File {
        let mut random = Random::new(seed ^ (number as u64) << 20 ^ salt << 50);
        let subject: Vec<&str> = (0..SUBJECT_WORDS)
            .map(|_| self.words[SUBJECT_RANKS.start + random.below(SUBJECT_RANKS.len())].as_str())
            .collect();
        let mut text = String::new();
        self.heading(1, &subject, &mut random, &mut text);
        for _ in 0..4 {
            self.heading(2, &subject, &mut random, &mut text);
            for _ in 0..3 + random.below(2) {
                for _ in 0..5 {
                    self.sentence(&subject, &mut random, &mut text);
                }
                text.push_str("\n\n");
            }
        }
        let path = format!("runs/{:02}/report-{number:05}.md", number % 100);
        File { path, text, subject: subject.into_iter().map(str::to_owned).collect() }
    }

    /// A question of some words of a file's subject.
    #[expect(clippy::unused_self, reason = "a question is the writer's, as a text is")]
    pub fn question(&self, file: &File, random: &mut Random) -> String {
        let word = |random: &mut Random| file.subject[random.below(8)].clone();
        let (first, second, third) = (word(random), word(random), word(random));
        match random.below(3) {
            0 => format!("what did the run say about {first} and {second}?"),
            1 => format!("{first} {second} {third}"),
            _ => format!("why was the {first} {second} changed by {third}"),
        }
    }
}

/// Writes the first `num_files` files of a seed into `folder`; returns how many bytes of text they have.
pub fn write_folder(writer: &Writer, seed: u64, num_files: usize, folder: &Path) -> u64 {
    let mut num_bytes = 0;
    for number in 0..num_files {
        let file = writer.file(seed, number, 0);
        let path = folder.join(&file.path);
        fs_err::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder that can be written");
        fs_err::write(path, &file.text).expect("a folder that can be written");
        num_bytes += file.text.len() as u64;
    }
    num_bytes
}
