//! Comparing sentences ends when nobody waits any more.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::budget::Budget;
use crate::embed::{EmbedError, Embedder};
use crate::extract::Format;
use crate::index::{ChunkPlace, ChunkRecord, FileFacts, VectorKey};
use crate::search::hit_of;
use crate::workspace::{ContentHash, Revision, WorkspaceId};

/// Counts the sentences that it embeds, and has its client leave after the first ones.
struct Leaving {
    num_embedded: AtomicUsize,
    client: Budget,
}

impl Embedder for Leaving {
    fn model_id(&self) -> &'static str {
        "leaving"
    }

    fn num_dimensions(&self) -> usize {
        1
    }

    fn embed_passages(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.num_embedded.fetch_add(texts.len(), Ordering::Relaxed);
        self.client.cancel();
        Ok(vec![vec![1.0]; texts.len()])
    }

    fn embed_query(&self, _: &str) -> Result<Vec<f32>, EmbedError> {
        Ok(vec![1.0])
    }
}

/// How many of 2,000 sentences are embedded for a request of this budget.
fn num_embedded(budget: &Budget) -> usize {
    let text: Vec<String> = (0..2_000).map(|number| format!("Crane number {number} stands at the quay.\n\n")).collect();
    let text = text.concat();
    let chunk = ChunkRecord {
        file: Arc::new(FileFacts {
            path: "a.md".parse().unwrap(),
            content_hash: ContentHash::of(text.as_bytes()),
            revision: Revision(1),
            format: Format::Text,
            modified_ms: 0,
            title: None,
            language: None,
        }),
        place: ChunkPlace { span: Span::new(0, text.len()), ..ChunkPlace::default() },
        words: text,
        gap: String::new(),
        key: VectorKey::NONE,
    };
    let mut hits = vec![hit_of(&WorkspaceId::default(), &chunk)];
    hits[0].by_words = false;
    let model = Leaving { num_embedded: AtomicUsize::new(0), client: budget.clone() };
    let (superseded, newness) = (HashMap::new(), HashMap::new());
    let evidence = Evidence {
        hits: &hits,
        embedder: Some(&model),
        section: None,
        superseded: &superseded,
        newness: &newness,
        budget,
    };
    let mut candidates = sentences(&hits);
    assert!(candidates.len() >= 2_000);
    compare("Where does the crane stand?", &evidence, &mut candidates).unwrap();
    let num_embedded = model.num_embedded.load(Ordering::Relaxed);
    assert_eq!(candidates.iter().filter(|candidate| candidate.cosine.is_some()).count(), num_embedded);
    num_embedded
}

#[test]
fn sentences_are_embedded_as_long_as_somebody_waits_and_there_is_time() {
    let embedded = num_embedded(&Budget::default());
    assert!(embedded > 0 && embedded < 2_000, "the client left after the first ones: {embedded}");
    let out_of_time = Budget::default().lasting(Duration::ZERO);
    assert_eq!(num_embedded(&out_of_time), 0);
    assert!(out_of_time.was_cut(), "and the reply can say so");
}
