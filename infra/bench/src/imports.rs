//! The rate at which a whole Synthea record is imported. The peer stores the same number of rows of the same
//! size in the same server, in the clear and without an audit trail: the cost of durability alone.

use std::fmt::Write;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;

use super::effort::Effort;
use super::figures::Figures;
use super::place::Place;
use import::expand;
use progress::Progress;
use stack::server::DATABASE;

/// Resources in a transaction, as the importer sends them.
const ROWS: u64 = 100;
/// About the size of one Synthea resource.
const BYTES: usize = 1500;

pub(super) async fn measure(
    place: &Place,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let importer = stack::importer(place.stack.home(), None, Progress::hidden())?.resend_all(true);
    let file = if effort.is_brief() {
        place.small_bundle()?
    } else {
        let whole = expand(&[place.data.join("whole")])?;
        whole
            .into_iter()
            .next()
            .context("tests/data/whole is empty")?
    };
    let first = importer.import(&file).await?;
    let amount = first.total_sent();
    let rate = number(amount) / first.seconds;
    let plain = number(amount) / plain_inserts(place, amount)?;
    let peer = ("plain rows, same size, same transactions", plain);
    figures.add("import of a whole record", rate, "resources/s", peer);
    let again = importer.import(&file).await?;
    let rate = number(again.total_sent()) / again.seconds;
    figures.add("import of what is there already", rate, "resources/s", peer);
    Ok(())
}

/// Seconds in which the server's own client inserts `amount` rows.
pub(super) fn plain_inserts(place: &Place, amount: u64) -> anyhow::Result<f64> {
    let mut sql = String::from(
        "CREATE TABLE plain_rows (id INT PRIMARY KEY AUTO_INCREMENT, body MEDIUMTEXT);\n",
    );
    let row = format!("('{}')", "x".repeat(BYTES));
    for first in (0..amount).step_by(usize::try_from(ROWS)?) {
        let rows = usize::try_from(ROWS.min(amount - first))?;
        let rows = vec![row.as_str(); rows].join(",");
        let _ = writeln!(sql, "INSERT INTO plain_rows (body) VALUES {rows};");
    }
    let file = place.stack.home().mysql().join("tmp/plain.sql");
    std::fs::write(&file, sql).context("the peer's statements cannot be written")?;
    let begun = Instant::now();
    client(place, Stdio::from(std::fs::File::open(&file)?), &[])?;
    let seconds = begun.elapsed().as_secs_f64();
    client(
        place,
        Stdio::null(),
        &["--execute", "DROP TABLE plain_rows"],
    )?;
    std::fs::remove_file(&file).context("the peer's statements cannot be removed")?;
    Ok(seconds)
}

/// Seconds in which the server's own client reads a column of a table.
pub(super) fn read_column(place: &Place, table: &str, column: &str) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let sql = format!("SELECT {column} FROM {table}");
    client(place, Stdio::null(), &["--quick", "--execute", &sql])?;
    Ok(begun.elapsed().as_secs_f64())
}

fn client(place: &Place, input: Stdio, arguments: &[&str]) -> anyhow::Result<()> {
    let home = place.stack.home();
    let file = |option: &str, name: &str| format!("{option}={}", home.certificate(name).display());
    let status = Command::new("mariadb")
        .args([
            "--no-defaults",
            "--host=127.0.0.1",
            "--user=migrate",
            "--ssl-verify-server-cert",
        ])
        .arg(format!(
            "--port={}",
            place.stack.settings().options.ports.database
        ))
        .arg(file("--ssl-ca", "internal/ca.pem"))
        .arg(file("--ssl-cert", "database/migrate.pem"))
        .arg(file("--ssl-key", "database/migrate.key"))
        .args(arguments)
        .arg(DATABASE)
        .stdin(input)
        .stdout(Stdio::null())
        .status()
        .context("the client `mariadb` cannot be started")?;
    if !status.success() {
        bail!("the client `mariadb` ended with {status}");
    }
    Ok(())
}

fn number(amount: u64) -> f64 {
    u32::try_from(amount).map_or(f64::NAN, f64::from)
}
