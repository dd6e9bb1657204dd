//! All floods at once: a client takes connections, streams, bodies and memory, callers send
//! expensive requests, one of them without permission, and another client reads and searches
//! meanwhile. Production limits apply.

use std::net::Ipv4Addr;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use futures::future::join_all;
use https_client::HttpsClient;
use load::StalledConnection;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::MemoryMeter;
use tests::Role;
use tests::RunningStack;
use tests::fhir;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

/// The addresses of the client that floods web, and of those that send expensive requests to the
/// app. With one address they would exhaust each other's share.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
const CALLERS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(127, 0, 0, 67),
    Ipv4Addr::new(127, 0, 0, 68),
    Ipv4Addr::new(127, 0, 0, 69),
    Ipv4Addr::new(127, 0, 0, 70),
];
/// The address of the client that must be served meanwhile.
const VICTIM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The largest permitted growth of each tier's memory, in bytes.
const MAX_WEB_GROWTH: u64 = 64 << 20;
const MAX_APP_GROWTH: u64 = 256 << 20;
/// The limit of a response in bytes: `app/src/limits.rs`, with an allowance for what surrounds the
/// entries.
const MAX_RESPONSE: usize = 17 << 20;
/// The duration of the floods: a multiple of that of each request.
const FLOOD_DURATION: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn all_floods_at_once_exhaust_neither_memory_nor_other_clients_share() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let here = running.clinician(Clinic::Riverside).await?;
    let there = running.clinician(Clinic::Lakeside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Lakeside)
        .await?;
    let (large, small) = (fhir::large_patient(), fhir::patient());
    for client in [&here, &there] {
        let write = fhir::transaction(&[&large]);
        client.bundle(&write).await?.expect_status(200)?;
    }
    let write = fhir::transaction(&[&small]);
    here.bundle(&write).await?.expect_status(200)?;
    let victim = running.from_address(VICTIM)?;
    let victim = victim
        .sign_in_with_new_token(Role::FrontDesk, Clinic::Riverside)
        .await?;
    let path = format!("/fhir/{}", fhir::reference(&small));
    let (web, app) = (
        MemoryMeter::of(running.status.web.pid)?,
        MemoryMeter::of(running.status.app.pid)?,
    );

    let door = running.status.client()?;
    let streams = stall(&door, &running).await?;
    let bodies = send_slowly(&door, here.token()).await;
    let (batch, dense) = (fhir::repeated_reads(&large, 150), fhir::dense_body());
    let [first, second, third, fourth] = CALLERS;
    let (served, here, there, trees, refused) = tokio::join!(
        serve(&victim, &path),
        repeat(&running, first, &here, &batch, 5),
        repeat(&running, second, &there, &batch, 5),
        repeat(&running, third, &there, &dense, 1),
        repeat(&running, fourth, &officer, &dense, 3),
    );
    let (web, app) = (web.growth()?, app.growth()?);
    drop((streams, bodies));

    let served = served?;
    assert!(served > 0, "the victim was not served");
    for (statuses, expected) in [(&here, 200), (&there, 200), (&trees, 413), (&refused, 403)] {
        assert!(statuses.contains(&expected), "{expected}: {statuses:?}");
        let is_expected = |status: &u16| [expected, 503].contains(status);
        assert!(statuses.iter().all(is_expected), "{expected}: {statuses:?}");
    }
    let requests = here.len() + there.len() + trees.len() + refused.len();
    eprintln!(
        "web {} MiB, app {} MiB beyond idle in {requests} requests; {served} rounds of others",
        web >> 20,
        app >> 20
    );
    assert!(web <= MAX_WEB_GROWTH, "web has grown by {} MiB", web >> 20);
    assert!(
        app <= MAX_APP_GROWTH,
        "the app has grown by {} MiB",
        app >> 20
    );
    Ok(())
}

/// 18 connections with 100 streams each that are never granted credit.
async fn stall(door: &HttpsClient, running: &RunningStack) -> anyhow::Result<JoinSet<usize>> {
    let page = running.anonymous().get("/sign-in").await?;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    let style = page
        .split('"')
        .find(|text| text.starts_with("/assets/style."));
    let uri = format!(
        "https://{}{}",
        door.authority(),
        style.context("a style sheet")?
    );
    let mut streams = JoinSet::new();
    for _ in 0..18 {
        let stream = door.tls_from(ATTACKER, b"h2").await?;
        let connection = StalledConnection::open(stream).await?;
        let uri = uri.clone();
        streams.spawn(async move { connection.stall(&uri, 100).await });
    }
    Ok(streams)
}

/// Up to 300 requests whose bodies stop after 70 KB of 8 MB: those that web did not refuse.
async fn send_slowly(door: &HttpsClient, token: &str) -> Vec<impl Send> {
    let head = format!(
        "POST /fhir HTTP/1.1\r\nHost: {}\r\nContent-Type: application/fhir+json\r\n\
         Authorization: Bearer {token}\r\nContent-Length: 8000000\r\n\r\n",
        door.authority(),
    );
    let request = [head.into_bytes(), vec![b' '; 70 << 10]].concat();
    let mut bodies = Vec::new();
    for _ in 0..300 {
        if let Ok(mut stream) = door.tls_from(ATTACKER, b"http/1.1").await
            && stream.write_all(&request).await.is_ok()
        {
            bodies.push(stream);
        }
    }
    bodies
}

/// Sends a body repeatedly, on several connections from one address, until the flood ends. Returns
/// the statuses.
async fn repeat(
    running: &RunningStack,
    source: Ipv4Addr,
    client: &Client,
    body: &str,
    connections: usize,
) -> Vec<u16> {
    let until = Instant::now() + FLOOD_DURATION;
    let attackers = (0..connections).map(|_| async {
        let Ok(seen) = running.from_address(source) else {
            return Vec::new();
        };
        let client = seen.anonymous().with_token(client.token());
        let mut statuses = Vec::new();
        while Instant::now() < until {
            let Ok(response) = client.post_fhir(body.to_owned()).await else {
                continue;
            };
            let length = response.body.len();
            assert!(length < MAX_RESPONSE, "{length} bytes");
            statuses.push(response.status.as_u16());
        }
        statuses
    });
    join_all(attackers).await.concat()
}

/// Reads and searches repeatedly until the flood ends. Returns the number of rounds.
async fn serve(victim: &Client, path: &str) -> anyhow::Result<u32> {
    let until = Instant::now() + FLOOD_DURATION;
    let mut served = 0;
    while Instant::now() < until {
        victim.get(path).await?.expect_status(200)?;
        let search = victim.search(&[("family", "Missing")]);
        search.await?.expect_status(200)?;
        served += 1;
    }
    Ok(served)
}
