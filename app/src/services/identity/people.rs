//! The people of an organization.

use std::collections::HashMap;
use std::sync::Arc;

use access::Caller;
use access::DataClass;
use access::Disclosed;
use access::List;
use access::Permitted;
use access::Read;
use access::Record;
use access::Role;
use access::Subject;
use access::disclose;
use audit::Action;
use db::CredentialRow;
use db::PersonRow;
use phi::IndexToken;
use phi::OrganizationId;
use phi::Owner;
use phi::PersonId;
use phi::Phi;
use phi::Requested;
use phi::RowId;
use phi::RowMac;
use secrecy::SecretString;
use uuid::Uuid;

use super::Account;
use super::Identity;
use super::Principal;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::trail::system_event;
use crate::services::written_row::written_row;

/// A person to add.
#[derive(Debug)]
pub(crate) struct NewPerson {
    /// The full name, which is stored sealed.
    pub(crate) name: String,
    /// The sign-in e-mail address, which is stored sealed, with a blind index token.
    pub(crate) email: String,
    /// The password, of which only a hash is stored.
    pub(crate) password: Arc<SecretString>,
    /// The role, from which the person's permissions follow.
    pub(crate) role: Role,
}

/// A person whose row was verified and opened.
#[derive(Debug)]
pub(crate) struct Person {
    /// The id of the person in audit events and rows.
    pub(crate) id: PersonId,
    /// The full name.
    pub(crate) name: Phi<String>,
    /// The sign-in e-mail address.
    pub(crate) email: Phi<String>,
    /// The role's name in the row, possibly one of a later release.
    pub(crate) role: String,
    /// Whether the person may sign in.
    pub(crate) active: bool,
}

impl Identity {
    /// The active people of the caller's organization.
    pub(crate) async fn people(
        &self,
        permitted: &Permitted<'_, List>,
    ) -> Result<Disclosed<Vec<Person>>, ServiceError> {
        let mut people = self.open_all(permitted.caller().organization()).await?;
        people.retain(|person| person.active);
        let records = person_records(permitted.subject(), &people);
        Ok(disclose(&self.trail, permitted, &records, people).await?)
    }

    /// The names of all people of the caller's organization by id, to show the audit trail with
    /// names. Inactive people are included.
    pub(crate) async fn names(
        &self,
        permitted: &Permitted<'_, Read>,
    ) -> Result<Disclosed<HashMap<Uuid, Phi<String>>>, ServiceError> {
        let people = self.open_all(permitted.caller().organization()).await?;
        let records = person_records(permitted.subject(), &people);
        let names = people
            .into_iter()
            .map(|person| (person.id.uuid(), person.name));
        Ok(disclose(&self.trail, permitted, &records, names.collect()).await?)
    }

    /// The caller's own account, recorded as a disclosure.
    pub(crate) async fn account(
        &self,
        permitted: &Permitted<'_, Read>,
    ) -> Result<Disclosed<Person>, ServiceError> {
        let person = self.own_person(permitted.caller()).await?;
        let caller = permitted.caller();
        let subject = Subject::of("person", DataClass::Account, caller.organization());
        let record = Record::from(subject.id(caller.person()));
        Ok(disclose(&self.trail, permitted, &[record], person).await?)
    }

    /// The person of a caller, for the top bar of the caller's own pages. Not recorded: a person's
    /// own name is no disclosure to that person.
    pub(crate) async fn own_person(&self, caller: &Caller) -> Result<Person, ServiceError> {
        let id = PersonId::from_uuid(caller.person());
        let row = self.database.person(caller.organization(), id).await?;
        let row = row.ok_or(ServiceError::SignInRequired)?;
        let principal = self.principal(row).await?;
        let principal = principal.ok_or(ServiceError::SignInRequired)?;
        self.open(&principal.row).await
    }

    async fn open_all(&self, organization: OrganizationId) -> Result<Vec<Person>, ServiceError> {
        let mut people = Vec::new();
        for row in self.database.people(organization).await? {
            let row = self.keys.verify(organization, row).await?;
            people.push(self.open(&row).await?);
        }
        Ok(people)
    }

    async fn open(&self, row: &PersonRow) -> Result<Person, ServiceError> {
        let requested = Requested {
            organization: row.organization,
            owner: Owner::of_organization(row.organization),
            row: row.row_id,
        };
        Ok(Person {
            id: row.id,
            name: self.keys.open(requested, &row.name).await?,
            email: self.keys.open(requested, &row.email).await?,
            role: row.role.clone(),
            active: row.active,
        })
    }

    /// Adds a person with a password, unless the e-mail address is in use: then nothing changes.
    pub(crate) async fn add(
        &self,
        organization: OrganizationId,
        person: NewPerson,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let email_token = self.indexes.sign_in_token(&person.email).await?;
        if self.database.person_by_email(email_token).await?.is_some() {
            return Ok(());
        }
        let hash = self.hash_password(person.password).await?;
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let key = self.keys.authorization(organization).await?;
        let row_id = RowId::random();
        let row = key.authenticate(PersonRow {
            organization,
            id: PersonId::random(),
            row_id,
            email_token,
            email: scope.seal(row_id, &person.email)?,
            name: scope.seal(row_id, &person.name)?,
            role: person.role.name().to_owned(),
            active: true,
            created_at: now,
            mac: RowMac::UNSET,
        });
        let row_id = RowId::random();
        let credential = key.authenticate(CredentialRow {
            organization,
            person: row.id,
            row_id,
            password: scope.seal(row_id, hash.expose())?,
            changed_at: now,
            mac: RowMac::UNSET,
        });
        let event = system_event(organization, now, Action::Provision);
        let event = self.trail.seal(organization, None, event).await?;
        let event = event
            .with_rows(vec![written_row(&row), written_row(&credential)])
            .with_changes(vec![Change::person(row.id)]);
        let mut transaction = self.database.begin().await?;
        transaction.insert_person(&row).await?;
        transaction.insert_credential(&credential).await?;
        Ok(self.trail.commit_with(transaction, event).await?)
    }

    /// The account with an e-mail address, by the address's token; and its principal, if the row
    /// verifies and the person is active.
    pub(super) async fn principal_by_token(
        &self,
        token: IndexToken,
    ) -> Result<(Option<Account>, Option<Principal>), ServiceError> {
        let Some(row) = self.database.person_by_email(token).await? else {
            return Ok((None, None));
        };
        let account = Account {
            organization: row.organization,
            person: row.id,
        };
        let principal = self.principal(row).await?;
        Ok((Some(account), principal))
    }
}

fn person_records(subject: &Subject, people: &[Person]) -> Vec<Record> {
    let record = |person: &Person| Record::from(subject.id(person.id.uuid()));
    people.iter().map(record).collect()
}
