//! Whole searches over the oracle.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::extract::Format;
use crate::index::ram::RamIndex;
use crate::index::{Batch, ChunkId, ChunkPlace, ChunkRecord, FileFacts, Index as _, VectorKey};
use crate::workspace::{ContentHash, RelPath, Revision, Span};

const NUM_DIMENSIONS: usize = 8;
/// Their own stems, so that a chunk holds one exactly where it has it.
const WORDS: [&str; 12] =
    ["harbour", "wall", "gauge", "storm", "drain", "crane", "light", "sluic", "pump", "dredg", "kelp", "buoy"];

/// Vectors that depend on the text alone, and on nothing that it means.
struct Meaningless;

impl Embedder for Meaningless {
    fn model_id(&self) -> &'static str {
        "meaningless"
    }

    fn num_dimensions(&self) -> usize {
        NUM_DIMENSIONS
    }

    fn embed_passages(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        texts.iter().map(|text| self.embed_query(text)).collect()
    }

    fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let hash = ContentHash::of(text.as_bytes()).0;
        let raw: Vec<f32> = hash[..NUM_DIMENSIONS].iter().map(|&byte| f32::from(byte) - 127.5).collect();
        let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        Ok(raw.iter().map(|x| x / norm).collect())
    }
}

/// An index of files of one chunk each.
fn index_of(texts: &[String]) -> RamIndex {
    let index = RamIndex::new(NUM_DIMENSIONS);
    let mut batch = Batch { revision: Revision(1), ..Batch::default() };
    let mut vectors = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let path: RelPath = format!("n{number}/x{number}.txt").parse().unwrap();
        let file = FileFacts {
            path: path.clone(),
            content_hash: ContentHash::of(text.as_bytes()),
            revision: Revision(1),
            format: Format::Text,
            modified_ms: 0,
            title: None,
            language: None,
        };
        let key = VectorKey::of("meaningless", text);
        let place = ChunkPlace { span: Span::new(0, text.len()), ..ChunkPlace::default() };
        let words = text.clone();
        vectors.push((key, Meaningless.embed_query(text).unwrap()));
        batch.replaced.push((path, vec![ChunkRecord { file: Arc::new(file), place, words, gap: String::new(), key }]));
    }
    index.apply(&batch).unwrap();
    index.add_vectors(&vectors).unwrap();
    index
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn in_every_search_all_rare_words_stand_above_none_of_them(
        texts in prop::collection::vec(prop::collection::vec(prop::sample::select(WORDS.to_vec()), 1..6), 1..14),
        asked in prop::collection::btree_set(prop::sample::select(WORDS.to_vec()), 1..4),
        mode in prop::sample::select(vec![Mode::Hybrid, Mode::Lexical]),
        fusion in prop::sample::select(vec![FusionMethod::Convex, FusionMethod::Rrf]),
        as_question in any::<bool>(),
    ) {
        let texts: Vec<String> = texts.iter().map(|words| words.join(" ")).collect();
        let snapshot = index_of(&texts).snapshot().unwrap();
        let words: Vec<&str> = asked.into_iter().collect();
        let query = if as_question { format!("what is {}?", words.join(" ")) } else { words.join(" ") };
        let request = SearchRequest { mode, fusion, ..SearchRequest::new(query) };
        let ranking = Ranking::default();
        let ranked = rank(&*snapshot, Some(&Meaningless), &ranking, &request, &Filter::default()).unwrap();
        prop_assert!(ranked.iter().all(|chunk| mode == Mode::Lexical || (0.0..=1.0).contains(&chunk.score)));

        let held = |text: &str| -> BTreeSet<&str> { words.iter().copied().filter(|word| text.split(' ').any(|w| w == *word)).collect() };
        let num_files = |word: &str| texts.iter().filter(|text| held(text).contains(word)).count();
        let rare: BTreeSet<&str> = words.iter().copied().filter(|word| (1..=2).contains(&num_files(word))).collect();
        let common = words.iter().filter(|word| num_files(word) > 2).count();
        // Where a question has common words too, these may weigh more.
        if rare.is_empty() || as_question && common > 0 {
            return Ok(());
        }
        let addresses: Vec<ChunkId> = ranked.iter().map(|chunk| chunk.id).collect();
        let of_rare: Vec<usize> = snapshot
            .load(&addresses)
            .unwrap()
            .iter()
            .map(|chunk| held(&chunk.words).intersection(&rare).count())
            .collect();
        let last_of_all = of_rare.iter().rposition(|&num| num == rare.len());
        let first_of_none = of_rare.iter().position(|&num| num == 0);
        if let (Some(last), Some(first)) = (last_of_all, first_of_none) {
            prop_assert!(last < first, "{:?} of {:?}", of_rare, rare);
        }
        let num_of_all = texts.iter().filter(|text| held(text).intersection(&rare).count() == rare.len()).count();
        prop_assert_eq!(of_rare.iter().filter(|&&num| num == rare.len()).count(), num_of_all, "all are found");
    }
}
