//! The proof of the chain: whether the journal is as it was written, and where it is not.
//!
//! A chain proves itself up to its end alone: whoever may write the folder can compute a new one, or cut the end off together with the file
//! `head`. A head that is kept elsewhere proves the rest.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};

use fs_err as fs;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::head::{EntryHash, Head, HeadFile, Stored};
use super::line::{Line, Links};
use super::segments::{self, Segment};
use super::{AuditError, Journal};

/// Breaks that are told; more are counted.
const MAX_BREAKS: usize = 100;
/// Entries of the journal about itself that begin with this hold what the proof needs.
const OF_JOURNAL: &[u8] = b"\"operation\":\"audit.";

/// What is wrong at a place of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// The line is no entry.
    Damaged,
    /// The entry is not the one that its hash is of.
    Edited,
    /// The entry does not follow the one before it: its number is not the next.
    Misplaced,
    /// The entry names another one before it.
    Unlinked,
    /// The journal begins too late: no entry tells that the older ones were pruned.
    CutBeginning,
    /// The journal ends too early.
    CutEnd,
    /// The entry of a given head is another one now.
    OtherHead,
}

/// A place at which the journal is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Break {
    /// The file in the folder `audit`.
    pub segment: String,
    /// The line in it, from 1; 0 for none.
    pub line: u64,
    /// The number of the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What is wrong.
    pub kind: BreakKind,
    /// The same for a person.
    pub explanation: String,
}

/// The result of a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct VerifyReport {
    /// Whether nothing is wrong.
    pub is_whole: bool,
    /// Entries that were looked at.
    pub num_entries: u64,
    /// The number of the oldest entry that is kept.
    pub first_seq: u64,
    /// The newest entry.
    pub head: Head,
    /// Entries that tell of a repair after a crash, or of damage that was found.
    pub num_repairs: u64,
    /// Accesses of which the journal tells only that they were not recorded.
    pub num_unrecorded: u64,
    /// How many places are broken.
    pub num_breaks: u64,
    /// The first of them, at most 100.
    pub breaks: Vec<Break>,
}

/// The proof on its way through the journal.
struct Proof<'a> {
    report: VerifyReport,
    /// The entry before: its number, and its hash as it is.
    before: Option<(u64, EntryHash)>,
    first: Option<(String, Links)>,
    /// The newest entries that were pruned, as entries tell.
    pruned: BTreeMap<u64, EntryHash>,
    /// Heads to be found.
    heads: &'a [Head],
    /// The hashes of their entries.
    seen: BTreeMap<u64, EntryHash>,
}

impl Journal {
    /// Proves that the journal is as it was written, and holds the entries of `heads` as they were.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn verify(&self, heads: &[Head]) -> Result<VerifyReport, AuditError> {
        let folder = &self.inner().folder;
        let (known, stored) = {
            // What is written from now on is not looked at.
            let _held = self.inner().hold_to_read()?;
            let mut known = Vec::new();
            for segment in segments::list(folder)? {
                let size = fs::metadata(&segment.path)?.len();
                known.push((segment, size));
            }
            (known, HeadFile::look(folder)?)
        };
        let mut proof = Proof::new(heads);
        for (segment, size) in &known {
            proof.segment(segment, *size)?;
        }
        Ok(proof.finish(known.last().map(|(segment, _)| segment), stored))
    }
}

impl<'a> Proof<'a> {
    fn new(heads: &'a [Head]) -> Self {
        let report = VerifyReport {
            is_whole: true,
            num_entries: 0,
            first_seq: 0,
            head: super::head::End::NONE.head(),
            num_repairs: 0,
            num_unrecorded: 0,
            num_breaks: 0,
            breaks: Vec::new(),
        };
        Self { report, before: None, first: None, pruned: BTreeMap::new(), heads, seen: BTreeMap::new() }
    }

    fn broken(&mut self, segment: &str, (line, seq): (u64, Option<u64>), kind: BreakKind, explanation: String) {
        self.report.is_whole = false;
        self.report.num_breaks += 1;
        if self.report.breaks.len() < MAX_BREAKS {
            self.report.breaks.push(Break { segment: segment.to_owned(), line, seq, kind, explanation });
        }
    }

    fn segment(&mut self, segment: &Segment, size: u64) -> Result<(), AuditError> {
        let mut reader = BufReader::with_capacity(1 << 18, fs::File::open(&segment.path)?.take(size));
        let (mut line, mut number, name) = (Vec::new(), 0, segment.name());
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            number += 1;
            if line.pop() != Some(b'\n') {
                let explanation = "the line has no end: a crash has torn it, or it was cut".to_owned();
                self.broken(&name, (number, None), BreakKind::Damaged, explanation);
                return Ok(());
            }
            let Some(links) = Links::read(&line) else {
                self.broken(&name, (number, None), BreakKind::Damaged, "the line is no entry".to_owned());
                continue;
            };
            self.entry(&name, number, links, &line);
            if number == 1 && links.seq != segment.first_seq {
                let explanation = format!("the file begins with the entry {}, not with the one of its name", links.seq);
                self.broken(&name, (number, Some(links.seq)), BreakKind::Misplaced, explanation);
            }
        }
    }

    fn entry(&mut self, name: &str, number: u64, links: Links, line: &[u8]) {
        let place = (number, Some(links.seq));
        self.report.num_entries += 1;
        if !links.is_true(line) {
            let explanation = format!("the entry {} is not the one that its hash is of", links.seq);
            self.broken(name, place, BreakKind::Edited, explanation);
        }
        if let Some((seq, hash)) = self.before {
            if links.seq != seq + 1 {
                let explanation = if links.seq > seq + 1 {
                    format!("the entries {} to {} are missing", seq + 1, links.seq - 1)
                } else {
                    format!("the entry {} stands behind the entry {seq}", links.seq)
                };
                self.broken(name, place, BreakKind::Misplaced, explanation);
            }
            if links.previous != hash {
                let explanation = format!("the entry {} names another one before it than the entry {seq}", links.seq);
                self.broken(name, place, BreakKind::Unlinked, explanation);
            }
        } else {
            self.first = Some((name.to_owned(), links));
        }
        self.before = Some((links.seq, links.hash));
        if self.heads.iter().any(|head| head.seq == links.seq) {
            self.seen.insert(links.seq, links.hash);
        }
        if memchr::memmem::find(line, OF_JOURNAL).is_some()
            && let Some(told) = Line::read(line)
            && told.actor.user.kind == "Journal"
        {
            let count = told.unmapped.count.unwrap_or(1);
            match &*told.api.operation {
                "audit.repair" => self.report.num_repairs += 1,
                "audit.gap" => self.report.num_unrecorded += count,
                _ => {}
            }
            let hash = told.unmapped.pruned_hash.as_deref().and_then(|hash| EntryHash::read(hash.as_bytes()));
            if let (Some(seq), Some(hash)) = (told.unmapped.pruned_through, hash) {
                self.pruned.insert(seq, hash);
            }
        }
    }

    /// Whether an entry tells that everything before the first one that is kept was pruned. Where files have stayed that were to go, it is
    /// enough that more was to go.
    fn is_beginning_proven(&self, first: Links) -> bool {
        first.seq == 1 && first.previous == EntryHash::NONE
            || first.seq > 1
                && self.pruned.range(first.seq - 1..).any(|(&seq, &hash)| seq >= first.seq || hash == first.previous)
    }

    fn finish(mut self, newest: Option<&Segment>, stored: Stored) -> VerifyReport {
        let name = newest.map(Segment::name).unwrap_or_default();
        if let Some((name, first)) = self.first.take() {
            self.report.first_seq = first.seq;
            if !self.is_beginning_proven(first) {
                let explanation = format!("the journal begins with the entry {}, and none tells of pruning", first.seq);
                self.broken(&name, (1, Some(first.seq)), BreakKind::CutBeginning, explanation);
            }
        }
        let (seq, hash) = self.before.unwrap_or((0, EntryHash::NONE));
        self.report.head = Head { seq, hash: hash.to_string() };
        let heads = std::mem::take(&mut self.heads);
        for head in heads {
            let kept = self.seen.get(&head.seq).map(ToString::to_string);
            let (kind, explanation) = match kept {
                Some(kept) if kept == head.hash => continue,
                Some(_) => (BreakKind::OtherHead, format!("the entry {} is another one than the given head", head.seq)),
                None if head.seq == 0 && head.hash == EntryHash::NONE.to_string() => continue,
                None if head.seq > seq => {
                    (BreakKind::CutEnd, format!("the journal ends with the entry {seq}, before the given {}", head.seq))
                }
                None if head.seq < self.report.first_seq => (
                    BreakKind::CutBeginning,
                    format!("the entry {} of the given head is pruned: nothing proves it any more", head.seq),
                ),
                None => (BreakKind::OtherHead, format!("there is no entry {} any more", head.seq)),
            };
            self.broken(&name, (0, Some(head.seq)), kind, explanation);
        }
        match stored {
            Stored::End(end) if end.seq > seq => {
                let explanation =
                    format!("the file `head` names the entry {}, and the journal ends with {seq}", end.seq);
                self.broken(&name, (0, Some(end.seq)), BreakKind::CutEnd, explanation);
            }
            Stored::End(end) if end.seq == seq && end.hash != hash => {
                let explanation = format!("the file `head` names another entry {seq}");
                self.broken(&name, (0, Some(seq)), BreakKind::OtherHead, explanation);
            }
            Stored::End(_) => {}
            Stored::Nothing if seq == 0 => {}
            Stored::Nothing | Stored::Damaged => {
                let explanation = "the file `head` is missing or damaged".to_owned();
                self.broken(&name, (0, None), BreakKind::CutEnd, explanation);
            }
        }
        self.report
    }
}
