//! A release floor that is altered, reverted or hidden: no write is accepted, and a security alert
//! is logged.

use std::time::Duration;
use std::time::Instant;

use tests::Role;
use tests::RunningStack;
use tests::fhir;

use super::fixture::Upgrade;
use super::fixture::put;
use super::fixture::put_when_ready;

/// The number of security alerts about the floor.
fn alarms(running: &RunningStack) -> anyhow::Result<usize> {
    let is_alarm =
        |line: &&str| line.contains("\"security\":true") && line.contains("release_floor");
    Ok(running.logs()?.lines().filter(is_alarm).count())
}

#[tokio::test]
async fn a_floor_that_is_altered_reverted_or_hidden_stops_every_write_with_an_alert()
-> anyhow::Result<()> {
    let mut upgrade = Upgrade::begun().await?;
    let [_, next] = upgrade.clients(Role::Clinician).await?;
    let keep = "CREATE TABLE kept AS SELECT * FROM release_floor";
    upgrade.attacker.execute(keep, &[]).await?;
    upgrade.finish().await?;
    let keep = "CREATE TABLE genuine AS SELECT * FROM release_floor";
    upgrade.attacker.execute(keep, &[]).await?;
    put(&next, &[&fhir::patient()]).await?.expect_status(200)?;
    for change in [
        "UPDATE release_floor SET lowest = 1",
        "UPDATE release_floor SET mac = REVERSE(mac)",
        "REPLACE INTO release_floor SELECT * FROM kept",
        "DELETE FROM release_floor",
    ] {
        let before = alarms(&upgrade.next)?;
        upgrade.attacker.execute(change, &[]).await?;
        let response = put(&next, &[&fhir::patient()]).await?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while alarms(&upgrade.next)? == before {
            assert!(Instant::now() < deadline, "{change}: no alert");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let back = "REPLACE INTO release_floor SELECT * FROM genuine";
        upgrade.attacker.execute(back, &[]).await?;
        // The app's own 500, or web's 503 if it has already ejected the app.
        assert!(
            [500, 503].contains(&response.status.as_u16()),
            "{change}: {}",
            response.text()
        );
        put_when_ready(&next, &fhir::patient()).await?;
    }
    Ok(())
}
