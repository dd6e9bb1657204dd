//! The resource types that a stack stores, and the order in which they are sent.

use fhir::Compartment;
use fhir::ResourceType;

/// A part of a file that is sent before the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Wave {
    /// What belongs to the organization.
    Directory,
    /// The patients.
    Patients,
    /// What belongs to a patient.
    Charts,
}

impl Wave {
    pub(super) const ALL: [Self; 3] = [Self::Directory, Self::Patients, Self::Charts];

    /// Its name in the record of what was acknowledged.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Patients => "patients",
            Self::Charts => "charts",
        }
    }
}

/// One of the types that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) wave: Wave,
}

impl Kind {
    /// The kept type of that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        let resource_type: ResourceType = name.parse().ok()?;
        let wave = match (resource_type.compartment(), resource_type) {
            (Compartment::Directory, _) => Wave::Directory,
            (Compartment::Patient, ResourceType::Patient) => Wave::Patients,
            (Compartment::Patient, _) => Wave::Charts,
        };
        Some(Self {
            name: resource_type.name(),
            wave,
        })
    }
}
