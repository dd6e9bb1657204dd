//! The resource types that a stack stores, and the order in which they are sent.

use fhir::Compartment;
use fhir::ResourceType;

/// A part of a file that is sent before the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ImportPhase {
    /// Resources that only the organization can own.
    Directory,
    /// The patients.
    Patients,
    /// Resources that a patient owns or may own.
    Charts,
}

impl ImportPhase {
    pub(super) const ALL: [Self; 3] = [Self::Directory, Self::Patients, Self::Charts];

    /// Its name in the journal.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Patients => "patients",
            Self::Charts => "charts",
        }
    }
}

/// A type that the stack stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) phase: ImportPhase,
}

impl Kind {
    /// The stored type of that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        let resource_type: ResourceType = name.parse().ok()?;
        let phase = match (resource_type.compartment(), resource_type) {
            (Some(Compartment::Directory), _) => ImportPhase::Directory,
            (Some(Compartment::Patient), ResourceType::Patient) => ImportPhase::Patients,
            (Some(Compartment::Patient) | None, _) => ImportPhase::Charts,
        };
        Some(Self {
            name: resource_type.name(),
            phase,
        })
    }
}
