//! After `app finish`: the next release writes the new column, and this release stops.

use tests::Role;
use tests::fhir;

use super::fixture::Upgrade;
use super::fixture::put;
use super::fixture::renamed;
use super::fixture::until_readiness_is;

#[tokio::test]
async fn after_finish_the_new_column_is_written_and_the_older_release_stops() -> anyhow::Result<()>
{
    let mut upgrade = Upgrade::begun().await?;
    let [this, next] = upgrade.clients(Role::Clinician).await?;
    let patient = fhir::patient();
    put(&this, &[&patient]).await?.expect_status(200)?;
    assert!(upgrade.finish_by_this().await?.contains("is 1 already"));
    assert!(upgrade.finish().await?.contains("raised from 1 to 2"));
    assert!(upgrade.finish().await?.contains("is 2 already"));
    assert!(upgrade.finish_by_this().await.is_err());
    // The original and the raised floor are each listed by the audit event of their transaction.
    let listed = "SELECT COUNT(DISTINCT event, digest) FROM audit_rows WHERE table_tag = 13";
    assert_eq!(upgrade.attacker.number(listed, &[]).await?, 2);

    let write = put(&this, &[&renamed(&patient, "Tardy")]).await?;
    assert_eq!(write.status, 503, "{}", write.text());
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let read = this.get(&path).await?;
    assert_eq!(read.status, 503, "{}", read.text());
    assert!(upgrade.refusals()? > 0);
    assert_eq!(
        fhir::without_server_meta(&next.read("Patient", fhir::id(&patient)).await?),
        patient
    );

    // On its first write the next release reads the raised floor; from the second one on it relies
    // on it.
    let patient = renamed(&patient, "Prompt");
    put(&next, &[&patient]).await?.expect_status(200)?;
    let patient = renamed(&patient, "Prompter");
    put(&next, &[&patient]).await?.expect_status(200)?;
    assert_eq!(upgrade.notes().await?, 1);
    next.page("/patients").await?.expect_status(200)?;

    let null = "UPDATE demographics SET next_release_note = NULL WHERE patient = ?";
    let id = fhir::id(&patient);
    assert_eq!(upgrade.attacker.execute(null, &[id.as_bytes()]).await?, 1);
    let page = next.page("/patients").await?;
    upgrade.next.expect_partial(&page, &["demographics"]).await
}

#[tokio::test]
async fn an_older_release_that_starts_after_finish_is_never_ready() -> anyhow::Result<()> {
    let mut upgrade = Upgrade::begun().await?;
    upgrade.finish().await?;
    upgrade.isolated.stack.stop("app").await?;
    let before = upgrade.refusals()?;
    upgrade.isolated.stack.start("app").await?;
    upgrade.until_refused_after(before).await?;
    until_readiness_is(&upgrade.this, 503).await?;
    until_readiness_is(&upgrade.next, 200).await
}
