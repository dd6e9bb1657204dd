//! The field lines of a head: their ends, names, values and number.

use super::case::Case;
use super::case::SMUGGLED;
use super::case::expected_page;
use super::case::incomplete;
use super::case::page;
use super::case::passed;
use super::case::refused;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = folds();
    cases.extend(names());
    cases.extend(values());
    cases.extend(sizes());
    cases
}

/// Folded lines and wrong line ends.
fn folds() -> Vec<Case> {
    let fields = [
        ("a fold by a space", "Accept: a\r\n b\r\n"),
        ("a fold by a tab", "Accept: a\r\n\tb\r\n"),
        ("a fold of nothing", "Accept: a\r\n \r\n"),
        ("a fold of an empty value", "Accept:\r\n b\r\n"),
        (
            "a fold that looks like a field",
            "Accept: a\r\n Host: other.example\r\n",
        ),
        ("a bare LF", "Accept: a\nX: b\r\n"),
        (
            "a bare LF and another host",
            "Accept: a\nHost: other.example\r\n",
        ),
        ("a bare CR", "Accept: a\rX: b\r\n"),
        ("a CR before the line's end", "Accept: a\r\r\n"),
        ("a bare LF before the end", "Accept: a\r\n\n"),
        (
            "two bare LFs and a request",
            "Accept: a\n\nGET /audit HTTP/1.1\r\n",
        ),
        ("a LF and a CR", "Accept: a\n\rX: b\r\n"),
        ("a vertical tab", "Accept: a\u{b}X: b\r\n"),
        ("a next-line character", "\u{85}Accept: a\r\n"),
    ];
    let mut cases: Vec<Case> = fields
        .iter()
        .map(|(name, fields)| refused(format!("a head with {name}"), page(fields) + SMUGGLED))
        .collect();
    let lines = page("Accept: a\r\n");
    cases.push(refused(
        "a head with bare LFs alone",
        lines.replace("\r\n", "\n"),
    ));
    cases.push(refused(
        "a head with bare CRs alone",
        lines.replace("\r\n", "\r") + "\r\n\r\n",
    ));
    cases.push(refused(
        "a head whose first field is folded",
        format!("GET /patients HTTP/1.1\r\n Host: clinic.example\r\n\r\n{SMUGGLED}"),
    ));
    cases.push(incomplete("a head without an end", page("").trim_end()));
    cases.push(incomplete(
        "a head with half an end",
        page("").trim_end().to_owned() + "\r\n\r",
    ));
    cases
}

/// Names that are not tokens.
fn names() -> Vec<Case> {
    let fields = [
        ": x",
        " : x",
        "x",
        "x y",
        "x y: z",
        "x : y",
        "x\t: y",
        "\u{e9}: x",
        "\u{ff}: x",
        "\0: x",
        "x\0: y",
        "x\u{1}: y",
        "x\u{7f}: y",
        "x\u{c}: y",
        "\u{b}x: y",
        "\"x\": y",
        "(x): y",
        "x/y: z",
        "x;y: z",
        "x<y: z",
        "x=y: z",
        "x>y: z",
        "x?y: z",
        "x@y: z",
        "[x]: y",
        "x\\y: z",
        "{x}: y",
        "x,y: z",
        "x_y: z",
        "_: x",
        "x-forwarded_for: 6.6.6.6",
        "Content_Type: text/html",
    ];
    let mut cases: Vec<Case> = fields
        .iter()
        .map(|field| {
            refused(
                format!("the field {field:?}"),
                page(&format!("{field}\r\n")) + SMUGGLED,
            )
        })
        .collect();
    for name in ["x", "X-Y", "x.y", "x!#$%&'*+^`|~", "1"] {
        let text = page(&format!("{name}: 1\r\n"));
        cases.push(passed(format!("the name {name}"), text, expected_page()));
    }
    let long = format!("{}: 1\r\n", "x".repeat(70_000));
    cases.push(refused("a name of 70,000 letters", page(&long)));
    cases
}

/// Characters that a value must not contain.
fn values() -> Vec<Case> {
    let mut cases = Vec::new();
    for byte in (0_u8..32).chain([127]) {
        let letter = char::from(byte);
        // Tabs are valid in values, and line ends are covered by other cases.
        if !matches!(letter, '\t' | '\n' | '\r') {
            let text = page(&format!("X: a{letter}b\r\n")) + SMUGGLED;
            cases.push(refused(format!("a value with {letter:?}"), text));
        }
    }
    for (name, value) in [
        ("nothing", ""),
        ("spaces", "   "),
        ("a tab", "a\tb"),
        ("ISO 8859-1", "caf\u{e9}"),
        ("UTF-8", "caf\u{c3}\u{a9}"),
        ("a percent sign", "%0d%0aX: y"),
        ("a colon", "a: b"),
    ] {
        let text = page(&format!("X: {value}\r\n"));
        cases.push(passed(
            format!("a value with {name}"),
            text,
            expected_page(),
        ));
    }
    cases
}

/// Heads around and above their limits.
fn sizes() -> Vec<Case> {
    let many = |count: usize| -> String {
        let line = |n| format!("X-{n}: 1\r\n");
        let lines: Vec<String> = (0..count).map(line).collect();
        lines.concat()
    };
    vec![
        passed("40 fields", page(&many(40)), expected_page()),
        refused("500 fields", page(&many(500))),
        refused("10,000 fields", page(&many(10_000))),
        refused("10,000 times one field", page(&"X: 1\r\n".repeat(10_000))),
        refused("10,000 empty values", page(&"X:\r\n".repeat(10_000))),
        passed(
            "a value of 4,000 bytes",
            page(&format!("X: {}\r\n", "x".repeat(4000))),
            expected_page(),
        ),
        refused(
            "a value of 40,000 bytes",
            page(&format!("X: {}\r\n", "x".repeat(40_000))),
        ),
        refused(
            "a value of 1,000,000 bytes",
            page(&format!("X: {}\r\n", "x".repeat(1_000_000))),
        ),
        refused(
            "a line that never ends",
            format!(
                "GET /{} HTTP/1.1\r\nHost: clinic.example\r\n\r\n",
                "a".repeat(1_000_000)
            ),
        ),
    ]
}
