//! Who the client is: the address that the kernel saw, or what a load balancer of ours says.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What AWS's load balancers trace a request by.
pub(crate) const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
/// The longest trace id that is believed; AWS's are below 150 bytes.
const MAX_TRACE_ID_BYTES: usize = 256;
/// More hops than this behind our own load balancers are nobody's way.
const MAX_HOPS: usize = 16;

/// The part of an address that one subscriber has: an IPv4 address, or an IPv6 network of 64 bits,
/// within which everybody can have as many addresses as they like.
pub(crate) fn client_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

/// The load balancers in front of us: whose word about a client is believed, and nobody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for TrustedProxies {
    type Err = ();

    /// Networks, separated by commas; an address is a network of its own. One that holds everybody
    /// is a mistake.
    fn from_str(text: &str) -> Result<Self, ()> {
        let network = |text: &str| {
            let network = text
                .parse()
                .or_else(|_no_network| text.parse::<IpAddr>().map(IpNet::from))
                .map_err(drop)?;
            (network.prefix_len() > 0).then_some(network).ok_or(())
        };
        let networks = text.split(',').map(|text| network(text.trim()));
        networks.collect::<Result<_, ()>>().map(Self)
    }
}

/// The client of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address, in the canonical form of its family.
    pub(crate) address: IpAddr,
    /// What a load balancer traces the request by.
    pub(crate) trace: Option<HeaderValue>,
}

impl Client {
    /// The client of a request that came from `address`.
    ///
    /// Of the headers that speak of clients, `X-Forwarded-For` and `X-Amzn-Trace-Id` are read, and
    /// only from a load balancer; of the addresses, the last one that is not a load balancer's:
    /// whatever stands left of it was written by the client itself.
    pub(crate) fn from_request(
        address: SocketAddr,
        headers: &HeaderMap,
        trusted_proxies: &TrustedProxies,
    ) -> Self {
        let address = address.ip().to_canonical();
        if trusted_proxies.is_empty() || !trusted_proxies.contains(address) {
            return Self {
                address,
                trace: None,
            };
        }
        Self {
            address: forwarded(headers, trusted_proxies).unwrap_or(address),
            trace: trace(headers),
        }
    }
}

/// The last address that is not a load balancer's; none if there is nothing that can be trusted.
fn forwarded(headers: &HeaderMap, trusted_proxies: &TrustedProxies) -> Option<IpAddr> {
    let mut hops = headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
        .take(MAX_HOPS)
        .map(hop);
    // What can't be read ends the way: nothing left of it is anybody's word.
    let mut nearest = None;
    while let Some(Some(address)) = hops.next() {
        nearest = Some(address);
        if !trusted_proxies.contains(address) {
            break;
        }
    }
    nearest
}

/// An address, as load balancers write it: bare, or with a port.
fn hop(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let address = text
        .parse()
        .or_else(|_no_bare_address| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// The trace id, if there is exactly one and it looks like one.
fn trace(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(X_AMZN_TRACE_ID).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"=;-:._".contains(byte);
    let bytes = value.as_bytes();
    let well_formed =
        bytes.len() <= MAX_TRACE_ID_BYTES && !bytes.is_empty() && bytes.iter().all(plain);
    well_formed.then(|| value.clone())
}

#[cfg(test)]
mod tests;
