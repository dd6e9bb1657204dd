//! Reads of one Patient through web, app and database, at 1 and 32 connections. The peers take part
//! of the same way: `/fhir/metadata` ends in app and touches no database, `/healthz` ends in web.

use super::PatientRead;
use super::Place;
use super::figures::Figures;
use super::closed_loop::Load;

pub(super) async fn measure(place: &Place, figures: &mut Figures) -> anyhow::Result<()> {
    let PatientRead {
        door,
        path: patient,
        token,
    } = place.patient_read().await?;
    for connections in [1, 32] {
        let load = |name: &'static str, path: &str| {
            let (path, door, token) = (path.to_owned(), &door, token.as_str());
            async move { Load::run(name, door, &path, token, connections).await }
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
