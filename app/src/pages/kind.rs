//! The kinds of clinical record a chart shows.

/// A kind of record, named as in FHIR R4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A visit.
    Encounter,
    /// A diagnosis or problem.
    Condition,
    /// A prescription.
    MedicationRequest,
    /// An allergy or intolerance.
    AllergyIntolerance,
    /// A vaccination.
    Immunization,
    /// A measurement or finding.
    Observation,
    /// Something that was done.
    Procedure,
    /// A report over several findings.
    DiagnosticReport,
    /// A plan of care.
    CarePlan,
}

impl Kind {
    /// Every kind, in the order of the chart's filters.
    pub(crate) const ALL: [Self; 9] = [
        Self::Encounter,
        Self::Condition,
        Self::MedicationRequest,
        Self::AllergyIntolerance,
        Self::Immunization,
        Self::Observation,
        Self::Procedure,
        Self::DiagnosticReport,
        Self::CarePlan,
    ];

    /// The kind of a FHIR resource type, where the chart shows it.
    pub(crate) fn of(resource_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.resource_type() == resource_type)
    }

    /// The FHIR resource type; also the value of `kind` in a chart's address.
    pub(crate) fn resource_type(self) -> &'static str {
        match self {
            Self::Encounter => "Encounter",
            Self::Condition => "Condition",
            Self::MedicationRequest => "MedicationRequest",
            Self::AllergyIntolerance => "AllergyIntolerance",
            Self::Immunization => "Immunization",
            Self::Observation => "Observation",
            Self::Procedure => "Procedure",
            Self::DiagnosticReport => "DiagnosticReport",
            Self::CarePlan => "CarePlan",
        }
    }

    /// What people call several of them.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Encounter => "Encounters",
            Self::Condition => "Conditions",
            Self::MedicationRequest => "Medications",
            Self::AllergyIntolerance => "Allergies",
            Self::Immunization => "Immunizations",
            Self::Observation => "Observations",
            Self::Procedure => "Procedures",
            Self::DiagnosticReport => "Reports",
            Self::CarePlan => "Care plans",
        }
    }

    /// The colour it shares with its like; the icon, not the colour, tells kinds apart.
    pub(crate) fn family(self) -> &'static str {
        match self {
            Self::Encounter | Self::Procedure => "event",
            Self::Condition | Self::AllergyIntolerance => "problem",
            Self::MedicationRequest | Self::Immunization | Self::CarePlan => "treatment",
            Self::Observation | Self::DiagnosticReport => "finding",
        }
    }
}
