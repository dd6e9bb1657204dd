//! Who works for an organization.

use std::sync::Arc;

use db::{CredentialRow, PersonId, PersonRow};
use phi::{OrganizationId, Owner, Phi, RowId, RowMac, columns};
use secrecy::SecretString;

use super::{Identity, IdentityError, Member};
use crate::services::access::{Permitted, Role, ViewPeople};
use crate::services::caller::Caller;

/// A person to be added.
#[derive(Debug)]
pub(crate) struct NewPerson {
    /// Name.
    pub(crate) name: String,
    /// What they sign in with.
    pub(crate) email: String,
    /// What they prove themselves with.
    pub(crate) password: Arc<SecretString>,
    /// What they may do.
    pub(crate) role: Role,
}

/// A person, opened.
#[derive(Debug)]
pub(crate) struct Person {
    /// Id.
    pub(crate) id: PersonId,
    /// Name.
    pub(crate) name: Phi<String>,
    /// E-mail address.
    pub(crate) email: Phi<String>,
    /// Role.
    pub(crate) role: Role,
}

impl Identity {
    /// Everybody who may act for the caller's organization.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`]; one forged row refuses the whole list.
    pub(crate) async fn people(
        &self,
        caller: &Caller,
        _permitted: &Permitted<ViewPeople>,
    ) -> Result<Vec<Person>, IdentityError> {
        let mut people = Vec::new();
        for row in self.database.people(caller.organization).await? {
            if let Some(member) = self.member(row).await? {
                people.push(self.open(&member).await?);
            }
        }
        Ok(people)
    }

    /// The caller's own name and address.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`].
    pub(crate) async fn person(&self, caller: &Caller) -> Result<Option<Person>, IdentityError> {
        let Some(row) = self
            .database
            .person(caller.organization, caller.person)
            .await?
        else {
            return Ok(None);
        };
        match self.member(row).await? {
            Some(member) => Ok(Some(self.open(&member).await?)),
            None => Ok(None),
        }
    }

    async fn open(&self, member: &Member) -> Result<Person, IdentityError> {
        let row = &member.row;
        let scope = self
            .keys
            .scope(row.organization, Owner::Organization)
            .await?;
        Ok(Person {
            id: row.id,
            name: scope.open(&columns::PEOPLE_NAME, row.row_id, &row.name)?,
            email: scope.open(&columns::PEOPLE_EMAIL, row.row_id, &row.email)?,
            role: member.role,
        })
    }

    /// Adds a person with a password, unless the e-mail address is in use: then nothing changes.
    ///
    /// # Errors
    ///
    /// Whatever went wrong, for an operator to read.
    pub(crate) async fn add(
        &self,
        organization: OrganizationId,
        person: NewPerson,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let index = self.keys.index(OrganizationId::SYSTEM).await?;
        let email_index = index.exact(&columns::PEOPLE_EMAIL, &person.email);
        if self.database.person_by_email(email_index).await?.is_some() {
            return Ok(());
        }
        let hash = self.hash(person.password).await?;
        let scope = self
            .keys
            .ensure_scope(organization, Owner::Organization, now)
            .await?;
        let key = self.keys.authorization(organization).await?;
        let id = PersonId(RowId::random().uuid());
        let row_id = RowId::random();
        let mut row = PersonRow {
            organization,
            id,
            row_id,
            email_index,
            email: scope.seal(&columns::PEOPLE_EMAIL, row_id, &person.email)?,
            name: scope.seal(&columns::PEOPLE_NAME, row_id, &person.name)?,
            role: person.role.name().to_owned(),
            active: true,
            created_at: now,
            mac: RowMac::UNSET,
        };
        row.mac = key.authenticate(&row);
        let row_id = RowId::random();
        let password = scope.seal(&columns::CREDENTIALS_PASSWORD, row_id, hash.expose())?;
        let mut credential = CredentialRow {
            organization,
            person: id,
            row_id,
            password,
            changed_at: now,
            mac: RowMac::UNSET,
        };
        credential.mac = key.authenticate(&credential);
        let mut transaction = self.database.begin().await?;
        transaction.insert_person(&row).await?;
        transaction.insert_credential(&credential).await?;
        Ok(transaction.commit().await?)
    }
}
