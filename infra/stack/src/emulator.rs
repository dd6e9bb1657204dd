//! The emulator of AWS KMS: moto in a Python environment of its own in the cache folder, spoken to
//! over HTTPS with the internal CA. It keeps its keys in memory, so what they sealed can be opened
//! only as long as it runs.

use std::fs;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::Request;
use http::header;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::home::Home;
use crate::home::invalid_json;
use crate::home::write_private;
use crate::process::Program;
use crate::process::Variables;
use crate::settings::Settings;
use https_client::HttpsClient;
use progress::Progress;
use tools::Python;

/// The Python environment of moto: its server, with no more than KMS needs.
const MOTO: Python = Python {
    name: "moto-kms",
    requirements: include_str!("../requirements/moto-kms.txt"),
};

/// The AWS region of the emulator.
const REGION: &str = "us-east-1";

/// A placeholder signature (`SigV4`). The emulator reads service and region from it and checks
/// nothing.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=stack/20260101/us-east-1/kms/aws4_request, \
                             SignedHeaders=host, Signature=0";

/// The keys that were made in the emulator for one stack.
#[derive(Debug, Serialize, Deserialize)]
struct Keys {
    key_id: String,
    mac_key_id: String,
}

/// Installs the emulator if it is missing.
///
/// # Errors
/// When Python or `PyPI` is not available.
pub fn obtain(progress: Progress) -> anyhow::Result<()> {
    MOTO.obtain(progress).context(
        "the key service emulator cannot be installed; `--key-service development` needs none",
    )?;
    Ok(())
}

/// The command that starts the emulator.
pub(crate) fn program(settings: &Settings, home: &Home) -> anyhow::Result<Program> {
    let port = settings.options.ports.kms.to_string();
    let arguments = vec![
        "-H".into(),
        "127.0.0.1".into(),
        "-p".into(),
        port.into(),
        "-c".into(),
        home.certificate("internal/kms.pem").into(),
        "-k".into(),
        home.certificate("internal/kms.key").into(),
    ];
    Ok(Program {
        name: "kms",
        path: MOTO.obtain(Progress::hidden())?.join("bin/moto_server"),
        arguments,
        environment: Vec::new(),
        log: home.log("kms"),
    })
}

/// A client of the emulator.
pub(crate) fn client(settings: &Settings, home: &Home) -> anyhow::Result<HttpsClient> {
    HttpsClient::new(
        settings.options.ports.kms,
        &home.certificate("internal/ca.pem"),
    )
}

/// Makes the two keys: one that wraps, one that makes MACs.
pub(crate) async fn create_keys(settings: &Settings, home: &Home) -> anyhow::Result<()> {
    let client = client(settings, home)?;
    let key_id = create_key(&client, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await?;
    let mac_key_id = create_key(&client, "HMAC_256", "GENERATE_VERIFY_MAC").await?;
    let json = serde_json::to_vec_pretty(&Keys { key_id, mac_key_id }).context("keys.json")?;
    write_private(&home.kms().join("keys.json"), &json)
}

/// The app's variables for this key service.
pub(crate) fn variables(settings: &Settings, home: &Home) -> anyhow::Result<Variables> {
    let path = home.kms().join("keys.json");
    let keys =
        fs::read(&path).context("the emulator's keys are not known: has it been started?")?;
    let keys: Keys = serde_json::from_slice(&keys).with_context(|| invalid_json(&path))?;
    let endpoint = format!("https://localhost:{}", settings.options.ports.kms);
    let authority = home.certificate("internal/ca.pem");
    Ok(vec![
        ("KEY_SERVICE".to_owned(), "aws-kms".into()),
        ("KMS_ENDPOINT".to_owned(), endpoint.into()),
        ("KMS_CA_FILE".to_owned(), authority.into()),
        ("KMS_KEY_ID".to_owned(), keys.key_id.into()),
        ("KMS_MAC_KEY_ID".to_owned(), keys.mac_key_id.into()),
        ("AWS_REGION".to_owned(), REGION.into()),
        ("AWS_ACCESS_KEY_ID".to_owned(), "stack".into()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "stack".into()),
        ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".into()),
    ])
}

async fn create_key(client: &HttpsClient, spec: &str, usage: &str) -> anyhow::Result<String> {
    let body = json!({"KeySpec": spec, "KeyUsage": usage, "Description": "local stack"});
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
        .header(header::AUTHORIZATION, AUTHORIZATION)
        .header("x-amz-target", "TrentService.CreateKey")
        .body(Bytes::from(body.to_string()))
        .context("the request cannot be made")?;
    let response = client
        .send(request)
        .await
        .context("the emulator does not respond")?;
    let (head, body) = response.into_parts();
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = value.pointer("/KeyMetadata/KeyId").and_then(Value::as_str);
    let Some(id) = id.filter(|_| head.status.is_success()) else {
        bail!(
            "the emulator refuses to make a key ({}): {value}",
            head.status
        );
    };
    Ok(id.to_owned())
}
