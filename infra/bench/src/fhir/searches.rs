//! Searches of a dozen kinds, by several clients at a time, for the first 20 matches.

use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use bytes::Bytes;
use futures::future::try_join_all;
use http::Method;
use serde_json::Value;
use url::form_urlencoded;

use super::Extent;
use super::connection::FORM;
use super::connection::FhirConnection;
use super::facts::Facts;
use super::measured::Latencies;
use super::measured::Measured;
use super::server::Server;

/// Patients whose data is searched for.
const SOUGHT: u32 = 200;
/// Height in centimetres: an observation that most patients have.
const HEIGHT: &str = "http://loinc.org|8302-2";

/// A kind of search.
struct Kind {
    title: &'static str,
    resource_type: &'static str,
    parameters: fn(&Facts) -> Vec<(&'static str, String)>,
}

/// The kinds. Those in a chart name its patient: without one the stack refuses them.
const KINDS: [Kind; 12] = [
    Kind {
        title: "Patient by name",
        resource_type: "Patient",
        parameters: |facts| vec![("name", facts.family.clone())],
    },
    Kind {
        title: "Patient by birthdate",
        resource_type: "Patient",
        parameters: |facts| vec![("birthdate", facts.birth_date.clone())],
    },
    Kind {
        title: "Patient by identifier",
        resource_type: "Patient",
        parameters: |facts| vec![("identifier", facts.identifier.clone())],
    },
    Kind {
        title: "Patient by gender",
        resource_type: "Patient",
        parameters: |facts| vec![("gender", facts.gender.clone())],
    },
    Kind {
        title: "Observation by code",
        resource_type: "Observation",
        parameters: |facts| of_chart(facts, "code", HEIGHT),
    },
    Kind {
        title: "Observation by category",
        resource_type: "Observation",
        parameters: |facts| of_chart(facts, "category", "vital-signs"),
    },
    Kind {
        title: "Observation by date",
        resource_type: "Observation",
        parameters: |facts| of_chart(facts, "date", &format!("ge{}", facts.encounter_day)),
    },
    Kind {
        title: "Observation by value-quantity",
        resource_type: "Observation",
        parameters: |facts| of_chart(facts, "value-quantity", "gt1"),
    },
    Kind {
        title: "Condition by code",
        resource_type: "Condition",
        parameters: |facts| of_chart(facts, "code", &facts.condition),
    },
    Kind {
        title: "Encounter by date",
        resource_type: "Encounter",
        parameters: |facts| of_chart(facts, "date", &facts.encounter_day),
    },
    Kind {
        title: "MedicationRequest by status",
        resource_type: "MedicationRequest",
        parameters: |facts| of_chart(facts, "status", &facts.order_status),
    },
    Kind {
        title: "Practitioner by name",
        resource_type: "Practitioner",
        parameters: |facts| vec![("name", facts.practitioner.clone())],
    },
];

/// Searches in turn until the time is over, once every kind has found something.
pub(super) async fn run(server: &Server, extent: &Extent<'_>) -> anyhow::Result<Measured> {
    let sought = extent.charts.min(SOUGHT);
    // Spread over all patients and all histories.
    let step = extent.charts / sought.max(1);
    let sought = (0..sought).map(|number| number * step + number % step.max(1));
    let facts = sought.map(|number| Facts::of(extent.histories, number));
    let facts: Vec<Facts> = facts.filter(Facts::is_complete).collect();
    let mut connection = server.connect().await?;
    for kind in &KINDS {
        let facts = facts.first().context("no history has every type")?;
        let found = kind.search(&mut connection, facts).await?;
        let found: Value = serde_json::from_slice(&found).context(kind.title)?;
        let entries = found.get("entry").and_then(Value::as_array);
        ensure!(
            entries.is_some_and(|entries| !entries.is_empty()),
            "{} finds nothing",
            kind.title
        );
    }
    let load = async {
        let end = Instant::now() + extent.span;
        let loops = (0..extent.clients).map(|number| repeat(server, &facts, number, end));
        let mut all = Latencies::default();
        for each in try_join_all(loops).await? {
            all.add(each)?;
        }
        Ok(all)
    };
    Measured::run(server, load).await
}

/// The searches of one client. All kinds are equally frequent; the clients' patients differ.
async fn repeat(
    server: &Server,
    facts: &[Facts],
    number: u32,
    end: Instant,
) -> anyhow::Result<Latencies> {
    let mut connection = server.connect().await?;
    let mut latencies = Latencies::default();
    let shift = usize::try_from(number).unwrap_or_default() * 37;
    for facts in facts.iter().cycle().skip(shift % facts.len().max(1)) {
        for kind in &KINDS {
            let found = kind.search(&mut connection, facts);
            latencies.record(kind.title, found).await?;
        }
        if Instant::now() >= end {
            break;
        }
    }
    Ok(latencies)
}

impl Kind {
    async fn search(
        &self,
        connection: &mut FhirConnection,
        facts: &Facts,
    ) -> anyhow::Result<Bytes> {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs((self.parameters)(facts))
            .append_pair("_count", "20")
            .finish();
        let path = format!("/{}/_search", self.resource_type);
        let found = connection.send(Method::POST, &path, FORM, Bytes::from(form));
        Ok(found.await?.1)
    }
}

fn of_chart(facts: &Facts, name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let patient = format!("Patient/{}", facts.patient);
    vec![("patient", patient), (name, value.to_owned())]
}
