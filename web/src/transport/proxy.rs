//! The PROXY protocol, version 2, as a receiver (haproxy's `doc/proxy-protocol.txt`, 2.2).
//!
//! Stricter than it has to be: where the text leaves a receiver free to go on with a header that
//! it does not understand, we don't, because what is at stake is who the client is.

mod checksum;

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What every header begins with. It is no beginning of TLS, nor of HTTP.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
const PREFIX: usize = 16;
/// The longest rest that is read. Addresses take up to 36 bytes; the longest additions in use,
/// names from a client's certificate, some hundreds.
const LONGEST: usize = 2048;
/// The addition that holds a checksum of the whole header.
const CRC32C: u8 = 0x03;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The load balancer's own: it looks whether we are there.
    Balancer,
    /// This client's.
    Client(SocketAddr),
}

/// Why a header is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyError {
    /// It ended early, or came from somebody who does not speak the protocol.
    Missing,
    /// Not version 2.
    Version,
    /// Neither LOCAL nor PROXY.
    Command,
    /// Not TCP over IPv4 or IPv6.
    Family,
    /// An address that nobody can have.
    Address,
    /// Too long, or its parts don't fill it.
    Length,
    /// The checksum is another.
    Checksum,
}

impl ProxyError {
    /// What the log says. Nothing of the header is in it.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Missing => "no PROXY header",
            Self::Version => "a PROXY header of another version",
            Self::Command => "a PROXY header with an unknown command",
            Self::Family => "a PROXY header of another family than TCP's",
            Self::Address => "a PROXY header with an impossible address",
            Self::Length => "a PROXY header of a wrong length",
            Self::Checksum => "a PROXY header with a wrong checksum",
        }
    }
}

/// Reads a header from the beginning of a connection: all of it, and not one byte more.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Source, ProxyError> {
    let mut prefix = [0; PREFIX];
    let missing = |_ended| ProxyError::Missing;
    stream.read_exact(&mut prefix).await.map_err(missing)?;
    let header = Header::begin(&prefix)?;
    let mut rest = [0; LONGEST];
    let rest = rest.get_mut(..header.length).ok_or(ProxyError::Length)?;
    stream.read_exact(rest).await.map_err(missing)?;
    header.end(&prefix, rest)
}

/// What the first bytes say of the rest.
struct Header {
    family: Family,
    length: usize,
}

/// What the rest holds.
enum Family {
    /// Nothing of interest: the command is LOCAL.
    Local,
    V4,
    V6,
}

impl Header {
    fn begin(prefix: &[u8; PREFIX]) -> Result<Self, ProxyError> {
        let [signature @ .., version, family, high, low] = prefix;
        if *signature != SIGNATURE {
            return Err(ProxyError::Missing);
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (family, least) = match (version >> 4, version & 0xF, family) {
            // The family of a LOCAL header is ignored, and so is all that follows.
            (2, 0, _) => (Family::Local, 0),
            (2, 1, 0x11) => (Family::V4, 12),
            (2, 1, 0x21) => (Family::V6, 36),
            (2, 1, _) => return Err(ProxyError::Family),
            (2, ..) => return Err(ProxyError::Command),
            _ => return Err(ProxyError::Version),
        };
        if !(least..=LONGEST).contains(&length) {
            return Err(ProxyError::Length);
        }
        Ok(Self { family, length })
    }

    fn end(&self, prefix: &[u8; PREFIX], rest: &[u8]) -> Result<Source, ProxyError> {
        let (address, additions) = match self.family {
            Family::Local => return Ok(Source::Balancer),
            Family::V4 => address(rest, |[a, b, c, d]: [u8; 4]| IpAddr::from([a, b, c, d]))?,
            Family::V6 => address(rest, |octets: [u8; 16]| IpAddr::from(octets))?,
        };
        check(prefix, rest, additions)?;
        let ip = address.ip();
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(ProxyError::Address);
        }
        Ok(Source::Client(address))
    }
}

/// The client's address, and what follows the addresses: source, destination, and both ports.
fn address<const N: usize>(
    rest: &[u8],
    ip: impl Fn([u8; N]) -> IpAddr,
) -> Result<(SocketAddr, &[u8]), ProxyError> {
    let parts = || {
        let (source, rest) = rest.split_first_chunk::<N>()?;
        let (_destination, rest) = rest.split_first_chunk::<N>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let (_destination, rest) = rest.split_first_chunk::<2>()?;
        let address = ip(*source).to_canonical();
        Some((SocketAddr::new(address, u16::from_be_bytes(*port)), rest))
    };
    parts().ok_or(ProxyError::Length)
}

/// Looks through the additions, which have to fill the rest, and compares the checksum if one of
/// them is that.
fn check(prefix: &[u8; PREFIX], rest: &[u8], mut additions: &[u8]) -> Result<(), ProxyError> {
    let mut seen = false;
    while !additions.is_empty() {
        let ([kind, high, low], after) = additions.split_first_chunk().ok_or(ProxyError::Length)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, after) = after.split_at_checked(length).ok_or(ProxyError::Length)?;
        if *kind == CRC32C {
            let stated: [u8; 4] = value.try_into().map_err(|_other| ProxyError::Length)?;
            let before = rest.len() - after.len() - stated.len();
            let before = rest.get(..before).ok_or(ProxyError::Length)?;
            // While it is reckoned, zeros stand where it will be.
            let right = checksum::of([&prefix[..], before, &[0; 4], after]);
            if seen || u32::from_be_bytes(stated) != right {
                return Err(ProxyError::Checksum);
            }
            seen = true;
        }
        additions = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
