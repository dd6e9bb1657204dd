//! The resource types that this server keeps.

use std::fmt;
use std::str::FromStr;

/// A resource type that this server keeps (DESIGN §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A person who is or was cared for: the owner of every clinical resource.
    Patient,
    /// A visit, a stay, a call.
    Encounter,
    /// A measurement or a finding.
    Observation,
    /// A problem or a diagnosis.
    Condition,
    /// An allergy or an intolerance.
    AllergyIntolerance,
    /// A prescription.
    MedicationRequest,
    /// A vaccination given or refused.
    Immunization,
    /// Something done to the patient.
    Procedure,
    /// A report over several findings.
    DiagnosticReport,
    /// What is planned for the patient.
    CarePlan,
    /// A person who cares for patients.
    Practitioner,
    /// A clinic, a payer, a department.
    Organization,
    /// A place where care is given.
    Location,
}

/// Whose a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compartment {
    /// It belongs to exactly one patient and is sealed under that patient's keys.
    Patient,
    /// It belongs to the organization.
    Directory,
}

/// The name is not one of the kept resource types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a resource type that is kept here")]
pub(crate) struct UnknownKind;

impl Kind {
    /// Every kept type, in the order of DESIGN §7.
    pub(crate) const ALL: [Self; 13] = [
        Self::Patient,
        Self::Encounter,
        Self::Observation,
        Self::Condition,
        Self::AllergyIntolerance,
        Self::MedicationRequest,
        Self::Immunization,
        Self::Procedure,
        Self::DiagnosticReport,
        Self::CarePlan,
        Self::Practitioner,
        Self::Organization,
        Self::Location,
    ];

    /// The name as FHIR writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Patient => "Patient",
            Self::Encounter => "Encounter",
            Self::Observation => "Observation",
            Self::Condition => "Condition",
            Self::AllergyIntolerance => "AllergyIntolerance",
            Self::MedicationRequest => "MedicationRequest",
            Self::Immunization => "Immunization",
            Self::Procedure => "Procedure",
            Self::DiagnosticReport => "DiagnosticReport",
            Self::CarePlan => "CarePlan",
            Self::Practitioner => "Practitioner",
            Self::Organization => "Organization",
            Self::Location => "Location",
        }
    }

    /// Whose resources of this type are.
    pub(crate) const fn compartment(self) -> Compartment {
        match self {
            Self::Practitioner | Self::Organization | Self::Location => Compartment::Directory,
            Self::Patient
            | Self::Encounter
            | Self::Observation
            | Self::Condition
            | Self::AllergyIntolerance
            | Self::MedicationRequest
            | Self::Immunization
            | Self::Procedure
            | Self::DiagnosticReport
            | Self::CarePlan => Compartment::Patient,
        }
    }

    /// The element that refers to the owning patient; a Patient owns itself and has none.
    pub(crate) const fn owner_element(self) -> Option<&'static str> {
        match self {
            Self::Patient | Self::Practitioner | Self::Organization | Self::Location => None,
            Self::AllergyIntolerance | Self::Immunization => Some("patient"),
            Self::Encounter
            | Self::Observation
            | Self::Condition
            | Self::MedicationRequest
            | Self::Procedure
            | Self::DiagnosticReport
            | Self::CarePlan => Some("subject"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownKind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_own_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("patient".parse::<Kind>(), Err(UnknownKind));
        assert_eq!("Claim".parse::<Kind>(), Err(UnknownKind));
    }

    #[test]
    fn every_clinical_kind_but_patient_names_its_owner() {
        for kind in Kind::ALL {
            let names_owner = kind.owner_element().is_some();
            let clinical = kind.compartment() == Compartment::Patient && kind != Kind::Patient;
            assert_eq!(names_owner, clinical, "{kind}");
        }
    }
}
