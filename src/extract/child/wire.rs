//! What parent and child say to each other: frames of a length and so many bytes; the structure as JSON, texts as they are.
//!
//! Trails and headers are shared by many blocks, so each is sent once and named by its number.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::extract::{Block, BlockKind, Document, ExtractError, Format};
use crate::workspace::Span;

/// A file to be read.
pub(super) struct Request {
    pub file_name: String,
    pub bytes: Vec<u8>,
}

/// Frames other than a file's bytes and text are never larger: some fifty bytes for each of ten million blocks.
const MAX_STRUCTURE_BYTES: u64 = 512 * 1024 * 1024;
/// File names are short.
const MAX_NAME_BYTES: u64 = 64 * 1024;

/// An answer without the document's text, which follows.
#[derive(Serialize, Deserialize)]
enum Answer {
    Unsupported { type_name: String },
    Failed { reason: String },
    Document(Structure),
}

/// A [`Document`] without its text.
#[derive(Serialize, Deserialize)]
struct Structure {
    format: Format,
    title: Option<String>,
    language: Option<String>,
    encoding: Option<String>,
    has_file_lines: bool,
    pages: Vec<Span>,
    unread_pages: Vec<u32>,
    trails: Vec<Arc<[String]>>,
    headers: Vec<Arc<str>>,
    /// Start, length, kind, number of the trail, number of the header.
    blocks: Vec<(usize, usize, BlockKind, u32, Option<u32>)>,
}

pub(super) fn write_request(output: &mut impl Write, file_name: &str, bytes: &[u8]) -> io::Result<()> {
    write_frame(output, file_name.as_bytes())?;
    write_frame(output, bytes)
}

/// The next request; `None` where the parent has closed the pipe.
pub(super) fn read_request(input: &mut impl Read) -> io::Result<Option<Request>> {
    let Some(name) = read_frame(input, MAX_NAME_BYTES)? else { return Ok(None) };
    let bytes = read_frame(input, u64::MAX)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let file_name = String::from_utf8(name).map_err(invalid)?;
    Ok(Some(Request { file_name, bytes }))
}

pub(super) fn write_answer(output: &mut impl Write, answer: Result<&Document, &ExtractError>) -> io::Result<()> {
    let (answer, text) = match answer {
        Err(ExtractError::Unsupported { type_name }) => (Answer::Unsupported { type_name: type_name.clone() }, ""),
        Err(ExtractError::Failed { reason } | ExtractError::Unavailable { reason }) => {
            (Answer::Failed { reason: reason.clone() }, "")
        }
        Ok(document) => (Answer::Document(Structure::of(document)), document.text.as_str()),
    };
    write_frame(output, &serde_json::to_vec(&answer)?)?;
    write_frame(output, text.as_bytes())
}

/// An answer, or why it cannot be taken. A text of more than `max_text_bytes` is not read.
pub(super) fn read_answer(input: &mut impl Read, max_text_bytes: usize) -> io::Result<Result<Document, ExtractError>> {
    let structure = read_frame(input, MAX_STRUCTURE_BYTES)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let answer: Answer = serde_json::from_slice(&structure)?;
    let text = read_frame(input, max_text_bytes as u64)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(match answer {
        Answer::Unsupported { type_name } => Err(ExtractError::Unsupported { type_name }),
        Answer::Failed { reason } => Err(ExtractError::Failed { reason }),
        Answer::Document(document) => Ok(document.with_text(String::from_utf8(text).map_err(invalid)?)?),
    })
}

impl Structure {
    fn of(document: &Document) -> Self {
        let mut numbers: HashMap<&Arc<[String]>, u32> = HashMap::new();
        let mut header_numbers: HashMap<&Arc<str>, u32> = HashMap::new();
        let (mut trails, mut headers) = (Vec::new(), Vec::new());
        let number = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let blocks = document.blocks.iter().map(|block| {
            let trail = *numbers.entry(&block.trail).or_insert_with(|| {
                trails.push(Arc::clone(&block.trail));
                number(trails.len() - 1)
            });
            let header = block.header.as_ref().map(|header| {
                *header_numbers.entry(header).or_insert_with(|| {
                    headers.push(Arc::clone(header));
                    number(headers.len() - 1)
                })
            });
            (block.span.start, block.span.len(), block.kind, trail, header)
        });
        let blocks = blocks.collect();
        Self {
            format: document.format,
            title: document.title.clone(),
            language: document.language.clone(),
            encoding: document.encoding.clone(),
            has_file_lines: document.has_file_lines,
            pages: document.pages.clone(),
            unread_pages: document.unread_pages.clone(),
            trails,
            headers,
            blocks,
        }
    }

    /// The document, if its spans are those of a document of this text.
    fn with_text(self, text: String) -> io::Result<Document> {
        let mut end_before = 0;
        let blocks = self.blocks.into_iter().map(|(start, len, kind, trail, header)| {
            let span = start.checked_add(len).map(|end| Span::new(start, end));
            let span = span.filter(|span| start >= end_before && span.of(&text).is_some_and(|words| !words.is_empty()));
            let span = span.ok_or_else(|| invalid("a block is not in the text"))?;
            end_before = span.end;
            let trail = self.trails.get(trail as usize).ok_or_else(|| invalid("a block has no trail"))?;
            let header = match header {
                None => None,
                Some(number) => {
                    Some(Arc::clone(self.headers.get(number as usize).ok_or_else(|| invalid("a row has no header"))?))
                }
            };
            Ok(Block { span, kind, trail: Arc::clone(trail), header })
        });
        let blocks = blocks.collect::<io::Result<_>>()?;
        let mut page_end = 0;
        for page in &self.pages {
            if page.start < page_end || page.of(&text).is_none() {
                return Err(invalid("a page is not in the text"));
            }
            page_end = page.end;
        }
        Ok(Document {
            format: self.format,
            text,
            title: self.title,
            language: self.language,
            encoding: self.encoding,
            has_file_lines: self.has_file_lines,
            pages: self.pages,
            unread_pages: self.unread_pages,
            blocks,
        })
    }
}

fn write_frame(output: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    output.write_all(&(bytes.len() as u64).to_le_bytes())?;
    output.write_all(bytes)
}

/// A frame; `None` where the other side has ended before it began one.
fn read_frame(input: &mut impl Read, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut len = [0; 8];
    let mut read = 0;
    while read < len.len() {
        match input.read(&mut len[read..]) {
            Ok(0) if read == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let len = u64::from_le_bytes(len);
    if len > max_bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("a frame of {len} bytes")));
    }
    let mut bytes = Vec::new();
    // Grows with what comes, not with what is said to come.
    input.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len { Ok(Some(bytes)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
