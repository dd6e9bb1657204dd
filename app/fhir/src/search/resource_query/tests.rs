//! Whole queries: parameters of the result, refusals, order.

use serde_json::json;
use time::macros::datetime;

use super::*;
use crate::Resource;
use crate::search::SummaryMode;
use crate::search::Total;

const BASE: &str = "https://localhost:8443/fhir";
const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";
const OTHER: &str = "0a4b6a70-3c55-4b6e-9d7c-5e0b3a0f1c11";

fn parse(form: &str) -> Result<ResourceQuery, OperationOutcome> {
    ResourceQuery::parse(ResourceType::Observation, BASE, form.as_bytes(), None)
}

fn refused(form: &str) -> String {
    let outcome = parse(form).expect_err(form);
    assert_eq!(outcome.status().code(), 400);
    outcome.to_json().to_string()
}

#[test]
fn the_parameters_of_a_result_are_read() {
    let query = ResourceQuery::parse(
        ResourceType::Observation,
        BASE,
        b"code=1&_total=none&_summary=data&_elements=code,Observation.status&_sort=-date,_id",
        Some(
            "_count=0&_include=Observation:encounter&_revinclude=Provenance:target&_type=Encounter&_pretty=true",
        ),
    );
    // Provenance may not be a supported type yet.
    if let Ok(query) = query {
        let results = query.results();
        assert_eq!((results.count, results.total), (0, Total::None));
        assert_eq!(results.summary, SummaryMode::Data);
        assert_eq!(results.elements, ["code", "status"]);
        assert_eq!(results.types, [ResourceType::Encounter]);
        assert_eq!((results.includes.len(), results.revincludes.len()), (1, 1));
        assert!(results.is_pretty && query.is_sorted() && query.needs_values());
    }
    let query = parse("_cursor=abc-_.~9&_format=json").expect("valid");
    assert_eq!(
        query.results().cursor.as_ref().map(|it| it.as_str()),
        Some("abc-_.~9")
    );
    assert_eq!(
        (query.results().count, query.results().total),
        (50, Total::Accurate)
    );
    assert!(!query.needs_values());
}

#[test]
fn a_malformed_value_is_refused_without_repeating_it() {
    for form in [
        "_count=-1",
        "_count=many",
        "_total=all",
        "_summary=yes",
        "_elements=a b",
        "_pretty=1",
        "_cursor=a b",
        "_type=Smith",
        "_include=Smith",
        "_include=Observation:Smith",
        "_include=Encounter:subject",
        "_include=Observation:code",
        "_include=Observation:subject:Smith",
        "_sort=Smith",
        "_sort=code",
        "_lastUpdated=Smith",
        "date=Smith",
        "date=ap2013",
        "value-quantity=Smith",
        "value-quantity=1|2",
        "code=Smith|a|b",
        "code=a,",
        "code=",
        "status:missing=Smith",
        "value-string=-",
        "code:text=Smith",
        "code:in=Smith",
        "value-string:Smith=x",
        "subject:Smith=x",
        "_id:not=Smith",
        "subject:Group=Patient/c757873d-ec9a-4326-a141-556f43239520",
    ] {
        let outcome = refused(form);
        assert!(!outcome.contains("Smith"), "{form} {outcome}");
        assert!(outcome.len() < 2_000);
    }
}

#[test]
fn what_is_not_supported_is_refused_in_words() {
    for (form, word) in [
        ("_has:Observation:patient:code=1", "inside one chart"),
        ("_text=x", "sealed"),
        ("_content=x", "sealed"),
        ("_list=x", "read the List"),
        ("_query=x", "named queries"),
        ("_filter=x", "as parameters"),
        ("_contained=true", "contained"),
        ("subject.name=x", "chained parameters such as subject.name"),
        ("subject:Patient.name=x", "chained parameters"),
        ("code-value-quantity=x", "composite"),
        (
            "_include:iterate=Observation:encounter",
            "a search for each step",
        ),
        (
            "Smith=x",
            "supported parameters of Observation are: _id, _lastUpdated",
        ),
        ("code:text=x", "it supports :not and :missing"),
    ] {
        let outcome = refused(form);
        assert!(outcome.contains(word), "{form} {outcome}");
        assert!(!outcome.contains("Smith"));
    }
}

#[test]
fn a_search_is_inside_one_patient_s_chart() {
    for (form, patient) in [
        (format!("patient={PATIENT}"), true),
        (format!("patient=Patient/{PATIENT}&code=1"), true),
        (format!("subject=Patient/{PATIENT}"), true),
        (format!("subject:Patient={PATIENT}"), true),
        (
            format!("patient={BASE}/Patient/{PATIENT}&subject={PATIENT}"),
            true,
        ),
        (format!("subject=Group/{PATIENT}"), false),
        (format!("performer=Patient/{PATIENT}"), false),
        ("patient:identifier=a|b".to_owned(), false),
        ("code=1".to_owned(), false),
    ] {
        let query = parse(&form).expect(&form);
        assert_eq!(query.patient().is_some(), patient, "{form}");
        assert_eq!(query.require_patient().is_ok(), patient);
    }
    let outcome = parse("code=1")
        .expect("valid")
        .require_patient()
        .expect_err("refused");
    let outcome = outcome.to_json().to_string();
    assert!(
        outcome.contains("POST [base]/Observation/_search"),
        "{outcome}"
    );
    for form in [
        format!("patient={PATIENT},{OTHER}"),
        format!("patient={PATIENT}&patient={OTHER}"),
        format!("patient={PATIENT}&subject=Patient/{OTHER}"),
    ] {
        assert!(refused(&form).contains("must name one patient"), "{form}");
    }
}

#[test]
fn a_search_beyond_the_limits_is_413() {
    for form in [
        vec!["code=1"; 33].join("&"),
        vec!["x="; 20_000].join("&"),
        format!("code=a{}", ",b".repeat(64)),
        format!("_lastUpdated=2013{}", ",2014".repeat(64)),
    ] {
        let outcome = parse(&form).expect_err("refused");
        assert_eq!(outcome.status(), crate::Status::ContentTooLarge);
    }
}

#[test]
fn ids_and_times_of_update_need_no_values() {
    let at = datetime!(2026-11-23 15:00:00.5 UTC);
    let id = PATIENT.parse().expect("a UUID");
    for (form, expected) in [
        (format!("_id={PATIENT}"), true),
        (format!("_id=x,{PATIENT}"), true),
        (format!("_id={OTHER}"), false),
        ("_id=x".to_owned(), false),
        ("_lastUpdated=2026-11-23".to_owned(), true),
        ("_lastUpdated=ge2026-11-23T15:00:00Z".to_owned(), true),
        ("_lastUpdated=gt2026-11-23T15:00:00Z".to_owned(), false),
        ("_lastUpdated=lt2026".to_owned(), false),
    ] {
        let query = parse(&form).expect(&form);
        assert_eq!(query.matches_head(id, at), expected, "{form}");
        assert!(!query.needs_values());
    }
}

fn observation(date: Option<&str>, value: Option<i32>, performer: &str) -> SearchValues {
    let mut json = json!({
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": format!("Patient/{PATIENT}")},
        "performer": [{"reference": performer}]
    });
    if let Some(date) = date {
        json["effectiveDateTime"] = json!(date);
    }
    if let Some(value) = value {
        json["valueQuantity"] = json!({"value": value});
    }
    SearchValues::of(&Resource::parse(json.to_string().as_bytes()).expect("valid"))
}

#[test]
fn resources_without_a_value_are_last_in_both_directions() {
    let all = [
        observation(Some("2013"), Some(2), "urn:x"),
        observation(Some("2012"), Some(2), "urn:x"),
        observation(None, Some(10), "urn:x"),
        observation(Some("2014"), Some(-3), "urn:x"),
    ];
    let at = datetime!(2026-11-23 15:00 UTC);
    for (form, expected) in [
        ("_sort=date", [1, 0, 3, 2]),
        ("_sort=-date", [3, 0, 1, 2]),
        ("_sort=value-quantity,-date", [3, 0, 1, 2]),
        ("_sort=-value-quantity,date", [2, 1, 0, 3]),
        ("_sort=-_id", [3, 2, 1, 0]),
        ("code=1", [0, 1, 2, 3]),
    ] {
        let query = parse(form).expect(form);
        let mut keys: Vec<_> = (0..)
            .zip(&all)
            .map(|(n, values)| {
                let key = query
                    .sort_key(Uuid::from_u128(n), at, values)
                    .expect("complete");
                (key, n)
            })
            .collect();
        keys.sort();
        let order: Vec<_> = keys.iter().map(|(_, n)| *n).collect();
        assert_eq!(order, expected, "{form}");
    }
}

#[test]
fn includes_follow_the_references_of_a_match() {
    let values = observation(None, None, &format!("Practitioner/{OTHER}"));
    let included = |form: &str| -> Vec<String> {
        let query = parse(form).expect(form);
        let all = query
            .includes()
            .iter()
            .flat_map(|include| values.included(include));
        all.map(|it| it.to_string()).collect()
    };
    let practitioner = format!("Practitioner/{OTHER}");
    assert_eq!(
        included("_include=Observation:performer"),
        [practitioner.as_str()]
    );
    assert_eq!(
        included("_include=Observation:performer:Practitioner"),
        [practitioner.as_str()]
    );
    assert!(included("_include=Observation:performer:Organization").is_empty());
    assert_eq!(
        included("_include=Observation:patient"),
        [format!("Patient/{PATIENT}")]
    );
    assert!(included("_include=*").contains(&practitioner));
    assert!(included("_include=Observation:*:Patient").contains(&format!("Patient/{PATIENT}")));

    let query = parse("_revinclude=Observation:performer").expect("valid");
    let include = query.results().revincludes.first().expect("one");
    let referred = values.included(include).map(|it| it.to_string());
    assert_eq!(referred.collect::<Vec<_>>(), [practitioner]);
}

#[test]
fn a_compartment_has_one_patient() {
    let patient = PATIENT.parse().expect("a UUID");
    let other = OTHER.parse().expect("a UUID");
    let query = parse("status=final").expect("valid");
    let within = query.within(patient).expect("no other patient");
    assert_eq!(within.patient(), Some(patient));
    let named = || parse(&format!("patient={PATIENT}")).expect("valid");
    assert!(named().within(patient).is_ok());
    assert!(named().within(other).is_err());
}
