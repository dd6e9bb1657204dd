//! `Content-Length` in all variants.

use super::case::Case;
use super::case::Expect;
use super::case::SMUGGLED;
use super::case::declined;
use super::case::expected_form;
use super::case::expected_page;
use super::case::form;
use super::case::incomplete;
use super::case::page;
use super::case::passed;
use super::case::refused;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = values();
    cases.extend(fields());
    cases.extend(bodies());
    cases
}

/// Values that are not numbers, or that parsers read differently.
fn values() -> Vec<Case> {
    let values = [
        "",
        "-1",
        "-0",
        "+3",
        "0x3",
        "3.0",
        "3e0",
        "3,3",
        "3, 3",
        "3,4",
        "3, ",
        "3;",
        "3 3",
        "3\t3",
        "3\u{b}",
        "\u{c}3",
        "3\0",
        "\"3\"",
        "3a",
        "a",
        "0b11",
        "1_0",
        "\u{ef}\u{bc}\u{93}",
        "\u{d9}\u{a3}",
        "\u{b2}",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551619",
        "9223372036854775807",
        "-18446744073709551613",
        "340282366920938463463374607431768211459",
        "03",
        "00000000000000000000000000000000000000003",
    ];
    let case = |value: &&str| {
        let fields = format!("Content-Length: {value}\r\n");
        refused(
            format!("the length {value:?}"),
            form(&fields, "a=b") + SMUGGLED,
        )
    };
    let mut cases: Vec<Case> = values.iter().map(case).collect();
    let four = form("Content-Length: 4294967299\r\n", "a=b");
    cases.push(declined("a length of 4 GiB and three bytes", four));
    cases
}

/// The field more than once, or in an unusual form.
fn fields() -> Vec<Case> {
    let fields = [
        (
            "twice the same",
            "Content-Length: 3\r\nContent-Length: 3\r\n",
        ),
        (
            "twice, more last",
            "Content-Length: 3\r\nContent-Length: 60\r\n",
        ),
        (
            "twice, less last",
            "Content-Length: 60\r\ncontent-length: 3\r\n",
        ),
        (
            "twice, once empty",
            "Content-Length: 3\r\nContent-Length:\r\n",
        ),
        (
            "thrice",
            "Content-Length: 3\r\nX: x\r\nContent-Length: 3\r\nContent-Length: 0\r\n",
        ),
        ("with a space before the colon", "Content-Length : 3\r\n"),
        ("with a tab before the colon", "Content-Length\t: 3\r\n"),
        ("with an underscore", "Content_Length: 3\r\n"),
        (
            "with an underscore beside the right one",
            "Content-Length: 3\r\nContent_Length: 0\r\n",
        ),
        ("folded", "Content-Length:\r\n 3\r\n"),
        ("behind a bare LF", "X: x\nContent-Length: 3\r\n"),
        ("behind a bare CR", "X: x\rContent-Length: 3\r\n"),
        ("with a NUL in its name", "Content-\0Length: 3\r\n"),
        ("with a space before the name", " Content-Length: 3\r\n"),
    ];
    fields
        .iter()
        .map(|(name, fields)| refused(format!("a length {name}"), form(fields, "a=b") + SMUGGLED))
        .collect()
}

/// Bodies with the announced length and with other lengths.
fn bodies() -> Vec<Case> {
    vec![
        passed(
            "a length",
            form("Content-Length: 3\r\n", "a=b"),
            expected_form("a=b"),
        ),
        passed(
            "a length in small letters",
            form("content-length:3\r\n", "a=b"),
            expected_form("a=b"),
        ),
        passed(
            "a length in capitals",
            form("CONTENT-LENGTH: 3 \r\n", "a=b"),
            expected_form("a=b"),
        ),
        passed(
            "a body that holds an empty line",
            form("Content-Length: 11\r\n", "a=b\r\n\r\nc=d\n"),
            expected_form("a=b\r\n\r\nc=d\n"),
        ),
        passed(
            "a body of all kinds of bytes",
            form("Content-Length: 5\r\n", "\0\r\n\u{ff}\u{80}"),
            expected_form("\0\r\n\u{ff}\u{80}"),
        ),
        Case::new(
            "a body and a page behind it",
            form("Content-Length: 3\r\n", "a=b") + &page(""),
            Expect::Passed(vec![expected_form("a=b"), expected_page()]),
        ),
        Case::new(
            "a body longer than announced",
            form("Content-Length: 3\r\n", "a=b&c=d\r\n\r\n"),
            Expect::PassedThenRefused(vec![expected_form("a=b")]),
        ),
        incomplete(
            "a body shorter than announced",
            form("Content-Length: 30\r\n", "a=b"),
        ),
        incomplete(
            "a body that swallows the next request",
            form("Content-Length: 100\r\n", "a=b") + SMUGGLED,
        ),
        incomplete(
            "a body that never begins",
            form("Content-Length: 3\r\n", ""),
        ),
    ]
}
