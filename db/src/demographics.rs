//! Table `demographics`: a patient's identifying fields, sealed one by one, for lists and search.

use phi::{
    AuthenticatedRow, BlindIndex, OrganizationId, PatientId, RowEncoder, RowId, RowMac, Sealed,
};
use uuid::Uuid;

use crate::columns::{bytes16, bytes32, json_ids};
use crate::{Database, Error, Transaction};

/// What the current version of a Patient says, field by field, as stored. Absence is sealed like a value.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, sealed in patient scope"
)]
pub struct DemographicsRow {
    pub organization: OrganizationId,
    pub patient: PatientId,
    pub row_id: RowId,
    pub version: u32,
    pub family: Sealed<Option<String>>,
    pub given: Sealed<Option<String>>,
    pub birth_date: Sealed<Option<String>>,
    pub gender: Sealed<Option<String>>,
    pub mrn: Sealed<Option<String>>,
    pub ssn: Sealed<Option<String>>,
    pub phone: Sealed<Option<String>>,
    pub email: Sealed<Option<String>>,
    pub address: Sealed<Option<String>>,
    pub mrn_index: BlindIndex,
    pub ssn_index: BlindIndex,
    pub mac: RowMac,
}

impl AuthenticatedRow for DemographicsRow {
    const TABLE: &'static str = "demographics";

    fn encode(&self, row: &mut RowEncoder) {
        row.uuid(self.organization.uuid());
        row.uuid(self.patient.uuid());
        row.uuid(self.row_id.uuid());
        row.u64(u64::from(self.version));
        for field in [
            &self.family,
            &self.given,
            &self.birth_date,
            &self.gender,
            &self.mrn,
            &self.ssn,
            &self.phone,
            &self.email,
            &self.address,
        ] {
            row.bytes(field.as_bytes());
        }
        row.bytes(self.mrn_index.as_bytes());
        row.bytes(self.ssn_index.as_bytes());
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }
}

/// Says which row holds a patient's demographics now: what the roster compares itself with.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RosterKey {
    /// The patient.
    pub patient: PatientId,
    /// The row; a new one for each version.
    pub row_id: RowId,
}

impl Database {
    /// The demographics of those of `patients` that exist, in no particular order.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn demographics(
        &self,
        organization: OrganizationId,
        patients: &[PatientId],
    ) -> Result<Vec<DemographicsRow>, Error> {
        let rows = sqlx::query!(
            r#"SELECT d.patient AS "patient: Uuid", d.row_id AS "row_id: Uuid", d.version, d.family, d.given,
                      d.birth_date, d.gender, d.mrn, d.ssn, d.phone, d.email, d.address, d.mrn_index,
                      d.ssn_index, d.mac
               FROM JSON_TABLE(?, '$[*]' COLUMNS (
                        id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) wanted
               JOIN demographics d ON d.organization = ? AND d.patient = UNHEX(wanted.id)"#,
            json_ids(patients.iter().map(|patient| patient.uuid())),
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(DemographicsRow {
                    organization,
                    patient: row.patient.into(),
                    row_id: row.row_id.into(),
                    version: row.version,
                    family: Sealed::from_bytes(row.family),
                    given: Sealed::from_bytes(row.given),
                    birth_date: Sealed::from_bytes(row.birth_date),
                    gender: Sealed::from_bytes(row.gender),
                    mrn: Sealed::from_bytes(row.mrn),
                    ssn: Sealed::from_bytes(row.ssn),
                    phone: Sealed::from_bytes(row.phone),
                    email: Sealed::from_bytes(row.email),
                    address: Sealed::from_bytes(row.address),
                    mrn_index: BlindIndex::from_bytes(bytes16("demographics", &row.mrn_index)?),
                    ssn_index: BlindIndex::from_bytes(bytes16("demographics", &row.ssn_index)?),
                    mac: RowMac::from_bytes(bytes32("demographics", &row.mac)?),
                })
            })
            .collect()
    }

    /// Which row holds each patient's demographics: 32 bytes a patient, from an index alone.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn roster_keys(&self, organization: OrganizationId) -> Result<Vec<RosterKey>, Error> {
        let rows = sqlx::query!(
            r#"SELECT patient AS "patient: Uuid", row_id AS "row_id: Uuid"
               FROM demographics WHERE organization = ?"#,
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| RosterKey {
                patient: row.patient.into(),
                row_id: row.row_id.into(),
            })
            .collect())
    }

    /// The patients under a blind-indexed medical record number (at most one) or social security number.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn patients_by_number(
        &self,
        organization: OrganizationId,
        mrn: BlindIndex,
        ssn: BlindIndex,
    ) -> Result<Vec<PatientId>, Error> {
        let rows = sqlx::query_scalar!(
            r#"SELECT patient AS "patient: Uuid" FROM demographics WHERE organization = ? AND mrn_index = ?
               UNION
               SELECT patient FROM demographics WHERE organization = ? AND ssn_index = ?"#,
            organization.uuid(),
            &mrn.as_bytes()[..],
            organization.uuid(),
            &ssn.as_bytes()[..],
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PatientId::from_uuid).collect())
    }
}

impl Transaction {
    /// Puts `row` in the place of the patient's demographics, if there were any.
    ///
    /// # Errors
    /// [`Error::AlreadyThere`] if the medical record number belongs to another patient.
    pub async fn replace_demographics(&mut self, row: &DemographicsRow) -> Result<(), Error> {
        sqlx::query!(
            "DELETE FROM demographics WHERE organization = ? AND patient = ?",
            row.organization.uuid(),
            row.patient.uuid(),
        )
        .execute(&mut *self.inner)
        .await?;
        sqlx::query!(
            "INSERT INTO demographics (organization, patient, row_id, version, family, given, birth_date, gender,
                                       mrn, ssn, phone, email, address, mrn_index, ssn_index, mac)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row.organization.uuid(),
            row.patient.uuid(),
            row.row_id.uuid(),
            row.version,
            row.family.as_bytes(),
            row.given.as_bytes(),
            row.birth_date.as_bytes(),
            row.gender.as_bytes(),
            row.mrn.as_bytes(),
            row.ssn.as_bytes(),
            row.phone.as_bytes(),
            row.email.as_bytes(),
            row.address.as_bytes(),
            &row.mrn_index.as_bytes()[..],
            &row.ssn_index.as_bytes()[..],
            &row.mac.as_bytes()[..],
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
