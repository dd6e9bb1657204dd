//! Table `demographics`: the identifying fields of each patient, sealed one by one, for lists and search.

use db_macros::table;
use phi_types::OrganizationId;
use phi_types::PatientId;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::columns;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure_all;
use crate::requested::json_ids;

/// Declares the table: the fields of a Patient from the registry, then the columns `more`.
macro_rules! declare_table {
    (
        first { $($(#[$($doc:tt)*])* $tag:literal $first:ident: $column:ident;)* }
        later { $($(#[$($later_doc:tt)*])* $later_tag:literal $later:ident: $later_column:ident;)* }
        more { $($more:tt)* }
    ) => {
        table! {
            /// The fields of the current version of a Patient. Absence is sealed like a value.
            ///
            /// A field accepts a value that was sealed for its column:
            ///
            /// ```
            /// # use db::DemographicsRow;
            /// # use phi_types::{Sealed, columns::{Family, Given}};
            /// fn rename(row: &mut DemographicsRow, family: Sealed<Family>) {
            ///     row.family = family;
            /// }
            /// ```
            ///
            /// A value that was sealed for another column does not compile:
            ///
            /// ```compile_fail,E0308
            /// # use db::DemographicsRow;
            /// # use phi_types::{Sealed, columns::{Family, Given}};
            /// fn rename(row: &mut DemographicsRow, family: Sealed<Given>) {
            ///     row.family = family;
            /// }
            /// ```
            ///
            /// Neither does a value in the clear:
            ///
            /// ```compile_fail,E0308
            /// # use db::DemographicsRow;
            /// # use phi_types::{Sealed, columns::{Family, Given}};
            /// fn rename(row: &mut DemographicsRow, family: Option<String>) {
            ///     row.family = family;
            /// }
            /// ```
            pub struct DemographicsRow: DEMOGRAPHICS, row row_id, select select_demographics {
                /// The organization.
                1 organization: OrganizationId,
                /// The patient.
                2 patient: PatientId,
                /// The row's id, new for each version.
                3 row_id: RowId,
                /// The version of the Patient resource.
                4 version: u32,
                $($(#[$($doc)*])* $tag $first: Sealed<columns::$column>,)*
                /// Every name and the birth date, for the roster.
                14 roster_entry: Sealed<columns::RosterEntry>,
                $($(#[$($later_doc)*])* $later_tag $later: Option<Sealed<columns::$later_column>>,)*
                $($more)*
            }
        }
    };
}

#[cfg(not(feature = "next-release"))]
macro_rules! declare {
    ($($fields:tt)*) => {
        declare_table! { $($fields)* more {} }
    };
}

#[cfg(feature = "next-release")]
macro_rules! declare {
    ($($fields:tt)*) => {
        declare_table! {
            $($fields)*
            more {
                /// A note, which only the build of the upgrade test has.
                60_000 next_release_note: Option<Sealed<columns::NextReleaseNote>>,
            }
        }
    };
}

phi_types::patient_fields!(declare);

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
    /// Inserts a patient's demographics, in place of former ones unless `is_new`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replace_demographics(
        &mut self,
        row: &DemographicsRow,
        is_new: bool,
    ) -> Result<(), Error> {
        if !is_new {
            self.delete_demographics(row.organization, row.patient)
                .await?;
        }
        self.insert(std::slice::from_ref(row)).await
    }

    /// Deletes a patient's demographics, if there are any: those of a deleted Patient.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_demographics(
        &mut self,
        organization: OrganizationId,
        patient: PatientId,
    ) -> Result<(), Error> {
        sqlx::query!(
            "DELETE FROM demographics WHERE organization = ? AND patient = ?",
            organization.uuid(),
            patient.uuid(),
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
