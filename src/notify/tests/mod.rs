//! The courier against receivers of every kind, by a clock that the tests tell.

mod crash;
mod guard;
mod receivers;
mod violated;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use self::receivers::{Answer, Receiver};
use super::connect::Doorman;
use super::courier::{Counts, Courier, Left};
use super::secret::{read_secret, signature, written};
use crate::config::Webhooks;
use crate::store::{DeliveryScope, Fingerprint, Observation, SecretKey, Store};
use crate::workspace::{
    ChangeKind, Delivery, DeliveryState, NewWebhook, Priority, Provenance, Revision, Webhook, WorkspaceId,
};

/// What a try may take here.
const SHORT: Duration = Duration::from_millis(300);
/// No try takes as long when the courier works.
const FOREVER: Duration = Duration::from_mins(1);
const NOW: Timestamp = Timestamp::constant(1_900_000_000, 0);

/// Loopback is open.
fn rules() -> Webhooks {
    Webhooks { allow_networks: vec!["127.0.0.0/8".parse().unwrap()] }
}

/// A store with a workspace, and a courier for it.
struct Desk {
    _folder: tempfile::TempDir,
    store: Store,
    courier: Courier,
    counts: Arc<Counts>,
    now: Timestamp,
}

impl Desk {
    fn new() -> Self {
        Self::with(&Doorman::asking(rules(), Arc::new(receivers::Loopback), SHORT))
    }

    fn with(doorman: &Doorman) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), true).unwrap();
        store.ensure_workspace(&WorkspaceId::default(), None).unwrap();
        let counts: Arc<Counts> = Arc::default();
        let courier = Courier::new(doorman, 1_000, Arc::clone(&counts), Arc::new(|| {}));
        Self { _folder: folder, store, courier, counts, now: NOW }
    }

    fn hook(&self, url: &str) -> Webhook {
        self.hook_of(url, None)
    }

    fn hook_of(&self, url: &str, made_by: Option<&str>) -> Webhook {
        let new = NewWebhook {
            url: url.to_owned(),
            events: BTreeSet::new(),
            path_globs: Vec::new(),
            agents: Vec::new(),
            secret: None,
        };
        self.store.add_webhook(&WorkspaceId::default(), &new, &SecretKey(vec![7; 24]), made_by, 20).unwrap()
    }

    fn change(&self, path: &str) -> Revision {
        let (kind, fingerprint) = (ChangeKind::Created, Fingerprint::NONE);
        let seen = Observation {
            provenance: Provenance { agent: Some("coder".to_owned()), ..Provenance::default() },
            ..Observation::new(path.parse().unwrap(), kind, fingerprint, true)
        };
        self.store.log(&WorkspaceId::default(), &[seen], Priority::Interactive).unwrap()
    }

    fn step(&mut self) -> Left {
        self.courier.step(&self.store, self.now).unwrap()
    }

    /// Steps until nothing is under way or due.
    fn settle(&mut self) -> Left {
        loop {
            let left = self.step();
            if left.num_under_way == 0 && left.next_ms.is_none_or(|next_ms| next_ms > self.now.as_millisecond()) {
                return left;
            }
            if left.num_under_way > 0 {
                assert!(self.courier.await_one(self.now, FOREVER), "a try never ends");
            }
        }
    }

    /// Lets time go to when the next delivery is due, and steps then.
    fn settle_at_next(&mut self) -> bool {
        let Some(next_ms) = self.settle().next_ms else { return false };
        self.now = Timestamp::from_millisecond(next_ms).unwrap();
        self.settle();
        true
    }

    fn deliveries(&self, webhook: &Webhook) -> Vec<Delivery> {
        let mut all = Vec::new();
        let mut see = |delivery| {
            all.push(delivery);
            true
        };
        self.store.see_deliveries(webhook.id, &DeliveryScope::default(), &mut see).unwrap();
        all.reverse();
        all
    }

    fn webhook(&self, webhook: &Webhook) -> Webhook {
        self.store.webhook(&WorkspaceId::default(), webhook.id).unwrap()
    }
}

#[test]
fn a_message_comes_signed_and_says_what_happened() {
    let mut desk = Desk::new();
    let receiver = Receiver::that(Answer::with(200, "thanks"));
    let webhook = desk.hook(&receiver.url("/hook?x=1"));
    desk.change("notes/a.md");
    desk.settle();
    let got = receiver.got();
    assert_eq!(got.len(), 1);
    let message = &got[0];
    assert_eq!(
        (message.line.as_str(), message.header("content-type")),
        ("POST /hook?x=1 HTTP/1.1", "application/json")
    );
    let at: i64 = message.header("webhook-timestamp").parse().unwrap();
    let keys = [SecretKey(vec![7; 24])];
    let expected = signature(&keys, message.header("webhook-id"), at, &message.body);
    assert_eq!((at, message.header("webhook-signature")), (NOW.as_second(), expected.as_str()));
    let said: serde_json::Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!((&said["type"], &said["data"]["path"]), (&"file.created".into(), &"notes/a.md".into()));
    let delivery = desk.deliveries(&webhook).remove(0);
    assert_eq!((delivery.state, delivery.status, delivery.tries), (DeliveryState::Delivered, Some(200), 1));
    assert_eq!((delivery.reply.as_deref(), delivery.error, delivery.next_try), (Some("thanks"), None, None));
    assert_eq!(desk.counts.delivered.load(Ordering::Relaxed), 1);
}

#[test]
fn while_secrets_are_exchanged_both_sign() {
    let mut desk = Desk::new();
    let receiver = Receiver::that(Answer::with(204, ""));
    let webhook = desk.hook(&receiver.url("/"));
    let next = read_secret(&written(&SecretKey(vec![9; 24]))).unwrap();
    let until = desk.now + Duration::from_hours(1);
    desk.store.rotate_webhook(&WorkspaceId::default(), webhook.id, &next, until).unwrap();
    for (at, num_signatures) in [(desk.now, 2), (until, 1)] {
        desk.now = at;
        desk.change("a.md");
        desk.settle();
        let message = receiver.got().pop().unwrap();
        let at: i64 = message.header("webhook-timestamp").parse().unwrap();
        let signatures: Vec<&str> = message.header("webhook-signature").split(' ').collect();
        assert_eq!(signatures.len(), num_signatures);
        let by_next = signature(std::slice::from_ref(&next), message.header("webhook-id"), at, &message.body);
        assert_eq!(signatures[0], by_next);
    }
}

/// Each kind of failure, and a word of what the delivery says of it.
#[test]
fn a_receiver_that_fails_in_any_way_has_failed_and_costs_only_its_time() {
    let big = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    for (answer, status, word) in [
        (Answer::Hang, None, "in time"),
        (Answer::Close, None, "connection failed"),
        (Answer::Raw("nonsense\r\n\r\n".to_owned()), None, "not HTTP"),
        (Answer::Raw(big), None, "not HTTP"),
        (Answer::Raw("HTTP/1.1 200 OK\r\nContent-Le".to_owned()), None, "failed"),
        (Answer::Drip, None, "in time"),
        (Answer::with(500, "no"), Some(500), "status 500"),
        (Answer::with(404, ""), Some(404), "status 404"),
        (Answer::Redirect("http://127.0.0.1:1/".to_owned(), 307), Some(307), "redirects"),
        (Answer::Redirect("http://127.0.0.1:1/".to_owned(), 302), Some(302), "redirects"),
    ] {
        let mut desk = Desk::new();
        let what = format!("{answer:?}").chars().take(60).collect::<String>();
        let receiver = Receiver::that(answer);
        let webhook = desk.hook(&receiver.url("/"));
        desk.change("a.md");
        let left = desk.settle();
        let delivery = desk.deliveries(&webhook).remove(0);
        assert_eq!((delivery.state, delivery.status, delivery.tries), (DeliveryState::Pending, status, 1), "{what}");
        assert!(delivery.error.as_ref().is_some_and(|error| error.contains(word)), "{what}: {:?}", delivery.error);
        assert!(!delivery.error.unwrap().contains("127.0.0.1"), "{what}");
        let next_ms = left.next_ms.unwrap() - NOW.as_millisecond();
        assert!((5_000..=5_500).contains(&next_ms), "{what}: {next_ms}");
        assert_eq!(receiver.got().len(), 1, "{what}: nothing is sent twice, and no redirect is followed");
        assert!(desk.webhook(&webhook).failing_since.is_some(), "{what}");
    }
}

#[test]
fn a_reply_counts_by_its_status_and_its_beginning_is_kept() {
    let long = "x".repeat(100_000);
    let cut = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nfew");
    for (answer, kept) in [
        (Answer::with(200, &long), &long[..1_024]),
        (Answer::Raw(cut(1_000)), "few"),
        (Answer::Raw(cut(2)), "fe"),
        (Answer::Raw("HTTP/1.1 202 Accepted\r\n\r\nuntil the end".to_owned()), "until the end"),
    ] {
        let mut desk = Desk::new();
        let what = format!("{answer:?}").chars().take(90).collect::<String>();
        let receiver = Receiver::that(answer);
        let webhook = desk.hook(&receiver.url("/"));
        desk.change("a.md");
        desk.settle();
        let delivery = desk.deliveries(&webhook).remove(0);
        assert_eq!((delivery.state, delivery.reply.as_deref()), (DeliveryState::Delivered, Some(kept)), "{what}");
    }
}

#[test]
fn a_message_is_tried_ten_times_under_one_id_and_signed_anew_each_time() {
    let mut desk = Desk::new();
    let receiver = Receiver::that(Answer::with(500, ""));
    let webhook = desk.hook(&receiver.url("/"));
    desk.change("a.md");
    while desk.settle_at_next() {}
    let got = receiver.got();
    let ids: BTreeSet<&str> = got.iter().map(|message| message.header("webhook-id")).collect();
    let signatures: BTreeSet<&str> = got.iter().map(|message| message.header("webhook-signature")).collect();
    let bodies: BTreeSet<&str> = got.iter().map(|message| message.body.as_str()).collect();
    assert_eq!((got.len(), ids.len(), signatures.len(), bodies.len()), (10, 1, 10, 1));
    let delivery = desk.deliveries(&webhook).remove(0);
    assert_eq!((delivery.state, delivery.tries, delivery.next_try), (DeliveryState::Failed, 10, None));
    // It can be sent again by hand, and is then the same message.
    receiver.answers(Answer::with(200, ""));
    desk.store.replay(&WorkspaceId::default(), webhook.id, delivery.id, desk.now).unwrap();
    desk.settle();
    let last = receiver.got().pop().unwrap();
    assert_eq!((last.header("webhook-id"), &last.body), (got[0].header("webhook-id"), &got[0].body));
    let delivery = desk.deliveries(&webhook).remove(0);
    assert_eq!((delivery.state, delivery.tries), (DeliveryState::Delivered, 1));
    assert_eq!(desk.webhook(&webhook).failing_since, None);
}

#[test]
fn a_webhook_is_switched_off_after_five_days_of_failures_and_says_why() {
    let mut desk = Desk::new();
    let receiver = Receiver::that(Answer::with(500, ""));
    let webhook = desk.hook(&receiver.url("/"));
    for day in 0..=5 {
        assert!(desk.webhook(&webhook).enabled, "on day {day}");
        desk.now = NOW + Duration::from_hours(24 * day);
        desk.change(&format!("{day}.md"));
        desk.settle();
    }
    let off = desk.webhook(&webhook);
    assert_eq!((off.enabled, off.disabled_reason.as_deref()), (false, Some("no delivery has succeeded for five days")));
    let num_sent = receiver.got().len();
    desk.now = NOW + Duration::from_hours(24 * 6);
    desk.change("more.md");
    desk.settle();
    assert_eq!(receiver.got().len(), num_sent, "nothing is sent any more");
}

#[test]
fn a_receiver_that_is_gone_is_asked_no_more() {
    let mut desk = Desk::new();
    let receiver = Receiver::that(Answer::with(410, "go away"));
    let webhook = desk.hook(&receiver.url("/"));
    desk.change("a.md");
    desk.settle();
    let off = desk.webhook(&webhook);
    assert!(!off.enabled && off.disabled_reason.unwrap().contains("410"));
    assert_eq!(desk.deliveries(&webhook)[0].state, DeliveryState::Failed);
    desk.change("b.md");
    assert_eq!((desk.settle(), receiver.got().len()), (Left::default(), 1));
}

#[test]
fn a_receiver_that_asks_for_a_pause_gets_it() {
    let mut desk = Desk::new();
    let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n";
    let receiver = Receiver::that(Answer::Raw(busy.to_owned()));
    desk.hook(&receiver.url("/"));
    desk.change("a.md");
    let next_ms = desk.settle().next_ms.unwrap() - NOW.as_millisecond();
    assert_eq!(next_ms, 7_200_000);
}

#[test]
fn a_dead_receiver_with_much_to_send_holds_up_no_other() {
    let doorman = Doorman::asking(rules(), Arc::new(receivers::Loopback), FOREVER);
    let mut desk = Desk::with(&doorman);
    let (dead, alive) = (Receiver::that(Answer::Hang), Receiver::that(Answer::with(200, "")));
    let dead_hook = desk.hook(&dead.url_at("dead.example", "/"));
    for number in 0..100 {
        desk.change(&format!("{number}.md"));
    }
    let left = desk.step();
    assert!((1..=8).contains(&left.num_under_way), "a host has a few threads: {left:?}");
    let alive_hook = desk.hook(&alive.url_at("alive.example", "/"));
    desk.change("last.md");
    while desk.deliveries(&alive_hook).first().is_none_or(|delivery| delivery.state != DeliveryState::Delivered) {
        desk.step();
        desk.courier.await_one(desk.now, Duration::from_millis(20));
    }
    assert!(desk.deliveries(&dead_hook).iter().all(|delivery| delivery.tries == 0), "the dead one still hangs");
    desk.courier.stop();
}

#[test]
fn a_receiver_that_failed_is_tried_one_message_at_a_time_and_then_gets_all() {
    let mut desk = Desk::new();
    let receiver = Receiver::that(Answer::with(500, ""));
    let webhook = desk.hook(&receiver.url("/"));
    desk.change("0.md");
    desk.settle();
    for number in 1..30 {
        desk.change(&format!("{number}.md"));
    }
    assert_eq!(desk.step().num_under_way, 1);
    receiver.answers(Answer::with(200, ""));
    desk.settle();
    desk.settle_at_next();
    let states: BTreeMap<_, _> =
        desk.deliveries(&webhook).iter().map(|delivery| (delivery.id, delivery.state)).collect();
    assert_eq!(states.len(), 30);
    assert!(receiver.most_at_once() <= 8, "{}", receiver.most_at_once());
}

#[test]
fn only_what_the_key_of_a_webhook_sees_is_told_and_only_as_long_as_it_holds() {
    use crate::store::KeyRow;
    use crate::workspace::{Scope, Scopes};

    let mut desk = Desk::new();
    let key = KeyRow {
        id: "abcdefgh".to_owned(),
        hash: [0; 32],
        name: "narrow".to_owned(),
        scopes: Scopes([Scope::Webhooks].into_iter().collect()),
        workspaces: None,
        globs: vec![vec!["reports/**".to_owned()]],
        agent: None,
        made_by: None,
        created: NOW,
        expires: NOW + Duration::from_hours(48),
        revoked: None,
    };
    desk.store.add_key(&key, 9).unwrap();
    let receiver = Receiver::that(Answer::with(200, ""));
    let webhook = desk.hook_of(&receiver.url("/"), Some(&key.id));
    let renamed = |from: &str, to: &str| {
        let to = Observation {
            moved: Some(crate::store::Moved::From(from.parse().unwrap())),
            ..Observation::new(to.parse().unwrap(), ChangeKind::Created, Fingerprint::NONE, true)
        };
        desk.store.log(&WorkspaceId::default(), &[to], Priority::Interactive).unwrap();
    };
    desk.change("secret/canary.md");
    desk.change("reports/a.md");
    renamed("secret/canary2.md", "reports/b.md");
    renamed("reports/c.md", "secret/canary3.md");
    renamed("reports/d.md", "reports/e.md");
    renamed("secret/canary4.md", "secret/canary5.md");
    desk.settle();
    let told = |message: &receivers::Message| {
        assert!(!message.body.contains("canary"), "{}", message.body);
        let said: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        format!("{} {}", said["type"].as_str().unwrap(), said["data"]["path"].as_str().unwrap())
    };
    let told: BTreeSet<String> = receiver.got().iter().map(told).collect();
    let expected = [
        "file.created reports/a.md",
        "file.created reports/b.md",
        "file.deleted reports/c.md",
        "file.renamed reports/e.md",
    ];
    assert_eq!(told, expected.map(str::to_owned).into());
    // The key ends.
    desk.now = NOW + Duration::from_hours(48);
    desk.change("reports/late.md");
    desk.settle();
    let off = desk.webhook(&webhook);
    assert!(!off.enabled && off.disabled_reason.unwrap().contains("key"), "it is switched off with its key");
    assert_eq!(receiver.got().len(), 4);
}

#[test]
fn a_test_message_passes_every_condition() {
    let mut desk = Desk::new();
    let receiver = Receiver::that(Answer::with(200, ""));
    let webhook = desk.hook(&receiver.url("/"));
    let body = super::test_body(&WorkspaceId::default(), desk.now);
    let due = desk.store.add_test_delivery(&WorkspaceId::default(), webhook.id, &body, desk.now).unwrap();
    desk.settle();
    assert_eq!(receiver.got()[0].body, body);
    assert_eq!(receiver.got()[0].header("webhook-id"), due.message_id);
    assert_eq!(desk.deliveries(&webhook)[0].event, "webhook.test");
}

/// The figure of the issue: none is lost. `cargo test --release --lib ten_thousand -- --ignored --nocapture` also prints the time.
#[test]
#[ignore = "it takes a minute, and is a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement prints what it has measured")]
fn of_ten_thousand_changes_to_a_receiver_that_fails_now_and_then_none_is_lost() {
    const NUM: usize = 10_000;
    let doorman = Doorman::asking(rules(), Arc::new(receivers::Loopback), FOREVER);
    let mut desk = Desk::with(&doorman);
    desk.courier = Courier::new(&doorman, 100_000, Arc::clone(&desk.counts), Arc::new(|| {}));
    let receiver = Receiver::that(Answer::FailsOneIn(100));
    desk.hook(&receiver.url("/"));
    let began = std::time::Instant::now();
    for first in (0..NUM).step_by(100) {
        let seen = (first..first + 100).map(|number| {
            let path = format!("{number}.md").parse().unwrap();
            Observation::new(path, ChangeKind::Created, Fingerprint::NONE, true)
        });
        desk.store.log(&WorkspaceId::default(), &seen.collect::<Vec<_>>(), Priority::Interactive).unwrap();
        desk.step();
    }
    while desk.settle_at_next() {}
    let took = began.elapsed();
    let mut succeeded: BTreeMap<String, usize> = BTreeMap::new();
    for message in receiver.got().iter().filter(|message| message.was_taken) {
        let said: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        *succeeded.entry(said["data"]["path"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let failed = desk.counts.failed.load(Ordering::Relaxed);
    println!("{} of {NUM} told, {failed} tries failed, {:.1} s", succeeded.len(), took.as_secs_f64());
    assert_eq!(succeeded.len(), NUM, "none is lost");
    assert!(succeeded.values().all(|times| *times == 1) && failed > 50);
}
