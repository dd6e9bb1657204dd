//! Addresses of clients: a keyed pseudonym in the event, the original sealed once a day.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use db::AddressRow;
use phi::{OrganizationId, RowId, columns};
use time::{Date, OffsetDateTime};

use super::seal::audit_year;
use super::{Ledger, LedgerError};

/// How many kept addresses are remembered before all are forgotten and asked about anew.
const REMEMBERED: usize = 10_000;

/// An organization's pseudonym of a day.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Kept {
    organization: OrganizationId,
    day: Date,
    pseudonym: [u8; 16],
}

/// What is known to be kept already, so that a busy client costs one insert a day.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Arc<Mutex<HashSet<Kept>>>);

impl Addresses {
    fn knows(&self, kept: &Kept) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(kept)
    }

    fn remember(&self, kept: Kept) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(kept);
    }
}

impl Ledger {
    /// What events say in an address's place: the same for an address all year, different for another
    /// organization. Keeps the sealed original, so that an investigation can ask for it.
    pub(super) async fn pseudonym(
        &self,
        organization: OrganizationId,
        address: IpAddr,
        at: OffsetDateTime,
    ) -> Result<String, LedgerError> {
        let key = self.keys.authorization(organization).await?;
        let [
            pseudonym @ ..,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
        ] = key.mac("audit-address", address.to_string().as_bytes());
        let kept = Kept {
            organization,
            day: at.date(),
            pseudonym,
        };
        if !self.addresses.knows(&kept) {
            let scope = self
                .keys
                .ensure_scope(organization, audit_year(at), at)
                .await?;
            let row_id = RowId::random();
            let address = scope.seal(
                &columns::AUDIT_ADDRESSES_ADDRESS,
                row_id,
                &address.to_string(),
            )?;
            let row = AddressRow {
                organization,
                day: at.date(),
                pseudonym,
                row_id,
                address,
            };
            self.database.keep_address(&row).await?;
            self.addresses.remember(kept);
        }
        Ok(format!("{:032x}", u128::from_be_bytes(pseudonym)))
    }
}
