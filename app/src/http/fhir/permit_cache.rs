//! The permits that one request needs: each is asked for once.

use std::collections::HashMap;

use crate::http::state::AppState;
use crate::services::access::{Permitted, ReadRecord, WriteRecord};
use crate::services::caller::Caller;
use crate::services::error::ServiceError;
use fhir::ResourceType;

/// What the caller was granted in this request, so that a refusal is recorded once and not for every
/// entry.
pub(super) struct PermitCache<'a> {
    app: &'a AppState,
    caller: &'a Caller,
    read: HashMap<ResourceType, Result<Permitted<ReadRecord>, ServiceError>>,
    write: HashMap<ResourceType, Result<Permitted<WriteRecord>, ServiceError>>,
}

impl<'a> PermitCache<'a> {
    /// No right was asked for yet.
    pub(super) fn of(app: &'a AppState, caller: &'a Caller) -> Self {
        Self {
            app,
            caller,
            read: HashMap::new(),
            write: HashMap::new(),
        }
    }

    /// The right to read resources of a type.
    pub(super) async fn read(
        &mut self,
        resource_type: ResourceType,
    ) -> Result<Permitted<ReadRecord>, ServiceError> {
        if let Some(asked) = self.read.get(&resource_type) {
            return *asked;
        }
        let asked = self
            .app
            .gate
            .permit(self.caller, ReadRecord(resource_type))
            .await;
        self.read.insert(resource_type, asked);
        asked
    }

    /// The right to write resources of a type.
    pub(super) async fn write(
        &mut self,
        resource_type: ResourceType,
    ) -> Result<Permitted<WriteRecord>, ServiceError> {
        if let Some(asked) = self.write.get(&resource_type) {
            return *asked;
        }
        let asked = self
            .app
            .gate
            .permit(self.caller, WriteRecord(resource_type))
            .await;
        self.write.insert(resource_type, asked);
        asked
    }
}
