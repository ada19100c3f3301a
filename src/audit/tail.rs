//! The end of the journal: where the next line goes, and what is found there after others have written or a crash has.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::AuditError;
use super::entry::Entry;
use super::head::{End, EntryHash, HeadFile, Stored};
use super::line::{Line, Links};
use super::segments::{self, Backwards, Segment, open_to_append};
use crate::failpoint;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The end of the journal, held open. It is used under the lock alone.
pub(super) struct Tail {
    folder: PathBuf,
    head_file: HeadFile,
    segment: fs::File,
    /// Bytes of the segment.
    num_bytes: u64,
    /// The day, since 1970, of the segment's first entry; `None` where it has none.
    day: Option<i64>,
    pub end: End,
    /// What is wrong with the end, for entries that tell of it.
    pub findings: Vec<String>,
    buffer: Vec<u8>,
}

impl Tail {
    /// Looks where the journal ends, repairs a torn line, and begins a journal where there is none.
    pub(super) fn recover(folder: &Path) -> io::Result<Self> {
        let mut head_file = HeadFile::open(folder)?;
        let stored = head_file.stored()?;
        let known = segments::list(folder)?;
        let mut findings = Vec::new();
        let newest = known.last().cloned();
        let first_seq = newest.as_ref().map_or(1, |segment| segment.first_seq);
        let mut end = End { segment: first_seq, ..End::NONE };
        if let Some(newest) = &newest {
            let mut lines = Backwards::whole(fs::File::open(&newest.path)?)?;
            if lines.num_torn() > 0 {
                let whole = fs::metadata(&newest.path)?.len() - lines.num_torn();
                open_to_append(&newest.path)?.set_len(whole)?;
                findings.push(format!("{} bytes of a torn line were cut off `{}`", lines.num_torn(), newest.name()));
            }
            let last = match lines.next_line()? {
                Some(line) => Links::read(&line).ok_or_else(|| newest.name()),
                // Nothing was written into it yet, or what was is cut off.
                None => match known.iter().rev().nth(1) {
                    Some(before) => before.last()?.ok_or_else(|| before.name()),
                    None => Ok(Links { seq: first_seq - 1, previous: EntryHash::NONE, time: 0, hash: EntryHash::NONE }),
                },
            };
            match last {
                Ok(Links { seq, hash, .. }) => (end.seq, end.hash) = (seq, hash),
                Err(name) => {
                    findings.push(format!("the last line of `{name}` is no entry"));
                    end.seq = first_seq;
                }
            }
        }
        match stored {
            Stored::Nothing if end.seq == 0 => {}
            Stored::Nothing => findings.push("the file `head` was missing".to_owned()),
            Stored::Damaged => findings.push("the file `head` could not be read".to_owned()),
            Stored::End(stored) if stored.seq > end.seq => {
                findings.push(format!("the entries {} to {} are missing", end.seq + 1, stored.seq));
                end.seq = stored.seq;
            }
            Stored::End(stored) if stored.seq == end.seq && stored.hash != end.hash => {
                findings.push(format!("the entry {} is not the one that was written", end.seq));
            }
            Stored::End(_) => {}
        }
        if newest.is_none() {
            end.segment = end.seq + 1;
        }
        let segment = Segment::of(folder, end.segment);
        let file = open_to_append(&segment.path)?;
        let day = first_day(&segment)?;
        let num_bytes = file.metadata()?.len();
        if stored != Stored::End(end) {
            head_file.store_alone(end)?;
        }
        let folder = folder.to_owned();
        Ok(Self { folder, head_file, segment: file, num_bytes, day, end, findings, buffer: Vec::new() })
    }

    /// Whether nobody has written since: the file `head` and the length of the segment are as they were left.
    pub(super) fn is_current(&mut self) -> io::Result<bool> {
        let metadata = self.segment.metadata()?;
        let is_there = is_linked(&metadata) && is_linked(&self.head_file.file().metadata()?);
        Ok(is_there && metadata.len() == self.num_bytes && self.head_file.stored()? == Stored::End(self.end))
    }

    /// Writes a line at the end.
    pub(super) fn push(&mut self, mut line: Line<'_>) -> Result<u64, AuditError> {
        let seq = self.end.seq + 1;
        let (time, hash) = (line.time, line.write(seq, self.end.hash, &mut self.buffer));
        failpoint::reach("audit: before the entry");
        if let Err(error) = self.segment.write_all(&self.buffer) {
            // A part of it may be there. If it stays, the next one who writes cuts it off.
            let _ = self.segment.set_len(self.num_bytes);
            return Err(error.into());
        }
        self.num_bytes += self.buffer.len() as u64;
        self.day.get_or_insert(time.div_euclid(DAY_MS));
        (self.end.seq, self.end.hash) = (seq, hash);
        failpoint::reach("audit: between the entry and the head");
        self.head_file.store(self.end)?;
        failpoint::reach("audit: after the entry");
        Ok(seq)
    }

    /// Whether the next entry goes into another segment.
    pub(super) fn is_due(&self, max_bytes: u64, now: i64) -> bool {
        self.num_bytes >= max_bytes || self.num_bytes > 0 && self.day.is_some_and(|day| day < now.div_euclid(DAY_MS))
    }

    /// Begins the next segment. The file `head` is the first to name it, so that no process goes on with the old one.
    pub(super) fn rotate(&mut self) -> Result<(), AuditError> {
        self.segment.sync_data()?;
        self.end.segment = self.end.seq + 1;
        self.head_file.store(self.end)?;
        failpoint::reach("audit: between two segments");
        self.segment = open_to_append(&Segment::of(&self.folder, self.end.segment).path)?;
        (self.num_bytes, self.day) = (self.segment.metadata()?.len(), None);
        Ok(())
    }

    /// Removes the oldest segments, as long as all together are too large, or as they are too old. An entry names the newest entry
    /// that goes; it is written before.
    pub(super) fn prune(&mut self, keep_bytes: u64, before: i64, now: i64) -> Result<(), AuditError> {
        let mut known = segments::list(&self.folder)?;
        known.retain(|segment| segment.first_seq < self.end.segment);
        let mut sizes = Vec::with_capacity(known.len());
        for segment in &known {
            sizes.push(fs::metadata(&segment.path)?.len());
        }
        let mut total = self.num_bytes + sizes.iter().sum::<u64>();
        let (mut going, mut through) = (Vec::new(), None);
        for (segment, size) in known.into_iter().zip(sizes) {
            let Some(last) = segment.last()? else { break };
            if total <= keep_bytes && last.time >= before {
                break;
            }
            total -= size;
            through = Some((last.seq, last.hash));
            going.push(segment);
        }
        let Some((seq, hash)) = through else { return Ok(()) };
        let message = format!("the entries up to {seq} are pruned, as `audit.keep_days` and `audit.keep_mb` say");
        let entry = Entry { pruned: Some((seq, hash)), ..Entry::of_journal("audit.prune", message) };
        for line in entry.lines(now, crate::config::QueryText::Off) {
            self.push(line)?;
        }
        failpoint::reach("audit: between the entry and the pruning");
        for segment in going {
            fs::remove_file(&segment.path)?;
        }
        Ok(())
    }

    /// The segment, to be synced while others write.
    pub(super) fn segment(&self) -> io::Result<std::fs::File> {
        self.segment.file().try_clone()
    }
}

/// The day of a segment's first entry.
fn first_day(segment: &Segment) -> io::Result<Option<i64>> {
    use std::io::{BufRead as _, BufReader, Read as _};
    let mut beginning = Vec::new();
    BufReader::new(fs::File::open(&segment.path)?.take(1 << 24)).read_until(b'\n', &mut beginning)?;
    beginning.pop();
    Ok(Links::read(&beginning).map(|links| links.time.div_euclid(DAY_MS)))
}

#[cfg(unix)]
pub(super) fn is_linked(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.nlink() > 0
}

/// Where an open file cannot be removed.
#[cfg(not(unix))]
pub(super) const fn is_linked(_: &std::fs::Metadata) -> bool {
    true
}
