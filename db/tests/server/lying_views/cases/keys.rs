//! Cases of organizations, wrapped keys, owners and the release floor.

use phi::KeyError;
use phi::OrganizationId;
use phi::Purpose;
use phi::StoreError;
use phi::WrappedKey;
use phi_types::KeyStore as _;

use super::Case;
use super::Outcome;
use super::World;
use super::one;
use super::outcome_of;

pub(super) fn all() -> Vec<Case> {
    const OWNER: &[&str] = &["organization", "owner_kind", "owner"];
    vec![
        Case::of("organization_named", &[("organizations", &["name"])], |w| {
            Box::pin(async {
                let found = w
                    .app
                    .organization_named(&w.victim().organization.name)
                    .await;
                one(w, None, found).await
            })
        })
        .of_organization(),
        Case::of(
            "organization",
            &[("organizations", &["organization"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    one(w, Some(id), w.app.organization(id).await).await
                })
            },
        )
        .of_organization(),
        Case::of(
            "current",
            &[("keys", &["organization", "owner_kind", "owner", "purpose"])],
            |w| {
                Box::pin(async {
                    let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                    let found = w.app.current(id, &owner, Purpose::Seal).await;
                    key(w, found.map(Vec::from_iter)).await
                })
            },
        ),
        Case::of("by_ids", &[("keys", &["organization", "id"])], |w| {
            Box::pin(async {
                let ids = [w.victim().key.id];
                key(w, w.app.by_ids(w.victim().id(), &ids).await).await
            })
        }),
        Case::of("owner", &[("owners", OWNER)], |w| {
            Box::pin(async {
                let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                one(w, Some(id), w.app.owner(id, &owner).await).await
            })
        }),
        Case::of("lock_owner", &[("owners", OWNER)], |w| {
            Box::pin(async {
                let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction.lock_owner(id, &owner).await;
                transaction.rollback().await.unwrap();
                one(w, Some(id), found).await
            })
        }),
    ]
}

pub(super) fn floor() -> Vec<Case> {
    const SYSTEM: Option<OrganizationId> = Some(OrganizationId::SYSTEM);
    let query = Case::of(
        "release_floor",
        &[("release_floor", &["organization"])],
        |w| Box::pin(async { one(w, SYSTEM, w.app.release_floor().await).await }),
    );
    vec![query.of_one_row()]
}

/// Opens wrapped keys as scope keys of the victim's patient.
async fn key(w: &World, found: Result<Vec<WrappedKey>, StoreError>) -> Outcome {
    let found = match found {
        Ok(found) => found,
        Err(StoreError::Corrupt(_)) => return Outcome::Refused,
        Err(error) => panic!("{error:?}"),
    };
    let (id, owner) = (w.victim().id(), w.victim().patients_owner());
    let mut genuine = true;
    for row in &found {
        match w.keyring.scope_of_row(id, owner, row).await {
            Ok(_) => {}
            Err(KeyError::Unavailable { .. } | KeyError::Denied) => panic!("the keys are closed"),
            Err(_) => genuine = false,
        }
    }
    outcome_of(found.len(), genuine)
}
