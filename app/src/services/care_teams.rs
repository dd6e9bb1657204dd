//! The care teams of patients: the people whose permissions reach a chart where the organization limits clinicians to their
//! patients.

use access::CallerEvent;
use access::DataClass;
use access::Disclosed;
use access::List;
use access::NotPhi;
use access::Permitted;
use access::Record;
use access::Subject;
use access::Write;
use access::disclose;
use access::record_refused_write;
use access::record_write;
use db::CareTeamMemberRow;
use db::Database;
use phi::OrganizationId;
use phi::PatientId;
use phi::PersonId;
use phi::RowId;
use phi::RowMac;
use time::OffsetDateTime;

use crate::limits::MAX_CARE_TEAM_MEMBERS;
use crate::services::callers::is_limited_to_care_teams;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::keys::Keys;
use crate::services::owners::ensure_patient;
use crate::services::trail::AuditTrail;
use crate::services::trail::TrailError;
use crate::services::trail::ensure_newest;
use crate::services::trail::retry_conflicts;
use crate::services::written_row::written_row;

/// The error of a change of a care team.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CareTeamError {
    /// The person is not an active clinician of the organization.
    NotAClinician,
    /// The care team has as many members as are allowed.
    Full,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for CareTeamError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// A member of a care team.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// The person.
    pub(crate) person: PersonId,
    /// The time at which the person was added.
    pub(crate) added_at: OffsetDateTime,
}

/// The service of care teams.
#[derive(Clone, Debug)]
pub(crate) struct CareTeams {
    database: Database,
    keys: Keys,
    trail: AuditTrail,
}

/// The care team of a patient, as a subject of the policy.
pub(crate) fn care_team_subject(organization: OrganizationId, patient: PatientId) -> Subject {
    Subject::of("care-team", DataClass::CareTeams, organization).patient(patient)
}

/// The membership of a person that begins now.
pub(crate) fn new_member(
    (organization, patient): (OrganizationId, PatientId),
    person: PersonId,
    added_by: PersonId,
    now: OffsetDateTime,
) -> CareTeamMemberRow {
    CareTeamMemberRow {
        organization,
        patient,
        person,
        row_id: RowId::random(),
        added_at: now,
        added_by,
        ended_at: None,
        mac: RowMac::UNSET,
    }
}

impl CareTeams {
    /// The service over these services.
    pub(crate) fn new(database: Database, keys: Keys, trail: AuditTrail) -> Self {
        Self {
            database,
            keys,
            trail,
        }
    }

    /// The members of a patient's care team, the oldest first. A row that does not verify is reported, and left out.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] for a patient of another organization.
    pub(crate) async fn members(
        &self,
        permitted: &Permitted<'_, List>,
        patient: PatientId,
    ) -> Result<Disclosed<Vec<Member>>, ServiceError> {
        let organization = permitted.caller().organization();
        ensure_patient(&self.keys, &self.database, organization, patient).await?;
        let mut members = Vec::new();
        for row in self.rows(organization, patient).await? {
            let row = self.keys.verify_untampered(organization, row).await?;
            members.extend(row.map(|row| Member {
                person: row.person,
                added_at: row.added_at,
            }));
        }
        let record = Record::from(care_team_subject(organization, patient));
        Ok(disclose(&self.trail, permitted, &[record], members).await?)
    }

    /// Adds a clinician to a patient's care team. Has no effect if the clinician is a member.
    ///
    /// # Errors
    ///
    /// See [`CareTeamError`]; [`ServiceError::NotFound`] for a patient of another organization.
    pub(crate) async fn add(
        &self,
        permitted: &Permitted<'_, Write>,
        patient: PatientId,
        person: PersonId,
    ) -> Result<Disclosed<()>, CareTeamError> {
        let organization = permitted.caller().organization();
        ensure_patient(&self.keys, &self.database, organization, patient).await?;
        if !self.is_clinician(organization, person).await? {
            return self.refuse(permitted, CareTeamError::NotAClinician).await;
        }
        if self.rows(organization, patient).await?.len() >= MAX_CARE_TEAM_MEMBERS {
            return self.refuse(permitted, CareTeamError::Full).await;
        }
        Ok(self.set(permitted, (patient, person), true).await?)
    }

    /// Removes a person from a patient's care team. Has no effect if the person is not a member.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub(crate) async fn remove(
        &self,
        permitted: &Permitted<'_, Write>,
        patient: PatientId,
        person: PersonId,
    ) -> Result<Disclosed<()>, ServiceError> {
        let organization = permitted.caller().organization();
        ensure_patient(&self.keys, &self.database, organization, patient).await?;
        self.set(permitted, (patient, person), false).await
    }

    async fn refuse<T>(
        &self,
        permitted: &Permitted<'_, Write>,
        error: CareTeamError,
    ) -> Result<T, CareTeamError> {
        let record = Record::from(*permitted.subject());
        record_refused_write(&self.trail, permitted, &[record]).await?;
        Err(error)
    }

    async fn rows(
        &self,
        organization: OrganizationId,
        patient: PatientId,
    ) -> Result<Vec<CareTeamMemberRow>, ServiceError> {
        let limit = u32::try_from(MAX_CARE_TEAM_MEMBERS).unwrap_or(u32::MAX);
        Ok(self
            .database
            .care_team(organization, patient, limit)
            .await?)
    }

    /// Whether a person is active and has a role that care teams limit.
    async fn is_clinician(
        &self,
        organization: OrganizationId,
        person: PersonId,
    ) -> Result<bool, ServiceError> {
        let Some(row) = self.database.person(organization, person).await? else {
            return Ok(false);
        };
        let row = self.keys.verify(organization, row).await?;
        Ok(row.active && is_limited_to_care_teams(&row.role))
    }

    /// Begins or ends a membership, in one transaction with the caller's event.
    async fn set(
        &self,
        permitted: &Permitted<'_, Write>,
        (patient, person): (PatientId, PersonId),
        is_member: bool,
    ) -> Result<Disclosed<()>, ServiceError> {
        let organization = permitted.caller().organization();
        let by = PersonId::from_uuid(permitted.caller().person());
        let record = care_team_subject(organization, patient).id(person.uuid());
        let write = record_write(&self.trail, &[(permitted, record.into())]).await?;
        let at = write.at();
        let new = &CareTeamMemberRow {
            ended_at: (!is_member).then_some(at),
            ..new_member((organization, patient), person, by, at)
        };
        let stored = write.commit(async |event: CallerEvent| {
            let is_changed = retry_conflicts(move || self.commit(new, event.clone())).await?;
            is_changed.then_some(()).ok_or(StoreError::Unchanged)
        });
        match stored.await {
            Ok((receipt, ())) => Ok(receipt.disclose(())),
            Err(StoreError::Unchanged) => Ok(NotPhi::new(()).into()),
            Err(StoreError::Trail(TrailError::Database(db::Error::Conflict))) => {
                let cause = "the care team was changed at the same time";
                Err(ServiceError::unavailable(cause))
            }
            Err(StoreError::Trail(error)) => Err(error.into()),
        }
    }

    /// Stores a membership, in place of the person's former one. Returns whether it was changed.
    async fn commit(
        &self,
        new: &CareTeamMemberRow,
        event: CallerEvent,
    ) -> Result<bool, TrailError> {
        let (organization, person) = (new.organization, new.person);
        let event = self.trail.seal_event(event).await?;
        let key = self.keys.authorization(organization).await?;
        let mut transaction = self.database.begin().await?;
        let stored = transaction.lock_care_team_member(organization, new.patient, person);
        let row = match stored.await? {
            Some(stored) if stored.ended_at.is_none() == new.ended_at.is_none() => {
                transaction.rollback().await?;
                return Ok(false);
            }
            Some(stored) => {
                let former_mac = *stored.mac.as_bytes();
                let stored = self.keys.verify(organization, stored).await?;
                ensure_newest(&mut transaction, Some(&*stored)).await?;
                let row = key.authenticate(CareTeamMemberRow {
                    row_id: stored.row_id,
                    ..new.clone()
                });
                transaction
                    .update_care_team_member(&row, &former_mac)
                    .await?;
                row
            }
            None if new.ended_at.is_some() => {
                transaction.rollback().await?;
                return Ok(false);
            }
            None => {
                let row = key.authenticate(new.clone());
                let rows = std::slice::from_ref(&row);
                match transaction.insert_care_team_members(rows).await {
                    // Inserted by a concurrent transaction.
                    Err(db::Error::UniqueViolation(_)) => return Err(db::Error::Conflict.into()),
                    inserted => inserted?,
                }
                row
            }
        };
        let event = event
            .with_rows(vec![written_row(&row)])
            .with_changes(vec![Change::grant(person.uuid())]);
        self.trail.commit_with(transaction, event).await?;
        Ok(true)
    }
}

/// The error of a transaction.
enum StoreError {
    /// The membership is as requested already.
    Unchanged,
    /// Another failure.
    Trail(TrailError),
}

impl<E: Into<TrailError>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Trail(error.into())
    }
}
