//! A bounded queue that serves clients round robin. Each client and each site has a maximum number
//! of entries.

use std::collections::HashMap;
use std::collections::VecDeque;

use crate::limits::sign_in::MAX_QUEUED;
use crate::limits::sign_in::MAX_QUEUED_PER_CLIENT;
use crate::limits::sign_in::MAX_QUEUED_PER_SITE;
use crate::limits::sign_in::RESERVED_FOR_KNOWN_CLIENTS;
use crate::services::identity::client::ClientPrefix;
use crate::services::identity::client::ClientSite;

/// The limits of a queue, in entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueLimits {
    pub(super) total: usize,
    /// The part of the total that is reserved for known clients.
    pub(super) reserved: usize,
    pub(super) per_client: usize,
    pub(super) per_site: usize,
}

impl QueueLimits {
    /// The limits of a queue for this many concurrent hashes.
    pub(super) const fn for_permits(permits: usize) -> Self {
        Self {
            total: MAX_QUEUED * permits,
            reserved: RESERVED_FOR_KNOWN_CLIENTS * permits,
            per_client: MAX_QUEUED_PER_CLIENT * permits,
            per_site: MAX_QUEUED_PER_SITE * permits,
        }
    }
}

/// The standing of a client with this instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ClientStanding {
    /// A sign-in of the client has succeeded before.
    Known,
    /// No sign-in of the client has succeeded, as far as this instance remembers.
    Unknown,
}

/// The identity of an entry, by which it can be removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct QueueTicket {
    client: ClientPrefix,
    number: u64,
}

/// The queue.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    limits: QueueLimits,
    length: usize,
    next_number: u64,
    /// The clients that wait, in the order in which they are served.
    order: VecDeque<ClientPrefix>,
    clients: HashMap<ClientPrefix, ClientEntries<T>>,
    /// The number of entries of each site.
    sites: HashMap<ClientSite, usize>,
}

/// The entries of a client, and its standing when the first of them was added.
#[derive(Debug)]
struct ClientEntries<T> {
    standing: ClientStanding,
    entries: VecDeque<(u64, T)>,
}

impl<T> FairQueue<T> {
    /// An empty queue.
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            length: 0,
            next_number: 0,
            order: VecDeque::new(),
            clients: HashMap::new(),
            sites: HashMap::new(),
        }
    }

    /// Adds an entry, unless the client or its site has its maximum of entries. A known client may
    /// use the whole queue, an unknown client the part that is not reserved. If that is full, the
    /// newest entry of the client with most entries is displaced, provided that the new entry's
    /// client then has fewer. An unknown client displaces no known one.
    pub(super) fn push(
        &mut self,
        client: ClientPrefix,
        standing: ClientStanding,
        entry: T,
    ) -> Option<QueueTicket> {
        let held = self.clients.get(&client).map_or(0, |it| it.entries.len());
        let of_site = self.sites.get(&client.site()).copied().unwrap_or_default();
        if held >= self.limits.per_client || of_site >= self.limits.per_site {
            return None;
        }
        let capacity = match standing {
            ClientStanding::Known => self.limits.total,
            ClientStanding::Unknown => self.limits.total.saturating_sub(self.limits.reserved),
        };
        if self.length >= capacity {
            self.displace(held, standing)?;
        }
        let number = self.next_number;
        self.next_number += 1;
        let waiting = self.clients.entry(client).or_insert_with(|| {
            self.order.push_back(client);
            ClientEntries {
                standing,
                entries: VecDeque::new(),
            }
        });
        waiting.entries.push_back((number, entry));
        *self.sites.entry(client.site()).or_default() += 1;
        self.length += 1;
        Some(QueueTicket { client, number })
    }

    /// Removes and returns the oldest entry of the next client.
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

    /// Drops the newest entry of the client with most entries, if these are more than `held` and
    /// the new one. None if no entry can be displaced.
    fn displace(&mut self, held: usize, standing: ClientStanding) -> Option<()> {
        let may_displace = |other: &ClientEntries<T>| {
            standing == ClientStanding::Known || other.standing == ClientStanding::Unknown
        };
        let clients = self.clients.iter();
        let (most, waiting) = clients
            .filter(|(_, it)| may_displace(it))
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

    fn queue(total: usize, per_client: usize, per_site: usize) -> FairQueue<&'static str> {
        FairQueue::new(QueueLimits {
            total,
            reserved: 0,
            per_client,
            per_site,
        })
    }

    fn push(
        queue: &mut FairQueue<&'static str>,
        client: ClientPrefix,
        entry: &'static str,
    ) -> bool {
        queue.push(client, ClientStanding::Unknown, entry).is_some()
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
    fn a_client_and_a_site_have_no_more_than_their_maximum_of_entries() {
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
    fn in_a_full_queue_the_client_with_most_entries_is_displaced() {
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
    fn however_many_unknown_clients_wait_a_known_client_is_admitted() {
        let mut queue = FairQueue::new(QueueLimits {
            reserved: 2,
            ..queue(6, 4, 6).limits
        });
        for last in 1..=4 {
            assert!(push(&mut queue, client(&format!("192.0.2.{last}")), ""));
        }
        assert!(!push(&mut queue, client("192.0.2.5"), ""));
        let push_known = |queue: &mut FairQueue<_>| {
            let ticket = queue.push(client("192.0.2.9"), ClientStanding::Known, "");
            ticket.is_some()
        };
        assert!(push_known(&mut queue) && push_known(&mut queue));
        assert!(!push_known(&mut queue));
        // An unknown client does not displace a known one, even if that has more entries.
        assert!(!push(&mut queue, client("192.0.2.6"), ""));
    }

    #[test]
    fn the_removal_of_an_entry_makes_room_once() {
        let mut queue = queue(2, 2, 2);
        let ticket = queue.push(client("192.0.2.1"), ClientStanding::Unknown, "a1");
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
