//! The properties of a resource type, and the usual ones.

use serde_json::Value;

use super::Colour;
use super::ResourceClass;
use super::details;

/// The properties of a resource type: one row of the table.
pub(super) struct Definition {
    /// The owner of resources of this type.
    pub(super) owner: Owner,
    /// The class by which access is decided.
    pub(super) class: ResourceClass,
    /// The title of the one-line summary.
    pub(super) title: Title,
    /// The detail of the one-line summary.
    pub(super) detail: fn(&Value) -> String,
    /// The elements that may have the clinical date, in order of preference: the time of the event
    /// before the time of recording.
    pub(super) dates: &'static [&'static str],
    /// The plural of the type's name, as a heading of pages.
    pub(super) plural: &'static str,
    /// The colour on pages.
    pub(super) colour: Colour,
}

/// The owner of the resources of a type. Paths lead to the elements that say whom a resource is about, not
/// to those of its authors. `participant[].actor` is the `actor` of each `participant`; in such an array,
/// references to other types are ignored.
pub(crate) enum Owner {
    /// The resource itself: a Patient.
    Itself,
    /// The organization.
    Organization,
    /// The one patient that the elements at these paths refer to.
    Patient(&'static [&'static str]),
    /// The same, if they refer to a patient; otherwise the organization.
    PatientOrOrganization(&'static [&'static str]),
}

/// The title of a one-line summary.
pub(super) enum Title {
    /// The person's current name.
    HumanName,
    /// The first of these elements that has a display text.
    Elements(&'static [&'static str]),
    /// The result of a function.
    Computed(fn(&Value) -> Option<String>),
}

/// The usual elements of a title: those that say what a resource is, before its categories.
const TITLES: &[&str] = &[
    "title",
    "code",
    "event",
    "medicationCodeableConcept",
    "medicationReference",
    "serviceType",
    "appointmentType",
    "relationship",
    "targetDisease",
    "activity",
    "itemCodeableConcept",
    "codeCodeableConcept",
    "productCode",
    "name",
    "type",
    "description",
    "category",
    "reasonCode",
];

/// The usual elements of a date.
pub(crate) const DATES: &[&str] = &[
    "effectiveDateTime",
    "effectivePeriod",
    "occurrenceDateTime",
    "occurrencePeriod",
    "occurredDateTime",
    "occurredPeriod",
    "identifiedDateTime",
    "identifiedPeriod",
    "timingDateTime",
    "timingPeriod",
    "createdDateTime",
    "createdPeriod",
    "servicedDate",
    "servicedPeriod",
    "startDate",
    "start",
    "started",
    "whenHandedOver",
    "executionPeriod",
    "servicePeriod",
    "billablePeriod",
    "applies",
    "period",
    "planningHorizon",
    "dateTime",
    "date",
    "dateWritten",
    "sent",
    "received",
    "receivedTime",
    "authoredOn",
    "authored",
    "issued",
    "recorded",
    "recordedDate",
    "recordedOn",
    "created",
    "enteredDate",
];

/// A type with the usual properties.
const fn usual(
    owner: Owner,
    class: ResourceClass,
    plural: &'static str,
    colour: Colour,
) -> Definition {
    Definition {
        owner,
        class,
        title: Title::Elements(TITLES),
        detail: details::status,
        dates: DATES,
        plural,
        colour,
    }
}

/// A clinical type whose resources a patient owns.
pub(super) const fn of_patient(
    paths: &'static [&'static str],
    plural: &'static str,
    colour: Colour,
) -> Definition {
    usual(
        Owner::Patient(paths),
        ResourceClass::Clinical,
        plural,
        colour,
    )
}

/// A clinical type whose resources a patient or the organization owns.
pub(super) const fn of_patient_or_organization(
    paths: &'static [&'static str],
    plural: &'static str,
    colour: Colour,
) -> Definition {
    let owner = Owner::PatientOrOrganization(paths);
    usual(owner, ResourceClass::Clinical, plural, colour)
}

/// A type whose resources the organization owns, and which may tell something of patients.
pub(super) const fn of_organization(plural: &'static str) -> Definition {
    let class = ResourceClass::Clinical;
    usual(Owner::Organization, class, plural, Colour::None)
}

/// A type of the directory: it tells nothing of patients, and every role reads it.
pub(super) const fn directory(plural: &'static str) -> Definition {
    let class = ResourceClass::Directory;
    usual(Owner::Organization, class, plural, Colour::None)
}
