//! The rows of an account in the transaction of a sign-in, compared with those that were verified before it.

use db::CredentialRow;
use db::PersonRow;
use db::Transaction;
use phi::Owner;
use phi::Phi;

use super::Identity;
use crate::services::error::ServiceError;
use crate::services::trail::ensure_newest;

/// Whether an account is still what was verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Its rows are those that were verified.
    Unchanged,
    /// Another sign-in with the same password has replaced the hash since.
    Rehashed,
    /// The account was changed.
    Changed,
}

impl Identity {
    /// Locks the rows of an account, and compares them with those that were verified.
    ///
    /// # Errors
    ///
    /// A report of tampering if they are not the newest on record, or do not verify.
    pub(super) async fn standing(
        &self,
        transaction: &mut Transaction,
        person: &PersonRow,
        credential: &CredentialRow,
    ) -> Result<Standing, ServiceError> {
        let (organization, id) = (person.organization, person.id);
        let stored_person = transaction.lock_person(organization, id).await?;
        let stored_credential = transaction.lock_credential(organization, id).await?;
        let (Some(stored_person), Some(stored_credential)) = (stored_person, stored_credential)
        else {
            return Ok(Standing::Changed);
        };
        if stored_person.mac.as_bytes() != person.mac.as_bytes() {
            return Ok(Standing::Changed);
        }
        ensure_newest(transaction, Some(&stored_person)).await?;
        ensure_newest(transaction, Some(&stored_credential)).await?;
        if stored_credential.mac.as_bytes() == credential.mac.as_bytes() {
            return Ok(Standing::Unchanged);
        }
        let stored = self.keys.verify(organization, stored_credential).await?;
        Ok(if is_same_password(&stored, credential) {
            Standing::Rehashed
        } else {
            Standing::Changed
        })
    }

    /// The credential with a new hash of the same password, if there is one.
    pub(super) async fn rehashed(
        &self,
        credential: &CredentialRow,
        hash: Option<Phi<String>>,
    ) -> Result<Option<CredentialRow>, ServiceError> {
        let Some(hash) = hash else {
            return Ok(None);
        };
        let organization = credential.organization;
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let key = self.keys.authorization(organization).await?;
        Ok(Some(key.authenticate(CredentialRow {
            password: scope.seal(credential.row_id, hash.expose())?,
            ..credential.clone()
        })))
    }
}

/// Whether two states of a credential differ in the hash alone: each change of the password, and of the authenticators beside it,
/// changes another column.
fn is_same_password(stored: &CredentialRow, verified: &CredentialRow) -> bool {
    let others = |row: &CredentialRow| {
        (
            row.row_id,
            row.changed_at,
            row.second_factor_at,
            row.authenticator_changes,
            row.recovery_codes_at,
        )
    };
    others(stored) == others(verified)
}
