//! The values of a resource by which it is searched, and their short form that is stored beside it.

use std::fmt;

use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::decimal::Decimal;
use super::digest::Digest;
use super::parameters;
use super::parameters::ParameterSource;
use super::parameters::SearchParameter;
use super::parameters::TypeName;
use super::parameters::TypeParameters;
use super::time_span::TimeSpan;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;
use crate::limits::MAX_COMPARED_VALUES;

mod decode;
mod encode;
mod extract;
mod text;

pub(super) use extract::local;
pub(super) use text::SearchedText;

/// The searched values of a resource.
///
/// Values that [`Self::encode`] has left out are *incomplete*: a search by them has to open the resource, and
/// [`Self::of`] has all of them. The values are PHI: texts are zeroized on drop, and `Debug` omits all.
#[derive(Clone, PartialEq)]
pub struct SearchValues {
    resource_type: ResourceType,
    /// The values by the index of their source, ascending.
    values: Vec<(u8, SearchValue)>,
    /// A bit for each source that has more values than these.
    incomplete: u64,
}

/// One value.
#[derive(Clone, PartialEq)]
pub(super) enum SearchValue {
    /// A code, an identifier, a boolean or a contact point.
    Token(Token),
    /// The identifier of a reference.
    ReferenceIdentifier(Token),
    /// A date or a period.
    Time(TimeSpan),
    /// A reference to a resource of this server.
    Local(TypeName, Uuid),
    /// Another reference, or a canonical URL.
    Other {
        /// The text as sent.
        full: Digest,
        /// The text without a version.
        plain: Digest,
    },
    /// A quantity.
    Quantity(Quantity),
    /// A number.
    Number(Decimal),
    /// A text.
    Text(SearchedText),
    /// A URI as sent.
    Uri(Zeroizing<String>),
    /// A URI of which only the digest is stored.
    UriDigest(Digest),
}

/// A token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// The system.
    pub(super) system: System,
    /// The code or value.
    pub(super) code: Option<Digest>,
}

/// The system of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// None.
    None,
    /// The one that the element's definition implies: for codes, booleans and contact points.
    Implied,
    /// This one.
    Is(Digest),
}

/// A quantity, or a range of them; a missing end is open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Quantity {
    /// The least value.
    pub(super) low: Option<Decimal>,
    /// The greatest value.
    pub(super) high: Option<Decimal>,
    /// The system of the unit's code.
    pub(super) system: Option<Digest>,
    /// The unit's code.
    pub(super) code: Option<UnitDigest>,
    /// The unit's text.
    pub(super) unit: Option<UnitDigest>,
}

/// The digest of a unit: four bytes, because the number has to match as well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct UnitDigest(pub(super) u32);

impl UnitDigest {
    /// The digest of a unit's code or text.
    pub(super) fn of(unit: &str) -> Self {
        let digest = Digest::of(unit).0.to_be_bytes();
        Self(u32::from_be_bytes(
            digest.first_chunk().copied().unwrap_or_default(),
        ))
    }
}

impl SearchValues {
    /// All values of a resource.
    #[must_use]
    pub fn of(resource: &Resource) -> Self {
        let resource_type = resource.resource_type();
        match parameters::of_type(resource_type) {
            Some(of_type) => Self::read(resource_type, of_type, resource.value()),
            // Without a table nothing is known of any value.
            None => Self {
                incomplete: u64::MAX,
                ..Self::empty(resource_type)
            },
        }
    }

    /// The values at the sources of a type.
    fn read(resource_type: ResourceType, of_type: &TypeParameters, json: &Value) -> Self {
        let mut values = Self::empty(resource_type);
        for (source, index) in of_type.sources.iter().zip(0_u8..) {
            let begin = values.values.len();
            source.path.each(json, &mut |element| {
                extract::values(source.kind, element, &mut |value| {
                    values.push(begin, index, value);
                });
            });
        }
        values
    }

    /// The resource type.
    #[must_use]
    pub const fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// Whether values have been left out.
    #[must_use]
    pub const fn is_incomplete(&self) -> bool {
        self.incomplete != 0
    }

    /// The references that a parameter has; none for parameters that are not references.
    pub fn references<'s>(
        &'s self,
        parameter: &'s SearchParameter,
    ) -> impl Iterator<Item = Reference> + 's {
        let sources = parameter.sources().iter();
        sources.flat_map(|source| self.at(source).filter_map(supported))
    }

    /// The values of a parameter's source that are of its target type.
    pub(super) fn at(&self, source: &ParameterSource) -> impl Iterator<Item = &SearchValue> {
        let begin = self
            .values
            .partition_point(|(index, _)| usize::from(*index) < source.index);
        let (at, target) = (source.index, source.target);
        self.values
            .iter()
            .skip(begin)
            .take_while(move |(index, _)| usize::from(*index) == at)
            .map(|(_, value)| value)
            .filter(move |value| value.is_of(target))
    }

    /// Whether a source has values that are left out.
    pub(super) fn lacks(&self, source: &ParameterSource) -> bool {
        let bit = u32::try_from(source.index).ok();
        let bit = bit.and_then(|at| 1_u64.checked_shl(at)).unwrap_or(u64::MAX);
        self.incomplete & bit != 0
    }

    /// No values: enough for a query that needs none.
    #[must_use]
    pub const fn empty(resource_type: ResourceType) -> Self {
        Self {
            resource_type,
            values: Vec::new(),
            incomplete: 0,
        }
    }

    /// Adds a value of a source unless it is a repetition. Only the first values of a source are compared.
    fn push(&mut self, begin: usize, index: u8, value: SearchValue) {
        let mut of_source = self.values.iter().skip(begin).take(MAX_COMPARED_VALUES);
        if !of_source.any(|(_, it)| *it == value) {
            self.values.push((index, value));
        }
    }
}

impl SearchValue {
    /// Whether a reference leads to a resource of this type. A reference by identifier may.
    fn is_of(&self, target: Option<TypeName>) -> bool {
        let Some(target) = target else { return true };
        match self {
            Self::Local(name, _) => *name == target,
            Self::ReferenceIdentifier(_) => true,
            Self::Token(_)
            | Self::Time(_)
            | Self::Other { .. }
            | Self::Quantity(_)
            | Self::Number(_)
            | Self::Text(_)
            | Self::Uri(_)
            | Self::UriDigest(_) => false,
        }
    }
}

/// The reference of a value to a resource of a supported type.
fn supported(value: &SearchValue) -> Option<Reference> {
    let SearchValue::Local(name, id) = value else {
        return None;
    };
    let resource_type = name.name()?.parse().ok()?;
    Some(Reference {
        resource_type,
        id: *id,
    })
}

impl fmt::Debug for SearchValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SearchValues({}, [redacted])", self.resource_type)
    }
}

#[cfg(test)]
mod tests;
