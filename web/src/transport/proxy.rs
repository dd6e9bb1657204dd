//! The receiver of PROXY protocol version 2 (`HAProxy`'s `doc/proxy-protocol.txt`, 2.2).
//!
//! `ppp` parses the header. The checks after it are stricter than the specification: headers that a
//! receiver may ignore are refused, because the header determines the client's address.

use std::net::IpAddr;
use std::net::SocketAddr;

use crc::CRC_32_ISCSI;
use crc::Crc;
use ppp::v2::Addresses;
use ppp::v2::Header;
use ppp::v2::PROTOCOL_PREFIX;
use ppp::v2::ParseError;
use ppp::v2::Protocol;
use ppp::v2::Type;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;

/// Length of the fixed part in bytes: signature, version and command, family and protocol, length.
const PREFIX: usize = 16;
/// Maximum length of the variable part, in bytes. Addresses take up to 36; the longest TLVs in use,
/// names from a client certificate, some hundreds.
const MAX_LENGTH: usize = 2048;
/// Version 2 with the command LOCAL.
const LOCAL: u8 = 0x20;
/// The checksum of a header: CRC-32C (Castagnoli's polynomial, as in RFC 3720).
const CRC_32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The source of a connection in its PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The proxy itself, for its health checks.
    Local,
    /// A client of the proxy.
    Client(SocketAddr),
}

/// A refused header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyError {
    /// The connection ended early, or does not begin with a header.
    Missing,
    /// Not version 2.
    Version,
    /// Neither LOCAL nor PROXY.
    Command,
    /// Not TCP over IPv4 or IPv6.
    Family,
    /// A source address that no client can have.
    Address,
    /// Too long, or not filled exactly by addresses and TLVs.
    Length,
    /// A wrong checksum, or more than one.
    Checksum,
}

impl ProxyError {
    /// The text for the log, without data from the header.
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

impl From<ParseError> for ProxyError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Incomplete(_) | ParseError::Prefix => Self::Missing,
            ParseError::Version(_) => Self::Version,
            ParseError::Command(_) => Self::Command,
            ParseError::AddressFamily(_) | ParseError::Protocol(_) => Self::Family,
            ParseError::Partial(..)
            | ParseError::InvalidAddresses(..)
            | ParseError::InvalidTLV(..)
            | ParseError::Leftovers(_) => Self::Length,
        }
    }
}

/// Reads a header from the beginning of a connection, and no byte after it.
///
/// # Errors
/// [`ProxyError`].
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Source, ProxyError> {
    let mut buffer = [0; PREFIX + MAX_LENGTH];
    let (prefix, rest) = buffer
        .split_first_chunk_mut::<PREFIX>()
        .ok_or(ProxyError::Length)?;
    let missing = |_ended| ProxyError::Missing;
    stream.read_exact(prefix).await.map_err(missing)?;
    let length = rest_length(prefix)?;
    let rest = rest.get_mut(..length).ok_or(ProxyError::Length)?;
    stream.read_exact(rest).await.map_err(missing)?;
    source(buffer.get(..PREFIX + length).ok_or(ProxyError::Length)?)
}

/// The length of the variable part, from the fixed part, which is checked first: a refusal does not
/// wait for the rest.
fn rest_length(prefix: &[u8; PREFIX]) -> Result<usize, ProxyError> {
    let [.., high, low] = prefix;
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    match Header::try_from(prefix.as_slice()) {
        Ok(_) | Err(ParseError::Partial(..)) => Ok(length),
        // The family of a LOCAL header must be ignored, even if `ppp` does not know it.
        Err(_) if is_local(prefix) => Ok(length),
        Err(error) => Err(error.into()),
    }
}

fn is_local(header: &[u8]) -> bool {
    header
        .strip_prefix(PROTOCOL_PREFIX)
        .is_some_and(|rest| rest.first() == Some(&LOCAL))
}

/// The source in a complete header.
fn source(bytes: &[u8]) -> Result<Source, ProxyError> {
    if is_local(bytes) {
        return Ok(Source::Local);
    }
    let header = Header::try_from(bytes)?;
    if header.protocol != Protocol::Stream {
        return Err(ProxyError::Family);
    }
    let (ip, port) = match header.addresses {
        Addresses::IPv4(v4) => (IpAddr::from(v4.source_address), v4.source_port),
        Addresses::IPv6(v6) => (IpAddr::from(v6.source_address), v6.source_port),
        Addresses::Unspecified | Addresses::Unix(_) => return Err(ProxyError::Family),
    };
    verify_checksum(&header)?;
    let ip = ip.to_canonical();
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(ProxyError::Address);
    }
    Ok(Source::Client(SocketAddr::new(ip, port)))
}

/// Checks that the TLVs fill the header, and verifies the CRC-32C if there is one.
fn verify_checksum(header: &Header<'_>) -> Result<(), ProxyError> {
    let bytes = header.as_bytes();
    let mut stated = None;
    let mut end = bytes.len() - header.tlv_bytes().len();
    for tlv in header.tlvs() {
        let tlv = tlv?;
        // A TLV begins with one byte of type and two of length.
        end += 3 + tlv.value.len();
        if tlv.kind != u8::from(Type::CRC32C) {
            continue;
        }
        let value: [u8; 4] = tlv.value[..]
            .try_into()
            .map_err(|_other_length| ProxyError::Length)?;
        let checksum = (end, u32::from_be_bytes(value));
        if stated.replace(checksum).is_some() {
            return Err(ProxyError::Checksum);
        }
    }
    let Some((end, stated)) = stated else {
        return Ok(());
    };
    let (before, after) = bytes.split_at_checked(end).ok_or(ProxyError::Length)?;
    let (before, _value) = before.split_last_chunk::<4>().ok_or(ProxyError::Length)?;
    // The sender computes the checksum with zeros in its place.
    let mut digest = CRC_32C.digest();
    for part in [before, &[0; 4], after] {
        digest.update(part);
    }
    if digest.finalize() == stated {
        Ok(())
    } else {
        Err(ProxyError::Checksum)
    }
}

#[cfg(test)]
mod tests;
