//! Table `sign_in_addresses`: evidence that a sign-in to an account from a client address has succeeded.
//!
//! Token and proof are the halves of one keyed MAC, and the app sends the proof to the database only in order to store
//! it. So a writer to the database can remove evidence and cannot make any.

use time::Date;

use crate::Database;
use crate::Error;

/// Evidence of a successful sign-in from an address within a period of days.
#[derive(Clone, Copy, Debug)]
pub struct AddressEvidence {
    /// The half of the MAC by which the row is looked up.
    pub token: [u8; 16],
    /// The other half of the MAC.
    pub proof: [u8; 16],
}

/// Number of periods that one lookup covers: the current one, and the earlier ones that still count.
pub const EVIDENCE_PERIODS: usize = 4;

impl Database {
    /// The stored proofs of these tokens, in no particular order. Claims of the database: the caller compares them with
    /// the proofs that it computes.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn address_proofs(
        &self,
        tokens: [[u8; 16]; EVIDENCE_PERIODS],
    ) -> Result<Vec<[u8; 16]>, Error> {
        let [a, b, c, d] = &tokens;
        let stored = sqlx::query_scalar!(
            r#"SELECT proof AS "proof!: Vec<u8>" FROM sign_in_addresses WHERE evidence IN (?, ?, ?, ?)"#,
            &a[..],
            &b[..],
            &c[..],
            &d[..],
        )
        .fetch_all(&self.pool)
        .await?;
        stored
            .into_iter()
            .map(|proof| {
                <[u8; 16]>::try_from(proof).map_err(|_other| Error::Corrupt("sign_in_addresses"))
            })
            .collect()
    }

    /// Stores evidence, unless it is already stored.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn store_address_evidence(
        &self,
        evidence: AddressEvidence,
        expires_on: Date,
    ) -> Result<(), Error> {
        let inserted = sqlx::query!(
            "INSERT INTO sign_in_addresses (evidence, proof, expires_on) VALUES (?, ?, ?)",
            &evidence.token[..],
            &evidence.proof[..],
            expires_on,
        )
        .execute(self.writable().await?)
        .await
        .map_err(Error::from);
        match inserted {
            Ok(_) | Err(Error::UniqueViolation(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes up to `page` expired rows. Returns their number.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_expired_address_evidence(&self, page: u32) -> Result<u64, Error> {
        let deleted = sqlx::query!(
            "DELETE FROM sign_in_addresses WHERE expires_on <= UTC_DATE() LIMIT ?",
            page,
        )
        .execute(self.writable().await?)
        .await?;
        Ok(deleted.rows_affected())
    }
}
