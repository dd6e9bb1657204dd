//! Heads that are read, and every kind that is refused.

use proptest::prelude::*;

use super::*;

const LONGEST: usize = 16 * 1024;

fn of(text: &[u8]) -> Result<Option<Head>, Problem> {
    take(&mut BytesMut::from(text), LONGEST)
}

fn head(text: &str) -> Head {
    of(text.as_bytes()).unwrap().unwrap()
}

fn refused(text: &str) -> u16 {
    of(text.as_bytes()).unwrap_err().status.as_u16()
}

#[test]
fn a_head_is_taken_whole_and_nothing_after_it() {
    let mut inbox = BytesMut::from(
        "POST /fhir?_pretty=true HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET /",
    );
    let head = take(&mut inbox, LONGEST).unwrap().unwrap();
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
        assert!(matches!(take(&mut inbox, LONGEST), Ok(None)), "{length}");
        assert_eq!(inbox.len(), length);
    }
}

#[test]
fn one_empty_line_before_a_request_is_skipped_and_is_no_beginning_of_it() {
    let text = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for length in 0..text.len() {
        let mut inbox = BytesMut::from(&text[..length]);
        assert!(matches!(take(&mut inbox, LONGEST), Ok(None)), "{length}");
        assert_eq!(inbox.len(), length);
        assert_eq!(has_begun(&inbox), length > 2, "{length}");
    }
    let mut inbox = BytesMut::from(&[&text[..], b"\r\nGET"].concat()[..]);
    assert_eq!(take(&mut inbox, LONGEST).unwrap().unwrap().parts.uri, "/");
    assert_eq!(&inbox[..], b"\r\nGET");
    // A second one is refused as soon as it is there.
    assert_eq!(refused("\r\n\r\n"), 400);
}

#[test]
fn what_readers_differ_on_is_refused() {
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
fn a_length_is_said_once_in_one_way() {
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
    let of = |lines: &str| head(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).framing;
    assert_eq!(of(""), Framing::None);
    assert_eq!(of("Content-Length: 0\r\n"), Framing::None);
    assert_eq!(of("Transfer-Encoding: Chunked\r\n"), Framing::Chunked);
}

#[test]
fn what_a_client_expects_and_wants_is_read() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-a , Close\r\n\r\n";
    assert!(!head(text).persistent);
    let text = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n";
    assert!(head(text).expects);
    let text = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n";
    assert_eq!(refused(text), 417);
}

#[test]
fn a_head_has_its_limits() {
    let long = format!("GET / HTTP/1.1\r\nHost: {}", "a".repeat(LONGEST));
    assert_eq!(refused(&long), 431);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    assert_eq!(refused(&many), 431);
}

proptest! {
    #[test]
    fn bytes_of_any_kind_do_no_harm(text in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(of(&text));
    }

    #[test]
    fn a_wrong_byte_anywhere_does_no_harm(at in 0_usize..90, byte in any::<u8>()) {
        let text = b"POST /fhir HTTP/1.1\r\nHost: a.example:8443\r\nContent-Length: 12\r\nAccept: a/b, c/d\r\n\r\n";
        let mut text = text.to_vec();
        let at = at % text.len();
        text[at] = byte;
        if let Ok(Some(head)) = of(&text) {
            // Whatever was let through has no line in it that was not there.
            prop_assert!(head.parts.headers.len() <= 4);
            prop_assert!(!head.parts.uri.to_string().contains(['\r', '\n', ' ']));
        }
    }
}
