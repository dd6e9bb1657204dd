//! Request lines: versions, spaces, methods, and bytes that are not HTTP/1.1.

use super::case::Case;
use super::case::Expect;
use super::case::FORM;
use super::case::PAGE;
use super::case::SMUGGLED;
use super::case::declined;
use super::case::expected_form;
use super::case::expected_page;
use super::case::form;
use super::case::page;
use super::case::passed;
use super::case::refused;

const HOST: &str = "Host: clinic.example\r\n\r\n";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = malformed();
    cases.extend(other_protocols());
    cases.extend(methods());
    cases.extend(pipelining());
    cases.extend(empty_lines());
    cases
}

/// Lines that are not `method SP target SP version CRLF`.
const MALFORMED: &[(&str, &str)] = &[
    ("no version", "GET /patients?page=2\r\n"),
    ("an empty version", "GET /patients?page=2 \r\n"),
    ("only a method", "GET\r\n"),
    ("only a method and a space", "GET \r\n"),
    ("no target", "GET HTTP/1.1\r\n"),
    ("an empty target", "GET  HTTP/1.1\r\n"),
    (
        "two spaces after the method",
        "GET  /patients?page=2 HTTP/1.1\r\n",
    ),
    (
        "two spaces after the target",
        "GET /patients?page=2  HTTP/1.1\r\n",
    ),
    ("tabs for spaces", "GET\t/patients?page=2\tHTTP/1.1\r\n"),
    (
        "a space in the target",
        "GET /patients ?page=2 HTTP/1.1\r\n",
    ),
    ("a tab in the target", "GET /patients\t?page=2 HTTP/1.1\r\n"),
    (
        "a form feed in the target",
        "GET /patients\u{c} HTTP/1.1\r\n",
    ),
    ("a space at the end", "GET /patients?page=2 HTTP/1.1 \r\n"),
    ("a tab at the end", "GET /patients?page=2 HTTP/1.1\t\r\n"),
    (
        "a space at the beginning",
        " GET /patients?page=2 HTTP/1.1\r\n",
    ),
    (
        "a NUL at the beginning",
        "\0GET /patients?page=2 HTTP/1.1\r\n",
    ),
    ("a NUL in the target", "GET /patients\0 HTTP/1.1\r\n"),
    ("a NUL in the method", "G\0ET /patients HTTP/1.1\r\n"),
    ("a bare LF in the target", "GET /patients\n HTTP/1.1\r\n"),
    ("a bare CR in the target", "GET /patients\r HTTP/1.1\r\n"),
    ("a DEL in the target", "GET /patients\u{7f} HTTP/1.1\r\n"),
    ("a bare LF at the end", "GET /patients?page=2 HTTP/1.1\n"),
    ("a bare CR at the end", "GET /patients?page=2 HTTP/1.1\r"),
    ("two CRs at the end", "GET /patients?page=2 HTTP/1.1\r\r\n"),
    ("two versions", "GET /patients?page=2 HTTP/1.1 HTTP/1.1\r\n"),
    (
        "a method with a colon",
        "GET: /patients?page=2 HTTP/1.1\r\n",
    ),
    (
        "a method in brackets",
        "(GET) /patients?page=2 HTTP/1.1\r\n",
    ),
    (
        "a method that is not ASCII",
        "G\u{cb}T /patients?page=2 HTTP/1.1\r\n",
    ),
    ("a method that is empty", " /patients?page=2 HTTP/1.1\r\n"),
];

/// Versions other than 1.1, and texts that only resemble it.
const VERSIONS: &[&str] = &[
    "HTTP/0.9",
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/1.3",
    "HTTP/2.0",
    "HTTP/2",
    "HTTP/3",
    "HTTP/9.9",
    "HTTP/1",
    "HTTP/1.",
    "HTTP/.1",
    "HTTP/11",
    "HTTP/1.10",
    "HTTP/01.1",
    "HTTP/1.1a",
    "HTTP/+1.1",
    "HTTP/1,1",
    "HTTP 1.1",
    "HTTP-1.1",
    "HTTP\\1.1",
    "http/1.1",
    "Http/1.1",
    "HTTPS/1.1",
    "XTTP/1.1",
    "HTTP/1.1\0",
    "HTTP/1.\u{b9}",
    "HTTP/1.1;x",
];

/// Malformed request lines and versions.
fn malformed() -> Vec<Case> {
    let mut cases: Vec<Case> = MALFORMED
        .iter()
        .map(|(name, line)| {
            refused(
                format!("a request line with {name}"),
                format!("{line}{HOST}"),
            )
        })
        .collect();
    for version in VERSIONS {
        let text = format!("GET /patients?page=2 {version}\r\n{HOST}{SMUGGLED}");
        cases.push(refused(format!("the version {version:?}"), text));
    }
    cases
}

/// Other protocols on the port of HTTPS.
fn other_protocols() -> Vec<Case> {
    let first = [
        ("HTTP/0.9", "GET /patients\r\n\r\n"),
        (
            "HTTP/2 with prior knowledge",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0",
        ),
        (
            "a TLS hello in TLS",
            "\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\0\r\n\r\n",
        ),
        ("SSH", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        ("SMTP", "EHLO clinic.example\r\n\r\n"),
        ("a response", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (
            "PROXY protocol 1",
            "PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\nGET / HTTP/1.1\r\n\r\n",
        ),
        (
            "PROXY protocol 2",
            "\r\n\r\n\0\r\nQUIT\n\u{21}\u{11}\0\u{c}\u{6}\u{6}\u{6}\u{6}\u{7}\u{7}\u{7}\u{7}\0\u{1}\0\u{2}",
        ),
        ("bytes that are nothing", "\u{80}\u{81}\u{ff}\u{fe}\r\n\r\n"),
        ("NULs", "\0\0\0\0\r\n\r\n"),
        ("WebSocket", "\u{81}\u{85}\u{1}\u{2}\u{3}\u{4}\r\n\r\n"),
    ];
    first
        .iter()
        .map(|(name, text)| refused(format!("{name} instead of HTTP/1.1"), text))
        .collect()
}

/// Methods that no route of web has.
const METHODS: &[&str] = &[
    "get",
    "Get",
    "gET",
    "post",
    "TRACE",
    "TRACK",
    "OPTIONS",
    "PUT",
    "PATCH",
    "DELETE",
    "PROPFIND",
    "MKCOL",
    "SEARCH",
    "PURGE",
    "LINK",
    "QUERY",
    "FOO",
    "GETX",
    "G",
    "M-SEARCH",
    "!#$%&'*+-.^_`|~",
    "PRI",
];

/// Known and unknown methods.
fn methods() -> Vec<Case> {
    let mut cases = Vec::new();
    for method in METHODS {
        let text = format!("{method} /patients?page=2 HTTP/1.1\r\n{HOST}");
        cases.push(declined(format!("the method {method}"), text));
    }
    let long = format!("{} /patients HTTP/1.1\r\n{HOST}", "A".repeat(20_000));
    cases.push(refused("a method of 20,000 letters", long));
    // After CONNECT the bytes would be meant for the tunnel's destination.
    for target in [
        "clinic.example:443",
        "169.254.169.254:80",
        "app.internal:443",
        "/patients",
        "*",
    ] {
        let text = format!("CONNECT {target} HTTP/1.1\r\n{HOST}{SMUGGLED}");
        cases.push(refused(format!("CONNECT to {target}"), text));
    }
    for (name, line) in [
        ("OPTIONS of everything", "OPTIONS * HTTP/1.1"),
        ("TRACE of everything", "TRACE * HTTP/1.1"),
    ] {
        cases.push(declined(name, format!("{line}\r\n{HOST}")));
    }
    cases.push(declined(
        "a GET of a form's target",
        FORM.replace("POST", "GET") + "\r\n" + HOST,
    ));
    cases.push(declined(
        "a POST of a page",
        PAGE.replace("GET", "POST") + "\r\n" + HOST,
    ));
    let mut wanted = expected_page();
    wanted.line = PAGE.replacen("GET", "HEAD", 1);
    let head = passed("a HEAD", page("").replacen("GET", "HEAD", 1), wanted);
    cases.push(head);
    cases
}

/// Empty lines around requests (RFC 9112, 2.2): exactly one is skipped.
fn empty_lines() -> Vec<Case> {
    vec![
        passed(
            "an empty line before the request",
            format!("\r\n{}", page("")),
            expected_page(),
        ),
        refused(
            "two empty lines before the request",
            format!("\r\n\r\n{}", page("")),
        ),
        refused(
            "a thousand empty lines before the request",
            "\r\n".repeat(1000) + &page(""),
        ),
        refused(
            "a line of a space before the request",
            format!(" \r\n{}", page("")),
        ),
        refused(
            "an empty line and a bare LF before the request",
            format!("\r\n\n{}", page("")),
        ),
        Case::new(
            "an empty line between pages",
            format!("{}\r\n{}", page(""), page("")),
            Expect::Passed(vec![expected_page(), expected_page()]),
        ),
        Case::new(
            "a form, an empty line and a page",
            format!("{}\r\n{}", form("Content-Length: 3\r\n", "a=b"), page("")),
            Expect::Passed(vec![expected_form("a=b"), expected_page()]),
        ),
        Case::new(
            "chunks, an empty line and a page",
            format!(
                "{}\r\n{}",
                form("Transfer-Encoding: chunked\r\n", "3\r\na=b\r\n0\r\n\r\n"),
                page("")
            ),
            Expect::Passed(vec![expected_form("a=b"), expected_page()]),
        ),
        Case::new(
            "two empty lines between pages",
            format!("{}\r\n\r\n{}", page(""), page("")),
            Expect::PassedThenRefused(vec![expected_page()]),
        ),
    ]
}

/// Bytes before a request line, and pipelined requests.
fn pipelining() -> Vec<Case> {
    let pages = |count| Expect::Passed(vec![expected_page(); count]);
    vec![
        refused("a bare LF before the request", format!("\n{}", page(""))),
        refused("a bare CR before the request", format!("\r{}", page(""))),
        Case::new("a page", page(""), pages(1)),
        Case::new("three pages at once", page("").repeat(3), pages(3)),
        Case::new("twenty pages at once", page("").repeat(20), pages(20)),
        Case::new(
            "a page and the wish to end",
            page("Connection: close\r\n"),
            pages(1),
        )
        .closing(),
        Case::new(
            "a page behind the wish to end",
            page("Connection: close\r\n") + SMUGGLED,
            pages(1),
        )
        .closing(),
        Case::new(
            "a page and something behind it",
            page("") + "X\r\n\r\n",
            Expect::PassedThenRefused(vec![expected_page()]),
        ),
        Case::new(
            "a page and one without a host behind it",
            page("") + "GET /patients HTTP/1.1\r\n\r\n",
            Expect::PassedThenRefused(vec![expected_page()]),
        ),
        refused(
            "half a page and a page",
            format!("{PAGE}\r\nHost: clinic.example\r\n{}", page("")),
        ),
    ]
}
