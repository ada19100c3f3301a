//! Files as they are: to be saved, or pictures to be shown.

use std::io::Read as _;

use super::link;
use crate::engine::FileBytes;
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{AtPath, InWorkspace};
use crate::serve::sending::pieces;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

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
    let opened = app.call(move |engine| workspace.open(engine)?.bytes(&path)).await?.0;
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
        let mut file = workspace.open(engine)?.bytes(&path)?;
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
pub(in crate::serve) fn sent(FileBytes { size, bytes, .. }: FileBytes) -> Response {
    let mut response = Body::from_stream(pieces(bytes, size)).into_response();
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    response
}

#[cfg(test)]
mod tests {
    use std::io;

    use axum::body::HttpBody as _;

    use super::*;

    #[test]
    fn a_client_that_does_not_take_its_file_holds_no_thread() {
        // One thread for all that blocks: a download that kept it would leave none to the second one.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).max_blocking_threads(1).build().unwrap();
        let file = |size: u64| FileBytes { size, content_hash: None, bytes: Box::new(io::repeat(7)) };
        runtime.block_on(async {
            let waits = sent(file(100_000_000));
            let taken = axum::body::to_bytes(sent(file(1_000_000)).into_body(), usize::MAX).await.unwrap();
            assert_eq!(taken.len(), 1_000_000);
            assert!(!waits.body().is_end_stream());
        });
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_ends_with_an_error() {
        let bytes = Box::new(io::repeat(7).take(100_000));
        let body = sent(FileBytes { size: 200_000, content_hash: None, bytes }).into_body();
        assert!(axum::body::to_bytes(body, usize::MAX).await.is_err());
    }
}
