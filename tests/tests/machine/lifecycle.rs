//! The lifecycle of the tiers on a machine: watchdog, renewal, replacement and shutdown.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use dev_ca::Leaf;
use dev_ca::Subject;
use dev_ca::Usage;
use dev_ca::Validity;
use serde_json::json;
use tests::Machine;

use super::services::SimulatedServices;
use super::services::now;
use super::tiers::EdgeClient;
use super::tiers::report;

/// systemd supervises the tier: it was notified of readiness, and gets watchdog notifications.
pub(crate) fn is_supervised(machine: &Machine, tier: &str) {
    let unit = format!("{tier}.service");
    assert_eq!(machine.property(&unit, "Type").unwrap(), "notify");
    assert_eq!(machine.property(&unit, "WatchdogUSec").unwrap(), "30s");
    let watchdog = machine
        .property(&unit, "WatchdogTimestampMonotonic")
        .unwrap();
    assert_ne!(watchdog, "0", "{tier} sent no watchdog notification");
    report(&format!("{tier}: READY and WATCHDOG reach systemd"));
}

/// Due certificates are renewed by the timer's unit, and served without a restart.
pub(crate) async fn serves_renewed_certificates(
    services: &SimulatedServices,
    web: &Machine,
    app: &Machine,
    client: &EdgeClient,
) {
    for (machine, tier) in [(web, "web"), (app, "app")] {
        let timer = format!("certificates@{tier}.timer");
        assert_eq!(machine.property(&timer, "ActiveState").unwrap(), "active");
        let pid = machine
            .property(&format!("{tier}.service"), "MainPID")
            .unwrap();
        let unit = format!("certificates@{tier}.service");
        let file = format!("/run/stack/{tier}/server.pem");
        let issued = fs::read(machine.path(&file)).unwrap();
        machine.run(&["systemctl", "start", &unit]).unwrap();
        assert_eq!(
            issued,
            fs::read(machine.path(&file)).unwrap(),
            "renewed before it was due"
        );
        replace_with_due_certificate(services, machine, tier);
        let due = fs::read(machine.path(&file)).unwrap();
        machine.run(&["systemctl", "start", &unit]).unwrap();
        let renewed = fs::read(machine.path(&file)).unwrap();
        assert!(
            renewed != due && renewed != issued,
            "{}",
            machine.journal(&unit).unwrap()
        );
        await_reload(machine, tier).await;
        assert_eq!(
            pid,
            machine
                .property(&format!("{tier}.service"), "MainPID")
                .unwrap()
        );
    }
    client.await_ready().await;
    report("renewed certificates of both tiers are served by the processes that ran before");
}

/// Certificates of an operator's own CA are read from a secret, and served without a restart.
pub(crate) async fn serves_certificates_of_a_secret(
    services: &SimulatedServices,
    app: &Machine,
    client: &EdgeClient,
) {
    let leaf = Leaf {
        names: vec!["app.internal".to_owned()],
        uris: vec!["spiffe://example.internal/app".to_owned()],
        ..Leaf::new(
            Subject::new("stack", "app"),
            Usage::Server,
            Validity::days(now(), 30),
        )
    };
    let issued = services.issue("app", &leaf);
    let authority = |tier: &str| fs::read_to_string(services.authority(tier)).unwrap();
    let secret = json!({
        "server": {"certificate": issued.certificate_pem, "key": issued.key_pem},
        "own": authority("app"),
        "peers": authority("web"),
    });
    app.write("/usr/share/aws/secrets/identity", &secret.to_string())
        .unwrap();
    let before = fs::read_to_string(app.path("/etc/stack/install.env")).unwrap();
    let own = "STACK_CERTIFICATE_AUTHORITY=own\nSTACK_IDENTITY_SECRET=identity\n";
    app.write("/etc/stack/install.env", &format!("{before}{own}"))
        .unwrap();
    app.run(&["systemctl", "start", "certificates@app.service"])
        .unwrap();
    let installed = fs::read_to_string(app.path("/run/stack/app/server.pem")).unwrap();
    assert_eq!(installed, issued.certificate_pem);
    // A pair that does not match is not installed.
    let wrong = secret
        .to_string()
        .replace("BEGIN PRIVATE KEY", "BEGIN NO KEY");
    app.write("/usr/share/aws/secrets/identity", &wrong)
        .unwrap();
    assert!(
        !app.output(&["/bin/systemctl", "start", "certificates@app.service"])
            .unwrap()
            .status
            .success()
    );
    assert_eq!(
        installed,
        fs::read_to_string(app.path("/run/stack/app/server.pem")).unwrap()
    );
    app.write("/etc/stack/install.env", &before).unwrap();
    app.run(&["systemctl", "stop", "certificates@app.service"])
        .unwrap();
    app.run(&["systemctl", "reset-failed", "certificates@app.service"])
        .unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    client.await_ready().await;
    report(
        "certificates of an operator's own CA are read from a secret; a pair that does not match is not installed",
    );
}

/// Replaces a tier's certificate with one of the same CA that expires in a day.
fn replace_with_due_certificate(services: &SimulatedServices, machine: &Machine, tier: &str) {
    let leaf = Leaf {
        names: vec![format!("{tier}.internal")],
        uris: vec![format!("spiffe://example.internal/{tier}")],
        ..Leaf::new(
            Subject::new("stack", tier),
            Usage::Server,
            Validity::days(now(), 1),
        )
    };
    let issued = services.issue(tier, &leaf);
    for (name, text) in [("key", issued.key_pem), ("pem", issued.certificate_pem)] {
        let file = format!("/run/stack/{tier}/server.{name}");
        let due = format!("{file}.due");
        machine.write(&due, &text).unwrap();
        machine
            .run(&["chown", &format!("{tier}:{tier}"), &due])
            .unwrap();
        machine.run(&["mv", "-f", &due, &file]).unwrap();
    }
}

async fn await_reload(machine: &Machine, tier: &str) {
    for _ in 0..100 {
        let journal = machine.journal(tier).unwrap();
        let reloads = journal.lines().filter(|line| line.contains("\"reloaded\""));
        if reloads.count() > 0 && !is_failing(machine, tier) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!(
        "{tier} reloaded nothing:\n{}",
        machine.journal(tier).unwrap()
    );
}

/// Whether the tier's last log line about a reload is a failure.
fn is_failing(machine: &Machine, tier: &str) -> bool {
    let journal = machine.journal(tier).unwrap();
    let last = journal.lines().rfind(|line| line.contains("reload"));
    last.is_some_and(|line| line.contains("cannot reload"))
}

/// `systemctl restart web` during new connections: systemd holds the sockets, so each request gets
/// a response.
pub(crate) async fn restarts_without_a_refused_connection(web: &Machine, client: &EdgeClient) {
    let (done, requests) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let pid = web.property("web.service", "MainPID").unwrap();
    let requesting = async {
        while !done.load(Relaxed) {
            let (status, _) = client
                .get("/healthz")
                .await
                .expect("a connection was refused or cut");
            assert_eq!(status, 200);
            requests.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut restart = web.command(&["systemctl", "restart", "web.service"]);
    let restarting = async {
        let status = tokio::task::spawn_blocking(move || restart.status())
            .await
            .unwrap();
        assert!(status.unwrap().success());
        done.store(true, Relaxed);
    };
    tokio::join!(requesting, restarting);
    assert_ne!(pid, web.property("web.service", "MainPID").unwrap());
    client.await_ready().await;
    report(&format!(
        "web was replaced under {} new connections, none refused or cut",
        requests.load(Relaxed)
    ));
}

/// At SIGTERM web reports itself as not ready, continues, and responds to requests in progress.
pub(crate) async fn completes_requests_in_progress(web: &Machine, client: &EdgeClient) {
    let mut waiting = client.connect().await.unwrap();
    let head = "POST /sign-in HTTP/1.1\r\nHost: clinic.example\r\nOrigin: https://clinic.example\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 42\r\n\r\nemail=nobody@";
    waiting.send(head.as_bytes()).await.unwrap();
    let mut stop = web.command(&["systemctl", "stop", "web.service"]);
    let stopping = tokio::task::spawn_blocking(move || stop.status());
    for _ in 0..100 {
        if client
            .get("/readyz")
            .await
            .is_ok_and(|(status, _)| status == 503)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.get("/readyz").await.unwrap().0, 503);
    // After the delay for the load balancer, within the drain time.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    waiting
        .send(b"clinic.example&password=xxxxx")
        .await
        .unwrap();
    let (_, response) = waiting.response("POST").await.unwrap();
    assert!(response.status.as_u16() < 500, "{}", response.status);
    assert!(stopping.await.unwrap().unwrap().success());
    assert_eq!(web.property("web.service", "Result").unwrap(), "success");
    assert!(
        web.journal("web")
            .unwrap()
            .contains("every request was completed")
    );
    report("at SIGTERM web is not ready, and responds to the request that was half received");
    // The sockets still listen: the next connection starts web again.
    client.await_ready().await;
}
