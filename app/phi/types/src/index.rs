//! Blind index tokens, and the registry of search parameters that have tokens.

use std::fmt;

/// A blind index token: 128 bits of a MAC over a normalized value. Equal values of one organization,
/// parameter and index version have equal tokens; matches are compared again after opening.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexToken([u8; 16]);

impl IndexToken {
    /// A stored token.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for IndexToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexToken(..)")
    }
}

/// A parameter of exact search. Its number is permanent and enters every token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IndexParameter {
    /// The e-mail address that a person signs in with.
    SignInEmail,
    /// A patient's identifier by system (or its absence) and value.
    Identifier,
    /// A patient's identifier by value, whatever its system.
    IdentifierValue,
    /// The systems of a patient's identifiers, without values.
    IdentifierSystem,
    /// A patient's telephone number.
    Phone,
    /// A patient's e-mail address.
    Email,
}

impl IndexParameter {
    /// Every parameter by which patients are searched.
    pub const OF_PATIENTS: [Self; 5] = [
        Self::Identifier,
        Self::IdentifierValue,
        Self::IdentifierSystem,
        Self::Phone,
        Self::Email,
    ];

    /// The permanent number.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::SignInEmail => 1,
            Self::Identifier => 2,
            Self::IdentifierValue => 3,
            Self::Phone => 4,
            Self::Email => 5,
            Self::IdentifierSystem => 6,
        }
    }
}

/// The state of an index version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// Writers fill it; searches do not read it until its backfill is complete.
    Filling,
    /// Writers fill it and searches read it.
    Live,
    /// Neither written nor read.
    Retired,
}

impl IndexState {
    /// The permanent number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Filling => 1,
            Self::Live => 2,
            Self::Retired => 3,
        }
    }

    /// The state with this number, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Filling),
            2 => Some(Self::Live),
            3 => Some(Self::Retired),
            _ => None,
        }
    }
}
