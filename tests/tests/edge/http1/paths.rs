//! Paths and queries: one form, known routes, no ambiguity.

use super::case::Case;
use super::case::ExpectedMessage;
use super::case::declined;
use super::case::passed;
use super::case::refused;

const PATIENT: &str = "/fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = malformed();
    cases.extend(ambiguous());
    cases.extend(queries());
    cases.extend(valid());
    cases
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: clinic.example\r\n\r\n")
}

/// Targets with bytes that RFC 3986 does not allow.
fn malformed() -> Vec<Case> {
    let targets = [
        "patients",
        "../patients",
        "?page=2",
        "#",
        "/patients#",
        "/patients#top",
        "/patients?page=2#top",
        "/patients\"",
        "/patients<",
        "/patients>",
        "/patients\\",
        "\\patients",
        "/\\clinic.example",
        "/..\\patients",
        "/patients^",
        "/patients`",
        "/patients{}",
        "/patients|",
        "/p\u{e4}tients",
        "/p\u{c3}\u{a4}tients",
        "/\u{c0}\u{ae}\u{c0}\u{ae}/patients",
        "/patients\u{1}",
        "/patients\u{1b}[2J",
        "/patients\u{a0}",
        "/patients?page=\u{ff}",
    ];
    targets
        .iter()
        .map(|target| refused(format!("the target {target:?}"), get(target)))
        .collect()
}

/// Well-formed targets that some server reads as another one.
const AMBIGUOUS: &[&str] = &[
    "*",
    "//",
    "///patients",
    "//patients",
    "/patients//",
    "/fhir//Patient",
    "/./patients",
    "/patients/.",
    "/patients/./",
    "/..",
    "/../patients",
    "/patients/..",
    "/fhir/../patients",
    "/fhir/Patient/..;/patients",
    "/.",
    "/patients;x=1",
    "/patients;",
    "/;/patients",
    "/patients%00",
    "/patients%00.css",
    "/%2e/patients",
    "/%2e%2e/patients",
    "/%2E%2E%2Fpatients",
    "/..%2fpatients",
    "/fhir%2fPatient",
    "/fhir%2FPatient",
    "/fhir%5cPatient",
    "/fhir/..%5cpatients",
    "/%252e%252e/patients",
    "/%c0%ae%c0%ae/patients",
    "/%c0%afpatients",
    "/%e0%80%af",
    "/%u002e%u002e/patients",
    "/%70atients",
    "/patients%20",
    "/patients%0d%0aX:%20y",
    "/patients%3fpage=2",
    "/patients%23",
    "/patients%",
    "/patients%2",
    "/patients%zz",
    "/patients.",
    "/patients/",
    "/PATIENTS",
    "/patients.json",
    "/patients,",
    "/patients:443",
    "/patients@clinic.example",
    "/patients'--",
    "/(patients)",
    "/patients!",
    "/readyz/../patients",
    "/readyz/",
    "/healthz%2f..%2fpatients",
    "/.git/config",
    "/.env",
    "/admin",
    "/server-status",
    "/wp-login.php",
    "/cgi-bin/test.cgi",
    "/metrics",
    "/assets/",
    "/assets/../fhir/Patient",
    "/assets/%2e%2e/fhir",
    "/fhir/Patient/123-45-6789",
    "/fhir/Patient/123456789",
    "/patients/Ann%20Archer",
    "/patients/ann.archer@mail.example",
];

/// Well-formed targets that some server reads as another one, and long ones.
fn ambiguous() -> Vec<Case> {
    let case = |target: &&str| declined(format!("the path {target:?}"), get(target));
    let mut cases: Vec<Case> = AMBIGUOUS.iter().map(case).collect();
    let long = get(&format!("/{}", "a".repeat(6000)));
    cases.push(declined("a path of 6,000 letters", long));
    let deep = get(&"/a".repeat(2000));
    cases.push(declined("a path of 2,000 segments", deep));
    cases
}

/// Queries with parameters that may identify a person, with unknown parameters and with attacks.
fn queries() -> Vec<Case> {
    let targets = [
        "/patients?q=Archer",
        "/patients?family=Archer",
        "/patients?page=123-45-6789",
        "/patients?page=123456789",
        "/patients?page=1970-01-01",
        "/patients?page=ann%40mail.example",
        "/patients?page=%2B1-555-0100-123",
        "/patients?page=2&x=1",
        "/patients?page=2;x=1",
        "/patients?page=2&&page=3",
        "/patients?PAGE=2",
        "/patients?p%61ge=2",
        "/patients?page=2%00",
        "/patients?page=2%0d%0aX:y",
        "/patients?page=2?page=3",
        "/patients?page=%27%20OR%201=1--",
        "/patients?page=%3Cscript%3E",
        "/patients?page=../../etc/passwd",
        "/patients?page=${jndi:ldap://x}",
        "/patients?page=%zz",
        "/fhir/Patient?family=Archer",
        "/fhir/Patient?birthdate=1970-01-01",
        "/fhir/Patient?identifier=123-45-6789",
        "/fhir/Patient?_format=json&name=Archer",
    ];
    let case = |target: &&str| declined(format!("the query of {target:?}"), get(target));
    let mut cases: Vec<Case> = targets.iter().map(case).collect();
    let long = get(&format!("/patients?page={}", "1".repeat(6000)));
    cases.push(declined("a query of 6,000 digits", long));
    cases
}

/// A valid target of every kind of route.
fn valid() -> Vec<Case> {
    let json = format!("{PATIENT}?_format=application%2Ffhir%2Bjson");
    let targets = [
        "/",
        "/sign-in",
        "/patients",
        "/fhir/metadata",
        "/assets/style.0123456789abcdef.css",
        "/api/v1/session",
        "/api/v1/openapi.json",
        PATIENT,
        &json,
    ];
    targets
        .iter()
        .map(|target| {
            let wanted = ExpectedMessage {
                line: format!("GET {target} HTTP/1.1"),
                fields: Vec::new(),
                body: Vec::new(),
            };
            passed(format!("the target {target}"), get(target), wanted)
        })
        .collect()
}
