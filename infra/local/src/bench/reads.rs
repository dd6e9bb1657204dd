//! Reads of one Patient through web, app and database, at 1 and 32 connections. The peers take part
//! of the same way: `/fhir/metadata` ends in app and touches no database, `/healthz` ends in web.

use anyhow::Context;

use super::Place;
use super::figures::Figures;
use super::load::Load;
use crate::accounts::Accounts;
use crate::front_door::FrontDoor;
use crate::import::{Importer, expand, first_patient};
use crate::progress::Progress;
use crate::token;

pub(super) async fn measure(place: &Place, figures: &mut Figures) -> anyhow::Result<()> {
    let home = place.stack.home();
    let files = expand(&[place.data.join("riverside")])?;
    let file = files.first().context("tests/data/riverside is empty")?;
    Importer::new(home, None, Progress::hidden())?
        .import(file)
        .await?;
    let accounts = Accounts::read(home)?.context("the stack has no accounts")?;
    let door = FrontDoor::of(&place.stack.status()?)?;
    let token = token::issue(&door, accounts.person("clinician", None)?).await?;
    let patient = format!("/fhir/Patient/{}", first_patient(file)?);
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
