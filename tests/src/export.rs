//! Bulk exports, as a client performs them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use http::Request;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::client::Client;
use crate::response::TestResponse;

/// Exports of one process at once: a person may have a few more.
const AT_ONCE: usize = 4;
/// Requests for the status after which an export counts as stuck.
const MAX_REQUESTS: usize = 600;
/// Time between two requests for the status.
const PAUSE: Duration = Duration::from_millis(50);

/// A turn to have an export.
static TURNS: std::sync::OnceLock<Arc<Semaphore>> = std::sync::OnceLock::new();

/// An export of a client.
#[derive(Debug)]
pub struct BulkExport {
    client: Client,
    /// The path of its status.
    pub status: String,
    _turn: OwnedSemaphorePermit,
}

/// A file of an export.
#[derive(Clone, Debug)]
pub struct BulkFile {
    /// The type of its lines.
    pub kind: String,
    /// Its path.
    pub path: String,
    /// The lines.
    pub lines: Vec<String>,
    /// The id of the request that downloaded it.
    pub request: String,
}

impl BulkExport {
    /// Begins an export at `/fhir/` and a path with a query.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn begin(client: &Client, path: &str) -> anyhow::Result<Self> {
        let turns = TURNS.get_or_init(|| Arc::new(Semaphore::new(AT_ONCE)));
        let turn = Arc::clone(turns).acquire_owned().await?;
        let begun = kick_off(client, path).await?.expect_status(202)?;
        Ok(Self {
            client: client.clone(),
            status: path_of(begun.header("content-location"))?,
            _turn: turn,
        })
    }

    /// One request for the status.
    ///
    /// # Errors
    /// When no response is received.
    pub async fn poll(&self) -> anyhow::Result<TestResponse> {
        self.client.get(&self.status).await
    }

    /// Requests the status until the export is complete. Returns the response with the manifest.
    ///
    /// # Errors
    /// When a status is neither 200 nor 202, or the export does not end.
    pub async fn complete(&self) -> anyhow::Result<TestResponse> {
        for _ in 0..MAX_REQUESTS {
            let response = self.poll().await?;
            if response.status != 202 {
                return response.expect_status(200);
            }
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::bail!("the export does not end")
    }

    /// Completes the export and downloads every file of `output` and `error`.
    ///
    /// # Errors
    /// When the export or a download fails, or a file has not as many lines as the manifest says.
    pub async fn files(&self) -> anyhow::Result<Vec<BulkFile>> {
        let manifest = self.complete().await?.json()?;
        let mut files = Vec::new();
        for list in ["output", "error"] {
            for file in manifest[list].as_array().into_iter().flatten() {
                files.push(self.download(file).await?);
            }
        }
        Ok(files)
    }

    async fn download(&self, file: &Value) -> anyhow::Result<BulkFile> {
        let path = path_of(file["url"].as_str().unwrap_or_default())?;
        let response = self.client.get(&path).await?.expect_status(200)?;
        anyhow::ensure!(response.header("content-type") == "application/fhir+ndjson");
        let text = response.text();
        anyhow::ensure!(text.ends_with('\n'), "{path}: the last line has no end");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        anyhow::ensure!(
            file["count"] == lines.len(),
            "{path}: {} lines: {file}",
            lines.len()
        );
        Ok(BulkFile {
            kind: file["type"].as_str().unwrap_or_default().to_owned(),
            path,
            lines,
            request: response.header("x-request-id").to_owned(),
        })
    }

    /// Removes the export.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn remove(self) -> anyhow::Result<()> {
        let removed = self.client.request(Method::DELETE, &self.status, "", "");
        removed.await?.expect_status(202).map(drop)
    }
}

/// The resources in files, by `Type/id`, without the outcomes about those that cannot be opened: other tests alter rows meanwhile.
///
/// # Errors
/// When a line is not JSON, or a resource has two lines.
pub fn resources(files: &[BulkFile]) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut resources = BTreeMap::new();
    for file in files.iter().filter(|it| it.kind != "OperationOutcome") {
        for line in &file.lines {
            let resource: Value = serde_json::from_str(line).context("a line is not JSON")?;
            anyhow::ensure!(resource["resourceType"] == file.kind.as_str(), "{line}");
            let name = format!(
                "{}/{}",
                file.kind,
                resource["id"].as_str().unwrap_or_default()
            );
            let second = resources.insert(name.clone(), resource);
            anyhow::ensure!(second.is_none(), "{name} is exported twice");
        }
    }
    Ok(resources)
}

/// Requests an export, asynchronously.
///
/// # Errors
/// When no response is received.
pub async fn kick_off(client: &Client, path: &str) -> anyhow::Result<TestResponse> {
    let request = Request::get(format!("/fhir/{path}"))
        .header("accept", "application/fhir+json")
        .header("prefer", "respond-async")
        .body(Bytes::new())?;
    client.send(request).await
}

/// The path of an absolute URL of the stack.
fn path_of(url: &str) -> anyhow::Result<String> {
    let (_, path) = url
        .split_once("/fhir/")
        .with_context(|| format!("no URL: {url}"))?;
    Ok(format!("/fhir/{path}"))
}
