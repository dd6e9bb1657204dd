//! The end of an export before it expires.

use access::CallerEvent;
use access::Disclosed;
use access::Export;
use access::Permitted;
use access::record_export;
use db::ExportRow;
use uuid::Uuid;

use super::Exports;
use super::MAX_ATTEMPTS;
use super::live::LiveExport;
use crate::services::error::ServiceError;
use crate::services::trail::TrailError;
use crate::services::written_row::written_row;

impl Exports {
    /// Removes an export and its files.
    ///
    /// # Errors
    ///
    /// See [`Self::status`]. If files could not be deleted, the export is removed, and its files are deleted when it
    /// would have expired.
    pub(crate) async fn remove(
        &self,
        permitted: &Permitted<'_, Export>,
        id: Uuid,
    ) -> Result<Disclosed<()>, ServiceError> {
        for _ in 0..MAX_ATTEMPTS {
            let export = self.live(permitted, id).await?;
            let write = record_export(&self.trail, permitted, &[]).await?;
            let ended = write.commit(|event| self.end(&export, event)).await;
            match ended {
                // A request for the status has stored its progress meanwhile.
                Err(TrailError::Database(db::Error::Conflict)) => {}
                Err(error) => return Err(error.into()),
                Ok((receipt, ())) => {
                    self.files.delete_all(&export.place()).await?;
                    return Ok(receipt.disclose(()));
                }
            }
        }
        let cause = "too many concurrent requests for the same export";
        Err(ServiceError::unavailable(cause))
    }

    async fn end(&self, export: &LiveExport, event: CallerEvent) -> Result<(), TrailError> {
        let organization = export.row.organization;
        let before = *export.row.mac.as_bytes();
        let key = self.keys.authorization(organization).await?;
        let row = key.authenticate(ExportRow {
            ended_at: Some(self.clock.now()),
            ..export.row.clone()
        });
        let event = self.trail.seal_event(event).await?;
        let event = event.with_rows(vec![written_row(&row)]);
        let mut transaction = self.database.begin().await?;
        transaction.end_export(&row, &before).await?;
        self.trail.commit_with(transaction, event).await
    }
}
