//! Bundles: valid and invalid requests, and responses.

use serde_json::json;

use super::*;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;
use crate::Status;

const SERVER: &str = "https://records.example/fhir";
const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";
const OBSERVATION: &str = "11111111-ec9a-4326-a141-556f43239520";

fn parsed(bundle: &Value) -> Result<ParsedBundle, OperationOutcome> {
    parse(bundle.to_string().as_bytes(), Some(SERVER))
}

/// The requests of a Bundle whose conditions match this.
fn resolved(bundle: &Value, matches: &[ConditionMatch]) -> Result<BundleRequest, OperationOutcome> {
    let parsed = parsed(bundle)?;
    assert_eq!(parsed.conditions().len(), matches.len());
    let mut count = 0_u128;
    parsed.resolve(matches, &mut |_| {
        count += 1;
        Uuid::from_u128(count)
    })
}

fn planned(bundle: &Value) -> Result<BundleRequest, OperationOutcome> {
    resolved(bundle, &[])
}

/// The resource of a POST or PUT, its owner, and whether its id must not exist yet.
fn whole(write: &ResourceWrite) -> (&Resource, Option<Uuid>, bool) {
    let WriteContent::Whole {
        resource,
        owner,
        mode,
    } = &write.content
    else {
        panic!("{write:?}")
    };
    (resource, *owner, mode.is_create())
}

fn owner(write: &ResourceWrite) -> Option<Uuid> {
    whole(write).1
}

fn is_create(write: &ResourceWrite) -> bool {
    whole(write).2
}

fn resource(write: &ResourceWrite) -> &Resource {
    whole(write).0
}

fn post(full_url: &str, resource: &Value) -> Value {
    let request = json!({"method": "POST", "url": resource["resourceType"]});
    json!({"fullUrl": full_url, "resource": resource, "request": request})
}

fn put(resource: &Value) -> Value {
    let url = format!(
        "{}/{}",
        resource["resourceType"].as_str().expect("a type"),
        resource["id"].as_str().expect("an id")
    );
    json!({"resource": resource, "request": {"method": "PUT", "url": url}})
}

fn bundle(bundle_type: &str, entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": bundle_type, "entry": entries})
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": PATIENT})
}

fn observation(subject: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": OBSERVATION, "status": "final",
        "code": {"text": "x"}, "subject": {"reference": subject}
    })
}

fn refusal(bundle: &Value) -> (u16, String) {
    let outcome = planned(bundle).expect_err("refused");
    let path = outcome.issues()[0].expression.clone().unwrap_or_default();
    (outcome.status().code(), path)
}

fn writes(bundle: &Value) -> Vec<ResourceWrite> {
    match planned(bundle) {
        Ok(BundleRequest::Transaction(request)) => request.writes,
        other => panic!("{other:?}"),
    }
}

fn items(bundle: &Value) -> Vec<Result<BatchItem, OperationOutcome>> {
    match planned(bundle) {
        Ok(BundleRequest::Batch(items)) => items,
        other => panic!("{other:?}"),
    }
}

mod conditions;
mod links;
mod property;
mod references;
mod requests;
mod responses;

#[test]
fn a_post_gets_an_id_and_references_to_it_follow() {
    let mut finding = observation("urn:uuid:a");
    finding["performer"] =
        json!([{"reference": "urn:uuid:elsewhere"}, {"reference": "urn:uuid:a"}]);
    let entries = [post("urn:uuid:b", &finding), post("urn:uuid:a", &patient())];
    let writes = writes(&bundle("transaction", &entries));
    let [patient, finding] = &writes[..] else {
        panic!("two writes")
    };
    assert_eq!(
        (patient.resource_type, patient.entry, is_create(patient)),
        (ResourceType::Patient, 1, true)
    );
    assert_eq!(
        (finding.resource_type, finding.entry),
        (ResourceType::Observation, 0)
    );
    assert_eq!(owner(patient), Some(patient.id));
    assert_eq!(owner(finding), Some(patient.id));
    let performer = &resource(finding).value()["performer"];
    assert_eq!(performer[0]["reference"], "urn:uuid:elsewhere");
    assert_eq!(performer[1]["reference"], format!("Patient/{}", patient.id));
    assert_eq!(resource(finding).id(), Some(finding.id));
}

#[test]
fn a_put_keeps_its_id_and_may_refer_to_a_patient_outside() {
    let writes = writes(&bundle(
        "transaction",
        &[put(&observation(&format!("Patient/{PATIENT}")))],
    ));
    assert_eq!(writes[0].id.to_string(), OBSERVATION);
    assert_eq!(
        owner(&writes[0]).map(|owner| owner.to_string()).as_deref(),
        Some(PATIENT)
    );
    assert!(!is_create(&writes[0]));
}

#[test]
fn one_invalid_entry_refuses_the_transaction_with_its_path() {
    let mut bad = observation(&format!("Patient/{PATIENT}"));
    bad["status"] = json!("SECRET");
    let refused = refusal(&bundle("transaction", &[put(&patient()), put(&bad)]));
    assert_eq!(refused, (422, "Bundle.entry[1].resource.status".to_owned()));
    let claim = json!({"resourceType": "Parameters", "id": PATIENT});
    let refused = refusal(&bundle("transaction", &[put(&patient()), put(&claim)]));
    assert_eq!(refused, (400, "Bundle.entry[1].request.url".to_owned()));
}

#[test]
fn a_refused_entry_of_a_batch_does_not_affect_the_others() {
    let claim = json!({"resourceType": "Parameters", "id": PATIENT});
    let loose = observation("Patient/unknown");
    let entries = [put(&claim), put(&patient()), put(&loose), json!(7)];
    let items = items(&bundle("batch", &entries));
    assert!(items[1].is_ok());
    let paths: Vec<_> = items
        .iter()
        .filter_map(|item| item.as_ref().err()?.issues()[0].expression.clone())
        .collect();
    let expected = [
        "Bundle.entry[0].request.url",
        "Bundle.entry[2].resource.subject.reference",
        "Bundle.entry[3]",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn an_id_that_is_not_a_uuid_is_refused_with_the_reason() {
    let numbered = json!({"resourceType": "Patient", "id": "MRN-123"});
    let outcome = planned(&bundle("transaction", &[put(&numbered)])).expect_err("refused");
    assert_eq!(
        outcome.issues()[0].expression.as_deref(),
        Some("Bundle.entry[0].request.url")
    );
    assert!(outcome.issues()[0].diagnostics.contains("record number"));
    assert!(!outcome.to_json().to_string().contains("MRN-123"));
}

#[test]
fn a_request_must_fit_its_resource() {
    let mut entry = put(&patient());
    entry["request"]["url"] = json!(format!("Observation/{PATIENT}"));
    assert_eq!(
        refusal(&bundle("transaction", &[entry])).1,
        "Bundle.entry[0].request.url"
    );
    let mut entry = put(&patient());
    entry["request"]["url"] = json!(format!("Patient/{OBSERVATION}"));
    assert_eq!(
        refusal(&bundle("transaction", &[entry])).1,
        "Bundle.entry[0].resource.id"
    );
    let mut entry = put(&patient());
    entry["request"]["ifNoneExist"] = json!("identifier=1");
    assert_eq!(
        refusal(&bundle("transaction", &[entry])).1,
        "Bundle.entry[0].request.ifNoneExist"
    );
    let missing = json!({"request": {"method": "POST", "url": "Patient"}});
    assert_eq!(
        refusal(&bundle("transaction", &[missing])).1,
        "Bundle.entry[0].resource"
    );
}

#[test]
fn the_same_target_or_full_url_twice_is_refused() {
    let twice = bundle("transaction", &[put(&patient()), put(&patient())]);
    assert_eq!(refusal(&twice).1, "Bundle.entry[1].request.url");
    let named = [
        post("urn:uuid:a", &patient()),
        post("urn:uuid:a", &patient()),
    ];
    assert_eq!(
        refusal(&bundle("transaction", &named)).1,
        "Bundle.entry[1].fullUrl"
    );
}

#[test]
fn a_document_that_is_neither_transaction_nor_batch_is_refused() {
    assert_eq!(refusal(&patient()).0, 400);
    assert_eq!(refusal(&bundle("searchset", &[])).1, "Bundle.type");
    let many: Vec<Value> = (0..=MAX_TRANSACTION_ENTRIES)
        .map(|_| put(&patient()))
        .collect();
    assert_eq!(refusal(&bundle("transaction", &many)).1, "Bundle.entry");
    let strange = json!({"resourceType": "Bundle", "type": "batch", "entries": []});
    assert_eq!(refusal(&strange).1, "Bundle.?");
    let object = json!({"resourceType": "Bundle", "type": "batch", "entry": {}});
    assert_eq!(refusal(&object).1, "Bundle.entry");
}

/// Replaces each value of a Bundle in turn by another that contains a secret.
#[test]
fn no_outcome_repeats_a_value_of_the_request() {
    const SECRET: &str = "zq 999-12-3456";
    let mut finding = observation("urn:uuid:a");
    finding["valueQuantity"] = json!({"value": 1.5, "unit": "cm"});
    finding["effectiveDateTime"] = json!("2020-01-02");
    let whole = bundle(
        "transaction",
        &[post("urn:uuid:a", &patient()), post("urn:uuid:b", &finding)],
    );
    let mut paths = Vec::new();
    pointers(&whole, String::new(), &mut paths);
    assert!(paths.len() > 20);
    for path in paths {
        for other in [
            json!(SECRET),
            json!([SECRET]),
            json!({SECRET: SECRET}),
            json!({"id": SECRET}),
        ] {
            let mut changed = whole.clone();
            *changed.pointer_mut(&path).expect("a pointer") = other;
            for bundle_type in ["transaction", "batch"] {
                if path != "/type" && path.len() > 5 {
                    changed["type"] = json!(bundle_type);
                }
                let planned = parsed(&changed).and_then(|parsed| {
                    let matches = vec![ConditionMatch::None; parsed.conditions().len()];
                    parsed.resolve(&matches, &mut |_| Uuid::from_u128(7))
                });
                let rendered = match planned {
                    Err(outcome) => outcome.to_json().to_string(),
                    Ok(BundleRequest::Batch(items)) => {
                        let outcomes = items.iter().filter_map(|item| item.as_ref().err());
                        outcomes
                            .map(|outcome| outcome.to_json().to_string())
                            .collect()
                    }
                    Ok(BundleRequest::Transaction(_)) => String::new(),
                };
                assert!(!rendered.contains("999"), "{path}: {rendered}");
            }
        }
    }
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                pointers(member, format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, format!("{at}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    if !at.is_empty() {
        found.push(at);
    }
}
