//! Security alerts: the app's log lines with `"security": true`, which hold opaque ids alone.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use crate::response::TestResponse;
use crate::running_stack::RunningStack;

/// The longest that a log line may take from the app to its file.
const TIMEOUT: Duration = Duration::from_secs(3);

impl RunningStack {
    /// Requires that the request of this response was reported as tampering with one of these
    /// tables.
    ///
    /// # Errors
    /// When it was not; shows what was logged instead.
    pub async fn expect_reported(
        &self,
        response: &TestResponse,
        tables: &[&str],
    ) -> anyhow::Result<()> {
        let of_table = |line: &Value| tables.iter().any(|table| line["table"] == *table);
        let what = format!("tampering with {tables:?}");
        self.expect_line(response, &what, of_table).await
    }

    /// Requires an alert about the request of this response whose message contains this text.
    ///
    /// # Errors
    /// When there is none; shows what was logged instead.
    pub async fn expect_alert(&self, response: &TestResponse, text: &str) -> anyhow::Result<()> {
        let has_text = |line: &Value| line["message"].as_str().is_some_and(|it| it.contains(text));
        self.expect_line(response, text, has_text).await
    }

    /// Requires a line with `"security": true` of the request of this response, within a time.
    async fn expect_line(
        &self,
        response: &TestResponse,
        what: &str,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let lines = self.lines_of(response)?;
            let is_alert = |line: &Value| line["security"] == true && is_wanted(line);
            if lines.iter().any(is_alert) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let logged: Vec<String> = lines.iter().map(Value::to_string).collect();
                anyhow::bail!(
                    "{}, and no alert of {what}; the log has: {}",
                    response.status,
                    logged.join(" ")
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Requires that the request of this response failed with 500, that the response discloses
    /// nothing, and that the request was reported as tampering with one of these tables.
    ///
    /// # Errors
    /// When one of these does not hold.
    pub async fn expect_refused(
        &self,
        response: &TestResponse,
        tables: &[&str],
    ) -> anyhow::Result<()> {
        response.clone().expect_status(500)?;
        let body = response.text();
        for value in ["Testperson", "Wilhelmina", "Heart", "tamper"] {
            anyhow::ensure!(!body.contains(value), "{value} is disclosed: {body}");
        }
        self.expect_reported(response, tables).await
    }

    /// Requires that the page of this response shows what it can, says that data is missing, and
    /// that the request was reported as tampering with one of these tables.
    ///
    /// # Errors
    /// When one of these does not hold.
    pub async fn expect_partial(
        &self,
        response: &TestResponse,
        tables: &[&str],
    ) -> anyhow::Result<()> {
        response.clone().expect_status(200)?;
        let body = response.text();
        let warns = body.contains("This chart is not complete") || body.contains("cannot be shown");
        anyhow::ensure!(warns, "the page does not warn: {body}");
        self.expect_reported(response, tables).await
    }

    /// The app's log lines with the request id of this response.
    fn lines_of(&self, response: &TestResponse) -> anyhow::Result<Vec<Value>> {
        let path = self.status.logs.join("app.log");
        let log =
            std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let request = response.header("x-request-id");
        anyhow::ensure!(!request.is_empty(), "the response has no request id");
        Ok(String::from_utf8_lossy(&log)
            .lines()
            .filter(|line| line.contains(request))
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["request_id"] == request)
            .collect())
    }
}
