//! The audit journal: one line for each access, append-only, chained by hashes.
//!
//! # Invariants
//! - An entry is in the journal before the access is answered. A write has an entry before its effect, too.
//! - Each entry holds the hash of the one before, also across segments, processes and repairs. What is pruned is named by an entry that
//!   stays.
//! - Nothing of the journal is changed but its end, and that only to cut off a line that a crash has torn; an entry tells of it.
//! - No text of a document enters the journal. A query's text does only where `audit.query_text` is `text`.
//!
//! # Not here
//! Which access is recorded, and who may read the journal: that is `engine`.

mod entry;
mod error;
mod flood;
mod head;
mod journal;
mod line;
mod reading;
mod search;
mod segments;
mod tail;
#[cfg(test)]
mod tests;
mod ticker;
mod verify;

pub use self::entry::{Activity, Actor, Entry, Met, Outcome, Shown};
pub use self::error::AuditError;
pub use self::head::{EntryHash, Head};
pub use self::journal::{Journal, Settings};
pub use self::reading::{ActorKind, Asked, AuditActor, AuditEntry, AuditResult, MetContents, ShownFile};
pub use self::search::{Cited, Found, Query};
pub use self::verify::{Break, BreakKind, VerifyReport};
