//! The operations of types.

use serde_json::Value;
use serde_json::json;

use crate::ResourceType;

/// An operation, as the statement declares it.
struct Operation {
    /// The name, without `$`.
    name: &'static str,
    /// The canonical URL of its definition.
    definition: &'static str,
    /// Whether a type has it.
    is_of: fn(ResourceType) -> bool,
}

/// The operations that are supported.
const OPERATIONS: [Operation; 2] = [
    Operation {
        name: "everything",
        definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        is_of: |it| matches!(it, ResourceType::Patient),
    },
    Operation {
        name: "validate",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        is_of: |_every| true,
    },
];

/// The operations of a type, as elements of the statement.
pub(super) fn of_type(resource_type: ResourceType) -> impl Iterator<Item = Value> {
    let of_type = OPERATIONS
        .iter()
        .filter(move |it| (it.is_of)(resource_type));
    of_type.map(|it| json!({ "name": it.name, "definition": it.definition }))
}
