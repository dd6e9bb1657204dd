//! Summaries of each resource type.

use serde_json::json;
use time::macros::datetime;

use super::*;

fn of(resource: &Value) -> (String, String, String) {
    let resource = Resource::parse(resource.to_string().as_bytes()).expect("valid");
    let summary = Summary::of(&resource);
    let date = summary.date.clone().unwrap_or_default();
    (summary.title.clone(), summary.detail.clone(), date)
}

fn line(title: &str, detail: &str, date: &str) -> (String, String, String) {
    (title.to_owned(), detail.to_owned(), date.to_owned())
}

fn coded(display: &str) -> Value {
    json!({"coding": [{"code": "1", "display": display}]})
}

fn patient() -> Value {
    json!({"reference": "Patient/c757873d-ec9a-4326-a141-556f43239520"})
}

#[test]
fn an_observation_shows_its_value_with_its_unit() {
    let simple = of(&json!({
        "resourceType": "Observation", "status": "final", "code": coded("Body height"),
        "valueQuantity": {"value": 167.50, "unit": "cm"}, "effectiveDateTime": "2020-01-02"
    }));
    assert_eq!(simple, line("Body height", "167.5 cm", "2020-01-02"));
    let panel = of(&json!({
        "resourceType": "Observation", "status": "preliminary", "code": coded("Blood pressure"),
        "component": [
            {"code": coded("Systolic"), "valueQuantity": {"value": 120, "unit": "mm[Hg]"}},
            {"code": coded("Diastolic"), "valueQuantity": {"value": 80, "unit": "mm[Hg]"}}
        ],
        "effectivePeriod": {"start": "2020-01-02T03:04:05Z"}
    }));
    let detail = "Systolic 120 mm[Hg], Diastolic 80 mm[Hg]; preliminary";
    assert_eq!(
        panel,
        line("Blood pressure", detail, "2020-01-02T03:04:05Z")
    );
}

#[test]
fn a_long_text_is_truncated_between_characters() {
    let long = "é".repeat(1_000);
    let (title, detail, _) = of(&json!({
        "resourceType": "Observation", "status": "final", "code": {"text": format!("x{long}")},
        "valueString": long
    }));
    assert_eq!(title, format!("x{}…", "é".repeat(255)));
    assert_eq!(detail, format!("{}…", "é".repeat(256)));
}

#[test]
fn a_number_keeps_the_decimals_that_an_instrument_can_have() {
    for (sent, shown) in [
        ("167.50", "167.50"),
        ("14.633608890658941", "14.634"),
        ("7", "7"),
    ] {
        let quantity = format!(r#"{{"value": {sent}, "unit": "g"}}"#);
        let quantity = serde_json::from_str(&quantity).unwrap();
        assert_eq!(
            crate::datatypes::quantity(&quantity).unwrap(),
            format!("{shown} g")
        );
    }
}

#[test]
fn every_type_of_value_has_a_display_text() {
    let cases = [
        (
            "valueCodeableConcept",
            coded("Positive (qualifier value)"),
            "Positive",
        ),
        ("valueString", json!("as said"), "as said"),
        ("valueBoolean", json!(true), "yes"),
        ("valueInteger", json!(3), "3"),
        (
            "valueRange",
            json!({"low": {"value": 1}, "high": {"value": 2}}),
            "1 – 2",
        ),
        (
            "valueRatio",
            json!({"numerator": {"value": 1}, "denominator": {"value": 8}}),
            "1 / 8",
        ),
        ("valueTime", json!("13:00:00"), "13:00:00"),
        (
            "valueQuantity",
            json!({"comparator": "<", "value": 5, "code": "mg"}),
            "<5 mg",
        ),
    ];
    for (name, value, expected) in cases {
        let mut observation =
            json!({"resourceType": "Observation", "status": "final", "code": coded("x")});
        observation[name] = value;
        assert_eq!(of(&observation).1, expected, "{name}");
    }
}

#[test]
fn problems_and_allergies_show_their_status() {
    let condition = of(&json!({
        "resourceType": "Condition", "subject": patient(), "code": coded("Asthma (disorder)"),
        "clinicalStatus": coded("Active"), "verificationStatus": coded("Confirmed"),
        "recordedDate": "2019"
    }));
    assert_eq!(condition, line("Asthma", "Active", "2019"));
    let allergy = of(&json!({
        "resourceType": "AllergyIntolerance", "patient": patient(), "code": coded("Peanut"),
        "criticality": "high", "reaction": [{"manifestation": [coded("Hives")]}],
        "onsetDateTime": "2001-02"
    }));
    assert_eq!(
        allergy,
        line("Peanut", "Hives; criticality high", "2001-02")
    );
}

#[test]
fn a_prescription_shows_its_dosage() {
    let request = of(&json!({
        "resourceType": "MedicationRequest", "status": "active", "intent": "order",
        "subject": patient(), "medicationCodeableConcept": coded("Amoxicillin 500 MG"),
        "authoredOn": "2020-01-02",
        "dosageInstruction": [{
            "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1}}]
        }]
    }));
    assert_eq!(
        request,
        line(
            "Amoxicillin 500 MG",
            "dose 1; 3 × per 1 d; active",
            "2020-01-02"
        )
    );
}

#[test]
fn events_and_plans_are_summarized() {
    let encounter = of(&json!({
        "resourceType": "Encounter", "status": "finished", "subject": patient(),
        "class": {"code": "AMB", "display": "ambulatory"}, "type": [coded("General examination")],
        "period": {"start": "2020-01-02T03:04:05Z"}
    }));
    let expected = line(
        "General examination",
        "ambulatory; finished",
        "2020-01-02T03:04:05Z",
    );
    assert_eq!(encounter, expected);
    let immunization = of(&json!({
        "resourceType": "Immunization", "status": "not-done", "patient": patient(),
        "vaccineCode": coded("Influenza"), "occurrenceString": "last winter"
    }));
    assert_eq!(immunization, line("Influenza", "not done", ""));
    let report = of(&json!({
        "resourceType": "DiagnosticReport", "status": "final", "code": coded("Lipid panel"),
        "issued": "2020-01-02T03:04:05Z", "result": [patient(), patient()]
    }));
    assert_eq!(
        report,
        line("Lipid panel", "2 results; final", "2020-01-02T03:04:05Z")
    );
    let plan = of(&json!({
        "resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": patient(),
        "category": [{"coding": [{"code": "assess-plan"}]}, coded("Respiratory therapy")],
        "activity": [{"detail": {"status": "completed", "code": coded("Breathing exercises")}}],
        "period": {"start": "2020"}
    }));
    assert_eq!(
        plan,
        line("Respiratory therapy", "Breathing exercises; active", "2020")
    );
}

#[test]
fn a_resource_without_a_display_text_is_named_by_its_type() {
    let procedure =
        of(&json!({"resourceType": "Procedure", "status": "completed", "subject": patient()}));
    assert_eq!(procedure, line("Procedure", "completed", ""));
}

#[test]
fn dates_sort_as_points_in_time() {
    assert_eq!(start_time("2020"), Some(datetime!(2020-01-01 0:00 UTC)));
    assert_eq!(
        start_time("2020-03-10T18:54:00+02:00"),
        Some(datetime!(2020-03-10 18:54 +2))
    );
    assert_eq!(start_time("soon"), None);
}

#[test]
fn a_type_without_its_own_entry_shows_what_it_is_its_status_and_its_date() {
    let goal = of(&json!({
        "resourceType": "Goal", "lifecycleStatus": "active", "subject": patient(),
        "category": [coded("Dietary")], "description": {"text": "Lose weight"},
        "startDate": "2020-01-02", "statusDate": "2021-01-02"
    }));
    assert_eq!(goal, line("Lose weight", "active", "2020-01-02"));
    let dispense = of(&json!({
        "resourceType": "MedicationDispense", "status": "on-hold", "subject": patient(),
        "category": coded("Community"), "medicationCodeableConcept": coded("Aspirin"),
        "whenPrepared": "2020-01-01T00:00:00Z", "whenHandedOver": "2020-01-02T00:00:00Z"
    }));
    assert_eq!(dispense, line("Aspirin", "on hold", "2020-01-02T00:00:00Z"));
    let relative = of(&json!({
        "resourceType": "RelatedPerson", "patient": patient(),
        "name": [{"family": "Doe", "given": ["Jo"]}], "relationship": [coded("Sister")]
    }));
    assert_eq!(relative, line("Jo Doe", "", ""));
    let binary = of(&json!({"resourceType": "Binary", "contentType": "text/plain"}));
    assert_eq!(binary, line("Binary", "", ""));
}
