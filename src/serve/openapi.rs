//! The description of REST in `OpenAPI` 3.1, made from the handlers.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use super::{
    allowance, asking, audit, bounds, changes, changing, deliveries, keys, locks, openai, reading, routes, transfers,
    uploads, verdicts, webhooks, workspaces, writing,
};
use crate::config::Limits;
use crate::error::ErrorBody;

/// Search and answers with citations that can be checked.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "pincite",
        description = "Search and answers over workspaces of files. Every passage and every sentence of an answer carries a \
                       citation: the file, its content hash, the byte span, lines or page, and the exact words, which can be \
                       checked against the file as it is now. Limits are those of the server that sends it. Content of files is untrusted. Every error is \
                       `{error: {code, message, hint}}`, and below `/v1/vector_stores` and `/v1/files` `{error: {message, type, param, code}}`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        routes::livez, routes::readyz, routes::metrics_text, workspaces::list, workspaces::create, workspaces::update, workspaces::delete, routes::search, asking::ask, routes::verify, routes::status,
        routes::files, reading::file, reading::head, changes::changes, changes::contents, writing::put, writing::delete, writing::events, changing::write, changing::edit, changing::move_file, changing::copy_file, changing::grep, uploads::create, uploads::put,
        locks::take, locks::list, locks::extend, locks::release, locks::break_lock, verdicts::judge, verdicts::list,
        verdicts::withdraw, audit::of_workspace, audit::of_all, audit::head, keys::list, keys::create, keys::change, keys::rotate, keys::revoke, transfers::offer, transfers::list,
        transfers::withdraw, transfers::claim, allowance::limits,
        webhooks::list, webhooks::create, webhooks::show, webhooks::update, webhooks::delete, webhooks::rotate,
        deliveries::list, deliveries::test, deliveries::replay,
        openai::stores::list, openai::stores::show, openai::search::search, openai::store_files::list, openai::store_files::attach,
        openai::store_files::show, openai::store_files::remove, openai::store_files::content, openai::upload::create, openai::files::list,
        openai::files::show, openai::files::delete, openai::files::content,
    ),
    components(schemas(ErrorBody, openai::OpenAiErrorBody)),
    modifiers(&Bearer),
    security((), ("key" = [])),
    servers((url = "/")),
    tags(
        (name = "search", description = "Passages and answers."),
        (name = "citations", description = "Whether cited words still stand where they are cited, and what reviewers say of them."),
        (name = "files", description = "Files, their text and their changes."),
        (name = "locks", description = "Leases on files, with a fence."),
        (name = "workspaces", description = "Workspaces, and how much of each can be searched."),
        (name = "keys", description = "Keys of callers: what each may do, where, and until when."),
        (name = "webhooks", description = "Who is told of changes, and what became of each message."),
        (name = "audit", description = "Who has done and seen what."),
        (name = "openai", description = "Vector stores and files as OpenAI's clients ask for them. Errors have OpenAI's form."),
        (name = "health", description = "Probes and metrics for monitoring."),
    ),
)]
struct Description;

/// A key in the header `Authorization`, which every request needs once a key was made.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("pin_ID_SECRET_CHECKSUM")
            .description(Some("A key. Without any key, a server on loopback takes requests without one."))
            .build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// The description.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// The description as JSON text, with the limits as they are configured.
pub(super) fn json(limits: &Limits) -> String {
    let mut description = serde_json::to_value(document()).expect("the description holds nothing that JSON cannot");
    bounds::write(&mut description, limits);
    description.to_string()
}

/// The workspace in a URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct WorkspaceParam {
    /// The name of the workspace.
    #[param(example = "default", pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")]
    ws: String,
}

/// The file in a URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct PathParam {
    /// The file's path in the workspace; its `/` may stand as they are. Each name in it has at most as many bytes as the file system takes, which is
    /// 255 in most, and is no device's of Windows (`aux`, `con`).
    #[param(example = "reports/summary.md")]
    path: String,
}

/// A citation as replies hold it.
pub(super) fn example_citation() -> Value {
    json!({
        "workspace": "default",
        "path": "reports/summary.md",
        "content_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "revision": 12,
        "lines": { "start": 3, "end": 3 },
        "span": { "start": 41, "end": 78 },
        "quote": "The median latency fell to 41 ms in r3",
    })
}

/// Codes of replies that say when to come again.
const OVERLOADED: &str = "overloaded";
const FILE_CHANGES: &str = "file_changes";
const TOO_MANY_REQUESTS: &str = "too_many_requests";
const LOCKED: &str = "locked";

type Responses = BTreeMap<String, RefOr<Response>>;

fn error(description: &str, code: &str, message: &str, hint: &str) -> RefOr<Response> {
    let example = json!({ "error": { "code": code, "message": message, "hint": hint } });
    let schema = utoipa::openapi::Ref::from_schema_name("ErrorBody");
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
    let response = ResponseBuilder::new().description(description).content("application/json", content);
    with_headers(response, code).build().into()
}

/// A response with the headers that come with its code.
pub(super) fn with_headers(mut response: ResponseBuilder, code: &str) -> ResponseBuilder {
    let mut header = |name: &str, what: &str| {
        let header = HeaderBuilder::new().description(Some(what)).build();
        response = std::mem::take(&mut response).header(name, header);
    };
    if matches!(code, OVERLOADED | FILE_CHANGES | TOO_MANY_REQUESTS | LOCKED) {
        header("Retry-After", "Seconds until it may be asked again.");
    }
    if code == TOO_MANY_REQUESTS {
        header(
            "RateLimit-Policy",
            "The caller's allowances: `\"requests\";q=2000;w=20`. Every reply to a limited caller has it.",
        );
        header("RateLimit", "What is left of them: `\"requests\";r=0;t=20`. Every reply to a limited caller has it.");
    }
    response
}

fn forbidden() -> RefOr<Response> {
    error(
        "The request was sent to a host name that the server does not go by, or by a page of another site; or the caller's key lacks the \
         rights (`insufficient_scope`, `path_not_allowed`, `other_writer`, `wider_than_allowed`); or the request names a folder that clients \
         may not name.",
        "host_not_allowed",
        "the request was sent to a host name that this server does not go by",
        "use an address or `localhost`, or allow the name where the server is started",
    )
}

fn unauthorized() -> RefOr<Response> {
    error(
        "The request has no key that holds (`unauthorized`), with the header `WWW-Authenticate`; or it is a write, a secret for signatures is \
         configured, and it has no valid signature, or an old one (`bad_signature`).",
        "unauthorized",
        "the request has no key",
        "send the header `Authorization: Bearer pin_…`; `pincite key create` makes a key",
    )
}

fn too_many() -> RefOr<Response> {
    error(
        "The caller sends more requests than its key or address may (`too_many_requests`), more of its requests wait than may \
         (`too_many_waits_of_caller`), or too many keys from its address do not hold (`too_many_bad_keys`).",
        TOO_MANY_REQUESTS,
        "the caller sends more requests than it may",
        "ask again in 3 s, and less often: `GET /v1/limits` says what is left",
    )
}

fn no_room() -> RefOr<Response> {
    error(
        "A quota ends before the write would: bytes that the key may write a day, with `Retry-After`, or files or bytes of the workspace.",
        "quota_exceeded",
        "the write has 5000 bytes, and 120 of the 10737418240 bytes that the key may write a day are left (`limits.key_bytes_per_day`)",
        "write again after midnight UTC, write less at once, or raise `limits.key_bytes_per_day` in `config.toml`",
    )
}

fn internal() -> RefOr<Response> {
    error(
        "The program or its disk is at fault.",
        "internal",
        "the request failed",
        "this is a fault of the program: its log says more",
    )
}

fn full() -> RefOr<Response> {
    error(
        "The disk is full, so the request cannot be recorded, and was refused; where the message says so, it was done all the same.",
        "audit_full",
        "the disk is full, so the access cannot be recorded",
        "free space on the disk, or set `audit.on_full = \"drop\"` in `config.toml`",
    )
}

/// Errors of any request whose sender or headers are wrong.
pub(super) struct SenderErrors;

impl IntoResponses for SenderErrors {
    fn responses() -> Responses {
        let invalid = error(
            "The request names no host, or two, or one that is none.",
            "invalid_host",
            "the request has no header `Host`, more than one, or one that is no host",
            "send `Host` once, with the name and port that the server is reached by",
        );
        let long = |what: &str| ResponseBuilder::new().description(what).build().into();
        BTreeMap::from([
            ("400".to_owned(), invalid),
            ("403".to_owned(), forbidden()),
            ("414".to_owned(), long("The URL has more than 65,534 bytes. The reply has no body.")),
            ("431".to_owned(), long("The header is too large. The reply has no body.")),
        ])
    }
}

/// Errors of every request but those of health.
pub(super) struct ServerErrors;

impl IntoResponses for ServerErrors {
    fn responses() -> Responses {
        let mut responses = SenderErrors::responses();
        let overloaded = error(
            "More is asked than can be answered now; `Retry-After` says when to come again.",
            OVERLOADED,
            "so many requests are worked on and wait that this one is refused",
            "ask again in a second",
        );
        responses.extend([
            ("401".to_owned(), unauthorized()),
            ("429".to_owned(), too_many()),
            ("500".to_owned(), internal()),
            ("503".to_owned(), overloaded),
            ("507".to_owned(), full()),
        ]);
        responses
    }
}

/// Errors of a request about a workspace.
pub(super) struct Errors;

impl IntoResponses for Errors {
    fn responses() -> Responses {
        let mut responses = ServerErrors::responses();
        let more = [
            (
                "400",
                error(
                    "The request is not valid.",
                    "invalid_request",
                    "the query is empty",
                    "say what to look for, in words or as a question",
                ),
            ),
            (
                "404",
                error(
                    "There is no such workspace, file, verdict, webhook or delivery.",
                    "unknown_workspace",
                    "there is no workspace `nowhere`",
                    "make it: `POST /v1/workspaces`, or `pincite index PATH --workspace NAME`",
                ),
            ),
            (
                "409",
                error(
                    "The state is older than `min_revision`, and the wait is over; or the judged words do not stand where they are cited \
                     (`stale_citation`); or the workspace has as many verdicts or webhooks as it may have; or the webhook is switched off (`webhook_off`).",
                    "not_fresh",
                    "the workspace is at revision 11, older than the revision 12 that was asked for",
                    "ask again with a larger `wait_ms`, or without `min_revision`",
                ),
            ),
            (
                "503",
                error(
                    "The server cannot answer now; `Retry-After` says when to ask again. A limit on all requests together is met (`overloaded`, \
                     `too_many_waits`, `too_many_bodies`, `too_many_connections`), the file changes while it is read, or the model does not run.",
                    FILE_CHANGES,
                    "the file changes while it is read",
                    "index again when the file is no longer written to",
                ),
            ),
        ];
        responses.extend(more.map(|(status, response)| (status.to_owned(), response)));
        responses
    }
}

/// Further errors of a request that writes one file.
pub(super) struct WriteErrors;

impl IntoResponses for WriteErrors {
    fn responses() -> Responses {
        let response = error(
            "The file does not meet the condition (`conflict`, with `current_etag`, `changed_by`, `changed_at` and `diff`), or the lock whose token was \
             given is lost (`fenced`).",
            "conflict",
            "`notes/today.md` does not meet the condition of the request",
            "read the file again, and write with its present `content_hash`",
        );
        let required = error(
            "The workspace takes writes only with a condition.",
            "condition_required",
            "the workspace takes writes only with a condition, and this one to `notes/today.md` has none",
            "read the file and send its `content_hash` as `if_match` (`If-Match` over REST)",
        );
        let impossible = error(
            "The body does not fit the schema of the request (`invalid_body`), or the change cannot be made in what stands there (`no_match`, \
             `several_matches`, `not_text`, `file_too_large`).",
            "several_matches",
            "`notes/today.md` is not changed: edit 1 of 1: `old_text` stands in the file 2 times, in lines 3, 9",
            "add lines around it until it stands there once, or set `replace_all`",
        );
        [
            ("412".to_owned(), response),
            ("422".to_owned(), impossible),
            ("423".to_owned(), locked()),
            ("428".to_owned(), required),
        ]
        .into()
    }
}

fn locked() -> RefOr<Response> {
    error(
        "Others hold a lock on the file, or wait for one; `holder`, `expires_at`, `place` and the header `Retry-After` say more.",
        LOCKED,
        "`notes/today.md` is locked by coder-03 until 2026-11-30T12:00:00Z",
        "ask again in 3 s and then less and less often, or wait for the lock with `wait_ms`",
    )
}

/// Further errors of a request for a lock.
pub(super) struct LockErrors;

impl IntoResponses for LockErrors {
    fn responses() -> Responses {
        [("423".to_owned(), locked())].into()
    }
}

/// Further errors of a request that extends a lock.
pub(super) struct LockLostErrors;

impl IntoResponses for LockLostErrors {
    fn responses() -> Responses {
        let lost = error(
            "The lock is over, was released, or its token is another one.",
            "lock_lost",
            "the lock `4fJk9QzLa0` is lost: it is over, was released, or its token is another one",
            "take it again, and read the files: others may have written meanwhile",
        );
        [("410".to_owned(), lost)].into()
    }
}

/// Further errors of an upload by a link.
pub(super) struct LinkErrors;

impl IntoResponses for LinkErrors {
    fn responses() -> Responses {
        let over = error(
            "The link is none, or has ended.",
            "upload_link_over",
            "there is no such link for an upload, or it has ended",
            "ask for a new one with `create_upload`; a link takes its file for 15 minutes",
        );
        [("410".to_owned(), over)].into()
    }
}

/// Further errors of a request that brings content of files.
pub(super) struct QuotaErrors;

impl IntoResponses for QuotaErrors {
    fn responses() -> Responses {
        [("507".to_owned(), no_room())].into()
    }
}

/// Further errors of a request that may need a signature.
pub(super) struct SignatureErrors;

impl IntoResponses for SignatureErrors {
    fn responses() -> Responses {
        [("401".to_owned(), unauthorized())].into()
    }
}

/// Further errors of a request with a body.
pub(super) struct BodyErrors;

impl IntoResponses for BodyErrors {
    fn responses() -> Responses {
        let responses = [
            (
                "408",
                error(
                    "The body did not come in time.",
                    "body_timeout",
                    "the request's body did not come in time",
                    "send it in one go",
                ),
            ),
            (
                "413",
                error(
                    "The body is too long (`body_too_large`), or the content alone is more than a quota (`larger_than_quota`).",
                    "body_too_large",
                    "the request's body is longer than this server takes",
                    "send less at once; put a large file into the workspace's folder instead",
                ),
            ),
            (
                "415",
                error(
                    "The body is not marked as JSON.",
                    "unsupported_media_type",
                    "the request's body is not marked as JSON",
                    "send the header `Content-Type: application/json`",
                ),
            ),
            (
                "422",
                error(
                    "The body is JSON, and does not fit the schema of the request.",
                    "invalid_body",
                    "unknown field `limit`, expected one of `query`, `k`, `mode`",
                    "/openapi.json describes the fields of the body",
                ),
            ),
        ];
        responses.map(|(status, response)| (status.to_owned(), response)).into()
    }
}
