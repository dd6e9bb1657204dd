//! The table of resource types. A new type is one entry here; `definitions/extract_definitions.py`
//! reads the names and adds HL7's definitions.

use super::Colour;
use super::Definition;
use super::Owner;
use super::Title;
use super::details;

macro_rules! resource_types {
    ($($(#[$doc:meta])* $name:ident => $definition:expr;)*) => {
        /// A supported resource type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ResourceType {
            $($(#[$doc])* $name,)*
        }

        impl ResourceType {
            /// All supported types: Patient, the types of a chart in the order of its filters, then the
            /// types of the directory.
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            /// The FHIR name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            pub(super) const fn definition(self) -> &'static Definition {
                match self {
                    $(Self::$name => {
                        const DEFINITION: Definition = $definition;
                        &DEFINITION
                    })*
                }
            }
        }
    };
}

resource_types! {
    /// A person who receives care: the owner of every clinical resource.
    Patient => Definition {
        owner: Owner::Itself,
        title: Title::HumanName,
        detail: details::patient,
        dates: &[],
        plural: "Patients",
        colour: Colour::None,
    };
    /// A visit, an inpatient stay or a call.
    Encounter => Definition {
        owner: Owner::Patient(&["subject"]),
        title: Title::Elements(&["type", "class"]),
        detail: details::encounter,
        dates: &["period"],
        plural: "Encounters",
        colour: Colour::Event,
    };
    /// A problem or a diagnosis.
    Condition => Definition {
        owner: Owner::Patient(&["subject"]),
        title: Title::Elements(&["code"]),
        detail: details::condition,
        dates: &["onsetDateTime", "onsetPeriod", "recordedDate"],
        plural: "Conditions",
        colour: Colour::Problem,
    };
    /// A prescription.
    MedicationRequest => Definition {
        owner: Owner::Patient(&["subject"]),
        title: Title::Elements(&["medicationCodeableConcept", "medicationReference"]),
        detail: details::medication_request,
        dates: &["authoredOn"],
        plural: "Medications",
        colour: Colour::Treatment,
    };
    /// An allergy or an intolerance.
    AllergyIntolerance => Definition {
        owner: Owner::Patient(&["patient"]),
        title: Title::Elements(&["code"]),
        detail: details::allergy,
        dates: &["onsetDateTime", "onsetPeriod", "recordedDate"],
        plural: "Allergies",
        colour: Colour::Problem,
    };
    /// A vaccination given or refused.
    Immunization => Definition {
        owner: Owner::Patient(&["patient"]),
        title: Title::Elements(&["vaccineCode"]),
        detail: details::immunization,
        dates: &["occurrenceDateTime", "recorded"],
        plural: "Immunizations",
        colour: Colour::Treatment,
    };
    /// A measurement or a finding.
    Observation => Definition {
        owner: Owner::Patient(&["subject"]),
        title: Title::Elements(&["code"]),
        detail: details::observation,
        dates: &["effectiveDateTime", "effectiveInstant", "effectivePeriod", "issued"],
        plural: "Observations",
        colour: Colour::Finding,
    };
    /// A procedure that was performed on the patient.
    Procedure => Definition {
        owner: Owner::Patient(&["subject"]),
        title: Title::Elements(&["code"]),
        detail: details::procedure,
        dates: &["performedDateTime", "performedPeriod"],
        plural: "Procedures",
        colour: Colour::Event,
    };
    /// A report on several findings.
    DiagnosticReport => Definition {
        owner: Owner::Patient(&["subject"]),
        title: Title::Elements(&["code"]),
        detail: details::report,
        dates: &["effectiveDateTime", "effectiveInstant", "effectivePeriod", "issued"],
        plural: "Reports",
        colour: Colour::Finding,
    };
    /// A plan of care for the patient.
    CarePlan => Definition {
        owner: Owner::Patient(&["subject"]),
        title: Title::Computed(details::care_plan_title),
        detail: details::care_plan,
        dates: &["period", "created"],
        plural: "Care plans",
        colour: Colour::Treatment,
    };
    /// A person who provides care.
    Practitioner => Definition {
        owner: Owner::Organization,
        title: Title::HumanName,
        detail: details::practitioner,
        dates: &[],
        plural: "Practitioners",
        colour: Colour::None,
    };
    /// A clinic, a payer or a department.
    Organization => Definition {
        owner: Owner::Organization,
        title: Title::Elements(&["name"]),
        detail: details::of_type,
        dates: &[],
        plural: "Organizations",
        colour: Colour::None,
    };
    /// A place where care is provided.
    Location => Definition {
        owner: Owner::Organization,
        title: Title::Elements(&["name"]),
        detail: details::of_type,
        dates: &[],
        plural: "Locations",
        colour: Colour::None,
    };
}
