use std::str::FromStr;

use uuid::Uuid;

/// The words that paths of the app are made of. What is not among them is not logged.
const WORDS: [&str; 34] = [
    "AllergyIntolerance",
    "CarePlan",
    "Condition",
    "DiagnosticReport",
    "Encounter",
    "Immunization",
    "Location",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "Procedure",
    "_search",
    "api",
    "assets",
    "audit",
    "current",
    "events",
    "favicon.svg",
    "fhir",
    "healthz",
    "metadata",
    "openapi.json",
    "patients",
    "people",
    "readyz",
    "search",
    "session",
    "sign-in",
    "sign-out",
    "style.css",
    "tokens",
    "v1",
];

/// A path as it may be logged: known words stay, a UUID becomes `{id}`, anything else `*`.
pub(crate) fn of(path: &str) -> String {
    let mut route = String::with_capacity(path.len().min(64));
    for segment in path.split('/').skip(1).take(8) {
        route.push('/');
        route.push_str(if segment.is_empty() || WORDS.contains(&segment) {
            segment
        } else if Uuid::from_str(segment).is_ok() {
            "{id}"
        } else {
            "*"
        });
    }
    route
}

/// Whether errors on this path are told in FHIR's own words.
pub(crate) fn is_fhir(path: &str) -> bool {
    path == "/fhir" || path.starts_with("/fhir/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_holds_nothing_that_a_client_made_up() {
        for (path, route) in [
            ("/", "/"),
            ("/fhir/Patient/_search", "/fhir/Patient/_search"),
            (
                "/fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d",
                "/fhir/Patient/{id}",
            ),
            ("/patients/Archer", "/patients/*"),
            ("/patients/123-45-6789/", "/patients/*/"),
            ("/a/b/c/d/e/f/g/h/i/j/k", "/*/*/*/*/*/*/*/*"),
            ("*", ""),
        ] {
            assert_eq!(of(path), route);
        }
        assert!(is_fhir("/fhir") && is_fhir("/fhir/Patient") && !is_fhir("/fhirs"));
    }

    #[test]
    fn the_words_are_in_order() {
        assert!(WORDS.is_sorted());
    }
}
