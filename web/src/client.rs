//! The client of a request: the connection's peer, or the address that a trusted proxy reports.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::str::FromStr;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use ipnet::IpNet;

/// The addresses of the client and of the proxies in between, the nearest last.
pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The trace id of AWS's load balancers.
pub(crate) const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
/// Maximum length of a forwarded trace id, in bytes; AWS's are below 150.
const MAX_TRACE_ID_BYTES: usize = 256;
/// Maximum hops read from `X-Forwarded-For`: no deployment has more trusted proxies in a row.
const MAX_HOPS: usize = 16;

/// The networks of the trusted proxies, whose headers about the client are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether an address is a trusted proxy's.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether no proxy is trusted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for TrustedProxies {
    type Err = ();

    /// Parses networks separated by commas; an address is a network of its own. A network of all
    /// addresses is refused: it would let every client choose its address.
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
    /// The address, in the canonical form of its family.
    pub(crate) address: IpAddr,
    /// The trace id that a trusted proxy sent.
    pub(crate) trace: Option<HeaderValue>,
}

impl Client {
    /// The client of a request that arrived on a connection from `address`.
    ///
    /// `X-Forwarded-For` and `X-Amzn-Trace-Id` are read only from trusted proxies. The client is
    /// the last address that is not a trusted proxy's: entries to its left are client-controlled.
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

/// The last address that is not a trusted proxy's; `None` if the nearest entry cannot be parsed.
fn forwarded(headers: &HeaderMap, trusted_proxies: &TrustedProxies) -> Option<IpAddr> {
    let mut hops = headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
        .take(MAX_HOPS)
        .map(hop);
    // Stop at the first unparsable hop: entries to its left are client-controlled.
    let mut nearest = None;
    while let Some(Some(address)) = hops.next() {
        nearest = Some(address);
        if !trusted_proxies.contains(address) {
            break;
        }
    }
    nearest
}

/// The address of a hop: bare, or with a port.
fn hop(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let address = text
        .parse()
        .or_else(|_no_bare_address| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// The trace id, if there is exactly one and it is well-formed.
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
