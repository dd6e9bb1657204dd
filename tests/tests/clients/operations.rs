//! Clients of others perform the operations that they offer.

use std::fmt::Write as _;

use tests::CLIENTS;
use tests::Clinic;
use tests::OperationResult;
use tests::RunningStack;
use tests::check_documented_table;

#[tokio::test]
async fn every_client_performs_every_operation_that_it_offers() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let token = running
        .clinician(Clinic::Riverside)
        .await?
        .token()
        .to_owned();
    let base = format!("{}/fhir", running.status.web.address);
    let authority = running.status.certificates.join("public/ca.pem");
    // Without blocking the other tests.
    let columns = tokio::task::spawn_blocking(move || {
        let perform = |client: &tests::FhirClient| {
            Ok((client.title()?, client.perform(&base, &token, &authority)?))
        };
        CLIENTS
            .iter()
            .map(perform)
            .collect::<anyhow::Result<Vec<_>>>()
    })
    .await??;
    for (title, results) in &columns {
        for failed in results.iter().filter(|it| it.result == "failed") {
            eprintln!("{title}: {}: {}", failed.operation, failed.detail);
        }
    }
    check_documented_table("app/fhir/README.md", "clients", &table(&columns))
}

/// A row for each operation, a column for each client.
fn table(columns: &[(String, Vec<OperationResult>)]) -> String {
    let titles: Vec<&str> = columns.iter().map(|(title, _)| title.as_str()).collect();
    let mut table = format!(
        "| operation | {} |\n|---|{}\n",
        titles.join(" | "),
        "---|".repeat(titles.len())
    );
    let mut notes = String::new();
    for (at, row) in columns[0].1.iter().enumerate() {
        write!(table, "| {} |", row.operation).unwrap();
        for (title, results) in columns {
            let cell = &results[at];
            assert_eq!(cell.operation, row.operation, "{title}");
            match cell.result.as_str() {
                "not offered by the client" => {
                    table.push_str(" not offered |");
                    writeln!(notes, "- {title}: {}: {}.", cell.operation, cell.detail).unwrap();
                }
                result => write!(table, " {result} |").unwrap(),
            }
        }
        table.push('\n');
    }
    format!("{table}\nNot offered:\n\n{notes}")
}
