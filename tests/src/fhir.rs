//! FHIR resources and Bundles for requests.

use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

/// A new random id.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "nothing here has to be repeatable"
)]
pub fn random_id() -> Uuid {
    Uuid::new_v4()
}

/// A medical record number that no other patient has.
#[must_use]
pub fn random_record_number() -> String {
    format!("T{}", &random_id().simple().to_string()[..12])
}

/// A patient with a new id, a name, a birth date, a record number, a phone number and an address.
#[must_use]
pub fn patient() -> Value {
    patient_of(random_id(), &random_record_number())
}

/// The same with this id and record number.
#[must_use]
pub fn patient_of(id: Uuid, record_number: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "id": id,
        "identifier": [{
            "type": {"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                "code": "MR"
            }]},
            "system": "http://hospital.smarthealthit.org",
            "value": record_number
        }],
        "name": [{"use": "official", "family": "Testperson", "given": ["Wilhelmina"]}],
        "gender": "female",
        "birthDate": "1961-04-23",
        "telecom": [{"system": "phone", "value": "555-019-2837"}],
        "address": [{"line": ["77 Probe Lane"], "city": "Boston"}]
    })
}

/// An observation about a patient.
#[must_use]
pub fn observation(patient: &Value) -> Value {
    json!({
        "resourceType": "Observation",
        "id": random_id(),
        "status": "final",
        "code": {"coding": [{
            "system": "http://loinc.org",
            "code": "8867-4",
            "display": "Heart rate"
        }]},
        "subject": {"reference": reference(patient)},
        "effectiveDateTime": "2024-05-06T07:08:09Z",
        "valueQuantity": {
            "value": 72,
            "unit": "/min",
            "system": "http://unitsofmeasure.org",
            "code": "/min"
        }
    })
}

/// A patient of about 1 MB.
#[must_use]
pub fn large_patient() -> Value {
    let mut patient = patient();
    // Not the patient's names, whose length the server limits.
    let contact = json!({"name": {"use": "old", "text": "x".repeat(200)}});
    patient["contact"] = (0..4_000).map(|_| contact.clone()).collect();
    patient
}

/// The id of a resource.
///
/// # Panics
/// When it has none, or one that is not a UUID.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a test that makes no id has to be corrected"
)]
pub fn id(resource: &Value) -> Uuid {
    let id = resource["id"].as_str().and_then(|id| id.parse().ok());
    id.expect("the resource has a UUID for its id")
}

/// `Type/id` of a resource.
#[must_use]
pub fn reference(resource: &Value) -> String {
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    format!("{kind}/{}", id(resource))
}

/// A transaction that creates or replaces each resource by its id.
#[must_use]
pub fn transaction(resources: &[&Value]) -> Value {
    bundle("transaction", resources)
}

/// A batch that creates or replaces each resource by its id.
#[must_use]
pub fn batch(resources: &[&Value]) -> Value {
    bundle("batch", resources)
}

fn bundle(kind: &str, resources: &[&Value]) -> Value {
    let entries: Vec<Value> = resources
        .iter()
        .map(|resource| {
            json!({
                "resource": resource,
                "request": {"method": "PUT", "url": reference(resource)}
            })
        })
        .collect();
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

/// A batch that reads one resource `count` times.
#[must_use]
pub fn repeated_reads(resource: &Value, count: usize) -> String {
    let url = reference(resource);
    let entry = json!({"request": {"method": "GET", "url": url}});
    let entries = vec![entry; count];
    json!({"resourceType": "Bundle", "type": "batch", "entry": entries}).to_string()
}

/// A body of 3.9 MB that would take 250 MB as a tree of JSON values.
#[must_use]
pub fn dense_body() -> String {
    let objects = r#"{"a":1},"#.repeat(490_000);
    format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{objects}{{}}]}}"#)
}

/// A resource without the `meta` elements that the server adds.
#[must_use]
pub fn without_server_meta(resource: &Value) -> Value {
    let mut resource = resource.clone();
    if let Some(meta) = resource["meta"].as_object_mut() {
        meta.shift_remove("versionId");
        meta.shift_remove("lastUpdated");
        if meta.is_empty()
            && let Some(object) = resource.as_object_mut()
        {
            object.shift_remove("meta");
        }
    }
    resource
}
