//! Changes of an account: the rows that are written in one transaction with an event.

use access::AuditReceipt;
use access::CallerEvent;
use access::Permitted;
use access::Record;
use access::Write;
use access::record_write;
use audit::WrittenRow;
use db::AuthenticatorRow;
use db::ClientRow;
use db::CredentialRow;
use db::PersonRow;
use db::Transaction;
use phi::AuthenticatedRow;
use phi::AuthorizationKey;
use phi::PersonId;

use super::Identity;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::trail::TrailError;
use crate::services::trail::ensure_newest;
use crate::services::trail::retry_conflicts;
use crate::services::written_row::written_row;

/// A row that is written: a new one, or one that replaces another.
#[derive(Debug)]
pub(super) struct Written<R> {
    row: R,
    /// The MAC of the row that is replaced; none for a new row.
    former_mac: Option<[u8; 32]>,
}

impl<R: AuthenticatedRow> Written<R> {
    /// A new row.
    pub(super) const fn new(row: R) -> Self {
        Self {
            row,
            former_mac: None,
        }
    }

    /// A row that replaces the one with the MAC that it still has.
    pub(super) fn replacing(row: R) -> Self {
        let former_mac = Some(*row.mac().as_bytes());
        Self { row, former_mac }
    }

    fn authenticated(self, key: &AuthorizationKey) -> Self {
        Self {
            row: key.authenticate(self.row),
            ..self
        }
    }
}

/// The rows of one account that a change writes.
#[derive(Debug, Default)]
pub(super) struct AccountChange {
    /// The person.
    pub(super) person: Option<Written<PersonRow>>,
    /// The password.
    pub(super) credential: Option<Written<CredentialRow>>,
    /// The keys and scopes of a machine client.
    pub(super) client: Option<Written<ClientRow>>,
    /// Authenticators.
    pub(super) authenticators: Vec<Written<AuthenticatorRow>>,
}

impl AccountChange {
    /// The change with a MAC in each row.
    pub(super) fn authenticated(self, key: &AuthorizationKey) -> Self {
        let authenticators = self.authenticators.into_iter();
        Self {
            person: self.person.map(|it| it.authenticated(key)),
            credential: self.credential.map(|it| it.authenticated(key)),
            client: self.client.map(|it| it.authenticated(key)),
            authenticators: authenticators.map(|it| it.authenticated(key)).collect(),
        }
    }

    /// The rows, as the event lists them.
    pub(super) fn rows(&self) -> Vec<WrittenRow> {
        let person = self.person.iter().map(|it| written_row(&it.row));
        let credential = self.credential.iter().map(|it| written_row(&it.row));
        let client = self.client.iter().map(|it| written_row(&it.row));
        let authenticators = self.authenticators.iter();
        let authenticators = authenticators.map(|it| written_row(&it.row));
        let account = person.chain(credential).chain(client);
        account.chain(authenticators).collect()
    }

    /// Writes the rows. The person, the credential and the client that are replaced must be the newest on record: one that was put back to
    /// an older state would be made the newest.
    ///
    /// # Errors
    ///
    /// [`db::Error::Conflict`] if a replaced row has changed.
    pub(super) async fn write(&self, transaction: &mut Transaction) -> Result<(), TrailError> {
        if let Some(Written { row, former_mac }) = &self.person {
            if let Some(former_mac) = former_mac {
                let stored = transaction.lock_person(row.organization, row.id).await?;
                ensure_newest(transaction, stored.as_ref()).await?;
                transaction.update_person(row, former_mac).await?;
            } else {
                transaction.insert_person(row).await?;
            }
        }
        if let Some(Written { row, former_mac }) = &self.credential {
            if let Some(former_mac) = former_mac {
                let stored = transaction.lock_credential(row.organization, row.person);
                let stored = stored.await?;
                ensure_newest(transaction, stored.as_ref()).await?;
                transaction.update_credential(row, former_mac).await?;
            } else {
                transaction.insert_credential(row).await?;
            }
        }
        if let Some(Written { row, former_mac }) = &self.client {
            if let Some(former_mac) = former_mac {
                let stored = transaction
                    .lock_client(row.organization, row.person)
                    .await?;
                ensure_newest(transaction, stored.as_ref()).await?;
                transaction.update_client(row, former_mac).await?;
            } else {
                transaction.insert_client(row).await?;
            }
        }
        let mut new = Vec::new();
        for Written { row, former_mac } in &self.authenticators {
            match former_mac {
                Some(former_mac) => transaction.update_authenticator(row, former_mac).await?,
                None => new.push(row.clone()),
            }
        }
        Ok(transaction.insert_authenticators(&new).await?)
    }
}

impl Identity {
    /// Stores a change of a person's account in one transaction with the caller's event about `record`.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if the account was changed at the same time.
    pub(super) async fn store_change(
        &self,
        permitted: &Permitted<'_, Write>,
        record: Record,
        person: PersonId,
        change: AccountChange,
    ) -> Result<AuditReceipt, ServiceError> {
        let organization = permitted.caller().organization();
        let key = self.keys.authorization(organization).await?;
        let change = &change.authenticated(&key);
        let write = record_write(&self.trail, &[(permitted, record)]).await?;
        let committed = write.commit(|event| {
            retry_conflicts(move || self.commit_change(change, person, event.clone()))
        });
        match committed.await {
            Ok((receipt, ())) => Ok(receipt),
            Err(TrailError::Database(db::Error::Conflict)) => Err(ServiceError::unavailable(
                "the account was changed at the same time",
            )),
            Err(error) => Err(error.into()),
        }
    }

    async fn commit_change(
        &self,
        change: &AccountChange,
        person: PersonId,
        event: CallerEvent,
    ) -> Result<(), TrailError> {
        let event = self.trail.seal_event(event).await?;
        let event = event
            .with_rows(change.rows())
            .with_changes(vec![Change::person(person)]);
        let mut transaction = self.database.begin().await?;
        change.write(&mut transaction).await?;
        self.trail.commit_with(transaction, event).await
    }
}
