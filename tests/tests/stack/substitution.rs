//! Views in the place of tables, which return one genuine row as another; and a fixture with
//! patients and accounts whose rows are confused.

use std::pin::Pin;

use serde_json::Value;
use tests::Attacker;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Chart;
use super::attack::Fixture;
use super::attack::put;

/// The substitution of one genuine row for another.
pub(crate) struct Substitution<'l> {
    pub(crate) table: &'l str,
    /// The key of the genuine row: columns, and their values as SQL.
    pub(crate) genuine: Vec<(&'l str, String)>,
    /// The key under which the genuine row is returned.
    pub(crate) pretended: Vec<(&'l str, String)>,
}

impl Substitution<'_> {
    /// The change that replaces the table with a view; the row with the key `pretended` is omitted.
    pub(crate) async fn change(&self, attacker: &mut Attacker) -> anyhow::Result<Change> {
        let sql = "SELECT column_name FROM information_schema.columns \
                   WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position";
        let rows = attacker.rows(sql, &[self.table.as_bytes()]).await?;
        let is = all(&self.genuine);
        let mut columns = Vec::new();
        for row in &rows {
            let name: Vec<u8> = sqlx::Row::try_get_unchecked(row, 0)?;
            let name = String::from_utf8(name)?;
            let substitute = self.pretended.iter().find(|(column, _)| *column == name);
            columns.push(match substitute {
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
        // The table is restored even if the view could not be created.
        Ok(Change::new(rename(table, &kept), rename(&kept, table)).and(Change::new(view, drop)))
    }
}

fn all(columns: &[(&str, String)]) -> String {
    let equal = columns
        .iter()
        .map(|(column, value)| format!("`{column}` = {value}"));
    equal.collect::<Vec<_>>().join(" AND ")
}

/// An isolated stack with the patients and accounts that are confused.
pub(crate) struct SubstitutionSetup {
    pub(crate) isolated: IsolatedStack,
    pub(crate) fixture: Fixture,
    pub(crate) desk: Client,
    pub(crate) chart: Chart,
    /// Another patient of the same organization.
    pub(crate) neighbour: Value,
    /// A patient of the other organization.
    pub(crate) foreign_patient: Value,
    pub(crate) other_organization: Uuid,
}

impl SubstitutionSetup {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let isolated = IsolatedStack::start().await?;
        let mut fixture = Fixture::on(isolated.running()?).await?;
        let named = |family: &str| {
            let mut patient = fhir::patient();
            patient["name"][0]["family"] = family.into();
            patient
        };
        let (neighbour, foreign_patient) = (named("Neighbourly"), named("Foreigner"));
        put(&fixture.clinician, &neighbour)
            .await?
            .expect_status(200)?;
        let outsider = fixture.running.clinician(Clinic::Lakeside).await?;
        put(&outsider, &foreign_patient).await?.expect_status(200)?;
        Ok(Self {
            desk: fixture
                .running
                .sign_in(Role::FrontDesk, Clinic::Riverside)
                .await?,
            chart: Chart::stored(&fixture.clinician).await?,
            other_organization: fixture
                .attacker
                .organization(Clinic::Lakeside.first_word())
                .await?,
            fixture,
            isolated,
            neighbour,
            foreign_patient,
        })
    }

    /// Substitutes a row while a future runs.
    pub(crate) async fn substitute_during<T>(
        &mut self,
        substitution: &Substitution<'_>,
        attempt: Pin<Box<impl Future<Output = anyhow::Result<T>>>>,
    ) -> anyhow::Result<T> {
        let change = substitution.change(&mut self.fixture.attacker).await?;
        change.during(&mut self.fixture.attacker, attempt).await
    }

    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        self.isolated.stack.stop("app").await?;
        self.isolated.stack.start("app").await
    }
}

/// Requires that no other patient's data is disclosed, and that the substitution was reported.
pub(crate) async fn expect_no_disclosure(
    running: &RunningStack,
    response: &TestResponse,
    tables: &[&str],
) -> anyhow::Result<()> {
    let body = response.text();
    for outsider in ["Foreigner", "Neighbourly"] {
        anyhow::ensure!(!body.contains(outsider), "{body}");
    }
    running.expect_refused(response, tables).await
}

/// Requests a resource as a FHIR client, or a page as a browser.
pub(crate) async fn request(client: &Client, path: &str) -> anyhow::Result<TestResponse> {
    if path.starts_with("/fhir") {
        client.get(path).await
    } else {
        client.page(path).await
    }
}
