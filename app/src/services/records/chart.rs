//! Reads of a patient's whole chart, compared with the set of its heads. What is damaged or hidden is
//! listed beside the rest.

use access::Disclosed;
use access::Permitted;
use access::Read;
use access::Record;
use access::Unsuccessful;
use access::disclose;
use access::disclose_partial;
use access::record_unsuccessful;
use db::CurrentVersion;
use db::OwnedPosition;
use db::StoredHead;
use phi::Head;
use phi::HeadSet;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Tampering;
use uuid::Uuid;

use super::Records;
use super::StoredResource;
use super::batch_read::OwnedBatch;
use super::chart_subject;
use super::damage::DamagedRecord;
use super::damage::undamaged;
use super::ensure_all_fields;
use super::open::OpenVersion;
use crate::limits::LENGTHS_PER_STATEMENT;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::owners::HeadDifference;
use crate::services::owners::OpenOwner;
use crate::services::read_batch::ReadBatch;
use fhir::ResourceType;
use fhir::Summary;

/// Maximum attempts to read a chart while it is written.
const MAX_ATTEMPTS: usize = 5;

/// The current resources of a patient.
pub(crate) struct Chart {
    /// The Patient; none if it is damaged or missing.
    pub(crate) patient: Option<StoredResource>,
    /// Summaries of the other resources, in no particular order.
    pub(crate) records: Vec<(ResourceType, Summary)>,
    /// The resources that could not be opened, by type and id.
    pub(crate) damaged: Vec<DamagedRecord>,
    /// The types of which the stored heads are not those of the owner's set: resources are hidden,
    /// or not current.
    pub(crate) differences: Vec<HeadDifference>,
    /// The memory of the summaries, and of the page with them.
    pub(crate) reserved: Reservation,
}

impl Chart {
    /// Whether everything that the patient's record has is shown, in its current version.
    pub(crate) fn is_complete(&self) -> bool {
        self.patient.is_some() && self.damaged.is_empty() && self.differences.is_empty()
    }
}

impl Records {
    /// A patient's chart. The audit event names the chart, not the page of it that is shown; a
    /// second one the resources that could not be opened.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also for a patient of another organization;
    /// [`ServiceError::ResponseTooLarge`] for a chart whose summaries take more memory than a
    /// caller may use; [`ServiceError::Internal`] without the owner's row, which could forbid the
    /// disclosure. These attempts are recorded.
    pub(crate) async fn chart(
        &self,
        permitted: &Permitted<'_, Read>,
        patient: PatientId,
    ) -> Result<Disclosed<Chart>, ServiceError> {
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let chart = self.whole_chart(organization, caller, patient).await;
        if let Err(ServiceError::ResponseTooLarge | ServiceError::Internal) = &chart {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::Failed).await?;
        }
        let Some(chart) = chart? else {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::NotFound).await?;
            return Err(ServiceError::NotFound);
        };
        let subject = chart_subject(organization).patient(patient);
        let records = [Record::from(subject.id(patient.uuid()))];
        if chart.is_complete() {
            return Ok(disclose(&self.trail, permitted, &records, chart).await?);
        }
        let damaged = chart.damaged.iter();
        let damaged: Vec<_> = damaged.map(|it| it.record(organization, patient)).collect();
        let partial = disclose_partial(&self.trail, permitted, &records, &damaged, chart);
        Ok(partial.await?)
    }

    /// The chart, compared with the owner's set of heads: a resource that is hidden or was put back
    /// to an older version is found. None if neither the owner nor any resource of the patient
    /// exists, or the Patient is deleted.
    async fn whole_chart(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        patient: PatientId,
    ) -> Result<Option<Chart>, ServiceError> {
        let owner = Owner::Patient(patient);
        let mut row = self.database.owner(organization, &owner).await?;
        for _ in 0..MAX_ATTEMPTS {
            if row.is_none() {
                let start = OwnedPosition::default();
                let any = self
                    .database
                    .version_lengths_of(organization, &owner, &start, 1);
                if any.await?.is_empty() {
                    return Ok(None);
                }
                // The owner was created between the two statements, or its row is hidden: then it
                // cannot be opened.
                row = self.database.owner(organization, &owner).await?;
            }
            let mac = row.as_ref().map(|row| *row.mac.as_bytes());
            let open = OpenOwner::open(&self.keys, organization, owner, row).await?;
            let read = self.summarize(organization, caller, owner, &open).await?;
            if open.has_set(&read.heads) {
                return Ok((!read.is_deleted).then(|| read.into_chart(Vec::new())));
            }
            // Any write changes the owner's row, too: with the same row, no write explains the
            // difference.
            row = self.database.owner(organization, &owner).await?;
            if row.as_ref().map(|row| *row.mac.as_bytes()) == mac {
                let reason = "the heads of a chart do not match the set of their owner";
                let id = Some(patient.uuid());
                let _reported = Tampering::report("resources", reason, organization, id);
                let differences = open.differences(&read.heads);
                return Ok(Some(read.into_chart(differences)));
            }
        }
        Err(ServiceError::unavailable(
            "too many concurrent writes of the chart",
        ))
    }

    /// Reads and opens the versions of one owner, a batch at a time, and keeps only a summary of
    /// each: a chart may have any length, and the JSON trees of its resources take many times as
    /// much.
    async fn summarize(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        owner: Owner,
        open: &OpenOwner,
    ) -> Result<ChartBuilder, ServiceError> {
        let mut builder = ChartBuilder {
            patient: None,
            is_deleted: false,
            records: Vec::new(),
            damaged: Vec::new(),
            heads: HeadSet::default(),
            reserved: self.memory.reserve(caller, 0)?,
        };
        let mut after = OwnedPosition::default();
        'read: loop {
            let lengths = self.database.version_lengths_of(
                organization,
                &owner,
                &after,
                LENGTHS_PER_STATEMENT,
            );
            let lengths = lengths.await?;
            let mut rest = lengths.as_slice();
            if rest.is_empty() {
                break;
            }
            while let Some(batch) = ReadBatch::first(rest, usize::MAX) {
                rest = rest.get(batch.rows..).unwrap_or_default();
                let read = self
                    .read_owned(organization, caller, &owner, &after, batch)
                    .await?;
                let Some(last) = read.last_position() else {
                    // Rows that had a length and are missing now: the comparison with the owner's
                    // set decides.
                    break 'read;
                };
                after = last;
                self.add_summaries(organization, caller, owner, open, read, &mut builder)
                    .await?;
            }
        }
        Ok(builder)
    }

    /// Opens a batch of versions and adds their summaries. Their keys are loaded together first.
    async fn add_summaries(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        owner: Owner,
        open: &OpenOwner,
        read: OwnedBatch,
        builder: &mut ChartBuilder,
    ) -> Result<(), ServiceError> {
        for StoredHead {
            kind,
            id,
            version,
            version_digest: digest,
        } in &read.unreadable
        {
            let (id, version, digest) = (*id, *version, *digest);
            let head = Head {
                kind,
                id,
                version,
                digest,
            };
            open.add_head(&mut builder.heads, head);
            self.add_damaged(builder, kind, id)?;
        }
        let keys = read.sealed.rows.iter();
        let keys = keys.filter_map(|it| Some((owner, it.version.body.key_id()?)));
        let keys: Vec<_> = keys.collect();
        self.keys.prefetch(organization, keys).await?;
        // The rows' memory stays reserved until all are opened.
        let (rows, _reserved) = read.sealed.into_parts();
        for version in rows {
            // Also the claimed head of a damaged resource: only the genuine one makes the set equal
            // to the owner's.
            let (kind, id) = (version.head.kind.clone(), version.head.id);
            open.add_head(&mut builder.heads, claimed_head(&version));
            let open = self.open_current(organization, caller, version).await;
            let stored = match undamaged(open)? {
                Some(OpenVersion::Live(stored)) => stored,
                Some(OpenVersion::Deleted(_)) => {
                    builder.is_deleted |= kind == ResourceType::Patient.name();
                    continue;
                }
                None => {
                    self.add_damaged(builder, &kind, id)?;
                    continue;
                }
            };
            let resource_type = stored.resource.resource_type();
            if resource_type == ResourceType::Patient {
                builder.patient = Some(stored);
                continue;
            }
            let summary = Summary::of(&stored.resource);
            self.grow(&mut builder.reserved, summary_bytes(&summary))?;
            builder.records.push((resource_type, summary));
        }
        Ok(())
    }

    /// Adds a resource that could not be opened.
    fn add_damaged(
        &self,
        builder: &mut ChartBuilder,
        kind: &str,
        id: Uuid,
    ) -> Result<(), ServiceError> {
        self.grow(&mut builder.reserved, DAMAGED_BYTES)?;
        builder.damaged.push(DamagedRecord::new(kind, id));
        Ok(())
    }
}

/// The head that the database claims for a version.
fn claimed_head(current: &CurrentVersion) -> Head<'_> {
    Head {
        kind: &current.head.kind,
        id: current.head.id,
        version: current.head.version,
        digest: current.head.version_digest,
    }
}

/// A chart that is being read.
struct ChartBuilder {
    patient: Option<StoredResource>,
    /// Whether the Patient is deleted.
    is_deleted: bool,
    records: Vec<(ResourceType, Summary)>,
    damaged: Vec<DamagedRecord>,
    /// The heads of all resources that were read, damaged ones included.
    heads: HeadSet,
    /// The memory of the summaries.
    reserved: Reservation,
}

impl ChartBuilder {
    /// The chart.
    fn into_chart(self, differences: Vec<HeadDifference>) -> Chart {
        Chart {
            patient: self.patient,
            records: self.records,
            damaged: self.damaged,
            differences,
            reserved: self.reserved,
        }
    }
}

/// The memory of a damaged resource in the list, in the audit event and on the page, in bytes.
const DAMAGED_BYTES: usize = 1_000;

/// The memory of a summary, in bytes: its texts, its element of a list that doubles when it grows,
/// and its element of the timeline that is built from the list.
fn summary_bytes(summary: &Summary) -> usize {
    let texts = [&summary.title, &summary.detail].map(String::capacity);
    let date = summary.date.as_ref().map_or(0, String::capacity);
    texts.iter().sum::<usize>() + date + 3 * size_of::<(ResourceType, Summary)>()
}
