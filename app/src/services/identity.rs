//! Person authentication (45 CFR 164.312(d)): people, passwords, sessions and bearer tokens.
//!
//! Every row that is read here decides access, so each is used only after it was verified; one that does not
//! verify authenticates no one and is reported as tampering.

mod attempts;
mod password;
mod people;
mod session;

use access::Role;
use db::{Database, PersonRow};
use phi::Verified;

use crate::services::callers::{Callers, SessionLimits};
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::indexes::Indexes;
use crate::services::keys::Keys;
use crate::services::trail::AuditTrail;

pub(crate) use attempts::LoginThrottle;
pub(crate) use password::{CheckedPassword, SignInError};
pub(crate) use people::{NewPerson, Person};
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
    attempts: LoginThrottle,
    hashing: tokio::sync::Semaphore,
}

/// Argon2id takes 19 MiB and a core for tens of milliseconds: the number of concurrent hashes, others wait.
const HASHING_AT_ONCE: usize = 2;

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
            database,
            keys,
            indexes,
            trail,
            callers,
            limits,
            clock,
            attempts: LoginThrottle::default(),
            hashing: tokio::sync::Semaphore::new(HASHING_AT_ONCE),
        }
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
