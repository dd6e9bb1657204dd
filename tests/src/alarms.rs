//! What the app reports as tampering: lines of its log that say `"security": true`, of opaque ids alone.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use crate::answer::Answer;
use crate::running::Running;

/// How long a line may take from the app to its log.
const PATIENCE: Duration = Duration::from_secs(3);

impl Running {
    /// Asserts that the request of this answer was reported as tampering with one of these tables.
    ///
    /// # Errors
    /// When it was not; shows what was reported instead.
    pub async fn reported(&self, answer: &Answer, tables: &[&str]) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines_of(answer)?;
            let of_table = |line: &Value| tables.iter().any(|table| line["table"] == *table);
            if lines
                .iter()
                .any(|line| line["security"] == true && of_table(line))
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                let logged: Vec<String> = lines.iter().map(Value::to_string).collect();
                anyhow::bail!(
                    "{}, not reported as tampering with {tables:?}; logged is: {}",
                    answer.status,
                    logged.join(" ")
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asserts that the request of this answer was refused as the server's own failure, tells nothing, and was
    /// reported as tampering with one of these tables.
    ///
    /// # Errors
    /// When it was not.
    pub async fn refused(&self, answer: &Answer, tables: &[&str]) -> anyhow::Result<()> {
        answer.clone().expecting(500)?;
        let told = answer.text();
        for inner in ["Testperson", "Wilhelmina", "Heart", "tamper"] {
            anyhow::ensure!(!told.contains(inner), "{inner} is told: {told}");
        }
        self.reported(answer, tables).await
    }

    /// What the app logged while this answer was made.
    fn lines_of(&self, answer: &Answer) -> anyhow::Result<Vec<Value>> {
        let path = self.status.logs.join("app.log");
        let log =
            std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let request = answer.header("x-request-id");
        anyhow::ensure!(!request.is_empty(), "the answer names no request");
        Ok(String::from_utf8_lossy(&log)
            .lines()
            .filter(|line| line.contains(request))
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["request_id"] == request)
            .collect())
    }
}
