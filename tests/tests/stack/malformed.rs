//! Malformed bodies are refused with the place of the error, and without repeating the value.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Clinic;
use tests::RunningStack;
use tests::fhir;

/// A wrong value, which is recognised wherever it is repeated or logged.
pub(crate) const WRONG_VALUE: &str = "Zyxwvutsrq-Secret";

/// A wrong name, in the form of an element's.
const WRONG_NAME: &str = "zyxwvutsrqSecret";

/// A patient with one element replaced.
pub(crate) fn patient_with(element: &str, value: Value) -> Value {
    let mut patient = fhir::patient();
    patient[element] = value;
    patient
}

#[tokio::test]
async fn a_wrong_value_gets_an_error_with_its_place_and_without_the_value() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for (element, value, place) in [
        ("name", json!(WRONG_VALUE), "name"),
        ("name", json!([WRONG_VALUE]), "name[0]"),
        ("name", json!([{"family": [WRONG_VALUE]}]), "name[0].family"),
        ("name", json!([{"given": WRONG_VALUE}]), "name[0].given"),
        ("birthDate", json!(19_610_423), "birthDate"),
        ("birthDate", json!(WRONG_VALUE), "birthDate"),
        ("birthDate", json!("1961-02-30"), "birthDate"),
        ("active", json!(WRONG_VALUE), "active"),
        ("gender", json!(7), "gender"),
        ("telecom", json!({"value": WRONG_VALUE}), "telecom"),
        ("contained", json!(WRONG_VALUE), "contained"),
        ("identifier", json!([null]), "identifier[0]"),
        (WRONG_VALUE, json!(1), "?"),
        (WRONG_NAME, json!(1), "?"),
        ("name", json!([{WRONG_NAME: "x"}]), "name[0].?"),
    ] {
        let patient = patient_with(element, value.clone());
        let response = clinician.bundle(&fhir::transaction(&[&patient])).await?;
        assert!(
            matches!(response.status.as_u16(), 400 | 422),
            "{element} {value}: {} {}",
            response.status,
            response.text()
        );
        let place = format!("Bundle.entry[0].resource.{place}");
        let places = response.places()?;
        assert!(
            places.iter().any(|named| place.starts_with(named.as_str())),
            "{element} {value}: {places:?}"
        );
        for secret in [WRONG_VALUE, WRONG_NAME] {
            assert!(!response.text().contains(secret), "{}", response.text());
        }
        let read = clinician
            .get(&format!("/fhir/{}", fhir::reference(&patient)))
            .await?;
        assert_eq!(read.status, 404, "{element} {value} was stored");
    }
    assert!(!running.logs()?.contains(WRONG_VALUE));
    Ok(())
}

/// Bodies that are not valid Bundles, each with its defect.
fn invalid_bundles() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", Vec::new()),
        (
            "broken",
            format!("{{\"resourceType\":\"Bundle\",\"{WRONG_VALUE}\"").into(),
        ),
        ("more than one", format!("{{}} {WRONG_VALUE}").into()),
        ("a list", format!("[\"{WRONG_VALUE}\"]").into()),
        ("text", format!("\"{WRONG_VALUE}\"").into()),
        (
            "another resource",
            json!({"resourceType": "Patient", "id": WRONG_VALUE})
                .to_string()
                .into(),
        ),
        (
            "an unknown type",
            json!({"resourceType": WRONG_VALUE}).to_string().into(),
        ),
        (
            "a Bundle of another type",
            json!({"resourceType": "Bundle", "type": WRONG_VALUE})
                .to_string()
                .into(),
        ),
        (
            "entries that are none",
            json!({"resourceType": "Bundle", "type": "batch", "entry": WRONG_VALUE})
                .to_string()
                .into(),
        ),
        (
            "the same key twice",
            format!(
                "{{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"type\":\"{WRONG_VALUE}\"}}"
            )
            .into(),
        ),
        (
            "no UTF-8",
            [
                b"{\"resourceType\":\"Bundle\",\"type\":\"".as_slice(),
                &[0xff, 0xfe],
                WRONG_VALUE.as_bytes(),
                b"\"}",
            ]
            .concat(),
        ),
        (
            "half a surrogate",
            br#"{"resourceType":"Bundle","type":"\ud800"}"#.to_vec(),
        ),
        (
            "a zero byte",
            b"{\"resourceType\":\"Bundle\",\"type\":\"a\0b\"}".to_vec(),
        ),
    ]
}

#[tokio::test]
async fn a_body_that_is_not_a_valid_bundle_gets_an_operation_outcome() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for (what, body) in invalid_bundles() {
        let response = clinician.post_fhir(body).await?;
        assert_eq!(response.status, 400, "{what}: {}", response.text());
        let issues = response.issues().context(what)?;
        let issue = &issues[0];
        assert!(
            issue["diagnostics"].is_string() || issue["expression"].is_array(),
            "{what}: {issue}"
        );
        assert!(
            !response.text().contains(WRONG_VALUE),
            "{what}: {}",
            response.text()
        );
    }
    assert!(!running.logs()?.contains(WRONG_VALUE));
    Ok(())
}

#[tokio::test]
async fn ten_thousand_levels_of_nesting_are_refused() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let body = format!(r#"{{"resourceType":"Bundle","type":"batch","entry":{open}{close}}}"#);
    let response = clinician.post_fhir(body).await?;
    assert_eq!(response.status, 400, "{}", response.text());
    response.issues()?;
    let open = r#"{"a":"#.repeat(10_000);
    let response = clinician.post_fhir(open).await?;
    assert_eq!(response.status, 400, "{}", response.text());
    assert_eq!(clinician.get("/readyz").await?.status, 200);
    Ok(())
}

/// The resident memory of a process, in kilobytes.
fn resident_kilobytes(pid: Option<i32>) -> anyhow::Result<u64> {
    let pid = pid.context("the process does not run")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("VmRSS")?.parse()?)
}

#[tokio::test]
async fn a_body_of_fifty_megabytes_is_refused_and_not_kept_in_memory() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let before = (
        resident_kilobytes(running.status.web.pid)?,
        resident_kilobytes(running.status.app.pid)?,
    );
    let body = format!(
        r#"{{"resourceType":"Bundle","note":"{}"}}"#,
        "x".repeat(50_000_000)
    );
    let response = clinician.post_fhir(body).await?;
    assert_eq!(response.status, 413);
    response.issues()?;
    let status = RunningStack::shared()?.status;
    assert_eq!(status.web.pid, running.status.web.pid, "web was replaced");
    // Concurrent tests need memory for a while; only a kept body would stay.
    let mut grown = true;
    for _ in 0..50 {
        let after = (
            resident_kilobytes(status.web.pid)?,
            resident_kilobytes(status.app.pid)?,
        );
        grown = after.0 > before.0 + 40_000 || after.1 > before.1 + 40_000;
        if !grown {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!grown, "a tier keeps the refused body in memory");
    assert_eq!(clinician.get("/readyz").await?.status, 200);
    Ok(())
}
