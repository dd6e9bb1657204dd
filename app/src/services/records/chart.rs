//! Reading a patient's whole chart.

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
use super::chart_subject;
use super::ensure_whole;
use super::head_of;
use super::reading::SealedGroup;
use crate::limits::LENGTHS_PER_STATEMENT;
use crate::services::budget::Reservation;
use crate::services::budget::Share;
use crate::services::error::ServiceError;
use crate::services::groups;
use crate::services::owners::OpenOwner;
use fhir::ResourceType;
use fhir::Summary;

/// Attempts to read a chart between two writes to it.
const ATTEMPTS: usize = 5;

/// Every current resource that a patient owns.
pub(crate) struct Chart {
    /// The Patient.
    pub(crate) patient: StoredResource,
    /// The other resources in a line each, in no particular order.
    pub(crate) records: Vec<(ResourceType, Summary)>,
    /// The memory of the lines, and of the page that they become.
    pub(crate) reserved: Reservation,
}

impl Records {
    /// A patient's chart. The event says that the chart was opened, not which page of it was shown.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also for a patient of another organization, and [`ServiceError::ResponseTooLarge`] for a
    /// chart whose lines take more memory than a caller may have; either attempt is recorded.
    pub(crate) async fn chart(
        &self,
        permitted: &Permitted<'_, Read>,
        patient: PatientId,
    ) -> Result<Disclosed<Chart>, ServiceError> {
        ensure_whole(permitted)?;
        let organization = permitted.caller().organization();
        let share = Share::of(permitted.caller());
        let chart = self.complete_chart(organization, share, patient).await;
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

    /// The current version of everything that a patient owns, complete: what is missing or was put back is found by
    /// the owner's counts and hashes. Nothing, if neither the owner nor any resource exists.
    async fn complete_chart(
        &self,
        organization: OrganizationId,
        share: Share,
        patient: PatientId,
    ) -> Result<Option<Chart>, ServiceError> {
        let owner = Owner::Patient(patient);
        let mut row = self.database.owner(organization, &owner).await?;
        for _ in 0..ATTEMPTS {
            if row.is_none() {
                let start = OwnedPosition::default();
                let any = self
                    .database
                    .version_lengths_of(organization, &owner, &start, 1);
                if any.await?.is_empty() {
                    return Ok(None);
                }
                // Made between the two statements, or hidden: opening decides.
                row = self.database.owner(organization, &owner).await?;
            }
            let before = row.as_ref().map(|row| *row.mac.as_bytes());
            let open = OpenOwner::open(&self.keys, organization, owner, row).await?;
            let read = self.summarize(organization, share, owner, &open).await?;
            if open.has_counted(&read.heads) {
                return Ok(Some(read.into_chart().ok_or(ServiceError::NotFound)?));
            }
            // A write since the owner's row was read changes that row too: between any two of the statements.
            row = self.database.owner(organization, &owner).await?;
            if row.as_ref().map(|row| *row.mac.as_bytes()) == before {
                let reason = "the chart does not have the heads that its owner counts";
                let id = Some(patient.uuid());
                return Err(Tampering::report("resources", reason, organization, id).into());
            }
        }
        Err(ServiceError::unavailable(
            "the chart is being written by too many at once",
        ))
    }

    /// Reads and opens the versions of one owner, a group at a time, and keeps a line of each: a chart may have any
    /// length, and the trees of its resources many times as much.
    async fn summarize(
        &self,
        organization: OrganizationId,
        share: Share,
        owner: Owner,
        open: &OpenOwner,
    ) -> Result<Lines, ServiceError> {
        let mut lines = Lines {
            patient: None,
            records: Vec::new(),
            heads: HeadSet::default(),
            reserved: self.memory.reserve(share, 0)?,
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
            while let Some(group) = groups::first(rest, usize::MAX) {
                rest = rest.get(group.rows..).unwrap_or_default();
                let read = self
                    .read_owned(organization, share, &owner, &after, group)
                    .await?;
                // Rows that have a length and are not there: the owner's heads tell what is missing.
                let Some(last) = read.rows.last() else {
                    break 'read;
                };
                after = OwnedPosition::of(&last.head);
                self.add_lines(organization, share, owner, open, read, &mut lines)
                    .await?;
            }
        }
        Ok(lines)
    }

    /// Opens a group of versions, with their keys fetched at once.
    async fn add_lines(
        &self,
        organization: OrganizationId,
        share: Share,
        owner: Owner,
        open: &OpenOwner,
        read: SealedGroup,
        lines: &mut Lines,
    ) -> Result<(), ServiceError> {
        let wanted = read.rows.iter();
        let wanted = wanted.filter_map(|it| Some((owner, it.version.body.key_id()?)));
        let wanted: Vec<_> = wanted.collect();
        self.keys.prefetch(organization, wanted).await?;
        // The memory of the rows is reserved until all are opened.
        let (rows, _reserved) = read.into_parts();
        for version in rows {
            let stored = self.open(organization, share, version).await?;
            let resource_type = stored.resource.resource_type();
            let id = stored.resource.id().unwrap_or_default();
            open.count(&mut lines.heads, head_of(resource_type.name(), id, &stored));
            if resource_type == ResourceType::Patient {
                lines.patient = Some(stored);
                continue;
            }
            let summary = Summary::of(&stored.resource);
            self.grow(&mut lines.reserved, line_bytes(&summary))?;
            lines.records.push((resource_type, summary));
        }
        Ok(())
    }
}

/// What was read of a chart.
struct Lines {
    patient: Option<StoredResource>,
    records: Vec<(ResourceType, Summary)>,
    /// Every head that was read.
    heads: HeadSet,
    /// The memory of the lines.
    reserved: Reservation,
}

impl Lines {
    /// The chart; without a Patient there is none.
    fn into_chart(self) -> Option<Chart> {
        Some(Chart {
            patient: self.patient?,
            records: self.records,
            reserved: self.reserved,
        })
    }
}

/// The memory of a line, in bytes: its texts, and its place in a list that doubles when it grows, and in the timeline that
/// is made of the list.
fn line_bytes(summary: &Summary) -> usize {
    let texts = [&summary.title, &summary.detail].map(String::capacity);
    let date = summary.date.as_ref().map_or(0, String::capacity);
    texts.iter().sum::<usize>() + date + 3 * size_of::<(ResourceType, Summary)>()
}
