//! The next files of an export: what a request for its status writes.

use std::collections::BTreeSet;

use access::Export;
use access::Permitted;
use db::ExportRow;
use fhir::bulk_export::ExportFile;
use fhir::bulk_export::ExportLevel;
use fhir::bulk_export::ExportPosition;
use fhir::bulk_export::ExportProgress;
use fhir::bulk_export::ExportRequest;
use fhir::bulk_export::FileId;
use fhir::bulk_export::current_members;
use phi::Owner;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Exports;
use super::file::FileBuilder;
use super::store::FilePlace;
use super::store::Place;
use crate::limits::EXPORT_IDS_PER_STATEMENT;
use crate::limits::EXPORT_STEP_TIME;
use crate::limits::MAX_EXPORT_FILES;
use crate::services::budget::CallerId;
use crate::services::error::ServiceError;
use fhir::Reference;

/// An export of the caller that is neither removed nor expired.
#[derive(Debug)]
pub(super) struct LiveExport {
    /// The row, verified.
    pub(super) row: ExportRow,
    /// What is exported.
    pub(super) request: ExportRequest,
    /// The files so far, and the position of the next resource.
    pub(super) progress: ExportProgress,
}

impl LiveExport {
    /// The place of its files.
    pub(super) fn place(&self) -> Place {
        Place {
            organization: self.row.organization,
            export: self.row.id,
            expires_at: self.row.expires_at,
        }
    }

    /// The place of one file.
    pub(super) fn file_place(&self, object: Uuid) -> FilePlace {
        self.place().file(object)
    }
}

/// The owners whose resources are exported.
#[derive(Debug)]
enum Selection {
    /// All owners.
    Organization,
    /// Patients.
    Patients,
    /// These patients.
    Members(BTreeSet<Uuid>),
}

impl Selection {
    fn includes(&self, owner: Owner) -> bool {
        match (self, owner) {
            (Self::Organization, Owner::Organization | Owner::Patient(_))
            | (Self::Patients, Owner::Patient(_)) => true,
            (Self::Members(members), Owner::Patient(patient)) => members.contains(&patient.uuid()),
            (_, Owner::Organization | Owner::AuditYear(_) | Owner::System) => false,
        }
    }
}

/// The work of one request on an export.
struct Step<'s> {
    permitted: &'s Permitted<'s, Export>,
    export: &'s LiveExport,
    selection: Selection,
    deadline: OffsetDateTime,
}

/// What was read for one file.
struct Read {
    builder: FileBuilder,
    /// The last resource of the type that was read; none if the type has no more.
    after: Option<Uuid>,
}

impl Exports {
    /// Writes the next files of an export until its deadline, and stores the progress. Of several requests at once, one
    /// stores its progress; the files of the others are deleted. None if the export was removed meanwhile.
    pub(super) async fn continued(
        &self,
        permitted: &Permitted<'_, Export>,
        export: LiveExport,
    ) -> Result<Option<LiveExport>, ServiceError> {
        if export.progress.next().is_none() {
            return Ok(Some(export));
        }
        let step = Step {
            permitted,
            selection: self.selection(permitted, &export).await?,
            deadline: self.clock.now() + EXPORT_STEP_TIME,
            export: &export,
        };
        let mut progress = export.progress.clone();
        let written = self.write_files(&step, &mut progress).await;
        if progress == export.progress {
            written?;
            return Ok(Some(export));
        }
        // Without memory for another file, the progress up to here is stored all the same.
        if let Some(row) = self.store_progress(&export, &progress).await? {
            return Ok(Some(LiveExport {
                row,
                progress,
                ..export
            }));
        }
        let known = export.progress.files().len();
        for file in progress.files().iter().skip(known) {
            self.files.delete(&export.file_place(file.object)).await?;
        }
        self.find(permitted, export.row.id).await
    }

    /// The owners whose resources are exported.
    async fn selection(
        &self,
        permitted: &Permitted<'_, Export>,
        export: &LiveExport,
    ) -> Result<Selection, ServiceError> {
        let id = match export.request.query.level {
            ExportLevel::Organization => return Ok(Selection::Organization),
            ExportLevel::Patients => return Ok(Selection::Patients),
            ExportLevel::Group(id) => id,
        };
        let version = export.request.group_version;
        let group = self.records.exported_group(permitted, id, version).await?;
        let group = group.ok_or_else(|| ServiceError::internal("the group has no such version"))?;
        let members = current_members(&group.resource, export.row.requested_at);
        Ok(Selection::Members(members))
    }

    /// Writes files until the deadline or the end.
    async fn write_files(
        &self,
        step: &Step<'_>,
        progress: &mut ExportProgress,
    ) -> Result<(), ServiceError> {
        while let Some(position) = progress.next() {
            if progress.files().len() > MAX_EXPORT_FILES {
                return Err(ServiceError::ResponseTooLarge);
            }
            let Read { builder, after } = self.read_resources(step, position).await?;
            let files = self.write_file(step, progress, builder).await?;
            match after {
                Some(after) => progress.advance(after, files),
                None => progress.finish_type(&step.export.request.query, files),
            }
            if self.clock.now() >= step.deadline {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads resources of one type until a file is full, the type has no more, or the deadline.
    async fn read_resources(
        &self,
        step: &Step<'_>,
        position: ExportPosition,
    ) -> Result<Read, ServiceError> {
        let organization = step.export.row.organization;
        let (resource_type, mut after) = (position.resource_type, position.after);
        let since = step.export.request.query.since;
        let share = CallerId::of(step.permitted.caller());
        let mut builder = FileBuilder::new(resource_type, self.memory.reserve(share, 0)?);
        loop {
            let limit = EXPORT_IDS_PER_STATEMENT;
            let kind = resource_type.name();
            let page = self
                .database
                .ids_of_type(organization, kind, since, after, limit);
            let page = page.await?;
            let Some(last) = page.last() else {
                return Ok(Read {
                    builder,
                    after: None,
                });
            };
            let selected = page.iter().filter(|it| step.selection.includes(it.owner));
            let selected: Vec<_> = selected
                .map(|it| Reference {
                    resource_type,
                    id: it.id,
                })
                .collect();
            after = match self.add(step, &selected, &mut builder).await? {
                Some(end) => end.or(after),
                None => Some(last.id),
            };
            if builder.is_full() || self.clock.now() >= step.deadline {
                return Ok(Read { builder, after });
            }
        }
    }

    /// Adds resources to a file. If it has no room for all, returns the last one that was read, if any was.
    async fn add(
        &self,
        step: &Step<'_>,
        selected: &[Reference],
        builder: &mut FileBuilder,
    ) -> Result<Option<Option<Uuid>>, ServiceError> {
        let since = step.export.request.query.since;
        let mut unread = None;
        let opened = self
            .records
            .open_exported(step.permitted, selected, |reference, stored| {
                let is_late = builder.has_lines() && self.clock.now() >= step.deadline;
                if builder.is_full() || is_late {
                    unread = Some(reference);
                    return false;
                }
                // The list was a claim of the database.
                let is_selected = step.selection.includes(stored.owner)
                    && since.is_none_or(|since| stored.meta.last_updated >= since);
                if is_selected {
                    builder.add(reference.id, stored);
                }
                true
            });
        let damaged = opened.await?;
        for id in damaged {
            builder.add_unopened(id)?;
        }
        Ok(unread.map(|unread| {
            let before = selected.iter().take_while(|it| **it != unread);
            before.last().map(|it| it.id)
        }))
    }

    /// Writes the files of what was read: one with resources and one with outcomes, if there are any.
    async fn write_file(
        &self,
        step: &Step<'_>,
        progress: &ExportProgress,
        builder: FileBuilder,
    ) -> Result<Vec<ExportFile>, ServiceError> {
        let (place, share) = (step.export.place(), CallerId::of(step.permitted.caller()));
        let mut number = progress.files().len();
        let mut files = Vec::new();
        let (all, _memory) = builder.finish();
        for lines in all {
            let id = FileId {
                export: step.export.row.id,
                file: u32::try_from(number).map_err(ServiceError::internal)?,
            };
            let written = self.files.write(&place, id, &lines, share);
            files.push(written.await?);
            number = number.saturating_add(1);
        }
        Ok(files)
    }

    /// Stores a progress. Returns the row with it; none if another request has changed the row.
    async fn store_progress(
        &self,
        export: &LiveExport,
        progress: &ExportProgress,
    ) -> Result<Option<ExportRow>, ServiceError> {
        let organization = export.row.organization;
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let key = self.keys.authorization(organization).await?;
        let row = key.authenticate(ExportRow {
            state: scope.seal(export.row.row_id, &progress.encode())?,
            ..export.row.clone()
        });
        let before = export.row.mac.as_bytes();
        match self.database.update_export(&row, before).await {
            Ok(()) => Ok(Some(row)),
            Err(db::Error::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
