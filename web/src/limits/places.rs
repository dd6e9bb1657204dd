use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::client;

/// So many locks share the clients: two handshakes seldom meet at one.
const SHARDS: usize = 16;

/// How many connections each client has. Whoever has none takes no memory here.
pub(crate) struct Places {
    each: u32,
    taken: AtomicUsize,
    shards: [Mutex<HashMap<IpAddr, u32>>; SHARDS],
    hasher: RandomState,
}

impl Places {
    /// `each` connections for a client.
    pub(crate) fn new(each: u32) -> Arc<Self> {
        Arc::new(Self {
            each,
            taken: AtomicUsize::new(0),
            shards: [const { None }; SHARDS].map(|_: Option<()>| Mutex::default()),
            hasher: RandomState::new(),
        })
    }

    /// A place for one more connection of `client`; `None` if it has them all.
    pub(crate) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let client = client::client_prefix(client);
        self.count(client, |count| {
            let free = *count < self.each;
            *count += u32::from(free);
            free
        })
        .then(|| self.place(Some(client)))
    }

    /// A place that is nobody's: for a load balancer, whose connections are those of many clients.
    pub(crate) fn take_shared(self: &Arc<Self>) -> Place {
        self.place(None)
    }

    /// All connections at present.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    fn place(self: &Arc<Self>, client: Option<IpAddr>) -> Place {
        self.taken.fetch_add(1, Relaxed);
        Place {
            places: Arc::clone(self),
            client,
        }
    }

    /// Changes a client's count, and forgets the client if it is none.
    fn count(&self, client: IpAddr, change: impl FnOnce(&mut u32) -> bool) -> bool {
        let hash = usize::try_from(self.hasher.hash_one(client) % 16).unwrap_or(0);
        let Some(shard) = self.shards.get(hash) else {
            return false;
        };
        // A count is whole at every moment: a panic elsewhere leaves it right.
        let mut counts = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(client).or_default();
        let changed = change(count);
        if *count == 0 {
            counts.remove(&client);
        }
        changed
    }

    #[cfg(test)]
    fn clients(&self) -> usize {
        let length = |shard: &Mutex<HashMap<IpAddr, u32>>| shard.lock().unwrap().len();
        self.shards.iter().map(length).sum()
    }
}

/// A client's place, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    client: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Relaxed);
        if let Some(client) = self.client {
            self.places.count(client, |count| {
                *count = count.saturating_sub(1);
                true
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_has_its_own_places() {
        let places = Places::new(2);
        let held = [
            places.take(address("192.0.2.1")),
            places.take(address("192.0.2.1")),
        ];
        assert!(held.iter().all(Option::is_some));
        assert!(places.take(address("192.0.2.1")).is_none());
        assert!(places.take(address("::ffff:192.0.2.1")).is_none());
        assert!(places.take(address("192.0.2.2")).is_some());
        drop(held);
        assert!(places.take(address("192.0.2.1")).is_some());
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_client_whatever_its_address() {
        let places = Places::new(1);
        let _held = places.take(address("2001:db8::1")).unwrap();
        assert!(
            places
                .take(address("2001:db8::ffff:ffff:ffff:ffff"))
                .is_none()
        );
        assert!(places.take(address("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn whoever_left_takes_no_memory() {
        let places = Places::new(1);
        let held: Vec<_> = (0..200_u8)
            .map(|last| places.take(IpAddr::from([192, 0, 2, last])).unwrap())
            .collect();
        assert_eq!((places.clients(), places.taken()), (200, 200));
        let shared = places.take_shared();
        drop(held);
        assert_eq!((places.clients(), places.taken()), (0, 1));
        drop(shared);
        assert_eq!(places.taken(), 0);
        let none = Places::new(0);
        assert!(none.take(address("192.0.2.1")).is_none());
        assert_eq!(none.clients(), 0);
    }
}
