//! Sign-in and sign-out, on record, for pages and API alike.

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
use crate::services::identity::CheckedPassword;
use crate::services::identity::ClientPrefix;
use crate::services::identity::Identity;
use crate::services::identity::NewSession;
use crate::services::identity::Principal;
use crate::services::identity::SignInError;
use crate::services::trail::AuditTrail;
use crate::services::trail::TrailError;
use crate::services::trail::system_event;
use refusals::LookedUp;
use refusals::RefusalLog;
use refusals::Refused;
use refusals::Throttling;

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
    refusals: Arc<RefusalLog>,
}

impl SignIn {
    /// Sign-in over these services.
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
        let source = origin.source;
        match self.identity.check_password(&email, password, source).await {
            Ok(checked) => Ok(checked),
            Err(SignInError::InvalidCredentials { account }) => {
                self.record_refusal(origin, account, None).await?;
                Err(Refusal::InvalidCredentials)
            }
            Err(SignInError::Throttled { limiter, wait }) => {
                // Known from the first refusal of this wait, or looked up for it.
                let account = match self.refusals.looked_up(limiter) {
                    Some(LookedUp(account)) => account,
                    None => self.identity.account_by_email(&email).await?,
                };
                let throttling = Throttling { limiter, wait };
                self.record_refusal(origin, account, Some(throttling))
                    .await?;
                let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
                Err(ServiceError::TooManyAttempts(seconds.saturating_add(1)).into())
            }
            Err(SignInError::Service(error)) => Err(error.into()),
        }
    }

    /// Records a refused attempt with the account that it concerns, or counts it for a summary.
    async fn record_refusal(
        &self,
        origin: RequestOrigin,
        account: Option<Account>,
        throttling: Option<Throttling>,
    ) -> Result<(), TrailError> {
        let organization = account.map_or(OrganizationId::SYSTEM, |it| it.organization);
        let event = self.event(organization, origin, Action::SignIn, Outcome::Refused);
        let refused = Refused {
            account,
            client: ClientPrefix::of(origin.source),
            source: origin.source,
            event: Event {
                person: account.map(|it| it.person.uuid()),
                ..event
            },
        };
        match self.refusals.admit(refused, throttling, Instant::now()) {
            Some(refused) => self.record(refused).await,
            None => Ok(()),
        }
    }

    async fn record(&self, refused: Refused) -> Result<(), TrailError> {
        let organization = refused.organization();
        self.trail
            .record(organization, refused.source, refused.event)
            .await
    }

    /// Records summaries of refusals that were only counted: those whose time has come, or all for the shutdown.
    ///
    /// # Errors
    ///
    /// See [`TrailError`]; what could not be recorded stays counted.
    pub(crate) async fn record_summaries(&self, all: bool) -> Result<(), TrailError> {
        let mut result = Ok(());
        for summary in self.refusals.take(all, Instant::now()) {
            if result.is_ok() {
                result = self.record(summary.refused()).await;
            }
            if result.is_err() {
                self.refusals.restore(summary);
            }
        }
        result
    }

    /// Each minute, records summaries of refusals and removes what sign-in no longer asks for.
    pub(crate) async fn maintain(self) {
        let mut interval = tokio::time::interval(Duration::from_mins(1));
        loop {
            interval.tick().await;
            if let Err(error) = self.record_summaries(false).await {
                tracing::warn!(%error, "counted sign-ins are not recorded yet");
            }
            if let Err(error) = self.identity.clean_up().await {
                tracing::warn!(%error, "counters of sign-in are not cleaned up yet");
            }
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
