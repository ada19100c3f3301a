//! What escapes stand for: `\u00fc`, `\x1b[31m`, `&#233;` and `\n`, as programs write them into data, sources and logs.
//!
//! # Invariants
//! - A document's text stays as its file has it. What is made here is for indexes and models, and nothing of it is quoted.
//! - Text that is not escaped stays as it is, and what escapes stand for holds none.
//! - Any number of backslashes escapes once: data in a string of other data is escaped again.
//!
//! Forms: JSON (RFC 8259, section 7), character references of HTML, strings of C and its kin, control sequences (ECMA-48, section 5.4).

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr3};

use crate::workspace::Span;

/// Longer names of character references are none.
const MAX_NAME_BYTES: usize = 32;
/// Longer control sequences are none.
const MAX_SEQUENCE_BYTES: usize = 64;
/// A path on Windows begins at most so many bytes before a place in it.
const MAX_PATH_BYTES: usize = 260;

/// What becomes of `\n`, `\t` and their like before a word. They may also begin a name in a path or a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// They stay.
    Stay,
    /// They become spaces, unless they stand in a path.
    Part,
}

/// A text with what its escapes stand for.
#[must_use]
pub fn unescaped(text: &str, breaks: Breaks) -> Cow<'_, str> {
    Unescaped::of(text, breaks).text
}

/// A text with what its escapes stand for, and where those are.
#[derive(Debug, Clone)]
pub struct Unescaped<'t> {
    /// The text.
    pub text: Cow<'t, str>,
    /// Where in it something stands for an escape, and where that is.
    places: Vec<(Range<usize>, Range<usize>)>,
}

impl<'t> Unescaped<'t> {
    /// What the escapes of a text stand for.
    #[must_use]
    pub fn of(text: &'t str, breaks: Breaks) -> Self {
        let (mut plain, mut places) = (String::new(), Vec::new());
        let mut copied = 0;
        each_escape(text, breaks, &mut |escape, stands_for| {
            plain.push_str(&text[copied..escape.start]);
            let start = plain.len();
            plain.push_str(stands_for);
            copied = escape.end;
            places.push((start..plain.len(), escape));
        });
        if copied == 0 {
            return Self { text: Cow::Borrowed(text), places };
        }
        plain.push_str(&text[copied..]);
        Self { text: Cow::Owned(plain), places }
    }

    /// Where in the text with its escapes a place of this one is; escapes are in it whole or not at all.
    #[must_use]
    pub fn place(&self, span: Span) -> Span {
        let at = |at: usize, is_end: bool| {
            let before =
                |(plain, _): &(Range<usize>, Range<usize>)| if is_end { plain.start < at } else { plain.start <= at };
            match self.places[..self.places.partition_point(before)].last() {
                None => at,
                Some((plain, escape)) if at < plain.end => [escape.start, escape.end][usize::from(is_end)],
                Some((plain, escape)) => escape.end + at - plain.end,
            }
        };
        Span::new(at(span.start, false), at(span.end, true))
    }
}

/// Whether the word that begins at `start` may have a letter before it that belongs to an escape: the `n` of `\nnext`.
#[must_use]
pub fn begins_with_break(text: &str, start: usize) -> bool {
    let (before, mut word) = (&text[..start], text[start..].chars());
    let has_break = word.next().is_some_and(is_break) && word.next().is_some_and(char::is_alphanumeric);
    before.ends_with('\\') && has_break && !is_in_path(text, before.trim_end_matches('\\').len())
}

/// Tells of each escape in a text, in order: where it stands, and what for.
fn each_escape(text: &str, breaks: Breaks, tell: &mut dyn FnMut(Range<usize>, &str)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr3(b'\\', b'&', b'\x1b', &bytes[at..]) {
        let start = at + found;
        let (len, stands_for) = match bytes[start] {
            b'&' => reference(&text[start..]),
            b'\x1b' => {
                (1 + sequence_len(&text[start + 1..]), Some(Cow::Borrowed(sequence_stands_for(&text[start + 1..]))))
            }
            _ => backslashed(text, start, breaks),
        };
        at = start + len;
        if let Some(stands_for) = stands_for {
            tell(start..at, &stands_for);
        }
    }
}

/// How long what begins with `&` is, and what it stands for.
fn reference(text: &str) -> (usize, Option<Cow<'_, str>>) {
    let end = memchr(b';', &text.as_bytes()[..text.len().min(MAX_NAME_BYTES)]);
    let Some((name, len)) = end.and_then(|end| Some((text.get(1..end)?, end + 1))) else { return (1, None) };
    let stands_for = match name.strip_prefix('#') {
        Some(number) => {
            let (digits, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |digits| (digits, 16));
            let code = is_hexadecimal(digits).then(|| u32::from_str_radix(digits, radix).ok());
            code.flatten().and_then(char::from_u32).map(|c| Cow::Owned(plain(c).to_string()))
        }
        // A sign that begins escapes would begin another one.
        None => quick_xml::escape::resolve_html5_entity(name).map(|text| {
            let is_plain = text.chars().all(|c| !is_sign(c) && !c.is_control() && !c.is_whitespace());
            Cow::Borrowed(if is_plain { text } else { " " })
        }),
    };
    if stands_for.is_some() { (len, stands_for) } else { (1, None) }
}

/// How long what begins with backslashes at `start` is, and what it stands for.
fn backslashed(text: &str, start: usize, breaks: Breaks) -> (usize, Option<Cow<'_, str>>) {
    let behind = text[start..].trim_start_matches('\\');
    let num_slashes = text.len() - start - behind.len();
    let escaped = match behind.chars().next() {
        Some('u' | 'U') => unicode(behind, num_slashes),
        Some('x') => bytes(behind, num_slashes, Digits { letter: "x", number: 2, radix: 16 }),
        Some('0'..='3') => bytes(behind, num_slashes, Digits { letter: "", number: 3, radix: 8 }),
        Some('e') if behind[1..].starts_with('[') => Some((1, "\u{1b}".to_owned())),
        Some(c) if breaks == Breaks::Part && is_break(c) && !is_in_path(text, start) => Some((1, " ".to_owned())),
        _ => None,
    };
    let Some((mut len, decoded)) = escaped else { return (num_slashes, None) };
    let letters = decoded.strip_suffix('\u{1b}');
    let mut stands_for: String = letters.unwrap_or(&decoded).chars().map(plain).collect();
    if letters.is_some() {
        stands_for.push_str(sequence_stands_for(&behind[len..]));
        len += sequence_len(&behind[len..]);
    }
    (num_slashes + len, Some(Cow::Owned(stands_for)))
}

/// A character of an escape as it stands in a text: one that has a meaning of its own there is a space.
fn plain(c: char) -> char {
    if c.is_control() || c.is_whitespace() || is_sign(c) { ' ' } else { c }
}

const fn is_sign(c: char) -> bool {
    matches!(c, '\\' | '&' | '\u{1b}')
}

const fn is_break(c: char) -> bool {
    matches!(c, 'n' | 't' | 'r' | 'f' | 'v')
}

/// A number may be signed where it is read, and not in an escape.
fn is_hexadecimal(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `u` with four digits, two such for one character of other planes, `u` with digits in braces, `U` with eight digits.
fn unicode(text: &str, num_slashes: usize) -> Option<(usize, String)> {
    let code = |digits: &str| is_hexadecimal(digits).then(|| u32::from_str_radix(digits, 16).ok())?;
    if let Some(braced) = text.strip_prefix("u{") {
        let end = braced.find('}').filter(|&end| end <= 6)?;
        return Some((end + 3, char::from_u32(code(&braced[..end])?)?.to_string()));
    }
    if text.starts_with('U') {
        return Some((9, char::from_u32(code(text.get(1..9)?)?)?.to_string()));
    }
    let first = code(text.get(1..5)?)?;
    if let Some(c) = char::from_u32(first) {
        return Some((5, c.to_string()));
    }
    let slashes = "\\".repeat(num_slashes);
    let low = text[5..].strip_prefix(slashes.as_str()).and_then(|rest| code(rest.strip_prefix('u')?.get(..4)?));
    let units = [first, low.unwrap_or_default()].map(|unit| u16::try_from(unit).unwrap_or_default());
    match char::decode_utf16(units).next() {
        Some(Ok(c)) => Some((10 + num_slashes, c.to_string())),
        // Half of a pair stands for nothing.
        _ => Some((5, " ".to_owned())),
    }
}

/// How a byte is written: digits, and the letter before them where there is one.
#[derive(Clone, Copy)]
struct Digits {
    letter: &'static str,
    number: usize,
    radix: u32,
}

/// Bytes in a row, each behind as many backslashes: UTF-8, or Latin-1 where they are none.
fn bytes(text: &str, num_slashes: usize, Digits { letter, number, radix }: Digits) -> Option<(usize, String)> {
    let slashes = "\\".repeat(num_slashes);
    let (mut found, mut len, mut rest) = (Vec::new(), 0, text);
    while let Some(digits) = rest.strip_prefix(letter).and_then(|rest| rest.get(..number)) {
        let byte = Some(digits).filter(|digits| is_hexadecimal(digits));
        let Some(byte) = byte.and_then(|digits| u8::from_str_radix(digits, radix).ok()) else { break };
        found.push(byte);
        len = text.len() - rest.len() + letter.len() + number;
        match text[len..].strip_prefix(slashes.as_str()).filter(|next| !next.starts_with('\\') && byte != b'\x1b') {
            Some(next) => rest = next,
            None => break,
        }
    }
    // Octal digits are more often something else: they are bytes where they are of other letters, or begin a sequence.
    let is_meant =
        !letter.is_empty() || found == b"\x1b" || std::str::from_utf8(&found).is_ok_and(|text| !text.is_ascii());
    if found.is_empty() || !is_meant {
        return None;
    }
    let text =
        String::from_utf8(found).unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect());
    Some((len, text))
}

/// How long what follows `ESC` is, as far as it belongs to the sequence.
fn sequence_len(rest: &str) -> usize {
    let mut bytes = rest.bytes();
    match bytes.next() {
        // Parameters, then what says what they mean.
        Some(b'[') => {
            let parameters = rest[1..].bytes().take(MAX_SEQUENCE_BYTES).take_while(|byte| matches!(byte, 0x20..=0x3f));
            let end = 1 + parameters.count();
            if matches!(rest.as_bytes().get(end), Some(0x40..=0x7e)) { end + 1 } else { 1 }
        }
        // A title or a link: its text stays.
        Some(b']') => {
            1 + rest[1..]
                .bytes()
                .take(MAX_SEQUENCE_BYTES)
                .take_while(|byte| byte.is_ascii_digit() || *byte == b';')
                .count()
        }
        Some(b'(' | b')') if rest.is_char_boundary(2) => 2,
        Some(b'\\' | b'=' | b'>' | b'7' | b'8' | b'c' | b'D' | b'E' | b'H' | b'M') => 1,
        _ => 0,
    }
}

/// A change of colours is nothing, also within a word; the ends of a title or a link are ends of words.
fn sequence_stands_for(rest: &str) -> &'static str {
    if rest.starts_with(['[', '(', ')']) { "" } else { " " }
}

/// Whether a place is in a path on Windows, with its drive or server.
fn is_in_path(text: &str, at: usize) -> bool {
    let from = text.floor_char_boundary(at.saturating_sub(MAX_PATH_BYTES));
    let ends_before = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '=' | '(' | '<' | ',' | ';' | '|');
    let path = text[from..at].rsplit(ends_before).next().unwrap_or_default();
    // `C:`, and then nothing or a name behind a slash.
    let is_drive = path.split_once(':').is_some_and(|(drive, names)| {
        let is_letter = drive.len() == 1 && drive.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_letter && (names.is_empty() || names.starts_with(['\\', '/']))
    });
    let server = path.strip_prefix(r"\\").map(|names| names.split('\\').next().unwrap_or_default());
    is_drive || server.is_some_and(|name| name.len() > 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_stands_for(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(unescaped(text, Breaks::Part), *expected, "{text}");
        }
    }

    #[test]
    fn letters_by_their_numbers_are_letters() {
        assert_stands_for(&[
            (r#""Gr\u00f6\u00dfe""#, "\"Größe\""),
            (r"\u6c34\u4F4D", "水位"),
            (r"\ud83d\ude80 up", "🚀 up"),
            (r"\ud83d up", "  up"),
            (r"\u{1F680} \U0001F680", "🚀 🚀"),
            // In a string of data that is in a string of data.
            (r"Gr\\u00f6\\\\u00dfe", "Größe"),
            (r"\xc3\xbcber M\xfcller", "über Müller"),
            (r#""M\303\274ller.txt""#, "\"Müller.txt\""),
            ("caf&#233; caf&#xE9; caf&eacute;", "café café café"),
            ("R&amp;D &lt;b&gt;&nbsp;&copy;", "R D <b> ©"),
        ]);
    }

    #[test]
    fn line_breaks_part_words_and_names_in_paths_stay() {
        assert_stands_for(&[
            (r#""first\nokapi\tzebra\r\nend\n""#, "\"first okapi zebra  end \""),
            (r"first\\nokapi", "first okapi"),
            (r"C:\new\table and \\server\notes\r1", r"C:\new\table and \\server\notes\r1"),
            (r#"path="D:\temp""#, r#"path="D:\temp""#),
            // No drive, and no server.
            (r"k:first\nokapi x:\nokapi", r"k:first okapi x:\nokapi"),
            (r"\\n\\nokapi", "  okapi"),
        ]);
        assert_eq!(unescaped(r"first\nokapi", Breaks::Stay), r"first\nokapi");
        let begins = |text: &str, word: &str| begins_with_break(text, text.find(word).unwrap());
        assert!(begins(r"first\nokapi", "nokapi") && begins(r"a\\tzebra", "tzebra"));
        assert!(
            !begins(r"C:\new", "new")
                && !begins(r"a\n b", "n ")
                && !begins("nokapi", "nokapi")
                && !begins(r"\Sokapi", "Sokapi")
        );
    }

    #[test]
    fn colours_and_links_of_terminals_are_no_words() {
        assert_stands_for(&[
            ("\u{1b}[1mbold\u{1b}[0m \u{1b}[38;5;9mred\u{1b}[m", "bold red"),
            ("high\u{1b}[01;31m\u{1b}[Klight\u{1b}[m\u{1b}[K", "highlight"),
            (r"\u001b[1mbold\x1b[0m \033[31mred\e[0m", "bold red"),
            ("\u{1b}]8;;http://x.org\u{1b}\\link\u{1b}]8;;\u{1b}\\.", " http://x.org link  ."),
        ]);
    }

    #[test]
    fn a_word_is_where_its_escapes_are() {
        let text = r#"{"a": "die Gr\u00f6\u00dfe \u0041m \u001b[1mK\u00e4fig"}"#;
        let plain = Unescaped::of(text, Breaks::Part);
        for (word, escaped) in
            [("die", "die"), ("Größe", r"Gr\u00f6\u00dfe"), ("Am", r"\u0041m"), ("Käfig", r"K\u00e4fig")]
        {
            let start = plain.text.find(word).unwrap();
            let found = plain.place(Span::new(start, start + word.len())).of(text).unwrap();
            assert_eq!(found.trim_start_matches(r"\u001b[1m"), escaped);
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in [
            r"\users \udeal \x \xg1 \U1234 \u{} \u{1234567} \u12",
            r"\alpha \beta \sum \\ \ C:\n",
            "AT&T & co; a&b;c &unknown; &#xFFFFFFF; &;",
            r"\1 \12 \100 regex\. \x+1 \u+00c &#+233; &#x+e9;",
            "plain",
        ] {
            assert!(
                matches!(unescaped(text, Breaks::Part), Cow::Borrowed(_)),
                "{text}: {}",
                unescaped(text, Breaks::Part)
            );
        }
    }

    proptest! {
        #[test]
        fn what_escapes_stand_for_holds_none(text in r"([\\&;#xuUe\[\]0-9a-fn{} :\x1b]|\\u|\\x|&#){0,40}") {
            for breaks in [Breaks::Stay, Breaks::Part] {
                let once = unescaped(&text, breaks).into_owned();
                prop_assert_eq!(unescaped(&once, breaks), once.as_str());
            }
        }

        #[test]
        fn every_string_is_found_in_its_json(text in "\\PC{0,30}") {
            prop_assume!(!text.contains(['\\', '&', '"', '\u{1b}']));
            let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let escaped = units.concat();
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&unescaped(&escaped, Breaks::Part)), words(&text));
        }
    }
}
