//! HTTP/2 by section of its RFCs. A Python client based on `hyperframe` and `hpack`, which can send
//! any frame, runs the cases of `http2/*_cases.py`, each with the section that it violates and the
//! error that the section demands. The script judges the client's side; this module judges what the
//! origin receives, and that other clients are served meanwhile.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use progress::Progress;
use serde_json::Value;
use tests::edge::Action;
use tests::edge::Message;
use tests::edge::encode_response;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::io::Lines;
use tokio::process::Child;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::process::Command;
use tools::Python;

use super::forged::has_only_own_values;
use super::http1::Expect;
use super::http1::ExpectedMessage;
use super::http1::Probe;
use super::http1::compare;

/// The libraries of the script.
const LIBRARIES: Python = Python {
    name: "hyper-h2",
    requirements: include_str!("../../requirements/hyper-h2.txt"),
};

/// How much the memory of `web` may grow during all cases of a kind, in bytes.
const MAX_MEMORY_GROWTH: u64 = 32 << 20;

/// How long a case may take.
const CASE_TIMEOUT: Duration = Duration::from_secs(30);

/// The targets of the requests that the cases send.
const TARGETS: [&str; 3] = [
    "/patients?page=2",
    "/fhir/Patient/_search",
    "/assets/style.0123456789abcdef.css",
];

/// The command that starts the script.
fn script(arguments: &[&str]) -> anyhow::Result<Command> {
    let python = LIBRARIES.obtain(Progress::shown())?.join("bin/python");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/edge/http2");
    let mut command = Command::new(python);
    command
        .arg("-B")
        .arg(folder.join("probe.py"))
        .args(arguments);
    Ok(command)
}

/// The script, which begins its next case when a line is written to it.
struct Script {
    _process: Child,
    output: Lines<BufReader<ChildStdout>>,
    input: ChildStdin,
}

impl Script {
    fn start(probe: &Probe, kind: &str) -> anyhow::Result<Self> {
        let mut process = script(&[kind, &probe.edge.web.port.to_string()])?
            .arg(probe.edge.certificates.path("public/ca.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("python cannot be started")?;
        let output = process.stdout.take().context("no output")?;
        Ok(Self {
            output: BufReader::new(output).lines(),
            input: process.stdin.take().context("no input")?,
            _process: process,
        })
    }

    async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        let line = tokio::time::timeout(CASE_TIMEOUT, self.output.next_line());
        let line = line.await.context("the script does not respond")??;
        Ok(line.map(|line| serde_json::from_str(&line)).transpose()?)
    }
}

/// Runs all cases of a kind, with healthy requests all the while.
async fn run(kind: &str, least: usize) -> anyhow::Result<()> {
    let mut probe = Probe::start().await?;
    let large: Arc<[u8]> = vec![b'a'; 1 << 20].into();
    probe.edge.origin()?.script(move |message| {
        if message.target() == "/assets/style.0123456789abcdef.css" {
            return Action::Respond(encode_response("200 OK", &large));
        }
        Action::Echo
    });
    for _ in 0..20 {
        probe.healthy().await?;
    }
    let before = probe.edge.web.resident_bytes()?;
    let mut script = Script::start(&probe, kind)?;
    let (mut count, mut wrong, mut peak) = (0, Vec::new(), before);
    while let Some(begins) = script.next().await? {
        let name = begins["begins"].as_str().context("a name")?.to_owned();
        let mut healthy = Ok(());
        let result = loop {
            tokio::select! {
                result = script.next() => break result?.context("a case without an end")?,
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
            healthy = healthy.and(probe.healthy().await);
            peak = peak.max(probe.edge.web.resident_bytes()?);
        };
        healthy = healthy.and(probe.healthy().await);
        let judged = judge(&probe, &result).await.and(healthy);
        if let Err(error) = judged {
            wrong.push(format!("{name}: {error:#}; {}", result["outcome"]));
        }
        count += 1;
        script.input.write_all(b"\n").await?;
    }
    assert!(count >= least, "only {count} cases");
    assert!(
        wrong.is_empty(),
        "{} of {count} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(probe.edge.web.exit_status()?, None);
    let after = probe.edge.web.resident_bytes()?.max(peak);
    let grown = after.saturating_sub(before);
    assert!(grown < MAX_MEMORY_GROWTH, "memory grew by {grown} bytes");
    Ok(())
}

/// Whether the client and the origin have seen what they must.
async fn judge(probe: &Probe, result: &Value) -> anyhow::Result<()> {
    // The origin is examined also if the client has seen an error: its record is emptied by it.
    let origin = judge_origin(probe, result).await;
    if let Some(wrong) = result["wrong"].as_str() {
        bail!("{wrong}");
    }
    origin
}

/// Compares the requests that the origin received with the expected ones, or with their maximum
/// number.
async fn judge_origin(probe: &Probe, result: &Value) -> anyhow::Result<()> {
    let origin = &result["origin"];
    if origin["forged"] == true {
        return judge_forged(probe, result["outcome"]["status"].as_u64());
    }
    if let Some(messages) = origin["exactly"].as_array() {
        let messages = messages
            .iter()
            .map(message)
            .collect::<anyhow::Result<_>>()?;
        let expect = Expect::Passed(messages);
        return compare(&expect, &probe.seen(&expect).await?);
    }
    let at_most = origin["at_most"].as_u64().context("what the origin sees")?;
    let mut seen = probe.seen(&Expect::Broken).await?;
    if at_most > 0 {
        let all = seen.messages.len();
        seen.messages
            .retain(|message| !TARGETS.contains(&message.target()));
        let count = all - seen.messages.len();
        ensure!(
            u64::try_from(count)? <= at_most,
            "{count} requests reached the origin"
        );
    }
    compare(&Expect::Broken, &seen)
}

/// Whether a forged field was dropped, or its request refused.
fn judge_forged(probe: &Probe, status: Option<u64>) -> anyhow::Result<()> {
    let seen = probe.edge.origin()?.take_record();
    ensure!(
        seen.incomplete.is_empty() && seen.malformed.is_empty(),
        "{seen:?}"
    );
    let page = |message: &&Message| message.target() == TARGETS[0];
    if let Some(message) = seen.messages.iter().find(page) {
        return has_only_own_values(message);
    }
    ensure!(status != Some(200), "neither refused nor served");
    Ok(())
}

/// A message that the origin must have received.
fn message(value: &Value) -> anyhow::Result<ExpectedMessage> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    let fields = value["fields"].as_array().context("fields")?;
    let fields = fields
        .iter()
        .map(|field| Ok((text(&field[0])?, text(&field[1])?)))
        .collect::<anyhow::Result<_>>()?;
    let body = text(&value["body"])?.into_bytes();
    let line = text(&value["line"])?;
    Ok(ExpectedMessage { line, fields, body })
}

#[tokio::test]
async fn every_section_that_demands_an_error_has_a_case() -> anyhow::Result<()> {
    let output = script(&["check"])?.output().await?;
    let missing = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{missing}");
    Ok(())
}

#[tokio::test]
async fn each_violation_of_frames_streams_and_hpack_is_the_error_of_its_section()
-> anyhow::Result<()> {
    run("connections", 130).await
}

#[tokio::test]
async fn no_malformed_request_of_http2_reaches_the_app() -> anyhow::Result<()> {
    run("messages", 250).await
}

#[tokio::test]
async fn floods_are_bounded_and_others_are_served_meanwhile() -> anyhow::Result<()> {
    run("security", 28).await
}

#[tokio::test]
async fn no_forged_header_is_honoured_over_http2() -> anyhow::Result<()> {
    run("forged", 100).await
}
