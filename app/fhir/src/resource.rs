//! A resource of a supported type: validated, and otherwise kept as sent.

use std::fmt;

use serde_json::Map;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::ElementPath;
use super::Issue;
use super::IssueCode;
use super::Issues;
use super::ResourceType;
use super::VersionMeta;
use super::instant_text;
use super::parse_id;
use super::sensitive_json::SensitiveJson;
use super::sensitive_json::zeroize_strings;
use super::validate;

mod owner;

/// A resource of a supported type, validated against R4.
///
/// PHI: it is zeroized on drop, its `Debug` shows the type only, and it has no `Serialize`. All
/// elements are kept as sent, except `meta.versionId` and `meta.lastUpdated`, which the server
/// assigns.
pub struct Resource {
    resource_type: ResourceType,
    document: SensitiveJson,
}

/// The error for stored bytes that this server did not write: they are not a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are not a resource")]
pub struct NotAResource;

impl Resource {
    /// Parses and validates a resource.
    ///
    /// # Errors
    ///
    /// The issues, each with its path.
    #[cfg(test)]
    pub fn parse(bytes: &[u8]) -> Result<Self, Issues> {
        let document = SensitiveJson::parse(bytes)?;
        Self::validate(document, None)
    }

    /// Validates a parsed document. `path` is its path in a Bundle; without one, paths begin with the
    /// name of its type.
    ///
    /// # Errors
    ///
    /// The issues, each with its path.
    pub fn validate(document: SensitiveJson, path: Option<&str>) -> Result<Self, Issues> {
        let root = ElementPath::Root(path.unwrap_or("Resource"));
        let Some(object) = document.value().as_object() else {
            let issue =
                Issue::new(IssueCode::Structure, "a resource must be a JSON object").at(&root);
            return Err(issue.into());
        };
        let at = ElementPath::Field(&root, "resourceType");
        let Some(name) = object.get("resourceType") else {
            let missing = Issue::new(IssueCode::Required, "resourceType is required");
            return Err(missing.at(&at).into());
        };
        let named: Result<ResourceType, _> = name.as_str().unwrap_or_default().parse();
        let resource_type = named.map_err(|unknown| Issues::from(Issue::from(unknown).at(&at)))?;
        let issues = validate::check(
            resource_type,
            object,
            &ElementPath::Root(path.unwrap_or(resource_type.name())),
        );
        if !issues.is_empty() {
            return Err(issues);
        }
        let mut resource = Self {
            resource_type,
            document,
        };
        resource.remove_server_meta();
        Ok(resource)
    }

    /// Parses what [`Self::to_bytes`] has written, without validating it again.
    ///
    /// # Errors
    ///
    /// The bytes are not a resource of a supported type.
    pub fn from_stored_bytes(bytes: &[u8]) -> Result<Self, NotAResource> {
        let document = SensitiveJson::parse_stored(bytes).map_err(|_malformed| NotAResource)?;
        let name = document.value().get("resourceType").and_then(Value::as_str);
        let resource_type = name
            .and_then(|name| name.parse().ok())
            .ok_or(NotAResource)?;
        Ok(Self {
            resource_type,
            document,
        })
    }

    /// The resource type.
    #[must_use]
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// The id; `None` without one, or if it is not a UUID.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        self.id_text().and_then(|id| parse_id(id).ok())
    }

    /// The id as sent.
    pub fn id_text(&self) -> Option<&str> {
        self.document.value().get("id").and_then(Value::as_str)
    }

    /// Sets the id.
    pub fn set_id(&mut self, id: Uuid) {
        if let Some(object) = self.document.value_mut().as_object_mut() {
            put(object, "id", Value::String(id.to_string()));
        }
    }

    /// The resource's JSON, mutable, for references to be rewritten.
    pub(crate) fn value_mut(&mut self) -> &mut Value {
        self.document.value_mut()
    }

    /// Removes the elements that only the server assigns: the version and its time.
    fn remove_server_meta(&mut self) {
        let Some(object) = self.document.value_mut().as_object_mut() else {
            return;
        };
        let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) else {
            return;
        };
        for name in ["versionId", "_versionId", "lastUpdated", "_lastUpdated"] {
            meta.shift_remove(name);
        }
        if meta.is_empty() {
            object.shift_remove("meta");
        }
    }

    /// The resource with its version and the version's time, for a response.
    #[must_use]
    pub fn with_meta(mut self, version: VersionMeta) -> Self {
        if let Some(object) = self.document.value_mut().as_object_mut() {
            if !object.get("meta").is_some_and(Value::is_object) {
                put(object, "meta", Value::Object(Map::new()));
            }
            if let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) {
                meta.insert(
                    "versionId".to_owned(),
                    Value::String(version.version.to_string()),
                );
                let at = Value::String(instant_text(version.last_updated));
                meta.insert("lastUpdated".to_owned(), at);
            }
        }
        self
    }

    /// The resource as JSON, to be sealed or, after [`Self::with_meta`], to be sent.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.document.to_bytes()
    }

    /// The resource's JSON.
    #[must_use]
    pub fn value(&self) -> &Value {
        self.document.value()
    }

    /// The resource as a document, for a response.
    #[must_use]
    pub fn into_document(self) -> SensitiveJson {
        self.document
    }

    /// The resource's JSON, for a larger document that zeroizes it.
    pub(super) fn into_value(self) -> Value {
        self.document.into_value()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({}, [redacted])", self.resource_type)
    }
}

/// Sets a member at its usual position: `id` after the type, `meta` after the id.
fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    if let Some(old) = object.get_mut(name) {
        zeroize_strings(old);
        *old = value;
    } else {
        let before = ["resourceType", "id"]
            .iter()
            .filter(|n| object.contains_key(**n))
            .count();
        object.shift_insert(before.min(object.len()), name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";

    fn resource(value: &Value) -> Resource {
        Resource::parse(value.to_string().as_bytes()).expect("valid")
    }

    #[test]
    fn the_meta_of_a_client_is_not_stored() {
        let patient = resource(&json!({
            "resourceType": "Patient",
            "meta": {"versionId": "9", "lastUpdated": "2020-01-01T00:00:00Z", "profile": ["p"]},
            "active": true
        }));
        let stored = patient.to_bytes();
        let expected = r#"{"resourceType":"Patient","meta":{"profile":["p"]},"active":true}"#;
        assert_eq!(std::str::from_utf8(&stored).expect("text"), expected);
        let bare = resource(&json!({"resourceType": "Patient", "meta": {"versionId": "9"}}));
        assert_eq!(*bare.to_bytes(), br#"{"resourceType":"Patient"}"#);
    }

    #[test]
    fn a_response_contains_the_version() {
        let mut patient = resource(&json!({"resourceType": "Patient", "active": true}));
        patient.set_id(parse_id(PATIENT).expect("a UUID"));
        let stored = patient.to_bytes();
        let at = datetime!(2026-11-23 15:02:07.123456 UTC);
        let meta = VersionMeta {
            version: 2,
            last_updated: at,
        };
        let response = Resource::from_stored_bytes(&stored)
            .expect("stored")
            .with_meta(meta);
        let expected = format!(
            r#"{{"resourceType":"Patient","id":"{PATIENT}","meta":{{"versionId":"2","lastUpdated":"2026-11-23T15:02:07.123Z"}},"active":true}}"#
        );
        assert_eq!(
            std::str::from_utf8(&response.to_bytes()).expect("text"),
            expected
        );
        assert_eq!(meta.etag(), "W/\"2\"");
    }

    #[test]
    fn numbers_are_returned_as_written_and_strings_with_the_same_value() {
        let observation = |value: &str, text: &str| {
            format!(
                r#"{{"resourceType":"Observation","status":"final","code":{{"text":"{text}"}},"valueQuantity":{{"value":{value}}}}}"#
            )
        };
        for number in [
            "1E-22",
            "1e-22",
            "1.0E+2",
            "1.0e+02",
            "-0.00",
            "0.10",
            "100",
            "1e400",
            "-1.50E3",
            "0.1000000000000000055511151231257827",
        ] {
            let sent = observation(number, "x");
            let stored = Resource::parse(sent.as_bytes()).expect("valid").to_bytes();
            assert_eq!(std::str::from_utf8(&stored).expect("text"), sent);
            let again = Resource::from_stored_bytes(&stored).expect("stored");
            assert_eq!(*again.to_bytes(), *stored);
        }
        let escaped = observation("1", r"\u00e9\/\ud83d\ude00\u0092\n\t");
        let plain = observation("1", "é/😀\u{92}\\n\\t");
        let stored = Resource::parse(escaped.as_bytes())
            .expect("valid")
            .to_bytes();
        assert_eq!(std::str::from_utf8(&stored).expect("text"), plain);
    }

    #[test]
    fn debug_shows_the_type_only() {
        let patient = resource(&json!({"resourceType": "Patient", "name": [{"family": "Secret"}]}));
        assert_eq!(format!("{patient:?}"), "Resource(Patient, [redacted])");
    }

    #[test]
    fn a_type_that_is_not_stored_is_refused_with_the_reason() {
        let issues = Resource::parse(br#"{"resourceType":"Bot"}"#).expect_err("refused");
        let issues = issues.listed();
        assert_eq!(issues[0].code, IssueCode::NotSupported);
        assert_eq!(
            issues[0].expression.as_deref(),
            Some("Resource.resourceType")
        );
        let parameters = Resource::parse(br#"{"resourceType":"Parameters"}"#).expect_err("refused");
        let reason = crate::refused_reason("Parameters").expect("a reason");
        assert_eq!(parameters.listed()[0].diagnostics, reason);
        let untyped = Resource::parse(b"{}").expect_err("refused");
        assert_eq!(untyped.listed()[0].code, IssueCode::Required);
        assert!(Resource::parse(b"[]").is_err());
    }
}
