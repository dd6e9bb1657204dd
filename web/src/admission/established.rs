//! Clients that were authenticated recently, by a session or a token.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::prefix::Prefix;

/// Number of slots of the table: 512 KiB. Two clients of one slot displace each other, and then
/// only lose their part of the reserve.
const SLOTS: usize = 1 << 16;
/// Time for which a client counts as established after its last authenticated request, in minutes:
/// a working day.
const ESTABLISHED_MINUTES: u64 = 12 * 60;

/// The clients from which the app has recently authenticated a request.
///
/// Part of every shared capacity is reserved for them, so that a flood of unknown clients cannot
/// exclude staff. A client is entered only after the app accepted its credentials. The table has a
/// fixed size and no locks: an entry is a tag of the client and the minute of its last request.
pub(crate) struct EstablishedClients {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
    began: Instant,
}

impl EstablishedClients {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            began: Instant::now(),
        }
    }

    /// Records an authenticated request.
    pub(crate) fn note(&self, client: IpAddr) {
        self.note_at(client, self.minute());
    }

    /// Whether a client is in the table and not expired.
    pub(super) fn contains(&self, client: IpAddr) -> bool {
        self.contains_at(client, self.minute())
    }

    fn note_at(&self, client: IpAddr, minute: u64) {
        let (slot, tag) = self.locate(client);
        if let Some(slot) = slot {
            let entry = tag << 24 | minute;
            if slot.load(Relaxed) != entry {
                slot.store(entry, Relaxed);
            }
        }
    }

    fn contains_at(&self, client: IpAddr, minute: u64) -> bool {
        let (slot, tag) = self.locate(client);
        let entry = slot.map_or(0, |slot| slot.load(Relaxed));
        entry >> 24 == tag && minute.saturating_sub(entry & 0xff_ffff) <= ESTABLISHED_MINUTES
    }

    /// The slot of a client and its 40-bit tag, which is never 0.
    fn locate(&self, client: IpAddr) -> (Option<&AtomicU64>, u64) {
        let hash = self.hasher.hash_one(Prefix::client(client));
        let index = usize::try_from(hash & 0xffff).unwrap_or(0);
        (self.slots.get(index), (hash >> 24) | 1)
    }

    /// Minutes since the start; 24 bits are enough for 31 years.
    fn minute(&self) -> u64 {
        self.began.elapsed().as_secs() / 60
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_established_for_a_working_day_after_its_last_request() {
        let clients = EstablishedClients::new();
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        assert!(!clients.contains_at(one, 0));
        clients.note_at(one, 5);
        assert!(
            clients.contains_at(one, 5 + ESTABLISHED_MINUTES) && !clients.contains_at(other, 5)
        );
        assert!(!clients.contains_at(one, 6 + ESTABLISHED_MINUTES));
        clients.note_at(one, 100);
        assert!(clients.contains_at(one, 100 + ESTABLISHED_MINUTES));
    }
}
