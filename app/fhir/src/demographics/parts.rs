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
    /// Given names.
    pub given: Vec<Zeroizing<String>>,
    /// Prefixes: titles.
    pub prefix: Vec<Zeroizing<String>>,
    /// Suffixes.
    pub suffix: Vec<Zeroizing<String>>,
    /// The whole name as one text.
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
    /// Whether its use is `old`.
    pub old: bool,
}

/// A contact point of a patient: a phone number, an e-mail address or another.
pub struct PatientContact {
    /// The kind of contact.
    pub system: ContactSystem,
    /// The value.
    pub value: Zeroizing<String>,
    /// Whether its use is `old`.
    pub old: bool,
}

/// The kind of a contact (`contact-point-system`), reduced to what searches distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContactSystem {
    /// A voice telephone.
    Phone,
    /// E-mail.
    Email,
    /// Fax, SMS or pager.
    OtherNumber,
    /// A URL, another system, or none.
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

    /// Whether the identifier is a social security number.
    #[must_use]
    pub fn is_social_security_number(&self) -> bool {
        match &self.system {
            Some(system) => system.as_str() == SSN_SYSTEM,
            None => self.type_codes.iter().any(|code| code.as_str() == "SS"),
        }
    }

    /// A value in the form in which it is compared with this identifier's: letters and digits only for
    /// a social security number, otherwise without outer white space; ASCII letters in upper case.
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
    /// A value in the form in which it is compared: digits only for a number, otherwise without outer
    /// white space; ASCII letters in lower case.
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
