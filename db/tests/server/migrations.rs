//! Migrations: repeated, concurrent and failed runs.

use db::migrate;
use db::migrate::MigrationError;
use sqlx::Executor as _;
use sqlx::Row as _;

use super::scratch::Scratch;

async fn tables(scratch: &Scratch) -> Vec<String> {
    let mut connection = scratch.connect("migrate").await;
    let rows = connection.fetch_all("SHOW TABLES").await.unwrap();
    rows.iter().map(|row| row.get_unchecked(0)).collect()
}

#[tokio::test]
async fn an_empty_database_gets_the_whole_schema_and_a_second_run_changes_nothing() {
    let scratch = Scratch::empty().await;
    migrate::run(&scratch.settings("migrate")).await.unwrap();
    let after_one = tables(&scratch).await;
    for table in [
        "organizations",
        "keys",
        "people",
        "resources",
        "demographics",
        "audit_events",
    ] {
        assert!(after_one.contains(&table.to_owned()), "{after_one:?}");
    }
    migrate::run(&scratch.settings("migrate")).await.unwrap();
    assert_eq!(tables(&scratch).await, after_one);
}

#[tokio::test]
async fn two_migrators_at_once_both_come_to_the_same_schema() {
    let scratch = Scratch::empty().await;
    let settings = scratch.settings("migrate");
    let (one, other) = tokio::join!(migrate::run(&settings), migrate::run(&settings));
    one.unwrap();
    other.unwrap();
    let mut connection = scratch.connect("migrate").await;
    let row = connection
        .fetch_one("SELECT COUNT(*), COUNT(DISTINCT version), SUM(success) FROM _sqlx_migrations")
        .await
        .unwrap();
    let (applied, distinct): (i64, i64) = (row.get(0), row.get(1));
    assert!(applied >= 4 && applied == distinct, "{applied} {distinct}");
}

#[tokio::test]
async fn a_migrator_that_failed_leaves_no_lock_behind() {
    let broken = Scratch::empty().await;
    let mut connection = broken.connect("migrate").await;
    // A table of the first migration is in the way.
    connection
        .execute("CREATE TABLE organizations (id INT)")
        .await
        .unwrap();
    let failed = migrate::run(&broken.settings("migrate")).await;
    assert!(
        matches!(failed, Err(MigrationError::Schema(_))),
        "{failed:?}"
    );
    let sound = Scratch::empty().await;
    migrate::run(&sound.settings("migrate")).await.unwrap();
}

#[tokio::test]
async fn a_name_that_would_have_to_be_quoted_is_refused_before_anything_is_sent() {
    let scratch = Scratch::empty().await;
    let mut settings = scratch.settings("migrate");
    settings.database = "stack`; DROP DATABASE stack; --".to_owned();
    let refused = migrate::run(&settings).await;
    assert!(matches!(refused, Err(MigrationError::Name)), "{refused:?}");
}

#[tokio::test]
async fn what_is_sealed_names_its_key_in_a_column_of_its_own() {
    let scratch = Scratch::migrated().await;
    let app = scratch.app();
    let organization = phi_types::OrganizationId::random();
    let row = super::rows::demographics(organization);
    let mut transaction = app.begin().await.unwrap();
    transaction.replace_demographics(&row, true).await.unwrap();
    transaction.commit().await.unwrap();
    let mut connection = scratch.connect("app").await;
    let found: Vec<u8> = connection
        .fetch_one("SELECT kid FROM demographics")
        .await
        .unwrap()
        .get(0);
    assert_eq!(found, row.family.key_id().unwrap().as_bytes());
}
