//! Bodies up to the limit of a route, and above it; and bodies that end early or become malformed
//! after a part of them was forwarded.

use super::case::Case;
use super::case::Expect;
use super::case::Sees;
use super::case::cut;
use super::case::declined;
use super::case::form;
use super::case::passed;
use super::case::sees_form;

/// The limit of a form, in bytes.
const SMALL: usize = 64 << 10;

/// The limit of a Bundle, in bytes.
const BULK: usize = 8 << 20;

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = small();
    cases.extend(bulk());
    cases.extend(broken());
    cases
}

/// A body of this length.
fn body(length: usize) -> String {
    "a".repeat(length)
}

/// The same in chunks.
fn chunks(length: usize) -> String {
    let whole = format!("{:x}\r\n{}\r\n", 8000, body(8000)).repeat(length / 8000);
    let rest = length % 8000;
    format!("{whole}{rest:x}\r\n{}\r\n0\r\n\r\n", body(rest))
}

fn length(length: usize) -> String {
    format!("Content-Length: {length}\r\n")
}

/// Forms around their limit.
fn small() -> Vec<Case> {
    vec![
        passed(
            "a form as large as may be",
            form(&length(SMALL), &body(SMALL)),
            sees_form(&body(SMALL)),
        ),
        passed(
            "a form as large as may be, in chunks",
            form(CHUNKED, &chunks(SMALL)),
            sees_form(&body(SMALL)),
        ),
        declined(
            "a form that is a byte too large",
            form(&length(SMALL + 1), &body(SMALL + 1)),
        ),
        declined(
            "a form that is a byte too large, in chunks",
            form(CHUNKED, &chunks(SMALL + 1)),
        ),
        declined(
            "a form with the announced length of a bundle",
            form(&length(BULK), ""),
        ),
    ]
}

fn bundle(fields: &str, rest: &str) -> String {
    form(fields, rest)
        .replacen("/fhir/Patient/_search", "/fhir", 1)
        .replacen(
            "application/x-www-form-urlencoded",
            "application/fhir+json",
            1,
        )
}

fn sees_bundle(length: usize) -> Sees {
    let mut sees = sees_form(&body(length));
    sees.line = "POST /fhir HTTP/1.1".to_owned();
    sees.fields = vec![(
        "content-type".to_owned(),
        "application/fhir+json".to_owned(),
    )];
    sees
}

/// Bundles around their limit.
fn bulk() -> Vec<Case> {
    vec![
        passed(
            "a bundle as large as may be",
            bundle(&length(BULK), &body(BULK)),
            sees_bundle(BULK),
        ),
        passed(
            "a bundle as large as may be, in chunks",
            bundle(CHUNKED, &chunks(BULK)),
            sees_bundle(BULK),
        ),
        declined(
            "a bundle that is a byte too large",
            bundle(&length(BULK + 1), &body(BULK + 1)),
        ),
        Case::new(
            "a bundle that is a byte too large, in chunks",
            bundle(CHUNKED, &chunks(BULK + 1)),
            Expect::Broken,
        ),
    ]
}

/// Errors after the beginning was forwarded: the app never sees the end of the body.
fn broken() -> Vec<Case> {
    let begun = chunks(400_000);
    let begun = begun.trim_end_matches("0\r\n\r\n");
    let late = [
        ("a size that is none", "x\r\n"),
        ("a bare LF", "1\n"),
        ("a size that wraps around", "ffffffffffffffff1\r\n"),
        ("a trailer that is none", "0\r\nGET /audit HTTP/1.1\r\n\r\n"),
    ];
    let mut cases: Vec<Case> = late
        .iter()
        .map(|(name, end)| {
            let text = bundle(CHUNKED, &format!("{begun}{end}"));
            Case::new(format!("{name} late in a body"), text, Expect::Broken)
        })
        .collect();
    cases.push(cut("an end late in a chunked body", bundle(CHUNKED, begun)));
    cases.push(cut(
        "an end late in a body",
        bundle(&length(500_000), &body(400_000)),
    ));
    cases
}
