//! The replacement of tables by views that show one forged row, or by tables where a query does not work on views.

use sqlx::AssertSqlSafe;
use sqlx::Executor as _;
use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;

use super::world::Subject;
use super::world::World;

/// The source of a column's value in a view.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// The requested row.
    Victim,
    /// The other genuine row.
    Other,
    /// Either row, chosen at random at each evaluation: a row can satisfy WHERE with the requested value and be returned
    /// with the other one.
    Either,
}

/// Columns with numbers by which queries select.
const NUMBERS: [&str; 6] = [
    "owner_kind",
    "purpose",
    "version",
    "parameter",
    "month",
    "table_tag",
];

/// A function that changes its value at one call in six, and so sooner or later between the evaluation of WHERE and that of
/// the SELECT list. Declared deterministic, so that the servers merge the view into the query and evaluate it repeatedly.
const IS_BEFORE: &str =
    "CREATE FUNCTION IF NOT EXISTS is_before(v VARBINARY(512)) RETURNS INT DETERMINISTIC NO SQL
    BEGIN SET @before = COALESCE(@before, 1) XOR (RAND() < 0.17); RETURN @before; END";

/// Some tables of a database, replaced.
pub(super) struct Substitution<'a> {
    world: &'a World,
    connection: MySqlConnection,
    /// Whether tables replace the tables: a query that names an index does not work on a view.
    on_tables: bool,
    tables: Vec<&'static str>,
}

impl<'a> Substitution<'a> {
    /// Replaces the tables.
    pub(super) async fn of(world: &'a World, tables: Vec<&'static str>, on_tables: bool) -> Self {
        let mut connection = world.scratch.connect("migrate").await;
        execute(&mut connection, IS_BEFORE).await;
        for table in &tables {
            execute(
                &mut connection,
                &format!("RENAME TABLE `{table}` TO `{table}_genuine`"),
            )
            .await;
            let copy = format!("CREATE TABLE `{table}` LIKE `{table}_genuine`");
            if on_tables {
                execute(&mut connection, &copy).await;
            }
        }
        Self {
            world,
            connection,
            on_tables,
            tables,
        }
    }

    /// The columns of a table that are not generated.
    pub(super) async fn columns(&mut self, table: &str) -> Vec<String> {
        let query = format!(
            "SELECT column_name FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name = '{table}_genuine'
               AND COALESCE(generation_expression, '') = '' ORDER BY ordinal_position"
        );
        let rows = self
            .connection
            .fetch_all(AssertSqlSafe(query))
            .await
            .unwrap();
        rows.iter().map(|row| row.get_unchecked(0)).collect()
    }

    /// Whether the two subjects' rows differ in a column.
    pub(super) async fn differ(
        &mut self,
        table: &str,
        column: &str,
        victim: &Subject,
        other: &Subject,
    ) -> bool {
        let query = format!(
            "SELECT NOT (v.`{column}` <=> o.`{column}`) {}",
            from(table, victim, other)
        );
        let row = self
            .connection
            .fetch_one(AssertSqlSafe(query))
            .await
            .unwrap();
        row.get_unchecked::<i64, _>(0) == 1
    }

    /// Makes one row the content of a replaced table.
    pub(super) async fn show(
        &mut self,
        table: &str,
        other: &Subject,
        source: impl Fn(&str) -> Source,
    ) {
        let columns = self.columns(table).await;
        let victim = self.world.victim();
        let mut values = Vec::new();
        for column in &columns {
            let v = format!("v.`{column}`");
            let o = format!("o.`{column}`");
            let value = match source(column) {
                Source::Victim => v,
                Source::Other => o,
                // `IF` changes the type of a number, which the driver would refuse.
                Source::Either if NUMBERS.contains(&column.as_str()) => v,
                Source::Either => format!("IF(is_before({v}), {v}, {o})"),
            };
            values.push(format!("{value} AS `{column}`"));
        }
        let select = format!(
            "SELECT {} {}",
            values.join(", "),
            from(table, victim, other)
        );
        if self.on_tables {
            execute(&mut self.connection, &format!("DELETE FROM `{table}`")).await;
            let names = format!("`{}`", columns.join("`, `"));
            let insert = format!("INSERT INTO `{table}` ({names}) {select}");
            execute(&mut self.connection, &insert).await;
        } else {
            let create =
                format!("CREATE OR REPLACE SQL SECURITY DEFINER VIEW `{table}` AS {select}");
            execute(&mut self.connection, &create).await;
        }
    }

    /// Makes the requested row the content of `resources`, with another spelling of its type that satisfies WHERE.
    pub(super) async fn show_another_spelling(&mut self) {
        let columns = self.columns("resources").await;
        let values: Vec<String> = columns
            .iter()
            .map(|column| match column.as_str() {
                "kind" => {
                    "CONVERT(UPPER(v.kind) USING ascii) COLLATE ascii_general_ci AS kind".to_owned()
                }
                _ => format!("v.`{column}`"),
            })
            .collect();
        let victim = self.world.victim();
        let create = format!(
            "CREATE OR REPLACE SQL SECURITY DEFINER VIEW resources AS SELECT {} {}",
            values.join(", "),
            from("resources", victim, victim)
        );
        execute(&mut self.connection, &create).await;
    }

    /// Restores the tables.
    pub(super) async fn undo(mut self) {
        let kind = if self.on_tables { "TABLE" } else { "VIEW" };
        for table in std::mem::take(&mut self.tables) {
            execute(
                &mut self.connection,
                &format!("DROP {kind} IF EXISTS `{table}`"),
            )
            .await;
            let rename = format!("RENAME TABLE `{table}_genuine` TO `{table}`");
            execute(&mut self.connection, &rename).await;
        }
    }
}

async fn execute(connection: &mut MySqlConnection, statement: &str) {
    if let Err(error) = connection.execute(AssertSqlSafe(statement)).await {
        panic!("{statement}: {error}");
    }
}

/// The FROM clause that binds `v` and `o` to the rows of two subjects.
fn from(table: &str, victim: &Subject, other: &Subject) -> String {
    let (column, v) = identity(table, victim);
    let (_, o) = identity(table, other);
    let (v, o) = (v.simple(), o.simple());
    format!(
        "FROM `{table}_genuine` v JOIN `{table}_genuine` o
         WHERE v.`{column}` = X'{v}' AND o.`{column}` = X'{o}'"
    )
}

/// The column, and its value, by which a subject's row of a table is found.
fn identity(table: &str, subject: &Subject) -> (&'static str, uuid::Uuid) {
    match table {
        "organizations" | "change_counters" => ("organization", subject.id().uuid()),
        "changes" => ("row_id", subject.change.row_id.uuid()),
        "keys" => ("id", subject.key.id.uuid()),
        "owners" => ("row_id", subject.owner.row_id.uuid()),
        "people" => ("row_id", subject.person.row_id.uuid()),
        "credentials" => ("row_id", subject.credential.row_id.uuid()),
        "authenticators" => ("row_id", subject.authenticator.row_id.uuid()),
        "care_team_members" => ("row_id", subject.member.row_id.uuid()),
        "emergency_accesses" => ("row_id", subject.emergency.row_id.uuid()),
        "clients" => ("row_id", subject.client.row_id.uuid()),
        "exports" => ("row_id", subject.export.row_id.uuid()),
        "sessions" => ("id", subject.session.id.uuid()),
        "index_versions" => ("row_id", subject.index_version.row_id.uuid()),
        "resources" => ("row_id", subject.head.row_id.uuid()),
        "resource_versions" => ("row_id", subject.version.row_id.uuid()),
        "search_summaries" => ("row_id", subject.summary.row_id.uuid()),
        "demographics" => ("row_id", subject.demographics.row_id.uuid()),
        "patient_index" => ("patient", subject.patient.uuid()),
        "audit_events" | "audit_rows" => ("event", subject.event.entry.event),
        _ => panic!("no row of {table} is known"),
    }
}
