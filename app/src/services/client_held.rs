//! Values that a client holds for the service: sealed under the organization's key, of use to one person only, until a time.
//!
//! None is stored, so that no client can fill a store with them. A value is opaque to the client that holds it.

use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use phi::Column;
use phi::OrganizationId;
use phi::Owner;
use phi::PersonId;
use phi::RowId;
use phi::Sealed;
use time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// The length of a UUID, in bytes.
const ID_BYTES: usize = 16;

/// The service that seals and opens such values as a column `C`, each for `lifetime`.
#[derive(Clone, Debug)]
pub(super) struct ClientHeld<C> {
    keys: Keys,
    clock: Clock,
    lifetime: Duration,
    column: PhantomData<fn() -> C>,
}

impl<C: Column<Value = Vec<u8>>> ClientHeld<C> {
    /// The service under these keys.
    pub(super) const fn new(keys: Keys, clock: Clock, lifetime: Duration) -> Self {
        Self {
            keys,
            clock,
            lifetime,
            column: PhantomData,
        }
    }

    /// The base64url of `row id[16] | sealed`, where `person[16] | expiry[8] | content` is sealed.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable, or the content is too long for a sealed value.
    pub(super) async fn seal(
        &self,
        organization: OrganizationId,
        person: PersonId,
        content: &[u8],
    ) -> Result<String, ServiceError> {
        let expiry = self.clock.now().saturating_add(self.lifetime);
        let mut bytes = Zeroizing::new(Vec::with_capacity(ID_BYTES + 8 + content.len()));
        bytes.extend_from_slice(person.uuid().as_bytes());
        bytes.extend_from_slice(&expiry.unix_timestamp().to_be_bytes());
        bytes.extend_from_slice(content);
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let row = RowId::random();
        let sealed: Sealed<C> = scope.seal(row, &*bytes)?;
        let mut held = row.uuid().as_bytes().to_vec();
        held.extend_from_slice(sealed.as_bytes());
        Ok(URL_SAFE_NO_PAD.encode(held))
    }

    /// The content that a client of this person sent back; none if it is damaged, expired or another person's.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable.
    pub(super) async fn open(
        &self,
        organization: OrganizationId,
        person: PersonId,
        held: &str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ServiceError> {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(held) else {
            return Ok(None);
        };
        let Some((row, sealed)) = bytes.split_first_chunk::<ID_BYTES>() else {
            return Ok(None);
        };
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let row = RowId::from(Uuid::from_bytes(*row));
        // Opened by the current key only: a client may send any bytes, and must not cause a search for a key.
        let sealed = Sealed::<C>::from_bytes(sealed.to_vec());
        let opened = scope.open_sent(row, &sealed);
        Ok(opened.and_then(|opened| self.content(person, opened.expose())))
    }

    /// The content of opened bytes that are the person's and not expired.
    fn content(&self, person: PersonId, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (holder, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (expiry, content) = rest.split_first_chunk::<8>()?;
        let is_valid = *holder == *person.uuid().as_bytes()
            && self.clock.now().unix_timestamp() < i64::from_be_bytes(*expiry);
        is_valid.then(|| Zeroizing::new(content.to_vec()))
    }
}
