//! The `CapabilityStatement` that `GET /fhir/metadata` returns.

use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;

use super::ResourceType;
use super::instant_text;
use super::limits;
use super::search::PARAMETERS;

/// The `CapabilityStatement`. It contains no PHI and requires no authentication.
///
/// `origin` is the public address, `https://host`; `version` is the software's; `started` is the
/// start time of the process.
pub fn statement(origin: &str, version: &str, started: OffsetDateTime) -> Value {
    let resources: Vec<Value> = ResourceType::ALL.into_iter().map(resource).collect();
    let limits = format!(
        "A transaction has at most {} entries, a batch at most {}. References to entries of the \
         same Bundle are rewritten. Conditional requests are not supported in a Bundle. Ids are \
         UUIDs.",
        limits::MAX_TRANSACTION_ENTRIES,
        limits::MAX_BATCH_ENTRIES
    );
    let authorization = "A bearer token of this server, from POST /api/v1/tokens, or the session's \
                         cookie. URLs contain no identifying values: search with POST.";
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant_text(started),
        "kind": "instance",
        "software": { "name": "app", "version": version },
        "implementation": { "description": "Clinical records", "url": format!("{origin}/fhir") },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{
            "mode": "server",
            "documentation": limits,
            "security": { "cors": false, "description": authorization },
            "resource": resources,
            "interaction": [{ "code": "transaction" }, { "code": "batch" }]
        }]
    })
}

fn resource(resource_type: ResourceType) -> Value {
    let mut interactions = vec![json!({ "code": "read" })];
    let create = json!({
        "code": "create", "documentation": "In a transaction or batch; the server assigns the id."
    });
    let update = json!({
        "code": "update", "documentation": "In a transaction or batch, with a UUID as id."
    });
    interactions.extend([create, update]);
    let mut declared = json!({
        "type": resource_type.name(),
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{resource_type}"),
        "versioning": "versioned",
        "readHistory": false,
        "updateCreate": true,
        "conditionalCreate": false,
        "conditionalRead": "full-support",
        "conditionalUpdate": false,
        "referencePolicy": ["literal", "local"],
    });
    let mut parameters = Vec::new();
    if resource_type == ResourceType::Patient {
        interactions.push(json!({ "code": "search-type", "documentation": "By POST only." }));
        parameters.extend(PARAMETERS.map(|(name, kind)| json!({ "name": name, "type": kind })));
    }
    if let Some(declared) = declared.as_object_mut() {
        declared.insert("interaction".to_owned(), Value::Array(interactions));
        if !parameters.is_empty() {
            declared.insert("searchParam".to_owned(), Value::Array(parameters));
        }
    }
    declared
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn every_supported_type_is_declared_and_only_patients_are_searchable() {
        let at = datetime!(2026-11-23 15:00 UTC);
        let statement = statement("https://localhost:8443", "0.1.0", at);
        assert_eq!(statement["fhirVersion"], "4.0.1");
        assert_eq!(statement["kind"], "instance");
        assert_eq!(
            statement["implementation"]["url"],
            "https://localhost:8443/fhir"
        );
        let resources = statement["rest"][0]["resource"]
            .as_array()
            .expect("resources");
        let names: Vec<_> = resources
            .iter()
            .filter_map(|it| it["type"].as_str())
            .collect();
        assert_eq!(names, ResourceType::ALL.map(ResourceType::name));
        let searchable = |it: &&Value| it.get("searchParam").is_some();
        assert_eq!(resources.iter().filter(searchable).count(), 1);
    }
}
