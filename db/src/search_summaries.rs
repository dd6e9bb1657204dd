//! Table `search_summaries`: for each head, the values that searches compare, so that they open no bodies.
//!
//! A cache. Its rows carry no MAC: the sealed value is bound to its owner and row, and names the version that it
//! summarizes. The caller opens the body if a row is missing, does not open, or names another version than the head.

use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::OwnerKind;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns::SearchSummary;
use sqlx::MySql;
use sqlx::MySqlExecutor;
use sqlx::query_builder::Separated;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::ResourceKey;
use crate::ResourceRow;
use crate::Transaction;
use crate::requested::ensure_all;
use crate::resources::head_of;
use crate::stored::StoredRow;

/// The search summary of a head.
#[derive(Clone, Debug)]
pub struct SearchSummaryRow {
    /// The organization.
    pub organization: OrganizationId,
    /// The kind of the owner.
    pub owner_kind: OwnerKind,
    /// The owner's id.
    pub owner: [u8; 16],
    /// FHIR resource type.
    pub kind: String,
    /// The resource's id.
    pub id: Uuid,
    /// The row's id, new for each summary, to which the sealed column is bound.
    pub row_id: RowId,
    /// The row id of the summarized version and its search values, sealed in the owner's scope.
    pub summary: Sealed<SearchSummary>,
}

impl StoredRow for SearchSummaryRow {
    // REPLACE, because `ON DUPLICATE KEY UPDATE` needs the right to update the key columns.
    const INSERT: &'static str = "REPLACE INTO search_summaries (organization, owner_kind, owner, kind, id, row_id, summary) ";
    const COLUMNS: usize = 7;

    fn bind(&self, values: &mut Separated<'_, MySql, &'static str>) {
        values.push_bind(self.organization.uuid());
        values.push_bind(self.owner_kind.code());
        values.push_bind(self.owner.to_vec());
        values.push_bind(self.kind.clone());
        values.push_bind(self.id);
        values.push_bind(self.row_id.uuid());
        values.push_bind(self.summary.as_bytes().to_vec());
    }

    fn size(&self) -> usize {
        200 + self.summary.as_bytes().len()
    }
}

/// A head and its search summary. The summary's key columns are copied from the head.
#[derive(Clone, Debug)]
pub struct SummarizedHead {
    /// The head.
    pub head: ResourceRow,
    /// The summary, if there is one. It may be of another version.
    pub summary: Option<SearchSummaryRow>,
}

/// A [`SummarizedHead`] as the driver returns it.
struct SummarizedRecord {
    organization: Uuid,
    owner_kind: u8,
    owner: Vec<u8>,
    kind: String,
    id: Uuid,
    row_id: Uuid,
    version: u32,
    version_row: Uuid,
    updated_at: OffsetDateTime,
    version_digest: Vec<u8>,
    deleted: Option<u8>,
    mac_key: Uuid,
    mac: Vec<u8>,
    summary_row: Option<Uuid>,
    summary: Option<Vec<u8>>,
}

impl TryFrom<SummarizedRecord> for SummarizedHead {
    type Error = Error;

    fn try_from(record: SummarizedRecord) -> Result<Self, Error> {
        let head = head_of!(record);
        let summary = record.summary_row.zip(record.summary);
        let summary = summary.map(|(row, summary)| SearchSummaryRow {
            organization: head.organization,
            owner_kind: head.owner_kind,
            owner: head.owner,
            kind: head.kind.clone(),
            id: head.id,
            row_id: row.into(),
            summary: Sealed::from_bytes(summary),
        });
        Ok(Self { head, summary })
    }
}

impl Database {
    /// At most `limit` heads that an owner has of one resource type, with their summaries, in the order of ids: those
    /// after the id `after`. Heads of deleted resources are among them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn summarized_heads(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        kind: &str,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<SummarizedHead>, Error> {
        select(&self.pool, organization, owner, kind, after, limit).await
    }
}

/// The query of [`Database::summarized_heads`] and [`Transaction::summarized_heads`].
async fn select(
    executor: impl MySqlExecutor<'_>,
    organization: OrganizationId,
    owner: &Owner,
    kind: &str,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<SummarizedHead>, Error> {
    let after = after.map_or(Some(0), |after| after.as_u128().checked_add(1));
    let Some(from) = after.map(Uuid::from_u128) else {
        return Ok(Vec::new());
    };
    let id = owner.id(organization);
    let records = sqlx::query_as!(
        SummarizedRecord,
        r#"SELECT r.organization AS "organization: _", r.owner_kind, r.owner, r.kind AS "kind: String",
                      r.id AS "id: _", r.row_id AS "row_id: _", r.version, r.version_row AS "version_row: _",
                      r.updated_at AS "updated_at: _", r.version_digest, r.deleted, r.mac_key AS "mac_key: _", r.mac,
                      s.row_id AS "summary_row?: _", s.summary AS "summary?"
               FROM resources r
               LEFT JOIN search_summaries s USING (organization, owner_kind, owner, kind, id)
               WHERE r.organization = ? AND r.owner_kind = ? AND r.owner = ? AND r.kind = ? AND r.id >= ?
               ORDER BY r.id LIMIT ?"#,
        organization.uuid(),
        owner.kind().code(),
        &id[..],
        kind,
        from,
        limit,
    )
    .fetch_all(executor)
    .await?;
    let rows = records.into_iter().map(SummarizedHead::try_from);
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let is_requested = |SummarizedHead { head, .. }: &SummarizedHead| {
        head.organization == organization
            && head.owner_kind == owner.kind()
            && head.owner == id
            && head.kind == kind
            && head.id >= from
    };
    let rows = ensure_all("resources", rows, |it| it.head.id, is_requested)?;
    if rows.is_sorted_by_key(|it| it.head.id) {
        Ok(rows)
    } else {
        Err(Error::NotRequested("resources"))
    }
}

impl Transaction {
    /// The same as [`Database::summarized_heads`], as the transaction sees it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn summarized_heads(
        &mut self,
        organization: OrganizationId,
        owner: &Owner,
        kind: &str,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<SummarizedHead>, Error> {
        select(&mut *self.inner, organization, owner, kind, after, limit).await
    }

    /// Inserts search summaries, in place of former ones.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replace_search_summaries(
        &mut self,
        rows: &[SearchSummaryRow],
    ) -> Result<(), Error> {
        self.insert(rows).await
    }

    /// Deletes the search summary of a resource, if there is one: that of a deleted resource.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_search_summary(
        &mut self,
        organization: OrganizationId,
        owner: &Owner,
        key: &ResourceKey,
    ) -> Result<(), Error> {
        sqlx::query!(
            "DELETE FROM search_summaries
             WHERE organization = ? AND owner_kind = ? AND owner = ? AND kind = ? AND id = ?",
            organization.uuid(),
            owner.kind().code(),
            &owner.id(organization)[..],
            key.kind,
            key.id,
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
