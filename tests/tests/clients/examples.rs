//! HL7's example resources are stored and read back, or refused with a reason that the README states.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Context;
use anyhow::ensure;
use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream;
use serde_json::Value;
use tests::Client;
use tests::Clinic;
use tests::ExactJson;
use tests::Hl7Example;
use tests::Hl7Examples;
use tests::IsolatedStack;
use tests::check_documented_table;
use tests::fhir;
use uuid::Uuid;

/// Upper bound of the entries of a batch.
const BATCH_ENTRIES: usize = 50;

/// Upper bound of the resources of a batch, in bytes, unless one alone has more.
const BATCH_BYTES: usize = 2_000_000;

/// The requests that are under way at one time.
const CONCURRENCY: usize = 4;

/// The examples by what became of them: the resource types and the number of each.
type Outcomes = BTreeMap<String, BTreeMap<String, usize>>;

/// The row of those that were stored.
const STORED: &str = "stored, and read back equal";

#[tokio::test]
async fn every_example_of_hl7_is_read_back_as_it_was_sent_or_refused_with_a_stated_reason()
-> anyhow::Result<()> {
    // Of its own: the examples would stand among the patients of other tests, and belong to one organization.
    let isolated = IsolatedStack::start().await?;
    let clinician = isolated.running()?.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    let created = clinician.bundle(&fhir::transaction(&[&patient])).await?;
    created.expect_status(200)?;
    let patient = fhir::id(&patient);
    let stored_types = stored_types(&clinician).await?;
    let examples = tokio::task::spawn_blocking(Hl7Examples::obtain).await??;

    let mut outcomes = Outcomes::new();
    let mut one_of_each = Vec::new();
    for resource_type in examples.resource_types() {
        if !stored_types.contains(resource_type) {
            // One is enough: it is refused for its type.
            let smallest = examples.smallest(resource_type, patient)?;
            let [reason] = &send(&clinician, &[smallest]).await?[..] else {
                anyhow::bail!("a batch of one has one response");
            };
            let reason = reason
                .clone()
                .context("a type that metadata lacks was stored")?;
            add(
                &mut outcomes,
                &reason,
                resource_type,
                examples.count(resource_type),
            );
            continue;
        }
        let mut accepted = Vec::new();
        for batch in batches(examples.of(resource_type, patient)?) {
            let refusals = send(&clinician, &batch).await?;
            for (example, refusal) in batch.into_iter().zip(refusals) {
                let row = refusal.as_deref().unwrap_or(STORED);
                add(&mut outcomes, row, resource_type, 1);
                if refusal.is_none() {
                    accepted.push(example);
                }
            }
        }
        let reads = accepted
            .iter()
            .map(|example| expect_equal(&clinician, example, example.id));
        let reads = stream::iter(reads).buffer_unordered(CONCURRENCY);
        reads.try_collect::<Vec<()>>().await?;
        // A patient cannot be created twice: a medical record number belongs to one.
        one_of_each.extend(
            accepted
                .into_iter()
                .next()
                .filter(|_| resource_type != "Patient"),
        );
    }
    for batch in batches(one_of_each) {
        create_together(&clinician, &batch).await?;
    }
    check_documented_table("app/fhir/README.md", "examples", &table(&outcomes))
}

/// The resource types of the server's `CapabilityStatement`.
async fn stored_types(client: &Client) -> anyhow::Result<BTreeSet<String>> {
    let statement = client
        .get("/fhir/metadata")
        .await?
        .expect_status(200)?
        .json()?;
    let resources = statement["rest"][0]["resource"].as_array().cloned();
    let resources = resources.context("a list of resource types")?;
    let names = resources.iter().filter_map(|it| it["type"].as_str());
    Ok(names.map(str::to_owned).collect())
}

fn add(outcomes: &mut Outcomes, row: &str, resource_type: &str, count: usize) {
    let types = outcomes.entry(row.to_owned()).or_default();
    *types.entry(resource_type.to_owned()).or_default() += count;
}

/// The examples in batches that a request may hold.
fn batches(examples: Vec<Hl7Example>) -> Vec<Vec<Hl7Example>> {
    let mut batches: Vec<Vec<Hl7Example>> = Vec::new();
    let mut bytes = 0;
    for example in examples {
        let length = example.resource.to_string().len();
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_ENTRIES && bytes + length <= BATCH_BYTES => {
                bytes += length;
                batch.push(example);
            }
            _ => {
                bytes = length;
                batches.push(vec![example]);
            }
        }
    }
    batches
}

/// Sends examples in a batch, each under its own id; returns the reason of each refusal.
async fn send(client: &Client, examples: &[Hl7Example]) -> anyhow::Result<Vec<Option<String>>> {
    let entries = examples.iter().map(|example| {
        let Hl7Example {
            resource_type,
            id,
            resource,
            ..
        } = example;
        format!(
            r#"{{"resource":{resource},"request":{{"method":"PUT","url":"{resource_type}/{id}"}}}}"#
        )
    });
    let responses = post(client, "batch", entries.collect()).await?;
    ensure!(
        responses.len() == examples.len(),
        "{} responses",
        responses.len()
    );
    Ok(responses.iter().map(refusal).collect())
}

/// Posts a Bundle, and returns the responses of its entries.
async fn post(client: &Client, kind: &str, entries: Vec<String>) -> anyhow::Result<Vec<Value>> {
    let entries = entries.join(",");
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entries}]}}"#);
    let response = client.post_fhir(bundle).await?.expect_status(200)?.json()?;
    let entries = response["entry"].as_array().cloned().unwrap_or_default();
    Ok(entries
        .into_iter()
        .map(|entry| entry["response"].clone())
        .collect())
}

/// The reason of an entry's refusal: the status, and what the outcome states of its first issue, which repeats no value
/// that was sent; without the advice after a semicolon.
fn refusal(response: &Value) -> Option<String> {
    let status = response["status"].as_str().unwrap_or_default();
    if status.starts_with('2') {
        return None;
    }
    let number = status.split(' ').next().unwrap_or_default();
    let issue = &response["outcome"]["issue"][0];
    let text = issue["diagnostics"].as_str().unwrap_or("no reason");
    let reason = text.split(';').next().unwrap_or_default();
    Some(format!("{number} {reason}"))
}

/// Reads a resource, and compares it with an example in all but its id and what `meta` has of the server.
async fn expect_equal(client: &Client, example: &Hl7Example, id: Uuid) -> anyhow::Result<()> {
    let path = format!("/fhir/{}/{id}", example.resource_type);
    let read = client.get(&path).await?.expect_status(200)?.text();
    let mut read = without_server_meta(ExactJson::parse(&read)?);
    let sent = without_server_meta(example.resource.clone());
    let own_id = ExactJson::Text(id.to_string());
    ensure!(
        read.member("id") == Some(&own_id),
        "{} has another id",
        example.name
    );
    read.set_member("id", sent.member("id").cloned());
    let difference = sent.difference(&read);
    ensure!(
        difference.is_none(),
        "{} differs at {difference:?}",
        example.name
    );
    Ok(())
}

fn without_server_meta(mut resource: ExactJson) -> ExactJson {
    if let Some(mut meta) = resource.member("meta").cloned() {
        meta.set_member("versionId", None);
        meta.set_member("lastUpdated", None);
        let is_empty = matches!(&meta, ExactJson::Object(members) if members.is_empty());
        resource.set_member("meta", (!is_empty).then_some(meta));
    }
    resource
}

/// Creates examples in one transaction, under ids that the server chooses, and reads each back.
async fn create_together(client: &Client, examples: &[Hl7Example]) -> anyhow::Result<()> {
    let entries = examples.iter().map(|example| {
        let mut resource = example.resource.clone();
        resource.set_member("id", None);
        let kind = &example.resource_type;
        format!(r#"{{"resource":{resource},"request":{{"method":"POST","url":"{kind}"}}}}"#)
    });
    let responses = post(client, "transaction", entries.collect()).await?;
    ensure!(
        responses.len() == examples.len(),
        "{} responses",
        responses.len()
    );
    for (example, response) in examples.iter().zip(responses) {
        let location = response["location"].as_str().unwrap_or_default();
        let (before, _) = location.split_once("/_history/").unwrap_or((location, ""));
        let id = before.rsplit('/').next().unwrap_or_default();
        let id = id
            .parse()
            .with_context(|| format!("{}: {response}", example.name))?;
        expect_equal(client, example, id).await?;
    }
    Ok(())
}

/// A row for each outcome, those that were stored first.
fn table(outcomes: &Outcomes) -> String {
    let mut table = "| examples | outcome | resource types |\n|---|---|---|\n".to_owned();
    let stored = outcomes.get_key_value(STORED);
    let refused = outcomes.iter().filter(|(row, _)| *row != STORED);
    for (row, types) in stored.into_iter().chain(refused) {
        let total: usize = types.values().sum();
        let types: Vec<String> = types
            .iter()
            .map(|(name, count)| format!("`{name}` {count}"))
            .collect();
        let row = row.replace('|', "\\|");
        let row = if row == STORED {
            row
        } else {
            format!("`{row}`")
        };
        writeln!(table, "| {total} | {row} | {} |", types.join(", ")).unwrap();
    }
    table
}
