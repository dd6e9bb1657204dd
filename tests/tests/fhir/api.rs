//! Requests of the API, and the resources that its tests share.

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::fhir;
use uuid::Uuid;

/// The media type of JSON Patch.
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";

/// Sends a request; a body is FHIR JSON unless a header says otherwise.
pub(crate) async fn send(
    client: &Client,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> anyhow::Result<TestResponse> {
    let mut request = Request::builder().method(method).uri(path);
    let has_type = headers.iter().any(|(name, _)| *name == "content-type");
    if body.is_some() && !has_type {
        request = request.header("content-type", "application/fhir+json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    client.send(request.body(Bytes::from(body))?).await
}

/// Creates a resource without its id; returns it as it is stored.
pub(crate) async fn created(client: &Client, resource: &Value) -> anyhow::Result<Value> {
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    let path = format!("/fhir/{kind}");
    let response = send(client, "POST", &path, &[], Some(resource)).await?;
    response.expect_status(201)?.json()
}

/// Updates a resource, or creates it under its id.
pub(crate) async fn put(client: &Client, resource: &Value) -> anyhow::Result<TestResponse> {
    let path = path(resource);
    send(client, "PUT", &path, &[], Some(resource)).await
}

/// Stores resources under their ids, in one transaction.
pub(crate) async fn store(client: &Client, resources: &[&Value]) -> anyhow::Result<()> {
    let stored = client.bundle(&fhir::transaction(resources)).await?;
    stored.expect_status(200)?;
    Ok(())
}

/// Patches a resource.
pub(crate) async fn patch(
    client: &Client,
    path: &str,
    operations: &Value,
) -> anyhow::Result<TestResponse> {
    let headers = [("content-type", JSON_PATCH)];
    send(client, "PATCH", path, &headers, Some(operations)).await
}

/// Deletes a resource.
pub(crate) async fn delete(client: &Client, path: &str) -> anyhow::Result<TestResponse> {
    send(client, "DELETE", path, &[], None).await
}

/// The path of a resource.
pub(crate) fn path(resource: &Value) -> String {
    format!("/fhir/{}", fhir::reference(resource))
}

/// Searches for resources of a type by a form.
pub(crate) async fn search(
    client: &Client,
    kind: &str,
    fields: &[(&str, &str)],
) -> anyhow::Result<TestResponse> {
    let path = format!("/fhir/{kind}/_search");
    client.form(&path, fields).await
}

/// The searchset of a form.
pub(crate) async fn searchset(
    client: &Client,
    kind: &str,
    fields: &[(&str, &str)],
) -> anyhow::Result<Value> {
    let found = search(client, kind, fields).await?;
    found.expect_status(200)?.json()
}

/// The entries of a Bundle.
pub(crate) fn entries(bundle: &Value) -> Vec<Value> {
    bundle["entry"].as_array().cloned().unwrap_or_default()
}

/// The ids of the resources of a searchset with this mode, in its order.
pub(crate) fn ids_of(bundle: &Value, mode: &str) -> Vec<Uuid> {
    let entries = entries(bundle);
    let wanted = entries
        .iter()
        .filter(|entry| entry["search"]["mode"] == mode);
    wanted.map(|entry| fhir::id(&entry["resource"])).collect()
}

/// The ids of the matches of a searchset, in its order.
pub(crate) fn matches(bundle: &Value) -> Vec<Uuid> {
    ids_of(bundle, "match")
}

/// The path and query of a link of a Bundle; none without the link.
pub(crate) fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array()?;
    let link = links.iter().find(|link| link["relation"] == relation)?;
    let (_, path) = link["url"].as_str()?.split_once("/fhir/")?;
    Some(format!("/fhir/{path}"))
}

/// All pages of a result, from its first one.
pub(crate) async fn pages(client: &Client, first: Value) -> anyhow::Result<Vec<Value>> {
    let mut pages = vec![first];
    while let Some(next) = pages.last().and_then(|page| link(page, "next")) {
        anyhow::ensure!(pages.len() < 100, "the pages do not end");
        let page = client.get(&next).await?;
        pages.push(page.expect_status(200)?.json()?);
    }
    Ok(pages)
}

/// The `response` of an entry of a Bundle.
pub(crate) fn response(bundle: &Value, entry: usize) -> &Value {
    &bundle["entry"][entry]["response"]
}

/// The first three letters of the statuses of all entries.
pub(crate) fn statuses(bundle: &Value) -> Vec<String> {
    let status = |entry: &Value| {
        let status = entry["response"]["status"].as_str().unwrap_or_default();
        status.chars().take(3).collect()
    };
    entries(bundle).iter().map(status).collect()
}

/// A word that no other resource has.
pub(crate) fn unique_word() -> String {
    let letters = fhir::random_id().simple().to_string();
    let letters = letters.chars().take(14).map(|it| {
        char::from(b'a' + u8::try_from(it.to_digit(16).unwrap_or_default()).unwrap_or(0))
    });
    format!("Z{}", letters.collect::<String>())
}

/// A practitioner of the directory with a name and an identifier of its own.
pub(crate) fn practitioner() -> Value {
    json!({
        "resourceType": "Practitioner",
        "id": fhir::random_id(),
        "identifier": [{"system": "http://example.org/staff", "value": unique_word()}],
        "name": [{"family": unique_word(), "given": ["Quirin"]}]
    })
}

/// The stack with the clinician of Riverside.
pub(crate) async fn clinician() -> anyhow::Result<(RunningStack, Client)> {
    let running = RunningStack::shared()?;
    let client = running.clinician(Clinic::Riverside).await?;
    Ok((running, client))
}

/// The privacy officer of Riverside.
pub(crate) async fn officer(running: &RunningStack) -> anyhow::Result<Client> {
    running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await
}
