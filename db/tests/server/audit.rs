use audit::{Commitment, Draft, Entry, Lane, RowsDigest};
use db::{AddressRow, Database, Error, EventRow};
use phi::{OrganizationId, RowId};
use sqlx::Row as _;
use time::{Date, Month, OffsetDateTime};
use uuid::Uuid;

use super::rows::{bytes32, id, noon, sealed};
use super::scratch::Scratch;

fn draft(organization: OrganizationId, at: OffsetDateTime) -> Draft {
    Draft {
        event: id(),
        organization: organization.uuid(),
        at,
        commitment: Commitment(bytes32()),
        rows: RowsDigest::of(&[bytes32()]),
    }
}

fn rows_of(entries: &[Entry]) -> Vec<EventRow> {
    entries
        .iter()
        .map(|entry| EventRow {
            entry: entry.clone(),
            mac: bytes32(),
            body: sealed(),
        })
        .collect()
}

async fn insert(app: &Database, rows: &[EventRow]) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_events(rows).await?;
    transaction.commit().await
}

#[tokio::test]
async fn events_come_back_newest_first_and_hash_as_they_did() {
    let app = Scratch::migrated().await.app();
    let (organization, other) = (OrganizationId::random(), OrganizationId::random());
    let seconds = |n| noon() + time::Duration::seconds(n);
    let drafts = [
        draft(organization, seconds(0)),
        draft(other, seconds(1)),
        draft(organization, seconds(2)),
    ];
    let rows = rows_of(&Lane::begin(id()).place(&drafts));
    insert(&app, &rows).await.unwrap();
    let found = app.latest_events(organization, 10).await.unwrap();
    assert_eq!(found.len(), 2);
    for (found, stored) in found.iter().zip([&rows[2], &rows[0]]) {
        assert_eq!(found.entry, stored.entry);
        assert_eq!(found.entry.hash(), stored.entry.hash());
        assert_eq!(found.mac, stored.mac);
        assert_eq!(found.body.as_bytes(), stored.body.as_bytes());
    }
    assert_eq!(app.latest_events(organization, 1).await.unwrap().len(), 1);
    assert!(app.has_event(rows[0].entry.event).await.unwrap());
    assert!(!app.has_event(Uuid::nil()).await.unwrap());
}

#[tokio::test]
async fn a_place_in_a_lane_is_taken_once() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let lane = Lane::begin(id());
    insert(&app, &rows_of(&lane.place(&[draft(organization, noon())])))
        .await
        .unwrap();
    let rival = rows_of(&lane.place(&[draft(organization, noon()), draft(organization, noon())]));
    let refused = insert(&app, &rival).await;
    assert!(
        matches!(refused, Err(Error::AlreadyThere(_))),
        "{refused:?}"
    );
    // Neither of the two is there: a group is added whole or not at all.
    assert_eq!(app.latest_events(organization, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_address_is_kept_once_a_day() {
    let scratch = Scratch::migrated().await;
    let app = scratch.app();
    let row = AddressRow {
        organization: OrganizationId::random(),
        day: Date::from_calendar_date(2026, Month::November, 23).unwrap(),
        pseudonym: id().into_bytes(),
        row_id: RowId::random(),
        address: sealed(),
    };
    app.keep_address(&row).await.unwrap();
    let again = AddressRow {
        row_id: RowId::random(),
        address: sealed(),
        ..row.clone()
    };
    app.keep_address(&again).await.unwrap();
    let tomorrow = AddressRow {
        day: row.day.next_day().unwrap(),
        ..again
    };
    app.keep_address(&tomorrow).await.unwrap();
    let mut connection = scratch.connect("app").await;
    let kept = sqlx::query("SELECT address FROM audit_addresses ORDER BY day")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].get::<Vec<u8>, _>(0), row.address.as_bytes());
}
