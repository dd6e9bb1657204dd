//! Addresses, languages and references of a patient.

use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::items;
use super::text;
use super::texts;
use crate::reference::parse_id;
use crate::reference::restful;

/// An address of a patient.
#[derive(Default)]
pub struct PatientAddress {
    /// Lines, district, and the whole address as one text.
    pub street: Vec<Zeroizing<String>>,
    /// City.
    pub city: Option<Zeroizing<String>>,
    /// State.
    pub state: Option<Zeroizing<String>>,
    /// Postal code.
    pub postal_code: Option<Zeroizing<String>>,
    /// Country.
    pub country: Option<Zeroizing<String>>,
}

/// A coding of a language in which the patient communicates.
pub struct PatientLanguage {
    /// The URI of the code system.
    pub system: Option<Zeroizing<String>>,
    /// The code, such as `en-US`.
    pub code: Zeroizing<String>,
}

/// A reference from a Patient to another resource of the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PatientReference {
    /// The type of the resource.
    pub resource_type: ReferenceType,
    /// The id of the resource.
    pub id: Uuid,
}

/// The element that contains a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceElement {
    /// `generalPractitioner`.
    GeneralPractitioner,
    /// `managingOrganization`.
    ManagingOrganization,
    /// `link.other`.
    Link,
}

/// The types of resources to which a Patient refers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceType {
    /// Organization.
    Organization,
    /// Patient.
    Patient,
    /// Practitioner.
    Practitioner,
    /// `PractitionerRole`.
    PractitionerRole,
    /// `RelatedPerson`.
    RelatedPerson,
}

impl PatientAddress {
    pub(super) fn of(address: &Value) -> Self {
        let mut street = texts(address, "line");
        street.extend(text(address, "district"));
        street.extend(text(address, "text"));
        Self {
            street,
            city: text(address, "city"),
            state: text(address, "state"),
            postal_code: text(address, "postalCode"),
            country: text(address, "country"),
        }
    }

    /// Every text of the address.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let parts = [&self.city, &self.state, &self.postal_code, &self.country];
        let texts = self.street.iter().chain(parts.into_iter().flatten());
        texts.map(|text| text.as_str())
    }
}

impl PatientLanguage {
    /// The codings of all languages of a Patient that have a code.
    pub(super) fn all_of(patient: &Value) -> Vec<Self> {
        let concepts = items(patient, "communication").filter_map(|it| it.get("language"));
        let codings = concepts.flat_map(|language| items(language, "coding"));
        let coding = |coding: &Value| {
            Some(Self {
                system: text(coding, "system"),
                code: text(coding, "code")?,
            })
        };
        codings.filter_map(coding).collect()
    }
}

impl PatientReference {
    /// The references of an element of a Patient. References to other servers and identifiers are left out.
    pub(super) fn all_of(patient: &Value, element: ReferenceElement) -> Vec<Self> {
        let of = |reference: &Value| Self::parse(reference.get("reference")?.as_str()?);
        match element {
            ReferenceElement::GeneralPractitioner => items(patient, "generalPractitioner")
                .filter_map(of)
                .collect(),
            ReferenceElement::ManagingOrganization => patient
                .get("managingOrganization")
                .and_then(of)
                .into_iter()
                .collect(),
            ReferenceElement::Link => {
                let others = items(patient, "link").filter_map(|link| link.get("other"));
                others.filter_map(of).collect()
            }
        }
    }

    /// Parses `Type/uuid` of a type to which a Patient refers; a version is ignored.
    #[must_use]
    pub fn parse(reference: &str) -> Option<Self> {
        let parts = restful(reference).filter(|parts| parts.base.is_none())?;
        Some(Self {
            resource_type: ReferenceType::named(parts.resource_type)?,
            id: parse_id(parts.id).ok()?,
        })
    }
}

impl ReferenceElement {
    /// The elements.
    pub const ALL: [Self; 3] = [
        Self::GeneralPractitioner,
        Self::ManagingOrganization,
        Self::Link,
    ];

    /// The types to which the element may refer.
    #[must_use]
    pub const fn types(self) -> &'static [ReferenceType] {
        use ReferenceType::Organization;
        use ReferenceType::Patient;
        use ReferenceType::Practitioner;
        use ReferenceType::PractitionerRole;
        use ReferenceType::RelatedPerson;
        match self {
            Self::GeneralPractitioner => &[Practitioner, Organization, PractitionerRole],
            Self::ManagingOrganization => &[Organization],
            Self::Link => &[Patient, RelatedPerson],
        }
    }
}

impl ReferenceType {
    /// The types.
    pub const ALL: [Self; 5] = [
        Self::Organization,
        Self::Patient,
        Self::Practitioner,
        Self::PractitionerRole,
        Self::RelatedPerson,
    ];

    /// The name of the type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "Organization",
            Self::Patient => "Patient",
            Self::Practitioner => "Practitioner",
            Self::PractitionerRole => "PractitionerRole",
            Self::RelatedPerson => "RelatedPerson",
        }
    }

    /// The type with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl std::fmt::Display for PatientReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.resource_type.name(), self.id)
    }
}

// That a patient has this practitioner is PHI.
impl std::fmt::Debug for PatientReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PatientReference([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

    #[test]
    fn references_of_the_server_are_read_and_others_left_out() {
        let patient = json!({
            "generalPractitioner": [
                {"reference": format!("Practitioner/{ID}")},
                {"reference": format!("https://elsewhere.example/fhir/Practitioner/{ID}")},
                {"reference": "Practitioner/house"},
                {"reference": "#contained"},
                {"identifier": {"value": "1"}}
            ],
            "managingOrganization": {"reference": format!("Organization/{ID}/_history/2")},
            "link": [{"other": {"reference": format!("RelatedPerson/{ID}")}, "type": "seealso"}]
        });
        let found = ReferenceElement::ALL.map(|element| {
            let all = PatientReference::all_of(&patient, element);
            all.iter()
                .map(PatientReference::to_string)
                .collect::<Vec<_>>()
        });
        let expected = ["Practitioner", "Organization", "RelatedPerson"];
        assert_eq!(found, expected.map(|name| vec![format!("{name}/{ID}")]));
    }
}
