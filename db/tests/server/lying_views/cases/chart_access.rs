//! Cases of care teams and emergency accesses.

use phi::PatientId;
use uuid::Uuid;

use super::Case;
use super::one;
use super::several;

pub(super) fn care_teams() -> Vec<Case> {
    vec![
        Case::of(
            "care_team",
            &[(
                "care_team_members",
                &["organization", "patient", "ended_at"],
            )],
            |w| {
                Box::pin(async {
                    let (id, patient) = (w.victim().id(), w.victim().patient);
                    several(w, id, w.app.care_team(id, patient, 20).await).await
                })
            },
        ),
        Case::of(
            "care_teams_of",
            &[("care_team_members", &["organization", "person", "ended_at"])],
            |w| {
                Box::pin(async {
                    let (id, person) = (w.victim().id(), w.victim().person.id);
                    let first = PatientId::from_uuid(Uuid::nil());
                    several(w, id, w.app.care_teams_of(id, person, first, 20).await).await
                })
            },
        ),
        Case::of(
            "lock_care_team_member",
            &[("care_team_members", &["organization", "patient", "person"])],
            |w| {
                Box::pin(async {
                    let (id, patient) = (w.victim().id(), w.victim().patient);
                    let person = w.victim().person.id;
                    let mut transaction = w.app.begin().await.unwrap();
                    let found = transaction.lock_care_team_member(id, patient, person).await;
                    transaction.rollback().await.unwrap();
                    one(w, Some(id), found).await
                })
            },
        ),
        Case::of(
            "lock_organization",
            &[("organizations", &["organization"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let mut transaction = w.app.begin().await.unwrap();
                    let found = transaction.lock_organization(id).await;
                    transaction.rollback().await.unwrap();
                    one(w, Some(id), found).await
                })
            },
        )
        .of_organization(),
    ]
}

pub(super) fn emergencies() -> Vec<Case> {
    vec![
        Case::of(
            "emergency_access",
            &[("emergency_accesses", &["organization", "id"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let found = w.app.emergency_access(id, w.victim().emergency.id).await;
                    one(w, Some(id), found).await
                })
            },
        ),
        Case::of(
            "emergency_accesses_of",
            &[("emergency_accesses", &["organization", "person", "ends_at"])],
            |w| {
                Box::pin(async {
                    let (id, person) = (w.victim().id(), w.victim().person.id);
                    let now = w.victim().emergency.began_at;
                    several(
                        w,
                        id,
                        w.app.emergency_accesses_of(id, person, now, 20).await,
                    )
                    .await
                })
            },
        ),
    ]
}

pub(super) fn emergencies_of_organization() -> Vec<Case> {
    vec![
        Case::of(
            "open_emergency_accesses",
            &[("emergency_accesses", &["organization", "reviewed_at"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    several(w, id, w.app.open_emergency_accesses(id, 20).await).await
                })
            },
        )
        .of_organization(),
        Case::of(
            "emergency_accesses",
            &[("emergency_accesses", &["organization"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    several(w, id, w.app.emergency_accesses(id, 20).await).await
                })
            },
        )
        .of_organization(),
        Case::of(
            "lock_emergency_access",
            &[("emergency_accesses", &["organization", "id"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let mut transaction = w.app.begin().await.unwrap();
                    let locked = transaction.lock_emergency_access(id, w.victim().emergency.id);
                    let found = locked.await;
                    transaction.rollback().await.unwrap();
                    one(w, Some(id), found).await
                })
            },
        ),
    ]
}
