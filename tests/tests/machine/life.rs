//! How the tiers live on a machine: watched, renewed, replaced, ended.

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

use super::around::Around;
use super::around::now;
use super::tiers::Door;
use super::tiers::say;

/// systemd looks after it: it said that it serves, and that it lives.
pub(crate) fn is_watched(machine: &Machine, tier: &str) {
    let unit = format!("{tier}.service");
    assert_eq!(machine.property(&unit, "Type").unwrap(), "notify");
    assert_eq!(machine.property(&unit, "WatchdogUSec").unwrap(), "30s");
    let beat = machine
        .property(&unit, "WatchdogTimestampMonotonic")
        .unwrap();
    assert_ne!(beat, "0", "{tier} never said that it lives");
    say(&format!("{tier}: READY and WATCHDOG reach systemd"));
}

/// Certificates that are due are renewed by the unit that the timer starts, and served without a restart.
pub(crate) async fn takes_up_renewed_certificates(
    around: &Around,
    web: &Machine,
    app: &Machine,
    door: &Door,
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
        make_due(around, machine, tier);
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
    door.await_ready().await;
    say("renewed certificates of both tiers are served by the processes that ran before");
}

/// With a CA of one's own, what its operator puts into the secret is taken up in the same way.
pub(crate) async fn takes_certificates_from_a_secret(around: &Around, app: &Machine, door: &Door) {
    let leaf = Leaf {
        names: vec!["app.internal".to_owned()],
        uris: vec!["spiffe://stack.internal/app".to_owned()],
        ..Leaf::new(
            Subject::new("stack", "app"),
            Usage::Server,
            Validity::days(now(), 30),
        )
    };
    let issued = around.issue("app", &leaf);
    let authority = |tier: &str| fs::read_to_string(around.authority(tier)).unwrap();
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
    let placed = fs::read_to_string(app.path("/run/stack/app/server.pem")).unwrap();
    assert_eq!(placed, issued.certificate_pem);
    // One that does not fit is not placed.
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
        placed,
        fs::read_to_string(app.path("/run/stack/app/server.pem")).unwrap()
    );
    app.write("/etc/stack/install.env", &before).unwrap();
    app.run(&["systemctl", "stop", "certificates@app.service"])
        .unwrap();
    app.run(&["systemctl", "reset-failed", "certificates@app.service"])
        .unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    door.await_ready().await;
    say("certificates of an operator's own CA come from a secret; a wrong pair is not placed");
}

/// Lets a tier's certificate be one of the same authority that has a day left.
fn make_due(around: &Around, machine: &Machine, tier: &str) {
    let leaf = Leaf {
        names: vec![format!("{tier}.internal")],
        uris: vec![format!("spiffe://stack.internal/{tier}")],
        ..Leaf::new(
            Subject::new("stack", tier),
            Usage::Server,
            Validity::days(now(), 1),
        )
    };
    let issued = around.issue(tier, &leaf);
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
        "{tier} took up nothing:\n{}",
        machine.journal(tier).unwrap()
    );
}

/// Whether the last thing that a tier said of its files is that they can't be used.
fn is_failing(machine: &Machine, tier: &str) -> bool {
    let journal = machine.journal(tier).unwrap();
    let last = journal.lines().rfind(|line| line.contains("reload"));
    last.is_some_and(|line| line.contains("cannot reload"))
}

/// `systemctl restart web` while new connections come: systemd holds the sockets, so each of them is answered.
pub(crate) async fn is_replaced_without_a_refused_connection(web: &Machine, door: &Door) {
    let (done, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let pid = web.property("web.service", "MainPID").unwrap();
    let asking = async {
        while !done.load(Relaxed) {
            let (status, _) = door
                .get("/healthz")
                .await
                .expect("a connection was refused or cut");
            assert_eq!(status, 200);
            asked.fetch_add(1, Relaxed);
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
    tokio::join!(asking, restarting);
    assert_ne!(pid, web.property("web.service", "MainPID").unwrap());
    door.await_ready().await;
    say(&format!(
        "web was replaced under {} new connections, none refused or cut",
        asked.load(Relaxed)
    ));
}

/// At SIGTERM web says that it is not ready, goes on, and answers what it has begun with.
pub(crate) async fn answers_what_is_in_flight(web: &Machine, door: &Door) {
    let mut waiting = door.connect().await.unwrap();
    let head = "POST /sign-in HTTP/1.1\r\nHost: clinic.example\r\nOrigin: https://clinic.example\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 42\r\n\r\nemail=nobody@";
    waiting.send(head.as_bytes()).await.unwrap();
    let mut stop = web.command(&["systemctl", "stop", "web.service"]);
    let stopping = tokio::task::spawn_blocking(move || stop.status());
    for _ in 0..100 {
        if door
            .get("/readyz")
            .await
            .is_ok_and(|(status, _)| status == 503)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(door.get("/readyz").await.unwrap().0, 503);
    // After the time for the load balancer, while the rest of its own time runs.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    waiting
        .send(b"clinic.example&password=xxxxx")
        .await
        .unwrap();
    let (_, answer) = waiting.answer("POST").await.unwrap();
    assert!(answer.status.as_u16() < 500, "{}", answer.status);
    assert!(stopping.await.unwrap().unwrap().success());
    assert_eq!(web.property("web.service", "Result").unwrap(), "success");
    assert!(
        web.journal("web")
            .unwrap()
            .contains("every request was completed")
    );
    say("at SIGTERM web says so, and answers the request that it had half of");
    // The sockets still listen: whoever comes starts it again.
    door.await_ready().await;
}
