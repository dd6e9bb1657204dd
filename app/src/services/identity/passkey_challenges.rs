//! Challenges of passkey ceremonies: sealed and held by the browser, so that any instance verifies the response.
//!
//! A challenge is of use for one ceremony: the client data of a response separates a registration from an authentication, and a
//! challenge for a sign-in is made for no account, unlike one for a step-up.

use phi::OrganizationId;
use phi::PersonId;
use phi::columns::PasskeyChallenge;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use super::account::Account;
use crate::services::client_held::ClientHeld;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// The lifetime of a challenge: a person looks for a device, and is verified by it.
pub(super) const CHALLENGE_LIFETIME: Duration = Duration::minutes(5);
/// The time by which the clocks of instances may differ.
const MAX_CLOCK_SKEW: Duration = Duration::seconds(5);
/// The account of a challenge for a sign-in, which is made before the account is known.
pub(super) const NO_ACCOUNT: Account = Account {
    organization: OrganizationId::SYSTEM,
    person: PersonId::from_uuid(Uuid::nil()),
};

/// The service that makes challenges, and opens those of responses.
#[derive(Clone, Debug)]
pub(super) struct PasskeyChallenges {
    held: ClientHeld<PasskeyChallenge>,
    clock: Clock,
}

impl PasskeyChallenges {
    /// Challenges under these keys.
    pub(super) const fn new(keys: Keys, clock: Clock) -> Self {
        Self {
            held: ClientHeld::new(keys, clock, CHALLENGE_LIFETIME),
            clock,
        }
    }

    /// A new challenge for an account, in base64url.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable.
    pub(super) async fn make(&self, account: Account) -> Result<String, ServiceError> {
        let microseconds = self.clock.now().unix_timestamp_nanos() / 1000;
        let microseconds = i64::try_from(microseconds).map_err(ServiceError::internal)?;
        let content = microseconds.to_be_bytes();
        self.held
            .seal(account.organization, account.person, &content)
            .await
    }

    /// The time at which a challenge was made for this account; none for any other text, for one that has expired, and for one of a
    /// clock that is ahead.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable.
    pub(super) async fn open(
        &self,
        account: Account,
        challenge: &str,
    ) -> Result<Option<OffsetDateTime>, ServiceError> {
        let content = self
            .held
            .open(account.organization, account.person, challenge);
        let made_at = content.await?.and_then(|content| made_at(&content));
        // One of a clock that is far ahead would refuse all others until that time.
        Ok(made_at.filter(|made_at| *made_at <= self.clock.now() + MAX_CLOCK_SKEW))
    }
}

fn made_at(content: &[u8]) -> Option<OffsetDateTime> {
    let microseconds = i64::from_be_bytes(content.try_into().ok()?);
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1000).ok()
}
