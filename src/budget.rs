//! How long the work of one request may take, and whether anybody still waits for it.
//!
//! # Invariants
//! - Work asks [`Budget::is_over`] in its loops and ends with what it has. Whoever made the budget asks [`Budget::was_cut`] afterwards
//!   and says so in the reply.
//! - What was cut by the time is a partial reply. What was cancelled has no reply: nobody is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The time of one request, shared by everything that works for it.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    ends_at: Option<Instant>,
    is_cancelled: Arc<AtomicBool>,
    was_cut: Arc<AtomicBool>,
}

impl Budget {
    /// The same work, which ends after `timeout` from now at the latest.
    #[must_use]
    pub fn lasting(&self, timeout: Duration) -> Self {
        let end = Instant::now().checked_add(timeout);
        let ends_at = self.ends_at.into_iter().chain(end).min();
        Self { ends_at, is_cancelled: Arc::clone(&self.is_cancelled), was_cut: Arc::default() }
    }

    /// Whether work has to end now. Where the time is over, this notes that something was left out.
    #[must_use]
    pub fn is_over(&self) -> bool {
        if self.is_cancelled() {
            return true;
        }
        let is_late = self.ends_at.is_some_and(|end| Instant::now() >= end);
        if is_late {
            self.was_cut.store(true, Ordering::Relaxed);
        }
        is_late
    }

    /// Whether work has ended early because its time was over.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.was_cut.load(Ordering::Relaxed)
    }

    /// Whether nobody waits for the reply any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Says that nobody waits for the reply any more.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Cancels the work when it is dropped, as the future of a request is when its client hangs up.
    #[must_use]
    pub fn cancelled_on_drop(&self) -> CancelledOnDrop {
        CancelledOnDrop(self.clone())
    }
}

/// The client's side of a budget: dropping it ends the work.
#[derive(Debug)]
pub struct CancelledOnDrop(Budget);

impl Drop for CancelledOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_over_when_its_time_is_and_says_that_something_was_cut() {
        let endless = Budget::default();
        assert!(!endless.is_over() && !endless.was_cut());
        let short = endless.lasting(Duration::ZERO);
        assert!(!short.was_cut(), "nobody has asked yet");
        assert!(short.is_over() && short.was_cut());
        assert!(!endless.is_over() && !endless.was_cut(), "it has a time of its own");
    }

    #[test]
    fn whoever_hangs_up_ends_all_the_work_that_is_done_for_it() {
        let budget = Budget::default();
        let work = budget.lasting(Duration::from_mins(1));
        let waiting = budget.cancelled_on_drop();
        assert!(!work.is_over());
        drop(waiting);
        assert!(work.is_over() && work.is_cancelled() && !work.was_cut());
    }
}
