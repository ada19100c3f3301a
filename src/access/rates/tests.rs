//! The buckets, by a clock that the tests set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;

const HASH: [u8; 32] = [7; 32];

/// Rates, and the milliseconds of their clock.
fn rates(limits: &Limits, max_networks: usize) -> (Rates, Arc<AtomicU64>) {
    let ms = Arc::new(AtomicU64::new(5_000));
    let clock = Arc::clone(&ms);
    (Rates::by(limits, 1, max_networks, Box::new(move || Duration::from_millis(clock.load(Ordering::SeqCst)))), ms)
}

/// Ten requests a second, twenty at once; three bad keys a minute.
fn tight() -> Limits {
    Limits {
        key_requests_per_core: 10,
        address_requests_per_core: 10,
        request_burst_s: 2,
        address_bad_keys_per_minute: 3,
        ..Limits::default()
    }
}

fn network(number: u32) -> Network {
    Network::of_client(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into())
}

#[test]
fn a_bucket_grants_its_burst_and_then_its_rate() {
    let (rates, ms) = rates(&tight(), 10);
    let take = |cost| rates.take_of_key("a", HASH, cost);
    for left in (0..20).rev() {
        assert_eq!(take(1).unwrap()[0].left, left);
    }
    let refused = take(1).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after_s, refused.standings[0].left), (Kind::Requests, 1, 0));
    assert_eq!((refused.standings[0].quota, refused.standings[0].window_s), (20, 2));
    ms.fetch_add(99, Ordering::SeqCst);
    assert!(take(1).is_err(), "a token comes in a tenth of a second");
    ms.fetch_add(1, Ordering::SeqCst);
    assert_eq!(take(1).unwrap()[0].left, 0);
    assert_eq!(take(15).unwrap_err().retry_after_s, 2, "a second and a half, rounded up");
    ms.fetch_add(3_600_000, Ordering::SeqCst);
    let whole = take(1_000).unwrap()[0];
    assert_eq!((whole.left, whole.full_in_s), (0, 2), "what costs more than there ever is takes all");
    assert!(rates.take_of_key("b", HASH, 20).is_ok(), "the bucket of another key is its own");
}

#[test]
fn a_refused_request_takes_nothing_from_any_bucket() {
    let (rates, _) = rates(&tight(), 10);
    let place = network(1);
    for _ in 0..3 {
        rates.take_of_guess(place, true).unwrap();
    }
    let before = rates.standing(&Partition::Network(place));
    let refused = rates.take_of_guess(place, true).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after_s), (Kind::BadKeys, 20));
    assert_eq!((before.left, rates.standing(&Partition::Network(place))), (17, before));
    rates.was_no_guess(place, true);
    assert_eq!(rates.standing(&Partition::Network(place)).left, 18);
    assert!(rates.take_of_guess(place, true).is_ok(), "what was no guess is given back");
}

#[test]
fn a_secret_that_held_lately_is_known_and_a_guess_at_its_key_is_not() {
    let (rates, ms) = rates(&tight(), 10);
    assert!(rates.take_of_familiar("a", &HASH, 1).is_none());
    rates.take_of_key("a", HASH, 1).unwrap();
    assert!(rates.take_of_familiar("a", &HASH, 1).unwrap().is_ok());
    assert!(rates.take_of_familiar("a", &[8; 32], 1).is_none(), "another secret");
    for _ in 0..18 {
        rates.take_of_familiar("a", &HASH, 1).unwrap().unwrap();
    }
    assert!(rates.take_of_familiar("a", &HASH, 1).unwrap().is_err());
    rates.estrange("a");
    assert!(rates.take_of_familiar("a", &HASH, 1).is_none(), "a revoked one");
    assert!(rates.take_of_key("a", HASH, 1).is_err(), "what was taken stays taken");
    ms.fetch_add(10_000, Ordering::SeqCst);
    rates.take_of_key("a", HASH, 1).unwrap();
    ms.fetch_add(3_600_001, Ordering::SeqCst);
    assert!(rates.take_of_familiar("a", &HASH, 1).is_none(), "one that was not used for an hour");
}

#[test]
fn networks_beyond_the_bound_share_a_bucket_until_full_ones_are_forgotten() {
    let (rates, ms) = rates(&tight(), 2);
    for number in 0..2 {
        rates.take_of_network(network(number), 20).unwrap();
    }
    // Half a million addresses have twenty requests together, and no more memory than one.
    let granted = (2..500_000).filter(|number| rates.take_of_network(network(*number), 1).is_ok()).count();
    assert_eq!((granted, rates.state.lock().networks.len()), (20, 2));
    assert!(rates.take_of_network(network(0), 1).is_err(), "who has a bucket keeps it");
    ms.fetch_add(2_000, Ordering::SeqCst);
    assert!(rates.take_of_network(network(7), 20).is_ok(), "a bucket of its own again");
    assert_eq!(rates.state.lock().networks.len(), 1, "the full ones are forgotten");
}

#[test]
fn many_threads_are_granted_exactly_what_there_is() {
    let (rates, _) = rates(&Limits { request_burst_s: 100, ..tight() }, 10);
    let place = network(1);
    let granted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (rates, granted) = (&rates, &granted);
            scope.spawn(move || {
                for _ in 0..400 {
                    // Those that take two buckets at once are in the way of each other, and of those that take one.
                    let taken = match thread % 2 {
                        0 => rates.take_of_network(place, 1),
                        _ => rates.take_of_guess(place, true).inspect(|_| {
                            rates.was_no_guess(place, true);
                        }),
                    };
                    if taken.is_ok() && thread % 2 == 0 {
                        granted.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let left = rates.standing(&Partition::Network(place)).left;
    assert_eq!(granted.load(Ordering::SeqCst) + left, 1_000, "nothing is lost and nothing made");
}

proptest! {
    /// Against a bucket that is kept as a number of tokens, in thousandths.
    #[test]
    fn a_bucket_is_the_tokens_that_came_in_less_those_that_were_taken(
        steps in prop::collection::vec((0_u64..700, 0_u64..25), 1..80),
    ) {
        let (rates, ms) = rates(&tight(), 10);
        let mut tokens: u64 = 20_000;
        for (passed_ms, cost) in steps {
            ms.fetch_add(passed_ms, Ordering::SeqCst);
            tokens = (tokens + passed_ms * 10).min(20_000);
            let wanted = cost.min(20) * 1_000;
            let taken = rates.take_of_key("a", HASH, cost);
            prop_assert_eq!(taken.is_ok(), wanted <= tokens);
            match taken {
                Ok(standings) => {
                    tokens -= wanted;
                    prop_assert_eq!(standings[0].left, tokens / 1_000);
                    prop_assert_eq!(standings[0].full_in_s, (20_000 - tokens).div_ceil(10_000));
                }
                Err(refused) => {
                    prop_assert_eq!(refused.retry_after_s, (wanted - tokens).div_ceil(10_000).max(1));
                    prop_assert_eq!(refused.standings[0].left, tokens / 1_000);
                }
            }
        }
    }
}
