//! Passages are verbatim, disjoint, and name every place of their words.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::extract::Format;
use crate::index::{ChunkPlace, FileFacts, VectorKey};
use crate::workspace::{ContentHash, Revision};

const WORDS: [&str; 4] = ["harbour wall", "tide 東京", "storm drain é", "gauge"];

#[derive(Debug, Clone)]
struct File {
    /// Each chunk: which words, the gap before it, and the page.
    chunks: Vec<(usize, usize, u32)>,
}

fn file() -> impl Strategy<Value = File> {
    let chunk = (0..WORDS.len() + 20, 0_usize..4, 1_u32..3);
    proptest::collection::vec(chunk, 1..8).prop_map(|mut chunks| {
        let mut pages: Vec<u32> = chunks.iter().map(|(_, _, page)| *page).collect();
        pages.sort_unstable();
        chunks.iter_mut().zip(pages).for_each(|(chunk, page)| chunk.2 = page);
        File { chunks }
    })
}

/// The text of a file and its chunks. Words beyond the shared ones are the chunk's own. A gap of three is too wide to keep.
fn build(number: usize, file: &File) -> (String, Vec<ChunkRecord>) {
    let facts = Arc::new(FileFacts {
        path: format!("file{number}").parse().unwrap(),
        content_hash: ContentHash::of(&number.to_be_bytes()),
        revision: Revision(1),
        format: Format::Text,
        modified_ms: 0,
        title: None,
        language: None,
    });
    let mut text = String::new();
    let mut chunks = Vec::new();
    for (ordinal, (words, gap, page)) in (0..).zip(&file.chunks) {
        let words =
            WORDS.get(*words).map_or_else(|| format!("own words {number}.{ordinal}"), |&words| words.to_owned());
        let gap = [" ", "\n", "\n\n", "\n\n\n\n"][*gap];
        text.push_str(gap);
        let span = Span::new(text.len(), text.len() + words.len());
        text.push_str(&words);
        let place = ChunkPlace { ordinal, span, page: Some(*page), ..ChunkPlace::default() };
        let gap = if gap.len() > 3 { String::new() } else { gap.to_owned() };
        chunks.push(ChunkRecord { file: Arc::clone(&facts), place, words, gap, key: VectorKey(0) });
    }
    (text, chunks)
}

proptest! {
    #[test]
    fn passages_are_verbatim_disjoint_and_name_every_place(
        files in proptest::collection::vec(file(), 1..4),
        order in proptest::collection::vec(any::<u32>(), 32),
        num_ranked in 1_usize..24,
        k in 1_usize..12,
    ) {
        let built: Vec<(String, Vec<ChunkRecord>)> = (0..).zip(&files).map(|(number, file)| build(number, file)).collect();
        let mut chunks: Vec<ChunkRecord> = built.iter().flat_map(|(_, chunks)| chunks.clone()).collect();
        let mut keys = order.iter();
        chunks.sort_by_cached_key(|_| keys.next().copied());
        chunks.truncate(num_ranked);
        let ranked: Vec<Fused> = (0_u16..).zip(&chunks).map(|(rank, chunk)| Fused {
            address: u64::from(rank),
            id: chunk.id(),
            score: 1.0 - f32::from(rank) / 100.0,
            lexical: Some((usize::from(rank) + 1, 1.0)),
            dense: None,
        }).collect();
        let workspace = WorkspaceId::default();
        let text_of = |citation: &Citation| {
            let at = built.iter().position(|(_, chunks)| chunks[0].file.path == citation.path).unwrap();
            citation.span.of(&built[at].0)
        };
        let covers = |citation: &Citation, chunk: &ChunkRecord| {
            let (outer, inner) = (citation.span, chunk.place.span);
            citation.path == chunk.file.path && outer.start <= inner.start && inner.end <= outer.end
        };

        let all = assemble(&workspace, &ranked, chunks.clone(), usize::MAX, true);
        let places = |hit: &Hit| -> Vec<Citation> { std::iter::once(&hit.citation).chain(&hit.also_at).cloned().collect() };
        for hit in &all {
            prop_assert_eq!(&hit.text, &hit.citation.quote);
            for place in places(hit) {
                prop_assert_eq!(text_of(&place), Some(place.quote.as_str()));
                prop_assert!(hit.text.contains(&place.quote), "{:?} beside {:?}", place, hit.text);
            }
        }
        for chunk in &chunks {
            let holders = all.iter().flat_map(places).filter(|place| covers(place, chunk)).count();
            prop_assert_eq!(holders, 1, "{:?}", chunk.words);
        }
        prop_assert!(all.windows(2).all(|pair| pair[0].score > pair[1].score));
        prop_assert!((1..).zip(&all).all(|(rank, hit)| hit.rank == rank));
        prop_assert_eq!(all[0].signals.unwrap().lexical_rank, Some(1));

        let cut = assemble(&workspace, &ranked, chunks, k, true);
        prop_assert_eq!(cut.as_slice(), &all[..k.min(all.len())]);
    }
}

#[test]
fn a_passage_grows_no_longer_than_its_limit_and_not_across_pages() {
    let (_, mut chunks) = build(0, &File { chunks: vec![(90, 1, 1); 3] });
    chunks[2].place.page = Some(2);
    let ranked: Vec<Fused> =
        (0..3).map(|address| Fused { address, id: chunks[0].id(), score: 1.0, lexical: None, dense: None }).collect();
    let hits = assemble(&WorkspaceId::default(), &ranked, chunks.clone(), 9, false);
    assert_eq!(hits.iter().map(|hit| hit.citation.page).collect::<Vec<_>>(), [Some(1), Some(2)]);
    let mut end = 0;
    for chunk in &mut chunks {
        chunk.place.page = Some(1);
        chunk.words = format!("{}{}", chunk.words, "x".repeat(MAX_PASSAGE_BYTES / 2));
        chunk.place.span = Span::new(end + chunk.gap.len(), end + chunk.gap.len() + chunk.words.len());
        end = chunk.place.span.end;
    }
    let hits = assemble(&WorkspaceId::default(), &ranked, chunks, 9, false);
    assert_eq!(hits.len(), 3);
}
