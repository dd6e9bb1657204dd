//! Table `audit_events`: insert and read, never update or delete.

use audit::{Commitment, Entry, RowsDigest};
use phi::{OrganizationId, Sealed};
use sqlx::{MySql, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::bytes32;
use crate::{Database, Error, Transaction};

const TABLE: &str = "audit_events";

/// An event in its place, with its sealed body, as stored.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// Its place in its lane, and what it commits to.
    pub entry: Entry,
    /// Over the entry's bytes, under the system's authorization key.
    pub mac: [u8; 32],
    /// The body, sealed in audit-year scope, bound to the event's id as row id.
    pub body: Sealed<Vec<u8>>,
}

impl Transaction {
    /// Adds events to what the transaction writes.
    ///
    /// # Errors
    /// [`Error::AlreadyThere`] if the place in the lane is taken, which means that two write one lane.
    pub async fn insert_events(&mut self, rows: &[EventRow]) -> Result<(), Error> {
        insertion(rows).build().execute(&mut *self.inner).await?;
        Ok(())
    }
}

/// One statement for all rows: a literal cannot vary in length.
fn insertion(rows: &[EventRow]) -> QueryBuilder<'_, MySql> {
    let mut query = QueryBuilder::new(
        "INSERT INTO audit_events \
         (lane, counter, previous, organization, event, at, commitment, row_digests, mac, body) ",
    );
    query.push_values(rows, |mut values, row| {
        let entry = &row.entry;
        values
            .push_bind(entry.lane)
            .push_bind(entry.counter)
            .push_bind(entry.previous.to_vec())
            .push_bind(entry.organization)
            .push_bind(entry.event)
            .push_bind(entry.at().unwrap_or(OffsetDateTime::UNIX_EPOCH))
            .push_bind(entry.commitment.0.to_vec())
            .push_bind(entry.rows.0.to_vec())
            .push_bind(row.mac.to_vec())
            .push_bind(row.body.as_bytes());
    });
    query
}

impl Database {
    /// Adds events, all or none, in a transaction of their own: one statement, one way to the server
    /// and back.
    ///
    /// # Errors
    /// As [`Transaction::insert_events`]. After [`Error::Unavailable`] nobody knows whether they are
    /// there: the caller must ask.
    pub async fn insert_events(&self, rows: &[EventRow]) -> Result<(), Error> {
        insertion(rows).build().execute(&self.pool).await?;
        Ok(())
    }

    /// Whether an event is there: what a caller asks whose commit ended in doubt.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn has_event(&self, event: Uuid) -> Result<bool, Error> {
        let found =
            sqlx::query_scalar!("SELECT 1 AS found FROM audit_events WHERE event = ?", event)
                .fetch_optional(&self.pool)
                .await?;
        Ok(found.is_some())
    }

    /// An organization's latest events, newest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn latest_events(
        &self,
        organization: OrganizationId,
        limit: u32,
    ) -> Result<Vec<EventRow>, Error> {
        let rows = sqlx::query!(
            r#"SELECT lane AS "lane: Uuid", counter, previous, organization AS "organization: Uuid",
                      event AS "event: Uuid", at AS "at: OffsetDateTime", commitment, row_digests, mac, body
               FROM audit_events WHERE organization = ?
               ORDER BY at DESC, lane, counter DESC LIMIT ?"#,
            organization.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let entry = Entry {
                    lane: row.lane,
                    counter: row.counter,
                    previous: bytes32(TABLE, &row.previous)?,
                    organization: row.organization,
                    event: row.event,
                    at_micros: audit::micros(row.at),
                    commitment: Commitment(bytes32(TABLE, &row.commitment)?),
                    rows: RowsDigest(bytes32(TABLE, &row.row_digests)?),
                };
                let body = Sealed::from_bytes(row.body);
                Ok(EventRow {
                    entry,
                    mac: bytes32(TABLE, &row.mac)?,
                    body,
                })
            })
            .collect()
    }
}
