//! Random batches, vectors and queries: the embedded index against the oracle.

use std::sync::Arc;

use proptest::prelude::*;

use super::desk::{Desk, Embedded, below, file, key_of, places, query, vector_of, with_extension};
use super::files::only;
use super::words::holding;
use crate::index::analyzer::Phrase;
use crate::index::ram::RamIndex;
use crate::index::{Batch, ChunkId, Filter, Holding, Index, Scored, Snapshot, VectorKey, WordPattern};
use crate::workspace::{Language, Revision};

const PATHS: [&str; 5] = ["a.md", "b.txt", "runs/1/c.md", "runs/2/d.txt", "e"];
const WORDS: [&str; 11] =
    ["harbour", "wall", "walls", "the", "max_tokens", "東京都", "tide", "gauge", "Häuser", "Haus", "die"];
/// Of the files: two are not of the model's language.
const LANGUAGES: [Option<&str>; 5] = [Some("en"), None, Some("de"), Some("fr"), Some("pl")];
/// Rounding to a byte moves a score of eight dimensions by less.
const ROUNDING: f32 = 0.03;

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<(usize, Vec<String>)>),
    Remove(Vec<usize>),
    /// A file in as many batches as it has chunks.
    Grow(usize, Vec<String>),
    /// Embeds every other chunk that waits.
    Embed,
    Reopen,
}

fn paragraph() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 1..9).prop_map(|words| words.join(" "))
}

fn step() -> impl Strategy<Value = Step> {
    let files = proptest::collection::btree_map(0..PATHS.len(), proptest::collection::vec(paragraph(), 0..5), 1..4);
    prop_oneof![
        4 => files.prop_map(|files| Step::Put(files.into_iter().collect())),
        1 => proptest::collection::vec(0..PATHS.len(), 1..3).prop_map(Step::Remove),
        1 => (0..PATHS.len(), proptest::collection::vec(paragraph(), 1..4)).prop_map(|(path, texts)| Step::Grow(path, texts)),
        2 => Just(Step::Embed),
        1 => Just(Step::Reopen),
    ]
}

fn compare_words(
    found: &(&dyn Snapshot, Vec<Scored>),
    expected: &(&dyn Snapshot, Vec<Scored>),
    scores_agree: bool,
) -> Result<(), TestCaseError> {
    let sorted = |(snapshot, list): &(&dyn Snapshot, Vec<Scored>)| {
        let mut places = places(*snapshot, list);
        places.sort();
        places
    };
    prop_assert_eq!(sorted(found), sorted(expected));
    // Deleted chunks count in tantivy's statistics until their segment is merged, so scores differ then.
    if scores_agree {
        for (at, (found, expected)) in found.1.iter().zip(&expected.1).enumerate() {
            let error = (found.score - expected.score).abs();
            prop_assert!(error < 0.001 * expected.score.max(1.0), "rank {at}: {found:?}, the oracle {expected:?}");
        }
    }
    Ok(())
}

fn compare_vectors(found: &[Scored], exact: &[Scored]) -> Result<(), TestCaseError> {
    let score_of = |id: ChunkId| exact.iter().find(|chunk| chunk.id == id).map(|chunk| chunk.score);
    for (found, expected) in found.iter().zip(exact) {
        let Some(score) = score_of(found.id) else {
            return Err(TestCaseError::fail(format!("{found:?} is not live")));
        };
        prop_assert!((found.score - score).abs() < ROUNDING, "{found:?} has the cosine {score}");
        prop_assert!((expected.score - score).abs() < ROUNDING, "{found:?} stands where {expected:?} should");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_index_agrees_with_the_oracle(
        steps in proptest::collection::vec(step(), 1..7),
        asked in paragraph(),
        phrase in paragraph(),
        limit in 1_usize..12,
        in_languages in any::<bool>(),
    ) {
        let ram = RamIndex::new(super::NUM_DIMENSIONS);
        let mut desk = Desk { subject: Embedded::new() };
        let mut ever_put = std::collections::BTreeSet::new();
        let mut only_added = true;
        for (revision, step) in (1..).zip(&steps) {
            let mut batch = Batch { revision: Revision(revision), ..Batch::default() };
            match step {
                Step::Put(files) => {
                    for (path, paragraphs) in files {
                        only_added &= ever_put.insert(*path);
                        let paragraphs: Vec<&str> = paragraphs.iter().map(String::as_str).collect();
                        let mut file = file(PATHS[*path], revision, &paragraphs);
                        for chunk in &mut file.1 {
                            let code = LANGUAGES[*path].filter(|_| in_languages);
                            Arc::make_mut(&mut chunk.file).language = code.and_then(Language::of_code);
                            if matches!(code, Some("de" | "pl")) {
                                chunk.key = VectorKey::NONE;
                            }
                        }
                        batch.replaced.push(file);
                    }
                }
                Step::Grow(path, paragraphs) => {
                    only_added &= ever_put.insert(*path);
                    let paragraphs: Vec<&str> = paragraphs.iter().map(String::as_str).collect();
                    let (path, mut chunks) = file(PATHS[*path], revision, &paragraphs);
                    batch.appended.push((path.clone(), chunks.split_off(chunks.len() / 2)));
                    let begun = Batch { replaced: vec![(path, chunks)], ..Batch::default() };
                    ram.apply(&begun).unwrap();
                    desk.apply(&begun);
                }
                Step::Remove(paths) => {
                    only_added &= !paths.iter().any(|path| ever_put.contains(path));
                    batch.removed = paths.iter().map(|&path| PATHS[path].parse().unwrap()).collect();
                }
                Step::Embed => {
                    let waiting = ram.snapshot().unwrap().unembedded(usize::MAX).unwrap();
                    let vectors: Vec<_> =
                        waiting.iter().step_by(2).map(|(_, text)| (key_of(text), vector_of(text))).collect();
                    ram.add_vectors(&vectors).unwrap();
                    desk.subject.index.as_ref().unwrap().add_vectors(&vectors).unwrap();
                }
                Step::Reopen => desk.subject.reopen(),
            }
            ram.apply(&batch).unwrap();
            desk.apply(&batch);

            let (found, oracle) = (desk.snapshot(), ram.snapshot().unwrap());
            prop_assert_eq!(found.revision(), oracle.revision());
            prop_assert_eq!(found.counts().unwrap(), oracle.counts().unwrap());
            prop_assert_eq!(found.languages().unwrap(), oracle.languages().unwrap());
            for path in PATHS {
                let path = path.parse().unwrap();
                prop_assert_eq!(found.file(&path).unwrap(), oracle.file(&path).unwrap());
            }
            let keys = |snapshot: &dyn Snapshot| {
                let waiting = snapshot.unembedded(usize::MAX).unwrap();
                waiting.into_iter().collect::<std::collections::BTreeMap<_, _>>()
            };
            prop_assert_eq!(keys(&*found), keys(&*oracle));
        }

        let (found, oracle) = (desk.snapshot(), ram.snapshot().unwrap());
        let first = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let with_word = holding(&[Holding::Word(first(&asked))], &[]);
        let without_phrase = holding(&[], &[Holding::Phrase(Phrase::as_written(&phrase).unwrap())]);
        let with_phrase = with_extension("md").and(holding(&[Holding::Phrase(Phrase::as_written(&phrase).unwrap())], &[]));
        let with_prefix = holding(&[Holding::Prefix("ha".to_owned())], &[Holding::Word(first(&phrase))]);
        let near = WordPattern::Near { word: "harbou", max_distance: 2 };
        for filter in [Filter::default(), with_word.clone()] {
            for word in ["walls", "haus", "harbor", "die"] {
                prop_assert_eq!(found.has_word(word, &filter).unwrap(), oracle.has_word(word, &filter).unwrap());
            }
            for pattern in [WordPattern::BeginsWith("h"), near] {
                prop_assert_eq!(found.vocabulary(&pattern, &filter, 9).unwrap(), oracle.vocabulary(&pattern, &filter, 9).unwrap());
            }
        }
        let plain = [Filter::default(), with_extension("md"), below("runs"), only(&["a.md", "runs/1", "none"])];
        for filter in plain.into_iter().chain([with_word, without_phrase, with_phrase, with_prefix]) {
            for asked in [query(&asked, &[]), query("", &[&phrase]), query(&asked, &[&phrase])] {
                let all = |snapshot: &dyn Snapshot| snapshot.lexical(&asked, &filter, 1_000).unwrap();
                compare_words(&(&*found, all(&*found)), &(&*oracle, all(&*oracle)), only_added)?;
                let files = |snapshot: &dyn Snapshot| {
                    let addresses: Vec<_> = all(snapshot).iter().map(|found| found.id).collect();
                    snapshot.paths(&addresses).unwrap()
                };
                prop_assert_eq!(files(&*found), files(&*oracle));
                let held = |snapshot: &dyn Snapshot| {
                    let held = snapshot.by_words(&asked, &filter, 0).unwrap().held;
                    let ids = |holders: &[ChunkId]| {
                        holders.iter().copied().collect::<std::collections::BTreeSet<_>>()
                    };
                    let words = held.words.iter().map(|word| {
                        (word.text.clone(), word.num_files, word.chunks.as_deref().map(ids))
                    });
                    (words.collect::<Vec<_>>(), ids(&held.named), held.is_question)
                };
                prop_assert_eq!(held(&*found), held(&*oracle));
                let best = found.lexical(&asked, &filter, limit).unwrap();
                let whole = all(&*found);
                prop_assert_eq!(best.len(), whole.len().min(limit));
                for (best, whole) in best.iter().zip(&whole) {
                    prop_assert!((best.score - whole.score).abs() < 1e-4, "{:?} against {:?}", best, whole);
                }
            }
            let target = vector_of(&asked);
            let exact = oracle.dense(&target, &filter, 1_000).unwrap();
            let near = found.dense(&target, &filter, limit).unwrap();
            prop_assert_eq!(near.len(), exact.len().min(limit));
            compare_vectors(&near, &exact)?;
        }
    }
}
