//! Challenges of passkey ceremonies: sealed, and held by the browser that answers, so that any instance takes the answer.

use phi::OrganizationId;
use phi::PersonId;
use phi::columns::PasskeyChallenge;
use time::Duration;
use time::OffsetDateTime;

use crate::services::client_held::ClientHeld;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// The time for which a challenge can be answered: a person looks for a device, and is verified by it.
pub(super) const LIFETIME: Duration = Duration::minutes(5);

/// The purpose of a challenge, and its byte in it. An answer serves no other purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// The set-up of a passkey for an account.
    SetUp,
    /// A sign-in to an account that the answer names.
    SignIn,
    /// A further factor of a person that is signed in.
    StepUp,
}

/// The service that makes challenges and opens those that were answered.
#[derive(Clone, Debug)]
pub(super) struct PasskeyChallenges {
    held: ClientHeld<PasskeyChallenge>,
    clock: Clock,
}

impl Purpose {
    const fn byte(self) -> u8 {
        match self {
            Self::SetUp => 1,
            Self::SignIn => 2,
            Self::StepUp => 3,
        }
    }
}

impl PasskeyChallenges {
    /// Challenges under these keys.
    pub(super) const fn new(keys: Keys, clock: Clock) -> Self {
        Self {
            held: ClientHeld::new(keys, clock, LIFETIME),
            clock,
        }
    }

    /// A new challenge for an account, in base64url.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable.
    pub(super) async fn make(
        &self,
        purpose: Purpose,
        (organization, person): (OrganizationId, PersonId),
    ) -> Result<String, ServiceError> {
        let now = self.clock.now();
        let microseconds = now.unix_timestamp_nanos() / 1000;
        let microseconds = i64::try_from(microseconds).map_err(ServiceError::internal)?;
        // `purpose[1] | time[8]`
        let mut content = vec![purpose.byte()];
        content.extend_from_slice(&microseconds.to_be_bytes());
        self.held.seal(organization, person, &content).await
    }

    /// The time at which a challenge was made for this purpose and account; none for any other text, and for an expired one.
    ///
    /// # Errors
    ///
    /// The organization's key is unavailable.
    pub(super) async fn open(
        &self,
        purpose: Purpose,
        (organization, person): (OrganizationId, PersonId),
        challenge: &str,
    ) -> Result<Option<OffsetDateTime>, ServiceError> {
        let content = self.held.open(organization, person, challenge).await?;
        Ok(content.and_then(|content| made_at(purpose, &content)))
    }
}

fn made_at(purpose: Purpose, content: &[u8]) -> Option<OffsetDateTime> {
    let (&byte, time) = content.split_first()?;
    let microseconds = i64::from_be_bytes(time.try_into().ok()?);
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1000).ok()?;
    (byte == purpose.byte()).then_some(time)
}
