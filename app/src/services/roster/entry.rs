//! The roster entry of a patient, which is sealed in the row of the patient's fields.

use fhir::DateSpan;
use fhir::Demographics;
use fhir::InstantSpan;
use fhir::PatientFlags;
use fhir::PatientReference;
use phi::Phi;
use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

use crate::services::error::ServiceError;

/// What of a patient is sorted and searched in memory. Wiped when dropped.
///
/// A member that is added later needs a default, so that entries sealed before can still be read. A
/// patient of such an entry has no member that was added later: it is not found by it until it is
/// written again.
#[derive(Default, Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct RosterEntry {
    /// Family name of the current name, by which lists are sorted.
    #[serde(default)]
    family: String,
    /// Given names of the current name, by which lists are sorted.
    #[serde(default)]
    given: String,
    /// Birth date: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    #[serde(default)]
    born: String,
    /// Every name, current and former.
    #[serde(default)]
    names: Vec<EntryName>,
    /// The bits of [`PatientFlags`].
    #[serde(default)]
    flags: u32,
    /// Time of the last change, in milliseconds since 1970.
    #[serde(default)]
    updated: i64,
    /// Time of death: a FHIR date or dateTime.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    died: String,
    /// Every address, current and former.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<EntryAddress>,
    /// System, which may be empty, and code of each language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    languages: Vec<(String, String)>,
    /// General practitioners: `Type/id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    practitioners: Vec<String>,
    /// The managing organization: `Type/id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    organizations: Vec<String>,
    /// Other records of the same person: `Type/id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<String>,
}

/// The parts of one address.
#[derive(Default, Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct EntryAddress {
    /// Lines, district and the full text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    street: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    city: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    zip: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    country: String,
}

/// The parts of one name.
#[derive(Default, Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct EntryName {
    #[serde(default)]
    family: String,
    #[serde(default)]
    given: Vec<String>,
    /// Prefixes, suffixes and the full text.
    #[serde(default)]
    other: Vec<String>,
}

impl RosterEntry {
    /// The entry of a patient that was last changed at a time.
    pub(crate) fn of(patient: &Demographics, updated: OffsetDateTime) -> Self {
        let references = |all: &[PatientReference]| all.iter().map(ToString::to_string).collect();
        let language = |it: &fhir::PatientLanguage| (text(it.system.as_ref()), owned(&it.code));
        Self {
            family: text(patient.family.as_ref()),
            given: text(patient.given.as_ref()),
            born: text(patient.birth_date.as_ref()),
            names: patient.names.iter().map(EntryName::of).collect(),
            flags: patient.flags.bits(),
            updated: millis(updated),
            died: text(patient.died.as_ref()),
            addresses: patient.addresses.iter().map(EntryAddress::of).collect(),
            languages: patient.languages.iter().map(language).collect(),
            practitioners: references(&patient.practitioners),
            organizations: references(&patient.organizations),
            links: references(&patient.links),
        }
    }

    /// The entry as JSON, to be sealed.
    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, ServiceError> {
        let bytes = serde_json::to_vec(self).map_err(ServiceError::internal)?;
        Ok(Zeroizing::new(bytes))
    }

    /// The size of the entry, in bytes: in the roster, where each word of each name is indexed, or
    /// in its sealed form, whichever is larger.
    ///
    /// # Errors
    ///
    /// See [`Self::to_bytes`].
    pub(crate) fn bytes(&self) -> Result<usize, ServiceError> {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method itself is of fields of one lifetime"
        )]
        let indexed = self.with_fields(|fields| fields.bytes());
        Ok(indexed.max(self.to_bytes()?.len()))
    }

    /// Parses an opened entry.
    pub(super) fn from_bytes(bytes: &Phi<Vec<u8>>) -> Result<Self, ServiceError> {
        // The parser's error would quote the text, which is PHI.
        serde_json::from_slice(bytes.expose())
            .map_err(|_quotes_text| ServiceError::internal("a roster entry is malformed"))
    }

    /// Passes the indexed fields of the patient to `index`.
    pub(super) fn with_fields<T>(&self, index: impl FnOnce(&roster::PatientFields<'_>) -> T) -> T {
        let given: Vec<Vec<&str>> = self.names.iter().map(|name| texts(&name.given)).collect();
        let other: Vec<Vec<&str>> = self.names.iter().map(|name| texts(&name.other)).collect();
        let names: Vec<_> = self
            .names
            .iter()
            .zip(given.iter().zip(&other))
            .map(|(name, (given, other))| roster::NameFields {
                family: &name.family,
                given,
                other,
            })
            .collect();
        let streets: Vec<_> = self.addresses.iter().map(|it| texts(&it.street)).collect();
        let addresses = self.addresses.iter().zip(&streets);
        let addresses: Vec<_> = addresses
            .map(|(address, street)| roster::AddressFields {
                street,
                city: &address.city,
                state: &address.state,
                postal_code: &address.zip,
                country: &address.country,
            })
            .collect();
        let languages = self.languages.iter();
        let languages: Vec<_> = languages
            .map(|(system, code)| roster::LanguageFields { system, code })
            .collect();
        let born = DateSpan::parse(&self.born);
        let fields = roster::PatientFields {
            names: &names,
            sort_family: &self.family,
            sort_given: &self.given,
            birth: born.map(Into::into),
            addresses: &addresses,
            languages: &languages,
            practitioners: &references(&self.practitioners),
            organizations: &references(&self.organizations),
            links: &references(&self.links),
            flags: PatientFlags::from_bits(self.flags),
            death: InstantSpan::parse(&self.died),
            updated: self.updated,
        };
        index(&fields)
    }
}

impl EntryName {
    fn of(name: &fhir::PatientName) -> Self {
        let other = name.prefix.iter().chain(&name.suffix).chain(&name.text);
        Self {
            family: text(name.family.as_ref()),
            given: name.given.iter().map(owned).collect(),
            other: other.map(owned).collect(),
        }
    }
}

impl EntryAddress {
    fn of(address: &fhir::PatientAddress) -> Self {
        Self {
            street: address.street.iter().map(owned).collect(),
            city: text(address.city.as_ref()),
            state: text(address.state.as_ref()),
            zip: text(address.postal_code.as_ref()),
            country: text(address.country.as_ref()),
        }
    }
}

fn owned(text: &Zeroizing<String>) -> String {
    text.as_str().to_owned()
}

fn text(text: Option<&Zeroizing<String>>) -> String {
    text.map(owned).unwrap_or_default()
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn references(texts: &[String]) -> Vec<PatientReference> {
    let parsed = texts.iter().map(|text| PatientReference::parse(text));
    parsed.flatten().collect()
}

/// Milliseconds since 1970.
fn millis(time: OffsetDateTime) -> i64 {
    let millis = i64::from(time.millisecond());
    time.unix_timestamp() * 1_000 + millis
}

#[cfg(test)]
mod tests {
    use fhir::Resource;
    use serde_json::Value;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::limits::MAX_DEMOGRAPHICS_BYTES;

    const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

    fn demographics(patient: &Value) -> Demographics {
        let resource = Resource::from_stored_bytes(patient.to_string().as_bytes());
        Demographics::of(&resource.expect("a resource"))
    }

    fn entry(patient: &Value) -> RosterEntry {
        RosterEntry::of(
            &demographics(patient),
            datetime!(2026-11-29 10:00:00.123456 UTC),
        )
    }

    fn read(bytes: &[u8]) -> RosterEntry {
        serde_json::from_slice(bytes).expect("an entry")
    }

    #[test]
    fn an_entry_has_every_indexed_element() {
        let entry = entry(&json!({
            "resourceType": "Patient", "gender": "female", "birthDate": "1980", "active": true,
            "deceasedDateTime": "2020-05-17T10:00:00Z",
            "name": [{"family": "Dvořák", "given": ["Anna"], "prefix": ["Dr"]}],
            "address": [{"use": "home", "line": ["1 A St"], "city": "C", "state": "MA",
                         "postalCode": "01", "country": "US", "district": "D"}],
            "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en"}]}}],
            "generalPractitioner": [{"reference": format!("Practitioner/{ID}")}],
            "managingOrganization": {"reference": format!("Organization/{ID}")}
        }));
        let sealed = entry.to_bytes().expect("JSON");
        assert!(sealed.len() < 500, "{}", sealed.len());
        read(&sealed).with_fields(|fields| {
            assert_eq!(fields.names[0].family, "Dvořák");
            assert_eq!(fields.addresses[0].street, ["1 A St", "D"]);
            assert_eq!(fields.addresses[0].postal_code, "01");
            assert_eq!(fields.languages[0].code, "en");
            assert_eq!(
                (fields.practitioners.len(), fields.organizations.len()),
                (1, 1)
            );
            let female = PatientFlags::FEMALE.union(PatientFlags::HOME);
            assert!(fields.flags.intersects(female) && fields.death.is_some());
            assert_eq!(fields.updated, 1_795_946_400_123);
        });
    }

    #[test]
    fn an_entry_of_the_former_format_has_names_and_a_birth_date_alone() {
        let former = br#"{"family":"A","given":"B","born":"1980","names":[{"family":"A","given":["B"],"other":[]}]}"#;
        read(former).with_fields(|fields| {
            assert_eq!((fields.sort_family, fields.names.len()), ("A", 1));
            assert!(fields.birth.is_some() && fields.addresses.is_empty());
            assert!(fields.flags == PatientFlags::NONE && fields.updated == 0);
        });
    }

    /// A string of R4 may have a megabyte: an entry with one is longer than the limit that refuses it
    /// (422), and is neither cut nor an error.
    #[test]
    fn a_very_long_text_of_any_element_makes_a_long_entry_or_none_at_all() {
        let long = "x ".repeat(50_000);
        let uri = "x".repeat(100_000);
        for (patient, is_indexed) in [
            (json!({"name": [{"family": long}]}), true),
            (json!({"name": [{"given": [long]}]}), true),
            (json!({"name": [{"prefix": [long]}]}), true),
            (json!({"name": [{"text": long}]}), true),
            (json!({"address": [{"line": [long]}]}), true),
            (json!({"address": [{"city": long}]}), true),
            (json!({"address": [{"district": long}]}), true),
            (json!({"address": [{"postalCode": long}]}), true),
            (json!({"address": [{"text": long}]}), true),
            (
                json!({"communication": [{"language": {"coding": [{"code": uri}]}}]}),
                true,
            ),
            (
                json!({"communication": [{"language": {"coding": [{"system": uri, "code": "a"}]}}]}),
                true,
            ),
            (
                json!({"communication": [{"language": {"text": long}}]}),
                false,
            ),
            (
                json!({"identifier": [{"system": uri, "value": long}]}),
                false,
            ),
            (
                json!({"telecom": [{"system": "phone", "value": long}]}),
                false,
            ),
            (json!({"maritalStatus": {"text": long}}), false),
            (json!({"contact": [{"name": {"family": long}}]}), false),
        ] {
            let mut patient = patient;
            patient["resourceType"] = json!("Patient");
            let bytes = entry(&patient).bytes().expect("a length");
            assert_eq!(bytes > MAX_DEMOGRAPHICS_BYTES, is_indexed, "{bytes}");
        }
    }
}
