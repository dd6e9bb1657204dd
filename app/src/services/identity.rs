//! Person authentication (45 CFR 164.312(d)): people, passwords, sessions and bearer tokens.
//!
//! Every row that is read here decides access, so each is verified before it is used. A row that
//! does not verify is reported as tampering, and authenticates no caller.

mod client;
mod hashing;
mod password;
mod people;
mod session;
mod throttle;

use access::Role;
use db::Database;
use db::PersonRow;
use phi::Verified;

use crate::services::blind_indexes::BlindIndexes;
use crate::services::callers::Callers;
use crate::services::callers::SessionLimits;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use crate::services::trail::AuditTrail;
use hashing::HashingQueue;
use throttle::LoginThrottle;

pub(crate) use client::ClientPrefix;
pub(crate) use password::Account;
pub(crate) use password::PasswordError;
pub(crate) use password::VerifiedPassword;
pub(crate) use people::NewPerson;
pub(crate) use people::Person;
pub(crate) use session::NewSession;
pub(crate) use throttle::LimiterId;

/// The identity service.
#[derive(Debug)]
pub(crate) struct Identity {
    database: Database,
    keys: Keys,
    indexes: BlindIndexes,
    trail: AuditTrail,
    callers: Callers,
    limits: SessionLimits,
    clock: Clock,
    throttle: LoginThrottle,
    hashing: HashingQueue,
}

/// An active person, whose row was verified.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// The person's row.
    pub(crate) row: Verified<PersonRow>,
    /// The role in the row.
    pub(crate) role: Role,
}

impl Identity {
    /// The service over these services.
    pub(crate) fn new(
        database: Database,
        keys: Keys,
        indexes: BlindIndexes,
        trail: AuditTrail,
        callers: Callers,
        limits: SessionLimits,
        clock: Clock,
    ) -> Self {
        Self {
            throttle: LoginThrottle::new(database.clone(), keys.clone(), clock),
            hashing: HashingQueue::new(),
            database,
            keys,
            indexes,
            trail,
            callers,
            limits,
            clock,
        }
    }

    /// Deletes the rows that sign-in no longer reads.
    pub(crate) async fn clean_up(&self) -> Result<(), db::Error> {
        self.throttle.clean_up().await
    }

    /// The principal of a person's row, if the row verifies and the person is active.
    async fn principal(&self, row: PersonRow) -> Result<Option<Principal>, ServiceError> {
        let row = self.keys.verify_untampered(row.organization, row).await?;
        let principal = row.filter(|row| row.active).and_then(|row| {
            let role = row.role.parse().ok()?;
            Some(Principal { row, role })
        });
        Ok(principal)
    }
}
