//! The query by which the app tier checks that demographics are the current ones: rows of `demographics` with the heads
//! of their Patients and the newest digests in the audit log.

use phi_types::OrganizationId;
use phi_types::OwnerKind;
use phi_types::PatientId;
use phi_types::RowId;
use phi_types::tables;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::ResourceRow;
use crate::requested::ensure_all;
use crate::requested::json_ids;
use crate::stored::StoredValue;
use crate::stored::row_mac;

/// The data by which a patient's demographics are shown to be the current ones: all but the fields themselves.
#[derive(Clone, Debug)]
pub struct DemographicsState {
    /// The patient.
    pub patient: PatientId,
    /// The row of `demographics`.
    pub row_id: RowId,
    /// The newest digest that the audit log lists for that row.
    pub recorded: Option<[u8; 32]>,
    /// The head of the Patient.
    pub head: ResourceRow,
    /// The newest digest that the audit log lists for the head.
    pub head_recorded: Option<[u8; 32]>,
    /// The number of the newest stored version of the Patient.
    pub newest: u32,
}

/// A [`DemographicsState`] as the driver returns it.
struct StateRecord {
    organization: Uuid,
    patient: Uuid,
    row_id: Uuid,
    recorded: Option<Vec<u8>>,
    head_organization: Option<Uuid>,
    head_owner_kind: Option<u8>,
    head_owner: Option<Vec<u8>>,
    head_kind: Option<String>,
    head_id: Option<Uuid>,
    head_row: Option<Uuid>,
    head_version: Option<u32>,
    head_version_row: Option<Uuid>,
    head_updated_at: Option<OffsetDateTime>,
    head_version_digest: Option<Vec<u8>>,
    head_deleted: Option<u8>,
    head_mac_key: Option<Uuid>,
    head_mac: Option<Vec<u8>>,
    head_recorded: Option<Vec<u8>>,
    newest: Option<u32>,
}

impl StateRecord {
    /// The head; `None` if there is none.
    fn head(&self) -> Option<Result<ResourceRow, Error>> {
        let (mac_key, mac) = (self.head_mac_key?, self.head_mac.as_ref()?);
        Some(Ok(ResourceRow {
            organization: self.head_organization?.into(),
            owner_kind: OwnerKind::from_raw(self.head_owner_kind?)?,
            owner: StoredValue::from_raw(self.head_owner.clone()?)?,
            kind: self.head_kind.clone()?,
            id: self.head_id?,
            row_id: self.head_row?.into(),
            version: self.head_version?,
            version_row: self.head_version_row?.into(),
            updated_at: self.head_updated_at?,
            version_digest: StoredValue::from_raw(self.head_version_digest.clone()?)?,
            deleted: StoredValue::from_raw(self.head_deleted)?,
            mac: match row_mac("resources", mac_key, mac) {
                Ok(mac) => mac,
                Err(error) => return Some(Err(error)),
            },
        }))
    }
}

impl TryFrom<StateRecord> for DemographicsState {
    type Error = Error;

    fn try_from(record: StateRecord) -> Result<Self, Error> {
        const CORRUPT: Error = Error::Corrupt("audit_rows");
        // Demographics without a head, or without versions, mean that these rows are hidden.
        let head = record.head().ok_or(Error::NotRequested("resources"))??;
        let newest = record.newest;
        Ok(Self {
            patient: record.patient.into(),
            row_id: record.row_id.into(),
            recorded: StoredValue::from_raw(record.recorded).ok_or(CORRUPT)?,
            head_recorded: StoredValue::from_raw(record.head_recorded).ok_or(CORRUPT)?,
            head,
            newest: newest.ok_or(Error::NotRequested("resource_versions"))?,
        })
    }
}

impl Database {
    /// The states of the demographics of `patients`, as far as they have any, in no particular order. One statement, so
    /// that the compared rows are of one moment.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NotRequested`] also for demographics without a head.
    pub async fn demographics_states(
        &self,
        organization: OrganizationId,
        patients: &[PatientId],
    ) -> Result<Vec<DemographicsState>, Error> {
        let records = sqlx::query_as!(
            StateRecord,
            r#"SELECT d.organization AS "organization: _", d.patient AS "patient: _", d.row_id AS "row_id: _",
                      (SELECT a.digest FROM audit_rows a
                       WHERE a.organization = d.organization AND a.table_tag = ? AND a.row_id = d.row_id
                       ORDER BY a.sequence DESC LIMIT 1) AS "recorded?: Vec<u8>",
                      r.organization AS "head_organization?: _", r.owner_kind AS "head_owner_kind?",
                      r.owner AS "head_owner?: Vec<u8>", r.kind AS "head_kind?: String", r.id AS "head_id?: _",
                      r.row_id AS "head_row?: _", r.version AS "head_version?", r.version_row AS "head_version_row?: _",
                      r.updated_at AS "head_updated_at?: _", r.version_digest AS "head_version_digest?: Vec<u8>",
                      r.deleted AS "head_deleted?: u8",
                      r.mac_key AS "head_mac_key?: _", r.mac AS "head_mac?: Vec<u8>",
                      (SELECT a.digest FROM audit_rows a
                       WHERE a.organization = r.organization AND a.table_tag = ? AND a.row_id = r.row_id
                       ORDER BY a.sequence DESC LIMIT 1) AS "head_recorded?: Vec<u8>",
                      (SELECT n.version FROM resource_versions n
                       WHERE n.organization = r.organization AND n.owner_kind = r.owner_kind
                         AND n.owner = r.owner AND n.kind = r.kind AND n.id = r.id
                       ORDER BY n.version DESC LIMIT 1) AS "newest?: u32"
               FROM JSON_TABLE(?, '$[*]' COLUMNS (
                    id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) wanted
               JOIN demographics d ON d.organization = ? AND d.patient = UNHEX(wanted.id)
               LEFT JOIN resources r
                 ON r.organization = d.organization AND r.kind = 'Patient' AND r.id = d.patient"#,
            tables::DEMOGRAPHICS.tag,
            tables::RESOURCES.tag,
            json_ids(patients.iter().map(|patient| patient.uuid())),
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        let requested: std::collections::HashSet<_> = patients.iter().collect();
        let is_here = |record: &StateRecord| record.organization == organization.uuid();
        let records = ensure_all("demographics", records, |it| it.patient, is_here)?;
        let states = records.into_iter().map(DemographicsState::try_from);
        let states: Vec<_> = states.collect::<Result<_, _>>()?;
        let is_requested = |it: &DemographicsState| {
            requested.contains(&it.patient)
                && it.head.organization == organization
                && (it.head.kind.as_str(), it.head.id) == ("Patient", it.patient.uuid())
        };
        ensure_all("demographics", states, |it| it.patient, is_requested)
    }
}
