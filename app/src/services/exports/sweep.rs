//! Deletion of the files of expired exports.

use std::time::Duration;

use objects::MAX_PAGE;
use objects::ObjectName;
use objects::ObjectPrefix;
use time::OffsetDateTime;

use super::Exports;
use super::store::FOLDER;
use crate::services::error::ServiceError;

/// Maximum time between two passes: an expired file, which is out of reach, is deleted this much later at most.
const MAX_INTERVAL: Duration = Duration::from_mins(5);
/// The age at which an upload that was not finished is removed.
const ABANDONED_AFTER: time::Duration = time::Duration::hours(1);

impl Exports {
    /// Deletes the files of expired exports until the process ends.
    pub(crate) async fn sweep(self) {
        let mut interval = tokio::time::interval(self.lifetime.min(MAX_INTERVAL));
        loop {
            interval.tick().await;
            match self.sweep_once(self.clock.now()).await {
                Ok(0) => {}
                Ok(deleted) => tracing::info!(deleted, "files of expired exports deleted"),
                Err(error) => tracing::warn!(%error, "expired exports cannot be deleted yet"),
            }
        }
    }

    /// Deletes the files of the exports that have expired at a time, and unfinished uploads. Returns the number of files.
    async fn sweep_once(&self, now: OffsetDateTime) -> Result<u64, ServiceError> {
        let folder: ObjectName = FOLDER.parse().map_err(ServiceError::internal)?;
        let (prefix, store) = (ObjectPrefix::below(&folder), self.files.objects());
        let mut deleted = 0_u64;
        loop {
            let page = store.list(&prefix, None, MAX_PAGE).await;
            let page = page.map_err(ServiceError::unavailable)?;
            let expired = page.objects.iter().map(|object| &object.name);
            // Names are in the order of expiry.
            let expired: Vec<_> = expired.take_while(|name| is_expired(name, now)).collect();
            for name in &expired {
                store
                    .delete(name)
                    .await
                    .map_err(ServiceError::unavailable)?;
                deleted = deleted.saturating_add(1);
            }
            if page.next.is_none() || expired.len() < page.objects.len() {
                break;
            }
        }
        let before = now.saturating_sub(ABANDONED_AFTER);
        let abandoned = store.remove_abandoned(before).await;
        abandoned.map_err(ServiceError::unavailable)?;
        Ok(deleted)
    }
}

/// Whether the export of a file has expired, by the file's name.
fn is_expired(name: &ObjectName, now: OffsetDateTime) -> bool {
    let expiry = name.as_str().split('/').nth(1);
    let expiry: Option<i64> = expiry.and_then(|expiry| expiry.parse().ok());
    expiry.is_some_and(|expiry| expiry < now.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_file_has_expired_once_the_second_in_its_name_is_over() {
        let now = datetime!(2026-11-30 12:00:00.5 UTC);
        for (name, expected) in [
            ("exports/1796039999/a/b", true),
            ("exports/1796040000/a/b", false),
            ("exports/1796040001/a/b", false),
            ("exports/other/a/b", false),
            ("exports", false),
        ] {
            assert_eq!(is_expired(&name.parse().unwrap(), now), expected, "{name}");
        }
    }
}
