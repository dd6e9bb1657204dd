//! Table `resource_versions`: every version of every resource, each sealed as one value.

use db_macros::table;
use phi_types::Deleted;
use phi_types::OrganizationId;
use phi_types::OwnerKind;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::ResourceBody;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::Transaction;

table! {
    /// One version of a resource.
    pub struct VersionRow: RESOURCE_VERSIONS, row row_id, select select_versions {
        /// The organization.
        1 organization: OrganizationId,
        /// The kind of the owner.
        2 owner_kind: OwnerKind,
        /// The owner's id.
        3 owner: [u8; 16],
        /// FHIR resource type.
        4 kind: String,
        /// The resource's id.
        5 id: Uuid,
        /// The version, from 1.
        6 version: u32,
        /// The row's id, to which the sealed column is bound.
        7 row_id: RowId,
        /// The time at which the version was stored.
        8 at: OffsetDateTime,
        /// The resource as JSON, sealed in the owner's scope; empty in a tombstone.
        9 body: Sealed<ResourceBody>,
        /// The mark of a tombstone: a version that deletes the resource.
        10 deleted: Option<Deleted>,
    }
}

#[expect(
    clippy::single_component_path_imports,
    reason = "exports the macro that `table!` generates to the module `history`"
)]
pub(crate) use select_versions;

impl Transaction {
    /// Inserts versions.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn insert_versions(&mut self, rows: &[VersionRow]) -> Result<(), Error> {
        self.insert(rows).await
    }
}
