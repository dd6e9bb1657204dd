//! Who signs in, and as what (45 CFR 164.312(d)).
//!
//! Every row that is read here decides access, so each is believed only after its MAC was checked;
//! one that fails lets nobody in and is reported as what it is: somebody wrote to the database.

mod attempts;
mod names;
mod password;
mod people;
mod session;
mod token;

use db::{Database, PersonRow};
use phi::{AuthenticatedRow, Forged, KeyError, OrganizationId, Verified};

use crate::services::access::Role;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

pub(crate) use attempts::Attempts;
pub(crate) use password::SignInError;
pub(crate) use people::{NewPerson, Person};
pub(crate) use session::{NewSession, SessionLimits};
pub(crate) use token::NewToken;

/// Signs people in and tells who a session or a token stands for.
#[derive(Debug)]
pub(crate) struct Identity {
    database: Database,
    keys: Keys,
    limits: SessionLimits,
    clock: Clock,
    attempts: Attempts,
    hashing: tokio::sync::Semaphore,
}

/// Argon2id takes 19 MiB and a core for tens of milliseconds: so many at once, the others wait.
const HASHING_AT_ONCE: usize = 2;

/// A person whose row was verified, and the role in it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The row.
    pub(crate) row: Verified<PersonRow>,
    /// The role that it names.
    pub(crate) role: Role,
}

impl Identity {
    /// Identity over these services.
    pub(crate) fn new(database: Database, keys: Keys, limits: SessionLimits, clock: Clock) -> Self {
        let hashing = tokio::sync::Semaphore::new(HASHING_AT_ONCE);
        Self {
            database,
            keys,
            limits,
            clock,
            attempts: Attempts::default(),
            hashing,
        }
    }

    /// Checks a row's MAC under its organization's authorization key.
    async fn verified<R: AuthenticatedRow>(
        &self,
        organization: OrganizationId,
        row: R,
    ) -> Result<Verified<R>, IdentityError> {
        let key = self.keys.authorization(organization).await?;
        key.verify(row)
            .inspect_err(|_forged| {
                tracing::error!(
                    security = true,
                    table = R::TABLE,
                    %organization,
                    "a row was not written by this stack: somebody wrote to the database"
                );
            })
            .map_err(Into::into)
    }

    /// The person behind a session, a token or a password, if they may still act.
    async fn member(&self, row: PersonRow) -> Result<Option<Member>, IdentityError> {
        let row = self.verified(row.organization, row).await?;
        let role = row.role.parse().ok();
        Ok(role.filter(|_| row.active).map(|role| Member { row, role }))
    }
}

/// Why nobody can be told to be anybody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// The keys are away.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The database is away.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// A row was forged.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// A sealed column does not open.
    #[error(transparent)]
    Open(#[from] phi::OpenError),
    /// A value cannot be sealed.
    #[error(transparent)]
    Seal(#[from] phi::SealError),
}

impl From<IdentityError> for ServiceError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Keys(error) => error.into(),
            IdentityError::Database(error) => error.into(),
            // Whoever forged the row learns no more than who comes without one.
            IdentityError::Forged(_) => Self::SignInRequired,
            IdentityError::Open(error) => error.into(),
            IdentityError::Seal(error) => error.into(),
        }
    }
}
