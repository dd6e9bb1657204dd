//! Table `care_team_members`: the people whose permissions reach a patient's chart.
//!
//! A membership is ended by a column of its row, not by deleting the row, so that the scrubber finds by its digest a row that
//! was replaced by an older state. A person that is added again keeps the same row.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::PatientId;
use phi_types::PersonId;
use phi_types::RowId;
use time::OffsetDateTime;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure;
use crate::requested::ensure_all;

table! {
    /// A person in a patient's care team.
    pub struct CareTeamMemberRow: CARE_TEAM_MEMBERS, row row_id, select select_care_team_members {
        /// The organization.
        1 organization: OrganizationId,
        /// The patient.
        2 patient: PatientId,
        /// The member.
        3 person: PersonId,
        /// The row's id.
        4 row_id: RowId,
        /// The time at which the member was added last.
        5 added_at: OffsetDateTime,
        /// The person that added the member then.
        6 added_by: PersonId,
        /// The time at which the member was removed.
        7 ended_at: Option<OffsetDateTime>,
    }
}

impl Database {
    /// The care team of a patient, at most `limit` members, the oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn care_team(
        &self,
        organization: OrganizationId,
        patient: PatientId,
        limit: u32,
    ) -> Result<Vec<CareTeamMemberRow>, Error> {
        let records = select_care_team_members!(
            "WHERE t.organization = ? AND t.patient = ? AND t.ended_at IS NULL
             ORDER BY t.added_at, t.row_id LIMIT ?",
            organization.uuid(),
            patient.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(CareTeamMemberRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &CareTeamMemberRow| {
            row.organization == organization && row.patient == patient && row.ended_at.is_none()
        };
        ensure_all("care_team_members", rows, |row| row.person, is_requested)
    }

    /// The care teams of a person, at most `limit` in the order of the patients' ids, after the patient `after`; the nil id is
    /// before all.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn care_teams_of(
        &self,
        organization: OrganizationId,
        person: PersonId,
        after: PatientId,
        limit: u32,
    ) -> Result<Vec<CareTeamMemberRow>, Error> {
        let records = select_care_team_members!(
            "WHERE t.organization = ? AND t.person = ? AND t.patient > ? AND t.ended_at IS NULL
             ORDER BY t.patient LIMIT ?",
            organization.uuid(),
            person.uuid(),
            after.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(CareTeamMemberRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &CareTeamMemberRow| {
            row.organization == organization
                && row.person == person
                && row.patient.uuid() > after.uuid()
                && row.ended_at.is_none()
        };
        ensure_all("care_team_members", rows, |row| row.patient, is_requested)
    }
}

impl Transaction {
    /// A person's membership in a patient's care team, also one that has ended, locked until the transaction ends.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lock_care_team_member(
        &mut self,
        organization: OrganizationId,
        patient: PatientId,
        person: PersonId,
    ) -> Result<Option<CareTeamMemberRow>, Error> {
        let record = select_care_team_members!(
            "WHERE t.organization = ? AND t.patient = ? AND t.person = ? FOR UPDATE",
            organization.uuid(),
            patient.uuid(),
            person.uuid(),
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        let row = record.map(CareTeamMemberRow::try_from).transpose()?;
        row.map(|row| {
            ensure("care_team_members", row, |row| {
                row.organization == organization && row.patient == patient && row.person == person
            })
        })
        .transpose()
    }

    /// Inserts memberships.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] for a person that is or was a member of the care team.
    pub async fn insert_care_team_members(
        &mut self,
        rows: &[CareTeamMemberRow],
    ) -> Result<(), Error> {
        self.insert(rows).await
    }

    /// Ends a membership, or begins it again. Guarded: `before` is the MAC of the row as it was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row has changed.
    pub async fn update_care_team_member(
        &mut self,
        row: &CareTeamMemberRow,
        before: &[u8; 32],
    ) -> Result<(), Error> {
        let updated = sqlx::query!(
            "UPDATE care_team_members SET added_at = ?, added_by = ?, ended_at = ?, mac_key = ?, mac = ?
             WHERE organization = ? AND patient = ? AND person = ? AND mac = ?",
            row.added_at,
            row.added_by.uuid(),
            row.ended_at,
            row.mac.key().uuid(),
            &row.mac.as_bytes()[..],
            row.organization.uuid(),
            row.patient.uuid(),
            row.person.uuid(),
            &before[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Error::unless_updated(updated.rows_affected())
    }
}
