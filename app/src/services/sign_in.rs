//! Sign-in and sign-out of pages and the API, each recorded in the audit trail.

mod refusals;

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use access::Caller;
use access::CredentialKind;
use access::RequestOrigin;
use access::Role;
use audit::Action;
use audit::Assurance;
use audit::Event;
use audit::Outcome;
use audit::PurposeOfUse;
use phi::OrganizationId;
use phi::SessionId;
use secrecy::SecretString;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::identity::Account;
use crate::services::identity::ClientPrefix;
use crate::services::identity::Identity;
use crate::services::identity::NewSession;
use crate::services::identity::PasswordError;
use crate::services::identity::Principal;
use crate::services::identity::VerifiedPassword;
use crate::services::trail::AuditTrail;
use crate::services::trail::TrailError;
use crate::services::trail::system_event;
use refusals::AccountLookup;
use refusals::RefusalLog;
use refusals::RefusedAttempt;
use refusals::Throttling;

/// The error of a sign-in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SignInError {
    /// The e-mail address or the password is wrong. Responses do not distinguish the two.
    InvalidCredentials,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for SignInError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// The credentials of a sign-in.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The e-mail address, not normalized.
    pub(crate) email: String,
    /// The password.
    pub(crate) password: SecretString,
}

/// A new bearer token.
#[derive(Debug)]
pub(crate) struct IssuedToken {
    /// The token, with its lifetime.
    pub(crate) session: NewSession,
    /// The role of its caller.
    pub(crate) role: Role,
    /// The organization of its caller.
    pub(crate) organization: OrganizationId,
}

/// The sign-in service.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    identity: Arc<Identity>,
    trail: AuditTrail,
    clock: Clock,
    refusals: Arc<RefusalLog>,
}

impl SignIn {
    /// The service over these services.
    pub(crate) fn new(identity: Arc<Identity>, trail: AuditTrail, clock: Clock) -> Self {
        Self {
            identity,
            trail,
            clock,
            refusals: Arc::default(),
        }
    }

    /// Begins a session of a browser.
    pub(crate) async fn begin_session(
        &self,
        origin: RequestOrigin,
        credentials: Credentials,
    ) -> Result<NewSession, SignInError> {
        let verified = self.verify(origin, credentials).await?;
        let kind = CredentialKind::Session;
        Ok(self.begin(verified.principal(), kind, origin).await?)
    }

    /// Issues a bearer token.
    pub(crate) async fn issue_token(
        &self,
        origin: RequestOrigin,
        credentials: Credentials,
    ) -> Result<IssuedToken, SignInError> {
        let verified = self.verify(origin, credentials).await?;
        let principal = verified.principal();
        let session = self.begin(principal, CredentialKind::Token, origin).await?;
        Ok(IssuedToken {
            session,
            role: principal.role,
            organization: principal.row.organization,
        })
    }

    /// Ends the caller's session or bearer token.
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

    /// Verifies credentials, and records or counts a refusal.
    async fn verify(
        &self,
        origin: RequestOrigin,
        credentials: Credentials,
    ) -> Result<VerifiedPassword, SignInError> {
        let Credentials { email, password } = credentials;
        let source = origin.source;
        match self
            .identity
            .verify_password(&email, password, source)
            .await
        {
            Ok(verified) => Ok(verified),
            Err(PasswordError::InvalidCredentials { account }) => {
                self.record_refusal(origin, account, None).await?;
                Err(SignInError::InvalidCredentials)
            }
            Err(PasswordError::Throttled { limiter, wait }) => {
                // Looked up once for each wait, so that a throttled flood costs no statement for
                // each attempt.
                let account = match self.refusals.known_account(limiter) {
                    Some(AccountLookup(account)) => account,
                    None => self.identity.account_by_email(&email).await?,
                };
                let throttling = Throttling { limiter, wait };
                self.record_refusal(origin, account, Some(throttling))
                    .await?;
                let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
                Err(ServiceError::TooManyAttempts(seconds.saturating_add(1)).into())
            }
            Err(PasswordError::Service(error)) => Err(error.into()),
        }
    }

    /// Records a refused attempt, or counts it for a summary.
    async fn record_refusal(
        &self,
        origin: RequestOrigin,
        account: Option<Account>,
        throttling: Option<Throttling>,
    ) -> Result<(), TrailError> {
        let organization = account.map_or(OrganizationId::SYSTEM, |it| it.organization);
        let event = self.event(organization, origin, Action::SignIn, Outcome::Refused);
        let attempt = RefusedAttempt {
            account,
            client: ClientPrefix::of(origin.source),
            source: origin.source,
            event: Event {
                person: account.map(|it| it.person.uuid()),
                ..event
            },
        };
        match self.refusals.admit(attempt, throttling, Instant::now()) {
            Some(attempt) => self.record(attempt).await,
            None => Ok(()),
        }
    }

    async fn record(&self, attempt: RefusedAttempt) -> Result<(), TrailError> {
        let organization = attempt.organization();
        self.trail
            .record(organization, attempt.source, attempt.event)
            .await
    }

    /// Records summaries of refusals that were only counted: those that are due, or all at
    /// shutdown.
    ///
    /// # Errors
    ///
    /// See [`TrailError`]; refusals that could not be recorded stay counted.
    pub(crate) async fn record_summaries(&self, all: bool) -> Result<(), TrailError> {
        let mut result = Ok(());
        for summary in self.refusals.take_summaries(all, Instant::now()) {
            if result.is_ok() {
                result = self.record(summary.to_attempt()).await;
            }
            if result.is_err() {
                self.refusals.restore(summary);
            }
        }
        result
    }

    /// Each minute, records summaries of refusals and deletes rows that sign-in no longer reads.
    pub(crate) async fn maintain(self) {
        let mut interval = tokio::time::interval(Duration::from_mins(1));
        loop {
            interval.tick().await;
            if let Err(error) = self.record_summaries(false).await {
                tracing::warn!(%error, "counted sign-in refusals cannot be recorded yet");
            }
            if let Err(error) = self.identity.clean_up().await {
                tracing::warn!(%error, "expired sign-in rows cannot be deleted yet");
            }
        }
    }

    /// The event of a sign-in, which has no caller.
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
