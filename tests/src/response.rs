//! HTTP responses as the tests inspect them.

use anyhow::Context;
use bytes::Bytes;
use http::HeaderMap;
use http::StatusCode;
use serde_json::Value;

/// An HTTP response whose body was read completely.
#[derive(Clone, Debug)]
pub struct TestResponse {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl TestResponse {
    /// The value of a header field, empty if the field is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When the body is not JSON; shows the response.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{} and not JSON: {}", self.status, self.text()))
    }

    /// The response itself, if it has the expected status.
    ///
    /// # Errors
    /// When the status differs; shows the response.
    pub fn expect_status(self, status: u16) -> anyhow::Result<Self> {
        if self.status.as_u16() == status {
            return Ok(self);
        }
        anyhow::bail!("{} instead of {status}: {}", self.status, self.text())
    }

    /// The issues of an `OperationOutcome`.
    ///
    /// # Errors
    /// When the response is not one, or is not labelled as FHIR.
    pub fn issues(&self) -> anyhow::Result<Vec<Value>> {
        let outcome = self.json()?;
        anyhow::ensure!(
            outcome["resourceType"] == "OperationOutcome"
                && self
                    .header("content-type")
                    .starts_with("application/fhir+json"),
            "{} is not an OperationOutcome: {}",
            self.status,
            self.text()
        );
        let issues = outcome["issue"].as_array().cloned().unwrap_or_default();
        anyhow::ensure!(!issues.is_empty(), "an OperationOutcome without an issue");
        Ok(issues)
    }

    /// The `FHIRPath` expressions of the issues of an `OperationOutcome`.
    ///
    /// # Errors
    /// See [`TestResponse::issues`].
    pub fn places(&self) -> anyhow::Result<Vec<String>> {
        let issues = self.issues()?;
        let places = issues
            .iter()
            .filter_map(|issue| issue["expression"][0].as_str());
        Ok(places.map(str::to_owned).collect())
    }
}
