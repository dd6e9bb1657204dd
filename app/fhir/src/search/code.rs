//! Conditions on codes, booleans, languages and references.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::grammar::Malformed;
use super::grammar::alternatives;
use super::grammar::split;
use super::grammar::unescape;
use super::token::SystemQuery;
use super::token::token;
use crate::PatientFlags;
use crate::PatientLanguage;
use crate::PatientReference;
use crate::ReferenceElement;
use crate::ReferenceType;

/// A code, the flag of patients that have it, and the meaning of a parameter's values.
pub(super) struct CodeTable {
    /// The code system, which a token may name.
    pub(super) system: &'static str,
    /// The codes.
    pub(super) codes: &'static [(&'static str, PatientFlags)],
}

/// The system of booleans (R4 3.1.1.4.10).
const BOOLEANS: &str = "http://terminology.hl7.org/CodeSystem/special-values";

/// `gender`.
pub(super) const GENDERS: CodeTable = CodeTable {
    system: "http://hl7.org/fhir/administrative-gender",
    codes: &[
        ("male", PatientFlags::MALE),
        ("female", PatientFlags::FEMALE),
        ("other", PatientFlags::OTHER_GENDER),
        ("unknown", PatientFlags::UNKNOWN_GENDER),
    ],
};
/// `active`.
pub(super) const ACTIVE: CodeTable = CodeTable {
    system: BOOLEANS,
    codes: &[
        ("true", PatientFlags::ACTIVE),
        ("false", PatientFlags::INACTIVE),
    ],
};
/// `deceased`.
pub(super) const DECEASED: CodeTable = CodeTable {
    system: BOOLEANS,
    codes: &[
        ("true", PatientFlags::DECEASED),
        ("false", PatientFlags::ALIVE),
    ],
};
/// `address-use`.
pub(super) const ADDRESS_USES: CodeTable = CodeTable {
    system: "http://hl7.org/fhir/address-use",
    codes: &[
        ("home", PatientFlags::HOME),
        ("work", PatientFlags::WORK),
        ("temp", PatientFlags::TEMPORARY),
        ("old", PatientFlags::OLD),
        ("billing", PatientFlags::BILLING),
    ],
};

/// A condition on the flags of a patient. Zeroized on drop.
pub struct FlagQuery {
    any_of: Zeroizing<PatientFlags>,
    negated: bool,
}

/// A condition on the languages in which a patient communicates.
pub struct LanguageQuery {
    any_of: Vec<CodingQuery>,
    negated: bool,
}

/// A code of a condition.
pub struct CodingQuery {
    /// The system.
    pub system: SystemQuery,
    /// The code, in lower case; `None` for `system|`.
    pub code: Option<Zeroizing<String>>,
}

/// A condition on references.
pub struct ReferenceQuery {
    element: ReferenceElement,
    any_of: Vec<ReferenceValue>,
}

/// A reference in a condition.
#[derive(Clone, Copy)]
pub struct ReferenceValue {
    /// The type; `None` for an id alone, of any type.
    pub resource_type: Option<ReferenceType>,
    /// The id.
    pub id: Uuid,
}

impl CodeTable {
    /// All flags of the table.
    pub(super) fn all(&self) -> PatientFlags {
        let flags = self.codes.iter().map(|(_, flag)| *flag);
        flags.fold(PatientFlags::NONE, PatientFlags::union)
    }
}

impl FlagQuery {
    /// Parses tokens of a table.
    pub(super) fn parse(value: &str, table: &CodeTable, negated: bool) -> Result<Self, Malformed> {
        let mut any_of = PatientFlags::NONE;
        for part in alternatives(value)? {
            let (system, code) = token(part)?;
            let flags = match code {
                None => table.all(),
                Some(code) => {
                    let mut named = table
                        .codes
                        .iter()
                        .filter(|(name, _)| *name == code.as_str());
                    named.next().ok_or(Malformed)?.1
                }
            };
            let is_of_table = match system {
                SystemQuery::Any => true,
                SystemQuery::None => false,
                SystemQuery::Is(system) => system.as_str() == table.system,
            };
            if is_of_table {
                any_of = any_of.union(flags);
            }
        }
        Ok(Self::new(any_of, negated))
    }

    /// A condition on whether one of the flags is set, or `negated`, that none is.
    #[must_use]
    pub fn new(any_of: PatientFlags, negated: bool) -> Self {
        Self {
            any_of: Zeroizing::new(any_of),
            negated,
        }
    }

    /// The flags.
    #[must_use]
    pub fn any_of(&self) -> PatientFlags {
        *self.any_of
    }

    /// Whether patients match that have none of the flags.
    #[must_use]
    pub const fn negated(&self) -> bool {
        self.negated
    }

    /// Whether flags match.
    #[must_use]
    pub fn matches(&self, flags: PatientFlags) -> bool {
        flags.intersects(*self.any_of) != self.negated
    }
}

impl LanguageQuery {
    pub(super) fn parse(value: &str, negated: bool) -> Result<Self, Malformed> {
        let one = |part: &str| {
            let (system, mut code) = token(part)?;
            // Language tags are compared without case (BCP 47).
            if let Some(code) = &mut code {
                code.make_ascii_lowercase();
            }
            Ok(CodingQuery { system, code })
        };
        Ok(Self {
            any_of: alternatives(value)?
                .into_iter()
                .map(one)
                .collect::<Result<_, _>>()?,
            negated,
        })
    }

    /// The alternatives.
    #[must_use]
    pub fn any_of(&self) -> &[CodingQuery] {
        &self.any_of
    }

    /// Whether patients match that have none of the languages.
    #[must_use]
    pub const fn negated(&self) -> bool {
        self.negated
    }

    /// Whether languages match.
    #[must_use]
    pub fn matches(&self, languages: &[PatientLanguage]) -> bool {
        let found = |query: &CodingQuery| languages.iter().any(|it| query.matches(it));
        self.any_of.iter().any(found) != self.negated
    }
}

impl CodingQuery {
    fn matches(&self, language: &PatientLanguage) -> bool {
        let system = language.system.as_ref().map(|system| system.as_str());
        let same_system = match &self.system {
            SystemQuery::Any => true,
            SystemQuery::None => system.is_none(),
            SystemQuery::Is(searched) => system == Some(searched.as_str()),
        };
        let code = self.code.as_ref();
        same_system && code.is_none_or(|code| code.eq_ignore_ascii_case(&language.code))
    }
}

impl ReferenceQuery {
    /// Parses `Type/id` or `id`, of the type of the modifier if there is one.
    pub(super) fn parse(
        value: &str,
        element: ReferenceElement,
        modifier: Option<ReferenceType>,
    ) -> Result<Self, Malformed> {
        let one = |part: &str| {
            let text = unescape(split(part, '|')?.first().copied().unwrap_or_default());
            let text = text.trim();
            let found = match crate::parse_id(text) {
                Ok(id) => Some(ReferenceValue {
                    resource_type: modifier,
                    id,
                }),
                Err(_not_an_id) => PatientReference::parse(text).map(|it| ReferenceValue {
                    resource_type: Some(it.resource_type),
                    id: it.id,
                }),
            };
            let is_of_type = |it: &ReferenceValue| {
                let may_be = |name| element.types().contains(&name);
                it.resource_type
                    .is_none_or(|name| may_be(name) && modifier.is_none_or(|it| it == name))
            };
            found.filter(is_of_type).ok_or(Malformed)
        };
        Ok(Self {
            element,
            any_of: alternatives(value)?
                .into_iter()
                .map(one)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The element.
    #[must_use]
    pub const fn element(&self) -> ReferenceElement {
        self.element
    }

    /// The alternatives.
    #[must_use]
    pub fn any_of(&self) -> &[ReferenceValue] {
        &self.any_of
    }

    /// Whether the references of the element match.
    #[must_use]
    pub fn matches(&self, references: &[PatientReference]) -> bool {
        let same = |value: &ReferenceValue, it: &PatientReference| {
            let same_type = value
                .resource_type
                .is_none_or(|name| name == it.resource_type);
            value.id == it.id && same_type
        };
        let mut any_of = self.any_of.iter();
        any_of.any(|value| references.iter().any(|it| same(value, it)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "c757873d-ec9a-4326-a141-556f43239520";

    fn matches(value: &str, flags: PatientFlags) -> Option<bool> {
        let query = FlagQuery::parse(value, &GENDERS, false).ok()?;
        Some(query.matches(flags))
    }

    #[test]
    fn a_code_has_the_system_of_its_value_set() {
        for (value, male, female) in [
            ("male", true, false),
            ("male,female", true, true),
            (
                "http://hl7.org/fhir/administrative-gender|male",
                true,
                false,
            ),
            ("http://hl7.org/fhir/administrative-gender|", true, true),
            ("urn:x|male", false, false),
            ("|male", false, false),
        ] {
            assert_eq!(matches(value, PatientFlags::MALE), Some(male), "{value}");
            assert_eq!(
                matches(value, PatientFlags::FEMALE),
                Some(female),
                "{value}"
            );
        }
        for malformed in ["Male", "m", "male,", "a|male|b", "|"] {
            assert_eq!(matches(malformed, PatientFlags::MALE), None, "{malformed}");
        }
    }

    #[test]
    fn a_negated_condition_matches_patients_without_any_value() {
        let query = FlagQuery::parse("male", &GENDERS, true).ok().unwrap();
        assert!(!query.matches(PatientFlags::MALE));
        assert!(query.matches(PatientFlags::FEMALE) && query.matches(PatientFlags::NONE));
    }

    #[test]
    fn languages_are_compared_by_system_and_without_case() {
        let language = |system: Option<&str>| PatientLanguage {
            system: system.map(|it| Zeroizing::new(it.to_owned())),
            code: Zeroizing::new("en-US".to_owned()),
        };
        let found = |value: &str, system| {
            let query = LanguageQuery::parse(value, false).ok().expect(value);
            query.matches(&[language(system)])
        };
        for (value, of_system, of_none) in [
            ("en-us", true, true),
            ("urn:ietf:bcp:47|en-US", true, false),
            ("|en-US", false, true),
            ("urn:ietf:bcp:47|", true, false),
            ("en", false, false),
        ] {
            assert_eq!(found(value, Some("urn:ietf:bcp:47")), of_system, "{value}");
            assert_eq!(found(value, None), of_none, "{value}");
        }
    }

    #[test]
    fn a_reference_is_an_id_or_a_type_with_an_id() {
        let element = ReferenceElement::GeneralPractitioner;
        let stored = [PatientReference::parse(&format!("Practitioner/{ID}")).unwrap()];
        let found = |value: &str, modifier| {
            let query = ReferenceQuery::parse(value, element, modifier).ok()?;
            Some(query.matches(&stored))
        };
        assert_eq!(found(ID, None), Some(true));
        assert_eq!(found(&format!("Practitioner/{ID}"), None), Some(true));
        assert_eq!(found(&format!("Organization/{ID}"), None), Some(false));
        assert_eq!(found(ID, Some(ReferenceType::Organization)), Some(false));
        assert_eq!(found(ID, Some(ReferenceType::Practitioner)), Some(true));
        assert_eq!(found(&format!("Patient/{ID}"), None), None);
        assert_eq!(found("house", None), None);
        assert_eq!(
            found(&format!("https://a.example/fhir/Practitioner/{ID}"), None),
            None
        );
    }
}
