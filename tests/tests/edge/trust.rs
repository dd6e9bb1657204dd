//! Web → app, from the server's side: web sends no request to a server that is not the app.
//! (`hops/app.rs` has the client's side.)

use std::fs;
use std::time::Duration;
use std::time::Instant;

use anyhow::ensure;
use dev_ca::DevelopmentCa;
use dev_ca::Leaf;
use dev_ca::Usage;
use rustls::HandshakeKind;
use tests::edge::Action;
use tests::edge::Certificates;
use tests::edge::Edge;
use tests::edge::EdgeBuilder;
use tests::edge::HOST;
use tests::edge::Origin;
use tests::edge::RawConnection;
use tests::edge::encode_response;

/// The longest that a change of files may take to be noticed.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The status of an ordinary request.
async fn status(edge: &Edge) -> anyhow::Result<u16> {
    let mut connection = edge.connect().await?;
    let request = format!("GET /patients HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    connection.send(request.as_bytes()).await?;
    Ok(connection.response("GET").await?.1.status.as_u16())
}

/// An edge in front of an origin with this leaf of some CA.
async fn edge_with_origin(
    leaf: &Leaf,
    authority: impl FnOnce(&Certificates) -> anyhow::Result<DevelopmentCa>,
) -> anyhow::Result<Edge> {
    let certificates = Certificates::issue(HOST)?;
    let issued = authority(&certificates)?.issue(leaf)?;
    let origin = Origin::start(Some(certificates.mutual_server(&issued)?)).await?;
    EdgeBuilder::with_origins(0)
        .start_with(certificates, vec![origin])
        .await
}

#[tokio::test]
async fn web_sends_requests_to_an_origin_with_apps_name_and_identity() -> anyhow::Result<()> {
    let edge = edge_with_origin(&Certificates::app(), Certificates::internal).await?;
    edge.ready().await?;
    assert_eq!(status(&edge).await?, 200);
    assert_eq!(edge.origin()?.take_record().messages.len(), 1);
    Ok(())
}

/// The app's certificate with one wrong property each.
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
            "an expired validity",
            changed(&|leaf| leaf.validity = Certificates::expired()),
        ),
        (
            "a future validity",
            changed(&|leaf| leaf.validity = Certificates::not_yet_valid()),
        ),
        (
            "a client's usage",
            changed(&|leaf| leaf.usage = Usage::Client),
        ),
        ("no name", names(&[])),
        ("another name", names(&["db.internal"])),
        (
            "a name with app's as its prefix",
            names(&["app.internal.example"]),
        ),
        ("a name above app's", names(&["internal"])),
        ("its address as a name", names(&["127.0.0.1"])),
        ("no identity", uris(&[])),
        ("web's identity", uris(&[Certificates::spiffe("web")])),
        (
            "the database's identity",
            uris(&[Certificates::spiffe("db")]),
        ),
        (
            "an identity with app's as its prefix",
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
async fn web_sends_nothing_to_an_origin_with_any_wrong_property() -> anyhow::Result<()> {
    let mut impostors = Vec::new();
    for (what, leaf) in wrong_leaves() {
        impostors.push((what, edge_with_origin(&leaf, Certificates::internal).await?));
    }
    let app = Certificates::app();
    let other = edge_with_origin(&app, |_| Certificates::other_internal()).await?;
    impostors.push(("another CA of the same name", other));
    for (what, edge) in &impostors {
        assert!((500..=599).contains(&status(edge).await?), "{what}");
        let origin = edge.origin()?;
        assert!(origin.connections() > 0, "{what}: web did not connect");
        assert!(origin.take_record().is_empty(), "{what}");
        assert_eq!(origin.readiness_probes(), 0, "{what}");
        assert_eq!(origin.handshakes(), [], "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn web_sends_only_tls_records_to_an_origin() -> anyhow::Result<()> {
    let certificates = Certificates::issue(HOST)?;
    let origin = Origin::start(None).await?;
    let edge = EdgeBuilder::with_origins(0)
        .start_with(certificates, vec![origin])
        .await?;
    assert!((500..=599).contains(&status(&edge).await?));
    let seen = edge.origin()?.take_record();
    assert!(seen.messages.is_empty(), "{:?}", seen.messages);
    // The bytes are TLS records without any HTTP.
    assert!(!seen.incomplete.is_empty());
    for rest in seen.incomplete {
        assert_eq!(rest.first(), Some(&0x16));
        assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1"));
    }
    Ok(())
}

/// Sends requests until the status is a wanted one, and five more afterwards.
async fn await_status(edge: &Edge, wanted: impl Fn(u16) -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + RELOAD_TIMEOUT;
    while !wanted(status(edge).await?) {
        ensure!(Instant::now() < deadline, "the change was not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _ = edge.origin()?.take_record();
    for _ in 0..5 {
        let status = status(edge).await?;
        ensure!(wanted(status), "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn web_resumes_no_session_with_an_origin_and_no_connection_outlives_a_change_of_trust()
-> anyhow::Result<()> {
    // The origin offers resumption, as servers do by default.
    let edge = edge_with_origin(&Certificates::app(), Certificates::internal).await?;
    edge.origin()?.script(|_| {
        let ok = encode_response("200 OK\r\nconnection: close", b"ok");
        Action::Respond(ok)
    });
    edge.ready().await?;
    for _ in 0..5 {
        assert_eq!(status(&edge).await?, 200);
    }
    let handshakes = edge.origin()?.handshakes();
    assert!(handshakes.len() >= 5, "{handshakes:?}");
    assert!(!handshakes.contains(&HandshakeKind::Resumed));
    // A client that resumes sessions succeeds, so the origin does offer it.
    let tls = edge.certificates.mutual_client()?;
    for _ in 0..2 {
        let port = edge.origin()?.port();
        let mut connection = RawConnection::connect(port, "app.internal", tls.clone()).await?;
        connection
            .send(b"GET /patients HTTP/1.1\r\nhost: app.internal\r\n\r\n")
            .await?;
        connection.response("GET").await?;
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
    await_status(&edge, |status| status >= 500).await?;
    assert!(edge.origin()?.take_record().messages.is_empty());

    fs::write(&anchors, trusted)?;
    await_status(&edge, |status| status == 200).await?;
    assert_eq!(edge.origin()?.take_record().messages.len(), 5);
    Ok(())
}
