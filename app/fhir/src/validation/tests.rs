//! Tests of the validation of resources.

use serde_json::json;

use super::*;

const SERVER: &str = "https://localhost:8443/fhir";
const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

fn observation(subject: &Value) -> Value {
    json!({
        "resourceType": "Observation", "status": "final", "code": {"text": "SECRET"}, "subject": subject
    })
}

fn of_patient() -> Value {
    observation(&json!({"reference": format!("Patient/{ID}")}))
}

fn validated(body: &Value, target: ValidationTarget, query: &str) -> Value {
    let outcome = validate(
        body.to_string().as_bytes(),
        target,
        query,
        SERVER,
        &|_, _| None,
    )
    .expect("valid");
    assert!(!outcome.to_string().contains("SECRET"), "{outcome}");
    outcome
}

/// Severity and code of the first issue.
fn first(outcome: &Value) -> (&str, &str) {
    let issue = &outcome["issue"][0];
    let text = |name: &str| issue[name].as_str().unwrap_or_default();
    (text("severity"), text("code"))
}

fn on(resource_type: ResourceType) -> ValidationTarget {
    ValidationTarget {
        resource_type: Some(resource_type),
        id: None,
    }
}

#[test]
fn a_resource_that_could_be_stored_is_valid() {
    let outcome = validated(&of_patient(), on(ResourceType::Observation), "");
    assert_eq!(first(&outcome), ("information", "informational"));
    let outcome = validated(
        &json!({"resourceType": "Patient"}),
        ValidationTarget::default(),
        "",
    );
    assert_eq!(first(&outcome), ("information", "informational"));
}

#[test]
fn each_reason_for_a_refusal_is_an_issue() {
    for (subject, code) in [
        (json!({"display": "SECRET"}), "required"),
        (json!({"reference": "Group/SECRET"}), "business-rule"),
        (json!({"reference": "Patient/SECRET"}), "business-rule"),
        (json!({"reference": "urn:uuid:SECRET"}), "business-rule"),
        (json!({"reference": 1}), "value"),
    ] {
        let outcome = validated(&observation(&subject), ValidationTarget::default(), "");
        assert_eq!(first(&outcome).0, "error", "{outcome}");
        assert!(
            [code, "not-found", "not-supported", "structure", "value"].contains(&first(&outcome).1),
            "{outcome}"
        );
    }
    let other = validated(&of_patient(), on(ResourceType::Condition), "");
    assert_eq!(first(&other), ("error", "invariant"));
    let malformed = validate(
        b"{\"a\":",
        ValidationTarget::default(),
        "",
        SERVER,
        &|_, _| None,
    );
    assert_eq!(first(&malformed.expect("an outcome")).0, "error");
}

#[test]
fn a_type_that_is_not_stored_is_validated_all_the_same() {
    let bundle = json!({"resourceType": "Bundle", "type": "collection"});
    let outcome = validated(&bundle, ValidationTarget::default(), "");
    assert_eq!(first(&outcome), ("warning", "not-supported"));
    let outcome = validated(&bundle, ValidationTarget::default(), "mode=create");
    assert_eq!(first(&outcome), ("error", "not-supported"));
    let bundle = json!({"resourceType": "Bundle", "type": "SECRET", "entry": [{"resource": {
        "resourceType": "Patient", "gender": "SECRET"
    }}]});
    let outcome = validated(&bundle, ValidationTarget::default(), "");
    assert_eq!(outcome["issue"].as_array().map(Vec::len), Some(3));
    let unknown = json!({"resourceType": "SECRET"});
    let outcome = validated(&unknown, ValidationTarget::default(), "");
    assert_eq!(first(&outcome).0, "error");
}

#[test]
fn an_update_needs_the_id_of_the_url() {
    let id: Uuid = ID.parse().expect("a UUID");
    let target = ValidationTarget {
        id: Some(id),
        ..on(ResourceType::Observation)
    };
    let mut body = of_patient();
    assert_eq!(first(&validated(&body, target, "")), ("error", "required"));
    assert_eq!(
        first(&validated(&body, target, "mode=create")).0,
        "information"
    );
    body["id"] = json!(ID);
    assert_eq!(
        first(&validated(&body, target, "mode=update")).0,
        "information"
    );
    body["id"] = json!("11111111-ec9a-4326-a141-556f43239520");
    assert_eq!(first(&validated(&body, target, "")), ("error", "invariant"));
    body["id"] = json!("SECRET");
    assert_eq!(
        first(&validated(&body, on(ResourceType::Observation), "")).0,
        "warning"
    );
    let update = validated(&body, on(ResourceType::Observation), "mode=update");
    assert_eq!(first(&update), ("error", "value"));
}

#[test]
fn parameters_have_the_resource_the_mode_and_the_profile() {
    let parameters = |others: Value| {
        let mut all = vec![json!({"name": "resource", "resource": of_patient()})];
        all.push(others);
        json!({"resourceType": "Parameters", "parameter": all})
    };
    let send = |body: &Value| {
        let target = on(ResourceType::Observation);
        validate(body.to_string().as_bytes(), target, "", SERVER, &|_, _| {
            None
        })
    };
    let valid = send(&parameters(json!({"name": "mode", "valueCode": "create"})));
    assert_eq!(first(&valid.expect("valid")).0, "information");
    let core = "http://hl7.org/fhir/StructureDefinition/Observation";
    let valid = send(&parameters(json!({"name": "profile", "valueUri": core})));
    assert_eq!(first(&valid.expect("valid")).0, "information");
    for refused in [
        json!({"name": "profile", "valueUri": "http://SECRET"}),
        json!({"name": "mode", "valueCode": "SECRET"}),
        json!({"name": "SECRET"}),
        json!({"name": "resource", "resource": of_patient()}),
    ] {
        let outcome = send(&parameters(refused)).expect_err("refused");
        assert_eq!(outcome.status().code(), 400);
        assert!(!outcome.to_json().to_string().contains("SECRET"));
    }
    let nothing = json!({"resourceType": "Parameters"});
    assert!(send(&nothing).is_err());
    let delete = json!({"resourceType": "Parameters", "parameter": [
        {"name": "mode", "valueCode": "delete"}
    ]});
    assert_eq!(first(&send(&delete).expect("valid")).0, "information");
}
