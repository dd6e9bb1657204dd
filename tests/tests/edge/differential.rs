//! Whatever we let pass, nginx and `HAProxy` read as the same messages with the same bodies: nobody
//! behind us can be made to see more of them, or other ones.

use std::time::Duration;

use anyhow::ensure;
use tests::edge::Origin;
use tests::edge::Peer;
use tests::edge::PeerError;
use tests::edge::Wire;

use super::http1::Case;
use super::http1::Expect;
use super::http1::cases;

/// How long a proxy may be silent before it counts as done.
const SILENCE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn nginx_and_haproxy_read_what_we_let_pass_as_we_do() -> anyhow::Result<()> {
    let origin = Origin::start(None).await?;
    let mut wrong = Vec::new();
    for peer in [Peer::nginx(&origin).await, Peer::haproxy(&origin).await] {
        let peer = match peer {
            Err(PeerError::Missing(why)) => {
                eprintln!("SKIPPED, not compared with another proxy: {why:#}");
                continue;
            }
            other => other?,
        };
        for case in cases() {
            if let Err(error) = compare(&peer, &origin, &case).await {
                wrong.push(format!("{}: {}: {error:#}", peer.name, case.name));
            }
            let _ = origin.take();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Whether a proxy hands the same messages on as we do.
async fn compare(peer: &Peer, origin: &Origin, case: &Case) -> anyhow::Result<()> {
    let Expect::Passed(expected) = &case.expect else {
        return Ok(());
    };
    let mut wire = Wire::plain(peer.port).await?;
    wire.send(&case.bytes).await?;
    for sees in expected {
        let method = sees.line.split(' ').next().unwrap_or_default();
        let (_, answer) = wire.answer(method).await?;
        ensure!(answer.status == 200, "answered {}", answer.status);
    }
    // Nothing more may come of it, now or when the connection ends.
    let _ = wire.finish().await;
    let rest = wire.rest(SILENCE).await;
    ensure!(rest.bytes.is_empty(), "and then {:?}", rest.statuses());
    let seen = origin.take();
    ensure!(seen.wrong.is_empty(), "told {:?}", seen.wrong);
    let bodies: Vec<&[u8]> = seen.messages.iter().map(|message| &*message.body).collect();
    let expected: Vec<&[u8]> = expected.iter().map(|sees| &*sees.body).collect();
    let lengths: Vec<usize> = bodies.iter().map(|body| body.len()).collect();
    ensure!(bodies == expected, "bodies of {lengths:?} bytes");
    Ok(())
}
