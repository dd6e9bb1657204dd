//! Example bodies of requests.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::METHODS;

/// Adds the examples of operations to their request bodies.
pub(super) fn add(document: &mut Value) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for item in paths.into_iter().flat_map(Map::values_mut) {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                add_to(operation);
            }
        }
    }
}

/// Adds the example to the first media type of an operation's body.
fn add_to(operation: &mut Value) {
    let id = operation.get("operationId").and_then(Value::as_str);
    let Some(example) = id.and_then(of_operation) else {
        return;
    };
    let content = operation.pointer_mut("/requestBody/content");
    let media_types = content.and_then(Value::as_object_mut);
    let first = media_types.and_then(|it| it.values_mut().next());
    if let Some(first) = first.and_then(Value::as_object_mut) {
        first.insert("example".to_owned(), example);
    }
}

/// The example body of an operation.
pub(super) fn of_operation(id: &str) -> Option<Value> {
    Some(match id {
        "fhir.create" | "fhir.validate" | "fhir.validate_type" => observation(None),
        "fhir.update" | "fhir.validate_resource" => {
            observation(Some("0b6f2f5e-3a52-4c0b-9d0e-7d6a3c1f9b10"))
        }
        "fhir.patch" => json!([{ "op": "replace", "path": "/status", "value": "amended" }]),
        "fhir.bundle" => bundle(),
        "fhir.search_by_form" => json!("family=smith&birthdate=ge1980"),
        "workflow.issue_token" => {
            json!({ "email": "clinician@example.org", "password": "a long passphrase" })
        }
        _ => return None,
    })
}

fn observation(id: Option<&str>) -> Value {
    let mut resource = json!({ "resourceType": "Observation" });
    let elements = json!({
        "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "8867-4", "display": "Heart rate" }] },
        "subject": { "reference": "Patient/c757873d-ec9a-4326-a141-556f43239520" },
        "effectiveDateTime": "2026-11-29T10:00:00Z",
        "valueQuantity": {
            "value": 72, "unit": "beats/minute", "system": "http://unitsofmeasure.org", "code": "/min"
        }
    });
    if let (Some(resource), Value::Object(elements)) = (resource.as_object_mut(), elements) {
        resource.extend(id.map(|id| ("id".to_owned(), Value::from(id))));
        resource.extend(elements);
    }
    resource
}

/// A patient that is created once, by its record number, and a condition of it.
fn bundle() -> Value {
    let number = "https://clinic.example/mrn";
    let patient = "urn:uuid:7a0e3d1c-98f4-4d4e-8a55-1f3c5a7b9d20";
    json!({
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": patient,
                "resource": {
                    "resourceType": "Patient",
                    "identifier": [{ "system": number, "value": "4711" }],
                    "name": [{ "family": "Archer", "given": ["Ada"] }],
                    "birthDate": "1980-02-29"
                },
                "request": {
                    "method": "POST", "url": "Patient", "ifNoneExist": format!("identifier={number}|4711")
                }
            },
            {
                "resource": {
                    "resourceType": "Condition",
                    "subject": { "reference": patient },
                    "code": { "text": "Hypertension" }
                },
                "request": { "method": "POST", "url": "Condition" }
            }
        ]
    })
}

#[cfg(test)]
mod tests {
    use fhir::JsonPatch;
    use fhir::Resource;
    use fhir::SensitiveJson;
    use fhir::bundle;

    use super::*;

    #[test]
    fn an_example_is_a_valid_request() {
        for id in ["fhir.create", "fhir.update", "fhir.validate"] {
            let example = SensitiveJson::new(of_operation(id).unwrap());
            assert!(Resource::validate(example, None).is_ok(), "{id}");
        }
        let patch = of_operation("fhir.patch").unwrap().to_string();
        assert!(JsonPatch::parse(patch.as_bytes()).is_ok());
        let transaction = of_operation("fhir.bundle").unwrap().to_string();
        let base = "https://localhost:8443/fhir";
        assert!(bundle::parse(transaction.as_bytes(), Some(base)).is_ok());
        let form = of_operation("fhir.search_by_form").unwrap();
        let form = form.as_str().unwrap().as_bytes();
        assert!(fhir::search::parse(form, None).is_ok());
    }
}
