//! The roster entry of a patient, which is sealed in the row of the patient's fields.

use fhir::DateSpan;
use fhir::Demographics;
use phi::Phi;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

use crate::services::error::ServiceError;

/// A patient's names and birth date, for sorting and searching. Wiped when dropped.
///
/// A member that is added later needs a default, so that entries sealed before can still be read.
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
    /// The entry of a patient.
    pub(crate) fn of(patient: &Demographics) -> Self {
        let owned = |text: &Zeroizing<String>| text.as_str().to_owned();
        let text = |text: &Option<Zeroizing<String>>| text.as_ref().map(owned).unwrap_or_default();
        let name = |name: &fhir::PatientName| EntryName {
            family: text(&name.family),
            given: name.given.iter().map(owned).collect(),
            other: name
                .prefix
                .iter()
                .chain(&name.suffix)
                .chain(&name.text)
                .map(owned)
                .collect(),
        };
        Self {
            family: text(&patient.family),
            given: text(&patient.given),
            born: text(&patient.birth_date),
            names: patient.names.iter().map(name).collect(),
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
        let born = DateSpan::parse(&self.born);
        let fields = roster::PatientFields {
            names: &names,
            sort_family: &self.family,
            sort_given: &self.given,
            birth: born.map(Into::into),
        };
        index(&fields)
    }
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
