//! Pseudonyms of client addresses: events contain a keyed pseudonym, and the sealed address is
//! stored once a day.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use db::AddressRow;
use phi::OrganizationId;
use phi::RowId;
use phi::ScopeKey;
use time::Date;
use time::OffsetDateTime;

use super::AuditTrail;
use super::TrailError;

/// Maximum number of cached pseudonyms. A full cache is emptied.
const CACHE_CAPACITY: usize = 10_000;

/// The pseudonym of an address, of an organization and a day.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct AddressPseudonym {
    organization: OrganizationId,
    day: Date,
    pseudonym: [u8; 16],
}

/// The pseudonyms that are known to be stored, so that a client costs one insert a day.
#[derive(Clone, Debug, Default)]
pub(super) struct PseudonymCache(Arc<Mutex<HashSet<AddressPseudonym>>>);

impl PseudonymCache {
    fn contains(&self, pseudonym: &AddressPseudonym) -> bool {
        let stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stored.contains(pseudonym)
    }

    fn insert(&self, pseudonym: AddressPseudonym) {
        let mut stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stored.len() >= CACHE_CAPACITY {
            stored.clear();
        }
        stored.insert(pseudonym);
    }
}

impl AuditTrail {
    /// The pseudonym that events contain in place of an address: constant within an audit year, and
    /// different for each organization. Stores the sealed address, for investigations.
    pub(super) async fn pseudonym(
        &self,
        scope: &ScopeKey,
        address: IpAddr,
        at: OffsetDateTime,
    ) -> Result<String, TrailError> {
        let address = address.to_string();
        let pseudonym = AddressPseudonym {
            organization: scope.organization(),
            day: at.date(),
            pseudonym: scope.pseudonym("audit-address", address.as_bytes()),
        };
        if !self.pseudonyms.contains(&pseudonym) {
            let row_id = RowId::random();
            let row = AddressRow {
                organization: pseudonym.organization,
                day: pseudonym.day,
                pseudonym: pseudonym.pseudonym,
                row_id,
                address: scope.seal(row_id, &address)?,
            };
            self.database.store_address(&row).await?;
            self.pseudonyms.insert(pseudonym);
        }
        Ok(format!("{:032x}", u128::from_be_bytes(pseudonym.pseudonym)))
    }
}
