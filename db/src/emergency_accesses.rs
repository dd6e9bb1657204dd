//! Table `emergency_accesses`: charts that a person opened outside the care team, with the reason and the review.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::PatientId;
use phi_types::PersonId;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::EmergencyFinding;
use phi_types::columns::EmergencyReason;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;
use crate::requested::ensure_all;

table! {
    /// An emergency access of a person to a chart.
    pub struct EmergencyAccessRow: EMERGENCY_ACCESSES, row row_id, select select_emergency_accesses {
        /// The organization.
        1 organization: OrganizationId,
        /// The emergency access.
        2 id: Uuid,
        /// The row's id, to which the sealed columns are bound.
        3 row_id: RowId,
        /// The patient.
        4 patient: PatientId,
        /// The person.
        5 person: PersonId,
        /// The reason that the person stated, sealed in organization scope.
        6 reason: Sealed<EmergencyReason>,
        /// The time of its beginning.
        7 began_at: OffsetDateTime,
        /// The time of its end.
        8 ends_at: OffsetDateTime,
        /// The time of its review; none while that is open.
        9 reviewed_at: Option<OffsetDateTime>,
        /// The person that reviewed it.
        10 reviewed_by: Option<PersonId>,
        /// Whether the review found it appropriate.
        11 appropriate: Option<bool>,
        /// What the review found, sealed in organization scope.
        12 finding: Option<Sealed<EmergencyFinding>>,
    }
}

impl Database {
    /// An emergency access of an organization.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn emergency_access(
        &self,
        organization: OrganizationId,
        id: Uuid,
    ) -> Result<Option<EmergencyAccessRow>, Error> {
        let record = select_emergency_accesses!(
            "WHERE t.organization = ? AND t.id = ?",
            organization.uuid(),
            id,
        )
        .fetch_optional(&self.pool)
        .await?;
        let row = record.map(EmergencyAccessRow::try_from).transpose()?;
        row.map(|row| {
            ensure("emergency_accesses", row, |row| {
                row.organization == organization && row.id == id
            })
        })
        .transpose()
    }

    /// The emergency accesses of a person that have not ended at `now`, at most `limit`, the newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn emergency_accesses_of(
        &self,
        organization: OrganizationId,
        person: PersonId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<EmergencyAccessRow>, Error> {
        let records = select_emergency_accesses!(
            "WHERE t.organization = ? AND t.person = ? AND t.ends_at > ?
             ORDER BY t.began_at DESC, t.id LIMIT ?",
            organization.uuid(),
            person.uuid(),
            now,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(EmergencyAccessRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &EmergencyAccessRow| {
            row.organization == organization && row.person == person && row.ends_at > now
        };
        ensure_all("emergency_accesses", rows, |row| row.id, is_requested)
    }

    /// The emergency accesses of an organization whose review is open, at most `limit`, the oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open_emergency_accesses(
        &self,
        organization: OrganizationId,
        limit: u32,
    ) -> Result<Vec<EmergencyAccessRow>, Error> {
        let records = select_emergency_accesses!(
            "WHERE t.organization = ? AND t.reviewed_at IS NULL ORDER BY t.began_at, t.id LIMIT ?",
            organization.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(EmergencyAccessRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &EmergencyAccessRow| {
            row.organization == organization && row.reviewed_at.is_none()
        };
        ensure_all("emergency_accesses", rows, |row| row.id, is_requested)
    }

    /// The emergency accesses of an organization, at most `limit`: those whose review is open, the oldest first, then those
    /// reviewed last.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn emergency_accesses(
        &self,
        organization: OrganizationId,
        limit: u32,
    ) -> Result<Vec<EmergencyAccessRow>, Error> {
        let records = select_emergency_accesses!(
            "WHERE t.organization = ?
             ORDER BY t.reviewed_at IS NOT NULL, t.reviewed_at DESC, t.began_at, t.id LIMIT ?",
            organization.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(EmergencyAccessRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &EmergencyAccessRow| row.organization == organization;
        ensure_all("emergency_accesses", rows, |row| row.id, is_requested)
    }
}

impl Transaction {
    /// An emergency access, locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_emergency_access(
        &mut self,
        organization: OrganizationId,
        id: Uuid,
    ) -> Result<Option<EmergencyAccessRow>, Error> {
        let record = select_emergency_accesses!(
            "WHERE t.organization = ? AND t.id = ? FOR UPDATE",
            organization.uuid(),
            id,
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        let row = record.map(EmergencyAccessRow::try_from).transpose()?;
        row.map(|row| {
            ensure("emergency_accesses", row, |row| {
                row.organization == organization && row.id == id
            })
        })
        .transpose()
    }

    /// Inserts an emergency access.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn insert_emergency_access(&mut self, row: &EmergencyAccessRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }

    /// Stores the review of an emergency access. Guarded: `before` is the MAC of the row as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn review_emergency_access(
        &mut self,
        row: &EmergencyAccessRow,
        before: &[u8; 32],
    ) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE emergency_accesses
             SET reviewed_at = ?, reviewed_by = ?, appropriate = ?, finding = ?, mac_key = ?, mac = ?
             WHERE organization = ? AND id = ? AND mac = ?",
            row.reviewed_at,
            row.reviewed_by.map(PersonId::uuid),
            row.appropriate,
            row.finding.as_ref().map(Sealed::as_bytes),
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            row.id,
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}
