//! The chain: entries that each name the one before.

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Commitment;

/// SHA-256 over the digests of all rows that an event's transaction wrote; zeros for none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RowsDigest(pub [u8; 32]);

impl RowsDigest {
    /// Digests `rows`, each the SHA-256 of one written row, in the order they were written.
    #[must_use]
    pub fn of(rows: &[[u8; 32]]) -> Self {
        if rows.is_empty() {
            return Self::default();
        }
        let mut hash = Sha256::new().chain_update(b"audit-rows/1");
        for row in rows {
            hash.update(row);
        }
        Self(hash.finalize().into())
    }
}

/// An event that has no place in a lane yet.
#[derive(Clone, Copy, Debug)]
pub struct Draft {
    /// The event's own id; also the row id under which its body is sealed.
    pub event: Uuid,
    /// Whose log it belongs to.
    pub organization: Uuid,
    /// When it happened.
    pub at: OffsetDateTime,
    /// What stands for the sealed body.
    pub commitment: Commitment,
    /// What stands for the rows written with it.
    pub rows: RowsDigest,
}

/// An event in its place in a lane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The lane's id.
    pub lane: Uuid,
    /// 0, 1, 2, … without gaps.
    pub counter: u64,
    /// The hash of the entry before; zeros for the first.
    pub previous: [u8; 32],
    /// Whose log it belongs to.
    pub organization: Uuid,
    /// The event's own id.
    pub event: Uuid,
    /// When it happened, in microseconds since 1970-01-01T00:00:00Z.
    pub at_micros: i64,
    /// What stands for the sealed body.
    pub commitment: Commitment,
    /// What stands for the rows written with it.
    pub rows: RowsDigest,
}

impl Entry {
    /// The bytes that are hashed and authenticated.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = b"audit-entry/1".to_vec();
        bytes.extend_from_slice(self.lane.as_bytes());
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes.extend_from_slice(self.organization.as_bytes());
        bytes.extend_from_slice(self.event.as_bytes());
        bytes.extend_from_slice(&self.at_micros.to_be_bytes());
        bytes.extend_from_slice(&self.commitment.0);
        bytes.extend_from_slice(&self.rows.0);
        bytes
    }

    /// When it happened; none for a number that is no time.
    #[must_use]
    pub fn at(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.at_micros) * 1_000).ok()
    }

    /// What the next entry names as `previous`.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }
}

/// The growing end of one chain. It moves on only when the caller says that an entry is committed.
#[derive(Clone, Debug)]
pub struct Lane {
    id: Uuid,
    counter: u64,
    previous: [u8; 32],
}

impl Lane {
    /// Begins a lane under a random id that was never used before.
    #[must_use]
    pub fn begin(id: Uuid) -> Self {
        Self {
            id,
            counter: 0,
            previous: [0; 32],
        }
    }

    /// Places `drafts` at the lane's end, in order. The lane itself stays where it is until
    /// [`Lane::committed`]: what was rolled back leaves no gap.
    #[must_use]
    pub fn place(&self, drafts: &[Draft]) -> Vec<Entry> {
        let mut end = self.clone();
        drafts
            .iter()
            .map(|draft| {
                let entry = Entry {
                    lane: end.id,
                    counter: end.counter,
                    previous: end.previous,
                    organization: draft.organization,
                    event: draft.event,
                    at_micros: micros(draft.at),
                    commitment: draft.commitment,
                    rows: draft.rows,
                };
                end.committed(&entry);
                entry
            })
            .collect()
    }

    /// Moves the end past `last`, which the database has acknowledged together with all before it.
    pub fn committed(&mut self, last: &Entry) {
        self.counter = last.counter + 1;
        self.previous = last.hash();
    }
}

/// What is wrong with a lane, and where.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum BrokenLane {
    /// An entry is missing, doubled or out of order.
    #[error("lane {lane}: entry {expected} is missing or out of order")]
    Counter {
        /// The lane.
        lane: Uuid,
        /// The counter that should have come.
        expected: u64,
    },
    /// An entry names another one before it than the one that stands there.
    #[error("lane {lane}: entry {counter} does not follow the entry before it")]
    Previous {
        /// The lane.
        lane: Uuid,
        /// The entry's counter.
        counter: u64,
    },
    /// An entry was not written by a holder of the key.
    #[error("lane {lane}: entry {counter} carries a wrong MAC")]
    Mac {
        /// The lane.
        lane: Uuid,
        /// The entry's counter.
        counter: u64,
    },
}

/// Checks one lane from its first entry on. `authentic` is told an entry's bytes and its MAC.
///
/// # Errors
/// The first fault, in lane order.
pub fn verify_lane<'a>(
    lane: Uuid,
    entries: impl IntoIterator<Item = (&'a Entry, &'a [u8; 32])>,
    authentic: impl Fn(&[u8], &[u8; 32]) -> bool,
) -> Result<u64, BrokenLane> {
    let mut end = Lane::begin(lane);
    for (entry, mac) in entries {
        let counter = entry.counter;
        if entry.lane != lane || counter != end.counter {
            return Err(BrokenLane::Counter {
                lane,
                expected: end.counter,
            });
        }
        if entry.previous != end.previous {
            return Err(BrokenLane::Previous { lane, counter });
        }
        if !authentic(&entry.encode(), mac) {
            return Err(BrokenLane::Mac { lane, counter });
        }
        end.committed(entry);
    }
    Ok(end.counter)
}

/// Microseconds since 1970; the years that `OffsetDateTime` knows always fit.
#[must_use]
pub fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(n: u8) -> Draft {
        Draft {
            event: Uuid::from_bytes([n; 16]),
            organization: Uuid::from_bytes([9; 16]),
            at: OffsetDateTime::UNIX_EPOCH,
            commitment: Commitment([n; 32]),
            rows: RowsDigest::of(&[[n; 32]]),
        }
    }

    fn lane() -> (Uuid, Vec<Entry>) {
        let id = Uuid::from_bytes([1; 16]);
        (id, Lane::begin(id).place(&[draft(1), draft(2), draft(3)]))
    }

    fn check(id: Uuid, entries: &[Entry]) -> Result<u64, BrokenLane> {
        let mac = [0; 32];
        verify_lane(id, entries.iter().map(|entry| (entry, &mac)), |_, _| true)
    }

    #[test]
    fn an_untouched_lane_verifies() {
        let (id, entries) = lane();
        assert_eq!(check(id, &entries), Ok(3));
    }

    #[test]
    fn a_deleted_entry_is_missed() {
        let (id, mut entries) = lane();
        entries.remove(1);
        assert_eq!(
            check(id, &entries),
            Err(BrokenLane::Counter {
                lane: id,
                expected: 1
            })
        );
    }

    #[test]
    fn a_reordered_lane_is_refused() {
        let (id, mut entries) = lane();
        entries.swap(0, 1);
        assert!(check(id, &entries).is_err());
    }

    #[test]
    fn an_altered_entry_breaks_the_one_after_it() {
        let (id, mut entries) = lane();
        entries[0].commitment = Commitment([77; 32]);
        assert_eq!(
            check(id, &entries),
            Err(BrokenLane::Previous {
                lane: id,
                counter: 1
            })
        );
    }

    #[test]
    fn a_wrong_mac_is_named() {
        let (id, entries) = lane();
        let mac = [0; 32];
        let checked = verify_lane(id, entries.iter().map(|e| (e, &mac)), |_, _| false);
        assert_eq!(
            checked,
            Err(BrokenLane::Mac {
                lane: id,
                counter: 0
            })
        );
    }

    #[test]
    fn what_was_not_committed_leaves_no_gap() {
        let mut lane = Lane::begin(Uuid::nil());
        let rolled_back = lane.place(&[draft(1)]);
        let kept = lane.place(&[draft(2)]);
        assert_eq!(rolled_back[0].counter, kept[0].counter);
        lane.committed(&kept[0]);
        assert_eq!(lane.place(&[draft(3)])[0].previous, kept[0].hash());
    }
}
