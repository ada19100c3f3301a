//! A file's bytes as text, and back, byte for byte where nothing was changed.

use super::EditError;

/// How a file's bytes are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    /// With a byte order mark.
    Utf8Marked,
    /// UTF-16 with a byte order mark.
    Utf16Little,
    Utf16Big,
}

const MARK_UTF8: &[u8] = b"\xef\xbb\xbf";
const MARK_LITTLE: &[u8] = b"\xff\xfe";
const MARK_BIG: &[u8] = b"\xfe\xff";

/// A file as text. Line ends are as in the file; a byte order mark is not in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// The text.
    pub text: String,
    encoding: Encoding,
    line_end: &'static str,
}

impl TextFile {
    /// Reads bytes that are UTF-8, or UTF-16 with a byte order mark.
    ///
    /// # Errors
    /// [`EditError::NotText`] for all others, and for text with a NUL.
    pub fn read(bytes: &[u8]) -> Result<Self, EditError> {
        let not_text = || EditError::NotText;
        let (encoding, text) = if let Some(rest) = bytes.strip_prefix(MARK_UTF8) {
            (Encoding::Utf8Marked, String::from_utf8(rest.to_vec()).map_err(|_| not_text())?)
        } else if let Some(rest) = bytes.strip_prefix(MARK_LITTLE) {
            (Encoding::Utf16Little, from_utf16(rest, u16::from_le_bytes).ok_or_else(not_text)?)
        } else if let Some(rest) = bytes.strip_prefix(MARK_BIG) {
            (Encoding::Utf16Big, from_utf16(rest, u16::from_be_bytes).ok_or_else(not_text)?)
        } else {
            (Encoding::Utf8, String::from_utf8(bytes.to_vec()).map_err(|_| not_text())?)
        };
        if text.contains('\0') {
            return Err(not_text());
        }
        let num_crlf = text.matches("\r\n").count();
        let num_lf = text.matches('\n').count() - num_crlf;
        let line_end = if num_crlf > num_lf { "\r\n" } else { "\n" };
        Ok(Self { text, encoding, line_end })
    }

    /// An empty file.
    #[must_use]
    pub const fn empty() -> Self {
        Self { text: String::new(), encoding: Encoding::Utf8, line_end: "\n" }
    }

    /// How most lines of the file end.
    #[must_use]
    pub const fn line_end(&self) -> &'static str {
        self.line_end
    }

    /// New words with the line ends of the file. Words that hold a carriage return have line ends of their own.
    pub(super) fn with_its_line_ends(&self, words: &str) -> String {
        if self.line_end == "\n" || words.contains('\r') {
            words.to_owned()
        } else {
            words.replace('\n', self.line_end)
        }
    }

    /// The bytes of a text in the file's encoding.
    #[must_use]
    pub fn bytes_of(&self, text: &str) -> Vec<u8> {
        let utf16 = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
            mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect()
        };
        match self.encoding {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Utf8Marked => [MARK_UTF8, text.as_bytes()].concat(),
            Encoding::Utf16Little => utf16(MARK_LITTLE, u16::to_le_bytes),
            Encoding::Utf16Big => utf16(MARK_BIG, u16::to_be_bytes),
        }
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    if rest.is_empty() { String::from_utf16(&units).ok() } else { None }
}
