//! Puts small neighbouring blocks together and has large ones divided: blocks to groups, one group a chunk.
//!
//! # Invariants
//! - A group's count is exact: pieces that white space separates are added, others are counted together.
//! - Rows without their header row share a group with rows of the same table only.

use std::sync::Arc;

use super::context::ContextWriter;
use super::split::{Piece, Room, split};
use super::{Budget, MAX_CHUNK_BYTES, TokenCounter, count, is_separator};
use crate::extract::{Block, BlockKind, Document};
use crate::workspace::{Cell, Span};

/// A heading is given at least this much of what follows it, or it stands alone.
const MIN_TOKENS_UNDER_HEADING: usize = 8;
/// A piece this small is worth going over the target for.
const CRUMB_TOKENS: usize = 10;

/// What becomes one chunk.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) span: Span,
    pub(super) num_tokens: usize,
    pub(super) page: Option<u32>,
    /// The header that the group's rows need, where the header row is not in the group.
    pub(super) header: Option<Arc<str>>,
    /// The header whose row is in the group.
    covered_header: Option<Arc<str>>,
    /// The trail of the first block, of which the group's trail is the first entries.
    first_trail: Arc<[String]>,
    trail_len: usize,
    /// The trail of the last block: the section that the group ends in.
    section: Arc<[String]>,
    /// Most tokens that the context in front may take.
    num_context_tokens: usize,
    /// The sheet whose rows are in the group.
    sheet: Option<Arc<str>>,
    is_heading_only: bool,
    ends_in_row: bool,
}

impl Group {
    /// Headings above all of the group.
    pub(super) fn trail(&self) -> Arc<[String]> {
        if self.trail_len == self.first_trail.len() {
            Arc::clone(&self.first_trail)
        } else {
            self.first_trail[..self.trail_len].into()
        }
    }
}

/// The groups of a document, in order.
pub(super) fn pack(
    document: &Document,
    tokens: &dyn TokenCounter,
    budget: Budget,
    contexts: &mut ContextWriter<'_>,
) -> Vec<Group> {
    let mut packer = Packer { text: &document.text, tokens, budget, groups: Vec::new(), open: None };
    let mut page = 0;
    for block in &document.blocks {
        while document.pages.get(page).is_some_and(|span| span.end <= block.span.start) {
            page += 1;
        }
        let number = if document.pages.is_empty() { None } else { u32::try_from(page + 1).ok() };
        let num_context_tokens = contexts.num_tokens(&block.trail, block.header.as_ref());
        packer.take(block, number, num_context_tokens);
    }
    packer.close();
    packer.join_tiny()
}

struct Packer<'d> {
    text: &'d str,
    tokens: &'d dyn TokenCounter,
    budget: Budget,
    groups: Vec<Group>,
    open: Option<Group>,
}

impl Packer<'_> {
    fn take(&mut self, block: &Block, page: Option<u32>, num_context_tokens: usize) {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.page != page || !sheets_agree(open.sheet.as_ref(), sheet(block).as_ref()))
        {
            self.close();
        }
        let room = self.budget.max - num_context_tokens;
        let is_small = block.span.len() <= MAX_CHUNK_BYTES;
        let num_tokens = if is_small { count(self.tokens, &self.text[block.span.range()]) } else { usize::MAX };
        let group = |piece: Piece| new_group(block, piece, page, num_context_tokens);
        let under_heading = self.room_under_heading(block, num_context_tokens);
        if num_tokens <= room {
            let whole = group(Piece { span: block.span, num_tokens, is_glued: false });
            if self.joins(&whole) || under_heading.is_none_or(|room| room < MIN_TOKENS_UNDER_HEADING) {
                self.add(whole);
                return;
            }
        }
        // Too large for a chunk, or for what the heading above it leaves.
        let fill = self.budget.target.saturating_sub(num_context_tokens).max(1);
        let first = under_heading.filter(|&room| room >= MIN_TOKENS_UNDER_HEADING).map_or(fill, |room| room.min(fill));
        let limits = Room { first, rest: fill, tiny: self.budget.tiny, most: room };
        for (index, piece) in split(self.text, block.span, limits, self.tokens).into_iter().enumerate() {
            let piece = group(piece);
            let goes_on = index > 0;
            if goes_on {
                self.close();
            }
            self.add(piece);
        }
    }

    /// The tokens that are left under the heading that is open, where one is.
    fn room_under_heading(&self, block: &Block, num_context_tokens: usize) -> Option<usize> {
        let open = self.open.as_ref().filter(|open| open.is_heading_only && block.kind != BlockKind::Heading)?;
        let num_taken = open.num_tokens + open.num_context_tokens.max(num_context_tokens);
        let room = self.budget.max.saturating_sub(num_taken);
        // Few bytes left count as no room.
        let num_bytes_left = MAX_CHUNK_BYTES.saturating_sub(block.span.start - open.span.start);
        Some(if num_bytes_left < MAX_CHUNK_BYTES / 4 { 0 } else { room })
    }

    fn add(&mut self, group: Group) {
        match self.open.take() {
            Some(open) if self.joins_to(&open, &group) => self.open = Some(self.join(open, group)),
            Some(open) => {
                self.groups.push(open);
                self.open = Some(group);
            }
            None => self.open = Some(group),
        }
    }

    fn close(&mut self) {
        self.groups.extend(self.open.take());
    }

    fn joins(&self, next: &Group) -> bool {
        self.open.as_ref().is_some_and(|open| self.joins_to(open, next))
    }

    /// Whether the greedy pass puts `next` into `open`.
    fn joins_to(&self, open: &Group, next: &Group) -> bool {
        let Some(num_tokens) = self.joined_tokens(open, next) else { return false };
        if open.is_heading_only {
            return true;
        }
        if next.is_heading_only {
            return false;
        }
        let num_context_tokens = open.num_context_tokens.max(next.num_context_tokens);
        let (num_before, num_total) = (open.num_tokens + num_context_tokens, num_tokens + num_context_tokens);
        let is_same_section = open.section[..] == next.section[..];
        if is_same_section {
            // Whichever is nearer to the target: the group as it is, or with what follows.
            let is_nearer = num_total.abs_diff(self.budget.target) < num_before.abs_diff(self.budget.target);
            num_total <= self.budget.target || is_nearer || next.num_tokens < CRUMB_TOKENS
        } else {
            num_total <= self.budget.target && open.num_tokens * 2 < self.budget.target
        }
    }

    /// The own tokens of both together, or `None` where they cannot share a chunk.
    fn joined_tokens(&self, open: &Group, next: &Group) -> Option<usize> {
        let span = Span::new(open.span.start, next.span.end);
        let fits = span.len() <= MAX_CHUNK_BYTES
            && open.page == next.page
            && sheets_agree(open.sheet.as_ref(), next.sheet.as_ref());
        if !fits || !headers_agree(open, next) {
            return None;
        }
        let between = &self.text[open.span.end..next.span.start];
        let num_tokens = if between.contains(is_separator) {
            open.num_tokens + next.num_tokens
        } else {
            count(self.tokens, &self.text[span.range()])
        };
        let num_context_tokens = open.num_context_tokens.max(next.num_context_tokens);
        (num_tokens + num_context_tokens <= self.budget.max).then_some(num_tokens)
    }

    fn join(&self, mut open: Group, next: Group) -> Group {
        open.num_tokens = self.joined_tokens(&open, &next).unwrap_or(open.num_tokens + next.num_tokens);
        open.span.end = next.span.end;
        if next.header.is_some() && open.header.is_none() {
            open.covered_header = next.header;
        } else if next.covered_header.is_some() {
            open.covered_header = next.covered_header;
        }
        open.trail_len = common_len(&open.first_trail[..open.trail_len], &next.first_trail[..next.trail_len]);
        open.num_context_tokens = open.num_context_tokens.max(next.num_context_tokens);
        open.section = next.section;
        open.sheet = open.sheet.or(next.sheet);
        open.is_heading_only &= next.is_heading_only;
        open.ends_in_row = next.ends_in_row;
        open
    }

    /// Puts tiny groups together with a neighbour of the same parent section, the nearer relation or smaller one first.
    fn join_tiny(mut self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut rest = std::mem::take(&mut self.groups).into_iter().peekable();
        while let Some(group) = rest.next() {
            if group.num_tokens >= self.budget.tiny {
                groups.push(group);
                continue;
            }
            let back =
                groups.last().and_then(|last| self.relation(last, &group, &group).map(|near| (near, last.num_tokens)));
            let ahead =
                rest.peek().and_then(|next| self.relation(&group, next, &group).map(|near| (near, next.num_tokens)));
            let goes_back = match (back, ahead) {
                (Some((near_back, num_back)), Some((near_ahead, num_ahead))) => {
                    near_back > near_ahead || (near_back == near_ahead && num_back <= num_ahead)
                }
                (Some(_), None) => true,
                _ => false,
            };
            if goes_back && let Some(last) = groups.pop() {
                groups.push(self.join(last, group));
            } else if ahead.is_some()
                && let Some(next) = rest.peek_mut()
            {
                *next = self.join(group, next.clone());
            } else {
                groups.push(group);
            }
        }
        groups
    }

    /// How near two neighbours are, in common headings; `None` where they cannot or should not share a chunk.
    fn relation(&self, first: &Group, second: &Group, tiny: &Group) -> Option<usize> {
        let near = common_len(&first.section, &second.section);
        let is_same_parent = near + 1 >= tiny.section.len();
        (is_same_parent && !first.is_heading_only && self.joined_tokens(first, second).is_some()).then_some(near)
    }
}

fn new_group(block: &Block, piece: Piece, page: Option<u32>, num_context_tokens: usize) -> Group {
    Group {
        span: piece.span,
        num_tokens: piece.num_tokens,
        page,
        header: block.header.clone(),
        covered_header: None,
        first_trail: Arc::clone(&block.trail),
        trail_len: block.trail.len(),
        section: Arc::clone(&block.trail),
        num_context_tokens,
        sheet: sheet(block),
        is_heading_only: block.kind == BlockKind::Heading,
        ends_in_row: block.kind == BlockKind::Row,
    }
}

/// Rows need their header row in the group or in front of it, and words that are no rows need none.
fn headers_agree(open: &Group, next: &Group) -> bool {
    match (&open.header, &next.header) {
        (None, None) => true,
        (Some(open), Some(next)) => is_same(open, next),
        (Some(_), None) => false,
        (None, Some(header)) => match &open.covered_header {
            Some(covered) => is_same(covered, header),
            // A row without a header right before rows with one is their header row.
            None => open.ends_in_row,
        },
    }
}

/// The sheet that a block is a row of.
fn sheet(block: &Block) -> Option<Arc<str>> {
    match &block.cell {
        Some(Cell::Row { sheet, .. }) => Some(Arc::clone(sheet)),
        _ => None,
    }
}

/// A citation names cells of one sheet.
fn sheets_agree(one: Option<&Arc<str>>, other: Option<&Arc<str>>) -> bool {
    one.zip(other).is_none_or(|(one, other)| is_same(one, other))
}

fn is_same(one: &Arc<str>, other: &Arc<str>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

fn common_len(one: &[String], other: &[String]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}
