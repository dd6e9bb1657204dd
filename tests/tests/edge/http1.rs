//! A raw HTTP/1.1 client that follows no rule: whatever it sends, the app receives one unambiguous
//! request or nothing.

mod bodies;
mod case;
mod chunks;
mod fields;
mod framing;
mod hosts;
mod lengths;
mod lines;
mod paths;
mod run;
mod smuggling;

use std::collections::BTreeSet;

pub(crate) use case::Case;
pub(crate) use case::Expect;
pub(crate) use case::ExpectedMessage;
pub(crate) use case::expected_page;
pub(crate) use run::Probe;
pub(crate) use run::compare;
pub(crate) use run::fields;
pub(crate) use run::is_refusal;

use case::expected_form;
use case::form;
use run::CLOSE_TIMEOUT;

/// The largest permitted growth of web's memory by all cases, in bytes.
const MAX_MEMORY_GROWTH: u64 = 32 << 20;

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = smuggling::cases();
    cases.extend(lengths::cases());
    cases.extend(chunks::cases());
    cases.extend(framing::cases());
    cases.extend(lines::cases());
    cases.extend(hosts::cases());
    cases.extend(paths::cases());
    cases.extend(fields::cases());
    cases.extend(bodies::cases());
    cases
}

#[test]
fn there_are_enough_cases_and_all_are_different() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    let bytes: BTreeSet<&[u8]> = cases.iter().map(|case| case.bytes.as_slice()).collect();
    assert!(cases.len() >= 150, "{}", cases.len());
    assert_eq!((names.len(), bytes.len()), (cases.len(), cases.len()));
}

#[tokio::test]
async fn no_ambiguous_request_reaches_the_app() -> anyhow::Result<()> {
    let mut probe = Probe::start().await?;
    for _ in 0..20 {
        probe.healthy().await?;
    }
    let _ = probe.edge.origin()?.take_record();
    let before = (probe.edge.web.pid(), probe.edge.web.resident_bytes()?);
    let mut wrong = Vec::new();
    for case in cases() {
        if let Err(error) = probe.judge(&case).await {
            wrong.push(format!("{}: {error:#}", case.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(probe.edge.web.exit_status()?, None);
    let grown = probe.edge.web.resident_bytes()?.saturating_sub(before.1);
    assert!(grown < MAX_MEMORY_GROWTH, "memory grew by {grown} bytes");
    assert_eq!(probe.edge.web.pid(), before.0);
    Ok(())
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_it_before_it_sends_the_body() -> anyhow::Result<()>
{
    let probe = Probe::start().await?;
    let mut connection = probe.edge.connect().await?;
    let fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
    connection.send(form(fields, "").as_bytes()).await?;
    assert_eq!(connection.interim().await?, 100);
    assert!(probe.edge.origin()?.take_record().is_empty());
    connection.send(b"a=b").await?;
    let (interim, response) = connection.response("POST").await?;
    assert_eq!((interim.len(), response.status.as_u16()), (0, 200));
    let seen = probe.edge.origin()?.take_record();
    compare(&Expect::Passed(vec![expected_form("a=b")]), &seen)
}

#[tokio::test]
async fn a_body_that_would_be_refused_gets_no_100_continue() -> anyhow::Result<()> {
    let probe = Probe::start().await?;
    let unwanted = [
        form("Expect: 100-continue\r\nContent-Length: 100000000\r\n", ""),
        form("Expect: 100-continue\r\nContent-Length: 3\r\n", "").replace("/fhir/", "/admin/"),
        form("Expect: 100-continue\r\nContent-Length: 3\r\n", "").replace("urlencoded", "x"),
    ];
    for request in unwanted {
        let mut connection = probe.edge.connect().await?;
        connection.send(request.as_bytes()).await?;
        let (interim, response) = connection.response("POST").await?;
        assert!(is_refusal(response.status.as_u16()), "{}", response.status);
        assert!(interim.is_empty(), "{request}");
        assert!(
            connection.read_rest(CLOSE_TIMEOUT).await.closed,
            "{request}"
        );
    }
    assert!(probe.edge.origin()?.take_record().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_compressed_body_is_refused_with_the_accepted_coding() -> anyhow::Result<()> {
    let probe = Probe::start().await?;
    for coding in ["gzip", "br, gzip", "zstd", "identity, deflate"] {
        let mut connection = probe.edge.connect().await?;
        let fields = format!("Content-Encoding: {coding}\r\nContent-Length: 3\r\n");
        connection.send(form(&fields, "a=b").as_bytes()).await?;
        let (_, response) = connection.response("POST").await?;
        assert_eq!(response.status, 415, "{coding}");
        assert_eq!(response.header("accept-encoding"), "identity", "{coding}");
    }
    assert!(probe.edge.origin()?.take_record().is_empty());
    // An unsupported media type gets no `Accept-Encoding`.
    let mut connection = probe.edge.connect().await?;
    let text = form("Content-Length: 3\r\n", "a=b").replace("urlencoded", "x");
    connection.send(text.as_bytes()).await?;
    let (_, response) = connection.response("POST").await?;
    assert_eq!(response.status, 415);
    assert!(response.headers.get("accept-encoding").is_none());
    Ok(())
}
