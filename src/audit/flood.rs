//! Refusals at the door: an address that is refused again and again is recorded a few times a second and counted beyond, so that no
//! flood of wrong keys fills the disk.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::entry::{Activity, Actor, Entry, Outcome};

/// Refusals of one address that are recorded one by one in a window.
const MAX_OF_ADDRESS: u64 = 5;
/// Refusals of all addresses that are recorded one by one in a window.
const MAX_OF_ALL: u64 = 50;
const WINDOW: Duration = Duration::from_secs(1);
/// Addresses that are counted at once; those beyond are counted together.
const MAX_ADDRESSES: usize = 4_096;

/// The windows of all addresses.
#[derive(Default)]
pub(super) struct Floods(Mutex<Windows>);

#[derive(Default)]
struct Windows {
    of_addresses: HashMap<Option<IpAddr>, Window>,
    of_all: Option<(Instant, u64)>,
}

struct Window {
    began: Instant,
    num_recorded: u64,
    num_counted: u64,
    /// The operation, the code and the surface of the last one that was counted.
    last: (String, String, String),
}

/// Refusals that were counted.
pub(super) struct Flood {
    address: Option<IpAddr>,
    count: u64,
    last: (String, String, String),
}

impl Flood {
    pub(super) fn entry(&self) -> Entry<'_> {
        let Self { address, count, last: (operation, code, surface) } = self;
        Entry {
            outcome: Outcome::Failure { code },
            address: *address,
            count: *count,
            message: Some("more of the same from this address, counted; the code is that of the last one".into()),
            ..Entry::new(Activity::Read, operation, Actor::Unknown, surface)
        }
    }
}

impl Floods {
    /// Whether a refusal is recorded by an entry of its own. Otherwise it is counted.
    pub(super) fn admits(&self, entry: &Entry<'_>, now: Instant) -> bool {
        let mut windows = self.0.lock();
        let windows = &mut *windows;
        let (began, num_of_all) = windows.of_all.get_or_insert((now, 0));
        if now.saturating_duration_since(*began) >= WINDOW {
            (*began, *num_of_all) = (now, 0);
        }
        let mut address = entry.address.map(network);
        if windows.of_addresses.len() >= MAX_ADDRESSES && !windows.of_addresses.contains_key(&address) {
            address = None;
        }
        let new = || Window { began: now, num_recorded: 0, num_counted: 0, last: Default::default() };
        let window = windows.of_addresses.entry(address).or_insert_with(new);
        // A window with counted ones ends when these are recorded.
        if window.num_counted == 0 && now.saturating_duration_since(window.began) >= WINDOW {
            (window.began, window.num_recorded) = (now, 0);
        }
        let is_admitted = window.num_counted == 0 && window.num_recorded < MAX_OF_ADDRESS && *num_of_all < MAX_OF_ALL;
        if is_admitted {
            window.num_recorded += 1;
            *num_of_all += 1;
        } else {
            window.num_counted += 1;
            let code = if let Outcome::Failure { code } = entry.outcome { code } else { "" };
            window.last = (entry.operation.to_owned(), code.to_owned(), entry.surface.to_owned());
        }
        is_admitted
    }

    /// What was counted in windows that are over; these are forgotten.
    pub(super) fn over(&self, now: Instant) -> Vec<Flood> {
        let mut floods = Vec::new();
        self.0.lock().of_addresses.retain(|address, window| {
            if now.saturating_duration_since(window.began) < WINDOW {
                return true;
            }
            if window.num_counted > 0 {
                let last = std::mem::take(&mut window.last);
                floods.push(Flood { address: *address, count: window.num_counted, last });
            }
            false
        });
        floods
    }

    /// Whether anything was counted that no entry tells of yet.
    pub(super) fn are_pending(&self) -> bool {
        self.0.lock().of_addresses.values().any(|window| window.num_counted > 0)
    }
}

/// What one client can be assumed to have: an address of IPv4, or a network of 64 bits of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(address: &str) -> Entry<'static> {
        let address = Some(address.parse().unwrap());
        let outcome = Outcome::Failure { code: "unauthorized" };
        Entry { outcome, address, ..Entry::new(Activity::Read, "door", Actor::Unknown, "rest") }
    }

    #[test]
    fn a_flood_is_recorded_a_few_times_and_counted_beyond_without_loss() {
        let (floods, start) = (Floods::default(), Instant::now());
        let mut num_told = 0;
        for number in 0..10_000_u32 {
            let now = start + Duration::from_micros(500) * number;
            num_told += u64::from(floods.admits(&refusal("203.0.113.7"), now));
            if number % 2_000 == 1_999 {
                num_told += floods.over(now).iter().map(|flood| flood.count).sum::<u64>();
            }
        }
        num_told += floods.over(start + Duration::from_mins(1)).iter().map(|flood| flood.count).sum::<u64>();
        assert_eq!(num_told, 10_000);
        assert!(!floods.are_pending());
    }

    #[test]
    fn another_address_is_recorded_beside_a_flood_and_a_network_counts_as_one() {
        let (floods, now) = (Floods::default(), Instant::now());
        let num_recorded = (0..100).filter(|_| floods.admits(&refusal("203.0.113.7"), now)).count() as u64;
        assert_eq!(num_recorded, MAX_OF_ADDRESS);
        assert!(floods.admits(&refusal("203.0.113.8"), now));
        let of_network = (0..100).filter(|n| floods.admits(&refusal(&format!("2001:db8::{n:x}")), now)).count() as u64;
        assert_eq!(of_network, MAX_OF_ADDRESS);
        let of_many = (0..10_000)
            .filter(|n| floods.admits(&refusal(&format!("10.1.{}.{}", n / 250, n % 250)), now))
            .count() as u64;
        assert_eq!(of_many + 2 * MAX_OF_ADDRESS + 1, MAX_OF_ALL);
        assert!(floods.0.lock().of_addresses.len() <= MAX_ADDRESSES + 1);
    }
}
