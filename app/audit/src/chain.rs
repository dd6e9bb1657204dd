//! The hash chain: log entries that each contain the hash of the entry before.

use sha2::Digest as _;
use sha2::Sha256;
use time::OffsetDateTime;
use time::UtcOffset;
use uuid::Uuid;

use crate::Commitment;
use crate::RowsCommitment;

/// An event that has no place in a chain yet.
#[derive(Clone, Copy, Debug)]
pub struct UnplacedEvent {
    /// The event's own id; also the row id under which its body is sealed.
    pub event: Uuid,
    /// The organization whose log the event belongs to.
    pub organization: Uuid,
    /// The event's time.
    pub at: OffsetDateTime,
    /// The commitment to the sealed body.
    pub commitment: Commitment,
    /// The commitment to the rows written in the same transaction.
    pub rows: RowsCommitment,
}

/// A log entry: an event's place in a chain and its commitments, stored in the clear.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The chain's id.
    pub chain: Uuid,
    /// The entry's position in the chain: from 0, without gaps.
    pub counter: u64,
    /// The hash of the entry before; zeros for the first.
    pub previous: [u8; 32],
    /// The organization whose log the event belongs to.
    pub organization: Uuid,
    /// The event's own id.
    pub event: Uuid,
    /// The event's time, in microseconds since 1970-01-01T00:00:00Z.
    pub at_micros: i64,
    /// The commitment to the sealed body.
    pub commitment: Commitment,
    /// The commitment to the rows written in the same transaction.
    pub rows: RowsCommitment,
}

impl Entry {
    /// The encoding, which is hashed and authenticated.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = b"audit-entry/2".to_vec();
        bytes.extend_from_slice(self.chain.as_bytes());
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes.extend_from_slice(self.organization.as_bytes());
        bytes.extend_from_slice(self.event.as_bytes());
        bytes.extend_from_slice(&self.at_micros.to_be_bytes());
        bytes.extend_from_slice(&self.commitment.0);
        bytes.extend_from_slice(&self.rows.0);
        bytes
    }

    /// The event's time; `None` for a number outside the calendar.
    #[must_use]
    pub fn at(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.at_micros) * 1_000).ok()
    }

    /// The partition that the entry is stored in: the month of its time in UTC as `yyyymm`, and 0 for
    /// a number outside the calendar.
    #[must_use]
    pub fn month(&self) -> u32 {
        self.at().map(month).unwrap_or_default()
    }

    /// The hash that the next entry contains as `previous`.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }
}

/// The end of one chain: what the next entry follows. It advances only when the caller reports a commit.
#[derive(Clone, Debug)]
pub struct HashChain {
    id: Uuid,
    counter: u64,
    previous: [u8; 32],
}

impl HashChain {
    /// Begins a chain under a random id that was never used before.
    #[must_use]
    pub fn begin(id: Uuid) -> Self {
        Self {
            id,
            counter: 0,
            previous: [0; 32],
        }
    }

    /// Places `events` at the chain's end, in order. The chain itself does not advance until
    /// [`HashChain::committed`]: a rolled-back entry leaves no gap.
    #[must_use]
    pub fn place(&self, events: &[UnplacedEvent]) -> Vec<Entry> {
        let mut end = self.clone();
        events
            .iter()
            .map(|event| {
                let entry = Entry {
                    chain: end.id,
                    counter: end.counter,
                    previous: end.previous,
                    organization: event.organization,
                    event: event.event,
                    at_micros: micros(event.at),
                    commitment: event.commitment,
                    rows: event.rows,
                };
                end.committed(&entry);
                entry
            })
            .collect()
    }

    /// Advances past `last`, which the database has acknowledged together with all before it.
    pub fn committed(&mut self, last: &Entry) {
        self.counter = last.counter + 1;
        self.previous = last.hash();
    }
}

/// The first fault of a chain.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum BrokenChain {
    /// An entry is missing, doubled or out of order.
    #[error("chain {chain}: entry {expected} is missing or out of order")]
    Counter {
        /// The chain.
        chain: Uuid,
        /// The expected counter.
        expected: u64,
    },
    /// An entry contains another hash than that of the entry before it.
    #[error("chain {chain}: entry {counter} does not follow the entry before it")]
    Previous {
        /// The chain.
        chain: Uuid,
        /// The entry's counter.
        counter: u64,
    },
    /// An entry was not written by a holder of the key.
    #[error("chain {chain}: entry {counter} carries a wrong MAC")]
    Mac {
        /// The chain.
        chain: Uuid,
        /// The entry's counter.
        counter: u64,
    },
}

/// Verifies one chain from its first entry on, and returns the number of its entries. `authentic`
/// verifies a MAC over an entry's bytes.
///
/// # Errors
///
/// The first fault, in chain order.
pub fn verify_chain<'a>(
    chain: Uuid,
    entries: impl IntoIterator<Item = (&'a Entry, &'a [u8; 32])>,
    authentic: impl Fn(&[u8], &[u8; 32]) -> bool,
) -> Result<u64, BrokenChain> {
    let mut end = HashChain::begin(chain);
    for (entry, mac) in entries {
        let counter = entry.counter;
        if entry.chain != chain || counter != end.counter {
            return Err(BrokenChain::Counter {
                chain,
                expected: end.counter,
            });
        }
        if entry.previous != end.previous {
            return Err(BrokenChain::Previous { chain, counter });
        }
        if !authentic(&entry.encode(), mac) {
            return Err(BrokenChain::Mac { chain, counter });
        }
        end.committed(entry);
    }
    Ok(end.counter)
}

/// Microseconds since 1970, rounded down; the years of `OffsetDateTime` always fit.
#[must_use]
pub fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

/// The partition key of a time: its month in UTC as `yyyymm`, and 0 before year 0.
#[must_use]
pub fn month(at: OffsetDateTime) -> u32 {
    let at = at.to_offset(UtcOffset::UTC);
    u32::try_from(at.year())
        .map(|year| year * 100 + u32::from(u8::from(at.month())))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn event(n: u8) -> UnplacedEvent {
        UnplacedEvent {
            event: Uuid::from_bytes([n; 16]),
            organization: Uuid::from_bytes([9; 16]),
            at: OffsetDateTime::UNIX_EPOCH,
            commitment: Commitment([n; 32]),
            rows: RowsCommitment::of(&[]),
        }
    }

    fn chain() -> (Uuid, Vec<Entry>) {
        let id = Uuid::from_bytes([1; 16]);
        (
            id,
            HashChain::begin(id).place(&[event(1), event(2), event(3)]),
        )
    }

    fn check(id: Uuid, entries: &[Entry]) -> Result<u64, BrokenChain> {
        let mac = [0; 32];
        verify_chain(id, entries.iter().map(|entry| (entry, &mac)), |_, _| true)
    }

    #[test]
    fn an_untouched_chain_verifies() {
        let (id, entries) = chain();
        assert_eq!(check(id, &entries), Ok(3));
    }

    #[test]
    fn a_deleted_entry_is_missed() {
        let (id, mut entries) = chain();
        entries.remove(1);
        assert_eq!(
            check(id, &entries),
            Err(BrokenChain::Counter {
                chain: id,
                expected: 1
            })
        );
    }

    #[test]
    fn a_reordered_chain_is_refused() {
        let (id, mut entries) = chain();
        entries.swap(0, 1);
        assert!(check(id, &entries).is_err());
    }

    #[test]
    fn an_altered_entry_breaks_the_one_after_it() {
        let (id, mut entries) = chain();
        entries[0].commitment = Commitment([77; 32]);
        assert_eq!(
            check(id, &entries),
            Err(BrokenChain::Previous {
                chain: id,
                counter: 1
            })
        );
    }

    #[test]
    fn a_wrong_mac_is_named() {
        let (id, entries) = chain();
        let mac = [0; 32];
        let checked = verify_chain(id, entries.iter().map(|e| (e, &mac)), |_, _| false);
        assert_eq!(
            checked,
            Err(BrokenChain::Mac {
                chain: id,
                counter: 0
            })
        );
    }

    #[test]
    fn what_was_not_committed_leaves_no_gap() {
        let mut chain = HashChain::begin(Uuid::nil());
        let rolled_back = chain.place(&[event(1)]);
        let kept = chain.place(&[event(2)]);
        assert_eq!(rolled_back[0].counter, kept[0].counter);
        chain.committed(&kept[0]);
        assert_eq!(chain.place(&[event(3)])[0].previous, kept[0].hash());
    }

    #[test]
    fn a_month_is_that_of_utc() {
        let entry = |at| {
            let event = UnplacedEvent { at, ..event(1) };
            HashChain::begin(Uuid::nil()).place(&[event])[0].clone()
        };
        assert_eq!(entry(datetime!(2026-12-31 23:30 -01:00)).month(), 202_701);
        assert_eq!(entry(datetime!(2026-01-01 00:00 UTC)).month(), 202_601);
        let mut beyond = entry(OffsetDateTime::UNIX_EPOCH);
        beyond.at_micros = i64::MAX;
        assert_eq!(beyond.month(), 0);
    }
}
