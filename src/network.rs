//! Networks in CIDR form, and the part of an address that stands for one client.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A site usually has so much of an IPv6 address for itself, and can take any address below it (RFC 6177).
const CLIENT_PREFIX_V6: u8 = 64;

/// A network: an address whose bits beyond the prefix are zero. IPv6 addresses that map IPv4 ones are those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network that counts as one client: the address itself, or the /64 of an IPv6 address.
    #[must_use]
    pub fn of_client(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::masked(address, if address.is_ipv4() { 32 } else { CLIENT_PREFIX_V6 })
    }

    /// Whether an address belongs to it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && Self::masked(address, self.prefix).address == self.address
    }

    /// Whether its addresses are those of this machine alone.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        match self.address {
            IpAddr::V4(address) => address.is_loopback() && self.prefix >= 8,
            // Nobody else can have an address of the first /64, where loopback is.
            IpAddr::V6(address) => (address.is_loopback() || address.is_unspecified()) && self.prefix >= 64,
        }
    }

    fn masked(address: IpAddr, prefix: u8) -> Self {
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                IpAddr::from((address.to_bits() & mask).to_be_bytes())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        };
        Self { address, prefix }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address. Bits beyond the prefix must be zero: otherwise it is a slip.
    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork { text: text.to_owned() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |prefix: &&str| prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = match prefix {
            None => most,
            Some(prefix) => {
                Some(prefix).filter(is_number).and_then(|prefix| prefix.parse().ok()).ok_or_else(invalid)?
            }
        };
        if prefix > most {
            return Err(invalid());
        }
        let (canonical, mapped_bits) = match address.to_canonical() {
            canonical if canonical.is_ipv4() && address.is_ipv6() => (canonical, 96),
            canonical => (canonical, 0),
        };
        let network = Self::masked(canonical, prefix.checked_sub(mapped_bits).ok_or_else(invalid)?);
        if network.address == canonical { Ok(network) } else { Err(invalid()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no network: write it as `10.0.0.0/8` or `2001:db8::/32`, without bits beyond the prefix")]
pub struct InvalidNetwork {
    text: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(address: &str) -> String {
        Network::of_client(address.parse().unwrap()).to_string()
    }

    #[test]
    fn one_client_is_an_ipv4_address_or_the_64_of_an_ipv6_address() {
        assert_eq!(client("192.0.2.7"), "192.0.2.7/32");
        assert_eq!(client("::ffff:192.0.2.7"), "192.0.2.7/32", "an IPv4 address in the form of IPv6");
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    }

    #[test]
    fn a_network_is_read_as_it_is_shown_and_a_slip_is_refused() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ] {
            assert_eq!(text.parse::<Network>().map(|network| network.to_string()), Ok(shown.to_owned()), "{text}");
        }
        for text in
            ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0", "::/129", "::ffff:0.0.0.0/8", "a/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_is_known_in_every_form() {
        for (address, is_loopback) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(Network::of_client(address.parse().unwrap()).is_loopback(), is_loopback, "{address}");
        }
    }

    proptest! {
        #[test]
        fn a_network_holds_exactly_the_addresses_with_its_first_bits(bits: u32, other: u32, prefix in 0_u8..=32) {
            let network = Network::masked(IpAddr::from(bits.to_be_bytes()), prefix);
            prop_assert!(network.contains(IpAddr::from(bits.to_be_bytes())));
            let differs_at = (bits ^ other).leading_zeros();
            prop_assert_eq!(network.contains(IpAddr::from(other.to_be_bytes())), differs_at >= u32::from(prefix));
        }
    }
}
