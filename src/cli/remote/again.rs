//! When a request that a busy server refused is sent again.
//!
//! # Invariants
//! - Only refusals that did no work, and say so, are repeated, and only requests that may be ([`Call`](super::Call)).
//! - All waits of one request take at most [`MOST`]; a server that asks for a longer one is not waited for.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use ureq::http::StatusCode;

/// How long one request is waited with, all pauses together.
const MOST: Duration = Duration::from_secs(30);
/// The first pause is between half of this and all of it; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The pauses do not grow beyond this.
const LONGEST: Duration = Duration::from_secs(8);
/// Codes of refusals with status 503 that pass by themselves.
const PASSING: [&str; 4] = ["overloaded", "too_many_connections", "too_many_bodies", "too_many_waits"];

/// The pauses of one request.
pub(super) struct Again {
    began: Instant,
    next: Duration,
}

impl Again {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), next: FIRST }
    }

    /// How long to wait before the request is sent again; `None` where it is not.
    pub(super) fn pause(&mut self, status: StatusCode, code: &str, retry_after: Option<Duration>) -> Option<Duration> {
        // Clients that were refused together do not come back together.
        let pause = retry_after.unwrap_or_default() + self.next.mul_f64(0.5 + 0.5 * random_share());
        self.next = (self.next * 2).min(LONGEST);
        (passes(status, code) && self.began.elapsed() + pause <= MOST).then_some(pause)
    }
}

/// Whether a refusal did no work, and passes by itself.
fn passes(status: StatusCode, code: &str) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::SERVICE_UNAVAILABLE => PASSING.contains(&code),
        _ => false,
    }
}

/// Pauses between tries that fail: exponential backoff with full jitter.
pub(in crate::cli) struct Backoff {
    bound: Duration,
}

impl Backoff {
    pub(in crate::cli) const fn new() -> Self {
        Self { bound: FIRST }
    }

    /// A random time below a bound that doubles each time.
    pub(in crate::cli) fn pause(&mut self) -> Duration {
        let pause = self.bound.mul_f64(random_share());
        self.bound = (self.bound * 2).min(LONGEST);
        pause
    }
}

/// A random number in `0..1`.
pub(in crate::cli) fn random_share() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1u64 << 53) as f64
}

/// The time of a header `Retry-After` in seconds; its other form, a date, is not taken.
pub(super) fn retry_after(header: Option<&str>) -> Option<Duration> {
    header?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_as_long_as_the_server_asks_and_end() {
        let mut again = Again::new();
        let mut pause = |after| again.pause(StatusCode::TOO_MANY_REQUESTS, "", after);
        let first = pause(None).unwrap();
        assert!((FIRST / 2..=FIRST).contains(&first), "{first:?}");
        assert!(pause(Some(Duration::from_secs(7))).unwrap() > Duration::from_secs(7));
        for _ in 0..9 {
            assert!(pause(None).unwrap() <= LONGEST);
        }
        assert_eq!(pause(Some(MOST)), None, "so long nobody waits");
    }

    #[test]
    fn only_a_refusal_that_passes_is_waited_for() {
        let paused = |status, code| Again::new().pause(status, code, None).is_some();
        assert!(paused(StatusCode::SERVICE_UNAVAILABLE, "overloaded") && paused(StatusCode::TOO_MANY_REQUESTS, "rate"));
        assert!(!paused(StatusCode::SERVICE_UNAVAILABLE, "model_unavailable"));
        assert!(!paused(StatusCode::SERVICE_UNAVAILABLE, ""), "nobody knows what a proxy means by it");
        assert!(!paused(StatusCode::INTERNAL_SERVER_ERROR, "overloaded") && !paused(StatusCode::FORBIDDEN, ""));
    }

    #[test]
    fn a_time_to_wait_is_whole_seconds_and_nothing_else() {
        assert_eq!(retry_after(Some(" 3 ")), Some(Duration::from_secs(3)));
        for header in [None, Some(""), Some("-1"), Some("1.5"), Some("Wed, 21 Oct 2026 07:28:00 GMT")] {
            assert_eq!(retry_after(header), None, "{header:?}");
        }
    }
}
