//! Conversions between column values and the driver's types, and the insertion of rows.

use phi_types::ChangeKind;
use phi_types::Deleted;
use phi_types::IndexState;
use phi_types::IndexToken;
use phi_types::KeyId;
use phi_types::KeyState;
use phi_types::OrganizationId;
use phi_types::OwnerKind;
use phi_types::OwnerState;
use phi_types::PatientId;
use phi_types::PersonId;
use phi_types::Purpose;
use phi_types::RowId;
use phi_types::RowMac;
use phi_types::Sealed;
use phi_types::SessionId;
use sqlx::MySql;
use sqlx::QueryBuilder;
use sqlx::query_builder::Separated;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::Transaction;

/// Maximum size of the rows in one statement, in bytes. The packet limit of a server is at least four times that.
const MAX_STATEMENT_BYTES: usize = 4 << 20;
/// Maximum number of placeholders in one statement. The protocol's limit is 65,535.
const MAX_STATEMENT_PLACEHOLDERS: usize = 30_000;

/// A type of column values, with its conversions from and to a type of the driver.
pub(crate) trait StoredValue: Sized {
    /// The driver's type.
    type Raw;

    /// Converts a stored value; `None` if it does not have the form that the schema promises.
    fn from_raw(raw: Self::Raw) -> Option<Self>;

    /// Converts a value to be stored.
    fn to_raw(&self) -> Self::Raw;

    /// The approximate size of the value in a statement, in bytes.
    fn size(&self) -> usize {
        32
    }
}

/// An id that can identify a row in the audit log.
pub(crate) trait RowIdentity {
    /// The id as a UUID.
    fn uuid(self) -> Uuid;
}

macro_rules! ids {
    ($($id:ty),*) => {
        $(
            impl StoredValue for $id {
                type Raw = Uuid;

                fn from_raw(raw: Uuid) -> Option<Self> {
                    Some(Self::from_uuid(raw))
                }

                fn to_raw(&self) -> Uuid {
                    <$id>::uuid(*self)
                }
            }

            impl RowIdentity for $id {
                fn uuid(self) -> Uuid {
                    <$id>::uuid(self)
                }
            }
        )*
    };
}

ids!(KeyId, OrganizationId, PatientId, PersonId, RowId, SessionId);

macro_rules! codes {
    ($($code:ty),*) => {
        $(
            impl StoredValue for $code {
                type Raw = u8;

                fn from_raw(raw: u8) -> Option<Self> {
                    Self::from_code(raw)
                }

                fn to_raw(&self) -> u8 {
                    self.code()
                }
            }
        )*
    };
}

codes!(
    ChangeKind, Deleted, IndexState, KeyState, OwnerKind, OwnerState, Purpose
);

/// Types that the driver supports without conversion.
macro_rules! unconverted {
    ($($plain:ty),*) => {
        $(
            impl StoredValue for $plain {
                type Raw = Self;

                fn from_raw(raw: Self) -> Option<Self> {
                    Some(raw)
                }

                fn to_raw(&self) -> Self {
                    self.clone()
                }
            }
        )*
    };
}

unconverted!(Uuid, String, Vec<u8>, bool, u16, u32, u64, OffsetDateTime);

macro_rules! fixed {
    ($($length:literal),*) => {
        $(
            impl StoredValue for [u8; $length] {
                type Raw = Vec<u8>;

                fn from_raw(raw: Vec<u8>) -> Option<Self> {
                    raw.try_into().ok()
                }

                fn to_raw(&self) -> Vec<u8> {
                    self.to_vec()
                }
            }
        )*
    };
}

fixed!(16, 32);

impl StoredValue for IndexToken {
    type Raw = Vec<u8>;

    fn from_raw(raw: Vec<u8>) -> Option<Self> {
        raw.try_into().ok().map(Self::from_bytes)
    }

    fn to_raw(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
}

impl<C> StoredValue for Sealed<C> {
    type Raw = Vec<u8>;

    fn from_raw(raw: Vec<u8>) -> Option<Self> {
        Some(Self::from_bytes(raw))
    }

    fn to_raw(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn size(&self) -> usize {
        self.as_bytes().len()
    }
}

impl<V: StoredValue> StoredValue for Option<V> {
    type Raw = Option<V::Raw>;

    fn from_raw(raw: Self::Raw) -> Option<Self> {
        raw.map_or(Some(None), |raw| V::from_raw(raw).map(Some))
    }

    fn to_raw(&self) -> Self::Raw {
        self.as_ref().map(V::to_raw)
    }
}

/// The MAC of a stored row.
pub(crate) fn row_mac(table: &'static str, key: Uuid, mac: &[u8]) -> Result<RowMac, Error> {
    let mac = mac.try_into().ok().ok_or(Error::Corrupt(table))?;
    Ok(RowMac::new(key.into(), mac))
}

/// A row that can be inserted. `table!` implements it.
pub(crate) trait StoredRow {
    /// The beginning of the statement: `INSERT INTO table (columns) `.
    const INSERT: &'static str;
    /// The number of columns.
    const COLUMNS: usize;

    /// Binds the columns' values, in the order of [`Self::INSERT`].
    fn bind(&self, values: &mut Separated<'_, MySql, &'static str>);

    /// The approximate size of the row in a statement, in bytes.
    fn size(&self) -> usize;
}

impl Transaction {
    /// Inserts rows in as few statements as their limits permit. Built, because a `query!` literal cannot vary in length.
    pub(crate) async fn insert<R: StoredRow>(&mut self, rows: &[R]) -> Result<(), Error> {
        let mut rest = rows;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest
                .iter()
                .take(MAX_STATEMENT_PLACEHOLDERS / R::COLUMNS)
                .take_while(|row| {
                    bytes += row.size();
                    bytes <= MAX_STATEMENT_BYTES
                })
                .count();
            let (batch, later) = rest.split_at(fits.max(1));
            QueryBuilder::<MySql>::new(R::INSERT)
                .push_values(batch, |mut values, row| row.bind(&mut values))
                .build()
                .execute(&mut *self.inner)
                .await?;
            rest = later;
        }
        Ok(())
    }
}
