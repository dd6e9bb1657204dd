//! Rows that carry a MAC, and the encoding that the MAC is taken over.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use uuid::Uuid;

/// A stored row that decides who may do what, or that is of record: it carries a MAC over all its
/// other columns.
pub trait AuthenticatedRow {
    /// The table's name. It enters the MAC, so that a row is none of another table.
    const TABLE: &'static str;

    /// Writes every column but the MAC, always all of them and in the same order.
    fn encode(&self, row: &mut RowEncoder);

    /// The MAC that the row was stored with.
    fn mac(&self) -> &RowMac;
}

/// A row's MAC: 32 bytes.
#[derive(Clone, Copy)]
pub struct RowMac([u8; 32]);

impl RowMac {
    /// What stands in a row until it is authenticated. It verifies for no row.
    pub const UNSET: Self = Self([0; 32]);

    /// A stored MAC.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Compares in constant time.
impl PartialEq for RowMac {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for RowMac {}

impl fmt::Debug for RowMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowMac(..)")
    }
}

/// Encodes a row, each field as `type byte | length (u64, big-endian) | bytes`, so that no two rows
/// encode alike.
pub struct RowEncoder(Vec<u8>);

impl RowEncoder {
    /// The encoding of a row, which begins with its table's name.
    pub(crate) fn encoding<R: AuthenticatedRow>(row: &R) -> Vec<u8> {
        let mut encoder = Self(Vec::with_capacity(256));
        encoder.text(R::TABLE);
        row.encode(&mut encoder);
        encoder.0
    }

    /// A column that is null (type byte 0).
    pub fn absent(&mut self) {
        self.field(0, &[]);
    }

    /// A column of bytes (type byte 1).
    pub fn bytes(&mut self, value: &[u8]) {
        self.field(1, value);
    }

    /// A column of text (type byte 2), as UTF-8.
    pub fn text(&mut self, value: &str) {
        self.field(2, value.as_bytes());
    }

    /// A column of a number (type byte 3), as 8 bytes.
    pub fn u64(&mut self, value: u64) {
        self.field(3, &value.to_be_bytes());
    }

    /// A column of a UUID (type byte 4), as 16 bytes.
    pub fn uuid(&mut self, value: Uuid) {
        self.field(4, value.as_bytes());
    }

    /// A column of a moment (type byte 5): microseconds since 1970 as 16 bytes. What is finer than a
    /// microsecond is left out, as the database leaves it out.
    pub fn time(&mut self, value: OffsetDateTime) {
        let micros = value.unix_timestamp_nanos().div_euclid(1000);
        self.field(5, &micros.to_be_bytes());
    }

    /// A column of a truth value (type byte 6), as one byte.
    pub fn bool(&mut self, value: bool) {
        self.field(6, &[u8::from(value)]);
    }

    /// A column of bytes, or null.
    pub fn optional_bytes(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.bytes(value),
            None => self.absent(),
        }
    }

    /// A column of text, or null.
    pub fn optional_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.absent(),
        }
    }

    /// A column of a number, or null.
    pub fn optional_u64(&mut self, value: Option<u64>) {
        match value {
            Some(value) => self.u64(value),
            None => self.absent(),
        }
    }

    /// A column of a UUID, or null.
    pub fn optional_uuid(&mut self, value: Option<Uuid>) {
        match value {
            Some(value) => self.uuid(value),
            None => self.absent(),
        }
    }

    /// A column of a moment, or null.
    pub fn optional_time(&mut self, value: Option<OffsetDateTime>) {
        match value {
            Some(value) => self.time(value),
            None => self.absent(),
        }
    }

    fn field(&mut self, kind: u8, value: &[u8]) {
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        self.0.push(kind);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
    }
}

/// SHA-256 over all of a row's columns (the encoding its MAC is taken over): what the audit event of
/// a write says was written.
#[must_use]
pub fn row_digest<R: AuthenticatedRow>(row: &R) -> [u8; 32] {
    Sha256::digest(RowEncoder::encoding(row)).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Field {
        Absent,
        Bytes(Vec<u8>),
        Text(String),
        Number(u64),
        Uuid(u128),
        Bool(bool),
    }

    struct Row(Vec<Field>);

    impl AuthenticatedRow for Row {
        const TABLE: &'static str = "rows";

        fn encode(&self, row: &mut RowEncoder) {
            for field in &self.0 {
                match field {
                    Field::Absent => row.absent(),
                    Field::Bytes(value) => row.bytes(value),
                    Field::Text(value) => row.text(value),
                    Field::Number(value) => row.u64(*value),
                    Field::Uuid(value) => row.uuid(Uuid::from_u128(*value)),
                    Field::Bool(value) => row.bool(*value),
                }
            }
        }

        fn mac(&self) -> &RowMac {
            &RowMac::UNSET
        }
    }

    fn fields() -> impl Strategy<Value = Vec<Field>> {
        let field = prop_oneof![
            Just(Field::Absent),
            prop::collection::vec(any::<u8>(), 0..3).prop_map(Field::Bytes),
            "[ab]{0,2}".prop_map(Field::Text),
            any::<u64>().prop_map(Field::Number),
            any::<u128>().prop_map(Field::Uuid),
            any::<bool>().prop_map(Field::Bool),
        ];
        prop::collection::vec(field, 0..4)
    }

    /// Reads an encoding back: what can be read back in one way only is the encoding of one row.
    fn decoded(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut fields = Vec::new();
        while let Some((kind, rest)) = bytes.split_first() {
            let (length, rest) = rest.split_first_chunk::<8>().unwrap();
            let length = usize::try_from(u64::from_be_bytes(*length)).unwrap();
            let (value, rest) = rest.split_at(length);
            fields.push((*kind, value.to_vec()));
            bytes = rest;
        }
        fields
    }

    proptest! {
        #[test]
        fn no_two_rows_encode_alike(a in fields(), b in fields()) {
            let (x, y) = (Row(a.clone()), Row(b.clone()));
            prop_assert_eq!(a == b, RowEncoder::encoding(&x) == RowEncoder::encoding(&y));
            prop_assert_eq!(a == b, row_digest(&x) == row_digest(&y));
        }

        #[test]
        fn an_encoding_reads_back_as_its_fields(a in fields()) {
            let row = Row(a.clone());
            let read = decoded(&RowEncoder::encoding(&row));
            prop_assert_eq!(read.len(), a.len() + 1);
            prop_assert_eq!(&read[0], &(2, b"rows".to_vec()));
        }
    }

    #[test]
    fn a_moment_is_the_same_before_and_after_storage() {
        let encode = |nanos| {
            let mut row = RowEncoder(Vec::new());
            row.time(OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap());
            row.0
        };
        assert_eq!(
            encode(1_700_000_000_123_456_789),
            encode(1_700_000_000_123_456_000)
        );
        assert_ne!(
            encode(1_700_000_000_123_456_789),
            encode(1_700_000_000_123_457_000)
        );
    }
}
