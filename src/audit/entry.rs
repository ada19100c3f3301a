//! What is recorded of one access.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use super::head::EntryHash;
use super::line::{ActorObject, Endpoint, HttpRequest, Line, MetLine, Resource, ShownLine, Unmapped, User};
use crate::config::QueryText;
use crate::workspace::{Citation, ContentHash, RelPath, Revision, Span, WorkspaceId};

/// Places, and paths, that one line holds at most; an access with more has further lines.
pub(super) const MAX_IN_LINE: usize = 200;

/// What kind of access it is, as OCSF counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Something is made.
    Create,
    /// Something is read.
    Read,
    /// Something is changed.
    Update,
    /// Something is removed.
    Delete,
    /// The journal tells of itself.
    Other,
}

impl Activity {
    const fn id(self) -> u32 {
        match self {
            Self::Create => 1,
            Self::Read => 2,
            Self::Update => 3,
            Self::Delete => 4,
            Self::Other => 99,
        }
    }
}

/// Who makes an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor<'a> {
    /// The user of this machine.
    LocalUser,
    /// Whoever has this key.
    Key {
        /// The public part of the key.
        id: &'a str,
        /// Its name.
        name: &'a str,
        /// The agent that it proves.
        agent: Option<&'a str>,
    },
    /// Somebody who has not said who, or has not proven it.
    Unknown,
    /// pincite itself.
    Journal,
}

/// How an access has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It has not yet: it is about to have its effect.
    Begun,
    /// It did what was asked.
    Success,
    /// It was refused, or failed.
    Failure {
        /// The code of the error.
        code: &'a str,
    },
}

/// A place in a file that a reply showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The file.
    pub path: RelPath,
    /// Its content, where that is known.
    pub content_hash: Option<ContentHash>,
    /// The bytes of the document's text; `None` for the whole file.
    pub span: Option<Span>,
}

impl From<&Citation> for Shown {
    fn from(citation: &Citation) -> Self {
        Self { path: citation.path.clone(), content_hash: Some(citation.content_hash), span: Some(citation.span) }
    }
}

/// What a write met of others' writes: it was refused for it, or brought both together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// The content that the writer had read.
    pub expected: Option<ContentHash>,
    /// The content that was there.
    pub found: Option<ContentHash>,
}

/// What is recorded of one access.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// What kind of access it is.
    pub activity: Activity,
    /// The name of the verb: `search`, `files.write`.
    pub operation: &'a str,
    /// How it has ended.
    pub outcome: Outcome<'a>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// Who made it.
    pub actor: Actor<'a>,
    /// By which surface: `rest`, `mcp`, `page`, `cli`.
    pub surface: &'a str,
    /// From where.
    pub address: Option<IpAddr>,
    /// The id of the request.
    pub request_id: Option<&'a str>,
    /// The workspace.
    pub workspace: Option<&'a WorkspaceId>,
    /// The key that it is about.
    pub about_key: Option<&'a str>,
    /// The files that it names.
    pub paths: &'a [RelPath],
    /// The revision that it answered from or made.
    pub revision: Option<Revision>,
    /// The query or question.
    pub query: Option<&'a str>,
    /// What of files the reply showed.
    pub shown: &'a [Shown],
    /// What it met of others' writes.
    pub met: Option<Met>,
    /// The entry that tells of the beginning of this access.
    pub begun: Option<u64>,
    /// How many alike it stands for.
    pub count: u64,
    /// What a person is told beside.
    pub message: Option<Cow<'a, str>>,
    /// The newest entry that was pruned.
    pub pruned: Option<(u64, EntryHash)>,
}

impl<'a> Entry<'a> {
    /// An access of which nothing more is known.
    #[must_use]
    pub const fn new(activity: Activity, operation: &'a str, actor: Actor<'a>, surface: &'a str) -> Self {
        Self {
            activity,
            operation,
            outcome: Outcome::Success,
            duration: None,
            actor,
            surface,
            address: None,
            request_id: None,
            workspace: None,
            about_key: None,
            paths: &[],
            revision: None,
            query: None,
            shown: &[],
            met: None,
            begun: None,
            count: 1,
            message: None,
            pruned: None,
        }
    }

    /// What the journal tells of itself.
    pub(super) fn of_journal(operation: &'static str, message: impl Into<Cow<'a, str>>) -> Self {
        let message = Some(message.into());
        Self { message, ..Self::new(Activity::Other, operation, Actor::Journal, "journal") }
    }

    /// The lines of the entry: more than one where it showed or named much.
    pub(super) fn lines(&self, time: i64, query_text: QueryText) -> impl Iterator<Item = Line<'_>> {
        let num_lines = self.shown.len().max(self.paths.len()).div_ceil(MAX_IN_LINE).max(1);
        (0..num_lines).map(move |number| {
            let mut line = self.line(time, query_text, part(self.paths, number), part(self.shown, number));
            line.unmapped.part = (number > 0).then_some(number + 1);
            line
        })
    }

    fn line<'b>(&'b self, time: i64, query_text: QueryText, paths: &'b [RelPath], shown: &'b [Shown]) -> Line<'b> {
        let mut line = Line::of(self.activity.id(), self.actor.object(), self.operation, self.surface);
        line.time = time;
        (line.status_id, line.status) = match self.outcome {
            Outcome::Begun => (99, "Begun".into()),
            Outcome::Success => (1, "Success".into()),
            Outcome::Failure { .. } => (2, "Failure".into()),
        };
        if let Outcome::Failure { code } = self.outcome {
            line.status_code = Some(code.into());
            // Low: somebody was refused. What is wrong with the journal is more than that.
            line.severity_id = 2;
        }
        if self.actor == Actor::Journal && self.pruned.is_none() {
            line.severity_id = 4;
        }
        line.message = self.message.as_deref().map(Cow::Borrowed);
        line.duration = self.duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        line.src_endpoint = match self.address {
            Some(address) => Endpoint { ip: Some(address.to_string()), name: None },
            None => Endpoint { ip: None, name: Some("localhost".to_owned()) },
        };
        line.http_request = self.request_id.map(|uid| HttpRequest { uid: uid.into() });
        let resource = |kind: &'static str, name: &'b str| Resource { kind: kind.into(), name: name.into() };
        line.resources = (self.workspace.map(|workspace| resource("workspace", workspace.as_str())).into_iter())
            .chain(self.about_key.map(|key| resource("key", key)))
            .chain(paths.iter().map(|path| resource("file", path.as_str())))
            .collect();
        let hash = |query: &str| EntryHash::of(query.as_bytes()).to_string();
        line.unmapped = Unmapped {
            workspace: self.workspace.map(|workspace| workspace.as_str().into()),
            revision: self.revision.map(|revision| revision.0),
            query: self.query.filter(|_| query_text == QueryText::Text).map(Cow::Borrowed),
            query_sha256: self.query.filter(|_| query_text == QueryText::Hash).map(|query| hash(query).into()),
            shown: gathered(shown),
            met: self.met.map(|met| MetLine {
                expected: met.expected.map(|hash| hash.to_string().into()),
                found: met.found.map(|hash| hash.to_string().into()),
            }),
            part: None,
            begun: self.begun,
            count: Some(self.count).filter(|&count| count > 1),
            pruned_through: self.pruned.map(|(seq, _)| seq),
            pruned_hash: self.pruned.map(|(_, hash)| hash.to_string().into()),
        };
        line
    }
}

impl Actor<'_> {
    fn object(&self) -> ActorObject<'_> {
        let user = |kind: &'static str, name| User { kind: kind.into(), type_id: 99, name, uid: None };
        match *self {
            Self::LocalUser => ActorObject { user: user("LocalUser", "local user".into()), app_name: None },
            Self::Unknown => ActorObject { user: user("Unknown", "unknown".into()), app_name: None },
            Self::Journal => ActorObject { user: user("Journal", "pincite".into()), app_name: None },
            Self::Key { id, name, agent } => ActorObject {
                user: User { uid: Some(id.into()), ..user("Key", name.into()) },
                app_name: agent.map(Cow::Borrowed),
            },
        }
    }
}

/// What of a list stands in the line of this number.
fn part<T>(all: &[T], number: usize) -> &[T] {
    let from = (number * MAX_IN_LINE).min(all.len());
    &all[from..(from + MAX_IN_LINE).min(all.len())]
}

/// A file, the spans of it that were shown, and whether all of it was.
type Gathered<'a> = (&'a Shown, Vec<(usize, usize)>, bool);

/// Places of one content of one file together, in the order in which they come first.
fn gathered<'a>(shown: &'a [Shown]) -> Vec<ShownLine<'a>> {
    let mut files: Vec<Gathered<'a>> = Vec::new();
    for place in shown {
        let is_same = |other: &Shown| other.path == place.path && other.content_hash == place.content_hash;
        let at = files.iter().position(|(other, ..)| is_same(other)).unwrap_or_else(|| {
            files.push((place, Vec::new(), false));
            files.len() - 1
        });
        let (_, spans, is_whole) = &mut files[at];
        match place.span {
            Some(span) => spans.push((span.start, span.end)),
            None => *is_whole = true,
        }
    }
    let line = |(place, spans, is_whole): Gathered<'a>| ShownLine {
        path: place.path.as_str().into(),
        content_hash: place.content_hash.map(|hash| hash.to_string().into()),
        spans: if is_whole { Vec::new() } else { spans },
    };
    files.into_iter().map(line).collect()
}
