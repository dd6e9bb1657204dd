//! The demographics of a Patient: fields that are sealed, displayed and searched individually.

use serde_json::Value;
use zeroize::Zeroizing;

use crate::DateSpan;
use crate::InstantSpan;
use crate::Resource;

mod flags;
mod parts;
mod related;

pub use flags::PatientFlags;
pub use parts::ContactSystem;
pub use parts::PatientContact;
pub use parts::PatientIdentifier;
pub use parts::PatientName;
pub use related::PatientAddress;
pub use related::PatientLanguage;
pub use related::PatientReference;
pub use related::ReferenceElement;
pub use related::ReferenceType;

/// The identifier system of US social security numbers.
pub const SSN_SYSTEM: &str = "http://hl7.org/fhir/sid/us-ssn";

/// The demographics of a Patient as sent, without normalization.
///
/// All fields are PHI: they are zeroized on drop, and there is no `Debug`.
#[derive(Default)]
pub struct Demographics {
    /// All names, in the order sent.
    pub names: Vec<PatientName>,
    /// All identifiers that have a value, old ones included.
    pub identifiers: Vec<PatientIdentifier>,
    /// All contact points that have a value, old ones included.
    pub contacts: Vec<PatientContact>,
    /// The birth date as a span of days.
    pub born: Option<DateSpan>,
    /// All addresses, old ones included.
    pub addresses: Vec<PatientAddress>,
    /// The codings of the languages in which the patient communicates.
    pub languages: Vec<PatientLanguage>,
    /// General practitioners.
    pub practitioners: Vec<PatientReference>,
    /// The managing organization.
    pub organizations: Vec<PatientReference>,
    /// Links to other records of the same person.
    pub links: Vec<PatientReference>,
    /// The codes, and which elements are present.
    pub flags: Zeroizing<PatientFlags>,
    /// The time of death as a span.
    pub death: Option<InstantSpan>,
    /// Family name of the current name; the text of a name that has neither family nor given names.
    pub family: Option<Zeroizing<String>>,
    /// Given names, joined by spaces.
    pub given: Option<Zeroizing<String>>,
    /// Birth date: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub birth_date: Option<Zeroizing<String>>,
    /// `male`, `female`, `other` or `unknown`.
    pub gender: Option<Zeroizing<String>>,
    /// Medical record number: the identifier of type MR.
    pub mrn: Option<Zeroizing<String>>,
    /// Social security number: the identifier of type SS, or of the system of social security numbers.
    pub ssn: Option<Zeroizing<String>>,
    /// Phone number; the home number if there are several.
    pub phone: Option<Zeroizing<String>>,
    /// E-mail address.
    pub email: Option<Zeroizing<String>>,
    /// Postal address in one line; the home address if there are several.
    pub address: Option<Zeroizing<String>>,
    /// Whether the patient has died.
    pub deceased: bool,
    /// Date of death if known: a FHIR date or dateTime.
    pub died: Option<Zeroizing<String>>,
}

impl Demographics {
    /// The demographics of a Patient; empty for a resource of another type.
    pub fn of(patient: &Resource) -> Self {
        let patient = patient.value();
        if patient.get("resourceType").and_then(Value::as_str) != Some("Patient") {
            return Self::default();
        }
        let name = preferred(patient, "name", &["official", "usual", ""]);
        let given = name.and_then(|name| joined(name.get("given")?, " "));
        let family = name.and_then(|name| text(name, "family"));
        // A name without parts is displayed by its text.
        let name_text = || {
            name.filter(|_| given.is_none())
                .and_then(|name| text(name, "text"))
        };
        let birth_date = text(patient, "birthDate");
        let died = text(patient, "deceasedDateTime");
        let references = |element| PatientReference::all_of(patient, element);
        Self {
            names: items(patient, "name").map(PatientName::of).collect(),
            identifiers: items(patient, "identifier")
                .filter_map(PatientIdentifier::of)
                .collect(),
            contacts: items(patient, "telecom")
                .filter_map(PatientContact::of)
                .collect(),
            born: birth_date.as_ref().and_then(|date| DateSpan::parse(date)),
            addresses: items(patient, "address").map(PatientAddress::of).collect(),
            languages: PatientLanguage::all_of(patient),
            practitioners: references(ReferenceElement::GeneralPractitioner),
            organizations: references(ReferenceElement::ManagingOrganization),
            links: references(ReferenceElement::Link),
            flags: Zeroizing::new(PatientFlags::of(patient)),
            death: died.as_ref().and_then(|time| InstantSpan::parse(time)),
            family: family.or_else(name_text),
            given,
            birth_date,
            gender: text(patient, "gender"),
            mrn: identifier(patient, "MR", None),
            ssn: identifier(patient, "SS", Some(SSN_SYSTEM)),
            phone: contact(patient, "phone"),
            email: contact(patient, "email"),
            address: preferred(patient, "address", &["home", ""]).and_then(address),
            deceased: patient.get("deceasedDateTime").is_some()
                || patient.get("deceasedBoolean") == Some(&Value::Bool(true)),
            died,
        }
    }

    /// The references of an element.
    #[must_use]
    pub fn references(&self, element: ReferenceElement) -> &[PatientReference] {
        match element {
            ReferenceElement::GeneralPractitioner => &self.practitioners,
            ReferenceElement::ManagingOrganization => &self.organizations,
            ReferenceElement::Link => &self.links,
        }
    }
}

fn texts(object: &Value, name: &str) -> Vec<Zeroizing<String>> {
    let texts = items(object, name).filter_map(Value::as_str);
    texts.map(|text| Zeroizing::new(text.to_owned())).collect()
}

fn items<'v>(object: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> + Clone {
    object
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text(object: &Value, name: &str) -> Option<Zeroizing<String>> {
    object
        .get(name)
        .and_then(Value::as_str)
        .map(|text| Zeroizing::new(text.to_owned()))
}

fn is(object: &Value, name: &str, value: &str) -> bool {
    object.get(name).and_then(Value::as_str).unwrap_or_default() == value
}

/// The item with the first of these uses (`""`: without a use), otherwise one that is not old, otherwise
/// any.
fn preferred<'v>(object: &'v Value, name: &str, uses: &[&str]) -> Option<&'v Value> {
    let all = items(object, name);
    let of_use = uses
        .iter()
        .find_map(|code| all.clone().find(|item| is(item, "use", code)));
    of_use
        .or_else(|| all.clone().find(|item| !is(item, "use", "old")))
        .or_else(|| items(object, name).next())
}

fn joined(texts: &Value, separator: &str) -> Option<Zeroizing<String>> {
    let texts: Vec<&str> = texts.as_array()?.iter().filter_map(Value::as_str).collect();
    (!texts.is_empty()).then(|| Zeroizing::new(texts.join(separator)))
}

fn identifier(patient: &Value, code: &str, system: Option<&str>) -> Option<Zeroizing<String>> {
    let typed = |identifier: &&Value| {
        let codings = identifier
            .get("type")
            .map(|concept| items(concept, "coding"));
        codings
            .into_iter()
            .flatten()
            .any(|coding| is(coding, "code", code))
    };
    let of_system = |identifier: &&Value| system.is_some_and(|it| is(identifier, "system", it));
    let mut all = items(patient, "identifier").filter(|item| !is(item, "use", "old"));
    // The system identifies a number with certainty; a type code is only the sender's label.
    let found = all.clone().find(of_system).or_else(|| all.find(typed));
    found.and_then(|identifier| text(identifier, "value"))
}

fn contact(patient: &Value, system: &str) -> Option<Zeroizing<String>> {
    let all = items(patient, "telecom")
        .filter(|point| is(point, "system", system) && !is(point, "use", "old"));
    let home = all.clone().find(|point| is(point, "use", "home"));
    home.or_else(|| all.clone().next())
        .and_then(|point| text(point, "value"))
}

fn address(address: &Value) -> Option<Zeroizing<String>> {
    let mut line = joined(address.get("line").unwrap_or(&Value::Null), ", ").unwrap_or_default();
    let mut add = |separator: &str, name: &str| {
        if let Some(part) = address.get(name).and_then(Value::as_str) {
            if !line.is_empty() {
                line.push_str(separator);
            }
            line.push_str(part);
        }
    };
    add(", ", "city");
    add(", ", "state");
    add(" ", "postalCode");
    add(", ", "country");
    if line.is_empty() {
        text(address, "text")
    } else {
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(patient: &Value) -> Demographics {
        Demographics::of(&Resource::parse(patient.to_string().as_bytes()).expect("valid"))
    }

    fn shown(text: Option<&Zeroizing<String>>) -> &str {
        text.map_or("", |text| text.as_str())
    }

    #[test]
    fn every_field_is_read_from_its_element() {
        let found = of(&json!({
            "resourceType": "Patient",
            "identifier": [
                {"system": "urn:x", "value": "0"},
                {"type": {"coding": [{"code": "MR"}]}, "value": "M1"},
                {"system": SSN_SYSTEM, "value": "999-12-3456"}
            ],
            "name": [
                {"use": "maiden", "family": "Old", "given": ["Q"]},
                {"use": "official", "family": "New", "given": ["A", "B"]}
            ],
            "telecom": [
                {"system": "email", "value": "a@example.org"},
                {"system": "phone", "use": "old", "value": "1"},
                {"system": "phone", "use": "work", "value": "2"},
                {"system": "phone", "use": "home", "value": "3"}
            ],
            "gender": "female",
            "birthDate": "1980-02-29",
            "deceasedDateTime": "2020",
            "address": [{"line": ["1 A St", "Apt 2"], "city": "C", "state": "MA", "postalCode": "01"}]
        }));
        assert_eq!(shown(found.family.as_ref()), "New");
        assert_eq!(shown(found.given.as_ref()), "A B");
        assert_eq!(shown(found.birth_date.as_ref()), "1980-02-29");
        assert_eq!(shown(found.gender.as_ref()), "female");
        assert_eq!(shown(found.mrn.as_ref()), "M1");
        assert_eq!(shown(found.ssn.as_ref()), "999-12-3456");
        assert_eq!(shown(found.phone.as_ref()), "3");
        assert_eq!(shown(found.email.as_ref()), "a@example.org");
        assert_eq!(shown(found.address.as_ref()), "1 A St, Apt 2, C, MA 01");
        assert!(found.deceased);
        assert_eq!(shown(found.died.as_ref()), "2020");
    }

    #[test]
    fn every_name_identifier_and_contact_is_listed() {
        let found = of(&json!({
            "resourceType": "Patient",
            "identifier": [
                {"system": "urn:a", "value": "1"},
                {"use": "old", "value": "2", "type": {"coding": [{"code": "MR"}]}},
                {"system": "urn:b"}
            ],
            "name": [
                {"use": "official", "family": "Wed", "given": ["Maya"], "suffix": ["Jr"]},
                {"use": "maiden", "family": "Birch"},
                {"use": "nickname", "given": ["Mims"]}
            ],
            "telecom": [
                {"system": "phone", "value": "1"}, {"system": "phone", "value": "2"},
                {"system": "email", "value": "a@example.org"}, {"system": "fax"}
            ],
            "birthDate": "1933-05"
        }));
        assert_eq!(found.names.len(), 3);
        assert_eq!(shown(found.names[1].family.as_ref()), "Birch");
        assert_eq!(found.names[0].suffix[0].as_str(), "Jr");
        assert_eq!(found.identifiers.len(), 2);
        assert!(found.identifiers[1].old && found.identifiers[1].system.is_none());
        assert_eq!(found.contacts.len(), 3);
        assert_eq!(found.born.unwrap().last().day(), 31);
        assert_eq!(shown(found.family.as_ref()), "Wed");
    }

    #[test]
    fn missing_elements_are_absent_and_a_name_without_parts_is_its_text() {
        let found = of(&json!({"resourceType": "Patient", "name": [{"text": "A B"}]}));
        assert_eq!(shown(found.family.as_ref()), "A B");
        assert!(found.given.is_none() && found.address.is_none());
        assert!(found.mrn.is_none() && !found.deceased);
    }

    #[test]
    fn an_old_name_is_used_only_if_there_is_no_other() {
        let old = json!({"use": "old", "family": "Old"});
        let both =
            of(&json!({"resourceType": "Patient", "name": [old, {"use": "temp", "family": "N"}]}));
        assert_eq!(shown(both.family.as_ref()), "N");
        let only = of(&json!({"resourceType": "Patient", "name": [old]}));
        assert_eq!(shown(only.family.as_ref()), "Old");
    }
}
