//! The administration of people by a security administrator: invitation, role, suspension, and the reset of an account.
//!
//! A security administrator hands out a set-up code and never learns a password. Administrators cannot change their own accounts
//! here, so that none raises their own role, and the last one is not suspended by mistake.

use access::Disclosed;
use access::Permitted;
use access::Record;
use access::Role;
use access::Write;
use access::record_refused_write;
use db::CredentialRow;
use db::PersonRow;
use phi::Owner;
use phi::PersonId;
use phi::RecoveryCode;
use phi::RowId;
use phi::RowMac;
use phi::Tampering;
use uuid::Uuid;

use super::Identity;
use super::account::Account;
use super::account_change::AccountChange;
use super::account_change::Written;
use super::authenticator_changes::changed_authenticators;
use super::authenticator_changes::ended;
use super::authenticators::AuthenticatorKind;
use super::people::Person;
use crate::services::error::ServiceError;

/// What takes the place of a password's hash until one is set: no password verifies with it.
const NO_PASSWORD: &str = "";

/// The error of an administration of people.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AdministrationError {
    /// The e-mail address is in use.
    EmailInUse,
    /// The account is the administrator's own.
    OwnAccount,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for AdministrationError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// A person to invite.
#[derive(Debug)]
pub(crate) struct Invitation {
    /// The full name.
    pub(crate) name: String,
    /// The e-mail address for sign-in, not normalized.
    pub(crate) email: String,
    /// The role.
    pub(crate) role: Role,
}

/// A set-up code for a person, which is shown once.
#[derive(Debug)]
pub(crate) struct PersonSetUp {
    /// The person.
    pub(crate) person: Uuid,
    /// The code.
    pub(crate) code: RecoveryCode,
}

/// A change of a person.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PersonChange {
    /// The new role.
    pub(crate) role: Option<Role>,
    /// Whether the person may sign in and act.
    pub(crate) active: Option<bool>,
}

impl Identity {
    /// Adds a person without a password, and makes a set-up code.
    ///
    /// # Errors
    ///
    /// [`AdministrationError::EmailInUse`].
    pub(crate) async fn invite(
        &self,
        permitted: &Permitted<'_, Write>,
        invitation: Invitation,
    ) -> Result<Disclosed<PersonSetUp>, AdministrationError> {
        let organization = permitted.caller().organization();
        let email_token = self.indexes.sign_in_token(&invitation.email).await?;
        if self.database.person_by_email(email_token).await?.is_some() {
            let record = Record::from(*permitted.subject());
            record_refused_write(&self.trail, permitted, &[record]).await?;
            return Err(AdministrationError::EmailInUse);
        }
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let (id, row_id) = (PersonId::random(), RowId::random());
        let now = self.clock.now();
        let row = PersonRow {
            organization,
            id,
            row_id,
            email_token,
            email: scope.seal(row_id, &invitation.email)?,
            name: scope.seal(row_id, &invitation.name)?,
            role: invitation.role.name().to_owned(),
            active: true,
            created_at: now,
            sessions_since: None,
            mac: RowMac::UNSET,
        };
        let row_id = RowId::random();
        let credential = CredentialRow {
            organization,
            person: id,
            row_id,
            password: scope.seal(row_id, &NO_PASSWORD.to_owned())?,
            changed_at: now,
            second_factor_at: None,
            authenticator_changes: None,
            recovery_codes_at: None,
            mac: RowMac::UNSET,
        };
        let change = AccountChange {
            person: Some(Written::new(row)),
            credential: Some(Written::new(credential)),
            ..AccountChange::default()
        };
        Ok(self.store_with_code(permitted, id, change).await?)
    }

    /// Changes the role or the state of a person, all of whose sessions and tokens end.
    ///
    /// # Errors
    ///
    /// [`AdministrationError::OwnAccount`]; [`ServiceError::NotFound`] for a person of another organization.
    pub(crate) async fn change_person(
        &self,
        permitted: &Permitted<'_, Write>,
        id: PersonId,
        PersonChange { role, active }: PersonChange,
    ) -> Result<Disclosed<Person>, AdministrationError> {
        let former = self.administered(permitted, id).await?;
        let role = role.map_or_else(|| former.role.clone(), |role| role.name().to_owned());
        let row = PersonRow {
            role,
            active: active.unwrap_or(former.active),
            sessions_since: Some(self.clock.now()),
            ..former
        };
        let person = self.open(&row).await?;
        let change = AccountChange {
            person: Some(Written::replacing(row)),
            ..AccountChange::default()
        };
        let record = person_record(permitted, id);
        let receipt = self.store_change(permitted, record, id, change).await?;
        Ok(receipt.disclose(person))
    }

    /// Removes a person's password and authenticators, ends all sessions, and makes a set-up code.
    ///
    /// # Errors
    ///
    /// See [`Self::change_person`].
    pub(crate) async fn reset(
        &self,
        permitted: &Permitted<'_, Write>,
        id: PersonId,
    ) -> Result<Disclosed<PersonSetUp>, AdministrationError> {
        let person = self.administered(permitted, id).await?;
        let organization = person.organization;
        let now = self.clock.now();
        let authenticators = self.authenticators_of(organization, id).await?;
        let mut change = AccountChange {
            person: Some(Written::replacing(PersonRow {
                sessions_since: Some(now),
                ..person
            })),
            authenticators: ended(&authenticators, now),
            ..AccountChange::default()
        };
        let credential = self.database.credential(organization, id).await?;
        let credential = credential.ok_or_else(|| {
            let reason = "the credential of a person is missing";
            Tampering::report("credentials", reason, organization, Some(id.uuid()))
        })?;
        let credential = self
            .keys
            .verify(organization, credential)
            .await?
            .into_inner();
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        change.credential = Some(changed_authenticators(CredentialRow {
            password: scope.seal(credential.row_id, &NO_PASSWORD.to_owned())?,
            changed_at: now,
            second_factor_at: None,
            recovery_codes_at: None,
            ..credential
        }));
        Ok(self.store_with_code(permitted, id, change).await?)
    }

    /// The row of a person whom the caller may administer.
    async fn administered(
        &self,
        permitted: &Permitted<'_, Write>,
        id: PersonId,
    ) -> Result<PersonRow, AdministrationError> {
        let caller = permitted.caller();
        if id.uuid() == caller.person() {
            let record = person_record(permitted, id);
            record_refused_write(&self.trail, permitted, &[record]).await?;
            return Err(AdministrationError::OwnAccount);
        }
        let organization = caller.organization();
        let row = self.person_row(organization, id).await?;
        // Machine clients are administered by themselves.
        let row = row.filter(|row| row.role != Role::Service.name());
        Ok(row.ok_or(ServiceError::NotFound)?)
    }

    /// Stores a change of a person together with a new set-up code.
    async fn store_with_code(
        &self,
        permitted: &Permitted<'_, Write>,
        person: PersonId,
        mut change: AccountChange,
    ) -> Result<Disclosed<PersonSetUp>, ServiceError> {
        let account = Account {
            organization: permitted.caller().organization(),
            person,
        };
        let (code, kind) = (RecoveryCode::random(), AuthenticatorKind::SetUpCode);
        let hash = code.hash();
        let row = self.new_authenticator(account, kind, &hash, self.clock.now());
        change.authenticators.push(Written::new(row.await?));
        let record = person_record(permitted, person);
        let receipt = self.store_change(permitted, record, person, change).await?;
        Ok(receipt.disclose(PersonSetUp {
            person: person.uuid(),
            code,
        }))
    }
}

fn person_record(permitted: &Permitted<'_, Write>, id: PersonId) -> Record {
    Record::from(permitted.subject().id(id.uuid()))
}
