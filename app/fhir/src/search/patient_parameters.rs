//! The search parameters of a Patient: the table from which parsing, errors, the `CapabilityStatement` and the
//! schema of the form are derived.

use crate::PatientFlags;
use crate::ReferenceElement;

/// The supported search parameters of a Patient, with their types.
pub const PARAMETERS: [(&str, &str); 24] = [
    ("identifier", "token"),
    ("family", "string"),
    ("given", "string"),
    ("name", "string"),
    ("birthdate", "date"),
    ("phone", "token"),
    ("email", "token"),
    ("telecom", "token"),
    ("gender", "token"),
    ("active", "token"),
    ("deceased", "token"),
    ("death-date", "date"),
    ("address", "string"),
    ("address-city", "string"),
    ("address-state", "string"),
    ("address-postalcode", "string"),
    ("address-country", "string"),
    ("address-use", "token"),
    ("language", "token"),
    ("general-practitioner", "reference"),
    ("organization", "reference"),
    ("link", "reference"),
    ("_id", "token"),
    ("_lastUpdated", "date"),
];
/// The parameters that select and order the results of a search.
pub const RESULT_PARAMETERS: [&str; 6] = [
    "_count",
    "_sort",
    "_total",
    "_summary",
    "_elements",
    "_pretty",
];

/// R4 search parameters that are not supported. Diagnostics may repeat these names, because they
/// contain no value.
pub(super) const UNSUPPORTED: [&str; 12] = [
    "_tag",
    "_profile",
    "_security",
    "_text",
    "_content",
    "_list",
    "_has",
    "_type",
    "_include",
    "_revinclude",
    "_contained",
    "phonetic",
];

/// The modifiers of a parameter, as diagnostics list them.
pub(super) fn modifiers(parameter: &str) -> &'static [&'static str] {
    match parameter {
        "family" | "given" | "name" | "address" | "address-city" | "address-state"
        | "address-postalcode" | "address-country" => &["contains", "exact", "missing"],
        "gender" | "active" | "deceased" | "address-use" | "language" => &["not", "missing"],
        "identifier" | "phone" | "email" | "telecom" | "birthdate" | "death-date" => &["missing"],
        "general-practitioner" => &[
            "missing",
            "Practitioner",
            "Organization",
            "PractitionerRole",
        ],
        "organization" => &["missing", "Organization"],
        "link" => &["missing", "Patient", "RelatedPerson"],
        _ => &[],
    }
}

/// The flags of which a patient has one if the parameter's element is present.
pub(super) fn presence(parameter: &str) -> Option<PatientFlags> {
    use super::code;
    Some(match parameter {
        "identifier" => PatientFlags::HAS_IDENTIFIER,
        "family" => PatientFlags::HAS_FAMILY,
        "given" => PatientFlags::HAS_GIVEN,
        "name" => PatientFlags::HAS_NAME,
        "birthdate" => PatientFlags::HAS_BIRTH_DATE,
        "phone" => PatientFlags::HAS_PHONE,
        "email" => PatientFlags::HAS_EMAIL,
        "telecom" => PatientFlags::HAS_TELECOM,
        "gender" => code::GENDERS.all(),
        "active" => code::ACTIVE.all(),
        // Never missing: R4 computes it for each patient.
        "deceased" => code::DECEASED.all(),
        "death-date" => PatientFlags::HAS_DEATH_DATE,
        "address" => PatientFlags::HAS_ADDRESS,
        "address-city" => PatientFlags::HAS_CITY,
        "address-state" => PatientFlags::HAS_STATE,
        "address-postalcode" => PatientFlags::HAS_POSTAL_CODE,
        "address-country" => PatientFlags::HAS_COUNTRY,
        "address-use" => code::ADDRESS_USES.all(),
        "language" => PatientFlags::HAS_LANGUAGE,
        "general-practitioner" => PatientFlags::HAS_PRACTITIONER,
        "organization" => PatientFlags::HAS_ORGANIZATION,
        "link" => PatientFlags::HAS_LINK,
        _ => return None,
    })
}

/// The element of a parameter on references.
pub(super) fn reference_element(parameter: &str) -> Option<ReferenceElement> {
    match parameter {
        "general-practitioner" => Some(ReferenceElement::GeneralPractitioner),
        "organization" => Some(ReferenceElement::ManagingOrganization),
        "link" => Some(ReferenceElement::Link),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modifier_is_listed_as_far_as_it_is_supported() {
        for (name, kind) in PARAMETERS {
            let has_missing = modifiers(name).contains(&"missing");
            assert_eq!(has_missing, presence(name).is_some(), "{name}");
            assert_eq!(
                kind == "reference",
                reference_element(name).is_some(),
                "{name}"
            );
            if let Some(element) = reference_element(name) {
                let types = element.types().iter().map(|it| it.name());
                assert!(types.eq(modifiers(name).iter().skip(1).copied()), "{name}");
            }
        }
    }
}
