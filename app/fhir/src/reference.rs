//! References between resources.

use serde_json::Value;
use uuid::Uuid;

use super::{Issue, IssueCode, ResourceType};

/// The resource that a relative reference (`Patient/…`) names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Its type.
    pub resource_type: ResourceType,
    /// Its id.
    pub id: Uuid,
}

impl Reference {
    /// Reads `Type/uuid`, of a kept type.
    pub fn parse(reference: &str) -> Option<Self> {
        let (resource_type, id) = reference.split_once('/')?;
        Some(Self {
            resource_type: resource_type.parse().ok()?,
            id: parse_id(id).ok()?,
        })
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.resource_type, self.id)
    }
}

/// Reads a resource's id: a UUID in lower case with hyphens, in exactly one spelling.
///
/// # Errors
///
/// Why it is refused.
pub fn parse_id(id: &str) -> Result<Uuid, Issue> {
    let spelled = |uuid: &Uuid| {
        let mut buffer = Uuid::encode_buffer();
        *uuid.hyphenated().encode_lower(&mut buffer) == *id
    };
    Uuid::try_parse(id).ok().filter(spelled).ok_or_else(|| {
        let why = "ids are UUIDs in lower case here: an id stands in URLs and logs, so it must not be \
                   a record number or any other value that tells of a person";
        Issue::new(IssueCode::Value, why)
    })
}

/// Shows every reference (a string named `reference`) of a resource, to be changed in place.
pub(super) fn each_reference_mut(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::Array(items) => {
            for item in items {
                each_reference_mut(item, change);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if let ("reference", Value::String(text)) = (name.as_str(), &mut *member) {
                    change(text);
                } else {
                    each_reference_mut(member, change);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

    #[test]
    fn only_a_kept_type_with_a_uuid_is_a_target() {
        let target = Reference::parse(&format!("Patient/{ID}")).expect("a target");
        assert_eq!(target.to_string(), format!("Patient/{ID}"));
        for other in [
            format!("Claim/{ID}"),
            "Patient/123".to_owned(),
            format!("#{ID}"),
        ] {
            assert_eq!(Reference::parse(&other), None);
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        assert!(parse_id(ID).is_ok());
        for other in [
            ID.to_uppercase(),
            ID.replace('-', ""),
            format!("{{{ID}}}"),
            "123".to_owned(),
        ] {
            assert!(parse_id(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        let mut value = json!({
            "subject": {"reference": "a"},
            "extension": [{"valueReference": {"reference": "b"}}],
            "activity": [{"reference": {"reference": "c"}}]
        });
        let mut found = Vec::new();
        each_reference_mut(&mut value, &mut |text| found.push(text.clone()));
        assert_eq!(found, ["a", "b", "c"]);
    }
}
