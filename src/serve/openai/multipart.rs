//! Forms with files, read piece by piece: `multipart/form-data`.
//!
//! # Invariants
//! - Of a part's content no more is held than comes at once, and of everything else a fixed number of bytes.
//! - How the bytes are cut when they come makes no difference to the parts.
//!
//! The `multipart` feature of axum (the crate multer) would not hold the first invariant: it takes whatever has come of the body into memory at once,
//! and bounds neither the header of a part nor the number of parts, but only the body as a whole.
//!
//! Source: RFC 7578, and RFC 2046, section 5.1.1.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use memchr::memmem;
use percent_encoding::percent_decode_str;

use super::error::Refused;
use crate::serve::error::ApiError;

/// Longer boundaries are none (RFC 2046).
const MAX_BOUNDARY_BYTES: usize = 70;
/// The most bytes of a part's header, and of what stands before the first part.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// More parts are refused.
const MAX_PARTS: usize = 32;

/// A piece of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A part begins.
    Begin(PartHeader),
    /// The next bytes of its content.
    Data(Vec<u8>),
    /// It is complete.
    End,
}

/// What a part says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartHeader {
    /// The field of the form.
    pub name: String,
    /// The name of the file, where it is one.
    pub file_name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the first boundary.
    Preamble,
    /// Right behind a boundary.
    Boundary,
    Header,
    Content,
    /// Behind the content of a part, whose end was not told yet.
    Ended,
    /// Behind the last part.
    Epilogue,
}

/// A form while it comes.
pub(super) struct Multipart {
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    at: At,
    num_parts: usize,
}

impl Multipart {
    /// The form of a body.
    ///
    /// # Errors
    /// 415 for a body that is not marked as a form.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refused> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let is_form = media_type.trim().eq_ignore_ascii_case("multipart/form-data");
        let boundary =
            parameters_of(parameters).into_iter().find(|(name, _)| name == "boundary").map(|(_, value)| value);
        match boundary.filter(|boundary| is_form && (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len())) {
            Some(boundary) => Ok(Self::with(&boundary)),
            None => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the request's body is not marked as a form with a boundary",
                "send `multipart/form-data` with the parts `file` and `purpose`",
            )
            .into()),
        }
    }

    fn with(boundary: &str) -> Self {
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        // The first boundary may stand at the very beginning.
        Self { delimiter, buffer: b"\r\n".to_vec(), at: At::Preamble, num_parts: 0 }
    }

    /// Takes the bytes that have come.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.at != At::Epilogue {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next piece, `None` until more bytes come.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Refused> {
        loop {
            match self.at {
                At::Preamble => match memmem::find(&self.buffer, &self.delimiter) {
                    Some(found) if found <= MAX_HEADER_BYTES => {
                        self.buffer.drain(..found + self.delimiter.len());
                        self.at = At::Boundary;
                    }
                    None if self.buffer.len() < MAX_HEADER_BYTES + self.delimiter.len() => return Ok(None),
                    _ => return Err(malformed("no part begins")),
                },
                At::Boundary => {
                    let padding = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                    if padding > MAX_HEADER_BYTES {
                        return Err(malformed("a boundary does not end"));
                    }
                    match self.buffer.get(padding..padding + 2) {
                        None => return Ok(None),
                        Some(b"--") => {
                            self.buffer = Vec::new();
                            self.at = At::Epilogue;
                        }
                        Some(b"\r\n") => {
                            // The end of this line may be that of a header without a field.
                            self.buffer.drain(..padding);
                            self.at = At::Header;
                        }
                        Some(_) => return Err(malformed("a boundary is followed by other bytes")),
                    }
                }
                At::Header => match memmem::find(&self.buffer, b"\r\n\r\n") {
                    Some(end) if end <= MAX_HEADER_BYTES => {
                        let header = header_of(&self.buffer[..end])?;
                        self.buffer.drain(..end + 4);
                        self.at = At::Content;
                        self.num_parts += 1;
                        if self.num_parts > MAX_PARTS {
                            return Err(malformed("there are more than 32 parts"));
                        }
                        return Ok(Some(Piece::Begin(header)));
                    }
                    None if self.buffer.len() < MAX_HEADER_BYTES + 4 => return Ok(None),
                    _ => return Err(malformed("the header of a part is longer than 16 KiB")),
                },
                At::Content => return Ok(self.content()),
                At::Ended => {
                    self.at = At::Boundary;
                    return Ok(Some(Piece::End));
                }
                At::Epilogue => return Ok(None),
            }
        }
    }

    fn content(&mut self) -> Option<Piece> {
        let data: Vec<u8> = if let Some(found) = memmem::find(&self.buffer, &self.delimiter) {
            self.at = At::Ended;
            self.buffer.drain(..found + self.delimiter.len()).take(found).collect()
        } else {
            // What may be the beginning of a delimiter waits for the rest.
            let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            self.buffer.drain(..sure).collect()
        };
        if data.is_empty() && self.at == At::Ended {
            self.at = At::Boundary;
            return Some(Piece::End);
        }
        (!data.is_empty()).then_some(Piece::Data(data))
    }

    /// Refuses a form that did not come to its end.
    pub(super) fn finish(&self) -> Result<(), Refused> {
        if self.at == At::Epilogue { Ok(()) } else { Err(malformed("the last boundary is missing")) }
    }
}

fn malformed(what: &str) -> Refused {
    let hint = "send `multipart/form-data` as RFC 7578 has it";
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_form", format!("the form cannot be read: {what}"), hint).into()
}

/// What the header of a part says. Its lines are separated as those of HTTP, the first one is empty.
fn header_of(header: &[u8]) -> Result<PartHeader, Refused> {
    let text = std::str::from_utf8(header).map_err(|_| malformed("the header of a part is not UTF-8"))?;
    let disposition = text.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let (kind, parameters) = disposition.and_then(|value| value.split_once(';')).unwrap_or_default();
    let parameters = parameters_of(parameters);
    let find = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let name = find("name").filter(|_| kind.trim().eq_ignore_ascii_case("form-data"));
    let name = name.ok_or_else(|| malformed("a part has no `Content-Disposition: form-data` with a name"))?;
    let extended = find("filename*").and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, encoded) = rest.split_once('\'')?;
        let is_utf8 = charset.eq_ignore_ascii_case("utf-8");
        percent_decode_str(encoded).decode_utf8().ok().filter(|_| is_utf8).map(std::borrow::Cow::into_owned)
    });
    Ok(PartHeader { name, file_name: extended.or_else(|| find("filename")) })
}

/// The parameters of a header's value, names in small letters. A value may be quoted, with `\"` and `\\` inside.
fn parameters_of(text: &str) -> Vec<(String, String)> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some((name, behind)) = rest.split_once('=') {
        let name = name.trim_start_matches([';', ' ', '\t']).trim().to_ascii_lowercase();
        let behind = behind.trim_start();
        let mut value = String::new();
        let used = if let Some(quoted) = behind.strip_prefix('"') {
            let mut chars = quoted.char_indices().peekable();
            let mut end = quoted.len();
            while let Some((at, c)) = chars.next() {
                match (c, chars.peek()) {
                    ('"', _) => {
                        end = at + 1;
                        break;
                    }
                    ('\\', Some((_, next @ ('"' | '\\')))) => {
                        value.push(*next);
                        chars.next();
                    }
                    _ => value.push(c),
                }
            }
            1 + end
        } else {
            let end = behind.find(';').unwrap_or(behind.len());
            behind[..end].trim().clone_into(&mut value);
            end
        };
        found.push((name, value));
        rest = &behind[used..];
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A part: its name, the name of its file, and its content.
    type Part = (String, Option<String>, Vec<u8>);

    /// The parts of a form that comes in pieces of these lengths.
    fn parts(form: &[u8], sizes: &[usize]) -> Result<Vec<Part>, Refused> {
        let (mut multipart, mut found, mut ended) = (Multipart::with("xyz"), Vec::new(), 0);
        let (mut rest, mut sizes) = (form, sizes.iter().cycle());
        while !rest.is_empty() {
            let (now, later) = rest.split_at(sizes.next().map_or(rest.len(), |size| *size.min(&rest.len())));
            rest = later;
            multipart.feed(now);
            while let Some(piece) = multipart.next()? {
                match piece {
                    Piece::Begin(PartHeader { name, file_name }) => found.push((name, file_name, Vec::new())),
                    Piece::Data(data) => found.last_mut().unwrap().2.extend(data),
                    Piece::End => ended += 1,
                }
            }
        }
        multipart.finish()?;
        assert_eq!(ended, found.len());
        Ok(found)
    }

    const FORM: &[u8] = b"before\r\n--xyz\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--xyz  \r\n\
        content-type: text/plain\r\ncontent-disposition:form-data;name=file; filename=\"a \\\"b\\\" C:\\d.md\"\r\n\r\n\r\n--xy\r\n-\r\n\
        --xyz\r\nContent-Disposition: form-data; name=\"empty\"; filename*=UTF-8''%C3%BC.md; filename=\"u.md\"\r\n\r\n\r\n--xyz--\r\nafter --xyz";

    fn expected() -> Vec<Part> {
        vec![
            ("purpose".to_owned(), None, b"assistants".to_vec()),
            ("file".to_owned(), Some("a \"b\" C:\\d.md".to_owned()), b"\r\n--xy\r\n-".to_vec()),
            ("empty".to_owned(), Some("\u{fc}.md".to_owned()), Vec::new()),
        ]
    }

    #[test]
    fn parts_are_the_same_however_they_are_cut() {
        for size in 1..=FORM.len() {
            assert_eq!(parts(FORM, &[size]).unwrap(), expected(), "{size}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let part = "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n";
        for wrong in [
            String::new(),
            "--xyz--x".to_owned(),
            part.to_owned(),
            format!("{part}--xyz"),
            format!("{part}--xyz-"),
            format!("{part}--xyzz\r\n--xyz--").replace("--xyz--", "--xyy--"),
            "--xyz\r\n\r\nb\r\n--xyz--".to_owned(),
            "--xyz\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nb\r\n--xyz--".to_owned(),
            "--xyz\r\nContent-Disposition: form-data\r\n\r\nb\r\n--xyz--".to_owned(),
            format!("{}--xyz--", part.repeat(MAX_PARTS + 1)),
            format!(
                "--xyz\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\nb\r\n--xyz--",
                "n".repeat(MAX_HEADER_BYTES)
            ),
            format!("{}\r\n{part}--xyz--", "p".repeat(MAX_HEADER_BYTES)),
        ] {
            if wrong == "--xyz--x" {
                // A form without parts, and an epilogue.
                assert_eq!(parts(wrong.as_bytes(), &[3]).unwrap(), []);
                continue;
            }
            assert!(parts(wrong.as_bytes(), &[1_000]).is_err(), "{wrong:.200}");
        }
    }

    #[test]
    fn the_boundary_is_that_of_the_header() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            Multipart::of(&headers).map(|form| String::from_utf8(form.delimiter).unwrap()).ok()
        };
        assert_eq!(of("multipart/form-data; boundary=abc").as_deref(), Some("\r\n--abc"));
        assert_eq!(of("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"").as_deref(), Some("\r\n--a b"));
        for none in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed; boundary=abc",
            "application/json",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
        assert_eq!(of(&format!("multipart/form-data; boundary={}", "b".repeat(71))), None);
    }

    proptest! {
        #[test]
        fn any_content_without_the_delimiter_comes_through(
            content in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'x'), Just(b'y'), any::<u8>()], 0..200),
            sizes in proptest::collection::vec(1..40_usize, 1..5),
        ) {
            prop_assume!(memmem::find(&content, b"\r\n--xyz").is_none());
            let mut form = b"--xyz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n".to_vec();
            form.extend_from_slice(&content);
            form.extend_from_slice(b"\r\n--xyz--\r\n");
            let found = parts(&form, &sizes).unwrap();
            prop_assert_eq!(&found[0].2, &content);
        }
    }
}
