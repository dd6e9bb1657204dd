//! Conditions on names (R4 3.1.1.4.8).

use zeroize::Zeroizing;

use super::grammar::Malformed;
use super::grammar::alternatives;
use super::grammar::unescape;
use crate::FoldedName;
use crate::PatientName;
use crate::fold_name;

/// The comparison of a text, selected by the parameter's modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMatch {
    /// The folded text, or a word of it, begins with the value (the default).
    Begins,
    /// `:contains`: the folded text contains the value.
    Contains,
    /// `:exact`: the text equals the value, including case and accents.
    Exact,
}

/// A condition on a text: one of several values must match.
pub struct TextQuery {
    how: TextMatch,
    /// Folded, unless the match is exact.
    any_of: Vec<Zeroizing<String>>,
}

/// A text of a patient, prepared for searches. Zeroized on drop.
pub struct SearchableText {
    original: Zeroizing<String>,
    folded: FoldedName,
}

/// A name of a patient, prepared for searches. Zeroized on drop.
#[derive(Default)]
pub struct SearchableName {
    family: Option<SearchableText>,
    given: Vec<SearchableText>,
    /// Prefixes, suffixes and the whole text: only `name` searches them.
    other: Vec<SearchableText>,
}

impl TextQuery {
    pub(super) fn parse(value: &str, how: TextMatch) -> Result<Self, Malformed> {
        let any_of = alternatives(value)?
            .into_iter()
            .map(|part| {
                let plain = unescape(part);
                match how {
                    TextMatch::Exact => Ok(plain),
                    TextMatch::Begins | TextMatch::Contains => {
                        let folded = fold_name(&plain);
                        // Punctuation alone would match every patient.
                        if folded.is_empty() {
                            Err(Malformed)
                        } else {
                            Ok(folded)
                        }
                    }
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { how, any_of })
    }

    /// The comparison.
    #[must_use]
    pub const fn how(&self) -> TextMatch {
        self.how
    }

    /// The alternative values: folded, unless the match is exact.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.any_of.iter().map(|value| value.as_str())
    }

    /// Whether a text matches.
    #[must_use]
    pub fn matches(&self, text: &SearchableText) -> bool {
        let mut any_of = self.any_of.iter().map(|value| value.as_str());
        match self.how {
            TextMatch::Exact => any_of.any(|value| value == text.original.as_str()),
            TextMatch::Contains => any_of.any(|value| text.folded().contains(value)),
            TextMatch::Begins => any_of.any(|value| {
                let mut suffixes = text.folded.suffixes();
                suffixes.any(|suffix| suffix.starts_with(value))
            }),
        }
    }
}

impl SearchableText {
    /// Prepares a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            original: Zeroizing::new(text.to_owned()),
            folded: FoldedName::new(text),
        }
    }

    /// The folded text, for comparison and sorting.
    #[must_use]
    pub fn folded(&self) -> &str {
        self.folded.text()
    }
}

impl SearchableName {
    /// Prepares a name.
    #[must_use]
    pub fn new(name: &PatientName) -> Self {
        let text = |text: &Zeroizing<String>| SearchableText::new(text);
        let other = name.prefix.iter().chain(&name.suffix).chain(&name.text);
        Self {
            family: name.family.as_ref().map(text),
            given: name.given.iter().map(text).collect(),
            other: other.map(text).collect(),
        }
    }

    /// Whether the family name matches.
    #[must_use]
    pub fn family_matches(&self, query: &TextQuery) -> bool {
        self.family.as_ref().is_some_and(|text| query.matches(text))
    }

    /// Whether a given name matches.
    #[must_use]
    pub fn given_matches(&self, query: &TextQuery) -> bool {
        self.given.iter().any(|text| query.matches(text))
    }

    /// Whether any part matches.
    #[must_use]
    pub fn any_matches(&self, query: &TextQuery) -> bool {
        self.family_matches(query)
            || self.given_matches(query)
            || self.other.iter().any(|text| query.matches(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(name: &str, value: &str, how: TextMatch) -> bool {
        let query = TextQuery::parse(value, how).ok().expect(value);
        query.matches(&SearchableText::new(name))
    }

    #[test]
    fn a_prefix_matches_any_word_ignoring_case_accents_and_punctuation() {
        for value in [
            "munoz",
            "GAR",
            "Muñ",
            "munoz-g",
            "Munoz Garcia",
            "nobody,gar",
        ] {
            assert!(matches("Muñoz-García", value, TextMatch::Begins), "{value}");
        }
        assert!(!matches("Muñoz-García", "oz", TextMatch::Begins));
        assert!(matches("Mun\u{303}oz", "Muñoz", TextMatch::Begins));
        assert!(matches("O'Neal", "oneal", TextMatch::Begins));
        assert!(matches("Quell, Jr", r"Quell\, Jr", TextMatch::Begins));
        assert!(matches("Solo Zark", "Zark", TextMatch::Begins));
    }

    #[test]
    fn contains_matches_within_words_and_exact_is_case_sensitive() {
        assert!(matches("Muñoz", "OZ", TextMatch::Contains));
        assert!(matches("Muñoz", "Muñoz", TextMatch::Exact));
        assert!(!matches("Muñoz", "Munoz", TextMatch::Exact));
    }

    #[test]
    fn punctuation_alone_is_malformed() {
        assert!(TextQuery::parse("--", TextMatch::Begins).is_err());
        assert!(TextQuery::parse("a,'", TextMatch::Contains).is_err());
    }
}
