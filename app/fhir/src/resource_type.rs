//! The resource types that this server keeps.

use std::fmt;
use std::str::FromStr;

/// A resource type that this server keeps (DESIGN §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceType {
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
pub enum Compartment {
    /// It belongs to exactly one patient and is sealed under that patient's keys.
    Patient,
    /// It belongs to the organization.
    Directory,
}

/// The name is not one of the kept resource types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a resource type that is kept here")]
pub struct UnknownResourceType;

impl ResourceType {
    /// Every kept type, in the order of DESIGN §7.
    pub const ALL: [Self; 13] = [
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
    pub const fn name(self) -> &'static str {
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
    pub const fn compartment(self) -> Compartment {
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
    pub const fn owner_element(self) -> Option<&'static str> {
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

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ResourceType {
    type Err = UnknownResourceType;

    fn from_str(name: &str) -> Result<Self, UnknownResourceType> {
        Self::ALL
            .into_iter()
            .find(|resource_type| resource_type.name() == name)
            .ok_or(UnknownResourceType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_own_name() {
        for resource_type in ResourceType::ALL {
            assert_eq!(resource_type.name().parse(), Ok(resource_type));
        }
        assert_eq!("patient".parse::<ResourceType>(), Err(UnknownResourceType));
        assert_eq!("Claim".parse::<ResourceType>(), Err(UnknownResourceType));
    }

    #[test]
    fn every_clinical_kind_but_patient_names_its_owner() {
        for resource_type in ResourceType::ALL {
            let names_owner = resource_type.owner_element().is_some();
            let clinical = resource_type.compartment() == Compartment::Patient
                && resource_type != ResourceType::Patient;
            assert_eq!(names_owner, clinical, "{resource_type}");
        }
    }
}
