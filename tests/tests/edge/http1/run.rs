//! Puts cases to the edge, and judges what came of them on both sides.

use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use tests::edge::Edge;
use tests::edge::Message;
use tests::edge::Plan;
use tests::edge::Rest;
use tests::edge::Seen;
use tests::edge::Wire;
use uuid::Uuid;

use super::case::Case;
use super::case::Expect;
use super::case::Sees;

/// How long the end of a connection may take.
pub(super) const END: Duration = Duration::from_secs(5);

/// An edge with one origin, and what it was asked so far.
pub(crate) struct Probe {
    pub(crate) edge: Edge,
    turn: usize,
}

impl Probe {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let edge = Plan::of(1).start().await?;
        edge.ready().await?;
        Ok(Self { edge, turn: 1000 })
    }

    /// Whether all is as it has to be; says what is not.
    pub(crate) async fn judge(&mut self, case: &Case) -> anyhow::Result<()> {
        let answered = self.ask(case).await;
        let healthy = self.healthy().await;
        let seen = self.seen(&case.expect).await?;
        answered?;
        healthy.context("a healthy request afterwards")?;
        compare(&case.expect, &seen)
    }

    /// The client's side.
    async fn ask(&mut self, case: &Case) -> anyhow::Result<()> {
        let mut wire = self.edge.connect().await?;
        // The edge may close before it has read all of it.
        let _ = wire.send(&case.bytes).await;
        match &case.expect {
            Expect::Refused | Expect::Broken => refusal(&wire.rest(END).await, 0),
            Expect::PassedThenRefused(sees) => refusal(&wire.rest(END).await, sees.len()),
            Expect::Cut => {
                let _ = wire.finish().await;
                let rest = wire.rest(END).await;
                ensure!(rest.closed, "the connection is still open");
                let statuses = rest.statuses();
                ensure!(
                    statuses.iter().all(|&status| is_refusal(status)),
                    "answered {statuses:?}"
                );
                Ok(())
            }
            Expect::Declined => self.declined(wire).await,
            Expect::Passed(sees) => self.passed(wire, sees, case.closes).await,
        }
    }

    /// A refusal, after which both sides agree on where the next request begins, if there is one.
    async fn declined(&mut self, mut wire: Wire) -> anyhow::Result<()> {
        let (_, answer) = wire.answer("GET").await?;
        let status = answer.status.as_u16();
        ensure!(is_refusal(status), "answered {status}");
        let (line, request) = self.next("Connection: close\r\n");
        let _ = wire.send(request.as_bytes()).await;
        let rest = wire.rest(END).await;
        ensure!(rest.closed, "the connection is still open");
        let answers = rest.statuses();
        let refused = answers.iter().filter(|&&status| is_refusal(status));
        let others = answers.len() - refused.count();
        ensure!(
            others == 0 || (others == 1 && ends_with_echo(&rest, &line)),
            "what came then: {answers:?}"
        );
        Ok(())
    }

    /// An answer to each request, after which both sides agree on where the next one begins.
    async fn passed(&mut self, mut wire: Wire, sees: &[Sees], closes: bool) -> anyhow::Result<()> {
        for sees in sees {
            let method = sees.line.split(' ').next().unwrap_or_default();
            let (_, answer) = wire.answer(method).await?;
            ensure!(answer.status == 200, "answered {}", answer.status);
            let echo = format!("{}\n{}", sees.line, sees.body.len());
            ensure!(
                method == "HEAD" || answer.text() == echo,
                "the answer of another request: {}",
                answer.text()
            );
        }
        if closes {
            let rest = wire.rest(END).await;
            let statuses = rest.statuses();
            ensure!(
                rest.closed && rest.bytes.is_empty(),
                "went on: {statuses:?}"
            );
            return Ok(());
        }
        let (line, request) = self.next("Connection: close\r\n");
        wire.send(request.as_bytes()).await?;
        let rest = wire.rest(END).await;
        ensure!(
            rest.closed && rest.statuses() == [200] && ends_with_echo(&rest, &line),
            "the next request: {:?}",
            String::from_utf8_lossy(&rest.bytes)
        );
        Ok(())
    }

    /// An ordinary request on a new connection is served.
    pub(crate) async fn healthy(&mut self) -> anyhow::Result<()> {
        let (line, request) = self.next("");
        let mut wire = self.edge.connect().await?;
        wire.send(request.as_bytes()).await?;
        let (_, answer) = wire.answer("GET").await?;
        ensure!(
            answer.status == 200 && answer.text() == format!("{line}\n0"),
            "{} {}",
            answer.status,
            answer.text()
        );
        Ok(())
    }

    /// A request that no other is like.
    fn next(&mut self, fields: &str) -> (String, String) {
        self.turn += 1;
        let line = format!("GET /patients?page={} HTTP/1.1", self.turn);
        let request = format!("{line}\r\nHost: {}\r\n{fields}\r\n", self.edge.host());
        (line, request)
    }

    /// What the origin saw of the case, without the healthy requests.
    pub(crate) async fn seen(&self, expect: &Expect) -> anyhow::Result<Seen> {
        let origin = self.edge.origin()?;
        let mut seen = origin.take();
        // What was begun has to be given up, and soon.
        if matches!(expect, Expect::Cut | Expect::Broken) {
            for _ in 0..100 {
                if seen.rest.is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
                let more = origin.take();
                seen.messages.extend(more.messages);
                seen.wrong.extend(more.wrong);
                seen.rest = more.rest;
            }
        }
        seen.messages.retain(|message| !is_healthy(message));
        Ok(seen)
    }
}

fn is_healthy(message: &Message) -> bool {
    let page = message.line().strip_prefix("GET /patients?page=");
    page.is_some_and(|rest| rest.len() == "1000 HTTP/1.1".len())
}

fn ends_with_echo(rest: &Rest, line: &str) -> bool {
    rest.bytes.ends_with(format!("{line}\n0").as_bytes())
}

pub(crate) fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) || matches!(status, 501 | 505)
}

/// So many answers, then one that refuses, then the end.
fn refusal(rest: &Rest, before: usize) -> anyhow::Result<()> {
    let statuses = rest.statuses();
    ensure!(rest.closed, "answered {statuses:?}, and is still open");
    let as_expected = match statuses.split_last() {
        Some((last, first)) => {
            is_refusal(*last) && first.len() == before && first.iter().all(|&status| status == 200)
        }
        None => false,
    };
    ensure!(as_expected, "answered {statuses:?}");
    Ok(())
}

/// The origin's side.
pub(crate) fn compare(expect: &Expect, seen: &Seen) -> anyhow::Result<()> {
    let nothing = Vec::new();
    let expected = match expect {
        Expect::Passed(these) | Expect::PassedThenRefused(these) => these,
        Expect::Refused | Expect::Declined | Expect::Cut | Expect::Broken => &nothing,
    };
    ensure!(
        seen.wrong.is_empty(),
        "the origin was told {:?}",
        seen.wrong
    );
    if let Some(rest) = seen.rest.first() {
        bail!("the origin saw {:?}", String::from_utf8_lossy(rest));
    }
    let lines: Vec<&str> = seen.messages.iter().map(Message::line).collect();
    ensure!(
        expected.len() == seen.messages.len(),
        "the origin saw {lines:?}"
    );
    for (one, message) in expected.iter().zip(&seen.messages) {
        ensure!(message.line() == one.line, "the origin saw {lines:?}");
        ensure!(
            message.body == one.body,
            "the origin saw the body {:?}",
            String::from_utf8_lossy(&message.body)
        );
        fields(one, message)?;
    }
    Ok(())
}

/// The client's fields that pass, and the edge's own; nothing else.
pub(crate) fn fields(sees: &Sees, message: &Message) -> anyhow::Result<()> {
    let (own, mut others): (Vec<_>, Vec<_>) = message
        .fields()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .partition(|(name, _)| OWN.contains(&name.as_str()));
    let mut expected = sees.fields.clone();
    expected.sort();
    others.sort();
    ensure!(others == expected, "the origin saw the fields {others:?}");
    for (name, value) in &own {
        ensure!(is_ours(name, value), "the origin saw {name}: {value}");
        let count = own.iter().filter(|(other, _)| other == name).count();
        ensure!(count == 1, "the origin saw {name} {count} times");
    }
    let needed = [
        "host",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-request-id",
    ];
    for name in needed {
        ensure!(
            own.iter().any(|(own, _)| own == name),
            "the origin saw no {name}"
        );
    }
    Ok(())
}

/// The fields that are the edge's own to set.
const OWN: [&str; 9] = [
    "host",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-request-id",
    "x-request-timeout-ms",
    "traceparent",
    "content-length",
    "transfer-encoding",
];

fn is_ours(name: &str, value: &str) -> bool {
    match name {
        "host" => value == "app.internal",
        "x-forwarded-for" => value == "127.0.0.1",
        "x-forwarded-proto" => value == "https",
        "x-forwarded-host" => value == tests::edge::HOST,
        "x-request-id" => Uuid::parse_str(value).is_ok(),
        "x-request-timeout-ms" => {
            let left: Result<u32, _> = value.parse();
            // The time of the response, and that of an upload that the edge streams.
            left.is_ok_and(|left| matches!(left, 1..=100_000 | 600_001..=700_000))
        }
        "traceparent" => value.len() == 55 && value.starts_with("00-"),
        // The origin has read the body by these.
        "content-length" | "transfer-encoding" => true,
        _ => false,
    }
}
