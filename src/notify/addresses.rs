//! Which addresses a webhook may reach: public ones, and those of networks that the configuration opens.
//!
//! Source: IANA's registries of special-purpose addresses, for IPv4 and IPv6, as of 2026.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Webhooks;

/// Networks of IPv4 that are no part of the public internet, by their first address and bits.
const NOT_PUBLIC_4: [(Ipv4Addr, u32); 16] = [
    // This network, and addresses that name no host.
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared by the customers of a provider.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local; the metadata services of clouds are here.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocol assignments.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays of 6to4.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Benchmarks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Documentation.
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and the broadcast address.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    // A cloud's own services at an address that is public elsewhere: its metadata and health checks.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];

/// Global unicast of IPv6. Everything else is loopback, link-local, site-local, unique local, multicast, mapped or compatible with IPv4,
/// translated by NAT64 (`64:ff9b::/96`, `64:ff9b:1::/48`), or given to nobody.
const UNICAST_6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Parts of global unicast that are not public.
const NOT_PUBLIC_6: [(Ipv6Addr, u32); 4] = [
    // Protocol assignments: Teredo, benchmarks and ORCHID are here.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4, which holds an address of IPv4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    // Documentation.
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address belongs to the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let begins = |(first, bits): (Ipv4Addr, u32)| (first.to_bits() ^ address.to_bits()) >> (32 - bits) == 0;
            !NOT_PUBLIC_4.into_iter().any(begins)
        }
        IpAddr::V6(address) => {
            let begins = |(first, bits): (Ipv6Addr, u32)| (first.to_bits() ^ address.to_bits()) >> (128 - bits) == 0;
            begins(UNICAST_6) && !NOT_PUBLIC_6.into_iter().any(begins)
        }
    }
}

/// Whether a webhook may reach an address.
pub(super) fn may_reach(address: IpAddr, rules: &Webhooks) -> bool {
    is_public(address) || rules.allows(address)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn public(address: &str) -> bool {
        is_public(address.parse().unwrap())
    }

    #[test]
    fn no_address_of_a_special_purpose_passes_for_a_public_one() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.9",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456:789a::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
        ] {
            assert!(!public(address), "{address}");
        }
    }

    #[test]
    fn the_addresses_beside_special_ones_are_public() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe:ffff::1",
        ] {
            assert!(public(address), "{address}");
        }
    }

    proptest! {
        /// The standard library knows most of them by itself.
        #[test]
        fn what_the_standard_library_calls_special_is_not_public(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let is_special = address.is_loopback() || address.is_private() || address.is_link_local() || address.is_multicast()
                || address.is_broadcast() || address.is_documentation() || address.is_unspecified();
            prop_assert!(!(is_special && is_public(address.into())), "{}", address);
        }

        #[test]
        fn no_form_of_ipv6_hides_an_address_of_ipv4(a: u16, b: u16, x: u16, y: u16, z: u16) {
            let bits = u32::from(a) << 16 | u32::from(b);
            for address in [
                Ipv4Addr::from_bits(bits).to_ipv6_mapped(),
                Ipv4Addr::from_bits(bits).to_ipv6_compatible(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x64, 0xff9b, 1, x, y, z, a, b),
                Ipv6Addr::new(0x2002, a, b, x, y, z, 0, 1),
                Ipv6Addr::new(0x2001, 0, x, y, z, 0, !a, !b),
            ] {
                prop_assert!(!is_public(address.into()), "{}", address);
            }
        }

        #[test]
        fn an_address_is_reached_where_it_is_public_or_its_network_is_opened(bits: u128, num_bits in 0_u8..=128) {
            let address = Ipv6Addr::from_bits(bits);
            let first = if num_bits == 0 { 0 } else { bits >> (128 - num_bits) << (128 - num_bits) };
            let network = format!("{}/{num_bits}", Ipv6Addr::from_bits(first)).parse().unwrap();
            let opened = Webhooks { allow_networks: vec![network] };
            prop_assert!(may_reach(address.into(), &opened));
            prop_assert_eq!(may_reach(address.into(), &Webhooks::default()), is_public(address.into()));
        }
    }
}
