//! Divides a text along a tree of named parts: keys of YAML, tables of TOML, elements of XML.
//!
//! # Invariants
//! - Small neighbours stay together and large parts are divided under their names; what stands between two parts, such as
//!   a comment or an opening tag, goes with what follows.
//! - Linear in the text and the parts, but for the names of at most [`MAX_DEPTH`] parts above each other.

use std::sync::Arc;

use crate::extract::builder::{Blocks, Trail, no_trail};
use crate::extract::{Block, BlockKind};
use crate::workspace::Span;

/// Parts nested deeper than this are not divided any more.
const MAX_DEPTH: usize = 24;
/// A part up to this size stays whole, and small neighbours are put together up to it.
const WHOLE_BYTES: usize = 400;

/// A named part of a text, and how many of the parts after it lie in it.
#[derive(Debug)]
struct Part {
    span: Span,
    name: String,
    num_inside: usize,
}

/// The parts of a text in the order of their beginnings, in the making.
#[derive(Default)]
pub(in crate::extract) struct Outline {
    parts: Vec<Part>,
    /// The parts that are open, with their levels, deeper inside.
    open: Vec<(usize, usize)>,
}

impl Outline {
    /// Begins the part `name` at byte `start`.
    pub(in crate::extract) fn open(&mut self, level: usize, start: usize, name: String) {
        self.open.push((level, self.parts.len()));
        self.parts.push(Part { span: Span::new(start, start), name, num_inside: 0 });
    }

    /// Ends the parts of `level` and deeper at byte `end`.
    pub(in crate::extract) fn close(&mut self, level: usize, end: usize) {
        while let Some((_, part)) = self.open.pop_if(|(open, _)| *open >= level) {
            let num_parts = self.parts.len();
            let part_of = &mut self.parts[part];
            part_of.span = Span::new(part_of.span.start, end.max(part_of.span.start));
            part_of.num_inside = num_parts - part - 1;
        }
    }

    /// How many parts are open.
    pub(in crate::extract) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The blocks of `text`, of `kind`.
    pub(in crate::extract) fn blocks(mut self, text: &str, kind: BlockKind) -> Vec<Block> {
        self.close(0, text.len());
        let mut cutter = Cutter { kind, text, blocks: Blocks::new(text), open: Vec::new(), root: Run::default() };
        let mut at = 0;
        while let Some(part) = self.parts.get(at) {
            at += if cutter.take(part) { 1 } else { part.num_inside + 1 };
        }
        cutter.close(usize::MAX);
        cutter.blocks.set_trail(no_trail());
        cutter.flush(text.len());
        cutter.blocks.finish()
    }
}

/// Neighbours that are put together.
#[derive(Default)]
struct Run {
    start: Option<usize>,
    end: usize,
}

struct Open {
    end: usize,
    trail: Trail,
    run: Run,
}

struct Cutter<'t> {
    kind: BlockKind,
    text: &'t str,
    blocks: Blocks<'t>,
    open: Vec<Open>,
    root: Run,
}

impl Cutter<'_> {
    /// Takes a part; whether the parts in it follow by themselves.
    fn take(&mut self, part: &Part) -> bool {
        self.close(part.span.start);
        let is_large = part.span.len() > WHOLE_BYTES;
        let run = self.open.last_mut().map_or(&mut self.root, |open| &mut open.run);
        let start = run.start;
        let is_full = start.is_some_and(|start| is_large || part.span.end.saturating_sub(start) > WHOLE_BYTES);
        run.start = if is_large {
            None
        } else if is_full {
            Some(part.span.start)
        } else {
            start.or(Some(part.span.start))
        };
        let run_end = std::mem::replace(&mut run.end, part.span.end);
        if is_full {
            self.set_trail();
            self.flush(run_end);
        }
        if !is_large {
            return false;
        }
        if part.num_inside > 0 && self.open.len() < MAX_DEPTH {
            let trail = self.open.last().map_or_else(no_trail, |open| Arc::clone(&open.trail));
            let trail = trail.iter().chain([&part.name]).filter(|name| !name.is_empty()).cloned().collect();
            self.open.push(Open { end: part.span.end, trail, run: Run::default() });
            return true;
        }
        self.set_trail();
        let start = self.blocks.covered();
        if part.num_inside == 0 {
            // A long text in one part has paragraphs of its own.
            self.blocks.push_paragraphs(self.kind, Span::new(start, part.span.end));
        } else {
            self.flush(part.span.end);
        }
        false
    }

    /// Closes the divided parts that end before `at`.
    fn close(&mut self, at: usize) {
        while self.open.last().is_some_and(|open| open.end <= at) {
            self.set_trail();
            let Some(open) = self.open.pop() else { break };
            // The end of the part goes with the last words in it.
            let rest = Span::new(self.blocks.covered().min(open.end), open.end).trimmed(self.text);
            let is_only_end = open.run.start.is_none() && rest.len() < WHOLE_BYTES / 4;
            if !(is_only_end && self.blocks.extend_last(open.end)) {
                self.flush(open.end);
            }
        }
    }

    fn set_trail(&mut self) {
        let trail = self.open.last().map_or_else(no_trail, |open| Arc::clone(&open.trail));
        self.blocks.set_trail(trail);
    }

    fn flush(&mut self, end: usize) {
        self.blocks.push(self.kind, Span::new(self.blocks.covered(), end));
    }
}
