//! Whether the record of a Patient is still the one to use.

use serde_json::Value;
use uuid::Uuid;

use crate::Reference;
use crate::Resource;
use crate::ResourceType;

/// The largest number of replacing patients that are read.
const MAX_REPLACEMENTS: usize = 10;

/// The use of a Patient: in use, inactive, or replaced by another (`Patient.active`, `Patient.link`).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PatientStatus {
    /// Whether `active` is false.
    pub is_inactive: bool,
    /// The patients that replace this one, at most 10.
    pub replaced_by: Vec<Uuid>,
}

impl PatientStatus {
    /// The status of a Patient; in use for a resource of another type.
    #[must_use]
    pub fn of(patient: &Resource) -> Self {
        if patient.resource_type() != ResourceType::Patient {
            return Self::default();
        }
        let patient = patient.value();
        let links = patient.get("link").and_then(Value::as_array);
        let replaced_by = links
            .into_iter()
            .flatten()
            .filter(|link| link.get("type").and_then(Value::as_str) == Some("replaced-by"))
            .filter_map(|link| Reference::parse(link.get("other")?.get("reference")?.as_str()?))
            .filter(|other| other.resource_type == ResourceType::Patient)
            .map(|other| other.id);
        Self {
            is_inactive: patient.get("active") == Some(&Value::Bool(false)),
            replaced_by: replaced_by.take(MAX_REPLACEMENTS).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: Uuid = Uuid::from_u128(0xc757_873d_ec9a_4326_a141_556f_4323_9520);

    fn status(fields: &str) -> PatientStatus {
        let json = format!(r#"{{"resourceType":"Patient",{fields}}}"#);
        PatientStatus::of(&Resource::parse(json.as_bytes()).expect("valid"))
    }

    #[test]
    fn a_replaced_patient_names_the_patient_that_replaces_it() {
        let link = |kind: &str| {
            format!(
                r#""active":false,"link":[{{"other":{{"reference":"Patient/{OTHER}"}},"type":"{kind}"}}]"#
            )
        };
        let replaced = status(&link("replaced-by"));
        assert!(replaced.is_inactive);
        assert_eq!(replaced.replaced_by, [OTHER]);
        assert!(status(&link("replaces")).replaced_by.is_empty());
    }

    #[test]
    fn a_patient_without_a_status_is_in_use() {
        assert_eq!(status(r#""gender":"female""#), PatientStatus::default());
        assert!(!status(r#""active":true"#).is_inactive);
    }
}
