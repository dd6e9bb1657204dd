//! Readiness: whether the dependencies of every request are available.

use db::Database;
use phi::OrganizationId;

use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use crate::services::trail::AuditTrail;

/// The readiness check. Also closes the database connections at shutdown.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    database: Database,
    keys: Keys,
    trail: AuditTrail,
}

impl Readiness {
    /// A check of these dependencies.
    pub(crate) const fn new(database: Database, keys: Keys, trail: AuditTrail) -> Self {
        Self {
            database,
            keys,
            trail,
        }
    }

    /// Checks that the database is available, that the release floor lets this build write, that
    /// the system's keys can be opened, and that the audit trail is running.
    pub(crate) async fn check(&self) -> Result<(), ServiceError> {
        if !self.trail.is_running() {
            return Err(ServiceError::unavailable("the audit trail is stopped"));
        }
        self.database.check_floor().await?;
        self.keys.authorization(OrganizationId::SYSTEM).await?;
        Ok(())
    }

    /// Closes every database connection after its current statement.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}
