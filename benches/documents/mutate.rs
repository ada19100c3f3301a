//! Files that are damaged on purpose, the same for the same seed.
//!
//! A few changes each: bits flipped, pieces cut out, doubled, swapped or taken from another file, numbers made huge or
//! negative, brackets and tags opened many times. What is packed is damaged inside as well, as damage on the outside is
//! mostly found by a checksum: a file of a ZIP is unpacked, changed and packed again, and so is a stream of a PDF.

use std::io::{Cursor, Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::workload::Random;

const MAX_CHANGES: usize = 6;
/// No mutant is larger than this and the file that it is made of together.
const MAX_GROWTH: usize = 1 << 20;
/// Streams and members larger than this stay as they are.
const MAX_INNER_BYTES: u64 = 8 << 20;
/// What is packed is changed inside so often.
const INSIDE_PERCENT: usize = 70;
const NUMBERS: [&str; 8] =
    ["0", "-1", "65536", "2147483648", "4294967295", "18446744073709551615", "1e309", "-9999999"];
/// What opens something that nothing closes.
const OPENINGS: [&str; 14] =
    ["[", "{", "(", "<a>", "<div><table><tr><td>", "{\\b ", "<<", "> ", "- ", "\\begin{a}", "q ", "\"", "/*", "<w:p>"];

/// `original`, damaged; `other` is a file of the same format.
pub fn mutant(original: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    if random.chance(INSIDE_PERCENT) {
        let inside = if original.starts_with(b"PK\x03\x04") {
            in_zip(original, other, random)
        } else if original.starts_with(b"%PDF-") {
            in_stream(original, other, random)
        } else {
            None
        };
        if let Some(mutant) = inside {
            return mutant;
        }
    }
    changed(original, other, random)
}

fn changed(original: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(MAX_CHANGES) {
        change(&mut bytes, other, random);
    }
    bytes.truncate(original.len() + MAX_GROWTH);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(0);
    }
    let at = random.below(bytes.len());
    match random.below(11) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => {
            for _ in 0..32 {
                let at = random.below(bytes.len());
                bytes[at] = random.next().to_le_bytes()[0];
            }
        }
        2 => bytes[at] = [0, 0xff, 0x80, b'\n', b'\x1b'][random.below(5)],
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(piece(bytes.len(), random))),
        5 => {
            let doubled = bytes[piece(bytes.len(), random)].repeat(1 + random.below(4));
            insert(bytes, at, &doubled);
        }
        6 => {
            let (one, two) = (piece(bytes.len(), random), piece(bytes.len(), random));
            let (one, two) = if one.start < two.start { (one, two) } else { (two, one) };
            if one.end <= two.start {
                let swapped = [&bytes[two.clone()], &bytes[one.end..two.start], &bytes[one.clone()]].concat();
                bytes.splice(one.start..two.end, swapped);
            }
        }
        7 if !other.is_empty() => insert(bytes, at, &other[piece(other.len(), random)]),
        8 => {
            let opened = OPENINGS[random.below(OPENINGS.len())].repeat(1 << random.below(16));
            insert(bytes, at, opened.as_bytes());
        }
        9 => {
            let inserted: Vec<u8> = (0..=random.below(64)).map(|_| random.next().to_le_bytes()[0]).collect();
            insert(bytes, at, &inserted);
        }
        _ => {
            let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|digit| at + digit) else { return };
            let len = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            bytes.splice(start..start + len, NUMBERS[random.below(NUMBERS.len())].bytes());
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, inserted: &[u8]) {
    bytes.splice(at..at, inserted.iter().copied());
}

/// A piece of something of that length, mostly short.
fn piece(len: usize, random: &mut Random) -> std::ops::Range<usize> {
    let start = random.below(len);
    let most = if random.chance(80) { 256 } else { len };
    start..len.min(start + 1 + random.below(most))
}

/// One file of a ZIP changed and all packed again; `None` where it cannot be unpacked.
fn in_zip(original: &[u8], other: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(original)).ok()?;
    let chosen = random.below(archive.len().max(1));
    let mut packed = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut content = Vec::new();
        let entry = archive.by_index(index).ok()?;
        let name = entry.name().ok()?.into_owned();
        if index != chosen || entry.size() > MAX_INNER_BYTES {
            packed.raw_copy_file(entry).ok()?;
            continue;
        }
        entry.take(MAX_INNER_BYTES).read_to_end(&mut content).ok()?;
        packed.start_file(name, SimpleFileOptions::default()).ok()?;
        packed.write_all(&changed(&content, other, random)).ok()?;
    }
    Some(packed.finish().ok()?.into_inner())
}

/// One compressed stream of a PDF changed; it takes more or fewer bytes then, so that readers must also look for objects.
fn in_stream(original: &[u8], other: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let from = random.below(original.len());
    let after = |from: usize, mark: &[u8]| {
        original[from..].windows(mark.len()).position(|window| window == mark).map(|at| from + at + mark.len())
    };
    let mut start = after(from, b"stream")?;
    start += original[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let end = after(start, b"endstream")? - b"endstream".len();
    let mut content = Vec::new();
    ZlibDecoder::new(&original[start..end]).take(MAX_INNER_BYTES).read_to_end(&mut content).ok()?;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&changed(&content, other, random)).ok()?;
    let mut stream = packed.finish().ok()?;
    // What is shorter leaves everything behind it where it was.
    stream.resize(stream.len().max(end - start), b'\n');
    Some([&original[..start], &stream, &original[end..]].concat())
}
