//! Bulk exports (FHIR Bulk Data Access IG 2.0).
//!
//! An export is a row of the table `exports`, with the request and the progress, and sealed files in an object store. No
//! task of its own works on it: each request for its status writes the next files, within a budget of time and memory, and
//! then stores the progress. So an export never runs without its caller's session and right, and can be continued by any
//! instance after any crash: what was written and is not in the progress is written again, as another object.
//!
//! A record is disclosed, and recorded as disclosed, when a file with it is downloaded. Only the person that requested an
//! export reaches it.

mod file;
mod live;
mod lookup;
mod remove;
mod request;
mod store;
mod sweep;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use access::Disclosed;
use access::Export;
use access::NotPhi;
use access::Permitted;
use access::Record;
use access::Subject;
use access::Unsuccessful;
use access::disclose;
use access::disclose_partial;
use access::record_unsuccessful;
use db::Database;
use fhir::ResourceType;
use fhir::bulk_export::ExportFile;
use fhir::bulk_export::FileContent;
use fhir::bulk_export::FileId;
use fhir::bulk_export::FileIndex;
use objects::ObjectStore;
use phi::OrganizationId;
use phi::PatientId;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::services::budget::Budget;
use crate::services::budget::CallerId;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use crate::services::records::Records;
use crate::services::records::chart_subject;
use crate::services::records::subject;
use crate::services::trail::AuditTrail;
use store::ExportedFile;
use store::FileStore;

pub(crate) use request::RequestError;

/// The time before a request up to which its export is complete. A resource is stored under the time at which its write
/// began, and is seen once the write is committed; the clocks of instances differ.
const COMMIT_TIME: Duration = Duration::minutes(2);
/// Maximum attempts to store the beginning or the end of an export beside concurrent transactions.
const MAX_ATTEMPTS: usize = 5;

/// The settings of bulk exports.
#[derive(Clone, Debug)]
pub(crate) struct ExportSettings {
    /// `EXPORT_FOLDER`: the folder of the files.
    pub(crate) folder: PathBuf,
    /// `EXPORT_LIFETIME_SECONDS`: the time after its request at which an export expires, at most a day. A file has many
    /// patients, and is not destroyed with one.
    pub(crate) lifetime: StdDuration,
}

/// The service of bulk exports.
#[derive(Clone, Debug)]
pub(crate) struct Exports {
    database: Database,
    keys: Keys,
    trail: AuditTrail,
    records: Records,
    clock: Clock,
    memory: Budget,
    files: FileStore,
    lifetime: StdDuration,
}

/// The status of an export.
#[derive(Debug)]
pub(crate) enum ExportStatus {
    /// Files are missing.
    Running {
        /// The part of the types that is complete, in percent from 0 to 99.
        percent: usize,
    },
    /// All files are written.
    Complete(CompleteExport),
}

/// An export whose files are all written.
#[derive(Debug)]
pub(crate) struct CompleteExport {
    /// The path and query of the request below the base.
    pub(crate) request: String,
    /// The time up to which no stored resource is missing.
    pub(crate) transaction_time: OffsetDateTime,
    /// The time at which it expires.
    pub(crate) expires_at: OffsetDateTime,
    /// Its files.
    pub(crate) files: Vec<ExportFile>,
}

/// A bulk export, as a subject of the policy.
pub(crate) fn export_subject(organization: OrganizationId, id: Uuid) -> Subject {
    Subject {
        kind: "export",
        ..chart_subject(organization)
    }
    .id(id)
}

impl Exports {
    /// Exports of `records`, with their files in `store` for `lifetime`.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a service of its own, and they are named where they are passed"
    )]
    pub(crate) fn new(
        database: Database,
        keys: Keys,
        trail: AuditTrail,
        records: Records,
        clock: Clock,
        memory: Budget,
        store: Arc<dyn ObjectStore>,
        lifetime: StdDuration,
    ) -> Self {
        let files = FileStore::new(store, keys.clone(), memory.clone());
        Self {
            database,
            keys,
            trail,
            records,
            clock,
            memory,
            files,
            lifetime,
        }
    }

    /// Continues an export, and returns its status.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also for an export of another person, one that was removed and one that has expired. The
    /// attempt is recorded.
    pub(crate) async fn status(
        &self,
        permitted: &Permitted<'_, Export>,
        id: Uuid,
    ) -> Result<Disclosed<ExportStatus>, ServiceError> {
        let export = self.permitted_live(permitted, id).await?;
        let continued = Box::pin(self.continued(permitted, export)).await;
        let export = self.or_recorded(permitted, continued).await?;
        let Some(export) = export else {
            return self.not_found(permitted).await;
        };
        if export.progress.next().is_some() {
            let percent = export.progress.percent(&export.request.query);
            let status = ExportStatus::Running { percent };
            let why = "the progress of an export tells nothing of a record";
            return Ok(NotPhi::assert(status, why).into());
        }
        let files = export.progress.files().to_vec();
        let is_partial = files.iter().any(|it| it.content == FileContent::Outcomes);
        let requested_at = export.row.requested_at;
        let status = ExportStatus::Complete(CompleteExport {
            request: export.request.query.request(),
            transaction_time: requested_at.saturating_sub(COMMIT_TIME),
            expires_at: export.row.expires_at,
            files,
        });
        // The manifest names no record: each file is a disclosure of its own.
        if is_partial {
            return Ok(disclose_partial(&self.trail, permitted, &[], &[], status).await?);
        }
        Ok(disclose(&self.trail, permitted, &[], status).await?)
    }

    /// The file of an export with this number.
    ///
    /// # Errors
    ///
    /// See [`Self::status`]; [`ServiceError::Internal`] for a file that is not as it was written, which is reported.
    pub(crate) async fn file(
        &self,
        permitted: &Permitted<'_, Export>,
        id: Uuid,
        number: u32,
    ) -> Result<Disclosed<ExportedFile>, ServiceError> {
        let export = self.permitted_live(permitted, id).await?;
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(file) = export.progress.files().get(index) else {
            return self.not_found(permitted).await;
        };
        let organization = permitted.caller().organization();
        let file_id = FileId {
            export: id,
            file: number,
        };
        let place = export.file_place(file.object);
        let share = CallerId::of(permitted.caller());
        let read = self.files.read(&place, file_id, share).await;
        let read = self.or_recorded(permitted, read).await?;
        let Some(read) = read else {
            // Removed since the row was read, or by another program.
            if self.find(permitted, id).await?.is_some() {
                let missing = place.tampered("a file of an export is missing");
                return self.or_recorded(permitted, Err(missing)).await;
            }
            return self.not_found(permitted).await;
        };
        let records = records_of(organization, &read.index);
        Ok(match file.content {
            FileContent::Resources(_) => {
                disclose(&self.trail, permitted, &records, read.content).await?
            }
            FileContent::Outcomes => {
                let content = read.content;
                disclose_partial(&self.trail, permitted, &[], &records, content).await?
            }
        })
    }

    /// A result of which a failure of the server is recorded.
    async fn or_recorded<T>(
        &self,
        permitted: &Permitted<'_, Export>,
        result: Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        if let Err(ServiceError::Internal | ServiceError::ResponseTooLarge) = &result {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::Failed).await?;
        }
        result
    }

    /// Records that there is no such export.
    async fn not_found<T>(&self, permitted: &Permitted<'_, Export>) -> Result<T, ServiceError> {
        record_unsuccessful(&self.trail, permitted, Unsuccessful::NotFound).await?;
        Err(ServiceError::NotFound)
    }
}

/// The records of a file as the event of its download names them.
fn records_of(organization: OrganizationId, index: &FileIndex) -> Vec<Record> {
    let of_type: ResourceType = index.resource_type();
    let records = index.records().iter();
    let records = records.map(|record| {
        let subject = subject(organization, of_type).id(record.id);
        Record {
            subject: match record.patient {
                Some(patient) => subject.patient(PatientId::from(patient)),
                None => subject,
            },
            version: record.version,
        }
    });
    records.collect()
}
