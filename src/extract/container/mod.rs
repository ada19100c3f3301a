//! Files inside files: how many, how deep and how large, and the names that they get.
//!
//! # Invariants
//! - What is read of one file on disk is limited as a whole, however its archives are nested: in depth, in number, in bytes
//!   and in how far they may unfold.
//! - A member's path has parts that a path in a workspace may have, and is the only one of its name.

pub(super) mod archive;
pub(super) mod mail;

use std::collections::HashSet;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::extract::{Document, ExtractError, Hints, Member, extract_in};
use crate::workspace::ContentHash;

/// Archives in archives, and messages in messages, so deep at most.
const MAX_DEPTH: usize = 4;
/// Members of one file on disk at most.
const MAX_MEMBERS: usize = 10_000;
/// Bytes that all members have together at most.
const MAX_BYTES: u64 = 500_000_000;
/// Archives may unfold to this size whatever their own,
const FREE_BYTES: u64 = 20_000_000;
/// and beyond it to so many times their own.
const MAX_RATIO: u64 = 200;
/// The longest part of a member's path, in bytes.
const MAX_NAME_BYTES: usize = 200;

/// What is left of the limits of one file on disk.
#[derive(Debug)]
pub(in crate::extract) struct Nest {
    depth: usize,
    members_left: usize,
    bytes_left: u64,
    max_bytes: u64,
}

impl Nest {
    /// For a file of so many bytes.
    pub(in crate::extract) fn of(size: usize) -> Self {
        let max_bytes = MAX_BYTES.min(FREE_BYTES.max((size as u64).saturating_mul(MAX_RATIO)));
        Self { depth: 0, members_left: MAX_MEMBERS, bytes_left: max_bytes, max_bytes }
    }
}

/// The members of one file, in the making.
pub(in crate::extract) struct Members<'n> {
    nest: &'n mut Nest,
    taken: Vec<Member>,
    names: HashSet<String>,
    stopped: Option<String>,
}

impl<'n> Members<'n> {
    /// None yet.
    ///
    /// # Errors
    /// [`ExtractError::Failed`] where the file is in too many others.
    pub(in crate::extract) fn begin(nest: &'n mut Nest) -> Result<Self, ExtractError> {
        if nest.depth >= MAX_DEPTH {
            let reason = format!("it is inside {MAX_DEPTH} others, and what is deeper is not read");
            return Err(ExtractError::Failed { reason });
        }
        nest.depth += 1;
        Ok(Self { nest, taken: Vec::new(), names: HashSet::new(), stopped: None })
    }

    /// Why no more members are taken, once a limit is reached.
    pub(in crate::extract) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Whether a file of this name is taken: a limit may be reached, or the name be one that is passed over in workspaces.
    pub(in crate::extract) fn takes(&mut self, name: &str) -> bool {
        let is_passed_over = |part: &str| part.starts_with('.') && part != "." && part != ".." || part == "__MACOSX";
        if self.stopped.is_some() || name.split(['/', '\\']).any(is_passed_over) {
            return false;
        }
        if self.nest.members_left == 0 {
            self.stopped = Some(format!("more than {MAX_MEMBERS} files are in it: the rest was not read"));
        }
        self.stopped.is_none()
    }

    /// Reads a member of which all that `content` gives is wanted, within the limits.
    pub(in crate::extract) fn take(&mut self, name: &str, mut content: impl Read) {
        if !self.takes(name) {
            return;
        }
        let mut bytes = Vec::new();
        match content.by_ref().take(self.nest.bytes_left + 1).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() as u64 > self.nest.bytes_left => {
                let max = self.nest.max_bytes / 1_000_000;
                self.stopped = Some(format!("what is in it unfolds to more than {max} MB: the rest was not read"));
            }
            Ok(_) => self.take_bytes(name, &bytes),
            Err(error) => self.fail(name, &reason(&error)),
        }
    }

    /// Reads a member.
    pub(in crate::extract) fn take_bytes(&mut self, name: &str, bytes: &[u8]) {
        if !self.takes(name) {
            return;
        }
        let path = self.path(name);
        self.nest.members_left -= 1;
        self.nest.bytes_left = self.nest.bytes_left.saturating_sub(bytes.len() as u64);
        let file_name = path.rsplit('/').next().unwrap_or(&path);
        let depth = self.nest.depth;
        let read = AssertUnwindSafe(|| extract_in(bytes, Hints { file_name }, self.nest));
        let outcome = catch_unwind(read).unwrap_or_else(|_| {
            Err(ExtractError::Failed { reason: "the reader for this type crashed on the file".to_owned() })
        });
        self.nest.depth = depth;
        let mut inner = Vec::new();
        let outcome = outcome.map(|mut document: Document| {
            inner = std::mem::take(&mut document.members);
            document
        });
        let of_member = inner.into_iter().map(|member| Member { path: format!("{path}/{}", member.path), ..member });
        let of_member: Vec<Member> = of_member.collect();
        let content_hash = Some(ContentHash::of(bytes));
        self.taken.push(Member { path, size: bytes.len() as u64, content_hash, outcome });
        self.taken.extend(of_member);
    }

    /// Notes a member that cannot be read.
    pub(in crate::extract) fn fail(&mut self, name: &str, reason: &str) {
        if !self.takes(name) {
            return;
        }
        let path = self.path(name);
        self.nest.members_left -= 1;
        let outcome = Err(ExtractError::Failed { reason: reason.to_owned() });
        self.taken.push(Member { path, size: 0, content_hash: None, outcome });
    }

    /// All members, and why they are not all there are.
    pub(in crate::extract) fn finish(self) -> (Vec<Member>, Option<String>) {
        self.nest.depth -= 1;
        (self.taken, self.stopped)
    }

    fn path(&mut self, name: &str) -> String {
        let parts: Vec<String> = name.split(['/', '\\']).filter_map(part).collect();
        let path = if parts.is_empty() { "unnamed".to_owned() } else { parts.join("/") };
        let mut unique = path.clone();
        let mut number = 1;
        while !self.names.insert(unique.clone()) {
            number += 1;
            let (folder, file) = path.rsplit_once('/').map_or(("", path.as_str()), |(folder, file)| (folder, file));
            let (stem, extension) = file.rsplit_once('.').unwrap_or((file, ""));
            let dot = if extension.is_empty() { "" } else { "." };
            let slash = if folder.is_empty() { "" } else { "/" };
            unique = format!("{folder}{slash}{stem} ({number}){dot}{extension}");
        }
        unique
    }
}

/// A part of a path without what it may not hold; `None` where nothing is left.
fn part(part: &str) -> Option<String> {
    let plain: String = part.trim().chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    let plain = &plain[..plain.floor_char_boundary(MAX_NAME_BYTES)];
    (!matches!(plain, "" | "." | "..")).then(|| plain.to_owned())
}

/// Why bytes could not be unpacked, for a person.
pub(in crate::extract) fn reason(error: &io::Error) -> String {
    format!("it is damaged: {error}")
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::extract::{Format, extract, tests::check};

    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn tarred(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_cksum();
            archive.append_data(&mut header, name, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn gzipped(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8], file_name: &str) -> Document {
        let document = extract(bytes, Hints { file_name }).unwrap();
        check(&document);
        document.members.iter().filter_map(|member| member.outcome.as_ref().ok()).for_each(check);
        document
    }

    /// Each member's path with its text or the reason why it has none.
    fn members(document: &Document) -> Vec<(&str, String)> {
        let told = |outcome: &Result<Document, ExtractError>| match outcome {
            Ok(document) => document.text.clone(),
            Err(error) => error.to_string(),
        };
        document.members.iter().map(|member| (member.path.as_str(), told(&member.outcome))).collect()
    }

    fn owned<'a>(wanted: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
        wanted.iter().map(|(path, text)| (*path, (*text).to_owned())).collect()
    }

    #[test]
    fn an_archive_is_a_folder_of_documents_whatever_it_is_packed_in() {
        let entries: [(&str, &[u8]); 3] =
            [("notes/a.md", b"# Tide"), (".git/config", b"x"), ("b.bin", &[0, 1, 2, 0xff])];
        let wanted = owned(&[("notes/a.md", "# Tide"), ("b.bin", "binary data files are not read")]);
        for (bytes, name) in
            [(zipped(&entries), "a.zip"), (tarred(&entries), "a.tar"), (gzipped(&tarred(&entries)), "a.tgz")]
        {
            let archive = read(&bytes, name);
            assert_eq!((archive.format, archive.text.as_str()), (Format::Archive, "notes/a.md\nb.bin\n"), "{name}");
            assert_eq!((members(&archive), &archive.partial), (wanted.clone(), &None), "{name}");
            assert_eq!(archive.members[0].content_hash, Some(ContentHash::of(b"# Tide")));
        }
        let log = read(&gzipped(b"2026-11-23 10:00:00 ERROR tide gauge lost\n"), "run.log.gz");
        assert_eq!(log.members[0].path, "run.log");
        assert_eq!(log.members[0].outcome.as_ref().unwrap().format, Format::Log);
    }

    #[test]
    fn archives_in_archives_are_read_to_a_depth_and_the_paths_say_where() {
        let mut bytes = zipped(&[("deep.txt", b"tide")]);
        for level in (1..=5).rev() {
            bytes = zipped(&[(&format!("{level}.zip"), &bytes), (&format!("{level}.txt"), b"gauge")]);
        }
        let archive = read(&bytes, "0.zip");
        let paths: Vec<&str> = archive.members.iter().map(|member| member.path.as_str()).collect();
        assert!(paths.contains(&"1.zip/2.zip/3.zip/4.txt"), "{paths:?}");
        let told = members(&archive);
        let too_deep = ("1.zip/2.zip/3.zip/4.zip", "it is inside 4 others, and what is deeper is not read".to_owned());
        assert!(told.contains(&too_deep), "{told:?}");
    }

    #[test]
    fn a_bomb_is_cut_off_and_says_so() {
        let bomb = zipped(&[("a.txt", b"tide"), ("bomb.txt", &vec![b' '; 30_000_000]), ("z.txt", b"gauge")]);
        assert!(bomb.len() < 100_000);
        let archive = read(&bomb, "a.zip");
        assert_eq!(members(&archive), owned(&[("a.txt", "tide")]));
        assert_eq!(archive.partial.as_deref(), Some("what is in it unfolds to more than 20 MB: the rest was not read"));
        let many: Vec<(String, &[u8])> = (0..=MAX_MEMBERS).map(|number| (format!("{number}.txt"), &b"x"[..])).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|(name, content)| (name.as_str(), *content)).collect();
        let archive = read(&tarred(&many), "a.tar");
        assert_eq!(archive.members.len(), MAX_MEMBERS);
        assert_eq!(archive.partial.as_deref(), Some("more than 10000 files are in it: the rest was not read"));
    }

    #[test]
    fn names_stay_inside_and_are_told_apart() {
        let mut nest = Nest::of(0);
        let mut taken = Members::begin(&mut nest).unwrap();
        for name in
            ["../../etc/passwd", "/abs\\win.txt", "a//b/./c.txt", "a/b/c.txt", "x\0y\n.txt", "..", "", "a/b/c.txt"]
        {
            taken.take_bytes(name, b"words");
        }
        let paths: Vec<String> = taken.finish().0.into_iter().map(|member| member.path).collect();
        assert_eq!(
            paths,
            [
                "etc/passwd",
                "abs/win.txt",
                "a/b/c.txt",
                "a/b/c (2).txt",
                "x_y_.txt",
                "unnamed",
                "unnamed (2)",
                "a/b/c (3).txt"
            ]
        );
        assert!(paths.iter().all(|path| path.parse::<crate::workspace::RelPath>().is_ok()));
    }

    #[test]
    fn what_is_damaged_in_an_archive_hurts_only_itself() {
        let whole = zipped(&[("a.txt", b"the tide gauge of the outer harbour"), ("b.txt", b"words")]);
        let mut damaged = whole.clone();
        let at = damaged.windows(5).position(|window| window == b"a.txt").unwrap() + 6;
        damaged[at] ^= 0xff;
        let archive = read(&damaged, "a.zip");
        let told = members(&archive);
        assert!(told[0].1.starts_with("it is damaged: "), "{told:?}");
        assert_eq!(told[1], ("b.txt", "words".to_owned()));
        let cut = tarred(&[("a.txt", b"words"), ("b.txt", &[b'x'; 4000])]);
        let archive = read(&cut[..1024 + 512 + 700], "a.tar");
        assert_eq!(members(&archive)[0], ("a.txt", "words".to_owned()));
        assert!(extract(&whole[..20], Hints { file_name: "a.zip" }).is_err());
        let nothing = extract(&gzipped(b"words")[..12], Hints { file_name: "a.gz" });
        assert!(nothing.is_err() || nothing.unwrap().members[0].outcome.is_err());
    }
}
