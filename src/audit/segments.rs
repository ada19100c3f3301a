//! The segments of a journal: files of lines, named by the number of their first entry.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::line::Links;

/// What is read of a segment at once.
const BLOCK_BYTES: u64 = 64 * 1024;
/// A longer line is none of ours.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
const ENDING: &str = ".jsonl";

/// One file of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The number of its first entry.
    pub first_seq: u64,
    pub path: PathBuf,
}

impl Segment {
    pub(super) fn of(folder: &Path, first_seq: u64) -> Self {
        Self { first_seq, path: folder.join(format!("{first_seq:020}{ENDING}")) }
    }

    /// The name of the file.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The links of its last whole line that can be read.
    pub(super) fn last(&self) -> io::Result<Option<Links>> {
        let mut lines = Backwards::whole(fs::File::open(&self.path)?)?;
        Ok(lines.next_line()?.and_then(|line| Links::read(&line)))
    }
}

/// All segments, oldest first; none where there is no journal.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(ENDING)).filter(|digits| digits.len() == 20);
        if let Some(first_seq) = number.and_then(|digits| digits.parse().ok()) {
            segments.push(Segment { first_seq, path: entry.path() });
        }
    }
    segments.sort_by_key(|segment| segment.first_seq);
    Ok(segments)
}

/// Opens a file for its owner alone, and makes it where there is none.
pub(super) fn open_private(path: &Path) -> io::Result<fs::File> {
    private(fs::OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)
}

/// The same, to write at the end.
pub(super) fn open_to_append(path: &Path) -> io::Result<fs::File> {
    private(fs::OpenOptions::new().read(true).append(true).create(true)).open(path)
}

fn private(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// The lines of a file from its end to its beginning.
pub(super) struct Backwards {
    file: fs::File,
    /// Bytes of the file that are not read yet.
    num_unread: u64,
    /// The bytes behind them that are not given yet: nothing, or lines with their ends.
    buffer: Vec<u8>,
    num_torn: u64,
}

impl Backwards {
    /// All whole lines. What stands behind the last end of a line is passed over.
    pub(super) fn whole(file: fs::File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Self::up_to(file, len)
    }

    /// The lines that end before `len`.
    pub(super) fn up_to(file: fs::File, len: u64) -> io::Result<Self> {
        let mut lines = Self { file, num_unread: len, buffer: Vec::new(), num_torn: 0 };
        loop {
            if let Some(end) = lines.buffer.iter().rposition(|&byte| byte == b'\n') {
                lines.num_torn += (lines.buffer.len() - end - 1) as u64;
                lines.buffer.truncate(end + 1);
                return Ok(lines);
            }
            lines.num_torn += lines.buffer.len() as u64;
            lines.buffer.clear();
            if lines.num_unread == 0 {
                return Ok(lines);
            }
            lines.read_block()?;
        }
    }

    /// Bytes behind the last whole line.
    pub(super) const fn num_torn(&self) -> u64 {
        self.num_torn
    }

    /// Reads what stands before the bytes that were read.
    fn read_block(&mut self) -> io::Result<()> {
        let num_bytes = self.num_unread.min(BLOCK_BYTES);
        self.num_unread -= num_bytes;
        self.file.seek(SeekFrom::Start(self.num_unread))?;
        let mut block = vec![0; usize::try_from(num_bytes).unwrap_or(0)];
        self.file.read_exact(&mut block)?;
        block.append(&mut self.buffer);
        self.buffer = block;
        Ok(())
    }

    /// The line before the one that was given last, without its end.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some(num_before_end) = self.buffer.len().checked_sub(1) else {
                if self.num_unread == 0 {
                    return Ok(None);
                }
                self.read_block()?;
                continue;
            };
            let start = match memchr::memrchr(b'\n', &self.buffer[..num_before_end]) {
                Some(before) => before + 1,
                None if self.num_unread == 0 => 0,
                None if self.buffer.len() > MAX_LINE_BYTES => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a line has no end"));
                }
                None => {
                    self.read_block()?;
                    continue;
                }
            };
            let mut line = self.buffer.split_off(start);
            line.pop();
            return Ok(Some(line));
        }
    }
}

/// Where the lines end whose numbers are below `seq`, or a little behind: found by halving, as numbers grow.
pub(super) fn end_before(file: &mut fs::File, seq: u64) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let (mut left, mut right, mut end) = (0, len, len);
    let mut block = Vec::new();
    while right - left > BLOCK_BYTES {
        let middle = left + (right - left) / 2;
        file.seek(SeekFrom::Start(middle))?;
        block.clear();
        (&mut *file).take(BLOCK_BYTES).read_to_end(&mut block)?;
        let line = memchr::memchr(b'\n', &block).map(|at| at + 1);
        let found = line.and_then(|at| Some((middle + at as u64, Links::seq_of(&block[at..])?)));
        match found {
            Some((_, number)) if number < seq => left = middle,
            Some((start, _)) => (right, end) = (middle, start),
            None => right = middle,
        }
    }
    Ok(end)
}
