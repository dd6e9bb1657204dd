//! `_sort`: the order of matches (R4 3.1.1.5.1).

use std::cmp::Ordering;

use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::decimal::Decimal;
use super::parameters;
use super::parameters::ParameterKind;
use super::parameters::SearchParameter;
use super::values::SearchValue;
use super::values::SearchValues;
use crate::Issue;
use crate::IssueCode;
use crate::ResourceType;
use crate::limits::MAX_LISTED_NAMES;

/// The length from which texts are not compared, in bytes: keys are parts of cursors.
const MAX_TEXT_BYTES: usize = 200;

/// One key of a sort.
#[derive(Clone, Copy)]
pub(super) struct SortParameter {
    by: SortBy,
    is_descending: bool,
}

/// The error for a value that was left out.
struct LeftOut;

/// What a key is made of.
#[derive(Clone, Copy)]
enum SortBy {
    Id,
    LastUpdated,
    Parameter(&'static SearchParameter),
}

/// The position of a resource in the order of a query. Resources without a value are last in both directions; the id
/// decides between equal ones. A key is PHI: there is no `Debug`.
///
/// Its encoding is part of sealed cursors: a page begins after the key of the last match of the page before, wherever
/// that resource is by then.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey {
    parts: Vec<Part>,
    id: Uuid,
}

/// One part of a key.
#[derive(PartialEq, Eq)]
struct Part {
    value: Option<SortValue>,
    is_descending: bool,
}

/// A value by which is sorted. All keys of a query have the same kind in the same place.
#[derive(PartialEq, Eq)]
enum SortValue {
    Time(i64, i64),
    Number(Decimal),
    Text(Zeroizing<String>),
    Id(Uuid),
}

impl SortValue {
    /// The order of kinds, which never meet.
    const fn rank(&self) -> u8 {
        match self {
            Self::Time(..) => 0,
            Self::Number(_) => 1,
            Self::Text(_) => 2,
            Self::Id(_) => 3,
        }
    }
}

impl Ord for SortValue {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Time(one, fraction), Self::Time(other, other_fraction)) => {
                (one, fraction).cmp(&(other, other_fraction))
            }
            (Self::Number(one), Self::Number(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => one.as_str().cmp(other.as_str()),
            (Self::Id(one), Self::Id(other)) => one.cmp(other),
            (Self::Time(..) | Self::Number(_) | Self::Text(_) | Self::Id(_), _) => {
                self.rank().cmp(&other.rank())
            }
        }
    }
}

impl PartialOrd for SortValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.value, &other.value) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) if self.is_descending => other.cmp(one),
            (Some(one), Some(other)) => one.cmp(other),
        }
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl SortKey {
    /// The key of a resource; `None` if a value was left out: the resource has to be opened.
    pub(super) fn new(
        sort: &[SortParameter],
        id: Uuid,
        last_updated: OffsetDateTime,
        values: &SearchValues,
    ) -> Option<Self> {
        let parts = sort.iter().map(|key| {
            let value = match key.by {
                SortBy::Id => Some(SortValue::Id(id)),
                SortBy::LastUpdated => {
                    let nanoseconds = i64::from(last_updated.nanosecond());
                    Some(SortValue::Time(last_updated.unix_timestamp(), nanoseconds))
                }
                SortBy::Parameter(parameter) => key.value(parameter, values).ok()?,
            };
            Some(Part {
                value,
                is_descending: key.is_descending,
            })
        });
        let parts = parts.collect::<Option<_>>()?;
        Some(Self { parts, id })
    }

    /// `id[16] | (flags[1] | value)…`, where the flags are the kind of the value, 0 for none, and 16 for the descending
    /// order.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // The capacity of a reallocation would leave a copy of the texts in memory.
        let longest = self.parts.len().saturating_mul(MAX_TEXT_BYTES + 2);
        let mut bytes = Zeroizing::new(Vec::with_capacity(longest.saturating_add(16)));
        bytes.extend_from_slice(self.id.as_bytes());
        for part in &self.parts {
            part.encode(&mut bytes);
        }
        bytes
    }

    /// The key of an encoding; `None` for other bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (id, mut rest) = bytes.split_first_chunk()?;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            parts.push(Part::decode(&mut rest)?);
        }
        let id = Uuid::from_bytes(*id);
        Some(Self { parts, id })
    }
}

impl Part {
    /// The flag of the descending order.
    const DESCENDING: u8 = 16;

    fn encode(&self, bytes: &mut Vec<u8>) {
        let order = if self.is_descending { Self::DESCENDING } else { 0 };
        let kind = self.value.as_ref().map_or(0, |value| value.rank() + 1);
        bytes.push(order | kind);
        match &self.value {
            None => {}
            Some(SortValue::Time(second, fraction)) => {
                bytes.extend_from_slice(&second.to_be_bytes());
                bytes.extend_from_slice(&fraction.to_be_bytes());
            }
            Some(SortValue::Number(number)) => {
                bytes.extend_from_slice(&number.mantissa.to_be_bytes());
                bytes.extend_from_slice(&number.exponent.to_be_bytes());
            }
            Some(SortValue::Text(text)) => {
                bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
                bytes.extend_from_slice(text.as_bytes());
            }
            Some(SortValue::Id(id)) => bytes.extend_from_slice(id.as_bytes()),
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let [flags] = *taken(bytes)?;
        let value = match flags & !Self::DESCENDING {
            0 => None,
            1 => {
                let (second, fraction) = (*taken(bytes)?, *taken(bytes)?);
                Some(SortValue::Time(
                    i64::from_be_bytes(second),
                    i64::from_be_bytes(fraction),
                ))
            }
            2 => {
                let (mantissa, exponent) = (*taken(bytes)?, *taken(bytes)?);
                Some(SortValue::Number(Decimal {
                    mantissa: i64::from_be_bytes(mantissa),
                    exponent: i16::from_be_bytes(exponent),
                }))
            }
            3 => {
                let [length] = *taken(bytes)?;
                let (text, rest) = bytes.split_at_checked(usize::from(length))?;
                *bytes = rest;
                let text = std::str::from_utf8(text).ok()?;
                Some(SortValue::Text(Zeroizing::new(text.to_owned())))
            }
            4 => Some(SortValue::Id(Uuid::from_bytes(*taken(bytes)?))),
            _ => return None,
        };
        Some(Self {
            value,
            is_descending: flags & Self::DESCENDING != 0,
        })
    }
}

/// The first bytes, which are removed.
fn taken<'b, const N: usize>(bytes: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

impl SortParameter {
    /// Parses `_sort`: names separated by commas, each after `-` for the descending order.
    pub(super) fn parse(
        resource_type: ResourceType,
        value: &str,
        keys: &mut Vec<Self>,
    ) -> Result<(), Issue> {
        for name in value.split(',') {
            let name = name.trim();
            let (name, is_descending) = match name.strip_prefix('-') {
                Some(name) => (name, true),
                None => (name, false),
            };
            let by = match name {
                "_id" => Some(SortBy::Id),
                "_lastUpdated" => Some(SortBy::LastUpdated),
                _ => {
                    let of_type = parameters::of_type(resource_type);
                    let found = of_type.and_then(|it| it.supported.get(name));
                    found.filter(|it| is_sortable(it)).map(SortBy::Parameter)
                }
            };
            let by = by.ok_or_else(|| refused(resource_type))?;
            if keys.len() >= MAX_LISTED_NAMES {
                let why = "_sort has at most 20 names";
                return Err(Issue::new(IssueCode::TooLong, why));
            }
            keys.push(Self { by, is_descending });
        }
        Ok(())
    }

    /// Whether the values of a resource are needed for the key.
    pub(super) const fn needs_values(self) -> bool {
        match self.by {
            SortBy::Id | SortBy::LastUpdated => false,
            SortBy::Parameter(_) => true,
        }
    }

    /// The least value, or for the descending order the greatest.
    fn value(
        self,
        parameter: &SearchParameter,
        values: &SearchValues,
    ) -> Result<Option<SortValue>, LeftOut> {
        let sources = parameter.sources();
        if sources.iter().any(|source| values.lacks(source)) {
            return Err(LeftOut);
        }
        let all = sources.iter().flat_map(|source| values.at(source));
        let all = all.filter_map(|value| sort_value(value, self.is_descending));
        Ok(if self.is_descending {
            all.max()
        } else {
            all.min()
        })
    }
}

/// Whether a parameter has an order: codes and references have none, because only their digests are stored.
fn is_sortable(parameter: &SearchParameter) -> bool {
    match parameter.kind() {
        ParameterKind::Date
        | ParameterKind::Quantity
        | ParameterKind::Number
        | ParameterKind::String => true,
        ParameterKind::Token
        | ParameterKind::Contact
        | ParameterKind::Reference
        | ParameterKind::Uri => false,
    }
}

fn sort_value(value: &SearchValue, is_descending: bool) -> Option<SortValue> {
    match value {
        // The end that R4 names for each direction; an open end is the other one.
        SearchValue::Time(span) => {
            let first = if span.first == i64::MIN {
                span.last
            } else {
                span.first
            };
            let last = if span.last == i64::MAX {
                span.first
            } else {
                span.last
            };
            let second = if is_descending { last } else { first };
            Some(SortValue::Time(second, 0))
        }
        SearchValue::Quantity(quantity) => quantity.low.or(quantity.high).map(SortValue::Number),
        SearchValue::Number(number) => Some(SortValue::Number(*number)),
        SearchValue::Text(text) => {
            let folded = text.folded();
            let end = folded.floor_char_boundary(MAX_TEXT_BYTES);
            let compared = folded.get(..end).unwrap_or_default();
            Some(SortValue::Text(Zeroizing::new(compared.to_owned())))
        }
        SearchValue::Token(_)
        | SearchValue::ReferenceIdentifier(_)
        | SearchValue::Local(..)
        | SearchValue::Other { .. }
        | SearchValue::Uri(_)
        | SearchValue::UriDigest(_) => None,
    }
}

fn refused(resource_type: ResourceType) -> Issue {
    let all = resource_type.search_parameters();
    let names: Vec<_> = all
        .filter(|it| is_sortable(it))
        .map(SearchParameter::name)
        .collect();
    let names = names.join(", ");
    let why = format!(
        "_sort must be names separated by commas, each after - for the descending order, of: _id, _lastUpdated, {names}; \
         codes and references have no order here"
    );
    Issue::new(IssueCode::NotSupported, why).at("_sort")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Vec<SortKey> {
        let text = |text: &str| Some(SortValue::Text(Zeroizing::new(text.to_owned())));
        let values = [
            None,
            Some(SortValue::Time(-5, 7)),
            Some(SortValue::Number(Decimal::new(-725, -2))),
            Some(SortValue::Id(Uuid::from_u128(9))),
            text(""),
            text(&"é".repeat(MAX_TEXT_BYTES / 2)),
        ];
        let part = |(index, value)| Part {
            value,
            is_descending: index % 2 == 0,
        };
        let parts: Vec<_> = values.into_iter().enumerate().map(part).collect();
        let none = SortKey {
            parts: Vec::new(),
            id: Uuid::from_u128(1),
        };
        let all = SortKey {
            parts,
            id: Uuid::from_u128(2),
        };
        vec![none, all]
    }

    #[test]
    fn a_key_is_decoded_from_its_encoding() {
        for key in keys() {
            let bytes = key.encode();
            assert!(SortKey::decode(&bytes) == Some(key));
        }
    }

    #[test]
    fn no_other_bytes_are_a_key() {
        for key in keys() {
            let bytes = key.encode();
            for length in 0..bytes.len() {
                let part = SortKey::decode(&bytes[..length]);
                assert!(part.is_none_or(|part| part != key), "{length}");
            }
        }
        for flags in [5, 15, 17 + 4, 32, 255] {
            let bytes = [&[0; 16][..], &[flags, 0, 0]].concat();
            assert!(SortKey::decode(&bytes).is_none(), "{flags}");
        }
    }
}
