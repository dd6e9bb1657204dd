//! The `CapabilityStatement` that `GET /fhir/metadata` returns.

use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;

use super::ResourceClass;
use super::ResourceType;
use super::instant_text;
use super::limits;
use super::resource_type::Owner;
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

/// The interactions of every type, each with its documentation.
const INTERACTIONS: &[(&str, Option<&str>)] = &[
    ("read", None),
    (
        "create",
        Some("In a transaction or batch; the server assigns the id."),
    ),
    (
        "update",
        Some("In a transaction or batch, with a UUID as id."),
    ),
];

/// The interactions of one type besides those of every type.
fn own_interactions(
    resource_type: ResourceType,
) -> &'static [(&'static str, Option<&'static str>)] {
    if resource_type == ResourceType::Patient {
        &[("search-type", Some("By POST only."))]
    } else {
        &[]
    }
}

/// The search parameters of one type: name and type.
fn search_parameters(resource_type: ResourceType) -> &'static [(&'static str, &'static str)] {
    if resource_type == ResourceType::Patient {
        &PARAMETERS
    } else {
        &[]
    }
}

fn resource(resource_type: ResourceType) -> Value {
    let interactions = INTERACTIONS.iter().chain(own_interactions(resource_type));
    let interactions = interactions.map(|(code, documentation)| match documentation {
        Some(documentation) => json!({ "code": code, "documentation": documentation }),
        None => json!({ "code": code }),
    });
    let mut declared = json!({
        "type": resource_type.name(),
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{resource_type}"),
        "documentation": ownership(resource_type),
        "interaction": interactions.collect::<Vec<_>>(),
        "versioning": "versioned",
        "readHistory": false,
        "updateCreate": true,
        "conditionalCreate": false,
        "conditionalRead": "full-support",
        "conditionalUpdate": false,
        "referencePolicy": ["literal", "local"],
    });
    let parameters = search_parameters(resource_type).iter();
    let parameters: Vec<_> = parameters
        .map(|(name, kind)| json!({ "name": name, "type": kind }))
        .collect();
    if let (Some(declared), false) = (declared.as_object_mut(), parameters.is_empty()) {
        declared.insert("searchParam".to_owned(), Value::Array(parameters));
    }
    declared
}

/// The owner of resources of a type, and what is refused because of it.
fn ownership(resource_type: ResourceType) -> String {
    let paths = resource_type.owner_paths().join(", ").replace("[]", "");
    match resource_type.owner() {
        Owner::Itself => "The owner of its chart.".to_owned(),
        Owner::Patient(_) => format!(
            "Owned by the one patient of: {paths}. Refused without a patient, about a group, a device or a \
             location, and about several patients."
        ),
        Owner::PatientOrOrganization(_) => format!(
            "Owned by the one patient of: {paths}; without one by the organization. Refused about several \
             patients."
        ),
        Owner::Organization if resource_type.class() == ResourceClass::Directory => {
            "Owned by the organization. Refused with a reference to a patient.".to_owned()
        }
        Owner::Organization => "Owned by the organization.".to_owned(),
    }
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
        for resource in resources {
            let documentation = resource["documentation"].as_str().expect("the owner");
            assert!(documentation.contains("wne"), "{documentation}");
        }
    }

    #[test]
    fn the_statement_is_valid() {
        let at = datetime!(2026-11-23 15:00 UTC);
        let statement = statement("https://localhost:8443", "0.1.0", at);
        let document = crate::SensitiveJson::new(statement);
        assert!(crate::Resource::validate(document, None).is_ok());
    }
}
