//! Files that come in parts.

use std::io::Read as _;

use axum::Json;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CopyPartResult, CreateMultipartUploadInput, CreateMultipartUploadOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload, Part, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};

use super::checks::{Checks, Told, checked, told_of};
use super::names::{Encoding, file, hash_of, precondition, tag, time};
use super::writing::{check_source, incoming, source_of, told_size};
use super::{Desk, place};
use crate::engine::{self, Engine, EngineError};
use crate::ingest::ReadError;

/// Most entries of one page.
const MAX_PAGE: i32 = 1_000;
/// Bytes that are copied at once.
const PIECE: usize = 256 * 1024;

/// Begins an upload.
pub(super) async fn create(
    desk: &Desk,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let CreateMultipartUploadInput { bucket, key, checksum_algorithm, checksum_type, .. } = request.input;
    let path = file(&key)?;
    let Json(id) = desk.app.call(move |engine| place.open(engine)?.begin_multipart(&path)).await?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(bucket),
        key: Some(key),
        upload_id: Some(id),
        checksum_algorithm,
        checksum_type,
        ..Default::default()
    }))
}

fn number_of(number: i32) -> S3Result<u32> {
    u32::try_from(number).map_err(|_| s3_error!(InvalidArgument, "the number of a part is 1 to 10000"))
}

/// Takes a part.
pub(super) async fn upload(
    desk: &Desk,
    mut request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let input = &mut request.input;
    let told = told_of!(input);
    let body = input.body.take();
    let mut checks = Checks::of(&request, told)?;
    let input = request.input;
    let (path, number, size) = (file(&input.key)?, number_of(input.part_number)?, told_size(input.content_length));
    let mut incoming = incoming(desk, body)?;
    let id = input.upload_id;
    let begin = move |engine: &Engine| {
        let part = place.open(engine)?.begin_part(&path, &id, number)?;
        let max_bytes = part.max_file_bytes();
        if size > max_bytes {
            return Err(EngineError::from(ReadError::TooLarge { size, max_bytes }));
        }
        Ok(part)
    };
    let Json(mut part) = desk.app.call(begin).await?;
    while let Some(bytes) = incoming.next().await? {
        checks.update(&bytes);
        Json(part) = desk.app.call_at_once(move |_| engine::write_part(&mut part, &bytes).map(|()| part)).await?;
    }
    let checksum = checks.finish()?;
    let Json(kept) = desk.app.call_at_once(move |_| Ok(part.finish()?)).await?;
    Ok(S3Response::new(checked!(UploadPartOutput, Some(tag(kept.content_hash)), checksum)))
}

/// Takes a file, or a range of it, as a part.
pub(super) async fn copy(
    desk: &Desk,
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let input = request.input;
    let (from, source) = source_of(&place, &input.copy_source)?;
    let (path, number) = (file(&input.key)?, number_of(input.part_number)?);
    let range = input.copy_source_range.as_deref().map(dto::Range::parse).transpose();
    let range = range.map_err(|_| s3_error!(InvalidArgument, "`x-amz-copy-source-range` is no range"))?;
    let (matches, none_match) = (input.copy_source_if_match, input.copy_source_if_none_match);
    let id = input.upload_id;
    let work = move |engine: &Engine| {
        let source = from.open(engine)?.open_object(&source)?;
        check_source(&source, matches.as_ref(), none_match.as_ref())?;
        let size = source.object.size;
        let span = match range.map(|range| range.check(size)) {
            None => 0..size,
            Some(Ok(span)) => span,
            Some(Err(_)) => return Ok(None),
        };
        let mut part = place.open(engine)?.begin_part(&path, &id, number)?;
        let mut bytes = source.read_from(span.start)?.take(span.end - span.start);
        let mut piece = vec![0; PIECE];
        loop {
            match bytes.read(&mut piece).map_err(EngineError::Io)? {
                0 => return Ok(Some(part.finish()?)),
                num => engine::write_part(&mut part, &piece[..num])?,
            }
        }
    };
    let Json(kept) = desk.app.call(work).await?;
    let kept = kept.ok_or_else(|| s3_error!(InvalidRange, "the file has no such range"))?;
    let copied = CopyPartResult {
        e_tag: Some(tag(kept.content_hash)),
        last_modified: Some(time(kept.modified)),
        ..Default::default()
    };
    Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(copied), ..Default::default() }))
}

/// Makes one file of the parts.
pub(super) async fn complete(
    desk: &Desk,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let CompleteMultipartUploadInput { bucket, key, upload_id, multipart_upload, if_match, if_none_match, .. } =
        request.input;
    let path = file(&key)?;
    let condition = precondition(if_match.as_ref(), if_none_match.as_ref())?;
    let mut parts = Vec::new();
    for part in multipart_upload.and_then(|named| named.parts).unwrap_or_default() {
        let number = number_of(part.part_number.unwrap_or(-1))?;
        let hash = part.e_tag.as_ref().and_then(hash_of);
        parts.push((
            number,
            hash.ok_or_else(|| s3_error!(InvalidPart, "the `ETag` of part {} is none of its reply", number))?,
        ));
    }
    let work = move |engine: &Engine| place.open(engine)?.complete_multipart(&path, &upload_id, &parts, &condition);
    let Json(reply) = desk.app.call(work).await?;
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        location: Some(format!("/{bucket}/{}", reply.path)),
        bucket: Some(bucket),
        key: Some(key),
        e_tag: reply.content_hash.map(tag),
        ..Default::default()
    }))
}

/// Gives an upload up.
pub(super) async fn abort(
    desk: &Desk,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let AbortMultipartUploadInput { key, upload_id, .. } = request.input;
    let path = file(&key)?;
    desk.app.call(move |engine| place.open(engine)?.abort_multipart(&path, &upload_id)).await.map(drop)?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

/// Lists the parts of an upload.
pub(super) async fn list(desk: &Desk, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let ListPartsInput { bucket, key, upload_id, max_parts, part_number_marker, .. } = request.input;
    let (path, id) = (file(&key)?, upload_id.clone());
    let Json(kept) = desk.app.call(move |engine| place.open(engine)?.parts(&path, &id)).await?;
    let (after, max_parts) = (number_of(part_number_marker.unwrap_or(0))?, max_parts.unwrap_or(MAX_PAGE));
    let most = usize::try_from(max_parts.min(MAX_PAGE)).unwrap_or(0);
    let mut parts: Vec<Part> = kept
        .iter()
        .filter(|part| part.number > after)
        .take(most.saturating_add(1))
        .map(|part| Part {
            part_number: i32::try_from(part.number).ok(),
            size: i64::try_from(part.size).ok(),
            e_tag: Some(tag(part.content_hash)),
            last_modified: Some(time(part.modified)),
            ..Default::default()
        })
        .collect();
    let is_truncated = parts.len() > most;
    parts.truncate(most);
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(bucket),
        key: Some(key),
        upload_id: Some(upload_id),
        max_parts: Some(max_parts),
        part_number_marker,
        next_part_number_marker: parts.last().and_then(|part| part.part_number).filter(|_| is_truncated),
        is_truncated: Some(is_truncated),
        parts: Some(parts),
        ..Default::default()
    }))
}

/// Lists the uploads of a workspace that are not complete.
pub(super) async fn list_uploads(
    desk: &Desk,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let ListMultipartUploadsInput {
        bucket,
        prefix,
        key_marker,
        upload_id_marker,
        max_uploads,
        encoding_type,
        delimiter,
        ..
    } = request.input;
    if delimiter.is_some() {
        return Err(s3_error!(NotImplemented, "uploads are listed without `delimiter`"));
    }
    let encoding = Encoding::of(encoding_type.as_ref())?;
    let Json(all) = desk.app.call(move |engine| place.open(engine)?.multipart_uploads()).await?;
    let max_uploads = max_uploads.unwrap_or(MAX_PAGE);
    let most = usize::try_from(max_uploads.min(MAX_PAGE)).unwrap_or(0);
    let begins = prefix.clone().unwrap_or_default();
    let is_next = |path: &str, id: &str| match (&key_marker, &upload_id_marker) {
        (None, _) => true,
        (Some(key), None) => path > key.as_str(),
        (Some(key), Some(after)) => (path, id) > (key.as_str(), after.as_str()),
    };
    let of_page = |upload: &&engine::UnfinishedUpload| {
        upload.path.as_str().starts_with(&begins) && is_next(upload.path.as_str(), &upload.id)
    };
    let mut page: Vec<_> = all.iter().filter(of_page).take(most.saturating_add(1)).collect();
    let is_truncated = page.len() > most;
    page.truncate(most);
    let last = page.last().filter(|_| is_truncated);
    let told = |upload: &&engine::UnfinishedUpload| MultipartUpload {
        key: Some(encoding.apply(upload.path.as_str())),
        upload_id: Some(upload.id.clone()),
        initiated: Some(time(upload.begun)),
        ..Default::default()
    };
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(bucket),
        prefix: prefix.map(|prefix| encoding.apply(&prefix)),
        next_key_marker: last.map(|upload| encoding.apply(upload.path.as_str())),
        next_upload_id_marker: last.map(|upload| upload.id.clone()),
        key_marker: key_marker.as_deref().map(|marker| encoding.apply(marker)),
        upload_id_marker: upload_id_marker.clone(),
        max_uploads: Some(max_uploads),
        is_truncated: Some(is_truncated),
        uploads: Some(page.iter().map(told).collect()),
        encoding_type: encoding.told(),
        ..Default::default()
    }))
}
