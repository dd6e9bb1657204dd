//! Readiness: whether what every request needs answers.

use db::Database;
use phi::OrganizationId;

use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use crate::services::trail::AuditTrail;

/// Checks dependencies, and closes them at the end.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    database: Database,
    keys: Keys,
    trail: AuditTrail,
}

impl Readiness {
    /// Readiness of these dependencies.
    pub(crate) const fn new(database: Database, keys: Keys, trail: AuditTrail) -> Self {
        Self {
            database,
            keys,
            trail,
        }
    }

    /// Checks that the database answers, that the release floor lets this build write, that the system's keys are open,
    /// and that the audit trail is written.
    pub(crate) async fn check(&self) -> Result<(), ServiceError> {
        if !self.trail.is_running() {
            return Err(ServiceError::unavailable("the audit trail is not written"));
        }
        self.database.check_floor().await?;
        self.keys.authorization(OrganizationId::SYSTEM).await?;
        Ok(())
    }

    /// Closes every connection to the database once its current statement is done.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}
