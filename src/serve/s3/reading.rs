//! Files that are read and listed.

use std::sync::Arc;

use axum::Json;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use s3s::dto::{
    ChecksumType, CommonPrefix, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Range, StreamingBlob, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto, s3_error};

use super::names::{Encoding, Key, hash_of, key, tag, time};
use super::{Desk, place};
use crate::engine::{Engine, Object, ObjectList, ObjectsRequest};
use crate::serve::door::Place;
use crate::serve::sending::pieces;
use crate::workspace::RelPath;

/// What files are said to be: their types are found from their content, and only readers know them.
const CONTENT_TYPE: &str = "binary/octet-stream";
/// What a folder is said to be.
const FOLDER_TYPE: &str = "application/x-directory";
/// Most entries of one page.
const MAX_KEYS: i32 = 1_000;

/// What must be true of a file for it to be sent.
struct Conditions {
    matches: Option<ETagCondition>,
    none_match: Option<ETagCondition>,
    modified_since: Option<Timestamp>,
    unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Compares as RFC 9110 has it (section 13.2.2): conditions on time count only beside none on tags.
    fn check(&self, object: &Object) -> S3Result<()> {
        // The header has whole seconds.
        let modified = time(jiff::Timestamp::from_second(object.modified.as_second()).unwrap_or_default());
        let meets = |condition: &ETagCondition| meets(object, condition);
        let holds = match (&self.matches, &self.unmodified_since) {
            (Some(condition), _) => meets(condition),
            (None, Some(since)) => modified <= *since,
            (None, None) => true,
        };
        if !holds {
            return Err(s3_error!(PreconditionFailed, "the file is not as the request expects it"));
        }
        let is_unchanged = match (&self.none_match, &self.modified_since) {
            (Some(condition), _) => meets(condition),
            (None, Some(since)) => modified <= *since,
            (None, None) => false,
        };
        if is_unchanged { Err(S3Error::new(S3ErrorCode::NotModified)) } else { Ok(()) }
    }
}

/// Whether a file has the tag that a condition names.
pub(super) fn meets(object: &Object, condition: &ETagCondition) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => hash_of(tag).is_some_and(|hash| object.content_hash == Some(hash)),
    }
}

/// The conditions of an input of `s3s`, whose types have them under the same names and nothing else in common.
macro_rules! conditions_of {
    ($input:ident) => {
        Conditions {
            matches: $input.if_match,
            none_match: $input.if_none_match,
            modified_since: $input.if_modified_since,
            unmodified_since: $input.if_unmodified_since,
        }
    };
}

/// Sends a file, or a part of it.
pub(super) async fn get(desk: &Desk, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let is_signed = request.credentials.is_some();
    let input = request.input;
    let is_shaped = [
        &input.response_cache_control,
        &input.response_content_disposition,
        &input.response_content_encoding,
        &input.response_content_language,
        &input.response_content_type,
    ];
    if !is_signed && (is_shaped.into_iter().any(Option::is_some) || input.response_expires.is_some()) {
        return Err(s3_error!(InvalidRequest, "only a request with a signature says what headers its reply has"));
    }
    let path = match key(&input.key)? {
        Key::File(path) => path,
        Key::Folder(folder) => return get_folder(desk, place, &folder).await,
    };
    let conditions = conditions_of!(input);
    let Json(opened) = desk.app.call(move |engine| place.open(engine)?.open_object(&path)).await?;
    conditions.check(&opened.object)?;
    let object = opened.object.clone();
    let range = input.range.map(|range| span(&range, object.size)).transpose()?;
    let (start, end) = range.unwrap_or((0, object.size));
    let Json(bytes) = desk.app.call_at_once(move |_| opened.read_from(start)).await?;
    let is_whole = range.is_none();
    Ok(S3Response::new(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        body: Some(StreamingBlob::wrap(pieces(bytes, end - start))),
        checksum_sha256: checksum(&object, is_whole && input.checksum_mode.is_some()),
        checksum_type: (is_whole && input.checksum_mode.is_some()).then(full_object),
        content_length: i64::try_from(end - start).ok(),
        content_range: (!is_whole).then(|| format!("bytes {start}-{}/{}", end - 1, object.size)),
        content_type: Some(CONTENT_TYPE.to_owned()),
        e_tag: object.content_hash.map(tag),
        last_modified: Some(time(object.modified)),
        ..Default::default()
    }))
}

/// Tells of a file without sending it.
pub(super) async fn head(desk: &Desk, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let input = request.input;
    let path = match key(&input.key)? {
        Key::File(path) => path,
        Key::Folder(folder) => return head_folder(desk, place, &folder).await,
    };
    let conditions = conditions_of!(input);
    let Json(object) = desk.app.call(move |engine| place.open(engine)?.object(&path)).await?;
    conditions.check(&object)?;
    let range = input.range.map(|range| span(&range, object.size)).transpose()?;
    let (start, end) = range.unwrap_or((0, object.size));
    let is_whole = range.is_none();
    let output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        checksum_sha256: checksum(&object, is_whole && input.checksum_mode.is_some()),
        checksum_type: (is_whole && input.checksum_mode.is_some()).then(full_object),
        content_length: i64::try_from(end - start).ok(),
        content_range: (!is_whole).then(|| format!("bytes {start}-{}/{}", end - 1, object.size)),
        content_type: Some(CONTENT_TYPE.to_owned()),
        e_tag: object.content_hash.map(tag),
        last_modified: Some(time(object.modified)),
        ..Default::default()
    };
    let status = (!is_whole).then_some(axum::http::StatusCode::PARTIAL_CONTENT);
    Ok(S3Response { status, ..S3Response::new(output) })
}

fn checksum(object: &Object, is_wanted: bool) -> Option<String> {
    object.content_hash.filter(|_| is_wanted).map(|hash| STANDARD.encode(hash.0))
}

fn full_object() -> ChecksumType {
    ChecksumType::from_static(ChecksumType::FULL_OBJECT)
}

/// The bytes of a range, up to the end of the file.
fn span(range: &Range, size: u64) -> S3Result<(u64, u64)> {
    let span = range.check(size).map_err(|_| s3_error!(InvalidRange, "the file has {} bytes", size))?;
    if span.is_empty() { Err(s3_error!(InvalidRange, "the range is empty")) } else { Ok((span.start, span.end)) }
}

async fn get_folder(desk: &Desk, place: Place, folder: &RelPath) -> S3Result<S3Response<GetObjectOutput>> {
    check_folder(desk, place, folder).await?;
    let body = Some(StreamingBlob::from(s3s::Body::empty()));
    let content_type = Some(FOLDER_TYPE.to_owned());
    Ok(S3Response::new(GetObjectOutput { body, content_length: Some(0), content_type, ..Default::default() }))
}

async fn head_folder(desk: &Desk, place: Place, folder: &RelPath) -> S3Result<S3Response<HeadObjectOutput>> {
    check_folder(desk, place, folder).await?;
    let content_type = Some(FOLDER_TYPE.to_owned());
    Ok(S3Response::new(HeadObjectOutput { content_length: Some(0), content_type, ..Default::default() }))
}

/// A folder is there where a file is below it, or where the caller has just made it.
async fn check_folder(desk: &Desk, place: Place, folder: &RelPath) -> S3Result<()> {
    if desk.markers.has(&place, folder) {
        return Ok(());
    }
    let request = ObjectsRequest { prefix: format!("{folder}/"), limit: 1, ..ObjectsRequest::default() };
    let Json(list) = desk.app.call(move |engine| place.open(engine)?.objects(&request)).await?;
    if list.objects.is_empty() { Err(s3_error!(NoSuchKey, "no file is below this folder")) } else { Ok(()) }
}

/// A page of files, and how it is told.
struct Page {
    list: ObjectList,
    max_keys: i32,
    encoding: Encoding,
    next: Option<String>,
}

impl Page {
    async fn of(
        desk: &Desk,
        place: Place,
        request: ObjectsRequest,
        max_keys: Option<i32>,
        encoding: Encoding,
    ) -> S3Result<Self> {
        let max_keys = max_keys.unwrap_or(MAX_KEYS);
        let limit =
            usize::try_from(max_keys.min(MAX_KEYS)).map_err(|_| s3_error!(InvalidArgument, "`max-keys` is below 0"))?;
        let request = Arc::new(ObjectsRequest { limit, ..request });
        let work = move |engine: &Engine| place.open(engine)?.objects(&request);
        let Json(mut list) = desk.app.call(work).await?;
        let next = list.next.take();
        Ok(Self { list, max_keys, encoding, next })
    }

    fn objects(&self) -> Vec<dto::Object> {
        let told = |object: &Object| dto::Object {
            key: Some(self.encoding.apply(object.path.as_str())),
            size: i64::try_from(object.size).ok(),
            last_modified: Some(time(object.modified)),
            e_tag: object.content_hash.map(tag),
            ..Default::default()
        };
        self.list.objects.iter().map(told).collect()
    }

    fn prefixes(&self) -> Vec<CommonPrefix> {
        let told = |prefix: &String| CommonPrefix { prefix: Some(self.encoding.apply(prefix)) };
        self.list.prefixes.iter().map(told).collect()
    }

    fn num(&self) -> Option<i32> {
        i32::try_from(self.list.objects.len() + self.list.prefixes.len()).ok()
    }
}

/// Lists files in pages whose next one a token leads to.
pub(super) async fn list_v2(
    desk: &Desk,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let place = place(&request, &request.input.bucket)?;
    let ListObjectsV2Input {
        bucket, prefix, delimiter, continuation_token, start_after, max_keys, encoding_type, ..
    } = request.input;
    let encoding = Encoding::of(encoding_type.as_ref())?;
    let after = match &continuation_token {
        Some(token) => Some(after_of(token)?),
        None => start_after.clone(),
    };
    let asked =
        ObjectsRequest { prefix: prefix.clone().unwrap_or_default(), delimiter: delimiter.clone(), after, limit: 0 };
    let page = Page::of(desk, place, asked, max_keys, encoding).await?;
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(bucket),
        prefix: prefix.map(|prefix| encoding.apply(&prefix)),
        delimiter: delimiter.map(|delimiter| encoding.apply(&delimiter)),
        start_after: start_after.map(|after| encoding.apply(&after)),
        max_keys: Some(page.max_keys),
        key_count: page.num(),
        continuation_token,
        is_truncated: Some(page.next.is_some()),
        contents: Some(page.objects()),
        common_prefixes: Some(page.prefixes()),
        encoding_type: encoding.told(),
        next_continuation_token: page.next.map(|next| URL_SAFE_NO_PAD.encode(next)),
        ..Default::default()
    }))
}

/// Lists files in pages whose next one begins after the last name.
pub(super) async fn list_v1(
    desk: &Desk,
    request: S3Request<ListObjectsInput>,
) -> S3Result<S3Response<ListObjectsOutput>> {
    let place = place(&request, &request.input.bucket)?;
    let ListObjectsInput { bucket, prefix, delimiter, marker, max_keys, encoding_type, .. } = request.input;
    let encoding = Encoding::of(encoding_type.as_ref())?;
    let after = marker.clone().filter(|marker| !marker.is_empty());
    let asked =
        ObjectsRequest { prefix: prefix.clone().unwrap_or_default(), delimiter: delimiter.clone(), after, limit: 0 };
    let page = Page::of(desk, place, asked, max_keys, encoding).await?;
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(bucket),
        prefix: prefix.map(|prefix| encoding.apply(&prefix)),
        delimiter: delimiter.map(|delimiter| encoding.apply(&delimiter)),
        marker: Some(marker.map(|marker| encoding.apply(&marker)).unwrap_or_default()),
        max_keys: Some(page.max_keys),
        is_truncated: Some(page.next.is_some()),
        contents: Some(page.objects()),
        common_prefixes: Some(page.prefixes()),
        encoding_type: encoding.told(),
        next_marker: page.next.map(|next| encoding.apply(&next)),
        ..Default::default()
    }))
}

/// What a token of ours says.
fn after_of(token: &str) -> S3Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let after = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    after.ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is none of this server"))
}
