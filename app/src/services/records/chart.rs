//! Reads of a patient's whole chart, verified to be complete.

use access::Disclosed;
use access::Permitted;
use access::Read;
use access::Record;
use access::Unsuccessful;
use access::disclose;
use access::record_unsuccessful;
use db::OwnedPosition;
use phi::HeadSet;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Tampering;

use super::Records;
use super::StoredResource;
use super::batch_read::SealedBatch;
use super::chart_subject;
use super::ensure_all_fields;
use super::head_of;
use crate::limits::LENGTHS_PER_STATEMENT;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;
use crate::services::read_batch::ReadBatch;
use fhir::ResourceType;
use fhir::Summary;

/// Maximum attempts to read a chart while it is written.
const MAX_ATTEMPTS: usize = 5;

/// The current resources of a patient.
pub(crate) struct Chart {
    /// The Patient.
    pub(crate) patient: StoredResource,
    /// Summaries of the other resources, in no particular order.
    pub(crate) records: Vec<(ResourceType, Summary)>,
    /// The memory of the summaries, and of the page with them.
    pub(crate) reserved: Reservation,
}

impl Records {
    /// A patient's chart. The audit event names the chart, not the page of it that is shown.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also for a patient of another organization;
    /// [`ServiceError::ResponseTooLarge`] for a chart whose summaries take more memory than a
    /// caller may use. Both attempts are recorded.
    pub(crate) async fn chart(
        &self,
        permitted: &Permitted<'_, Read>,
        patient: PatientId,
    ) -> Result<Disclosed<Chart>, ServiceError> {
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let chart = self.complete_chart(organization, caller, patient).await;
        if chart.as_ref().err() == Some(&ServiceError::ResponseTooLarge) {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::Failed).await?;
        }
        let Some(chart) = chart? else {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::NotFound).await?;
            return Err(ServiceError::NotFound);
        };
        let subject = chart_subject(organization).patient(patient);
        let record = Record::from(subject.id(patient.uuid()));
        Ok(disclose(&self.trail, permitted, &[record], chart).await?)
    }

    /// The chart, verified by the owner's set of heads: a resource that is hidden or was put back
    /// to an older version is found. None if neither the owner nor any resource of the patient
    /// exists.
    async fn complete_chart(
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
                return Ok(Some(read.into_chart().ok_or(ServiceError::NotFound)?));
            }
            // Any write changes the owner's row, too: with the same row, no write explains the
            // difference.
            row = self.database.owner(organization, &owner).await?;
            if row.as_ref().map(|row| *row.mac.as_bytes()) == mac {
                let reason = "the heads of a chart do not match the set of their owner";
                let id = Some(patient.uuid());
                return Err(Tampering::report("resources", reason, organization, id).into());
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
            records: Vec::new(),
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
                // Rows that had a length and are missing now: the comparison with the owner's set
                // decides.
                let Some(last) = read.rows.last() else {
                    break 'read;
                };
                after = OwnedPosition::of(&last.head);
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
        read: SealedBatch,
        builder: &mut ChartBuilder,
    ) -> Result<(), ServiceError> {
        let keys = read.rows.iter();
        let keys = keys.filter_map(|it| Some((owner, it.version.body.key_id()?)));
        let keys: Vec<_> = keys.collect();
        self.keys.prefetch(organization, keys).await?;
        // The rows' memory stays reserved until all are opened.
        let (rows, _reserved) = read.into_parts();
        for version in rows {
            let stored = self.open(organization, caller, version).await?;
            let resource_type = stored.resource.resource_type();
            let id = stored.resource.id().unwrap_or_default();
            let head = head_of(resource_type.name(), id, &stored);
            open.add_head(&mut builder.heads, head);
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
}

/// A chart that is being read.
struct ChartBuilder {
    patient: Option<StoredResource>,
    records: Vec<(ResourceType, Summary)>,
    /// The heads of all resources that were read.
    heads: HeadSet,
    /// The memory of the summaries.
    reserved: Reservation,
}

impl ChartBuilder {
    /// The chart; none without a Patient.
    fn into_chart(self) -> Option<Chart> {
        Some(Chart {
            patient: self.patient?,
            records: self.records,
            reserved: self.reserved,
        })
    }
}

/// The memory of a summary, in bytes: its texts, its element of a list that doubles when it grows,
/// and its element of the timeline that is built from the list.
fn summary_bytes(summary: &Summary) -> usize {
    let texts = [&summary.title, &summary.detail].map(String::capacity);
    let date = summary.date.as_ref().map_or(0, String::capacity);
    texts.iter().sum::<usize>() + date + 3 * size_of::<(ResourceType, Summary)>()
}
