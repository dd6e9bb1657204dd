//! Chunked bodies: sizes, extensions, line ends and trailers.

use super::case::Case;
use super::case::Expect;
use super::case::SMUGGLED;
use super::case::expected_form;
use super::case::expected_page;
use super::case::form;
use super::case::incomplete;
use super::case::page;
use super::case::passed;
use super::case::refused;

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = sizes();
    cases.extend(ends());
    cases.extend(well_formed());
    cases.extend(trailers());
    cases
}

/// Sizes that are invalid, or that overflow in some parsers.
fn sizes() -> Vec<Case> {
    let sizes = [
        "",
        " 3",
        "\t3",
        "+3",
        "-3",
        "-1",
        "0x3",
        "3h",
        "g",
        "3,3",
        "3 3",
        "3\u{b}",
        "3\0",
        "\u{ff}3",
        "\u{ef}\u{bc}\u{93}",
        "3_0",
        "\"3\"",
        "ffffffffffffffff",
        "fffffffffffffffd",
        "8000000000000003",
        "10000000000000003",
        "100000000000000000000000000000003",
    ];
    let case = |size: &&str| {
        let body = format!("{size}\r\na=b\r\n0\r\n\r\n{SMUGGLED}");
        refused(format!("the chunk size {size:?}"), form(CHUNKED, &body))
    };
    sizes.iter().map(case).collect()
}

/// Missing or wrong ends of lines, chunks and bodies.
fn ends() -> Vec<Case> {
    let bodies = [
        ("a bare LF after the size", "3\na=b\r\n0\r\n\r\n"),
        ("a bare CR after the size", "3\ra=b\r\n0\r\n\r\n"),
        ("two CRs after the size", "3\r\r\na=b\r\n0\r\n\r\n"),
        ("a bare LF after the data", "3\r\na=b\n0\r\n\r\n"),
        ("a bare CR after the data", "3\r\na=b\r0\r\n\r\n"),
        ("nothing after the data", "3\r\na=b0\r\n\r\n"),
        ("two bytes that are no line's end", "3\r\na=bXX0\r\n\r\n"),
        ("more data than the size", "3\r\na=bcd\r\n0\r\n\r\n"),
        ("less data than the size", "5\r\na=b\r\n0\r\n\r\n\r\n"),
        ("a bare LF after the last size", "3\r\na=b\r\n0\n\r\n"),
        ("a bare LF at the end", "3\r\na=b\r\n0\r\n\n"),
        ("a bare LF in an extension", "3;\nx\r\na=b\r\n0\r\n\r\n"),
        ("a bare CR in an extension", "3;x\ry\r\na=b\r\n0\r\n\r\n"),
        ("a NUL in an extension", "3;x\0\r\na=b\r\n0\r\n\r\n"),
        ("an extension that ends with a LF", "3;x\na=b\r\n0\r\n\r\n"),
        (
            "a LF in a quoted extension",
            "3;x=\"\n\"\r\na=b\r\n0\r\n\r\n",
        ),
    ];
    let mut cases: Vec<Case> = bodies
        .iter()
        .map(|(name, body)| {
            let text = form(CHUNKED, &format!("{body}{SMUGGLED}"));
            refused(format!("a chunk with {name}"), text)
        })
        .collect();
    let long = format!("3;{}\r\na=b\r\n0\r\n\r\n", "x".repeat(20_000));
    cases.push(refused("a very long extension", form(CHUNKED, &long)));
    let zeros = format!("{}3\r\na=b\r\n0\r\n\r\n", "0".repeat(20_000));
    cases.push(refused("a size of very many zeros", form(CHUNKED, &zeros)));
    for (name, body) in [
        ("no last chunk", "3\r\na=b\r\n"),
        ("no end after the last chunk", "3\r\na=b\r\n0\r\n"),
        ("half an end after the last chunk", "3\r\na=b\r\n0\r\n\r"),
        ("an end in the midst of data", "30\r\na=b"),
        ("an end in the midst of a size", "3"),
        ("no chunk at all", ""),
    ] {
        cases.push(incomplete(
            format!("a chunked body with {name}"),
            form(CHUNKED, body),
        ));
    }
    cases
}

/// Well-formed bodies, all of which are forwarded in one form.
fn well_formed() -> Vec<Case> {
    let bodies = [
        ("in one chunk", "3\r\na=b\r\n0\r\n\r\n", "a=b"),
        (
            "in three chunks",
            "1\r\na\r\n1\r\n=\r\n1\r\nb\r\n0\r\n\r\n",
            "a=b",
        ),
        ("in capitals", "A\r\na=bcdefghi\r\n0\r\n\r\n", "a=bcdefghi"),
        (
            "in small letters",
            "a\r\na=bcdefghi\r\n0\r\n\r\n",
            "a=bcdefghi",
        ),
        ("with an extension", "3;x\r\na=b\r\n0\r\n\r\n", "a=b"),
        (
            "with an extension's value",
            "3;x=y;z\r\na=b\r\n0;x=y\r\n\r\n",
            "a=b",
        ),
        (
            "with a quoted extension",
            "3;x=\"a;b\"\r\na=b\r\n0\r\n\r\n",
            "a=b",
        ),
        ("of no bytes", "0\r\n\r\n", ""),
        ("with an end of two zeros", "3\r\na=b\r\n00\r\n\r\n", "a=b"),
        (
            "that holds chunks",
            "d\r\n3\r\na=b\r\n0\r\n\r\n\r\n0\r\n\r\n",
            "3\r\na=b\r\n0\r\n\r\n",
        ),
    ];
    let mut cases: Vec<Case> = bodies
        .iter()
        .map(|(name, body, wanted)| {
            passed(
                format!("a body {name}"),
                form(CHUNKED, body),
                expected_form(wanted),
            )
        })
        .collect();
    let many = "1\r\na\r\n".repeat(300) + "0\r\n\r\n";
    let wanted = expected_form(&"a".repeat(300));
    cases.push(passed("a body in 300 chunks", form(CHUNKED, &many), wanted));
    cases.push(Case::new(
        "a chunked body and a page behind it",
        form(CHUNKED, "3\r\na=b\r\n0\r\n\r\n") + &page(""),
        Expect::Passed(vec![expected_form("a=b"), expected_page()]),
    ));
    cases.push(Case::new(
        "a chunked body and something behind it",
        form(CHUNKED, "3\r\na=b\r\n0\r\n\r\n") + "X\r\n\r\n",
        Expect::PassedThenRefused(vec![expected_form("a=b")]),
    ));
    cases
}

/// Trailers: dropped if they are well-formed.
fn trailers() -> Vec<Case> {
    let dropped = [
        "X-Checksum: 1\r\n",
        "X: 1\r\nY: 2\r\n",
        "Content-Length: 60\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Host: other.example\r\n",
        "Authorization: Bearer forged\r\n",
        "X-Forwarded-For: 6.6.6.6\r\n",
    ];
    let mut cases: Vec<Case> = dropped
        .iter()
        .map(|trailer| {
            let body = format!("3\r\na=b\r\n0\r\n{trailer}\r\n");
            passed(
                format!("the trailer {trailer:?}"),
                form(CHUNKED, &body),
                expected_form("a=b"),
            )
        })
        .collect();
    let huge = format!("X: {}\r\n", "x".repeat(40_000));
    let wrong = [
        ("GET /audit HTTP/1.1\r\n", "that is a request line"),
        ("X\r\n", "without a colon"),
        (": x\r\n", "without a name"),
        ("X : x\r\n", "with a space before its colon"),
        ("X: x\r\n y\r\n", "that is folded"),
        ("X: x\ny\r\n", "with a bare LF"),
        ("X: x\ry\r\n", "with a bare CR"),
        ("X: \0\r\n", "with a NUL"),
        (huge.as_str(), "that is too long"),
    ];
    cases.extend(wrong.iter().map(|(trailer, name)| {
        let body = format!("3\r\na=b\r\n0\r\n{trailer}\r\n{SMUGGLED}");
        refused(format!("a trailer {name}"), form(CHUNKED, &body))
    }));
    cases
}
