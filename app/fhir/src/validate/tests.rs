//! Tests of the operation `$validate`.

use serde_json::json;

use super::*;

fn issues(value: &Value) -> Vec<(String, IssueCode)> {
    let resource_type: ResourceType = value["resourceType"]
        .as_str()
        .expect("named")
        .parse()
        .expect("supported");
    check(
        resource_type,
        value.as_object().expect("an object"),
        &ElementPath::Root(resource_type.name()),
    )
    .listed()
    .iter()
    .map(|issue| (issue.expression.clone().expect("a path"), issue.code))
    .collect()
}

fn path_of(value: &Value) -> String {
    let mut found = issues(value);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0).0
}

#[test]
fn a_valid_patient_has_no_issues() {
    let patient = json!({
        "resourceType": "Patient",
        "extension": [{"url": "http://example.org/any", "valueDecimal": 1.50}],
        "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}],
        "managingOrganization": {"reference": "#o"},
        "name": [{"given": ["A", null], "_given": [null, {"extension": [{"url": "x"}]}]}],
        "gender": "female",
        "birthDate": "1980-02-29",
        "_birthDate": {"id": "b"},
        "deceasedBoolean": false
    });
    assert_eq!(issues(&patient), []);
}

#[test]
fn an_undefined_element_is_refused_with_the_path_of_its_place() {
    let patient = json!({"resourceType": "Patient", "name": [{}, {"nick": "x"}]});
    let found = issues(&patient);
    assert_eq!(found[0].0, "Patient.name[0]");
    assert_eq!(found[1].0, "Patient.name[1].?");
}

#[test]
fn a_wrong_type_is_refused_with_its_path() {
    let given = json!({"resourceType": "Patient", "name": [{"given": ["A", 7]}]});
    assert_eq!(path_of(&given), "Patient.name[0].given[1]");
    let name = json!({"resourceType": "Patient", "name": {"family": "A"}});
    assert_eq!(path_of(&name), "Patient.name");
    let date = json!({"resourceType": "Patient", "birthDate": "1981-02-29"});
    assert_eq!(path_of(&date), "Patient.birthDate");
    let gender = json!({"resourceType": "Patient", "gender": ["female"]});
    assert_eq!(path_of(&gender), "Patient.gender");
    let null = json!({"resourceType": "Patient", "name": [{"given": ["A", null]}]});
    assert_eq!(path_of(&null), "Patient.name[0].given[1]");
}

#[test]
fn a_missing_required_element_is_refused() {
    let condition = json!({"resourceType": "Condition"});
    assert_eq!(path_of(&condition), "Condition.subject");
    let request = json!({
        "resourceType": "MedicationRequest", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/1"}
    });
    assert_eq!(path_of(&request), "MedicationRequest.medication");
}

#[test]
fn the_extensions_of_an_array_are_an_array_that_is_not_longer() {
    let name = |given: Value, extension: Value| json!({"resourceType": "Patient", "name": [{"given": given, "_given": extension}]});
    let extension = json!({"extension": [{"url": "x", "valueCode": "u"}]});
    let valid = name(json!(["A", null]), json!([null, extension]));
    assert_eq!(issues(&valid), []);
    for extension in [
        extension.clone(),
        json!([]),
        json!([null]),
        json!([null, extension]),
        json!([[extension]]),
        json!(["x"]),
        json!("x"),
        json!(null),
        json!({}),
        json!({"0": extension}),
    ] {
        let invalid = name(json!(["A"]), extension);
        assert!(path_of(&invalid).starts_with("Patient.name[0]._given"));
    }
    let single = json!({"resourceType": "Patient", "_birthDate": [{"id": "x"}]});
    assert_eq!(path_of(&single), "Patient._birthDate");
    let alone = json!({"resourceType": "Patient", "name": [{"_given": [extension]}]});
    assert_eq!(issues(&alone), []);
}

#[test]
fn a_choice_has_one_type() {
    let patient = json!({
        "resourceType": "Patient", "deceasedBoolean": true, "deceasedDateTime": "2020"
    });
    assert_eq!(issues(&patient)[0].1, IssueCode::Invariant);
    let extension = json!({
        "resourceType": "Patient", "deceasedBoolean": true, "_deceasedBoolean": {"id": "x"}
    });
    assert_eq!(issues(&extension), []);
}

#[test]
fn a_code_outside_its_required_set_is_refused_and_not_repeated() {
    let patient = json!({"resourceType": "Patient", "gender": "SECRET"});
    let found = check(
        ResourceType::Patient,
        patient.as_object().expect("an object"),
        &ElementPath::Root("Bundle.entry[3].resource"),
    );
    let found = &found.listed()[0];
    assert_eq!(found.code, IssueCode::CodeInvalid);
    assert_eq!(
        found.expression.as_deref(),
        Some("Bundle.entry[3].resource.gender")
    );
    assert!(!found.diagnostics.contains("SECRET"));
}

#[test]
fn the_number_of_issues_is_limited() {
    let names: Vec<Value> = (0..1000).map(|_| json!({"nick": 1})).collect();
    let patient = json!({"resourceType": "Patient", "name": names});
    assert_eq!(issues(&patient).len(), crate::limits::MAX_ISSUES);
}

#[test]
fn the_extensions_of_a_single_value_are_an_object() {
    for value in [
        json!([{"id": "x"}]),
        json!([]),
        json!({}),
        json!("x"),
        json!(1),
        json!(null),
    ] {
        let patient = json!({"resourceType": "Patient", "birthDate": "1980", "_birthDate": value});
        assert_eq!(path_of(&patient), "Patient._birthDate", "{value}");
    }
    let complex = json!({"resourceType": "Patient", "_name": [{"id": "x"}]});
    assert_eq!(path_of(&complex), "Patient._name");
}

/// Whether an object of a type has issues.
fn is_refused(name: &str, value: &Value) -> bool {
    let path = ElementPath::Root(name);
    let issues = object(name, value.as_object().expect("an object"), &path);
    !issues.is_empty()
}

#[test]
fn elements_of_a_bundle_entry_have_their_types() {
    for wrong in [
        json!({"fullUrl": 5}),
        json!({"fullUrl": ""}),
        json!({"fullUrl": ["urn:x:y"]}),
        json!({"request": []}),
        json!({"request": "POST Patient"}),
        json!({"request": {"method": "POST"}}),
        json!({"request": {"method": "post", "url": "Patient"}}),
        json!({"request": {"method": "POST", "url": 1}}),
        json!({"link": {"relation": "self", "url": "x"}}),
        json!({"link": [{"relation": "self"}]}),
        json!({"search": {"score": "1"}}),
        json!({"response": {"status": 200}}),
        json!({"response": {"status": "200", "outcome": {"resourceType": "X"}}}),
        json!({"other": true}),
    ] {
        assert!(is_refused("Bundle.entry", &wrong), "{wrong}");
    }
    let request = json!({"method": "POST", "url": "Patient"});
    let valid = json!({"fullUrl": "urn:x:y", "request": request});
    assert!(!is_refused("Bundle.entry", &valid));
}

#[test]
fn elements_of_a_bundle_have_their_types() {
    for (name, wrong) in [
        ("total", json!("1")),
        ("total", json!(-1)),
        ("id", json!("a_b")),
        ("timestamp", json!("2020")),
        ("identifier", json!([])),
        ("link", json!([{"url": "x"}])),
        ("type", json!(5)),
        ("meta", json!([])),
        ("signature", json!({"data": "QUJD"})),
    ] {
        let mut bundle = json!({"resourceType": "Bundle", "type": "batch"});
        assert!(!is_refused("Bundle", &bundle));
        bundle[name] = wrong;
        assert!(is_refused("Bundle", &bundle), "{bundle}");
    }
}
