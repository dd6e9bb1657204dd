//! Transactions and batches with every method.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::delete;
use super::api::entries;
use super::api::matches;
use super::api::path;
use super::api::response;
use super::api::searchset;
use super::api::statuses;
use super::api::store;

/// An entry with a resource or without one.
fn entry(method: &str, url: &str, resource: Option<&Value>) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if let Some(resource) = resource {
        entry["resource"] = resource.clone();
    }
    entry
}

/// The PATCH of a resource, as a Binary.
fn patch(url: &str, operations: &Value) -> Value {
    let data = STANDARD.encode(operations.to_string());
    let binary = json!({
        "resourceType": "Binary", "contentType": "application/json-patch+json", "data": data
    });
    entry("PATCH", url, Some(&binary))
}

fn bundle(kind: &str, entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

/// The response to a Bundle that is executed.
async fn execute(client: &Client, kind: &str, entries: &[Value]) -> anyhow::Result<Value> {
    let done = client.bundle(&bundle(kind, entries)).await?;
    done.expect_status(200)?.json()
}

/// A patient with two observations.
struct Chart {
    patient: Value,
    one: Value,
    two: Value,
}

impl Chart {
    async fn stored(client: &Client) -> anyhow::Result<Self> {
        let patient = fhir::patient();
        let (one, two) = (fhir::observation(&patient), fhir::observation(&patient));
        store(client, &[&patient, &one, &two]).await?;
        Ok(Self { patient, one, two })
    }
}

fn status_patch(status: &str) -> Value {
    json!([{"op": "replace", "path": "/status", "value": status}])
}

/// Entries of every method: the writes of a chart, then the reads that see them.
fn every_method(chart: &Chart) -> [Value; 9] {
    let id = fhir::id(&chart.patient);
    let (one, two) = (fhir::reference(&chart.one), fhir::reference(&chart.two));
    let mut amended = chart.patient.clone();
    amended["gender"] = json!("other");
    let mut posted = fhir::observation(&chart.patient);
    if let Some(object) = posted.as_object_mut() {
        object.remove("id");
    }
    [
        entry("POST", "Observation", Some(&posted)),
        entry("PUT", &fhir::reference(&chart.patient), Some(&amended)),
        patch(&one, &status_patch("amended")),
        entry("DELETE", &two, None),
        entry("GET", &one, None),
        entry("GET", &format!("{one}/_history/1"), None),
        entry("GET", &format!("/{one}/_history?_count=1"), None),
        entry(
            "GET",
            &format!("Observation?patient={id}&code=8867-4&_sort=_id"),
            None,
        ),
        entry("GET", &format!("Patient?_id={id}&gender=other"), None),
    ]
}

#[tokio::test]
async fn every_method_has_its_response() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    for kind in ["transaction", "batch"] {
        let chart = Chart::stored(&client).await?;
        let id = fhir::id(&chart.patient);
        let entries = every_method(&chart);
        let done = execute(&client, kind, &entries).await?;
        assert_eq!(done["type"], format!("{kind}-response"));
        let expected = [
            "201", "200", "200", "204", "200", "200", "200", "200", "200",
        ];
        assert_eq!(statuses(&done), expected, "{kind}: {done}");
        for (index, version) in [(0, 1), (1, 2), (2, 2)] {
            assert_eq!(
                response(&done, index)["etag"],
                format!("W/\"{version}\""),
                "{kind}: {done}"
            );
            let location = response(&done, index)["location"]
                .as_str()
                .unwrap_or_default();
            assert!(
                location.ends_with(&format!("/_history/{version}")),
                "{location}"
            );
        }
        // The reads see the writes.
        let resource = |index: usize| &done["entry"][index]["resource"];
        assert_eq!(resource(4)["status"], "amended", "{kind}: {done}");
        assert_eq!(resource(5)["status"], "final", "{kind}: {done}");
        assert_eq!(resource(6)["total"], 2, "{kind}: {done}");
        assert_eq!(super::api::entries(resource(6)).len(), 1);
        let location = response(&done, 0)["location"].as_str().unwrap_or_default();
        let created = location
            .split('/')
            .rev()
            .nth(2)
            .unwrap_or_default()
            .to_owned();
        let mut expected = [created, fhir::id(&chart.one).to_string()];
        expected.sort();
        let found: Vec<_> = matches(resource(7))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected, "{kind}: {done}");
        assert_eq!(matches(resource(8)), [id], "{kind}: {done}");
    }
    Ok(())
}

#[tokio::test]
async fn a_transaction_is_executed_in_the_order_of_the_standard() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let (one, two) = (fhir::reference(&chart.one), fhir::reference(&chart.two));
    let id = fhir::id(&chart.patient);
    let patient = fhir::reference(&chart.patient);
    // The reads are first in the Bundle and last in the execution; the patient is deleted after its chart.
    let entries = [
        entry("GET", &format!("Observation?patient={id}"), None),
        entry("GET", &one, None),
        entry("DELETE", &patient, None),
        entry("DELETE", &one, None),
        entry("DELETE", &two, None),
    ];
    let done = execute(&client, "transaction", &entries).await?;
    let found = statuses(&done);
    assert_eq!(found[1..], ["410", "204", "204", "204"], "{done}");
    assert_eq!(done["entry"][0]["resource"]["total"], 0, "{done}");
    client
        .get(&path(&chart.patient))
        .await?
        .expect_status(410)?;
    // An observation before its patient, which the server orders.
    let (patient, observation) = (fhir::patient(), json!({}));
    let observation = [fhir::observation(&patient), observation][0].clone();
    let entries = [
        entry("PUT", &fhir::reference(&observation), Some(&observation)),
        entry("PUT", &fhir::reference(&patient), Some(&patient)),
    ];
    let done = execute(&client, "transaction", &entries).await?;
    assert_eq!(statuses(&done), ["201", "201"], "{done}");
    Ok(())
}

#[tokio::test]
async fn nothing_of_a_transaction_is_stored_if_an_entry_fails() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let other = created(&client, &fhir::patient()).await?;
    let (one, two) = (fhir::reference(&chart.one), fhir::reference(&chart.two));
    let patient = fhir::reference(&chart.patient);
    let moved =
        json!([{"op": "replace", "path": "/subject/reference", "value": fhir::reference(&other)}]);
    let mut stale = entry("DELETE", &one, None);
    stale["request"]["ifMatch"] = json!("W/\"7\"");
    let mut stale_put = entry("PUT", &one, Some(&chart.one));
    stale_put["request"]["ifMatch"] = json!("W/\"7\"");
    let mut present = entry("PUT", &one, Some(&chart.one));
    present["request"]["ifNoneMatch"] = json!("*");
    let unknown = format!("Observation/{}", fhir::random_id());
    let failing_test = json!([{"op": "test", "path": "/status", "value": "amended"}]);
    for (what, failing, status) in [
        ("a stale delete", stale, 412),
        ("a stale update", stale_put, 412),
        ("a resource that is there", present, 412),
        (
            "a chart that is not empty",
            entry("DELETE", &patient, None),
            409,
        ),
        (
            "a patch of nothing",
            patch(&unknown, &status_patch("amended")),
            404,
        ),
        ("a patch of the owner", patch(&one, &moved), 409),
        ("a failing test", patch(&one, &failing_test), 422),
        (
            "an invalid result",
            patch(&one, &status_patch("unheard-of")),
            422,
        ),
    ] {
        let added = fhir::patient();
        let entries = [
            entry("PUT", &fhir::reference(&added), Some(&added)),
            entry("DELETE", &two, None),
            failing,
        ];
        let refused = client.bundle(&bundle("transaction", &entries)).await?;
        assert_eq!(refused.status, status, "{what}: {}", refused.text());
        refused.issues()?;
        client.get(&path(&added)).await?.expect_status(404)?;
        client.get(&path(&chart.two)).await?.expect_status(200)?;
        let read = client.get(&path(&chart.one)).await?.expect_status(200)?;
        assert_eq!(read.header("etag"), "W/\"1\"", "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn a_patient_is_not_deleted_beside_a_new_record_of_the_chart() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    for kind in ["transaction", "batch"] {
        let patient = created(&client, &fhir::patient()).await?;
        let observation = fhir::observation(&patient);
        let entries = [
            entry("PUT", &fhir::reference(&observation), Some(&observation)),
            entry("DELETE", &fhir::reference(&patient), None),
        ];
        let done = client.bundle(&bundle(kind, &entries)).await?;
        let read = client.get(&path(&observation)).await?;
        let owner = client.get(&path(&patient)).await?;
        match read.status.as_u16() {
            200 => assert_eq!(
                owner.status,
                200,
                "{kind}: a record without its patient: {}",
                done.text()
            ),
            404 => {}
            other => panic!("{kind}: {other}: {}", done.text()),
        }
    }
    Ok(())
}

/// Entries of a batch on a chart: those that succeed among those that are refused.
fn mixed_entries(chart: &Chart) -> [Value; 16] {
    let id = fhir::id(&chart.patient);
    let (one, two) = (fhir::reference(&chart.one), fhir::reference(&chart.two));
    let mut stale = entry("DELETE", &two, None);
    stale["request"]["ifMatch"] = json!("W/\"7\"");
    let mut unchanged = entry("GET", &two, None);
    unchanged["request"]["ifNoneMatch"] = json!("W/\"1\"");
    let unknown = format!("Observation/{}", fhir::random_id());
    [
        patch(&one, &status_patch("amended")),
        stale,
        patch(&unknown, &status_patch("amended")),
        entry("DELETE", &fhir::reference(&chart.patient), None),
        entry("GET", &unknown, None),
        entry(
            "GET",
            &format!("Observation?patient={id}&unheard-of=1"),
            None,
        ),
        entry(
            "GET",
            &format!("Observation?patient={id}&status=amended"),
            None,
        ),
        entry("GET", &format!("{one}/_history"), None),
        entry("GET", &format!("{one}/_history/9"), None),
        entry("GET", "Patient/$everything", None),
        entry("HEAD", &one, None),
        entry("GET", "Unknown/1", None),
        unchanged,
        entry("DELETE", &two, None),
        entry("GET", &two, None),
        entry("GET", "Observation?patient=Smith", None),
    ]
}

#[tokio::test]
async fn an_entry_of_a_batch_fails_alone() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let entries = mixed_entries(&chart);
    let done = execute(&client, "batch", &entries).await?;
    let expected = [
        "200", "412", "404", "409", "404", "400", "200", "200", "404", "400", "400", "400", "304",
        "204", "410", "400",
    ];
    let found = statuses(&done);
    for (index, expected) in expected.iter().enumerate() {
        let refused = matches!(&found[index][..1], "4");
        assert_eq!(
            refused,
            expected.starts_with('4'),
            "entry {index}: {found:?}"
        );
    }
    // Refusals of a malformed request.url are 400 or 404.
    for index in [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15] {
        assert_eq!(
            found[index], expected[index],
            "entry {index}: {}",
            done["entry"][index]
        );
    }
    for (index, entry) in super::api::entries(&done).iter().enumerate() {
        if found[index].starts_with('4') {
            let outcome = &entry["response"]["outcome"];
            assert_eq!(
                outcome["resourceType"], "OperationOutcome",
                "entry {index}: {entry}"
            );
            assert!(!entry.to_string().contains("Smith"), "{entry}");
        }
    }
    assert_eq!(
        matches(&done["entry"][6]["resource"]),
        [fhir::id(&chart.one)],
        "{done}"
    );
    assert_eq!(done["entry"][7]["resource"]["total"], 2, "{done}");
    Ok(())
}

#[tokio::test]
async fn an_entry_of_a_batch_sees_what_the_entries_before_it_wrote() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let one = fhir::reference(&chart.one);
    let mut amended = chart.one.clone();
    amended["valueQuantity"]["value"] = json!(99);
    let entries = [
        entry("PUT", &one, Some(&amended)),
        patch(&one, &status_patch("amended")),
        entry("GET", &one, None),
        entry("DELETE", &one, None),
        patch(&one, &status_patch("final")),
        entry("PUT", &one, Some(&amended)),
        entry("GET", &format!("{one}/_history"), None),
    ];
    let done = execute(&client, "batch", &entries).await?;
    let expected = ["200", "200", "200", "204", "410", "201", "200"];
    assert_eq!(statuses(&done), expected, "{done}");
    let read = &done["entry"][2]["resource"];
    assert_eq!(
        (&read["status"], &read["valueQuantity"]["value"]),
        (&json!("amended"), &json!(99))
    );
    assert_eq!(done["entry"][6]["resource"]["total"], 5, "{done}");
    Ok(())
}

#[tokio::test]
async fn one_resource_has_one_entry_of_a_transaction() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let one = fhir::reference(&chart.one);
    let put = || entry("PUT", &one, Some(&chart.one));
    for pair in [
        [put(), put()],
        [put(), entry("DELETE", &one, None)],
        [
            patch(&one, &status_patch("amended")),
            entry("DELETE", &one, None),
        ],
        [entry("DELETE", &one, None), entry("DELETE", &one, None)],
        [patch(&one, &status_patch("amended")), put()],
    ] {
        let refused = client.bundle(&bundle("transaction", &pair)).await?;
        assert_eq!(refused.status, 400, "{pair:?}: {}", refused.text());
        refused.issues()?;
        let read = client.get(&path(&chart.one)).await?.expect_status(200)?;
        assert_eq!(read.header("etag"), "W/\"1\"");
    }
    Ok(())
}

#[tokio::test]
async fn a_bundle_is_accepted_with_and_without_a_slash_and_answers_as_preferred()
-> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    for path in ["/fhir", "/fhir/"] {
        for (prefer, expected) in [
            ("return=minimal", json!(null)),
            ("return=representation", json!("Observation")),
        ] {
            let observation = fhir::observation(&patient);
            let sent = fhir::transaction(&[&observation]);
            let headers = [("prefer", prefer)];
            let done = super::api::send(&client, "POST", path, &headers, Some(&sent)).await?;
            let done = done.expect_status(200)?.json()?;
            assert_eq!(
                done["entry"][0]["resource"]["resourceType"], expected,
                "{prefer}: {done}"
            );
        }
    }
    for kind in ["collection", "searchset", "history", "document", "message"] {
        let refused = client.bundle(&bundle(kind, &[])).await?;
        assert!(
            matches!(refused.status.as_u16(), 400 | 422),
            "{kind}: {}",
            refused.text()
        );
        refused.issues()?;
    }
    for kind in ["transaction", "batch"] {
        let done = execute(&client, kind, &[]).await?;
        assert!(entries(&done).is_empty(), "{done}");
    }
    let chart = [("patient", &*fhir::id(&patient).to_string())];
    assert_eq!(searchset(&client, "Observation", &chart).await?["total"], 4);
    delete(&client, &path(&patient)).await?.expect_status(409)?;
    Ok(())
}

#[tokio::test]
async fn nothing_is_stored_in_the_chart_of_a_deleted_patient() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let url = fhir::reference(&patient);
    delete(&client, &path(&patient)).await?.expect_status(204)?;
    let observation = fhir::observation(&patient);
    let unknown = fhir::patient();
    for (patient, of) in [
        (url, observation),
        (fhir::reference(&unknown), fhir::observation(&unknown)),
    ] {
        let transaction = bundle(
            "transaction",
            &[
                entry("DELETE", &patient, None),
                entry("PUT", &fhir::reference(&of), Some(&of)),
            ],
        );
        let refused = client.bundle(&transaction).await?;
        assert_eq!(refused.status, 422, "{}", refused.text());
    }
    Ok(())
}

#[tokio::test]
async fn a_patch_in_a_bundle_does_not_return_what_the_caller_did_not_send() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let patch = patch(&fhir::reference(&patient), &json!([]));
    let body = bundle("batch", &[patch]);
    let headers = [("prefer", "return=representation")];
    let sent = super::api::send(&client, "POST", "/fhir", &headers, Some(&body)).await?;
    let done = sent.expect_status(200)?.json()?;
    assert_eq!(statuses(&done), ["200"]);
    assert!(done["entry"][0].get("resource").is_none(), "{done}");
    Ok(())
}
