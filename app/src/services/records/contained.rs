//! Contained resources: they are disclosed with their container, so that the policy decides what it may contain.

use access::DataClass;
use access::may_contain;
use fhir::Issue;
use fhir::IssueCode;
use fhir::Resource;
use fhir::ResourceType;
use serde_json::Value;

use super::class_of;

/// The classes of resources that are stored.
const STORED: [DataClass; 4] = [
    DataClass::Demographics,
    DataClass::Clinical,
    DataClass::Directory,
    DataClass::Billing,
];

/// The index of a contained resource of a class which not every role that may read the container may read; none if there is
/// no such resource.
pub(crate) fn refused_contained(resource: &Resource) -> Option<usize> {
    let container = class_of(resource.resource_type());
    let items = resource.value().get("contained")?.as_array()?;
    items.iter().position(|item| {
        let name = item.get("resourceType").and_then(Value::as_str);
        !may_contain_type(container, name.unwrap_or_default())
    })
}

/// The issue of a resource that is refused because of [`refused_contained`]. `path` is the path of the container.
pub(crate) fn contained_issue(path: &str, index: usize) -> Issue {
    let why = "a contained resource is read with its container, and some roles that may read the container may not read this \
               type: store it as a resource of its own, and refer to it";
    let at = format!("{path}.contained[{index}]");
    Issue::new(IssueCode::BusinessRule, why).at(&at)
}

/// Whether a resource of a class may contain one of a type. A type that is not stored, such as Parameters, has no class: it may
/// have data of any.
fn may_contain_type(container: DataClass, name: &str) -> bool {
    match name.parse::<ResourceType>() {
        Ok(content) => may_contain(container, class_of(content)),
        Err(_) => STORED
            .into_iter()
            .all(|class| may_contain(container, class)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_pair_of_types_follows_the_policy() {
        for container in ResourceType::ALL {
            for content in ResourceType::ALL {
                let may = may_contain(class_of(container), class_of(content));
                let class = class_of(container);
                assert_eq!(may_contain_type(class, content.name()), may);
            }
        }
    }

    #[test]
    fn a_type_without_a_class_is_contained_where_every_type_is() {
        for container in ResourceType::ALL.map(class_of) {
            let mut stored = ResourceType::ALL.into_iter();
            let contains_all = stored.all(|it| may_contain_type(container, it.name()));
            for name in ["Parameters", "Bundle", "OperationOutcome", "Unknown", ""] {
                let may = may_contain_type(container, name);
                assert_eq!(may, contains_all, "{container:?} {name}");
            }
        }
        assert!(!may_contain_type(DataClass::Directory, "Parameters"));
    }

    #[test]
    fn a_refusal_names_the_path_of_the_contained_resource() {
        let patient = json!({
            "resourceType": "Patient",
            "contained": [
                {"resourceType": "Organization", "id": "o", "name": "x"},
                {"resourceType": "Condition", "id": "c", "subject": {"reference": "#"}}
            ],
            "managingOrganization": {"reference": "#o"}
        });
        let patient = Resource::from_stored_bytes(patient.to_string().as_bytes()).unwrap();
        let index = refused_contained(&patient).unwrap();
        let issue = contained_issue("Bundle.entry[2].resource", index);
        let expected = "Bundle.entry[2].resource.contained[1]";
        assert_eq!(issue.expression.as_deref(), Some(expected));
        let observation = json!({
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "x"},
            "contained": [{"resourceType": "Patient", "id": "p"}],
            "focus": [{"reference": "#p"}]
        });
        let observation = Resource::from_stored_bytes(observation.to_string().as_bytes()).unwrap();
        assert!(refused_contained(&observation).is_none());
    }
}
