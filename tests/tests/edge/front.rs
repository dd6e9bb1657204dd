//! Other proxies in front of web, set up by the very lines that its README has for them.

use std::path::Path;

use anyhow::Context;
use tests::edge::Edge;
use tests::edge::HOST;
use tests::edge::Message;
use tests::edge::Peer;
use tests::edge::PeerError;
use tests::edge::Plan;
use tests::edge::Wire;

const README: &str = include_str!("../../../web/README.md");

/// The README's lines for a proxy, for this edge instead of the one they name.
fn guide(language: &str, edge: &Edge) -> anyhow::Result<String> {
    let (_, rest) = README
        .split_once(&format!("```{language}\n"))
        .context("no such block")?;
    let (block, _) = rest.split_once("```").context("a block without an end")?;
    let anchors = edge.certificates.path("public/ca.pem");
    let address = format!("127.0.0.1:{}", edge.web.port);
    Ok(block
        .replace("10.0.0.5:443", &address)
        .replace("/etc/ssl/web-ca.pem", path(&anchors)?))
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is no text")
}

async fn edge() -> anyhow::Result<Edge> {
    let plan = Plan::of(1).variable("WEB_BALANCERS", "127.0.0.1");
    let edge = plan.start().await?;
    edge.ready().await?;
    let _ = edge.origin()?.take();
    Ok(edge)
}

/// nginx by the README, with one text in it replaced by another.
async fn nginx(edge: &Edge, from: &str, to: &str) -> anyhow::Result<Option<Peer>> {
    let block = guide("nginx", edge)?;
    anyhow::ensure!(block.contains(from), "the guide has no {from}");
    let block = block.replace(from, to);
    installed(
        Peer::start_nginx(|port| {
            block.replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port};"))
        })
        .await,
    )
}

fn installed(peer: Result<Peer, PeerError>) -> anyhow::Result<Option<Peer>> {
    match peer {
        Err(PeerError::Missing(why)) => {
            eprintln!("SKIPPED, no other proxy in front: {why:#}");
            Ok(None)
        }
        other => Ok(Some(other?)),
    }
}

/// A page and a form through a proxy, over one connection: both are served, and the app sees the
/// client's address from the proxy, not from the client.
async fn serves(peer: &Peer, edge: &Edge) -> anyhow::Result<()> {
    let forged = "X-Forwarded-For: 6.6.6.6\r\n";
    let page = format!("GET /patients?page=2 HTTP/1.1\r\nHost: {HOST}\r\n{forged}\r\n");
    let form = format!(
        "POST /fhir/Patient/_search HTTP/1.1\r\nHost: {HOST}\r\n{forged}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b"
    );
    let mut wire = Wire::plain(peer.port).await?;
    for (method, request) in [("GET", &page), ("POST", &form), ("GET", &page)] {
        wire.send(request.as_bytes()).await?;
        let (_, answer) = wire.answer(method).await?;
        assert_eq!(answer.status, 200, "{}: {}", peer.name, answer.text());
    }
    let seen = edge.origin()?.take();
    let messages: Vec<&Message> = seen.messages.iter().filter(|one| !one.is_check()).collect();
    assert_eq!(messages.len(), 3, "{}", peer.name);
    for message in messages {
        let addresses: Vec<&str> = message
            .fields()
            .filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(addresses, ["127.0.0.1"], "{}", peer.name);
    }
    Ok(())
}

#[tokio::test]
async fn nginx_serves_through_web_as_the_guide_sets_it_up() -> anyhow::Result<()> {
    let edge = edge().await?;
    if let Some(peer) = nginx(&edge, "", "").await? {
        serves(&peer, &edge).await?;
    }
    Ok(())
}

#[tokio::test]
async fn http_1_0_of_a_proxy_is_answered_with_what_is_spoken_instead() -> anyhow::Result<()> {
    let edge = edge().await?;
    let peer = nginx(&edge, "proxy_http_version 1.1;", "proxy_http_version 1.0;").await?;
    let Some(peer) = peer else {
        return Ok(());
    };
    let mut wire = Wire::plain(peer.port).await?;
    let request = format!("GET /patients?page=2 HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    wire.send(request.as_bytes()).await?;
    let (_, answer) = wire.answer("GET").await?;
    assert_eq!(answer.status, 505);
    assert!(answer.text().contains("HTTP/1.1"), "{}", answer.text());
    Ok(())
}

#[tokio::test]
async fn haproxy_serves_through_web_over_http_2_with_a_host_and_no_authority() -> anyhow::Result<()>
{
    let edge = edge().await?;
    let backend = guide("haproxy", &edge)?;
    if let Some(peer) = installed(Peer::start_haproxy(&backend).await)? {
        serves(&peer, &edge).await?;
    }
    Ok(())
}
