//! Accounts: what a person of an organization signs in to.

use access::Caller;
use phi::OrganizationId;
use phi::PersonId;
use uuid::Uuid;

/// Length of a UUID, in bytes.
const ID_BYTES: usize = 16;

/// The account of a person.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Account {
    /// The organization.
    pub(crate) organization: OrganizationId,
    /// The person.
    pub(crate) person: PersonId,
}

impl Account {
    /// The account of a caller.
    pub(super) fn of(caller: &Caller) -> Self {
        Self {
            organization: caller.organization(),
            person: PersonId::from_uuid(caller.person()),
        }
    }

    /// The user handle of the account's passkeys (Web Authentication, 5.4.3): `organization[16] | person[16]`.
    pub(super) fn user_handle(self) -> [u8; 2 * ID_BYTES] {
        let mut handle = [0; 2 * ID_BYTES];
        let (first, second) = handle.split_at_mut(ID_BYTES);
        first.copy_from_slice(self.organization.uuid().as_bytes());
        second.copy_from_slice(self.person.uuid().as_bytes());
        handle
    }

    /// The account that a user handle names; none for another text.
    pub(super) fn from_user_handle(handle: &[u8]) -> Option<Self> {
        let (organization, person) = handle.split_first_chunk::<ID_BYTES>()?;
        let person = <[u8; ID_BYTES]>::try_from(person).ok()?;
        Some(Self {
            organization: OrganizationId::from_uuid(Uuid::from_bytes(*organization)),
            person: PersonId::from_uuid(Uuid::from_bytes(person)),
        })
    }
}
