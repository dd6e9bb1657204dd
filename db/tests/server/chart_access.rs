//! Care teams, emergency accesses, and the policy that makes them matter.

use db::CareTeamMemberRow;
use db::EmergencyAccessRow;
use db::Error;
use db::OrganizationRow;
use phi_types::OrganizationId;
use phi_types::PatientId;
use uuid::Uuid;

use super::rows::assert_same;
use super::rows::care_team_member;
use super::rows::emergency_access;
use super::rows::mac;
use super::rows::noon;
use super::rows::organization;
use super::rows::person;
use super::scratch::Scratch;

#[tokio::test]
async fn a_membership_is_listed_for_patient_and_person_until_it_ends() {
    let app = Scratch::migrated().await.app();
    let person = person(OrganizationId::random());
    let organization = person.organization;
    let (one, two) = (PatientId::random(), PatientId::random());
    let member = care_team_member(&person, one);
    let rows = [member.clone(), care_team_member(&person, two)];
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_care_team_members(&rows).await.unwrap();
    transaction.commit().await.unwrap();

    assert_same(
        &app.care_team(organization, one, 20).await.unwrap()[0],
        &member,
    );
    let first = PatientId::from_uuid(Uuid::nil());
    let teams = app.care_teams_of(organization, person.id, first, 1).await;
    let after = teams.unwrap()[0].patient;
    let rest = app.care_teams_of(organization, person.id, after, 20).await;
    let rest = rest.unwrap();
    assert_eq!(rest.len(), 1);
    assert_ne!(rest[0].patient, after);

    let ended = CareTeamMemberRow {
        ended_at: Some(noon()),
        mac: mac(),
        ..member.clone()
    };
    for is_first in [true, false] {
        let mut transaction = app.begin().await.unwrap();
        let before = member.mac.as_bytes();
        let updated = transaction.update_care_team_member(&ended, before).await;
        assert_eq!(updated.is_ok(), is_first, "{updated:?}");
        if is_first {
            transaction.commit().await.unwrap();
        }
    }
    assert!(
        app.care_team(organization, one, 20)
            .await
            .unwrap()
            .is_empty()
    );
    let mut transaction = app.begin().await.unwrap();
    let locked = transaction.lock_care_team_member(organization, one, person.id);
    assert_same(&locked.await.unwrap().unwrap(), &ended);
    transaction.rollback().await.unwrap();
    let mut transaction = app.begin().await.unwrap();
    let again = [care_team_member(&person, one)];
    let again = transaction.insert_care_team_members(&again).await;
    assert!(matches!(again, Err(Error::UniqueViolation(_))));
}

#[tokio::test]
async fn an_emergency_access_is_listed_until_it_ends_and_is_reviewed_once() {
    let app = Scratch::migrated().await.app();
    let person = person(OrganizationId::random());
    let organization = person.organization;
    let reviewed = emergency_access(&person, PatientId::random());
    let row = EmergencyAccessRow {
        reviewed_at: None,
        reviewed_by: None,
        appropriate: None,
        finding: None,
        mac: mac(),
        ..reviewed.clone()
    };
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_emergency_access(&row).await.unwrap();
    transaction.commit().await.unwrap();
    let of_person = async |now| {
        app.emergency_accesses_of(organization, person.id, now, 20)
            .await
    };
    assert_same(&of_person(noon()).await.unwrap()[0], &row);
    assert!(of_person(row.ends_at).await.unwrap().is_empty());
    assert_eq!(
        app.open_emergency_accesses(organization, 20)
            .await
            .unwrap()
            .len(),
        1
    );
    for is_first in [true, false] {
        let mut transaction = app.begin().await.unwrap();
        let updated = transaction.review_emergency_access(&reviewed, row.mac.as_bytes());
        let updated = updated.await;
        assert_eq!(updated.is_ok(), is_first, "{updated:?}");
        if is_first {
            transaction.commit().await.unwrap();
        }
    }
    assert!(
        app.open_emergency_accesses(organization, 20)
            .await
            .unwrap()
            .is_empty()
    );
    let listed = app.emergency_accesses(organization, 20).await.unwrap();
    assert_same(&listed[0], &reviewed);
    let found = app.emergency_access(organization, row.id).await.unwrap();
    assert_same(&found.unwrap(), &reviewed);
}

#[tokio::test]
async fn the_policy_of_an_organization_is_changed_under_the_mac_that_was_read() {
    let app = Scratch::migrated().await.app();
    let row = organization();
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_organization(&row).await.unwrap();
    transaction.commit().await.unwrap();
    let changed = OrganizationRow {
        chart_access: Some("care-team".to_owned()),
        mac: mac(),
        ..row.clone()
    };
    for is_first in [true, false] {
        let mut transaction = app.begin().await.unwrap();
        let updated = transaction
            .update_organization(&changed, row.mac.as_bytes())
            .await;
        assert_eq!(updated.is_ok(), is_first, "{updated:?}");
        if is_first {
            transaction.commit().await.unwrap();
        }
    }
    let stored = app.organization(row.organization).await.unwrap();
    assert_same(&stored.unwrap(), &changed);
}
