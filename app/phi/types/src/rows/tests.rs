//! Tests of the row encoding: it is injective, ordered, and stable when columns are added.

use proptest::prelude::*;
use time::OffsetDateTime;

use super::*;
use crate::tables;

#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    number: Option<u64>,
    added_later: Option<bool>,
    seen: u64,
}

impl AuthenticatedRow for Row {
    const TABLE: Table = tables::PEOPLE;

    fn organization(&self) -> OrganizationId {
        OrganizationId::SYSTEM
    }

    fn row_id(&self) -> Uuid {
        Uuid::nil()
    }

    fn encode(&self, columns: &mut ColumnEncoder) {
        columns.column(1, &self.text);
        columns.column(2, &self.bytes);
        columns.column(3, &self.number);
        columns.volatile(4, &self.seen);
        columns.column(9, &self.added_later);
    }

    fn mac(&self) -> &RowMac {
        &RowMac::UNSET
    }

    fn set_mac(&mut self, _: RowMac) {}
}

fn rows() -> impl Strategy<Value = Row> {
    let texts = prop::option::of("[ab]{0,2}");
    let bytes = prop::option::of(prop::collection::vec(any::<u8>(), 0..3));
    (
        texts,
        bytes,
        any::<Option<u64>>(),
        any::<Option<bool>>(),
        0..3_u64,
    )
        .prop_map(|(text, bytes, number, added_later, seen)| Row {
            text,
            bytes,
            number,
            added_later,
            seen,
        })
}

fn key() -> KeyId {
    KeyId::from_uuid(Uuid::from_u128(7))
}

/// Reads an encoding back: an encoding that can be read in one way only belongs to one row.
fn decoded(mut bytes: &[u8]) -> Vec<(u16, u8, Vec<u8>)> {
    let mut columns = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<7>() {
        let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let (value, rest) = rest.split_at(usize::try_from(length).unwrap());
        columns.push((
            u16::from_be_bytes([head[0], head[1]]),
            head[2],
            value.to_vec(),
        ));
        bytes = rest;
    }
    columns
}

proptest! {
    #[test]
    fn no_two_rows_encode_alike(a in rows(), b in rows()) {
        prop_assert_eq!(a == b, authenticated_bytes(&a, key()) == authenticated_bytes(&b, key()));
        let same_but_seen = Row { seen: b.seen, ..a.clone() } == b;
        prop_assert_eq!(same_but_seen, row_digest(&a) == row_digest(&b));
    }

    #[test]
    fn columns_stand_in_ascending_order_and_those_without_a_value_are_left_out(row in rows()) {
        let bytes = authenticated_bytes(&row, key());
        let columns = decoded(&bytes[b"row/2".len() + 34..]);
        let tags: Vec<_> = columns.iter().map(|(tag, _, _)| *tag).collect();
        let expected = [
            (1, row.text.is_some()),
            (2, row.bytes.is_some()),
            (3, row.number.is_some()),
            (4, true),
            (9, row.added_later.is_some()),
        ];
        let expected: Vec<u16> = expected.into_iter().filter(|it| it.1).map(|it| it.0).collect();
        prop_assert_eq!(tags, expected);
    }
}

#[test]
fn a_column_added_later_without_a_value_changes_no_mac_and_setting_one_to_null_does() {
    struct Older(Row);
    impl AuthenticatedRow for Older {
        const TABLE: Table = Row::TABLE;
        fn organization(&self) -> OrganizationId {
            self.0.organization()
        }
        fn row_id(&self) -> Uuid {
            self.0.row_id()
        }
        fn encode(&self, columns: &mut ColumnEncoder) {
            columns.column(1, &self.0.text);
            columns.column(2, &self.0.bytes);
            columns.column(3, &self.0.number);
            columns.volatile(4, &self.0.seen);
        }
        fn mac(&self) -> &RowMac {
            &RowMac::UNSET
        }
        fn set_mac(&mut self, _: RowMac) {}
    }
    let row = Row {
        text: Some("a".to_owned()),
        ..Row::default()
    };
    let older = Older(row.clone());
    assert_eq!(
        authenticated_bytes(&older, key()),
        authenticated_bytes(&row, key())
    );
    assert_eq!(row_digest(&older), row_digest(&row));
    let nulled = Row::default();
    assert_ne!(
        authenticated_bytes(&nulled, key()),
        authenticated_bytes(&row, key())
    );
}

#[test]
fn the_key_id_enters_the_mac_and_not_the_digest() {
    let row = Row::default();
    let other = KeyId::from_uuid(Uuid::from_u128(8));
    assert_ne!(
        authenticated_bytes(&row, key()),
        authenticated_bytes(&row, other)
    );
}

#[test]
fn a_moment_is_the_same_before_and_after_storage() {
    let encode = |nanos| {
        let mut out = Vec::new();
        OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .unwrap()
            .append_to(&mut out);
        out
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
