//! An entry as it is told: what a line says, for a person or a program that asks.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::line::{Line, Links, ShownLine};
use crate::workspace::Span;

/// How an access has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum AuditResult {
    /// It was about to have its effect. Another entry says how it ended, unless the process ended before.
    Begun,
    /// It did what was asked.
    Success,
    /// It was refused, or failed.
    Failure,
}

impl AuditResult {
    /// The name as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// What kind of caller it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// Whoever has a key.
    Key,
    /// The user of the machine.
    LocalUser,
    /// Somebody who has not proven who they are.
    Unknown,
    /// pincite, which tells of its journal.
    Journal,
}

/// Who made an access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct AuditActor {
    /// What kind of caller.
    pub kind: ActorKind,
    /// The id of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name that the key had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The agent that the key proves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// A query or question, as far as `audit.query_text` lets it be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Its words.
    Text(String),
    /// The SHA-256 of its words.
    Sha256(String),
}

/// What of one content of one file was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct ShownFile {
    /// The path that the file had.
    pub path: String,
    /// The SHA-256 of the file's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// The places in the document's text; without any, the whole file was shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
}

/// What a write met of others' writes: it was refused for it (`conflict`), or both were brought together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct MetContents {
    /// The SHA-256 of the content that the writer had read, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The SHA-256 of the content that was there; absent where there was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// One access, as the journal tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct AuditEntry {
    /// Its number in the journal of the data folder, from 1.
    pub seq: u64,
    /// When it was recorded.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The verb.
    #[schema(example = "search")]
    pub action: String,
    /// How it has ended.
    pub result: AuditResult,
    /// The code of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Who made it.
    pub by: AuditActor,
    /// `rest`, `mcp`, `page`, `s3` or `cli`; `disk` of a change that was made past pincite.
    #[schema(example = "rest")]
    pub surface: String,
    /// The address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The id of the request: the header `X-Request-Id` of its reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The key that the access is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about_key: Option<String>,
    /// The files that the access named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// The revision that it answered from, or made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The query or question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Asked>,
    /// What of files the reply showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<ShownFile>,
    /// What a write met of others' writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<MetContents>,
    /// The number of the entry that tells of its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<u64>,
    /// Which of several entries of one access this is, from 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<usize>,
    /// How many refusals it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What a person is told beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The hash of its line in the journal.
    pub hash: String,
}

impl AuditEntry {
    /// Reads a line.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (links, line) = (Links::read(bytes)?, Line::read(bytes)?);
        let owned = |text: std::borrow::Cow<'static, str>| text.into_owned();
        let kind = match &*line.actor.user.kind {
            "Key" => ActorKind::Key,
            "LocalUser" => ActorKind::LocalUser,
            "Journal" => ActorKind::Journal,
            _ => ActorKind::Unknown,
        };
        let query = line.unmapped.query.map(|text| Asked::Text(owned(text)));
        let is_key = kind == ActorKind::Key;
        let (mut about_key, mut paths) = (None, Vec::new());
        for resource in line.resources {
            match &*resource.kind {
                "file" => paths.push(owned(resource.name)),
                "key" => about_key = Some(owned(resource.name)),
                _ => {}
            }
        }
        Some(Self {
            seq: links.seq,
            at: Timestamp::from_millisecond(links.time).ok()?,
            action: owned(line.api.operation),
            result: match line.status_id {
                1 => AuditResult::Success,
                2 => AuditResult::Failure,
                _ => AuditResult::Begun,
            },
            code: line.status_code.map(owned),
            by: AuditActor {
                kind,
                key: line.actor.user.uid.map(owned),
                name: is_key.then(|| owned(line.actor.user.name)),
                agent: line.actor.app_name.map(owned),
            },
            surface: owned(line.api.service.name),
            address: line.src_endpoint.ip,
            request_id: line.http_request.map(|request| owned(request.uid)),
            workspace: line.unmapped.workspace.map(owned),
            about_key,
            paths,
            revision: line.unmapped.revision,
            duration_ms: line.duration,
            query: query.or_else(|| line.unmapped.query_sha256.map(|hash| Asked::Sha256(owned(hash)))),
            shown: line.unmapped.shown.into_iter().map(ShownFile::from).collect(),
            met: line
                .unmapped
                .met
                .map(|met| MetContents { expected: met.expected.map(owned), found: met.found.map(owned) }),
            begun: line.unmapped.begun,
            part: line.unmapped.part,
            count: line.unmapped.count,
            message: line.message.map(owned),
            hash: links.hash.to_string(),
        })
    }

    /// All paths that it holds.
    pub(super) fn all_paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().chain(self.shown.iter().map(|file| &file.path)).map(String::as_str)
    }

    /// The bytes of what can be long in it.
    pub(super) fn num_bytes(&self) -> usize {
        let spans = self.shown.iter().map(|file| file.spans.len() * 40 + 120).sum::<usize>();
        512 + spans + self.all_paths().map(str::len).sum::<usize>()
    }
}

impl From<ShownLine<'_>> for ShownFile {
    fn from(line: ShownLine<'_>) -> Self {
        Self {
            path: line.path.into_owned(),
            content_hash: line.content_hash.map(std::borrow::Cow::into_owned),
            spans: line.spans.into_iter().map(|(start, end)| Span::new(start, end)).collect(),
        }
    }
}
