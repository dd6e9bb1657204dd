//! Prefixes of numbers, quantities and dates (R4 3.1.1.4.5).

/// A prefix: how a stored value is compared with the search value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// `eq`: equal in the precision of the search value.
    Equal,
    /// `ne`: not equal.
    NotEqual,
    /// `gt`: a part of the stored value is greater.
    Greater,
    /// `lt`: a part of the stored value is less.
    Less,
    /// `ge`: greater or equal.
    GreaterOrEqual,
    /// `le`: less or equal.
    LessOrEqual,
    /// `sa`: all of the stored value is greater.
    StartsAfter,
    /// `eb`: all of the stored value is less.
    EndsBefore,
    /// `ap`: within a tenth of a number; for dates, overlapping.
    About,
}

impl Prefix {
    /// The prefix of a value, `eq` without one, and the rest.
    pub(super) fn split(value: &str) -> (Self, &str) {
        let Some((prefix, rest)) = value.split_at_checked(2) else {
            return (Self::Equal, value);
        };
        let prefix = match prefix {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "gt" => Self::Greater,
            "lt" => Self::Less,
            "ge" => Self::GreaterOrEqual,
            "le" => Self::LessOrEqual,
            "sa" => Self::StartsAfter,
            "eb" => Self::EndsBefore,
            "ap" => Self::About,
            _ => return (Self::Equal, value),
        };
        (prefix, rest)
    }
}
