//! Somebody who goes on writing whatever happens, and remembers what was acknowledged.

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

/// What was written, by what came back.
#[derive(Default)]
pub(super) struct Written {
    /// Answered with 200.
    pub(super) acknowledged: Vec<References>,
    /// Answered with an error or not at all: there as a whole, or not at all.
    pub(super) doubtful: Vec<References>,
}

impl Written {
    /// Asserts that what was acknowledged is there, and that nothing is half there; how many transactions are.
    pub(super) async fn check(&self, client: &Client) -> usize {
        for references in &self.acknowledged {
            assert_eq!(
                there(client, references).await,
                references.len(),
                "an acknowledged write is lost"
            );
        }
        let mut committed = self.acknowledged.len();
        for references in &self.doubtful {
            let there = there(client, references).await;
            assert!(
                there == 0 || there == references.len(),
                "{there} of {}",
                references.len()
            );
            committed += usize::from(there > 0);
        }
        committed
    }
}

async fn there(client: &Client, references: &References) -> usize {
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

/// How many resources each transaction brings.
pub(super) const SIZE: usize = 6;

/// Writes transactions one after the other until it is stopped.
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
                let answer = client.bundle(&bundle).await;
                if answer.is_ok_and(|answer| answer.status.as_u16() == 200) {
                    written.acknowledged.push(references);
                    good.fetch_add(1, Ordering::SeqCst);
                } else {
                    written.doubtful.push(references);
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

    /// Waits until so many more were acknowledged.
    pub(super) async fn acknowledges(&self, more: usize) {
        wait(&self.acknowledged, more).await;
    }

    /// Waits until so many more failed.
    pub(super) async fn fails(&self, more: usize) {
        wait(&self.failed, more).await;
    }

    /// Lets it finish what it is at.
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
    resources.extend((1..SIZE).map(|_| fhir::observation(&patient)));
    let all: Vec<_> = resources.iter().collect();
    (
        resources.iter().map(fhir::reference).collect(),
        fhir::transaction(&all),
    )
}
