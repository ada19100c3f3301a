//! The id of each request, and the one line that the log has about it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::header::HeaderName;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use super::error::Code;
use super::metrics::Metrics;
use crate::config::Limits;

/// The header by which a request and what the log says of it are known to belong together.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer ids of clients are not taken.
const MAX_ID_BYTES: usize = 64;

/// The id of a request, for whoever handles it.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub String);

/// Gives each request an id, counts it, and writes one line about it: the route, never what stands in the path, the query or the body.
pub(super) async fn log(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let id = id_of(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let started = std::time::Instant::now();
    let span = tracing::info_span!("request", id);
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    metrics.answered(route.as_deref().unwrap_or("none"), &method, status, elapsed);
    let refused_by = response.extensions().get::<Code>().filter(|code| is_of_limit(&code.0));
    if let Some(Code(code)) = refused_by {
        metrics.refused(code);
    }
    span.in_scope(|| tracing::debug!(%method, route, status, elapsed_ms = elapsed.as_millis(), "request"));
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn is_of_limit(code: &str) -> bool {
    matches!(code, "backlog" | "larger_than_quota") || Limits::ALL.iter().any(|limit| limit.code == code)
}

/// The client's id, where it is one that may stand in a log, else a new one.
fn id_of(request: &Request) -> String {
    static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let is_plain = |id: &&str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(is_plain)
    };
    let of_client = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(is_plain);
    of_client.map_or_else(|| format!("{:016x}-{:x}", *SEED, NEXT.fetch_add(1, Ordering::Relaxed)), str::to_owned)
}
