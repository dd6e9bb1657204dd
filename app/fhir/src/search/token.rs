//! Conditions on identifiers and contact points (R4 3.1.1.4.10).

use zeroize::Zeroizing;

use super::grammar::Malformed;
use super::grammar::alternatives;
use super::grammar::split;
use super::grammar::unescape;
use crate::ContactSystem;
use crate::PatientContact;
use crate::PatientIdentifier;

/// The system in a condition on identifiers.
pub enum SystemQuery {
    /// `value`: any system or none.
    Any,
    /// `|value`: no system.
    None,
    /// `system|value` or `system|`.
    Is(Zeroizing<String>),
}

/// A condition on an identifier.
pub struct IdentifierQuery {
    /// The system.
    pub system: SystemQuery,
    /// The value; `None` for `system|`: any value of the system.
    pub value: Option<Zeroizing<String>>,
}

/// A condition on a contact point.
pub struct ContactQuery {
    /// The system; `None` for `telecom`: any system.
    pub system: Option<ContactSystem>,
    /// The value.
    pub value: Zeroizing<String>,
}

/// The system and the code or value of a token; the value is `None` for `system|`.
pub(super) fn token(part: &str) -> Result<(SystemQuery, Option<Zeroizing<String>>), Malformed> {
    let plain = |part: &str| Zeroizing::new(unescape(part).trim().to_owned());
    let filled = |part: &str| Some(plain(part)).filter(|text| !text.is_empty());
    match split(part, '|')?.as_slice() {
        [value] => Ok((SystemQuery::Any, Some(filled(value).ok_or(Malformed)?))),
        ["", value] => Ok((SystemQuery::None, Some(filled(value).ok_or(Malformed)?))),
        [system, value] => {
            let system = filled(system).ok_or(Malformed)?;
            Ok((SystemQuery::Is(system), filled(value)))
        }
        _ => Err(Malformed),
    }
}

impl IdentifierQuery {
    /// Parses the alternatives of a value.
    pub(super) fn parse(value: &str) -> Result<Vec<Self>, Malformed> {
        alternatives(value)?
            .into_iter()
            .map(Self::parse_one)
            .collect()
    }

    fn parse_one(part: &str) -> Result<Self, Malformed> {
        let (system, value) = token(part)?;
        Ok(Self { system, value })
    }

    /// Whether an identifier matches.
    #[must_use]
    pub fn matches(&self, identifier: &PatientIdentifier) -> bool {
        let system = identifier.system.as_ref().map(|system| system.as_str());
        let same_system = match &self.system {
            SystemQuery::Any => true,
            SystemQuery::None => system.is_none(),
            SystemQuery::Is(searched) => system == Some(searched.as_str()),
        };
        same_system
            && self.value.as_ref().is_none_or(|value| {
                let value = identifier.normalized(value);
                !value.is_empty() && value == identifier.normalized(&identifier.value)
            })
    }
}

impl ContactQuery {
    /// Parses the alternatives of a value.
    pub(super) fn parse(
        value: &str,
        system: Option<ContactSystem>,
    ) -> Result<Vec<Self>, Malformed> {
        let one = |part: &str| {
            // Contact points have no system that is a URI, so a token with a bar cannot match.
            if split(part, '|')?.len() > 1 {
                return Err(Malformed);
            }
            let value = unescape(part);
            Ok(Self { system, value })
        };
        alternatives(value)?.into_iter().map(one).collect()
    }

    /// Whether a contact matches.
    #[must_use]
    pub fn matches(&self, contact: &PatientContact) -> bool {
        let value = contact.system.normalized(&self.value);
        self.system.is_none_or(|system| system == contact.system)
            && !value.is_empty()
            && value == contact.system.normalized(&contact.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SSN_SYSTEM;

    fn identifier(system: &str, value: &str) -> PatientIdentifier {
        let text = |text: &str| Zeroizing::new(text.to_owned());
        PatientIdentifier {
            system: (!system.is_empty()).then(|| text(system)),
            value: text(value),
            type_codes: Vec::new(),
            old: false,
        }
    }

    fn found(token: &str, identifier: &PatientIdentifier) -> Option<bool> {
        let queries = IdentifierQuery::parse(token).ok()?;
        Some(queries.iter().any(|query| query.matches(identifier)))
    }

    #[test]
    fn the_system_is_compared_unless_the_token_has_no_bar() {
        let of_north = identifier("http://north.example", "B-1");
        let of_none = identifier("", "F-1");
        for (token, north, none) in [
            ("http://north.example|B-1", true, false),
            ("http://south.example|B-1", false, false),
            ("|B-1", false, false),
            ("|F-1", false, true),
            ("B-1", true, false),
            ("http://north.example|", true, false),
            ("B-1,F-1", true, true),
        ] {
            assert_eq!(found(token, &of_north), Some(north), "{token}");
            assert_eq!(found(token, &of_none), Some(none), "{token}");
        }
    }

    #[test]
    fn escapes_are_decoded_and_malformed_tokens_refused() {
        assert_eq!(
            found(
                r"http://p.example|A\|B",
                &identifier("http://p.example", "A|B")
            ),
            Some(true)
        );
        assert_eq!(found(r"C\,D", &identifier("", "C,D")), Some(true));
        assert_eq!(found(r"E\\F", &identifier("", r"E\F")), Some(true));
        for malformed in ["|", "a|b|c", "a,", r"a\", "||", " |"] {
            assert_eq!(found(malformed, &identifier("", "a")), None, "{malformed}");
        }
    }

    #[test]
    fn a_social_security_number_is_compared_by_its_digits() {
        let ssn = identifier(SSN_SYSTEM, "999-12-3456");
        assert_eq!(found("999123456", &ssn), Some(true));
        assert_eq!(
            found(&format!("{SSN_SYSTEM}|999 12 3456"), &ssn),
            Some(true)
        );
        assert_eq!(found("x", &ssn), Some(false));
    }

    #[test]
    fn contacts_are_compared_by_the_rule_of_their_system() {
        let contact = |system, value: &str| PatientContact {
            system,
            value: Zeroizing::new(value.to_owned()),
            old: false,
        };
        let phone = contact(ContactSystem::Phone, "+1 (555) 010-0100");
        let email = contact(ContactSystem::Email, "Ann@Example.org");
        let found = |value: &str, system, contact: &PatientContact| {
            let queries = ContactQuery::parse(value, system).ok().expect(value);
            queries.iter().any(|query| query.matches(contact))
        };
        assert!(found("15550100100", Some(ContactSystem::Phone), &phone));
        assert!(found("nobody@example.org,+15550100100", None, &phone));
        assert!(!found("15550100100", Some(ContactSystem::Email), &phone));
        assert!(found(
            " ann@example.ORG",
            Some(ContactSystem::Email),
            &email
        ));
        assert!(!found("ann", None, &phone));
        assert!(ContactQuery::parse("phone|1", None).is_err());
    }
}
