//! Cases of the scrubber's queries.

use audit::RowsCommitment;
use db::LoggedEvent;
use phi::OrganizationId;
use phi_types::AuthenticatedRow as _;
use phi_types::row_digest;
use phi_types::tables;
use uuid::Uuid;

use super::Case;
use super::Outcome;
use super::World;
use super::accepted;
use super::outcome_of;

pub(super) fn all() -> Vec<Case> {
    vec![
        // A hint: the scrubber compares it with the row.
        Case::of(
            "logged_rows",
            &[("audit_rows", &["organization", "table_tag", "row_id"])],
            |w| {
                Box::pin(async {
                    let head = &w.victim().head;
                    let requested = [(head.organization, head.row_id())];
                    let found = w.app.logged_rows(tables::RESOURCES.tag, &requested).await;
                    let Ok(found) = accepted(found) else {
                        return Outcome::Refused;
                    };
                    let digest = row_digest(head);
                    outcome_of(found.len(), found.iter().all(|row| row.digest == digest))
                })
            },
        )
        .without(&["month", "event", "position", "sequence"]),
        Case::of(
            "logged_events",
            &[("audit_events", &["month", "chain", "counter"])],
            |w| {
                Box::pin(async {
                    let entry = &w.victim().event.entry;
                    let before = Uuid::from_u128(entry.chain.as_u128() - 1);
                    let place = (entry.month(), before, u64::MAX);
                    let Ok(found) = accepted(w.app.logged_events(place, 1).await) else {
                        return Outcome::Refused;
                    };
                    let mut genuine = true;
                    for event in &found {
                        genuine &= event.entry.chain == entry.chain && is_authentic(w, event).await;
                    }
                    outcome_of(found.len(), genuine)
                })
            },
        )
        .without(&["body", "kid"]),
        Case::of(
            "rows_of_events",
            &[("audit_rows", &["month", "event"])],
            |w| {
                Box::pin(async {
                    let entry = &w.victim().event.entry;
                    let requested = [entry.event];
                    let found = w.app.rows_of_events(entry.month(), &requested).await;
                    let Ok(found) = accepted(found) else {
                        return Outcome::Refused;
                    };
                    let Some(rows) = found.get(&entry.event) else {
                        return Outcome::Absent;
                    };
                    outcome_of(rows.len(), RowsCommitment::of(rows) == entry.rows)
                })
            },
        )
        .without(&["position", "organization", "sequence"]),
    ]
}

async fn is_authentic(w: &World, event: &LoggedEvent) -> bool {
    let system = w
        .keyring
        .authorization_by_id(OrganizationId::SYSTEM, event.mac_key)
        .await;
    let Ok(system) = system else { return false };
    system.verify_message("audit-entry", &event.entry.encode(), &event.mac)
}
