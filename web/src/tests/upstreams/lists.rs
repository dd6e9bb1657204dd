//! Tests of a changing list of endpoints.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;
use tokio::time::timeout;

use super::fake::Action;
use super::fake::FakeEndpoint;
use super::fake::TestPool;
use super::fake::ok;
use crate::limits::UpstreamLimits;
use crate::tests::stack::Certificates;
use crate::upstream::Source;

/// A file with a list of endpoints.
struct List {
    _dir: TempDir,
    path: PathBuf,
}

impl List {
    fn new(endpoints: &[&FakeEndpoint]) -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("endpoints");
        let list = Self { _dir: dir, path };
        list.write(&Self::lines(endpoints));
        list
    }

    fn lines(endpoints: &[&FakeEndpoint]) -> String {
        let lines = endpoints
            .iter()
            .map(|endpoint| format!("{}  # a comment\n", endpoint.address));
        lines.collect()
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }

    fn pool(&self, certificates: &Certificates) -> TestPool {
        TestPool::with_source(
            certificates,
            Source::File(self.path.clone()),
            UpstreamLimits::default(),
        )
    }
}

/// Waits until the pool has exactly these endpoints.
async fn wait_for_list(pool: &TestPool, expected: &[&FakeEndpoint]) {
    let mut expected: Vec<_> = expected
        .iter()
        .map(|endpoint| endpoint.address.to_string())
        .collect();
    expected.sort();
    let wait = async {
        loop {
            let mut listed: Vec<_> = pool
                .upstreams
                .states()
                .into_iter()
                .map(|state| state.0)
                .collect();
            listed.sort();
            if listed == expected {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(
        timeout(Duration::from_secs(5), wait).await.is_ok(),
        "{expected:?}"
    );
}

#[tokio::test]
async fn the_list_changes_under_load_without_an_error_and_without_a_repeated_post() {
    let certificates = Certificates::issue();
    let mut endpoints = Vec::new();
    for _ in 0..3 {
        let action = Action::RespondAfter(Duration::from_millis(3), ok("served"));
        endpoints.push(FakeEndpoint::start(&certificates, move |_| action.clone()).await);
    }
    let [first, second, third] = [&endpoints[0], &endpoints[1], &endpoints[2]];
    let list = List::new(&[first, second]);
    let pool = list.pool(&certificates);
    let stop = tokio_util::sync::CancellationToken::new();
    let client = |client: usize| {
        let (pool, stop) = (pool.clone(), stop.clone());
        tokio::spawn(async move {
            let mut posts = 0;
            while !stop.is_cancelled() {
                pool.get("/").await.unwrap();
                pool.post("/", &format!("<{client} {posts}>"))
                    .await
                    .unwrap();
                posts += 1;
            }
            posts
        })
    };
    let clients: Vec<_> = (0..32).map(client).collect();
    for now in [
        &[second, third][..],
        &[third],
        &[first, third],
        &[first, second, third],
        &[second],
    ] {
        list.write(&List::lines(now));
        wait_for_list(&pool, now).await;
    }
    stop.cancel();
    let mut posts = 0;
    for client in clients {
        posts += client.await.unwrap();
    }
    let mut times = HashMap::new();
    for request in endpoints
        .iter()
        .flat_map(FakeEndpoint::received)
        .filter(|request| request.head.starts_with("POST"))
    {
        *times.entry(request.body).or_insert(0) += 1;
    }
    assert_eq!(times.len(), posts);
    assert!(times.values().all(|times| *times == 1));
    assert_eq!(pool.counters.list_changes.load(Relaxed), 5);
}

#[tokio::test]
async fn a_malformed_list_leaves_the_last_good_one_in_use() {
    let certificates = Certificates::issue();
    let script = |_: &super::fake::Received| Action::Respond(ok("served"));
    let (first, second) = (
        FakeEndpoint::start(&certificates, script).await,
        FakeEndpoint::start(&certificates, script).await,
    );
    let list = List::new(&[&first]);
    let pool = list.pool(&certificates);
    let half = List::lines(&[&second, &first]);
    for (wrong, number) in ["", "# nothing\n", "not an endpoint\n", half.trim_end()]
        .into_iter()
        .zip(1..)
    {
        list.write(wrong);
        let counted = async {
            while pool.counters.list_failures.load(Relaxed) < number {
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(
            timeout(Duration::from_secs(5), counted).await.is_ok(),
            "{wrong:?}"
        );
        wait_for_list(&pool, &[&first]).await;
    }
    fs::remove_file(&list.path).unwrap();
    assert_eq!(pool.get("/").await.unwrap().0, 200);
    list.write(&half);
    wait_for_list(&pool, &[&first, &second]).await;
}

#[tokio::test]
async fn a_dns_name_is_all_its_addresses() {
    let certificates = Certificates::issue();
    let endpoint = FakeEndpoint::start(&certificates, |_| Action::Respond(ok("served"))).await;
    let entry = format!("dns:localhost:{}", endpoint.address.port())
        .parse()
        .unwrap();
    let pool = TestPool::with_source(
        &certificates,
        Source::Fixed(vec![entry]),
        UpstreamLimits::default(),
    );
    pool.wait_for(1).await;
    assert_eq!(pool.get("/").await.unwrap().0, 200);
    let states = pool.upstreams.states();
    assert!(
        states
            .iter()
            .any(|(address, _)| *address == endpoint.address.to_string()),
        "{states:?}"
    );
}
