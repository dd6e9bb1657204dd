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

/// A feature that depends on the server's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Bulk exports, for which a server needs a store of objects.
    BulkExport,
}

/// The statement that a server with bulk exports implements.
const BULK_DATA: &str = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data";

/// The extension with the addresses of the authorization server (SMART App Launch).
const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";

/// The code system of ways to authenticate.
const SECURITY_SERVICES: &str = "http://terminology.hl7.org/CodeSystem/restful-security-service";

/// The `CapabilityStatement` of a server with these features. It contains no PHI and requires no authentication.
///
/// `origin` is the public address, `https://host`; `version` is the software's; `started` is the
/// start time of the process.
#[must_use]
pub fn statement(
    origin: &str,
    version: &str,
    started: OffsetDateTime,
    features: &[Feature],
) -> Value {
    let types = ResourceType::ALL.into_iter();
    let resources: Vec<Value> = types.map(|it| resource(it, features)).collect();
    let authorization = "A bearer token of this server: of a machine client by SMART Backend Services, \
                         of a person from POST /api/v1/tokens; or the session's cookie. URLs contain \
                         no identifying values: search with POST.";
    let token_endpoint = json!({ "url": "token", "valueUri": format!("{origin}/oauth/token") });
    let mut statement = json!({
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
            "security": {
                "extension": [{ "url": OAUTH_URIS, "extension": [token_endpoint] }],
                "cors": false,
                "service": [{ "coding": [{ "system": SECURITY_SERVICES, "code": "SMART-on-FHIR" }] }],
                "description": authorization
            },
            "resource": resources,
            "interaction": [{ "code": "transaction" }, { "code": "batch" }]
        }]
    });
    let of_server = operations::of_server(features);
    if !of_server.is_empty()
        && let Some(rest) = statement.pointer_mut("/rest/0")
    {
        put(rest, "operation", Value::Array(of_server));
    }
    if features.contains(&Feature::BulkExport) {
        put(&mut statement, "instantiates", json!([BULK_DATA]));
    }
    statement
}

/// Adds a member to an object.
fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// What applies to all types.
fn documentation() -> String {
    format!(
        "Ids are UUIDs in lower case. Create, update, patch and delete support If-Match and Prefer. Conditional create \
         (ifNoneExist), update and delete, by identifier, and conditional references are supported in a Bundle only, where \
         the condition is not part of a URL; they are atomic, also among concurrent requests. A resource contains only types \
         that every role which may read it may read as well: clinical and billing resources contain all types, others those \
         of their own class and of the directory. A transaction has at most {} entries, a batch at most {}; both may contain \
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

fn resource(resource_type: ResourceType, features: &[Feature]) -> Value {
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
        ("operation", operations::of_type(resource_type, features)),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        put(&mut declared, name, Value::Array(list));
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
