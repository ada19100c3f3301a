//! Which webhooks an event is told to, and what the message says.

use jiff::Timestamp;
use serde::Serialize;

use super::maker::Maker;
use crate::search::{Compiled, Filters};
use crate::store::{NewDelivery, Receiver, Told};
use crate::workspace::{ChangeKind, EventData, PatternLimits, RelPath, TEST_EVENT, WebhookEvent, WorkspaceId};

/// A message has fewer bytes.
const MAX_BODY_BYTES: usize = 20_000;

/// A message, as Standard Webhooks has it.
#[derive(Serialize)]
struct Body<'a, T> {
    #[serde(rename = "type")]
    event: &'a str,
    timestamp: Timestamp,
    data: &'a T,
}

/// The data of an event, and whether something of it was left out because it was too long.
#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    data: &'a EventData,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    abridged: bool,
}

#[derive(Serialize)]
struct TestData<'a> {
    workspace: &'a WorkspaceId,
}

/// The body of a test message.
pub(crate) fn test_body(workspace: &WorkspaceId, at: Timestamp) -> String {
    written(TEST_EVENT, at, &TestData { workspace })
}

/// A webhook whose conditions are compiled.
pub(super) struct Listener {
    receiver: Receiver,
    maker: Maker,
    paths: Option<Compiled>,
}

impl Listener {
    pub(super) fn new(receiver: Receiver, maker: Maker) -> Self {
        // They were checked when they were stored.
        let limits = PatternLimits { bytes: u64::MAX, nesting: u64::MAX, number: u64::MAX };
        let globs = Filters { path: receiver.path_globs.clone(), ..Filters::default() };
        let paths = globs.compile(limits).ok();
        if paths.is_none() {
            tracing::error!(webhook = receiver.id, "the globs of a webhook cannot be read, so it is told nothing");
        }
        Self { receiver, maker, paths }
    }

    /// The delivery of an event to this webhook; `None` where it does not pass.
    pub(super) fn delivery(&self, told: &Told) -> Option<NewDelivery> {
        let Receiver { id, events, agents, told_after, .. } = &self.receiver;
        let (event, data) = self.as_seen(told)?;
        let EventData { path, from, provenance, .. } = &data;
        if told.id <= *told_after || !(events.is_empty() || events.contains(&event)) {
            return None;
        }
        // An event of the workspace has no path and no writer: conditions on files do not concern it.
        if let Some(path) = path {
            let admits = |path: &str| self.paths.as_ref().is_some_and(|paths| paths.admits_path(path));
            let is_in_place = admits(path.as_str()) || from.as_ref().is_some_and(|from| admits(from.as_str()));
            let is_of_writer = |agent: &String| agents.contains(agent);
            if !is_in_place || !(agents.is_empty() || provenance.agent.as_ref().is_some_and(is_of_writer)) {
                return None;
            }
        }
        Some(NewDelivery {
            webhook: *id,
            told: told.id,
            event: event.name(),
            path: data.path.clone(),
            revision: data.revision,
            at_ms: told.at_ms,
            body: body(event, told.at_ms, data),
        })
    }

    /// An event as the webhook's maker may hear of it: a renaming out of what the maker sees is a deletion, and one into it a new file.
    fn as_seen(&self, told: &Told) -> Option<(WebhookEvent, EventData)> {
        let mut data = told.data.clone();
        let sees = |path: &RelPath| self.maker.sees(path.as_str());
        let Some(path) = &data.path else { return Some((told.event, data)) };
        let (sees_path, from) = (sees(path), data.from.take());
        match from {
            Some(from) if sees_path && sees(&from) => data.from = Some(from),
            Some(_) if sees_path => {
                data.kind = Some(ChangeKind::Created);
                return Some((WebhookEvent::FileCreated, data));
            }
            Some(from) if sees(&from) => {
                let (path, kind, content_hash) = (Some(from), Some(ChangeKind::Deleted), None);
                return Some((WebhookEvent::FileDeleted, EventData { path, kind, content_hash, ..data }));
            }
            None if sees_path => {}
            _ => return None,
        }
        Some((told.event, data))
    }
}

/// The message of an event, below [`MAX_BODY_BYTES`]: of one that is longer, the tags are left out, then all of the writer and the reason, and then
/// the paths, which can be read from the change of its revision.
fn body(event: WebhookEvent, at_ms: i64, mut data: EventData) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut steps: [&dyn Fn(&mut EventData); 3] = [
        &|data| data.provenance.tags.clear(),
        &|data| (data.provenance, data.reason) = (crate::workspace::Provenance::default(), None),
        &|data| (data.path, data.from) = (None, None),
    ];
    let mut text = written(event.name(), at, &Data { data: &data, abridged: false });
    for step in &mut steps {
        if text.len() < MAX_BODY_BYTES {
            break;
        }
        step(&mut data);
        text = written(event.name(), at, &Data { data: &data, abridged: true });
    }
    text
}

fn written<T: Serialize>(event: &str, timestamp: Timestamp, data: &T) -> String {
    serde_json::to_string(&Body { event, timestamp, data }).expect("a message is names, numbers and text")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::workspace::{ContentHash, Provenance, Revision};

    fn told(event: WebhookEvent, path: &str, from: Option<&str>, agent: Option<&str>) -> Told {
        let data = EventData {
            workspace: WorkspaceId::default(),
            path: Some(path.parse().unwrap()),
            revision: Revision(7),
            kind: Some(ChangeKind::Created),
            content_hash: None,
            from: from.map(|from| from.parse().unwrap()),
            reason: None,
            provenance: Provenance { agent: agent.map(str::to_owned), ..Provenance::default() },
            lock: None,
        };
        Told { id: 5, event, at_ms: 1_800_000_000_123, data }
    }

    fn receiver() -> Receiver {
        Receiver {
            id: 1,
            workspace: WorkspaceId::default(),
            url: "https://example.org".to_owned(),
            events: BTreeSet::new(),
            path_globs: Vec::new(),
            agents: Vec::new(),
            secrets: Vec::new(),
            made_by: None,
            is_failing: false,
            sends: true,
            told_after: 4,
        }
    }

    fn said(event: &Told) -> String {
        Listener::new(receiver(), Maker::User).delivery(event).unwrap().body
    }

    fn passes(receiver: Receiver, told: &Told) -> bool {
        Listener::new(receiver, Maker::User).delivery(told).is_some()
    }

    #[test]
    fn an_event_passes_when_all_conditions_hold() {
        let created = told(WebhookEvent::FileCreated, "notes/a.md", None, Some("coder"));
        assert!(passes(receiver(), &created));
        assert!(!passes(Receiver { told_after: 5, ..receiver() }, &created), "it happened before the webhook was made");
        let of = |event| Receiver { events: BTreeSet::from([event]), ..receiver() };
        assert!(passes(of(WebhookEvent::FileCreated), &created) && !passes(of(WebhookEvent::FileReady), &created));
        let at = |glob: &str| Receiver { path_globs: vec!["x/y".to_owned(), glob.to_owned()], ..receiver() };
        assert!(passes(at("*.md"), &created) && passes(at("notes/**"), &created) && !passes(at("other/**"), &created));
        let by = |agent: &str| Receiver { agents: vec![agent.to_owned()], ..receiver() };
        assert!(passes(by("coder"), &created) && !passes(by("writer"), &created));
        let unknown = told(WebhookEvent::FileCreated, "notes/a.md", None, None);
        assert!(!passes(by("coder"), &unknown));
        let renamed = told(WebhookEvent::FileRenamed, "kept/a.txt", Some("notes/a.md"), None);
        assert!(
            passes(at("notes/**"), &renamed) && passes(at("kept/**"), &renamed) && !passes(at("other/**"), &renamed)
        );
    }

    #[test]
    fn an_event_of_the_workspace_passes_conditions_on_files() {
        let mut transferred = told(WebhookEvent::WorkspaceTransferred, "a", None, None);
        transferred.data.path = None;
        let narrow = Receiver { path_globs: vec!["a/**".to_owned()], agents: vec!["coder".to_owned()], ..receiver() };
        assert!(passes(narrow, &transferred));
    }

    #[test]
    fn a_message_says_what_where_and_who_and_nothing_else() {
        let mut event = told(WebhookEvent::FileRenamed, "b.md", Some("a.md"), Some("coder"));
        event.data.kind = Some(ChangeKind::Renamed);
        event.data.content_hash = Some(ContentHash::of(b"words"));
        let message: Value = serde_json::from_str(&said(&event)).unwrap();
        assert_eq!(
            message,
            json!({
                "type": "file.renamed",
                "timestamp": "2027-01-15T08:00:00.123Z",
                "data": {
                    "workspace": "default", "path": "b.md", "revision": 7, "kind": "renamed", "from": "a.md",
                    "content_hash": ContentHash::of(b"words").to_string(), "provenance": { "agent": "coder" },
                },
            })
        );
    }

    #[test]
    fn the_longest_message_is_short_and_says_that_it_was_longer() {
        let long = "\u{1}".repeat(4_096);
        let mut event = told(WebhookEvent::FileRenamed, &long, Some(&long), Some(&"ü".repeat(200)));
        event.data.provenance.tags = (0..32).map(|tag| format!("{tag}{}", "ü".repeat(198))).collect();
        event.data.reason = Some("x".repeat(500));
        let text = said(&event);
        let message: Value = serde_json::from_str(&text).unwrap();
        assert!(text.len() < MAX_BODY_BYTES && message["data"]["abridged"] == true && message["data"]["revision"] == 7);
        // The tags alone go where that is enough.
        let mut event = told(WebhookEvent::FileCreated, &"p".repeat(4_096), None, Some("coder"));
        event.data.provenance.tags = (0..32).map(|tag| format!("{tag}{}", "🦀".repeat(198))).collect();
        let text = said(&event);
        let message: Value = serde_json::from_str(&text).unwrap();
        assert!(text.len() < MAX_BODY_BYTES && message["data"]["provenance"]["agent"] == "coder", "{message}");
        let of_test = test_body(&WorkspaceId::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(
            of_test,
            r#"{"type":"webhook.test","timestamp":"1970-01-01T00:00:00Z","data":{"workspace":"default"}}"#
        );
    }
}
