//! Cases of the audit trail.

use audit::WrittenRow;
use db::EventRow;
use phi::OrganizationId;
use phi::Owner;
use phi::Requested;
use phi_types::AuthenticatedRow as _;
use phi_types::tables;

use super::Case;
use super::Outcome;
use super::World;
use super::accepted;
use super::outcome_of;

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::of(
            "latest_events",
            &[("audit_events", &["organization"])],
            |w| {
                Box::pin(async {
                    let id = w.victim().id();
                    let found = accepted(w.app.latest_events(id, 0, 10).await);
                    let Ok(found) = found else {
                        return Outcome::Refused;
                    };
                    let mut genuine = true;
                    for event in &found {
                        genuine &= is_genuine_event(w, event).await;
                    }
                    outcome_of(found.len(), genuine)
                })
            },
        )
        .of_organization()
        .without(&["month"]),
        // A hint: the caller compares it with the rows that the event commits to.
        Case::of(
            "newest_digest",
            &[("audit_rows", &["organization", "table_tag", "row_id"])],
            |w| {
                Box::pin(async {
                    let (table, row) = (tables::RESOURCES.tag, w.victim().head.row_id());
                    let mut transaction = w.app.begin().await.unwrap();
                    let found = transaction.newest_digest(w.victim().id(), table, row).await;
                    transaction.rollback().await.unwrap();
                    let Ok(found) = accepted(found) else {
                        return Outcome::Refused;
                    };
                    let Some((month, event, digest)) = found else {
                        return Outcome::Absent;
                    };
                    let listed = WrittenRow { table, row, digest };
                    let genuine = w.subjects.iter().any(|subject| {
                        let entry = &subject.event.entry;
                        (entry.month(), entry.event) == (month, event)
                            && subject.event.rows.contains(&listed)
                    });
                    outcome_of(1, genuine)
                })
            },
        )
        .without(&["position", "sequence"]),
    ]
}

/// Whether the MAC of an event's entry verifies under a key of the system, and its body opens in its place.
async fn is_genuine_event(w: &World, event: &EventRow) -> bool {
    let system = w
        .keyring
        .authorization_by_id(OrganizationId::SYSTEM, event.mac_key)
        .await;
    let Ok(system) = system else { return false };
    let years = [2023, 2024, 2025, 2026].map(Owner::AuditYear);
    let mut opens = false;
    for owner in years {
        let requested = Requested {
            organization: w.victim().id(),
            owner,
            row: event.entry.event.into(),
        };
        opens |= w.keyring.open(requested, &event.body).await.is_ok();
    }
    opens && system.verify_message("audit-entry", &event.entry.encode(), &event.mac)
}
