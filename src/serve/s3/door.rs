//! Who makes a request of S3: the key that signed it, or this machine's user as long as no key was made.
//!
//! # Invariants
//! - Only signatures of version 4 are taken, in the header or in the URL: those of version 2 can be sent again at any time, and forms of
//!   browsers carry none that covers them.
//! - A signature in the header covers the host and each `x-amz-` header: whoever stands between can add none.
//! - A key is looked up for each request. Once a key was made, no request without a signature is admitted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use crate::access::AccessError;
use crate::engine::{Caller, Engine, EngineError, Signer, Surface};
use crate::error::Advice as _;
use crate::network::Network;
use crate::serve::app::{App, HOLDER};
use crate::serve::door::{Checked, Peer};
use crate::serve::error::ApiError;
use crate::serve::request_id::RequestId;
use crate::serve::{allowance, client};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

tokio::task_local! {
    /// Who the request at hand says it is from.
    static CLAIM: Arc<Claim>;
}

/// Who a request says it is from.
struct Claim {
    caller: Caller,
    /// The secret that proves it; none where nothing is to be proven.
    secret: Option<String>,
    /// Whether the signature was found to be right.
    is_proven: AtomicBool,
}

/// Finds the key that a request names, and counts requests. Whether the signature is right, [`Proof`] says.
pub(super) async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let engine = app.engine();
    let named = match named(&request) {
        Ok(named) => named,
        Err(error) => return error.into_response(),
    };
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let address = peer.map(|peer| client::address_of(peer, request.headers(), &engine.config().serve));
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let network = address.map(Network::of_client);
    let limits_loopback = engine.config().serve.limit_loopback;
    let is_counted = network.is_some_and(|network| limits_loopback || !network.is_loopback());
    let visit = Visit { app: Arc::clone(&app), network, is_counted };
    let is_named = named.is_some();
    let found = match named {
        Some(id) => visit.signer(id).await,
        None => visit.local().await,
    };
    let recorded = |code: &'static str| {
        let request_id = request_id.clone();
        let record = move |engine: &Engine| {
            engine.record_unknown(Surface::S3, address, request_id.as_deref(), ("door", code));
            Ok(())
        };
        async { drop(app.call_at_once(record).await) }
    };
    let Signer { caller, secret } = match found {
        Ok(signer) => signer,
        Err((response, code)) => {
            recorded(code).await;
            return *response;
        }
    };
    let caller = Caller { address, request_id: request_id.clone(), ..caller };
    // Only work of a caller that has proven itself takes places.
    let holder = engine.limited(&caller).map(|whose| whose.to_string().into());
    let secret = is_named.then_some(secret);
    let claim = Arc::new(Claim { caller, secret, is_proven: AtomicBool::new(false) });
    let response = CLAIM.scope(Arc::clone(&claim), HOLDER.scope(holder, next.run(request))).await;
    if is_named && !claim.is_proven.load(Ordering::Relaxed) && response.status() == StatusCode::FORBIDDEN {
        visit.was_a_guess();
        recorded(AccessError::InvalidKey.code()).await;
    }
    response
}

type Refused = (Box<Response>, &'static str);

struct Visit {
    app: Arc<App>,
    network: Option<Network>,
    is_counted: bool,
}

impl Visit {
    /// The key of an id, where it holds.
    async fn signer(&self, id: String) -> Result<Signer, Refused> {
        let engine = self.app.engine();
        let asked = id.clone();
        let found = self.app.call_at_once(move |engine| engine.signer(&asked)).await;
        let found = found.map_err(|error| (Box::new(error.into_response()), "internal"))?.0;
        let is_familiar = found.as_ref().and_then(|signer| signer.caller.key()).is_some_and(|key| {
            engine.rates().take_of_familiar(&id, &key.row.hash, 0).is_some_and(|taken| taken.is_ok())
        });
        if let Some(network) = self.network.filter(|_| !is_familiar) {
            // A signature that is right costs nothing of what guesses may.
            engine.rates().take_of_guess(network, self.is_counted).map_err(|exhausted| refused(&exhausted))?;
            engine.rates().was_no_guess(network, self.is_counted);
        }
        found.ok_or_else(|| {
            self.was_a_guess();
            let error = AccessError::InvalidKey;
            (Box::new(ApiError::of_name(&EngineError::from(error.clone())).into_response()), error.code())
        })
    }

    /// This machine's user, as long as no key was made.
    async fn local(&self) -> Result<Signer, Refused> {
        if let Some(network) = self.network.filter(|_| self.is_counted) {
            self.app.engine().rates().take_of_network(network, 1).map_err(|exhausted| refused(&exhausted))?;
        }
        match self.app.call_at_once(Engine::has_keys).await {
            Ok(axum::Json(false)) => Ok(Signer { caller: Caller::local(Surface::S3), secret: String::new() }),
            Ok(axum::Json(true)) => {
                let hint = "sign it with a key: `pincite key s3 ID` shows what with";
                let error = ApiError::new(StatusCode::FORBIDDEN, "no_signature", "the request has no signature", hint);
                Err((Box::new(error.into_response()), AccessError::NoKey.code()))
            }
            Err(error) => Err((Box::new(error.into_response()), "internal")),
        }
    }

    fn was_a_guess(&self) {
        if let Some(network) = self.network {
            let _ = self.app.engine().rates().take_of_guess(network, self.is_counted);
        }
    }
}

fn refused(exhausted: &crate::engine::Exhausted) -> Refused {
    (Box::new(allowance::refused(exhausted)), "too_many_requests")
}

/// Gives the secret of the key that the request names.
pub(super) struct Secrets;

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let claim = CLAIM.try_with(Arc::clone).map_err(|_| s3_error!(InternalError))?;
        let is_of_key = claim.caller.key().is_some_and(|key| key.row.id == access_key);
        let secret = claim.secret.as_deref().filter(|_| is_of_key);
        secret.map(SecretKey::from).ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

/// Lets a request through whose signature is right, as the caller that it is from.
pub(super) struct Proof(pub Arc<App>);

#[async_trait::async_trait]
impl S3Access for Proof {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let claim = CLAIM.try_with(Arc::clone).map_err(|_| s3_error!(InternalError))?;
        match (context.credentials(), claim.caller.key()) {
            (None, None) => {}
            (Some(credentials), Some(key)) if credentials.access_key == key.row.id => {
                claim.is_proven.store(true, Ordering::Relaxed);
                let taken = self.0.engine().rates().take_of_key(&key.row.id, key.row.hash, 1);
                if taken.is_err() {
                    let error =
                        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", TOO_MANY, "ask less often");
                    return Err(error.into());
                }
            }
            _ => return Err(s3_error!(AccessDenied, "the request has no signature")),
        }
        context.extensions_mut().insert(Checked::now(claim.caller.clone(), None));
        Ok(())
    }
}

const TOO_MANY: &str =
    "the key sends more requests than it may (`limits.key_requests_per_core`, `limits.request_burst_s`)";

/// The key that a request names as its signer; `None` where it has no signature.
fn named(request: &Request) -> Result<Option<String>, ApiError> {
    let invalid =
        |message: &str, hint: &str| ApiError::new(StatusCode::BAD_REQUEST, "invalid_signature", message, hint);
    let not_taken = |message: &str| {
        let hint = "sign with version 4 (AWS4-HMAC-SHA256), in the header or in the URL";
        ApiError::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", message, hint)
    };
    if request.method() == Method::POST && is_form(request.headers()) {
        return Err(not_taken("forms of browsers are not taken"));
    }
    let mut in_url = None;
    for pair in request.uri().query().unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        match &*name {
            "Signature" | "AWSAccessKeyId" => return Err(not_taken("signatures of version 2 are not taken")),
            "X-Amz-Credential" => {
                let value = percent_decode_str(value).decode_utf8_lossy();
                let id = value.split('/').next().unwrap_or_default().to_owned();
                if in_url.replace(id).is_some() {
                    return Err(invalid("the URL names several keys", "sign it once"));
                }
            }
            _ => {}
        }
    }
    let mut headers = request.headers().get_all(AUTHORIZATION).iter();
    let Some(header) = headers.next() else { return Ok(in_url) };
    if headers.next().is_some() || in_url.is_some() {
        return Err(invalid("the request has several signatures", "sign it once"));
    }
    let text = header.to_str().unwrap_or_default();
    let Some(fields) = text.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' ')) else {
        return Err(not_taken("the header `Authorization` holds no signature of version 4"));
    };
    let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
    let signed: Vec<&str> = field("SignedHeaders").unwrap_or_default().split(';').collect();
    let mut must_be_signed = request.headers().keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    if !signed.contains(&"host") || !must_be_signed.all(|name| signed.contains(&name)) {
        return Err(invalid("the signature does not cover `host` and all `x-amz-` headers", "sign them, too"));
    }
    let id = field("Credential").and_then(|credential| credential.split('/').next());
    id.map(|id| Some(id.to_owned())).ok_or_else(|| invalid("the signature names no key", "sign with a key"))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(CONTENT_TYPE).iter();
    kinds
        .into_iter()
        .any(|kind| kind.to_str().is_ok_and(|kind| kind.to_ascii_lowercase().contains("multipart/form-data")))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn read(uri: &str, headers: &[(&str, &str)]) -> Result<Option<String>, StatusCode> {
        let mut request = Request::builder().method("GET").uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        named(&request.body(Body::empty()).unwrap()).map_err(|error| error.status())
    }

    #[test]
    fn a_signature_names_its_key_once_and_covers_what_it_must() {
        let of = |signed: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential=3fJk9QzL/20261130/us-east-1/s3/aws4_request, SignedHeaders={signed}, Signature=00"
            )
        };
        let (id, good) = (Ok(Some("3fJk9QzL".to_owned())), of("host;x-amz-date"));
        assert_eq!(read("/b/k", &[]), Ok(None));
        assert_eq!(read("/b/k", &[("authorization", &good), ("x-amz-date", "x")]), id);
        assert_eq!(read("/b/k?X-Amz-Credential=3fJk9QzL%2F2026&X-Amz-Signature=0", &[]), id);
        let bad = Err(StatusCode::BAD_REQUEST);
        assert_eq!(read("/b/k", &[("authorization", &of("x-amz-date"))]), bad);
        assert_eq!(read("/b/k", &[("authorization", &good), ("x-amz-copy-source", "/b/other")]), bad);
        assert_eq!(read("/b/k", &[("authorization", &good), ("authorization", &good)]), bad);
        assert_eq!(read("/b/k?X-Amz-Credential=a%2Fb", &[("authorization", &good)]), bad);
        assert_eq!(read("/b/k?X-Amz-Credential=a%2Fb&X-Amz-%43redential=c", &[]), bad);
    }

    #[test]
    fn signatures_of_version_2_and_keys_of_rest_are_refused() {
        for (uri, header) in [
            ("/b/k", Some("AWS 3fJk9QzL:c2lnbmF0dXJl")),
            ("/b/k", Some("Bearer pin_x")),
            ("/b/k?AWSAccessKeyId=3fJk9QzL&Expires=9999999999&Signature=x", None),
            ("/b/k?%53ignature=x", None),
        ] {
            let headers: Vec<(&str, &str)> = header.map(|header| ("authorization", header)).into_iter().collect();
            assert_eq!(read(uri, &headers), Err(StatusCode::NOT_IMPLEMENTED), "{uri} {header:?}");
        }
    }
}
