//! The types that a column of an authenticated row can have.

use time::OffsetDateTime;
use uuid::Uuid;

use super::ColumnType;
use super::ColumnValue;
use crate::change::ChangeKind;
use crate::deleted::Deleted;
use crate::ids::KeyId;
use crate::ids::OrganizationId;
use crate::ids::PatientId;
use crate::ids::PersonId;
use crate::ids::RowId;
use crate::ids::SessionId;
use crate::index::IndexState;
use crate::index::IndexToken;
use crate::owner::OwnerKind;
use crate::owner::OwnerState;
use crate::sealed::Sealed;

/// Implements [`ColumnValue`] for types that always have a value.
macro_rules! present {
    ($($type:ty: $kind:ident, |$value:ident, $out:ident| $append:expr;)*) => {
        $(
            impl ColumnValue for $type {
                const TYPE: ColumnType = ColumnType::$kind;

                fn append_to(&self, $out: &mut Vec<u8>) -> bool {
                    let $value = self;
                    $append;
                    true
                }
            }
        )*
    };
}

present! {
    Vec<u8>: Bytes, |value, out| out.extend_from_slice(value);
    [u8; 16]: Bytes, |value, out| out.extend_from_slice(value);
    [u8; 32]: Bytes, |value, out| out.extend_from_slice(value);
    IndexToken: Bytes, |value, out| out.extend_from_slice(value.as_bytes());
    String: Text, |value, out| out.extend_from_slice(value.as_bytes());
    u8: Number, |value, out| out.extend_from_slice(&u64::from(*value).to_be_bytes());
    u16: Number, |value, out| out.extend_from_slice(&u64::from(*value).to_be_bytes());
    u32: Number, |value, out| out.extend_from_slice(&u64::from(*value).to_be_bytes());
    u64: Number, |value, out| out.extend_from_slice(&value.to_be_bytes());
    OwnerKind: Number, |value, out| out.extend_from_slice(&u64::from(value.code()).to_be_bytes());
    OwnerState: Number, |value, out| out.extend_from_slice(&u64::from(value.code()).to_be_bytes());
    ChangeKind: Number, |value, out| out.extend_from_slice(&u64::from(value.code()).to_be_bytes());
    IndexState: Number, |value, out| out.extend_from_slice(&u64::from(value.code()).to_be_bytes());
    Deleted: Number, |value, out| out.extend_from_slice(&u64::from(value.code()).to_be_bytes());
    Uuid: Uuid, |value, out| out.extend_from_slice(value.as_bytes());
    KeyId: Uuid, |value, out| out.extend_from_slice(value.as_bytes());
    OrganizationId: Uuid, |value, out| out.extend_from_slice(value.as_bytes());
    PatientId: Uuid, |value, out| out.extend_from_slice(value.as_bytes());
    PersonId: Uuid, |value, out| out.extend_from_slice(value.as_bytes());
    RowId: Uuid, |value, out| out.extend_from_slice(value.as_bytes());
    SessionId: Uuid, |value, out| out.extend_from_slice(value.as_bytes());
    OffsetDateTime: Time, |value, out| out.extend_from_slice(&micros(*value).to_be_bytes());
    bool: Bool, |value, out| out.push(u8::from(*value));
}

impl<C> ColumnValue for Sealed<C> {
    const TYPE: ColumnType = ColumnType::Bytes;

    fn append_to(&self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(self.as_bytes());
        true
    }
}

impl<V: ColumnValue> ColumnValue for Option<V> {
    const TYPE: ColumnType = V::TYPE;

    fn append_to(&self, out: &mut Vec<u8>) -> bool {
        self.as_ref().is_some_and(|value| value.append_to(out))
    }
}

/// Microseconds since 1970. Finer parts are left out, as the database leaves them out; every year that
/// `OffsetDateTime` has fits.
fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}
