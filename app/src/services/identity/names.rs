//! The names behind the ids in the audit trail.

use std::collections::HashMap;

use db::PersonId;
use phi::{Owner, Phi, columns};

use super::{Identity, IdentityError};
use crate::services::access::{Permitted, ViewAudit};
use crate::services::caller::Caller;

impl Identity {
    /// Everybody of the caller's organization by id, also who may no longer sign in: what they did
    /// stays theirs.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`]; one forged row refuses them all.
    pub(crate) async fn names(
        &self,
        caller: &Caller,
        _permitted: &Permitted<ViewAudit>,
    ) -> Result<HashMap<PersonId, Phi<String>>, IdentityError> {
        let scope = self
            .keys
            .scope(caller.organization, Owner::Organization)
            .await?;
        let mut names = HashMap::new();
        for row in self.database.people(caller.organization).await? {
            let row = self.verified(caller.organization, row).await?;
            names.insert(
                row.id,
                scope.open(&columns::PEOPLE_NAME, row.row_id, &row.name)?,
            );
        }
        Ok(names)
    }
}
