//! The change feed and its end.

use db::ChangeCounterRow;
use db::ChangeRow;
use db::Database;
use db::Error;
use phi_types::OrganizationId;

use super::rows::assert_same;
use super::rows::change;
use super::rows::change_counter;
use super::rows::mac;
use super::scratch::Scratch;

async fn begin(app: &Database, end: &ChangeCounterRow) {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_change_counter(end).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Appends one change to the feed that ends at `end`, and returns its new end.
async fn append(
    app: &Database,
    end: &ChangeCounterRow,
) -> Result<(ChangeRow, ChangeCounterRow), Error> {
    let row = ChangeRow {
        incarnation: end.incarnation,
        sequence: end.sequence + 1,
        ..change(end.organization)
    };
    let next = ChangeCounterRow {
        sequence: row.sequence,
        mac: mac(),
        ..end.clone()
    };
    let mut transaction = app.begin().await.unwrap();
    let before = end.mac.as_bytes();
    transaction
        .append_changes(std::slice::from_ref(&row), &next, before)
        .await?;
    transaction.commit().await?;
    Ok((row, next))
}

#[tokio::test]
async fn changes_are_read_in_their_order_from_a_place_on() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let mut end = change_counter(organization);
    begin(&app, &end).await;
    let mut rows = Vec::new();
    for _ in 0..5 {
        let (row, next) = append(&app, &end).await.unwrap();
        rows.push(row);
        end = next;
    }
    let read = app.changes_after(organization, end.incarnation, 2, 2).await;
    let read = read.unwrap();
    assert_eq!(read.len(), 2);
    for (read, row) in read.iter().zip(&rows[2..]) {
        assert_same(read, row);
    }
    let ends = app
        .change_counters(&[organization, OrganizationId::random()])
        .await
        .unwrap();
    assert_eq!(ends.len(), 1);
    assert_same(&ends[0], &end);
}

#[tokio::test]
async fn an_end_that_has_moved_takes_no_change() {
    let app = Scratch::migrated().await.app();
    let end = change_counter(OrganizationId::random());
    begin(&app, &end).await;
    append(&app, &end).await.unwrap();
    let refused = append(&app, &end).await;
    // The position in the feed is taken, which the server notices before the guard is compared.
    assert!(
        matches!(refused, Err(Error::UniqueViolation(_) | Error::Conflict)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_transaction_that_holds_the_end_makes_others_wait() {
    let app = Scratch::migrated().await.app();
    let end = change_counter(OrganizationId::random());
    begin(&app, &end).await;
    let mut first = app.begin().await.unwrap();
    let locked = first.lock_change_counter(end.organization).await.unwrap();
    assert_same(&locked.unwrap(), &end);
    let other = app.clone();
    let organization = end.organization;
    let waiting = tokio::spawn(async move {
        let mut second = other.begin().await.unwrap();
        second.lock_change_counter(organization).await.unwrap()
    });
    let row = ChangeRow {
        incarnation: end.incarnation,
        ..change(organization)
    };
    let next = ChangeCounterRow {
        sequence: 1,
        mac: mac(),
        ..end.clone()
    };
    let before = end.mac.as_bytes();
    first.append_changes(&[row], &next, before).await.unwrap();
    first.commit().await.unwrap();
    let seen = waiting.await.unwrap().unwrap();
    assert_same(&seen, &next);
}
