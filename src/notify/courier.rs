//! The courier: makes events into deliveries, sends those that are due, and notes what became of them.
//!
//! # Invariants
//! - One thread steps; each try has a thread of its own, which knows nothing of the store.
//! - A receiver has at most [`MAX_OF_HOST`] threads, and one that fails has one; all that fail have [`MAX_FAILING`] together, and a receiver that
//!   has no thread finds one as long as fewer than [`MAX_AT_ONCE`] are in use.
//! - Time is told by the caller.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver as Channel, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ureq::Agent;
use ureq::http::Uri;

use super::connect::{Doorman, Reply, post};
use super::maker::{GONE_REASON, Maker};
use super::message::Listener;
use super::schedule::{BACKLOG_REASON, OFF_AFTER, OFF_REASON, after};
use super::secret::signature;
use crate::failpoint;
use crate::store::{Due, Next, Receiver, Store, StoreError, Tried, Waiting};

/// Events that are made into deliveries at once.
const MAX_EVENTS: usize = 500;
/// Tries that are under way at once.
const MAX_AT_ONCE: usize = 32;
/// Beyond as many, a receiver gets only its first thread.
const MAX_CROWDED: usize = 24;
/// Tries of receivers whose last try failed.
const MAX_FAILING: usize = 8;
/// Tries of one host.
const MAX_OF_HOST: usize = 8;
/// Deliveries of each webhook that are kept, besides those that wait.
const KEPT_DELIVERIES: usize = 1_000;
/// How long deliveries are kept, besides those that wait.
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);
/// How often older ones are looked for.
const PRUNES_EVERY: Duration = Duration::from_mins(10);

/// What was sent since the process was started.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Tries that succeeded.
    pub delivered: AtomicU64,
    /// Tries that failed.
    pub failed: AtomicU64,
}

/// The tries that are under way for one webhook.
struct UnderWay {
    host: String,
    is_failing: bool,
    deliveries: BTreeSet<u64>,
}

/// A try that is over.
struct Done {
    webhook: u64,
    delivery: u64,
    num_failed: u32,
    at_ms: i64,
    latency: Duration,
    reply: Reply,
}

/// What a step leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Left {
    /// When the next delivery is due, in milliseconds since 1970.
    pub next_ms: Option<i64>,
    /// Tries that are under way.
    pub num_under_way: usize,
}

/// Brings messages to their receivers.
pub(crate) struct Courier {
    agent: Agent,
    max_waiting: u64,
    counts: Arc<Counts>,
    /// Called when a try is over.
    ring: Arc<dyn Fn() + Send + Sync>,
    done: Channel<Done>,
    tell_done: Sender<Done>,
    /// Tries that are over and not noted yet.
    over: Vec<Tried>,
    under_way: BTreeMap<u64, UnderWay>,
    prunes_at_ms: i64,
}

impl Courier {
    /// A courier that has nothing under way. A webhook for which more than `max_waiting` deliveries wait is switched off.
    pub(crate) fn new(
        doorman: &Doorman,
        max_waiting: u64,
        counts: Arc<Counts>,
        ring: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        let (tell_done, done) = channel();
        let (over, under_way) = (Vec::new(), BTreeMap::new());
        Self { agent: doorman.agent(), max_waiting, counts, ring, done, tell_done, over, under_way, prunes_at_ms: 0 }
    }

    /// Ends all tries that are under way: they are made again by the next courier.
    pub(super) fn stop(&self) {
        self.agent.clone().shutdown();
    }

    /// Notes what became of tries, makes events into deliveries, and begins the tries that are due at `now`.
    ///
    /// # Errors
    /// What was not noted is noted by the next step.
    pub(super) fn step(&mut self, store: &Store, now: Timestamp) -> Result<Left, StoreError> {
        self.note(store, now)?;
        let has_more = self.make_deliveries(store, now)?;
        let waiting = store.waiting_webhooks()?;
        self.begin_tries(store, &waiting, now)?;
        if !self.over.is_empty() {
            self.note(store, now)?;
        }
        self.prune(store, now)?;
        let now_ms = now.as_millisecond();
        let later = waiting.iter().map(|waiting| waiting.next_ms).filter(|next_ms| *next_ms > now_ms).min();
        let next_ms = if has_more { Some(now_ms) } else { later };
        Ok(Left { next_ms, num_under_way: self.num_under_way() })
    }

    fn num_under_way(&self) -> usize {
        self.under_way.values().map(|under_way| under_way.deliveries.len()).sum()
    }

    fn note(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        while let Ok(done) = self.done.try_recv() {
            self.take(done, now);
        }
        if self.over.is_empty() {
            return Ok(());
        }
        let off_after = i64::try_from(OFF_AFTER.as_millis()).unwrap_or(i64::MAX);
        let switched_off = store.note_tries(&self.over, (off_after, OFF_REASON))?;
        for id in switched_off {
            let tried = self.over.iter().find(|tried| tried.webhook == id);
            let reason = match tried.map(|tried| &tried.next) {
                Some(Next::SwitchedOff(reason)) => reason,
                _ => OFF_REASON,
            };
            tracing::warn!(webhook = id, reason, "a webhook is switched off");
        }
        for tried in self.over.drain(..) {
            if let Some(under_way) = self.under_way.get_mut(&tried.webhook) {
                under_way.deliveries.remove(&tried.delivery);
                under_way.is_failing = tried.next != Next::Done;
                if under_way.deliveries.is_empty() {
                    self.under_way.remove(&tried.webhook);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, done: Done, now: Timestamp) {
        let Done { webhook, delivery, num_failed, at_ms, latency, reply } = done;
        let Reply { status, retry_after, start, error } = reply;
        let next = after(status, retry_after.as_deref(), (delivery, num_failed), now);
        let count = if next == Next::Done { &self.counts.delivered } else { &self.counts.failed };
        count.fetch_add(1, Ordering::Relaxed);
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.over.push(Tried { delivery, webhook, at_ms, latency_ms, status, reply: start, error, next });
    }

    /// Returns whether there may be more events.
    fn make_deliveries(&self, store: &Store, now: Timestamp) -> Result<bool, StoreError> {
        let events = store.outbox(MAX_EVENTS)?;
        if events.is_empty() {
            return Ok(false);
        }
        let mut listeners = HashMap::new();
        let mut deliveries = Vec::new();
        for told in &events {
            let workspace = &told.data.workspace;
            if !listeners.contains_key(workspace) {
                let mut of_workspace = Vec::new();
                for receiver in store.receivers(workspace, now.as_millisecond())? {
                    if let Some(maker) = maker_of(store, &receiver, now)? {
                        of_workspace.push(Listener::new(receiver, maker));
                    }
                }
                listeners.insert(workspace, of_workspace);
            }
            let told_to = listeners.get(workspace).into_iter().flatten();
            deliveries.extend(told_to.filter_map(|listener| listener.delivery(told)));
        }
        let told: Vec<u64> = events.iter().map(|told| told.id).collect();
        let limit = (self.max_waiting, BACKLOG_REASON);
        for id in store.deliver(&told, &deliveries, limit, now.as_millisecond())? {
            tracing::warn!(webhook = id, reason = BACKLOG_REASON, "a webhook is switched off");
        }
        Ok(events.len() == MAX_EVENTS)
    }

    fn begin_tries(&mut self, store: &Store, waiting: &[Waiting], now: Timestamp) -> Result<(), StoreError> {
        let now_ms = now.as_millisecond();
        let mut due: Vec<&Waiting> = waiting.iter().filter(|waiting| waiting.next_ms <= now_ms).collect();
        due.sort_by_key(|waiting| waiting.next_ms);
        // First those that have no thread, so that nobody waits for the many messages of another.
        for only_first in [true, false] {
            for Waiting { webhook, .. } in &due {
                if self.num_under_way() >= MAX_AT_ONCE {
                    return Ok(());
                }
                if only_first == self.under_way.contains_key(webhook) {
                    continue;
                }
                let Some(receiver) = store.receiver(*webhook, now_ms)? else { continue };
                let Some(maker) = maker_of(store, &receiver, now)? else { continue };
                self.begin_tries_of(store, (&receiver, &maker), only_first, now)?;
            }
        }
        Ok(())
    }

    fn begin_tries_of(
        &mut self,
        store: &Store,
        (receiver, maker): (&Receiver, &Maker),
        only_first: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let host = host_of(&receiver.url);
        let (mut of_host, mut failing) = (0, 0);
        for under_way in self.under_way.values() {
            let num = under_way.deliveries.len();
            of_host += if under_way.host == host { num } else { 0 };
            failing += if under_way.is_failing { num } else { 0 };
        }
        let num = self.num_under_way();
        let most = match (only_first, receiver.is_failing) {
            (true, true) => usize::from(failing < MAX_FAILING && of_host == 0),
            (true, false) => usize::from(of_host < MAX_OF_HOST),
            (false, true) => 0,
            (false, false) => MAX_OF_HOST.saturating_sub(of_host).min(MAX_CROWDED.saturating_sub(num)),
        };
        if most == 0 {
            return Ok(());
        }
        let none = BTreeSet::new();
        let taken = self.under_way.get(&receiver.id).map_or(&none, |under_way| &under_way.deliveries);
        for due in store.due(receiver.id, now.as_millisecond(), taken, most)? {
            let id = due.id;
            if due.path.as_ref().is_some_and(|path| !maker.sees(path.as_str())) {
                self.over.push(withdrawn(receiver.id, id, now));
                continue;
            }
            if let Err(error) = self.begin(receiver, due, now) {
                // The delivery is still due.
                tracing::error!(%error, "a message cannot be sent for now");
                return Ok(());
            }
            let new = || UnderWay { host: host.clone(), is_failing: receiver.is_failing, deliveries: BTreeSet::new() };
            self.under_way.entry(receiver.id).or_insert_with(new).deliveries.insert(id);
        }
        Ok(())
    }

    fn begin(&self, receiver: &Receiver, due: Due, now: Timestamp) -> std::io::Result<()> {
        let Due { id: delivery, message_id, body, tries: num_failed, path: _ } = due;
        let at_s = now.as_second();
        let signed = signature(&receiver.secrets, &message_id, at_s, &body);
        let (agent, url, webhook) = (self.agent.clone(), receiver.url.clone(), receiver.id);
        let (tell_done, ring, began_ms) = (self.tell_done.clone(), Arc::clone(&self.ring), now.as_millisecond());
        let work = move || {
            let began = Instant::now();
            let at = at_s.to_string();
            let headers =
                [("webhook-id", message_id.as_str()), ("webhook-timestamp", &at), ("webhook-signature", &signed)];
            failpoint::reach("webhooks: about to send");
            let sent = catch_unwind(AssertUnwindSafe(|| post(&agent, &url, &headers, &body)));
            failpoint::reach("webhooks: sent, not noted");
            let reply = sent.unwrap_or_else(|_| Reply {
                error: Some("the message could not be sent: this is a fault of the program".to_owned()),
                ..Reply::default()
            });
            let done = Done { webhook, delivery, num_failed, at_ms: began_ms, latency: began.elapsed(), reply };
            // A courier that is gone makes the try again when it is back.
            drop(tell_done.send(done));
            ring();
        };
        std::thread::Builder::new().name("webhook".to_owned()).spawn(work).map(drop)
    }

    fn prune(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let now_ms = now.as_millisecond();
        if now_ms < self.prunes_at_ms {
            return Ok(());
        }
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        store.prune_deliveries(KEPT_DELIVERIES, now_ms - ms(KEPT_FOR))?;
        self.prunes_at_ms = now_ms + ms(PRUNES_EVERY);
        Ok(())
    }

    /// Waits until a try is over, and returns whether one was.
    #[cfg(test)]
    pub(super) fn await_one(&mut self, now: Timestamp, most: Duration) -> bool {
        match self.done.recv_timeout(most) {
            Ok(done) => {
                self.take(done, now);
                true
            }
            Err(_) => false,
        }
    }
}

/// The maker of a webhook; one that may have none any more leaves it switched off.
fn maker_of(store: &Store, receiver: &Receiver, now: Timestamp) -> Result<Option<Maker>, StoreError> {
    let maker = Maker::of(store, receiver, now)?;
    if maker.is_none() && store.switch_webhook_off(receiver.id, GONE_REASON)? {
        tracing::warn!(webhook = receiver.id, reason = GONE_REASON, "a webhook is switched off");
    }
    Ok(maker)
}

/// What is noted of a message that is not sent.
fn withdrawn(webhook: u64, delivery: u64, now: Timestamp) -> Tried {
    let error = Some("the key of the webhook does not see the file any more".to_owned());
    let (at_ms, next) = (now.as_millisecond(), Next::Withdrawn);
    Tried { delivery, webhook, at_ms, latency_ms: 0, status: None, reply: None, error, next }
}

/// The host that a URL names, in small letters.
fn host_of(url: &str) -> String {
    url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase)).unwrap_or_default()
}
