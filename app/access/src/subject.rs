//! The subject of an action, and the records concerned.

use audit::RecordReference;
use uuid::Uuid;

use crate::DataClass;
use crate::ids::OrganizationId;
use crate::ids::PatientId;

/// The subject on which a caller requests an action. It is not evidence: [`permit`](crate::permit)
/// decides about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subject {
    /// The kind of record: a FHIR resource type, or `chart`, `person`, `audit`.
    pub kind: &'static str,
    /// The data class, by which the policy decides.
    pub class: DataClass,
    /// The organization that the records belong to.
    pub organization: OrganizationId,
    /// The patient that the records belong to; none if they belong to no patient, or if it is unknown.
    pub patient: Option<PatientId>,
    /// The record's id; none for several records.
    pub id: Option<Uuid>,
}

impl Subject {
    /// All records of a kind and class in an organization.
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

    /// The records of the subject that belong to a patient.
    #[must_use]
    pub const fn patient(self, patient: PatientId) -> Self {
        Self {
            patient: Some(patient),
            ..self
        }
    }

    /// The record of the subject with this id.
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

/// A record that is disclosed or written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// The record's kind, class, organization, patient and id.
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
