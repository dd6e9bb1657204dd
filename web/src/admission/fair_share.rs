//! A capacity that clients share fairly.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::established::EstablishedClients;
use super::prefix::Prefix;
use super::prefix::SITE_FACTOR;
use crate::limits::ShareLimits;
use crate::per_worker::lock_ignoring_poison;

/// Number of shards; reduces lock contention between workers.
const SHARDS: usize = 16;

/// A capacity with a dynamic limit per client.
///
/// A client may hold as much as is free: the dynamic threshold of shared packet buffers (Choudhury
/// and Hahne, IEEE/ACM Transactions on Networking 6:2, 1998). So one client alone gets at most
/// half, *n* greedy clients together leave 1/(*n* + 1) free, and a client that holds nothing is
/// served until the capacity is exhausted. A part of the capacity is reserved for established
/// clients.
pub(crate) struct FairShare {
    capacity: AtomicU64,
    limits: ShareLimits,
    used: AtomicU64,
    /// The amount that each client and site holds; 0 has no entry.
    shards: [Mutex<HashMap<Prefix, u64>>; SHARDS],
    hasher: RandomState,
    established: Arc<EstablishedClients>,
}

impl FairShare {
    pub(super) fn new(limits: ShareLimits, established: Arc<EstablishedClients>) -> Arc<Self> {
        Arc::new(Self {
            capacity: AtomicU64::new(limits.capacity),
            limits,
            used: AtomicU64::new(0),
            shards: [const { None }; SHARDS].map(|_: Option<()>| Mutex::default()),
            hasher: RandomState::new(),
            established,
        })
    }

    /// Changes the capacity. Permits above a smaller capacity stay until they are dropped.
    pub(super) fn set_capacity(&self, capacity: u64) {
        self.capacity.store(capacity, Relaxed);
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity.load(Relaxed)
    }

    /// The amount that all clients hold.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// Acquires an amount for a client; `None` if it exceeds the client's share or the capacity.
    pub(crate) fn try_acquire(
        self: &Arc<Self>,
        client: IpAddr,
        amount: u64,
    ) -> Option<SharePermit> {
        self.acquire(client, amount).then(|| SharePermit {
            share: Arc::clone(self),
            client: Some(client),
            amount,
        })
    }

    /// Acquires an amount for a trusted proxy, which carries many clients: only the capacity limits
    /// it.
    pub(crate) fn try_acquire_unshared(self: &Arc<Self>, amount: u64) -> Option<SharePermit> {
        let before = self.used.fetch_add(amount, Relaxed);
        let permit = SharePermit {
            share: Arc::clone(self),
            client: None,
            amount,
        };
        // Dropping the permit releases the amount if there is not enough.
        (before + amount <= self.capacity.load(Relaxed)).then_some(permit)
    }

    fn acquire(&self, client: IpAddr, amount: u64) -> bool {
        let before = self.used.fetch_add(amount, Relaxed);
        let capacity = self.capacity.load(Relaxed);
        let free = capacity.saturating_sub(before);
        let unreserved = free.saturating_sub(self.reserved(capacity));
        // The lookup of the client is made only if its result matters.
        let taken = self.acquire_within(unreserved, client, amount)
            || (self.established.contains(client) && self.acquire_within(free, client, amount));
        if !taken {
            self.used.fetch_sub(amount, Relaxed);
        }
        taken
    }

    /// The part for established clients, which shrinks with the capacity.
    fn reserved(&self, capacity: u64) -> u64 {
        let product = self.limits.reserved.saturating_mul(capacity);
        product.checked_div(self.limits.capacity).unwrap_or(0)
    }

    /// Acquires an amount if the client and its site then hold no more than is available.
    fn acquire_within(&self, available: u64, client: IpAddr, amount: u64) -> bool {
        let max = available.min(self.limits.max_per_client);
        if amount > available || !self.add(Prefix::client(client), amount, max) {
            return false;
        }
        let Some(site) = Prefix::site(client) else {
            return true;
        };
        let max = self
            .limits
            .max_per_client
            .saturating_mul(SITE_FACTOR.into());
        let taken = self.add(site, amount, available.min(max));
        if !taken {
            self.subtract(Prefix::client(client), amount);
        }
        taken
    }

    /// Adds to the amount of a prefix, unless the sum exceeds `max`.
    fn add(&self, prefix: Prefix, amount: u64, max: u64) -> bool {
        let mut held = lock_ignoring_poison(self.shard(prefix));
        let now = held.get(&prefix).copied().unwrap_or(0) + amount;
        if now > 0 && now <= max {
            held.insert(prefix, now);
        }
        now <= max
    }

    fn subtract(&self, prefix: Prefix, amount: u64) {
        let mut held = lock_ignoring_poison(self.shard(prefix));
        let Some(now) = held.get_mut(&prefix) else {
            return;
        };
        *now = now.saturating_sub(amount);
        if *now == 0 {
            held.remove(&prefix);
            // Releases the memory of a past flood of clients.
            if held.capacity() > 1024 && held.len() < held.capacity() / 8 {
                held.shrink_to_fit();
            }
        }
    }

    fn release(&self, client: Option<IpAddr>, amount: u64) {
        if let Some(client) = client {
            self.subtract(Prefix::client(client), amount);
            if let Some(site) = Prefix::site(client) {
                self.subtract(site, amount);
            }
        }
        self.used.fetch_sub(amount, Relaxed);
    }

    fn shard(&self, prefix: Prefix) -> &Mutex<HashMap<Prefix, u64>> {
        let [first, rest @ ..] = &self.shards;
        let index = self.hasher.hash_one(prefix) % 16;
        let index = usize::try_from(index).unwrap_or(0);
        index
            .checked_sub(1)
            .and_then(|index| rest.get(index))
            .unwrap_or(first)
    }

    #[cfg(test)]
    fn prefixes(&self) -> usize {
        let length = |shard: &Mutex<HashMap<Prefix, u64>>| shard.lock().unwrap().len();
        self.shards.iter().map(length).sum()
    }
}

/// An amount of a capacity, held until this is dropped.
pub(crate) struct SharePermit {
    share: Arc<FairShare>,
    client: Option<IpAddr>,
    amount: u64,
}

impl SharePermit {
    /// Grows to at least this amount. Returns false, and leaves the amount as it is, if there is
    /// not enough.
    pub(crate) fn try_grow_to(&mut self, amount: u64) -> bool {
        let Some(more) = amount.checked_sub(self.amount) else {
            return true;
        };
        let taken = more == 0
            || self
                .client
                .is_some_and(|client| self.share.acquire(client, more));
        if taken {
            self.amount = amount;
        }
        taken
    }

    /// Shrinks to at most this amount.
    pub(crate) fn shrink_to(&mut self, amount: u64) {
        if let Some(less) = self.amount.checked_sub(amount) {
            self.share.release(self.client, less);
            self.amount = amount;
        }
    }
}

impl Drop for SharePermit {
    fn drop(&mut self) {
        self.share.release(self.client, self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(capacity: u64, reserved: u64, max_per_client: u64) -> Arc<FairShare> {
        let limits = ShareLimits {
            capacity,
            reserved,
            max_per_client,
        };
        FairShare::new(limits, Arc::new(EstablishedClients::new()))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Acquires single units for a client until it is refused.
    fn all(share: &Arc<FairShare>, client: &str) -> Vec<SharePermit> {
        std::iter::from_fn(|| share.try_acquire(address(client), 1)).collect()
    }

    #[test]
    fn one_client_gets_half_and_each_further_one_a_smaller_part() {
        let share = share(120, 0, 1000);
        let mut held = Vec::new();
        for (client, part) in [("192.0.2.1", 60), ("192.0.2.2", 30), ("192.0.2.3", 15)] {
            let permits = all(&share, client);
            assert_eq!(permits.len(), part, "{client}");
            held.push(permits);
        }
        assert!(share.try_acquire(address("192.0.2.4"), 1).is_some());
        held.clear();
        assert_eq!((share.used(), share.prefixes()), (0, 0));
    }

    #[test]
    fn eight_greedy_clients_that_take_turns_leave_a_ninth_free() {
        let share = share(900, 0, 1000);
        let mut held = Vec::new();
        loop {
            let before = held.len();
            let turn = (1..=8_u8).filter_map(|last| share.try_acquire([192, 0, 2, last].into(), 1));
            held.extend(turn);
            if held.len() == before {
                break;
            }
        }
        assert_eq!(held.len(), 800);
        assert!(all(&share, "192.0.2.9").len() >= 40);
    }

    #[test]
    fn a_client_has_a_maximum_and_an_ipv6_site_four_times_as_much() {
        let share = share(1000, 0, 10);
        assert_eq!(all(&share, "192.0.2.1").len(), 10);
        let mut held = Vec::new();
        for network in 0..5 {
            held.push(all(&share, &format!("2001:db8:0:{network}::1")));
        }
        let counts: Vec<_> = held.iter().map(Vec::len).collect();
        assert_eq!(counts, [10, 10, 10, 10, 0]);
        assert_eq!(all(&share, "2001:db8:1::1").len(), 10);
        drop(held);
        assert_eq!((share.used(), share.prefixes()), (0, 0));
    }

    #[test]
    fn unknown_clients_leave_the_reserve_to_established_ones() {
        let share = share(64, 32, 1000);
        share.established.note(address("192.0.2.200"));
        let mut held = Vec::new();
        for last in 1..100_u8 {
            held.extend(all(&share, &format!("192.0.2.{last}")));
        }
        assert_eq!(held.len(), 32);
        assert_eq!(all(&share, "192.0.2.200").len(), 16);
    }

    #[test]
    fn a_permit_grows_within_the_share_and_releases_when_it_shrinks() {
        let share = share(100, 0, 1000);
        let mut permit = share.try_acquire(address("192.0.2.1"), 10).unwrap();
        assert!(permit.try_grow_to(20) && share.used() == 20);
        assert!(permit.try_grow_to(5) && share.used() == 20);
        assert!(!permit.try_grow_to(90) && share.used() == 20);
        permit.shrink_to(30);
        permit.shrink_to(1);
        assert_eq!(share.used(), 1);
        drop(permit);
        assert_eq!((share.used(), share.prefixes()), (0, 0));
    }

    #[test]
    fn a_trusted_proxy_is_limited_only_by_the_capacity() {
        let share = share(3, 0, 1);
        let held: Vec<_> = std::iter::from_fn(|| share.try_acquire_unshared(1)).collect();
        assert_eq!((held.len(), share.used()), (3, 3));
        drop(held);
        assert_eq!(share.used(), 0);
    }

    #[test]
    fn threads_together_never_exceed_the_capacity() {
        let share = share(100, 0, 1000);
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for last in 0..8_u8 {
                let (share, held, most) = (&share, &held, &most);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let permits = all(share, &format!("192.0.2.{last}"));
                        let mine = u64::try_from(permits.len()).unwrap();
                        most.fetch_max(held.fetch_add(mine, Relaxed) + mine, Relaxed);
                        held.fetch_sub(mine, Relaxed);
                    }
                });
            }
        });
        assert!((50..=100).contains(&most.load(Relaxed)), "{most:?}");
        assert_eq!((share.used(), share.prefixes()), (0, 0));
    }

    #[test]
    fn a_smaller_capacity_refuses_until_permits_are_dropped() {
        let share = share(100, 0, 1000);
        let held = all(&share, "192.0.2.1");
        share.set_capacity(20);
        assert!(share.try_acquire(address("192.0.2.2"), 1).is_none());
        drop(held);
        assert_eq!(all(&share, "192.0.2.2").len(), 10);
    }
}
