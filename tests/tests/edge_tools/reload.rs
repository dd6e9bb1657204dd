//! Certificates and upstream lists that change while clients are served.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use dev_ca::DevelopmentCa;
use dev_ca::IssuedLeaf;
use dev_ca::Leaf;
use dev_ca::Subject;
use dev_ca::Usage;
use dev_ca::Validity;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tests::Fault;
use tests::FaultProxy;
use tests::Load;
use tests::edge::Edge;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::served::Executed;
use super::served::assert_no_failure;
use super::served::builder;
use super::served::free_port;
use super::served::front_door;
use super::served::metric;
use super::served::request;

/// The number of renewals.
const RENEWALS: usize = 100;

/// The longest until a new certificate is served.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(2);

/// Issues a new certificate for web.
fn renew(edge: &Edge) -> IssuedLeaf {
    let subject = |name| Subject::new(product::TRUST_DOMAIN, name);
    let folder = edge.certificates.path("public");
    let authority =
        DevelopmentCa::load_or_create(&folder, &subject("stack public CA"), now()).unwrap();
    let leaf = Leaf {
        names: vec!["localhost".to_owned()],
        ..Leaf::new(
            subject("localhost"),
            Usage::Server,
            Validity::days(now(), 30),
        )
    };
    authority.issue(&leaf).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are judged by today's date"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// The certificate that a new client receives.
async fn presented_certificate(edge: &Edge) -> CertificateDer<'static> {
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, edge.web.port))
        .await
        .unwrap();
    let tls = TlsConnector::from(Arc::new(edge.certificates.browser(b"h2").unwrap()));
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tls.connect(name, tcp).await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain.first().unwrap().clone().into_owned()
}

/// The ways in which an operator's tool may replace the files.
#[derive(Clone, Copy, Debug)]
enum Replacement {
    /// Each file is replaced atomically by a rename.
    Replaced,
    /// Each file is overwritten in two halves, with a pause between them.
    InTwoHalves,
    /// An invalid file first, then a certificate without its key, then both.
    AfterInvalid,
}

impl Replacement {
    const ALL: [Self; 3] = [Self::Replaced, Self::InTwoHalves, Self::AfterInvalid];

    async fn write(self, leaf: &IssuedLeaf, folder: &Path) {
        let (certificate, key) = (folder.join("web.pem"), folder.join("web.key"));
        let texts = [(&key, &leaf.key_pem), (&certificate, &leaf.certificate_pem)];
        match self {
            Self::Replaced => leaf.write(folder, "web").unwrap(),
            Self::InTwoHalves => {
                for (path, text) in texts {
                    let (half, _) = text.split_at(text.len() / 2);
                    fs::write(path, half).unwrap();
                    tokio::time::sleep(Duration::from_millis(150)).await;
                    fs::write(path, text).unwrap();
                }
            }
            Self::AfterInvalid => {
                fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nnonsense\n").unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                fs::write(&certificate, &leaf.certificate_pem).unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                fs::write(&key, &leaf.key_pem).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_renewed_certificates_are_served_and_no_request_fails() {
    let edge = builder(1).start().await.unwrap();
    edge.ready().await.unwrap();
    let folder = edge.certificates.path("public");
    // Some clients keep their connection, others open a new one for each request.
    let pause = Duration::from_millis(20);
    let loads = [
        Load::start(front_door(&edge), 2, usize::MAX, pause, request),
        Load::start(front_door(&edge), 2, 1, pause, request),
    ];
    let mut slowest = Duration::ZERO;
    for time in 0..RENEWALS {
        let leaf = renew(&edge);
        let new = CertificateDer::from_pem_slice(leaf.certificate_pem.as_bytes()).unwrap();
        Replacement::ALL[time % 3].write(&leaf, &folder).await;
        let written = Instant::now();
        while presented_certificate(&edge).await != new {
            assert!(
                written.elapsed() < RELOAD_TIMEOUT,
                "the new certificate is not served"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slowest = slowest.max(written.elapsed());
    }
    let mut responses = 0;
    for load in loads {
        let outcome = load.stop().await.unwrap();
        assert_no_failure(&outcome);
        responses += outcome.responses.len();
    }
    println!(
        "{RENEWALS} certificates, each served within {slowest:?}; {responses} responses, no failure"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_files_leave_the_last_good_certificate_in_use() {
    let metrics = free_port();
    let edge = builder(1)
        .variable("WEB_METRICS_LISTEN", format!("127.0.0.1:{metrics}"))
        .start()
        .await
        .unwrap();
    let failing = async || {
        let failing = "web_reload_failing{what=\"public certificate\"}";
        metric(metrics, failing).await
    };
    let before = presented_certificate(&edge).await;
    assert_eq!(failing().await, 0);
    let folder = edge.certificates.path("public");
    let leaf = renew(&edge);
    let other = renew(&edge);
    let wrong = [
        ("", leaf.key_pem.as_str()),
        (leaf.certificate_pem.as_str(), other.key_pem.as_str()),
        (&leaf.certificate_pem[..200], leaf.key_pem.as_str()),
    ];
    for (certificate, key) in wrong {
        fs::write(folder.join("web.pem"), certificate).unwrap();
        fs::write(folder.join("web.key"), key).unwrap();
        tokio::time::sleep(RELOAD_TIMEOUT).await;
        assert_eq!(presented_certificate(&edge).await, before, "{certificate}");
        assert_eq!(failing().await, 1, "{certificate}");
    }
    assert!(
        edge.web
            .log()
            .unwrap()
            .contains("last good value stays in use")
    );
    leaf.write(&folder, "web").unwrap();
    tokio::time::sleep(RELOAD_TIMEOUT).await;
    assert_ne!(presented_certificate(&edge).await, before);
    assert_eq!(failing().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_notices_five_changes_of_the_upstream_list() {
    let mut apps = Vec::new();
    for _ in 0..3 {
        apps.push(FaultProxy::start().await.unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("apps");
    let write = |names: &[usize], apps: &[FaultProxy]| {
        let lines = names
            .iter()
            .map(|app| format!("127.0.0.1:{}\n", apps[*app].port()));
        fs::write(&list, lines.collect::<String>()).unwrap();
    };
    write(&[0, 1], &apps);
    let edge = builder(3)
        // In the place of the list in `WEB_UPSTREAMS`.
        .variable("WEB_UPSTREAMS", "")
        .variable("WEB_UPSTREAMS_FILE", &list)
        .start()
        .await
        .unwrap();
    for (app, origin) in apps.iter().zip(&edge.origins) {
        app.set_upstream(origin.port());
    }
    edge.ready().await.unwrap();
    let load = Load::start(
        front_door(&edge),
        32,
        100,
        Duration::from_millis(5),
        request,
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut served = Vec::new();
    for names in [&[1, 2][..], &[2], &[0, 2], &[0, 1, 2], &[1]] {
        write(names, &apps);
        tokio::time::sleep(Duration::from_millis(1600)).await;
        served.push(apps.iter().map(FaultProxy::opened).collect::<Vec<_>>());
    }
    // Apps that are no longer listed may stop.
    apps[0].set(Fault::Killed).await.unwrap();
    apps[2].set(Fault::Killed).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let outcome = load.stop().await.unwrap();
    println!(
        "{} responses, connections by app after each list: {served:?}",
        outcome.responses.len()
    );
    assert_no_failure(&outcome);
    // Each app of a new list received connections.
    assert!(
        served.last().unwrap().iter().all(|opened| *opened > 0),
        "{served:?}"
    );
    let mut executed = Executed::default();
    executed.add_new(&edge);
    executed.assert_no_post_twice();
}
