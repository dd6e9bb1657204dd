//! Blind index tokens of patients.

use db::Database;
use db::Error;
use db::PatientToken;
use phi_types::IndexParameter;
use phi_types::OrganizationId;
use phi_types::PatientId;

use super::rows::token;
use super::scratch::Scratch;

fn of(parameter: IndexParameter) -> PatientToken {
    PatientToken {
        parameter,
        version: 1,
        token: token(),
        unique: false,
    }
}

async fn put(
    app: &Database,
    organization: OrganizationId,
    patient: PatientId,
    tokens: &[PatientToken],
    is_new: bool,
) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    if !is_new {
        transaction
            .delete_patient_tokens(organization, patient)
            .await?;
    }
    transaction
        .insert_patient_tokens(organization, patient, tokens)
        .await?;
    transaction.commit().await
}

async fn found(app: &Database, organization: OrganizationId, by: &PatientToken) -> Vec<PatientId> {
    app.patients_with_token(organization, by, 100)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_patient_is_found_by_each_of_its_tokens_in_its_organization_alone() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let patient = PatientId::random();
    let tokens = IndexParameter::OF_PATIENTS.map(of);
    put(&app, organization, patient, &tokens, true)
        .await
        .unwrap();
    for by in &tokens {
        assert_eq!(found(&app, organization, by).await, [patient]);
        assert!(found(&app, OrganizationId::random(), by).await.is_empty());
        let version = PatientToken { version: 2, ..*by };
        assert!(found(&app, organization, &version).await.is_empty());
        let value = PatientToken {
            token: token(),
            ..*by
        };
        assert!(found(&app, organization, &value).await.is_empty());
    }
    let swapped = PatientToken {
        parameter: IndexParameter::Phone,
        ..tokens[0]
    };
    assert!(found(&app, organization, &swapped).await.is_empty());
}

#[tokio::test]
async fn one_token_finds_many_patients_in_order_and_up_to_the_limit() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let shared = of(IndexParameter::Phone);
    let mut patients: Vec<_> = (0..20).map(|_| PatientId::random()).collect();
    for patient in &patients {
        put(&app, organization, *patient, &[shared], true)
            .await
            .unwrap();
    }
    patients.sort_unstable();
    assert_eq!(found(&app, organization, &shared).await, patients);
    let some = app
        .patients_with_token(organization, &shared, 3)
        .await
        .unwrap();
    assert_eq!(some, patients[..3]);
}

#[tokio::test]
async fn a_unique_token_belongs_to_one_patient_of_an_organization() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let number = PatientToken {
        unique: true,
        ..of(IndexParameter::Identifier)
    };
    let patient = PatientId::random();
    put(&app, organization, patient, &[number], true)
        .await
        .unwrap();
    let refused = put(&app, organization, PatientId::random(), &[number], true).await;
    assert!(
        matches!(refused, Err(Error::UniqueViolation("patient_index_unique"))),
        "{refused:?}"
    );
    // The same patient may have it again; so may a patient of another organization, and another index version.
    put(&app, organization, patient, &[number], false)
        .await
        .unwrap();
    put(
        &app,
        OrganizationId::random(),
        PatientId::random(),
        &[number],
        true,
    )
    .await
    .unwrap();
    let next = PatientToken {
        version: 2,
        ..number
    };
    put(&app, organization, PatientId::random(), &[next], true)
        .await
        .unwrap();
    assert_eq!(found(&app, organization, &number).await, [patient]);
}

#[tokio::test]
async fn replacing_removes_the_tokens_that_a_patient_no_longer_has() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let [before, kept, after] = [(); 3].map(|()| of(IndexParameter::Email));
    let (patient, other) = (PatientId::random(), PatientId::random());
    put(&app, organization, other, &[before], true)
        .await
        .unwrap();
    put(&app, organization, patient, &[before, kept], true)
        .await
        .unwrap();
    put(&app, organization, patient, &[kept, after], false)
        .await
        .unwrap();
    assert_eq!(found(&app, organization, &before).await, [other]);
    assert_eq!(found(&app, organization, &kept).await, [patient]);
    assert_eq!(found(&app, organization, &after).await, [patient]);
    put(&app, organization, patient, &[], false).await.unwrap();
    assert!(found(&app, organization, &kept).await.is_empty());
}

#[tokio::test]
async fn deleting_a_patients_tokens_frees_the_unique_ones() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let number = PatientToken {
        unique: true,
        ..of(IndexParameter::Identifier)
    };
    let phone = of(IndexParameter::Phone);
    let (patient, other) = (PatientId::random(), PatientId::random());
    put(&app, organization, patient, &[number, phone], true)
        .await
        .unwrap();
    put(&app, organization, other, &[phone], true)
        .await
        .unwrap();
    let mut transaction = app.begin().await.unwrap();
    transaction
        .delete_patient_tokens(organization, patient)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert!(found(&app, organization, &number).await.is_empty());
    assert_eq!(found(&app, organization, &phone).await, [other]);
    put(&app, organization, other, &[number, phone], false)
        .await
        .unwrap();
    assert_eq!(found(&app, organization, &number).await, [other]);
}

#[tokio::test]
async fn a_token_that_a_patient_has_twice_is_stored_once() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let patient = PatientId::random();
    let phone = of(IndexParameter::Phone);
    put(&app, organization, patient, &[phone, phone], true)
        .await
        .unwrap();
    assert_eq!(found(&app, organization, &phone).await, [patient]);
}

#[tokio::test]
async fn the_holders_of_unique_tokens_are_found_in_their_organization_alone() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let unique = || PatientToken {
        unique: true,
        ..of(IndexParameter::Identifier)
    };
    let (first, second, free, shared) = (unique(), unique(), unique(), of(IndexParameter::Phone));
    let patients = [PatientId::random(), PatientId::random()];
    for (patient, tokens) in patients.iter().zip([[first, shared], [second, shared]]) {
        put(&app, organization, *patient, &tokens, true)
            .await
            .unwrap();
    }
    let requested = [first, second, second, free, shared];
    let found = |organization| app.holders_of_unique_tokens(organization, &requested);
    let mut holders = found(organization).await.unwrap();
    holders.sort_by_key(|(_, patient)| *patient != patients[0]);
    assert_eq!(holders, [(first, patients[0]), (second, patients[1])]);
    assert!(found(OrganizationId::random()).await.unwrap().is_empty());
    assert!(
        app.holders_of_unique_tokens(organization, &[])
            .await
            .unwrap()
            .is_empty()
    );
}
