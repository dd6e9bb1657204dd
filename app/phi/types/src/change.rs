//! The kinds of entries of the change feed. Key and owner are reserved: this release writes none.

/// The kind of an entry of the change feed: what was changed. The entry's subject is the id of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A person: added, altered or deactivated.
    Person,
    /// A session or token: revoked.
    Session,
    /// A key: rotated, retired or destroyed.
    Key,
    /// An owner: held, released or destroyed.
    Owner,
    /// A patient's demographics.
    Demographics,
    /// A grant of access to charts: a person's care teams and emergency accesses, or the organization's policy.
    Grant,
}

impl ChangeKind {
    /// The permanent number of this kind.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Person => 1,
            Self::Session => 2,
            Self::Key => 3,
            Self::Owner => 4,
            Self::Demographics => 5,
            Self::Grant => 6,
        }
    }

    /// The kind with this number, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Person),
            2 => Some(Self::Session),
            3 => Some(Self::Key),
            4 => Some(Self::Owner),
            5 => Some(Self::Demographics),
            6 => Some(Self::Grant),
            _ => None,
        }
    }

    /// Whether a change of this kind may alter the access rights of a person.
    #[must_use]
    pub const fn concerns_access(self) -> bool {
        !matches!(self, Self::Demographics)
    }
}
