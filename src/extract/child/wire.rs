//! What parent and child say to each other: frames of a length and so many bytes; the structure as JSON, texts as they are.
//!
//! Trails, headers and names of sheets are shared by many blocks, so each is sent once and named by its number.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::extract::drawn::PageQuestion;
use crate::extract::parts::{Continuation, Part};
use crate::extract::{Block, BlockKind, Document, ExtractError, Format, Member, PageUnit, Source};
use crate::workspace::{Cell, ContentHash, Span};

/// What is asked about the bytes that follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Question {
    /// To read the file of this name, whole, and no more text of it and of the files inside it.
    File { file_name: String, max_text_bytes: usize },
    /// To read the next part of a text.
    Part { file_name: String, is_last: bool, before: Option<Continuation> },
    /// To draw a page of the file of this name, and to say where words are on it.
    Page { file_name: String, page: PageQuestion },
}

/// The bytes of a file that are sent, from memory or from the file itself.
pub(super) enum Body<'a, 's> {
    Bytes(&'a [u8]),
    Source(&'a mut Source<'s>),
}

impl Body<'_, '_> {
    pub(super) const fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Source(source) => source.size,
        }
    }
}

/// A name, a header of a table and a few words.
const MAX_QUESTION_BYTES: u64 = 64 * 1024;

/// An answer without the texts, which follow: the document's own and those of its members, in order.
#[derive(Serialize, Deserialize)]
enum Answer {
    Failed(ExtractError),
    Document(Box<Structure>, Vec<MemberAnswer>),
    /// A part with what was used of its bytes, and what the next is to be read with.
    Part(Box<Structure>, usize, Box<Continuation>),
    NotInParts,
}

/// A [`Member`] without its text.
#[derive(Serialize, Deserialize)]
struct MemberAnswer {
    path: String,
    size: u64,
    content_hash: Option<ContentHash>,
    outcome: Result<Structure, ExtractError>,
}

/// A [`Document`] without its text and members.
#[derive(Serialize, Deserialize)]
struct Structure {
    format: Format,
    title: Option<String>,
    language: Option<String>,
    encoding: Option<String>,
    has_file_lines: bool,
    page_unit: PageUnit,
    pages: Vec<Span>,
    unread_pages: Vec<u32>,
    partial: Option<String>,
    trails: Vec<Arc<[String]>>,
    /// Headers of tables and names of sheets.
    labels: Vec<Arc<str>>,
    blocks: Vec<BlockNumbers>,
}

/// Of a block its start, length and kind, the numbers of its trail and header, and its cell.
type BlockNumbers = (usize, usize, BlockKind, u32, Option<u32>, Option<CellNumbers>);

/// A [`Cell`] with the number of its sheet's name.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum CellNumbers {
    Row(u32, u32, u32, u32),
    Notebook(u32),
}

/// The first that a child says: why it is not confined as it should be, or nothing.
pub(super) fn write_greeting(output: &mut impl Write, unconfined: Option<&str>) -> io::Result<()> {
    write_frame(output, unconfined.unwrap_or_default().as_bytes())?;
    output.flush()
}

pub(super) fn read_greeting(input: &mut impl Read) -> io::Result<Option<String>> {
    let words = read_frame(input, MAX_QUESTION_BYTES)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Some(String::from_utf8(words).map_err(invalid)?).filter(|words| !words.is_empty()))
}

pub(super) fn write_request(output: &mut impl Write, question: &Question, body: &mut Body<'_, '_>) -> io::Result<()> {
    write_frame(output, &serde_json::to_vec(question)?)?;
    match body {
        Body::Bytes(bytes) => write_frame(output, bytes),
        Body::Source(source) => {
            output.write_all(&source.size.to_le_bytes())?;
            source.copy_to(output)
        }
    }
}

/// The next request with its bytes; `None` where the parent has closed the pipe.
pub(super) fn read_request(input: &mut impl Read) -> io::Result<Option<(Question, Vec<u8>)>> {
    let Some(question) = read_frame(input, MAX_QUESTION_BYTES)? else { return Ok(None) };
    let bytes = read_frame(input, u64::MAX)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Some((serde_json::from_slice(&question)?, bytes)))
}

pub(super) fn write_part(output: &mut impl Write, answer: &Result<Option<Part>, ExtractError>) -> io::Result<()> {
    let (said, text) = match answer {
        Err(error) => (Answer::Failed(error.clone()), None),
        Ok(None) => (Answer::NotInParts, None),
        Ok(Some(Part { document, num_used, next })) => {
            let said = Answer::Part(Box::new(Structure::of(document)), *num_used, Box::new(next.clone()));
            (said, Some(&document.text))
        }
    };
    write_frame(output, &serde_json::to_vec(&said)?)?;
    text.map_or(Ok(()), |text| write_frame(output, text.as_bytes()))
}

/// An answer about a part of `num_asked` bytes, or why it cannot be taken.
pub(super) fn read_part(
    input: &mut impl Read,
    num_asked: usize,
    max_text_bytes: usize,
    max_structure_bytes: u64,
) -> io::Result<Result<Option<Part>, ExtractError>> {
    let said = read_structure(input, max_structure_bytes)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    match serde_json::from_slice(&said)? {
        Answer::Failed(error) => Ok(Err(error)),
        Answer::NotInParts => Ok(Ok(None)),
        Answer::Part(structure, num_used, next) if num_used <= num_asked && (num_used > 0 || num_asked == 0) => {
            let text = read_frame(input, max_text_bytes as u64)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let document = structure.with_text(String::from_utf8(text).map_err(invalid)?)?;
            Ok(Ok(Some(Part { document, num_used, next: *next })))
        }
        Answer::Part(..) | Answer::Document(..) => Err(invalid("another question was answered")),
    }
}

pub(in crate::extract) fn write_answer(
    output: &mut impl Write,
    answer: &Result<Document, ExtractError>,
) -> io::Result<()> {
    let document = match answer {
        Err(error) => return write_frame(output, &serde_json::to_vec(&Answer::Failed(error.clone()))?),
        Ok(document) => document,
    };
    let members = document.members.iter().map(|member| MemberAnswer {
        path: member.path.clone(),
        size: member.size,
        content_hash: member.content_hash,
        outcome: member.outcome.as_ref().map(Structure::of).map_err(Clone::clone),
    });
    let answer = Answer::Document(Box::new(Structure::of(document)), members.collect());
    write_frame(output, &serde_json::to_vec(&answer)?)?;
    write_frame(output, document.text.as_bytes())?;
    for member in document.members.iter().filter_map(|member| member.outcome.as_ref().ok()) {
        write_frame(output, member.text.as_bytes())?;
    }
    Ok(())
}

/// An answer, or why it cannot be taken. Texts of more than `max_text_bytes` together are not read, nor a larger structure.
pub(in crate::extract) fn read_answer(
    input: &mut impl Read,
    max_text_bytes: usize,
    max_structure_bytes: u64,
) -> io::Result<Result<Document, ExtractError>> {
    let structure = read_structure(input, max_structure_bytes)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let answer = serde_json::from_slice(&structure)?;
    // It is as large as what was made of it.
    drop(structure);
    let (own, members) = match answer {
        Answer::Failed(error) => return Ok(Err(error)),
        Answer::Document(own, members) => (own, members),
        Answer::Part(..) | Answer::NotInParts => return Err(invalid("another question was answered")),
    };
    let mut max_bytes = max_text_bytes as u64;
    let mut with_text = |structure: Structure| -> io::Result<Document> {
        let text = read_frame(input, max_bytes)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        max_bytes -= text.len() as u64;
        structure.with_text(String::from_utf8(text).map_err(invalid)?)
    };
    let mut document = with_text(*own)?;
    for member in members {
        let outcome = match member.outcome {
            Ok(structure) => Ok(with_text(structure)?),
            Err(error) => Err(error),
        };
        let MemberAnswer { path, size, content_hash, .. } = member;
        document.members.push(Member { path, size, content_hash, outcome });
    }
    Ok(Ok(document))
}

/// Numbers what many blocks share.
#[derive(Default)]
struct Numbers<'d> {
    trails: Vec<Arc<[String]>>,
    labels: Vec<Arc<str>>,
    of_trails: HashMap<&'d Arc<[String]>, u32>,
    of_labels: HashMap<&'d Arc<str>, u32>,
}

impl<'d> Numbers<'d> {
    fn trail(&mut self, trail: &'d Arc<[String]>) -> u32 {
        *self.of_trails.entry(trail).or_insert_with(|| {
            self.trails.push(Arc::clone(trail));
            number(self.trails.len() - 1)
        })
    }

    fn label(&mut self, label: &'d Arc<str>) -> u32 {
        *self.of_labels.entry(label).or_insert_with(|| {
            self.labels.push(Arc::clone(label));
            number(self.labels.len() - 1)
        })
    }
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Structure {
    fn of(document: &Document) -> Self {
        let mut numbers = Numbers::default();
        let blocks = document.blocks.iter().map(|block| {
            let trail = numbers.trail(&block.trail);
            let header = block.header.as_ref().map(|header| numbers.label(header));
            let cell = block.cell.as_ref().map(|cell| match cell {
                Cell::Row { sheet, row, columns } => CellNumbers::Row(numbers.label(sheet), *row, columns.0, columns.1),
                Cell::Notebook { number } => CellNumbers::Notebook(*number),
            });
            (block.span.start, block.span.len(), block.kind, trail, header, cell)
        });
        let blocks = blocks.collect();
        Self {
            format: document.format,
            title: document.title.clone(),
            language: document.language.clone(),
            encoding: document.encoding.clone(),
            has_file_lines: document.has_file_lines,
            page_unit: document.page_unit,
            pages: document.pages.clone(),
            unread_pages: document.unread_pages.clone(),
            partial: document.partial.clone(),
            trails: numbers.trails,
            labels: numbers.labels,
            blocks,
        }
    }

    /// The document, if its spans are those of a document of this text.
    fn with_text(self, text: String) -> io::Result<Document> {
        let mut end_before = 0;
        let label = |number: u32| {
            self.labels.get(number as usize).map(Arc::clone).ok_or_else(|| invalid("a row has no header or sheet"))
        };
        let blocks = self.blocks.into_iter().map(|(start, len, kind, trail, header, cell)| {
            let span = start.checked_add(len).map(|end| Span::new(start, end));
            let span = span.filter(|span| start >= end_before && span.of(&text).is_some_and(|words| !words.is_empty()));
            let span = span.ok_or_else(|| invalid("a block is not in the text"))?;
            end_before = span.end;
            let trail = self.trails.get(trail as usize).ok_or_else(|| invalid("a block has no trail"))?;
            let cell = match cell {
                None => None,
                Some(CellNumbers::Row(sheet, row, left, right)) => {
                    Some(Cell::Row { sheet: label(sheet)?, row, columns: (left, right) })
                }
                Some(CellNumbers::Notebook(number)) => Some(Cell::Notebook { number }),
            };
            Ok(Block { span, kind, trail: Arc::clone(trail), header: header.map(label).transpose()?, cell })
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
            page_unit: self.page_unit,
            pages: self.pages,
            unread_pages: self.unread_pages,
            partial: self.partial,
            blocks,
            members: Vec::new(),
        })
    }
}

pub(super) fn write_frame(output: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    output.write_all(&(bytes.len() as u64).to_le_bytes())?;
    output.write_all(bytes)
}

/// A frame; `None` where the other side has ended before it began one.
pub(super) fn read_frame(input: &mut impl Read, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
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

/// The frame of a structure.
fn read_structure(input: &mut impl Read, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    read_frame(input, max_bytes).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => io::Error::new(error.kind(), StructureTooLarge { max_bytes }),
        _ => error,
    })
}

/// A structure of more bytes than a file of its size may have.
#[derive(Debug, thiserror::Error)]
#[error("more than {} MB of structure", max_bytes / 1_000_000)]
struct StructureTooLarge {
    max_bytes: u64,
}

/// Whether an answer was refused for its structure.
pub(super) fn is_of_structure(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<StructureTooLarge>)
}

pub(super) fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
