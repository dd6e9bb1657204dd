//! The people of an organization.

use std::collections::HashMap;

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
use phi::TotpKey;
use secrecy::SecretString;
use uuid::Uuid;

use super::Account;
use super::Identity;
use super::Principal;
use super::authenticators::AuthenticatorKind;
use super::client::ClientPrefix;
use super::password_rules;
use super::password_rules::WeakPassword;
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
    pub(crate) password: SecretString,
    /// The role, from which the person's permissions follow.
    pub(crate) role: Role,
    /// The key of the person's authenticator app. Without one, the person sets up a passkey or an app at the first sign-in,
    /// if the role needs a second factor.
    pub(crate) totp: Option<TotpKey>,
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

/// The name and the role of a person.
#[derive(Debug)]
pub(crate) struct Colleague {
    /// The id.
    pub(crate) id: PersonId,
    /// The full name.
    pub(crate) name: Phi<String>,
    /// The role's name in the row, possibly one of a later release.
    pub(crate) role: String,
    /// Whether the person may sign in.
    pub(crate) active: bool,
}

impl Identity {
    /// The people of the caller's organization, those who may not sign in included. Machine clients are not among them.
    pub(crate) async fn people(
        &self,
        permitted: &Permitted<'_, List>,
    ) -> Result<Disclosed<Vec<Person>>, ServiceError> {
        let mut people = self.open_all(permitted.caller().organization()).await?;
        people.retain(|person| person.role != Role::Service.name());
        let records = person_records(permitted.subject(), &people);
        Ok(disclose(&self.trail, permitted, &records, people).await?)
    }

    /// The names and roles of all people of the caller's organization. Inactive people are included.
    pub(crate) async fn colleagues(
        &self,
        permitted: &Permitted<'_, Read>,
    ) -> Result<Disclosed<Vec<Colleague>>, ServiceError> {
        let people = self.open_all(permitted.caller().organization()).await?;
        let records = person_records(permitted.subject(), &people);
        let colleagues = people.into_iter().map(|person| Colleague {
            id: person.id,
            name: person.name,
            role: person.role,
            active: person.active,
        });
        Ok(disclose(&self.trail, permitted, &records, colleagues.collect()).await?)
    }

    /// The names of all people of the caller's organization by id.
    pub(crate) async fn names(
        &self,
        permitted: &Permitted<'_, Read>,
    ) -> Result<Disclosed<HashMap<Uuid, Phi<String>>>, ServiceError> {
        let colleagues = self.colleagues(permitted).await?;
        Ok(colleagues.map(|colleagues| {
            let names = colleagues.into_iter();
            names.map(|it| (it.id.uuid(), it.name)).collect()
        }))
    }

    /// The caller's own account, recorded as a disclosure.
    pub(crate) async fn account(
        &self,
        permitted: &Permitted<'_, Read>,
    ) -> Result<Disclosed<Person>, ServiceError> {
        let caller = permitted.caller();
        let person = self.own_person(caller).await?;
        let record = Record::from(own_account(caller));
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

    /// The verified row of a person of an organization, if there is one.
    pub(super) async fn person_row(
        &self,
        organization: OrganizationId,
        id: PersonId,
    ) -> Result<Option<PersonRow>, ServiceError> {
        let Some(row) = self.database.person(organization, id).await? else {
            return Ok(None);
        };
        Ok(Some(
            self.keys.verify(organization, row).await?.into_inner(),
        ))
    }

    async fn open_all(&self, organization: OrganizationId) -> Result<Vec<Person>, ServiceError> {
        let mut people = Vec::new();
        for row in self.database.people(organization).await? {
            let row = self.keys.verify(organization, row).await?;
            people.push(self.open(&row).await?);
        }
        Ok(people)
    }

    pub(super) async fn open(&self, row: &PersonRow) -> Result<Person, ServiceError> {
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
        self.ensure_valid(&person).await?;
        let hash = self.hash(ClientPrefix::UNKNOWN, person.password).await?;
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
            sessions_since: None,
            mac: RowMac::UNSET,
        });
        let row_id = RowId::random();
        let credential = key.authenticate(CredentialRow {
            organization,
            person: row.id,
            row_id,
            password: scope.seal(row_id, hash.expose())?,
            changed_at: now,
            second_factor_at: person.totp.as_ref().map(|_| now),
            authenticator_changes: None,
            recovery_codes_at: None,
            mac: RowMac::UNSET,
        });
        let mut authenticators = Vec::new();
        if let Some(totp) = &person.totp {
            let account = Account {
                organization,
                person: row.id,
            };
            let kind = AuthenticatorKind::Totp;
            let new = self.new_authenticator(account, kind, totp.as_bytes(), now);
            authenticators.push(key.authenticate(new.await?));
        }
        let event = system_event(organization, now, Action::Provision);
        let event = self.trail.seal(organization, None, event).await?;
        let mut rows = vec![written_row(&row), written_row(&credential)];
        rows.extend(authenticators.iter().map(written_row));
        let event = event
            .with_rows(rows)
            .with_changes(vec![Change::person(row.id)]);
        let mut transaction = self.database.begin().await?;
        transaction.insert_person(&row).await?;
        transaction.insert_credential(&credential).await?;
        transaction.insert_authenticators(&authenticators).await?;
        Ok(self.trail.commit_with(transaction, event).await?)
    }

    /// Refuses a machine client, and a person whose password does not keep the rules.
    async fn ensure_valid(&self, person: &NewPerson) -> anyhow::Result<()> {
        anyhow::ensure!(
            person.role != Role::Service,
            "{} is a machine client, which has keys in place of a password: see `clients`",
            person.email
        );
        let weak = |weak: WeakPassword| {
            anyhow::anyhow!("the password of {}: {}", person.email, weak.advice())
        };
        password_rules::verify_length(&person.password, person.totp.is_none()).map_err(weak)?;
        let context = vec![person.name.clone(), person.email.clone()];
        let client = ClientPrefix::UNKNOWN;
        let judged = self.judge_strength(client, &person.password, context);
        judged.await?.map_err(weak)
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
        // A machine client signs in by an assertion, and has no password.
        let principal = self.principal(row).await?;
        let principal = principal.filter(|it| it.role != Role::Service);
        Ok((Some(account), principal))
    }
}

/// A caller's own account, as a subject of the policy.
pub(crate) fn own_account(caller: &Caller) -> Subject {
    let subject = Subject::of("person", DataClass::Account, caller.organization());
    subject.id(caller.person())
}

fn person_records(subject: &Subject, people: &[Person]) -> Vec<Record> {
    let record = |person: &Person| Record::from(subject.id(person.id.uuid()));
    people.iter().map(record).collect()
}
