//! Where webhooks may reach beyond public addresses.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::network::Network;

/// Where webhooks may be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Networks that webhooks may reach although their addresses are not public: `10.1.0.0/16`, `fd00:1::/32`, `127.0.0.1`. With none, messages go to
    /// public addresses alone.
    pub allow_networks: Vec<Network>,
}

impl Webhooks {
    /// Whether an address is in one of the opened networks. An IPv6 address that maps an IPv4 address is that address.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow_networks.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_are_opened_hold_their_addresses_and_a_slip_is_refused() {
        let opened: Webhooks = toml::from_str("allow_networks = ['127.0.0.0/8', 'fd00:1::/32']").unwrap();
        let allows = |address: &str| opened.allows(address.parse().unwrap());
        assert!(allows("127.9.9.9") && allows("fd00:1:2::3") && allows("::ffff:127.0.0.1"));
        assert!(!allows("128.0.0.1") && !allows("fd00:2::3") && !allows("::1"));
        assert!(toml::from_str::<Webhooks>("allow_networks = ['10.0.0.1/8']").is_err());
    }
}
