//! An HTTP/2 client that knows no rule, written on `hyperframe` and `hpack`: see `http2/*.py`. Each of
//! its cases is judged on both sides: what the client was told, and what the origin saw.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use stack::Progress;
use stack::tools::Python;
use tests::edge::{Act, Message, answer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::forged::is_ours;
use super::http1::{Expect, Probe, Sees, compare, is_refusal};

/// What the script stands on.
const LIBRARIES: Python = Python {
    name: "hyper-h2-4.4.1",
    packages: &["h2==4.4.1", "hpack==4.2.0", "hyperframe==6.1.0"],
};

/// How much web's memory may grow by all of it, in bytes.
const GROWTH: u64 = 32 << 20;

/// How many requests of one flood may get as far as the origin before it is ended.
const THROUGH: usize = 1000;

/// How long a case may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The script, which goes on with its next case when it is told to.
struct Script {
    _process: Child,
    told: Lines<BufReader<ChildStdout>>,
    tell: ChildStdin,
}

impl Script {
    fn start(probe: &Probe, kind: &str) -> anyhow::Result<Self> {
        let python = LIBRARIES.obtain(Progress::shown())?.join("bin/python");
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/edge/http2");
        let mut process = Command::new(python)
            .arg("-B")
            .arg(folder.join("probe.py"))
            .arg(probe.edge.web.port.to_string())
            .arg(probe.edge.certificates.path("public/ca.pem"))
            .args([probe.edge.host(), kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("python cannot be started")?;
        let told = process.stdout.take().context("no output")?;
        Ok(Self {
            told: BufReader::new(told).lines(),
            tell: process.stdin.take().context("no input")?,
            _process: process,
        })
    }

    async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        let line = tokio::time::timeout(PATIENCE, self.told.next_line());
        let line = line.await.context("the script says nothing")??;
        Ok(line.map(|line| serde_json::from_str(&line)).transpose()?)
    }
}

/// Puts all cases of a kind; healthy requests are made all the while.
async fn put(kind: &str, least: usize) -> anyhow::Result<()> {
    let mut probe = Probe::start().await?;
    let large: Arc<[u8]> = vec![b'a'; 1 << 20].into();
    probe.edge.origin()?.script(move |message| {
        if message.target() == "/assets/style.0123456789abcdef.css" {
            return Act::Answer(answer("200 OK", &large));
        }
        Act::Echo
    });
    for _ in 0..20 {
        probe.healthy().await?;
    }
    let before = probe.edge.web.resident()?;
    let mut script = Script::start(&probe, kind)?;
    let (mut count, mut wrong, mut peak) = (0, Vec::new(), before);
    while let Some(begins) = script.next().await? {
        let name = begins["begins"].as_str().context("a name")?.to_owned();
        let mut healthy = Ok(());
        let said = loop {
            tokio::select! {
                said = script.next() => break said?.context("a case without an end")?,
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
            healthy = healthy.and(probe.healthy().await);
            peak = peak.max(probe.edge.web.resident()?);
        };
        healthy = healthy.and(probe.healthy().await);
        let judged = judge(&probe, &said).await.and(healthy);
        if let Err(error) = judged {
            wrong.push(format!("{name}: {error:#}; {}", said["outcome"]));
        }
        count += 1;
        script.tell.write_all(b"\n").await?;
    }
    assert!(count >= least, "only {count} cases");
    assert!(
        wrong.is_empty(),
        "{} of {count} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(probe.edge.web.ended()?, None);
    let after = probe.edge.web.resident()?.max(peak);
    let grown = after.saturating_sub(before);
    assert!(grown < GROWTH, "memory grew by {grown} bytes");
    Ok(())
}

/// Whether a case came to what it has to.
async fn judge(probe: &Probe, said: &Value) -> anyhow::Result<()> {
    let outcome = &said["outcome"];
    let status = outcome["status"].as_u64();
    let ended =
        outcome["closed"] == true || outcome["goaway"].as_u64().is_some_and(|code| code > 0);
    let refused = ended
        || outcome["reset"].is_u64()
        || status.is_some_and(|status| u16::try_from(status).is_ok_and(is_refusal));
    let expected = said["expected"].as_str().unwrap_or_default();
    let (told, expect, through) = match expected.split_once(' ') {
        Some(("begun", may)) => (true, Expect::Broken, may.parse()?),
        _ => match expected {
            "refused" => (refused, Expect::Refused, 0),
            "forged" => return forged(probe, refused, status),
            "broken" => (refused, Expect::Broken, 0),
            "ended" => (ended, Expect::Broken, THROUGH),
            "bounded" => (true, Expect::Broken, THROUGH),
            "too large" => (refused && status != Some(200), Expect::Broken, 0),
            _ => (status == Some(200), Expect::Passed(sees(said)?), 0),
        },
    };
    let mut seen = probe.seen(&expect).await?;
    ensure!(told, "not {expected}");
    let ordinary = |message: &Message| {
        let target = message.target();
        [
            "/patients?page=2",
            "/fhir/Patient/_search",
            "/assets/style.0123456789abcdef.css",
        ]
        .contains(&target)
    };
    if through > 0 {
        let count = seen
            .messages
            .iter()
            .filter(|message| ordinary(message))
            .count();
        ensure!(count <= through, "{count} requests got through");
        seen.messages.retain(|message| !ordinary(message));
    }
    compare(&expect, &seen)
}

/// Whether a forged field was refused, or dropped.
fn forged(probe: &Probe, refused: bool, status: Option<u64>) -> anyhow::Result<()> {
    let seen = probe.edge.origin()?.take();
    ensure!(seen.rest.is_empty() && seen.wrong.is_empty(), "{seen:?}");
    let page = |message: &&Message| message.target() == "/patients?page=2";
    if let Some(message) = seen.messages.iter().find(page) {
        return is_ours(message);
    }
    ensure!(refused && status != Some(200), "neither refused nor served");
    Ok(())
}

/// What the origin has to see of a case.
fn sees(said: &Value) -> anyhow::Result<Vec<Sees>> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    let all = said["sees"].as_array().context("a list")?;
    all.iter()
        .map(|one| {
            let fields = one["fields"].as_array().context("fields")?;
            let fields = fields
                .iter()
                .map(|field| Ok((text(&field[0])?, text(&field[1])?)))
                .collect::<anyhow::Result<_>>()?;
            let body = text(&one["body"])?.into_bytes();
            let line = text(&one["line"])?;
            Ok(Sees { line, fields, body })
        })
        .collect()
}

#[tokio::test]
async fn no_malformed_request_of_http2_reaches_the_app() -> anyhow::Result<()> {
    put("requests", 150).await
}

#[tokio::test]
async fn no_malformed_frame_gets_through_or_does_harm() -> anyhow::Result<()> {
    put("frames", 50).await
}

#[tokio::test]
async fn floods_are_bounded_and_others_are_served_meanwhile() -> anyhow::Result<()> {
    put("floods", 20).await
}

#[tokio::test]
async fn no_forged_header_is_honoured_over_http2() -> anyhow::Result<()> {
    put("forged", 100).await
}
