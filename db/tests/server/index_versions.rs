//! The registry of blind index versions.

use db::Database;
use db::Error;
use db::IndexVersionRow;
use phi_types::IndexState;
use phi_types::OrganizationId;

use super::rows::assert_same;
use super::rows::index_version;
use super::scratch::Scratch;

async fn add(app: &Database, row: &IndexVersionRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_index_version(row).await?;
    transaction.commit().await
}

#[tokio::test]
async fn the_versions_of_an_organization_are_listed_oldest_first() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let states = [IndexState::Retired, IndexState::Live, IndexState::Filling];
    let rows: Vec<_> = (1_u16..)
        .zip(states)
        .map(|(version, state)| IndexVersionRow {
            state,
            ..index_version(organization, version)
        })
        .collect();
    for row in rows.iter().rev() {
        add(&app, row).await.unwrap();
    }
    add(&app, &index_version(OrganizationId::random(), 9))
        .await
        .unwrap();
    let found = app.index_versions(organization).await.unwrap();
    assert_eq!(found.len(), 3);
    for (found, stored) in found.iter().zip(&rows) {
        assert_same(found, stored);
    }
}

#[tokio::test]
async fn a_version_number_is_used_once() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    add(&app, &index_version(organization, 1)).await.unwrap();
    let refused = add(&app, &index_version(organization, 1)).await;
    assert!(
        matches!(refused, Err(Error::UniqueViolation(_))),
        "{refused:?}"
    );
}
