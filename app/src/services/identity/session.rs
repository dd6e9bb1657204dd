//! Sessions of browsers: server-side, a hash of the cookie stored, idle and absolute limits.

use db::SessionRow;
use phi::{OrganizationId, RowMac, SecretToken};
use time::Duration;

use super::{Identity, IdentityError, Member};

/// A session that is used more often than this is not written to the database each time.
const TOUCH_EVERY: Duration = Duration::seconds(30);

/// Limits of sessions (45 CFR 164.312(a)(2)(iii), automatic logoff).
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionLimits {
    /// `SESSION_IDLE_SECONDS`: ends a session that nobody used for so long; at most 15 minutes.
    pub(crate) idle: std::time::Duration,
    /// `SESSION_ABSOLUTE_SECONDS`: ends every session after so long; at most 12 hours.
    pub(crate) absolute: std::time::Duration,
}

/// A session just begun.
#[derive(Debug)]
pub(crate) struct NewSession {
    /// The cookie's value; only its hash is stored.
    pub(crate) cookie: SecretToken,
}

impl Identity {
    /// Begins a session.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`].
    pub(crate) async fn begin_session(&self, member: &Member) -> Result<NewSession, IdentityError> {
        let cookie = SecretToken::random();
        let now = self.clock.now();
        let mut row = SessionRow {
            token_hash: self.session_hash(&cookie).await?,
            organization: member.row.organization,
            person: member.row.id,
            created_at: now,
            seen_at: now,
            mac: RowMac::UNSET,
        };
        row.mac = self
            .keys
            .authorization(row.organization)
            .await?
            .authenticate(&row);
        self.database.insert_session(&row).await?;
        self.database
            .delete_sessions_idle_since(now - self.limits.absolute)
            .await?;
        Ok(NewSession { cookie })
    }

    /// Who a cookie stands for, if its session has not ended; and counts as use of it.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`].
    pub(crate) async fn of_session(
        &self,
        cookie: &SecretToken,
    ) -> Result<Option<(Member, [u8; 32])>, IdentityError> {
        let hash = self.session_hash(cookie).await?;
        let Some(row) = self.database.session(hash).await? else {
            return Ok(None);
        };
        let row = self.verified(row.organization, row).await?;
        let now = self.clock.now();
        if row.seen_at + self.limits.idle <= now || row.created_at + self.limits.absolute <= now {
            self.database.delete_session(hash).await?;
            return Ok(None);
        }
        let Some(person) = self.database.person(row.organization, row.person).await? else {
            return Ok(None);
        };
        let Some(member) = self.member(person).await? else {
            return Ok(None);
        };
        // Idle limits of seconds, as tests have them, are touched as often as they need.
        if now - row.seen_at
            >= TOUCH_EVERY.min(Duration::try_from(self.limits.idle / 4).unwrap_or(TOUCH_EVERY))
        {
            let mut seen = row.into_inner();
            seen.seen_at = now;
            seen.mac = self
                .keys
                .authorization(seen.organization)
                .await?
                .authenticate(&seen);
            self.database.touch_session(&seen).await?;
        }
        Ok(Some((member, hash)))
    }

    /// Ends a session.
    ///
    /// # Errors
    ///
    /// See [`IdentityError`].
    pub(crate) async fn end_session(&self, hash: [u8; 32]) -> Result<(), IdentityError> {
        Ok(self.database.delete_session(hash).await?)
    }

    async fn session_hash(&self, cookie: &SecretToken) -> Result<[u8; 32], IdentityError> {
        let key = self.keys.authorization(OrganizationId::SYSTEM).await?;
        Ok(key.token_hash("session", cookie.expose().as_bytes()))
    }
}
