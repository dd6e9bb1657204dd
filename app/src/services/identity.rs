//! Person authentication (45 CFR 164.312(d)): people, passwords, passkeys, sessions and bearer tokens.
//!
//! Every row that is read here decides access, so each is verified before it is used. A row that
//! does not verify is reported as tampering, and authenticates no caller.

mod account;
mod account_change;
mod administration;
mod authenticator_apps;
mod authenticator_changes;
mod authenticators;
mod client;
mod client_assertion;
mod hashing;
mod machine_clients;
mod own_devices;
mod own_sessions;
mod passkey_challenges;
mod passkey_use;
mod passkeys;
mod password;
mod password_change;
mod password_rules;
mod people;
mod session;
mod session_renewal;
mod set_up;
mod standing;
mod step_up;
mod throttle;

use access::Role;
use db::Database;
use db::PersonRow;
use phi::Verified;
use phi::passkey::RelyingParty;

use crate::limits::sign_in::CLEANUP_ROWS_PER_STATEMENT;
use crate::limits::sign_in::MAX_CLEANUP_STATEMENTS;
use crate::services::blind_indexes::BlindIndexes;
use crate::services::callers::Callers;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use crate::services::trail::AuditTrail;
use hashing::HashingQueue;
use passkey_challenges::PasskeyChallenges;
use throttle::LoginThrottle;

pub(crate) use account::Account;
pub(crate) use administration::AdministrationError;
pub(crate) use administration::Invitation;
pub(crate) use administration::PersonChange;
pub(crate) use administration::PersonSetUp;
pub(crate) use authenticator_apps::NewAuthenticator;
pub(crate) use authenticator_changes::AuthenticatorChangeError;
pub(crate) use client::ClientPrefix;
pub(crate) use client_assertion::ClientError;
pub(crate) use client_assertion::ClientRequest;
pub(crate) use client_assertion::VerifiedClient;
pub(crate) use machine_clients::ClientChange;
pub(crate) use machine_clients::MachineClient;
pub(crate) use machine_clients::NewClient;
pub(crate) use own_devices::DeviceKind;
pub(crate) use own_devices::OwnAuthenticators;
pub(crate) use own_devices::OwnDevice;
pub(crate) use own_sessions::OwnSession;
pub(crate) use password::Credentials;
pub(crate) use password::CredentialsError;
pub(crate) use password::VerifiedCredentials;
pub(crate) use password_change::PasswordChangeError;
pub(crate) use password_rules::WeakPassword;
pub(crate) use people::Colleague;
pub(crate) use people::NewPerson;
pub(crate) use people::Person;
pub(crate) use people::own_account;
pub(crate) use session::CLIENT_TOKEN_LIFETIME;
pub(crate) use session::NewSession;
pub(crate) use session_renewal::SessionRenewal;
pub(crate) use set_up::SetUp;
pub(crate) use set_up::SetUpError;
pub(crate) use throttle::LimiterId;

/// The identity service.
#[derive(Debug)]
pub(crate) struct Identity {
    database: Database,
    keys: Keys,
    indexes: BlindIndexes,
    trail: AuditTrail,
    callers: Callers,
    clock: Clock,
    throttle: LoginThrottle,
    hashing: HashingQueue,
    relying_party: RelyingParty,
    challenges: PasskeyChallenges,
}

/// An active person, whose row was verified.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// The person's row.
    pub(crate) row: Verified<PersonRow>,
    /// The role in the row.
    pub(crate) role: Role,
}

impl Identity {
    /// The service over these services, for pages of this origin.
    pub(crate) fn new(
        database: Database,
        keys: Keys,
        indexes: BlindIndexes,
        trail: AuditTrail,
        callers: Callers,
        clock: Clock,
        origin: &str,
    ) -> Self {
        Self {
            challenges: PasskeyChallenges::new(keys.clone(), clock),
            relying_party: RelyingParty::new(origin, product::TITLE),
            throttle: LoginThrottle::new(database.clone(), keys.clone(), clock),
            hashing: HashingQueue::new(),
            database,
            keys,
            indexes,
            trail,
            callers,
            clock,
        }
    }

    /// Deletes the rows that sign-in no longer reads.
    pub(crate) async fn clean_up(&self) -> Result<(), db::Error> {
        self.throttle.clean_up().await?;
        for _ in 0..MAX_CLEANUP_STATEMENTS {
            let page = CLEANUP_ROWS_PER_STATEMENT;
            let now = self.clock.now();
            let deleted = self.database.delete_assertions_expired_before(now, page);
            if deleted.await? < u64::from(page) {
                break;
            }
        }
        Ok(())
    }

    /// The principal of a person's row, if the row verifies and the person is active.
    async fn principal(&self, row: PersonRow) -> Result<Option<Principal>, ServiceError> {
        let row = self.keys.verify_untampered(row.organization, row).await?;
        let principal = row.filter(|row| row.active).and_then(|row| {
            let role = row.role.parse().ok()?;
            Some(Principal { row, role })
        });
        Ok(principal)
    }
}
