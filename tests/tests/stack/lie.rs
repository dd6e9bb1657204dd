//! A view in a table's place, which answers with one genuine row as another, and those whose rows are confused.

use std::pin::Pin;

use serde_json::Value;
use tests::Answer;
use tests::Apart;
use tests::Client;
use tests::Clinic;
use tests::Intruder;
use tests::Role;
use tests::Running;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Chart;
use super::attack::Scene;
use super::attack::put;

/// What a lie makes of one genuine row: it stands in the place of another.
pub(crate) struct Lie<'l> {
    pub(crate) table: &'l str,
    /// What the row is known by: columns and their values in SQL.
    pub(crate) genuine: Vec<(&'l str, String)>,
    /// What it is to be known by.
    pub(crate) pretended: Vec<(&'l str, String)>,
}

impl Lie<'_> {
    /// The change that puts the view in the table's place: the rows that are pretended are left out.
    pub(crate) async fn told(&self, intruder: &mut Intruder) -> anyhow::Result<Change> {
        let sql = "SELECT column_name FROM information_schema.columns \
                   WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position";
        let rows = intruder.rows(sql, &[self.table.as_bytes()]).await?;
        let is = all(&self.genuine);
        let mut columns = Vec::new();
        for row in &rows {
            let name: Vec<u8> = sqlx::Row::try_get_unchecked(row, 0)?;
            let name = String::from_utf8(name)?;
            let lie = self.pretended.iter().find(|(column, _)| *column == name);
            columns.push(match lie {
                Some((_, value)) => format!("IF({is}, {value}, `{name}`) AS `{name}`"),
                None => format!("`{name}`"),
            });
        }
        anyhow::ensure!(!columns.is_empty(), "no columns: {}", self.table);
        let (table, kept) = (self.table, format!("{}_kept", self.table));
        let rename = |from: &str, to: &str| format!("RENAME TABLE `{from}` TO `{to}`");
        let view = format!(
            "CREATE VIEW `{table}` AS SELECT {} FROM `{kept}` WHERE NOT ({})",
            columns.join(", "),
            all(&self.pretended)
        );
        let drop = format!("DROP VIEW IF EXISTS `{table}`");
        // The table is put back even if the view was never made.
        Ok(Change::new(rename(table, &kept), rename(&kept, table)).and(Change::new(view, drop)))
    }
}

fn all(columns: &[(&str, String)]) -> String {
    let equal = columns
        .iter()
        .map(|(column, value)| format!("`{column}` = {value}"));
    equal.collect::<Vec<_>>().join(" AND ")
}

/// The people and patients that are confused with each other.
pub(crate) struct Cast {
    pub(crate) apart: Apart,
    pub(crate) scene: Scene,
    pub(crate) desk: Client,
    pub(crate) chart: Chart,
    /// Another patient of the same organization.
    pub(crate) neighbour: Value,
    /// A patient of the other organization.
    pub(crate) foreigner: Value,
    pub(crate) elsewhere: Uuid,
}

impl Cast {
    pub(crate) async fn set() -> anyhow::Result<Self> {
        let apart = Apart::up().await?;
        let mut scene = Scene::on(apart.running()?).await?;
        let named = |family: &str| {
            let mut patient = fhir::patient();
            patient["name"][0]["family"] = family.into();
            patient
        };
        let (neighbour, foreigner) = (named("Neighbourly"), named("Foreigner"));
        put(&scene.clinician, &neighbour).await?.expecting(200)?;
        let stranger = scene.running.clinician(Clinic::Lakeside).await?;
        put(&stranger, &foreigner).await?.expecting(200)?;
        Ok(Self {
            desk: scene
                .running
                .sign_in(Role::FrontDesk, Clinic::Riverside)
                .await?,
            chart: Chart::stored(&scene.clinician).await?,
            elsewhere: scene.intruder.organization(Clinic::Lakeside.word()).await?,
            scene,
            apart,
            neighbour,
            foreigner,
        })
    }

    /// Tells a lie while something is tried.
    pub(crate) async fn lie<T>(
        &mut self,
        lie: &Lie<'_>,
        tried: Pin<Box<impl Future<Output = anyhow::Result<T>>>>,
    ) -> anyhow::Result<T> {
        let change = lie.told(&mut self.scene.intruder).await?;
        change.during(&mut self.scene.intruder, tried).await
    }

    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        self.apart.stack.stop("app").await?;
        self.apart.stack.start("app").await
    }
}

/// Asserts that nobody else's record is shown, and that the lie was reported.
pub(crate) async fn found_out(
    running: &Running,
    answer: &Answer,
    tables: &[&str],
) -> anyhow::Result<()> {
    let told = answer.text();
    for stranger in ["Foreigner", "Neighbourly"] {
        anyhow::ensure!(!told.contains(stranger), "{told}");
    }
    running.refused(answer, tables).await
}

/// Asks as a program for a resource, and as a browser for a page.
pub(crate) async fn ask(client: &Client, path: &str) -> anyhow::Result<Answer> {
    if path.starts_with("/fhir") {
        client.get(path).await
    } else {
        client.page(path).await
    }
}
