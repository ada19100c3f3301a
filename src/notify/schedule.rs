//! When a delivery is tried again, and when a receiver is given up.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use crate::store::Next;

/// How long after each failed try the next one comes. The first try comes at once, and after the last one a delivery is given up.
const RETRIES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// A receiver may put a try off for as long.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);
/// A webhook of which no try has succeeded for so long is switched off.
pub(super) const OFF_AFTER: Duration = Duration::from_hours(5 * 24);
pub(super) const OFF_REASON: &str = "no delivery has succeeded for five days";
const GONE_REASON: &str = "the receiver replied with 410 Gone: it wants no more messages";
pub(super) const BACKLOG_REASON: &str = "more deliveries waited than `limits.webhook_backlog` allows";

/// What follows the reply to a try.
///
/// `num_failed` tries failed before this one; `delivery` and it choose the jitter, so that tries of many messages spread over a tenth of their
/// delay. Only a status of 200 to 299 is a success; 410 ends the webhook; 429 and 503 put the next try off as long as they ask for.
pub(super) fn after(
    status: Option<u16>,
    retry_after: Option<&str>,
    (delivery, num_failed): (u64, u32),
    now: Timestamp,
) -> Next {
    match status {
        Some(200..=299) => return Next::Done,
        Some(410) => return Next::SwitchedOff(GONE_REASON),
        _ => {}
    }
    let Some(delay) = usize::try_from(num_failed).ok().and_then(|failed| RETRIES.get(failed)) else {
        return Next::GivenUp;
    };
    let mut delay = *delay + jitter(*delay, delivery, num_failed);
    if matches!(status, Some(429 | 503))
        && let Some(asked) = retry_after.and_then(|header| delay_of(header, now))
    {
        delay = delay.max(asked.min(MAX_RETRY_AFTER));
    }
    Next::Again(now.as_millisecond() + i64::try_from(delay.as_millis()).unwrap_or(i64::MAX / 2))
}

/// Up to a tenth of a delay, by what it is of: the same for the same try.
fn jitter(delay: Duration, delivery: u64, num_failed: u32) -> Duration {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&delivery.to_le_bytes());
    hasher.update(&num_failed.to_le_bytes());
    (delay / 10).mul_f64(f64::from(hasher.finalize()) / f64::from(u32::MAX))
}

/// The delay that a header `Retry-After` asks for: seconds, or a time.
fn delay_of(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let at = DateTimeParser::new().parse_timestamp(header).ok()?;
    Duration::try_from(at.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn delay(status: Option<u16>, retry_after: Option<&str>, num_failed: u32) -> Duration {
        match after(status, retry_after, (7, num_failed), NOW) {
            Next::Again(at_ms) => Duration::from_millis((at_ms - NOW.as_millisecond()).unsigned_abs()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_delivery_is_tried_ten_times_within_three_and_a_half_days() {
        let mut total = Duration::ZERO;
        for (num_failed, expected) in (0..).zip(RETRIES) {
            let delay = delay(Some(500), None, num_failed);
            assert!(delay >= expected && delay <= expected.mul_f64(1.1), "{num_failed}: {delay:?}");
            total += delay;
        }
        assert!(total < OFF_AFTER && total > Duration::from_hours(75), "{total:?}");
        assert_eq!(after(Some(500), None, (7, 9), NOW), Next::GivenUp);
        assert_eq!(after(None, None, (7, u32::MAX), NOW), Next::GivenUp);
    }

    #[test]
    fn the_tries_of_many_messages_spread() {
        let delays: std::collections::BTreeSet<i64> = (0..100)
            .map(|delivery| match after(None, None, (delivery, 3), NOW) {
                Next::Again(at_ms) => at_ms,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(delays.len() > 90, "{}", delays.len());
        assert_eq!(after(None, None, (1, 3), NOW), after(None, None, (1, 3), NOW));
    }

    #[test]
    fn only_a_status_of_two_hundred_and_more_counts() {
        for status in [200, 201, 204, 299] {
            assert_eq!(after(Some(status), None, (1, 0), NOW), Next::Done);
        }
        for status in [100, 199, 300, 301, 302, 304, 307, 308, 400, 401, 404, 429, 500, 503] {
            assert!(matches!(after(Some(status), None, (1, 0), NOW), Next::Again(_)), "{status}");
        }
        assert_eq!(after(Some(410), None, (1, 0), NOW), Next::SwitchedOff(GONE_REASON));
    }

    #[test]
    fn a_receiver_that_asks_for_a_pause_gets_it_up_to_a_day() {
        for status in [Some(429), Some(503)] {
            assert_eq!(delay(status, Some("120"), 0), Duration::from_mins(2));
            assert_eq!(delay(status, Some(" 99999999999999999999999 "), 0), MAX_RETRY_AFTER);
            let in_an_hour = NOW + Duration::from_hours(1);
            let header = jiff::fmt::rfc2822::to_string(&in_an_hour.to_zoned_datetime(jiff::tz::TimeZone::UTC)).unwrap();
            assert_eq!(delay(status, Some(&header), 0), Duration::from_hours(1), "{header}");
            assert_eq!(delay(status, Some("Tue, 15 Jan 2030 08:00:00 GMT"), 0), MAX_RETRY_AFTER);
            for ignored in ["", "soon", "-5", "1.5", "Sun, 06 Nov 1994 08:49:37 GMT"] {
                assert!(delay(status, Some(ignored), 0) < Duration::from_secs(6), "{ignored}");
            }
            assert!(delay(status, Some("1"), 3) >= Duration::from_hours(2), "no sooner than it would be");
        }
        assert!(delay(Some(500), Some("120"), 0) < Duration::from_secs(6));
    }
}
