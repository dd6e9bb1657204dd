//! The network prefixes that count as one client.

use std::net::IpAddr;
use std::net::Ipv6Addr;

/// A network prefix that counts as one client or site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Prefix {
    network: IpAddr,
    bits: u8,
}

/// The maximum and the rate of an IPv6 site, as a multiple of those of one of its networks.
pub(super) const SITE_FACTOR: u32 = 4;

impl Prefix {
    /// The client prefix of an address: an IPv4 address, or an IPv6 network of 64 bits, within
    /// which a client may use any address.
    pub(super) fn client(address: IpAddr) -> Self {
        match address.to_canonical() {
            network @ IpAddr::V4(_) => Self { network, bits: 32 },
            IpAddr::V6(address) => Self::v6(address, 64),
        }
    }

    /// The site prefix of an IPv6 address, 48 bits: the largest network that providers assign to
    /// one subscriber (RFC 6177).
    pub(super) fn site(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(Self::v6(address, 48)),
        }
    }

    fn v6(address: Ipv6Addr, bits: u8) -> Self {
        let host = 128 - u32::from(bits);
        let network = address.to_bits() >> host << host;
        Self {
            network: IpAddr::V6(Ipv6Addr::from_bits(network)),
            bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv4_address_is_a_client_also_when_it_is_mapped_into_ipv6() {
        let plain = Prefix::client(address("192.0.2.1"));
        assert_eq!(Prefix::client(address("::ffff:192.0.2.1")), plain);
        assert_ne!(Prefix::client(address("192.0.2.2")), plain);
        assert_eq!(Prefix::site(address("::ffff:192.0.2.1")), None);
    }

    #[test]
    fn a_network_of_64_bits_is_a_client_and_one_of_48_bits_a_site() {
        let [one, same_network, other_network] =
            ["2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1"].map(address);
        assert_eq!(Prefix::client(one), Prefix::client(same_network));
        assert_ne!(Prefix::client(one), Prefix::client(other_network));
        assert_eq!(Prefix::site(one), Prefix::site(other_network));
        // The first network of a site has the same bits as the site.
        assert_ne!(Some(Prefix::client(one)), Prefix::site(one));
        assert_ne!(Prefix::site(one), Prefix::site(address("2001:db8:1::1")));
    }
}
