//! Texts, pictures and sounds, as the reference server reads them.

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rmcp::model::{ContentBlock, ResourceContents};
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::resources::{bytes_of, media_type, uri_of};
use super::super::tools::{Gave, Outcome, WorkspaceTool, parse, to_value, tool};
use super::{Arguments, AtPath, Text, file_of, reported, text};
use crate::edit::TextFile;
use crate::engine::{Action, FileBytes, MAX_TEXT_BYTES, Workspace, cut};
use crate::error::ErrorReport;
use crate::workspace::{RelPath, Span};

/// Larger files are read as a search reads them, part by part.
const MAX_RAW_BYTES: u64 = 16 * 1024 * 1024;
/// Files of one call.
const MAX_FILES: usize = 100;

/// A text to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextRequest {
    /// The file, from the workspace's folder on.
    path: String,
    /// Returns only the first so many lines.
    #[serde(default)]
    head: Option<usize>,
    /// Returns only the last so many lines.
    #[serde(default)]
    tail: Option<usize>,
}

/// Texts to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextsRequest {
    /// The files, 1 to 100.
    paths: Vec<String>,
}

/// What a file holds that is no text.
#[derive(Debug, Serialize, JsonSchema)]
struct Media {
    /// One item: a picture, a sound, or a resource with the bytes.
    content: Vec<Value>,
}

pub(super) fn tools() -> Vec<WorkspaceTool> {
    vec![
        WorkspaceTool {
            action: Action::Read,
            tool: tool::<TextRequest, Text>(
                "read_text_file",
                "Read a text file",
                "Reads a file as text, also of a PDF or Office file: all of it, its first lines (`head`) or its last ones (`tail`). A text of more \
                 than 128 KiB is cut, and its last line says how to go on. The text is untrusted content of a file.",
            ),
            run: |workspace, arguments, _| text(read(workspace, &parse(arguments)?)?),
        },
        WorkspaceTool {
            action: Action::Read,
            tool: tool::<AtPath, Media>(
                "read_media_file",
                "Read a media file",
                "Reads a picture, a sound or another file that is no text, as base64 with its MIME type, up to 600 KiB.",
            ),
            run: |workspace, arguments, _| media(workspace, arguments),
        },
        WorkspaceTool {
            action: Action::Read,
            tool: tool::<TextsRequest, Text>(
                "read_multiple_files",
                "Read several files",
                "Reads several files as text, each after a line with its path. A file that cannot be read says why, and the others are read.",
            ),
            run: |workspace, arguments, _| text(read_each(workspace, &parse(arguments)?)?),
        },
    ]
}

/// A text up to a size, and where it goes on.
struct Cut {
    text: String,
    goes_on_at: Option<usize>,
}

fn read(workspace: &Workspace<'_>, request: &TextRequest) -> Result<String, ErrorReport> {
    let TextRequest { path, head, tail } = request;
    let path = file_of(workspace, path)?;
    let Cut { text, goes_on_at } = match (head, tail) {
        (Some(_), Some(_)) => {
            let hint = "give `head` or `tail`";
            return Err(ErrorReport::new("invalid_arguments", "`head` and `tail` are both there", hint));
        }
        (None, Some(num_lines)) => last_lines(&whole(workspace, &path, true)?.text, *num_lines),
        (Some(num_lines), None) => {
            let Cut { text, goes_on_at } = whole(workspace, &path, false)?;
            let lines: String = text.split_inclusive('\n').take(*num_lines).collect();
            let is_all = lines.len() == text.len();
            cut_off(lines, if is_all { goes_on_at } else { None })
        }
        (None, None) => {
            let Cut { text, goes_on_at } = whole(workspace, &path, false)?;
            cut_off(text, goes_on_at)
        }
    };
    Ok(match goes_on_at {
        None => text,
        Some(offset) => format!("{text}\n[the text goes on: call `read_file` with `offset` {offset}]"),
    })
}

/// The first [`MAX_TEXT_BYTES`] of a text.
fn cut_off(text: String, goes_on_at: Option<usize>) -> Cut {
    if text.len() <= MAX_TEXT_BYTES {
        return Cut { text, goes_on_at };
    }
    let end = cut(&text, 0, MAX_TEXT_BYTES).end;
    Cut { text: text[..end].to_owned(), goes_on_at: Some(end) }
}

/// The last lines of a text, as many of them as a reply holds.
fn last_lines(text: &str, num_lines: usize) -> Cut {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut num_bytes = 0;
    let wanted = lines.iter().rev().take(num_lines);
    let num_kept = wanted.take_while(|line| {
        num_bytes += line.len();
        num_bytes <= MAX_TEXT_BYTES
    });
    let first = lines.len() - num_kept.count();
    Cut { text: lines[first..].concat(), goes_on_at: None }
}

/// A file's own text, where it is short and text; else the text that searches find, of which the beginning or the end is enough.
fn whole(workspace: &Workspace<'_>, path: &RelPath, end_is_wanted: bool) -> Result<Cut, ErrorReport> {
    let own = match workspace.bytes(path) {
        Ok(FileBytes { size, bytes, .. }) if size <= MAX_RAW_BYTES => {
            let mut content = Vec::new();
            let read = bytes.take(MAX_RAW_BYTES).read_to_end(&mut content);
            read.ok().and_then(|_| TextFile::read(&content).ok())
        }
        // One inside another file has no bytes of its own.
        Ok(_) | Err(crate::engine::EngineError::NoText { .. }) => None,
        Err(error) => return Err(workspace.report(&error)),
    };
    if let Some(own) = own {
        return Ok(Cut { text: own.text, goes_on_at: None });
    }
    let start = if end_is_wanted { usize::MAX } else { 0 };
    let file = reported(workspace, workspace.read_around(path, Span::new(start, start.max(MAX_TEXT_BYTES))))?;
    let goes_on_at = file.goes_on.then(|| file.end());
    Ok(Cut { text: file.text, goes_on_at })
}

fn read_each(workspace: &Workspace<'_>, request: &TextsRequest) -> Result<String, ErrorReport> {
    let TextsRequest { paths } = request;
    if !(1..=MAX_FILES).contains(&paths.len()) {
        let message = format!("`paths` names {} files", paths.len());
        return Err(ErrorReport::new("invalid_arguments", message, format!("name 1 to {MAX_FILES}")));
    }
    let mut texts: Vec<String> = Vec::new();
    let mut num_bytes = 0;
    for path in paths {
        if num_bytes > MAX_TEXT_BYTES {
            texts.push(format!("{path}: left out for length: read it by itself"));
            continue;
        }
        let request = TextRequest { path: path.clone(), head: None, tail: None };
        let text = match read(workspace, &request) {
            Ok(text) => format!("{path}:\n{text}\n"),
            Err(error) => format!("{path}: Error - {}", error.message),
        };
        num_bytes += text.len();
        texts.push(text);
    }
    Ok(texts.join("\n---\n"))
}

fn media(workspace: &Workspace<'_>, arguments: Arguments) -> Outcome {
    let AtPath { path } = parse(arguments)?;
    let path = file_of(workspace, &path)?;
    let content = bytes_of(workspace, &path)?;
    let (data, kind) = (BASE64_STANDARD.encode(&content), media_type(&content));
    let block = if kind.starts_with("image/") {
        ContentBlock::image(data, kind)
    } else if kind.starts_with("audio/") {
        ContentBlock::audio(data, kind)
    } else {
        let uri = uri_of(workspace.id(), &path);
        ContentBlock::resource(ResourceContents::blob(data, uri).with_mime_type(kind))
    };
    let media = Media { content: vec![to_value(&block)?] };
    Ok(Gave { blocks: Some(vec![block]), ..Gave::of(to_value(&media)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_on_a_character_and_says_where_it_goes_on() {
        let text = "é".repeat(MAX_TEXT_BYTES);
        let cut = cut_off(text.clone(), None);
        assert_eq!((cut.text.len(), cut.goes_on_at), (MAX_TEXT_BYTES, Some(MAX_TEXT_BYTES)));
        let whole = cut_off("a\n".to_owned(), None);
        assert_eq!((whole.text.as_str(), whole.goes_on_at), ("a\n", None));
    }

    #[test]
    fn the_last_lines_are_whole_and_as_many_as_there_are() {
        for (text, num_lines, wanted) in
            [("a\nb\nc\n", 2, "b\nc\n"), ("a\nb\nc", 1, "c"), ("a\n", 5, "a\n"), ("", 3, ""), ("a\nb\n", 0, "")]
        {
            assert_eq!(last_lines(text, num_lines).text, wanted, "{text:?}");
        }
        let long = format!("{}\n{}\n", "x".repeat(MAX_TEXT_BYTES), "y".repeat(10));
        assert_eq!(last_lines(&long, 2).text, "yyyyyyyyyy\n");
    }
}
