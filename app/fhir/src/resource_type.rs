//! The supported resource types: one table (`resource_type/table.rs`), and what is derived from it.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use uuid::Uuid;
use uuid::Variant;

use crate::Issue;
use crate::IssueCode;
use crate::datatypes::human_name;
use crate::datatypes::words;

mod details;
mod table;

pub use table::ResourceType;

/// One row of the table: everything that differs between resource types.
struct Definition {
    /// Which compartment owns resources of this type.
    owner: Owner,
    /// The title of the one-line summary.
    title: Title,
    /// The detail of the one-line summary.
    detail: fn(&Value) -> String,
    /// The elements with the clinical date, the best first: when it happened before when it was
    /// recorded.
    dates: &'static [&'static str],
    /// The heading of several of them on a page.
    plural: &'static str,
    /// The colour on a page.
    colour: Colour,
}

/// Which compartment owns resources of a type.
enum Owner {
    /// A Patient owns itself.
    Itself,
    /// The organization.
    Organization,
    /// The one patient that these elements refer to. `participant[].actor` is the `actor` of any
    /// `participant`; of such a list only the references to patients count.
    Patient(&'static [&'static str]),
}

/// The title of a one-line summary.
enum Title {
    /// The current name of a person.
    HumanName,
    /// The first of these elements that has words.
    Elements(&'static [&'static str]),
    /// Computed.
    Of(fn(&Value) -> Option<String>),
}

/// The colour that a type shares with similar ones; the icon tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// No chart shows it.
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
    /// The name of its class in style sheets.
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
    /// Exactly one patient: the resource is sealed under that patient's keys.
    Patient,
    /// The organization.
    Directory,
}

/// The name is not one of the supported resource types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a supported resource type")]
pub struct UnknownResourceType;

impl ResourceType {
    /// The types that a chart shows, in the order of its filters.
    pub fn in_charts() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|it| !it.owner_paths().is_empty())
    }

    /// The names of all supported types, for messages.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Which compartment owns resources of this type.
    #[must_use]
    pub const fn compartment(self) -> Compartment {
        match self.definition().owner {
            Owner::Organization => Compartment::Directory,
            Owner::Itself | Owner::Patient(_) => Compartment::Patient,
        }
    }

    /// The elements that refer to the owning patient, such as `subject` or `participant[].actor`;
    /// none for a Patient, which owns itself, and for what belongs to the organization.
    #[must_use]
    pub const fn owner_paths(self) -> &'static [&'static str] {
        match self.definition().owner {
            Owner::Itself | Owner::Organization => &[],
            Owner::Patient(paths) => paths,
        }
    }

    /// The heading of several of them: `Care plans`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.definition().plural
    }

    /// The colour on a page.
    #[must_use]
    pub const fn colour(self) -> Colour {
        self.definition().colour
    }

    /// The elements with the clinical date, the best first.
    pub(crate) const fn date_elements(self) -> &'static [&'static str] {
        self.definition().dates
    }

    /// The title and the detail of a resource in one line.
    pub(crate) fn line(self, resource: &Value) -> (Option<String>, String) {
        let definition = self.definition();
        let title = match definition.title {
            Title::HumanName => human_name(resource),
            Title::Elements(names) => {
                let mut found = names.iter().filter_map(|name| resource.get(*name));
                found.find_map(words)
            }
            Title::Of(title) => title(resource),
        };
        (title, (definition.detail)(resource))
    }

    /// Checks the id of a resource of this type.
    ///
    /// A Patient's id is a random UUID (version 4, RFC 9562), since it stands in URLs and logs:
    /// other versions are computed from names, times or machines. Version 8 is reserved for ids
    /// that this stack derives.
    ///
    /// # Errors
    ///
    /// The id of a Patient is not random.
    pub fn check_id(self, id: Uuid) -> Result<(), Issue> {
        let random = id.get_version_num() == 4 && id.get_variant() == Variant::RFC4122;
        if self != Self::Patient || random {
            return Ok(());
        }
        let why = if id.get_version_num() == 8 {
            "UUIDs of version 8 are reserved: a Patient's id is a random UUID (version 4)"
        } else {
            "a Patient's id is a random UUID (version 4): any other may be computed from what tells \
             of a person"
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
    fn a_chart_shows_what_a_patient_owns_but_not_the_patient() {
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
            // The variant of Microsoft.
            "c757873d-ec9a-4326-c141-556f43239520",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ] {
            assert!(check(ResourceType::Patient, other).is_err(), "{other}");
            assert!(check(ResourceType::Observation, other).is_ok());
        }
    }
}
