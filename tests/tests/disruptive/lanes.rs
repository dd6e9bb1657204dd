//! The chains of the audit trail, as whoever has the database and no key can check them.

use std::collections::BTreeMap;

use audit::{Commitment, Entry, RowsDigest, verify_lane};
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use tests::Intruder;
use uuid::Uuid;

/// How many lanes there are. Asserts that in each of them the counters have no gap and every entry names the one
/// before it.
pub(super) async fn verify_all(intruder: &mut Intruder) -> usize {
    let rows = intruder
        .rows(
            "SELECT lane, counter, previous, organization, event, \
                    CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', at) AS SIGNED) AS micros, \
                    commitment, row_digests, mac \
             FROM audit_events ORDER BY lane, counter",
            &[],
        )
        .await
        .unwrap();
    let mut lanes: BTreeMap<Uuid, Vec<(Entry, [u8; 32])>> = BTreeMap::new();
    for row in &rows {
        let entry = entry(row);
        let mac = bytes(row, "mac").try_into().unwrap();
        lanes.entry(entry.lane).or_default().push((entry, mac));
    }
    for (lane, entries) in &lanes {
        let pairs = entries.iter().map(|(entry, mac)| (entry, mac));
        let length = verify_lane(*lane, pairs, |_, _| true).unwrap();
        assert_eq!(usize::try_from(length).unwrap(), entries.len());
    }
    lanes.len()
}

fn entry(row: &MySqlRow) -> Entry {
    let id = |column| Uuid::from_slice(&bytes(row, column)).unwrap();
    let hash = |column| <[u8; 32]>::try_from(bytes(row, column)).unwrap();
    Entry {
        lane: id("lane"),
        counter: row.try_get_unchecked("counter").unwrap(),
        previous: hash("previous"),
        organization: id("organization"),
        event: id("event"),
        at_micros: row.try_get_unchecked("micros").unwrap(),
        commitment: Commitment(hash("commitment")),
        rows: RowsDigest(hash("row_digests")),
    }
}

fn bytes(row: &MySqlRow, column: &str) -> Vec<u8> {
    row.try_get_unchecked(column).unwrap()
}
