//! Chunks to passages: adjacent ones merged, the same words in several places named once, near copies beside what they are copies
//! of, and not all places to one file.
//!
//! # Invariants
//! - A passage's text is verbatim the file's: neighbours are joined by the white space that stands between them.
//! - A passage takes the place of its best chunk; no chunk is in two passages.
//! - The words of a chunk are in one passage only; every other place where they stand is named beside it.
//! - Where every passage is asked for, nothing is folded but what has the same words, and no file has a limit.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use super::copies::{Features, differs};
use super::fusion::Fused;
use super::request::{Copied, Hit, Signals};
use crate::extract::PageUnit;
use crate::index::{ChunkRecord, VectorKey};
use crate::workspace::{Cells, Citation, LineRange, Provenance, RelPath, Span, WorkspaceId};

/// A passage grows by neighbours up to this length, in bytes.
const MAX_PASSAGE_BYTES: usize = 4_000;

/// Passages of one file, as long as other files have passages that score at least half as much.
const MAX_OF_FILE: usize = 3;
/// What scores less than this part of a passage does not take its place, whatever file it is of.
const LITTLE: f32 = 0.5;

/// How many passages to make of chunks, and which.
pub(super) struct Wanted<'a> {
    /// The most passages.
    pub k: usize,
    /// Whether each tells its signals.
    pub explain: bool,
    /// Whether near copies and all passages of a file stay.
    pub every_passage: bool,
    /// The words that are asked for.
    pub asked: &'a HashSet<u64>,
}

/// A passage that is being put together.
struct Draft {
    /// In the order of the text.
    chunks: Vec<ChunkRecord>,
    best: Fused,
    also_at: Vec<Copied>,
    features: Features,
}

/// Puts ranked chunks together into at most `k` passages, best first. Also tells whether more chunks could change nothing but their
/// growth.
pub(super) fn assemble(
    workspace: &WorkspaceId,
    ranked: Vec<(Fused, ChunkRecord)>,
    wanted: &Wanted<'_>,
) -> (Vec<Hit>, bool) {
    let mut drafts: Vec<Draft> = Vec::new();
    // Where each chunk that is already in a passage stands, so that a neighbour finds it.
    let mut placed: HashMap<(RelPath, u32), usize> = HashMap::new();
    let mut by_words: HashMap<String, usize> = HashMap::new();
    let features: Vec<Features> = if wanted.every_passage {
        vec![Features::default(); ranked.len()]
    } else {
        ranked.iter().map(|(_, chunk)| Features::of(&chunk.words)).collect()
    };
    for ((fused, chunk), features) in ranked.into_iter().zip(features) {
        if let Some(&same) = by_words.get(&chunk.words) {
            let citation = citation(workspace, std::slice::from_ref(&chunk));
            drafts[same].also_at.push(Copied { citation, differs: None });
            continue;
        }
        let words = chunk.words.clone();
        let path = chunk.file.path.clone();
        let ordinal = chunk.place.ordinal;
        let before = ordinal.checked_sub(1).and_then(|before| placed.get(&(path.clone(), before)).copied());
        let after = placed.get(&(path.clone(), ordinal + 1)).copied();
        let joined = before
            .filter(|&at| drafts[at].takes_at_end(&chunk))
            .map(|at| (at, true))
            .or_else(|| after.filter(|&at| drafts[at].takes_at_start(&chunk)).map(|at| (at, false)));
        let at = match joined {
            Some((at, true)) => {
                drafts[at].features.add(&chunk.words);
                drafts[at].chunks.push(chunk);
                at
            }
            Some((at, false)) => {
                drafts[at].features.add(&chunk.words);
                drafts[at].chunks.insert(0, chunk);
                at
            }
            None => {
                let is_copy = |draft: &Draft| features.is_near_copy_of(&draft.features, wanted.asked);
                if let Some(first) = drafts.iter_mut().find(|draft| !wanted.every_passage && is_copy(draft)) {
                    let differs = Some(differs(&chunk.words, &first.features));
                    let citation = citation(workspace, std::slice::from_ref(&chunk));
                    first.also_at.push(Copied { citation, differs });
                    continue;
                }
                drafts.push(Draft { chunks: vec![chunk], best: fused, also_at: Vec::new(), features });
                drafts.len() - 1
            }
        };
        by_words.insert(words, at);
        placed.insert((path, ordinal), at);
    }
    let (chosen, is_full) = if wanted.every_passage {
        let is_full = drafts.len() >= wanted.k;
        drafts.truncate(wanted.k);
        (drafts, is_full)
    } else {
        of_many_files(drafts, wanted.k)
    };
    let into_hit = |(rank, draft): (usize, Draft)| draft.into_hit(workspace, rank, wanted.explain);
    ((1..).zip(chosen).map(into_hit).collect(), is_full)
}

/// At most `k` of the drafts in their order, of one file more than a few only where little else is found. Also tells whether there
/// were enough without that.
fn of_many_files(drafts: Vec<Draft>, k: usize) -> (Vec<Draft>, bool) {
    let mut num_of_file: HashMap<RelPath, usize> = HashMap::new();
    let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
    for (place, draft) in drafts.iter().enumerate() {
        let num = num_of_file.entry(draft.chunks[0].file.path.clone()).or_default();
        *num += 1;
        if *num > MAX_OF_FILE {
            left_out.push(place);
        } else if chosen.len() < k {
            chosen.push(place);
        }
    }
    let is_full = chosen.len() == k;
    for place in left_out {
        if chosen.len() < k {
            chosen.push(place);
            continue;
        }
        // What comes last scores least; those that took the place of such a one stand behind it.
        let last = chosen.iter().enumerate().max_by_key(|&(_, &place)| place).map(|(at, &place)| (at, place));
        match last {
            Some((at, last)) if last > place && drafts[last].best.score < drafts[place].best.score * LITTLE => {
                chosen[at] = place;
            }
            _ => break,
        }
    }
    let chosen: HashSet<usize> = chosen.into_iter().collect();
    let drafts = drafts.into_iter().enumerate().filter(|(place, _)| chosen.contains(place));
    (drafts.map(|(_, draft)| draft).collect(), is_full)
}

impl Draft {
    fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.words.len()).sum()
    }

    /// Whether the chunk follows the last one closely enough. A passage that stands in several places does not grow:
    /// what follows it may differ between them.
    fn takes_at_end(&self, chunk: &ChunkRecord) -> bool {
        self.also_at.is_empty()
            && self.len() + chunk.words.len() <= MAX_PASSAGE_BYTES
            && self.chunks.last().is_some_and(|last| follows(last, chunk))
    }

    fn takes_at_start(&self, chunk: &ChunkRecord) -> bool {
        self.also_at.is_empty()
            && self.len() + chunk.words.len() <= MAX_PASSAGE_BYTES
            && self.chunks.first().is_some_and(|first| follows(chunk, first))
    }

    fn into_hit(self, workspace: &WorkspaceId, rank: usize, explain: bool) -> Hit {
        let citation = citation(workspace, &self.chunks);
        let signals = explain.then(|| Signals {
            lexical_rank: self.best.lexical.map(|(rank, _)| rank),
            lexical_score: self.best.lexical.map(|(_, score)| score),
            dense_rank: self.best.dense.map(|(rank, _)| rank),
            dense_score: self.best.dense.map(|(_, score)| score),
            reranked: None,
        });
        Hit {
            rank,
            score: self.best.score,
            text: citation.quote.clone(),
            title: self.chunks[0].file.title.clone(),
            header: self.chunks[0].place.header.clone(),
            citation,
            cells: cells(&self.chunks),
            language: self.chunks[0].file.language,
            by_words: self.chunks[0].key == VectorKey::NONE,
            superseded_by: None,
            also_at: self.also_at,
            signals,
        }
    }
}

/// Whether `second` stands right after `first` in the same bytes of the same file, on the same page and sheet.
fn follows(first: &ChunkRecord, second: &ChunkRecord) -> bool {
    first.file.path == second.file.path
        && first.file.content_hash == second.file.content_hash
        && first.place.page == second.place.page
        && first.place.cells.is_beside(&second.place.cells)
        && second.place.ordinal == first.place.ordinal + 1
        && first.place.span.end + second.gap.len() == second.place.span.start
}

fn common_trail(chunks: &[ChunkRecord]) -> Vec<String> {
    let mut trail = chunks[0].place.trail.clone();
    for chunk in &chunks[1..] {
        let same = trail.iter().zip(&chunk.place.trail).take_while(|(a, b)| a == b).count();
        trail.truncate(same);
    }
    trail
}

/// The cells that adjacent chunks go through.
fn cells(chunks: &[ChunkRecord]) -> Cells {
    let start = chunks[0].place.span.start;
    chunks
        .iter()
        .fold(Cells::default(), |cells, chunk| cells.followed_by(&chunk.place.cells, chunk.place.span.start - start))
}

/// The citation of adjacent chunks, which are never none.
#[must_use]
pub fn citation(workspace: &WorkspaceId, chunks: &[ChunkRecord]) -> Citation {
    let (first, last) = (&chunks[0], &chunks[chunks.len() - 1]);
    let mut quote = first.words.clone();
    for chunk in &chunks[1..] {
        quote.push_str(&chunk.gap);
        quote.push_str(&chunk.words);
    }
    let lines = first.place.lines.zip(last.place.lines);
    let is_slide = first.place.page_unit == PageUnit::Slide;
    Citation {
        workspace: workspace.clone(),
        path: first.file.path.clone(),
        content_hash: first.file.content_hash,
        revision: first.file.revision,
        page: first.place.page.filter(|_| !is_slide),
        slide: first.place.page.filter(|_| is_slide),
        lines: lines.map(|(first, last)| LineRange { start: first.start, end: last.end }),
        cell: cells(chunks).name(Span::new(0, quote.len())),
        trail: common_trail(chunks),
        span: Span::new(first.place.span.start, last.place.span.end),
        quote,
        provenance: Provenance::default(),
    }
}

/// A chunk by itself as a passage, for its parts to be cited.
#[must_use]
pub fn hit_of(workspace: &WorkspaceId, chunk: &ChunkRecord) -> Hit {
    hit_of_adjacent(workspace, std::slice::from_ref(chunk))
}

/// Adjacent chunks, which are never none, as a passage for its parts to be cited.
#[must_use]
pub fn hit_of_adjacent(workspace: &WorkspaceId, chunks: &[ChunkRecord]) -> Hit {
    let citation = citation(workspace, chunks);
    let chunk = &chunks[0];
    Hit {
        rank: 1,
        score: 0.0,
        text: citation.quote.clone(),
        title: chunk.file.title.clone(),
        header: chunk.place.header.clone(),
        citation,
        cells: cells(chunks),
        language: chunk.file.language,
        by_words: chunk.key == VectorKey::NONE,
        superseded_by: None,
        also_at: Vec::new(),
        signals: None,
    }
}
