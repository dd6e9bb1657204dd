//! Cases of the queries by which rosters are built.

use db::Error;
use db::RosterRow;
use phi::Owner;
use phi::PatientId;
use phi::Requested;
use uuid::Uuid;

use super::Case;
use super::Outcome;
use super::World;
use super::accepted;
use super::outcome_of;

/// Columns of `demographics` that the queries do not read.
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

pub(super) fn all() -> Vec<Case> {
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

/// Opens each entry as its patient's: entries carry no MAC.
async fn entries(w: &World, found: Result<Vec<RosterRow>, Error>) -> Outcome {
    let Ok(found) = accepted(found) else {
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
            .open_with_key(requested, &row.entry, row.key.as_ref());
        genuine &= opened.await.is_ok();
    }
    outcome_of(found.len(), genuine)
}
