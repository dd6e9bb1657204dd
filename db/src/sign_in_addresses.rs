//! Table `sign_in_addresses`: evidence that an account was signed in to from a client address.
//!
//! A row authenticates itself: token and proof are the halves of one keyed MAC, and only the token is ever sent before
//! the row is stored. A writer to the database can remove evidence, not make any.

use time::Date;

use crate::Database;
use crate::Error;

/// Evidence of a successful sign-in, for a period of days.
#[derive(Clone, Copy, Debug)]
pub struct AddressEvidence {
    /// The half of the MAC by which the row is found.
    pub token: [u8; 16],
    /// The other half.
    pub proof: [u8; 16],
}

/// The periods that are asked for at once: the current one and those before that still count.
pub const EVIDENCE_PERIODS: usize = 4;

impl Database {
    /// The stored proofs of these tokens, in no order. They are claims: the caller compares them with its own.
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

    /// Stores evidence, unless it is stored.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn keep_address_evidence(
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

    /// Removes up to `page` rows that no query asks for any more. The result is their number.
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
