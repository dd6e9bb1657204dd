//! Two framings at once, and variants of a framing that some parsers do not recognise. The bytes
//! behind them are a second request for a parser that uses the other framing.

use super::case::Case;
use super::case::Expect;
use super::case::SMUGGLED;
use super::case::declined;
use super::case::expected_form;
use super::case::expected_page;
use super::case::form;
use super::case::page;
use super::case::passed;
use super::case::refused;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = both();
    cases.extend(codings());
    cases.extend(variants());
    cases.extend(without_a_body());
    cases
}

/// `Content-Length` beside `Transfer-Encoding`: RFC 9112, 6.1 allows a server to refuse it.
fn both() -> Vec<Case> {
    let length = 5 + SMUGGLED.len();
    let hidden = format!("0\r\n\r\n{SMUGGLED}");
    let length_first = format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n");
    let coding_first = format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n");
    let chunk = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    vec![
        refused("CL.TE, the length first", form(&length_first, &hidden)),
        refused("CL.TE, the coding first", form(&coding_first, &hidden)),
        refused(
            "CL.TE with the length of half a request",
            form(
                "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\nG",
            ),
        ),
        refused(
            "TE.CL with a request in a chunk",
            form(
                "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                &chunk,
            ),
        ),
        refused(
            "a length of zero beside a coding",
            form(
                "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
                &chunk,
            ),
        ),
        refused(
            "the right length beside a coding",
            form(
                "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n",
                "3\r\na=b\r\n0\r\n\r\n",
            ),
        ),
        refused(
            "a broken length beside a coding",
            form(
                "Content-Length: x\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
        ),
        refused(
            "a length beside a coding that is none",
            form(
                "Content-Length: 3\r\nTransfer-Encoding: identity\r\n",
                "a=b",
            ),
        ),
        refused(
            "a page with both",
            page("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + SMUGGLED,
        ),
    ]
}

/// Codings other than exactly `chunked`.
fn codings() -> Vec<Case> {
    let codings = [
        "xchunked",
        "chunkedx",
        "chunk",
        "x",
        "identity",
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, identity",
        "identity, chunked",
        "chunked, chunked",
        "cow, chunked",
        "chunked,",
        ",chunked",
        "chunked;q=1",
        "chunked chunked",
        "\"chunked\"",
        "'chunked'",
        "chunked\0",
        "\u{b}chunked",
        "\u{c}chunked",
        "\u{a0}chunked",
        "chunked\u{b}",
        "chunked\u{85}",
        "ch\u{75}nked\u{7f}",
        "ch\u{fc}nked",
        "",
    ];
    codings
        .iter()
        .map(|coding| {
            let fields = format!("Transfer-Encoding: {coding}\r\n");
            let name = format!("the coding {coding:?}");
            refused(name, form(&fields, &format!("0\r\n\r\n{SMUGGLED}")))
        })
        .collect()
}

/// Variants of the field that some parsers accept and others do not.
const VARIANTS: &[(&str, &str)] = &[
    (
        "a space before the colon",
        "Transfer-Encoding : chunked\r\n",
    ),
    ("a tab before the colon", "Transfer-Encoding\t: chunked\r\n"),
    (
        "a tab after the colon",
        "Transfer-Encoding:\u{b}\tchunked\r\n",
    ),
    (
        "a fold before the value",
        "Transfer-Encoding:\r\n chunked\r\n",
    ),
    (
        "a fold before the colon",
        "Transfer-Encoding\r\n : chunked\r\n",
    ),
    (
        "a fold in another field",
        "X: x\r\n Transfer-Encoding: chunked\r\n",
    ),
    ("behind a bare LF", "X: x\nTransfer-Encoding: chunked\r\n"),
    ("behind a bare CR", "X: x\rTransfer-Encoding: chunked\r\n"),
    ("behind a NUL", "X: x\0Transfer-Encoding: chunked\r\n"),
    ("a bare LF after it", "Transfer-Encoding: chunked\nX: x\r\n"),
    ("a space before the name", " Transfer-Encoding: chunked\r\n"),
    ("a NUL before the name", "\0Transfer-Encoding: chunked\r\n"),
    ("an underscore", "Transfer_Encoding: chunked\r\n"),
    ("a space in the name", "Transfer Encoding: chunked\r\n"),
    (
        "a letter that is not ASCII",
        "Transfer\u{2d}\u{e9}ncoding: chunked\r\n",
    ),
    ("no colon", "Transfer-Encoding chunked\r\n"),
    (
        "twice",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "twice, the second unknown",
        "Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n",
    ),
    (
        "twice, the first unknown",
        "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n",
    ),
    (
        "twice, the first empty",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
    ),
];

/// Variants of the field that some parsers accept and others do not, and equivalent ones.
fn variants() -> Vec<Case> {
    let body = format!("0\r\n\r\n{SMUGGLED}");
    let mut cases: Vec<Case> = VARIANTS
        .iter()
        .map(|(name, fields)| refused(format!("a coding with {name}"), form(fields, &body)))
        .collect();
    for (name, field) in [
        ("small letters", "transfer-encoding: chunked\r\n"),
        ("capitals", "TRANSFER-ENCODING: CHUNKED\r\n"),
        ("mixed letters", "tRaNsFeR-eNcOdInG: chUnKed\r\n"),
        ("no space", "Transfer-Encoding:chunked\r\n"),
        ("a space at the end", "Transfer-Encoding: chunked \r\n"),
    ] {
        let text = form(field, "3\r\na=b\r\n0\r\n\r\n");
        cases.push(passed(
            format!("a coding in {name}"),
            text,
            expected_form("a=b"),
        ));
    }
    cases
}

/// Bodies of requests that must have none.
fn without_a_body() -> Vec<Case> {
    let length = SMUGGLED.len();
    let fields = format!("Content-Length: {length}\r\n");
    vec![
        declined("a page with a request for a body", page(&fields) + SMUGGLED),
        declined(
            "a page with a chunked body",
            page("Transfer-Encoding: chunked\r\n") + "3\r\na=b\r\n0\r\n\r\n",
        ),
        declined(
            "an asset that is posted to",
            format!(
                "POST /assets/style.0123456789abcdef.css HTTP/1.1\r\nHost: clinic.example\r\n{fields}\r\n{SMUGGLED}"
            ),
        ),
        declined(
            "a DELETE with a request for a body",
            format!(
                "DELETE /api/v1/tokens/current HTTP/1.1\r\nHost: clinic.example\r\n{fields}\r\n{SMUGGLED}"
            ),
        ),
        passed(
            "a page with a body of no bytes",
            page("Content-Length: 0\r\n"),
            expected_page(),
        ),
        passed(
            "a form whose body is a request",
            form(&fields, SMUGGLED),
            expected_form(SMUGGLED),
        ),
        Case::new(
            "a form without a length, then a page",
            form("Content-Length: 0\r\n", "") + &page(""),
            Expect::Passed(vec![expected_form(""), expected_page()]),
        ),
    ]
}
