//! The history of a resource, and of the resources of one type in a chart: former versions, newest first.

use access::Disclosed;
use access::Permitted;
use access::Read;
use access::Record;
use access::Unsuccessful;
use access::disclose;
use access::record_unsuccessful;
use db::Database;
use db::HistoryPosition;
use db::ResourceKey;
use db::VersionRow;
use fhir::Reference;
use fhir::ResourceType;
use fhir::bundle::EntryJson;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Tampering;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Records;
use super::ensure_all_fields;
use super::open::OpenVersion;
use super::open::version_record;
use super::reader::Reader;
use super::resource_key;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::read_batch::ReadBatch;
use crate::services::request_budget::RequestBudget;

/// A page of a history.
#[derive(Debug)]
pub(crate) struct HistoryPage {
    /// The entries, newest first.
    pub(crate) entries: Vec<EntryJson>,
    /// The number of all versions, where it is known without reading them.
    pub(crate) total: Option<u64>,
    /// The encoded position of the last version of the page, if older versions may exist.
    pub(crate) next: Option<Zeroizing<Vec<u8>>>,
    /// The memory of the entries, and of the response with them.
    pub(crate) reserved: Reservation,
}

/// The part of a history that a request names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryRange<'p> {
    /// The encoded position after which the page begins; none for the newest version.
    pub(crate) after: Option<&'p [u8]>,
    /// Versions that were stored before this time are left out.
    pub(crate) since: Option<OffsetDateTime>,
    /// The maximum number of versions.
    pub(crate) count: usize,
}

/// The version of a history that an entry shows.
#[derive(Debug)]
pub(crate) struct HistoryVersion {
    /// The resource.
    pub(crate) reference: Reference,
    /// The version.
    pub(crate) version: OpenVersion,
}

/// The versions of which a history consists.
enum Source {
    /// Those of one resource, whose verified head has this version.
    Resource(ResourceKey, u32),
    /// Those of all resources of a type in a chart.
    Type(&'static str),
}

/// A page while its versions are read.
struct PageBuilder<'r, F> {
    range: HistoryRange<'r>,
    entry: F,
    page: HistoryPage,
    /// The last version of the page.
    last: Option<HistoryPosition>,
    records: Vec<Record>,
    bytes: usize,
    /// Whether a version is older than the range.
    is_over: bool,
}

impl Records {
    /// The history of a resource, also of a deleted one.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also for a resource of another organization. The attempt is recorded.
    pub(crate) async fn history<F>(
        &self,
        permitted: &Permitted<'_, Read>,
        budget: &RequestBudget,
        (resource_type, id): (ResourceType, Uuid),
        range: HistoryRange<'_>,
        entry: F,
    ) -> Result<Disclosed<HistoryPage>, ServiceError>
    where
        F: Fn(HistoryVersion) -> (EntryJson, Option<Reservation>),
    {
        ensure_all_fields(permitted)?;
        let reader = Reader::begin(permitted, budget)?;
        let organization = reader.organization;
        let key = resource_key(resource_type, id);
        let Some(current) = self.database.current_version(organization, &key).await? else {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::NotFound).await?;
            return Err(ServiceError::NotFound);
        };
        let head = self.verify_head(organization, current.head, current.newest);
        let head = head.await?;
        let owner = head.owner()?;
        let source = Source::Resource(key, head.version);
        let of = (owner, resource_type);
        self.history_page(permitted, reader, of, &source, range, entry)
            .await
    }

    /// The history of the resources of one type in a patient's chart.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub(crate) async fn history_of_type<F>(
        &self,
        permitted: &Permitted<'_, Read>,
        budget: &RequestBudget,
        (resource_type, patient): (ResourceType, PatientId),
        range: HistoryRange<'_>,
        entry: F,
    ) -> Result<Disclosed<HistoryPage>, ServiceError>
    where
        F: Fn(HistoryVersion) -> (EntryJson, Option<Reservation>),
    {
        ensure_all_fields(permitted)?;
        let reader = Reader::begin(permitted, budget)?;
        let source = Source::Type(resource_type.name());
        let owner = Owner::Patient(patient);
        let of = (owner, resource_type);
        self.history_page(permitted, reader, of, &source, range, entry)
            .await
    }

    /// Reads versions in batches, whose memory is reserved first, until the page is full.
    async fn history_page<F>(
        &self,
        permitted: &Permitted<'_, Read>,
        reader: Reader<'_>,
        (owner, resource_type): (Owner, ResourceType),
        source: &Source,
        range: HistoryRange<'_>,
        entry: F,
    ) -> Result<Disclosed<HistoryPage>, ServiceError>
    where
        F: Fn(HistoryVersion) -> (EntryJson, Option<Reservation>),
    {
        let (organization, caller) = (reader.organization, reader.caller);
        let mut builder = PageBuilder {
            range,
            entry,
            page: HistoryPage {
                entries: Vec::new(),
                total: source.total(),
                next: None,
                reserved: self.memory.reserve(caller, 0)?,
            },
            last: None,
            records: Vec::new(),
            bytes: 0,
            is_over: false,
        };
        let mut after = range.after.and_then(decode);
        while builder.has_room() {
            let limit = u32::try_from(builder.remaining()).unwrap_or(u32::MAX);
            let lengths = source.lengths(&self.database, organization, &owner, after, limit);
            let lengths = lengths.await?;
            let batch = ReadBatch::first(&lengths, lengths.len());
            let batch = batch.unwrap_or(ReadBatch { rows: 0, bytes: 0 });
            reader.budget.charge_bodies(batch.rows, batch.bytes);
            let _reserved = self.memory.reserve(caller, batch.bytes)?;
            let limit = u32::try_from(batch.rows).unwrap_or(u32::MAX);
            let rows = source.rows(&self.database, organization, &owner, after, limit);
            let rows = rows.await?;
            source.verify_complete(organization, after, &rows)?;
            let Some(last) = rows.last() else {
                builder.is_over = true;
                break;
            };
            after = Some(HistoryPosition::of(last));
            for row in rows {
                if builder.has_room() {
                    let of = (owner, resource_type);
                    self.add_version(reader, of, row, &mut builder).await?;
                }
            }
        }
        let (page, records) = builder.finish(source);
        Ok(disclose(&self.trail, permitted, &records, page).await?)
    }

    /// Verifies and opens a version, and adds its entry.
    async fn add_version(
        &self,
        reader: Reader<'_>,
        (owner, resource_type): (Owner, ResourceType),
        row: VersionRow,
        builder: &mut PageBuilder<'_, impl Fn(HistoryVersion) -> (EntryJson, Option<Reservation>)>,
    ) -> Result<(), ServiceError> {
        let organization = reader.organization;
        let (position, id) = (HistoryPosition::of(&row), row.id);
        let body = self.reserve_body(reader.caller, &row)?;
        let row = self.keys.verify(organization, row).await?;
        if builder.range.since.is_some_and(|since| row.at < since) {
            builder.is_over = true;
            return Ok(());
        }
        let version = self.open_version(organization, owner, row, body).await?;
        let meta = version.meta();
        let record = version_record(organization, resource_type, id, owner, meta);
        let reference = Reference { resource_type, id };
        let shown = HistoryVersion { reference, version };
        builder.add(position, record, shown);
        Ok(())
    }
}

impl Source {
    /// The number of all versions, where it is known without reading them.
    fn total(&self) -> Option<u64> {
        match self {
            Self::Resource(_, newest) => Some(u64::from(*newest)),
            Self::Type(_) => None,
        }
    }

    /// The lengths of the versions that [`Self::rows`] returns.
    async fn lengths(
        &self,
        database: &Database,
        organization: OrganizationId,
        owner: &Owner,
        after: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<usize>, db::Error> {
        match self {
            Self::Resource(key, newest) => {
                let below = below(*newest, after);
                database
                    .history_lengths(organization, owner, key, Some(below), limit)
                    .await
            }
            Self::Type(kind) => {
                database
                    .history_lengths_of(organization, owner, kind, after, limit)
                    .await
            }
        }
    }

    /// The versions after a position, newest first.
    async fn rows(
        &self,
        database: &Database,
        organization: OrganizationId,
        owner: &Owner,
        after: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<VersionRow>, db::Error> {
        match self {
            Self::Resource(key, newest) => {
                let below = below(*newest, after);
                database
                    .history(organization, owner, key, Some(below), limit)
                    .await
            }
            Self::Type(kind) => {
                database
                    .history_of(organization, owner, kind, after, limit)
                    .await
            }
        }
    }

    /// Verifies that no version of a resource is missing: all from the first to that of its head are stored. The history
    /// of a type is not proved complete.
    fn verify_complete(
        &self,
        organization: OrganizationId,
        after: Option<HistoryPosition>,
        rows: &[VersionRow],
    ) -> Result<(), ServiceError> {
        let Self::Resource(_, newest) = self else {
            return Ok(());
        };
        let below = below(*newest, after);
        let is_next = |(row, version): (&VersionRow, u32)| row.version == version;
        let consecutive = rows.iter().zip((1..below).rev()).all(is_next);
        if consecutive && (!rows.is_empty() || below <= 1) {
            return Ok(());
        }
        let reason = "a version below the newest one is missing";
        Err(Tampering::report("resource_versions", reason, organization, None).into())
    }
}

/// The version below which the versions of a resource continue after a position.
fn below(newest: u32, after: Option<HistoryPosition>) -> u32 {
    after.map_or(newest.saturating_add(1), |after| after.version)
}

impl<F: Fn(HistoryVersion) -> (EntryJson, Option<Reservation>)> PageBuilder<'_, F> {
    /// Whether another version may be added.
    fn has_room(&self) -> bool {
        self.remaining() > 0 && self.bytes < MAX_RESPONSE_BYTES && !self.is_over
    }

    /// The number of versions that may be added.
    fn remaining(&self) -> usize {
        self.range.count.saturating_sub(self.page.entries.len())
    }

    fn add(&mut self, position: HistoryPosition, record: Record, version: HistoryVersion) {
        let (entry, reserved) = (self.entry)(version);
        self.bytes = self.bytes.saturating_add(entry.len());
        if let Some(mut reserved) = reserved {
            // The entry, and its copy in the response.
            reserved.shrink_to(2 * entry.len());
            self.page.reserved.absorb(reserved);
        }
        self.page.entries.push(entry);
        self.last = Some(position);
        self.records.push(record);
    }

    /// The page, with the position of its last version if older ones may exist.
    fn finish(mut self, source: &Source) -> (HistoryPage, Vec<Record>) {
        let is_first = |position: HistoryPosition| {
            matches!(source, Source::Resource(..)) && position.version == 1
        };
        let last = self.last.filter(|last| !self.is_over && !is_first(*last));
        self.page.next = last.map(encode);
        (self.page, self.records)
    }
}

/// The encoding of a position: time in nanoseconds[16] | id[16] | version[4].
fn encode(position: HistoryPosition) -> Zeroizing<Vec<u8>> {
    let at = position.at.unix_timestamp_nanos().to_be_bytes();
    let version = position.version.to_be_bytes();
    Zeroizing::new([&at[..], position.id.as_bytes(), &version].concat())
}

/// The position of an encoding; none for other bytes.
fn decode(bytes: &[u8]) -> Option<HistoryPosition> {
    let (at, rest) = bytes.split_first_chunk::<16>()?;
    let (id, version) = rest.split_first_chunk::<16>()?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from_be_bytes(*at));
    Some(HistoryPosition {
        at: at.ok()?,
        id: Uuid::from_bytes(*id),
        version: u32::from_be_bytes(version.try_into().ok()?),
    })
}
