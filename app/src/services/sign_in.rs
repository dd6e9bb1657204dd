//! Signing in and out, on record, for pages and API alike.

use std::sync::Arc;

use audit::{Action, Event, Outcome, PurposeOfUse, RecordReference};
use phi::OrganizationId;
use secrecy::SecretString;

use crate::services::caller::{Caller, Proof, RequestOrigin};
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::identity::{Identity, Member, NewSession, NewToken, SignInError};
use crate::services::ledger::Ledger;

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// The e-mail address or the password is wrong; nobody is told which.
    Wrong,
    /// Something else.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// What somebody signs in with.
#[derive(Debug)]
pub(crate) struct Password {
    /// The e-mail address, as typed.
    pub(crate) email: String,
    /// The password.
    pub(crate) password: SecretString,
}

/// Sign-in and sign-out.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    identity: Arc<Identity>,
    ledger: Ledger,
    clock: Clock,
}

impl SignIn {
    /// Sign-in over these services.
    pub(crate) fn new(identity: Arc<Identity>, ledger: Ledger, clock: Clock) -> Self {
        Self {
            identity,
            ledger,
            clock,
        }
    }

    /// Begins a session at a browser.
    pub(crate) async fn begin_session(
        &self,
        origin: RequestOrigin,
        password: Password,
    ) -> Result<NewSession, Refusal> {
        let member = self.check(origin, password).await?;
        let session = self
            .identity
            .begin_session(&member)
            .await
            .map_err(ServiceError::from)?;
        self.record(origin, &member, Action::SignIn).await?;
        Ok(session)
    }

    /// Issues a bearer token.
    pub(crate) async fn issue_token(
        &self,
        origin: RequestOrigin,
        password: Password,
    ) -> Result<(Member, NewToken), Refusal> {
        let member = self.check(origin, password).await?;
        let token = self
            .identity
            .issue_token(&member)
            .await
            .map_err(ServiceError::from)?;
        self.record(origin, &member, Action::IssueToken).await?;
        Ok((member, token))
    }

    /// Ends the session or the token that the caller came with.
    pub(crate) async fn sign_out(&self, caller: &Caller) -> Result<(), ServiceError> {
        match caller.proof {
            Proof::Session(hash) => self.identity.end_session(hash).await?,
            Proof::Token(hash) => self.identity.end_token(hash).await?,
        }
        let event = caller.event(
            self.clock.now(),
            Action::SignOut,
            Outcome::Success,
            Vec::new(),
        );
        let _recorded = self
            .ledger
            .record(caller.organization, caller.origin.source, event)
            .await?;
        Ok(())
    }

    async fn check(&self, origin: RequestOrigin, password: Password) -> Result<Member, Refusal> {
        match self
            .identity
            .sign_in(&password.email, password.password)
            .await
        {
            Ok(member) => Ok(member),
            Err(SignInError::Wrong { organization }) => {
                let organization = organization.unwrap_or(OrganizationId::SYSTEM);
                let event = self.event(origin, None, Action::SignIn, Outcome::Refused);
                let _recorded = self
                    .ledger
                    .record(organization, origin.source, event)
                    .await?;
                Err(Refusal::Wrong)
            }
            Err(SignInError::Wait(wait)) => {
                let seconds = u32::try_from(wait.as_secs())
                    .unwrap_or(u32::MAX)
                    .saturating_add(1);
                Err(ServiceError::TooManyAttempts(seconds).into())
            }
            Err(SignInError::Identity(error)) => Err(ServiceError::from(error).into()),
        }
    }

    async fn record(
        &self,
        origin: RequestOrigin,
        member: &Member,
        action: Action,
    ) -> Result<(), ServiceError> {
        let event = self.event(origin, Some(member), action, Outcome::Success);
        let _recorded = self
            .ledger
            .record(member.row.organization, origin.source, event)
            .await?;
        Ok(())
    }

    fn event(
        &self,
        origin: RequestOrigin,
        member: Option<&Member>,
        action: Action,
        outcome: Outcome,
    ) -> Event {
        Event {
            at: self.clock.now(),
            request: origin.request.uuid(),
            person: member.map(|member| member.row.id.0),
            role: member.map(|member| member.role.name().to_owned()),
            source: None,
            action,
            outcome,
            purpose: PurposeOfUse::Operations,
            records: Vec::<RecordReference>::new(),
        }
    }
}
