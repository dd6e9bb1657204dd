//! Search summaries, and heads with them.

use db::Database;
use db::ResourceKey;
use db::ResourceRow;
use db::SearchSummaryRow;
use db::SummarizedHead;
use phi_types::Deleted;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::PatientId;
use uuid::Uuid;

use super::rows::assert_same;
use super::rows::mac;
use super::rows::resource;
use super::rows::summary_of;
use super::rows::version_of;
use super::scratch::Scratch;

const KIND: &str = "MedicinalProductUndesirableEffect";

async fn store(app: &Database, heads: &[ResourceRow], summaries: &[SearchSummaryRow]) {
    let versions: Vec<_> = heads.iter().map(version_of).collect();
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_resources(heads).await.unwrap();
    transaction.insert_versions(&versions).await.unwrap();
    transaction
        .replace_search_summaries(summaries)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

#[track_caller]
fn assert_summary(found: &SummarizedHead, stored: Option<&SearchSummaryRow>) {
    let parts = |row: &SearchSummaryRow| {
        let key = (row.organization, row.owner_kind, row.owner);
        let resource = (row.kind.clone(), row.id);
        (key, resource, row.row_id, row.summary.as_bytes().to_vec())
    };
    assert_eq!(found.summary.as_ref().map(parts), stored.map(parts));
}

#[tokio::test]
async fn heads_of_a_type_are_returned_in_pages_with_the_summaries_that_exist() {
    let app = Scratch::migrated().await.app();
    let (organization, patient) = (OrganizationId::random(), PatientId::random());
    let mut heads: Vec<_> = (0..25)
        .map(|_| resource(organization, patient, KIND))
        .collect();
    // The first and the last id that exist are not lost between pages.
    heads[0].id = Uuid::nil();
    heads[1].id = Uuid::max();
    heads[2].deleted = Some(Deleted);
    heads.sort_unstable_by_key(|head| head.id);
    let summaries: Vec<_> = heads.iter().step_by(2).map(summary_of).collect();
    store(&app, &heads, &summaries).await;
    for (owner, kind) in [(PatientId::random(), KIND), (patient, "Observation")] {
        let other = resource(organization, owner, kind);
        let summary = summary_of(&other);
        store(&app, &[other], &[summary]).await;
    }
    let owner = Owner::Patient(patient);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = app.summarized_heads(organization, &owner, KIND, after, 7);
        let page = page.await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 7);
        after = Some(last.head.id);
        found.extend(page);
    }
    assert_eq!(found.len(), heads.len());
    for (number, (found, head)) in found.iter().zip(&heads).enumerate() {
        assert_same(&found.head, head);
        let summary = number.is_multiple_of(2).then(|| &summaries[number / 2]);
        assert_summary(found, summary);
    }
    let elsewhere = OrganizationId::random();
    let elsewhere = app.summarized_heads(elsewhere, &owner, KIND, None, 7);
    assert!(elsewhere.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_summary_replaces_the_former_one_and_is_deleted_alone() {
    let app = Scratch::migrated().await.app();
    let (organization, patient) = (OrganizationId::random(), PatientId::random());
    let mut heads = [(); 3].map(|()| resource(organization, patient, KIND));
    heads.sort_unstable_by_key(|head| head.id);
    let first = heads.each_ref().map(summary_of);
    store(&app, &heads, &first[..2]).await;
    let second = heads.each_ref().map(summary_of);
    let owner = Owner::Patient(patient);
    let mut transaction = app.begin().await.unwrap();
    // One is replaced, and one is new.
    transaction
        .replace_search_summaries(&second[1..])
        .await
        .unwrap();
    let key = ResourceKey {
        kind: KIND,
        id: heads[2].id,
    };
    transaction
        .delete_search_summary(organization, &owner, &key)
        .await
        .unwrap();
    transaction.replace_search_summaries(&[]).await.unwrap();
    transaction.commit().await.unwrap();
    let found = app.summarized_heads(organization, &owner, KIND, None, 10);
    let found = found.await.unwrap();
    for (found, expected) in found.iter().zip([Some(&first[0]), Some(&second[1]), None]) {
        assert_summary(found, expected);
    }
}

#[tokio::test]
async fn many_summaries_are_stored_by_one_call() {
    let app = Scratch::migrated().await.app();
    let (organization, patient) = (OrganizationId::random(), PatientId::random());
    let heads: Vec<_> = (0..5_000)
        .map(|_| ResourceRow {
            mac: mac(),
            ..resource(organization, patient, KIND)
        })
        .collect();
    let summaries: Vec<_> = heads.iter().map(summary_of).collect();
    store(&app, &heads, &summaries).await;
    let owner = Owner::Patient(patient);
    let found = app.summarized_heads(organization, &owner, KIND, None, 10_000);
    let found = found.await.unwrap();
    assert_eq!(found.len(), heads.len());
    assert!(found.iter().all(|it| it.summary.is_some()));
}
