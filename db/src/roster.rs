//! The queries by which rosters are built: roster entries of `demographics`, each joined with its wrapped key.

use phi_types::OrganizationId;
use phi_types::PatientId;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::WrappedKey;
use phi_types::columns::RosterEntry;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::keys::KeyRecord;
use crate::requested::ensure_all;
use crate::requested::json_ids;

const TABLE: &str = "demographics";

/// A patient's roster entry with its key. It carries no MAC: the entry's associated data bind it to its patient and row,
/// and lists show data of the whole row, which is verified.
#[derive(Clone, Debug)]
pub struct RosterRow {
    /// The patient.
    pub patient: PatientId,
    /// The id of the row, new for each version.
    pub row_id: RowId,
    /// Every name and the birth date, sealed in the patient's scope.
    pub entry: Sealed<RosterEntry>,
    /// The wrapped key that the entry's header names, if it exists.
    pub key: Option<WrappedKey>,
}

/// A [`RosterRow`] as the driver returns it.
struct RosterRecord {
    organization: Uuid,
    patient: Uuid,
    row_id: Uuid,
    roster_entry: Vec<u8>,
    id: Option<Uuid>,
    key_organization: Option<Uuid>,
    owner_kind: Option<u8>,
    owner: Option<Vec<u8>>,
    purpose: Option<u8>,
    key_version: Option<u32>,
    root: Option<String>,
    branch: Option<Uuid>,
    branch_version: Option<u32>,
    provider: Option<u8>,
    wrapped: Option<Vec<u8>>,
    commitment: Option<Vec<u8>>,
    state: Option<u8>,
    created_at: Option<OffsetDateTime>,
    mac_key: Option<Uuid>,
    mac: Option<Vec<u8>>,
}

impl RosterRecord {
    fn into_row(self) -> Result<RosterRow, Error> {
        const CORRUPT: Error = Error::Corrupt("keys");
        let row = RosterRow {
            patient: self.patient.into(),
            row_id: self.row_id.into(),
            entry: Sealed::from_bytes(self.roster_entry),
            key: None,
        };
        let Some(id) = self.id else {
            return Ok(row);
        };
        let key = KeyRecord {
            id,
            organization: self.key_organization.ok_or(CORRUPT)?,
            owner_kind: self.owner_kind.ok_or(CORRUPT)?,
            owner: self.owner.ok_or(CORRUPT)?,
            purpose: self.purpose.ok_or(CORRUPT)?,
            version: self.key_version.ok_or(CORRUPT)?,
            root: self.root,
            branch: self.branch,
            branch_version: self.branch_version,
            provider: self.provider.ok_or(CORRUPT)?,
            wrapped: self.wrapped.ok_or(CORRUPT)?,
            commitment: self.commitment.ok_or(CORRUPT)?,
            state: self.state.ok_or(CORRUPT)?,
            created_at: self.created_at.ok_or(CORRUPT)?,
            mac_key: self.mac_key.ok_or(CORRUPT)?,
            mac: self.mac.ok_or(CORRUPT)?,
        };
        Ok(RosterRow {
            key: Some(key.try_into()?),
            ..row
        })
    }
}

/// A query of [`RosterRecord`]s. Joins the key by the id in the entry's header.
macro_rules! select_roster {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            RosterRecord,
            "SELECT t.organization AS `organization: _`, t.patient AS `patient: _`, t.row_id AS `row_id: _`, t.roster_entry,
                    k.id AS `id?: Uuid`, k.organization AS `key_organization?: Uuid`,
                    k.owner_kind AS `owner_kind?`, k.owner AS `owner?`, k.purpose AS `purpose?`,
                    k.version AS `key_version?`, k.root AS `root?: String`, k.branch AS `branch?: Uuid`,
                    k.branch_version AS `branch_version?`, k.provider AS `provider?`, k.wrapped AS `wrapped?`,
                    k.commitment AS `commitment?`, k.state AS `state?`, k.created_at AS `created_at?: OffsetDateTime`,
                    k.mac_key AS `mac_key?: Uuid`, k.mac AS `mac?`
             FROM demographics t
             LEFT JOIN `keys` k ON k.id = CAST(SUBSTRING(t.roster_entry, 3, 16) AS BINARY(16)) " + $rest $(, $argument)*
        )
    };
}

impl Database {
    /// At most `limit` of an organization's roster entries, of the patients after `after`, in the order of patient ids.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn roster_page(
        &self,
        organization: OrganizationId,
        after: PatientId,
        limit: u32,
    ) -> Result<Vec<RosterRow>, Error> {
        let records = select_roster!(
            "WHERE t.organization = ? AND t.patient > ? ORDER BY t.patient LIMIT ?",
            organization.uuid(),
            after.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let is_requested = |record: &RosterRecord| {
            record.organization == organization.uuid() && record.patient > after.uuid()
        };
        rows(records, is_requested)
    }

    /// The roster entries of `patients`, as far as they have one, in no particular order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn roster_rows(
        &self,
        organization: OrganizationId,
        patients: &[PatientId],
    ) -> Result<Vec<RosterRow>, Error> {
        let records = select_roster!(
            "JOIN JSON_TABLE(?, '$[*]' COLUMNS (
                    id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) wanted
               ON t.patient = UNHEX(wanted.id)
             WHERE t.organization = ?",
            json_ids(patients.iter().map(|patient| patient.uuid())),
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        let requested: std::collections::HashSet<Uuid> =
            patients.iter().map(|patient| patient.uuid()).collect();
        let is_requested = |record: &RosterRecord| {
            record.organization == organization.uuid() && requested.contains(&record.patient)
        };
        rows(records, is_requested)
    }

    /// The number of an organization's patients. A hint, to show progress.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_patients(&self, organization: OrganizationId) -> Result<u64, Error> {
        let count = sqlx::query_scalar!(
            r#"SELECT COUNT(*) AS "count: i64" FROM demographics WHERE organization = ?"#,
            organization.uuid(),
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

fn rows(
    records: Vec<RosterRecord>,
    is_requested: impl Fn(&RosterRecord) -> bool,
) -> Result<Vec<RosterRow>, Error> {
    let records = ensure_all(TABLE, records, |record| record.patient, is_requested)?;
    records.into_iter().map(RosterRecord::into_row).collect()
}
