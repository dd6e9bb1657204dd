//! How the chart shows each kind of clinical record.

use fhir::ResourceType;

/// The kinds a chart shows, in the order of its filters.
pub(crate) const CHART: [ResourceType; 9] = [
    ResourceType::Encounter,
    ResourceType::Condition,
    ResourceType::MedicationRequest,
    ResourceType::AllergyIntolerance,
    ResourceType::Immunization,
    ResourceType::Observation,
    ResourceType::Procedure,
    ResourceType::DiagnosticReport,
    ResourceType::CarePlan,
];

/// The kind that `kind=` in a chart's address names, if a chart shows it.
pub(crate) fn named(resource_type: &str) -> Option<ResourceType> {
    CHART.into_iter().find(|kind| kind.name() == resource_type)
}

/// Where a kind stands among its like on one day; what no chart shows comes last.
pub(crate) fn rank(kind: ResourceType) -> usize {
    CHART
        .iter()
        .position(|shown| *shown == kind)
        .unwrap_or(CHART.len())
}

/// What people call several of them.
pub(crate) fn plural(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Patient => "Patients",
        ResourceType::Encounter => "Encounters",
        ResourceType::Condition => "Conditions",
        ResourceType::MedicationRequest => "Medications",
        ResourceType::AllergyIntolerance => "Allergies",
        ResourceType::Immunization => "Immunizations",
        ResourceType::Observation => "Observations",
        ResourceType::Procedure => "Procedures",
        ResourceType::DiagnosticReport => "Reports",
        ResourceType::CarePlan => "Care plans",
        ResourceType::Practitioner => "Practitioners",
        ResourceType::Organization => "Organizations",
        ResourceType::Location => "Locations",
    }
}

/// The colour a kind shares with its like; the icon, not the colour, tells kinds apart.
pub(crate) fn family(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Encounter | ResourceType::Procedure => "event",
        ResourceType::Condition | ResourceType::AllergyIntolerance => "problem",
        ResourceType::MedicationRequest | ResourceType::Immunization | ResourceType::CarePlan => {
            "treatment"
        }
        ResourceType::Observation | ResourceType::DiagnosticReport => "finding",
        ResourceType::Patient
        | ResourceType::Practitioner
        | ResourceType::Organization
        | ResourceType::Location => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kinds_of_a_chart_are_filters() {
        assert_eq!(named("CarePlan"), Some(ResourceType::CarePlan));
        assert_eq!(named("Practitioner"), None);
        assert_eq!(named("encounter"), None);
        assert!(rank(ResourceType::Encounter) < rank(ResourceType::CarePlan));
        assert_eq!(rank(ResourceType::Location), CHART.len());
    }
}
