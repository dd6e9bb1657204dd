//! Laws of the answer's codec, over bytes that are nearly or wholly right.

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

/// What was read of a connection that ends after some bytes.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// There is no answer, whatever would still come.
    Refused,
    /// It ended too early.
    Incomplete,
    Answer {
        status: u16,
        headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
        /// What is there after it.
        left: Vec<u8>,
    },
}

/// Reads an answer to a `GET`, or a `HEAD`, that comes in pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bodiless: bool) -> Read {
    let mut inbox = BytesMut::new();
    let mut reader = Reader::new(bodiless);
    for piece in pieces {
        inbox.extend_from_slice(piece);
        if !reader.over && reader.advance(&mut inbox).is_err() {
            return Read::Refused;
        }
    }
    reader.end(&inbox)
}

struct Reader {
    head_parser: ResponseHeadParser,
    head: Option<ResponseHead>,
    body: Vec<u8>,
    over: bool,
}

impl Reader {
    fn new(bodiless: bool) -> Self {
        Self {
            head_parser: ResponseHeadParser::new(bodiless),
            head: None,
            body: Vec::new(),
            over: false,
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
                    self.over = true;
                    return Ok(());
                }
            }
        }
    }

    fn end(self, left: &[u8]) -> Read {
        let Some(head) = self.head else {
            return Read::Incomplete;
        };
        if !self.over && !matches!(head.framing, Framing::UntilClose) {
            return Read::Incomplete;
        }
        let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), value.as_bytes().to_vec())
        };
        Read::Answer {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(pair).collect(),
            body: self.body,
            left: left.to_vec(),
        }
    }
}

fn whole(bytes: &[u8]) -> Read {
    read([bytes], false)
}

fn body(bytes: &str) -> Option<String> {
    let Read::Answer { body, left, .. } = whole(bytes.as_bytes()) else {
        return None;
    };
    assert!(left.is_empty(), "{left:?}");
    String::from_utf8(body).ok()
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[test]
fn bodies_are_read_by_length_in_chunks_or_to_an_end_that_was_announced() {
    for (answer, expected) in [
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
            body(&format!("{OK}{answer}")).as_deref(),
            Some(expected),
            "{answer:?}"
        );
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n";
        let answer = format!("{interim}{OK}{answer}");
        assert_eq!(body(&answer).as_deref(), Some(expected), "{answer:?}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_not_an_answer() {
    for answer in [
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
        assert_eq!(whole(answer.as_bytes()), Read::Refused, "{answer:?}");
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
        let answer = format!("{OK}transfer-encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(whole(answer.as_bytes()), Read::Refused, "{chunks:?}");
    }
}

#[test]
fn nothing_is_read_without_bound() {
    let long = "x".repeat(40_000);
    let many = "x: y\r\n".repeat(65);
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(9);
    for answer in [
        format!("{OK}x: {long}"),
        format!("{OK}{many}content-length: 0\r\n\r\n"),
        format!("{interim}{OK}content-length: 0\r\n\r\n"),
        format!("{OK}transfer-encoding: chunked\r\n\r\n1;{long}"),
        format!("{OK}transfer-encoding: chunked\r\n\r\n0\r\nx: {long}"),
    ] {
        assert_eq!(whole(answer.as_bytes()), Read::Refused, "{}", &answer[..60]);
    }
}

#[test]
fn an_answer_without_a_body_keeps_the_length_that_it_speaks_of() {
    let not_modified = "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n";
    let to_head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\n";
    for (answer, bodiless) in [(not_modified, false), (to_head, true)] {
        let Read::Answer {
            headers,
            body,
            left,
            ..
        } = read([answer.as_bytes()], bodiless)
        else {
            panic!("{answer:?}");
        };
        assert!(headers.contains(&("content-length".to_owned(), b"5".to_vec())));
        assert!(body.is_empty() && left.is_empty());
    }
}

#[test]
fn what_concerns_the_connection_stays_on_it() {
    let answer = "connection: close, x-listed\r\nkeep-alive: timeout=5\r\nx-listed: 1\r\n\
                  trailer: x-sum\r\nupgrade: h2c\r\nproxy-connection: a\r\nte: a\r\n\
                  content-length: 2\r\nkept: 1\r\n\r\nok";
    let Read::Answer { headers, .. } = whole(format!("{OK}{answer}").as_bytes()) else {
        panic!("{answer:?}");
    };
    assert_eq!(headers, [("kept".to_owned(), b"1".to_vec())]);
}

/// Lines of a head, right and wrong.
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
    let right = "[ -~\r\n]{0,20}".prop_map(|data| format!("{:x}\r\n{data}\r\n", data.len()));
    prop_oneof![
        6 => right,
        1 => "[0-9a-fA-F]{0,3}(;[a-z=]{0,5})?\r?\n[a-z]{0,8}\r?\n",
    ]
}

/// Answers that are right, nearly right, or not right at all.
fn answer() -> impl Strategy<Value = Vec<u8>> {
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
        if let Some((at, byte)) = change {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        bytes
    })
}

/// What hyper's client reads of the same bytes: status and body.
async fn by_hyper(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let io = TokioIo::new(ours);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.ok()?;
    let driver = tokio::spawn(connection);
    let request = http::Request::get("/")
        .header("host", "a")
        .body(Empty::<Bytes>::new());
    let answered = sender.send_request(request.unwrap());
    let served = async {
        let mut request = [0; 1024];
        assert!(theirs.read(&mut request).await.unwrap() > 0);
        // It may have read enough, and gone.
        drop(theirs.write_all(bytes).await);
        drop(theirs);
    };
    let read = async {
        let answer = tokio::join!(answered, served).0.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?;
        Some((status, body.to_bytes().to_vec()))
    };
    let read = tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .unwrap();
    driver.abort();
    read
}

/// Fuzz target: a response is read alike however it arrives, and as a second reader reads it.
#[test]
fn fuzz_response() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let read_whole = whole(bytes);
        assert_eq!(read(bytes.chunks(1), false), read_whole);
        if let Read::Answer {
            status,
            headers,
            body,
            left,
        } = read_whole
        {
            let (head, reference_body, rest) = by_reference(bytes);
            assert!(head.start_line.starts_with(&format!("HTTP/1.1 {status}")));
            for (name, value) in &headers {
                assert!(head.values(name).contains(&&value[..]), "{name}");
            }
            assert_eq!((&body, &left[..]), (&reference_body, rest));
        }
        read(bytes.chunks(1), true);
    });
}

/// The final response: its head, its body, and what follows it.
fn by_reference(mut bytes: &[u8]) -> (reference::Head<'_>, Vec<u8>, &[u8]) {
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
    fn it_does_not_matter_in_what_pieces_an_answer_comes(bytes in answer(), size in 1..9_usize) {
        let expected = whole(&bytes);
        prop_assert_eq!(&read(bytes.chunks(size), false), &expected);
        for at in 0..bytes.len() {
            let (before, after) = bytes.split_at(at);
            prop_assert_eq!(&read([before, after], false), &expected);
        }
    }

    #[test]
    fn what_is_accepted_is_what_hyper_reads(bytes in answer()) {
        // The last head's framing is what is compared: hyper, too, passes interim ones over.
        if let Read::Answer { status, body, .. } = whole(&bytes) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            prop_assert_eq!(runtime.block_on(by_hyper(&bytes)), Some((status, body)));
        }
    }
}
