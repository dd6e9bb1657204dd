//! Conditions on whole addresses (R4: "a server defined search that may match any of the string fields").

use zeroize::Zeroizing;

use super::grammar::Malformed;
use super::grammar::alternatives;
use super::grammar::unescape;
use super::text::TextMatch;
use crate::PatientAddress;
use crate::folded_words;

/// The element of an address that a condition on a text considers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressElement {
    /// `address-city`.
    City,
    /// `address-state`.
    State,
    /// `address-postalcode`.
    PostalCode,
    /// `address-country`.
    Country,
}

/// A condition on addresses: one of several values must match.
///
/// A value matches if each of its words begins (`:contains`: is contained in) a word of a patient's
/// addresses. An exact value equals an element.
pub struct AddressQuery {
    how: TextMatch,
    any_of: Vec<Zeroizing<String>>,
}

impl AddressQuery {
    pub(super) fn parse(value: &str, how: TextMatch) -> Result<Self, Malformed> {
        let any_of: Vec<_> = alternatives(value)?.into_iter().map(unescape).collect();
        let has_words = |value: &Zeroizing<String>| folded_words(value).next().is_some();
        // Punctuation alone would match every patient.
        if how != TextMatch::Exact && !any_of.iter().all(has_words) {
            return Err(Malformed);
        }
        Ok(Self { how, any_of })
    }

    /// The comparison.
    #[must_use]
    pub const fn how(&self) -> TextMatch {
        self.how
    }

    /// The alternative values, as sent.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.any_of.iter().map(|value| value.as_str())
    }

    /// Whether a patient with these addresses matches.
    #[must_use]
    pub fn matches(&self, addresses: &[PatientAddress]) -> bool {
        let texts = || addresses.iter().flat_map(PatientAddress::texts);
        if self.how == TextMatch::Exact {
            return self.values().any(|value| texts().any(|text| text == value));
        }
        let words: Vec<_> = texts().flat_map(folded_words).collect();
        let has_word = |searched: &str| {
            words.iter().any(|word| match self.how {
                TextMatch::Contains => word.text().contains(searched),
                TextMatch::Begins | TextMatch::Exact => {
                    word.suffixes().any(|suffix| suffix.starts_with(searched))
                }
            })
        };
        self.values()
            .any(|value| folded_words(value).all(|searched| has_word(searched.text())))
    }
}

impl AddressElement {
    /// The texts of the element.
    pub(super) fn of(self, address: &PatientAddress) -> Option<&Zeroizing<String>> {
        match self {
            Self::City => address.city.as_ref(),
            Self::State => address.state.as_ref(),
            Self::PostalCode => address.postal_code.as_ref(),
            Self::Country => address.country.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_value_is_found_in_any_element() {
        let text = |text: &str| Zeroizing::new(text.to_owned());
        let addresses = [PatientAddress {
            street: vec![text("1047 Schiller-Rue Apt #5")],
            city: Some(text("Salt Lake City")),
            state: Some(text("UT")),
            ..PatientAddress::default()
        }];
        let found = |value: &str, how| {
            let query = AddressQuery::parse(value, how).ok().expect(value);
            query.matches(&addresses)
        };
        for value in [
            "1047 schill",
            "1047 Schiller-Rue Apt #5",
            "rue",
            "salt lake",
            "UT",
            r"Salt Lake City\, UT",
            "x,apt",
        ] {
            assert!(found(value, TextMatch::Begins), "{value}");
        }
        assert!(!found("chiller", TextMatch::Begins));
        assert!(found("chiller lake", TextMatch::Contains));
        assert!(found("Salt Lake City", TextMatch::Exact));
        assert!(!found("salt lake city", TextMatch::Exact));
        assert!(AddressQuery::parse("--", TextMatch::Begins).is_err());
    }
}
