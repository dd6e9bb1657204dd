//! The change feed, and what rosters are built from.

use db::Error;
use db::RosterRow;
use phi::Owner;
use phi::PatientId;
use phi::Requested;
use uuid::Uuid;

use super::Case;
use super::Outcome;
use super::World;
use super::answered;
use super::judged;
use super::one;
use super::several;

/// Columns of `demographics` that rosters do not read.
const UNREAD: &[&str] = &[
    "version",
    "family",
    "given",
    "birth_date",
    "gender",
    "mrn",
    "ssn",
    "phone",
    "email",
    "address",
    "mac_key",
    "mac",
];

pub(super) fn feed() -> Vec<Case> {
    const END: &[(&str, &[&str])] = &[("change_counters", &["organization"])];
    vec![
        Case::of("change_counters", END, |w| {
            Box::pin(async {
                let id = w.victim().id();
                several(w, id, w.app.change_counters(&[id]).await).await
            })
        })
        .of_organization(),
        Case::of("change_counter", END, |w| {
            Box::pin(async {
                let id = w.victim().id();
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction.change_counter(id).await;
                transaction.rollback().await.unwrap();
                one(w, Some(id), found).await
            })
        })
        .of_organization(),
        Case::of("lock_change_counter", END, |w| {
            Box::pin(async {
                let id = w.victim().id();
                let mut transaction = w.app.begin().await.unwrap();
                let found = transaction.lock_change_counter(id).await;
                transaction.rollback().await.unwrap();
                one(w, Some(id), found).await
            })
        })
        .of_organization()
        .on_tables(),
        Case::of(
            "changes_after",
            &[("changes", &["organization", "incarnation", "sequence"])],
            |w| {
                Box::pin(async {
                    let change = &w.victim().change;
                    let (id, before) = (change.organization, change.sequence - 1);
                    let found = w.app.changes_after(id, change.incarnation, before, 1).await;
                    several(w, id, found).await
                })
            },
        )
        .of_organization(),
    ]
}

pub(super) fn roster() -> Vec<Case> {
    vec![
        Case::of("roster_page", &[("demographics", &["organization"])], |w| {
            Box::pin(async {
                let first = PatientId::from_uuid(Uuid::nil());
                entries(w, w.app.roster_page(w.victim().id(), first, 10).await).await
            })
        })
        .of_organization()
        .without(UNREAD),
        Case::of(
            "roster_rows",
            &[("demographics", &["organization", "patient"])],
            |w| {
                Box::pin(async {
                    let patients = [w.victim().patient];
                    entries(w, w.app.roster_rows(w.victim().id(), &patients).await).await
                })
            },
        )
        .without(UNREAD),
    ]
}

/// Entries are not authenticated: each has to open as its patient's.
async fn entries(w: &World, found: Result<Vec<RosterRow>, Error>) -> Outcome {
    let Ok(found) = answered(found) else {
        return Outcome::Refused;
    };
    let mut genuine = true;
    for row in &found {
        let requested = Requested {
            organization: w.victim().id(),
            owner: Owner::Patient(row.patient),
            row: row.row_id,
        };
        let opened = w
            .keyring
            .open_beside(requested, &row.entry, row.key.as_ref());
        genuine &= opened.await.is_ok();
    }
    judged(found.len(), genuine)
}
