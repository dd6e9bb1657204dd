//! Sign-in and sign-out of pages and the API, each recorded in the audit trail.

mod client_token;
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
use phi::SecretToken;
use phi::SessionId;
use secrecy::SecretString;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::identity::Account;
use crate::services::identity::ClientPrefix;
use crate::services::identity::Credentials;
use crate::services::identity::CredentialsError;
use crate::services::identity::Identity;
use crate::services::identity::NewSession;
use crate::services::identity::SessionRenewal;
use crate::services::identity::SetUp;
use crate::services::identity::SetUpError;
use crate::services::identity::VerifiedCredentials;
use crate::services::identity::WeakPassword;
use crate::services::trail::AuditTrail;
use crate::services::trail::TrailError;
use crate::services::trail::system_event;
use refusals::AccountLookup;
use refusals::RefusalLog;
use refusals::RefusedAttempt;
use refusals::Throttling;

pub(crate) use client_token::ClientTokenError;

/// The error of a sign-in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SignInError {
    /// The e-mail address, the password, the code or the passkey is wrong. Responses do not distinguish these.
    InvalidCredentials,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for SignInError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// The error of the set-up of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AccountSetUpError {
    /// The new password is refused.
    Weak(WeakPassword),
    /// The e-mail address or the set-up code is wrong, or another failure.
    Refused(SignInError),
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
        self.begin(verified, CredentialKind::Session, origin).await
    }

    /// Begins a session of a browser by the response of a passkey.
    pub(crate) async fn begin_session_by_passkey(
        &self,
        origin: RequestOrigin,
        response: &str,
    ) -> Result<NewSession, SignInError> {
        let verified = self.identity.verify_passkey(response, origin.source);
        match verified.await {
            Ok(verified) => self.begin(verified, CredentialKind::Session, origin).await,
            Err(error) => Err(self.refused_passkey(origin, error).await),
        }
    }

    /// Issues a bearer token.
    pub(crate) async fn issue_token(
        &self,
        origin: RequestOrigin,
        credentials: Credentials,
    ) -> Result<IssuedToken, SignInError> {
        let verified = self.verify(origin, credentials).await?;
        let (role, organization) = (
            verified.principal().role,
            verified.principal().row.organization,
        );
        let session = self.begin(verified, CredentialKind::Token, origin).await?;
        Ok(IssuedToken {
            session,
            role,
            organization,
        })
    }

    /// Replaces the caller's session by a new one.
    pub(crate) async fn renew_session(
        &self,
        caller: &Caller,
        renewal: &SessionRenewal,
    ) -> Result<NewSession, ServiceError> {
        let (origin, organization) = (caller.origin(), caller.organization());
        let event = |session: SessionId, assurance: Assurance| Event {
            person: Some(caller.person()),
            role: Some(caller.role().name().to_owned()),
            session: Some(session.uuid()),
            assurance: Some(assurance),
            ..self.event(organization, origin, Action::SignIn, Outcome::Success)
        };
        self.identity.renew_session(caller, renewal, event).await
    }

    /// Replaces the caller's session by one with a recent second factor, if the code is right.
    pub(crate) async fn step_up(
        &self,
        caller: &Caller,
        code: &SecretString,
    ) -> Result<NewSession, SignInError> {
        let email = self.identity.own_person(caller).await?.email;
        match self.identity.step_up(caller, email.expose(), code).await {
            Ok(renewal) => Ok(self.renew_session(caller, &renewal).await?),
            Err(error) => Err(self.refused(caller.origin(), email.expose(), error).await),
        }
    }

    /// Replaces the caller's session by one with a recent second factor, by the response of one of the caller's passkeys.
    pub(crate) async fn step_up_by_passkey(
        &self,
        caller: &Caller,
        response: &str,
    ) -> Result<NewSession, SignInError> {
        match self.identity.step_up_by_passkey(caller, response).await {
            Ok(renewal) => Ok(self.renew_session(caller, &renewal).await?),
            Err(error) => Err(self.refused_passkey(caller.origin(), error).await),
        }
    }

    /// Ends the caller's session or bearer token.
    pub(crate) async fn sign_out(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.identity.end_session(caller).await
    }

    /// Ends a session whose time is over, so that its end is on record. Any other one stays as it is.
    pub(crate) async fn log_off(
        &self,
        origin: RequestOrigin,
        token: &SecretToken,
    ) -> Result<(), ServiceError> {
        let event = |organization: OrganizationId| {
            self.event(organization, origin, Action::SignOut, Outcome::Success)
        };
        self.identity.end_idle_session(token, origin, event).await
    }

    async fn begin(
        &self,
        verified: VerifiedCredentials,
        kind: CredentialKind,
        origin: RequestOrigin,
    ) -> Result<NewSession, SignInError> {
        let action = match kind {
            CredentialKind::Session => Action::SignIn,
            CredentialKind::Token => Action::IssueToken,
        };
        let principal = verified.principal();
        let (person, role) = (principal.row.id, principal.role);
        let organization = principal.row.organization;
        let event = |session: SessionId, assurance: Assurance| Event {
            person: Some(person.uuid()),
            role: Some(role.name().to_owned()),
            session: Some(session.uuid()),
            assurance: Some(assurance),
            ..self.event(organization, origin, action, Outcome::Success)
        };
        let begun = self.identity.begin_session(verified, kind, origin, event);
        if let Some(session) = begun.await? {
            return Ok(session);
        }
        let account = Account {
            organization,
            person,
        };
        self.record_refusal(origin, Some(account), None).await?;
        Err(SignInError::InvalidCredentials)
    }

    /// Sets up an account: a person sets a password with a set-up code.
    pub(crate) async fn set_up(
        &self,
        origin: RequestOrigin,
        set_up: SetUp,
    ) -> Result<(), AccountSetUpError> {
        let email = set_up.email.clone();
        let event = |account: Account| Event {
            person: Some(account.person.uuid()),
            ..self.event(
                account.organization,
                origin,
                Action::ChangeCredential,
                Outcome::Success,
            )
        };
        match self.identity.set_up(set_up, origin.source, event).await {
            Ok(()) => Ok(()),
            Err(SetUpError::Weak(weak)) => Err(AccountSetUpError::Weak(weak)),
            Err(SetUpError::Refused(error)) => Err(AccountSetUpError::Refused(
                self.refused(origin, &email, error).await,
            )),
        }
    }

    /// Verifies credentials, and records or counts a refusal.
    async fn verify(
        &self,
        origin: RequestOrigin,
        credentials: Credentials,
    ) -> Result<VerifiedCredentials, SignInError> {
        let email = credentials.email.clone();
        let verified = self.identity.verify_credentials(credentials, origin.source);
        match verified.await {
            Ok(verified) => Ok(verified),
            Err(error) => Err(self.refused(origin, &email, error).await),
        }
    }

    /// Records or counts a refusal. Returns the error for the client.
    async fn refused(
        &self,
        origin: RequestOrigin,
        email: &str,
        error: CredentialsError,
    ) -> SignInError {
        let recorded = self.record_error(origin, email, &error).await;
        match (recorded, error) {
            (Err(error), _) | (Ok(()), CredentialsError::Service(error)) => error.into(),
            (Ok(()), CredentialsError::InvalidCredentials { .. }) => {
                SignInError::InvalidCredentials
            }
            (Ok(()), CredentialsError::Throttled { wait, .. }) => {
                ServiceError::too_many_attempts(wait).into()
            }
        }
    }

    /// Records or counts a refused passkey. Returns the error for the client.
    async fn refused_passkey(&self, origin: RequestOrigin, error: CredentialsError) -> SignInError {
        let (account, throttling, refusal) = match error {
            CredentialsError::InvalidCredentials { account } => {
                (account, None, SignInError::InvalidCredentials)
            }
            CredentialsError::Throttled { limiter, wait } => (
                None,
                Some(Throttling { limiter, wait }),
                ServiceError::too_many_attempts(wait).into(),
            ),
            CredentialsError::Service(error) => return error.into(),
        };
        match self.record_refusal(origin, account, throttling).await {
            Ok(()) => refusal,
            Err(error) => error.into(),
        }
    }

    async fn record_error(
        &self,
        origin: RequestOrigin,
        email: &str,
        error: &CredentialsError,
    ) -> Result<(), ServiceError> {
        match error {
            CredentialsError::InvalidCredentials { account } => {
                Ok(self.record_refusal(origin, *account, None).await?)
            }
            CredentialsError::Throttled { limiter, wait } => {
                let throttling = Throttling {
                    limiter: *limiter,
                    wait: *wait,
                };
                // Looked up once for each wait, so that a throttled flood costs no statement for
                // each attempt.
                let account = match self.refusals.known_account(*limiter) {
                    Some(AccountLookup(account)) => account,
                    None => self.identity.account_by_email(email).await?,
                };
                Ok(self
                    .record_refusal(origin, account, Some(throttling))
                    .await?)
            }
            CredentialsError::Service(_) => Ok(()),
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
