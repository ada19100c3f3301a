//! Bytes to text: byte order marks, UTF-8, UTF-16 and UTF-32, and legacy encodings by declaration or statistics.
//!
//! # Invariants
//! - Valid UTF-8 comes back byte for byte, byte order mark and line ends included.
//! - Every byte of a text file becomes text: what cannot be decoded becomes U+FFFD, and the encoding is recorded.
//!
//! # Not here
//! What kind of text it is: `detect`.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};
use serde::{Deserialize, Serialize};

use crate::extract::text::cyrillic;

/// How much of a file is looked at to guess its encoding.
const SAMPLE_BYTES: usize = 256 * 1024;
/// How much is looked at to tell UTF-16 and binary data from text.
const SNIFF_BYTES: usize = 64 * 1024;

/// A text and what it was decoded from.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::extract) struct Decoded {
    pub(in crate::extract) text: String,
    /// The WHATWG name of the encoding where the file was not clean UTF-8.
    pub(in crate::extract) encoding: Option<String>,
}

/// How the bytes of a text are read that comes in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::extract) enum Encoding {
    /// Nothing but ASCII so far: what comes may be of any narrow encoding.
    Ascii,
    /// UTF-8, clean so far.
    Utf8,
    /// Another, or UTF-8 with bad bytes, by its name.
    Named(String),
}

impl Encoding {
    /// That of a text's first bytes.
    pub(in crate::extract) fn of(decoded: &Decoded, bytes: &[u8]) -> Self {
        match &decoded.encoding {
            Some(name) => Self::Named(name.clone()),
            None if bytes.is_ascii() => Self::Ascii,
            None => Self::Utf8,
        }
    }

    /// The encoding after more bytes; `None` where they are no text. As long as nothing but ASCII came, they decide.
    pub(in crate::extract) fn after(self, bytes: &[u8]) -> Option<Self> {
        match self {
            Self::Ascii if bytes.is_ascii() => is_texty(bytes, true).then_some(self),
            Self::Ascii => decode(bytes, true).map(|decoded| Self::of(&decoded, bytes)),
            Self::Utf8 if std::str::from_utf8(bytes).is_err() => {
                is_texty(bytes, true).then(|| Self::Named(UTF_8.name().to_owned()))
            }
            Self::Named(name) if name.starts_with("UTF-16") || name.starts_with("UTF-32") => Some(Self::Named(name)),
            known => is_texty(bytes, true).then_some(known),
        }
    }

    /// The text of whole characters in this encoding.
    pub(in crate::extract) fn decode(&self, bytes: &[u8]) -> String {
        let Self::Named(name) = self else { return String::from_utf8_lossy(bytes).into_owned() };
        let utf_32 = |unit: fn([u8; 4]) -> u32| -> String {
            let unit = |&bytes: &[u8; 4]| char::from_u32(unit(bytes)).unwrap_or(char::REPLACEMENT_CHARACTER);
            bytes.as_chunks::<4>().0.iter().map(unit).collect()
        };
        match name.as_str() {
            "UTF-32LE" => utf_32(u32::from_le_bytes),
            "UTF-32BE" => utf_32(u32::from_be_bytes),
            name => cyrillic::by_label(name, bytes).map_or_else(
                || {
                    let encoding = encoding_rs::Encoding::for_label(name.as_bytes()).unwrap_or(UTF_8);
                    encoding.decode_without_bom_handling(bytes).0.into_owned()
                },
                |(text, _)| text,
            ),
        }
    }

    /// As [`Decoded::encoding`].
    pub(in crate::extract) fn name(&self) -> Option<String> {
        if let Self::Named(name) = self { Some(name.clone()) } else { None }
    }

    /// The bytes of a line's end.
    pub(in crate::extract) fn newline(&self) -> &'static [u8] {
        match self.name().as_deref() {
            Some("UTF-16LE") => b"\n\0",
            Some("UTF-16BE") => b"\0\n",
            Some("UTF-32LE") => b"\n\0\0\0",
            Some("UTF-32BE") => b"\0\0\0\n",
            _ => b"\n",
        }
    }
}

/// Decodes `bytes`, or returns `None` where they are not text.
///
/// A file that `is_text_by_name` may hold a few NUL bytes, as logs do after a crash; they are kept.
pub(in crate::extract) fn decode(bytes: &[u8], is_text_by_name: bool) -> Option<Decoded> {
    if let Some(wide) = decode_wide(bytes) {
        return Some(wide);
    }
    if !is_texty(bytes, is_text_by_name) {
        return None;
    }
    let (error_at, text) = match std::str::from_utf8(bytes) {
        Ok(text) => {
            if let Some(decoded) = decode_iso_2022_jp(bytes) {
                return Some(decoded);
            }
            return Some(Decoded { text: text.to_owned(), encoding: None });
        }
        Err(error) => (error.valid_up_to(), bytes),
    };
    if is_damaged_utf8(bytes) {
        return Some(Decoded {
            text: String::from_utf8_lossy(text).into_owned(),
            encoding: Some(UTF_8.name().to_owned()),
        });
    }
    if let Some((text, encoding)) = declared(bytes, |label| cyrillic::by_label(label, bytes)) {
        return Some(Decoded { text, encoding: Some(encoding.to_owned()) });
    }
    let encoding = declared(bytes, |label| {
        // The bytes are known not to be UTF-8, and UTF-16 would have been seen before.
        encoding_rs::Encoding::for_label(label.as_bytes()).filter(|e| ![UTF_8, UTF_16LE, UTF_16BE].contains(e))
    });
    let encoding = if let Some(encoding) = encoding {
        encoding
    } else {
        let sample = sample(bytes, error_at);
        let guess = guess(sample, sample.len() == bytes.len());
        if let Some((text, encoding)) = cyrillic::likelier(bytes, sample, guess) {
            return Some(Decoded { text, encoding: Some(encoding.to_owned()) });
        }
        guess
    };
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    Some(Decoded { text: text.into_owned(), encoding: Some(encoding.name().to_owned()) })
}

/// Whether a text's characters are of two or four bytes.
pub(in crate::extract) fn is_wide(bytes: &[u8]) -> bool {
    decode_wide(bytes).is_some()
}

/// UTF-16 and UTF-32, by byte order mark or by where the NUL bytes stand.
fn decode_wide(bytes: &[u8]) -> Option<Decoded> {
    let utf_16 = |body: &[u8], encoding: &'static encoding_rs::Encoding| {
        let (text, _) = encoding.decode_without_bom_handling(body);
        Some(Decoded { text: text.into_owned(), encoding: Some(encoding.name().to_owned()) })
    };
    match bytes {
        [0xff, 0xfe, 0, 0, body @ ..] if body.len().is_multiple_of(4) => {
            if let Some(decoded) = decode_utf_32(body, u32::from_le_bytes, "UTF-32LE") {
                return Some(decoded);
            }
            utf_16(&bytes[2..], UTF_16LE)
        }
        [0, 0, 0xfe, 0xff, body @ ..] => decode_utf_32(body, u32::from_be_bytes, "UTF-32BE"),
        [0xff, 0xfe, body @ ..] => utf_16(body, UTF_16LE),
        [0xfe, 0xff, body @ ..] => utf_16(body, UTF_16BE),
        _ => {
            let sample = &bytes[..bytes.len().min(SNIFF_BYTES)];
            if !sample.contains(&0) {
                return None;
            }
            if let Some(encoding) = sniff_utf_16(sample) {
                let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
                return (!had_errors && is_clean(&text))
                    .then(|| Decoded { text: text.into_owned(), encoding: Some(encoding.name().to_owned()) });
            }
            decode_utf_32(bytes, u32::from_le_bytes, "UTF-32LE")
                .or_else(|| decode_utf_32(bytes, u32::from_be_bytes, "UTF-32BE"))
                .filter(|decoded| is_clean(&decoded.text))
        }
    }
}

/// Text in a Latin script has its NUL bytes on one side of each pair only.
fn sniff_utf_16(sample: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let num_pairs = sample.len() / 2;
    let nuls_at = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd) = (nuls_at(0), nuls_at(1));
    // Even mostly foreign text has spaces, digits and line ends, each with one NUL.
    let is_enough = |count: usize| num_pairs >= 2 && count * 20 >= num_pairs;
    if is_enough(odd) && even * 20 < odd {
        Some(UTF_16LE)
    } else if is_enough(even) && odd * 20 < even {
        Some(UTF_16BE)
    } else {
        None
    }
}

fn decode_utf_32(bytes: &[u8], unit: fn([u8; 4]) -> u32, name: &str) -> Option<Decoded> {
    let (units, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || units.is_empty() {
        return None;
    }
    let text: String = units.iter().map(|&bytes| char::from_u32(unit(bytes))).collect::<Option<_>>()?;
    Some(Decoded { text, encoding: Some(name.to_owned()) })
}

/// Whether a text that was decoded on a suspicion reads like text.
fn is_clean(text: &str) -> bool {
    let (mut num_chars, mut num_odd) = (0_usize, 0_usize);
    for c in text.chars().take(SNIFF_BYTES) {
        num_chars += 1;
        let is_odd = (c.is_control() && !c.is_whitespace())
            || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..);
        num_odd += usize::from(is_odd);
    }
    num_odd * 50 <= num_chars
}

/// Whether the bytes of a narrow encoding hold so few control characters that they can be text.
fn is_texty(bytes: &[u8], is_text_by_name: bool) -> bool {
    let sample = &bytes[..bytes.len().min(SNIFF_BYTES)];
    if !is_text_by_name && bytes.contains(&0) {
        return false;
    }
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x08 | 0x0b | 0x0c | 0x1b);
    let num_controls = sample.iter().filter(|&&byte| is_control(byte)).count();
    num_controls * 20 <= sample.len()
}

/// ISO-2022-JP is 7-bit, so it is valid UTF-8: only its escape sequences tell.
fn decode_iso_2022_jp(bytes: &[u8]) -> Option<Decoded> {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    let is_switch = |window: &[u8]| matches!(window, [0x1b, b'$', b'B' | b'@']);
    if !sample.is_ascii() || !sample.windows(3).any(is_switch) {
        return None;
    }
    let (text, had_errors) = ISO_2022_JP.decode_without_bom_handling(bytes);
    (!had_errors).then(|| Decoded { text: text.into_owned(), encoding: Some(ISO_2022_JP.name().to_owned()) })
}

/// UTF-8 with a few bad bytes, as a cut or mixed log has: far more good sequences than bad ones.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut num_good, mut num_bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        num_good += chunk.valid().bytes().filter(|&byte| byte >= 0xc2).count();
        num_bad += usize::from(!chunk.invalid().is_empty());
    }
    num_good >= 4 * num_bad
}

/// The encoding that the file names itself: HTML `charset`, XML `encoding`, or an editor's `coding`.
fn declared<T>(bytes: &[u8], by_label: impl Fn(&str) -> Option<T>) -> Option<T> {
    let head: String = bytes[..bytes.len().min(2048)].iter().map(|&byte| char::from(byte)).collect();
    let head = head.to_ascii_lowercase();
    let is_markup = head.trim_start_matches(['\u{ef}', '\u{bb}', '\u{bf}']).trim_start().starts_with('<');
    let first_lines = || head.split_inclusive('\n').take(2).map(str::len).sum::<usize>();
    let (head, keys) = if is_markup {
        (head.as_str(), ["charset", "encoding"].as_slice())
    } else {
        (&head[..first_lines()], ["coding"].as_slice())
    };
    for key in keys {
        let Some((_, rest)) = head.split_once(key) else { continue };
        let name = rest.trim_start_matches([' ', '=', ':', '"', '\'']);
        let name = name.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':' | '.')).next()?;
        if let Some(encoding) = by_label(name) {
            return Some(encoding);
        }
    }
    None
}

/// What the encoding is guessed by: what is around the first bytes that are not ASCII.
fn sample(bytes: &[u8], first_odd_byte: usize) -> &[u8] {
    let start = first_odd_byte.saturating_sub(1024);
    &bytes[start..bytes.len().min(start + SAMPLE_BYTES)]
}

/// The likeliest encoding, by its letters.
fn guess(sample: &[u8], is_all: bool) -> &'static encoding_rs::Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, is_all);
    detector.guess(None, Utf8Detection::Deny)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> (String, Option<String>) {
        let decoded = decode(bytes, false).expect("text");
        (decoded.text, decoded.encoding)
    }

    fn wide(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn utf_8_is_kept_byte_for_byte() {
        for text in ["", "plain", "\u{feff}with mark\r\n", "añb 漢字\n"] {
            assert_eq!(decoded(text.as_bytes()), (text.to_owned(), None));
        }
    }

    #[test]
    fn utf_16_is_read_with_and_without_its_mark() {
        let text = "Latency was 12 ms.\r\nGrüße, 漢字\r\n";
        for (unit, name) in [(u16::to_le_bytes as fn(u16) -> [u8; 2], "UTF-16LE"), (u16::to_be_bytes, "UTF-16BE")] {
            let expected = (text.to_owned(), Some(name.to_owned()));
            assert_eq!(decoded(&wide(text, unit)), expected);
            assert_eq!(decoded(&wide(&format!("\u{feff}{text}"), unit)), expected);
        }
    }

    #[test]
    fn utf_32_is_read() {
        let bytes: Vec<u8> = "\u{feff}wide text".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(decoded(&bytes), ("wide text".to_owned(), Some("UTF-32LE".to_owned())));
        let astral = "music \u{1d11e}\u{1d11e} and \u{1f600}";
        let bytes: Vec<u8> = astral.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(decoded(&bytes).0, astral);
    }

    #[test]
    fn legacy_encodings_are_guessed_or_read_from_their_declaration() {
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode("これは日本語の文章です。エンコーディングを判定します。");
        assert_eq!(decoded(&bytes).1.as_deref(), Some("Shift_JIS"));
        let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode("Der Bär läuft schnell über die Brücke.");
        assert_eq!(decoded(&bytes).0, "Der Bär läuft schnell über die Brücke.");
        let (bytes, _, _) = encoding_rs::WINDOWS_1251.encode("<meta charset=\"windows-1251\">да");
        assert_eq!(decoded(&bytes), ("<meta charset=\"windows-1251\">да".to_owned(), Some("windows-1251".to_owned())));
        let (bytes, _, _) = ISO_2022_JP.encode("日本語");
        assert_eq!(decoded(&bytes).0, "日本語");
    }

    #[test]
    fn a_few_bad_bytes_do_not_change_the_encoding_of_utf_8() {
        let bytes = [b"\xc3\xa9\xc3\xa8\xc3\xa0 \xe6\xbc\xa2\xe5\xad\x97 cut: ".as_slice(), b"\xe6\xbc"].concat();
        assert_eq!(decoded(&bytes), ("éèà 漢字 cut: \u{fffd}".to_owned(), Some("UTF-8".to_owned())));
    }

    #[test]
    fn nul_bytes_are_binary_data_unless_the_name_says_text_and_they_are_few() {
        let stray = [b"a line of a log\n".repeat(10).as_slice(), b"\0\0", b"more\n"].concat();
        assert_eq!(decode(&stray, false), None);
        assert!(decode(&stray, true).is_some_and(|decoded| decoded.text.contains('\0')));
        assert_eq!(decode(&[0; 100], true), None);
        assert_eq!(decode(b"\x01\x02\x03\x04\x05\x06\x07\xff\xfe\xfd", true), None);
    }
}
