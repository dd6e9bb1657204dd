//! Before `app finish`: both releases read and write all records.

use serde_json::json;
use tests::Role;
use tests::fhir;

use super::fixture::Upgrade;
use super::fixture::put;
use super::fixture::renamed;

#[tokio::test]
async fn two_releases_alternately_write_and_read_the_same_patients_without_a_refusal()
-> anyhow::Result<()> {
    let mut upgrade = Upgrade::begun().await?;
    let clients = upgrade.clients(Role::Clinician).await?;
    for (first, second) in [(0, 1), (1, 0)] {
        let mut patient = fhir::patient();
        let observation = fhir::observation(&patient);
        put(&clients[first], &[&patient, &observation])
            .await?
            .expect_status(200)?;
        for (turn, writer) in [second, first, second].into_iter().enumerate() {
            let id = fhir::id(&patient);
            for client in &clients {
                let stored = client.read("Patient", id).await?;
                assert_eq!(fhir::without_server_meta(&stored), patient);
                client
                    .page(&format!("/patients/{id}"))
                    .await?
                    .expect_status(200)?;
            }
            patient = renamed(&patient, &format!("Turn{turn}"));
            let note = fhir::observation(&patient);
            put(&clients[writer], &[&patient, &note])
                .await?
                .expect_status(200)?;
        }
    }
    for client in &clients {
        assert_eq!(client.found(&[("family", "Testperson")]).await?.len(), 2);
        let list = client.page("/patients").await?.expect_status(200)?;
        assert!(list.text().contains("Turn2"), "{}", list.text());
    }
    assert_eq!(upgrade.notes().await?, 0);
    Ok(())
}

#[tokio::test]
async fn an_audit_action_of_the_next_release_is_unknown_to_this_one() -> anyhow::Result<()> {
    let upgrade = Upgrade::begun().await?;
    let [_, next] = upgrade.clients(Role::Clinician).await?;
    next.found(&[("family", "Testperson")]).await?;
    let [this, next] = upgrade.clients(Role::PrivacyOfficer).await?;
    let page = this.page("/audit").await?.expect_status(200)?;
    assert!(page.text().contains("Unknown (of a later release)"));
    let page = next.page("/audit").await?.expect_status(200)?;
    assert!(page.text().contains("Next release") && !page.text().contains("Unknown"));
    for (client, action) in [(this, "unknown"), (next, "next-release")] {
        let events = client
            .get("/api/v1/audit/events")
            .await?
            .expect_status(200)?;
        let events = events.json()?;
        let events = events["events"].as_array().cloned().unwrap_or_default();
        assert!(events.iter().any(|event| event["action"] == json!(action)));
    }
    Ok(())
}
