//! Properties of the response parser, over well-formed and nearly well-formed bytes.

use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use super::framing::Framing;
use super::framing::FramingError;
use super::response_head::ResponseHead;
use super::response_head::ResponseHeadParser;
use crate::http1::chunked::Piece;
use crate::tests::reference;

/// The result of parsing a connection that ends after some bytes.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// The response is malformed.
    Refused,
    /// The connection ended too early.
    Incomplete,
    Response {
        status: u16,
        headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
        /// The bytes after the response.
        rest: Vec<u8>,
    },
}

/// Parses a response to a `GET` or a `HEAD` that arrives in pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bodiless: bool) -> Read {
    let mut inbox = BytesMut::new();
    let mut reader = Reader::new(bodiless);
    for piece in pieces {
        inbox.extend_from_slice(piece);
        if !reader.complete && reader.advance(&mut inbox).is_err() {
            return Read::Refused;
        }
    }
    reader.end(&inbox)
}

struct Reader {
    head_parser: ResponseHeadParser,
    head: Option<ResponseHead>,
    body: Vec<u8>,
    complete: bool,
}

impl Reader {
    fn new(bodiless: bool) -> Self {
        Self {
            head_parser: ResponseHeadParser::new(bodiless),
            head: None,
            body: Vec::new(),
            complete: false,
        }
    }

    fn advance(&mut self, inbox: &mut BytesMut) -> Result<(), FramingError> {
        if self.head.is_none() {
            self.head = self.head_parser.find(inbox)?;
        }
        let Some(head) = &mut self.head else {
            return Ok(());
        };
        loop {
            match head.framing.decode(inbox)? {
                Piece::Data(data) => self.body.extend_from_slice(&data),
                Piece::More => return Ok(()),
                Piece::End => {
                    self.complete = true;
                    return Ok(());
                }
            }
        }
    }

    fn end(self, rest: &[u8]) -> Read {
        let Some(head) = self.head else {
            return Read::Incomplete;
        };
        if !self.complete && !matches!(head.framing, Framing::UntilClose) {
            return Read::Incomplete;
        }
        let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), value.as_bytes().to_vec())
        };
        Read::Response {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(pair).collect(),
            body: self.body,
            rest: rest.to_vec(),
        }
    }
}

fn whole(bytes: &[u8]) -> Read {
    read([bytes], false)
}

fn body(bytes: &str) -> Option<String> {
    let Read::Response { body, rest, .. } = whole(bytes.as_bytes()) else {
        return None;
    };
    assert!(rest.is_empty(), "{rest:?}");
    String::from_utf8(body).ok()
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[test]
fn bodies_are_read_by_length_in_chunks_or_to_an_announced_close() {
    for (response, expected) in [
        ("content-length: 5\r\n\r\nhello", "hello"),
        ("Content-Length: 0\r\n\r\n", ""),
        (
            "transfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "hello",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n3;a=\"b\"\r\nhel\r\n002\r\nlo\r\n0\r\nx-sum: 1\r\n\r\n",
            "hello",
        ),
        ("connection: close\r\n\r\nhello", "hello"),
    ] {
        assert_eq!(
            body(&format!("{OK}{response}")).as_deref(),
            Some(expected),
            "{response:?}"
        );
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n";
        let response = format!("{interim}{OK}{response}");
        assert_eq!(body(&response).as_deref(), Some(expected), "{response:?}");
    }
}

#[test]
fn an_ambiguous_response_is_refused() {
    for response in [
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/2.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 999 Odd\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 20 OK\r\ncontent-length: 5\r\n\r\nhello",
        "\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\nx: y\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 5\r\n\r\nhello",
    ] {
        assert_eq!(whole(response.as_bytes()), Read::Refused, "{response:?}");
    }
    for chunks in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "\r\n",
        "ffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\na: b\n\r\n",
        "0\r\n folded: b\r\n\r\n",
    ] {
        let response = format!("{OK}transfer-encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(whole(response.as_bytes()), Read::Refused, "{chunks:?}");
    }
}

#[test]
fn every_part_of_a_response_is_bounded() {
    let long = "x".repeat(40_000);
    let many = "x: y\r\n".repeat(65);
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(9);
    for response in [
        format!("{OK}x: {long}"),
        format!("{OK}{many}content-length: 0\r\n\r\n"),
        format!("{interim}{OK}content-length: 0\r\n\r\n"),
        format!("{OK}transfer-encoding: chunked\r\n\r\n1;{long}"),
        format!("{OK}transfer-encoding: chunked\r\n\r\n0\r\nx: {long}"),
    ] {
        assert_eq!(
            whole(response.as_bytes()),
            Read::Refused,
            "{}",
            &response[..60]
        );
    }
}

#[test]
fn a_response_without_a_body_keeps_its_content_length() {
    let not_modified = "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n";
    let to_head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\n";
    for (response, bodiless) in [(not_modified, false), (to_head, true)] {
        let Read::Response {
            headers,
            body,
            rest,
            ..
        } = read([response.as_bytes()], bodiless)
        else {
            panic!("{response:?}");
        };
        assert!(headers.contains(&("content-length".to_owned(), b"5".to_vec())));
        assert!(body.is_empty() && rest.is_empty());
    }
}

#[test]
fn hop_by_hop_fields_are_removed() {
    let response = "connection: close, x-listed\r\nkeep-alive: timeout=5\r\nx-listed: 1\r\n\
                  trailer: x-sum\r\nupgrade: h2c\r\nproxy-connection: a\r\nte: a\r\n\
                  content-length: 2\r\nkept: 1\r\n\r\nok";
    let Read::Response { headers, .. } = whole(format!("{OK}{response}").as_bytes()) else {
        panic!("{response:?}");
    };
    assert_eq!(headers, [("kept".to_owned(), b"1".to_vec())]);
}

/// Lines of a head, well-formed and malformed.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z-]{1,12}: [ -~]{0,20}\r\n",
        2 => (0..30_usize).prop_map(|length| format!("content-length: {length}\r\n")),
        2 => Just("transfer-encoding: chunked\r\n".to_owned()),
        1 => Just("connection: close\r\n".to_owned()),
        1 => Just("connection: keep-alive, x-a\r\n".to_owned()),
        1 => "[A-Za-z-]{0,6}[ \t:]{0,3}[\\x00-\\x7f]{0,10}(\r\n|\n|\r)",
    ]
}

fn chunk() -> impl Strategy<Value = String> {
    let well_formed = "[ -~\r\n]{0,20}".prop_map(|data| format!("{:x}\r\n{data}\r\n", data.len()));
    prop_oneof![
        6 => well_formed,
        1 => "[0-9a-fA-F]{0,3}(;[a-z=]{0,5})?\r?\n[a-z]{0,8}\r?\n",
    ]
}

/// Responses: well-formed, nearly well-formed and malformed.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        8 => (0..600_u16).prop_map(|code| format!("HTTP/1.1 {code:03} Word\r\n")),
        8 => Just(OK.to_owned()),
        1 => "HTTP/1.[012] [0-9]{2,4} ?[a-z]{0,5}\r?\n",
    ];
    let body = prop_oneof![
        "[ -~]{0,30}",
        proptest::collection::vec(chunk(), 0..5).prop_map(|chunks| chunks.concat() + "0\r\n\r\n"),
        proptest::collection::vec(chunk(), 0..5)
            .prop_map(|chunks| chunks.concat() + "0\r\nx-sum: 1\r\n\r\n"),
    ];
    let lines = proptest::collection::vec(line(), 0..4);
    let parts = (
        start,
        lines,
        "\r\n",
        body,
        proptest::option::of((any::<u16>(), any::<u8>())),
    );
    parts.prop_map(|(start, lines, end, body, change)| {
        let mut bytes = (start + &lines.concat() + &end + &body).into_bytes();
        if let Some((index, byte)) = change {
            let index = usize::from(index) % bytes.len();
            bytes[index] = byte;
        }
        bytes
    })
}

/// Status and body, as hyper's client parses the same bytes.
async fn parse_with_hyper(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (client, mut server) = tokio::io::duplex(64 * 1024);
    let io = TokioIo::new(client);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.ok()?;
    let driver = tokio::spawn(connection);
    let request = http::Request::get("/")
        .header("host", "a")
        .body(Empty::<Bytes>::new());
    let response = sender.send_request(request.unwrap());
    let respond = async {
        let mut request = [0; 1024];
        assert!(server.read(&mut request).await.unwrap() > 0);
        // The client may have closed the connection already.
        drop(server.write_all(bytes).await);
        drop(server);
    };
    let read = async {
        let response = tokio::join!(response, respond).0.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?;
        Some((status, body.to_bytes().to_vec()))
    };
    let read = tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .unwrap();
    driver.abort();
    read
}

/// Fuzz target: a response is parsed alike however it arrives, and as by a reference parser.
#[test]
fn fuzz_response() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let read_whole = whole(bytes);
        assert_eq!(read(bytes.chunks(1), false), read_whole);
        if let Read::Response {
            status,
            headers,
            body,
            rest,
        } = read_whole
        {
            let (head, reference_body, reference_rest) = parse_with_reference(bytes);
            assert!(head.start_line.starts_with(&format!("HTTP/1.1 {status}")));
            // The length of a body that is not sent (RFC 9110, 8.6) loses its leading zeros.
            for (name, value) in headers.iter().filter(|(name, _)| name != "content-length") {
                assert!(head.values(name).contains(&&value[..]), "{name}");
            }
            assert_eq!((&body, &rest[..]), (&reference_body, reference_rest));
        }
        read(bytes.chunks(1), true);
    });
}

/// The head and the body of the final response, and the bytes after it.
fn parse_with_reference(mut bytes: &[u8]) -> (reference::Head<'_>, Vec<u8>, &[u8]) {
    loop {
        let head = reference::head(bytes).expect("a head by RFC 9112");
        let status: u16 = head.start_line[9..12].parse().expect("a status");
        if (100..200).contains(&status) {
            bytes = head.rest;
            continue;
        }
        let lengths = head.values("content-length");
        let (body, rest) = if matches!(status, 204 | 304) {
            (Vec::new(), head.rest)
        } else if !head.values("transfer-encoding").is_empty() {
            reference::chunked(head.rest).expect("chunks by RFC 9112")
        } else if let [length] = lengths[..] {
            let length = std::str::from_utf8(length).unwrap().parse().unwrap();
            let (body, rest) = head.rest.split_at(length);
            (body.to_vec(), rest)
        } else {
            (head.rest.to_vec(), &[][..])
        };
        return (head, body, rest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 2_000 } else { 50_000 }))]

    #[test]
    fn a_response_is_parsed_alike_in_any_pieces(bytes in response(), size in 1..9_usize) {
        let expected = whole(&bytes);
        prop_assert_eq!(&read(bytes.chunks(size), false), &expected);
        for index in 0..bytes.len() {
            let (before, after) = bytes.split_at(index);
            prop_assert_eq!(&read([before, after], false), &expected);
        }
    }

    #[test]
    fn an_accepted_response_is_parsed_alike_by_hyper(bytes in response()) {
        // hyper skips interim responses too, so that the final ones are compared.
        if let Read::Response { status, body, .. } = whole(&bytes) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            prop_assert_eq!(runtime.block_on(parse_with_hyper(&bytes)), Some((status, body)));
        }
    }
}
