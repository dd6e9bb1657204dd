//! The supported resource types. `resource_type/table.rs` has the table; everything else is derived
//! from it.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use uuid::Uuid;
use uuid::Variant;

use crate::Issue;
use crate::IssueCode;
use crate::datatypes::display_text;
use crate::datatypes::human_name;

mod details;
mod table;

pub use table::ResourceType;

/// The properties of a resource type: one row of the table.
struct Definition {
    /// The owner of resources of this type.
    owner: Owner,
    /// The title of the one-line summary.
    title: Title,
    /// The detail of the one-line summary.
    detail: fn(&Value) -> String,
    /// The elements that may have the clinical date, in order of preference: the time of the event
    /// before the time of recording.
    dates: &'static [&'static str],
    /// The plural of the type's name, as a heading of pages.
    plural: &'static str,
    /// The colour on pages.
    colour: Colour,
}

/// The owner of the resources of a type.
enum Owner {
    /// The resource itself: a Patient.
    Itself,
    /// The organization.
    Organization,
    /// The one patient that the elements at these paths refer to. `participant[].actor` is the `actor`
    /// of each `participant`; in such an array, references to other types are ignored.
    Patient(&'static [&'static str]),
}

/// The title of a one-line summary.
enum Title {
    /// The person's current name.
    HumanName,
    /// The first of these elements that has a display text.
    Elements(&'static [&'static str]),
    /// The result of a function.
    Computed(fn(&Value) -> Option<String>),
}

/// The colour of a group of similar types; icons distinguish the types of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// None: charts do not contain the type.
    None,
    /// Encounters and procedures.
    Event,
    /// Conditions and allergies.
    Problem,
    /// Medications, immunizations, plans.
    Treatment,
    /// Observations and reports.
    Finding,
}

impl Colour {
    /// The colour's class in the style sheet.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Event => "event",
            Self::Problem => "problem",
            Self::Treatment => "treatment",
            Self::Finding => "finding",
        }
    }
}

/// The compartment that owns a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compartment {
    /// One patient's compartment: the resource is sealed under that patient's keys.
    Patient,
    /// The organization's directory.
    Directory,
}

/// The error for a name that is not a supported resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a supported resource type")]
pub struct UnknownResourceType;

impl From<UnknownResourceType> for Issue {
    fn from(_: UnknownResourceType) -> Self {
        let why = format!("supported types are: {}", ResourceType::names());
        Self::new(IssueCode::NotSupported, why)
    }
}

impl ResourceType {
    /// The types that a chart contains, in the order of its filters.
    pub fn in_charts() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|it| !it.owner_paths().is_empty())
    }

    /// The names of all supported types, separated by commas.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The compartment that owns resources of this type.
    #[must_use]
    pub const fn compartment(self) -> Compartment {
        match self.definition().owner {
            Owner::Organization => Compartment::Directory,
            Owner::Itself | Owner::Patient(_) => Compartment::Patient,
        }
    }

    /// The paths of the elements that refer to the owning patient, such as `subject` or
    /// `participant[].actor`; none for a Patient and for the types of the directory.
    #[must_use]
    pub const fn owner_paths(self) -> &'static [&'static str] {
        match self.definition().owner {
            Owner::Itself | Owner::Organization => &[],
            Owner::Patient(paths) => paths,
        }
    }

    /// The plural of the type's name, as a heading: `Care plans`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.definition().plural
    }

    /// The colour on pages.
    #[must_use]
    pub const fn colour(self) -> Colour {
        self.definition().colour
    }

    /// The elements that may have the clinical date, in order of preference.
    pub(crate) const fn date_elements(self) -> &'static [&'static str] {
        self.definition().dates
    }

    /// The title and the detail of a resource's summary.
    pub(crate) fn summary(self, resource: &Value) -> (Option<String>, String) {
        let definition = self.definition();
        let title = match definition.title {
            Title::HumanName => human_name(resource),
            Title::Elements(names) => {
                let mut found = names.iter().filter_map(|name| resource.get(*name));
                found.find_map(display_text)
            }
            Title::Computed(title) => title(resource),
        };
        (title, (definition.detail)(resource))
    }

    /// Checks the id of a resource of this type.
    ///
    /// A Patient's id must be a random UUID (version 4, RFC 9562), because it appears in URLs and logs:
    /// other versions are computed from names, times or machines. Version 8 is reserved for ids that
    /// this stack derives.
    ///
    /// # Errors
    ///
    /// The id of a Patient is not a random UUID.
    pub fn check_id(self, id: Uuid) -> Result<(), Issue> {
        let random = id.get_version_num() == 4 && id.get_variant() == Variant::RFC4122;
        if self != Self::Patient || random {
            return Ok(());
        }
        let why = if id.get_version_num() == 8 {
            "UUIDs of version 8 are reserved: a Patient's id is a random UUID (version 4)"
        } else {
            "a Patient's id is a random UUID (version 4): other versions may be derived from \
             identifying values"
        };
        Err(Issue::new(IssueCode::BusinessRule, why))
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
            .find(|it| it.name() == name)
            .ok_or(UnknownResourceType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_own_name() {
        for resource_type in ResourceType::ALL {
            assert_eq!(resource_type.name().parse(), Ok(resource_type));
        }
        assert_eq!("patient".parse::<ResourceType>(), Err(UnknownResourceType));
        assert_eq!("Claim".parse::<ResourceType>(), Err(UnknownResourceType));
    }

    #[test]
    fn a_chart_contains_the_types_that_a_patient_owns_but_not_the_patient() {
        let shown: Vec<_> = ResourceType::in_charts().collect();
        assert_eq!(shown.len(), 9);
        assert!(!shown.contains(&ResourceType::Patient));
        assert!(!shown.contains(&ResourceType::Location));
        assert!(shown.iter().all(|it| it.colour() != Colour::None));
    }

    #[test]
    fn the_id_of_a_patient_is_random() {
        let check =
            |resource_type: ResourceType, id: &str| resource_type.check_id(id.parse().unwrap());
        let random = "c757873d-ec9a-4326-a141-556f43239520";
        assert!(check(ResourceType::Patient, random).is_ok());
        for other in [
            "c757873d-ec9a-8326-a141-556f43239520",
            "c757873d-ec9a-1326-a141-556f43239520",
            "c757873d-ec9a-5326-a141-556f43239520",
            "c757873d-ec9a-7326-a141-556f43239520",
            // The Microsoft variant.
            "c757873d-ec9a-4326-c141-556f43239520",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ] {
            assert!(check(ResourceType::Patient, other).is_err(), "{other}");
            assert!(check(ResourceType::Observation, other).is_ok());
        }
    }
}
