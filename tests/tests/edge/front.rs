//! Other proxies in front of web, configured by the exact lines of its README.

use std::path::Path;

use anyhow::Context;
use tests::edge::Edge;
use tests::edge::EdgeBuilder;
use tests::edge::HOST;
use tests::edge::Message;
use tests::edge::RawConnection;
use tests::edge::ReferenceProxy;
use tests::edge::ReferenceProxyError;

const README: &str = include_str!("../../../web/README.md");

/// The README's configuration of a proxy, adapted to the address and CA of this edge.
fn readme_configuration(language: &str, edge: &Edge) -> anyhow::Result<String> {
    let (_, rest) = README
        .split_once(&format!("```{language}\n"))
        .context("the README has no such block")?;
    let (block, _) = rest.split_once("```").context("a block without an end")?;
    let anchors = edge.certificates.path("public/ca.pem");
    let address = format!("127.0.0.1:{}", edge.web.port);
    Ok(block
        .replace("10.0.0.5:443", &address)
        .replace("/etc/ssl/web-ca.pem", path(&anchors)?))
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

async fn edge() -> anyhow::Result<Edge> {
    let builder = EdgeBuilder::with_origins(1).variable("WEB_BALANCERS", "127.0.0.1");
    let edge = builder.start().await?;
    edge.ready().await?;
    let _ = edge.origin()?.take_record();
    Ok(edge)
}

/// nginx as the README configures it, with one text replaced.
async fn nginx(edge: &Edge, from: &str, to: &str) -> anyhow::Result<Option<ReferenceProxy>> {
    let block = readme_configuration("nginx", edge)?;
    anyhow::ensure!(block.contains(from), "the README has no {from}");
    let block = block.replace(from, to);
    installed(
        ReferenceProxy::start_nginx(|port| {
            block.replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port};"))
        })
        .await,
    )
}

fn installed(
    proxy: Result<ReferenceProxy, ReferenceProxyError>,
) -> anyhow::Result<Option<ReferenceProxy>> {
    match proxy {
        Err(ReferenceProxyError::Missing(why)) => {
            eprintln!("SKIPPED, no proxy in front of web: {why:#}");
            Ok(None)
        }
        other => Ok(Some(other?)),
    }
}

/// Sends a page and a form through a proxy, over one connection: both are served, and the app gets
/// the client's address from the proxy, not from the client.
async fn serves(proxy: &ReferenceProxy, edge: &Edge) -> anyhow::Result<()> {
    let forged = "X-Forwarded-For: 6.6.6.6\r\n";
    let page = format!("GET /patients?page=2 HTTP/1.1\r\nHost: {HOST}\r\n{forged}\r\n");
    let form = format!(
        "POST /fhir/Patient/_search HTTP/1.1\r\nHost: {HOST}\r\n{forged}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b"
    );
    let mut connection = RawConnection::plaintext(proxy.port).await?;
    for (method, request) in [("GET", &page), ("POST", &form), ("GET", &page)] {
        connection.send(request.as_bytes()).await?;
        let (_, response) = connection.response(method).await?;
        assert_eq!(response.status, 200, "{}: {}", proxy.name, response.text());
    }
    let seen = edge.origin()?.take_record();
    let messages: Vec<&Message> = seen
        .messages
        .iter()
        .filter(|one| !one.is_readiness_probe())
        .collect();
    assert_eq!(messages.len(), 3, "{}", proxy.name);
    for message in messages {
        let addresses: Vec<&str> = message
            .fields()
            .filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(addresses, ["127.0.0.1"], "{}", proxy.name);
    }
    Ok(())
}

#[tokio::test]
async fn nginx_forwards_to_web_as_the_readme_configures_it() -> anyhow::Result<()> {
    let edge = edge().await?;
    if let Some(proxy) = nginx(&edge, "", "").await? {
        serves(&proxy, &edge).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_http_1_0_request_of_a_proxy_gets_505_with_the_required_version() -> anyhow::Result<()> {
    let edge = edge().await?;
    let proxy = nginx(&edge, "proxy_http_version 1.1;", "proxy_http_version 1.0;").await?;
    let Some(proxy) = proxy else {
        return Ok(());
    };
    let mut connection = RawConnection::plaintext(proxy.port).await?;
    let request = format!("GET /patients?page=2 HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    connection.send(request.as_bytes()).await?;
    let (_, response) = connection.response("GET").await?;
    assert_eq!(response.status, 505);
    assert!(response.text().contains("HTTP/1.1"), "{}", response.text());
    Ok(())
}

#[tokio::test]
async fn haproxy_forwards_to_web_over_http_2_with_a_host_and_no_authority() -> anyhow::Result<()> {
    let edge = edge().await?;
    let backend = readme_configuration("haproxy", &edge)?;
    if let Some(proxy) = installed(ReferenceProxy::start_haproxy(&backend).await)? {
        serves(&proxy, &edge).await?;
    }
    Ok(())
}
