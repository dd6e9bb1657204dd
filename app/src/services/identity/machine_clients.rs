//! Machine clients: registered by a security administrator, each with its public keys and scopes.
//!
//! A client acts as a person of the role `service`, whose id is the client id; its row of `clients` takes the place of a
//! password. So suspension, the end of all tokens, and names in the audit trail are those of people.

use std::collections::HashMap;

use access::Disclosed;
use access::List;
use access::Permitted;
use access::Record;
use access::Role;
use access::Scopes;
use access::Write;
use access::disclose;
use audit::Action;
use db::ClientRow;
use db::PersonRow;
use phi::JwkSet;
use phi::OrganizationId;
use phi::Owner;
use phi::PersonId;
use phi::Phi;
use phi::RowId;
use phi::RowMac;
use phi::Tampering;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Identity;
use super::account_change::AccountChange;
use super::account_change::Written;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::trail::system_event;

/// A client to register.
#[derive(Debug)]
pub(crate) struct NewClient {
    /// The client id.
    pub(crate) id: PersonId,
    /// The name for people, which is stored sealed.
    pub(crate) name: String,
    /// The scopes that it may be granted.
    pub(crate) scopes: Scopes,
    /// Its public keys.
    pub(crate) keys: JwkSet,
}

/// A change of a client. What is none stays.
#[derive(Debug, Default)]
pub(crate) struct ClientChange {
    /// Whether the client may sign in and act.
    pub(crate) active: Option<bool>,
    /// New scopes.
    pub(crate) scopes: Option<Scopes>,
    /// New keys, in place of all others.
    pub(crate) keys: Option<JwkSet>,
}

/// A client whose rows were verified and opened.
#[derive(Debug)]
pub(crate) struct MachineClient {
    /// The client id.
    pub(crate) id: PersonId,
    /// The name for people.
    pub(crate) name: Phi<String>,
    /// Whether it may sign in.
    pub(crate) active: bool,
    /// The scopes that it may be granted.
    pub(crate) scopes: String,
    /// Its public keys.
    pub(crate) keys: JwkSet,
    /// The time at which its keys were registered.
    pub(crate) keys_at: OffsetDateTime,
}

impl Identity {
    /// The clients of the caller's organization, suspended ones included.
    pub(crate) async fn clients(
        &self,
        permitted: &Permitted<'_, List>,
    ) -> Result<Disclosed<Vec<MachineClient>>, ServiceError> {
        let organization = permitted.caller().organization();
        let mut rows = HashMap::new();
        for row in self.database.clients(organization).await? {
            let row = self.keys.verify(organization, row).await?.into_inner();
            rows.insert(row.person, row);
        }
        let mut clients = Vec::new();
        for person in self.database.people(organization).await? {
            let person = self.keys.verify(organization, person).await?.into_inner();
            if person.role != Role::Service.name() {
                continue;
            }
            match rows.remove(&person.id) {
                Some(row) => clients.push(self.opened_client(&person, &row).await?),
                None if person.active => return Err(missing_row(&person).into()),
                // The client was removed.
                None => {}
            }
        }
        let records = clients.iter().map(|client| {
            let subject = permitted.subject().id(client.id.uuid());
            Record::from(subject)
        });
        let records: Vec<_> = records.collect();
        Ok(disclose(&self.trail, permitted, &records, clients).await?)
    }

    /// Registers a client.
    pub(crate) async fn register_client(
        &self,
        permitted: &Permitted<'_, Write>,
        client: NewClient,
    ) -> Result<Disclosed<MachineClient>, ServiceError> {
        let caller = permitted.caller();
        let by = Some(caller.person());
        let (person, row) = self.client_rows(caller.organization(), client, by).await?;
        let registered = self.opened_client(&person, &row).await?;
        let change = AccountChange {
            person: Some(Written::new(person)),
            client: Some(Written::new(row)),
            ..AccountChange::default()
        };
        self.store_client(permitted, registered, change).await
    }

    /// Changes the state, the scopes or the keys of a client, all of whose tokens end.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] for a client of another organization, and one that was removed.
    pub(crate) async fn change_client(
        &self,
        permitted: &Permitted<'_, Write>,
        id: PersonId,
        change: ClientChange,
    ) -> Result<Disclosed<MachineClient>, ServiceError> {
        let (person, client) = self.administered_client(permitted, id).await?;
        let now = self.clock.now();
        let keys_at = change.keys.as_ref().map_or(client.keys_at, |_| now);
        let client = ClientRow {
            scopes: change.scopes.map_or(client.scopes, |it| it.to_string()),
            jwks: change.keys.map_or(client.jwks, |keys| keys.to_json()),
            keys_at,
            ..client
        };
        let person = PersonRow {
            active: change.active.unwrap_or(person.active),
            sessions_since: Some(now),
            ..person
        };
        self.replace_client(permitted, person, client).await
    }

    /// Removes a client, all of whose tokens end.
    ///
    /// # Errors
    ///
    /// See [`Self::change_client`].
    pub(crate) async fn remove_client(
        &self,
        permitted: &Permitted<'_, Write>,
        id: PersonId,
    ) -> Result<Disclosed<MachineClient>, ServiceError> {
        let (person, client) = self.administered_client(permitted, id).await?;
        let now = self.clock.now();
        let client = ClientRow {
            ended_at: Some(now),
            ..client
        };
        let person = PersonRow {
            active: false,
            sessions_since: Some(now),
            ..person
        };
        self.replace_client(permitted, person, client).await
    }

    /// Adds a client, unless there is one with its id: then nothing changes.
    pub(crate) async fn add_client(
        &self,
        organization: OrganizationId,
        client: NewClient,
    ) -> anyhow::Result<()> {
        if self.database.client(client.id).await?.is_some() {
            return Ok(());
        }
        let (person, row) = self.client_rows(organization, client, None).await?;
        let id = person.id;
        let key = self.keys.authorization(organization).await?;
        let change = AccountChange {
            person: Some(Written::new(person)),
            client: Some(Written::new(row)),
            ..AccountChange::default()
        };
        let change = change.authenticated(&key);
        let event = system_event(organization, self.clock.now(), Action::Provision);
        let event = self.trail.seal(organization, None, event).await?;
        let event = event
            .with_rows(change.rows())
            .with_changes(vec![Change::person(id)]);
        let mut transaction = self.database.begin().await?;
        change.write(&mut transaction).await?;
        Ok(self.trail.commit_with(transaction, event).await?)
    }

    /// The rows of a new client. Its id takes the place of an e-mail address, which no client has.
    async fn client_rows(
        &self,
        organization: OrganizationId,
        client: NewClient,
        created_by: Option<Uuid>,
    ) -> Result<(PersonRow, ClientRow), ServiceError> {
        let now = self.clock.now();
        let address = client.id.to_string();
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let row_id = RowId::random();
        let person = PersonRow {
            organization,
            id: client.id,
            row_id,
            email_token: self.indexes.sign_in_token(&address).await?,
            email: scope.seal(row_id, &address)?,
            name: scope.seal(row_id, &client.name)?,
            role: Role::Service.name().to_owned(),
            active: true,
            created_at: now,
            sessions_since: None,
            mac: RowMac::UNSET,
        };
        let row = ClientRow {
            organization,
            person: client.id,
            row_id: RowId::random(),
            scopes: client.scopes.to_string(),
            jwks: client.keys.to_json(),
            created_at: now,
            created_by,
            keys_at: now,
            ended_at: None,
            mac: RowMac::UNSET,
        };
        Ok((person, row))
    }

    /// The rows of a client that the caller may administer.
    async fn administered_client(
        &self,
        permitted: &Permitted<'_, Write>,
        id: PersonId,
    ) -> Result<(PersonRow, ClientRow), ServiceError> {
        let organization = permitted.caller().organization();
        let client = self.database.client(id).await?;
        let client = client.filter(|row| row.organization == organization);
        let client = client.ok_or(ServiceError::NotFound)?;
        let client = self.keys.verify(organization, client).await?.into_inner();
        if client.ended_at.is_some() {
            return Err(ServiceError::NotFound);
        }
        let person = self.person_row(organization, id).await?;
        let person = person.ok_or_else(|| {
            let reason = "the person of a machine client is missing";
            Tampering::report("people", reason, organization, Some(id.uuid()))
        })?;
        Ok((person, client))
    }

    async fn replace_client(
        &self,
        permitted: &Permitted<'_, Write>,
        person: PersonRow,
        client: ClientRow,
    ) -> Result<Disclosed<MachineClient>, ServiceError> {
        let changed = self.opened_client(&person, &client).await?;
        let change = AccountChange {
            person: Some(Written::replacing(person)),
            client: Some(Written::replacing(client)),
            ..AccountChange::default()
        };
        self.store_client(permitted, changed, change).await
    }

    async fn store_client(
        &self,
        permitted: &Permitted<'_, Write>,
        client: MachineClient,
        change: AccountChange,
    ) -> Result<Disclosed<MachineClient>, ServiceError> {
        let record = Record::from(permitted.subject().id(client.id.uuid()));
        let receipt = self.store_change(permitted, record, client.id, change);
        Ok(receipt.await?.disclose(client))
    }

    async fn opened_client(
        &self,
        person: &PersonRow,
        row: &ClientRow,
    ) -> Result<MachineClient, ServiceError> {
        Ok(MachineClient {
            id: person.id,
            name: self.open(person).await?.name,
            active: person.active,
            scopes: row.scopes.clone(),
            keys: JwkSet::parse(&row.jwks).map_err(ServiceError::internal)?,
            keys_at: row.keys_at,
        })
    }
}

fn missing_row(person: &PersonRow) -> Tampering {
    let reason = "the keys of an active machine client are missing";
    let id = Some(person.id.uuid());
    Tampering::report("clients", reason, person.organization, id)
}
