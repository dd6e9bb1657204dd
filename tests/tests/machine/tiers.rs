//! The three kinds of machine, one after the other as a deployment starts them.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tests::Machine;
use tests::edge::Wire;

use super::apart;
use super::around::Around;
use super::confinement;
use super::life;
use super::release;

/// The name of this test.
const NAME: &str = "machine::tiers::machines_of_all_tiers_start_serve_renew_and_end";

#[test]
fn machines_of_all_tiers_start_serve_renew_and_end() {
    let Some(system) = apart::system(NAME) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut around = Around::up(system).await;
        migrate(&around);
        let app = app(&around);
        let web = web(&around);
        let door = Door::new(&around);
        let (status, body) = door.get("/readyz").await.unwrap();
        assert_eq!(
            (status, body.as_str()),
            (200, "ready"),
            "{}{}",
            app.journal("app").unwrap(),
            web.journal("web").unwrap()
        );
        say("web and app serve from their units; /readyz answers through all tiers");
        confinement::check(&web, "web");
        confinement::reaches_credentials(&web, "web", false);
        confinement::check(&app, "app");
        confinement::reaches_credentials(&app, "app", true);
        confinement::knows_its_keys(&app, &around.former);
        life::is_watched(&web, "web");
        life::is_watched(&app, "app");
        life::takes_up_renewed_certificates(&around, &web, &app, &door).await;
        life::takes_certificates_from_a_secret(&around, &app, &door).await;
        life::is_replaced_without_a_refused_connection(&web, &door).await;
        life::answers_what_is_in_flight(&web, &door).await;
        release::install_again(&app, "app");
        app.await_state("app.service", "active").unwrap();
        door.await_ready().await;
        say("install.sh may be run again");
        drop((web, app));
        around.apart.stack.down().await.unwrap();
    });
}

/// A line of what was seen.
pub(crate) fn say(what: &str) {
    println!("  {what}");
}

/// The migration's machine makes accounts and schema, and switches itself off.
fn migrate(around: &Around) {
    let mut settings = database(around);
    settings.push(("STACK_DATABASE_MASTER_SECRET", "master".to_owned()));
    let lines =
        "ExecStopPost=\nExecStopPost=/usr/bin/cp /run/stack/migration/database-password /dev/null";
    let mut machine = release::install(
        around,
        "migration",
        &settings,
        &[("migration.service", lines.to_owned())],
    );
    let ended = machine.await_end().unwrap();
    // What the kernel does to the first process of a machine that switches itself off.
    assert_eq!(ended.signal(), Some(2), "{ended:?}");
    say(
        "the migration made accounts and schema with the master's password, and its machine switched itself off",
    );
}

fn app(around: &Around) -> Machine {
    let mut settings = database(around);
    settings.extend(certificates("app", "web"));
    settings.extend([
        ("APP_LISTEN", "0.0.0.0:9443".to_owned()),
        ("APP_PUBLIC_ORIGIN", "https://clinic.example".to_owned()),
        (
            "APP_TLS_CLIENT_IDENTITY",
            "spiffe://stack.internal/web".to_owned(),
        ),
        ("APP_DRAIN_SECONDS", "10".to_owned()),
    ]);
    // Where KMS is, and who it is asked as: on AWS the region's endpoint, and the machine's role.
    let lines = format!(
        "Environment=KMS_ENDPOINT={} KMS_CA_FILE=/usr/share/aws/kms.pem\n\
         Environment=AWS_ACCESS_KEY_ID=stack AWS_SECRET_ACCESS_KEY=stack",
        around.key_service
    );
    let machine = release::install(around, "app", &settings, &[("app.service", lines)]);
    machine.await_state("app.service", "active").unwrap();
    machine
}

fn web(around: &Around) -> Machine {
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
            "spiffe://stack.internal/app".to_owned(),
        ),
        ("WEB_UNREADY_SECONDS", "2".to_owned()),
        ("WEB_DRAIN_SECONDS", "5".to_owned()),
    ]);
    let machine = release::install(around, "web", &settings, &[]);
    machine.await_state("web.service", "active").unwrap();
    machine
}

fn database(around: &Around) -> Vec<(&'static str, String)> {
    vec![
        ("STACK_DATABASE_SECRET", "database".to_owned()),
        ("DATABASE_HOST", "127.0.0.1".to_owned()),
        ("DATABASE_PORT", around.database_port.to_string()),
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
        ("STACK_IDENTITY", format!("spiffe://stack.internal/{tier}")),
        ("STACK_DNS_NAME", format!("{tier}.internal")),
    ]
}

/// The load balancer's side of web.
pub(crate) struct Door(ClientConfig);

impl Door {
    fn new(around: &Around) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = around.authority("web");
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

    pub(crate) async fn connect(&self) -> anyhow::Result<Wire> {
        let mut tls = self.0.clone();
        // Each connection shows its certificate.
        tls.resumption = rustls::client::Resumption::disabled();
        Wire::connect(8443, "web.internal", tls).await
    }

    /// A connection of its own for one question.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let mut wire = self.connect().await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: clinic.example\r\n\r\n");
        wire.send(request.as_bytes()).await?;
        let (_, answer) = wire.answer("GET").await?;
        Ok((
            answer.status.as_u16(),
            String::from_utf8_lossy(&answer.body).into_owned(),
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
