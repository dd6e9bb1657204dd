//! A bounded queue that serves clients in turn (round robin), each of which may hold a share of its places.

use std::collections::{HashMap, VecDeque};

use crate::services::identity::client::{ClientPrefix, ClientSite};
use crate::services::identity::limits::{CLIENT_PLACES, QUEUE_PLACES, SITE_PLACES};

/// The places of a queue, and those that one client and one site may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    pub(super) all: usize,
    pub(super) client: usize,
    pub(super) site: usize,
}

impl Shares {
    /// The shares of a queue for so many concurrent hashes.
    pub(super) const fn for_turns(turns: usize) -> Self {
        Self {
            all: QUEUE_PLACES * turns,
            client: CLIENT_PLACES * turns,
            site: SITE_PLACES * turns,
        }
    }
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    client: ClientPrefix,
    number: u64,
}

/// The queue.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    shares: Shares,
    length: usize,
    next_number: u64,
    /// The clients that wait, in the order in which they are served.
    order: VecDeque<ClientPrefix>,
    clients: HashMap<ClientPrefix, VecDeque<(u64, T)>>,
    sites: HashMap<ClientSite, usize>,
}

impl<T> FairQueue<T> {
    /// An empty queue.
    pub(super) fn new(shares: Shares) -> Self {
        Self {
            shares,
            length: 0,
            next_number: 0,
            order: VecDeque::new(),
            clients: HashMap::new(),
            sites: HashMap::new(),
        }
    }

    /// Takes a place, if the client's and its site's shares have one. In a full queue, the newest entry of the client
    /// that holds most places is dropped for a client that would hold fewer.
    pub(super) fn push(&mut self, client: ClientPrefix, entry: T) -> Option<Place> {
        let held = self.clients.get(&client).map_or(0, VecDeque::len);
        let of_site = self.sites.get(&client.site()).copied().unwrap_or_default();
        if held >= self.shares.client || of_site >= self.shares.site {
            return None;
        }
        if self.length >= self.shares.all {
            self.displace(held)?;
        }
        let number = self.next_number;
        self.next_number += 1;
        let waiting = self.clients.entry(client).or_default();
        if waiting.is_empty() {
            self.order.push_back(client);
        }
        waiting.push_back((number, entry));
        *self.sites.entry(client.site()).or_default() += 1;
        self.length += 1;
        Some(Place { client, number })
    }

    /// The oldest entry of the next client.
    pub(super) fn pop(&mut self) -> Option<T> {
        let client = self.order.pop_front()?;
        let waiting = self.clients.get_mut(&client)?;
        let (_, entry) = waiting.pop_front()?;
        if !waiting.is_empty() {
            self.order.push_back(client);
        }
        self.left(client);
        Some(entry)
    }

    /// Leaves a place, if it is still held.
    pub(super) fn remove(&mut self, place: Place) {
        let Some(waiting) = self.clients.get_mut(&place.client) else {
            return;
        };
        let before = waiting.len();
        waiting.retain(|(number, _)| *number != place.number);
        if waiting.len() == before {
            return;
        }
        if waiting.is_empty() {
            self.order.retain(|client| *client != place.client);
        }
        self.left(place.client);
    }

    /// Drops the newest entry of the client that holds most places, if a client with one more than `held` holds fewer.
    fn displace(&mut self, held: usize) -> Option<()> {
        let (most, waiting) = self.clients.iter().max_by_key(|(_, it)| it.len())?;
        let (number, _) = waiting.back().filter(|_| waiting.len() > held + 1)?;
        let place = Place {
            client: *most,
            number: *number,
        };
        self.remove(place);
        Some(())
    }

    /// Accounts for an entry of `client` that has left.
    fn left(&mut self, client: ClientPrefix) {
        self.length -= 1;
        if self.clients.get(&client).is_some_and(VecDeque::is_empty) {
            self.clients.remove(&client);
        }
        if let Some(of_site) = self.sites.get_mut(&client.site()) {
            *of_site -= 1;
            if *of_site == 0 {
                self.sites.remove(&client.site());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> ClientPrefix {
        ClientPrefix::of(Some(address.parse().unwrap()))
    }

    fn queue(all: usize, client: usize, site: usize) -> FairQueue<&'static str> {
        FairQueue::new(Shares { all, client, site })
    }

    #[test]
    fn clients_are_served_in_turn_whatever_the_order_of_arrival() {
        let mut queue = queue(10, 10, 10);
        for entry in ["a1", "a2", "a3"] {
            queue.push(client("192.0.2.1"), entry).unwrap();
        }
        queue.push(client("192.0.2.2"), "b1").unwrap();
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(served, ["a1", "b1", "a2", "a3"]);
    }

    #[test]
    fn a_client_and_a_site_hold_no_more_than_their_share() {
        let mut queue = queue(10, 2, 3);
        let of = |net: u8| client(&format!("2001:db8:1:{net}::1"));
        assert!(queue.push(of(1), "").is_some());
        assert!(queue.push(of(1), "").is_some());
        assert!(queue.push(of(1), "").is_none());
        assert!(queue.push(of(2), "").is_some());
        assert!(queue.push(of(2), "").is_none());
        assert!(queue.push(client("2001:db8:2:1::1"), "").is_some());
        queue.pop().unwrap();
        assert!(queue.push(of(2), "").is_some());
    }

    #[test]
    fn in_a_full_queue_the_client_with_most_places_makes_room() {
        let mut queue = queue(4, 3, 4);
        for entry in ["a1", "a2", "a3"] {
            queue.push(client("192.0.2.1"), entry).unwrap();
        }
        queue.push(client("192.0.2.2"), "b1").unwrap();
        queue.push(client("192.0.2.3"), "c1").unwrap();
        assert!(queue.push(client("192.0.2.2"), "b2").is_none());
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(served, ["a1", "b1", "c1", "a2"]);
    }

    #[test]
    fn a_place_that_is_left_is_free_again_and_is_left_once() {
        let mut queue = queue(2, 2, 2);
        let place = queue.push(client("192.0.2.1"), "a1").unwrap();
        queue.push(client("192.0.2.1"), "a2").unwrap();
        assert!(queue.push(client("192.0.2.1"), "a3").is_none());
        queue.remove(place);
        queue.remove(place);
        assert!(queue.push(client("192.0.2.1"), "a3").is_some());
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(served, ["a2", "a3"]);
        assert!(queue.clients.is_empty() && queue.sites.is_empty() && queue.length == 0);
    }
}
