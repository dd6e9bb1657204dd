//! Table `resource_versions`: every version of every resource, sealed whole.

use phi::{AuthenticatedRow, OrganizationId, RowEncoder, RowId, RowMac, Sealed};
use sqlx::{MySql, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::bytes32;
use crate::{Database, Error, ResourceKey, ResourceRow, Transaction};

/// One statement carries at most this many bytes of bodies; a server's packet limit is at least four times that.
const STATEMENT_BYTES: usize = 4 << 20;

/// One version of a resource, as stored.
#[derive(Clone, Debug)]
pub struct VersionRow {
    /// The organization.
    pub organization: OrganizationId,
    /// The patient that owns it, or the organization itself.
    pub owner: Uuid,
    /// FHIR resource type.
    pub kind: String,
    /// The resource's id.
    pub id: Uuid,
    /// From 1.
    pub version: u32,
    /// What the sealed column is bound to.
    pub row_id: RowId,
    /// When it was stored.
    pub at: OffsetDateTime,
    /// The resource as JSON, sealed in its owner's scope.
    pub body: Sealed<Vec<u8>>,
    /// Under the organization's authorization key.
    pub mac: RowMac,
}

impl AuthenticatedRow for VersionRow {
    const TABLE: &'static str = "resource_versions";

    fn encode(&self, row: &mut RowEncoder) {
        row.uuid(self.organization.uuid());
        row.uuid(self.owner);
        row.text(&self.kind);
        row.uuid(self.id);
        row.u64(u64::from(self.version));
        row.uuid(self.row_id.uuid());
        row.time(self.at);
        row.bytes(self.body.as_bytes());
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }
}

/// What the queries below select: a head and the version that it names.
struct Stored {
    owner: Uuid,
    kind: String,
    id: Uuid,
    version: u32,
    updated_at: OffsetDateTime,
    head_mac: Vec<u8>,
    row_id: Uuid,
    at: OffsetDateTime,
    body: Vec<u8>,
    mac: Vec<u8>,
}

impl Stored {
    fn split(self, organization: OrganizationId) -> Result<(ResourceRow, VersionRow), Error> {
        let head = ResourceRow {
            organization,
            owner: self.owner,
            kind: self.kind.clone(),
            id: self.id,
            version: self.version,
            updated_at: self.updated_at,
            mac: RowMac::from_bytes(bytes32("resources", &self.head_mac)?),
        };
        let version = VersionRow {
            organization,
            owner: self.owner,
            kind: self.kind,
            id: self.id,
            version: self.version,
            row_id: self.row_id.into(),
            at: self.at,
            body: Sealed::from_bytes(self.body),
            mac: RowMac::from_bytes(bytes32("resource_versions", &self.mac)?),
        };
        Ok((head, version))
    }
}

impl Database {
    /// The current version of one resource, with its head.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn current_version(
        &self,
        organization: OrganizationId,
        key: &ResourceKey,
    ) -> Result<Option<(ResourceRow, VersionRow)>, Error> {
        sqlx::query_as!(
            Stored,
            r#"SELECT r.owner AS "owner: Uuid", r.kind AS "kind: String", r.id AS "id: Uuid", r.version,
                      r.updated_at AS "updated_at: OffsetDateTime", r.mac AS head_mac,
                      v.row_id AS "row_id: Uuid", v.at AS "at: OffsetDateTime", v.body, v.mac
               FROM resources r
               JOIN resource_versions v USING (organization, owner, kind, id, version)
               WHERE r.organization = ? AND r.kind = ? AND r.id = ?"#,
            organization.uuid(),
            key.kind,
            key.id,
        )
        .fetch_optional(&self.pool)
        .await?
        .map(|row| row.split(organization))
        .transpose()
    }

    /// The current versions of those of `keys` that exist, in no particular order.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn current_versions(
        &self,
        organization: OrganizationId,
        keys: &[ResourceKey],
    ) -> Result<Vec<(ResourceRow, VersionRow)>, Error> {
        sqlx::query_as!(
            Stored,
            r#"SELECT r.owner AS "owner: Uuid", r.kind AS "kind: String", r.id AS "id: Uuid", r.version,
                      r.updated_at AS "updated_at: OffsetDateTime", r.mac AS head_mac,
                      v.row_id AS "row_id: Uuid", v.at AS "at: OffsetDateTime", v.body, v.mac
               FROM JSON_TABLE(?, '$[*]' COLUMNS (
                        kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$.kind',
                        id   CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin PATH '$.id')) wanted
               JOIN resources r
                 ON r.organization = ? AND r.kind = wanted.kind AND r.id = UNHEX(wanted.id)
               JOIN resource_versions v
                 ON v.organization = r.organization AND v.owner = r.owner AND v.kind = r.kind
                AND v.id = r.id AND v.version = r.version"#,
            ResourceKey::json(keys),
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| row.split(organization))
        .collect()
    }

    /// The current version of every resource of a patient.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn current_versions_of(
        &self,
        organization: OrganizationId,
        owner: Uuid,
    ) -> Result<Vec<(ResourceRow, VersionRow)>, Error> {
        sqlx::query_as!(
            Stored,
            r#"SELECT r.owner AS "owner: Uuid", r.kind AS "kind: String", r.id AS "id: Uuid", r.version,
                      r.updated_at AS "updated_at: OffsetDateTime", r.mac AS head_mac,
                      v.row_id AS "row_id: Uuid", v.at AS "at: OffsetDateTime", v.body, v.mac
               FROM resources r
               JOIN resource_versions v USING (organization, owner, kind, id, version)
               WHERE r.organization = ? AND r.owner = ?"#,
            organization.uuid(),
            owner,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| row.split(organization))
        .collect()
    }
}

impl Transaction {
    /// Adds versions. One statement for many: a literal cannot vary in length.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Contended`].
    pub async fn insert_versions(&mut self, rows: &[VersionRow]) -> Result<(), Error> {
        let mut rest = rows;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest
                .iter()
                .take_while(|row| {
                    bytes += row.body.as_bytes().len();
                    bytes <= STATEMENT_BYTES
                })
                .count();
            let (now, later) = rest.split_at(fits.max(1));
            self.insert_versions_at_once(now).await?;
            rest = later;
        }
        Ok(())
    }

    async fn insert_versions_at_once(&mut self, rows: &[VersionRow]) -> Result<(), Error> {
        QueryBuilder::<MySql>::new(
            "INSERT INTO resource_versions (organization, owner, kind, id, version, row_id, at, body, mac) ",
        )
        .push_values(rows, |mut values, row| {
            values
                .push_bind(row.organization.uuid())
                .push_bind(row.owner)
                .push_bind(&row.kind)
                .push_bind(row.id)
                .push_bind(row.version)
                .push_bind(row.row_id.uuid())
                .push_bind(row.at)
                .push_bind(row.body.as_bytes())
                .push_bind(&row.mac.as_bytes()[..]);
        })
        .build()
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
