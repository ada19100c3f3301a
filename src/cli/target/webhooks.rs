//! The verbs on webhooks.

use super::{Call, Done, Target, local};
use crate::engine::DeliveriesRequest;
use crate::workspace::{
    Delivery, DeliveryList, DeliveryState, NewWebhook, Rotation, Webhook, WebhookList, WebhookUpdate, WorkspaceId,
};

impl Target<'_> {
    /// The webhooks of a workspace.
    pub(in crate::cli) fn webhooks(&self, id: &WorkspaceId) -> anyhow::Result<WebhookList> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.webhooks()?),
            Self::Server(server) => Ok(server.call(&Call::get(&["workspaces", id.as_str(), "webhooks"]))?),
        }
    }

    /// Makes a webhook.
    pub(in crate::cli) fn create_webhook(&self, id: &WorkspaceId, new: &NewWebhook) -> anyhow::Result<Webhook> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.create_webhook(new)?),
            Self::Server(server) => Ok(server.call(&Call::post(&["workspaces", id.as_str(), "webhooks"], new))?),
        }
    }

    /// Changes a webhook.
    pub(in crate::cli) fn update_webhook(
        &self,
        id: &WorkspaceId,
        number: u64,
        update: &WebhookUpdate,
    ) -> anyhow::Result<Webhook> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.update_webhook(number, update)?),
            Self::Server(server) => {
                let path = ["workspaces", id.as_str(), "webhooks", &number.to_string()];
                Ok(server.call(&Call::patch(&path, update))?)
            }
        }
    }

    /// Gives a webhook another secret.
    pub(in crate::cli) fn rotate_webhook(
        &self,
        id: &WorkspaceId,
        number: u64,
        rotation: &Rotation,
    ) -> anyhow::Result<Webhook> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.rotate_webhook(number, rotation)?),
            Self::Server(server) => {
                let path = ["workspaces", id.as_str(), "webhooks", &number.to_string(), "rotate"];
                Ok(server.call(&Call::post(&path, rotation))?)
            }
        }
    }

    /// Deletes a webhook.
    pub(in crate::cli) fn delete_webhook(&self, id: &WorkspaceId, number: u64) -> anyhow::Result<()> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.delete_webhook(number)?),
            Self::Server(server) => {
                let path = ["workspaces", id.as_str(), "webhooks", &number.to_string()];
                let Done {} = server.call(&Call::delete(&path))?;
                Ok(())
            }
        }
    }

    /// Deliveries of a webhook, the newest first.
    pub(in crate::cli) fn deliveries(
        &self,
        id: &WorkspaceId,
        number: u64,
        request: &DeliveriesRequest,
    ) -> anyhow::Result<DeliveryList> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.deliveries(number, request)?),
            Self::Server(server) => {
                let DeliveriesRequest { state, before_id, limit } = request;
                let path = ["workspaces", id.as_str(), "webhooks", &number.to_string(), "deliveries"];
                let call = Call::get(&path)
                    .with("limit", [limit])
                    .with("state", state.map(DeliveryState::name))
                    .with("before_id", before_id);
                Ok(server.call(&call)?)
            }
        }
    }

    /// Has a message sent again.
    pub(in crate::cli) fn replay_delivery(
        &self,
        id: &WorkspaceId,
        number: u64,
        delivery: u64,
    ) -> anyhow::Result<Delivery> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.replay_delivery(number, delivery)?),
            Self::Server(server) => {
                let (number, delivery) = (number.to_string(), delivery.to_string());
                let path = ["workspaces", id.as_str(), "webhooks", &number, "deliveries", &delivery, "replay"];
                Ok(server.call(&Call::post(&path, &serde_json::json!({})))?)
            }
        }
    }

    /// Has a test message sent.
    pub(in crate::cli) fn test_webhook(&self, id: &WorkspaceId, number: u64) -> anyhow::Result<Delivery> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.test_webhook(number)?),
            Self::Server(server) => {
                let path = ["workspaces", id.as_str(), "webhooks", &number.to_string(), "test"];
                Ok(server.call(&Call::post(&path, &serde_json::json!({})))?)
            }
        }
    }
}
