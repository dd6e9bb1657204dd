//! Ranges of addresses, and how far a CIDR block covers them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Networks whose addresses are not routed on the internet.
const PRIVATE: [(Ipv4Addr, u8); 6] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::LOCALHOST, 8),
];

/// The addresses of one side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AddressRange {
    /// Any address of a subnet.
    Subnet(Ipv4Net),
    /// Any public address: the internet, and the AWS services behind a gateway endpoint.
    Public,
}

/// The quantifier of a statement about the addresses of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// The statement holds for at least one address: enough for an attacker.
    Exists,
    /// The statement holds for all addresses: necessary for an allowed flow.
    ForAll,
}

/// How much of a range a CIDR block contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    Full,
    Partial,
    None,
}

impl Coverage {
    pub(crate) fn of(block: Ipv4Net, range: AddressRange) -> Self {
        match range {
            AddressRange::Subnet(subnet) if block.contains(&subnet) => Self::Full,
            AddressRange::Subnet(subnet) if subnet.contains(&block) => Self::Partial,
            AddressRange::Public if block.prefix_len() == 0 => Self::Full,
            AddressRange::Public if !is_private(block) => Self::Partial,
            AddressRange::Subnet(_) | AddressRange::Public => Self::None,
        }
    }

    pub(crate) fn is_enough(self, quantifier: Quantifier) -> bool {
        match quantifier {
            Quantifier::Exists => self != Self::None,
            Quantifier::ForAll => self == Self::Full,
        }
    }
}

/// Whether a block contains only private addresses.
pub(crate) fn is_private(block: Ipv4Net) -> bool {
    let mut ranges = PRIVATE
        .into_iter()
        .filter_map(|(address, length)| Ipv4Net::new(address, length).ok());
    ranges.any(|range| range.trunc().contains(&block))
}

/// Whether a block is the loopback network: the peer of a rule that allows no traffic.
pub(crate) fn is_loopback(block: Ipv4Net) -> bool {
    block.addr().is_loopback() && block.prefix_len() >= 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_blocks_cover_no_public_address() {
        let cover = |block: &str| Coverage::of(block.parse().unwrap(), AddressRange::Public);
        assert_eq!(cover("0.0.0.0/0"), Coverage::Full);
        assert_eq!(cover("0.0.0.0/1"), Coverage::Partial);
        assert_eq!(cover("203.0.113.7/32"), Coverage::Partial);
        assert_eq!(cover("10.4.0.0/16"), Coverage::None);
        assert_eq!(cover("127.0.0.1/32"), Coverage::None);
    }

    #[test]
    fn partial_coverage_is_enough_for_exists_and_not_for_all() {
        let subnet = AddressRange::Subnet("10.0.16.0/20".parse().unwrap());
        let part = Coverage::of("10.0.16.0/24".parse().unwrap(), subnet);
        assert!(part.is_enough(Quantifier::Exists) && !part.is_enough(Quantifier::ForAll));
        let other = Coverage::of("10.0.32.0/20".parse().unwrap(), subnet);
        assert!(!other.is_enough(Quantifier::Exists));
    }
}
