//! Tests of headers from several senders, and of refused headers.

use futures::FutureExt as _;
use ppp::v2::Builder;
use ppp::v2::Command;
use ppp::v2::Version;
use proptest::prelude::*;

use super::*;

/// Reads a header. Returns its source and the number of bytes read.
fn read_all(bytes: &[u8]) -> (Result<Source, ProxyError>, usize) {
    let mut left = bytes;
    let read = read(&mut left).now_or_never();
    let source = read.expect("bytes in memory are never awaited");
    (source, bytes.len() - left.len())
}

fn source(bytes: &[u8]) -> Result<Source, ProxyError> {
    read_all(bytes).0
}

fn client(text: &str) -> Source {
    Source::Client(text.parse().unwrap())
}

/// The signature of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The TLV type of the checksum.
const CRC32C: u8 = 0x03;

fn header(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([version, family]);
    bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
    bytes.extend(rest);
    bytes
}

/// From 203.0.113.9:4000 to 10.0.0.1:443.
const V4: [u8; 12] = [203, 0, 113, 9, 10, 0, 0, 1, 0x0F, 0xA0, 1, 0xBB];

fn with_tlvs(tlvs: &[u8]) -> Vec<u8> {
    header(0x21, 0x11, &[&V4, tlvs].concat())
}

/// CRC-32C, bit by bit, with the reversed polynomial of RFC 4960, appendix B.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _bit| {
            (crc >> 1) ^ (0x82F6_3B78 * (crc & 1))
        })
    })
}

#[test]
fn crc32c_matches_the_vectors_of_rfc_3720() {
    // Appendix B.4, whose bytes are in transmission order.
    let ascending: Vec<u8> = (0..32).collect();
    let descending: Vec<u8> = (0..32).rev().collect();
    for (bytes, crc) in [
        (&[0; 32][..], 0x8A91_36AA),
        (&[0xFF; 32], 0x62A8_AB43),
        (&ascending, 0x46DD_794E),
        (&descending, 0x113F_DB5C),
        (b"123456789", 0xE306_9283),
        (b"", 0),
    ] {
        assert_eq!(CRC_32C.checksum(bytes), crc, "{bytes:?}");
        assert_eq!(crc32c(bytes), crc, "{bytes:?}");
    }
}

/// A header with a checksum between other TLVs.
fn with_checksum() -> Vec<u8> {
    let tlvs = [
        &[0xEA, 0, 3, 1, 2, 3, CRC32C, 0, 4][..],
        &[0; 4],
        &[4, 0, 0],
    ]
    .concat();
    let mut bytes = with_tlvs(&tlvs);
    let crc = crc32c(&bytes);
    let start = bytes.len() - 7;
    bytes[start..start + 4].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn addresses_are_read_and_no_byte_after_the_header() {
    let mut v6 = [0_u8; 36];
    v6[..4].copy_from_slice(&[0x20, 0x01, 0x0D, 0xB8]);
    v6[15] = 5;
    v6[16] = 0x20;
    v6[32..].copy_from_slice(&[0x0F, 0xA0, 1, 0xBB]);
    let mut mapped = v6;
    mapped[..16].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 203, 0, 113, 9]);
    for (mut bytes, expected) in [
        (with_tlvs(&[]), Ok(client("203.0.113.9:4000"))),
        (with_tlvs(&[4, 0, 2, 9, 9]), Ok(client("203.0.113.9:4000"))),
        (with_checksum(), Ok(client("203.0.113.9:4000"))),
        (header(0x21, 0x21, &v6), Ok(client("[2001:db8::5]:4000"))),
        (header(0x21, 0x21, &mapped), Ok(client("203.0.113.9:4000"))),
        (header(0x20, 0x00, &[]), Ok(Source::Local)),
        (header(0x20, 0x11, &V4), Ok(Source::Local)),
        (header(0x20, 0xFF, &[0xAA; 100]), Ok(Source::Local)),
    ] {
        let length = bytes.len();
        bytes.extend(b"\x16\x03\x01");
        assert_eq!(read_all(&bytes), (expected, length));
    }
}

/// The header that AWS documents for a Network Load Balancer with a VPC endpoint, and that of
/// `HAProxy` with `send-proxy-v2-ssl`, with other addresses.
#[test]
fn headers_of_other_senders_are_read() {
    let endpoint = [b"\xEA\x00\x17\x01".as_slice(), b"vpce-08d2bf15fac5001c9"];
    assert_eq!(
        source(&with_tlvs(&endpoint.concat())),
        Ok(client("203.0.113.9:4000"))
    );
    let ssl = [
        b"\x20\x00\x0F\x01\x00\x00\x00\x00\x21\x00\x07".as_slice(),
        b"TLSv1.3",
    ];
    assert_eq!(
        source(&with_tlvs(&ssl.concat())),
        Ok(client("203.0.113.9:4000"))
    );
}

fn refused(expected: ProxyError, headers: &[(&str, &[u8])]) {
    for (case, bytes) in headers {
        assert_eq!(source(bytes), Err(expected), "{case}");
    }
}

#[test]
fn an_incomplete_header_or_another_version_is_refused() {
    let mut wrong = with_tlvs(&[]);
    wrong[11] = b'\r';
    let text = b"PROXY TCP4 203.0.113.9 10.0.0.1 4000 443\r\n";
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\0\0\0\0\0\0";
    refused(
        ProxyError::Missing,
        &[
            ("nothing", b""),
            ("version 1", text),
            ("TLS", tls),
            ("HTTP", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
            ("half a header", &with_tlvs(&[])[..20]),
            ("half a prefix", &SIGNATURE),
            ("one wrong byte", &wrong),
        ],
    );
    refused(
        ProxyError::Version,
        &[
            ("version 1 in binary", &header(0x11, 0x11, &V4)),
            ("version 3", &header(0x31, 0x11, &V4)),
        ],
    );
}

#[test]
fn other_families_than_tcp_are_refused() {
    let unknown = header(0x22, 0x11, &V4);
    refused(ProxyError::Command, &[("an unknown command", &unknown)]);
    refused(
        ProxyError::Family,
        &[
            ("no family", &header(0x21, 0x00, &[])),
            ("UDP", &header(0x21, 0x12, &V4)),
            ("UDP of IPv6", &header(0x21, 0x22, &[1; 36])),
            ("a Unix socket", &header(0x21, 0x31, &[1; 216])),
            ("an unknown family", &header(0x21, 0x41, &V4)),
        ],
    );
}

#[test]
fn a_wrong_length_is_refused() {
    let mut long = header(0x21, 0x11, &V4);
    long[14..16].copy_from_slice(&2049_u16.to_be_bytes());
    long.extend([0; 4096]);
    refused(
        ProxyError::Length,
        &[
            ("an address cut short", &header(0x21, 0x11, &V4[..11])),
            ("IPv4 declared as IPv6", &header(0x21, 0x21, &V4)),
            ("too long", &long),
            ("a TLV cut short", &with_tlvs(&[4, 0])),
            ("a TLV beyond the end", &with_tlvs(&[4, 0, 3, 1, 2])),
            ("a short checksum", &with_tlvs(&[CRC32C, 0, 3, 1, 2, 3])),
        ],
    );
}

#[test]
fn a_wrong_checksum_or_an_impossible_address_is_refused() {
    let mut changed = with_checksum();
    changed[20] = 1;
    let mut twice = with_checksum()[PREFIX..].to_vec();
    twice.extend_from_within(18..25);
    refused(
        ProxyError::Checksum,
        &[
            ("another address", &changed),
            ("two checksums", &header(0x21, 0x11, &twice)),
        ],
    );
    let [unspecified, multicast] = [[0, 0, 0, 0], [224, 0, 0, 1]].map(|source| {
        let mut addresses = V4;
        addresses[..4].copy_from_slice(&source);
        header(0x21, 0x11, &addresses)
    });
    refused(
        ProxyError::Address,
        &[("unspecified", &unspecified), ("multicast", &multicast)],
    );
}

/// A header written by `ppp`.
fn written_by_ppp(from: SocketAddr, to: SocketAddr, tlvs: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut builder =
        Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, (from, to));
    for (kind, value) in tlvs {
        builder = builder.write_tlv(*kind, value).unwrap();
    }
    builder.build().unwrap()
}

fn tlv() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let kind = any::<u8>().prop_filter("a checksum would be wrong", |kind| *kind != CRC32C);
    (kind, proptest::collection::vec(any::<u8>(), 0..200))
}

proptest! {
    #[test]
    fn a_header_written_by_ppp_is_read(
        v4 in any::<bool>(),
        octets in any::<[u8; 16]>(),
        ports in any::<(u16, u16)>(),
        tlvs in proptest::collection::vec(tlv(), 0..6),
        after in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let ip = |octets: [u8; 16]| if v4 {
            IpAddr::from([octets[0], octets[1], octets[2], octets[3]])
        } else {
            IpAddr::from(octets)
        };
        let from = SocketAddr::new(ip(octets), ports.0);
        let to = SocketAddr::new(ip([7; 16]), ports.1);
        let mut bytes = written_by_ppp(from, to, &tlvs);
        let length = bytes.len();
        bytes.extend(after);
        let expected = if from.ip().to_canonical().is_unspecified() || from.ip().to_canonical().is_multicast() {
            Err(ProxyError::Address)
        } else {
            Ok(Source::Client(SocketAddr::new(from.ip().to_canonical(), ports.0)))
        };
        prop_assert_eq!(read_all(&bytes), (expected, length));
    }

    #[test]
    fn an_accepted_header_is_read_by_the_specification(
        version in prop_oneof![3 => Just(0x21_u8), 1 => any::<u8>()],
        family in prop_oneof![2 => Just(0x11_u8), 2 => Just(0x21), 1 => any::<u8>()],
        length in prop_oneof![Just(12_u16), Just(36), Just(19), Just(43), any::<u16>()],
        rest in proptest::collection::vec(any::<u8>(), 0..300),
        tail in prop_oneof![Just(None), (0_u8..5, 0_u16..8).prop_map(Some)],
    ) {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([version, family]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(&rest);
        if let Some((kind, length)) = tail
            && let Some(target) = bytes.get_mut(28..31)
        {
            target.copy_from_slice(&[kind, 0, length.to_be_bytes()[1]]);
        }
        assert_read_by_specification(&bytes);
    }
}

/// Fuzz target: no byte after the header is read, and the client of an accepted header is at the
/// position that the specification defines.
#[test]
fn fuzz_proxy_header() {
    bolero::check!().for_each(assert_read_by_specification);
}

fn assert_read_by_specification(bytes: &[u8]) {
    let (source, taken) = read_all(bytes);
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        assert_eq!(source, Err(ProxyError::Missing));
        return;
    };
    let [signature @ .., version, family, high, low] = prefix;
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    assert!(taken <= PREFIX + length);
    if *signature != SIGNATURE {
        assert_eq!((source, taken), (Err(ProxyError::Missing), PREFIX));
        return;
    }
    match source {
        Err(_) => {}
        Ok(Source::Local) => assert_eq!((*version, taken), (0x20, PREFIX + length)),
        Ok(Source::Client(client)) => {
            assert_eq!((*version, taken), (0x21, PREFIX + length));
            let (ip, port) = if *family == 0x11 {
                let octets: [u8; 4] = rest[..4].try_into().unwrap();
                (IpAddr::from(octets), &rest[8..10])
            } else {
                assert_eq!(*family, 0x21);
                let octets: [u8; 16] = rest[..16].try_into().unwrap();
                (IpAddr::from(octets), &rest[32..34])
            };
            let port = u16::from_be_bytes(port.try_into().unwrap());
            assert_eq!(client, SocketAddr::new(ip.to_canonical(), port));
        }
    }
}
