//! App → MySQL, from both sides.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlSslMode;
use stack::Home;
use stack::Status;
use tests::RunningStack;
use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use super::identities;
use super::identities::Authority;
use super::identities::Files;
use super::identities::files_of;

fn options(status: &Status) -> MySqlConnectOptions {
    MySqlConnectOptions::new()
        .host(&status.database.host)
        .port(status.database.port)
        .database(&status.database.name)
        .username("app")
        .ssl_mode(MySqlSslMode::VerifyIdentity)
        .ssl_ca(status.certificates.join("internal/ca.pem"))
}

async fn is_accepted(status: &Status, certificate: &Path, key: &Path) -> bool {
    let options = options(status)
        .ssl_client_cert(certificate)
        .ssl_client_key(key);
    options.connect().await.is_ok()
}

#[tokio::test]
async fn the_app_s_account_is_accepted_with_its_certificate() {
    let status = RunningStack::shared().unwrap().status;
    let own = |suffix: &str| status.certificates.join(format!("database/app.{suffix}"));
    assert!(is_accepted(&status, &own("pem"), &own("key")).await);
    let renewed = files_of(&Authority::database(&status).issue(&identities::account("app")));
    assert!(is_accepted(&status, &renewed.certificate, &renewed.key).await);
}

#[tokio::test]
async fn the_app_s_account_is_refused_without_tls_and_without_a_certificate() {
    let status = RunningStack::shared().unwrap().status;
    assert!(options(&status).connect().await.is_err());
    let plain = options(&status).ssl_mode(MySqlSslMode::Disabled);
    assert!(plain.connect().await.is_err());
}

#[tokio::test]
async fn the_app_s_account_is_refused_with_a_certificate_with_any_wrong_property() {
    let status = RunningStack::shared().unwrap().status;
    let database = Authority::database(&status);
    let timed = |validity| {
        let mut leaf = identities::account("app");
        leaf.validity = validity;
        database.issue(&leaf)
    };
    let wrong = [
        (
            "another CA of the same name",
            Authority::other_database().issue(&identities::account("app")),
        ),
        (
            "the internal CA",
            Authority::internal(&status).issue(&identities::account("app")),
        ),
        (
            "another account",
            database.issue(&identities::account("auditor")),
        ),
        ("an expired validity", timed(identities::expired())),
        ("a future validity", timed(identities::not_yet_valid())),
    ];
    for (what, leaf) in wrong {
        let files = files_of(&leaf);
        assert!(
            !is_accepted(&status, &files.certificate, &files.key).await,
            "{what}"
        );
    }
    for name in [
        "database/auditor",
        "database/migrate",
        "internal/web",
        "public/web",
    ] {
        let file = |suffix: &str| status.certificates.join(format!("{name}.{suffix}"));
        assert!(
            !is_accepted(&status, &file("pem"), &file("key")).await,
            "{name}"
        );
    }
}

/// The programs that connect: the migrations, and the app's provisioning.
fn programs(status: &Status) -> [(&'static str, Command); 2] {
    let home = Home::at(&status.home).unwrap();
    let provision = [OsString::from("provision")];
    [
        ("migrate", stack::command(&home, "migrate", &[]).unwrap()),
        ("app", stack::command(&home, "app", &provision).unwrap()),
    ]
}

fn succeeds(command: &mut Command) -> bool {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A program that has already ended does not read.
    let _ = child
        .stdin
        .take()
        .unwrap()
        .write_all(br#"{"organizations":[]}"#);
    child.wait().unwrap().success()
}

#[tokio::test(flavor = "multi_thread")]
async fn app_and_migrations_connect_to_their_own_server() {
    let status = RunningStack::shared().unwrap().status;
    for (name, mut command) in programs(&status) {
        assert!(succeeds(&mut command), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn app_and_migrations_refuse_a_server_of_another_ca() {
    let status = RunningStack::shared().unwrap().status;
    let other: Files = Authority::other_internal().file();
    for (name, mut command) in programs(&status) {
        command.env("DATABASE_CA_FILE", &other.certificate);
        assert!(!succeeds(&mut command), "{name}");
    }
}

/// Forwards connections to the database, which is thus reachable under another address.
async fn forwarder(address: &str, database: u16) -> u16 {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", database)).await.unwrap();
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn app_and_migrations_refuse_a_server_by_another_name() {
    let status = RunningStack::shared().unwrap().status;
    for (address, right) in [("127.0.0.1", true), ("127.0.0.2", false)] {
        let port = forwarder(address, status.database.port).await;
        for (name, mut command) in programs(&status) {
            command
                .env("DATABASE_HOST", address)
                .env("DATABASE_PORT", port.to_string());
            assert_eq!(succeeds(&mut command), right, "{name} at {address}");
        }
    }
}
