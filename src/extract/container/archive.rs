//! Archives: ZIP, tar and gzip, as folders. The document of an archive is the list of what is in it.
//!
//! # Invariants
//! - Nothing is unpacked to a file system; a member is read from memory, within the limits of [`crate::extract::container`].
//! - A member that is damaged or encrypted is a failure of its own.
//!
//! # Not here
//! Documents that are ZIPs on the outside (Office, EPUB), and archives of other kinds, which are named and not read.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::extract::builder::Blocks;
use crate::extract::container::{Members, Nest};
use crate::extract::{BlockKind, Document, ExtractError, Format, Hints, text::decode};
use crate::workspace::Span;

/// Which archive it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::extract) enum Packing {
    Zip,
    Tar,
    Gzip,
}

/// Where a tar says that it is one, and how.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");
/// The first bytes that tell what a compressed file holds.
const HEAD_BYTES: u64 = 512;

/// What kind of archive `bytes` are, by their first ones.
pub(in crate::extract) fn packing(bytes: &[u8]) -> Option<Packing> {
    match bytes {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Packing::Zip),
        [0x1f, 0x8b, 8, ..] => Some(Packing::Gzip),
        _ if is_tar(bytes) => Some(Packing::Tar),
        _ => None,
    }
}

fn is_tar(bytes: &[u8]) -> bool {
    let (at, magic) = TAR_MAGIC;
    bytes.get(at..).is_some_and(|rest| rest.starts_with(magic)) || is_old_tar(bytes)
}

/// Whether the first block has the sum that a tar's header says of itself; those before POSIX have no other mark.
fn is_old_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<512>() else { return false };
    let digits = header[148..156].iter().copied().filter(u8::is_ascii_digit);
    let said = digits.fold(0_u32, |sum, digit| sum.wrapping_mul(8).wrapping_add(u32::from(digit - b'0')));
    let blank = |(at, &byte): (usize, &u8)| u32::from(if (148..156).contains(&at) { b' ' } else { byte });
    header[0] != 0 && said > 0 && said == header.iter().enumerate().map(blank).sum::<u32>()
}

/// The document of an archive.
///
/// # Errors
/// [`ExtractError::Failed`] where it is damaged or in too many others.
pub(in crate::extract) fn read(
    bytes: &[u8],
    packing: Packing,
    hints: Hints<'_>,
    nest: &mut Nest,
) -> Result<Document, ExtractError> {
    let mut members = Members::begin(nest)?;
    let mut names = Vec::new();
    let read = match packing {
        Packing::Zip => read_zip(bytes, &mut members, &mut names),
        Packing::Tar => read_tar(bytes, &mut members, &mut names),
        Packing::Gzip => read_gzip(bytes, hints, &mut members, &mut names),
    };
    let (members, stopped) = members.finish();
    let cut_off = match read {
        Ok(()) => stopped,
        // What stands before the damage is read.
        Err(reason) if !members.is_empty() => {
            Some(format!("the archive is damaged, and not all of it was read: {reason}"))
        }
        Err(reason) => return Err(ExtractError::Failed { reason: format!("the archive is damaged: {reason}") }),
    };
    let mut text = String::new();
    let mut lines = Vec::with_capacity(names.len());
    for name in &names {
        let start = text.len();
        text.push_str(name);
        lines.push(Span::new(start, text.len()));
        text.push('\n');
    }
    let mut blocks = Blocks::new(&text);
    for line in lines {
        blocks.push(BlockKind::Row, line);
    }
    let blocks = blocks.finish();
    Ok(Document { blocks, members, partial: cut_off, ..Document::of(Format::Archive, text) })
}

fn read_zip(bytes: &[u8], members: &mut Members<'_>, names: &mut Vec<String>) -> Result<(), String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    for index in 0..archive.len() {
        let entry = match archive.by_index_raw(index) {
            Ok(entry) => entry,
            Err(error) => {
                members.fail(&format!("file {}", index + 1), &error.to_string());
                continue;
            }
        };
        let name = decoded(entry.name_raw());
        let (is_file, is_encrypted) = (!entry.is_dir() && !entry.is_symlink(), entry.encrypted());
        drop(entry);
        if !is_file || !members.takes(&name) {
            continue;
        }
        names.push(name.clone());
        if is_encrypted {
            members.fail(&name, "it is protected by a password");
            continue;
        }
        match archive.by_index(index) {
            Ok(entry) => members.take(&name, entry),
            Err(ZipError::UnsupportedArchive(how)) => {
                members.fail(&name, &format!("it is packed in a way that is not read: {how}"));
            }
            Err(error) => members.fail(&name, &error.to_string()),
        }
        if members.stopped().is_some() {
            break;
        }
    }
    Ok(())
}

fn read_tar(content: impl Read, members: &mut Members<'_>, names: &mut Vec<String>) -> Result<(), String> {
    let mut archive = tar::Archive::new(content);
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = decoded(&entry.path_bytes());
        if !entry.header().entry_type().is_file() || !members.takes(&name) {
            continue;
        }
        names.push(name.clone());
        members.take(&name, entry);
        if members.stopped().is_some() {
            break;
        }
    }
    Ok(())
}

/// A tar that is compressed is one archive; any other file is the only one in its own.
fn read_gzip(bytes: &[u8], hints: Hints<'_>, members: &mut Members<'_>, names: &mut Vec<String>) -> Result<(), String> {
    let mut head = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes);
    let said = decoder.header().and_then(|header| header.filename()).map(decoded);
    decoder.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| error.to_string())?;
    if is_tar(&head) {
        return read_tar(MultiGzDecoder::new(bytes), members, names);
    }
    let own = hints.file_name.strip_suffix(".gz").filter(|name| !name.is_empty());
    let name = own.map(str::to_owned).or(said).unwrap_or_else(|| "content".to_owned());
    // A hidden name inside is no reason to pass over the only file.
    let name = name.trim_start_matches('.').to_owned();
    names.push(name.clone());
    members.take(&name, head.as_slice().chain(decoder));
    Ok(())
}

/// A name as it was meant: UTF-8, or what it looks like.
fn decoded(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) => name.to_owned(),
        Err(_) => {
            decode::decode(name, true).map_or_else(|| String::from_utf8_lossy(name).into_owned(), |name| name.text)
        }
    }
}
