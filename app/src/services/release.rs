//! The release floor: verified before every write, and raised when an upgrade is finished.

use audit::Action;
use db::Database;
use db::FloorError;
use db::FloorVerifier;
use db::RELEASE;
use db::ReleaseFloorRow;
use db::Verification;
use phi::AuthorizationKey;
use phi::OpenError;
use phi::OrganizationId;
use phi::RowId;
use phi::RowMac;
use phi::Tampering;
use phi::Verified;
use phi::tables;
use time::OffsetDateTime;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use crate::services::trail::AuditTrail;
use crate::services::trail::system_event;
use crate::services::written_row::written_row;

/// The verifier of the release floor, with the system's authorization keys.
#[derive(Debug)]
pub(crate) struct SystemFloorVerifier(Keys);

impl SystemFloorVerifier {
    /// The verifier with these keys.
    pub(crate) const fn new(keys: Keys) -> Self {
        Self(keys)
    }

    /// The error for a missing floor. A stack without keys is not set up yet; in one with keys the
    /// floor was hidden.
    async fn missing_floor(&self) -> FloorError {
        match self.0.authorization(OrganizationId::SYSTEM).await {
            Ok(_) => tampered("the release floor is missing", None),
            Err(_) => FloorError::Unverifiable,
        }
    }
}

impl FloorVerifier for SystemFloorVerifier {
    fn verify(&self, stored: Option<ReleaseFloorRow>, known: u32) -> Verification<'_> {
        Box::pin(async move {
            let Some(row) = stored else {
                return Err(self.missing_floor().await);
            };
            let row = match self.0.verify(OrganizationId::SYSTEM, row).await {
                Ok(row) => Verified::into_inner(row),
                Err(OpenError::Tampered(_)) => return Err(FloorError::Tampered),
                Err(OpenError::Key(error)) => {
                    tracing::warn!(%error, "the key of the release floor cannot be used");
                    return Err(FloorError::Unverifiable);
                }
            };
            if row.lowest < known {
                let reason = "the release floor was put back to a lower one";
                return Err(tampered(reason, Some(row.row_id)));
            }
            Ok(row)
        })
    }
}

fn tampered(reason: &'static str, row: Option<RowId>) -> FloorError {
    let table = tables::RELEASE_FLOOR.name;
    let row = row.map(RowId::uuid);
    let _tampering = Tampering::report(table, reason, OrganizationId::SYSTEM, row);
    FloorError::Tampered
}

/// The floor of a new system: this build's release, since no other build has written anything.
pub(crate) fn first_floor(key: &AuthorizationKey, now: OffsetDateTime) -> ReleaseFloorRow {
    key.authenticate(ReleaseFloorRow {
        organization: OrganizationId::SYSTEM,
        row_id: RowId::random(),
        lowest: RELEASE,
        raised_at: now,
        mac: RowMac::UNSET,
    })
}

/// The release service.
#[derive(Clone, Debug)]
pub(crate) struct Releases {
    database: Database,
    keys: Keys,
    trail: AuditTrail,
    clock: Clock,
}

/// The outcome of finishing an upgrade.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FinishOutcome {
    /// The floor was raised from this release to this build's.
    Raised(u32),
    /// The floor was this build's release already.
    AlreadyRaised,
}

impl Releases {
    /// The service over these services.
    pub(crate) const fn new(
        database: Database,
        keys: Keys,
        trail: AuditTrail,
        clock: Clock,
    ) -> Self {
        Self {
            database,
            keys,
            trail,
            clock,
        }
    }

    /// Raises the floor to this build's release, and records that. Builds of earlier releases can
    /// no longer write; this cannot be undone.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if the floor is above this build, or another process raises it
    /// now.
    pub(crate) async fn finish(&self) -> Result<FinishOutcome, ServiceError> {
        self.database.check_floor().await?;
        let row = self.database.release_floor().await?;
        let row = row.ok_or_else(|| ServiceError::unavailable(FloorError::Tampered))?;
        let row = self.keys.verify(OrganizationId::SYSTEM, row).await?;
        if row.lowest >= RELEASE {
            return Ok(FinishOutcome::AlreadyRaised);
        }
        let (former_mac, former) = (*row.mac.as_bytes(), row.lowest);
        let now = self.clock.now();
        let key = self.keys.authorization(OrganizationId::SYSTEM).await?;
        let raised = key.authenticate(ReleaseFloorRow {
            lowest: RELEASE,
            raised_at: now,
            ..row.into_inner()
        });
        let event = system_event(OrganizationId::SYSTEM, now, Action::FinishUpgrade);
        let event = self.trail.seal(OrganizationId::SYSTEM, None, event).await?;
        let event = event.with_rows(vec![written_row(&raised)]);
        let mut transaction = self.database.begin().await?;
        transaction
            .raise_release_floor(&raised, &former_mac)
            .await?;
        self.trail.commit_with(transaction, event).await?;
        Ok(FinishOutcome::Raised(former))
    }
}
