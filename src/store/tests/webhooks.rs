//! What is to be told is written with the change, and waits until it was told, whatever becomes of the log.

use std::collections::BTreeSet;

use super::*;
use crate::workspace::{DeliveryState, EventData, NewWebhook, Webhook, WebhookEvent, WebhookUpdate};

const NO_LIMIT: (u64, &str) = (u64::MAX, "never");
const NEVER_OFF: (i64, &str) = (i64::MAX, "never");

fn new(url: &str) -> NewWebhook {
    let (events, path_globs, agents, secret) = (BTreeSet::new(), Vec::new(), Vec::new(), None);
    NewWebhook { url: url.to_owned(), events, path_globs, agents, secret }
}

impl Desk {
    fn listen(&self) -> Webhook {
        self.store
            .add_webhook(&self.workspace, &new("https://a.example"), &SecretKey(vec![7; 24]), Some("key"), 100)
            .unwrap()
    }

    fn told(&self) -> Vec<(&'static str, u64, EventData)> {
        let told = self.store.outbox(1_000).unwrap();
        told.into_iter().map(|told| (told.event.name(), told.data.revision.0, told.data)).collect()
    }

    fn told_briefly(&self) -> Vec<(&'static str, u64, String)> {
        let brief = |(event, revision, data): (_, _, EventData)| {
            (event, revision, data.path.map(|path| path.to_string()).unwrap_or_default())
        };
        self.told().into_iter().map(brief).collect()
    }

    /// Makes everything in the outbox into deliveries to one webhook.
    fn deliver(&self, webhook: u64, now_ms: i64) -> usize {
        let told = self.store.outbox(1_000).unwrap();
        let deliveries = told.iter().map(|told| NewDelivery {
            webhook,
            told: told.id,
            event: told.event.name(),
            path: told.data.path.clone(),
            revision: told.data.revision,
            at_ms: told.at_ms,
            body: "{}".to_owned(),
        });
        let ids: Vec<u64> = told.iter().map(|told| told.id).collect();
        self.store.deliver(&ids, &deliveries.collect::<Vec<_>>(), NO_LIMIT, now_ms).unwrap();
        ids.len()
    }

    fn deliveries(&self, webhook: u64) -> Vec<crate::workspace::Delivery> {
        let mut all = Vec::new();
        let mut see = |delivery| {
            all.push(delivery);
            true
        };
        self.store.see_deliveries(webhook, &DeliveryScope::default(), &mut see).unwrap();
        all
    }

    fn tried(&self, webhook: u64, delivery: u64, at_ms: i64, next: Next) -> Vec<u64> {
        let tried = Tried {
            delivery,
            webhook,
            at_ms,
            latency_ms: 3,
            status: Some(500),
            reply: Some("no".to_owned()),
            error: None,
            next,
        };
        self.store.note_tries(&[tried], NEVER_OFF).unwrap()
    }
}

#[test]
fn a_change_is_told_from_the_moment_a_webhook_is_there_and_in_order() {
    let desk = Desk::new();
    desk.log(ChangeKind::Created, &["before"]);
    assert!(desk.told().is_empty(), "nobody listens");
    desk.listen();
    desk.log(ChangeKind::Created, &["a", "b"]);
    desk.log(ChangeKind::Modified, &["a"]);
    desk.log(ChangeKind::Deleted, &["b"]);
    let expected = [
        ("file.created", 2, "a".to_owned()),
        ("file.created", 3, "b".to_owned()),
        ("file.updated", 4, "a".to_owned()),
        ("file.deleted", 5, "b".to_owned()),
    ];
    assert_eq!(desk.told_briefly(), expected);
    let desk = desk.reopened();
    assert_eq!(desk.told_briefly(), expected, "it is on disk");
}

#[test]
fn what_is_refused_by_the_log_is_not_told() {
    let desk = Desk::new();
    desk.listen();
    let observation = Observation::new(path("a"), ChangeKind::Created, READ_AS, true);
    assert!(desk.store.log(&id("nowhere"), &[observation], Priority::Interactive).is_err());
    assert!(desk.told().is_empty());
}

#[test]
fn a_renaming_is_one_event_with_both_paths() {
    let desk = Desk::new();
    desk.log(ChangeKind::Created, &["old"]);
    desk.listen();
    let to = Observation {
        moved: Some(Moved::From(path("old"))),
        ..Observation::new(path("new"), ChangeKind::Created, READ_AS, true)
    };
    let away = Observation {
        moved: Some(Moved::Away),
        ..Observation::new(path("old"), ChangeKind::Deleted, Fingerprint::NONE, true)
    };
    desk.store.log(&desk.workspace, &[to, away], Priority::Interactive).unwrap();
    let told = desk.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let (event, _, data) = &told[0];
    assert_eq!((*event, data.from.clone(), data.kind), ("file.renamed", Some(path("old")), Some(ChangeKind::Renamed)));
}

#[test]
fn a_change_that_is_seen_twice_is_told_once_with_what_says_more() {
    let desk = Desk::new();
    desk.listen();
    let seen = Observation::new(path("a"), ChangeKind::Created, READ_AS, false);
    let provenance = Provenance { agent: Some("coder".to_owned()), ..Provenance::default() };
    let written = Observation { provenance: provenance.clone(), is_new_content: true, ..seen.clone() };
    // The watch is faster than the writer, and sees the file once more.
    for observation in [seen.clone(), written, seen] {
        desk.store.log(&desk.workspace, &[observation], Priority::Interactive).unwrap();
    }
    let told = desk.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].0, told[0].1, &told[0].2.provenance), ("file.created", 2, &provenance));
}

#[test]
fn a_file_is_ready_when_the_index_has_it_and_no_newer_change_waits() {
    let desk = Desk::new();
    desk.listen();
    let first = desk.log(ChangeKind::Created, &["a"]);
    desk.log(ChangeKind::Modified, &["a"]);
    desk.done(first, "a", b"one");
    assert_eq!(desk.told_briefly().len(), 2, "the second change waits");
    desk.done(Revision(2), "a", b"two");
    let (event, revision, data) = desk.told().pop().unwrap();
    assert_eq!((event, revision, data.content_hash), ("file.ready", 2, Some(ContentHash::of(b"two"))));
    assert_eq!(data.kind, Some(ChangeKind::Modified));
    assert!(desk.store.has_reached(&desk.workspace, Revision(revision)).unwrap());
}

#[test]
fn a_file_is_not_called_ready_before_its_revision_is_reached() {
    let desk = Desk::new();
    desk.listen();
    desk.log_as(Priority::Interactive, ChangeKind::Created, &["slow"]);
    let later = desk.log_as(Priority::Interactive, ChangeKind::Created, &["quick"]);
    desk.done(later, "quick", b"quick");
    let is_ready =
        |name: &str| desk.told_briefly().iter().any(|(event, _, path)| *event == "file.ready" && path == name);
    assert!(!desk.store.has_reached(&desk.workspace, later).unwrap() && !is_ready("quick"));
    desk.done(Revision(1), "slow", b"slow");
    assert!(desk.store.has_reached(&desk.workspace, later).unwrap() && is_ready("quick") && is_ready("slow"));
    // What a scan found holds nobody up.
    let desk = Desk::new();
    desk.listen();
    desk.log(ChangeKind::Created, &["found"]);
    let written = desk.log_as(Priority::Interactive, ChangeKind::Created, &["written"]);
    desk.done(written, "written", b"written");
    assert_eq!(desk.told_briefly().pop().unwrap().0, "file.ready");
}

#[test]
fn a_file_that_cannot_be_read_says_why_and_one_that_is_only_listed_says_nothing() {
    let desk = Desk::new();
    desk.listen();
    for (name, state) in [
        ("a", FileState::Failed),
        ("b", FileState::Unsupported),
        ("c", FileState::Partial),
        ("d", FileState::Empty),
        ("e", FileState::Listed),
    ] {
        let revision = desk.log(ChangeKind::Created, &[name]);
        let entry = FileEntry {
            path: path(name),
            state,
            reason: Some("x".repeat(2_000)),
            format: None,
            title: None,
            language: None,
            size: READ_AS.size,
            modified: Timestamp::UNIX_EPOCH,
            content_hash: None,
            revision,
            container: None,
            provenance: Provenance::default(),
            num_chunks: 0,
        };
        let outcome = Outcome::File(entry, READ_AS.into(), Members::Same);
        desk.store.acknowledge(&desk.workspace, desk.epoch(), revision, &[outcome]).unwrap();
    }
    let told = desk.told();
    let read: Vec<_> = told.iter().filter(|(_, _, data)| data.reason.is_some()).map(|(event, ..)| *event).collect();
    assert_eq!(read, ["file.failed", "file.failed", "file.ready", "file.ready"]);
    assert!(told.iter().all(|(_, _, data)| data.reason.as_ref().is_none_or(|reason| reason.len() == 500)));
    assert_eq!(told.len(), 5 + 4);
}

#[test]
fn files_that_are_read_again_without_a_change_are_not_told_as_changed() {
    let desk = Desk::new();
    let revision = desk.log(ChangeKind::Created, &["a"]);
    desk.done(revision, "a", b"a");
    desk.listen();
    desk.store.forget_contents(&desk.workspace).unwrap();
    desk.store.forget_contents_of(&desk.workspace, &paths(&["a"])).unwrap();
    assert!(desk.told().is_empty(), "{:?}", desk.told());
}

#[test]
fn pruning_the_log_takes_nothing_that_is_still_to_be_told() {
    let desk = Desk::new();
    let webhook = desk.listen();
    for _ in 0..5 {
        let revision = desk.log(ChangeKind::Created, &["a"]);
        desk.gone(revision, "a");
    }
    assert_eq!(desk.store.prune(&desk.workspace, 1).unwrap(), 4);
    assert_eq!(desk.told().len(), 5);
    assert_eq!(desk.deliver(webhook.id, 10), 5);
    assert!(desk.told().is_empty());
    desk.store.prune(&desk.workspace, 1).unwrap();
    assert_eq!(desk.store.prune_deliveries(1, i64::MAX).unwrap(), 0, "they wait");
    assert_eq!(desk.deliveries(webhook.id).len(), 5);
}

#[test]
fn an_event_is_made_into_deliveries_once() {
    let desk = Desk::new();
    let webhook = desk.listen();
    desk.log(ChangeKind::Created, &["a"]);
    let told = desk.store.outbox(9).unwrap().remove(0);
    let delivery = NewDelivery {
        webhook: webhook.id,
        told: told.id,
        event: "file.created",
        path: None,
        revision: Revision(1),
        at_ms: 1,
        body: String::new(),
    };
    for _ in 0..2 {
        desk.store.deliver(&[told.id], std::slice::from_ref(&delivery), NO_LIMIT, 5).unwrap();
    }
    let deliveries = desk.deliveries(webhook.id);
    assert_eq!(deliveries.len(), 1);
    assert!(deliveries[0].message_id.starts_with("msg_") && deliveries[0].state == DeliveryState::Pending);
}

#[test]
fn a_webhook_that_was_off_is_told_of_what_happens_from_then_on() {
    let desk = Desk::new();
    let webhook = desk.listen();
    desk.log(ChangeKind::Created, &["a"]);
    desk.deliver(webhook.id, 10);
    let switch = |enabled| {
        let update = WebhookUpdate { enabled: Some(enabled), ..WebhookUpdate::default() };
        desk.store.update_webhook(&desk.workspace, webhook.id, &update, (None, "by request")).unwrap()
    };
    let off = switch(false);
    assert_eq!((off.enabled, off.disabled_reason.as_deref()), (false, Some("by request")));
    assert!(desk.store.waiting_webhooks().unwrap().is_empty());
    assert!(matches!(
        desk.store.add_test_delivery(&desk.workspace, webhook.id, "{}", Timestamp::UNIX_EPOCH),
        Err(StoreError::WebhookOff { .. })
    ));
    desk.log(ChangeKind::Created, &["b"]);
    assert!(desk.told().is_empty(), "nobody listens");
    let on = switch(true);
    assert_eq!((on.enabled, on.disabled_reason, on.pending), (true, None, 1), "what waited is still there");
    desk.log(ChangeKind::Created, &["c"]);
    assert_eq!(desk.told_briefly(), [("file.created", 3, "c".to_owned())]);
    assert_eq!(desk.store.waiting_webhooks().unwrap().len(), 1);
}

#[test]
fn after_a_hand_over_a_webhook_waits_until_the_new_owner_confirms_it() {
    let desk = Desk::new();
    let webhook = desk.listen();
    desk.log(ChangeKind::Created, &["a"]);
    let now = Timestamp::from_second(1_900_000_000).unwrap();
    let key = |id: &str| KeyRow {
        id: id.to_owned(),
        hash: [0; 32],
        name: "owner".to_owned(),
        scopes: [crate::workspace::Scope::Admin].into_iter().collect(),
        workspaces: None,
        globs: Vec::new(),
        agent: None,
        made_by: None,
        created: now,
        expires: now + std::time::Duration::from_hours(1),
        revoked: None,
    };
    let offer = TransferRow {
        id: 0,
        workspace: desk.workspace.clone(),
        keep: crate::workspace::Keep::None,
        made_by: None,
        created: now,
        expires: now + std::time::Duration::from_hours(1),
    };
    desk.store.add_transfer(&offer, &[1; 32], 9).unwrap();
    desk.store.claim_transfer(&[1; 32], &key("owner"), 9).unwrap();
    assert_eq!(desk.told_briefly()[1], ("workspace.transferred", 1, String::new()));
    desk.deliver(webhook.id, 10);
    assert!(
        desk.store.waiting_webhooks().unwrap().is_empty() && desk.store.webhooks(&desk.workspace).unwrap()[0].paused
    );
    let confirm = WebhookUpdate { enabled: Some(true), ..WebhookUpdate::default() };
    let confirmed = desk.store.update_webhook(&desk.workspace, webhook.id, &confirm, (Some("owner"), "off")).unwrap();
    assert_eq!((confirmed.paused, confirmed.made_by.as_deref()), (false, Some("owner")));
    let waiting = desk.store.waiting_webhooks().unwrap();
    assert_eq!(waiting, [Waiting { webhook: webhook.id, next_ms: 10 }]);
    assert_eq!(desk.store.due(webhook.id, 10, &BTreeSet::new(), 9).unwrap().len(), 2);
}

#[test]
fn what_became_of_tries_is_kept_and_failures_in_a_row_switch_a_webhook_off() {
    let desk = Desk::new();
    let webhook = desk.listen();
    desk.log(ChangeKind::Created, &["a", "b"]);
    desk.deliver(webhook.id, 10);
    let ids: Vec<u64> = desk.store.due(webhook.id, 10, &BTreeSet::new(), 9).unwrap().iter().map(|due| due.id).collect();
    desk.tried(webhook.id, ids[0], 20, Next::Again(5_000));
    let failing = desk.store.webhook(&desk.workspace, webhook.id).unwrap();
    assert_eq!(failing.failing_since.map(Timestamp::as_millisecond), Some(20));
    assert_eq!(desk.store.due(webhook.id, 10, &BTreeSet::new(), 9).unwrap().len(), 1);
    assert_eq!(desk.store.due(webhook.id, 5_000, &BTreeSet::from([ids[1]]), 9).unwrap().len(), 1);
    desk.tried(webhook.id, ids[1], 30, Next::Done);
    assert_eq!(desk.store.webhook(&desk.workspace, webhook.id).unwrap().failing_since, None);
    let delivered = desk.deliveries(webhook.id).into_iter().find(|delivery| delivery.id == ids[1]).unwrap();
    assert_eq!((delivered.state, delivered.tries, delivered.next_try), (DeliveryState::Delivered, 1, None));
    assert_eq!((delivered.status, delivered.latency_ms, delivered.reply.as_deref()), (Some(500), Some(3), Some("no")));
    // A delivery that is not sent says nothing of the receiver.
    desk.tried(webhook.id, ids[0], 40, Next::Withdrawn);
    assert_eq!(desk.store.webhook(&desk.workspace, webhook.id).unwrap().failing_since, None);
    // Two failures in a row, as long apart as a webhook may fail.
    let fail = |at_ms| {
        let delivery = desk.store.replay(&desk.workspace, webhook.id, ids[0], Timestamp::UNIX_EPOCH).unwrap();
        let tried = Tried {
            delivery: delivery.id,
            webhook: webhook.id,
            at_ms,
            latency_ms: 0,
            status: None,
            reply: None,
            error: None,
            next: Next::GivenUp,
        };
        desk.store.note_tries(&[tried], (1_000, "too long")).unwrap()
    };
    assert_eq!((fail(100), fail(1_099), fail(1_100)), (vec![], vec![], vec![webhook.id]));
    let off = desk.store.webhook(&desk.workspace, webhook.id).unwrap();
    assert_eq!((off.enabled, off.disabled_reason.as_deref()), (false, Some("too long")));
}

#[test]
fn a_webhook_for_which_too_much_waits_is_switched_off() {
    let desk = Desk::new();
    let webhook = desk.listen();
    for (names, expected) in [(&["a", "b"][..], vec![]), (&["c"], vec![webhook.id])] {
        desk.log(ChangeKind::Created, names);
        let told = desk.store.outbox(9).unwrap();
        let delivery = |told: &Told| NewDelivery {
            webhook: webhook.id,
            told: told.id,
            event: "file.created",
            path: None,
            revision: Revision(1),
            at_ms: 1,
            body: String::new(),
        };
        let ids: Vec<u64> = told.iter().map(|told| told.id).collect();
        let off = desk.store.deliver(&ids, &told.iter().map(delivery).collect::<Vec<_>>(), (2, "too much"), 5).unwrap();
        assert_eq!(off, expected);
    }
    let off = desk.store.webhook(&desk.workspace, webhook.id).unwrap();
    assert_eq!((off.enabled, off.disabled_reason.as_deref(), off.pending), (false, Some("too much"), 3));
}

#[test]
fn a_workspace_has_as_many_webhooks_as_it_may_and_one_that_is_deleted_none() {
    let desk = Desk::new();
    let add = || desk.store.add_webhook(&desk.workspace, &new("http://a"), &SecretKey(vec![1; 24]), None, 2);
    let (first, second) = (add().unwrap(), add().unwrap());
    assert!(matches!(add(), Err(StoreError::TooManyWebhooks { max: 2 })));
    desk.store.remove_webhook(&desk.workspace, second.id).unwrap();
    assert!(matches!(desk.store.webhook(&desk.workspace, second.id), Err(StoreError::UnknownWebhook { .. })));
    let third = add().unwrap();
    assert!(third.id > second.id, "no number is used again");
    desk.store.ensure_workspace(&id("other"), None).unwrap();
    assert!(matches!(desk.store.webhook(&id("other"), first.id), Err(StoreError::UnknownWebhook { .. })));
    desk.log(ChangeKind::Created, &["a"]);
    desk.deliver(first.id, 10);
    desk.log(ChangeKind::Created, &["b"]);
    desk.store.delete_workspace(&desk.workspace).unwrap();
    for table in ["webhooks", "outbox", "deliveries"] {
        let count = format!("SELECT count(*) FROM {table}");
        let left: i64 = desk.store.reader().query_row(&count, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{table}");
    }
}

#[test]
fn a_secret_is_kept_beside_the_next_one_for_its_time_and_shown_by_its_end() {
    let desk = Desk::new();
    let webhook = desk.listen();
    assert_eq!((webhook.secret, webhook.secret_ends_with.as_str()), (None, "BwcH"));
    let until = Timestamp::now() + std::time::Duration::from_hours(1);
    let next = SecretKey(vec![9; 24]);
    let rotated = desk.store.rotate_webhook(&desk.workspace, webhook.id, &next, until).unwrap();
    assert_eq!(rotated.secret_ends_with, "CQkJ");
    assert_eq!(rotated.old_secret_until.map(Timestamp::as_millisecond), Some(until.as_millisecond()));
    let secrets = |now_ms| desk.store.receiver(webhook.id, now_ms).unwrap().unwrap().secrets;
    assert_eq!(secrets(until.as_millisecond() - 1), [next.clone(), SecretKey(vec![7; 24])]);
    assert_eq!(secrets(until.as_millisecond()), [next]);
}

#[test]
fn deliveries_are_kept_by_number_and_time_and_those_that_wait_in_any_case() {
    let desk = Desk::new();
    let webhook = desk.listen();
    desk.log(ChangeKind::Created, &["a", "b", "c", "d", "e"]);
    desk.deliver(webhook.id, 10);
    let due = desk.store.due(webhook.id, 10, &BTreeSet::new(), 9).unwrap();
    for done in &due[..4] {
        desk.tried(webhook.id, done.id, 20, Next::Done);
    }
    assert_eq!(desk.store.prune_deliveries(3, 0).unwrap(), 1);
    assert_eq!(desk.store.prune_deliveries(3, 0).unwrap(), 0);
    assert_eq!(desk.store.prune_deliveries(3, i64::MAX).unwrap(), 3);
    let left = desk.deliveries(webhook.id);
    assert_eq!((left.len(), left[0].state), (1, DeliveryState::Pending));
    let waiting = desk.store.waiting_deliveries().unwrap();
    assert_eq!((waiting.number, waiting.oldest_ms.is_some()), (1, true));
    // One that waits for a webhook that is off for long goes, too.
    desk.store.switch_webhook_off(webhook.id, "gone").unwrap();
    assert_eq!(desk.store.waiting_deliveries().unwrap(), WaitingDeliveries::default());
    assert_eq!(desk.store.prune_deliveries(3, i64::MAX).unwrap(), 1);
}

#[test]
fn who_sets_the_url_is_the_maker_from_then_on() {
    let desk = Desk::new();
    let webhook = desk.listen();
    assert_eq!(webhook.made_by.as_deref(), Some("key"));
    let update =
        |update: WebhookUpdate| desk.store.update_webhook(&desk.workspace, webhook.id, &update, (None, "off")).unwrap();
    let narrowed = update(WebhookUpdate { events: Some([WebhookEvent::FileReady].into()), ..WebhookUpdate::default() });
    assert_eq!((narrowed.made_by.as_deref(), narrowed.events.len()), (Some("key"), 1));
    let moved = update(WebhookUpdate { url: Some("https://b.example".to_owned()), ..WebhookUpdate::default() });
    assert_eq!((moved.made_by, moved.url.as_str()), (None, "https://b.example"));
}
