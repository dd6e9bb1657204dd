//! Cases of the audit trail.

use db::EventRow;
use phi::OrganizationId;
use phi::Owner;
use phi::Requested;

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
