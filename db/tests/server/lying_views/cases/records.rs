//! Cases of resources and their versions.

use db::CurrentVersion;
use db::Error;
use db::LockedHead;
use db::OwnedPosition;
use db::ResourceKey;
use db::ServerError;
use db::StoredVersion;

use super::Case;
use super::Outcome;
use super::World;
use super::accepted;
use super::one;
use super::outcome_of;
use super::several;
use super::verifies;

#[expect(clippy::too_many_lines, reason = "one list, an entry for each query")]
pub(super) fn all() -> Vec<Case> {
    const KEY: &[&str] = &["organization", "kind", "id"];
    // Views replace the heads, the heads and the versions, or the versions: with the requested row id or another one.
    const HEADS: [&[(&str, &[&str])]; 4] = [
        &[("resources", KEY)],
        &[("resources", KEY), ("resource_versions", KEY)],
        &[("resource_versions", VERSION)],
        &[("resource_versions", VERSION_ROW)],
    ];
    const VERSION: &[&str] = &[
        "organization",
        "owner_kind",
        "owner",
        "kind",
        "id",
        "version",
    ];
    const VERSION_ROW: &[&str] = &[
        "organization",
        "owner_kind",
        "owner",
        "kind",
        "id",
        "version",
        "row_id",
    ];
    const OWNER: &[&str] = &["organization", "owner_kind", "owner"];
    let mut cases = vec![
        Case::of("lock_resources", &[("resources", KEY)], |w| {
            Box::pin(async {
                let id = w.victim().id();
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction.lock_resources(id, &[resource_key(w)]).await;
                transaction.rollback().await.unwrap();
                let heads = |locked: Vec<LockedHead>| locked.into_iter().map(|it| it.head);
                several(w, id, found.map(|locked| heads(locked).collect())).await
            })
        })
        .on_tables(),
        Case::of("resource", &[("resources", KEY)], |w| {
            Box::pin(async {
                let id = w.victim().id();
                one(w, Some(id), w.app.resource(id, &resource_key(w)).await).await
            })
        }),
        Case::of(
            "current_versions_of",
            &[("resources", OWNER), ("resource_versions", OWNER)],
            |w| {
                Box::pin(async {
                    let (id, owner) = (w.victim().id(), w.victim().patients_owner());
                    let start = OwnedPosition::default();
                    let found = w.app.current_versions_of(id, &owner, &start, 10);
                    current(w, found.await).await
                })
            },
        ),
    ];
    for views in HEADS {
        cases.push(Case::of("current_version", views, |w| {
            Box::pin(async {
                let found = w
                    .app
                    .current_version(w.victim().id(), &resource_key(w))
                    .await;
                current(w, found.map(Vec::from_iter)).await
            })
        }));
        cases.push(Case::of("version", views, |w| {
            Box::pin(async {
                let (id, number) = (w.victim().id(), w.victim().head.version);
                let found = w.app.version(id, &resource_key(w), number).await;
                stored(w, found.map(Vec::from_iter)).await
            })
        }));
        cases.push(Case::of("current_versions", views, |w| {
            Box::pin(async {
                let keys = [resource_key(w)];
                current(w, w.app.current_versions(w.victim().id(), &keys).await).await
            })
        }));
    }
    cases
}

pub(super) fn resource_key(w: &World) -> ResourceKey {
    ResourceKey {
        kind: "Observation",
        id: w.victim().head.id,
    }
}

async fn current(w: &World, found: Result<Vec<CurrentVersion>, Error>) -> Outcome {
    let as_stored = |it: CurrentVersion| StoredVersion {
        head: it.head,
        version: Some(it.version),
        newest: it.newest,
    };
    let found = found.map(|found| found.into_iter().map(as_stored).collect());
    stored(w, found).await
}

/// Verifies heads and versions. A head alone is no version, but must be genuine, too.
async fn stored(w: &World, found: Result<Vec<StoredVersion>, Error>) -> Outcome {
    /// "Mixing of GROUP columns": MariaDB merges no changing view into a query with an aggregate in a subquery.
    const MIXED_GROUP: u16 = 1140;
    // A head that changes between the query and its subquery has no newest version.
    if matches!(
        found,
        Err(Error::Unexpected(Some(ServerError {
            number: MIXED_GROUP,
            ..
        })) | Error::Corrupt("a table"))
    ) {
        return Outcome::Absent;
    }
    let Ok(found) = accepted(found) else {
        return Outcome::Refused;
    };
    let count = found.len();
    let with_version = found.iter().filter(|it| it.version.is_some()).count();
    let mut genuine = true;
    for it in found {
        genuine &= it.head.version == it.newest;
        genuine &= verifies(w, w.victim().id(), it.head).await;
        if let Some(version) = it.version {
            genuine &= verifies(w, w.victim().id(), version).await;
        }
    }
    outcome_of(if genuine { with_version } else { count }, genuine)
}
