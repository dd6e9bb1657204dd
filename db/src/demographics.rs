//! Table `demographics`: a patient's identifying fields, sealed one by one, for lists and search.

use db_macros::table;
use phi_types::columns::{
    Address, BirthDate, Email, Family, Gender, Given, Phone, RecordNumber, RosterEntry,
    SocialSecurityNumber,
};
use phi_types::{OrganizationId, PatientId, RowId, Sealed};

use crate::requested::{ensure_all, json_ids};
use crate::{Database, Error, Transaction};

/// Declares the table with `more` columns.
macro_rules! declare {
    ($($more:tt)*) => {
        table! {
            /// The fields of the current version of a Patient. Absence is sealed like a value.
            pub struct DemographicsRow: DEMOGRAPHICS, row row_id, select select_demographics {
                /// The organization.
                1 organization: OrganizationId,
                /// The patient.
                2 patient: PatientId,
                /// The row's id, new for each version.
                3 row_id: RowId,
                /// The version of the Patient resource.
                4 version: u32,
                /// Family name.
                5 family: Sealed<Family>,
                /// Given names.
                6 given: Sealed<Given>,
                /// Birth date.
                7 birth_date: Sealed<BirthDate>,
                /// Administrative gender.
                8 gender: Sealed<Gender>,
                /// Medical record number.
                9 mrn: Sealed<RecordNumber>,
                /// Social security number.
                10 ssn: Sealed<SocialSecurityNumber>,
                /// Telephone number.
                11 phone: Sealed<Phone>,
                /// E-mail address.
                12 email: Sealed<Email>,
                /// Postal address.
                13 address: Sealed<Address>,
                /// Every name and the birth date, for the roster.
                14 roster_entry: Sealed<RosterEntry>,
                $($more)*
            }
        }
    };
}

#[cfg(not(feature = "next-release"))]
declare! {}

#[cfg(feature = "next-release")]
declare! {
    /// A note, which only the build of the upgrade test has.
    60_000 next_release_note: Option<Sealed<phi_types::columns::NextReleaseNote>>,
}

impl Database {
    /// The demographics of those of `patients` that exist, in no particular order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn demographics(
        &self,
        organization: OrganizationId,
        patients: &[PatientId],
    ) -> Result<Vec<DemographicsRow>, Error> {
        let records = select_demographics!(
            "JOIN JSON_TABLE(?, '$[*]' COLUMNS (
                    id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) wanted
               ON t.patient = UNHEX(wanted.id)
             WHERE t.organization = ?",
            json_ids(patients.iter().map(|patient| patient.uuid())),
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(DemographicsRow::try_from);
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let requested: std::collections::HashSet<_> = patients.iter().collect();
        let is_requested = |row: &DemographicsRow| {
            row.organization == organization && requested.contains(&row.patient)
        };
        ensure_all("demographics", rows, |row| row.patient, is_requested)
    }
}

impl Transaction {
    /// Replaces the patient's demographics, if there were any.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replace_demographics(
        &mut self,
        row: &DemographicsRow,
        is_new: bool,
    ) -> Result<(), Error> {
        if !is_new {
            sqlx::query!(
                "DELETE FROM demographics WHERE organization = ? AND patient = ?",
                row.organization.uuid(),
                row.patient.uuid(),
            )
            .execute(&mut *self.inner)
            .await?;
        }
        self.insert(std::slice::from_ref(row)).await
    }
}
