//! The three kinds of machines, in the order of a deployment.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tests::Machine;
use tests::edge::RawConnection;

use super::confinement;
use super::lifecycle;
use super::network_namespace;
use super::release;
use super::services::SimulatedServices;

/// The path of this test, by which the test program finds it.
const TEST_NAME: &str = "machine::tiers::machines_of_all_tiers_start_serve_renew_and_shut_down";

#[test]
fn machines_of_all_tiers_start_serve_renew_and_shut_down() {
    let Some(system) = network_namespace::enter(TEST_NAME) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut services = SimulatedServices::start(system).await;
        migrate(&services);
        let app = app(&services);
        let web = web(&services);
        let client = EdgeClient::new(&services);
        let (status, body) = client.get("/readyz").await.unwrap();
        assert_eq!(
            (status, body.as_str()),
            (200, "ready"),
            "{}{}",
            app.journal("app").unwrap(),
            web.journal("web").unwrap()
        );
        report("web and app serve from their units; /readyz responds through all tiers");
        confinement::check(&web, "web");
        confinement::reaches_credentials(&web, "web", false);
        confinement::check(&app, "app");
        confinement::reaches_credentials(&app, "app", true);
        confinement::has_its_root_keys(&app, &services.former_key_id);
        lifecycle::is_supervised(&web, "web");
        lifecycle::is_supervised(&app, "app");
        lifecycle::serves_renewed_certificates(&services, &web, &app, &client).await;
        lifecycle::serves_certificates_of_a_secret(&services, &app, &client).await;
        lifecycle::restarts_without_a_refused_connection(&web, &client).await;
        lifecycle::completes_requests_in_progress(&web, &client).await;
        release::install_again(&app, "app");
        app.await_state("app.service", "active").unwrap();
        client.await_ready().await;
        report("install.sh may be run again");
        drop((web, app));
        services.isolated.stack.down().await.unwrap();
    });
}

/// Prints an observation.
pub(crate) fn report(what: &str) {
    println!("  {what}");
}

/// The migration's machine creates accounts and schema, and powers itself off.
fn migrate(services: &SimulatedServices) {
    let mut settings = database(services);
    settings.push(("STACK_DATABASE_MASTER_SECRET", "master".to_owned()));
    let lines =
        "ExecStopPost=\nExecStopPost=/usr/bin/cp /run/stack/migration/database-password /dev/null";
    let mut machine = release::install(
        services,
        "migration",
        &settings,
        &[("migration.service", lines.to_owned())],
    );
    let ended = machine.await_end().unwrap();
    // SIGINT: the kernel's signal to the parent when the first process of a PID namespace powers
    // off.
    assert_eq!(ended.signal(), Some(2), "{ended:?}");
    report(
        "the migration made accounts and schema with the master's password, and its machine switched itself off",
    );
}

fn app(services: &SimulatedServices) -> Machine {
    let mut settings = database(services);
    settings.extend(certificates("app", "web"));
    settings.extend([
        ("APP_LISTEN", "0.0.0.0:9443".to_owned()),
        ("APP_PUBLIC_ORIGIN", "https://clinic.example".to_owned()),
        (
            "APP_TLS_CLIENT_IDENTITY",
            "spiffe://example.internal/web".to_owned(),
        ),
        ("APP_DRAIN_SECONDS", "10".to_owned()),
    ]);
    // The endpoint and credentials of KMS: on AWS, those of the region and of the machine's role.
    let lines = format!(
        "Environment=KMS_ENDPOINT={} KMS_CA_FILE=/usr/share/aws/kms.pem\n\
         Environment=AWS_ACCESS_KEY_ID=stack AWS_SECRET_ACCESS_KEY=stack",
        services.key_service
    );
    let machine = release::install(services, "app", &settings, &[("app.service", lines)]);
    machine.await_state("app.service", "active").unwrap();
    machine
}

fn web(services: &SimulatedServices) -> Machine {
    let mut settings = certificates("web", "app");
    settings.extend([
        ("WEB_LISTEN", "0.0.0.0:8443".to_owned()),
        ("WEB_REDIRECT_LISTEN", "127.0.0.1:8080".to_owned()),
        ("WEB_PUBLIC_ORIGIN", "https://clinic.example".to_owned()),
        ("WEB_BALANCERS", "10.0.0.0/24,10.0.1.0/24".to_owned()),
        ("WEB_UPSTREAMS", "127.0.0.1:9443".to_owned()),
        ("WEB_UPSTREAM_NAME", "app.internal".to_owned()),
        (
            "WEB_UPSTREAM_IDENTITY",
            "spiffe://example.internal/app".to_owned(),
        ),
        ("WEB_UNREADY_SECONDS", "2".to_owned()),
        ("WEB_DRAIN_SECONDS", "5".to_owned()),
    ]);
    let machine = release::install(services, "web", &settings, &[]);
    machine.await_state("web.service", "active").unwrap();
    machine
}

fn database(services: &SimulatedServices) -> Vec<(&'static str, String)> {
    vec![
        ("STACK_DATABASE_SECRET", "database".to_owned()),
        ("DATABASE_HOST", "127.0.0.1".to_owned()),
        ("DATABASE_PORT", services.database_port.to_string()),
        ("DATABASE_NAME", "stack".to_owned()),
    ]
}

fn certificates(tier: &str, peer: &str) -> Vec<(&'static str, String)> {
    let arn =
        |of: &str| format!("arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/{of}");
    vec![
        ("STACK_CERTIFICATE_AUTHORITY", "acm-pca".to_owned()),
        ("STACK_OWN_CA_ARN", arn(tier)),
        ("STACK_PEER_CA_ARN", arn(peer)),
        ("STACK_IDENTITY_SECRET", String::new()),
        (
            "STACK_IDENTITY",
            format!("spiffe://example.internal/{tier}"),
        ),
        ("STACK_DNS_NAME", format!("{tier}.internal")),
    ]
}

/// The load balancer's client of web.
pub(crate) struct EdgeClient(ClientConfig);

impl EdgeClient {
    fn new(services: &SimulatedServices) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = services.authority("web");
        roots
            .add(CertificateDer::from_pem_file(authority).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(config)
    }

    pub(crate) async fn connect(&self) -> anyhow::Result<RawConnection> {
        let mut tls = self.0.clone();
        // Each connection has to present the certificate.
        tls.resumption = rustls::client::Resumption::disabled();
        RawConnection::connect(8443, "web.internal", tls).await
    }

    /// A request on a new connection.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let mut connection = self.connect().await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: clinic.example\r\n\r\n");
        connection.send(request.as_bytes()).await?;
        let (_, response) = connection.response("GET").await?;
        Ok((
            response.status.as_u16(),
            String::from_utf8_lossy(&response.body).into_owned(),
        ))
    }

    pub(crate) async fn await_ready(&self) {
        for _ in 0..200 {
            if self
                .get("/readyz")
                .await
                .is_ok_and(|(status, _)| status == 200)
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("web is not ready");
    }
}
