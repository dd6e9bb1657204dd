//! One resource: validated R4 of a supported type, complete as it was sent.

use std::fmt;

use serde_json::Map;
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Compartment;
use super::ElementPath;
use super::Issue;
use super::IssueCode;
use super::Issues;
use super::Reference;
use super::ResourceType;
use super::parse_id;
use super::sensitive_json::SensitiveJson;
use super::sensitive_json::wipe;
use super::validate;

/// A resource of a supported type, validated against R4.
///
/// It holds PHI: it is wiped when dropped, its `Debug` shows the type only, and it has no
/// `Serialize`. Nothing of what came in is lost but `meta.versionId` and `meta.lastUpdated`, which
/// are the server's.
pub struct Resource {
    resource_type: ResourceType,
    document: SensitiveJson,
}

/// The version of a stored resource and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionMeta {
    /// Counted from 1 for each resource.
    pub version: u64,
    /// When this version was written.
    pub last_updated: OffsetDateTime,
}

/// Stored bytes are not a resource: they were not written by this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are not a resource")]
pub struct NotAResource;

impl Resource {
    /// Reads a resource that was sent.
    ///
    /// # Errors
    ///
    /// What is wrong, each with its place.
    #[cfg(test)]
    pub fn parse(bytes: &[u8]) -> Result<Self, Issues> {
        let document = SensitiveJson::parse(bytes)?;
        Self::validate(document, None)
    }

    /// Validates a value that was parsed already, for instance in a Bundle; `place` is where it
    /// stands, the resource's type name if it stands alone.
    ///
    /// # Errors
    ///
    /// What is wrong, each with its place.
    pub fn validate(document: SensitiveJson, place: Option<&str>) -> Result<Self, Issues> {
        let root = ElementPath::Root(place.unwrap_or("Resource"));
        let Some(object) = document.value().as_object() else {
            let issue = Issue::new(IssueCode::Structure, "a resource is a JSON object").at(&root);
            return Err(issue.into());
        };
        let resource_type = match object
            .get("resourceType")
            .map(|name| name.as_str().map(str::parse))
        {
            Some(Some(Ok(resource_type))) => resource_type,
            named => {
                let why = if named.is_some() {
                    let kept = ResourceType::names();
                    Issue::new(
                        IssueCode::NotSupported,
                        format!("supported are only: {kept}"),
                    )
                } else {
                    Issue::new(IssueCode::Required, "a resource says its type")
                };
                let place = ElementPath::Field(&root, "resourceType");
                return Err(why.at(&place).into());
            }
        };
        let issues = validate::check(
            resource_type,
            object,
            &ElementPath::Root(place.unwrap_or(resource_type.name())),
        );
        if !issues.is_empty() {
            return Err(issues);
        }
        let mut resource = Self {
            resource_type,
            document,
        };
        resource.drop_server_meta();
        Ok(resource)
    }

    /// Reads what [`Self::to_bytes`] wrote. It was checked then and is not checked again.
    ///
    /// # Errors
    ///
    /// The bytes are not a resource of a supported type.
    pub fn from_stored_bytes(bytes: &[u8]) -> Result<Self, NotAResource> {
        let value = serde_json::from_slice(bytes).map_err(|_unsaid| NotAResource)?;
        let document = SensitiveJson::new(value);
        let name = document.value().get("resourceType").and_then(Value::as_str);
        let resource_type = name
            .and_then(|name| name.parse().ok())
            .ok_or(NotAResource)?;
        Ok(Self {
            resource_type,
            document,
        })
    }

    /// Its type.
    #[must_use]
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// Its id, if it has one that is a UUID.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        self.id_text().and_then(|id| parse_id(id).ok())
    }

    /// Its id as it was sent.
    pub fn id_text(&self) -> Option<&str> {
        self.document.value().get("id").and_then(Value::as_str)
    }

    /// Gives it an id.
    pub fn set_id(&mut self, id: Uuid) {
        if let Some(object) = self.document.value_mut().as_object_mut() {
            put(object, "id", Value::String(id.to_string()));
        }
    }

    /// The patient that owns it; `None` for what belongs to the organization. A Patient without an
    /// id has no owner yet and is refused.
    ///
    /// # Errors
    ///
    /// The resource refers to no patient, to more than one, or in a form that is not `Patient/uuid`.
    pub fn owner(&self, place: &str) -> Result<Option<Uuid>, Issue> {
        if self.resource_type.compartment() == Compartment::Directory {
            return Ok(None);
        }
        self.owner_at(self.resource_type.owner_paths(), place)
    }

    /// The patient that the elements at these paths refer to; for no paths, the Patient itself.
    fn owner_at(&self, paths: &[&str], place: &str) -> Result<Option<Uuid>, Issue> {
        let Some(first_path) = paths.first() else {
            let why = "a Patient has an id when it is stored";
            return self
                .id()
                .map(Some)
                .ok_or_else(|| Issue::new(IssueCode::Required, why).at(place));
        };
        let mut found = Vec::new();
        for path in paths {
            references_at(self.document.value(), path, place, &mut found);
        }
        let Some((first, _)) = found.first() else {
            let why = "every clinical resource refers to the patient that it is about";
            let at = format!("{place}.{}.reference", first_path.replace("[]", ""));
            return Err(Issue::new(IssueCode::Required, why).at(&at));
        };
        let owner = found.iter().find_map(|(_, text)| {
            Reference::parse(text)
                .filter(|it| it.resource_type == ResourceType::Patient)
                .map(|it| it.id)
        });
        let Some(owner) = owner else {
            let why = "this must refer to one patient, as Patient/ with a UUID, or to a Patient entry \
                       of the same Bundle";
            return Err(Issue::new(IssueCode::BusinessRule, why).at(first));
        };
        match self.other_patient(owner) {
            None => Ok(Some(owner)),
            Some(other) => {
                let why = "a resource may refer to one patient only: the one it is about";
                Err(Issue::new(IssueCode::BusinessRule, why).at(&place_below(place, &other)))
            }
        }
    }

    /// The resource's JSON, for references to be rewritten in.
    pub(crate) fn value_mut(&mut self) -> &mut Value {
        self.document.value_mut()
    }

    /// Takes out what a client cannot say: the version and its time.
    fn drop_server_meta(&mut self) {
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

    /// Where the resource refers to a patient other than its owner.
    fn other_patient(&self, owner: Uuid) -> Option<String> {
        let object = self.document.value().as_object()?;
        let refers = |value: &Value| refers_to_other(value, owner);
        object
            .iter()
            .find(|(_, value)| refers(value))
            .map(|(name, _)| name.clone())
    }

    /// The resource as it is answered: with its version and the time of it.
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

    /// The resource as JSON: what is sealed, or, after [`Self::with_meta`], what is answered.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.document.to_bytes()
    }

    /// The resource's JSON, to read in.
    #[must_use]
    pub fn value(&self) -> &Value {
        self.document.value()
    }

    /// The resource as a document to answer with.
    #[must_use]
    pub fn into_document(self) -> SensitiveJson {
        self.document
    }

    /// The resource's JSON, to be put into a larger document that is wiped in its turn.
    pub(super) fn into_value(self) -> Value {
        self.document.take()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({}, [redacted])", self.resource_type)
    }
}

impl VersionMeta {
    /// The version as `ETag` has it: `W/"1"`.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

/// A point in time as FHIR's `instant`, in UTC, to the millisecond.
#[must_use]
pub fn instant_text(at: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // Every point in time that a server stamps has this form; the epoch would be a visible fault.
    at.to_offset(time::UtcOffset::UTC)
        .format(&form)
        .unwrap_or_else(|_unformattable| "1970-01-01T00:00:00.000Z".to_owned())
}

/// Sets a member where a resource has it: `id` after the type, `meta` after the id.
fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    if let Some(old) = object.get_mut(name) {
        wipe(old);
        *old = value;
    } else {
        let before = ["resourceType", "id"]
            .iter()
            .filter(|n| object.contains_key(**n))
            .count();
        object.shift_insert(before.min(object.len()), name.to_owned(), value);
    }
}

/// The references at a path such as `participant[].actor`, each with its expression.
fn references_at<'v>(
    value: &'v Value,
    path: &str,
    expression: &str,
    found: &mut Vec<(String, &'v str)>,
) {
    let (segment, rest) = path.split_once('.').unwrap_or((path, ""));
    if segment.is_empty() {
        if let Some(text) = value.get("reference").and_then(Value::as_str) {
            found.push((format!("{expression}.reference"), text));
        }
        return;
    }
    let name = segment.trim_end_matches("[]");
    let expression = format!("{expression}.{name}");
    match value.get(name) {
        Some(Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                references_at(item, rest, &format!("{expression}[{index}]"), found);
            }
        }
        Some(member) => references_at(member, rest, &expression, found),
        None => {}
    }
}

fn refers_to_other(value: &Value, owner: Uuid) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| refers_to_other(item, owner)),
        Value::Object(members) => members.iter().any(|(name, member)| {
            match (name.as_str(), member.as_str().and_then(Reference::parse)) {
                (
                    "reference",
                    Some(Reference {
                        resource_type: ResourceType::Patient,
                        id,
                    }),
                ) => id != owner,
                _ => refers_to_other(member, owner),
            }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn place_below(place: &str, name: &str) -> String {
    ElementPath::Field(&ElementPath::Root(place), name).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";
    const OTHER: &str = "11111111-ec9a-4326-a141-556f43239520";

    fn resource(value: &Value) -> Resource {
        Resource::parse(value.to_string().as_bytes()).expect("sound")
    }

    fn observation(subject: &str) -> Value {
        json!({
            "resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "subject": {"reference": subject}
        })
    }

    #[test]
    fn a_resource_is_stored_without_what_the_server_sets() {
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
    fn an_answer_carries_its_version() {
        let mut patient = resource(&json!({"resourceType": "Patient", "active": true}));
        patient.set_id(parse_id(PATIENT).expect("a UUID"));
        let stored = patient.to_bytes();
        let at = datetime!(2026-11-23 15:02:07.123456 UTC);
        let meta = VersionMeta {
            version: 2,
            last_updated: at,
        };
        let answer = Resource::from_stored_bytes(&stored)
            .expect("stored")
            .with_meta(meta);
        let expected = format!(
            r#"{{"resourceType":"Patient","id":"{PATIENT}","meta":{{"versionId":"2","lastUpdated":"2026-11-23T15:02:07.123Z"}},"active":true}}"#
        );
        assert_eq!(
            std::str::from_utf8(&answer.to_bytes()).expect("text"),
            expected
        );
        assert_eq!(meta.etag(), "W/\"2\"");
    }

    #[test]
    fn debug_tells_the_type_only() {
        let patient = resource(&json!({"resourceType": "Patient", "name": [{"family": "Secret"}]}));
        assert_eq!(format!("{patient:?}"), "Resource(Patient, [redacted])");
    }

    #[test]
    fn the_owner_is_the_one_patient_it_refers_to() {
        let owned = resource(&observation(&format!("Patient/{PATIENT}")));
        assert_eq!(owned.owner("Observation"), Ok(parse_id(PATIENT).ok()));
        for subject in [
            format!("Group/{PATIENT}"),
            "Patient/123".to_owned(),
            "Patient?x=y".to_owned(),
        ] {
            let issue = resource(&observation(&subject))
                .owner("Observation")
                .expect_err("refused");
            assert_eq!(
                issue.expression.as_deref(),
                Some("Observation.subject.reference")
            );
        }
    }

    #[test]
    fn a_path_through_a_list_finds_each_reference() {
        let appointment = json!({"participant": [
            {"actor": {"reference": "Practitioner/1"}}, {}, {"actor": {"reference": "Patient/1"}}
        ]});
        let mut found = Vec::new();
        references_at(
            &appointment,
            "participant[].actor",
            "Appointment",
            &mut found,
        );
        let expected = [
            (
                "Appointment.participant[0].actor.reference".to_owned(),
                "Practitioner/1",
            ),
            (
                "Appointment.participant[2].actor.reference".to_owned(),
                "Patient/1",
            ),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn of_a_list_of_actors_the_one_patient_is_the_owner() {
        let actor = |reference: String| json!({"actor": {"reference": reference}});
        let procedure = |performer: &[Value]| {
            resource(&json!({
                "resourceType": "Procedure", "status": "completed",
                "subject": {"display": "x"}, "performer": performer,
            }))
        };
        let find = |of: Resource| of.owner_at(&["performer[].actor"], "Procedure");
        let practitioner = actor(format!("Practitioner/{OTHER}"));
        let patient = actor(format!("Patient/{PATIENT}"));
        let owned = procedure(&[practitioner.clone(), patient.clone()]);
        assert_eq!(find(owned), Ok(parse_id(PATIENT).ok()));
        assert!(find(procedure(&[practitioner])).is_err());
        let of_two = procedure(&[patient, actor(format!("Patient/{OTHER}"))]);
        let issue = find(of_two).expect_err("refused");
        assert_eq!(issue.expression.as_deref(), Some("Procedure.performer"));
    }

    #[test]
    fn a_resource_about_two_patients_is_refused() {
        let mut value = observation(&format!("Patient/{PATIENT}"));
        value["focus"] = json!([{"reference": format!("Patient/{OTHER}")}]);
        let issue = resource(&value).owner("Observation").expect_err("refused");
        assert_eq!(issue.expression.as_deref(), Some("Observation.focus"));
    }

    #[test]
    fn a_directory_resource_has_no_owner_and_an_unlinked_observation_is_refused() {
        let organization = resource(&json!({"resourceType": "Organization", "name": "x"}));
        assert_eq!(organization.owner("Organization"), Ok(None));
        let loose =
            json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}});
        assert_eq!(
            resource(&loose).owner("o").expect_err("refused").code,
            IssueCode::Required
        );
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_list_of_kept_ones() {
        let issues = Resource::parse(br#"{"resourceType":"Claim"}"#).expect_err("refused");
        let issues = issues.listed();
        assert_eq!(issues[0].code, IssueCode::NotSupported);
        assert_eq!(
            issues[0].expression.as_deref(),
            Some("Resource.resourceType")
        );
        let untyped = Resource::parse(b"{}").expect_err("refused");
        assert_eq!(untyped.listed()[0].code, IssueCode::Required);
        assert!(Resource::parse(b"[]").is_err());
    }
}
