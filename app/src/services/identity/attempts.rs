//! Throttling of sign-in: attempts are counted before the password is hashed, for all instances, by account and client.
//!
//! - Each account has a limiter for each client address. It stops a client that guesses, and no other client.
//! - Attempts from an address without a recent sign-in to the account also count in the account's limiter of unknown
//!   addresses. It bounds guessing from many addresses, and cannot keep a person from signing in where that person
//!   has signed in before (`evidence`).
//!
//! A limiter is counted in the database and in this instance's memory, and the longer wait applies: a database that
//! hides or alters its rows permits no more than this memory. An account is named by its blind index, whether or not it
//! exists, so that work and response do not depend on that.

mod evidence;
mod memory;

use std::time::Duration;
use std::time::Instant;

use db::AttemptCounter;
use db::Database;
use phi::AuthorizationKey;
use phi::IndexToken;
use phi::OrganizationId;

use super::client::ClientPrefix;
use crate::limits::sign_in::BY_ADDRESS;
use crate::limits::sign_in::BY_UNKNOWN_ADDRESSES;
use crate::limits::sign_in::CLEANUP_PAGE;
use crate::limits::sign_in::CLEANUP_PAGES;
use crate::limits::sign_in::Limit;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use evidence::Evidence;
use memory::LimiterMemory;

/// Tries of a transaction that conflicts with another.
const TRIES: usize = 3;

/// The limiter of an account and a client, under which the refusals of one wait are recorded.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct LimiterId([u8; 16]);

#[cfg(test)]
impl LimiterId {
    /// Any limiter.
    pub(crate) const fn for_test(number: u8) -> Self {
        Self([number; 16])
    }
}

/// An attempt to sign in: the limiters in which it counts.
#[derive(Debug)]
pub(super) struct Attempt {
    by_address: AttemptCounter,
    by_unknown_addresses: AttemptCounter,
    evidence: Evidence,
}

/// An attempt that was counted: evidence that a password may be hashed for it.
#[derive(Debug)]
pub(super) struct CountedAttempt {
    attempt: Attempt,
    /// The limiters in which it was counted.
    counted: Vec<AttemptCounter>,
    /// Whether evidence of the current period is stored.
    is_evident: bool,
}

/// The reason why an attempt is not counted.
#[derive(Debug)]
pub(super) enum Uncounted {
    /// A limiter is full: the wait until it is not.
    Throttled(Duration),
    /// The database or a key is unavailable.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for Uncounted {
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
    memory: LimiterMemory,
}

impl LoginThrottle {
    pub(super) fn new(database: Database, keys: Keys, clock: Clock) -> Self {
        Self {
            database,
            keys,
            clock,
            memory: LimiterMemory::default(),
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
        let by_address = limiter(&key, "sign-in-by-address", &[&account[..], client].concat());
        // The label is part of the names of stored limiters: another one would forget the counted attempts.
        let by_unknown_addresses = limiter(&key, "sign-in-by-strangers", account);
        let evidence_mac = |message: &[u8]| key.message_mac("sign-in-evidence", message);
        let today = self.clock.now().date();
        Ok(Attempt {
            by_address: counter(BY_ADDRESS, by_address),
            by_unknown_addresses: counter(BY_UNKNOWN_ADDRESSES, by_unknown_addresses),
            evidence: Evidence::of(evidence_mac, account, client, today),
        })
    }

    /// The wait of an attempt by the memory of this instance, which costs no place in the queue.
    pub(super) fn remembered_wait(&self, attempt: &Attempt) -> Option<Duration> {
        self.memory.wait(&attempt.by_address, Instant::now())
    }

    /// Counts an attempt, in memory and in the database.
    ///
    /// # Errors
    ///
    /// See [`Uncounted`]. An attempt that is not counted in all of its limiters is counted in none.
    pub(super) async fn count(&self, attempt: Attempt) -> Result<CountedAttempt, Uncounted> {
        let tokens = attempt.evidence.tokens();
        let proofs = self.database.address_proofs(tokens).await?;
        let mut counted = vec![attempt.by_address];
        if !attempt.evidence.is_proved(&proofs) {
            counted.push(attempt.by_unknown_addresses);
        }
        let throttled = |wait| Err(Uncounted::Throttled(wait));
        if let Some(wait) = self.memory.count(&counted, Instant::now()) {
            return throttled(wait);
        }
        let stored = self.count_stored(&counted).await;
        if !matches!(stored, Ok(None)) {
            self.memory.uncount(&counted);
        }
        if let Some(wait) = stored? {
            return throttled(wait);
        }
        let is_evident = attempt.evidence.is_proved_now(&proofs);
        Ok(CountedAttempt {
            attempt,
            counted,
            is_evident,
        })
    }

    async fn count_stored(
        &self,
        counters: &[AttemptCounter],
    ) -> Result<Option<Duration>, db::Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_count_stored(counters).await {
                Err(db::Error::Conflict) if tries < TRIES => {}
                counted => return counted,
            }
        }
    }

    /// Counts in all of the counters or, if one is full, in none.
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

    /// Forgets the attempts of a client whose password was right, and keeps evidence of its address. Attempts from other
    /// unknown addresses stay counted.
    ///
    /// # Errors
    ///
    /// The database is unavailable.
    pub(super) async fn succeeded(&self, attempt: CountedAttempt) -> Result<(), ServiceError> {
        let Attempt {
            by_address,
            by_unknown_addresses,
            evidence,
        } = attempt.attempt;
        let was_unknown = attempt.counted.len() > 1;
        let mut transaction = self.database.begin().await?;
        transaction.forget_attempts(&by_address).await?;
        if was_unknown {
            transaction.uncount_attempt(&by_unknown_addresses).await?;
        }
        transaction.commit().await?;
        self.memory.uncount(&attempt.counted);
        self.memory.forget(&by_address);
        if !attempt.is_evident {
            let (current, expires_on) = evidence.current();
            self.database
                .store_address_evidence(current, expires_on)
                .await?;
        }
        Ok(())
    }

    /// Removes rows that no attempt reads any more.
    ///
    /// # Errors
    ///
    /// The database is unavailable.
    pub(super) async fn clean_up(&self) -> Result<(), db::Error> {
        for _ in 0..CLEANUP_PAGES {
            let counters = self.database.delete_empty_attempt_counters(CLEANUP_PAGE);
            if counters.await? < u64::from(CLEANUP_PAGE) {
                break;
            }
        }
        for _ in 0..CLEANUP_PAGES {
            let evidence = self.database.delete_expired_address_evidence(CLEANUP_PAGE);
            if evidence.await? < u64::from(CLEANUP_PAGE) {
                break;
            }
        }
        Ok(())
    }
}

impl Attempt {
    /// The limiter of the account and the client.
    pub(super) const fn limiter(&self) -> LimiterId {
        LimiterId(self.by_address.limiter)
    }
}

const fn counter(limit: Limit, limiter: [u8; 16]) -> AttemptCounter {
    AttemptCounter {
        limiter,
        interval: limit.interval,
        burst: limit.burst,
    }
}

/// The name of a limiter: half of a keyed MAC, so that a reader of the database learns no account and no address.
fn limiter(key: &AuthorizationKey, label: &str, subject: &[u8]) -> [u8; 16] {
    let (limiter, _) = halves(&key.message_mac(label, subject));
    limiter
}

/// The two halves of a MAC.
fn halves(mac: &[u8; 32]) -> ([u8; 16], [u8; 16]) {
    let (mut first, mut second) = ([0; 16], [0; 16]);
    let (left, right) = mac.split_at(first.len());
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    (first, second)
}
