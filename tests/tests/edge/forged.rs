//! Forged claims of a client about its identity, its address and its request: the app learns these
//! from the edge alone, in whatever form the client forges them.

use std::collections::BTreeSet;

use anyhow::ensure;
use tests::edge::Message;

use super::http1::Probe;
use super::http1::expected_page;
use super::http1::fields;
use super::http1::is_refusal;

/// One attempt per line; `&&` separates the fields of an attempt with several. The HTTP/2 script
/// reads the same file.
const FORGED: &str = include_str!("forged.txt");

/// Values that occur only in forged fields.
const FORGED_MARKERS: [&str; 5] = [
    "6.6.6.6",
    "forged",
    "666",
    "0af7651916cd43dd",
    "b7ad6b7169203331",
];

/// Asserts that the message has only the edge's own values.
pub(crate) fn has_only_own_values(message: &Message) -> anyhow::Result<()> {
    let head = message.head.to_ascii_lowercase();
    // The edge's own ids are random and may contain "666" by chance.
    let own = ["x-request-id: ", "traceparent: "];
    let lines = head
        .split("\r\n")
        .filter(|line| !own.iter().any(|own| line.starts_with(own)));
    for line in lines {
        let mark = FORGED_MARKERS.iter().find(|mark| line.contains(**mark));
        ensure!(mark.is_none(), "the origin received {line}");
    }
    for id in [
        "0af7651916cd43dd",
        "b7ad6b7169203331",
        "000000000666",
        "forged",
    ] {
        ensure!(!head.contains(id), "the origin received {id}");
    }
    fields(&expected_page(), message)
}

#[test]
fn there_are_more_than_fifty_forged_field_names() {
    let names: BTreeSet<String> = FORGED
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_ascii_lowercase()))
        .collect();
    assert!(names.len() > 50, "{}", names.len());
}

#[tokio::test]
async fn no_forged_header_is_honoured_over_http1() -> anyhow::Result<()> {
    let mut probe = Probe::start().await?;
    let mut wrong = Vec::new();
    let mut served = 0;
    for attempt in FORGED.lines() {
        match attempt_over_http1(&mut probe, attempt).await {
            Ok(was_served) => served += usize::from(was_served),
            Err(error) => wrong.push(format!("{attempt}: {error:#}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Forged fields are normally dropped and seldom refused, since a proxy in front may have added
    // them.
    assert!(served > 100, "only {served} requests were served");
    let log = probe.edge.web.log()?;
    assert!(!log.contains("6.6.6.6") && !log.contains("forged"), "{log}");
    Ok(())
}

/// Whether the request was served; if it was, the app received only the edge's values.
async fn attempt_over_http1(probe: &mut Probe, attempt: &str) -> anyhow::Result<bool> {
    let lines = attempt.replace(" && ", "\r\n");
    let host = probe.edge.host();
    let request = format!("GET /patients?page=2 HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n\r\n");
    let mut connection = probe.edge.connect().await?;
    connection.send(request.as_bytes()).await?;
    let (_, response) = connection.response("GET").await?;
    let seen = probe.edge.origin()?.take_record();
    ensure!(
        seen.incomplete.is_empty() && seen.malformed.is_empty(),
        "{seen:?}"
    );
    match (response.status.as_u16(), seen.messages.as_slice()) {
        (200, [message]) => has_only_own_values(message).map(|()| true),
        (status, []) if is_refusal(status) => Ok(false),
        (status, messages) => {
            anyhow::bail!("the status is {status}, and the origin received {messages:?}")
        }
    }
}
