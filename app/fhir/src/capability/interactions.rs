//! The interactions of a type.

use crate::Compartment;
use crate::ResourceType;

/// The interactions of every type, by their codes in `type-restful-interaction`.
const OF_EVERY_TYPE: [&str; 8] = [
    "read",
    "vread",
    "create",
    "update",
    "patch",
    "delete",
    "history-instance",
    "search-type",
];
/// The interaction of types whose resources may be in a patient's chart.
const OF_CHARTS: &str = "history-type";

/// The codes of the interactions of a type.
pub(super) fn of_type(resource_type: ResourceType) -> impl Iterator<Item = &'static str> {
    let is_in_charts = resource_type.compartment() != Some(Compartment::Directory);
    OF_EVERY_TYPE
        .into_iter()
        .chain(is_in_charts.then_some(OF_CHARTS))
}
