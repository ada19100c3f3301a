//! Who makes a request, and what the caller may do: keys, their secrets and their rights.
//!
//! # Invariants
//! - A secret is never stored, logged or shown again: only its SHA-256 is kept, and compared in constant time. What S3 signs with is no
//!   such secret: it is derived from a root that the data folder keeps (`signing.rs`).
//! - A key never grants more than the key that it was made with: not in rights, workspaces, files or time.
//! - Each request looks its key up in the store, so a revocation holds at once in every process that shares the data folder.
//! - What a request takes of its caller's allowances is taken all at once or not at all.
//!
//! # Not here
//! Where a right is checked (`engine/recording.rs`), what a narrowed caller sees of a workspace (`engine/sight.rs`), and how a secret
//! comes with a request (`serve/door.rs`).

mod action;
mod caller;
mod error;
mod key;
mod quota;
mod rates;
mod secret;
mod session;
mod signing;

pub use self::action::{Action, Effect};
pub use self::caller::{Caller, Surface, Who};
pub use self::error::AccessError;
pub use self::key::{Key, KeyState, KeySummary, MAX_KEY_DAYS, MAX_NAME_CHARS, NewKey, Overlap, check_changes};
pub use self::quota::{Quota, QuotaKind};
pub use self::rates::{Exhausted, Kind, Partition, Rates, Standing};
pub(crate) use self::secret::random_signs;
pub use self::secret::{ClaimToken, Secret};
pub use self::session::{SESSION_IDLE, SESSION_LIFE, SessionToken};
pub use self::signing::SigningRoot;
