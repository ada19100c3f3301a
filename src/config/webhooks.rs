//! Where webhooks may reach beyond public addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where webhooks may be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Networks that webhooks may reach although their addresses are not public: `10.1.0.0/16`, `fd00:1::/32`, `127.0.0.1`. With none, messages go to
    /// public addresses alone.
    pub allow_networks: Vec<Network>,
}

impl Webhooks {
    /// Whether an address is in one of the opened networks. An address of IPv4 inside one of IPv6 is another address.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow_networks.iter().any(|network| network.contains(address))
    }
}

/// The addresses that begin with the same bits, as `ADDRESS/BITS` says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    first: IpAddr,
    num_bits: u8,
}

impl Network {
    /// Whether `address` is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => first.to_bits() == address.to_bits() & mask_of_4(self.num_bits),
            (IpAddr::V6(first), IpAddr::V6(address)) => first.to_bits() == address.to_bits() & mask_of_6(self.num_bits),
            _ => false,
        }
    }
}

fn mask_of_4(num_bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(num_bits)).unwrap_or(0)
}

fn mask_of_6(num_bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(num_bits)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = String;

    /// Reads `ADDRESS/BITS`, or one address. Bits beyond the network are to be zero: who writes `10.1.2.3/8` meant something else.
    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is no network: it is like `10.1.0.0/16` or `fd00:1::/32`");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| invalid())?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let num_bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().map_err(|_| invalid())?,
            Some(_) => return Err(invalid()),
        };
        if num_bits > most {
            return Err(invalid());
        }
        let masked: IpAddr = match first {
            IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits() & mask_of_4(num_bits)).into(),
            IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits() & mask_of_6(num_bits)).into(),
        };
        if masked == first {
            Ok(Self { first, num_bits })
        } else {
            Err(format!("`{text}` is no network: `{masked}/{num_bits}` is the one that holds that address"))
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.num_bits)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_network_is_an_address_and_its_bits_and_nothing_else() {
        let holds = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse::<IpAddr>().unwrap())
        };
        assert!(holds("127.0.0.0/8", "127.9.9.9") && !holds("127.0.0.0/8", "128.0.0.1"));
        assert!(holds("10.0.0.7", "10.0.0.7") && !holds("10.0.0.7", "10.0.0.8"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1") && holds("::/0", "::1"));
        assert!(holds("fd00:1::/32", "fd00:1:2::3") && !holds("fd00:1::/32", "fd00:2::3"));
        assert!(!holds("127.0.0.0/8", "::ffff:127.0.0.1"), "an address of IPv6 is allowed by one of IPv6");
        for wrong in
            ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.1/8", "::/129", "host", "10.0.0.0/", "10/8"]
        {
            assert!(wrong.parse::<Network>().unwrap_err().contains("is no network"), "{wrong}");
        }
        assert!(toml::from_str::<Webhooks>("allow_networks = ['10.0.0.1/8']").is_err());
    }

    proptest! {
        #[test]
        fn a_network_holds_exactly_the_addresses_that_begin_with_its_bits(
            first: u128, other: u128, num_bits in 0_u8..=128,
        ) {
            let first = first & mask_of_6(num_bits);
            let network: Network = format!("{}/{num_bits}", Ipv6Addr::from_bits(first)).parse().unwrap();
            let is_inside = num_bits == 0 || (first ^ other) >> (128 - u32::from(num_bits)) == 0;
            prop_assert_eq!(network.contains(Ipv6Addr::from_bits(other).into()), is_inside);
            prop_assert!(network.contains(Ipv6Addr::from_bits(first).into()));
            prop_assert_eq!(network.to_string().parse::<Network>().unwrap(), network);
        }
    }
}
