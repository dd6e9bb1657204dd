//! The subject of an action, and the records that it touches.

use audit::RecordReference;
use uuid::Uuid;

use crate::DataClass;
use crate::ids::OrganizationId;
use crate::ids::PatientId;

/// The subject that a caller asks to act on. A request, not evidence: [`permit`](crate::permit)
/// decides about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subject {
    /// The FHIR resource type, or another kind of record in lower case (`chart`, `person`, `audit`).
    pub kind: &'static str,
    /// The class that the policy decides by.
    pub class: DataClass,
    /// The organization that the records belong to.
    pub organization: OrganizationId,
    /// The patient that the records belong to; none if there is none, or while it is unknown.
    pub patient: Option<PatientId>,
    /// The record's id; none for more than one record.
    pub id: Option<Uuid>,
}

impl Subject {
    /// The records of a kind and class in an organization.
    #[must_use]
    pub const fn of(kind: &'static str, class: DataClass, organization: OrganizationId) -> Self {
        Self {
            kind,
            class,
            organization,
            patient: None,
            id: None,
        }
    }

    /// Those that belong to a patient.
    #[must_use]
    pub const fn patient(self, patient: PatientId) -> Self {
        Self {
            patient: Some(patient),
            ..self
        }
    }

    /// The one with this id.
    #[must_use]
    pub const fn id(self, id: Uuid) -> Self {
        Self {
            id: Some(id),
            ..self
        }
    }

    pub(crate) fn reference(&self, version: Option<u32>) -> RecordReference {
        RecordReference {
            id: self.id,
            kind: self.kind.to_owned(),
            patient: self.patient.map(PatientId::uuid),
            version,
        }
    }
}

/// A record that is disclosed or written: the subject that it is, at one version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// The record as a subject: its own class, patient and id.
    pub subject: Subject,
    /// The version; none for records without versions.
    pub version: Option<u32>,
}

impl Record {
    pub(crate) fn reference(&self) -> RecordReference {
        self.subject.reference(self.version)
    }
}

impl From<Subject> for Record {
    fn from(subject: Subject) -> Self {
        Self {
            subject,
            version: None,
        }
    }
}
