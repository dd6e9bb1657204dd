//! Authenticators beside the password: one-time codes of an authenticator app (TOTP), passkeys, recovery codes, and set-up codes,
//! with which a person sets a password.

use audit::Assurance;
use db::AuthenticatorRow;
use db::CredentialRow;
use phi::OrganizationId;
use phi::Owner;
use phi::PersonId;
use phi::Phi;
use phi::RecoveryCode;
use phi::Requested;
use phi::Tampering;
use phi::TotpKey;
use phi::passkey::Passkey;
use phi::row_digest;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::Identity;
use crate::limits::sign_in::MAX_DEVICES;
use crate::limits::sign_in::RECOVERY_CODES;
use crate::limits::sign_in::SET_UP_CODE_LIFETIME;
use crate::services::error::ServiceError;

/// The kind of an authenticator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AuthenticatorKind {
    /// One-time codes of an authenticator app.
    Totp,
    /// A passkey, which signs a person in without a password.
    Passkey,
    /// A recovery code, which is accepted once in place of a code of an app.
    RecoveryCode,
    /// A set-up code, with which a person sets a password once. It signs no person in.
    SetUpCode,
}

impl AuthenticatorKind {
    const ALL: [Self; 4] = [
        Self::Totp,
        Self::Passkey,
        Self::RecoveryCode,
        Self::SetUpCode,
    ];

    /// The permanent name in rows.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::RecoveryCode => "recovery-code",
            Self::SetUpCode => "set-up-code",
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is a device with which a person signs in again and again, of which an account has a few.
    pub(super) const fn is_device(self) -> bool {
        match self {
            Self::Totp | Self::Passkey => true,
            Self::RecoveryCode | Self::SetUpCode => false,
        }
    }
}

/// An authenticator that has not ended, verified and opened.
#[derive(Debug)]
pub(super) struct Authenticator {
    pub(super) row: AuthenticatorRow,
    pub(super) kind: AuthenticatorKind,
    secret: Phi<Vec<u8>>,
}

/// An authenticator with a use that is not stored yet. What the use permits must be stored in the same transaction, which
/// fails if the authenticator has been used meanwhile.
#[derive(Debug)]
pub(crate) struct UsedAuthenticator {
    /// The row after the use, whose MAC is still that of the row before.
    pub(super) row: AuthenticatorRow,
    /// The digest of the row before, which must be the newest on record.
    pub(super) former_digest: [u8; 32],
}

impl UsedAuthenticator {
    /// Whether it is a recovery code.
    pub(super) fn is_recovery_code(&self) -> bool {
        self.row.kind == AuthenticatorKind::RecoveryCode.name()
    }

    /// The method of a person that it authenticates, beside the password unless it is a passkey.
    pub(super) fn assurance(&self) -> Assurance {
        if self.row.kind == AuthenticatorKind::Passkey.name() {
            Assurance::Passkey
        } else {
            Assurance::PasswordAndCode
        }
    }
}

impl Authenticator {
    /// The key of a TOTP.
    pub(super) fn totp_key(&self) -> Option<TotpKey> {
        let is_totp = self.kind == AuthenticatorKind::Totp;
        is_totp.then(|| TotpKey::from_bytes(self.secret.expose()))?
    }

    /// The passkey, if it is one.
    pub(super) fn passkey(&self) -> Option<Passkey> {
        let is_passkey = self.kind == AuthenticatorKind::Passkey;
        is_passkey.then(|| Passkey::from_bytes(self.secret.expose()))?
    }

    /// Whether it counts as a factor of a credential. One from before the second factor was set up, or before recovery codes
    /// were replaced, does not: a database that hid it from that change cannot bring it back.
    pub(super) fn counts(&self, credential: &CredentialRow) -> bool {
        let (Some(since), Some(confirmed)) = (credential.second_factor_at, self.row.confirmed_at)
        else {
            return false;
        };
        let since = match self.kind {
            AuthenticatorKind::Totp | AuthenticatorKind::Passkey => since,
            AuthenticatorKind::RecoveryCode => credential.recovery_codes_at.unwrap_or(since),
            AuthenticatorKind::SetUpCode => return false,
        };
        confirmed >= since
    }

    /// The use of a code of this authenticator, which need not be confirmed; none if it does not accept the code.
    pub(super) fn use_code(
        &self,
        code: &SecretString,
        now: OffsetDateTime,
    ) -> Option<UsedAuthenticator> {
        let code = code.expose_secret();
        let row = match self.kind {
            AuthenticatorKind::Totp => {
                let code = zeroize::Zeroizing::new(code.replace(' ', ""));
                let step = self
                    .totp_key()?
                    .accepted_step(&code, now, self.row.last_counter)?;
                AuthenticatorRow {
                    last_counter: Some(step),
                    ..self.row.clone()
                }
            }
            AuthenticatorKind::Passkey => return None,
            AuthenticatorKind::RecoveryCode | AuthenticatorKind::SetUpCode => {
                // Hashes of 125 random bits: the time of the comparison tells nothing that can be used.
                let is_code = RecoveryCode::parse(code)?.hash() == **self.secret.expose();
                is_code.then(|| AuthenticatorRow {
                    ended_at: Some(now),
                    ..self.row.clone()
                })?
            }
        };
        Some(self.used(row))
    }

    /// The use that changes the row to this one.
    pub(super) fn used(&self, row: AuthenticatorRow) -> UsedAuthenticator {
        UsedAuthenticator {
            row,
            former_digest: row_digest(&self.row),
        }
    }
}

/// The use of a second factor: of the first of these authenticators that counts, and that accepts the code.
pub(super) fn use_second_factor(
    authenticators: &[Authenticator],
    credential: &CredentialRow,
    code: &SecretString,
    now: OffsetDateTime,
) -> Option<UsedAuthenticator> {
    let mut counting = authenticators.iter().filter(|it| it.counts(credential));
    counting.find_map(|it| it.use_code(code, now))
}

/// The use of a set-up code: of the first of these authenticators that has not expired, was made since the password was removed
/// or set, and accepts the code.
pub(super) fn use_set_up_code(
    authenticators: &[Authenticator],
    credential: &CredentialRow,
    code: &SecretString,
    now: OffsetDateTime,
) -> Option<UsedAuthenticator> {
    let counts = |it: &&Authenticator| {
        it.kind == AuthenticatorKind::SetUpCode
            && it.row.created_at >= credential.changed_at
            && it.row.created_at + SET_UP_CODE_LIFETIME > now
    };
    let mut counting = authenticators.iter().filter(counts);
    counting.find_map(|it| it.use_code(code, now))
}

impl Identity {
    /// The authenticators of a person that have not ended. One that does not verify is reported, and left out.
    pub(super) async fn authenticators_of(
        &self,
        organization: OrganizationId,
        person: PersonId,
    ) -> Result<Vec<Authenticator>, ServiceError> {
        // As many as a person can have, one that is being set up, and a set-up code.
        let limit = MAX_DEVICES + RECOVERY_CODES + 2;
        let rows = self
            .database
            .authenticators(organization, person, limit + 1);
        let rows = rows.await?;
        if rows.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
            let reason = "a person has more authenticators than can be made";
            let person = Some(person.uuid());
            return Err(Tampering::report("authenticators", reason, organization, person).into());
        }
        let mut authenticators = Vec::new();
        for row in rows {
            let Some(row) = self.keys.verify_untampered(organization, row).await? else {
                continue;
            };
            let row = row.into_inner();
            // A kind of a later release accepts no code here.
            let Some(kind) = AuthenticatorKind::of(&row.kind) else {
                continue;
            };
            let requested = Requested {
                organization,
                owner: Owner::of_organization(organization),
                row: row.row_id,
            };
            let secret = self.keys.open(requested, &row.secret).await?;
            authenticators.push(Authenticator { row, kind, secret });
        }
        Ok(authenticators)
    }
}
