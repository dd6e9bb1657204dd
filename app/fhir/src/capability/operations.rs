//! The operations of types and of the server.

use serde_json::Value;
use serde_json::json;

use super::Feature;
use crate::ResourceType;

/// An operation, as the statement declares it.
struct Operation {
    /// The name, without `$`.
    name: &'static str,
    /// The canonical URL of its definition.
    definition: &'static str,
    /// Whether a type has it.
    is_of: fn(ResourceType) -> bool,
    /// The feature that a server without it does not have.
    feature: Option<Feature>,
}

/// The operations of types.
const OF_TYPES: [Operation; 4] = [
    Operation {
        name: "everything",
        definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        is_of: |it| matches!(it, ResourceType::Patient),
        feature: None,
    },
    Operation {
        name: "validate",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        is_of: |_every| true,
        feature: None,
    },
    Operation {
        name: "patient-export",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export",
        is_of: |it| matches!(it, ResourceType::Patient),
        feature: Some(Feature::BulkExport),
    },
    Operation {
        name: "group-export",
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export",
        is_of: |it| matches!(it, ResourceType::Group),
        feature: Some(Feature::BulkExport),
    },
];

/// The operations of the server as a whole.
const OF_SERVER: [Operation; 1] = [Operation {
    name: "export",
    definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
    is_of: |_none| false,
    feature: Some(Feature::BulkExport),
}];

impl Operation {
    /// Whether a server with these features has it.
    fn is_offered(&self, features: &[Feature]) -> bool {
        self.feature.is_none_or(|it| features.contains(&it))
    }

    fn declaration(&self) -> Value {
        json!({ "name": self.name, "definition": self.definition })
    }
}

/// The operations of a type, as elements of the statement.
pub(super) fn of_type(resource_type: ResourceType, features: &[Feature]) -> Vec<Value> {
    let of_type = OF_TYPES.iter().filter(|it| (it.is_of)(resource_type));
    let of_type = of_type.filter(|it| it.is_offered(features));
    of_type.map(Operation::declaration).collect()
}

/// The operations of the server, as elements of the statement.
pub(super) fn of_server(features: &[Feature]) -> Vec<Value> {
    let of_server = OF_SERVER.iter().filter(|it| it.is_offered(features));
    of_server.map(Operation::declaration).collect()
}
