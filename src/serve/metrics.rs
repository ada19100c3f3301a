//! What `/metrics` says, for Prometheus.
//!
//! # Invariants
//! - Labels are routes, methods, statuses and names of limits: never a path, a query, or the name of a workspace.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::engine::Load;

/// Bounds of the durations, in seconds.
const BOUNDS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRoute {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLimit {
    limit: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfClass {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCache {
    cache: &'static str,
}

/// A counter of which somebody else keeps the count.
type Count = Counter<u64, AtomicU64>;
type Number = Gauge<i64, std::sync::atomic::AtomicI64>;

/// The counters of one server.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter<u64, AtomicU64>>,
    durations: Family<OfRoute, Histogram>,
    refusals: Family<OfLimit, Counter<u64, AtomicU64>>,
    queued: Family<OfClass, Number>,
    at_work: Number,
    waits: Number,
    bodies: Number,
    connections: Number,
    workspaces: Number,
    pending: Number,
    readers: Family<OfState, Number>,
    readers_queued: Number,
    readers_started: Count,
    reader_retries: Count,
    readers_ended: Family<OfReason, Count>,
    embedded: Count,
    embedding_seconds: Counter<f64, AtomicU64>,
    cache_entries: Family<OfCache, Number>,
    document_bytes: Number,
    webhook_tries: Family<OfState, Count>,
    webhooks_waiting: Number,
    webhooks_oldest: Number,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("pincite");
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            refusals: Family::default(),
            queued: Family::default(),
            at_work: Number::default(),
            waits: Number::default(),
            bodies: Number::default(),
            connections: Number::default(),
            workspaces: Number::default(),
            pending: Number::default(),
            readers: Family::default(),
            readers_queued: Number::default(),
            readers_started: Count::default(),
            reader_retries: Count::default(),
            readers_ended: Family::default(),
            embedded: Count::default(),
            embedding_seconds: Counter::default(),
            cache_entries: Family::default(),
            document_bytes: Number::default(),
            webhook_tries: Family::default(),
            webhooks_waiting: Number::default(),
            webhooks_oldest: Number::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests that were answered", metrics.requests.clone());
        registry.register("request_duration_seconds", "Time until a reply began", metrics.durations.clone());
        registry.register(
            "refusals",
            "Requests and connections refused because of a limit, by its error code",
            metrics.refusals.clone(),
        );
        registry.register("requests_queued", "Requests that wait for their turn", metrics.queued.clone());
        registry.register("requests_at_work", "Requests that are worked on", metrics.at_work.clone());
        registry.register("waits", "Requests that wait for a revision", metrics.waits.clone());
        registry.register("bodies_bytes", "Room taken by bodies that have begun to come", metrics.bodies.clone());
        registry.register("connections", "Connections that are open", metrics.connections.clone());
        registry.register("workspaces", "Workspaces", metrics.workspaces.clone());
        registry.register("pending_files", "Files with a change that is not searchable yet", metrics.pending.clone());
        metrics.register_engine(&mut registry);
        Self { registry, ..metrics }
    }

    fn register_engine(&self, registry: &mut Registry) {
        registry.register(
            "readers",
            "Reader processes, at work (busy) or waiting for a file (idle)",
            self.readers.clone(),
        );
        registry.register("readers_queued", "Files that wait for a reader process", self.readers_queued.clone());
        registry.register("readers_started", "Reader processes that were started", self.readers_started.clone());
        registry.register(
            "reader_retries",
            "Files that were given to another reader process because the first one went wrong",
            self.reader_retries.clone(),
        );
        registry.register(
            "readers_ended",
            "Reader processes that went wrong: their time or memory was over, they were ended from outside, or crashed",
            self.readers_ended.clone(),
        );
        registry.register("embedded_chunks", "Chunks that were embedded for indexes", self.embedded.clone());
        registry.register("embedding_seconds", "Time in which chunks were embedded", self.embedding_seconds.clone());
        registry.register(
            "cache_entries",
            "Indexes, models and views of the store that are kept open",
            self.cache_entries.clone(),
        );
        registry.register(
            "kept_documents_bytes",
            "Documents that are kept on disk so that no content is read twice, of workspaces that this process has read files of",
            self.document_bytes.clone(),
        );
        registry.register("webhook_tries", "Tries to deliver a message to a webhook", self.webhook_tries.clone());
        registry.register(
            "webhook_deliveries_waiting",
            "Messages that wait for their first or next try",
            self.webhooks_waiting.clone(),
        );
        registry.register(
            "webhook_oldest_waiting_seconds",
            "How long the oldest of these messages has waited",
            self.webhooks_oldest.clone(),
        );
    }

    /// Takes over what the engine counts.
    pub(super) fn set_engine(&self, load: &Load) {
        use std::sync::atomic::Ordering::Relaxed;

        let readers = load.readers.unwrap_or_default();
        for (state, number) in [("busy", readers.busy), ("idle", readers.idle)] {
            self.readers.get_or_create(&OfState { state }).set(signed(number));
        }
        self.readers_queued.set(signed(readers.waiting));
        // Scrapes may overlap, and a count does not go back.
        let raise = |counter: &Count, number| counter.inner().fetch_max(number, Relaxed);
        raise(&self.readers_started, readers.started);
        raise(&self.reader_retries, readers.retries);
        for (reason, number) in readers.ended.into_iter().filter(|(reason, _)| !reason.is_empty()) {
            raise(&self.readers_ended.get_or_create(&OfReason { reason }), number);
        }
        raise(&self.embedded, load.num_embedded);
        // Of positive numbers, bits are in the order of the numbers.
        self.embedding_seconds.inner().fetch_max(load.embedding.as_secs_f64().to_bits(), Relaxed);
        for (cache, number) in load.cache_entries {
            self.cache_entries.get_or_create(&OfCache { cache }).set(signed(number));
        }
        self.document_bytes.set(load.num_document_bytes.cast_signed());
        let webhooks = load.webhooks;
        for (state, number) in [("delivered", webhooks.num_delivered), ("failed", webhooks.num_failed)] {
            raise(&self.webhook_tries.get_or_create(&OfState { state }), number);
        }
        self.webhooks_waiting.set(webhooks.num_waiting.cast_signed());
        self.webhooks_oldest.set(webhooks.oldest.as_secs().cast_signed());
    }

    /// Counts a reply.
    pub(super) fn answered(&self, route: &str, method: &axum::http::Method, status: u16, elapsed: Duration) {
        let answered = Answered { route: route.to_owned(), method: name_of(method), status };
        self.requests.get_or_create(&answered).inc();
        self.durations.get_or_create(&OfRoute { route: route.to_owned() }).observe(elapsed.as_secs_f64());
    }

    /// Counts a refusal.
    pub(super) fn refused(&self, limit: &str) {
        self.refusals.get_or_create(&OfLimit { limit: limit.to_owned() }).inc();
    }

    pub(super) fn set_load(&self, at_work: usize, [interactive, batch]: [usize; 2]) {
        self.at_work.set(signed(at_work));
        self.queued.get_or_create(&OfClass { class: "interactive" }).set(signed(interactive));
        self.queued.get_or_create(&OfClass { class: "batch" }).set(signed(batch));
    }

    pub(super) fn set_waits(&self, num: u64) {
        self.waits.set(num.cast_signed());
    }

    pub(super) fn set_bodies(&self, num_bytes: usize) {
        self.bodies.set(signed(num_bytes));
    }

    pub(super) fn set_pending(&self, num_workspaces: usize, num_files: u64) {
        self.workspaces.set(signed(num_workspaces));
        self.pending.set(num_files.cast_signed());
    }

    /// Counts a connection as long as what is returned lives.
    pub(super) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.inc();
        Connected(Arc::clone(self))
    }

    /// All of it in the text format of `OpenMetrics`, which Prometheus reads.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// One connection.
pub(super) struct Connected(Arc<Metrics>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

/// Methods that somebody made up are counted as one.
fn name_of(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
