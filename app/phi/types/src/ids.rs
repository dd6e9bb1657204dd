//! Opaque identifiers: random UUIDs that carry no time and no meaning.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use crate::random;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: a version 4 UUID of the system's randomness.
            #[must_use]
            pub fn random() -> Self {
                Self(uuid::Builder::from_random_bytes(random::array()).into_uuid())
            }

            /// The id of a stored or received UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id as a UUID, for storage.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The 16 bytes of the UUID, big-endian, as they enter authenticated data.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }
    };
}

id! {
    /// An organization: the tenant that every row belongs to.
    OrganizationId
}

id! {
    /// A patient, within one organization.
    PatientId
}

id! {
    /// A person who can sign in.
    PersonId
}

id! {
    /// A session of a browser, or a bearer token.
    SessionId
}

id! {
    /// A stored row. Sealed columns are bound to it, and it is never reused.
    RowId
}

id! {
    /// A key of any purpose. The header of every field sealed under it contains it.
    KeyId
}

impl OrganizationId {
    /// The reserved organization of what belongs to no tenant: `system` in ASCII, as a version 8
    /// UUID, so that no random id can be equal to it.
    pub const SYSTEM: Self = Self(Uuid::from_u128(0x7379_7374_656d_8000_8000_0000_0000_0000));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = PatientId::random();
        assert_eq!(id.to_string().parse::<PatientId>().unwrap(), id);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
        assert_eq!(id.uuid().get_version_num(), 4);
    }

    #[test]
    fn the_system_organization_is_no_random_id() {
        assert_eq!(OrganizationId::SYSTEM.uuid().get_version_num(), 8);
    }
}
