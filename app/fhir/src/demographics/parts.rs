//! Names, identifiers and contacts of a patient.

use serde_json::Value;
use zeroize::Zeroizing;

use super::SSN_SYSTEM;
use super::is;
use super::items;
use super::text;
use super::texts;

/// A name of a patient.
#[derive(Default)]
pub struct PatientName {
    /// Family name.
    pub family: Option<Zeroizing<String>>,
    /// Given names, each alone.
    pub given: Vec<Zeroizing<String>>,
    /// What stands before: titles.
    pub prefix: Vec<Zeroizing<String>>,
    /// What stands after.
    pub suffix: Vec<Zeroizing<String>>,
    /// The whole name as a text.
    pub text: Option<Zeroizing<String>>,
}

/// An identifier of a patient.
pub struct PatientIdentifier {
    /// The URI of the assigner.
    pub system: Option<Zeroizing<String>>,
    /// The value.
    pub value: Zeroizing<String>,
    /// The codes of its type: `MR`, `SS`, `PPN` and others.
    pub type_codes: Vec<Zeroizing<String>>,
    /// No longer in use.
    pub old: bool,
}

/// A phone number, an e-mail address or the like.
pub struct PatientContact {
    /// What it is.
    pub system: ContactSystem,
    /// The value.
    pub value: Zeroizing<String>,
    /// No longer in use.
    pub old: bool,
}

/// What a contact is (`contact-point-system`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContactSystem {
    /// A voice telephone.
    Phone,
    /// E-mail.
    Email,
    /// Fax, SMS or pager.
    OtherNumber,
    /// A URL, anything else, or not said.
    Other,
}

impl PatientName {
    pub(super) fn of(name: &Value) -> Self {
        Self {
            family: text(name, "family"),
            given: texts(name, "given"),
            prefix: texts(name, "prefix"),
            suffix: texts(name, "suffix"),
            text: text(name, "text"),
        }
    }
}

impl PatientIdentifier {
    pub(super) fn of(identifier: &Value) -> Option<Self> {
        let codings = identifier
            .get("type")
            .into_iter()
            .flat_map(|it| items(it, "coding"));
        Some(Self {
            system: text(identifier, "system"),
            value: text(identifier, "value")?,
            type_codes: codings.filter_map(|coding| text(coding, "code")).collect(),
            old: is(identifier, "use", "old"),
        })
    }

    /// Whether it is a social security number.
    #[must_use]
    pub fn is_social_security_number(&self) -> bool {
        match &self.system {
            Some(system) => system.as_str() == SSN_SYSTEM,
            None => self.type_codes.iter().any(|code| code.as_str() == "SS"),
        }
    }

    /// A value as it is compared with this identifier's: of a social security number the letters
    /// and digits, otherwise without outer white space; ASCII letters capital.
    #[must_use]
    pub fn normalized(&self, value: &str) -> Zeroizing<String> {
        let mut plain = Zeroizing::new(String::with_capacity(value.len()));
        if self.is_social_security_number() {
            plain.extend(value.chars().filter(char::is_ascii_alphanumeric));
        } else {
            plain.push_str(value.trim());
        }
        plain.make_ascii_uppercase();
        plain
    }
}

impl PatientContact {
    pub(super) fn of(contact: &Value) -> Option<Self> {
        let system = match contact.get("system").and_then(Value::as_str) {
            Some("phone") => ContactSystem::Phone,
            Some("email") => ContactSystem::Email,
            Some("fax" | "sms" | "pager") => ContactSystem::OtherNumber,
            Some(_) | None => ContactSystem::Other,
        };
        Some(Self {
            system,
            value: text(contact, "value")?,
            old: is(contact, "use", "old"),
        })
    }
}

impl ContactSystem {
    /// A value as it is compared: of a number the digits, otherwise without outer white space; ASCII
    /// letters small.
    #[must_use]
    pub fn normalized(self, value: &str) -> Zeroizing<String> {
        let mut plain = Zeroizing::new(String::with_capacity(value.len()));
        match self {
            Self::Phone | Self::OtherNumber => {
                plain.extend(value.chars().filter(char::is_ascii_digit));
            }
            Self::Email | Self::Other => plain.push_str(value.trim()),
        }
        plain.make_ascii_lowercase();
        plain
    }
}
