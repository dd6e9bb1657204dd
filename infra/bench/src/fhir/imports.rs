//! Imports of whole histories: one patient per transaction, several transactions at a time.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use futures::future::try_join_all;

use super::Extent;
use super::histories::Transaction;
use super::measured::Latencies;
use super::measured::Measured;
use super::server::Server;

/// Transactions that are made before the clock runs.
const CHUNK: u32 = 200;

/// Stores the directory, then all patients; the first part is not measured.
pub(super) async fn run(server: &Server, extent: &Extent<'_>) -> anyhow::Result<Measured> {
    let mut connection = server.connect().await?;
    for transaction in extent.histories.directory() {
        connection.transact(transaction.body).await?;
    }
    let mut all = Measured::default();
    // Those after the last one belong to the clients of the cycle.
    let patients = extent.charts.saturating_add(extent.clients);
    let mut first = 0;
    while first < patients {
        let next = first.saturating_add(CHUNK).min(patients);
        let chunk: Vec<_> = (first..next)
            .map(|number| extent.histories.transaction(number))
            .collect();
        let mut part = Measured::run(server, store(server, &chunk, extent.clients)).await?;
        part.amount = chunk.iter().map(|it| it.resources).sum();
        all.add(part)?;
        first = next;
    }
    Ok(all)
}

async fn store(server: &Server, chunk: &[Transaction], clients: u32) -> anyhow::Result<Latencies> {
    let next = AtomicUsize::new(0);
    let loops = (0..clients).map(|_| async {
        let mut connection = server.connect().await?;
        let mut latencies = Latencies::default();
        while let Some(transaction) = chunk.get(next.fetch_add(1, Ordering::Relaxed)) {
            let stored = connection.transact(transaction.body.clone());
            latencies.record("transaction", stored).await?;
        }
        anyhow::Ok(latencies)
    });
    let mut all = Latencies::default();
    for each in try_join_all(loops).await? {
        all.add(each)?;
    }
    Ok(all)
}
