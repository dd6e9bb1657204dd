//! Who somebody says they are, where they say they come from, and what they say was asked: the app
//! hears of it from the edge alone, whatever the spelling.

use std::collections::BTreeSet;

use anyhow::ensure;
use tests::edge::Message;

use super::http1::Probe;
use super::http1::fields;
use super::http1::is_refusal;
use super::http1::sees_page;

/// One attempt a line; the fields of an attempt of several are divided by `&&`. The script for HTTP/2
/// reads the same file.
const FORGED: &str = include_str!("forged.txt");

/// What only forged values hold.
const MARKS: [&str; 5] = [
    "6.6.6.6",
    "forged",
    "666",
    "0af7651916cd43dd",
    "b7ad6b7169203331",
];

/// Whether the app sees nothing but the edge's own word.
pub(crate) fn is_ours(message: &Message) -> anyhow::Result<()> {
    let head = message.head.to_ascii_lowercase();
    // The edge's own ids are random, and may hold three digits of any kind.
    let own = ["x-request-id: ", "traceparent: "];
    let told = head
        .split("\r\n")
        .filter(|line| !own.iter().any(|own| line.starts_with(own)));
    for line in told {
        let mark = MARKS.iter().find(|mark| line.contains(**mark));
        ensure!(mark.is_none(), "the origin saw {line}");
    }
    for id in [
        "0af7651916cd43dd",
        "b7ad6b7169203331",
        "000000000666",
        "forged",
    ] {
        ensure!(!head.contains(id), "the origin saw {id}");
    }
    fields(&sees_page(), message)
}

#[test]
fn there_are_more_than_fifty_spellings() {
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
    // Dropping is the rule, refusing the exception: a proxy before us may have put them there.
    assert!(served > 100, "only {served} were served");
    let log = probe.edge.web.log()?;
    assert!(!log.contains("6.6.6.6") && !log.contains("forged"), "{log}");
    Ok(())
}

/// Whether the request was served, in which case all that the app saw was ours.
async fn attempt_over_http1(probe: &mut Probe, attempt: &str) -> anyhow::Result<bool> {
    let lines = attempt.replace(" && ", "\r\n");
    let host = probe.edge.host();
    let request = format!("GET /patients?page=2 HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n\r\n");
    let mut wire = probe.edge.connect().await?;
    wire.send(request.as_bytes()).await?;
    let (_, answer) = wire.answer("GET").await?;
    let seen = probe.edge.origin()?.take();
    ensure!(seen.rest.is_empty() && seen.wrong.is_empty(), "{seen:?}");
    match (answer.status.as_u16(), seen.messages.as_slice()) {
        (200, [message]) => is_ours(message).map(|()| true),
        (status, []) if is_refusal(status) => Ok(false),
        (status, messages) => anyhow::bail!("answered {status}, and the origin saw {messages:?}"),
    }
}
