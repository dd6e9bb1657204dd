//! The clients with a successful sign-in on this instance.

use std::collections::HashSet;

use crate::limits::sign_in::MIN_KNOWN_CLIENTS;
use crate::services::identity::client::ClientPrefix;

/// The latest clients, in two generations: a full generation replaces the former one, which is
/// dropped as a whole.
#[derive(Debug, Default)]
pub(super) struct KnownClients {
    current: HashSet<ClientPrefix>,
    former: HashSet<ClientPrefix>,
}

impl KnownClients {
    pub(super) fn contains(&self, client: ClientPrefix) -> bool {
        self.current.contains(&client) || self.former.contains(&client)
    }

    pub(super) fn insert(&mut self, client: ClientPrefix) {
        if self.current.len() >= MIN_KNOWN_CLIENTS {
            self.former = std::mem::take(&mut self.current);
        }
        self.current.insert(client);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn client(number: usize) -> ClientPrefix {
        let address = Ipv4Addr::from(u32::try_from(number).unwrap());
        ClientPrefix::of(Some(address.into()))
    }

    #[test]
    fn the_latest_clients_are_known_and_memory_is_bounded() {
        let mut clients = KnownClients::default();
        for number in 0..5 * MIN_KNOWN_CLIENTS {
            clients.insert(client(number));
        }
        let latest = 4 * MIN_KNOWN_CLIENTS..5 * MIN_KNOWN_CLIENTS;
        assert!(
            latest
                .clone()
                .all(|number| clients.contains(client(number)))
        );
        let known = (0..latest.end).filter(|number| clients.contains(client(*number)));
        assert!(known.count() <= 2 * MIN_KNOWN_CLIENTS);
    }
}
