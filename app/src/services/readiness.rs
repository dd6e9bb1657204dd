//! Readiness: whether what every request needs answers.

use db::Database;
use phi::OrganizationId;

use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// Checks dependencies, and closes them at the end.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    database: Database,
    keys: Keys,
}

impl Readiness {
    /// Readiness of these dependencies.
    pub(crate) const fn new(database: Database, keys: Keys) -> Self {
        Self { database, keys }
    }

    /// Checks that the database answers, that the release floor lets this build write, and that the system's keys are
    /// open.
    pub(crate) async fn check(&self) -> Result<(), ServiceError> {
        self.database.check_floor().await?;
        self.keys.authorization(OrganizationId::SYSTEM).await?;
        Ok(())
    }

    /// Closes every connection to the database once its current statement is done.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}
