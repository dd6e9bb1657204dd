//! Throttling of sign-in: attempts are counted before the password is hashed, for all instances, by
//! account and client.
//!
//! - Each account has a limiter for each client address. It stops a client that guesses, and no
//!   other client.
//! - Attempts from an address without a recent sign-in to the account also count in the account's
//!   limiter of unknown addresses. It bounds guessing from many addresses, and cannot keep a person
//!   from signing in from an address where that person has signed in before (`address_evidence`).
//! - Codes of authenticator apps that are wrong beside the right password count in a limiter of the
//!   account, whatever the address: six digits can be guessed.
//! - Assertions of machine clients that are refused count in a limiter of the client address: they are not guessed, but
//!   each costs a signature and an event.
//!
//! A limiter counts in the database and in this instance's memory, and the longer wait applies: a
//! database that hides or alters its rows permits no more than this memory. An account is
//! identified by its blind index token, whether or not it exists, so that work and response do not
//! depend on its existence.

mod address_evidence;
mod local_limiters;

use std::time::Duration;
use std::time::Instant;

use db::AttemptCounter;
use db::Database;
use phi::AuthorizationKey;
use phi::IndexToken;
use phi::OrganizationId;

use super::client::ClientPrefix;
use crate::limits::sign_in::CLEANUP_ROWS_PER_STATEMENT;
use crate::limits::sign_in::LIMIT_BY_ADDRESS;
use crate::limits::sign_in::LIMIT_BY_CODE;
use crate::limits::sign_in::LIMIT_BY_SIGNATURE;
use crate::limits::sign_in::LIMIT_BY_UNKNOWN_ADDRESSES;
use crate::limits::sign_in::MAX_CLEANUP_STATEMENTS;
use crate::limits::sign_in::RateLimit;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use address_evidence::AccountAddressEvidence;
use local_limiters::LocalLimiters;

/// Maximum attempts at a transaction that conflicts with another.
const MAX_ATTEMPTS: usize = 3;

/// The identity of the limiter of an account and a client.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct LimiterId([u8; 16]);

impl LimiterId {
    /// The limiter of a counter.
    pub(super) const fn of(counter: &AttemptCounter) -> Self {
        Self(counter.limiter)
    }

    /// An arbitrary limiter.
    #[cfg(test)]
    pub(crate) const fn for_tests(number: u8) -> Self {
        Self([number; 16])
    }
}

/// An attempt to sign in, with the limiters that apply to it.
#[derive(Debug)]
pub(super) struct Attempt {
    by_address: AttemptCounter,
    by_unknown_addresses: AttemptCounter,
    evidence: AccountAddressEvidence,
}

/// An attempt that was counted, whose password may be verified.
#[derive(Debug)]
pub(super) struct CountedAttempt {
    attempt: Attempt,
    /// The limiters in which the attempt was counted.
    counters: Vec<AttemptCounter>,
    /// Whether evidence of the current period is stored already.
    has_current_evidence: bool,
}

/// The error of counting an attempt.
#[derive(Debug)]
pub(super) enum CountError {
    /// A limiter is full: the wait until the next attempt is allowed.
    Throttled(Duration),
    /// The database or a key is unavailable.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for CountError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// The limiters of sign-in.
#[derive(Debug)]
pub(super) struct LoginThrottle {
    database: Database,
    keys: Keys,
    clock: Clock,
    local: LocalLimiters,
}

impl LoginThrottle {
    /// The limiters over these services.
    pub(super) fn new(database: Database, keys: Keys, clock: Clock) -> Self {
        Self {
            database,
            keys,
            clock,
            local: LocalLimiters::default(),
        }
    }

    /// The attempt of a client for an account.
    ///
    /// # Errors
    ///
    /// The keys are unavailable.
    pub(super) async fn attempt(
        &self,
        account: IndexToken,
        client: ClientPrefix,
    ) -> Result<Attempt, ServiceError> {
        let key = self.keys.authorization(OrganizationId::SYSTEM).await?;
        let [account, client] = [account.as_bytes(), client.as_bytes()];
        // The labels are permanent: with others, the counters that are stored would not be found.
        let by_address = limiter(&key, "sign-in-by-address", &[&account[..], client].concat());
        let by_unknown_addresses = limiter(&key, "sign-in-by-strangers", account);
        let evidence_mac = |message: &[u8]| key.message_mac("sign-in-evidence", message);
        let today = self.clock.now().date();
        Ok(Attempt {
            by_address: counter(LIMIT_BY_ADDRESS, by_address),
            by_unknown_addresses: counter(LIMIT_BY_UNKNOWN_ADDRESSES, by_unknown_addresses),
            evidence: AccountAddressEvidence::new(evidence_mac, account, client, today),
        })
    }

    /// The wait of an attempt according to the memory of this instance. It is known without the
    /// database, before the attempt enters the hashing queue.
    pub(super) fn local_wait(&self, attempt: &Attempt) -> Option<Duration> {
        self.local.wait(&attempt.by_address, Instant::now())
    }

    /// Counts an attempt, in memory and in the database.
    ///
    /// # Errors
    ///
    /// See [`CountError`]. An attempt is counted in all of its limiters or in none.
    pub(super) async fn count(&self, attempt: Attempt) -> Result<CountedAttempt, CountError> {
        let tokens = attempt.evidence.tokens();
        let proofs = self.database.address_proofs(tokens).await?;
        let mut counters = vec![attempt.by_address];
        if !attempt.evidence.is_proven(&proofs) {
            counters.push(attempt.by_unknown_addresses);
        }
        let throttled = |wait| Err(CountError::Throttled(wait));
        if let Some(wait) = self.local.count(&counters, Instant::now()) {
            return throttled(wait);
        }
        let stored = self.count_stored(&counters).await;
        if !matches!(stored, Ok(None)) {
            self.local.uncount(&counters);
        }
        if let Some(wait) = stored? {
            return throttled(wait);
        }
        let has_current_evidence = attempt.evidence.is_proven_in_current_period(&proofs);
        Ok(CountedAttempt {
            attempt,
            counters,
            has_current_evidence,
        })
    }

    /// Counts a code of an authenticator app that was sent beside the right password. None if too many were wrong.
    ///
    /// # Errors
    ///
    /// The database or the keys are unavailable.
    pub(super) async fn count_code(
        &self,
        account: IndexToken,
    ) -> Result<Option<AttemptCounter>, ServiceError> {
        let key = self.keys.authorization(OrganizationId::SYSTEM).await?;
        let by_code = limiter(&key, "sign-in-by-code", account.as_bytes());
        let counter = counter(LIMIT_BY_CODE, by_code);
        Ok(self.count_one(counter).await?.is_none().then_some(counter))
    }

    /// The counter of the assertions of machine clients from an address.
    ///
    /// # Errors
    ///
    /// The keys are unavailable.
    pub(super) async fn of_assertions(
        &self,
        client: ClientPrefix,
    ) -> Result<AttemptCounter, ServiceError> {
        self.of_signatures("client-assertion-by-address", client)
            .await
    }

    /// The counter of the responses of passkeys from an address.
    ///
    /// # Errors
    ///
    /// The keys are unavailable.
    pub(super) async fn of_passkeys(
        &self,
        client: ClientPrefix,
    ) -> Result<AttemptCounter, ServiceError> {
        self.of_signatures("passkey-by-address", client).await
    }

    async fn of_signatures(
        &self,
        label: &str,
        client: ClientPrefix,
    ) -> Result<AttemptCounter, ServiceError> {
        let key = self.keys.authorization(OrganizationId::SYSTEM).await?;
        let by_address = limiter(&key, label, client.as_bytes());
        Ok(counter(LIMIT_BY_SIGNATURE, by_address))
    }

    /// Counts in one counter, or returns the wait if it is full.
    ///
    /// # Errors
    ///
    /// The database is unavailable.
    pub(super) async fn count_one(
        &self,
        counter: AttemptCounter,
    ) -> Result<Option<Duration>, ServiceError> {
        let counters = [counter];
        if let Some(wait) = self.local.count(&counters, Instant::now()) {
            return Ok(Some(wait));
        }
        let stored = self.count_stored(&counters).await;
        if !matches!(stored, Ok(None)) {
            self.local.uncount(&counters);
        }
        Ok(stored?)
    }

    /// Takes back the count of a code or a signature that was right.
    ///
    /// # Errors
    ///
    /// The database is unavailable.
    pub(super) async fn uncount_one(&self, counter: AttemptCounter) -> Result<(), ServiceError> {
        let mut transaction = self.database.begin().await?;
        transaction.uncount_attempt(&counter).await?;
        transaction.commit().await?;
        self.local.uncount(&[counter]);
        Ok(())
    }

    async fn count_stored(
        &self,
        counters: &[AttemptCounter],
    ) -> Result<Option<Duration>, db::Error> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.try_count_stored(counters).await {
                Err(db::Error::Conflict) if attempts < MAX_ATTEMPTS => {}
                counted => return counted,
            }
        }
    }

    /// Counts in all of the counters or, if one is full, in none: then the result is the wait.
    async fn try_count_stored(
        &self,
        counters: &[AttemptCounter],
    ) -> Result<Option<Duration>, db::Error> {
        let mut transaction = self.database.begin().await?;
        for counter in counters {
            if let Some(wait) = transaction.count_attempt(counter).await? {
                transaction.rollback().await?;
                return Ok(Some(wait));
            }
        }
        transaction.commit().await?;
        Ok(None)
    }

    /// Resets the limiter of a client whose password was right, and stores evidence of its address.
    /// Attempts from other unknown addresses stay counted.
    ///
    /// # Errors
    ///
    /// The database is unavailable.
    pub(super) async fn on_success(&self, attempt: CountedAttempt) -> Result<(), ServiceError> {
        let Attempt {
            by_address,
            by_unknown_addresses,
            evidence,
        } = attempt.attempt;
        let was_unknown = attempt.counters.len() > 1;
        let mut transaction = self.database.begin().await?;
        transaction.forget_attempts(&by_address).await?;
        if was_unknown {
            transaction.uncount_attempt(&by_unknown_addresses).await?;
        }
        transaction.commit().await?;
        self.local.uncount(&attempt.counters);
        self.local.reset(&by_address);
        if !attempt.has_current_evidence {
            let (current, expires_on) = evidence.current();
            self.database
                .store_address_evidence(current, expires_on)
                .await?;
        }
        Ok(())
    }

    /// Stores evidence of the address of a client that has signed in without a counted attempt, as by a passkey, and resets its
    /// limiter.
    ///
    /// # Errors
    ///
    /// The database is unavailable.
    pub(super) async fn on_uncounted_success(&self, attempt: Attempt) -> Result<(), ServiceError> {
        self.on_success(CountedAttempt {
            attempt,
            counters: Vec::new(),
            has_current_evidence: false,
        })
        .await
    }

    /// Deletes rows that no attempt reads any more.
    ///
    /// # Errors
    ///
    /// The database is unavailable.
    pub(super) async fn clean_up(&self) -> Result<(), db::Error> {
        for _ in 0..MAX_CLEANUP_STATEMENTS {
            let counters = self
                .database
                .delete_empty_attempt_counters(CLEANUP_ROWS_PER_STATEMENT);
            if counters.await? < u64::from(CLEANUP_ROWS_PER_STATEMENT) {
                break;
            }
        }
        for _ in 0..MAX_CLEANUP_STATEMENTS {
            let evidence = self
                .database
                .delete_expired_address_evidence(CLEANUP_ROWS_PER_STATEMENT);
            if evidence.await? < u64::from(CLEANUP_ROWS_PER_STATEMENT) {
                break;
            }
        }
        Ok(())
    }
}

impl Attempt {
    /// The limiter of the account and the client.
    pub(super) const fn limiter(&self) -> LimiterId {
        LimiterId::of(&self.by_address)
    }
}

const fn counter(limit: RateLimit, limiter: [u8; 16]) -> AttemptCounter {
    AttemptCounter {
        limiter,
        interval: limit.interval,
        burst: limit.burst,
    }
}

/// The identity of a limiter: half of a MAC, so that a reader of the database learns no account and
/// no address.
fn limiter(key: &AuthorizationKey, label: &str, subject: &[u8]) -> [u8; 16] {
    let (limiter, _) = split(&key.message_mac(label, subject));
    limiter
}

/// The two halves of a MAC.
fn split(mac: &[u8; 32]) -> ([u8; 16], [u8; 16]) {
    let (mut first, mut second) = ([0; 16], [0; 16]);
    let (left, right) = mac.split_at(first.len());
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    (first, second)
}
