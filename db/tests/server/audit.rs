//! The audit log: events, their lists of rows, and addresses.

use audit::Commitment;
use audit::Entry;
use audit::HashChain;
use audit::RowsCommitment;
use audit::UnplacedEvent;
use audit::WrittenRow;
use db::AddressRow;
use db::Database;
use db::Error;
use db::EventRow;
use db::ResourceKey;
use db::ResourceRow;
use phi_types::KeyId;
use phi_types::OrganizationId;
use phi_types::PatientId;
use phi_types::RowId;
use phi_types::random_bytes;
use phi_types::tables;
use sqlx::Row as _;
use time::Date;
use time::Month;
use time::OffsetDateTime;
use uuid::Uuid;

use super::rows::assert_same;
use super::rows::id;
use super::rows::noon;
use super::rows::resource;
use super::rows::sealed;
use super::scratch::Scratch;

fn unplaced(
    organization: OrganizationId,
    at: OffsetDateTime,
    rows: &[WrittenRow],
) -> UnplacedEvent {
    UnplacedEvent {
        event: id(),
        organization: organization.uuid(),
        at,
        commitment: Commitment(random_bytes()),
        rows: RowsCommitment::of(rows),
    }
}

fn written(row: Uuid) -> WrittenRow {
    WrittenRow {
        table: tables::RESOURCES.tag,
        row,
        digest: random_bytes(),
    }
}

fn event(entry: &Entry, rows: Vec<WrittenRow>) -> EventRow {
    EventRow {
        entry: entry.clone(),
        mac_key: KeyId::random(),
        mac: random_bytes(),
        body: sealed(),
        rows,
    }
}

/// The event of a write, the first one in a new chain.
fn write_of(organization: OrganizationId, at: OffsetDateTime, rows: Vec<WrittenRow>) -> EventRow {
    let entries = HashChain::begin(id()).place(&[unplaced(organization, at, &rows)]);
    event(&entries[0], rows)
}

fn reads_of(entries: &[Entry]) -> Vec<EventRow> {
    entries
        .iter()
        .map(|entry| event(entry, Vec::new()))
        .collect()
}

async fn insert(app: &Database, rows: &[EventRow]) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_events(rows).await?;
    transaction.commit().await
}

#[tokio::test]
async fn events_are_listed_newest_first_and_hash_as_they_did() {
    let app = Scratch::migrated().await.app();
    let (organization, other) = (OrganizationId::random(), OrganizationId::random());
    let seconds = |n| noon() + time::Duration::seconds(n);
    let events = [
        unplaced(organization, seconds(0), &[]),
        unplaced(other, seconds(1), &[]),
        unplaced(organization, seconds(2), &[]),
    ];
    let rows = reads_of(&HashChain::begin(id()).place(&events));
    app.insert_reads(&rows).await.unwrap();
    let found = app.latest_events(organization, 0, 10).await.unwrap();
    assert_eq!(found.len(), 2);
    for (found, stored) in found.iter().zip([&rows[2], &rows[0]]) {
        assert_eq!(found.entry, stored.entry);
        assert_eq!(found.entry.hash(), stored.entry.hash());
        assert_eq!((found.mac_key, found.mac), (stored.mac_key, stored.mac));
        assert_eq!(found.body.as_bytes(), stored.body.as_bytes());
    }
    let first = app.latest_events(organization, 0, 1).await.unwrap();
    let second = app.latest_events(organization, 1, 10).await.unwrap();
    assert_eq!([first.len(), second.len()], [1, 1]);
    assert_eq!(second[0].entry, rows[0].entry);
    let lengths = app.latest_event_lengths(organization, 10).await.unwrap();
    assert_eq!(
        lengths,
        [&rows[2], &rows[0]].map(|row| row.body.as_bytes().len())
    );
    let (month, stored) = (rows[0].entry.month(), rows[0].entry.event);
    assert!(app.has_event(month, stored).await.unwrap());
    assert!(!app.has_event(month, id()).await.unwrap());
    assert!(!app.has_event(month + 1, stored).await.unwrap());
}

#[tokio::test]
async fn a_place_in_a_chain_is_taken_once() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let chain = HashChain::begin(id());
    let one = || unplaced(organization, noon(), &[]);
    insert(&app, &reads_of(&chain.place(&[one()])))
        .await
        .unwrap();
    let rival = reads_of(&chain.place(&[one(), one()]));
    for refused in [insert(&app, &rival).await, app.insert_reads(&rival).await] {
        assert!(
            matches!(refused, Err(Error::UniqueViolation(_))),
            "{refused:?}"
        );
    }
    // Neither of the two is stored: a statement inserts all of its events or none.
    assert_eq!(
        app.latest_events(organization, 0, 10).await.unwrap().len(),
        1
    );
}

/// The rows that an event lists.
async fn listed(app: &Database, month: u32, event: uuid::Uuid) -> Vec<WrittenRow> {
    let mut found = app.rows_of_events(month, &[event]).await.unwrap();
    found.remove(&event).unwrap_or_default()
}

#[tokio::test]
async fn the_rows_of_an_event_are_listed_in_the_order_of_its_commitment() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    // More rows than fit in one statement.
    let rows: Vec<_> = (0..4_500).map(|_| written(id())).collect();
    let (one, other) = (
        write_of(organization, noon(), rows.clone()),
        write_of(organization, noon(), vec![written(id())]),
    );
    insert(&app, &[one.clone(), other.clone()]).await.unwrap();
    let entry = &one.entry;
    let found = listed(&app, entry.month(), entry.event).await;
    assert!(found == rows, "other rows, or another order");
    assert_eq!(RowsCommitment::of(&found), entry.rows);
    let found = listed(&app, other.entry.month(), other.entry.event).await;
    assert_eq!(found, other.rows);
    let another_month = listed(&app, entry.month() + 1, entry.event).await;
    assert!(another_month.is_empty());
    assert!(listed(&app, entry.month(), id()).await.is_empty());
}

#[tokio::test]
async fn events_without_rows_list_none() {
    let app = Scratch::migrated().await.app();
    let row = write_of(OrganizationId::random(), noon(), Vec::new());
    insert(&app, std::slice::from_ref(&row)).await.unwrap();
    let found = listed(&app, row.entry.month(), row.entry.event).await;
    assert_eq!(RowsCommitment::of(&found), row.entry.rows);
}

/// The digest with which a head is locked.
async fn newest_digest(app: &Database, head: &ResourceRow) -> Option<[u8; 32]> {
    let mut transaction = app.begin().await.unwrap();
    let keys = [ResourceKey {
        kind: "Observation",
        id: head.id,
    }];
    let locked = transaction.lock_resources(head.organization, &keys).await;
    let [locked] = locked.unwrap().try_into().unwrap();
    assert_same(&locked.head, head);
    locked.newest_digest
}

#[tokio::test]
async fn a_head_is_locked_with_the_digest_that_was_inserted_last() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let head = resource(organization, PatientId::random(), "Observation");
    let mut transaction = app.begin().await.unwrap();
    let heads = std::slice::from_ref(&head);
    transaction.insert_resources(heads).await.unwrap();
    transaction.commit().await.unwrap();
    let row = head.row_id.uuid();
    // The second event has the earlier time, since the clocks of two instances may differ.
    let earlier = noon() - time::Duration::days(40);
    let first = write_of(organization, noon(), vec![written(id()), written(row)]);
    let second = write_of(organization, earlier, vec![written(row), written(id())]);
    let of_other_table = WrittenRow {
        table: tables::KEYS.tag,
        ..written(row)
    };
    let other_table = write_of(organization, noon(), vec![of_other_table]);
    let elsewhere = write_of(OrganizationId::random(), noon(), vec![written(row)]);
    assert_eq!(newest_digest(&app, &head).await, None);
    for (event, digest) in [
        (&first, first.rows[1].digest),
        (&second, second.rows[0].digest),
        (&other_table, second.rows[0].digest),
        (&elsewhere, second.rows[0].digest),
    ] {
        insert(&app, std::slice::from_ref(event)).await.unwrap();
        assert_eq!(newest_digest(&app, &head).await, Some(digest));
    }
}

#[tokio::test]
async fn an_event_that_is_rolled_back_leaves_no_rows() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let event = write_of(organization, noon(), vec![written(id())]);
    let mut transaction = app.begin().await.unwrap();
    transaction
        .insert_events(std::slice::from_ref(&event))
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    assert!(
        !app.has_event(event.entry.month(), event.entry.event)
            .await
            .unwrap()
    );
    let found = listed(&app, event.entry.month(), event.entry.event).await;
    assert!(found.is_empty());
}

#[tokio::test]
async fn an_address_is_stored_once_a_day() {
    let scratch = Scratch::migrated().await;
    let app = scratch.app();
    let row = AddressRow {
        organization: OrganizationId::random(),
        day: Date::from_calendar_date(2026, Month::November, 23).unwrap(),
        pseudonym: id().into_bytes(),
        row_id: RowId::random(),
        address: sealed(),
    };
    app.store_address(&row).await.unwrap();
    let again = AddressRow {
        row_id: RowId::random(),
        address: sealed(),
        ..row.clone()
    };
    app.store_address(&again).await.unwrap();
    let tomorrow = AddressRow {
        day: row.day.next_day().unwrap(),
        ..again
    };
    app.store_address(&tomorrow).await.unwrap();
    let mut connection = scratch.connect("app").await;
    let kept = sqlx::query("SELECT address FROM audit_addresses ORDER BY day")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].get::<Vec<u8>, _>(0), row.address.as_bytes());
}
