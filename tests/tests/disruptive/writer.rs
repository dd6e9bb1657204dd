//! A client that writes continuously, whatever fails, and records which writes were acknowledged.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tests::Client;
use tests::fhir;
use tokio::task::JoinHandle;

/// `Type/id` of the resources of one transaction.
type References = Vec<String>;

/// The transactions of a writer, by their responses.
#[derive(Default)]
pub(super) struct Written {
    /// The response was 200.
    pub(super) acknowledged: Vec<References>,
    /// The response was an error, or there was none: either all resources are stored, or none.
    pub(super) unacknowledged: Vec<References>,
}

impl Written {
    /// Asserts that acknowledged transactions are stored and that no transaction is partial.
    /// Returns the number of stored transactions.
    pub(super) async fn check(&self, client: &Client) -> usize {
        for references in &self.acknowledged {
            assert_eq!(
                count_stored(client, references).await,
                references.len(),
                "an acknowledged write is lost"
            );
        }
        let mut committed = self.acknowledged.len();
        for references in &self.unacknowledged {
            let stored = count_stored(client, references).await;
            assert!(
                stored == 0 || stored == references.len(),
                "{stored} of {}",
                references.len()
            );
            committed += usize::from(stored > 0);
        }
        committed
    }
}

async fn count_stored(client: &Client, references: &References) -> usize {
    let mut count = 0;
    for reference in references {
        let status = client
            .get(&format!("/fhir/{reference}"))
            .await
            .unwrap()
            .status
            .as_u16();
        assert!(status == 200 || status == 404, "{reference}: {status}");
        count += usize::from(status == 200);
    }
    count
}

/// The number of resources of each transaction.
pub(super) const TRANSACTION_SIZE: usize = 6;

/// Writes one transaction after the other until it is stopped.
pub(super) struct Writer {
    acknowledged: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<Written>,
}

impl Writer {
    pub(super) fn start(client: Client) -> Self {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let failed = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (good, bad, end) = (
            Arc::clone(&acknowledged),
            Arc::clone(&failed),
            Arc::clone(&stop),
        );
        let task = tokio::spawn(async move {
            let mut written = Written::default();
            while !end.load(Ordering::SeqCst) {
                let (references, bundle) = transaction();
                let response = client.bundle(&bundle).await;
                if response.is_ok_and(|response| response.status.as_u16() == 200) {
                    written.acknowledged.push(references);
                    good.fetch_add(1, Ordering::SeqCst);
                } else {
                    written.unacknowledged.push(references);
                    bad.fetch_add(1, Ordering::SeqCst);
                }
            }
            written
        });
        Self {
            acknowledged,
            failed,
            stop,
            task,
        }
    }

    /// Waits for this number of further acknowledgements.
    pub(super) async fn await_acknowledged(&self, more: usize) {
        wait(&self.acknowledged, more).await;
    }

    /// Waits for this number of further failures.
    pub(super) async fn await_failed(&self, more: usize) {
        wait(&self.failed, more).await;
    }

    /// Stops after the current transaction.
    pub(super) async fn stop(self) -> Written {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

async fn wait(counter: &AtomicUsize, more: usize) {
    let aim = counter.load(Ordering::SeqCst) + more;
    let reached = async {
        while counter.load(Ordering::SeqCst) < aim {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), reached)
        .await
        .unwrap();
}

fn transaction() -> (References, serde_json::Value) {
    let patient = fhir::patient();
    let mut resources = vec![patient.clone()];
    resources.extend((1..TRANSACTION_SIZE).map(|_| fhir::observation(&patient)));
    let all: Vec<_> = resources.iter().collect();
    (
        resources.iter().map(fhir::reference).collect(),
        fhir::transaction(&all),
    )
}
