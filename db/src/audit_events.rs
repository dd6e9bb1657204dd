//! Tables `audit_events` and `audit_rows`: the audit log. This account inserts and reads, and cannot update or delete.

use audit::Entry;
use audit::WrittenRow;
use phi_types::KeyId;
use phi_types::OrganizationId;
use phi_types::Sealed;
use phi_types::columns::AuditBody;
use sqlx::MySql;
use sqlx::QueryBuilder;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::Transaction;
use crate::requested::ensure_all;
use crate::stored::StoredValue;

const TABLE: &str = "audit_events";

/// The entry of a record of `audit_events`. A macro, because `query!` makes a record type for each query.
macro_rules! entry_of {
    ($row:expr) => {
        audit::Entry {
            chain: $row.chain,
            counter: $row.counter,
            previous: crate::stored::StoredValue::from_raw($row.previous)
                .ok_or(crate::Error::Corrupt("audit_events"))?,
            organization: $row.organization,
            event: $row.event,
            at_micros: audit::micros($row.at),
            commitment: audit::Commitment(
                crate::stored::StoredValue::from_raw($row.commitment)
                    .ok_or(crate::Error::Corrupt("audit_events"))?,
            ),
            rows: audit::RowsCommitment(
                crate::stored::StoredValue::from_raw($row.row_list)
                    .ok_or(crate::Error::Corrupt("audit_events"))?,
            ),
        }
    };
}
pub(crate) use entry_of;

/// An audit event: its log entry, its sealed body, and the list of rows that its transaction wrote.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// The log entry: the place in a chain, and the commitments.
    pub entry: Entry,
    /// The id of the system's authorization key with which the MAC was made.
    pub mac_key: KeyId,
    /// The MAC over the encoded entry.
    pub mac: [u8; 32],
    /// The body, sealed in audit-year scope with the event's id as row id.
    pub body: Sealed<AuditBody>,
    /// The rows that the event's transaction wrote. Empty for an event that was read.
    pub rows: Vec<WrittenRow>,
}

impl Transaction {
    /// The newest digest that the log has for a row; none if it has none. A claim of the database: the row must be locked, so
    /// that no concurrent event is newer.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn newest_digest(
        &mut self,
        organization: OrganizationId,
        table_tag: u16,
        row_id: Uuid,
    ) -> Result<Option<[u8; 32]>, Error> {
        let digest = sqlx::query_scalar!(
            "SELECT digest FROM audit_rows WHERE organization = ? AND table_tag = ? AND row_id = ?
             ORDER BY sequence DESC LIMIT 1",
            organization.uuid(),
            table_tag,
            row_id,
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        let digest =
            digest.map(|digest| digest.try_into().ok().ok_or(Error::Corrupt("audit_rows")));
        digest.transpose()
    }

    /// Inserts events and the rows that they list.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if the place in the chain is taken, which means that two writers share one chain.
    pub async fn insert_events(&mut self, events: &[EventRow]) -> Result<(), Error> {
        insert_entries(events)
            .build()
            .execute(&mut *self.inner)
            .await?;
        let listed: Vec<_> = events
            .iter()
            .flat_map(|event| {
                (0_u32..)
                    .zip(&event.rows)
                    .map(move |(at, row)| (event, at, row))
            })
            .collect();
        for rows in listed.chunks(2_000) {
            let mut query = QueryBuilder::<MySql>::new(
                "INSERT INTO audit_rows (month, event, position, organization, table_tag, row_id, digest) ",
            );
            query.push_values(rows, |mut values, (event, position, row)| {
                values
                    .push_bind(event.entry.month())
                    .push_bind(event.entry.event)
                    .push_bind(*position)
                    .push_bind(event.entry.organization)
                    .push_bind(row.table)
                    .push_bind(row.row)
                    .push_bind(&row.digest[..]);
            });
            query.build().execute(&mut *self.inner).await?;
        }
        Ok(())
    }
}

/// One statement for all events. Built, because a `query!` literal cannot vary in length.
fn insert_entries(events: &[EventRow]) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(
        "INSERT INTO audit_events \
         (month, chain, counter, previous, organization, event, at, commitment, row_list, mac_key, mac, body) ",
    );
    query.push_values(events, |mut values, row| {
        let entry = &row.entry;
        values
            .push_bind(entry.month())
            .push_bind(entry.chain)
            .push_bind(entry.counter)
            .push_bind(&entry.previous[..])
            .push_bind(entry.organization)
            .push_bind(entry.event)
            .push_bind(entry.at().unwrap_or(OffsetDateTime::UNIX_EPOCH))
            .push_bind(&entry.commitment.0[..])
            .push_bind(&entry.rows.0[..])
            .push_bind(row.mac_key.uuid())
            .push_bind(&row.mac[..])
            .push_bind(row.body.as_bytes());
    });
    query
}

impl Database {
    /// Inserts events that list no rows, all or none of them: one statement, one round trip.
    ///
    /// # Errors
    /// As [`Transaction::insert_events`]. After [`Error::Unavailable`] it is unknown whether they are stored:
    /// [`Database::has_event`] decides.
    pub async fn insert_reads(&self, events: &[EventRow]) -> Result<(), Error> {
        let pool = self.writable().await?;
        insert_entries(events).build().execute(pool).await?;
        Ok(())
    }

    /// Whether an event is stored: resolves a commit whose result was lost.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn has_event(&self, month: u32, event: Uuid) -> Result<bool, Error> {
        let found = sqlx::query_scalar!(
            "SELECT 1 AS found FROM audit_events WHERE month = ? AND event = ?",
            month,
            event,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.is_some())
    }

    /// The lengths of the sealed bodies of an organization's latest events, in bytes, the newest first: the caller
    /// reserves memory by them before it reads the events.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn latest_event_lengths(
        &self,
        organization: OrganizationId,
        limit: u32,
    ) -> Result<Vec<usize>, Error> {
        let lengths = sqlx::query_scalar!(
            r#"SELECT CAST(LENGTH(body) AS SIGNED) AS "bytes!: i64"
               FROM audit_events WHERE organization = ?
               ORDER BY at DESC, month DESC, chain DESC, counter DESC LIMIT ?"#,
            organization.uuid(),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let bytes = |length| usize::try_from(length).ok().ok_or(Error::Corrupt(TABLE));
        lengths.into_iter().map(bytes).collect()
    }

    /// An organization's latest events after the `skipped` newest ones, the newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn latest_events(
        &self,
        organization: OrganizationId,
        skipped: u32,
        limit: u32,
    ) -> Result<Vec<EventRow>, Error> {
        const CORRUPT: Error = Error::Corrupt(TABLE);
        let records = sqlx::query!(
            r#"SELECT chain AS "chain: Uuid", counter, previous, organization AS "organization: Uuid",
                      event AS "event: Uuid", at AS "at: OffsetDateTime", commitment, row_list,
                      mac_key AS "mac_key: Uuid", mac, body
               FROM audit_events WHERE organization = ?
               ORDER BY at DESC, month DESC, chain DESC, counter DESC LIMIT ? OFFSET ?"#,
            organization.uuid(),
            limit,
            skipped,
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = records.into_iter().map(|row| {
            let entry = entry_of!(row);
            Ok(EventRow {
                entry,
                mac_key: row.mac_key.into(),
                mac: StoredValue::from_raw(row.mac).ok_or(CORRUPT)?,
                body: Sealed::from_bytes(row.body),
                rows: Vec::new(),
            })
        });
        let rows: Vec<EventRow> = rows.collect::<Result<_, Error>>()?;
        let is_requested = |row: &EventRow| row.entry.organization == organization.uuid();
        ensure_all(TABLE, rows, |row| row.entry.event, is_requested)
    }
}
