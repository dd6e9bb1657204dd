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

mod definition;
mod details;
mod refused;
mod table;

#[cfg(test)]
pub(crate) use definition::DATES;
pub(crate) use definition::Owner;
use definition::Title;
pub(crate) use refused::refused_names;
pub use refused::refused_reason;
pub use table::ResourceType;

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
    /// Documents, agreements, claims and other records.
    Record,
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
            Self::Record => "record",
        }
    }
}

/// The class of a resource type, by which access is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceClass {
    /// Persons as such: names, birth dates, identifiers, addresses.
    Demographics,
    /// Records of care, and whatever else may tell something of a patient.
    Clinical,
    /// Coverage, claims, payments.
    Billing,
    /// Practitioners, organizations, locations, products and definitions. Its resources refer to no patient.
    Directory,
}

impl ResourceClass {
    /// Every class.
    pub const ALL: [Self; 4] = [
        Self::Demographics,
        Self::Clinical,
        Self::Billing,
        Self::Directory,
    ];

    /// The name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Demographics => "demographics",
            Self::Clinical => "clinical",
            Self::Billing => "billing",
            Self::Directory => "directory",
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

/// The error for a name that is not a supported resource type, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a supported resource type: {0}")]
pub struct UnknownResourceType(&'static str);

impl UnknownResourceType {
    fn named(name: &str) -> Self {
        let other =
            "this is not a resource type of R4: GET [base]/metadata lists those that are stored";
        Self(refused_reason(name).unwrap_or(other))
    }
}

impl From<UnknownResourceType> for Issue {
    fn from(unknown: UnknownResourceType) -> Self {
        Self::new(IssueCode::NotSupported, unknown.0)
    }
}

impl ResourceType {
    /// The types that a chart shows, in the order of its filters. It is disclosed under the class
    /// Clinical, so that it does not show claims.
    pub fn in_charts() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|it| !it.owner_paths().is_empty() && it.class() != ResourceClass::Billing)
    }

    /// The names of all supported types, separated by commas.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The class by which access to resources of this type is decided.
    #[must_use]
    pub const fn class(self) -> ResourceClass {
        self.definition().class
    }

    /// The compartment that owns resources of this type; `None` if that depends on the resource:
    /// [`crate::Resource::owner`] decides.
    #[must_use]
    pub const fn compartment(self) -> Option<Compartment> {
        match self.definition().owner {
            Owner::Organization => Some(Compartment::Directory),
            Owner::Itself | Owner::Patient(_) => Some(Compartment::Patient),
            Owner::PatientOrOrganization(_) => None,
        }
    }

    /// The paths of the elements that refer to the owning patient, such as `subject` or
    /// `participant[].actor`; none for a Patient and for the types that only the organization owns.
    #[must_use]
    pub const fn owner_paths(self) -> &'static [&'static str] {
        match self.definition().owner {
            Owner::Itself | Owner::Organization => &[],
            Owner::Patient(paths) | Owner::PatientOrOrganization(paths) => paths,
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

    /// The owner of resources of this type.
    pub(crate) const fn owner(self) -> &'static Owner {
        &self.definition().owner
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
        Self::named(name).ok_or_else(|| UnknownResourceType::named(name))
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
        for other in ["patient", "Bot", "Bundle", "", "DomainResource"] {
            assert!(other.parse::<ResourceType>().is_err(), "{other}");
        }
        let bundle = "Bundle".parse::<ResourceType>().expect_err("not stored");
        assert_eq!(Some(bundle.0), refused_reason("Bundle"));
    }

    #[test]
    fn a_chart_shows_the_types_that_a_patient_owns_but_not_the_patient_and_no_claims() {
        let shown: Vec<_> = ResourceType::in_charts().collect();
        assert!(shown.contains(&ResourceType::Condition));
        assert!(shown.contains(&ResourceType::Device));
        assert!(!shown.contains(&ResourceType::Patient));
        assert!(!shown.contains(&ResourceType::Location));
        assert!(!shown.contains(&ResourceType::Claim));
        for resource_type in shown {
            assert_ne!(resource_type.colour(), Colour::None, "{resource_type}");
        }
    }

    #[test]
    fn the_class_follows_from_what_a_type_may_tell() {
        let class = |name: &str| name.parse::<ResourceType>().expect("stored").class();
        for (name, expected) in [
            ("Patient", ResourceClass::Demographics),
            ("RelatedPerson", ResourceClass::Demographics),
            ("Person", ResourceClass::Demographics),
            ("Claim", ResourceClass::Billing),
            ("PaymentNotice", ResourceClass::Billing),
            ("Observation", ResourceClass::Clinical),
            ("Group", ResourceClass::Clinical),
            ("Device", ResourceClass::Clinical),
            ("Medication", ResourceClass::Directory),
            ("ValueSet", ResourceClass::Directory),
        ] {
            assert_eq!(class(name), expected, "{name}");
        }
        for resource_type in ResourceType::ALL {
            // The directory is readable by every role.
            let is_directory = resource_type.class() == ResourceClass::Directory;
            let of_organization = resource_type.compartment() == Some(Compartment::Directory);
            assert!(!is_directory || of_organization, "{resource_type}");
        }
    }

    #[test]
    fn plurals_are_distinct() {
        let mut plurals = ResourceType::ALL.map(ResourceType::plural);
        plurals.sort_unstable();
        assert!(plurals.windows(2).all(|pair| pair[0] != pair[1]));
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
