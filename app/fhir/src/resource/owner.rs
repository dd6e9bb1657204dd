//! The patient that owns a resource, determined from its references.

use serde_json::Value;
use uuid::Uuid;

use super::Resource;
use crate::Compartment;
use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Reference;
use crate::ResourceType;

impl Resource {
    /// The patient that owns the resource; `None` if the organization does. `root` is the path of the
    /// resource, for issues.
    ///
    /// # Errors
    ///
    /// The resource is a Patient without an id, or refers to no patient, to more than one, or in a form
    /// other than `Patient/uuid`.
    pub fn owner(&self, root: &str) -> Result<Option<Uuid>, Issue> {
        if self.resource_type.compartment() == Compartment::Directory {
            return Ok(None);
        }
        self.owner_at(self.resource_type.owner_paths(), root)
    }

    /// The patient that the elements at these paths refer to; for no paths, the Patient itself.
    fn owner_at(&self, paths: &[&str], root: &str) -> Result<Option<Uuid>, Issue> {
        // Without paths the resource is a Patient, which owns itself.
        let Some(first_path) = paths.first() else {
            let why = "a Patient must have an id";
            return self
                .id()
                .map(Some)
                .ok_or_else(|| Issue::new(IssueCode::Required, why).at(root));
        };
        let mut found = Vec::new();
        for path in paths {
            references_at(self.document.value(), path, root, &mut found);
        }
        let Some((first, _)) = found.first() else {
            let why = "a clinical resource must refer to the patient that it is about";
            let at = format!("{root}.{}.reference", first_path.replace("[]", ""));
            return Err(Issue::new(IssueCode::Required, why).at(&at));
        };
        let owner = found.iter().find_map(|(_, text)| {
            Reference::parse(text)
                .filter(|it| it.resource_type == ResourceType::Patient)
                .map(|it| it.id)
        });
        let Some(owner) = owner else {
            let why = "this reference must name one patient, as Patient/ with a UUID, or a Patient entry \
                       of the same Bundle";
            return Err(Issue::new(IssueCode::BusinessRule, why).at(first));
        };
        match self.other_patient(owner) {
            None => Ok(Some(owner)),
            Some(other) => {
                let why = "a resource must refer to one patient only: the one that it is about";
                let path = ElementPath::Root(root);
                let path = ElementPath::Field(&path, &other);
                Err(Issue::new(IssueCode::BusinessRule, why).at(&path))
            }
        }
    }

    /// The element in which the resource refers to a patient other than its owner.
    fn other_patient(&self, owner: Uuid) -> Option<String> {
        let object = self.document.value().as_object()?;
        // All elements are searched, extensions and contained resources included: a resource with references to
        // two patients would disclose one patient in the chart of the other.
        let refers = |value: &Value| refers_to_other(value, owner);
        object
            .iter()
            .find(|(_, value)| refers(value))
            .map(|(name, _)| name.clone())
    }
}

/// Collects the references at a path such as `participant[].actor`, each with its expression.
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

/// Whether a value contains a reference to a patient other than `owner`.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parse_id;

    const PATIENT: &str = "c757873d-ec9a-4326-a141-556f43239520";
    const OTHER: &str = "11111111-ec9a-4326-a141-556f43239520";

    fn resource(value: &Value) -> Resource {
        Resource::parse(value.to_string().as_bytes()).expect("valid")
    }

    fn observation(subject: &str) -> Value {
        json!({
            "resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "subject": {"reference": subject}
        })
    }

    #[test]
    fn the_owner_is_the_one_patient_of_the_subject() {
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
}
