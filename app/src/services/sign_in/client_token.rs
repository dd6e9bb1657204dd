//! Tokens of machine clients, each recorded in the audit trail; refused requests as well, within the budget of sign-ins.

use access::RequestOrigin;
use access::Role;
use access::Scopes;
use audit::Action;
use audit::Assurance;
use audit::Event;
use audit::Outcome;
use phi::SessionId;

use super::SignIn;
use super::refusals::Throttling;
use crate::services::error::ServiceError;
use crate::services::identity::ClientError;
use crate::services::identity::ClientRequest;
use crate::services::identity::NewSession;
use crate::services::identity::VerifiedClient;

/// The error of a request of a machine client for a token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClientTokenError {
    /// The client, its key or its assertion is not accepted. Responses do not distinguish these.
    InvalidClient,
    /// No scope that it asks for may be granted.
    InvalidScope,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for ClientTokenError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// A new token of a machine client.
#[derive(Debug)]
pub(crate) struct IssuedClientToken {
    /// The token, with its lifetime.
    pub(crate) session: NewSession,
    /// The scopes that it is granted.
    pub(crate) scopes: Scopes,
}

impl SignIn {
    /// Issues a token to a machine client that has signed an assertion for `audience`, the address of the token endpoint.
    pub(crate) async fn issue_client_token(
        &self,
        origin: RequestOrigin,
        request: ClientRequest,
        audience: &str,
    ) -> Result<IssuedClientToken, ClientTokenError> {
        let verified = self
            .identity
            .verify_client(request, audience, origin.source);
        let verified = match verified.await {
            Ok(verified) => verified,
            Err(error) => return Err(self.refused_client(origin, error).await),
        };
        let (account, scopes) = (verified.account(), verified.scopes().clone());
        if let Some(session) = self.begin_client_token(verified, origin).await? {
            return Ok(IssuedClientToken { session, scopes });
        }
        self.record_refusal(origin, Some(account), None).await?;
        Err(ClientTokenError::InvalidClient)
    }

    async fn begin_client_token(
        &self,
        verified: VerifiedClient,
        origin: RequestOrigin,
    ) -> Result<Option<NewSession>, ServiceError> {
        let account = verified.account();
        let event = |session: SessionId| Event {
            person: Some(account.person.uuid()),
            role: Some(Role::Service.name().to_owned()),
            session: Some(session.uuid()),
            assurance: Some(Assurance::ClientAssertion),
            ..self.event(
                account.organization,
                origin,
                Action::IssueToken,
                Outcome::Success,
            )
        };
        let begun = self.identity.begin_client_token(verified, origin, event);
        begun.await
    }

    /// Records or counts a refusal. Returns the error for the client.
    async fn refused_client(&self, origin: RequestOrigin, error: ClientError) -> ClientTokenError {
        let (account, throttling, refusal) = match error {
            ClientError::InvalidClient { account } => {
                (account, None, ClientTokenError::InvalidClient)
            }
            ClientError::InvalidScope { account } => {
                (Some(account), None, ClientTokenError::InvalidScope)
            }
            ClientError::Throttled { limiter, wait } => (
                None,
                Some(Throttling { limiter, wait }),
                ServiceError::too_many_attempts(wait).into(),
            ),
            ClientError::Service(error) => return error.into(),
        };
        match self.record_refusal(origin, account, throttling).await {
            Ok(()) => refusal,
            Err(error) => error.into(),
        }
    }
}
