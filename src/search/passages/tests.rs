//! Passages are verbatim, disjoint, and name every place of their words.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

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

/// Of no words, so that nothing is asked for.
static NO_WORDS: LazyLock<HashSet<u64>> = LazyLock::new(HashSet::new);

fn every(k: usize) -> Wanted<'static> {
    Wanted { k, explain: true, every_passage: true, asked: &NO_WORDS }
}

fn of_many_kinds(k: usize) -> Wanted<'static> {
    Wanted { every_passage: false, ..every(k) }
}

fn put_together(
    workspace: &WorkspaceId,
    ranked: &[Fused],
    chunks: Vec<ChunkRecord>,
    wanted: &Wanted<'_>,
) -> (Vec<Hit>, bool) {
    assemble(workspace, ranked.iter().copied().zip(chunks).collect(), wanted)
}

/// Chunks in the order of their rank, each with its file, its place in it, its words and its score.
fn ranked_of(rows: &[(&str, u32, &str, f32)]) -> (Vec<Fused>, Vec<ChunkRecord>) {
    let chunk = |&(path, ordinal, words, _): &(&str, u32, &str, f32)| {
        let (_, mut chunks) = build(0, &File { chunks: vec![(0, 0, 1)] });
        let mut chunk = chunks.remove(0);
        let facts = FileFacts { path: path.parse().unwrap(), ..FileFacts::clone(&chunk.file) };
        let start = usize::try_from(ordinal).unwrap() * 10_000;
        let place = ChunkPlace { ordinal, span: Span::new(start, start + words.len()), ..ChunkPlace::default() };
        (chunk.file, chunk.place, chunk.words, chunk.gap) = (Arc::new(facts), place, words.to_owned(), String::new());
        chunk
    };
    let chunks: Vec<ChunkRecord> = rows.iter().map(chunk).collect();
    let fused = |(chunk, score): (&ChunkRecord, f32)| Fused { id: chunk.id(), score, lexical: None, dense: None };
    (chunks.iter().zip(rows.iter().map(|row| row.3)).map(fused).collect(), chunks)
}

#[test]
fn near_copies_are_one_passage_that_names_the_others_with_what_differs() {
    let report = |budget: &str| {
        format!(
            "# Report\nOwner: Ada\nBudget: {budget}\nRisks: none\nThe crane was greased on Monday.\nThe cable holds."
        )
    };
    let (one, two, three) = (report("4200 EUR"), report("4300 EUR"), report("4400 EUR"));
    let (ranked, chunks) = ranked_of(&[
        ("a.md", 0, &one, 0.9),
        ("b.md", 0, &two, 0.8),
        ("c.md", 0, &three, 0.7),
        ("d.md", 0, "Something else entirely stands in the last file, which is about gauges and tides.", 0.6),
    ]);
    let (hits, is_full) = put_together(&WorkspaceId::default(), &ranked, chunks.clone(), &of_many_kinds(2));
    let paths: Vec<&str> = hits.iter().map(|hit| hit.citation.path.as_str()).collect();
    assert_eq!((paths, is_full), (vec!["a.md", "d.md"], true));
    let others: Vec<(&str, Option<&str>)> =
        hits[0].also_at.iter().map(|copied| (copied.citation.path.as_str(), copied.differs.as_deref())).collect();
    let differs = |budget: &str| format!("1 of 6 lines differs: Budget: {budget} EUR");
    assert_eq!(others, [("b.md", Some(&*differs("4300"))), ("c.md", Some(&*differs("4400")))]);
    assert_eq!(hits[0].also_at[0].citation.quote, two);
    let (every, _) = put_together(&WorkspaceId::default(), &ranked, chunks, &every(9));
    assert_eq!(every.len(), 4);
}

#[test]
fn a_file_has_three_places_unless_little_else_is_found() {
    let words: Vec<String> = (0..8)
        .map(|number| format!("part{number} of the long file tells of thing{number} alone and more{number}"))
        .collect();
    let row = |path, at: usize, score| (path, u32::try_from(at).unwrap() * 2, words[at].as_str(), score);
    let rows = [
        row("long", 0, 0.9),
        row("long", 1, 0.88),
        row("long", 2, 0.86),
        row("long", 3, 0.84),
        row("long", 4, 0.82),
        row("b", 5, 0.7),
        row("c", 6, 0.6),
        row("d", 7, 0.1),
    ];
    let (ranked, chunks) = ranked_of(&rows);
    let paths = |k: usize| -> Vec<String> {
        let (hits, _) = put_together(&WorkspaceId::default(), &ranked, chunks.clone(), &of_many_kinds(k));
        hits.iter().map(|hit| hit.citation.path.to_string()).collect()
    };
    assert_eq!(paths(5), ["long", "long", "long", "b", "c"]);
    // The last one scores too little to take the place of a fourth passage.
    assert_eq!(paths(6), ["long", "long", "long", "long", "b", "c"]);
    assert_eq!(paths(8), ["long", "long", "long", "long", "long", "b", "c", "d"]);
    let (hits, is_full) = put_together(&WorkspaceId::default(), &ranked[..5], chunks[..5].to_vec(), &of_many_kinds(5));
    assert_eq!((hits.len(), is_full), (5, false));
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

        let (all, _) = put_together(&workspace, &ranked, chunks.clone(), &every(usize::MAX));
        let places = |hit: &Hit| -> Vec<Citation> { hit.places().cloned().collect() };
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

        let (cut, _) = put_together(&workspace, &ranked, chunks, &every(k));
        prop_assert_eq!(cut.as_slice(), &all[..k.min(all.len())]);
    }
}

#[test]
fn a_passage_grows_no_longer_than_its_limit_and_not_across_pages() {
    let (_, mut chunks) = build(0, &File { chunks: vec![(90, 1, 1); 3] });
    chunks[2].place.page = Some(2);
    let ranked: Vec<Fused> = vec![Fused { id: chunks[0].id(), score: 1.0, lexical: None, dense: None }; 3];
    let (hits, _) = put_together(&WorkspaceId::default(), &ranked, chunks.clone(), &every(9));
    assert_eq!(hits.iter().map(|hit| hit.citation.page).collect::<Vec<_>>(), [Some(1), Some(2)]);
    let mut end = 0;
    for chunk in &mut chunks {
        chunk.place.page = Some(1);
        chunk.words = format!("{}{}", chunk.words, "x".repeat(MAX_PASSAGE_BYTES / 2));
        chunk.place.span = Span::new(end + chunk.gap.len(), end + chunk.gap.len() + chunk.words.len());
        end = chunk.place.span.end;
    }
    let (hits, _) = put_together(&WorkspaceId::default(), &ranked, chunks, &every(9));
    assert_eq!(hits.len(), 3);
}
