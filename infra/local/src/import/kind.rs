//! The resource types that a stack stores, and the order in which they are sent.

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

/// The types of the FHIR interface, with their wave.
const KINDS: [(&str, Wave); 13] = [
    ("AllergyIntolerance", Wave::Charts),
    ("CarePlan", Wave::Charts),
    ("Condition", Wave::Charts),
    ("DiagnosticReport", Wave::Charts),
    ("Encounter", Wave::Charts),
    ("Immunization", Wave::Charts),
    ("Location", Wave::Directory),
    ("MedicationRequest", Wave::Charts),
    ("Observation", Wave::Charts),
    ("Organization", Wave::Directory),
    ("Patient", Wave::Patients),
    ("Practitioner", Wave::Directory),
    ("Procedure", Wave::Charts),
];

/// One of the types that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) wave: Wave,
}

impl Kind {
    /// The kept type of that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (name, wave) = KINDS.iter().find(|(kind, _)| *kind == name)?;
        Some(Self { name, wave: *wave })
    }
}
