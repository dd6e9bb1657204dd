//! A bounded queue that serves clients round robin. Each client may hold a share of its places.

use std::collections::HashMap;
use std::collections::VecDeque;

use crate::limits::sign_in::CLIENT_PLACES;
use crate::limits::sign_in::QUEUE_PLACES;
use crate::limits::sign_in::RESERVED_PLACES;
use crate::limits::sign_in::SITE_PLACES;
use crate::services::identity::client::ClientPrefix;
use crate::services::identity::client::ClientSite;

/// The places of a queue, those reserved for known clients, and those that one client and one site may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    pub(super) all: usize,
    pub(super) reserved: usize,
    pub(super) client: usize,
    pub(super) site: usize,
}

impl Shares {
    /// The shares of a queue for this many concurrent hashes.
    pub(super) const fn for_permits(permits: usize) -> Self {
        Self {
            all: QUEUE_PLACES * permits,
            reserved: RESERVED_PLACES * permits,
            client: CLIENT_PLACES * permits,
            site: SITE_PLACES * permits,
        }
    }
}

/// Whether a sign-in of a client has succeeded before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// One has succeeded.
    Known,
    /// None has succeeded, as far as this instance knows.
    Unknown,
}

/// A reference to an entry of the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct QueueTicket {
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
    clients: HashMap<ClientPrefix, Waiting<T>>,
    sites: HashMap<ClientSite, usize>,
}

/// The entries of a client, and its standing when the first of them was added.
#[derive(Debug)]
struct Waiting<T> {
    standing: Standing,
    entries: VecDeque<(u64, T)>,
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

    /// Adds an entry, unless the client's or its site's share is exhausted. A known client may take any place, an
    /// unknown one those that are not reserved. If these are full, the newest entry of the client that holds most is
    /// dropped for a client that would hold fewer; no known client's for an unknown one.
    pub(super) fn push(
        &mut self,
        client: ClientPrefix,
        standing: Standing,
        entry: T,
    ) -> Option<QueueTicket> {
        let held = self.clients.get(&client).map_or(0, |it| it.entries.len());
        let of_site = self.sites.get(&client.site()).copied().unwrap_or_default();
        if held >= self.shares.client || of_site >= self.shares.site {
            return None;
        }
        let open = match standing {
            Standing::Known => self.shares.all,
            Standing::Unknown => self.shares.all.saturating_sub(self.shares.reserved),
        };
        if self.length >= open {
            self.displace(held, standing)?;
        }
        let number = self.next_number;
        self.next_number += 1;
        let waiting = self.clients.entry(client).or_insert_with(|| {
            self.order.push_back(client);
            Waiting {
                standing,
                entries: VecDeque::new(),
            }
        });
        waiting.entries.push_back((number, entry));
        *self.sites.entry(client.site()).or_default() += 1;
        self.length += 1;
        Some(QueueTicket { client, number })
    }

    /// The oldest entry of the next client.
    pub(super) fn pop(&mut self) -> Option<T> {
        let client = self.order.pop_front()?;
        let entries = &mut self.clients.get_mut(&client)?.entries;
        let (_, entry) = entries.pop_front()?;
        if !entries.is_empty() {
            self.order.push_back(client);
        }
        self.on_removed(client);
        Some(entry)
    }

    /// Removes an entry, if it is still in the queue.
    pub(super) fn remove(&mut self, ticket: QueueTicket) {
        let Some(waiting) = self.clients.get_mut(&ticket.client) else {
            return;
        };
        let entries = &mut waiting.entries;
        let before = entries.len();
        entries.retain(|(number, _)| *number != ticket.number);
        if entries.len() == before {
            return;
        }
        if entries.is_empty() {
            self.order.retain(|client| *client != ticket.client);
        }
        self.on_removed(ticket.client);
    }

    /// Drops the newest entry of the client that holds most places, if it holds more than a client with one more than
    /// `held`.
    fn displace(&mut self, held: usize, standing: Standing) -> Option<()> {
        let clients = self.clients.iter();
        let (most, waiting) = clients
            .filter(|(_, it)| standing == Standing::Known || it.standing == Standing::Unknown)
            .max_by_key(|(_, it)| it.entries.len())?;
        let (number, _) = waiting
            .entries
            .back()
            .filter(|_| waiting.entries.len() > held + 1)?;
        let ticket = QueueTicket {
            client: *most,
            number: *number,
        };
        self.remove(ticket);
        Some(())
    }

    /// Updates the counts after an entry of `client` was removed.
    fn on_removed(&mut self, client: ClientPrefix) {
        self.length -= 1;
        if self
            .clients
            .get(&client)
            .is_some_and(|it| it.entries.is_empty())
        {
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
        FairQueue::new(Shares {
            all,
            reserved: 0,
            client,
            site,
        })
    }

    fn push(
        queue: &mut FairQueue<&'static str>,
        client: ClientPrefix,
        entry: &'static str,
    ) -> bool {
        queue.push(client, Standing::Unknown, entry).is_some()
    }

    #[test]
    fn clients_are_served_round_robin_whatever_the_order_of_arrival() {
        let mut queue = queue(10, 10, 10);
        for entry in ["a1", "a2", "a3"] {
            assert!(push(&mut queue, client("192.0.2.1"), entry));
        }
        assert!(push(&mut queue, client("192.0.2.2"), "b1"));
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(served, ["a1", "b1", "a2", "a3"]);
    }

    #[test]
    fn a_client_and_a_site_hold_no_more_than_their_share() {
        let mut queue = queue(10, 2, 3);
        let of = |net: u8| client(&format!("2001:db8:1:{net}::1"));
        assert!(push(&mut queue, of(1), ""));
        assert!(push(&mut queue, of(1), ""));
        assert!(!push(&mut queue, of(1), ""));
        assert!(push(&mut queue, of(2), ""));
        assert!(!push(&mut queue, of(2), ""));
        assert!(push(&mut queue, client("2001:db8:2:1::1"), ""));
        queue.pop().unwrap();
        assert!(push(&mut queue, of(2), ""));
    }

    #[test]
    fn in_a_full_queue_the_client_with_most_places_makes_room() {
        let mut queue = queue(4, 3, 4);
        for entry in ["a1", "a2", "a3"] {
            assert!(push(&mut queue, client("192.0.2.1"), entry));
        }
        assert!(push(&mut queue, client("192.0.2.2"), "b1"));
        assert!(push(&mut queue, client("192.0.2.3"), "c1"));
        assert!(!push(&mut queue, client("192.0.2.2"), "b2"));
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(served, ["a1", "b1", "c1", "a2"]);
    }

    #[test]
    fn however_many_unknown_clients_wait_a_known_client_finds_a_place() {
        let mut queue = FairQueue::new(Shares {
            reserved: 2,
            ..queue(6, 4, 6).shares
        });
        for last in 1..=4 {
            assert!(push(&mut queue, client(&format!("192.0.2.{last}")), ""));
        }
        assert!(!push(&mut queue, client("192.0.2.5"), ""));
        let push_known = |queue: &mut FairQueue<_>| {
            let ticket = queue.push(client("192.0.2.9"), Standing::Known, "");
            ticket.is_some()
        };
        assert!(push_known(&mut queue) && push_known(&mut queue));
        assert!(!push_known(&mut queue));
        // An unknown client does not displace one that holds more places.
        assert!(!push(&mut queue, client("192.0.2.6"), ""));
    }

    #[test]
    fn a_removed_entry_frees_its_place_once() {
        let mut queue = queue(2, 2, 2);
        let ticket = queue.push(client("192.0.2.1"), Standing::Unknown, "a1");
        let ticket = ticket.unwrap();
        assert!(push(&mut queue, client("192.0.2.1"), "a2"));
        assert!(!push(&mut queue, client("192.0.2.1"), "a3"));
        queue.remove(ticket);
        queue.remove(ticket);
        assert!(push(&mut queue, client("192.0.2.1"), "a3"));
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(served, ["a2", "a3"]);
        assert!(queue.clients.is_empty() && queue.sites.is_empty() && queue.length == 0);
    }
}
