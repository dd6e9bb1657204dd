//! Header fields: hop-by-hop fields, singleton fields, expectations, types, grammar and conditions.

use super::case::Case;
use super::case::SMUGGLED;
use super::case::declined;
use super::case::expected_form;
use super::case::expected_page;
use super::case::form;
use super::case::page;
use super::case::passed;
use super::case::refused;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = hop_by_hop();
    cases.extend(upgrades());
    cases.extend(expectations());
    cases.extend(singletons());
    cases.extend(types());
    cases.extend(grammar());
    cases.extend(conditions());
    cases
}

/// Hop-by-hop fields, and fields listed in `Connection`, are not forwarded.
fn hop_by_hop() -> Vec<Case> {
    let fields = [
        ("Keep-Alive", "Keep-Alive: timeout=600\r\n"),
        ("Proxy-Connection", "Proxy-Connection: keep-alive\r\n"),
        ("Proxy-Authorization", "Proxy-Authorization: Basic YTpi\r\n"),
        ("TE", "TE: trailers\r\n"),
        (
            "TE that is listed",
            "TE: trailers, gzip;q=0.5\r\nConnection: TE\r\n",
        ),
        ("Trailer", "Trailer: Authorization\r\n"),
        ("Connection: keep-alive", "Connection: keep-alive\r\n"),
        ("a listed field", "Connection: x-a\r\nX-A: 1\r\n"),
        (
            "listed fields",
            "Connection: x-a, ,x-b,\r\nConnection: X-C\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n",
        ),
        (
            "a listed Accept",
            "Connection: accept\r\nAccept: text/html\r\n",
        ),
        (
            "a listed token",
            "Connection: authorization\r\nAuthorization: Bearer abc\r\n",
        ),
        (
            "a listed cookie",
            "Connection: Cookie\r\nCookie: __Host-session=abc\r\n",
        ),
        (
            "listed fields of the edge",
            "Connection: host, x-forwarded-for, x-request-id, traceparent\r\n",
        ),
        ("Max-Forwards", "Max-Forwards: 0\r\n"),
        ("Range", "Range: bytes=0-1\r\n"),
        ("Via", "Via: 1.1 other\r\n"),
        ("HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
        ("Alt-Used", "Alt-Used: other.example\r\n"),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (name, fields) in fields {
        cases.push(passed(
            format!("{name}, dropped"),
            page(fields),
            expected_page(),
        ));
    }
    cases.push(passed(
        "a listed length, which a client must not list",
        form("Connection: content-length\r\nContent-Length: 3\r\n", "a=b"),
        expected_form("a=b"),
    ));
    cases.push(passed(
        "fields that pass",
        page("Authorization: Bearer abc\r\nAccept: text/html\r\nCookie: __Host-session=abc\r\n"),
        expected_page()
            .with("authorization", "Bearer abc")
            .with("accept", "text/html")
            .with("cookie", "__Host-session=abc"),
    ));
    cases
}

/// Web never switches protocols. The bytes after an upgrade may belong to another protocol, so the
/// connection ends.
fn upgrades() -> Vec<Case> {
    let fields = [
        (
            "h2c",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        ),
        ("h2c that is not listed", "Upgrade: h2c\r\n"),
        (
            "WebSocket",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ),
        ("TLS", "Connection: upgrade\r\nUpgrade: TLS/1.3\r\n"),
        ("HTTP/2.0", "Upgrade: HTTP/2.0\r\n"),
        ("two protocols", "Upgrade: h2c\r\nUpgrade: websocket\r\n"),
        ("nothing", "Upgrade:\r\n"),
    ];
    let tunnel = |fields: &str| page(fields) + SMUGGLED;
    fields
        .iter()
        .map(|(name, fields)| refused(format!("an upgrade to {name}"), tunnel(fields)))
        .collect()
}

/// `Expect`: 100-continue is the only supported value.
fn expectations() -> Vec<Case> {
    let mut cases = Vec::new();
    for value in ["100-continue", "100-Continue", "100-CONTINUE"] {
        let fields = format!("Expect: {value}\r\nContent-Length: 3\r\n");
        let name = format!("the expectation {value}");
        cases.push(passed(name, form(&fields, "a=b"), expected_form("a=b")));
    }
    cases.push(passed(
        "an expectation with a chunked body",
        form(
            "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
            "3\r\na=b\r\n0\r\n\r\n",
        ),
        expected_form("a=b"),
    ));
    cases.push(passed(
        "an expectation without a body",
        page("Expect: 100-continue\r\n"),
        expected_page(),
    ));
    for value in [
        "101-continue",
        "100-continue, x",
        "x",
        "x, 100-continue",
        "100",
        "100-continue;q=1",
        "\"100-continue\"",
    ] {
        let fields = format!("Expect: {value}\r\nContent-Length: 3\r\n");
        let name = format!("the expectation {value}");
        cases.push(declined(name, form(&fields, "a=b")));
    }
    cases.push(declined(
        "two expectations",
        form(
            "Expect: 100-continue\r\nExpect: x\r\nContent-Length: 3\r\n",
            "a=b",
        ),
    ));
    cases
}

/// Singleton fields that occur twice.
fn singletons() -> Vec<Case> {
    let fields = [
        (
            "Authorization",
            "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        ),
        (
            "Authorization of no value",
            "Authorization: Bearer a\r\nauthorization:\r\n",
        ),
        (
            "Origin",
            "Origin: https://clinic.example\r\nOrigin: https://other.example\r\n",
        ),
        (
            "If-Modified-Since",
            "If-Modified-Since: a\r\nIf-Modified-Since: b\r\n",
        ),
        ("User-Agent", "User-Agent: a\r\nUser-Agent: b\r\n"),
        (
            "Sec-Fetch-Site",
            "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
        ),
    ];
    let mut cases: Vec<Case> = fields
        .iter()
        .map(|(name, fields)| declined(format!("{name}, twice"), page(fields)))
        .collect();
    cases.push(declined(
        "Content-Type, twice",
        form(
            "Content-Type: application/json\r\nContent-Length: 3\r\n",
            "a=b",
        ),
    ));
    cases.push(passed(
        "a list in two fields",
        page("Accept: text/html\r\nAccept: text/plain\r\n"),
        expected_page()
            .with("accept", "text/html")
            .with("accept", "text/plain"),
    ));
    cases
}

/// Media types that a route does not accept.
fn types() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in [
        "text/xml",
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        "application/x-www-form-urlencoded, text/plain",
        "application/x-www-form-urlencoded; charset=utf-7",
    ] {
        let text =
            form("Content-Length: 3\r\n", "a=b").replace("application/x-www-form-urlencoded", kind);
        cases.push(declined(format!("a form of the type {kind:?}"), text));
    }
    let untyped = form("Content-Length: 3\r\n", "a=b")
        .replace("Content-Type: application/x-www-form-urlencoded\r\n", "");
    cases.push(declined("a form of no type", untyped));
    cases
}

/// Lists, parameters and quoted strings (RFC 9110, 5.6) are forwarded unchanged.
fn grammar() -> Vec<Case> {
    let fields = [
        (
            "accept",
            "application/fhir+json; profile=\"http://hl7.org/fhir/StructureDefinition/Patient\"",
        ),
        ("accept", "APPLICATION/FHIR+JSON"),
        ("accept", "a/b; c=\"d, e; f=\\\"g\\\"\", h/i;q=0.5"),
        ("accept", "a/b,, c/d,"),
        ("prefer", "respond-async, wait=10; foo=\"a;b,c\""),
        ("authorization", "Bearer  abc"),
        ("authorization", "bearer     abc"),
    ];
    let mut cases: Vec<Case> = fields
        .iter()
        .map(|(name, value)| {
            let text = page(&format!("{name}: {value}\r\n"));
            passed(
                format!("{name}: {value}"),
                text,
                expected_page().with(name, value),
            )
        })
        .collect();
    for field in [
        "Accept: a/b; c=\"d",
        "Accept: a/b; c=\"d\"e",
        "Accept: a/b; c=\"<script>alert(1)</script>\"",
        "Prefer: a=\"${jndi:ldap://x}\"",
        "Authorization: Bearer\tabc",
        "Authorization: Bearer",
    ] {
        cases.push(declined(field, page(&format!("{field}\r\n"))));
    }
    for kind in [
        "APPLICATION/X-WWW-Form-URLEncoded",
        "application/x-www-form-urlencoded; charset=\"UTF-8\"",
    ] {
        let text =
            form("Content-Length: 3\r\n", "a=b").replace("application/x-www-form-urlencoded", kind);
        let mut wanted = expected_form("a=b");
        wanted.fields = vec![("content-type".to_owned(), kind.to_owned())];
        cases.push(passed(format!("a form of the type {kind}"), text, wanted));
    }
    cases
}

/// Conditions (RFC 9110, 13): malformed ones of a cache are dropped.
fn conditions() -> Vec<Case> {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let kept = [
        ("if-none-match", "W/\"1\", \"2\""),
        ("if-none-match", "*"),
        ("if-match", "W/\"1\""),
        ("if-modified-since", date),
        ("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT"),
        ("if-unmodified-since", "Sun Nov  6 08:49:37 1994"),
    ];
    let dropped = [
        ("if-none-match", "1"),
        ("if-none-match", "\"1"),
        ("if-none-match", "W/1, 2"),
        ("if-modified-since", "1994-11-06"),
        (
            "if-modified-since",
            "Sun, 06 Nov 1994 08:49:37 GMT; length=5",
        ),
        ("if-unmodified-since", "0"),
    ];
    let with = |(name, value): &(&str, &str)| page(&format!("{name}: {value}\r\n"));
    let mut cases = Vec::new();
    for one in &kept {
        let wanted = expected_page().with(one.0, one.1);
        cases.push(passed(format!("{}: {}", one.0, one.1), with(one), wanted));
    }
    for one in &dropped {
        let name = format!("{}: {}, dropped", one.0, one.1);
        cases.push(passed(name, with(one), expected_page()));
    }
    for one in [
        ("if-match", "1"),
        ("if-match", "\"1\" \"2\""),
        ("if-none-match", "\"1' or '1'='1\""),
        ("if-none-match", "\"caf\u{e9}\""),
        ("if-none-match", "<1>"),
        ("if-none-match", "\"1\" \"2\""),
        ("if-modified-since", "${jndi:ldap://x}"),
    ] {
        cases.push(declined(format!("{}: {}", one.0, one.1), with(&one)));
    }
    cases
}
