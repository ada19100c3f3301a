//! A file over REST: its text, whole, piece by piece or as bytes by `Range`; and its own bytes.

use std::ops::Range;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::Shared;
use super::asking::accepts;
use super::error::ApiError;
use super::extract::{AtPath, InWorkspace, Parameters, given};
use super::openapi;
use super::sending::pieces;
use crate::engine::{Engine, FilePart, FileText, MAX_TEXT_BYTES, Object};
use crate::workspace::{ContentHash, Span};

/// The most bytes that a reply to a `Range` has. A client asks for the rest as `Content-Range` shows.
const MAX_RANGE_BYTES: usize = 1024 * 1024;

/// The largest whole number that every JSON reader takes exactly, beyond the end of any text.
const MAX_START: u64 = (1 << 53) - 1;

/// Which piece of the text.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FileQuery {
    /// The first byte of the text, counted from 0: `next_offset` of the reply before, or `span.start` of a citation. With it, or with `max_bytes`, the
    /// reply is one piece of the text.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991u64)]
    #[serde(alias = "start", deserialize_with = "given")]
    offset: Option<u64>,
    /// How many bytes of text to return at most. A piece ends between two characters.
    #[param(minimum = 1, maximum = 131_072, default = 131_072)]
    #[serde(deserialize_with = "given")]
    max_bytes: Option<usize>,
}

/// Headers that ask for the text itself.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the fields describe headers; the code reads them from the request")]
pub(super) struct FileHeaders {
    /// One range of bytes of the text, such as `bytes=0-1023`. The reply is `text/plain`, 206, and has at most 1 MiB; `Content-Range` shows which
    /// bytes. Any other form of `Range` is ignored. `Accept: text/plain` asks for the whole text without JSON around it. With
    /// `Accept: application/octet-stream` the range is one of the file's own bytes, and as long as it says.
    #[param(rename = "Range", required = false, example = "bytes=0-1023")]
    range: String,
    /// `application/octet-stream` asks for the bytes of the file itself, whatever its type and size; no parameter counts then.
    #[param(rename = "Accept", required = false, example = "application/json")]
    accept: String,
}

/// Reads a file's text as it is now: the text that the spans of citations point into.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/files/{path}", tag = "files",
    params(openapi::WorkspaceParam, openapi::PathParam, FileQuery, FileHeaders),
    responses(
        (status = 200, description = "The text, or one piece of it where `offset` or `max_bytes` is given.", content(
            (FilePart = "application/json"), (String = "text/plain"), (String = "application/octet-stream"),
        )),
        (status = 206, description = "The bytes of the text, or of the file, that `Range` asked for.", content_type = "text/plain", body = String),
        (status = 416, description = "The text ends before the range. `Content-Range` has its length. The reply has no body."),
        openapi::Errors,
    ),
)]
pub(super) async fn file(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    AtPath(path): AtPath,
    Parameters(query): Parameters<FileQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if accepts(&headers, BYTES) {
        let Json(opened) = app.call(move |engine| workspace.open(engine)?.open_object(&path)).await?;
        let object = opened.object.clone();
        let range = match wanted(&headers, object.content_hash.as_ref()) {
            None => 0..object.size,
            Some(wanted) => wanted.within(object.size),
        };
        let is_whole = range == (0..object.size);
        if range.is_empty() && !is_whole {
            return Ok(unsatisfiable(object.size));
        }
        let (start, left) = (range.start, range.end - range.start);
        let Json(bytes) = app.call_at_once(move |_| opened.read_from(start)).await?;
        let body = Body::from_stream(pieces(bytes, left));
        if is_whole {
            return Ok((told(&object, left), body).into_response());
        }
        let place = format!("bytes {start}-{}/{}", range.end - 1, object.size);
        let place = [(header::CONTENT_RANGE, place)];
        return Ok((StatusCode::PARTIAL_CONTENT, told(&object, left), place, body).into_response());
    }
    let max_bytes = query.max_bytes.unwrap_or(MAX_TEXT_BYTES);
    if !(1..=MAX_TEXT_BYTES).contains(&max_bytes) {
        let hint = format!("ask for 1 to {MAX_TEXT_BYTES}");
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            format!("`max_bytes` is {max_bytes}"),
            hint,
        ));
    }
    if query.offset.is_some() || query.max_bytes.is_some() {
        let start = query.offset.unwrap_or(0);
        if start > MAX_START {
            let hint = format!("ask for 0 to {MAX_START}");
            let message = format!("`offset` is {start}");
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_request", message, hint));
        }
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let read = move |engine: &Engine| {
            let workspace = workspace.open(engine)?;
            let (file, range) = workspace.read_stretch(&path, start, max_bytes)?;
            Ok(FilePart::of(file, range))
        };
        let part = app.call(read).await?;
        return Ok(([(header::ETAG, tag(&part.etag))], part).into_response());
    }
    let Some(wanted) = headers.get(header::RANGE).and_then(|range| Wanted::of(range.to_str().ok()?)) else {
        let text = app.call(move |engine| workspace.open(engine)?.read_file(&path)).await?;
        return Ok(if accepts(&headers, "text/plain") {
            whole(text.0)
        } else {
            ([(header::ETAG, tag(&text.content_hash))], Json(FilePart::whole(text.0))).into_response()
        });
    };
    let condition = headers.get(header::IF_RANGE).map(|tag| tag.as_bytes().to_owned());
    let read = move |engine: &Engine| {
        let workspace = workspace.open(engine)?;
        let (file, range) = match wanted {
            // Where a text ends is known when it has been read.
            Wanted::Last(num_bytes) => {
                let file = workspace.read_file(&path)?;
                let end = file.end();
                (file, end.saturating_sub(num_bytes)..end)
            }
            Wanted::From { start, end } => {
                let end = end.unwrap_or(usize::MAX).min(start.saturating_add(MAX_RANGE_BYTES));
                (workspace.read_around(&path, Span::new(start, end))?, start..end)
            }
        };
        // Pieces of two contents are not to be joined.
        if condition.is_some_and(|condition| condition != tag(&file.content_hash).as_bytes()) {
            return Ok(Piece::Changed(workspace.read_file(&path)?));
        }
        Ok(Piece::Of(file, range))
    };
    Ok(match app.call(read).await?.0 {
        Piece::Changed(file) => whole(file),
        Piece::Of(file, range) => piece(&file, &range),
    })
}

/// Tells of a file without sending it: `ETag` is the hash of its bytes as they are now.
#[utoipa::path(
    head, path = "/v1/workspaces/{ws}/files/{path}", tag = "files",
    params(openapi::WorkspaceParam, openapi::PathParam),
    responses((status = 200, description = "The file is there. The reply has no body."), openapi::Errors),
)]
pub(super) async fn head(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    AtPath(path): AtPath,
) -> Result<Response, ApiError> {
    let Json(object) = app.call(move |engine| workspace.open(engine)?.object(&path)).await?;
    Ok((told(&object, object.size), Body::empty()).into_response())
}

const BYTES: &str = "application/octet-stream";

/// The headers of a file's own bytes, of which so many are sent.
fn told(object: &Object, num_bytes: u64) -> [(header::HeaderName, String); 4] {
    [
        (header::ETAG, object.content_hash.as_ref().map(tag).unwrap_or_default()),
        (header::CONTENT_TYPE, BYTES.to_owned()),
        (header::CONTENT_LENGTH, num_bytes.to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ]
}

/// The range of a file's own bytes that is asked for, unless it is of other content.
fn wanted(headers: &HeaderMap, hash: Option<&ContentHash>) -> Option<Wanted> {
    let is_other = |condition: &HeaderValue| hash.is_none_or(|hash| condition.as_bytes() != tag(hash).as_bytes());
    if headers.get(header::IF_RANGE).is_some_and(is_other) {
        return None;
    }
    Wanted::of(headers.get(header::RANGE)?.to_str().ok()?)
}

fn unsatisfiable(total: impl std::fmt::Display) -> Response {
    (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, format!("bytes */{total}"))]).into_response()
}

/// A reply to a range.
enum Piece {
    /// The file has other content than the pieces that the client has: all of its text.
    Changed(FileText),
    Of(FileText, Range<usize>),
}

/// One range of bytes, as `Range` gives it (RFC 9110, section 14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    From { start: usize, end: Option<usize> },
    Last(usize),
}

impl Wanted {
    /// Reads `bytes=0-1023`, `bytes=1024-` and `bytes=-500`; `None` for anything else, which is to be ignored.
    fn of(range: &str) -> Option<Self> {
        let (first, last) = range.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number that is larger than any text is one behind its end.
        let number = |text: &str| text.parse().unwrap_or(usize::MAX);
        match (first, last) {
            ("", last) if is_number(last) => Some(Self::Last(number(last))),
            (first, "") if is_number(first) => Some(Self::From { start: number(first), end: None }),
            (first, last) if is_number(first) && is_number(last) && number(first) <= number(last) => {
                Some(Self::From { start: number(first), end: Some(number(last).saturating_add(1)) })
            }
            _ => None,
        }
    }

    /// Which of so many bytes these are; empty where there are none.
    fn within(self, size: u64) -> Range<u64> {
        match self {
            Self::From { start, end } => start as u64..end.map_or(size, |end| size.min(end as u64)),
            Self::Last(num_bytes) => size.saturating_sub(num_bytes as u64)..size,
        }
    }
}

fn tag(hash: &ContentHash) -> String {
    format!("\"{hash}\"")
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn whole(file: FileText) -> Response {
    let etag = tag(&file.content_hash);
    let headers = [(header::ETAG, etag.as_str()), (header::CONTENT_TYPE, PLAIN), (header::ACCEPT_RANGES, "bytes")];
    (headers, file.text).into_response()
}

/// The bytes of the text at `range`, as far as there are any.
fn piece(file: &FileText, range: &Range<usize>) -> Response {
    let total = if file.goes_on { "*".to_owned() } else { file.end().to_string() };
    let end = range.end.min(file.end());
    if range.start < file.start || range.start >= end {
        return unsatisfiable(total);
    }
    let bytes = file.text.as_bytes()[range.start - file.start..end - file.start].to_owned();
    let headers = [
        (header::ETAG, tag(&file.content_hash)),
        (header::CONTENT_TYPE, PLAIN.to_owned()),
        (header::CONTENT_RANGE, format!("bytes {}-{}/{total}", range.start, end - 1)),
    ];
    (StatusCode::PARTIAL_CONTENT, headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_read_and_every_other_form_is_ignored() {
        let from = |start, end| Some(Wanted::From { start, end });
        assert_eq!(Wanted::of("bytes=0-1023"), from(0, Some(1024)));
        assert_eq!(Wanted::of("bytes=7-7"), from(7, Some(8)));
        assert_eq!(Wanted::of("bytes=1024-"), from(1024, None));
        assert_eq!(Wanted::of("bytes=-500"), Some(Wanted::Last(500)));
        assert_eq!(Wanted::of("bytes=99999999999999999999999-"), from(usize::MAX, None));
        let within = |range, size| Wanted::of(range).unwrap().within(size);
        assert_eq!((within("bytes=2-3", 9), within("bytes=2-", 9), within("bytes=-2", 9)), (2..4, 2..9, 7..9));
        assert_eq!((within("bytes=2-99", 9), within("bytes=-99", 9)), (2..9, 0..9));
        assert!(within("bytes=9-", 9).is_empty() && within("bytes=-0", 9).is_empty());
        for other in ["bytes=5-4", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes", "", "bytes=+1-2"] {
            assert_eq!(Wanted::of(other), None, "{other}");
        }
    }
}
