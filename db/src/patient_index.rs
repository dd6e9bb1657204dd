//! Table `patient_index`: blind index tokens of patients.

use phi_types::{IndexParameter, IndexToken, OrganizationId, PatientId};
use sqlx::{MySql, QueryBuilder};
use uuid::Uuid;

use crate::{Database, Error, Transaction};

/// A token under which a patient is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PatientToken {
    /// The search parameter.
    pub parameter: IndexParameter,
    /// The index version.
    pub version: u16,
    /// The token.
    pub token: IndexToken,
    /// Whether no other patient may have the same token: for record numbers with a system.
    pub unique: bool,
}

impl Database {
    /// The patients under a token. A hint: whether a patient has the value shows when its record is opened.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn patients_with_token(
        &self,
        organization: OrganizationId,
        token: &PatientToken,
        limit: u32,
    ) -> Result<Vec<PatientId>, Error> {
        let rows = sqlx::query_scalar!(
            r#"SELECT patient AS "patient: Uuid" FROM patient_index
               WHERE organization = ? AND parameter = ? AND version = ? AND token = ?
               ORDER BY patient LIMIT ?"#,
            organization.uuid(),
            token.parameter.code(),
            token.version,
            &token.token.as_bytes()[..],
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PatientId::from_uuid).collect())
    }
}

impl Transaction {
    /// Replaces all tokens of a patient.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] of `patient_index_unique` if another patient has a unique token.
    pub async fn replace_patient_tokens(
        &mut self,
        organization: OrganizationId,
        patient: PatientId,
        tokens: &[PatientToken],
        is_new: bool,
    ) -> Result<(), Error> {
        if !is_new {
            sqlx::query!(
                "DELETE FROM patient_index WHERE organization = ? AND patient = ?",
                organization.uuid(),
                patient.uuid(),
            )
            .execute(&mut *self.inner)
            .await?;
        }
        if tokens.is_empty() {
            return Ok(());
        }
        QueryBuilder::<MySql>::new(
            "INSERT INTO patient_index (organization, parameter, version, token, patient, unique_token) ",
        )
        .push_values(tokens, |mut values, token| {
            let bytes = token.token.as_bytes().to_vec();
            values
                .push_bind(organization.uuid())
                .push_bind(token.parameter.code())
                .push_bind(token.version)
                .push_bind(bytes.clone())
                .push_bind(patient.uuid())
                .push_bind(token.unique.then_some(bytes));
        })
        .build()
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
