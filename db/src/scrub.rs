//! The queries of the scrubber: all rows of each authenticated table, and the audit log's digests of them.

use std::collections::HashMap;
use std::collections::HashSet;

use audit::Entry;
use audit::WrittenRow;
use phi_types::AuthenticatedRow;
use phi_types::KeyId;
use phi_types::OrganizationId;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Database;
use crate::Error;
use crate::audit_events::entry_of;
use crate::requested::ensure_all;
use crate::requested::json_ids;
use crate::stored::StoredValue;

const EVENTS: &str = "audit_events";
const ROWS: &str = "audit_rows";

/// A row of a table that the scrubber compares with the audit log. `table!` implements the trait.
pub trait ScrubbedRow: AuthenticatedRow + Send + Sync + Sized {
    /// At most `limit` rows of all organizations, from the id `from` on, in ascending order of their ids.
    ///
    /// # Errors
    /// See [`Error`].
    fn page(
        database: &Database,
        from: Uuid,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Self>, Error>> + Send;
}

/// The newest digest that an event lists for a row. A hint: the order of digests is the database's claim.
#[derive(Clone, Copy, Debug)]
pub struct LoggedRow {
    /// The row's id.
    pub row: Uuid,
    /// The digest.
    pub digest: [u8; 32],
}

/// A log entry and its MAC, without the body of the event.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    /// The entry.
    pub entry: Entry,
    /// The id of the system's authorization key with which the MAC was made.
    pub mac_key: KeyId,
    /// The MAC over the encoded entry.
    pub mac: [u8; 32],
}

/// The rows, if their ids ascend and none is below `from`.
pub(crate) fn in_order<R: AuthenticatedRow>(rows: Vec<R>, from: Uuid) -> Result<Vec<R>, Error> {
    let is_ascending = rows.is_sorted_by(|a, b| a.row_id() < b.row_id());
    let is_after = rows.first().is_none_or(|first| first.row_id() >= from);
    if is_ascending && is_after {
        Ok(rows)
    } else {
        Err(Error::NotRequested(R::TABLE.name))
    }
}

impl Database {
    /// The newest digest that a stored event lists for each of `rows`, all of one table, in no particular order.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn logged_rows(
        &self,
        table: u16,
        rows: &[(OrganizationId, Uuid)],
    ) -> Result<Vec<LoggedRow>, Error> {
        let records = sqlx::query!(
            r#"SELECT r.row_id AS "row_id: Uuid", r.digest
               FROM JSON_TABLE(?, '$[*]' COLUMNS (
                      o CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]',
                      r CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]')) wanted
               JOIN audit_rows r
                 ON r.organization = UNHEX(wanted.o) AND r.table_tag = ? AND r.row_id = UNHEX(wanted.r)
               WHERE r.sequence = (
                 SELECT n.sequence FROM audit_rows n
                 JOIN audit_events e ON e.month = n.month AND e.event = n.event
                 WHERE n.organization = r.organization AND n.table_tag = r.table_tag AND n.row_id = r.row_id
                 ORDER BY n.sequence DESC LIMIT 1)"#,
            pairs(rows),
            table,
        )
        .fetch_all(&self.pool)
        .await?;
        let found = records.into_iter().map(|record| {
            let digest = StoredValue::from_raw(record.digest);
            Ok(LoggedRow {
                row: record.row_id,
                digest: digest.ok_or(Error::Corrupt(ROWS))?,
            })
        });
        let found: Vec<_> = found.collect::<Result<_, Error>>()?;
        let requested: HashSet<Uuid> = rows.iter().map(|(_, row)| *row).collect();
        ensure_all(ROWS, found, |it| it.row, |it| requested.contains(&it.row))
    }

    /// At most `limit` events of all organizations after a position, in the order of month, chain and counter.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn logged_events(
        &self,
        (month, chain, counter): (u32, Uuid, u64),
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, Error> {
        const CORRUPT: Error = Error::Corrupt(EVENTS);
        let records = sqlx::query!(
            r#"SELECT chain AS "chain: Uuid", counter, previous, organization AS "organization: Uuid",
                      event AS "event: Uuid", at AS "at: OffsetDateTime", commitment, row_list,
                      mac_key AS "mac_key: Uuid", mac
               FROM audit_events
               WHERE month > ? OR month = ? AND (chain > ? OR chain = ? AND counter > ?)
               ORDER BY month, chain, counter LIMIT ?"#,
            month,
            month,
            chain,
            chain,
            counter,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let events = records.into_iter().map(|row| {
            let entry = entry_of!(row);
            Ok(LoggedEvent {
                entry,
                mac_key: row.mac_key.into(),
                mac: StoredValue::from_raw(row.mac).ok_or(CORRUPT)?,
            })
        });
        let events: Vec<_> = events.collect::<Result<_, Error>>()?;
        let place = |it: &LoggedEvent| (it.entry.month(), it.entry.chain, it.entry.counter);
        ensure_all(EVENTS, events, place, |it| {
            place(it) > (month, chain, counter)
        })
    }

    /// The rows that each of `events`, all of one month, lists, in the order of its commitment.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn rows_of_events(
        &self,
        month: u32,
        events: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<WrittenRow>>, Error> {
        let records = sqlx::query!(
            r#"SELECT r.event AS "event: Uuid", r.table_tag, r.row_id AS "row_id: Uuid", r.digest
               FROM JSON_TABLE(?, '$[*]' COLUMNS (
                      id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) wanted
               JOIN audit_rows r ON r.month = ? AND r.event = UNHEX(wanted.id)
               ORDER BY r.event, r.position"#,
            json_ids(events.iter().copied()),
            month,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut listed: HashMap<Uuid, Vec<WrittenRow>> = HashMap::new();
        for record in records {
            if !events.contains(&record.event) {
                return Err(Error::NotRequested(ROWS));
            }
            let digest = StoredValue::from_raw(record.digest);
            listed.entry(record.event).or_default().push(WrittenRow {
                table: record.table_tag,
                row: record.row_id,
                digest: digest.ok_or(Error::Corrupt(ROWS))?,
            });
        }
        Ok(listed)
    }
}

/// Pairs of ids as a JSON array of arrays of hexadecimal strings.
fn pairs(rows: &[(OrganizationId, Uuid)]) -> String {
    let pairs = rows.iter().map(|(organization, row)| {
        format!(
            "[\"{}\",\"{}\"]",
            organization.uuid().simple(),
            row.simple()
        )
    });
    format!("[{}]", pairs.collect::<Vec<_>>().join(","))
}
