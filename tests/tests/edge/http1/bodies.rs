//! Bodies up to the limit of a route, and above it; and bodies that end early or become malformed
//! after a part of them was forwarded.

use super::case::Case;
use super::case::Expect;
use super::case::ExpectedMessage;
use super::case::declined;
use super::case::expected_form;
use super::case::form;
use super::case::incomplete;
use super::case::passed;

/// The limit of a form, in bytes.
const FORM_LIMIT: usize = 64 << 10;

/// The limit of a Bundle, in bytes.
const BUNDLE_LIMIT: usize = 8 << 20;

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = forms();
    cases.extend(bundles());
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
fn forms() -> Vec<Case> {
    vec![
        passed(
            "a form as large as may be",
            form(&length(FORM_LIMIT), &body(FORM_LIMIT)),
            expected_form(&body(FORM_LIMIT)),
        ),
        passed(
            "a form as large as may be, in chunks",
            form(CHUNKED, &chunks(FORM_LIMIT)),
            expected_form(&body(FORM_LIMIT)),
        ),
        declined(
            "a form that is a byte too large",
            form(&length(FORM_LIMIT + 1), &body(FORM_LIMIT + 1)),
        ),
        declined(
            "a form that is a byte too large, in chunks",
            form(CHUNKED, &chunks(FORM_LIMIT + 1)),
        ),
        declined(
            "a form with the announced length of a bundle",
            form(&length(BUNDLE_LIMIT), ""),
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

fn expected_bundle(length: usize) -> ExpectedMessage {
    let mut wanted = expected_form(&body(length));
    wanted.line = "POST /fhir HTTP/1.1".to_owned();
    wanted.fields = vec![(
        "content-type".to_owned(),
        "application/fhir+json".to_owned(),
    )];
    wanted
}

/// Bundles around their limit.
fn bundles() -> Vec<Case> {
    vec![
        passed(
            "a bundle as large as may be",
            bundle(&length(BUNDLE_LIMIT), &body(BUNDLE_LIMIT)),
            expected_bundle(BUNDLE_LIMIT),
        ),
        passed(
            "a bundle as large as may be, in chunks",
            bundle(CHUNKED, &chunks(BUNDLE_LIMIT)),
            expected_bundle(BUNDLE_LIMIT),
        ),
        declined(
            "a bundle that is a byte too large",
            bundle(&length(BUNDLE_LIMIT + 1), &body(BUNDLE_LIMIT + 1)),
        ),
        Case::new(
            "a bundle that is a byte too large, in chunks",
            bundle(CHUNKED, &chunks(BUNDLE_LIMIT + 1)),
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
    cases.push(incomplete(
        "an end late in a chunked body",
        bundle(CHUNKED, begun),
    ));
    cases.push(incomplete(
        "an end late in a body",
        bundle(&length(500_000), &body(400_000)),
    ));
    cases
}
