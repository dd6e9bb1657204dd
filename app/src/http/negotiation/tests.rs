//! `Accept` and `Accept-Encoding` as clients send them.

use http::HeaderValue;

use super::*;

const FHIR: Name<'static> = Name::new_unchecked("fhir");

/// The media types of one representation, as FHIR's JSON has several.
const JSON: [MediaType<'static>; 4] = [
    MediaType::from_parts(names::APPLICATION, FHIR, Some(names::JSON), &[]),
    MediaType::new(names::APPLICATION, names::JSON),
    MediaType::new(names::TEXT, names::JSON),
    MediaType::from_parts(names::APPLICATION, names::JSON, Some(FHIR), &[]),
];

fn with(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

fn accepts_json(values: &[&'static str]) -> bool {
    accepts_any_of(&with(&header::ACCEPT, values), &JSON)
}

#[test]
fn json_is_accepted_by_each_of_its_names() {
    for accept in [
        "application/fhir+json",
        "APPLICATION/FHIR+JSON",
        "application/json",
        "text/json",
        "application/json+fhir",
        "application/fhir+json; fhirVersion=4.0",
        "application/fhir+json;fhirversion=\"4.0.1\"; charset=UTF-8",
        "application/fhir+json; profile=\"http://hl7.org/fhir/StructureDefinition/Patient\"",
        "application/fhir+xml;q=1.0, application/fhir+json;q=0.9",
        "text/html; a=\", x/y\", application/json;q=0.001",
        "application/*",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        "application/fhir+json;q=0, application/json",
        "application/fhir+xml, ,, */*;q=0.1,",
    ] {
        assert!(accepts_json(&[accept]), "{accept}");
    }
    assert!(accepts_json(&["text/html", "application/json"]));
    assert!(accepts_json(&[]));
    // An invalid header is ignored.
    for unreadable in ["", "json", "*"] {
        assert!(accepts_json(&[unreadable]), "{unreadable}");
    }
}

#[test]
fn the_most_specific_range_decides_and_a_weight_of_zero_refuses() {
    for accept in [
        "application/fhir+xml",
        "text/html",
        "image/*",
        "application/fhir+json;q=0",
        "application/json;q=0.000, */*",
        "application/*;q=0.0, */*;q=1",
        "*/*;q=0",
        "application/fhir+json; fhirVersion=3.0",
        "application/fhir+json; fhirVersion=\"5.0\"",
        "text/html; a=\"application/json\"",
        "application/jsonp, application/fhir+jsonx",
    ] {
        assert!(!accepts_json(&[accept]), "{accept}");
    }
}

#[test]
fn a_page_is_accepted_by_the_name_of_html_only() {
    let accepts = |value| accepts_html(&with(&header::ACCEPT, &[value]));
    assert!(accepts("text/html,application/xhtml+xml,*/*;q=0.8"));
    assert!(accepts("*/*, Text/HTML;q=0.1"));
    for value in [
        "*/*",
        "text/*",
        "text/html;q=0",
        "a/b; x=\"text/html\"",
        "text/htmlx",
    ] {
        assert!(!accepts(value), "{value}");
    }
}

#[test]
fn gzip_is_accepted_by_its_name_or_by_a_wildcard() {
    for (value, accepted) in [
        ("gzip, deflate, br", true),
        ("br;q=1.0, GZIP;q=0.5", true),
        ("x-gzip", true),
        ("*", true),
        ("*;q=0.1, br", true),
        ("gzip ; q = 0.001", true),
        ("gzip;q=0, br", false),
        ("gzip; Q=0.000, *", false),
        ("*, gzip;q=0", false),
        ("*;q=0", false),
        ("identity", false),
        ("br", false),
        ("", false),
    ] {
        let headers = with(&header::ACCEPT_ENCODING, &[value]);
        assert_eq!(accepts_gzip(&headers), accepted, "{value}");
    }
    assert!(!accepts_gzip(&HeaderMap::new()));
}
