//! The sessions and tokens of the caller's own account.

use access::CredentialKind;
use access::Disclosed;
use access::Permitted;
use access::Read;
use access::Record;
use access::Write;
use access::disclose;
use access::record_write;
use db::SessionRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Identity;
use super::account::Account;
use super::people::own_account;
use crate::limits::sign_in::MAX_LISTED_SESSIONS;
use crate::services::callers::label;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::trail::TrailError;
use crate::services::written_row::written_row;

/// Maximum attempts at a transaction that conflicts with another.
const MAX_ATTEMPTS: usize = 3;

/// The error of one attempt to end a session.
enum EndError {
    /// A concurrent transaction changed what was read.
    Conflict,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for EndError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// A session or token that is in force.
#[derive(Clone, Debug)]
pub(crate) struct OwnSession {
    /// Its id, which events name.
    pub(crate) id: Uuid,
    /// Whether it is a token of a program, not a browser's session.
    pub(crate) is_token: bool,
    /// The method of authentication, by its name in rows.
    pub(crate) method: String,
    /// The time of authentication.
    pub(crate) authenticated_at: OffsetDateTime,
    /// The time of the last use; of a token, that of its issue.
    pub(crate) seen_at: OffsetDateTime,
    /// The absolute limit.
    pub(crate) expires_at: OffsetDateTime,
    /// Whether the request was made under it.
    pub(crate) is_current: bool,
}

impl Identity {
    /// The sessions and tokens of the caller's account that are in force, the newest first.
    pub(crate) async fn own_sessions(
        &self,
        permitted: &Permitted<'_, Read>,
    ) -> Result<Disclosed<Vec<OwnSession>>, ServiceError> {
        let caller = permitted.caller();
        let rows = self.own_session_rows(caller).await?;
        let sessions = rows.iter().map(|row| OwnSession {
            id: row.id.uuid(),
            is_token: row.kind != label(CredentialKind::Session),
            method: row.method.clone(),
            authenticated_at: row.authenticated_at,
            seen_at: row.seen_at,
            expires_at: row.expires_at,
            is_current: row.id.uuid() == caller.session(),
        });
        let sessions = sessions.collect();
        let records: [Record; 1] = [own_account(caller).into()];
        Ok(disclose(&self.trail, permitted, &records, sessions).await?)
    }

    /// Ends a session or token of the caller's account, which may be the one of the request.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if the account has none in force with this id; [`ServiceError::SecondFactorRequired`] for
    /// another one than the caller's, if the caller has a second factor and was authenticated without it.
    pub(crate) async fn end_own_session(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
    ) -> Result<(), ServiceError> {
        if id != permitted.caller().session() {
            self.changeable_credential(permitted).await?;
        }
        for _ in 1..MAX_ATTEMPTS {
            match self.try_end_own_session(permitted, id).await {
                // The session was used at the same moment, or the caller's own had to be checked again.
                Err(EndError::Conflict) => {}
                Err(EndError::Service(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
        match self.try_end_own_session(permitted, id).await {
            Err(EndError::Conflict) => {
                let cause = "the session was used at the same time";
                Err(ServiceError::unavailable(cause))
            }
            Err(EndError::Service(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    async fn try_end_own_session(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
    ) -> Result<(), EndError> {
        let caller = permitted.caller();
        let rows = self.own_session_rows(caller).await?;
        let row = rows.into_iter().find(|row| row.id.uuid() == id);
        let row = row.ok_or(ServiceError::NotFound)?;
        let key = self.keys.authorization(caller.organization()).await?;
        let former_mac = *row.mac.as_bytes();
        let row = key.authenticate(SessionRow {
            ended_at: Some(self.clock.now()),
            ..row
        });
        let write = record_write(&self.trail, &[(permitted, own_account(caller).into())]).await?;
        let ended = write.commit(async |event| {
            let event = self.trail.seal_event(event).await?;
            let event = event
                .with_rows(vec![written_row(&row)])
                .with_changes(vec![Change::session(row.id)]);
            let mut transaction = self.database.begin().await?;
            transaction.end_session(&row, &former_mac).await?;
            self.trail.commit_with(transaction, event).await
        });
        match ended.await {
            Ok(_receipt) => Ok(()),
            Err(TrailError::Database(db::Error::Conflict)) => Err(EndError::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    /// The verified rows of the sessions in force.
    async fn own_session_rows(
        &self,
        caller: &access::Caller,
    ) -> Result<Vec<SessionRow>, ServiceError> {
        let Account {
            organization,
            person,
        } = Account::of(caller);
        let row = self.person_row(organization, person).await?;
        let since = row.ok_or(ServiceError::SignInRequired)?.sessions_since;
        let now = self.clock.now();
        let rows = self
            .database
            .sessions_of(organization, person, now, MAX_LISTED_SESSIONS);
        let idle_limit = self.callers.limits().idle;
        let mut sessions = Vec::new();
        for row in rows.await? {
            let Some(row) = self.keys.verify_untampered(organization, row).await? else {
                continue;
            };
            let is_ended = since.is_some_and(|since| row.authenticated_at < since);
            let is_idle =
                row.kind == label(CredentialKind::Session) && row.seen_at + idle_limit <= now;
            if !is_ended && !is_idle {
                sessions.push(row.into_inner());
            }
        }
        Ok(sessions)
    }
}
