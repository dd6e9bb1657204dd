//! A release floor that is altered, put back or hidden: no write is accepted, and an alarm is raised.

use std::time::Duration;
use std::time::Instant;

use tests::Role;
use tests::Running;
use tests::fhir;

use super::scene::Upgrade;
use super::scene::put;
use super::scene::put_when_ready;

/// The alarms about the floor so far.
fn alarms(running: &Running) -> anyhow::Result<usize> {
    let is_alarm =
        |line: &&str| line.contains("\"security\":true") && line.contains("release_floor");
    Ok(running.logs()?.lines().filter(is_alarm).count())
}

#[tokio::test]
async fn a_floor_that_is_altered_put_back_or_hidden_stops_every_write_with_an_alarm()
-> anyhow::Result<()> {
    let mut upgrade = Upgrade::begun().await?;
    let [_, next] = upgrade.clients(Role::Clinician).await?;
    let keep = "CREATE TABLE kept AS SELECT * FROM release_floor";
    upgrade.intruder.execute(keep, &[]).await?;
    upgrade.finish().await?;
    let keep = "CREATE TABLE genuine AS SELECT * FROM release_floor";
    upgrade.intruder.execute(keep, &[]).await?;
    put(&next, &[&fhir::patient()]).await?.expecting(200)?;
    for change in [
        "UPDATE release_floor SET lowest = 1",
        "UPDATE release_floor SET mac = REVERSE(mac)",
        "REPLACE INTO release_floor SELECT * FROM kept",
        "DELETE FROM release_floor",
    ] {
        let before = alarms(&upgrade.next)?;
        upgrade.intruder.execute(change, &[]).await?;
        let answer = put(&next, &[&fhir::patient()]).await?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while alarms(&upgrade.next)? == before {
            assert!(Instant::now() < deadline, "{change}: no alarm");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let back = "REPLACE INTO release_floor SELECT * FROM genuine";
        upgrade.intruder.execute(back, &[]).await?;
        // The app's own failure, or the web's, which has seen already that the app is not ready.
        assert!(
            [500, 503].contains(&answer.status.as_u16()),
            "{change}: {}",
            answer.text()
        );
        put_when_ready(&next, &fhir::patient()).await?;
    }
    Ok(())
}
