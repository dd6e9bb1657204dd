//! Reads of one Patient through web, app and database, at 1 and 32 connections. The peers are requests that end
//! earlier: `/fhir/metadata` in app, without the database, and `/healthz` in web.

use std::time::Duration;

use super::closed_loop::Load;
use super::effort::Effort;
use super::figures::Figures;
use super::place::PatientRead;
use super::place::Place;

/// Duration of each load.
const SPAN: Duration = Duration::from_secs(6);

pub(super) async fn measure(
    place: &Place,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let PatientRead {
        client,
        path: patient,
        token,
    } = place.patient_read().await?;
    for connections in [1, 32] {
        let load = |name: &'static str, path: &str| {
            let (path, client, token) = (path.to_owned(), &client, token.as_str());
            async move { Load::run(name, client, &path, token, connections, effort.span(SPAN)).await }
        };
        let whole = load("one Patient", &patient).await?;
        let app = load("/fhir/metadata", "/fhir/metadata").await?;
        let web = load("/healthz", "/healthz").await?;
        let name = |what: &str| format!("one Patient, {}: {what}", whole.connections());
        for peer in [&app, &web] {
            figures.add(
                &name("reads"),
                whole.rate(),
                "/s",
                (&peer.name, peer.rate()),
            );
        }
        for percentile in [50.0, 99.0] {
            let (own, peer) = (whole.milliseconds(percentile), app.milliseconds(percentile));
            figures.add(
                &name(&format!("p{percentile}")),
                own,
                "ms",
                (&app.name, peer),
            );
        }
        for load in [whole, app, web] {
            figures.keep(load);
        }
    }
    Ok(())
}
