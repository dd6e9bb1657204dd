//! Table `patient_index`: blind index tokens of patients.

use std::collections::BTreeMap;
use std::collections::HashMap;

use phi_types::IndexParameter;
use phi_types::IndexToken;
use phi_types::OrganizationId;
use phi_types::PatientId;
use sqlx::MySql;
use sqlx::MySqlExecutor;
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::stored::StoredValue as _;

/// Maximum number of rows in one statement. Each has six placeholders; the protocol's limit is 65,535.
const MAX_STATEMENT_ROWS: usize = 5_000;

/// A blind index token of a patient.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PatientToken {
    /// The search parameter.
    pub parameter: IndexParameter,
    /// The index version.
    pub version: u16,
    /// The token.
    pub token: IndexToken,
    /// Whether no other patient of the organization may have the same token: set for record numbers with a system.
    pub unique: bool,
}

impl Database {
    /// The patients with a token. A hint: the caller opens each record and compares the value.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn patients_with_token(
        &self,
        organization: OrganizationId,
        token: &PatientToken,
        limit: u32,
    ) -> Result<Vec<PatientId>, Error> {
        select_patients(&self.pool, organization, token, limit).await
    }

    /// The patients that have any of `tokens` as a unique token. A hint, like every row of the index: the unique key
    /// decides when the tokens are stored.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::NotRequested`] for a row of another token.
    pub async fn holders_of_unique_tokens(
        &self,
        organization: OrganizationId,
        tokens: &[PatientToken],
    ) -> Result<Vec<(PatientToken, PatientId)>, Error> {
        let requested: HashMap<_, _> = tokens
            .iter()
            .map(|it| ((it.version, it.token), it))
            .collect();
        let list: Vec<String> = requested
            .keys()
            .map(|(version, token)| {
                let token = Uuid::from_bytes(*token.as_bytes()).simple();
                format!(r#"{{"version":{version},"token":"{token}"}}"#)
            })
            .collect();
        let rows = sqlx::query!(
            r#"SELECT i.version, i.unique_token AS "token!: Vec<u8>", i.patient AS "patient: Uuid"
               FROM JSON_TABLE(?, '$[*]' COLUMNS (
                      version SMALLINT UNSIGNED PATH '$.version',
                      token   CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$.token')) wanted
               JOIN patient_index i
                 ON i.organization = ? AND i.version = wanted.version AND i.unique_token = UNHEX(wanted.token)"#,
            format!("[{}]", list.join(",")),
            organization.uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        let holders = rows.into_iter().map(|row| {
            let token = IndexToken::from_raw(row.token).ok_or(Error::Corrupt("patient_index"))?;
            let token = requested.get(&(row.version, token));
            let token = **token.ok_or(Error::NotRequested("patient_index"))?;
            Ok((token, PatientId::from_uuid(row.patient)))
        });
        holders.collect()
    }
}

/// The query of [`Database::patients_with_token`] and [`Transaction::patients_with_token`].
async fn select_patients(
    executor: impl MySqlExecutor<'_>,
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
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(PatientId::from_uuid).collect())
}

impl Transaction {
    /// The same as [`Database::patients_with_token`], as the transaction sees it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn patients_with_token(
        &mut self,
        organization: OrganizationId,
        token: &PatientToken,
        limit: u32,
    ) -> Result<Vec<PatientId>, Error> {
        select_patients(&mut *self.inner, organization, token, limit).await
    }

    /// Inserts the tokens of a patient, which has none: former ones are deleted before.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] of `patient_index_unique` if another patient has a unique token.
    pub async fn insert_patient_tokens(
        &mut self,
        organization: OrganizationId,
        patient: PatientId,
        tokens: &[PatientToken],
    ) -> Result<(), Error> {
        // Two identifiers of a patient may have one token, for instance the same number under two systems.
        let mut distinct: BTreeMap<_, bool> = BTreeMap::new();
        for token in tokens {
            let key = (token.parameter, token.version, token.token);
            *distinct.entry(key).or_default() |= token.unique;
        }
        let distinct: Vec<_> = distinct.into_iter().collect();
        for rows in distinct.chunks(MAX_STATEMENT_ROWS) {
            let mut query = QueryBuilder::<MySql>::new(
                "INSERT INTO patient_index (organization, parameter, version, token, patient, unique_token) ",
            );
            query.push_values(rows, |mut values, ((parameter, version, token), unique)| {
                let bytes = token.as_bytes();
                values
                    .push_bind(organization.uuid())
                    .push_bind(parameter.code())
                    .push_bind(*version)
                    .push_bind(&bytes[..])
                    .push_bind(patient.uuid())
                    .push_bind(unique.then_some(&bytes[..]));
            });
            query.build().execute(&mut *self.inner).await?;
        }
        Ok(())
    }

    /// Deletes all tokens of a patient, so that its unique ones are free again.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_patient_tokens(
        &mut self,
        organization: OrganizationId,
        patient: PatientId,
    ) -> Result<(), Error> {
        sqlx::query!(
            "DELETE FROM patient_index WHERE organization = ? AND patient = ?",
            organization.uuid(),
            patient.uuid(),
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
