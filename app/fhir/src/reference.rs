//! References between resources.

use serde_json::Value;
use uuid::Uuid;

use super::ElementPath;
use super::Issue;
use super::IssueCode;
use super::ResourceType;

/// A relative reference: `Patient/` and an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The resource type.
    pub resource_type: ResourceType,
    /// The id.
    pub id: Uuid,
}

impl Reference {
    /// Parses `Type/uuid` of a supported type; a version and a fragment are ignored.
    #[must_use]
    pub fn parse(reference: &str) -> Option<Self> {
        let url = reference.split('#').next()?;
        let parts = restful(url).filter(|parts| parts.base.is_none())?;
        Some(Self {
            resource_type: parts.resource_type.parse().ok()?,
            id: parse_id(parts.id).ok()?,
        })
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.resource_type, self.id)
    }
}

/// Parses a resource's id: a UUID in its canonical form, lower case with hyphens.
///
/// # Errors
///
/// An issue that says why the id is refused.
pub fn parse_id(id: &str) -> Result<Uuid, Issue> {
    let is_canonical = |uuid: &Uuid| {
        let mut buffer = Uuid::encode_buffer();
        *uuid.hyphenated().encode_lower(&mut buffer) == *id
    };
    Uuid::try_parse(id).ok().filter(is_canonical).ok_or_else(|| {
        let why = "an id must be a UUID in lower case: ids appear in URLs and logs, so they must not be \
                   a record number or another value that identifies a person; cargo stack import --map-ids gives \
                   resources with other ids UUIDs, and keeps the original ids as identifiers";
        Issue::new(IssueCode::Value, why)
    })
}

/// The parts of a `RESTful` URL: `[base/]Type/id[/_history/version]`
/// (<https://hl7.org/fhir/R4/references.html#regex>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RestfulUrl<'u> {
    /// `https://host/fhir`; `None` for a relative reference.
    pub(crate) base: Option<&'u str>,
    /// The name of any FHIR resource type.
    pub(crate) resource_type: &'u str,
    /// The logical id: 1 to 64 letters, digits, hyphens and dots.
    pub(crate) id: &'u str,
    /// The version id.
    pub(crate) version: Option<&'u str>,
}

/// Parses a `RESTful` URL; `None` for other texts.
pub(crate) fn restful(url: &str) -> Option<RestfulUrl<'_>> {
    let (plain, version) = match url.split_once("/_history/") {
        Some((plain, version)) => (plain, Some(version)),
        None => (url, None),
    };
    let (before, id) = plain.rsplit_once('/')?;
    let (base, resource_type) = match before.rsplit_once('/') {
        Some((base, name)) => (Some(base), name),
        None => (None, before),
    };
    let is_base = |base: &str| {
        let host = base
            .strip_prefix("http://")
            .or_else(|| base.strip_prefix("https://"));
        host.is_some_and(|host| !host.is_empty() && !host.contains(['?', '#']))
    };
    let is_name = resource_type.starts_with(|letter: char| letter.is_ascii_uppercase())
        && resource_type.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_valid = base.is_none_or(is_base) && is_name && is_id(id) && version.is_none_or(is_id);
    is_valid.then_some(RestfulUrl {
        base,
        resource_type,
        id,
        version,
    })
}

fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

/// Calls `visit` with each reference of a resource (a string named `reference`) and its path.
pub(crate) fn each_reference(
    value: &Value,
    path: &ElementPath<'_>,
    visit: &mut dyn FnMut(&str, &ElementPath<'_>),
) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_reference(item, &ElementPath::Item(path, index), visit);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let path = ElementPath::Field(path, name);
                if let ("reference", Value::String(text)) = (name.as_str(), member) {
                    visit(text, &path);
                } else {
                    each_reference(member, &path, visit);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Calls `change` with each reference of a resource (a string named `reference`) and its path.
pub(crate) fn each_reference_mut(
    value: &mut Value,
    path: &ElementPath<'_>,
    change: &mut dyn FnMut(&mut String, &ElementPath<'_>),
) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                each_reference_mut(item, &ElementPath::Item(path, index), change);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let path = ElementPath::Field(path, name);
                if let ("reference", Value::String(text)) = (name.as_str(), &mut *member) {
                    change(text, &path);
                } else {
                    each_reference_mut(member, &path, change);
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
    fn only_a_supported_type_with_a_uuid_is_a_reference() {
        let reference = Reference::parse(&format!("Patient/{ID}")).expect("a reference");
        assert_eq!(reference.to_string(), format!("Patient/{ID}"));
        for other in [
            format!("Parameters/{ID}"),
            "Patient/123".to_owned(),
            format!("#{ID}"),
        ] {
            assert_eq!(Reference::parse(&other), None);
        }
    }

    #[test]
    fn an_id_has_one_form() {
        assert!(parse_id(ID).is_ok());
        for other in [
            ID.to_uppercase(),
            ID.replace('-', ""),
            format!("{{{ID}}}"),
            "123".to_owned(),
        ] {
            let issue = parse_id(&other).expect_err(&other);
            let outcome = crate::OperationOutcome::bad_request(issue).to_json().to_string();
            assert!(outcome.contains("--map-ids"), "{outcome}");
        }
    }

    #[test]
    fn references_are_found_at_any_depth() {
        let mut value = json!({
            "subject": {"reference": "a"},
            "extension": [{"valueReference": {"reference": "b"}}],
            "activity": [{"reference": {"reference": "c"}}]
        });
        let mut found = Vec::new();
        each_reference_mut(&mut value, &ElementPath::Root("X"), &mut |text, path| {
            found.push(format!("{path}={text}"));
        });
        let expected = [
            "X.subject.reference=a",
            "X.extension[0].valueReference.reference=b",
            "X.activity[0].reference.reference=c",
        ];
        assert_eq!(found, expected);
    }
}
