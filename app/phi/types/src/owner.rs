//! The owner of a key and of what is sealed under it. Destroying the key destroys that data.

use uuid::Uuid;

use crate::ids::OrganizationId;
use crate::ids::PatientId;

/// The owner of a scope key and of the data sealed under it, within an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// One patient's chart.
    Patient(PatientId),
    /// The organization itself: its people, its directory.
    Organization,
    /// The audit trail of one calendar year, which outlives the patients' own keys.
    AuditYear(u16),
    /// The system: data that belongs to no organization. Used with [`OrganizationId::SYSTEM`].
    System,
}

impl Owner {
    /// The patient, if this owner is one.
    #[must_use]
    pub const fn patient(&self) -> Option<Uuid> {
        match self {
            Self::Patient(patient) => Some(patient.uuid()),
            Self::Organization | Self::AuditYear(_) | Self::System => None,
        }
    }

    /// The id of this owner: 16 bytes in authenticated data and in key columns. It identifies an owner only
    /// together with [`Owner::kind`].
    ///
    /// A patient and an organization are their own ids. An audit year and the system are version 8
    /// UUIDs (`audit` and `system` in ASCII), which no random id can be equal to.
    #[must_use]
    pub fn id(&self, organization: OrganizationId) -> [u8; 16] {
        match self {
            Self::Patient(patient) => *patient.as_bytes(),
            Self::Organization => *organization.as_bytes(),
            Self::AuditYear(year) => {
                let id = 0x6175_6469_7400_8000_8000_0000_0000_0000_u128 | u128::from(*year);
                id.to_be_bytes()
            }
            Self::System => 0x7379_7374_656d_8000_8000_0000_0000_0001_u128.to_be_bytes(),
        }
    }

    /// The owner of an organization's own data: [`Owner::System`] for the system's organization.
    #[must_use]
    pub fn of_organization(organization: OrganizationId) -> Self {
        if organization == OrganizationId::SYSTEM {
            Self::System
        } else {
            Self::Organization
        }
    }

    /// The owner with this kind and id, if there is one within `organization`.
    #[must_use]
    pub fn from_parts(organization: OrganizationId, kind: OwnerKind, id: [u8; 16]) -> Option<Self> {
        let year = u128::from_be_bytes(id) & 0xFFFF;
        let owner = match kind {
            OwnerKind::Patient => Self::Patient(PatientId::from_uuid(uuid::Uuid::from_bytes(id))),
            OwnerKind::Organization => Self::Organization,
            OwnerKind::AuditYear => Self::AuditYear(u16::try_from(year).ok()?),
            OwnerKind::System => Self::System,
        };
        (owner.id(organization) == id).then_some(owner)
    }

    /// The kind of this owner.
    #[must_use]
    pub const fn kind(&self) -> OwnerKind {
        match self {
            Self::Patient(_) => OwnerKind::Patient,
            Self::Organization => OwnerKind::Organization,
            Self::AuditYear(_) => OwnerKind::AuditYear,
            Self::System => OwnerKind::System,
        }
    }
}

/// The kind of an owner, as the `keys` table stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerKind {
    /// A patient.
    Patient,
    /// An organization.
    Organization,
    /// A year of the audit trail.
    AuditYear,
    /// The system.
    System,
}

impl OwnerKind {
    /// The permanent number of this kind.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Patient => 1,
            Self::Organization => 2,
            Self::AuditYear => 3,
            Self::System => 4,
        }
    }

    /// The kind with this number, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Patient),
            2 => Some(Self::Organization),
            3 => Some(Self::AuditYear),
            4 => Some(Self::System),
            _ => None,
        }
    }
}

/// The state of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerState {
    /// The owner has keys and may be written to.
    Live,
    /// The owner's keys were destroyed. The row is the tombstone.
    Destroyed,
}

impl OwnerState {
    /// The permanent number of this state.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Live => 1,
            Self::Destroyed => 2,
        }
    }

    /// The state with this number, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Live),
            2 => Some(Self::Destroyed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_owners_of_an_organization_have_the_same_id() {
        for organization in [OrganizationId::random(), OrganizationId::SYSTEM] {
            let owners = [
                Owner::Patient(PatientId::random()),
                Owner::Organization,
                Owner::AuditYear(2026),
                Owner::AuditYear(2027),
                Owner::System,
            ];
            let ids: std::collections::HashSet<_> =
                owners.iter().map(|owner| owner.id(organization)).collect();
            assert_eq!(ids.len(), owners.len());
            for owner in owners {
                let read = Owner::from_parts(organization, owner.kind(), owner.id(organization));
                assert_eq!(read, Some(owner));
            }
        }
    }
}
