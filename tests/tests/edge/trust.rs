//! Web → app, from the side of who is connected to: with anything else than the app behind it, web says
//! nothing. (The other side of the link, the app's, is in `hops/app.rs`.)

use std::fs;
use std::time::Duration;
use std::time::Instant;

use anyhow::ensure;
use dev_ca::DevelopmentCa;
use dev_ca::Leaf;
use dev_ca::Usage;
use rustls::HandshakeKind;
use tests::edge::Act;
use tests::edge::Certificates;
use tests::edge::Edge;
use tests::edge::HOST;
use tests::edge::Origin;
use tests::edge::Plan;
use tests::edge::Wire;
use tests::edge::answer;

/// How long a change of files may take to be noticed.
const NOTICED: Duration = Duration::from_secs(5);

/// The status of an ordinary request.
async fn ask(edge: &Edge) -> anyhow::Result<u16> {
    let mut wire = edge.connect().await?;
    let request = format!("GET /patients HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    wire.send(request.as_bytes()).await?;
    Ok(wire.answer("GET").await?.1.status.as_u16())
}

/// An edge before an origin that shows a leaf of some CA.
async fn before(
    leaf: &Leaf,
    authority: impl FnOnce(&Certificates) -> anyhow::Result<DevelopmentCa>,
) -> anyhow::Result<Edge> {
    let certificates = Certificates::issue(HOST)?;
    let issued = authority(&certificates)?.issue(leaf)?;
    let origin = Origin::start(Some(certificates.mutual_server(&issued)?)).await?;
    Plan::of(0).start_with(certificates, vec![origin]).await
}

#[tokio::test]
async fn web_hands_requests_to_an_origin_with_apps_name_and_identity() -> anyhow::Result<()> {
    let edge = before(&Certificates::app(), Certificates::internal).await?;
    edge.ready().await?;
    assert_eq!(ask(&edge).await?, 200);
    assert_eq!(edge.origin()?.take().messages.len(), 1);
    Ok(())
}

/// The app's certificate, wrong in one respect each.
fn wrong_leaves() -> Vec<(&'static str, Leaf)> {
    let changed = |change: &dyn Fn(&mut Leaf)| {
        let mut leaf = Certificates::app();
        change(&mut leaf);
        leaf
    };
    let names = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        changed(&|leaf| leaf.names.clone_from(&names))
    };
    let uris = |uris: &[String]| changed(&|leaf| leaf.uris = uris.to_vec());
    let app = Certificates::spiffe("app");
    vec![
        (
            "a time that is over",
            changed(&|leaf| leaf.validity = Certificates::expired()),
        ),
        (
            "a time to come",
            changed(&|leaf| leaf.validity = Certificates::not_yet_valid()),
        ),
        (
            "a client's usage",
            changed(&|leaf| leaf.usage = Usage::Client),
        ),
        ("no name", names(&[])),
        ("another name", names(&["db.internal"])),
        (
            "a name that begins like app's",
            names(&["app.internal.example"]),
        ),
        ("a name above app's", names(&["internal"])),
        ("its address for a name", names(&["127.0.0.1"])),
        ("no identity", uris(&[])),
        ("web's identity", uris(&[Certificates::spiffe("web")])),
        (
            "the database's identity",
            uris(&[Certificates::spiffe("db")]),
        ),
        (
            "an identity that begins like app's",
            uris(&[Certificates::spiffe("app2")]),
        ),
        (
            "an identity below app's",
            uris(&[Certificates::spiffe("app/x")]),
        ),
        (
            "another trust domain",
            uris(&["spiffe://other.internal/app".to_owned()]),
        ),
        ("an identity in capitals", uris(&[app.to_uppercase()])),
        (
            "two identities",
            uris(&[app.clone(), Certificates::spiffe("db")]),
        ),
        ("its identity twice", uris(&[app.clone(), app])),
    ]
}

#[tokio::test]
async fn web_says_nothing_to_an_origin_that_is_wrong_in_any_one_respect() -> anyhow::Result<()> {
    let mut impostors = Vec::new();
    for (what, leaf) in wrong_leaves() {
        impostors.push((what, before(&leaf, Certificates::internal).await?));
    }
    let app = Certificates::app();
    let other = before(&app, |_| Certificates::other_internal()).await?;
    impostors.push(("another CA of the same name", other));
    for (what, edge) in &impostors {
        assert!((500..=599).contains(&ask(edge).await?), "{what}");
        let origin = edge.origin()?;
        assert!(origin.attempts() > 0, "{what}: web did not even try");
        assert!(origin.take().is_nothing(), "{what}");
        assert_eq!(origin.checks(), 0, "{what}");
        assert_eq!(origin.handshakes(), [], "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn web_speaks_tls_to_an_origin_or_not_at_all() -> anyhow::Result<()> {
    let certificates = Certificates::issue(HOST)?;
    let origin = Origin::start(None).await?;
    let edge = Plan::of(0).start_with(certificates, vec![origin]).await?;
    assert!((500..=599).contains(&ask(&edge).await?));
    let seen = edge.origin()?.take();
    assert!(seen.messages.is_empty(), "{:?}", seen.messages);
    // What came is TLS records, and no word of HTTP.
    assert!(!seen.rest.is_empty());
    for rest in seen.rest {
        assert_eq!(rest.first(), Some(&0x16));
        assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1"));
    }
    Ok(())
}

/// Asks until the answer is of a kind, and a few times more.
async fn settles(edge: &Edge, wanted: impl Fn(u16) -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + NOTICED;
    while !wanted(ask(edge).await?) {
        ensure!(Instant::now() < deadline, "the change was not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _ = edge.origin()?.take();
    for _ in 0..5 {
        let status = ask(edge).await?;
        ensure!(wanted(status), "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn no_connection_to_an_origin_is_resumed_and_none_outlives_a_change_of_trust()
-> anyhow::Result<()> {
    // The origin offers to resume, as servers do unless they are told not to.
    let edge = before(&Certificates::app(), Certificates::internal).await?;
    edge.origin()?.script(|_| {
        let ok = answer("200 OK\r\nconnection: close", b"ok");
        Act::Answer(ok)
    });
    edge.ready().await?;
    for _ in 0..5 {
        assert_eq!(ask(&edge).await?, 200);
    }
    let handshakes = edge.origin()?.handshakes();
    assert!(handshakes.len() >= 5, "{handshakes:?}");
    assert!(!handshakes.contains(&HandshakeKind::Resumed));
    // Whoever wants to resume can.
    let tls = edge.certificates.mutual_client()?;
    for _ in 0..2 {
        let port = edge.origin()?.port();
        let mut wire = Wire::connect(port, "app.internal", tls.clone()).await?;
        wire.send(b"GET /patients HTTP/1.1\r\nhost: app.internal\r\n\r\n")
            .await?;
        wire.answer("GET").await?;
    }
    assert!(
        edge.origin()?
            .handshakes()
            .contains(&HandshakeKind::Resumed)
    );

    let anchors = edge.certificates.path("internal/ca.pem");
    let trusted = fs::read(&anchors)?;
    let other = Certificates::other_internal()?;
    fs::write(&anchors, other.certificate_pem())?;
    settles(&edge, |status| status >= 500).await?;
    assert!(edge.origin()?.take().messages.is_empty());

    fs::write(&anchors, trusted)?;
    settles(&edge, |status| status == 200).await?;
    assert_eq!(edge.origin()?.take().messages.len(), 5);
    Ok(())
}
