//! Files that are written, copied and deleted.

use std::io::Read as _;

use axum::Json;
use axum::body::Body;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, PutObjectInput, PutObjectOutput,
    StreamingBlob,
};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};

use super::checks::{Checks, Told, checked, told_of};
use super::names::{Key, file, key, precondition, tag, time};
use super::reading::meets;
use super::{Desk, place};
use crate::engine::{Engine, EngineError, ErrorKind, OpenObject, Precondition, WriteReply};
use crate::ingest::ReadError;
use crate::serve::door::Place;
use crate::serve::error::ApiError;
use crate::serve::incoming::Incoming;
use crate::workspace::{Conflict, ContentHash, Provenance, RelPath, WorkspaceId};

/// Most files that one request deletes.
const MAX_DELETED: usize = 1_000;

/// The body of a request, bit by bit and within its time.
pub(super) fn incoming(desk: &Desk, body: Option<StreamingBlob>) -> Result<Incoming, ApiError> {
    desk.app.incoming(body.map_or_else(Body::empty, Body::from_stream))
}

/// How long a body is at the least, as its sender says.
pub(super) fn told_size(content_length: Option<i64>) -> u64 {
    content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0)
}

/// Writes a file, whole or not at all.
pub(super) async fn put(desk: &Desk, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let input = &mut request.input;
    let told = told_of!(input);
    if input.write_offset_bytes.is_some() {
        return Err(s3_error!(NotImplemented, "a file is written as a whole"));
    }
    let body = input.body.take();
    let mut checks = Checks::of(&request, told)?;
    let input = request.input;
    let condition = precondition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let mut incoming = incoming(desk, body)?;
    let path = match key(&input.key)? {
        Key::File(path) => path,
        // Folders are there where files are: of a marker nothing is written.
        Key::Folder(folder) => {
            if incoming.next().await?.is_some() {
                return Err(s3_error!(InvalidArgument, "a key that ends with `/` is a folder's, and has no content"));
            }
            let probe = RelPath::try_from(format!("{folder}/folder")).map_err(|_| s3_error!(KeyTooLongError))?;
            let at = place.clone();
            desk.app.call(move |engine| at.open(engine)?.begin_upload(&probe).map(drop)).await.map(drop)?;
            desk.markers.keep(&place, &folder);
            let e_tag = Some(tag(ContentHash::of(b"")));
            return Ok(S3Response::new(PutObjectOutput { e_tag, ..Default::default() }));
        }
    };
    let (size, at) = (told_size(input.content_length), place.clone());
    let begin = move |engine: &Engine| {
        let upload = place.open(engine)?.begin_upload(&path)?;
        upload.check_size(size).map(|()| upload)
    };
    // No thread waits for what is still to come.
    let Json(mut upload) = desk.app.call(begin).await?;
    while let Some(part) = incoming.next().await? {
        checks.update(&part);
        // It has had its turn.
        Json(upload) = desk.app.call_at_once(move |_| upload.write(&part).map(|()| upload)).await?;
    }
    let checksum = checks.finish()?;
    let finish = move |engine: &Engine| at.open(engine)?.finish_upload(upload, &condition);
    let Json(reply) = desk.app.call_at_once(finish).await?;
    Ok(S3Response::new(checked!(PutObjectOutput, reply.content_hash.map(tag), checksum)))
}

/// The file that is to be copied, and its workspace.
pub(super) fn source_of(by: &Place, source: &CopySource) -> S3Result<(Place, RelPath)> {
    let CopySource::Bucket { bucket, key, version_id: None } = source else {
        return Err(s3_error!(NotImplemented, "a file is copied from a bucket, as it is now"));
    };
    let id: WorkspaceId = bucket.parse().map_err(|_| s3_error!(NoSuchBucket))?;
    Ok((Place { id, by: by.by.clone() }, file(key)?))
}

/// Refuses to copy a file that is not as the request expects it.
pub(super) fn check_source(
    source: &OpenObject,
    matches: Option<&ETagCondition>,
    none_match: Option<&ETagCondition>,
) -> Result<(), EngineError> {
    let meets = |condition: &ETagCondition| meets(&source.object, condition);
    let holds = matches.is_none_or(meets) && !none_match.is_some_and(meets);
    if holds { Ok(()) } else { Err(EngineError::Conflict(Conflict::at(source.object.path.clone()).into())) }
}

/// Copies a file. One that is copied onto itself stays as it is: only its metadata could be meant, and there is none.
pub(super) async fn copy(desk: &Desk, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let input = request.input;
    let (from, source) = source_of(&place, &input.copy_source)?;
    let path = file(&input.key)?;
    let (matches, none_match) = (input.copy_source_if_match, input.copy_source_if_none_match);
    let work = move |engine: &Engine| {
        let source = from.open(engine)?.open_object(&source)?;
        check_source(&source, matches.as_ref(), none_match.as_ref())?;
        let object = source.object.clone();
        let workspace = place.open(engine)?;
        if from.id == place.id && object.path == path {
            return Ok((object.content_hash, object.modified));
        }
        let mut upload = workspace.begin_upload(&path)?;
        upload.check_size(object.size)?;
        upload.write_from(source.read_from(0)?.take(object.size), EngineError::Io)?;
        let WriteReply { content_hash, .. } = workspace.finish_upload(upload, &Precondition::None)?;
        Ok((content_hash, jiff::Timestamp::now()))
    };
    let Json((content_hash, modified)) = desk.app.call(work).await?;
    let copied =
        CopyObjectResult { e_tag: content_hash.map(tag), last_modified: Some(time(modified)), ..Default::default() };
    Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(copied), ..Default::default() }))
}

/// Deletes a file. One that is not there is deleted, as S3 has it.
pub(super) async fn delete(
    desk: &Desk,
    request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let input = request.input;
    let condition = precondition(input.if_match.as_ref(), None)?;
    match key(&input.key)? {
        Key::File(path) => {
            desk.app.call(move |engine| delete_file(engine, &place, &path, &condition)).await.map(drop)?;
        }
        Key::Folder(folder) => desk.markers.remove(&place, &folder),
    }
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

fn delete_file(engine: &Engine, place: &Place, path: &RelPath, condition: &Precondition) -> Result<(), EngineError> {
    let workspace = place.open(engine)?;
    match workspace.delete_file(path, condition, Provenance::default()) {
        // A folder stays until its files are deleted.
        Err(error) if error.kind() != ErrorKind::NotFound && !is_folder(&error) => Err(error),
        _ => Ok(()),
    }
}

fn is_folder(error: &EngineError) -> bool {
    matches!(error, EngineError::Read(ReadError::Folder { .. }))
}

/// Deletes files, and says of each what has become of it.
pub(super) async fn delete_many(
    desk: &Desk,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let wanted = request.input.delete;
    if wanted.objects.len() > MAX_DELETED {
        return Err(s3_error!(MalformedXML, "a request deletes at most {} files", MAX_DELETED));
    }
    let is_quiet = wanted.quiet.unwrap_or(false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in wanted.objects {
        let place = place.clone();
        let done: S3Result<()> = async {
            let condition = object.e_tag.clone().map(ETagCondition::ETag);
            let condition = precondition(condition.as_ref(), None)?;
            match key(&object.key)? {
                Key::File(path) => {
                    desk.app.call(move |engine| delete_file(engine, &place, &path, &condition)).await.map(drop)?;
                }
                Key::Folder(folder) => desk.markers.remove(&place, &folder),
            }
            Ok(())
        }
        .await;
        match done {
            Ok(()) if is_quiet => {}
            Ok(()) => deleted.push(DeletedObject { key: Some(object.key), ..Default::default() }),
            // It is so of each of them.
            Err(error) if matches!(error.code(), s3s::S3ErrorCode::NoSuchBucket) => return Err(error),
            Err(error) => errors.push(dto::Error {
                code: Some(error.code().as_str().to_owned()),
                message: error.message().map(str::to_owned),
                key: Some(object.key),
                version_id: None,
            }),
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..Default::default() }))
}
