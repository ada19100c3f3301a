//! Files as they are: to be saved, or pictures to be shown.

use std::io::Read as _;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::link;
use crate::engine::{Caller, FileBytes};
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{AtPath, InWorkspace};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// Pieces that may wait for a slow client.
const NUM_WAITING: usize = 4;
/// Larger pictures are only downloaded.
const MAX_PICTURE_BYTES: u64 = 20_000_000;
/// Bytes that tell what a picture is.
const HEAD_BYTES: usize = 64;

/// Sends a file to be saved; no browser shows it.
pub(in crate::serve) async fn file(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    AtPath(path): AtPath,
) -> Result<Response, ApiError> {
    let name = path.file_name().to_owned();
    let opened = app.call(move |engine| engine.workspace(&workspace, Caller::LocalUser)?.bytes(&path)).await?.0;
    let mut response = sent(opened);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let disposition = format!("attachment; filename*=UTF-8''{}", link::value(&name));
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::try_from(disposition).unwrap_or(HeaderValue::from_static("attachment")),
    );
    Ok(response)
}

/// Sends a picture to be shown, where its bytes are those of one.
pub(in crate::serve) async fn image(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    AtPath(path): AtPath,
) -> Result<Response, ApiError> {
    let open = app.call(move |engine| {
        let mut file = engine.workspace(&workspace, Caller::LocalUser)?.bytes(&path)?;
        let mut head = Vec::new();
        let read = (&mut file.bytes).take(HEAD_BYTES as u64).read_to_end(&mut head);
        let content_type = match infer::get(&head).map(|kind| kind.mime_type()) {
            Some(kind @ ("image/png" | "image/jpeg" | "image/gif" | "image/webp")) if read.is_ok() => Some(kind),
            _ => None,
        };
        file.bytes = Box::new(std::io::Cursor::new(head).chain(file.bytes));
        Ok((file, content_type))
    });
    let (file, content_type) = open.await?.0;
    let Some(content_type) = content_type.filter(|_| file.size <= MAX_PICTURE_BYTES) else {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "no_picture",
            "the file is no picture that a browser shows, or a very large one",
            "download it",
        ));
    };
    let mut response = sent(file);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

/// A file piece by piece, as fast as its client takes it.
fn sent(FileBytes { size, mut bytes, .. }: FileBytes) -> Response {
    let (pieces, coming) = mpsc::channel::<std::io::Result<Bytes>>(NUM_WAITING);
    tokio::task::spawn_blocking(move || {
        // A file that grows meanwhile is cut where it ended.
        let mut left = size;
        while left > 0 {
            let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
            let read = bytes.read(&mut piece);
            let piece = match read {
                Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(num) => {
                    piece.truncate(num);
                    left -= num as u64;
                    Ok(Bytes::from(piece))
                }
                Err(error) => Err(error),
            };
            let is_over = piece.is_err();
            if pieces.blocking_send(piece).is_err() || is_over {
                return;
            }
        }
    });
    let mut response = Body::from_stream(ReceiverStream::new(coming)).into_response();
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    response
}
