//! Resources that a client subscribes to: it is told when a file has changed and a search finds the change.
//!
//! Since 2026-07-28 a client listens in a request of its own, over HTTP as well. Before, it subscribes over a connection that stays, which
//! standard input and output are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rmcp::RoleServer;
use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, SubscriptionContext};

use super::resources::uri_of;
use super::server::McpServer;
use crate::engine::{Action, ChangeFilters, ChangesRequest};
use crate::error::ErrorReport;
use crate::workspace::{ChangeKind, Revision};

/// How long one wait for a change takes at most.
const WAIT_MS: u64 = 30_000;
/// Changes that come within this time are told together.
const TELLS_EVERY: Duration = Duration::from_millis(250);
/// More changes at once are told as changes of every resource that is subscribed to.
const MAX_CHANGES: usize = 1_000;
/// URIs that one client subscribes to.
const MAX_URIS: usize = 1_000;

/// What the client of a connection has subscribed to.
#[derive(Debug, Clone, Default)]
pub(super) struct Subscribed(Arc<Mutex<Subscriptions>>);

#[derive(Debug, Default)]
struct Subscriptions {
    uris: BTreeSet<String>,
    is_followed: bool,
}

/// What has happened since the last look.
struct News {
    revision: Revision,
    /// The files that changed; `None` where there are too many to name.
    uris: Option<BTreeSet<String>>,
    /// Whether files came or went.
    list_changed: bool,
}

impl News {
    fn is_about(&self, uri: &str) -> bool {
        self.uris.as_ref().is_none_or(|changed| changed.contains(uri))
    }
}

impl McpServer {
    /// What of a filter is told of: files of this workspace, and that files come and go.
    pub(super) fn followed(&self, requested: &SubscriptionFilter) -> SubscriptionFilter {
        let mut filter = SubscriptionFilter::new();
        filter.resources_list_changed = requested.resources_list_changed;
        let uris = requested.resource_subscriptions.iter().flatten();
        let known: Vec<String> = uris.filter(|uri| self.asked(uri).is_ok()).take(MAX_URIS).cloned().collect();
        filter.resource_subscriptions = (!known.is_empty()).then_some(known);
        filter
    }

    /// Tells the client of a listening request what it listens to, until it stops.
    pub(super) async fn tell_subscriber(&self, context: &SubscriptionContext) -> Result<(), ErrorData> {
        let accepted = context.accepted();
        let uris = accepted.resource_subscriptions.clone().unwrap_or_default();
        let listens_to_list = accepted.resources_list_changed == Some(true);
        if uris.is_empty() && !listens_to_list {
            context.cancelled().await;
            return Ok(());
        }
        let mut seen = None;
        loop {
            let news = tokio::select! {
                () = context.cancelled() => return Ok(()),
                news = self.news(&mut seen) => news.map_err(|error| ended(&error))?,
            };
            for uri in uris.iter().filter(|uri| news.is_about(uri)) {
                if context.sink().notify_resource_updated(uri).await.is_err() {
                    return Ok(());
                }
            }
            if listens_to_list && news.list_changed && context.sink().notify_resource_list_changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Subscribes the client of this connection to a resource.
    pub(super) fn begin_subscription(&self, uri: String, peer: Peer<RoleServer>) -> Result<(), ErrorData> {
        self.check_kept()?;
        self.asked(&uri)?;
        let mut subscriptions = self.subscribed.0.lock();
        if subscriptions.uris.len() >= MAX_URIS && !subscriptions.uris.contains(&uri) {
            let message = format!("a client subscribes to at most {MAX_URIS} resources");
            return Err(ErrorData::invalid_request(message, None));
        }
        subscriptions.uris.insert(uri);
        if !std::mem::replace(&mut subscriptions.is_followed, true) {
            let server = self.clone();
            tokio::spawn(async move { server.tell_peer(&peer).await });
        }
        Ok(())
    }

    /// Ends a subscription, also one that there is not.
    pub(super) fn end_subscription(&self, uri: &str) -> Result<(), ErrorData> {
        self.check_kept()?;
        self.subscribed.0.lock().uris.remove(uri);
        Ok(())
    }

    fn check_kept(&self) -> Result<(), ErrorData> {
        if self.desk.keeps_subscriptions {
            return Ok(());
        }
        let message = "nothing is kept between two requests here: listen with `subscriptions/listen` (2026-07-28), or use `pincite mcp`";
        Err(ErrorData::invalid_request(message, None))
    }

    /// Tells the client of this connection of what it has subscribed to, as long as the connection is there.
    async fn tell_peer(&self, peer: &Peer<RoleServer>) {
        let mut seen = None;
        loop {
            let news = match self.news(&mut seen).await {
                Ok(news) => news,
                Err(error) => {
                    tracing::warn!(code = %error.code, "subscriptions are told no more");
                    self.subscribed.0.lock().is_followed = false;
                    return;
                }
            };
            let wanted: Vec<String> = self.subscribed.0.lock().uris.clone().into_iter().collect();
            for uri in wanted.into_iter().filter(|uri| news.is_about(uri)) {
                let told = peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await;
                if told.is_err() {
                    return;
                }
            }
            if news.list_changed && peer.notify_resource_list_changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits for changes that are newer than `seen`, which begins with what there is now.
    async fn news(&self, seen: &mut Option<Revision>) -> Result<News, ErrorReport> {
        loop {
            let since = match *seen {
                Some(since) => since,
                None => *seen.insert(self.look(None).await?.revision),
            };
            self.await_revision(Revision(since.0.saturating_add(1)), WAIT_MS).await?;
            let news = self.look(Some(since)).await?;
            if news.revision > since {
                *seen = Some(news.revision);
                return Ok(news);
            }
            tokio::time::sleep(TELLS_EVERY).await;
        }
    }

    /// How new the workspace is, and what changed since a revision.
    async fn look(&self, since: Option<Revision>) -> Result<News, ErrorReport> {
        let Self { engine, workspace, desk, .. } = self.clone();
        let look = move || {
            let caller = engine.still_holds(&desk.caller)?;
            let opened = engine.workspace(&workspace, &caller)?;
            let (revision, _) = opened.freshness()?;
            let nothing = News { revision, uris: Some(BTreeSet::new()), list_changed: false };
            let Some(since) = since else {
                let _admitted = engine.admit(&caller, Action::Changes)?;
                return Ok(nothing);
            };
            // A wait that ended without news is no access.
            if revision <= since {
                return Ok(nothing);
            }
            let filters = ChangeFilters { after_revision: Some(since), ..ChangeFilters::default() };
            let reply = opened.recent_changes(&ChangesRequest { limit: MAX_CHANGES, filters, facets: false })?;
            let comes_or_goes = |kind: ChangeKind| kind != ChangeKind::Modified;
            let list_changed = reply.changes.iter().any(|change| comes_or_goes(change.kind));
            let is_cut = reply.changes.len() >= MAX_CHANGES;
            let paths = reply.changes.iter().flat_map(|change| [Some(&change.path), change.from.as_ref()]);
            let uris = paths.flatten().map(|path| uri_of(&workspace, path)).collect();
            Ok(News { revision: reply.revision, uris: (!is_cut).then_some(uris), list_changed: list_changed || is_cut })
        };
        let looked = tokio::task::spawn_blocking(look).await.map_err(|_| super::calls::failed())?;
        looked.map_err(|error| self.engine.report(&error))
    }
}

fn ended(error: &ErrorReport) -> ErrorData {
    ErrorData::internal_error(error.message.clone(), serde_json::to_value(error).ok())
}
