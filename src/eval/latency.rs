//! Times of single queries, and their percentiles.

use std::time::Duration;

/// The times of a sequence of queries.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Adds the time of one query.
    pub fn record(&mut self, elapsed: Duration) {
        self.0.push(elapsed);
    }

    /// How many times were recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The `percent`th percentile in milliseconds by the nearest-rank method: of `n` times in ascending order the one
    /// at rank `ceil(percent / 100 * n)`, counted from 1. It is always a time that was measured, never a value between two; below
    /// 100 queries p99 is therefore the slowest one.
    ///
    /// `percent` 0 gives the fastest, 100 and above the slowest; 0 milliseconds when nothing was recorded.
    #[must_use]
    pub fn percentile_ms(&self, percent: u8) -> f64 {
        let mut ascending = self.0.clone();
        ascending.sort_unstable();
        let rank = (usize::from(percent.min(100)) * ascending.len()).div_ceil(100);
        ascending.get(rank.saturating_sub(1)).map_or(0.0, |elapsed| elapsed.as_secs_f64() * 1000.0)
    }

    /// Queries a second when they run one after the other: their number divided by the sum of their times, 0 when nothing
    /// was recorded.
    #[must_use]
    pub fn queries_per_second(&self) -> f64 {
        let total = self.0.iter().sum::<Duration>().as_secs_f64();
        if total > 0.0 { self.0.len() as f64 / total } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(times_ms: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        times_ms.into_iter().for_each(|ms| latencies.record(Duration::from_millis(ms)));
        latencies
    }

    fn assert_ms(latencies: &Latencies, percent: u8, expected: f64) {
        let found = latencies.percentile_ms(percent);
        assert!((found - expected).abs() < 1e-9, "p{percent} is {found}, not {expected}");
    }

    #[test]
    fn percentiles_follow_the_nearest_rank_whatever_the_order_of_recording() {
        let hundred = recorded((1..=100).rev());
        assert_ms(&hundred, 50, 50.0);
        assert_ms(&hundred, 99, 99.0);
        assert_ms(&hundred, 100, 100.0);
        assert_ms(&hundred, 0, 1.0);
        // The textbook example: ranks 1, 2, 2, 3 and 5 of 15, 20, 35, 40, 50.
        let five = recorded([35, 20, 15, 50, 40]);
        for (percent, expected) in [(5, 15.0), (30, 20.0), (40, 20.0), (50, 35.0), (99, 50.0)] {
            assert_ms(&five, percent, expected);
        }
    }

    #[test]
    fn no_queries_give_zeros() {
        assert_ms(&Latencies::default(), 99, 0.0);
        assert!(Latencies::default().queries_per_second() < f64::EPSILON);
    }

    #[test]
    fn throughput_is_queries_over_summed_time() {
        assert!((recorded([100, 300]).queries_per_second() - 5.0).abs() < 1e-9);
    }
}
