//! Create, read, update, read and delete, over nine types, by several clients at a time.

use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use futures::future::try_join_all;
use http::HeaderMap;
use http::Method;
use http::header;
use serde_json::Value;
use serde_json::json;

use super::Extent;
use super::chart::is_a;
use super::chart::personalize;
use super::chart::set;
use super::connection::FHIR;
use super::connection::FhirConnection;
use super::measured::Latencies;
use super::measured::Measured;
use super::server::Server;

/// The types, two of which belong to the directory.
const TYPES: [&str; 9] = [
    "Patient",
    "Practitioner",
    "Organization",
    "Encounter",
    "Condition",
    "Observation",
    "MedicationRequest",
    "Procedure",
    "Immunization",
];
/// The numbers of new patients start here, above those of stored ones.
const FIRST_NEW: u32 = 10_000_000;
/// New patients of one client.
const NEW_OF_CLIENT: u32 = 100_000;

/// One client: its connection, and a resource of each type about its own patient.
struct Client {
    connection: FhirConnection,
    samples: Vec<(&'static str, Value)>,
    next_patient: u32,
    latencies: Latencies,
}

/// Runs cycles until the time is over.
pub(super) async fn run(server: &Server, extent: &Extent<'_>) -> anyhow::Result<Measured> {
    let mut clients = Vec::new();
    for number in 0..extent.clients {
        clients.push(Client::prepare(server, extent, number).await?);
    }
    let load = async {
        let end = Instant::now() + extent.span;
        let loops = clients.into_iter().map(|client| client.repeat(end));
        let mut all = Latencies::default();
        for each in try_join_all(loops).await? {
            all.add(each)?;
        }
        Ok(all)
    };
    Measured::run(server, load).await
}

impl Client {
    async fn prepare(server: &Server, extent: &Extent<'_>, number: u32) -> anyhow::Result<Self> {
        let mut samples = Vec::new();
        let history = extent.histories.history(extent.charts + number);
        for kind in TYPES {
            let own = history.iter().find(|it| is_a(it, kind));
            let sample = own.or_else(|| extent.histories.shared(kind)).cloned();
            // Not every history has every type: another's is about this client's patient then.
            let sample = match sample {
                Some(sample) => sample,
                None => borrowed(extent, &history, kind)?,
            };
            samples.push((kind, sample));
        }
        Ok(Self {
            connection: server.connect().await?,
            samples,
            next_patient: FIRST_NEW + number * NEW_OF_CLIENT,
            latencies: Latencies::default(),
        })
    }

    /// Every type is measured equally often, and at least once.
    async fn repeat(mut self, end: Instant) -> anyhow::Result<Latencies> {
        loop {
            for (kind, sample) in self.samples.clone() {
                self.cycle(kind, sample)
                    .await
                    .with_context(|| format!("the cycle of {kind}"))?;
            }
            if Instant::now() >= end {
                return Ok(self.latencies);
            }
        }
    }

    async fn cycle(&mut self, kind: &str, mut sample: Value) -> anyhow::Result<()> {
        if kind == "Patient" {
            personalize(&mut sample, self.next_patient);
            self.next_patient += 1;
        }
        if let Some(fields) = sample.as_object_mut() {
            fields.remove("id");
        }
        let body = Bytes::from(sample.to_string());
        let (head, _) = self
            .send("create", Method::POST, &format!("/{kind}"), body)
            .await?;
        let id = created_id(&head).context("a create without a location")?;
        let path = format!("/{kind}/{id}");
        self.send("read", Method::GET, &path, Bytes::new()).await?;
        set(&mut sample, "id", json!(id));
        set(&mut sample, "language", json!("en-US"));
        let body = Bytes::from(sample.to_string());
        self.send("update", Method::PUT, &path, body).await?;
        self.send("read", Method::GET, &path, Bytes::new()).await?;
        self.send("delete", Method::DELETE, &path, Bytes::new())
            .await?;
        Ok(())
    }

    async fn send(
        &mut self,
        name: &'static str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(HeaderMap, Bytes)> {
        let sent = self.connection.send(method, path, FHIR, body);
        self.latencies.record(name, sent).await
    }
}

/// A resource of another history, about the patient of this one.
fn borrowed(extent: &Extent<'_>, history: &[Value], kind: &str) -> anyhow::Result<Value> {
    let mut others = (0..64).flat_map(|number| extent.histories.history(number));
    let mut sample = others
        .find(|it| is_a(it, kind))
        .with_context(|| format!("tests/data has no {kind}"))?;
    let patient = history.first().and_then(|it| it.get("id"));
    let patient = patient.and_then(Value::as_str).unwrap_or_default();
    let subject = if kind == "Immunization" {
        "patient"
    } else {
        "subject"
    };
    let reference = json!({"reference": format!("Patient/{patient}")});
    set(&mut sample, subject, reference);
    if let Some(fields) = sample.as_object_mut() {
        fields.remove("encounter");
    }
    Ok(sample)
}

/// The id in a `Location`: `…/Type/id/_history/version`.
fn created_id(head: &HeaderMap) -> Option<String> {
    let location = head.get(header::LOCATION)?.to_str().ok()?;
    let mut parts = location.rsplit('/');
    let last = parts.next()?;
    if parts.next() == Some("_history") {
        return parts.next().map(str::to_owned);
    }
    Some(last.to_owned())
}
