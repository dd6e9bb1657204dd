//! Sends the cases to web, and judges the outcome on both sides.

use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use tests::edge::Edge;
use tests::edge::EdgeBuilder;
use tests::edge::Message;
use tests::edge::OriginRecord;
use tests::edge::RawConnection;
use tests::edge::Remainder;
use uuid::Uuid;

use super::case::Case;
use super::case::Expect;
use super::case::ExpectedMessage;

/// The longest that the end of a connection may take.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// An edge with one origin, and a counter of its requests.
pub(crate) struct Probe {
    pub(crate) edge: Edge,
    turn: usize,
}

impl Probe {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let edge = EdgeBuilder::with_origins(1).start().await?;
        edge.ready().await?;
        Ok(Self { edge, turn: 1000 })
    }

    /// Compares the outcome of a case with the expected one.
    pub(crate) async fn judge(&mut self, case: &Case) -> anyhow::Result<()> {
        let client_side = self.send_case(case).await;
        let healthy = self.healthy().await;
        let seen = self.seen(&case.expect).await?;
        client_side?;
        healthy.context("a healthy request afterwards")?;
        compare(&case.expect, &seen)
    }

    /// The client's side of a case.
    async fn send_case(&mut self, case: &Case) -> anyhow::Result<()> {
        let mut connection = self.edge.connect().await?;
        // Web may close before it has read everything.
        let _ = connection.send(&case.bytes).await;
        match &case.expect {
            Expect::Refused | Expect::Broken => {
                refusal(&connection.read_rest(CLOSE_TIMEOUT).await, 0)
            }
            Expect::PassedThenRefused(wanted) => {
                refusal(&connection.read_rest(CLOSE_TIMEOUT).await, wanted.len())
            }
            Expect::Incomplete => {
                let _ = connection.shutdown().await;
                let rest = connection.read_rest(CLOSE_TIMEOUT).await;
                ensure!(rest.closed, "the connection is still open");
                let statuses = rest.statuses();
                ensure!(
                    statuses.iter().all(|&status| is_refusal(status)),
                    "the statuses are {statuses:?}"
                );
                Ok(())
            }
            Expect::Declined => self.declined(connection).await,
            Expect::Passed(wanted) => self.passed(connection, wanted, case.closes).await,
        }
    }

    /// A refusal. Afterwards both sides agree on where the next request begins, if there is one.
    async fn declined(&mut self, mut connection: RawConnection) -> anyhow::Result<()> {
        let (_, response) = connection.response("GET").await?;
        let status = response.status.as_u16();
        ensure!(is_refusal(status), "the status is {status}");
        let (line, request) = self.next("Connection: close\r\n");
        let _ = connection.send(request.as_bytes()).await;
        let rest = connection.read_rest(CLOSE_TIMEOUT).await;
        ensure!(rest.closed, "the connection is still open");
        let responses = rest.statuses();
        let refused = responses.iter().filter(|&&status| is_refusal(status));
        let others = responses.len() - refused.count();
        ensure!(
            others == 0 || (others == 1 && ends_with_echo(&rest, &line)),
            "the next responses: {responses:?}"
        );
        Ok(())
    }

    /// A response to each request. Afterwards both sides agree on where the next request begins.
    async fn passed(
        &mut self,
        mut connection: RawConnection,
        wanted: &[ExpectedMessage],
        closes: bool,
    ) -> anyhow::Result<()> {
        for wanted in wanted {
            let method = wanted.line.split(' ').next().unwrap_or_default();
            let (_, response) = connection.response(method).await?;
            ensure!(response.status == 200, "the status is {}", response.status);
            let echo = format!("{}\n{}", wanted.line, wanted.body.len());
            ensure!(
                method == "HEAD" || response.text() == echo,
                "the response to another request: {}",
                response.text()
            );
        }
        if closes {
            let rest = connection.read_rest(CLOSE_TIMEOUT).await;
            let statuses = rest.statuses();
            ensure!(
                rest.closed && rest.bytes.is_empty(),
                "the connection continues: {statuses:?}"
            );
            return Ok(());
        }
        let (line, request) = self.next("Connection: close\r\n");
        connection.send(request.as_bytes()).await?;
        let rest = connection.read_rest(CLOSE_TIMEOUT).await;
        ensure!(
            rest.closed && rest.statuses() == [200] && ends_with_echo(&rest, &line),
            "the next request: {:?}",
            String::from_utf8_lossy(&rest.bytes)
        );
        Ok(())
    }

    /// Asserts that an ordinary request on a new connection is served.
    pub(crate) async fn healthy(&mut self) -> anyhow::Result<()> {
        let (line, request) = self.next("");
        let mut connection = self.edge.connect().await?;
        connection.send(request.as_bytes()).await?;
        let (_, response) = connection.response("GET").await?;
        ensure!(
            response.status == 200 && response.text() == format!("{line}\n0"),
            "{} {}",
            response.status,
            response.text()
        );
        Ok(())
    }

    /// A request that differs from all others.
    fn next(&mut self, fields: &str) -> (String, String) {
        self.turn += 1;
        let line = format!("GET /patients?page={} HTTP/1.1", self.turn);
        let request = format!("{line}\r\nHost: {}\r\n{fields}\r\n", self.edge.host());
        (line, request)
    }

    /// The record of the origin for this case, without the healthy requests.
    pub(crate) async fn seen(&self, expect: &Expect) -> anyhow::Result<OriginRecord> {
        let origin = self.edge.origin()?;
        let mut seen = origin.take_record();
        // Web has to abort an incomplete request soon.
        if matches!(expect, Expect::Incomplete | Expect::Broken) {
            for _ in 0..100 {
                if seen.incomplete.is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
                let more = origin.take_record();
                seen.messages.extend(more.messages);
                seen.malformed.extend(more.malformed);
                seen.incomplete = more.incomplete;
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

fn ends_with_echo(rest: &Remainder, line: &str) -> bool {
    rest.bytes.ends_with(format!("{line}\n0").as_bytes())
}

pub(crate) fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) || matches!(status, 501 | 505)
}

/// Asserts `before` responses with 200, then a refusal, then the end of the connection.
fn refusal(rest: &Remainder, before: usize) -> anyhow::Result<()> {
    let statuses = rest.statuses();
    ensure!(
        rest.closed,
        "the statuses are {statuses:?}, and the connection is open"
    );
    let as_expected = match statuses.split_last() {
        Some((last, first)) => {
            is_refusal(*last) && first.len() == before && first.iter().all(|&status| status == 200)
        }
        None => false,
    };
    ensure!(as_expected, "the statuses are {statuses:?}");
    Ok(())
}

/// The origin's side of a case.
pub(crate) fn compare(expect: &Expect, seen: &OriginRecord) -> anyhow::Result<()> {
    let nothing = Vec::new();
    let expected = match expect {
        Expect::Passed(these) | Expect::PassedThenRefused(these) => these,
        Expect::Refused | Expect::Declined | Expect::Incomplete | Expect::Broken => &nothing,
    };
    ensure!(
        seen.malformed.is_empty(),
        "the origin received {:?}",
        seen.malformed
    );
    if let Some(rest) = seen.incomplete.first() {
        bail!("the origin received {:?}", String::from_utf8_lossy(rest));
    }
    let lines: Vec<&str> = seen.messages.iter().map(Message::line).collect();
    ensure!(
        expected.len() == seen.messages.len(),
        "the origin received {lines:?}"
    );
    for (one, message) in expected.iter().zip(&seen.messages) {
        ensure!(message.line() == one.line, "the origin received {lines:?}");
        ensure!(
            message.body == one.body,
            "the origin received the body {:?}",
            String::from_utf8_lossy(&message.body)
        );
        fields(one, message)?;
    }
    Ok(())
}

/// Asserts that the message has the client's forwarded fields and the edge's own fields, and no
/// others.
pub(crate) fn fields(wanted: &ExpectedMessage, message: &Message) -> anyhow::Result<()> {
    let (own, mut others): (Vec<_>, Vec<_>) = message
        .fields()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .partition(|(name, _)| EDGE_FIELDS.contains(&name.as_str()));
    let mut expected = wanted.fields.clone();
    expected.sort();
    others.sort();
    ensure!(
        others == expected,
        "the origin received the fields {others:?}"
    );
    for (name, value) in &own {
        ensure!(
            is_own_value(name, value),
            "the origin received {name}: {value}"
        );
        let count = own.iter().filter(|(other, _)| other == name).count();
        ensure!(count == 1, "the origin received {name} {count} times");
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
            "the origin received no {name}"
        );
    }
    Ok(())
}

/// The fields that the edge sets itself.
const EDGE_FIELDS: [&str; 9] = [
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

fn is_own_value(name: &str, value: &str) -> bool {
    match name {
        "host" => value == "app.internal",
        "x-forwarded-for" => value == "127.0.0.1",
        "x-forwarded-proto" => value == "https",
        "x-forwarded-host" => value == tests::edge::HOST,
        "x-request-id" => Uuid::parse_str(value).is_ok(),
        "x-request-timeout-ms" => {
            let left: Result<u32, _> = value.parse();
            // The time of the response, or that of an upload that web streams.
            left.is_ok_and(|left| matches!(left, 1..=100_000 | 600_001..=700_000))
        }
        "traceparent" => value.len() == 55 && value.starts_with("00-"),
        // The origin has read the body by these fields.
        "content-length" | "transfer-encoding" => true,
        _ => false,
    }
}
