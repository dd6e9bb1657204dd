//! The list of patients of one organization: storing new patients, reading all of them into memory after a start, and
//! the first page and a search by name then. Patients are stored through the API, as everything else is.
#![expect(
    clippy::indexing_slicing,
    reason = "JSON is looked into by index, which gives null for what is absent; lists are indexed modulo their length"
)]

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use bytes::Bytes;
use futures::future::try_join_all;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use serde_json::Value;
use serde_json::json;
use url::form_urlencoded;
use uuid::Uuid;

use super::effort::Effort;
use super::figures::Figures;
use super::figures::median;
use super::imports;
use super::place::Place;
use https_client::HttpsClient;
use https_client::issue_token;
use progress::Progress;
use stack::Accounts;

/// Patients in one transaction.
const CHUNK: usize = 100;
/// Transactions in flight.
const WRITERS: usize = 8;
/// Number of searches, of which the median counts.
const SEARCHES: usize = 200;
/// Upper bound of the time until a roster is built.
const TIMEOUT: Duration = Duration::from_mins(5);
/// Upper bound of the time until another instance finds a patient.
const SEEN: Duration = Duration::from_secs(10);

const FAMILIES: [&str; 12] = [
    "Abernathy",
    "Bergström",
    "Castillo",
    "Dvořák",
    "Ekwueme",
    "Fitzgerald",
    "García",
    "Hashimoto",
    "Ivanova",
    "Łukasik",
    "Nguyễn",
    "O'Sullivan",
];
const GIVEN: [&str; 10] = [
    "Ana", "Björn", "Chidi", "Dolores", "Émile", "Fatima", "Grace", "Hiro", "Ingrid", "José",
];

/// The sizes to measure.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Sizes {
    /// `roster`: the numbers of patients, ascending
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    patients: Vec<usize>,
}

impl Sizes {
    fn of(&self, effort: Effort) -> Vec<usize> {
        if effort.is_brief() {
            vec![CHUNK]
        } else {
            self.patients.clone()
        }
    }
}

/// A client of the stack.
struct Client {
    client: HttpsClient,
    token: String,
}

pub(super) async fn measure(
    place: &mut Place,
    sizes: &Sizes,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let mut stored = 0;
    for wanted in &sizes.of(effort) {
        let added = wanted.saturating_sub(stored);
        ensure!(added > 0, "--patients takes ascending numbers");
        let client = Client::of(place).await?;
        let begun = Instant::now();
        store(&client, stored, added).await?;
        let rate = number(added) / begun.elapsed().as_secs_f64();
        stored = *wanted;
        let amount = u64::try_from(added)?;
        let plain = number(added) / imports::plain_inserts(place, amount)?;
        let peer = ("plain rows, same size, same transactions", plain);
        figures.add(&format!("new patients, up to {stored}"), rate, "/s", peer);
        cold(place, stored, effort, figures).await?;
    }
    another_instance(place, effort, figures).await
}

/// The first page after a start of app, and the requests after it.
async fn cold(
    place: &mut Place,
    patients: usize,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let read = imports::read_column(place, "demographics", "roster_entry")?;
    place.stack.stop("app").await?;
    place.stack.start("app").await?;
    let client = Client::of(place).await?;
    let empty = super::footprint::resident(place.stack.status()?.app.pid)?;
    let begun = Instant::now();
    client.await_list().await?;
    let built = begun.elapsed().as_secs_f64();
    let what = |what: &str| format!("{patients} patients: {what}");
    let peer = ("the server's own client reads the entries", read);
    figures.add(&what("first list after a start"), built, "s", peer);
    let full = super::footprint::resident(place.stack.status()?.app.pid)?;
    let bytes = (full - empty) * 1024.0 * 1024.0 / number(patients);
    figures.add(
        &what("memory that app gained, per patient"),
        bytes,
        "bytes",
        ("the design's bound", 450.0),
    );
    let searches = effort.rounds(SEARCHES);
    let page = client.median(searches, |round| client.page(round)).await?;
    let search = client
        .median(searches, |round| client.prefix(round))
        .await?;
    let id = client.any_patient().await?;
    let peer = client.median(searches, |_| client.get(&id)).await?;
    for (name, own) in [("first page", page), ("search by a prefix", search)] {
        figures.add(&what(name), own, "ms", ("one Patient", peer));
    }
    Ok(())
}

/// The time until a second instance finds a patient that the first one stored.
async fn another_instance(
    place: &Place,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let beside = place.stack.start_second_instance(&place.binaries).await?;
    let here = Client::of(place).await?;
    let there = Client {
        client: beside.status().client()?,
        token: here.token.clone(),
    };
    there.await_list().await?;
    let (mut seen, mut own) = (Vec::new(), Vec::new());
    for round in 0..effort.rounds(20) {
        let family = format!("Sighted{round}x{}", std::process::id());
        let begun = Instant::now();
        here.put(&[patient(&family, round)]).await?;
        own.push(begun.elapsed().as_secs_f64() * 1e3);
        let begun = Instant::now();
        while !there.finds(&family).await? {
            ensure!(begun.elapsed() < SEEN, "another instance does not find it");
        }
        seen.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let (seen, own) = (median(&seen), median(&own));
    figures.add(
        "another instance finds a new patient after",
        seen.unwrap_or(f64::NAN),
        "ms",
        ("storing it", own.unwrap_or(f64::NAN)),
    );
    Ok(())
}

/// Stores new patients in transactions, several of them at a time.
async fn store(client: &Client, first: usize, amount: usize) -> anyhow::Result<()> {
    let progress = Progress::shown().step(&format!("storing {amount} patients"));
    let next = std::sync::atomic::AtomicUsize::new(0);
    let writers = (0..WRITERS).map(|_| async {
        loop {
            let done = next.fetch_add(CHUNK, std::sync::atomic::Ordering::Relaxed);
            if done >= amount {
                return anyhow::Ok(());
            }
            let numbers = first + done..first + amount.min(done + CHUNK);
            let patients: Vec<_> = numbers.map(named).collect();
            client.put(&patients).await?;
        }
    });
    try_join_all(writers).await?;
    progress.done();
    Ok(())
}

fn named(number: usize) -> Value {
    let family = FAMILIES[number % FAMILIES.len()];
    let second = FAMILIES[number / FAMILIES.len() % FAMILIES.len()];
    patient(&format!("{family}-{second} {}", number / 7), number)
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing here has to be repeatable"
)]
fn patient(family: &str, number: usize) -> Value {
    let given = GIVEN[number % GIVEN.len()];
    json!({
        "resourceType": "Patient",
        "id": Uuid::new_v4(),
        "identifier": [{"system": "urn:bench", "value": Uuid::new_v4().simple().to_string()}],
        "name": [{"family": family, "given": [given, GIVEN[number / 10 % GIVEN.len()]]}],
        "telecom": [{"system": "phone", "value": format!("555-{number:07}")}],
        "gender": "unknown",
        "birthDate": format!("{}-{:02}-{:02}", 1930 + number % 90, 1 + number % 12, 1 + number % 28),
    })
}

impl Client {
    async fn of(place: &Place) -> anyhow::Result<Self> {
        let accounts = Accounts::read(place.stack.home())?.context("the stack has no accounts")?;
        let client = place.stack.status()?.client()?;
        let token =
            issue_token(&client, &accounts.person("clinician", None)?.credentials()).await?;
        Ok(Self { client, token })
    }

    async fn send(&self, path: &str, kind: &str, body: String) -> anyhow::Result<Response<Bytes>> {
        let request = if body.is_empty() {
            Request::get(path)
        } else {
            Request::post(path).header(header::CONTENT_TYPE, kind)
        };
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        self.client.send(request.body(Bytes::from(body))?).await
    }

    async fn put(&self, patients: &[Value]) -> anyhow::Result<()> {
        let entries: Vec<_> = patients
            .iter()
            .map(|patient| {
                let id = patient["id"].as_str().unwrap_or_default();
                let url = format!("Patient/{id}");
                json!({"resource": patient, "request": {"method": "PUT", "url": url}})
            })
            .collect();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let kind = "application/fhir+json";
        let response = self.send("/fhir", kind, bundle.to_string()).await?;
        ensure!(response.status() == StatusCode::OK, "{response:?}");
        Ok(())
    }

    async fn search(&self, fields: &[(&str, &str)]) -> anyhow::Result<Response<Bytes>> {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        self.send("/fhir/Patient/_search", kind, form).await
    }

    /// Waits until the list of patients is available.
    async fn await_list(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let response = self.page(0).await?;
            match response.status() {
                StatusCode::OK => return Ok(()),
                StatusCode::SERVICE_UNAVAILABLE if begun.elapsed() < TIMEOUT => {}
                _ => bail!("the list of patients is not available: {response:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The first patient of all.
    async fn page(&self, _round: usize) -> anyhow::Result<Response<Bytes>> {
        self.search(&[("birthdate", "gt1900"), ("_count", "1")])
            .await
    }

    async fn prefix(&self, round: usize) -> anyhow::Result<Response<Bytes>> {
        let family = FAMILIES[round % FAMILIES.len()];
        self.search(&[("family", family), ("_count", "1")]).await
    }

    async fn get(&self, path: &str) -> anyhow::Result<Response<Bytes>> {
        self.send(path, "", String::new()).await
    }

    async fn finds(&self, family: &str) -> anyhow::Result<bool> {
        let found = self.search(&[("family", family), ("_count", "1")]).await?;
        ensure!(found.status() == StatusCode::OK, "{found:?}");
        let found: Value = serde_json::from_slice(found.body())?;
        Ok(found["total"] == 1)
    }

    async fn any_patient(&self) -> anyhow::Result<String> {
        let found: Value = serde_json::from_slice(self.page(0).await?.body())?;
        let id = found["entry"][0]["resource"]["id"].as_str();
        Ok(format!("/fhir/Patient/{}", id.context("a patient")?))
    }

    /// The median latency over one connection, in milliseconds.
    async fn median<'c, F>(
        &'c self,
        searches: usize,
        mut ask: impl FnMut(usize) -> F,
    ) -> anyhow::Result<f64>
    where
        F: Future<Output = anyhow::Result<Response<Bytes>>> + 'c,
    {
        let mut times = Vec::with_capacity(searches);
        for round in 0..searches {
            let begun = Instant::now();
            let response = ask(round).await?;
            ensure!(response.status() == StatusCode::OK, "{response:?}");
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        median(&times).context("nothing was measured")
    }
}

fn number(amount: usize) -> f64 {
    u32::try_from(amount).map_or(f64::NAN, f64::from)
}
