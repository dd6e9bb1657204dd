//! Client addresses, as sign-in counts them: prefixes instead of single IPv6 addresses.

use std::net::IpAddr;
use std::net::Ipv6Addr;

/// The prefix that counts as one client: an IPv4 address, or the /64 of an IPv6 address, in which a
/// single host may have any number of addresses.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct ClientPrefix([u8; 16]);

/// The network of a subscriber: the /48 of an IPv6 address; for an IPv4 address, the address
/// itself.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct ClientSite([u8; 16]);

impl ClientPrefix {
    /// The one client that stands for all requests without an address.
    pub(crate) const UNKNOWN: Self = Self([0; 16]);

    /// The client with this address.
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::UNKNOWN,
            Some(IpAddr::V4(address)) => Self(address.to_ipv6_mapped().octets()),
            Some(IpAddr::V6(address)) => Self(prefix(address, 64)),
        }
    }

    /// The client's site.
    pub(super) fn site(self) -> ClientSite {
        let address = Ipv6Addr::from(self.0);
        match address.to_ipv4_mapped() {
            Some(_) => ClientSite(self.0),
            None => ClientSite(prefix(address, 48)),
        }
    }

    /// The bytes, for a MAC.
    pub(super) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The first `bits` bits of an address; the others are 0.
fn prefix(address: Ipv6Addr, bits: u32) -> [u8; 16] {
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    (u128::from(address) & mask).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> ClientPrefix {
        ClientPrefix::of(Some(address.parse().unwrap()))
    }

    #[test]
    fn an_ipv6_client_is_its_64_and_its_site_the_48() {
        let one = client("2001:db8:1:2:3:4:5:6");
        assert_eq!(one, client("2001:db8:1:2::1"));
        let other = client("2001:db8:1:3::1");
        assert_ne!(one, other);
        assert_eq!(one.site(), other.site());
        assert_ne!(one.site(), client("2001:db8:2:2::1").site());
    }

    #[test]
    fn an_ipv4_client_is_its_address_however_it_is_written() {
        assert_eq!(client("192.0.2.1"), client("::ffff:192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_ne!(client("192.0.2.1").site(), client("192.0.2.2").site());
    }
}
