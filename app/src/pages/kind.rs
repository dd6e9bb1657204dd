//! How the chart shows each kind of clinical record.

use crate::fhir::Kind;

/// The kinds a chart shows, in the order of its filters.
pub(crate) const CHART: [Kind; 9] = [
    Kind::Encounter,
    Kind::Condition,
    Kind::MedicationRequest,
    Kind::AllergyIntolerance,
    Kind::Immunization,
    Kind::Observation,
    Kind::Procedure,
    Kind::DiagnosticReport,
    Kind::CarePlan,
];

/// The kind that `kind=` in a chart's address names, if a chart shows it.
pub(crate) fn named(resource_type: &str) -> Option<Kind> {
    CHART.into_iter().find(|kind| kind.name() == resource_type)
}

/// Where a kind stands among its like on one day; what no chart shows comes last.
pub(crate) fn rank(kind: Kind) -> usize {
    CHART
        .iter()
        .position(|shown| *shown == kind)
        .unwrap_or(CHART.len())
}

/// What people call several of them.
pub(crate) fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Patient => "Patients",
        Kind::Encounter => "Encounters",
        Kind::Condition => "Conditions",
        Kind::MedicationRequest => "Medications",
        Kind::AllergyIntolerance => "Allergies",
        Kind::Immunization => "Immunizations",
        Kind::Observation => "Observations",
        Kind::Procedure => "Procedures",
        Kind::DiagnosticReport => "Reports",
        Kind::CarePlan => "Care plans",
        Kind::Practitioner => "Practitioners",
        Kind::Organization => "Organizations",
        Kind::Location => "Locations",
    }
}

/// The colour a kind shares with its like; the icon, not the colour, tells kinds apart.
pub(crate) fn family(kind: Kind) -> &'static str {
    match kind {
        Kind::Encounter | Kind::Procedure => "event",
        Kind::Condition | Kind::AllergyIntolerance => "problem",
        Kind::MedicationRequest | Kind::Immunization | Kind::CarePlan => "treatment",
        Kind::Observation | Kind::DiagnosticReport => "finding",
        Kind::Patient | Kind::Practitioner | Kind::Organization | Kind::Location => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kinds_of_a_chart_are_filters() {
        assert_eq!(named("CarePlan"), Some(Kind::CarePlan));
        assert_eq!(named("Practitioner"), None);
        assert_eq!(named("encounter"), None);
        assert!(rank(Kind::Encounter) < rank(Kind::CarePlan));
        assert_eq!(rank(Kind::Location), CHART.len());
    }
}
