//! Sessions of browsers and bearer tokens of programs: stored as a hash, with idle and absolute limits.

use access::{
    Caller, Credential, CredentialKind, PersonClaims, PersonEvidence, RequestOrigin, SessionClaims,
    SessionEvidence,
};
use audit::{Assurance, Event};
use db::{PersonRow, SessionRow};
use phi::{RowMac, SecretToken, SessionId, Verified};
use time::{Duration, OffsetDateTime};

use super::{Identity, Principal};
use crate::services::error::ServiceError;
use crate::services::written::written;

/// A session that is used more often than this is not written to the database each time.
const TOUCH_EVERY: Duration = Duration::seconds(30);
/// The life of a bearer token.
const TOKEN_LIFE: Duration = Duration::hours(1);

/// Limits of sessions: automatic logoff (45 CFR 164.312(a)(2)(iii)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionLimits {
    /// The longest time without a request.
    pub(crate) idle: std::time::Duration,
    /// The longest life.
    pub(crate) absolute: std::time::Duration,
}

/// A session or bearer token just begun.
#[derive(Debug)]
pub(crate) struct NewSession {
    /// The cookie's or token's value: shown once, stored as a hash.
    pub(crate) token: SecretToken,
    /// The absolute limit.
    pub(crate) expires_at: OffsetDateTime,
}

/// The label of a kind of session in its token's hash and in its row.
const fn label(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Session => "session",
        CredentialKind::Token => "bearer",
    }
}

/// The methods of authentication, as rows name them.
const METHODS: [(&str, Assurance); 5] = [
    ("password", Assurance::Password),
    ("password-and-code", Assurance::PasswordAndCode),
    ("passkey", Assurance::Passkey),
    ("token", Assurance::Token),
    ("client-assertion", Assurance::ClientAssertion),
];

/// Reads the claims of a session's row.
struct StoredSession;

impl SessionEvidence for StoredSession {
    type Row = SessionRow;

    fn claims(row: &SessionRow) -> SessionClaims {
        let kind = if row.kind == label(CredentialKind::Session) {
            CredentialKind::Session
        } else {
            CredentialKind::Token
        };
        let method = METHODS.iter().find(|(name, _)| *name == row.method);
        SessionClaims {
            organization: row.organization,
            person: row.person.uuid(),
            id: row.id.uuid(),
            role: Some(row.role.clone()),
            // An unknown method counts as the weakest.
            assurance: method.map_or(Assurance::Password, |(_, assurance)| *assurance),
            authenticated_at: row.authenticated_at,
            credential: Credential {
                kind,
                hash: row.token_hash,
            },
        }
    }
}

/// Reads the claims of a person's row.
struct StoredPerson;

impl PersonEvidence for StoredPerson {
    type Row = PersonRow;

    fn claims(row: &PersonRow) -> PersonClaims {
        PersonClaims {
            organization: row.organization,
            id: row.id.uuid(),
            role: row.role.clone(),
            active: row.active,
            own_chart: None,
        }
    }
}

impl Identity {
    /// Begins a session or issues a token, in one transaction with `event`.
    pub(crate) async fn begin_session(
        &self,
        principal: &Principal,
        kind: CredentialKind,
        origin: RequestOrigin,
        event: impl FnOnce(SessionId) -> Event,
    ) -> Result<NewSession, ServiceError> {
        let token = SecretToken::random();
        let now = self.clock.now();
        let (organization, id) = (principal.row.organization, SessionId::random());
        let method = match kind {
            CredentialKind::Session => "password",
            CredentialKind::Token => "token",
        };
        let expires_at = match kind {
            CredentialKind::Session => now + self.limits.absolute,
            CredentialKind::Token => now + TOKEN_LIFE,
        };
        let key = self.keys.authorization(organization).await?;
        let row = key.authenticate(SessionRow {
            token_hash: token.hash(label(kind)),
            organization,
            id,
            kind: label(kind).to_owned(),
            person: principal.row.id,
            role: principal.role.name().to_owned(),
            method: method.to_owned(),
            authenticated_at: now,
            expires_at,
            seen_at: now,
            ended_at: None,
            mac: RowMac::UNSET,
        });
        let event = self
            .trail
            .seal(organization, origin.source, event(id))
            .await?;
        let mut transaction = self.database.begin().await?;
        transaction.insert_session(&row).await?;
        let event = event.listing(vec![written(&row)]);
        self.trail.commit_with(transaction, event).await?;
        self.database.delete_sessions_expired_before(now).await?;
        Ok(NewSession { token, expires_at })
    }

    /// The caller that a cookie or bearer token stands for, if it has not ended. Counts as use of a session.
    pub(crate) async fn authenticate(
        &self,
        token: &SecretToken,
        kind: CredentialKind,
        origin: RequestOrigin,
    ) -> Result<Option<Caller>, ServiceError> {
        let Some(row) = self.database.session(token.hash(label(kind))).await? else {
            return Ok(None);
        };
        let Some(session) = self.verified(row.organization, row).await? else {
            return Ok(None);
        };
        if session.kind != label(kind) || !self.is_in_force(&session, kind) {
            return Ok(None);
        }
        let person = self
            .database
            .person(session.organization, session.person)
            .await?;
        let Some(person) = person else {
            return Ok(None);
        };
        let Some(person) = self.verified(session.organization, person).await? else {
            return Ok(None);
        };
        let caller =
            Caller::authenticated::<StoredSession, StoredPerson>(&session, &person, origin);
        let Ok(caller) = caller else {
            return Ok(None);
        };
        if kind == CredentialKind::Session {
            self.touch(session).await?;
        }
        Ok(Some(caller))
    }

    fn is_in_force(&self, session: &SessionRow, kind: CredentialKind) -> bool {
        let now = self.clock.now();
        let idle = kind == CredentialKind::Session && session.seen_at + self.limits.idle <= now;
        session.ended_at.is_none() && session.expires_at > now && !idle
    }

    /// Stores that a session was used, where that is not known already.
    async fn touch(&self, session: Verified<SessionRow>) -> Result<(), ServiceError> {
        let now = self.clock.now();
        // Idle limits of seconds, as tests have them, are touched as often as they need.
        let quarter = Duration::try_from(self.limits.idle / 4).unwrap_or(TOUCH_EVERY);
        if now - session.seen_at < TOUCH_EVERY.min(quarter) {
            return Ok(());
        }
        let before = *session.mac.as_bytes();
        let key = self.keys.authorization(session.organization).await?;
        let row = key.authenticate(SessionRow {
            seen_at: now,
            ..session.into_inner()
        });
        match self.database.touch_session(&row, &before).await {
            // Another request or instance was first, or the session has ended.
            Ok(()) | Err(db::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the caller's session or token.
    pub(crate) async fn end_session(&self, caller: &Caller) -> Result<(), ServiceError> {
        let organization = caller.organization();
        let key = self.keys.authorization(organization).await?;
        let mut transaction = self.database.begin().await?;
        let row = transaction.lock_session(caller.credential().hash).await?;
        let row = row.ok_or(ServiceError::SignInRequired)?;
        let row = self.keys.verify(organization, row).await?.into_inner();
        let before = *row.mac.as_bytes();
        let row = key.authenticate(SessionRow {
            ended_at: Some(self.clock.now()),
            ..row
        });
        transaction.end_session(&row, &before).await?;
        let event = access::sign_out_event(caller, self.clock.now());
        let event = self.trail.seal_event(event).await?;
        let event = event.listing(vec![written(&row)]);
        Ok(self.trail.commit_with(transaction, event).await?)
    }
}
