//! What came back.

use anyhow::Context;
use bytes::Bytes;
use http::HeaderMap;
use http::StatusCode;
use serde_json::Value;

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A header field's text, empty if it is absent.
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
    /// When it is none; shows the answer.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{} and no JSON: {}", self.status, self.text()))
    }

    /// The answer itself, if its status is the one expected.
    ///
    /// # Errors
    /// When it is another; shows the answer.
    pub fn expecting(self, status: u16) -> anyhow::Result<Self> {
        if self.status.as_u16() == status {
            return Ok(self);
        }
        anyhow::bail!("{} instead of {status}: {}", self.status, self.text())
    }

    /// The issues of an `OperationOutcome`.
    ///
    /// # Errors
    /// When the answer is none, or is not labelled as FHIR.
    pub fn issues(&self) -> anyhow::Result<Vec<Value>> {
        let outcome = self.json()?;
        anyhow::ensure!(
            outcome["resourceType"] == "OperationOutcome"
                && self
                    .header("content-type")
                    .starts_with("application/fhir+json"),
            "{} is no OperationOutcome: {}",
            self.status,
            self.text()
        );
        let issues = outcome["issue"].as_array().cloned().unwrap_or_default();
        anyhow::ensure!(!issues.is_empty(), "an outcome without an issue");
        Ok(issues)
    }

    /// The places that the issues of an `OperationOutcome` name.
    ///
    /// # Errors
    /// See [`Answer::issues`].
    pub fn places(&self) -> anyhow::Result<Vec<String>> {
        let issues = self.issues()?;
        let places = issues
            .iter()
            .filter_map(|issue| issue["expression"][0].as_str());
        Ok(places.map(str::to_owned).collect())
    }
}
