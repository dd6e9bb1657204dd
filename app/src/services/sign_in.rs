//! Sign-in and sign-out, on record, for pages and API alike.

use std::sync::Arc;

use access::{Caller, CredentialKind, RequestOrigin, Role};
use audit::{Action, Assurance, Event, Outcome, PurposeOfUse};
use phi::{OrganizationId, SessionId};
use secrecy::SecretString;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::identity::{CheckedPassword, Identity, NewSession, Principal, SignInError};
use crate::services::trail::{AuditTrail, system_event};

/// The reason why a sign-in failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// The e-mail address or the password is wrong; the response does not say which.
    InvalidCredentials,
    /// Something else.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// An e-mail address and a password, as typed.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The e-mail address.
    pub(crate) email: String,
    /// The password.
    pub(crate) password: SecretString,
}

/// A bearer token just issued.
#[derive(Debug)]
pub(crate) struct IssuedToken {
    /// The token.
    pub(crate) session: NewSession,
    /// The role that it is bound to.
    pub(crate) role: Role,
    /// The organization that it is confined to.
    pub(crate) organization: OrganizationId,
}

/// The sign-in service.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    identity: Arc<Identity>,
    trail: AuditTrail,
    clock: Clock,
}

impl SignIn {
    /// Sign-in over these services.
    pub(crate) fn new(identity: Arc<Identity>, trail: AuditTrail, clock: Clock) -> Self {
        Self {
            identity,
            trail,
            clock,
        }
    }

    /// Begins a session of a browser.
    pub(crate) async fn begin_session(
        &self,
        origin: RequestOrigin,
        credentials: Credentials,
    ) -> Result<NewSession, Refusal> {
        let checked = self.check(origin, credentials).await?;
        let kind = CredentialKind::Session;
        Ok(self.begin(checked.principal(), kind, origin).await?)
    }

    /// Issues a bearer token.
    pub(crate) async fn issue_token(
        &self,
        origin: RequestOrigin,
        credentials: Credentials,
    ) -> Result<IssuedToken, Refusal> {
        let checked = self.check(origin, credentials).await?;
        let principal = checked.principal();
        let session = self.begin(principal, CredentialKind::Token, origin).await?;
        Ok(IssuedToken {
            session,
            role: principal.role,
            organization: principal.row.organization,
        })
    }

    /// Ends the caller's session or token.
    pub(crate) async fn sign_out(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.identity.end_session(caller).await
    }

    async fn begin(
        &self,
        principal: &Principal,
        kind: CredentialKind,
        origin: RequestOrigin,
    ) -> Result<NewSession, ServiceError> {
        let action = match kind {
            CredentialKind::Session => Action::SignIn,
            CredentialKind::Token => Action::IssueToken,
        };
        let event = |session: SessionId| Event {
            person: Some(principal.row.id.uuid()),
            role: Some(principal.role.name().to_owned()),
            session: Some(session.uuid()),
            assurance: Some(Assurance::Password),
            ..self.event(principal.row.organization, origin, action, Outcome::Success)
        };
        self.identity
            .begin_session(principal, kind, origin, event)
            .await
    }

    async fn check(
        &self,
        origin: RequestOrigin,
        credentials: Credentials,
    ) -> Result<CheckedPassword, Refusal> {
        let Credentials { email, password } = credentials;
        match self.identity.check_password(&email, password).await {
            Ok(checked) => Ok(checked),
            Err(SignInError::InvalidCredentials { organization }) => {
                let organization = organization.unwrap_or(OrganizationId::SYSTEM);
                let event = self.event(organization, origin, Action::SignIn, Outcome::Refused);
                self.trail
                    .record(organization, origin.source, event)
                    .await?;
                Err(Refusal::InvalidCredentials)
            }
            Err(SignInError::Throttled(wait)) => {
                let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
                Err(ServiceError::TooManyAttempts(seconds.saturating_add(1)).into())
            }
            Err(SignInError::Service(error)) => Err(error.into()),
        }
    }

    /// The event of a sign-in, which has no caller yet.
    fn event(
        &self,
        organization: OrganizationId,
        origin: RequestOrigin,
        action: Action,
        outcome: Outcome,
    ) -> Event {
        Event {
            request: origin.request,
            outcome,
            purpose: PurposeOfUse::Operations,
            ..system_event(organization, self.clock.now(), action)
        }
    }
}
