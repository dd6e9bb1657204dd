//! The resource types that a stack stores, and the order in which they are sent.

use fhir::ResourceType;
use sha2::Digest;
use sha2::Sha256;

/// Counts what has no resource type.
pub(super) const NO_TYPE: &str = "(no type)";

/// A part of a file that is sent before the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ImportPhase {
    /// Organizations with a condition (`ifNoneExist`), to which the others refer by it.
    Organizations,
    /// Other resources of the organization with a condition.
    Conditional,
    /// Resources of the organization.
    Directory,
    /// The patients.
    Patients,
    /// Resources that a patient owns or can own.
    Charts,
}

impl ImportPhase {
    pub(super) const ALL: [Self; 5] = [
        Self::Organizations,
        Self::Conditional,
        Self::Directory,
        Self::Patients,
        Self::Charts,
    ];

    /// Its name in the journal.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Organizations => "organizations",
            Self::Conditional => "conditional",
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
        name.parse().ok().map(Self::of_type)
    }

    fn of_type(resource_type: ResourceType) -> Self {
        // A type that the organization owns unless it names a patient has paths too, and follows the patients.
        let phase = if resource_type == ResourceType::Patient {
            ImportPhase::Patients
        } else if resource_type.owner_paths().is_empty() {
            ImportPhase::Directory
        } else {
            ImportPhase::Charts
        };
        Self {
            name: resource_type.name(),
            phase,
        }
    }

    /// The same type, of an entry with a condition.
    pub(super) fn conditional(self) -> Self {
        let phase = match self.phase {
            ImportPhase::Directory if self.name == "Organization" => ImportPhase::Organizations,
            ImportPhase::Directory => ImportPhase::Conditional,
            ImportPhase::Organizations
            | ImportPhase::Conditional
            | ImportPhase::Patients
            | ImportPhase::Charts => self.phase,
        };
        Self { phase, ..self }
    }
}

/// The hash of the table of types and phases: another table makes other groups of a file.
pub(super) fn table_hash() -> String {
    let mut hash = Sha256::new();
    for resource_type in ResourceType::ALL {
        let kind = Kind::of_type(resource_type);
        hash.update(format!("{} {}\n", kind.name, kind.phase.word()));
    }
    hex::encode(hash.finalize())
}

/// Why resources of a type that is not stored are left out.
pub(super) fn skipped_reason(name: &str) -> &'static str {
    if name == NO_TYPE {
        return "an entry without a resource has nothing to be stored";
    }
    fhir::refused_reason(name).unwrap_or("R4 has no such type")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_patient_can_own_follows_the_patients() {
        for resource_type in ResourceType::ALL {
            let kind = Kind::of_type(resource_type);
            let can_be_owned = !resource_type.owner_paths().is_empty();
            assert_eq!(
                kind.phase > ImportPhase::Patients,
                can_be_owned,
                "{resource_type}"
            );
        }
        assert!(ImportPhase::ALL.is_sorted());
        assert_eq!(Kind::of("Patient").unwrap().phase, ImportPhase::Patients);
        assert_eq!(Kind::of("Location").unwrap().phase, ImportPhase::Directory);
        assert_eq!(Kind::of("Parameters"), None);
    }

    #[test]
    fn a_condition_moves_the_directory_forward_only() {
        let phase = |name| Kind::of(name).unwrap().conditional().phase;
        assert_eq!(phase("Organization"), ImportPhase::Organizations);
        assert_eq!(phase("Practitioner"), ImportPhase::Conditional);
        assert_eq!(phase("Patient"), ImportPhase::Patients);
        assert_eq!(phase("Observation"), ImportPhase::Charts);
    }
}
