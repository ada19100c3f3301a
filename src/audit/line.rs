//! One entry as a line of JSON, in the form of OCSF's API Activity.
//!
//! # Invariants
//! - A line begins with `seq`, `prev_hash` and `time`, and ends with `hash`. The hash is the SHA-256 of the line without `hash`, byte for
//!   byte: anybody can compute it without a JSON library.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::head::EntryHash;

/// The version of OCSF that the form is of.
const OCSF_VERSION: &str = "1.3.0";
/// API Activity.
const CLASS_UID: u32 = 6003;
/// Application Activity.
const CATEGORY_UID: u32 = 6;
/// Bytes of `,"hash":"…"}` at the end of a line.
const NUM_HASH_BYTES: usize = 75;

/// The line, in the order of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub seq: u64,
    pub prev_hash: Cow<'a, str>,
    /// Milliseconds since 1970.
    pub time: i64,
    class_uid: u32,
    category_uid: u32,
    pub activity_id: u32,
    type_uid: u32,
    pub severity_id: u32,
    pub status_id: u32,
    pub status: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Cow<'a, str>>,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    metadata: Metadata<'a>,
    pub actor: ActorObject<'a>,
    pub api: Api<'a>,
    pub src_endpoint: Endpoint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_request: Option<HttpRequest<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource<'a>>,
    pub unmapped: Unmapped<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Metadata<'a> {
    version: Cow<'a, str>,
    product: Product<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Product<'a> {
    name: Cow<'a, str>,
    vendor_name: Cow<'a, str>,
    version: Cow<'a, str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ActorObject<'a> {
    pub user: User<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<Cow<'a, str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct User<'a> {
    /// `Key`, `LocalUser` or `Unknown`.
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    pub type_id: u32,
    pub name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Cow<'a, str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Api<'a> {
    pub operation: Cow<'a, str>,
    pub service: Service<'a>,
}

/// The surface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Service<'a> {
    pub name: Cow<'a, str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Endpoint {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HttpRequest<'a> {
    /// The id of the request, as the header `X-Request-Id` of its reply has it.
    pub uid: Cow<'a, str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resource<'a> {
    /// `workspace`, `key` or `file`.
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    pub name: Cow<'a, str>,
}

/// What OCSF has no field for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Unmapped<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The query's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Cow<'a, str>>,
    /// The SHA-256 of the query's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_sha256: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<ShownLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<MetLine<'a>>,
    /// Which of the entries of one access this is, from 2; the first one has no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<usize>,
    /// The entry that tells of the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun: Option<u64>,
    /// How many alike this entry stands for, where that is more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The newest entry that was pruned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned_through: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned_hash: Option<Cow<'a, str>>,
}

/// What a write met of others' writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MetLine<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Cow<'a, str>>,
}

/// What was shown of one content of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShownLine<'a> {
    pub path: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<Cow<'a, str>>,
    /// `[start, end]` in bytes of the document's text; none stands for the whole file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<(usize, usize)>,
}

impl<'a> Line<'a> {
    /// A line without what is its own.
    pub(super) fn of(activity_id: u32, actor: ActorObject<'a>, operation: &'a str, service: &'a str) -> Self {
        Self {
            seq: 0,
            prev_hash: Cow::Borrowed(""),
            time: 0,
            class_uid: CLASS_UID,
            category_uid: CATEGORY_UID,
            activity_id,
            type_uid: CLASS_UID * 100 + activity_id,
            severity_id: 1,
            status_id: 1,
            status: Cow::Borrowed("Success"),
            status_code: None,
            message: None,
            duration: None,
            metadata: Metadata {
                version: Cow::Borrowed(OCSF_VERSION),
                product: Product {
                    name: Cow::Borrowed("pincite"),
                    vendor_name: Cow::Borrowed("pincite"),
                    version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
                },
            },
            actor,
            api: Api { operation: Cow::Borrowed(operation), service: Service { name: Cow::Borrowed(service) } },
            src_endpoint: Endpoint { ip: None, name: None },
            http_request: None,
            resources: Vec::new(),
            unmapped: Unmapped::default(),
        }
    }

    /// Writes the line with its place in the chain, its hash and its end. Returns the hash.
    pub(super) fn write(&mut self, seq: u64, previous: EntryHash, out: &mut Vec<u8>) -> EntryHash {
        self.seq = seq;
        self.prev_hash = Cow::Owned(previous.to_string());
        out.clear();
        serde_json::to_writer(&mut *out, self).expect("a line holds nothing that JSON cannot, and memory takes it");
        let hash = EntryHash::of(out);
        out.pop();
        out.extend_from_slice(b",\"hash\":\"");
        out.extend_from_slice(&hash.hex());
        out.extend_from_slice(b"\"}\n");
        hash
    }

    pub(super) fn read(line: &[u8]) -> Option<Line<'static>> {
        serde_json::from_slice(line).ok()
    }
}

/// What chains a line, read from its two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Links {
    pub seq: u64,
    pub previous: EntryHash,
    pub time: i64,
    pub hash: EntryHash,
}

impl Links {
    /// Reads the links of a line without its end; `None` where it is no line of a journal.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let (seq, rest) = number(line.strip_prefix(b"{\"seq\":")?)?;
        let rest = rest.strip_prefix(b",\"prev_hash\":\"")?;
        let previous = EntryHash::read(rest.get(..64)?)?;
        let (time, _) = number(rest[64..].strip_prefix(b"\",\"time\":")?)?;
        let (_, end) = line.split_at_checked(line.len().checked_sub(NUM_HASH_BYTES)?)?;
        let hash = EntryHash::read(end.strip_prefix(b",\"hash\":\"")?.strip_suffix(b"\"}")?)?;
        Some(Self { seq, previous, time: i64::try_from(time).ok()?, hash })
    }

    /// The number of a line of which the beginning is given.
    pub(super) fn seq_of(beginning: &[u8]) -> Option<u64> {
        Some(number(beginning.strip_prefix(b"{\"seq\":")?)?.0)
    }

    /// Whether the line is the one that its hash is of.
    pub(super) fn is_true(&self, line: &[u8]) -> bool {
        let body = &line[..line.len().saturating_sub(NUM_HASH_BYTES)];
        EntryHash::of_both(body, b"}") == self.hash
    }
}

/// A number at the beginning of `text`, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let num_digits = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(num_digits);
    // A number has one form: without zeros before it.
    if digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}
