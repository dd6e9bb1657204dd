//! Waits for the stack, signs in, writes a patient and reads it.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use https_client::Credentials;
use https_client::HttpsClient;
use https_client::TotpKey;
use https_client::issue_token;
use serde_json::Value;
use serde_json::json;

#[tokio::test]
#[ignore = "needs the stack in containers, and the variables STACK_URL, STACK_CA and STACK_SIGN_INS"]
async fn a_patient_is_written_and_read() -> anyhow::Result<()> {
    let url = env::var("STACK_URL")?;
    let port = url.rsplit(':').next().unwrap_or_default().parse()?;
    let client = HttpsClient::new(port, Path::new(&env::var("STACK_CA")?))?;
    let readyz = || Request::get("/readyz").body(Bytes::new());
    while !client
        .send(readyz()?)
        .await
        .is_ok_and(|response| response.status() == 200)
    {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let sign_ins: Value = serde_json::from_slice(&fs::read(env::var("STACK_SIGN_INS")?)?)?;
    let clinician = &sign_ins["organizations"][0]["people"][0];
    let text = |field: &str| clinician[field].as_str().unwrap_or_default().to_owned();
    let credentials = Credentials {
        email: text("email"),
        password: text("password"),
        totp: clinician["totp"].as_str().map(TotpKey::from_base32),
    };
    let bearer = format!("Bearer {}", issue_token(&client, &credentials).await?);

    let patient = json!({"resourceType": "Patient", "name": [{"family": "Example"}]});
    let request = json!({"method": "POST", "url": "Patient"});
    let entry = json!({"resource": patient, "request": request});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let write = Request::post("/fhir")
        .header("authorization", &bearer)
        .header("content-type", "application/fhir+json")
        .body(bundle.to_string().into())?;
    let written: Value = serde_json::from_slice(client.send(write).await?.body())?;
    let location = written["entry"][0]["response"]["location"]
        .as_str()
        .unwrap_or_default();
    let path = location.split("/_history").next().unwrap_or_default();

    let read = Request::get(format!("/fhir/{path}")).header("authorization", &bearer);
    let read: Value = serde_json::from_slice(client.send(read.body(Bytes::new())?).await?.body())?;
    assert_eq!(read["name"], patient["name"], "{written}");
    Ok(())
}
