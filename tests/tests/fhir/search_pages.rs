//! Pages of search results, also while others write.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::fhir;
use uuid::Uuid;

use super::api::clinician;
use super::api::created;
use super::api::delete;
use super::api::ids_of;
use super::api::link;
use super::api::matches;
use super::api::pages;
use super::api::path;
use super::api::searchset;
use super::api::store;
use super::api::unique_word;

/// Stores a patient with this number of observations.
async fn chart(client: &Client, count: usize) -> anyhow::Result<(Value, Vec<Value>)> {
    let patient = fhir::patient();
    let observations: Vec<_> = (0..count)
        .map(|day| {
            let mut observation = fhir::observation(&patient);
            observation["effectiveDateTime"] = json!(format!("2024-01-{:02}", 1 + day % 7));
            observation
        })
        .collect();
    let all: Vec<_> = std::iter::once(&patient).chain(&observations).collect();
    store(client, &all).await?;
    Ok((patient, observations))
}

/// Stores patients with one family name.
async fn patients(client: &Client, family: &str, count: usize) -> anyhow::Result<Vec<Value>> {
    let patients: Vec<_> = (0..count)
        .map(|number| {
            let mut patient = fhir::patient();
            patient["name"][0]["family"] = json!(family);
            patient["name"][0]["given"] = json!([format!("G{}", number % 3)]);
            patient["birthDate"] = json!(format!("196{}-01-01", number % 4));
            patient
        })
        .collect();
    store(client, &patients.iter().collect::<Vec<_>>()).await?;
    Ok(patients)
}

/// The ids of all matches of pages, in their order.
fn all_matches(pages: &[Value]) -> Vec<Uuid> {
    pages.iter().flat_map(matches).collect()
}

/// The ids of resources, in order of ids.
fn ids(resources: &[Value]) -> Vec<Uuid> {
    let mut ids: Vec<_> = resources.iter().map(fhir::id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn all_pages_have_every_match_once() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (patient, observations) = chart(&client, 23).await?;
    let id = fhir::id(&patient).to_string();
    let expected = ids(&observations);
    for sort in ["_id", "date", "-date", "_lastUpdated", "-_id", "date,-_id"] {
        for count in [1_usize, 5, 7, 22, 23, 24, 200] {
            let count_text = count.to_string();
            let fields = [("patient", &*id), ("_sort", sort), ("_count", &*count_text)];
            let first = searchset(&client, "Observation", &fields).await?;
            let pages = pages(&client, first).await?;
            let found = all_matches(&pages);
            let mut sorted = found.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, expected, "{sort} by {count}");
            assert_eq!(pages.len(), 23_usize.div_ceil(count), "{sort} by {count}");
            assert!(
                pages.iter().all(|page| page["total"] == 23),
                "{sort} by {count}"
            );
            if count == 1 && sort != "_id" {
                break;
            }
        }
    }
    let by_url = format!("/fhir/Observation?patient={id}&_count=9");
    let first = client.get(&by_url).await?.expect_status(200)?.json()?;
    let mut found = all_matches(&pages(&client, first).await?);
    found.sort_unstable();
    assert_eq!(found, expected);
    Ok(())
}

#[tokio::test]
async fn all_pages_of_patients_have_every_patient_once() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let family = unique_word();
    let patients = patients(&client, &family, 17).await?;
    let expected = ids(&patients);
    for sort in [
        "family",
        "given",
        "birthdate",
        "-birthdate",
        "_lastUpdated",
        "_id",
        "given,-_id",
    ] {
        for count in ["1", "4", "17", "50"] {
            let fields = [("family", &*family), ("_sort", sort), ("_count", count)];
            let first = searchset(&client, "Patient", &fields).await?;
            let pages = pages(&client, first).await?;
            let mut found = all_matches(&pages);
            found.sort_unstable();
            assert_eq!(found, expected, "{sort} by {count}");
            assert!(
                pages.iter().all(|page| page["total"] == 17),
                "{sort} by {count}"
            );
        }
    }
    Ok(())
}

/// Reads all pages of a search, and executes a write after each page.
async fn while_writing(
    client: &Client,
    first: Value,
    mut write: impl AsyncFnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Uuid>> {
    let mut found = matches(&first);
    let mut next = link(&first, "next");
    let mut page = 0;
    while let Some(path) = next {
        write(page).await?;
        page += 1;
        anyhow::ensure!(page < 200, "the pages do not end");
        let bundle = client.get(&path).await?.expect_status(200)?.json()?;
        found.extend(matches(&bundle));
        next = link(&bundle, "next");
    }
    Ok(found)
}

/// Requires that the lasting resources were found, each once.
fn expect_each_once(found: &[Uuid], lasting: &[Value]) {
    let distinct: BTreeSet<_> = found.iter().collect();
    assert_eq!(distinct.len(), found.len(), "an id twice: {found:?}");
    for resource in lasting {
        assert!(
            distinct.contains(&fhir::id(resource)),
            "{resource} is missing"
        );
    }
}

#[tokio::test]
async fn what_is_there_all_the_time_is_found_once_while_others_write() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    for sort in ["_id", "date", "-date"] {
        let (patient, observations) = chart(&client, 20).await?;
        let (lasting, removed) = observations.split_at(14);
        let id = fhir::id(&patient).to_string();
        let fields = [("patient", &*id), ("_sort", sort), ("_count", "3")];
        let first = searchset(&client, "Observation", &fields).await?;
        let write = async |page: usize| {
            let mut added = fhir::observation(&patient);
            added["effectiveDateTime"] = json!(format!("2024-01-{:02}", 1 + page % 9));
            store(&client, &[&added]).await?;
            if let Some(removed) = removed.get(page) {
                delete(&client, &path(removed)).await?.expect_status(204)?;
            }
            Ok(())
        };
        let found = while_writing(&client, first, write).await?;
        expect_each_once(&found, lasting);
    }
    Ok(())
}

#[tokio::test]
async fn a_patient_who_is_there_all_the_time_is_found_once_while_others_write() -> anyhow::Result<()>
{
    let (_running, client) = clinician().await?;
    for sort in ["family", "birthdate", "-birthdate", "_id"] {
        let family = unique_word();
        let all = patients(&client, &family, 14).await?;
        let (lasting, removed) = all.split_at(10);
        let fields = [("family", &*family), ("_sort", sort), ("_count", "3")];
        let first = searchset(&client, "Patient", &fields).await?;
        let write = async |page: usize| {
            patients(&client, &family, 1).await?;
            if let Some(removed) = removed.get(page) {
                delete(&client, &path(removed)).await?.expect_status(204)?;
            }
            Ok(())
        };
        let found = while_writing(&client, first, write).await?;
        expect_each_once(&found, lasting);
    }
    Ok(())
}

#[tokio::test]
async fn a_total_and_the_included_resources_are_as_requested_on_each_page() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (patient, _observations) = chart(&client, 5).await?;
    let id = fhir::id(&patient).to_string();
    for (total, expected) in [
        ("none", json!(null)),
        ("accurate", json!(5)),
        ("estimate", json!(5)),
    ] {
        let fields = [
            ("patient", &*id),
            ("_count", "2"),
            ("_total", total),
            ("_include", "Observation:subject"),
            ("_elements", "subject"),
        ];
        let first = searchset(&client, "Observation", &fields).await?;
        let pages = pages(&client, first).await?;
        assert_eq!(pages.len(), 3);
        for page in &pages {
            assert_eq!(page["total"], expected, "{total}: {page}");
            assert_eq!(ids_of(page, "include"), [fhir::id(&patient)], "{page}");
            assert!(
                page["entry"][0]["resource"]
                    .get("effectiveDateTime")
                    .is_none()
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_page_after_the_last_match_was_deleted_goes_on() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let (patient, observations) = chart(&client, 9).await?;
    let id = fhir::id(&patient).to_string();
    let fields = [("patient", &*id), ("_sort", "_id"), ("_count", "4")];
    let first = searchset(&client, "Observation", &fields).await?;
    let shown = matches(&first);
    let last = shown.last().copied().unwrap_or_default();
    delete(&client, &format!("/fhir/Observation/{last}"))
        .await?
        .expect_status(204)?;
    let all = all_matches(&pages(&client, first).await?);
    expect_each_once(&all, &observations);
    let patient = created(&client, &fhir::patient()).await?;
    let empty = [("patient", &*fhir::id(&patient).to_string())];
    let empty = searchset(&client, "Observation", &empty).await?;
    assert_eq!(empty["total"], 0);
    assert!(
        link(&empty, "next").is_none() && empty.get("entry").is_none(),
        "{empty}"
    );
    Ok(())
}
