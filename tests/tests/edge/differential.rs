//! Whatever web forwards, nginx and `HAProxy` read as the same messages with the same bodies: no
//! proxy behind web can be made to see more messages, or others.

use std::time::Duration;

use anyhow::ensure;
use tests::edge::Origin;
use tests::edge::RawConnection;
use tests::edge::ReferenceProxy;
use tests::edge::ReferenceProxyError;

use super::http1::Case;
use super::http1::Expect;
use super::http1::cases;

/// A proxy without a byte for this time has sent everything.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn nginx_and_haproxy_read_forwarded_requests_as_web_does() -> anyhow::Result<()> {
    let origin = Origin::start(None).await?;
    let mut wrong = Vec::new();
    for proxy in [
        ReferenceProxy::nginx(&origin).await,
        ReferenceProxy::haproxy(&origin).await,
    ] {
        let proxy = match proxy {
            Err(ReferenceProxyError::Missing(why)) => {
                eprintln!("SKIPPED, not compared with another proxy: {why:#}");
                continue;
            }
            other => other?,
        };
        for case in cases() {
            if let Err(error) = compare(&proxy, &origin, &case).await {
                wrong.push(format!("{}: {}: {error:#}", proxy.name, case.name));
            }
            let _ = origin.take_record();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Compares the messages that a proxy forwards with those that web forwards.
async fn compare(proxy: &ReferenceProxy, origin: &Origin, case: &Case) -> anyhow::Result<()> {
    let Expect::Passed(expected) = &case.expect else {
        return Ok(());
    };
    let mut connection = RawConnection::plaintext(proxy.port).await?;
    connection.send(&case.bytes).await?;
    for wanted in expected {
        let method = wanted.line.split(' ').next().unwrap_or_default();
        let (_, response) = connection.response(method).await?;
        ensure!(response.status == 200, "the status is {}", response.status);
    }
    // No further response may follow, neither now nor at the end of the connection.
    let _ = connection.shutdown().await;
    let rest = connection.read_rest(IDLE_TIMEOUT).await;
    ensure!(
        rest.bytes.is_empty(),
        "further responses: {:?}",
        rest.statuses()
    );
    let seen = origin.take_record();
    ensure!(seen.malformed.is_empty(), "malformed: {:?}", seen.malformed);
    let bodies: Vec<&[u8]> = seen.messages.iter().map(|message| &*message.body).collect();
    let expected: Vec<&[u8]> = expected.iter().map(|wanted| &*wanted.body).collect();
    let lengths: Vec<usize> = bodies.iter().map(|body| body.len()).collect();
    ensure!(bodies == expected, "bodies of {lengths:?} bytes");
    Ok(())
}
