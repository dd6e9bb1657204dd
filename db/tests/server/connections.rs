//! Connections: TLS, client certificates, and servers that became read-only.

use std::time::Duration;

use db::Database;
use db::Error;
use db::PatientToken;
use db::Settings;
use phi_types::IndexParameter;
use phi_types::OrganizationId;
use phi_types::PatientId;
use sqlx::AssertSqlSafe;
use sqlx::ConnectOptions as _;
use sqlx::Executor as _;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlSslMode;

use super::scratch::Scratch;

async fn refused(options: MySqlConnectOptions) -> String {
    options
        .connect()
        .await
        .expect_err("the connection was accepted")
        .to_string()
}

async fn ping(settings: &Settings) -> Result<(), Error> {
    let settings = Settings {
        acquire_timeout: Duration::from_secs(5),
        ..settings.clone()
    };
    Database::new(&settings).ping().await
}

#[tokio::test]
async fn an_account_with_its_own_certificate_is_accepted() {
    let scratch = Scratch::migrated().await;
    for account in ["app", "migrate", "backup", "auditor"] {
        scratch.connect(account).await;
    }
    ping(&scratch.settings("app")).await.unwrap();
}

#[tokio::test]
async fn a_connection_without_tls_is_refused() {
    let scratch = Scratch::migrated().await;
    for account in ["app", "migrate", "backup", "auditor"] {
        let plain = scratch.options(account).ssl_mode(MySqlSslMode::Disabled);
        refused(plain).await;
    }
}

#[tokio::test]
async fn a_connection_without_a_certificate_is_refused() {
    let scratch = Scratch::migrated().await;
    for account in ["app", "migrate", "backup", "auditor"] {
        let mut settings = scratch.settings(account);
        settings.certificate_file = None;
        settings.key_file = None;
        assert!(ping(&settings).await.is_err(), "{account}");
    }
}

#[tokio::test]
async fn the_certificate_of_one_account_does_not_open_another() {
    let scratch = Scratch::migrated().await;
    for (account, other) in [("app", "auditor"), ("app", "backup"), ("migrate", "app")] {
        let settings = Settings {
            user: account.to_owned(),
            ..scratch.settings(other)
        };
        assert!(ping(&settings).await.is_err(), "{account} by {other}'s");
    }
}

#[tokio::test]
async fn a_server_with_another_ca_or_name_is_refused() {
    let scratch = Scratch::migrated().await;
    let other_ca = Settings {
        ca_file: scratch.file("public/ca.pem"),
        ..scratch.settings("app")
    };
    assert!(ping(&other_ca).await.is_err());
    // 127.0.0.2 is no server or the same one, and is in no certificate.
    let other_name = Settings {
        host: "127.0.0.2".to_owned(),
        ..scratch.settings("app")
    };
    assert!(ping(&other_name).await.is_err());
}

#[tokio::test]
async fn no_account_is_left_that_needs_no_certificate() {
    let scratch = Scratch::migrated().await;
    for account in ["root", "mysql", "mariadb.sys", ""] {
        refused(scratch.options("app").username(account)).await;
        refused(
            scratch
                .options("app")
                .username(account)
                .ssl_mode(MySqlSslMode::Disabled),
        )
        .await;
    }
}

/// The connections that inserted organizations, in order.
async fn inserted_by(scratch: &Scratch) -> Vec<i64> {
    let mut connection = scratch.connect("migrate").await;
    sqlx::query_scalar("SELECT CAST(connection AS SIGNED) FROM seen ORDER BY number")
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

async fn insert_organization(app: &Database) -> Result<(), Error> {
    let mut transaction = app.begin().await?;
    transaction
        .insert_organization(&super::rows::organization())
        .await?;
    transaction.commit().await
}

#[tokio::test]
async fn a_connection_to_a_server_that_became_read_only_is_closed() {
    for errno in [1290, 1792, 1836] {
        let scratch = Scratch::migrated().await;
        let mut owner = scratch.connect("migrate").await;
        for statement in [
            "CREATE TABLE seen (number INT AUTO_INCREMENT PRIMARY KEY, connection BIGINT)"
                .to_owned(),
            "CREATE TRIGGER seen_by BEFORE INSERT ON organizations FOR EACH ROW \
             INSERT INTO seen (connection) VALUES (CONNECTION_ID())"
                .to_owned(),
            format!(
                "CREATE TRIGGER demoted BEFORE INSERT ON patient_index FOR EACH ROW \
                 SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {errno}"
            ),
        ] {
            owner.execute(AssertSqlSafe(statement)).await.unwrap();
        }
        let app = scratch.app_with(1);
        insert_organization(&app).await.unwrap();
        insert_organization(&app).await.unwrap();
        let mut transaction = app.begin().await.unwrap();
        let tokens = [PatientToken {
            parameter: IndexParameter::Phone,
            version: 1,
            token: super::rows::token(),
            unique: false,
        }];
        let (organization, patient) = (OrganizationId::random(), PatientId::random());
        let refused = transaction.insert_patient_tokens(organization, patient, &tokens);
        let refused = refused.await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        drop(transaction);
        insert_organization(&app).await.unwrap();
        let [first, second, third] = inserted_by(&scratch).await[..] else {
            panic!("three organizations");
        };
        assert_eq!(first, second, "{errno}");
        assert_ne!(second, third, "{errno}");
    }
}
