//! The `CapabilityStatement` that `GET /fhir/metadata` returns, from the tables of types, interactions, parameters and
//! operations.

mod includes;
mod interactions;
mod operations;

use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;

use super::JSON_PATCH;
use super::ResourceClass;
use super::ResourceType;
use super::instant_text;
use super::limits;
use super::resource_type::Owner;
use super::search::PARAMETERS;
use super::search::SearchParameter;
use includes::Inclusion;

/// The parameters that every type has, besides those of R4's table: name and type. A Patient's own table has them.
const OF_EVERY_TYPE: [(&str, &str); 2] = [("_id", "token"), ("_lastUpdated", "date")];

/// The `CapabilityStatement`. It contains no PHI and requires no authentication.
///
/// `origin` is the public address, `https://host`; `version` is the software's; `started` is the
/// start time of the process.
pub fn statement(origin: &str, version: &str, started: OffsetDateTime) -> Value {
    let resources: Vec<Value> = ResourceType::ALL.into_iter().map(resource).collect();
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
        "patchFormat": [JSON_PATCH],
        "rest": [{
            "mode": "server",
            "documentation": documentation(),
            "security": { "cors": false, "description": authorization },
            "resource": resources,
            "interaction": [{ "code": "transaction" }, { "code": "batch" }]
        }]
    })
}

/// What applies to all types.
fn documentation() -> String {
    format!(
        "Ids are UUIDs in lower case. Create, update, patch and delete support If-Match and Prefer. Conditional create \
         (ifNoneExist), update and delete, by identifier, and conditional references are supported in a Bundle only, where \
         the condition is not part of a URL. A transaction has at most {} entries, a batch at most {}; both may contain \
         reads and searches. The URL of a search may contain opaque ids, _lastUpdated, category and status with general \
         codes, and parameters of the result; every other parameter is sent in the form of POST [type]/_search. A search \
         for resources of patients, and the history of a type, is inside one chart: patient (or subject) names it. Pages \
         have at most {} resources; a next link is valid for an hour, for the person that it was sent to. _revinclude \
         may also name parameters that refer to resources of any type; _has and chaining are not supported.",
        limits::MAX_TRANSACTION_ENTRIES,
        limits::MAX_BATCH_ENTRIES,
        limits::MAX_COUNT,
    )
}

fn resource(resource_type: ResourceType) -> Value {
    let interactions = interactions::of_type(resource_type);
    let mut declared = json!({
        "type": resource_type.name(),
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{resource_type}"),
        "documentation": ownership(resource_type),
        "interaction": interactions.map(|code| json!({ "code": code })).collect::<Vec<_>>(),
        "versioning": "versioned",
        "readHistory": true,
        "updateCreate": true,
        "conditionalCreate": false,
        "conditionalRead": "full-support",
        "conditionalUpdate": false,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "local"],
    });
    let lists = [
        ("searchInclude", names(includes::includes(resource_type))),
        (
            "searchRevInclude",
            names(includes::revincludes(resource_type)),
        ),
        ("searchParam", search_parameters(resource_type)),
        ("operation", operations::of_type(resource_type).collect()),
    ];
    if let Some(declared) = declared.as_object_mut() {
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            declared.insert(name.to_owned(), Value::Array(list));
        }
    }
    declared
}

fn names(inclusions: impl Iterator<Item = Inclusion>) -> Vec<Value> {
    inclusions
        .map(|inclusion| Value::String(inclusion.to_string()))
        .collect()
}

/// The search parameters of one type: name and type.
fn search_parameters(resource_type: ResourceType) -> Vec<Value> {
    let named = |(name, kind): (&str, &str)| json!({ "name": name, "type": kind });
    if resource_type == ResourceType::Patient {
        return PARAMETERS.into_iter().map(named).collect();
    }
    let of_type = resource_type.search_parameters();
    let of_type = of_type.map(|it: &SearchParameter| (it.name(), it.kind().name()));
    OF_EVERY_TYPE
        .into_iter()
        .chain(of_type)
        .map(named)
        .collect()
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
mod tests;
