//! R4's examples of values: tokens, dates, quantities, references, texts and URIs.

use serde_json::Value;
use serde_json::json;

use super::super::ResourceQuery;
use super::*;
use crate::Resource;

const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";
const OTHER: &str = "0a4b6a70-3c55-4b6e-9d7c-5e0b3a0f1c11";
const BASE: &str = "https://localhost:8443/fhir";

fn values(json: &Value) -> SearchValues {
    SearchValues::of(&Resource::parse(json.to_string().as_bytes()).expect("valid"))
}

fn observation(name: &str, value: &Value) -> SearchValues {
    let mut json = json!({
        "resourceType": "Observation", "status": "final", "code": {"coding": [
            {"system": "http://loinc.org", "code": "8867-4"}, {"code": "HR"}, {"system": "http://only.example"}
        ]},
        "subject": {"reference": format!("Patient/{PATIENT}")}
    });
    json[name] = value.clone();
    values(&json)
}

fn found(form: &str, values: &SearchValues) -> bool {
    let query = ResourceQuery::parse(values.resource_type(), BASE, form.as_bytes(), None);
    let matched = query.expect(form).matches(values);
    assert_ne!(matched, Match::OpenBody, "{form}");
    matched == Match::Yes
}

#[test]
fn a_token_has_four_forms() {
    let it = observation("issued", &json!("2013-01-14T10:00:00Z"));
    for (form, expected) in [
        ("code=8867-4", true),
        ("code=http://loinc.org|8867-4", true),
        ("code=http://snomed.info/sct|8867-4", false),
        ("code=|8867-4", false),
        ("code=|HR", true),
        ("code=hr", true),
        ("code=http://loinc.org|", true),
        ("code=http://only.example|", true),
        ("code=http://snomed.info/sct|", false),
        ("code=1,8867-4", true),
        ("code=8867-4&code=HR", true),
        ("code=8867-4&code=1", false),
        ("code:not=8867-4", false),
        ("code:not=1", true),
        ("value-concept:not=1", true),
        // The system of a code is that of its element, which is not compared.
        ("status=final", true),
        ("status=http://hl7.org/fhir/observation-status|final", true),
        ("status=http://hl7.org/fhir/observation-status|", false),
        ("status=amended", false),
        ("status:missing=false", true),
        ("encounter:missing=true", true),
        ("encounter:missing=false", false),
    ] {
        assert_eq!(found(form, &it), expected, "{form}");
    }
}

#[test]
fn quantities_are_compared_in_the_precision_of_the_query() {
    let of = |value: &str| {
        let value: Value = serde_json::from_str(value).expect("a number");
        observation(
            "valueQuantity",
            &json!({"value": value, "unit": "milligram", "system": "http://unitsofmeasure.org", "code": "mg"}),
        )
    };
    for (form, value, expected) in [
        ("5.4|http://unitsofmeasure.org|mg", "5.4", true),
        ("5.4|http://unitsofmeasure.org|mg", "5.35", true),
        ("5.4|http://unitsofmeasure.org|mg", "5.45", false),
        ("5.4|http://unitsofmeasure.org|g", "5.4", false),
        ("5.4|http://other.example|mg", "5.4", false),
        ("5.40e-3", "0.005404", true),
        ("5.40e-3", "0.0054051", false),
        ("5.4||mg", "5.4", true),
        ("5.4||milligram", "5.4", true),
        ("5.4||g", "5.4", false),
        ("5.4", "5.4000", true),
        ("le5.4", "5.4", true),
        ("le5.4", "5.41", false),
        ("lt5.4", "5.39", true),
        ("gt5.4", "5.4", false),
        ("gt5.4", "5.41", true),
        ("ge5.4", "5.40", true),
        ("ne5.4", "5.42", false),
        ("ne5.4", "5.5", true),
        ("ap5.4", "5.9", true),
        ("ap5.4", "6.0", false),
        ("sa5.4", "5.5", true),
        ("eb5.4", "5.3", true),
    ] {
        let form = format!("value-quantity={form}");
        assert_eq!(found(&form, &of(value)), expected, "{form} {value}");
    }
    let below = observation("valueQuantity", &json!({"value": 5, "comparator": "<"}));
    assert!(found("value-quantity=lt3", &below));
    assert!(!found("value-quantity=gt6", &below));
    assert!(!found("value-quantity=5", &below));
}

#[test]
fn a_reference_has_an_id_a_type_or_a_url() {
    let of = |reference: &Value| observation("performer", &json!([reference]));
    let practitioner = of(&json!({"reference": format!("Practitioner/{OTHER}")}));
    for (form, expected) in [
        (format!("performer={OTHER}"), true),
        (format!("performer=Practitioner/{OTHER}"), true),
        (format!("performer=Practitioner/{OTHER}/_history/2"), true),
        (format!("performer={BASE}/Practitioner/{OTHER}"), true),
        (
            format!("performer=https://other.example/fhir/Practitioner/{OTHER}"),
            false,
        ),
        (format!("performer=Organization/{OTHER}"), false),
        (format!("performer:Practitioner={OTHER}"), true),
        (format!("performer:Organization={OTHER}"), false),
        (format!("performer={PATIENT}"), false),
        (format!("patient={PATIENT}"), true),
        (format!("subject:Patient={PATIENT}"), true),
        (format!("patient={OTHER}"), false),
    ] {
        assert_eq!(found(&form, &practitioner), expected, "{form}");
    }
    let absolute = of(&json!({"reference": "https://other.example/fhir/Practitioner/1"}));
    assert!(found(
        "performer=https://other.example/fhir/Practitioner/1",
        &absolute
    ));
    assert!(!found(
        "performer=https://other.example/fhir/Practitioner/2",
        &absolute
    ));
    let identified = of(&json!({"identifier": {"system": "http://npi.example", "value": "12"}}));
    assert!(found(
        "performer:identifier=http://npi.example|12",
        &identified
    ));
    assert!(!found(
        "performer:identifier=http://npi.example|13",
        &identified
    ));
    assert!(!found("performer=12", &identified));
}

#[test]
fn a_text_begins_contains_or_is_what_is_searched() {
    let it = observation("valueString", &json!("Sœur Éva"));
    for (form, expected) in [
        ("value-string=soeur", true),
        ("value-string=eva", false),
        ("value-string:contains=EVA", true),
        ("value-string:exact=Sœur Éva", true),
        ("value-string:exact=Soeur Eva", false),
    ] {
        assert_eq!(found(form, &it), expected, "{form}");
    }
}

#[test]
fn a_uri_is_compared_whole_or_by_its_path() {
    let it = observation(
        "meta",
        &json!({"profile": ["http://acme.org/fhir/ValueSet/123"]}),
    );
    for (form, expected) in [
        ("_profile=http://acme.org/fhir/ValueSet/123", true),
        ("_profile=http://acme.org/fhir/ValueSet/12", false),
        ("_profile:below=http://acme.org/fhir/", true),
        ("_profile:below=http://acme.org/fhir/ValueSet/12", false),
        (
            "_profile:above=http://acme.org/fhir/ValueSet/123/_history/5",
            true,
        ),
        ("_profile:above=http://acme.org/fhir", false),
    ] {
        assert_eq!(found(form, &it), expected, "{form}");
    }
}

#[test]
fn a_contact_point_is_compared_without_its_punctuation() {
    let it = values(&json!({
        "resourceType": "Practitioner", "active": true,
        "telecom": [
            {"system": "phone", "value": "+1 (555) 010-0100"}, {"system": "email", "value": "Ann@Example.org"}
        ],
        "name": [{"family": "Birch", "given": ["Maya", "Lu"]}],
        "address": [{"city": "Springfield", "line": ["1 Main St"]}]
    }));
    for (form, expected) in [
        ("phone=15550100100", true),
        ("email=15550100100", false),
        ("email=ann@example.org", true),
        ("telecom=ann@example.org", true),
        ("name=birch", true),
        ("given=lu", true),
        ("family=maya", false),
        ("address=springfield", true),
        ("address-city=spring", true),
        ("address-state=spring", false),
        ("active=true", true),
        ("active=http://hl7.org/fhir/special-values|true", true),
        ("active=false", false),
    ] {
        assert_eq!(found(form, &it), expected, "{form}");
    }
}

#[test]
fn a_period_or_timing_is_its_outer_limits() {
    let period = observation(
        "effectivePeriod",
        &json!({"start": "2013-01-01", "end": "2013-02"}),
    );
    assert!(found("date=2013", &period));
    assert!(found("date=ge2013-02-28T23:59:58Z", &period));
    assert!(!found("date=gt2013-02", &period));
    let timing = observation(
        "effectiveTiming",
        &json!({"event": ["2013-05-01", "2013-03-01"], "repeat": {"boundsPeriod": {"start": "2013-04-01"}}}),
    );
    assert!(found("date=ge2020", &timing));
    assert!(found("date=sa2013-02", &timing));
}

#[test]
fn the_third_value_is_decided_by_the_others() {
    use Match::No;
    use Match::OpenBody;
    use Match::Yes;
    for (one, other, and, or) in [
        (Yes, No, No, Yes),
        (Yes, OpenBody, OpenBody, Yes),
        (No, OpenBody, No, OpenBody),
        (OpenBody, OpenBody, OpenBody, OpenBody),
        (No, No, No, No),
        (Yes, Yes, Yes, Yes),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            assert_eq!(one.and(|| other), and);
            assert_eq!(one.or(|| other), or);
        }
    }
}
