//! One condition of a query: a parameter, and the values one of which it must have.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::decimal::Decimal;
use super::decimal::SearchedNumber;
use super::digest::Digest;
use super::parameters::SearchParameter;
use super::parameters::TypeName;
use super::prefix::Prefix;
use super::time_span::TimeSpan;
use super::values::Quantity;
use super::values::SearchValue;
use super::values::SearchValues;
use super::values::SearchedText;
use super::values::System;
use super::values::Token;
use super::values::UnitDigest;
use crate::fold_name;

/// Whether a resource matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// It matches.
    Yes,
    /// It does not match.
    No,
    /// The stored values do not tell: the resource must be opened. After opening it, with all its values, this means
    /// no.
    OpenBody,
}

impl Match {
    const fn of(is_match: bool) -> Self {
        if is_match { Self::Yes } else { Self::No }
    }

    /// Both match.
    #[must_use]
    pub fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::No => Self::No,
            Self::Yes => other(),
            Self::OpenBody => match other() {
                Self::No => Self::No,
                Self::Yes | Self::OpenBody => Self::OpenBody,
            },
        }
    }

    /// One of them matches.
    fn or(self, other: impl FnOnce() -> Self) -> Self {
        other_way(other_way(self).and(|| other_way(other())))
    }
}

/// The opposite.
const fn other_way(of: Match) -> Match {
    match of {
        Match::Yes => Match::No,
        Match::No => Match::Yes,
        Match::OpenBody => Match::OpenBody,
    }
}

/// A condition on the values of a parameter. The values are PHI; there is no `Debug`.
pub(super) struct Condition {
    /// The parameter.
    pub(super) parameter: &'static SearchParameter,
    /// The test of its values.
    pub(super) test: Test,
}

/// The test of a condition.
pub(super) enum Test {
    /// `:missing`: the parameter has no value, or has one.
    Missing(bool),
    /// One of its values is one of these.
    AnyOf(Vec<Alternative>),
    /// `:not`: none of its values is one of these.
    NoneOf(Vec<Alternative>),
}

/// A value of a query.
pub(super) enum Alternative {
    /// A token.
    Token(TokenQuery),
    /// `:identifier`: the identifier of a reference.
    ReferenceIdentifier(TokenQuery),
    /// A date.
    Time(Prefix, TimeSpan),
    /// A resource of this server; without a type, any with this id.
    Local(Option<TypeName>, Uuid),
    /// A URL or URN without a version.
    AnyVersion(Digest),
    /// A canonical URL with a version.
    ThisVersion(Digest),
    /// A quantity.
    Quantity(Prefix, SearchedNumber, Unit),
    /// A number.
    Number(Prefix, SearchedNumber),
    /// A text.
    Text(TextQuery),
    /// A URI.
    Uri(UriQuery),
}

/// A token of a query.
pub(super) struct TokenQuery {
    /// The system; `None` without a bar.
    pub(super) system: Option<System>,
    /// The code; `None` for `system|`.
    pub(super) code: Option<Digest>,
}

/// The unit of a quantity in a query.
pub(super) struct Unit {
    /// The system of the code.
    pub(super) system: Option<Digest>,
    /// The code, or without a system the code or unit.
    pub(super) code: Option<UnitDigest>,
}

/// A text of a query.
pub(super) enum TextQuery {
    /// The folded text begins so.
    Begins(Zeroizing<String>),
    /// `:contains`.
    Contains(Zeroizing<String>),
    /// `:exact`: the text itself.
    Exact(Zeroizing<String>),
}

/// A URI of a query.
pub(super) enum UriQuery {
    /// The URI, and its digest.
    Is(Zeroizing<String>, Digest),
    /// `:below`: this URI and those that it is a parent of.
    Below(Zeroizing<String>),
    /// `:above`: this URI and its parents.
    Above(Zeroizing<String>),
}

impl Condition {
    /// Whether values match.
    pub(super) fn matches(&self, values: &SearchValues) -> Match {
        match &self.test {
            Test::Missing(missing) if *missing => other_way(self.is_present(values)),
            Test::Missing(_) => self.is_present(values),
            Test::AnyOf(alternatives) => self.any(values, alternatives),
            Test::NoneOf(alternatives) => other_way(self.any(values, alternatives)),
        }
    }

    fn any(&self, values: &SearchValues, alternatives: &[Alternative]) -> Match {
        let mut result = Match::No;
        for source in self.parameter.sources() {
            for value in values.at(source) {
                for alternative in alternatives {
                    result = result.or(|| alternative.matches(value));
                    if result == Match::Yes {
                        return Match::Yes;
                    }
                }
            }
            if values.lacks(source) {
                result = Match::OpenBody;
            }
        }
        result
    }

    fn is_present(&self, values: &SearchValues) -> Match {
        let mut result = Match::No;
        for source in self.parameter.sources() {
            if values.at(source).next().is_some() {
                return Match::Yes;
            }
            if values.lacks(source) {
                result = Match::OpenBody;
            }
        }
        result
    }
}

impl Alternative {
    fn matches(&self, value: &SearchValue) -> Match {
        let is_match = match (self, value) {
            (Self::Token(query), SearchValue::Token(token))
            | (Self::ReferenceIdentifier(query), SearchValue::ReferenceIdentifier(token)) => {
                query.matches(token)
            }
            (Self::Time(prefix, span), SearchValue::Time(stored)) => span.matches(*prefix, *stored),
            (Self::Local(name, id), SearchValue::Local(stored, stored_id)) => {
                id == stored_id && name.is_none_or(|name| name == *stored)
            }
            (Self::AnyVersion(searched), SearchValue::Other { plain, .. }) => searched == plain,
            (Self::ThisVersion(searched), SearchValue::Other { full, .. }) => searched == full,
            (Self::Quantity(prefix, number, unit), SearchValue::Quantity(stored)) => {
                unit.matches(stored) && within(*prefix, number, stored.low, stored.high)
            }
            (Self::Number(prefix, number), SearchValue::Number(stored)) => {
                within(*prefix, number, Some(*stored), Some(*stored))
            }
            (Self::Text(query), SearchValue::Text(text)) => query.matches(text),
            (Self::Uri(query), _) => return query.matches(value),
            (
                Self::Token(_)
                | Self::ReferenceIdentifier(_)
                | Self::Time(..)
                | Self::Local(..)
                | Self::AnyVersion(_)
                | Self::ThisVersion(_)
                | Self::Quantity(..)
                | Self::Number(..)
                | Self::Text(_),
                _,
            ) => false,
        };
        Match::of(is_match)
    }
}

impl TokenQuery {
    /// The system of a plain code is implied by its element and not compared; `system|` does not find it.
    fn matches(&self, token: &Token) -> bool {
        let Some(code) = self.code else {
            return self.system == Some(token.system);
        };
        let same_system = match (self.system, token.system) {
            (None, _) | (_, System::Implied) => true,
            (Some(searched), stored) => searched == stored,
        };
        same_system && token.code == Some(code)
    }
}

impl Unit {
    fn matches(&self, stored: &Quantity) -> bool {
        let same_code = self.code.is_none_or(|code| {
            stored.code == Some(code) || (self.system.is_none() && stored.unit == Some(code))
        });
        same_code
            && self
                .system
                .is_none_or(|system| stored.system == Some(system))
    }
}

/// Whether a number from `low` to `high` matches; a missing end is open.
fn within(
    prefix: Prefix,
    searched: &SearchedNumber,
    low: Option<Decimal>,
    high: Option<Decimal>,
) -> bool {
    let exact = searched.exact;
    let contained = low.is_some_and(|low| searched.least <= low)
        && high.is_some_and(|high| high < searched.end);
    match prefix {
        Prefix::Equal => contained,
        Prefix::NotEqual => !contained,
        Prefix::Greater => high.is_none_or(|high| high > exact),
        Prefix::Less => low.is_none_or(|low| low < exact),
        Prefix::GreaterOrEqual => high.is_none_or(|high| high >= exact),
        Prefix::LessOrEqual => low.is_none_or(|low| low <= exact),
        Prefix::StartsAfter => low.is_some_and(|low| low > exact),
        Prefix::EndsBefore => high.is_some_and(|high| high < exact),
        Prefix::About => {
            low.is_none_or(|low| low <= searched.about_most)
                && high.is_none_or(|high| high >= searched.about_least)
        }
    }
}

impl TextQuery {
    fn matches(&self, text: &SearchedText) -> bool {
        match self {
            Self::Begins(searched) => text.folded().starts_with(searched.as_str()),
            Self::Contains(searched) => text.folded().contains(searched.as_str()),
            Self::Exact(searched) => searched.as_str() == text.sent(),
        }
    }
}

impl UriQuery {
    fn matches(&self, value: &SearchValue) -> Match {
        match (self, value) {
            (Self::Is(searched, _), SearchValue::Uri(uri)) => Match::of(searched == uri),
            (Self::Is(_, searched), SearchValue::UriDigest(uri)) => Match::of(searched == uri),
            (Self::Below(parent), SearchValue::Uri(uri)) => Match::of(is_below(uri, parent)),
            (Self::Above(child), SearchValue::Uri(uri)) => Match::of(is_below(child, uri)),
            (Self::Below(_) | Self::Above(_), SearchValue::UriDigest(_)) => Match::OpenBody,
            (Self::Is(..) | Self::Below(_) | Self::Above(_), _) => Match::No,
        }
    }
}

/// Whether a URI is another one or below it in its path.
fn is_below(uri: &str, parent: &str) -> bool {
    uri.strip_prefix(parent).is_some_and(|rest| {
        rest.is_empty() || parent.ends_with(['/', ':']) || rest.starts_with(['/', ':', '?', '#'])
    })
}

#[cfg(test)]
mod tests;

/// The folded form of a searched text; `None` if nothing remains of it.
pub(super) fn folded(text: &str) -> Option<Zeroizing<String>> {
    Some(fold_name(text)).filter(|folded| !folded.is_empty())
}
