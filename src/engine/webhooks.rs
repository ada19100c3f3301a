//! Webhooks: made, changed, tried and removed, and what became of their messages.
//!
//! # Invariants
//! - A webhook is stored only when its URL leads to allowed addresses at that moment; the courier checks them again at each connection.
//! - A secret is in the reply that makes it, and in no other.
//! - A webhook belongs to the key that made it or set its URL last: it is told what that key may see, as long as that key holds.

use std::time::Duration;

use jiff::Timestamp;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::notify;
use crate::search::Filters;
use crate::store::{DeliveryScope, StoreError};
use crate::workspace::{
    Delivery, DeliveryList, DeliveryState, InvalidWebhook, MAX_OVERLAP_S, MAX_WEBHOOK_AGENTS, NewWebhook,
    ProvenanceFilter, Rotation, Webhook, WebhookList, WebhookUpdate,
};

/// Why a webhook is off that somebody switched off.
const OFF_BY_REQUEST: &str = "it was switched off by request";

/// Which deliveries to list: all conditions hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveriesRequest {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Older than the delivery of this number, to go on behind a page.
    pub before_id: Option<u64>,
    /// How many at most.
    pub limit: usize,
}

impl Workspace<'_> {
    /// Makes a webhook, which is told of what happens from now on. The reply alone holds the whole secret.
    ///
    /// # Errors
    /// [`EngineError::Webhook`] where the URL, the secret or a condition cannot be,
    /// [`StoreError::TooManyWebhooks`] where the workspace may have no more.
    pub fn create_webhook(&self, new: &NewWebhook) -> Result<Webhook, EngineError> {
        self.recorded(Action::CreateWebhook, Told::default(), |_| {
            self.engine.data.must_log()?;
            self.check_conditions(&new.path_globs, &new.agents)?;
            let secret = match &new.secret {
                Some(secret) => notify::read_secret(secret)?,
                None => notify::new_secret(),
            };
            self.engine.doorman.check(&new.url)?;
            let max = self.engine.config().limits.webhooks;
            let webhook = self.engine.data.store.add_webhook(&self.id, new, &secret, self.maker(), max)?;
            Ok(Webhook { secret: Some(notify::written(&secret)), ..webhook })
        })
    }

    /// The webhooks of the workspace by number. A caller that sees some files only is shown those of its own key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn webhooks(&self) -> Result<WebhookList, EngineError> {
        self.recorded(Action::ListWebhooks, Told::default(), |_| Ok(WebhookList { webhooks: self.visible_webhooks()? }))
    }

    /// One webhook.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] where there is none of that number.
    pub fn webhook(&self, id: u64) -> Result<Webhook, EngineError> {
        self.recorded(Action::ListWebhooks, Told::default(), |_| self.visible_webhook(id))
    }

    /// Changes a webhook.
    ///
    /// # Errors
    /// As [`Self::webhook`] and [`Self::create_webhook`]; nothing is changed then.
    pub fn update_webhook(&self, id: u64, update: &WebhookUpdate) -> Result<Webhook, EngineError> {
        self.recorded(Action::ChangeWebhook, Told::default(), |_| {
            self.engine.data.must_log()?;
            self.visible_webhook(id)?;
            let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
            self.check_conditions(&list(&update.path_globs), &list(&update.agents))?;
            if let Some(url) = &update.url {
                self.engine.doorman.check(url)?;
            }
            let webhook =
                self.engine.data.store.update_webhook(&self.id, id, update, (self.maker(), OFF_BY_REQUEST))?;
            self.engine.scheduler.ring_news();
            Ok(webhook)
        })
    }

    /// Gives a webhook another secret. Messages are signed with the old one, too, as long as `rotation` says. The reply alone holds the whole
    /// secret.
    ///
    /// # Errors
    /// As [`Self::webhook`]; [`EngineError::Webhook`] where the secret or the time cannot be.
    pub fn rotate_webhook(&self, id: u64, rotation: &Rotation) -> Result<Webhook, EngineError> {
        self.recorded(Action::ChangeWebhook, Told::default(), |_| {
            self.engine.data.must_log()?;
            self.visible_webhook(id)?;
            let Rotation { secret, overlap_s } = rotation;
            if *overlap_s > MAX_OVERLAP_S {
                return Err(InvalidWebhook::Overlap { overlap_s: *overlap_s, most: MAX_OVERLAP_S }.into());
            }
            let secret = match secret {
                Some(secret) => notify::read_secret(secret)?,
                None => notify::new_secret(),
            };
            let old_until = Timestamp::now() + Duration::from_secs(*overlap_s);
            let webhook = self.engine.data.store.rotate_webhook(&self.id, id, &secret, old_until)?;
            Ok(Webhook { secret: Some(notify::written(&secret)), ..webhook })
        })
    }

    /// Removes a webhook with its deliveries, those that wait among them.
    ///
    /// # Errors
    /// As [`Self::webhook`].
    pub fn delete_webhook(&self, id: u64) -> Result<(), EngineError> {
        self.recorded(Action::DeleteWebhook, Told::default(), |_| {
            self.engine.data.must_log()?;
            self.visible_webhook(id)?;
            Ok(self.engine.data.store.remove_webhook(&self.id, id)?)
        })
    }

    /// Has a message of the type `webhook.test` sent, which passes every condition. What becomes of it stands among the deliveries.
    ///
    /// # Errors
    /// As [`Self::webhook`]; [`StoreError::WebhookOff`] where it is switched off.
    pub fn test_webhook(&self, id: u64) -> Result<Delivery, EngineError> {
        self.recorded(Action::SendDelivery, Told::default(), |_| {
            self.engine.data.must_log()?;
            self.visible_webhook(id)?;
            let now = Timestamp::now();
            let body = notify::test_body(&self.id, now);
            let delivery = self.engine.data.store.add_test_delivery(&self.id, id, &body, now)?;
            self.engine.scheduler.ring_news();
            Ok(delivery)
        })
    }

    /// The deliveries of a webhook that are asked for, newest first.
    ///
    /// # Errors
    /// As [`Self::webhook`].
    pub fn deliveries(&self, id: u64, request: &DeliveriesRequest) -> Result<DeliveryList, EngineError> {
        self.recorded(Action::ListDeliveries, Told::default(), |_| {
            self.visible_webhook(id)?;
            let DeliveriesRequest { state, before_id, limit } = *request;
            let (mut deliveries, mut goes_on) = (Vec::new(), false);
            self.engine.data.store.see_deliveries(id, &DeliveryScope { state, before_id }, &mut |delivery| {
                if delivery.path.as_ref().is_some_and(|path| !self.sees(path)) {
                    return true;
                }
                goes_on = deliveries.len() == limit;
                if !goes_on {
                    deliveries.push(delivery);
                }
                !goes_on
            })?;
            let next = deliveries.last().map(|last| last.id).filter(|_| goes_on);
            Ok(DeliveryList { deliveries, next })
        })
    }

    /// Has a message sent again, or at once where it waits; its `webhook-id` stays.
    ///
    /// # Errors
    /// As [`Self::test_webhook`]; [`StoreError::UnknownDelivery`] where there is none of that number.
    pub fn replay_delivery(&self, id: u64, delivery: u64) -> Result<Delivery, EngineError> {
        self.recorded(Action::SendDelivery, Told::default(), |_| {
            self.engine.data.must_log()?;
            self.visible_webhook(id)?;
            let replayed = self.engine.data.store.replay(&self.id, id, delivery, Timestamp::now())?;
            self.engine.scheduler.ring_news();
            Ok(replayed)
        })
    }

    /// What a person should know of the webhooks: which are switched off, and which fail.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn webhook_notes(&self) -> Result<Vec<String>, EngineError> {
        let note = |webhook: Webhook| {
            let Webhook { id, enabled, disabled_reason, failing_since, .. } = webhook;
            match (enabled, failing_since) {
                (false, _) => {
                    let reason = disabled_reason.unwrap_or_default();
                    Some(format!("the webhook {id} is switched off: {reason}"))
                }
                (true, Some(since)) => Some(format!("no delivery of the webhook {id} has succeeded since {since:.0}")),
                (true, None) => None,
            }
        };
        Ok(self.visible_webhooks()?.into_iter().filter_map(note).collect())
    }

    /// The id of the caller's key, where it has one.
    fn maker(&self) -> Option<&str> {
        self.caller.key().map(|key| key.row.id.as_str())
    }

    /// Who sees all files sees all webhooks; the others those of their own key, as deliveries name files.
    fn is_visible(&self, webhook: &Webhook) -> bool {
        !self.is_narrowed() || webhook.made_by.as_deref() == self.maker()
    }

    fn visible_webhooks(&self) -> Result<Vec<Webhook>, EngineError> {
        let mut webhooks = self.engine.data.store.webhooks(&self.id)?;
        webhooks.retain(|webhook| self.is_visible(webhook));
        Ok(webhooks)
    }

    fn visible_webhook(&self, id: u64) -> Result<Webhook, EngineError> {
        let webhook = self.engine.data.store.webhook(&self.id, id)?;
        if self.is_visible(&webhook) { Ok(webhook) } else { Err(StoreError::UnknownWebhook { id }.into()) }
    }

    fn check_conditions(&self, path_globs: &[String], agents: &[String]) -> Result<(), EngineError> {
        if agents.len() > MAX_WEBHOOK_AGENTS {
            return Err(InvalidWebhook::TooManyAgents { num_agents: agents.len() }.into());
        }
        ProvenanceFilter { agent: agents.to_vec(), ..ProvenanceFilter::default() }.check()?;
        Filters { path: path_globs.to_vec(), ..Filters::default() }.compile(self.engine.data.patterns())?;
        Ok(())
    }
}
