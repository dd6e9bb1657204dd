//! Tests of accepted and refused heads.

use super::*;
use crate::tests::reference;

const MAX_BYTES: usize = 16 * 1024;

fn parse(text: &[u8]) -> Result<Option<Head>, Problem> {
    take(&mut BytesMut::from(text), MAX_BYTES)
}

fn head(text: &str) -> Head {
    parse(text.as_bytes()).unwrap().unwrap()
}

fn refused(text: &str) -> u16 {
    parse(text.as_bytes()).unwrap_err().status.as_u16()
}

#[test]
fn a_head_is_taken_without_the_bytes_after_it() {
    let mut inbox = BytesMut::from(
        "POST /fhir?_pretty=true HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET /",
    );
    let head = take(&mut inbox, MAX_BYTES).unwrap().unwrap();
    assert_eq!(head.parts.method, Method::POST);
    assert_eq!(head.parts.uri, "/fhir?_pretty=true");
    assert_eq!(head.parts.headers["host"], "a");
    assert_eq!(head.framing, Framing::Length(4));
    assert!(head.persistent && !head.expects);
    assert_eq!(&inbox[..], b"bodyGET /");
}

#[test]
fn a_head_is_awaited_until_its_end() {
    let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for length in 0..text.len() {
        let mut inbox = BytesMut::from(&text[..length]);
        assert!(matches!(take(&mut inbox, MAX_BYTES), Ok(None)), "{length}");
        assert_eq!(inbox.len(), length);
    }
}

#[test]
fn one_empty_line_before_a_request_is_skipped_and_does_not_begin_it() {
    let text = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for length in 0..text.len() {
        let mut inbox = BytesMut::from(&text[..length]);
        assert!(matches!(take(&mut inbox, MAX_BYTES), Ok(None)), "{length}");
        assert_eq!(inbox.len(), length);
        assert_eq!(has_begun(&inbox), length > 2, "{length}");
    }
    let mut inbox = BytesMut::from(&[&text[..], b"\r\nGET"].concat()[..]);
    assert_eq!(take(&mut inbox, MAX_BYTES).unwrap().unwrap().parts.uri, "/");
    assert_eq!(&inbox[..], b"\r\nGET");
    // A second empty line is refused as soon as it arrives.
    assert_eq!(refused("\r\n\r\n"), 400);
}

#[test]
fn forms_that_parsers_read_differently_are_refused() {
    for text in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\nX: b\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\0GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET https://a?b=c HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(refused(text), 400, "{text:?}");
    }
    for version in ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", " HTTP/1.1"] {
        assert_eq!(refused(&format!("GET / {version}\r\nHost: a\r\n\r\n")), 505);
    }
}

#[test]
fn a_length_is_stated_once_in_one_form() {
    for lines in [
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding:\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -4\r\n",
        "Content-Length: 04\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 4 4\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length:\r\n",
    ] {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        assert_eq!(refused(&text), 400, "{lines:?}");
    }
    let framing = |lines: &str| head(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).framing;
    assert_eq!(framing(""), Framing::None);
    assert_eq!(framing("Content-Length: 0\r\n"), Framing::None);
    assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Framing::Chunked);
}

#[test]
fn connection_and_expect_are_parsed() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-a , Close\r\n\r\n";
    assert!(!head(text).persistent);
    let text = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n";
    assert!(head(text).expects);
    let text = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n";
    assert_eq!(refused(text), 417);
}

#[test]
fn a_head_above_its_limits_is_refused() {
    let long = format!("GET / HTTP/1.1\r\nHost: {}", "a".repeat(MAX_BYTES));
    assert_eq!(refused(&long), 431);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    assert_eq!(refused(&many), 431);
}

/// Fuzz target: a head is parsed alike however it arrives, and as by a reference parser.
#[test]
fn fuzz_request_head() {
    bolero::check!().for_each(|text: &[u8]| {
        let mut inbox = BytesMut::from(text);
        let whole = take(&mut inbox, MAX_BYTES);
        let by_bytes = taken_by_bytes(text);
        match (&whole, &by_bytes) {
            (Ok(None), Ok(None)) => {}
            (Ok(Some(head)), Ok(Some(other))) => {
                assert_eq!(head.parts.headers, other.parts.headers);
                assert_equals_reference(head, text, &inbox);
            }
            (Err(problem), Err(other)) => assert_eq!(problem.status, other.status),
            _ => panic!("{whole:?} at once, {by_bytes:?} byte by byte"),
        }
    });
}

/// Takes a head that arrives one byte at a time.
fn taken_by_bytes(text: &[u8]) -> Result<Option<Head>, Problem> {
    let mut inbox = BytesMut::new();
    for byte in text {
        inbox.extend_from_slice(&[*byte]);
        if let Some(head) = take(&mut inbox, MAX_BYTES)? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

fn assert_equals_reference(head: &Head, text: &[u8], rest: &[u8]) {
    let text = text.strip_prefix(EMPTY_LINE).unwrap_or(text);
    let reference = reference::head(text).expect("a head by RFC 9112");
    assert_eq!(rest, reference.rest);
    let words: Vec<_> = reference.start_line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = words[..] else {
        panic!("{words:?}");
    };
    assert_eq!(head.parts.method.as_str(), method);
    assert_eq!(head.parts.uri, *target);
    let fields = head.parts.headers.iter();
    let mut fields: Vec<_> = fields
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let expected = reference.fields.iter();
    let mut expected: Vec<_> = expected
        .map(|(name, value)| (name.as_str(), &value[..]))
        .collect();
    // Only the order of fields with the same name is preserved.
    fields.sort_by_key(|(name, _)| *name);
    expected.sort_by_key(|(name, _)| *name);
    assert_eq!(fields, expected);
    let lengths = reference.values("content-length");
    let codings = reference.values("transfer-encoding");
    match head.framing {
        Framing::None => assert!(codings.is_empty() && matches!(lengths[..], [] | [b"0"])),
        Framing::Length(length) => {
            assert!(codings.is_empty());
            assert_eq!(lengths, [length.to_string().as_bytes()]);
        }
        Framing::Chunked => {
            assert!(lengths.is_empty() && codings.len() == 1);
            assert!(codings[0].eq_ignore_ascii_case(b"chunked"));
        }
    }
}
