//! Person authentication (45 CFR 164.312(d)): people, passwords, sessions and bearer tokens.
//!
//! Every row that is read here decides access, so each is used only after it was verified; one that does not
//! verify authenticates no one and is reported as tampering.

mod attempts;
mod client;
mod hashing;
mod password;
mod people;
mod session;

use access::Role;
use db::Database;
use db::PersonRow;
use phi::Verified;

use crate::services::callers::Callers;
use crate::services::callers::SessionLimits;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::indexes::Indexes;
use crate::services::keys::Keys;
use crate::services::trail::AuditTrail;
use attempts::LoginThrottle;
use hashing::HashingQueue;

pub(crate) use attempts::LimiterId;
pub(crate) use client::ClientPrefix;
pub(crate) use password::Account;
pub(crate) use password::CheckedPassword;
pub(crate) use password::SignInError;
pub(crate) use people::NewPerson;
pub(crate) use people::Person;
pub(crate) use session::NewSession;

/// The identity service.
#[derive(Debug)]
pub(crate) struct Identity {
    database: Database,
    keys: Keys,
    indexes: Indexes,
    trail: AuditTrail,
    callers: Callers,
    limits: SessionLimits,
    clock: Clock,
    throttle: LoginThrottle,
    hashing: HashingQueue,
}

/// A person whose row was verified and who may act, and the role in it.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// The row.
    pub(crate) row: Verified<PersonRow>,
    /// The role that it names.
    pub(crate) role: Role,
}

impl Identity {
    /// Identity over these services.
    pub(crate) fn new(
        database: Database,
        keys: Keys,
        indexes: Indexes,
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

    /// Removes the rows that sign-in no longer reads.
    pub(crate) async fn clean_up(&self) -> Result<(), db::Error> {
        self.throttle.clean_up().await
    }

    /// The principal of a person's row, if it verifies and the person may act.
    async fn principal(&self, row: PersonRow) -> Result<Option<Principal>, ServiceError> {
        let row = self.keys.verified(row.organization, row).await?;
        let principal = row.filter(|row| row.active).and_then(|row| {
            let role = row.role.parse().ok()?;
            Some(Principal { row, role })
        });
        Ok(principal)
    }
}
