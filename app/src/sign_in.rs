//! Signing in and out, on record, for pages and API alike.

use audit::{Action, Event, Outcome, PurposeOfUse, RecordReference};
use phi::OrganizationId;
use secrecy::SecretString;

use crate::caller::{Caller, Origin, Proof};
use crate::identity::{Member, NewSession, NewToken, SignInError};
use crate::problem::Problem;
use crate::state::App;

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// The e-mail address or the password is wrong; nobody is told which.
    Wrong,
    /// Something else.
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
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

/// Begins a session at a browser.
pub(crate) async fn begin_session(
    app: &App,
    origin: Origin,
    password: Password,
) -> Result<NewSession, Refusal> {
    let member = check(app, origin, password).await?;
    let session = app
        .identity
        .begin_session(&member)
        .await
        .map_err(Problem::from)?;
    record(app, origin, &member, Action::SignIn).await?;
    Ok(session)
}

/// Issues a bearer token.
pub(crate) async fn issue_token(
    app: &App,
    origin: Origin,
    password: Password,
) -> Result<(Member, NewToken), Refusal> {
    let member = check(app, origin, password).await?;
    let token = app
        .identity
        .issue_token(&member)
        .await
        .map_err(Problem::from)?;
    record(app, origin, &member, Action::IssueToken).await?;
    Ok((member, token))
}

/// Ends the session or the token that the caller came with.
pub(crate) async fn sign_out(app: &App, caller: &Caller) -> Result<(), Problem> {
    match caller.proof {
        Proof::Session(hash) => app.identity.end_session(hash).await?,
        Proof::Token(hash) => app.identity.end_token(hash).await?,
    }
    let event = caller.event(
        app.clock.now(),
        Action::SignOut,
        Outcome::Success,
        Vec::new(),
    );
    let _recorded = app
        .ledger
        .record(caller.organization, caller.origin.source, event)
        .await?;
    Ok(())
}

async fn check(app: &App, origin: Origin, password: Password) -> Result<Member, Refusal> {
    match app
        .identity
        .sign_in(&password.email, password.password)
        .await
    {
        Ok(member) => Ok(member),
        Err(SignInError::Wrong { organization }) => {
            let organization = organization.unwrap_or(OrganizationId::SYSTEM);
            let event = event(app, origin, None, Action::SignIn, Outcome::Refused);
            let _recorded = app
                .ledger
                .record(organization, origin.source, event)
                .await?;
            Err(Refusal::Wrong)
        }
        Err(SignInError::Wait(wait)) => {
            let seconds = u32::try_from(wait.as_secs())
                .unwrap_or(u32::MAX)
                .saturating_add(1);
            Err(Problem::TooManyAttempts(seconds).into())
        }
        Err(SignInError::Identity(error)) => Err(Problem::from(error).into()),
    }
}

async fn record(app: &App, origin: Origin, member: &Member, action: Action) -> Result<(), Problem> {
    let event = event(app, origin, Some(member), action, Outcome::Success);
    let _recorded = app
        .ledger
        .record(member.row.organization, origin.source, event)
        .await?;
    Ok(())
}

fn event(
    app: &App,
    origin: Origin,
    member: Option<&Member>,
    action: Action,
    outcome: Outcome,
) -> Event {
    Event {
        at: app.clock.now(),
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
