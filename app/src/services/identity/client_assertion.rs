//! The sign-in of a machine client: a signed assertion, for a token of five minutes with scopes.

use std::net::IpAddr;
use std::time::Duration as StdDuration;

use access::CredentialKind;
use access::RequestOrigin;
use access::Role;
use access::Scopes;
use audit::Assurance;
use audit::Event;
use db::ClientRow;
use db::Transaction;
use phi::AssertionError;
use phi::ClientAssertion;
use phi::JwkSet;
use phi::PersonId;
use phi::SessionId;
use phi::VerifiedAssertion;

use super::Account;
use super::Identity;
use super::LimiterId;
use super::NewSession;
use super::Principal;
use super::client::ClientPrefix;
use super::session::SessionOf;
use crate::services::error::ServiceError;
use crate::services::trail::TrailError;
use crate::services::trail::ensure_newest;
use crate::services::written_row::written_row;

/// The request of a machine client for a token.
#[derive(Debug)]
pub(crate) struct ClientRequest {
    /// The assertion, in compact form.
    pub(crate) assertion: String,
    /// The client id, if it is sent beside the assertion: then both must name the same client (RFC 7521, 4.2).
    pub(crate) client_id: Option<String>,
    /// The scopes that it asks for; none if they name no type that this server has.
    pub(crate) scopes: Scopes,
}

/// The error of the sign-in of a machine client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// An invalid assertion, a client that does not exist or may not sign in, or a wrong signature. Responses do not
    /// distinguish these.
    #[error("the client or its assertion is not accepted")]
    InvalidClient {
        /// The client, for the audit trail alone.
        account: Option<Account>,
    },
    /// No scope that it asks for may be granted.
    #[error("no scope can be granted")]
    InvalidScope {
        /// The client, for the audit trail.
        account: Account,
    },
    /// Too many refused assertions from the client's address.
    #[error("too many attempts: wait {} seconds", .wait.as_secs())]
    Throttled {
        /// The limiter of the address.
        limiter: LimiterId,
        /// The time until the next attempt is allowed.
        wait: StdDuration,
    },
    /// The verification could not be completed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Evidence that a machine client has signed an assertion that is valid now, with the scopes that it is granted.
#[derive(Debug)]
pub(crate) struct VerifiedClient {
    principal: Principal,
    client: ClientRow,
    assertion: VerifiedAssertion,
    scopes: Scopes,
}

impl VerifiedClient {
    /// The client, as an account.
    pub(crate) fn account(&self) -> Account {
        account_of(&self.client)
    }

    /// The scopes that are granted.
    pub(crate) const fn scopes(&self) -> &Scopes {
        &self.scopes
    }
}

impl Identity {
    /// Verifies the request of a client with the address `source`. `audience` is the address of the token endpoint.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub(crate) async fn verify_client(
        &self,
        request: ClientRequest,
        audience: &str,
        source: Option<IpAddr>,
    ) -> Result<VerifiedClient, ClientError> {
        let counter = self.throttle.of_assertions(ClientPrefix::of(source));
        let counter = counter.await?;
        if let Some(wait) = self.throttle.count_one(counter).await? {
            let limiter = LimiterId::of(&counter);
            return Err(ClientError::Throttled { limiter, wait });
        }
        let assertion = ClientAssertion::parse(&request.assertion, audience, self.clock.now());
        let assertion = assertion.map_err(|reason| refused(reason, None))?;
        let id = PersonId::from_uuid(assertion.client());
        if request.client_id.is_some_and(|it| it != id.to_string()) {
            return Err(refused(AssertionError::Client, None));
        }
        let client = self.client_row(id).await?;
        let account = client.as_ref().map(account_of);
        let principal = match &client {
            Some(client) => self.client_principal(client).await?,
            None => None,
        };
        let keys = client.as_ref().map(|row| JwkSet::parse(&row.jwks));
        let keys = keys.transpose().map_err(ServiceError::internal)?;
        let assertion = assertion.verify(&keys.unwrap_or_default());
        let assertion = assertion.map_err(|reason| refused(reason, account))?;
        let (Some(principal), Some(client)) = (principal, client) else {
            return Err(ClientError::InvalidClient { account });
        };
        let registered = Scopes::parse(&client.scopes, |_| true);
        let scopes = request.scopes.intersection(&registered);
        if scopes.is_empty() {
            let account = account_of(&client);
            return Err(ClientError::InvalidScope { account });
        }
        self.throttle.uncount_one(counter).await?;
        Ok(VerifiedClient {
            principal,
            client,
            assertion,
            scopes,
        })
    }

    /// Issues a token, in one transaction with its event and with the use of the assertion. None if the assertion was used
    /// before, or the client was changed meanwhile.
    pub(crate) async fn begin_client_token(
        &self,
        verified: VerifiedClient,
        origin: RequestOrigin,
        event: impl FnOnce(SessionId) -> Event,
    ) -> Result<Option<NewSession>, ServiceError> {
        let Account {
            organization,
            person,
        } = verified.account();
        let of = SessionOf {
            organization,
            person,
            role: verified.principal.role,
            kind: CredentialKind::Token,
            assurance: Assurance::ClientAssertion,
            scopes: Some(verified.scopes.to_string()),
        };
        let (session, row) = self.new_session(of).await?;
        let event = self
            .trail
            .seal(organization, origin.source, event(row.id))
            .await?;
        let mut transaction = self.database.begin().await?;
        let assertion = &verified.assertion;
        let used = transaction.insert_assertion(assertion.digest(), assertion.expires_at());
        match used.await {
            Err(db::Error::UniqueViolation(_)) => {
                transaction.rollback().await?;
                return Ok(None);
            }
            used => used?,
        }
        if !is_current(&mut transaction, &verified).await? {
            transaction.rollback().await?;
            return Ok(None);
        }
        transaction.insert_session(&row).await?;
        let event = event.with_rows(vec![written_row(&row)]);
        self.trail.commit_with(transaction, event).await?;
        let now = row.authenticated_at;
        self.database.delete_sessions_expired_before(now).await?;
        Ok(Some(session))
    }

    /// The row of a client that was not removed; none if it does not verify, which is reported.
    async fn client_row(&self, id: PersonId) -> Result<Option<ClientRow>, ServiceError> {
        let Some(row) = self.database.client(id).await? else {
            return Ok(None);
        };
        let row = self.keys.verify_untampered(row.organization, row).await?;
        let row = row.map(phi::Verified::into_inner);
        Ok(row.filter(|row| row.ended_at.is_none()))
    }

    /// The principal that a client acts as, if it is active.
    async fn client_principal(
        &self,
        client: &ClientRow,
    ) -> Result<Option<Principal>, ServiceError> {
        let person = self.database.person(client.organization, client.person);
        let Some(person) = person.await? else {
            return Ok(None);
        };
        let principal = self.principal(person).await?;
        Ok(principal.filter(|it| it.role == Role::Service))
    }
}

/// Locks the rows of a client. False if they are not those that were verified.
///
/// # Errors
///
/// A report of tampering if they are not the newest on record.
async fn is_current(
    transaction: &mut Transaction,
    verified: &VerifiedClient,
) -> Result<bool, TrailError> {
    let Account {
        organization,
        person,
    } = verified.account();
    let stored_person = transaction.lock_person(organization, person).await?;
    let stored_client = transaction.lock_client(organization, person).await?;
    let (Some(stored_person), Some(stored_client)) = (stored_person, stored_client) else {
        return Ok(false);
    };
    if stored_person.mac.as_bytes() != verified.principal.row.mac.as_bytes()
        || stored_client.mac.as_bytes() != verified.client.mac.as_bytes()
    {
        return Ok(false);
    }
    ensure_newest(transaction, Some(&stored_person)).await?;
    ensure_newest(transaction, Some(&stored_client)).await?;
    Ok(true)
}

fn account_of(client: &ClientRow) -> Account {
    Account {
        organization: client.organization,
        person: client.person,
    }
}

/// The refusal of an assertion. The reason, which has no value of the request, is for the operator that helps a client's
/// developer.
fn refused(reason: AssertionError, account: Option<Account>) -> ClientError {
    tracing::info!(%reason, "a client assertion was refused");
    ClientError::InvalidClient { account }
}
