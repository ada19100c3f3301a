//! The words of a file put together from its chunks, and the way back from a place in them to the chunk that holds it.

use std::ops::Range;

use super::KeySentence;
use crate::index::ChunkRecord;
use crate::workspace::Span;

/// The words of a file as the index has them.
#[derive(Debug)]
pub(super) struct Whole<'a> {
    pub text: String,
    /// Whether nothing is left out.
    pub is_complete: bool,
    chunks: &'a [ChunkRecord],
    /// Where the words of each chunk begin in `text`.
    starts: Vec<usize>,
}

impl<'a> Whole<'a> {
    pub(super) fn of(chunks: &'a [ChunkRecord]) -> Self {
        let mut text = String::with_capacity(chunks.iter().map(|chunk| chunk.words.len() + chunk.gap.len()).sum());
        let (mut starts, mut is_complete) = (Vec::with_capacity(chunks.len()), true);
        for (ordinal, chunk) in (0_u32..).zip(chunks) {
            if chunk.place.ordinal == ordinal {
                text.push_str(if ordinal == 0 { "" } else { &chunk.gap });
            } else {
                is_complete = false;
                text.push('\n');
            }
            starts.push(text.len());
            text.push_str(&chunk.words);
        }
        Self { text, is_complete, chunks, starts }
    }

    /// Lines of the file as far as its last words, where it has lines.
    pub(super) fn num_lines(&self) -> usize {
        let last = self.chunks.last().and_then(|chunk| chunk.place.lines);
        last.map_or_else(|| self.text.lines().count(), |lines| usize::try_from(lines.end).unwrap_or(usize::MAX))
    }

    /// The header of the table that the words are rows of, where a chunk says it.
    pub(super) fn header(&self) -> Option<&str> {
        self.chunks.iter().find_map(|chunk| chunk.place.header.as_deref())
    }

    /// The name of the sheet, page or the like that each chunk is of, in order, without repetition.
    pub(super) fn sheets(&self) -> Vec<String> {
        let mut sheets: Vec<String> = Vec::new();
        for chunk in self.chunks {
            let name = chunk.place.cells.name(Span::new(0, chunk.words.len()));
            if let Some((sheet, _)) = name.as_deref().and_then(|name| name.rsplit_once('!'))
                && !sheets.iter().any(|known| known == sheet)
            {
                sheets.push(sheet.to_owned());
            }
        }
        sheets
    }

    /// The place of a range of `text` in the chunk that holds its beginning, as far as it goes in that chunk.
    pub(super) fn place(&self, range: Range<usize>) -> Option<KeySentence> {
        let chunk = self.starts.partition_point(|start| *start <= range.start).checked_sub(1)?;
        let (start, words) = (range.start - self.starts[chunk], &self.chunks[chunk].words);
        let end = (range.end - self.starts[chunk]).min(words.len());
        let span = Span::new(start.min(end), end).trimmed(words);
        (!span.is_empty() && span.of(words).is_some()).then_some(KeySentence { chunk, span })
    }

    /// The lines that are not blank, each with the byte that it begins at.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut at = 0;
        let all = self.text.split_inclusive('\n').map(move |line| {
            let start = at;
            at += line.len();
            (start, line.trim_end())
        });
        all.filter(|(_, line)| !line.trim().is_empty())
    }
}
