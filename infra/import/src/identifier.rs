//! The original id of a resource, kept as an identifier.

use std::collections::BTreeMap;

use fhir::Resource;
use fhir::ResourceType;
use fhir::SensitiveJson;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The form of `identifier` in a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdentifierElement {
    /// A list.
    List,
    /// One at most.
    Single,
    /// The type has none.
    Absent,
}

/// The form of `identifier` in each stored type; none before it is read.
#[derive(Debug, Default)]
pub(super) struct IdentifierElements(BTreeMap<&'static str, IdentifierElement>);

impl IdentifierElements {
    /// Reads HL7's definitions, by validation of a resource of each type that has nothing but an identifier.
    pub(super) fn read() -> Self {
        let of = |resource_type: ResourceType| {
            let name = resource_type.name();
            let identifier = json!({"system": "urn:x", "value": "x"});
            let form = if accepts(name, &json!([identifier])) {
                IdentifierElement::List
            } else if accepts(name, &identifier) {
                IdentifierElement::Single
            } else {
                IdentifierElement::Absent
            };
            (name, form)
        };
        Self(ResourceType::ALL.into_iter().map(of).collect())
    }

    /// Adds the id that a source gave a resource, unless the resource has it already. A single identifier of the source's
    /// own is kept instead.
    pub(super) fn add(&self, name: &str, fields: &mut Map<String, Value>, system: &str, id: &str) {
        // It has no type code: a record number (`MR`) is what the source declares as one.
        let identifier = json!({"system": system, "value": id});
        match self.0.get(name).unwrap_or(&IdentifierElement::Absent) {
            IdentifierElement::List => {
                let list = fields
                    .entry("identifier")
                    .or_insert_with(|| Value::Array(Vec::new()));
                let is_same = |it: &Value| {
                    it.get("system") == identifier.get("system")
                        && it.get("value") == identifier.get("value")
                };
                if let Some(list) = list.as_array_mut().filter(|list| !list.iter().any(is_same)) {
                    list.push(identifier);
                }
            }
            IdentifierElement::Single => {
                fields.entry("identifier").or_insert(identifier);
            }
            IdentifierElement::Absent => {}
        }
    }
}

/// Whether validation has nothing against this `identifier`.
fn accepts(name: &str, identifier: &Value) -> bool {
    let document = SensitiveJson::new(json!({"resourceType": name, "identifier": identifier}));
    let path = format!("{name}.identifier");
    Resource::validate(document, None).map_or_else(
        |issues| {
            !issues.listed().iter().any(|issue| {
                let at = issue.expression.as_deref().unwrap_or_default();
                at.starts_with(&path)
            })
        },
        |_valid| true,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_id_is_kept_once() {
        let elements = IdentifierElements::read();
        let mut patient = json!({"resourceType": "Patient"});
        for _ in 0..2 {
            let fields = patient.as_object_mut().unwrap();
            elements.add("Patient", fields, "https://h/fhir", "1234");
        }
        assert_eq!(
            patient["identifier"],
            json!([{"system": "https://h/fhir", "value": "1234"}])
        );
    }

    #[test]
    fn the_form_of_the_element_is_hl7s() {
        let elements = IdentifierElements::read();
        assert_eq!(elements.0["Patient"], IdentifierElement::List);
        assert_eq!(elements.0["Observation"], IdentifierElement::List);
        // Types of R4 that have one identifier or none, once the stack stores them.
        for (name, form) in [
            ("QuestionnaireResponse", IdentifierElement::Single),
            ("Composition", IdentifierElement::Single),
            ("Binary", IdentifierElement::Absent),
        ] {
            assert!(
                elements.0.get(name).is_none_or(|found| *found == form),
                "{name}"
            );
        }
    }
}
