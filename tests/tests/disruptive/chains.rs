//! Verification of the audit trail's hash chains without the MAC keys, as a reader of the database
//! can do it.

use std::collections::BTreeMap;

use audit::Commitment;
use audit::Entry;
use audit::RowsCommitment;
use audit::verify_chain;
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use tests::Attacker;
use uuid::Uuid;

/// Asserts that the counters of each chain have no gap and that each entry has the hash of its
/// predecessor. Returns the number of chains.
pub(super) async fn verify_all(attacker: &mut Attacker) -> usize {
    let rows = attacker
        .rows(
            "SELECT chain, counter, previous, organization, event, \
                    CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', at) AS SIGNED) AS micros, \
                    commitment, row_list, mac \
             FROM audit_events ORDER BY chain, counter",
            &[],
        )
        .await
        .unwrap();
    let mut chains: BTreeMap<Uuid, Vec<(Entry, [u8; 32])>> = BTreeMap::new();
    for row in &rows {
        let entry = entry(row);
        let mac = bytes(row, "mac").try_into().unwrap();
        chains.entry(entry.chain).or_default().push((entry, mac));
    }
    for (chain, entries) in &chains {
        let pairs = entries.iter().map(|(entry, mac)| (entry, mac));
        let length = verify_chain(*chain, pairs, |_, _| true).unwrap();
        assert_eq!(usize::try_from(length).unwrap(), entries.len());
    }
    chains.len()
}

fn entry(row: &MySqlRow) -> Entry {
    let id = |column| Uuid::from_slice(&bytes(row, column)).unwrap();
    let hash = |column| <[u8; 32]>::try_from(bytes(row, column)).unwrap();
    Entry {
        chain: id("chain"),
        counter: row.try_get_unchecked("counter").unwrap(),
        previous: hash("previous"),
        organization: id("organization"),
        event: id("event"),
        at_micros: row.try_get_unchecked("micros").unwrap(),
        commitment: Commitment(hash("commitment")),
        rows: RowsCommitment(hash("row_list")),
    }
}

fn bytes(row: &MySqlRow, column: &str) -> Vec<u8> {
    row.try_get_unchecked(column).unwrap()
}
