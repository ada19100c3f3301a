//! The protocol of S3 over a listener of its own: a bucket is a workspace, an object a file.
//!
//! # Invariants
//! - Every file is read and written by the engine's verbs, as over REST: rights, globs, quotas, the log and the journal are theirs.
//! - Whoever is refused in front gets an error as S3 has them, too.
//! - A body is read bit by bit within a deadline, and holds no thread while it comes.
//! - No browser runs what a file holds: it would run under the name of this machine, as the reviewers' page does.
//!
//! # Not here
//! The form of requests and replies, and the check of a signature: the crate `s3s` has them. What a caller may do: `access` and `engine`.

mod checks;
mod door;
mod error;
mod markers;
mod names;
mod parts;
mod reading;
mod writing;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, EXPECT};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router, middleware};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, GetBucketLocationInput, GetBucketLocationOutput, GetBucketVersioningInput,
    GetBucketVersioningOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput,
    HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput,
    Owner, PutObjectInput, PutObjectOutput, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use tokio_stream::StreamExt as _;

use self::markers::Markers;
use super::app::App;
use super::connections::Served;
use super::door::{Checked, Place};
use super::error::ApiError;
use super::guard::{self, AllowedHosts};
use super::{request_id, routes};
use crate::engine::Engine;
use crate::workspace::WorkspaceId;

/// Bytes of a request in XML, such as a list of files to delete.
const XML_BYTES: usize = 2 * 1024 * 1024;

/// What is served at `address`, by the side of REST.
pub(super) fn served(app: &Arc<App>, address: SocketAddr, allowed_hosts: &[String]) -> Served {
    let hosts = Arc::new(AllowedHosts::new(address, allowed_hosts));
    let mut config = s3s::config::S3Config::default();
    config.xml_max_body_size = XML_BYTES;
    let mut builder = S3ServiceBuilder::new(Desk { app: Arc::clone(app), markers: Markers::default() });
    builder.set_config(Arc::new(s3s::config::StaticConfigProvider::new(Arc::new(config))));
    builder.set_auth(door::Secrets);
    builder.set_access(door::Proof(Arc::clone(app)));
    builder.set_validation(names::Buckets);
    let service = builder.build();
    // The last layer is the first that a request meets.
    let guarded = |routes: Router| {
        routes
            .layer(middleware::from_fn_with_state(Arc::clone(&hosts), guard::check_sender))
            .layer(middleware::map_response(error::as_xml))
            .layer(middleware::from_fn_with_state(Arc::clone(&app.metrics), request_id::log))
            .layer(middleware::from_fn(close_where_a_body_stays_away))
    };
    let all = Router::new()
        .fallback(call)
        .with_state(Front { service, app: Arc::clone(app) })
        .layer(middleware::from_fn_with_state(Arc::clone(app), door::admit));
    let full = Router::new().fallback(routes::no_place).layer(middleware::map_response(routes::closing));
    Served { all: guarded(all), health: guarded(full), metrics: Arc::clone(&app.metrics) }
}

/// Closes the connection after the refusal of a client that asked whether to send its body (`Expect: 100-continue`): it sends none then, and the
/// beginning of its next request would be taken for it.
async fn close_where_a_body_stays_away(request: Request, next: middleware::Next) -> Response {
    let asks = request.headers().contains_key(EXPECT);
    let response = next.run(request).await;
    if asks && !response.status().is_success() { routes::closing(response).await } else { response }
}

/// What each request is given to.
#[derive(Clone)]
struct Front {
    service: S3Service,
    app: Arc<App>,
}

async fn call(State(Front { service, app }): State<Front>, request: Request) -> Response {
    let is_short = !is_file(&request) && !request.body().is_end_stream();
    let request = if is_short { request.map(|body| at_once(app, body)) } else { request };
    match service.call(request.map(s3s::Body::http_body_unsync)).await {
        Ok(mut response) => {
            // What somebody wrote is no page of ours, also where the URL says as what it is to be shown.
            response
                .headers_mut()
                .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
            response.map(Body::new)
        }
        Err(_) => ApiError::internal("a reply of S3 could not be written").into_response(),
    }
}

/// Whether the body of a request is a file or a part of one. All others are short, and read at once.
fn is_file(request: &Request) -> bool {
    let path = request.uri().path().trim_start_matches('/');
    let is_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let names =
        request.uri().query().unwrap_or_default().split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let is_plain = |name: &str| matches!(name, "" | "partNumber" | "uploadId" | "x-id") || name.starts_with("X-Amz-");
    request.method() == Method::PUT && is_object && names.into_iter().all(is_plain)
}

/// A body that is read as a whole when it is asked for: within the time, and what all that are being received may take together.
fn at_once(app: Arc<App>, body: Body) -> Body {
    let read = move |body: Body| {
        let app = Arc::clone(&app);
        async move {
            let whole = app.read_body(body).await.map_err(|_| std::io::Error::other("the body did not come"))?;
            Ok::<Bytes, std::io::Error>(whole.bytes)
        }
    };
    Body::from_stream(tokio_stream::once(body).then(read))
}

/// Answers each request by the engine.
struct Desk {
    app: Arc<App>,
    markers: Markers,
}

/// The workspace that a request names, and who asks for it.
fn place<T>(request: &S3Request<T>, bucket: &str) -> S3Result<Place> {
    let id: WorkspaceId = bucket.parse().map_err(|_| s3_error!(NoSuchBucket))?;
    Ok(Place { id, by: by(request)? })
}

fn by<T>(request: &S3Request<T>) -> S3Result<Checked> {
    request.extensions.get::<Checked>().cloned().ok_or_else(|| s3_error!(AccessDenied))
}

#[async_trait::async_trait]
impl S3 for Desk {
    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let by = by(&request)?;
        let list = move |engine: &Engine| engine.list_workspaces(&by.caller(engine)?);
        let Json(list) = self.app.call(list).await?;
        let prefix = request.input.prefix.unwrap_or_default();
        let named = list.workspaces.into_iter().filter(|row| row.name.as_str().starts_with(&prefix));
        // Some clients cannot do without a time, and none is known.
        let made = Some(names::time(jiff::Timestamp::UNIX_EPOCH));
        let bucket =
            |name: WorkspaceId| Bucket { name: Some(name.into()), creation_date: made.clone(), ..Default::default() };
        let owner = Owner { display_name: Some("pincite".to_owned()), id: Some("pincite".to_owned()) };
        let buckets = Some(named.map(|row| bucket(row.name)).collect());
        Ok(S3Response::new(ListBucketsOutput { buckets, owner: Some(owner), ..Default::default() }))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let place = place(&request, &request.input.bucket)?;
        self.app.call(move |engine| place.open(engine).map(drop)).await.map(drop)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let place = place(&request, &request.input.bucket)?;
        self.app.call(move |engine| place.open(engine).map(drop)).await.map(drop)?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let place = place(&request, &request.input.bucket)?;
        self.app.call(move |engine| place.open(engine).map(drop)).await.map(drop)?;
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let Place { id, by } = place(&request, &request.input.bucket)?;
        let make = move |engine: &Engine| {
            let caller = by.caller(engine)?;
            // Clients make a bucket before they write into it.
            if engine.list_workspaces(&caller)?.workspaces.iter().any(|row| row.name == id) {
                return Ok(false);
            }
            engine.create_workspace_for_client(&caller, &id, None).map(|_| true)
        };
        let Json(is_new) = self.app.call(make).await?;
        if !is_new {
            return Err(s3_error!(BucketAlreadyOwnedByYou, "there is such a workspace, and you have rights in it"));
        }
        let location = Some(format!("/{}", request.input.bucket));
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        reading::list_v1(self, request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        reading::list_v2(self, request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        reading::get(self, request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        reading::head(self, request).await
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        writing::put(self, request).await
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        writing::copy(self, request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        writing::delete(self, request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        writing::delete_many(self, request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        parts::create(self, request).await
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        parts::upload(self, request).await
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        parts::copy(self, request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        parts::complete(self, request).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        parts::abort(self, request).await
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        parts::list(self, request).await
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        parts::list_uploads(self, request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_and_parts_come_bit_by_bit() {
        let is_file = |method: Method, uri: &str| {
            is_file(&Request::builder().method(method).uri(uri).body(Body::empty()).unwrap())
        };
        for uri in
            ["/b/k", "/b/a/k?x-id=PutObject", "/b/k?partNumber=1&uploadId=0", "/b/k?X-Amz-Signature=0&x-id=PutObject"]
        {
            assert!(is_file(Method::PUT, uri), "{uri}");
            assert!(!is_file(Method::POST, uri), "{uri}");
        }
        for uri in ["/b", "/b/", "/", "/b?acl", "/b/k?acl", "/b/k?tagging=", "/b/k?partNumber=1&retention"] {
            assert!(!is_file(Method::PUT, uri), "{uri}");
        }
    }
}
