//! Table `index_versions`: the registry of blind index versions, each with its key and its normalizer.

use db_macros::table;
use phi_types::IndexState;
use phi_types::KeyId;
use phi_types::OrganizationId;
use phi_types::RowId;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure_all;

table! {
    /// One version of an organization's blind index.
    pub struct IndexVersionRow: INDEX_VERSIONS, row row_id, select select_index_versions {
        /// The organization.
        1 organization: OrganizationId,
        /// The version, from 1.
        2 version: u16,
        /// The row's id.
        3 row_id: RowId,
        /// The id of the index key of its tokens.
        4 index_key: KeyId,
        /// The number of the normalizer of its tokens.
        5 normalizer: u16,
        /// The state: whether the version is written and searched.
        6 state: IndexState,
    }
}

impl Database {
    /// Every index version of an organization, the oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn index_versions(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<IndexVersionRow>, Error> {
        let records = select_index_versions!(
            "WHERE t.organization = ? ORDER BY t.version",
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(IndexVersionRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let is_requested = |row: &IndexVersionRow| row.organization == organization;
        ensure_all("index_versions", rows, |row| row.version, is_requested)
    }
}

impl Transaction {
    /// Inserts an index version.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if it exists.
    pub async fn insert_index_version(&mut self, row: &IndexVersionRow) -> Result<(), Error> {
        self.insert(std::slice::from_ref(row)).await
    }
}
