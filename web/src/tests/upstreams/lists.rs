//! A list of apps that changes.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;
use tokio::time::timeout;

use super::fake::Apps;
use super::fake::Fake;
use super::fake::Then;
use super::fake::ok;
use crate::limits::UpstreamLimits;
use crate::tests::stack::Certificates;
use crate::upstream::Source;

/// A file with a list.
struct List {
    _dir: TempDir,
    path: PathBuf,
}

impl List {
    fn of(apps: &[&Fake]) -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("apps");
        let list = Self { _dir: dir, path };
        list.write(&Self::lines(apps));
        list
    }

    fn lines(apps: &[&Fake]) -> String {
        let lines = apps
            .iter()
            .map(|app| format!("{}  # an app\n", app.address));
        lines.collect()
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }

    fn follow(&self, certificates: &Certificates) -> Apps {
        Apps::of(
            certificates,
            Source::File(self.path.clone()),
            UpstreamLimits::default(),
        )
    }
}

/// Waits until exactly these apps are on the list.
async fn listed(apps: &Apps, expected: &[&Fake]) {
    let mut expected: Vec<_> = expected.iter().map(|app| app.address.to_string()).collect();
    expected.sort();
    let wait = async {
        loop {
            let mut listed: Vec<_> = apps
                .upstreams
                .states()
                .into_iter()
                .map(|app| app.0)
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
async fn apps_come_and_go_under_load_without_an_error_and_without_doing_anything_twice() {
    let certificates = Certificates::issue();
    let mut fakes = Vec::new();
    for _ in 0..3 {
        let late = Then::Later(Duration::from_millis(3), ok("well"));
        fakes.push(Fake::start(&certificates, move |_| late.clone()).await);
    }
    let [first, second, third] = [&fakes[0], &fakes[1], &fakes[2]];
    let list = List::of(&[first, second]);
    let apps = list.follow(&certificates);
    let stop = tokio_util::sync::CancellationToken::new();
    let client = |client: usize| {
        let (apps, stop) = (apps.clone(), stop.clone());
        tokio::spawn(async move {
            let mut posts = 0;
            while !stop.is_cancelled() {
                apps.get("/").await.unwrap();
                apps.post("/", &format!("<{client} {posts}>"))
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
        listed(&apps, now).await;
    }
    stop.cancel();
    let mut posts = 0;
    for client in clients {
        posts += client.await.unwrap();
    }
    let mut times = HashMap::new();
    for got in fakes
        .iter()
        .flat_map(Fake::got)
        .filter(|got| got.head.starts_with("POST"))
    {
        *times.entry(got.body).or_insert(0) += 1;
    }
    assert_eq!(times.len(), posts);
    assert!(times.values().all(|times| *times == 1));
    assert_eq!(apps.counters.list_changes.load(Relaxed), 5);
}

#[tokio::test]
async fn a_list_that_can_t_be_used_changes_nothing_until_it_can() {
    let certificates = Certificates::issue();
    let app = |_: &super::fake::Got| Then::Answer(ok("well"));
    let (first, second) = (
        Fake::start(&certificates, app).await,
        Fake::start(&certificates, app).await,
    );
    let list = List::of(&[&first]);
    let apps = list.follow(&certificates);
    let half = List::lines(&[&second, &first]);
    for (wrong, number) in ["", "# nothing\n", "not an app\n", half.trim_end()]
        .into_iter()
        .zip(1..)
    {
        list.write(wrong);
        let told = async {
            while apps.counters.list_failures.load(Relaxed) < number {
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(
            timeout(Duration::from_secs(5), told).await.is_ok(),
            "{wrong:?}"
        );
        listed(&apps, &[&first]).await;
    }
    fs::remove_file(&list.path).unwrap();
    assert_eq!(apps.get("/").await.unwrap().0, 200);
    list.write(&half);
    listed(&apps, &[&first, &second]).await;
}

#[tokio::test]
async fn a_name_stands_for_all_its_addresses() {
    let certificates = Certificates::issue();
    let app = Fake::start(&certificates, |_| Then::Answer(ok("well"))).await;
    let entry = format!("dns:localhost:{}", app.address.port())
        .parse()
        .unwrap();
    let apps = Apps::of(
        &certificates,
        Source::Fixed(vec![entry]),
        UpstreamLimits::default(),
    );
    apps.wait_for(1).await;
    assert_eq!(apps.get("/").await.unwrap().0, 200);
    let states = apps.upstreams.states();
    assert!(
        states
            .iter()
            .any(|(address, _)| *address == app.address.to_string()),
        "{states:?}"
    );
}
