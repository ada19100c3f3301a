//! How much a caller may take: requests in a time, waits at once, bytes a day; and how much a workspace may hold.
//!
//! # Invariants
//! - Of writes through this process, a quota is met exactly: a write that would go beyond it leaves nothing, and one that fits is not
//!   refused. Of processes that share the data folder, each sees of the others' writes what is logged; those in progress may go beyond it.
//! - What a key has written today is in the store, and outlives the process. Rates and waits are counted in each process for itself.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{Engine, EngineError, Workspace};
use crate::access::{AccessError, Action, Caller, Partition, Quota, QuotaKind, Rates};
use crate::config::Limits;
use crate::store::{OfDay, Written};
use crate::workspace::{RelPath, WorkspaceId};

const SECONDS_OF_DAY: i64 = 86_400;

/// What is counted in this process.
pub(super) struct Allowances {
    rates: Rates,
    in_progress: Arc<InProgress>,
}

/// What is in progress, by whom.
#[derive(Debug, Default)]
struct InProgress {
    /// Bytes of writes that are not logged yet, by key. The inner lock is held while a write is logged, so that nobody counts it twice.
    bytes: Mutex<HashMap<String, Arc<Mutex<u64>>>>,
    waits: Mutex<HashMap<Partition, u64>>,
}

impl Allowances {
    pub(super) fn new(limits: &Limits) -> Self {
        let num_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        Self { rates: Rates::new(limits, num_cores), in_progress: Arc::default() }
    }
}

/// A wait, until it is dropped.
#[derive(Debug)]
pub(super) struct WaitSlot {
    in_progress: Arc<InProgress>,
    whose: Partition,
}

impl Drop for WaitSlot {
    fn drop(&mut self) {
        let mut waits = self.in_progress.waits.lock();
        if let Some(num) = waits.get_mut(&self.whose) {
            *num -= 1;
            if *num == 0 {
                waits.remove(&self.whose);
            }
        }
    }
}

/// Bytes of a key's day that a write takes; given back where the write is not logged.
#[derive(Debug)]
pub(super) struct Charge(Option<OfKey>);

#[derive(Debug)]
struct OfKey {
    in_progress: Arc<InProgress>,
    /// Of all writes of the key that are in progress.
    bytes: Arc<Mutex<u64>>,
    own: Written,
}

impl Charge {
    /// Logs a write of so many bytes, at most those that were charged.
    pub(super) fn settle<T>(
        mut self,
        bytes: u64,
        log: impl FnOnce(Option<&Written>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let Some(of_key) = &mut self.0 else { return log(None) };
        let in_progress = Arc::clone(&of_key.bytes);
        let mut in_progress = in_progress.lock();
        let logged = log(Some(&Written { bytes, ..of_key.own.clone() }))?;
        *in_progress -= std::mem::take(&mut of_key.own.bytes);
        Ok(logged)
    }
}

impl Drop for OfKey {
    fn drop(&mut self) {
        let is_last = {
            let mut bytes = self.bytes.lock();
            *bytes -= self.own.bytes;
            *bytes == 0
        };
        if is_last {
            let mut all = self.in_progress.bytes.lock();
            // The map's own and this one: nobody else has it, and nobody can get it meanwhile.
            if Arc::strong_count(&self.bytes) == 2 {
                all.remove(&self.own.key);
            }
        }
    }
}

/// What a workspace has room for, when one file is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    files: Quota,
    bytes: Quota,
    /// The size of the file that is there.
    former: Option<u64>,
}

impl Room {
    /// Refuses a file of that size, unless it makes the workspace no larger.
    pub(super) fn check(&self, size: u64) -> Result<(), EngineError> {
        if self.former.is_none() {
            self.files.check(1)?;
        }
        if size > self.former.unwrap_or(0) {
            self.bytes.check(size)?;
        }
        Ok(())
    }
}

impl Engine {
    /// How much callers may ask for in a time.
    #[must_use]
    pub fn rates(&self) -> &Rates {
        &self.allowances.rates
    }

    /// Whose allowances a caller uses up; `None` for one without bounds: this machine's user.
    #[must_use]
    pub fn limited(&self, caller: &Caller) -> Option<Partition> {
        caller.partition().filter(|whose| match whose {
            Partition::Key(_) => true,
            Partition::Network(network) => self.config().serve.limit_loopback || !network.is_loopback(),
        })
    }

    /// Counts a wait of the caller.
    ///
    /// # Errors
    /// [`AccessError::TooManyWaits`].
    pub(super) fn begin_wait(&self, caller: &Caller) -> Result<Option<WaitSlot>, EngineError> {
        let Some(whose) = self.limited(caller) else { return Ok(None) };
        let max = self.config().limits.caller_waits;
        let in_progress = &self.allowances.in_progress;
        let mut waits = in_progress.waits.lock();
        let num = waits.get(&whose).copied().unwrap_or(0);
        if num >= max {
            return Err(AccessError::TooManyWaits { max }.into());
        }
        waits.insert(whose.clone(), num + 1);
        Ok(Some(WaitSlot { in_progress: Arc::clone(in_progress), whose }))
    }

    /// The caller's allowances and what is left of them, and where a workspace is named, what it has room for. A caller needs no right to ask
    /// for its own.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`](crate::store::StoreError::UnknownWorkspace); for the room of a workspace, a caller without the right to
    /// read there.
    pub fn limits_of(&self, caller: &Caller, workspace: Option<&WorkspaceId>) -> Result<LimitsReply, EngineError> {
        let limits = &self.config().limits;
        let mut reply = LimitsReply::default();
        if let Some(whose) = self.limited(caller) {
            let standing = self.rates().standing(&whose);
            reply.requests = Some(RequestAllowance {
                quota: standing.quota,
                window_s: standing.window_s,
                left: standing.left,
                full_in_s: standing.full_in_s,
            });
            let waiting = self.allowances.in_progress.waits.lock().get(&whose).copied().unwrap_or(0);
            reply.waits = Some(Allowance::of(limits.caller_waits, waiting));
            reply.limited_by = if matches!(whose, Partition::Key(_)) { LimitedBy::Key } else { LimitedBy::Address };
        }
        if let Some(key) = caller.key() {
            reply.key = Some(key.row.id.clone());
            let [bytes, chunks] = self.day_of(&key.row.id)?.map(|Quota { most, left, renewed_in_s, .. }| {
                DayAllowance { quota: most, left, renewed_in_s: renewed_in_s.unwrap_or_default() }
            });
            (reply.bytes_today, reply.chunks_today) = (Some(bytes), Some(chunks));
        }
        if let Some(id) = workspace {
            reply.workspace = Some(self.workspace(id, caller)?.room_left()?);
        }
        Ok(reply)
    }

    /// What a key may still write today.
    fn day_of(&self, key: &str) -> Result<[Quota; 2], EngineError> {
        let in_progress = self.allowances.in_progress.bytes.lock().get(key).cloned();
        let in_progress = in_progress.as_ref().map(|bytes| bytes.lock());
        self.day_less(key, today(), in_progress.map_or(0, |bytes| *bytes))
    }

    /// The bytes and the chunks of a key's day.
    fn day_less(
        &self,
        key: &str,
        (day, renewed_in_s): (i64, u64),
        in_progress: u64,
    ) -> Result<[Quota; 2], EngineError> {
        let limits = &self.config().limits;
        let OfDay { bytes, chunks } = self.data.store.written_on_day(key, day)?;
        let quota = |kind, most: u64, taken| Quota {
            kind,
            most,
            left: most.saturating_sub(taken),
            is_told: true,
            renewed_in_s: Some(renewed_in_s),
        };
        Ok([
            quota(QuotaKind::BytesOfDay, limits.key_bytes_per_day, bytes.saturating_add(in_progress)),
            quota(QuotaKind::ChunksOfDay, limits.key_chunks_per_day, chunks),
        ])
    }
}

impl Workspace<'_> {
    /// The bytes that the caller's key may still write today; `None` for a caller without a key.
    pub(super) fn day(&self) -> Result<Option<Quota>, EngineError> {
        let Some(key) = self.caller.key() else { return Ok(None) };
        let [bytes, _] = self.engine.day_of(&key.row.id)?;
        Ok(Some(bytes))
    }

    /// Takes bytes of the day of the caller's key.
    ///
    /// # Errors
    /// [`AccessError::QuotaExceeded`], [`AccessError::LargerThanQuota`].
    pub(super) fn charge(&self, bytes: u64) -> Result<Charge, EngineError> {
        let Some(key) = self.caller.key() else { return Ok(Charge(None)) };
        let (key, in_progress) = (key.row.id.clone(), &self.engine.allowances.in_progress);
        let of_all = Arc::clone(in_progress.bytes.lock().entry(key.clone()).or_default());
        let today = today();
        let own = Written { key, day: today.0, bytes: 0 };
        let mut charge = OfKey { in_progress: Arc::clone(in_progress), bytes: of_all, own };
        {
            let mut all = charge.bytes.lock();
            let [of_bytes, of_chunks] = self.engine.day_less(&charge.own.key, today, *all)?;
            of_bytes.check(bytes)?;
            // How many chunks it will be is known once it was read.
            of_chunks.check(1)?;
            *all += bytes;
        }
        charge.own.bytes = bytes;
        Ok(Charge(Some(charge)))
    }

    /// What there is room for where `path` is written. Under the lock on the files, nobody takes it meanwhile.
    pub(super) fn room(&self, path: &RelPath) -> Result<Room, EngineError> {
        let former = self.engine.data.store.counted_size(&self.id, path)?;
        let [files, bytes] = self.quotas(former.unwrap_or(0))?;
        Ok(Room { files, bytes, former })
    }

    /// Refuses to write all of these files, where there is no room for them together. Of one path, the last counts.
    pub(super) fn check_room_for<'a>(
        &self,
        written: impl Iterator<Item = (&'a RelPath, u64)>,
    ) -> Result<(), EngineError> {
        let sizes: HashMap<&RelPath, u64> = written.collect();
        let (mut num_new, mut former, mut size) = (0, 0, 0);
        for (path, new) in sizes {
            let counted = self.engine.data.store.counted_size(&self.id, path)?;
            num_new += u64::from(counted.is_none());
            former += counted.unwrap_or(0);
            size += new;
        }
        let [files, bytes] = self.quotas(former)?;
        if num_new > 0 {
            files.check(num_new)?;
        }
        if size > former {
            bytes.check(size)?;
        }
        Ok(())
    }

    /// The quotas of the workspace, for a write that replaces so many bytes.
    fn quotas(&self, replaced: u64) -> Result<[Quota; 2], EngineError> {
        let limits = &self.engine.config().limits;
        let totals = self.engine.data.store.totals(&self.id)?;
        let is_told = !self.is_narrowed();
        let quota = |kind, most: u64, taken| Quota {
            kind,
            most,
            left: most.saturating_sub(taken),
            is_told,
            renewed_in_s: None,
        };
        Ok([
            quota(QuotaKind::Files, limits.workspace_files, totals.files),
            quota(QuotaKind::Bytes, limits.workspace_bytes, totals.bytes.saturating_sub(replaced)),
        ])
    }

    fn room_left(&self) -> Result<WorkspaceAllowance, EngineError> {
        self.recorded(Action::Status, Told::default(), |_| {
            let [files, bytes] = self
                .quotas(0)?
                .map(|Quota { most, left, is_told, .. }| Allowance { quota: most, left: is_told.then_some(left) });
            Ok(WorkspaceAllowance { name: self.id.clone(), files, bytes })
        })
    }
}

/// The present day, as days since 1970 in UTC, and the seconds until the next one.
fn today() -> (i64, u64) {
    let now = Timestamp::now().as_second();
    (now.div_euclid(SECONDS_OF_DAY), (SECONDS_OF_DAY - now.rem_euclid(SECONDS_OF_DAY)).unsigned_abs())
}

/// What bounds a caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitedBy {
    /// Its key.
    Key,
    /// The address that it calls from.
    Address,
    /// Nothing: it is this machine's user.
    #[default]
    Nothing,
}

/// Requests in a time: a bucket that fills evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct RequestAllowance {
    /// Requests that may be sent at once. A search or a call over MCP counts for 2, an answer for 5.
    pub quota: u64,
    /// Seconds in which so many come anew.
    pub window_s: u64,
    /// How many are left.
    pub left: u64,
    /// Seconds until all are there again.
    pub full_in_s: u64,
}

/// A number that may not be exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Allowance {
    /// The most.
    pub quota: u64,
    /// What is left; absent where it would tell of files that the caller does not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}

impl Allowance {
    const fn of(quota: u64, taken: u64) -> Self {
        Self { quota, left: Some(quota.saturating_sub(taken)) }
    }
}

/// A number for one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct DayAllowance {
    /// The most of a day (UTC).
    pub quota: u64,
    /// What is left today.
    pub left: u64,
    /// Seconds until the next day begins.
    pub renewed_in_s: u64,
}

/// What a workspace may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct WorkspaceAllowance {
    /// The workspace.
    pub name: WorkspaceId,
    /// Its files.
    pub files: Allowance,
    /// Bytes of its files.
    pub bytes: Allowance,
}

/// The caller's allowances, and what is left of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct LimitsReply {
    /// What bounds the caller.
    pub limited_by: LimitedBy,
    /// The id of the caller's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Requests, in the process that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestAllowance>,
    /// Requests that wait for a revision at once, in the process that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Allowance>,
    /// Bytes that the key may write today, in all processes that share the data folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_today: Option<DayAllowance>,
    /// Chunks that the files which the key writes may be cut into today. Each one is indexed and embedded; what waits to be read is not counted
    /// yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks_today: Option<DayAllowance>,
    /// The workspace that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceAllowance>,
}
