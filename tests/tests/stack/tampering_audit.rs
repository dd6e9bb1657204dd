//! Tampering with the audit trail: on an isolated stack, since it affects an organization's whole
//! trail. The product does not show an altered event. Here an auditor's program finds the deleted
//! one; the product's scrubber does so in `scrub.rs`.

use anyhow::Context;
use audit::BrokenChain;
use audit::Commitment;
use audit::Entry;
use audit::RowsCommitment;
use audit::verify_chain;
use sqlx::Row as _;
use stack::Status;
use tests::Attacker;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use uuid::Uuid;

use super::attack::stored_patient;

/// The chain with the newest event, as an auditor reads it.
async fn chain(status: &Status) -> anyhow::Result<(Uuid, Vec<(Entry, [u8; 32])>)> {
    let mut auditor = Attacker::connect(status, "auditor").await?;
    let newest = "SELECT chain FROM audit_events ORDER BY at DESC LIMIT 1";
    let chain = auditor.bytes(newest, &[]).await?;
    let sql = "SELECT counter, previous, organization, event, \
               TIMESTAMPDIFF(MICROSECOND, '1970-01-01', at), commitment, row_list, mac \
               FROM audit_events WHERE chain = ? ORDER BY counter";
    let mut entries = Vec::new();
    for row in auditor.rows(sql, &[&chain]).await? {
        let bytes = |index: usize| row.try_get_unchecked::<Vec<u8>, _>(index);
        let fixed = |index| -> anyhow::Result<[u8; 32]> {
            bytes(index)?.try_into().ok().context("32 bytes")
        };
        let entry = Entry {
            chain: Uuid::from_slice(&chain)?,
            counter: row.try_get_unchecked::<u64, _>(0)?,
            previous: fixed(1)?,
            organization: Uuid::from_slice(&bytes(2)?)?,
            event: Uuid::from_slice(&bytes(3)?)?,
            at_micros: row.try_get_unchecked::<i64, _>(4)?,
            commitment: Commitment(fixed(5)?),
            rows: RowsCommitment(fixed(6)?),
        };
        entries.push((entry, fixed(7)?));
    }
    Ok((Uuid::from_slice(&chain)?, entries))
}

/// Verifies the chain. Without the MAC keys only the hashes are verified, which suffices to find a
/// missing event.
fn verify(chain: Uuid, entries: &[(Entry, [u8; 32])]) -> Result<u64, BrokenChain> {
    verify_chain(
        chain,
        entries.iter().map(|(entry, mac)| (entry, mac)),
        |_, _| true,
    )
}

/// Alters each column of an event, and asserts that no trail with an altered event is shown.
async fn assert_altered_events_are_not_shown(
    officer: &Client,
    attacker: &mut Attacker,
    event: Uuid,
) -> anyhow::Result<()> {
    for (change, back) in [
        ("at = at - INTERVAL 1 HOUR", "at = at + INTERVAL 1 HOUR"),
        (
            "commitment = REVERSE(commitment)",
            "commitment = REVERSE(commitment)",
        ),
        ("body = REVERSE(body)", "body = REVERSE(body)"),
        ("mac = REVERSE(mac)", "mac = REVERSE(mac)"),
    ] {
        let sql = |change| format!("UPDATE audit_events SET {change} WHERE event = ?");
        assert_eq!(
            attacker.execute(&sql(change), &[event.as_bytes()]).await?,
            1
        );
        let response = officer.get("/api/v1/audit/events").await?;
        assert_eq!(attacker.execute(&sql(back), &[event.as_bytes()]).await?, 1);
        assert_eq!(response.status, 500, "{change}: {}", response.text());
    }
    officer
        .get("/api/v1/audit/events")
        .await?
        .expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn an_altered_audit_event_is_not_shown_and_an_auditor_finds_a_deleted_one()
-> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    for n in 0..5 {
        stored_patient(&clinician, &format!("Person{n}")).await?;
    }
    officer
        .get("/api/v1/audit/events")
        .await?
        .expect_status(200)?;
    let (id, entries) = chain(&running.status).await?;
    assert!(entries.len() > 5);
    assert_eq!(verify(id, &entries), Ok(u64::try_from(entries.len())?));
    let mut attacker = running.attacker().await?;
    let middle = entries.len() / 2;
    let event = entries[middle].0.event;
    assert_altered_events_are_not_shown(&officer, &mut attacker, event).await?;
    // Deleted: the chain has a gap.
    let sql = "DELETE FROM audit_events WHERE event = ?";
    assert_eq!(attacker.execute(sql, &[event.as_bytes()]).await?, 1);
    let (id, entries) = chain(&running.status).await?;
    let expected = u64::try_from(middle)?;
    assert_eq!(
        verify(id, &entries),
        Err(BrokenChain::Counter {
            chain: id,
            expected
        })
    );
    // Renumbering the later events does not close the gap.
    let sql = "UPDATE audit_events SET counter = counter - 1 WHERE chain = ? AND counter > ? ORDER BY counter";
    attacker
        .execute(sql, &[id.as_bytes(), expected.to_string().as_bytes()])
        .await?;
    let (id, entries) = chain(&running.status).await?;
    assert_eq!(
        verify(id, &entries),
        Err(BrokenChain::Previous {
            chain: id,
            counter: expected
        })
    );
    Ok(())
}
