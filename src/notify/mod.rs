//! Webhooks: what is told of a workspace goes from the store's outbox to its receivers, signed, and at least once.
//!
//! A change and what is to be told of it are written in one transaction (`store/outbox.rs`). The process that indexes makes events into
//! deliveries, one for each webhook that they pass (`message`), sends those that are due (`courier`), and notes what became of them.
//!
//! # Invariants
//! - A delivery is in the store until a try of it is noted as succeeded, or as the last: a process that ends anywhere repeats a try, and loses
//!   none. Its `webhook-id` and body stay the same.
//! - A connection goes only to an address that was checked in the same moment (`connect`), and a redirect is never followed.
//! - A receiver that is slow, dead or hostile takes a few threads at most, which others do not need, and no request waits for it.
//! - URLs and secrets are in no log.
//!
//! # Not here
//! The verbs that make and change webhooks (`engine/webhooks.rs`), and signatures of requests that come in (`serve/signature.rs`).

mod addresses;
mod connect;
mod courier;
mod maker;
mod message;
mod runner;
mod schedule;
mod secret;
#[cfg(test)]
mod tests;
mod violations;

pub(crate) use self::connect::Doorman;
pub(crate) use self::courier::Counts;
pub(crate) use self::message::test_body;
pub(crate) use self::runner::{Running, run};
pub(crate) use self::secret::{new_secret, read_secret, written};
pub(crate) use self::violations::ViolationRecorder;
