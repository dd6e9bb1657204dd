//! The target host of a request: exactly one, and web's own.

use super::case::Case;
use super::case::Expect;
use super::case::SMUGGLED;
use super::case::declined;
use super::case::expected_page;
use super::case::page;
use super::case::passed;
use super::case::refused;

const HOST: &str = "clinic.example";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = several();
    cases.extend(malformed());
    cases.extend(others());
    cases.extend(absolute());
    cases
}

fn with(fields: &str) -> String {
    format!("GET /patients?page=2 HTTP/1.1\r\n{fields}\r\n{SMUGGLED}")
}

/// No host, or more than one.
fn several() -> Vec<Case> {
    let fields = [
        ("no host", "Accept: a\r\n"),
        (
            "the host twice",
            "Host: clinic.example\r\nHost: clinic.example\r\n",
        ),
        (
            "another host behind",
            "Host: clinic.example\r\nHost: other.example\r\n",
        ),
        (
            "another host before",
            "Host: other.example\r\nHost: clinic.example\r\n",
        ),
        (
            "another host far behind",
            "Host: clinic.example\r\nX: 1\r\nhost: other.example\r\n",
        ),
        ("an empty host behind", "Host: clinic.example\r\nHost:\r\n"),
        ("an empty host", "Host:\r\n"),
        ("a host of a space", "Host:  \r\n"),
        (
            "a host with a space before the colon",
            "Host : clinic.example\r\n",
        ),
        ("a host behind a space", " Host: clinic.example\r\n"),
        (
            "two hosts in one",
            "Host: clinic.example, other.example\r\n",
        ),
        (
            "two hosts in one, with a space",
            "Host: clinic.example other.example\r\n",
        ),
        (
            "two hosts in one, with a tab",
            "Host: clinic.example\tother.example\r\n",
        ),
        ("a folded host", "Host:\r\n clinic.example\r\n"),
    ];
    fields
        .iter()
        .map(|(name, fields)| refused(*name, with(fields)))
        .collect()
}

/// Values that are not a host with an optional port.
fn malformed() -> Vec<Case> {
    let hosts = [
        "user@clinic.example",
        "user:secret@clinic.example",
        "clinic.example@other.example",
        "clinic.example#",
        "clinic.example?x",
        "clinic.example/",
        "clinic.example/patients",
        "https://clinic.example",
        "//clinic.example",
        "clinic.example\\other.example",
        "clinic.example:x",
        "clinic.example:-1",
        "clinic.example:+443",
        "clinic.example:99999",
        "clinic.example:4 43",
        "clinic.example:443:443",
        "clinic.example::443",
        ":443",
        ":",
        "[::1",
        "::1]",
        "::1",
        "[clinic.example]",
        "[::g]",
        "[::1]x",
        "[::1]:x",
        "[[::1]]",
        "clinic..example",
        "clinic_example",
        "clinic%2eexample",
        "clinic.example%00",
        "clinic.example\0",
        "clin\u{ef}c.example",
        "clinic.example\u{ff}",
        "clinic.example;",
        "clinic.example|",
        "<clinic.example>",
        "\"clinic.example\"",
        "*",
        "*.example",
        "${host}",
    ];
    hosts
        .iter()
        .map(|host| {
            declined(
                format!("the host {host:?}"),
                page("").replace("clinic.example", host),
            )
        })
        .collect()
}

/// Valid hosts that are not web's own.
fn others() -> Vec<Case> {
    let hosts = [
        "other.example",
        "clinic.example.other.example",
        "xclinic.example",
        "www.clinic.example",
        "example",
        "clinic.exampl",
        "clinic.example:8443",
        "clinic.example:80",
        "clinic.example:0",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[::1]:443",
        "0.0.0.0",
        "2130706433",
        "169.254.169.254",
        "app.internal",
        "app.internal:443",
    ];
    let mut cases: Vec<Case> = hosts
        .iter()
        .map(|host| {
            declined(
                format!("the host {host}"),
                page("").replace("clinic.example", host),
            )
        })
        .collect();
    let capitals = page("").replace("clinic.example", "CLINIC.Example");
    cases.push(passed("the host in capitals", capitals, expected_page()));
    let padded = page("").replace("Host: clinic.example", "HOST:clinic.example  ");
    cases.push(passed("the host between spaces", padded, expected_page()));
    cases.push(Case::new(
        "another host in the second request",
        page("") + &page("").replace("Host: clinic.example", "Host: a, b"),
        Expect::PassedThenRefused(vec![expected_page()]),
    ));
    cases
}

/// Targets with another host, and the `Host` field beside each.
const ABSOLUTE: &[(&str, &str, &str)] = &[
    (
        "another host twice",
        "https://other.example/patients",
        "other.example",
    ),
    ("a person", "https://user@clinic.example/patients", HOST),
    ("a port", "https://clinic.example:8443/patients", HOST),
    ("no TLS", "http://clinic.example/patients?page=2", HOST),
    ("another scheme", "file://clinic.example/etc/passwd", HOST),
    ("no host", "https:///patients?page=2", HOST),
    ("an authority alone", "clinic.example:443", HOST),
    ("two slashes", "//clinic.example/patients", HOST),
    ("a target in it", "/https://other.example/", HOST),
];

/// Targets in absolute form, as they are sent to proxies.
fn absolute() -> Vec<Case> {
    let to = |target: &str, host: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let (own, capitals) = (
        "https://clinic.example/patients?page=2",
        "https://CLINIC.example/patients?page=2",
    );
    let mut cases = vec![
        passed("a target with the own host", to(own, HOST), expected_page()),
        passed(
            "a target with the own host in capitals",
            to(capitals, HOST),
            expected_page(),
        ),
        refused(
            "a target with the own host, and another host",
            to(own, "other.example"),
        ),
        refused(
            "a target with another host, and the own host",
            to("https://other.example/patients", HOST),
        ),
        refused(
            "a target with the own host, and none",
            format!("GET {own} HTTP/1.1\r\n\r\n{SMUGGLED}"),
        ),
    ];
    for (name, target, host) in ABSOLUTE {
        cases.push(declined(format!("a target with {name}"), to(target, host)));
    }
    cases
}
