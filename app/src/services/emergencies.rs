//! Emergency access to charts outside the care team ("break-glass", 45 CFR 164.312(a)(2)(ii)): begun by a clinician with a reason,
//! for an hour, and reviewed by a privacy officer.

use access::CallerEvent;
use access::DataClass;
use access::Disclosed;
use access::List;
use access::Permitted;
use access::Record;
use access::Subject;
use access::Write;
use access::disclose;
use access::record_refused_write;
use access::record_write;
use db::Database;
use db::EmergencyAccessRow;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::PersonId;
use phi::Phi;
use phi::Requested;
use phi::RowId;
use phi::RowMac;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::limits::EMERGENCY_DURATION;
use crate::limits::MAX_EMERGENCIES;
use crate::limits::MAX_SHOWN_EMERGENCIES;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::feed::Change;
use crate::services::keys::Keys;
use crate::services::owners::ensure_patient;
use crate::services::trail::AuditTrail;
use crate::services::trail::TrailError;
use crate::services::trail::ensure_newest;
use crate::services::trail::retry_conflicts;
use crate::services::written_row::written_row;

/// The error of an emergency access or its review.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EmergencyError {
    /// The caller reaches the chart already.
    AlreadyReached,
    /// The caller has as many emergency accesses in force as are allowed.
    TooMany,
    /// The emergency access was reviewed already.
    AlreadyReviewed,
    /// The emergency access is the caller's own.
    OwnAccess,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for EmergencyError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// An emergency access, verified and opened.
#[derive(Debug)]
pub(crate) struct Emergency {
    /// Its id.
    pub(crate) id: Uuid,
    /// The patient.
    pub(crate) patient: PatientId,
    /// The person.
    pub(crate) person: PersonId,
    /// The reason that the person stated.
    pub(crate) reason: Phi<String>,
    /// The time of its beginning.
    pub(crate) began_at: OffsetDateTime,
    /// The time of its end.
    pub(crate) ends_at: OffsetDateTime,
    /// The review; none while it is open.
    pub(crate) review: Option<StoredReview>,
}

/// The review of an emergency access.
#[derive(Debug)]
pub(crate) struct StoredReview {
    /// The time of the review.
    pub(crate) at: OffsetDateTime,
    /// The reviewer.
    pub(crate) by: Option<PersonId>,
    /// Whether the access was appropriate.
    pub(crate) appropriate: bool,
    /// What the reviewer found.
    pub(crate) finding: Phi<String>,
}

/// A review to be stored.
#[derive(Debug)]
pub(crate) struct Review {
    /// Whether the access was appropriate.
    pub(crate) appropriate: bool,
    /// What the reviewer found.
    pub(crate) finding: String,
}

/// The service of emergency accesses.
#[derive(Clone, Debug)]
pub(crate) struct Emergencies {
    database: Database,
    keys: Keys,
    trail: AuditTrail,
    clock: Clock,
}

/// An emergency access to a patient's chart that a caller begins, as a subject of the policy.
pub(crate) fn emergency_subject(organization: OrganizationId, patient: PatientId) -> Subject {
    let class = DataClass::EmergencyAccess;
    Subject::of("emergency-access", class, organization).patient(patient)
}

/// The emergency accesses of an organization, as a subject of the policy for their review.
pub(crate) fn review_subject(organization: OrganizationId) -> Subject {
    Subject::of("emergency-access", DataClass::AccessReviews, organization)
}

impl Emergencies {
    /// The service over these services.
    pub(crate) fn new(database: Database, keys: Keys, trail: AuditTrail, clock: Clock) -> Self {
        Self {
            database,
            keys,
            trail,
            clock,
        }
    }

    /// Opens a patient's chart to the caller for an hour. Raises an alarm, and opens a review. Returns the end.
    ///
    /// # Errors
    ///
    /// See [`EmergencyError`]; [`ServiceError::NotFound`] for a patient of another organization.
    pub(crate) async fn begin(
        &self,
        permitted: &Permitted<'_, Write>,
        patient: PatientId,
        reason: &str,
    ) -> Result<Disclosed<OffsetDateTime>, EmergencyError> {
        let caller = permitted.caller();
        let (organization, person) = (caller.organization(), caller.person());
        ensure_patient(&self.keys, &self.database, organization, patient).await?;
        if caller.reaches_chart(patient) {
            return self.refuse(permitted, EmergencyError::AlreadyReached).await;
        }
        let now = self.clock.now();
        let person = PersonId::from_uuid(person);
        let limit = u32::try_from(MAX_EMERGENCIES).unwrap_or(u32::MAX);
        let in_force = self
            .database
            .emergency_accesses_of(organization, person, now, limit);
        if in_force.await?.len() >= MAX_EMERGENCIES {
            return self.refuse(permitted, EmergencyError::TooMany).await;
        }
        let scope = self
            .keys
            .scope(organization, Owner::of_organization(organization))
            .await?;
        let row_id = RowId::random();
        let row = EmergencyAccessRow {
            organization,
            id: RowId::random().uuid(),
            row_id,
            patient,
            person,
            reason: scope.seal(row_id, &reason.to_owned())?,
            began_at: now,
            ends_at: now + EMERGENCY_DURATION,
            reviewed_at: None,
            reviewed_by: None,
            appropriate: None,
            finding: None,
            mac: RowMac::UNSET,
        };
        let row = self
            .keys
            .authorization(organization)
            .await?
            .authenticate(row);
        let record = emergency_subject(organization, patient).id(row.id);
        let write = record_write(&self.trail, &[(permitted, record.into())]).await?;
        let row = &row;
        let inserted =
            write.commit(|event| retry_conflicts(move || self.insert(row, event.clone())));
        let (receipt, ()) = inserted.await?;
        tracing::warn!(
            security = true,
            %organization,
            person = %person.uuid(),
            emergency_access = %row.id,
            "a chart was opened outside its care team: the review is open",
        );
        Ok(receipt.disclose(row.ends_at))
    }

    async fn insert(&self, row: &EmergencyAccessRow, event: CallerEvent) -> Result<(), TrailError> {
        let event = self.trail.seal_event(event).await?;
        let event = event
            .with_rows(vec![written_row(row)])
            .with_changes(vec![Change::grant(row.person.uuid())]);
        let mut transaction = self.database.begin().await?;
        transaction.insert_emergency_access(row).await?;
        self.trail.commit_with(transaction, event).await
    }

    async fn refuse<T>(
        &self,
        permitted: &Permitted<'_, Write>,
        error: EmergencyError,
    ) -> Result<T, EmergencyError> {
        let record = Record::from(*permitted.subject());
        record_refused_write(&self.trail, permitted, &[record]).await?;
        Err(error)
    }

    /// The number of open reviews, at most [`MAX_SHOWN_EMERGENCIES`]. It is no PHI.
    pub(crate) async fn open_reviews(
        &self,
        organization: OrganizationId,
    ) -> Result<usize, ServiceError> {
        let open = self.database.open_emergency_accesses(organization, shown());
        Ok(open.await?.len())
    }

    /// At most [`MAX_SHOWN_EMERGENCIES`]: those whose review is open, the oldest first, then those reviewed last. A row that does not verify is
    /// reported, and left out.
    pub(crate) async fn list(
        &self,
        permitted: &Permitted<'_, List>,
    ) -> Result<Disclosed<Vec<Emergency>>, ServiceError> {
        let organization = permitted.caller().organization();
        let rows = self.database.emergency_accesses(organization, shown());
        let mut emergencies = Vec::new();
        for row in rows.await? {
            if let Some(row) = self.keys.verify_untampered(organization, row).await? {
                emergencies.push(self.open(&row).await?);
            }
        }
        let subject = *permitted.subject();
        let record = |it: &Emergency| Record::from(subject.patient(it.patient).id(it.id));
        let records: Vec<_> = emergencies.iter().map(record).collect();
        Ok(disclose(&self.trail, permitted, &records, emergencies).await?)
    }

    /// Stores the review of an emergency access.
    ///
    /// # Errors
    ///
    /// See [`EmergencyError`]; [`ServiceError::NotFound`] for one of another organization.
    pub(crate) async fn review(
        &self,
        permitted: &Permitted<'_, Write>,
        id: Uuid,
        review: &Review,
    ) -> Result<Disclosed<()>, EmergencyError> {
        let caller = permitted.caller();
        let organization = caller.organization();
        let stored = self.database.emergency_access(organization, id).await?;
        let stored = stored.ok_or(ServiceError::NotFound)?;
        let stored = self.keys.verify(organization, stored).await?;
        if stored.reviewed_at.is_some() {
            return self
                .refuse(permitted, EmergencyError::AlreadyReviewed)
                .await;
        }
        if stored.person.uuid() == caller.person() {
            return self.refuse(permitted, EmergencyError::OwnAccess).await;
        }
        let scope = self
            .keys
            .scope(organization, Owner::of_organization(organization))
            .await?;
        let row = EmergencyAccessRow {
            reviewed_at: Some(self.clock.now()),
            reviewed_by: Some(PersonId::from_uuid(caller.person())),
            appropriate: Some(review.appropriate),
            finding: Some(scope.seal(stored.row_id, &review.finding)?),
            ..EmergencyAccessRow::clone(&stored)
        };
        let row = self
            .keys
            .authorization(organization)
            .await?
            .authenticate(row);
        let record = permitted.subject().patient(stored.patient).id(id);
        let write = record_write(&self.trail, &[(permitted, record.into())]).await?;
        let (row, former_mac) = (&row, stored.mac.as_bytes());
        let committed = write.commit(|event| {
            retry_conflicts(move || self.store_review(row, former_mac, event.clone()))
        });
        match committed.await {
            Ok((receipt, ())) => Ok(receipt.disclose(())),
            Err(TrailError::Database(db::Error::Conflict)) => Err(ServiceError::unavailable(
                "the emergency access was reviewed at the same time",
            )
            .into()),
            Err(error) => Err(error.into()),
        }
    }

    async fn store_review(
        &self,
        row: &EmergencyAccessRow,
        former_mac: &[u8; 32],
        event: CallerEvent,
    ) -> Result<(), TrailError> {
        let event = self.trail.seal_event(event).await?;
        let event = event.with_rows(vec![written_row(row)]);
        let mut transaction = self.database.begin().await?;
        let locked = transaction.lock_emergency_access(row.organization, row.id);
        let locked = locked.await?;
        ensure_newest(&mut transaction, locked.as_ref()).await?;
        transaction.review_emergency_access(row, former_mac).await?;
        self.trail.commit_with(transaction, event).await
    }

    async fn open(&self, row: &EmergencyAccessRow) -> Result<Emergency, ServiceError> {
        let requested = Requested {
            organization: row.organization,
            owner: Owner::of_organization(row.organization),
            row: row.row_id,
        };
        let review = match (row.reviewed_at, &row.finding) {
            (Some(at), Some(finding)) => Some(StoredReview {
                at,
                by: row.reviewed_by,
                appropriate: row.appropriate.unwrap_or(false),
                finding: self.keys.open(requested, finding).await?,
            }),
            _ => None,
        };
        Ok(Emergency {
            id: row.id,
            patient: row.patient,
            person: row.person,
            reason: self.keys.open(requested, &row.reason).await?,
            began_at: row.began_at,
            ends_at: row.ends_at,
            review,
        })
    }
}

fn shown() -> u32 {
    u32::try_from(MAX_SHOWN_EMERGENCIES).unwrap_or(u32::MAX)
}
