//! How much a caller may ask for in a time: token buckets by key and by network.
//!
//! # Invariants
//! - A request takes all that it costs, from every bucket that it needs, or nothing.
//! - In any span of time a bucket grants at most its burst and what came in meanwhile.
//! - A bucket that is full is forgotten, and nothing is lost by that: one that is not there is full. The number of buckets is bounded;
//!   networks for which there is no room share one bucket.
//!
//! # Not here
//! What is counted beyond the life of a process (`store/written.rs`), and how a refusal looks (`serve/allowance.rs`).
//!
//! A bucket is one number, the time at which it will be full, so taking and refilling are one addition (the generic cell rate algorithm,
//! ITU-T I.371, annex A). The crate `governor` has the same algorithm, but takes from one bucket at a time and gives nothing back.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::config::Limits;
use crate::network::Network;

/// More networks do not have buckets of their own at once.
const MAX_NETWORKS: usize = 32_768;
/// So many keys are remembered before those that were not used for long are forgotten.
const MAX_KEYS: usize = 16_384;
/// Full buckets are looked for at most so often.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// A key that was not used for so long is not familiar any more.
const FAMILIAR_FOR: Duration = Duration::from_hours(1);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Requests, some of which count for several.
    Requests,
    /// Keys that do not hold.
    BadKeys,
}

impl Kind {
    /// The name of the policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::BadKeys => "bad-keys",
        }
    }
}

/// Whose bucket it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Partition {
    /// That of a key, by its id.
    Key(String),
    /// That of whoever calls from a network without a key.
    Network(Network),
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {id}"),
            Self::Network(network) => write!(f, "network {network}"),
        }
    }
}

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    /// Nanoseconds between two tokens.
    interval_ns: u64,
    /// Tokens of a full bucket.
    burst: u64,
}

impl Rate {
    fn new(tokens: u64, per: Duration, burst: u64) -> Self {
        Self { interval_ns: (ns(per) / tokens.max(1)).max(1), burst: burst.max(1) }
    }

    const fn whole_ns(self) -> u64 {
        self.interval_ns.saturating_mul(self.burst)
    }
}

/// Where a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What is counted.
    pub kind: Kind,
    /// Tokens of a full bucket.
    pub quota: u64,
    /// Seconds in which an empty bucket becomes full, rounded up.
    pub window_s: u64,
    /// Tokens that are left.
    pub left: u64,
    /// Seconds until it is full again, rounded up.
    pub full_in_s: u64,
}

/// Too much was asked for; nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhausted {
    /// Which of the buckets has too little.
    pub kind: Kind,
    /// Seconds until it has enough, rounded up, at least 1.
    pub retry_after_s: u64,
    /// All buckets that were asked.
    pub standings: Vec<Standing>,
}

/// The time at which a bucket is full, in nanoseconds since the start.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    full_at_ns: u64,
}

impl Bucket {
    const fn missing_ns(self, now_ns: u64) -> u64 {
        self.full_at_ns.saturating_sub(now_ns)
    }

    /// How long until so many tokens can be taken; zero where they can be taken now.
    fn wait_ns(self, rate: Rate, tokens: u64, now_ns: u64) -> u64 {
        let wanted_ns = rate.interval_ns.saturating_mul(tokens);
        self.missing_ns(now_ns).saturating_add(wanted_ns).saturating_sub(rate.whole_ns())
    }

    fn take(&mut self, rate: Rate, tokens: u64, now_ns: u64) {
        self.full_at_ns = self.full_at_ns.max(now_ns).saturating_add(rate.interval_ns.saturating_mul(tokens));
    }

    const fn give_back(&mut self, rate: Rate, tokens: u64) {
        self.full_at_ns = self.full_at_ns.saturating_sub(rate.interval_ns.saturating_mul(tokens));
    }

    fn standing(self, kind: Kind, rate: Rate, now_ns: u64) -> Standing {
        let missing_ns = self.missing_ns(now_ns);
        Standing {
            kind,
            quota: rate.burst,
            window_s: seconds(rate.whole_ns()),
            left: rate.whole_ns().saturating_sub(missing_ns) / rate.interval_ns,
            full_in_s: seconds(missing_ns),
        }
    }
}

/// A key that was used.
#[derive(Debug)]
struct OfKey {
    requests: Bucket,
    /// The SHA-256 of the secret that was found to hold.
    hash: [u8; 32],
    used_ns: u64,
}

/// The buckets of a network.
#[derive(Debug, Default)]
struct OfNetwork {
    requests: Bucket,
    bad_keys: Bucket,
}

#[derive(Debug, Default)]
struct State {
    keys: HashMap<String, OfKey>,
    networks: HashMap<Network, OfNetwork>,
    /// Of all networks for which there was no room.
    others: OfNetwork,
    swept_ns: u64,
}

type Clock = Box<dyn Fn() -> Duration + Send + Sync>;

/// All buckets of a process.
pub struct Rates {
    clock: Clock,
    of_key: Rate,
    of_network: Rate,
    of_bad_keys: Rate,
    max_networks: usize,
    state: Mutex<State>,
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates")
            .field("of_key", &self.of_key)
            .field("of_network", &self.of_network)
            .finish_non_exhaustive()
    }
}

impl Rates {
    /// Full buckets, as large as they are configured for a machine with so many cores.
    #[must_use]
    pub fn new(limits: &Limits, num_cores: u64) -> Self {
        let start = Instant::now();
        Self::by(limits, num_cores, MAX_NETWORKS, Box::new(move || start.elapsed()))
    }

    fn by(limits: &Limits, num_cores: u64, max_networks: usize, clock: Clock) -> Self {
        let requests = |of_core: u64| {
            let a_second = of_core.saturating_mul(num_cores.max(1));
            Rate::new(a_second, Duration::from_secs(1), a_second.saturating_mul(limits.request_burst_s))
        };
        let bad_keys = limits.address_bad_keys_per_minute;
        Self {
            clock,
            of_key: requests(limits.key_requests_per_core),
            of_network: requests(limits.address_requests_per_core),
            of_bad_keys: Rate::new(bad_keys, Duration::from_mins(1), bad_keys),
            max_networks,
            state: Mutex::default(),
        }
    }

    fn now_ns(&self) -> u64 {
        ns((self.clock)())
    }

    /// Takes the cost of a request with a key that was found to hold, and remembers the key. A request that costs more than a full bucket
    /// takes a full one.
    ///
    /// # Errors
    /// [`Exhausted`] where too little is left.
    pub fn take_of_key(&self, id: &str, hash: [u8; 32], cost: u64) -> Result<Vec<Standing>, Exhausted> {
        let (rate, now_ns, mut state) = (self.of_key, self.now_ns(), self.state.lock());
        state.make_room_for_key(id, now_ns);
        let key = state.keys.entry(id.to_owned());
        let key = key.or_insert(OfKey { requests: Bucket::default(), hash, used_ns: now_ns });
        (key.hash, key.used_ns) = (hash, now_ns);
        take_all(&mut [(&mut key.requests, Kind::Requests, rate, cost)], now_ns)
    }

    /// As [`Rates::take_of_key`], for a secret that was found to hold lately; `None` for every other one. The key's row need not be read to
    /// refuse such a request.
    pub fn take_of_familiar(&self, id: &str, hash: &[u8; 32], cost: u64) -> Option<Result<Vec<Standing>, Exhausted>> {
        let (rate, now_ns, mut state) = (self.of_key, self.now_ns(), self.state.lock());
        let key = state.keys.get_mut(id).filter(|key| key.hash == *hash)?;
        if now_ns.saturating_sub(key.used_ns) > ns(FAMILIAR_FOR) {
            return None;
        }
        key.used_ns = now_ns;
        Some(take_all(&mut [(&mut key.requests, Kind::Requests, rate, cost)], now_ns))
    }

    /// Forgets that a secret was found to hold: it does no more. What its key has taken stays taken.
    pub fn estrange(&self, id: &str) {
        if let Some(key) = self.state.lock().keys.get_mut(id) {
            key.hash = [0; 32];
        }
    }

    /// Takes the cost of a request without a key from its network.
    ///
    /// # Errors
    /// [`Exhausted`] where too little is left.
    pub fn take_of_network(&self, network: Network, cost: u64) -> Result<Vec<Standing>, Exhausted> {
        let (now_ns, mut state) = (self.now_ns(), self.state.lock());
        let of = state.of_network(network, self.max_networks, now_ns);
        take_all(&mut [(&mut of.requests, Kind::Requests, self.of_network, cost)], now_ns)
    }

    /// Takes what a request with an unknown key costs its network, before it is known whether the key holds: one request, and one bad key.
    ///
    /// # Errors
    /// [`Exhausted`] where too little is left of one of them: the key is not to be looked up then.
    pub fn take_of_guess(&self, network: Network, counts_requests: bool) -> Result<Vec<Standing>, Exhausted> {
        let (now_ns, mut state) = (self.now_ns(), self.state.lock());
        let OfNetwork { requests, bad_keys } = state.of_network(network, self.max_networks, now_ns);
        let cost = u64::from(counts_requests);
        let wanted =
            &mut [(bad_keys, Kind::BadKeys, self.of_bad_keys, 1), (requests, Kind::Requests, self.of_network, cost)];
        take_all(if counts_requests { &mut wanted[..] } else { &mut wanted[..1] }, now_ns)
    }

    /// Gives back what [`Rates::take_of_guess`] took: the key holds.
    pub fn was_no_guess(&self, network: Network, counts_requests: bool) {
        let (now_ns, mut state) = (self.now_ns(), self.state.lock());
        let OfNetwork { requests, bad_keys } = state.of_network(network, self.max_networks, now_ns);
        bad_keys.give_back(self.of_bad_keys, 1);
        if counts_requests {
            requests.give_back(self.of_network, 1);
        }
    }

    /// Where the requests of somebody stand, without a change.
    #[must_use]
    pub fn standing(&self, whose: &Partition) -> Standing {
        let (now_ns, state) = (self.now_ns(), self.state.lock());
        match whose {
            Partition::Key(id) => {
                let bucket = state.keys.get(id).map_or(Bucket::default(), |key| key.requests);
                bucket.standing(Kind::Requests, self.of_key, now_ns)
            }
            Partition::Network(network) => {
                let bucket = state.networks.get(network).map_or(Bucket::default(), |of| of.requests);
                bucket.standing(Kind::Requests, self.of_network, now_ns)
            }
        }
    }
}

impl State {
    fn of_network(&mut self, network: Network, most: usize, now_ns: u64) -> &mut OfNetwork {
        if self.networks.len() >= most && !self.networks.contains_key(&network) {
            if now_ns.saturating_sub(self.swept_ns) >= ns(SWEEP_EVERY) {
                self.swept_ns = now_ns;
                self.networks.retain(|_, of| of.requests.full_at_ns > now_ns || of.bad_keys.full_at_ns > now_ns);
            }
            if self.networks.len() >= most {
                return &mut self.others;
            }
        }
        self.networks.entry(network).or_default()
    }

    /// Keys in force are bounded by `limits.keys`, those that were replaced or revoked are forgotten here.
    fn make_room_for_key(&mut self, id: &str, now_ns: u64) {
        if self.keys.len() >= MAX_KEYS
            && !self.keys.contains_key(id)
            && now_ns.saturating_sub(self.swept_ns) >= ns(SWEEP_EVERY)
        {
            self.swept_ns = now_ns;
            self.keys.retain(|_, key| {
                key.requests.full_at_ns > now_ns || now_ns.saturating_sub(key.used_ns) < ns(FAMILIAR_FOR)
            });
        }
    }
}

/// Takes from all buckets, or from none.
fn take_all(wanted: &mut [(&mut Bucket, Kind, Rate, u64)], now_ns: u64) -> Result<Vec<Standing>, Exhausted> {
    let waits =
        wanted.iter().map(|(bucket, kind, rate, cost)| (bucket.wait_ns(*rate, (*cost).min(rate.burst), now_ns), *kind));
    let longest = waits.max_by_key(|(wait_ns, _)| *wait_ns).filter(|(wait_ns, _)| *wait_ns > 0);
    if longest.is_none() {
        for (bucket, _, rate, cost) in wanted.iter_mut() {
            bucket.take(*rate, (*cost).min(rate.burst), now_ns);
        }
    }
    let standings = wanted.iter().map(|(bucket, kind, rate, _)| bucket.standing(*kind, *rate, now_ns)).collect();
    match longest {
        None => Ok(standings),
        Some((wait_ns, kind)) => Err(Exhausted { kind, retry_after_s: seconds(wait_ns).max(1), standings }),
    }
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const fn seconds(ns: u64) -> u64 {
    ns.div_ceil(1_000_000_000)
}

#[cfg(test)]
mod tests;
