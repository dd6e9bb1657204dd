//! Cases of index versions, demographics and blind index tokens.

use phi::OrganizationId;
use phi::Owner;
use phi::Requested;
use phi_types::row_digest;

use super::super::world::Subject;
use super::Case;
use super::Outcome;
use super::World;
use super::accepted;
use super::outcome_of;
use super::several;
use super::verifies;

/// Columns of `demographics` that `demographics_states` does not read.
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
    "roster_entry",
    "mac_key",
    "mac",
];

#[expect(clippy::too_many_lines, reason = "one list, an entry for each query")]
pub(super) fn all() -> Vec<Case> {
    vec![
        Case::of(
            "index_versions",
            &[("index_versions", &["organization"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    several(w, id, w.app.index_versions(id).await).await
                })
            },
        )
        .of_organization(),
        Case::of(
            "demographics",
            &[("demographics", &["organization", "patient"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let found = w.app.demographics(id, &[w.victim().patient]).await;
                    several(w, id, found).await
                })
            },
        ),
        Case::of(
            "demographics_states",
            &[("demographics", &["organization", "patient"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let found = w.app.demographics_states(id, &[w.victim().patient]).await;
                    let Ok(found) = accepted(found) else {
                        return Outcome::Refused;
                    };
                    let mut genuine = true;
                    for it in &found {
                        let row = &w.victim().demographics;
                        genuine &= it.row_id == row.row_id;
                        genuine &= it.head.version == it.newest;
                        genuine &= it.recorded == Some(row_digest(row));
                        genuine &= it.head_recorded == Some(row_digest(&it.head));
                        genuine &= verifies(w, id, it.head.clone()).await;
                    }
                    outcome_of(found.len(), genuine)
                })
            },
        )
        .without(UNREAD),
        // A hint: the caller compares it with the opened value.
        Case::of(
            "patients_with_token",
            &[(
                "patient_index",
                &["organization", "parameter", "version", "token"],
            )],
            |w| {
                Box::pin(async {
                    let (id, token) = (w.victim().id(), w.victim().token);
                    let found = accepted(w.app.patients_with_token(id, &token, 10).await);
                    let Ok(found) = found else {
                        return Outcome::Refused;
                    };
                    let mut genuine = true;
                    for patient in &found {
                        let number = record_number(w, id, *patient).await;
                        genuine &= number.as_ref() == Some(&w.victim().number);
                    }
                    outcome_of(found.len(), genuine)
                })
            },
        )
        .without(&["unique_token"]),
        // A hint: the unique key decides when the tokens are stored.
        Case::of(
            "holders_of_unique_tokens",
            &[(
                "patient_index",
                &["organization", "version", "unique_token"],
            )],
            |w| {
                Box::pin(async {
                    let (id, token) = (w.victim().id(), w.victim().token);
                    let found = accepted(w.app.holders_of_unique_tokens(id, &[token]).await);
                    let Ok(found) = found else {
                        return Outcome::Refused;
                    };
                    let mut genuine = true;
                    for (_, patient) in &found {
                        let number = record_number(w, id, *patient).await;
                        genuine &= number.as_ref() == Some(&w.victim().number);
                    }
                    outcome_of(found.len(), genuine)
                })
            },
        )
        .without(&["parameter", "token"]),
    ]
}

/// The opened record number of a patient.
async fn record_number(
    w: &World,
    organization: OrganizationId,
    patient: phi::PatientId,
) -> Option<String> {
    let of = |subject: &&Subject| subject.id() == organization && subject.patient == patient;
    let row = &w.subjects.iter().find(of)?.demographics;
    let requested = Requested {
        organization,
        owner: Owner::Patient(patient),
        row: row.row_id,
    };
    let opened = w.keyring.open(requested, &row.mrn).await.ok()?;
    opened.expose().clone()
}
